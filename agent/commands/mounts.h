/* SPDX-License-Identifier: GPL-2.0-or-later */

/* mounts: the filesystems of disks, read from the kernel's table of mounts. Pure. */

#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
    dev_t number;           /* of the device, as the table says */
    dev_t device;           /* what stat() says of files on it; 0 where that is not known */
    GPtrArray *directories; /* all that it is mounted on, oldest first */
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

/**
 * mount_has_directory:
 * Returns: whether @directory, absolute, is one that it is mounted on
 */
gboolean mount_has_directory(const Mount *mount, const char *directory);
