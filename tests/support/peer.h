/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * peer: the test's end of one connection to what is under test.
 *
 * The test says what the peer sends, and looks at all that came back. Nothing here blocks: within
 * one process, what was written to a unix socket can be read at once.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    int fd;
    GString *got;   /* read, and not yet taken by the test */
    gboolean ended; /* the other side sends no more */
} Peer;

/* @fd: (transfer full) */
void peer_init(Peer *peer, int fd);

/* @type: SOCK_STREAM, or SOCK_SEQPACKET to see the single writes
 * Returns: (transfer full): the other end */
int peer_init_pair(Peer *peer, int type);
void peer_clear(Peer *peer);

/* The peer goes, or sends no more but still reads. */
void peer_close(Peer *peer);
void peer_shut(Peer *peer);

/* Sends all of it; asserts that there is room. */
void peer_send(Peer *peer, const char *text);

/* The same, with a descriptor from which @name can be read. */
void peer_send_with_fd(Peer *peer, const char *text, const char *name);

/* Asserts that @text comes next, whatever comes behind it; and with its first byte a descriptor
 * from which @name can be read, or none where that is NULL. */
void peer_expect_next(Peer *peer, const char *text, const char *name);

/* Returns: how much of it was taken */
gsize peer_offer(Peer *peer, const char *data, gsize len);

/* Reads one piece, at most 1 MiB. Returns: FALSE where there is none */
gboolean peer_read(Peer *peer);

/* The same, at most so much of it. */
gboolean peer_read_some(Peer *peer, gsize max);

/* Returns: (transfer full): all that came and was not taken yet */
char *peer_take(Peer *peer);

/* Returns: (transfer full): the first line of it, its end included; asserts that there is one */
char *peer_take_line(Peer *peer);

/* Asserts that exactly @text came, and takes it. */
void peer_expect(Peer *peer, const char *text);

/* Asserts that nothing more came, and that the other side is gone. */
void peer_expect_end(Peer *peer);

G_END_DECLS
