/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-port DEVICE: sends back what comes, on a port of its own in a guest. The floor under an
 * agent.
 */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char buffer[4096];
    struct pollfd port = {.events = POLLIN};

    if (argc != 2 || (port.fd = open(argv[1], O_RDWR | O_CLOEXEC)) < 0) {
        perror("bench-port DEVICE");
        return EXIT_FAILURE;
    }
    for (;;) {
        ssize_t count = read(port.fd, buffer, sizeof buffer);

        if (count > 0 && write(port.fd, buffer, (size_t)count) != count)
            return EXIT_FAILURE;
        if (count <= 0) /* nobody is connected on the host yet */
            usleep(10000);
        else
            poll(&port, 1, -1);
    }
}
