/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * wire: a client's end of a unix socket, cheap enough not to be what is measured.
 *
 * Owns how a client of QMP or of the agent begins, and where a message ends: with its line. All
 * whom the benchmarks talk to write one message a line; none of this is for strangers.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    int fd;
    char *bytes;
    gsize size;       /* of bytes */
    gsize start, end; /* of what was read and not taken */
    gsize looked;     /* up to here there is no end of line */
} Wire;

/* Waits for a peer that may still be starting. Ends the program where nobody comes to listen, and
 * where anything else fails, as all below do. */
void wire_connect(Wire *wire, const char *path);
void wire_close(Wire *wire);

/* @protocol: "qmp" negotiates, "agent" gets in step, "raw" does nothing. */
void wire_begin(Wire *wire, const char *protocol);
void wire_open(Wire *wire, const char *path, const char *protocol);

/* One of many: a %d in @path is its number. @data is what epoll tells when there is something to
 * read. */
void wire_join(Wire *wire, const char *path, guint number, const char *protocol, int epoll,
               gpointer data);

void wire_send(const Wire *wire, const char *text, gsize len);

/* Returns: (nullable): the next line, of those that were read so far; good until the next call */
const char *wire_take(Wire *wire, gsize *len);

/* Reads once. */
void wire_fill(Wire *wire);

/* Both wait. Events are no replies. */
const char *wire_line(Wire *wire, gsize *len);
const char *wire_reply(Wire *wire, gsize *len);

gboolean wire_is_event(const char *line);

G_END_DECLS
