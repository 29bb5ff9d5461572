/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * service: the agent as a process of its system: signals, the background, the pid file, inherited
 * sockets.
 */

#pragma once

#include <glib.h>

/* Before anything else: so that no file that is opened later becomes a standard stream. */
void service_secure_standard_streams(void);

/**
 * service_watch_signals:
 * @stop: called at SIGTERM, SIGINT, in the default main context
 */
void service_watch_signals(void (*stop)(gpointer user), gpointer user);

/**
 * service_inherited_sockets:
 * Returns: how many listening sockets the service manager has handed to this process, from
 * descriptor SERVICE_FIRST_SOCKET on
 */
guint service_inherited_sockets(void);

#define SERVICE_FIRST_SOCKET 3

/**
 * service_detach:
 *
 * Goes on in the background. The process that was started stays until service_ready(), and fails
 * where that never comes; so who started it learns how it went.
 */
gboolean service_detach(GError **error) G_GNUC_WARN_UNUSED_RESULT;
void service_ready(void);

/**
 * service_lock_pidfile:
 * @path: to be absolute, since the background is elsewhere
 *
 * Locks and fills the file, once, for as long as this process lives.
 */
gboolean service_lock_pidfile(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* At the end: does nothing where no file was locked, or where another one stands by now. */
void service_remove_pidfile(void);
