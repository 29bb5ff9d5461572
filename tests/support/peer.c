/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets.h"

/* AddressSanitizer maps and unmaps what is larger than 256 KiB: a megabyte for each look at a
 * socket made a random test take two minutes that takes two seconds. */
enum { PIECE = 64 * 1024 };

void peer_init(Peer *peer, int fd)
{
    g_assert_no_errno(fcntl(fd, F_SETFL, O_NONBLOCK));
    *peer = (Peer){.fd = fd, .got = g_string_new(NULL)};
}

int peer_init_pair(Peer *peer, int type)
{
    int fds[2];

    g_assert_no_errno(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
    peer_init(peer, fds[0]);
    return fds[1];
}

void peer_close(Peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

void peer_clear(Peer *peer)
{
    peer_close(peer);
    g_string_free(peer->got, TRUE);
}

void peer_shut(Peer *peer)
{
    g_assert_no_errno(shutdown(peer->fd, SHUT_WR));
}

gsize peer_offer(Peer *peer, const char *data, gsize len)
{
    gssize put = send(peer->fd, data, len, MSG_NOSIGNAL);

    g_assert_true(put >= 0 || errno == EAGAIN);
    return put < 0 ? 0 : (gsize)put;
}

void peer_send(Peer *peer, const char *text)
{
    g_assert_cmpuint(peer_offer(peer, text, strlen(text)), ==, strlen(text));
}

gboolean peer_read_some(Peer *peer, gsize max)
{
    g_autofree char *piece = g_malloc(max);
    gssize got = recv(peer->fd, piece, max, 0);

    if (got > 0) {
        g_string_append_len(peer->got, piece, got);
        return TRUE;
    }
    /* What is gone with input unread is a reset, which is an end as well. */
    if (got == 0 || errno == ECONNRESET)
        peer->ended = TRUE;
    else
        g_assert_cmpint(errno, ==, EAGAIN);
    return FALSE;
}

gboolean peer_read(Peer *peer)
{
    return peer_read_some(peer, PIECE);
}

static void read_all(Peer *peer)
{
    while (peer->fd >= 0 && !peer->ended && peer_read(peer))
        ;
}

char *peer_take(Peer *peer)
{
    char *text;

    read_all(peer);
    text = g_strndup(peer->got->str, peer->got->len);
    g_string_truncate(peer->got, 0);
    return text;
}

char *peer_take_line(Peer *peer)
{
    const char *end;
    char *line;

    read_all(peer);
    end = memchr(peer->got->str, '\n', peer->got->len);
    if (!end)
        g_error("no whole line came, but \"%.400s\"", peer->got->str);
    line = g_strndup(peer->got->str, (gsize)(end + 1 - peer->got->str));
    g_string_erase(peer->got, 0, end + 1 - peer->got->str);
    return line;
}

void peer_expect(Peer *peer, const char *text)
{
    g_autofree char *came = peer_take(peer);

    g_assert_cmpstr(came, ==, text);
}

typedef union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
} Control;

void peer_send_with_fd(Peer *peer, const char *text, const char *name)
{
    Control control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec vector = {(gpointer)text, strlen(text)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.space};
    int fd = sockets_readable(name);

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    g_assert_cmpint(sendmsg(peer->fd, &message, MSG_NOSIGNAL), ==, (gssize)strlen(text));
    close(fd);
}

/* Byte by byte: only so is it certain which one a descriptor came with.
 * Returns: (transfer full): what came with it, or -1 */
static int read_byte(Peer *peer, GString *out)
{
    Control control;
    char byte;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.space};
    const struct cmsghdr *header;
    int fd = -1;

    g_assert_cmpint(recvmsg(peer->fd, &message, MSG_CMSG_CLOEXEC), ==, 1);
    g_string_append_c(out, byte);
    header = CMSG_FIRSTHDR(&message);
    if (header)
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

void peer_expect_next(Peer *peer, const char *text, const char *name)
{
    g_autoptr(GString) came = g_string_new(NULL);

    g_assert_cmpuint(peer->got->len, ==, 0);
    while (came->len < strlen(text)) {
        int fd = read_byte(peer, came);

        g_assert_cmpint(fd >= 0, ==, came->len == 1 && name);
        if (fd >= 0) {
            g_autofree char *read = sockets_read_all(fd);

            g_assert_cmpstr(read, ==, name);
        }
    }
    g_assert_cmpstr(came->str, ==, text);
}

void peer_expect_end(Peer *peer)
{
    peer_expect(peer, "");
    g_assert_true(peer->ended);
}
