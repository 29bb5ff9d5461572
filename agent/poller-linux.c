/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. The context hands its poll function an array of descriptors. Where each of
 * them is known, and known to stay open, one epoll descriptor that watches all of them says the
 * same as poll(), and the array need only be compared with the one that was looked at before: the
 * same number is the same file. Known are those that were said to be kept, the epoll descriptor
 * itself, and the one by which the context is woken. That last one cannot be asked for, but is what
 * is left of all that the context polls when the channel is opened. Where anything else is in the
 * array, a program's pipe for one, poll() is called as ever.
 *
 * While the channel is served here nobody has computed anew how long the context may sleep. So it
 * is served only where the context may sleep for ever, that is, has no timer, and nothing to
 * dispatch; and after a turn that may have set up a source the context gets its own. A source with
 * a descriptor, one that another thread adds, and the end of the loop wake it besides.
 */

#include "agent/poller.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Signals by two descriptors, the context's own and ours; and some room. */
enum { MAX_KEPT = 6, MAX_KNOWN = MAX_KEPT + 2, MAX_EVENTS = MAX_KNOWN };

/* What epoll keeps of a descriptor that is not the channel's. */
#define CONTEXT_FD(fd)    (-1 - (fd))
#define IS_CONTEXT_FD(fd) ((fd) < 0)

/* A context has one poll function, which is told nothing but what to poll. */
static struct {
    int kept[MAX_KEPT];
    guint n_kept;
    gboolean is_alone; /* see poller_run_alone() */
    int epoll;         /* once it is open */
    int wakeup;        /* the context's own; -1: not known */
    const PollerCallbacks *callbacks;
    gpointer user;
    GPollFD known[MAX_KNOWN]; /* what was looked at last, and had nothing else in it */
    guint n_known;
    gboolean has_looked; /* since the channel's source was checked */
} poller;

void poller_keep(int fd)
{
    g_assert(poller.n_kept < MAX_KEPT);
    poller.kept[poller.n_kept++] = fd;
}

void poller_run_alone(void)
{
    poller.is_alone = TRUE;
}

static gboolean is_kept(int fd)
{
    for (guint i = 0; i < poller.n_kept; i++) {
        if (poller.kept[i] == fd)
            return TRUE;
    }
    return FALSE;
}

/* Returns: -1 where there is more than one that it could be */
static int find_wakeup(void)
{
    GPollFD polled[MAX_KNOWN];
    gint timeout, n;
    int found = -1;

    n = g_main_context_query(g_main_context_default(), G_MAXINT, &timeout, polled, MAX_KNOWN);
    for (gint i = 0; i < MIN(n, MAX_KNOWN); i++) {
        if (is_kept(polled[i].fd))
            continue;
        if (found >= 0)
            return -1;
        found = polled[i].fd;
    }
    return n <= MAX_KNOWN ? found : -1;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Returns: whether the epoll descriptor tells all that there is to tell about @fds */
static gboolean learn(const GPollFD *fds, guint n)
{
    struct epoll_event event = {.events = EPOLLIN};

    poller.n_known = 0;
    if (n > MAX_KNOWN || poller.wakeup < 0)
        return FALSE;
    for (guint i = 0; i < n; i++) {
        event.data.fd = CONTEXT_FD(fds[i].fd);
        if (fds[i].fd == poller.epoll)
            continue;
        if ((fds[i].fd != poller.wakeup && !is_kept(fds[i].fd)) || fds[i].events != G_IO_IN)
            return FALSE;
        if (epoll_ctl(poller.epoll, EPOLL_CTL_ADD, fds[i].fd, &event) != 0 && errno != EEXIST)
            return FALSE;
    }
    memcpy(poller.known, fds, n * sizeof(*fds));
    poller.n_known = n;
    return TRUE;
}

static gboolean is_known(const GPollFD *fds, guint n)
{
    if (n == poller.n_known && memcmp(fds, poller.known, n * sizeof(*fds)) == 0)
        return TRUE;
    return learn(fds, n);
}

/* @event is of one of @fds, which then has it. Returns: how many of them that is */
static guint tell_context(GPollFD *fds, guint n, const struct epoll_event *event)
{
    for (guint i = 0; i < n; i++) {
        if (CONTEXT_FD(fds[i].fd) == event->data.fd) {
            fds[i].revents = (gushort)event->events; /* the bits are poll()'s */
            return 1;
        }
    }
    return 0;
}

/* Returns: of how many of @fds there is news, or -1 with errno */
static gint look(GPollFD *fds, guint n, gint timeout)
{
    struct epoll_event events[MAX_EVENTS];
    const int got = epoll_wait(poller.epoll, events, MAX_EVENTS, timeout);
    gint others = 0;

    for (int i = 0; i < got; i++) {
        if (IS_CONTEXT_FD(events[i].data.fd))
            others += (gint)tell_context(fds, n, &events[i]);
        else
            poller.callbacks->event(poller.user, &events[i]);
    }
    poller.has_looked = got >= 0;
    return got < 0 ? -1 : others;
}

static gint wait_for_context(GPollFD *fds, guint n, gint timeout)
{
    gint others;

    if (!is_known(fds, n)) {
        poller.has_looked = FALSE;
        return g_poll(fds, n, timeout);
    }
    do
        others = look(fds, n, timeout);
    while (others == 0 && timeout < 0 && poller.is_alone && poller.callbacks->serve(poller.user));
    return others;
}

/* ---- Life ------------------------------------------------------------------------------------ */

int poller_open(const PollerCallbacks *callbacks, gpointer user)
{
    poller.wakeup = find_wakeup();
    poller.callbacks = callbacks;
    poller.user = user;
    poller.n_known = 0;
    poller.has_looked = FALSE;
    poller.epoll = epoll_create1(EPOLL_CLOEXEC);
    g_assert(poller.epoll >= 0);
    g_main_context_set_poll_func(NULL, wait_for_context);
    return poller.epoll;
}

void poller_close(void)
{
    g_main_context_set_poll_func(NULL, NULL);
    close(poller.epoll);
}

void poller_take_events(void)
{
    if (!poller.has_looked)
        look(NULL, 0, 0);
    poller.has_looked = FALSE;
}
