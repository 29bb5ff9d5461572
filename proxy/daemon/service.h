/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * service: what a service manager is told, and what it keeps for us.
 *
 * Owns the datagrams of sd_notify(3) and the descriptors of sd_listen_fds(3). The protocol is a few
 * lines of text; libsystemd would cost an idle daemon a fifth of its memory.
 */

#pragma once

#include <gio/gunixfdlist.h>

/* Whether there is one to be told anything. */
gboolean service_is_managed(void);

/* @state: lines such as "READY=1". Nothing happens where there is no manager. */
void service_notify(const char *state);

/**
 * service_store:
 *
 * Leaves @fd with the manager, for the service that it starts next.
 */
gboolean service_store(const char *name, int fd, GError **error);

/* The manager keeps nothing of this name any more. */
void service_remove_stored(const char *name);

/**
 * service_take_stored:
 * @prefix: of the names that are wanted
 * @stays: whether the manager goes on to keep them
 *
 * Returns: (transfer full): what a former service has left under these names, name to descriptor;
 *   what is still in it is closed with it
 */
GHashTable *service_take_stored(const char *prefix, gboolean stays);
