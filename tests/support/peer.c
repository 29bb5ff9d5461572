/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 1024 * 1024 };

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

gboolean peer_read(Peer *peer)
{
    g_autofree char *piece = g_malloc(PIECE);
    gssize got = recv(peer->fd, piece, PIECE, 0);

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

void peer_expect_end(Peer *peer)
{
    peer_expect(peer, "");
    g_assert_true(peer->ended);
}
