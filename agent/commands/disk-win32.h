/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * disk-win32: guest-get-disks, guest-get-fsinfo of Windows.
 *
 * Nothing of a disk's address can fail: what is not known is told as unknown, since one odd disk
 * must not hide all others.
 */

#pragma once

#include <winsock2.h>
#include <windows.h>

#include "agent/dispatch.h"

typedef struct {
    gint pci[4];          /* domain, bus, slot, function; -1 throughout where that is not known */
    const char *bus_type; /* GuestDiskBusType */
    guint bus, target, unit;
    char *serial; /* (nullable) */
    char *name;   /* \\.\PhysicalDriveN */
} Disk;

void disk_free(gpointer disk);

/* Returns: (nullable): the name that GuestDiskBusType has for Windows' STORAGE_BUS_TYPE */
const char *disk_bus_type(DWORD type);

/**
 * disk_clean_serial:
 * @text: as a driver gives it
 *
 * Returns: (transfer full) (nullable): without blanks around it; NULL where nothing is left
 */
char *disk_clean_serial(const char *text);

/* Returns: (transfer full): the disk that Windows numbers so */
Disk *disk_find(DWORD number);

void disk_write_address(JsonWrite *write, const Disk *disk);
