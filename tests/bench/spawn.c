/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-spawn run TIMES COMMAND...         runs a program to its end: the least there is to pay
 * bench-spawn start TIMES PATH COMMAND...  starts an agent that listens on PATH, up to its answer
 */

#include "turn.h"
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char ping[] = "{\"execute\":\"guest-ping\"}\n";

typedef struct {
    guint times;
    const char *path; /* (nullable) */
    char **command;
} Spawn;

static void end(pid_t child, gboolean must_succeed)
{
    int status;

    if (waitpid(child, &status, 0) < 0 || (must_succeed && status != 0))
        turn_fail("it ended with status %d", status);
}

static gint64 once(const Spawn *spawn)
{
    gint64 began = turn_now_ns();
    gint64 took;
    pid_t child;
    Wire wire;
    gsize len;
    int error;

    if (spawn->path)
        unlink(spawn->path);
    error = posix_spawn(&child, spawn->command[0], NULL, NULL, spawn->command, environ);
    if (error)
        turn_fail("%s: %s", spawn->command[0], g_strerror(error));
    if (!spawn->path) {
        end(child, TRUE);
        return turn_now_ns() - began;
    }
    wire_connect(&wire, spawn->path);
    wire_send(&wire, ping, strlen(ping));
    wire_line(&wire, &len);
    took = turn_now_ns() - began;
    wire_close(&wire);
    kill(child, SIGKILL); /* qemu-ga may hang when it is asked so early */
    end(child, FALSE);
    return took;
}

static void run(gpointer data, Turn *turn)
{
    const Spawn *spawn = data;

    for (guint i = 0; i < spawn->times; i++)
        turn_add(turn, once(spawn));
}

int main(int argc, char **argv)
{
    gboolean start = argc > 1 && g_str_equal(argv[1], "start");
    Spawn spawn = {0};

    g_set_prgname("bench-spawn");
    if (argc < 4 + start)
        turn_fail("usage: bench-spawn run TIMES COMMAND... | start TIMES PATH COMMAND...");
    spawn.times = (guint)strtoul(argv[2], NULL, 10);
    spawn.path = start ? argv[3] : NULL;
    spawn.command = argv + 3 + start;
    turn_serve(run, &spawn);
    return EXIT_SUCCESS;
}
