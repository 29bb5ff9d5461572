/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * io-private: what the files of io share, for them alone.
 *
 *   io.c        descriptors and timers, served in turns of a GLib context
 *   io-poll.c   that context's wait, in one system call instead of two
 */

#pragma once

#include "io-poll.h"

#include <sys/epoll.h>

G_BEGIN_DECLS

/* IO_BATCH: events taken from the kernel at once; what is left comes in the next turn, and the
 * kernel rotates its list. IO_GUESTS: descriptors that are GLib's to serve; see io-poll.c. */
enum { IO_BATCH = 64, IO_GUESTS = 1 + IO_POLL_FDS };

struct IoLoop {
    GSource source; /* allocated and counted by GLib; must be first */
    GMainContext *context;
    guint users; /* references from outside; at 0 the source leaves its context */

    int epoll_fd;
    int refusal; /* errno, where there is no epoll_fd */
    gpointer poll_tag;
    struct epoll_event batch[IO_BATCH];
    int batch_next; /* first that was not handed out yet */
    int batch_len;
    gboolean serving;
    gboolean muted; /* the epoll descriptor is not polled until the turn is over */

    int guests[IO_GUESTS]; /* each by its place here in an event's data */
    guint n_guests;

    GSequence *timers; /* IoTimers that are armed, or were; the first to be looked at in front */
    GSequence *due;    /* those of them that this turn serves */
    gint64 still_us;   /* the time, where it stands still; else 0 */
};

void io_loop_take_batch(IoLoop *loop, int timeout_ms);

/* Returns: the guest whose place an event's data is; NULL where it is an Io's */
static inline int *io_loop_guest(IoLoop *loop, gpointer data)
{
    int *guest = data;

    return guest >= loop->guests && guest < loop->guests + IO_GUESTS ? guest : NULL;
}

G_END_DECLS
