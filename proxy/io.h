/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * io: descriptors and timers in a main loop, cheaply for many.
 *
 * All endpoints of all proxies in one GMainContext share one GSource around one epoll descriptor:
 * with a source for each descriptor, one ping among 10,000 idle clients costs 754 µs, this way 12.
 * Timers are in the same source for the same reason, since the main loop visits each source in each
 * turn.
 *
 * Owns the descriptor and its readiness. Leaves bytes to common/stream.h, which it serves as
 * StreamIo.
 *
 * One callback is under way at a time. One that runs the main loop itself is safe, but no other
 * callback comes before it has returned, as with any GSource. Everything here belongs to the thread
 * that runs the context.
 */

#pragma once

#include "common/stream.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct IoLoop IoLoop;

/**
 * io_loop_get:
 * @context: (nullable): NULL for the default one
 *
 * Never fails: where the system has no descriptor left for it, its Ios report that.
 *
 * Returns: (transfer full): the loop of this context, made at the first call and gone with its last
 *   reference
 */
IoLoop *io_loop_get(GMainContext *context);
IoLoop *io_loop_ref(IoLoop *loop);
void io_loop_unref(IoLoop *loop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IoLoop, io_loop_unref)
GMainContext *io_loop_context(IoLoop *loop);

/* Returns: what its timers go by: g_get_monotonic_time(), but for tests */
gint64 io_loop_now(const IoLoop *loop);

/* For tests: from here on the time is @now_us, which is over 0, and stands still until the next
 * call. Proves what happens after ten minutes without waiting for them. */
void io_loop_set_time(IoLoop *loop, gint64 now_us);

typedef enum {
    IO_READABLE = 1 << 0,
    IO_WRITABLE = 1 << 1,
    IO_HANGUP =
        1 << 2, /* both directions are closed, or an error: reported whether wanted or not */
} IoReady;

typedef void (*IoCallback)(gpointer owner, IoReady ready);

typedef struct Io Io;

/**
 * io_new:
 * @fd: (transfer full): made non-blocking and close-on-exec
 * @callback: may free any Io and IoTimer, this one included
 *
 * Nothing is reported but hang-ups until io_want(). A hang-up is reported turn by turn until the Io
 * is freed; with IO_READABLE beside it there is input left to be read first.
 *
 * A descriptor that cannot be waited for, because it is not open, is a regular file, or the system
 * is out of memory for it, is reported as IO_HANGUP in the next turn, once, and whatever is read
 * from it or written to it fails with the reason.
 */
Io *io_new(IoLoop *loop, int fd, IoCallback callback, gpointer owner);

/* Closes the descriptor. No callback comes after it, not even one that was already found ready. */
void io_free(Io *io);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Io, io_free)

/* Frees @io as io_free() does, but leaves its descriptor open.
 * Returns: (transfer full): the descriptor */
int io_steal_fd(Io *io);

int io_fd(const Io *io);
void io_want(Io *io, gboolean read, gboolean write);

/* ---- Descriptors that come with bytes (SCM_RIGHTS) ------------------------------------------- */

/* Whether the other end is on this host, and descriptors can go with the bytes. */
gboolean io_is_local(const Io *io);

/* From now on a descriptor that comes is kept for io_take_fd(); else the kernel drops it. Of no
 * effect where io_is_local() does not hold. */
void io_accept_fds(Io *io);

/**
 * io_take_fd:
 * @ret_at: the byte of the last read that it came with
 * @ret_more: whether any was dropped beside it
 *
 * Returns: (transfer full): the one that came with the last read, or -1
 */
int io_take_fd(Io *io, gsize *ret_at, gboolean *ret_more);

/**
 * io_write_with_fd:
 * @fd: (transfer none): goes with the first byte
 *
 * Returns: as StreamIo's write
 */
gssize io_write_with_fd(Io *io, const char *text, gsize len, int fd, GError **error);

/* ---- As a stream's --------------------------------------------------------------------------- */

/* For stream_init(): the `io` there is an Io; close is io_free(). Errors are G_IO_ERROR. Serves
 * sockets, ttys and pipes; writing to a pipe whose reader is gone raises SIGPIPE, which is the
 * program's to ignore. */
extern const StreamIo io_stream;

/* As io_stream's read; but bytes that stay in the socket never come into @buffer, as they would for
 * a look ahead, which goes to @look. */
gssize io_read_apart(Io *io, gpointer look, gpointer buffer, gsize size, GError **error);

/* ---- One timer ------------------------------------------------------------------------------- */

typedef void (*IoTimerCallback)(gpointer owner, gint64 now_us);

typedef struct IoTimer IoTimer;

/* @callback: may free any Io and IoTimer, this one included */
IoTimer *io_timer_new(IoLoop *loop, IoTimerCallback callback, gpointer owner);
void io_timer_free(IoTimer *timer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IoTimer, io_timer_free)

/* Returns: (transfer none) */
IoLoop *io_timer_loop(const IoTimer *timer);

/* Returns: io_loop_now() of its loop */
gint64 io_timer_now(const IoTimer *timer);

/* Due once at @at_us of io_loop_now(), and never from within this function; -1 for never. Replaces
 * what was set before. */
void io_timer_set(IoTimer *timer, gint64 at_us);

G_END_DECLS
