/* SPDX-License-Identifier: GPL-2.0-or-later */

/* fixture-device: what Windows, and the virtio-serial driver, tell of a port: to the window of the
 * device watch that this process has. */

#pragma once

#include <glib.h>
#include <windows.h>
#include <dbt.h>

/* Returns: (nullable) */
HWND fixture_device_window(void);

/* @news: (nullable): begins with a DEV_BROADCAST_HDR */
void fixture_device_tell(WPARAM event, gconstpointer news);

/* News of the handle that is followed. */
extern const DEV_BROADCAST_HANDLE fixture_device_handle;

/* A port has come. */
void fixture_device_came(void);
/* The port that is open is to go. */
void fixture_device_goes(void);
/* A host has opened or closed it. */
void fixture_device_status(gboolean connected);
