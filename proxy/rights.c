/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rights.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Read singly at a time: 0.1 ms, in which the others wait. */
enum { SINGLE_BYTES = 256 };

typedef union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
} Control;

gboolean rights_are_carried(int sock)
{
    int domain = 0;
    socklen_t len = sizeof domain;

    return getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/* There is room for one descriptor: the kernel drops the rest, and says so in the flags. */
static gssize receive(int sock, gpointer buffer, gsize size, int flags, RightsArrived *arrived)
{
    Control control;
    struct iovec vector = {buffer, size};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = CMSG_LEN(sizeof(int)), /* its padding would be room for a second one */
    };
    const struct cmsghdr *header;
    gssize got;

    do
        got = recvmsg(sock, &message, flags | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    *arrived = (RightsArrived){.fd = -1, .more = got >= 0 && message.msg_flags & MSG_CTRUNC};
    header = got >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&arrived->fd, CMSG_DATA(header), sizeof(int));
    return got;
}

static gboolean has_arrived(const RightsArrived *arrived)
{
    return arrived->fd >= 0 || arrived->more;
}

/* Returns: how many bytes there are without a descriptor; 0 where there is one somewhere */
static gsize bytes_without(int sock, gpointer buffer, gsize size)
{
    RightsArrived arrived;
    gssize got = receive(sock, buffer, size, MSG_PEEK, &arrived);

    if (arrived.fd >= 0)
        close(arrived.fd); /* a copy: the one that is meant comes with the read */
    return got > 0 && !has_arrived(&arrived) ? (gsize)got : 0;
}

/* The kernel joins what was sent without a descriptor and, behind it, the first that was sent with
 * one; which byte of a read it came with cannot be told afterwards, nor can a look ahead tell: it
 * reports one that lies behind what was asked for (measured on 6.18). So while there is
 * one anywhere, bytes are read singly, as QEMU reads them. The look costs 0.3 µs a read. */
gssize rights_read(int sock, gpointer look, gpointer buffer, gsize size, RightsArrived *arrived)
{
    gsize plain = bytes_without(sock, look, size);
    char *bytes = buffer;
    gsize n = 0;
    gssize got;

    if (plain > 0)
        return receive(sock, buffer, plain, 0, arrived);
    do {
        got = receive(sock, bytes + n, 1, 0, arrived);
        if (got <= 0)
            return n > 0 ? (gssize)n : got;
        n++;
    } while (!has_arrived(arrived) && n < MIN(size, SINGLE_BYTES));
    arrived->at = n - 1;
    return (gssize)n;
}

gssize rights_write(int sock, gconstpointer data, gsize len, int fd)
{
    Control control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec vector = {(gpointer)data, len};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control.space,
    };
    gssize put;

    memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
    do
        put = sendmsg(sock, &message, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    return put;
}
