/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-io: what the proxy asks of the system (proxy/io.h, dial.h, listener.h, socket.h,
 * close(2)), in memory, with a clock that stands still until it is moved.
 *
 * A program that has this among its own objects is linked with it instead of those parts of the
 * library, and is to wrap close and g_close. Numbers of descriptors are never used twice, so
 * that one that is closed twice, or read from after it, is seen.
 *
 * There is one world at a time. Nothing happens but in the functions below.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The peer's end of one connection. Belongs to the world, until its end. */
typedef struct {
    GString *sent;   /* by the peer, and not yet read by the proxy */
    GString *got;    /* written by the proxy; to be taken by the peer from its front */
    GQueue got_fds;  /* of MemoryMark: with which bytes of `got` descriptors came */
    gsize room;      /* bytes until the proxy's writes have to wait */
    gsize read_max;  /* bytes that one read gives at most */
    gboolean shut;   /* the peer sends no more */
    gboolean left;   /* the peer has closed its end */
    gboolean reset;  /* and did not read all: what it says ends with an error */
    gboolean closed; /* the proxy has closed its end */
    gboolean local;  /* descriptors can go with the bytes */
    gint64 user;

    /*< private >*/
    guint64 sent_before; /* bytes that were read */
    guint64 got_before;  /* bytes that were written in all */
    GQueue sent_fds;     /* of MemoryMark */
} MemoryLine;

typedef struct {
    guint64 at; /* byte, counted from the first of the connection */
    gint64 tag; /* which descriptor: the peer's name for it */
} MemoryMark;

void memory_io_begin(void);

/* Asserts that the proxy has left no descriptor, Io, timer, listener or attempt to connect. */
void memory_io_end(void);

/* Whether there is nothing to be done before time passes. Asserts that this comes about. */
void memory_io_settle(void);

/* Moves the clock, to each timer on the way, and settles before and behind. */
void memory_io_pass_ms(guint64 ms);

/* The order in which those that are ready are served is turned by so much. */
void memory_io_rotate(guint by);

/* Returns: (nullable): a connection to whom listens at @path, if anybody accepts there now */
MemoryLine *memory_io_connect(const char *path, gboolean local, gint64 user);

/* From now on, or no longer, connecting to @path succeeds. */
void memory_io_open(const char *path, gboolean open);

/* Returns: (nullable): the next one that has connected to @path */
MemoryLine *memory_io_accept(const char *path);

/* Returns: a connection that the proxy is to inherit by its descriptor */
MemoryLine *memory_io_inherit(int *ret_fd);

/* @tag: of the descriptor that goes with the first byte, or -1 */
void memory_line_send(MemoryLine *line, const char *bytes, gsize len, gint64 tag);

/* Returns: the tag of a descriptor that came with a byte in front of @end, taken off, or -1.
 * @ret_at: the byte */
gint64 memory_line_take_fd(MemoryLine *line, guint64 end, guint64 *ret_at);

/* For the linker's --wrap, which looks at shared libraries too. */
__attribute__((visibility("default"))) int __wrap_close(int fd);
__attribute__((visibility("default"))) gboolean __wrap_g_close(gint fd, GError **error);

G_END_DECLS
