/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * disk-address: where disks are attached, and what they are called, by their places in /sys.
 *
 * Owns what a place there means: PCI functions on the way to it, the driver of the last of them,
 * SCSI hosts and targets, volumes and what they lie on. Nothing of it can fail: what is not known
 * is told as unknown, since one odd disk must not hide all others.
 */

#pragma once

#include "agent/system.h"
#include "common/json-write.h"

typedef struct {
    int pci[4];           /* domain, bus, slot, function; -1 throughout where there is none */
    const char *bus_type; /* GuestDiskBusType */
    guint bus, target, unit;
    char *serial; /* (nullable) */
    char *node;   /* (nullable): in /dev */
    gboolean has_ccw;
    guint ccw[4]; /* cssid, ssid, subchno, devno */
} DiskAddress;

/**
 * disk_address_new:
 * @syspath: of a disk or partition, as sysfs_resolve() gives it
 *
 * Returns: (transfer full)
 */
DiskAddress *disk_address_new(const System *system, const char *syspath);
void disk_address_free(DiskAddress *address);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DiskAddress, disk_address_free)

void disk_address_write(const DiskAddress *address, JsonWrite *write);

/* Returns: whether the guest makes this disk itself, of others or of files or of memory */
gboolean disk_is_virtual(const char *syspath);

/* Returns: (transfer full) (nullable): the syspath of a block device */
char *disk_of_number(const System *system, dev_t number);

/**
 * disk_bottoms:
 * @syspath: as above, of any block device
 *
 * Returns: (transfer full): syspaths of what it is made of in the end: disks, and what lives in
 * files or memory. None where it is too deep a stack.
 */
GPtrArray *disk_bottoms(const System *system, const char *syspath);

/**
 * disk_addresses:
 * @syspath: as above, of any block device
 *
 * Returns: (transfer full): of DiskAddress: its own, or those of the disks that it is made of
 */
GPtrArray *disk_addresses(const System *system, const char *syspath);

/* Returns: (transfer full) (nullable): its path in /dev */
char *disk_node(const System *system, const char *syspath);
