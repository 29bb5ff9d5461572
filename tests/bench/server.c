/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "server.h"
#include "turn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EVENTS = 64, BACKLOG = 4096 };

static int epoll;

void server_init(void)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
        turn_fail("%s is too long", path);
    return address;
}

int server_listen(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        turn_fail("%s: %s", path, g_strerror(errno));
    return fd;
}

int server_connect(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        turn_fail("%s: %s", path, g_strerror(errno));
    return fd;
}

void server_add(ServerEnd *end)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, end->fd, &event) < 0)
        turn_fail("epoll_ctl: %s", g_strerror(errno));
}

void server_serve(void)
{
    struct epoll_event events[EVENTS];

    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);

        for (int i = 0; i < ready; i++) {
            ServerEnd *end = events[i].data.ptr;

            end->ready(end);
        }
    }
}

gboolean server_write(int fd, const char *text, gsize len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

        if (sent < 0)
            return FALSE;
        text += sent;
        len -= (gsize)sent;
    }
    return TRUE;
}

void server_ready(void)
{
    puts("ready");
    fflush(stdout);
}
