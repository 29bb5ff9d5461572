/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * vsock-relay DEVICE CID:PORT: connects in the guest to a vsock address, and passes on what comes
 * and goes on a virtio-serial port, which a test has open on the host. Ends when one side does.
 */

#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return EXIT_FAILURE;
}

static int dial(const char *text)
{
    struct sockaddr_vm address = {.svm_family = AF_VSOCK};
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    if (sscanf(text, "%u:%u", &address.svm_cid, &address.svm_port) != 2 || fd < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return -1;
    return fd;
}

/* Returns: whether there may be more */
static int pass_on(int from, int to)
{
    static char buffer[65536];
    ssize_t got = read(from, buffer, sizeof(buffer));

    for (ssize_t at = 0, done; at < got; at += done) {
        done = write(to, buffer + at, (size_t)(got - at));
        if (done <= 0)
            return 0;
    }
    return got > 0;
}

int main(int argc, char **argv)
{
    struct pollfd ends[2] = {{.events = POLLIN}, {.events = POLLIN}};

    if (argc != 3) {
        fprintf(stderr, "usage: vsock-relay DEVICE CID:PORT\n");
        return EXIT_FAILURE;
    }
    ends[0].fd = open(argv[1], O_RDWR | O_NOCTTY);
    if (ends[0].fd < 0)
        return fail(argv[1]);
    ends[1].fd = dial(argv[2]);
    if (ends[1].fd < 0)
        return fail(argv[2]);
    while (poll(ends, 2, -1) > 0) {
        for (int i = 0; i < 2; i++) {
            if (ends[i].revents != 0 && !pass_on(ends[i].fd, ends[1 - i].fd))
                return EXIT_SUCCESS;
        }
    }
    return fail("poll");
}
