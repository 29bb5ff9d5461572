/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * endpoint-win32: the device that a channel is, opened by its path.
 *
 * Owns what may stand there and how it is set up. Leaves to channel.h when it is opened, and all
 * that is done with it.
 */

#pragma once

#include <glib.h>
#include <windows.h>

/**
 * endpoint_open_device:
 * @serial: a serial line, which is made to pass bytes unchanged; COM1, or any path of one
 * @ret_missing: whether it is not there yet, and so may come: a driver is loaded, it is plugged in
 *
 * Returns: a handle for overlapped I/O; or INVALID_HANDLE_VALUE with @error, and @ret_missing set
 */
HANDLE endpoint_open_device(const char *path, gboolean serial, gboolean *ret_missing,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
