/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * store: what a service manager does for its service: it is told how the service fares, and keeps
 * descriptors for the next one.
 *
 * Owns the datagrams of sd_notify(3), and how what is kept is passed on, sd_listen_fds(3). Leaves
 * when a service is started to supervisor.h.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    int socket;     /* where the service tells */
    GArray *stored; /* of Stored */
} Store;

/* Returns: FALSE, with errno set, where there can be no socket at @path */
gboolean store_open(Store *store, const char *path);
void store_close(Store *store);

/* Takes in one datagram. Where there is no room for a descriptor, nothing is kept under its name.
 * @ret_ready: set where the service says that it serves. Returns: FALSE where there is none */
gboolean store_receive(Store *store, gboolean *ret_ready);

/* Whether anything is kept. */
gboolean store_has_any(const Store *store);

/* Keeps nothing any more. */
void store_drop(Store *store);

/* In the service's process, before it is executed: gives it what is kept, as descriptors from 3 on,
 * whatever these were. */
void store_pass_on(Store *store);

G_END_DECLS
