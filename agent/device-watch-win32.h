/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * device-watch: Windows tells that a virtio-serial port has come, that it is to go, that a host has
 * opened or closed it.
 *
 * Owns the window to which that is told, which nobody sees, and the registrations. Leaves what
 * follows from it to the channel.
 */

#pragma once

#include <glib.h>
#include <windows.h>

typedef enum {
    DEVICE_CAME,   /* some port; not necessarily ours */
    DEVICE_GOES,   /* the handle that is followed must be closed now */
    DEVICE_OPENED, /* the host has opened the port */
    DEVICE_CLOSED, /* the host has closed the port */
} DeviceNews;

typedef struct DeviceWatch DeviceWatch;

/* @told: called in the default main context, possibly within any call that sends a message */
DeviceWatch *device_watch_new(void (*told)(gpointer user, DeviceNews news), gpointer user);
void device_watch_free(DeviceWatch *watch);

/* Of the device behind @file news are wanted from now on, until it is told to go or the next call.
 * @file: (nullable): NULL for none */
void device_watch_follow(DeviceWatch *watch, HANDLE file);
