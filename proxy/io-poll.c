/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-private.h"

static IoLoop *taken;

static gboolean is_known(const GPollFD *fd)
{
    gboolean known = fd->fd == taken->epoll_fd;

    for (guint i = 0; i < taken->n_guests; i++)
        known |= fd->fd == taken->guests[i];
    return known && fd->events == G_IO_IN;
}

/* Returns: what is polled for @taken, where that may be done here; or NULL */
static GPollFD *find_own(GPollFD *fds, guint n)
{
    GPollFD *own = NULL;

    if (taken->serving || taken->batch_len > 0)
        return NULL;
    for (guint i = 0; i < n; i++) {
        if (!is_known(&fds[i]))
            return NULL;
        if (fds[i].fd == taken->epoll_fd)
            own = &fds[i];
    }
    return own;
}

static GPollFD *find(GPollFD *fds, guint n, int fd)
{
    for (guint i = 0; i < n; i++)
        if (fds[i].fd == fd)
            return &fds[i];
    return NULL;
}

/* One that is ready and that nobody polls would be told of without end. GLib polls it from then on,
 * where it is polled again. */
static void forget_guest(int *guest)
{
    epoll_ctl(taken->epoll_fd, EPOLL_CTL_DEL, *guest, NULL);
    *guest = -1;
}

/* Whose events are in the batch. The bits are those of poll(2). */
static gint tell(GPollFD *fds, guint n, GPollFD *own)
{
    gint ready = 0;

    for (guint i = 0; i < n; i++)
        fds[i].revents = 0;
    for (int i = 0; i < taken->batch_len; i++) {
        const struct epoll_event *event = &taken->batch[i];
        int *guest = io_loop_guest(taken, event->data.ptr);
        GPollFD *fd = guest ? find(fds, n, *guest) : own;

        if (!fd) {
            forget_guest(guest);
            continue;
        }
        ready += fd->revents == 0;
        fd->revents = guest ? (gushort)event->events : G_IO_IN;
    }
    return ready;
}

static gint poll_by_epoll(GPollFD *fds, guint n, gint timeout_ms)
{
    GPollFD *own = find_own(fds, n);
    gint ready;

    if (!own)
        return g_poll(fds, n, timeout_ms);
    io_loop_take_batch(taken, timeout_ms);
    ready = tell(fds, n, own);
    if (own->revents == 0)
        taken->batch_len = 0;
    return ready;
}

static gboolean add_guest(IoLoop *loop, int fd)
{
    int *guest = &loop->guests[loop->n_guests];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = guest};

    g_assert(loop->n_guests < IO_GUESTS);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return FALSE;
    *guest = fd;
    loop->n_guests++;
    return TRUE;
}

/* By which other threads wake a context: where nothing is attached to it, GLib polls only that. */
static int find_alarm(GMainContext *context)
{
    GPollFD fd;
    gint unused_timeout, n;

    if (!g_main_context_acquire(context))
        return -1;
    n = g_main_context_query(context, G_MAXINT, &unused_timeout, &fd, 1);
    g_main_context_release(context);
    return n == 1 && fd.events == G_IO_IN ? fd.fd : -1;
}

gboolean io_poll_take(GMainContext *context, const int *fds, guint n)
{
    const int alarm_fd = find_alarm(context);
    g_autoptr(IoLoop) loop = NULL;
    gboolean known;

    if (taken || alarm_fd < 0)
        return FALSE;
    loop = io_loop_get(context);
    known = add_guest(loop, alarm_fd);
    for (guint i = 0; i < n; i++)
        known = known && add_guest(loop, fds[i]);
    if (!known)
        return FALSE;
    taken = g_steal_pointer(&loop);
    g_main_context_set_poll_func(taken->context, poll_by_epoll);
    return TRUE;
}
