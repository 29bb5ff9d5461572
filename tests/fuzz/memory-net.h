/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-net: connections and descriptors in memory, and who listens and dials (proxy/listener.h,
 * dial.h, socket.h, close(2)).
 *
 * Owns the bytes under way, and which descriptors are open. Leaves when what is called back to
 * memory-io.h. Numbers of descriptors are never used twice, so that one that is closed twice, or
 * used after it, is seen. The linker is to wrap close and g_close.
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

void memory_net_begin(void);

/* Asserts that the proxy has left no descriptor, listener or attempt to connect. */
void memory_net_end(void);

/* ---- For the peers --------------------------------------------------------------------------- */

/* Returns: (nullable): a connection to whom listens at @path, if anybody accepts there now */
MemoryLine *memory_net_connect(const char *path, gboolean local, gint64 user);

/* From now on, or no longer, connecting to @path succeeds. */
void memory_net_open(const char *path, gboolean open);

/* Returns: (nullable): the next one that has connected to @path */
MemoryLine *memory_net_accept(const char *path);

/* Returns: a connection that the proxy is to inherit by its descriptor */
MemoryLine *memory_net_inherit(int *ret_fd);

/* @tag: of the descriptor that goes with the first byte, or -1 */
void memory_line_send(MemoryLine *line, const char *bytes, gsize len, gint64 tag);

/* The peer closes it. @reset: so that what was not read yet is lost */
void memory_line_leave(MemoryLine *line, gboolean reset);

/* Returns: the tag of a descriptor that came with a byte in front of @end, taken off, or -1.
 * @ret_at: the byte */
gint64 memory_line_take_fd(MemoryLine *line, guint64 end, guint64 *ret_at);

/* ---- For the proxy's end --------------------------------------------------------------------- */

MemoryLine *memory_net_line(int fd);
void memory_net_close(int fd);

/**
 * memory_line_read:
 * @ret_fd: (nullable): a descriptor that came with the last byte, or -1; NULL to drop it
 *
 * Returns: bytes read, 0 where there are none
 */
gsize memory_line_read(MemoryLine *line, gpointer buffer, gsize size, int *ret_fd);

/* @fd: that goes with the first byte, or -1. Returns: bytes for which there was room */
gsize memory_line_write(MemoryLine *line, const char *bytes, gsize len, int fd);

/* For the linker's --wrap, which looks at shared libraries too. */
#define MEMORY_NET_WRAP(name) __asm__("__wrap_" name) __attribute__((visibility("default")))
int memory_net_wrap_close(int fd) MEMORY_NET_WRAP("close");
gboolean memory_net_wrap_g_close(gint fd, GError **error) MEMORY_NET_WRAP("g_close");

G_END_DECLS
