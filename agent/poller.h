/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * poller: waits for the channel, and past the main loop for nothing else than that.
 *
 * A turn of GLib's main loop costs as much as all else that a small command does. So while nobody
 * has set a timer, and the main loop looks for nothing but the channel and what is steady, the
 * function that it waits with serves the channel itself and waits again. It comes back as soon as
 * there is anything for another source, or a turn of the channel may have set up one.
 */

#pragma once

#include <glib.h>
#include <sys/epoll.h>

typedef struct {
    /* Of a descriptor that was added to what poller_open() has returned, as its data.fd */
    void (*event)(gpointer user, const struct epoll_event *event);
    /* What there is to do is done. Returns: whether the main loop has nothing new to look for; what
     * FALSE leaves to do is for the channel's source */
    gboolean (*serve)(gpointer user);
} PollerCallbacks;

/**
 * poller_keep:
 * @fd: is watched for input by a source of the default main context, and never closed
 */
void poller_keep(int fd);

/* Nobody waits for a turn of the default main context to end: a GMainLoop runs it. Without that the
 * channel is not served past it. */
void poller_run_alone(void);

/**
 * poller_open:
 *
 * From here on the default main context waits with this; one at a time. Its source is to poll the
 * descriptor that is returned, for input, and nothing else.
 *
 * Returns: an epoll descriptor
 */
int poller_open(const PollerCallbacks *callbacks, gpointer user);
void poller_close(void);

/**
 * poller_take_events:
 *
 * Hands out what has happened, for the channel's source when it is checked.
 */
void poller_take_events(void);
