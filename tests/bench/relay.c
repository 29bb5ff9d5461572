/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-relay LISTEN CONNECT: moves bytes between each who connects and a connection of its own.
 *
 * What a hop between two processes costs when nothing is done in it: the floor under a proxy. Both
 * ends of a pair close together, unless one is still being told of: those of one client at a time
 * are all that the benchmarks need, so a pair is never freed.
 */

#include "server.h"
#include "turn.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024 };

typedef struct {
    ServerEnd end;
    int other;
} Half;

static char buffer[BUFFER];
static const char *target;

static void move(ServerEnd *end)
{
    const Half *half = (const Half *)end;
    ssize_t count = recv(end->fd, buffer, sizeof buffer, 0);

    if (count > 0 && server_write(half->other, buffer, (gsize)count))
        return;
    close(end->fd);
    shutdown(half->other, SHUT_RDWR);
}

static void add(int fd, int other)
{
    Half *half = g_new(Half, 1);

    *half = (Half){{fd, move}, other};
    server_add(&half->end);
}

static void meet(ServerEnd *end)
{
    int client = accept4(end->fd, NULL, NULL, SOCK_CLOEXEC);
    int peer = server_connect(target);

    add(client, peer);
    add(peer, client);
}

int main(int argc, char **argv)
{
    ServerEnd door = {.ready = meet};

    g_set_prgname("bench-relay");
    if (argc != 3)
        turn_fail("usage: bench-relay LISTEN CONNECT");
    target = argv[2];
    server_init();
    door.fd = server_listen(argv[1]);
    server_add(&door);
    server_ready();
    server_serve();
}
