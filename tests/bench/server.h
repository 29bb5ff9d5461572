/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * server: the sockets of what stands in for a peer, as bare as can be: epoll and blocking writes.
 *
 * Owns listening, and who is ready. What is read and written is the caller's.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct ServerEnd ServerEnd;

struct ServerEnd {
    int fd;
    /* Something is to be done; the end may free itself. */
    void (*ready)(ServerEnd *end);
};

void server_init(void);
int server_listen(const char *path);
int server_connect(const char *path);
void server_add(ServerEnd *end);
void server_serve(void) G_GNUC_NORETURN;

/* FALSE: the peer has gone. */
gboolean server_write(int fd, const char *text, gsize len);

/* Says so to whoever started this. */
void server_ready(void);

G_END_DECLS
