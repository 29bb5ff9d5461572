/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * service: the agent as a process of its system: signals, the background, the pid file, inherited
 * sockets.
 */

#pragma once

#include "agent/channel.h"

/* Returns: (transfer full): @argv, in UTF-8 where the system has it in something else */
char **service_command_line(char **argv);

/* Before anything else: so that no file that is opened later becomes a standard stream. */
void service_secure_standard_streams(void);

/**
 * service_watch_signals:
 * @stop: called at SIGTERM, SIGINT, in the default main context
 */
void service_watch_signals(void (*stop)(gpointer user), gpointer user);

typedef enum {
    SERVICE_CHANNEL_NONE,
    SERVICE_CHANNEL_INHERITED,
    SERVICE_CHANNEL_UNFIT, /* *error is set */
} ServiceChannel;

/**
 * service_inherited_channel:
 *
 * Finds out whether the service manager has handed a listening socket to this process.
 */
ServiceChannel service_inherited_channel(ChannelAddress *ret, GError **error);

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

/**
 * service_end:
 * @error: (nullable): why the agent cannot go on
 *
 * The last call: tells whoever started the service how it went.
 */
void service_end(const GError *error);

/**
 * service_manage:
 * @action: install or uninstall; vss-install and vss-uninstall, which qemu-ga has beside them
 * @argv: what the service is to be started with, but for the program itself
 *
 * Not every system has a register of services that is asked this way: see places.h.
 */
gboolean service_manage(const char *action, const char *const *argv, GError **error);
