/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * endpoint: what a channel is made of, opened by its path: a device, a listening socket.
 *
 * Owns what may stand there and how it is set up. Leaves to channel.h when it is opened, and all
 * that is done with it.
 */

#pragma once

#include <glib.h>

/**
 * endpoint_open_device:
 * @serial: a serial line, which is made to pass bytes unchanged
 * @ret_missing: whether it is not there yet, and so may come: a driver is loaded, it is plugged in
 *
 * Returns: a descriptor that does not block; -1 with @error, and @ret_missing set
 */
int endpoint_open_device(const char *path, gboolean serial, gboolean *ret_missing,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns: -1 with errno */
int endpoint_listen_unix(const char *path) G_GNUC_WARN_UNUSED_RESULT;
/* @path: CID:PORT */
int endpoint_listen_vsock(const char *path) G_GNUC_WARN_UNUSED_RESULT;

/* Whether nobody is on the other side, as far as poll() knows. */
gboolean endpoint_is_hung_up(int fd);

/* Whether a read that gives less than was asked for shows that there is no more. It does not of a
 * port, a packet, or what a hypervisor hands over piece by piece. */
gboolean endpoint_is_read_whole(int fd);
