/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * unix-client PATH [leave]: a client of an agent that listens on a unix socket in the guest, which
 * busybox has none for.
 *
 * Sends what it reads from its standard input, then prints one line of what comes. With "leave" it
 * waits until something has come, and leaves without reading it.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int print_line(int fd)
{
    char byte = '\0';

    while (byte != '\n' && read(fd, &byte, 1) == 1)
        putchar(byte);
    return byte == '\n' ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    char text[4096];
    ssize_t len;

    if (argc < 2 || strlen(argv[1]) >= sizeof(address.sun_path))
        return 2;
    strcpy(address.sun_path, argv[1]);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return fail("connect");
    while ((len = read(STDIN_FILENO, text, sizeof(text))) > 0) {
        if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
            return fail("send");
    }
    if (argc == 2)
        return print_line(fd);
    return poll(&answer, 1, -1) == 1 ? 0 : fail("poll");
}
