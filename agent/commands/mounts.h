/* SPDX-License-Identifier: GPL-2.0-or-later */

/* mounts: the filesystems of disks, read from the kernel's table of mounts. */

#pragma once

#include "agent/system.h"

typedef struct {
    dev_t number;           /* of the device, as the table says */
    dev_t device;           /* what stat() says of files on it; 0 where that is not known */
    GPtrArray *directories; /* all that it is mounted on, oldest first */
    GArray *numbers;        /* (nullable): int: of those mounts, where device is 0 */
    char *type;             /* of the filesystem */
    char *source;           /* what was mounted, as whoever did it called it */
} Mount;

/**
 * mounts_parse:
 * @text: in the format of /proc/self/mountinfo
 *
 * Leaves out what is on no device of its own: tmpfs, overlays, network filesystems.
 *
 * Returns: (transfer full): of Mount, in the order in which they were first mounted, one for each
 * device
 */
GPtrArray *mounts_parse(const char *text);

/* Returns: whether @directory, absolute, is one that it is mounted on */
gboolean mount_has_directory(const Mount *mount, const char *directory);

/* Returns: whether what is at @place is in it */
gboolean mount_holds(const Mount *mount, const SystemPlace *place);

/**
 * mount_open:
 * @ret_directory: (transfer none): by which it was opened, or could not be; the first that still
 *   shows it
 *
 * Returns: SYSTEM_OPEN_HIDDEN where none shows it: then its writers cannot reach it either
 */
SystemOpen mount_open(System *system, const Mount *mount, const char **ret_directory, int *ret_fd);
