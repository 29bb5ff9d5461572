/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-fanout LISTEN MONITOR: passes what a monitor says to all who are connected, and nothing
 * back.
 *
 * What one event to many costs when nothing is done with it: the floor under a proxy.
 */

#include "server.h"
#include "turn.h"
#include "wire.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024 };

static GArray *listeners; /* of int */

static void pass(ServerEnd *end)
{
    char buffer[BUFFER];
    ssize_t count = recv(end->fd, buffer, sizeof buffer, 0);

    if (count <= 0)
        exit(EXIT_SUCCESS);
    for (guint i = 0; i < listeners->len; i++)
        server_write(g_array_index(listeners, int, i), buffer, (gsize)count);
}

static void meet(ServerEnd *end)
{
    int listener = accept4(end->fd, NULL, NULL, SOCK_CLOEXEC);

    g_array_append_val(listeners, listener);
}

int main(int argc, char **argv)
{
    ServerEnd door = {.ready = meet};
    ServerEnd monitor = {.ready = pass};
    Wire wire;

    g_set_prgname("bench-fanout");
    if (argc != 3)
        turn_fail("usage: bench-fanout LISTEN MONITOR");
    listeners = g_array_new(FALSE, FALSE, sizeof(int));
    wire_open(&wire, argv[2], "qmp");
    monitor.fd = wire.fd;
    server_init();
    door.fd = server_listen(argv[1]);
    server_add(&door);
    server_add(&monitor);
    server_ready();
    server_serve();
}
