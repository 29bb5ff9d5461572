/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/places.h"

#include <sys/statvfs.h>
#include <unistd.h>

const Places places = {
    .config_file = "/etc/qemu/qemu-ga.conf",
    .hook = "/etc/qemu/fsfreeze-hook",
    .pidfile = "/var/run/qemu-ga.pid",
    .state_directory = "/var/run",
    .boot_id = "/proc/sys/kernel/random/boot_id",
    .channels =
        {
            {"virtio-serial", CHANNEL_VIRTIO_SERIAL, "/dev/virtio-ports/org.qemu.guest_agent.0"},
            {"isa-serial", CHANNEL_ISA_SERIAL, "/dev/ttyS0"},
            {"unix-listen", CHANNEL_UNIX_LISTEN, NULL},
            {"vsock-listen", CHANNEL_VSOCK_LISTEN, NULL},
        },
    .methods = "virtio-serial, isa-serial, unix-listen, vsock-listen",
};

char *places_expand(const char *path)
{
    return g_strdup(path);
}

/* A filesystem without blocks has no limit of them, or is none that keeps files: that is to be
 * seen. Without inodes it makes them as they are needed. */
gboolean places_has_room(const char *directory)
{
    struct statvfs found;

    return access(directory, W_OK | X_OK) == 0 && statvfs(directory, &found) == 0 &&
           found.f_bavail > 0 && (found.f_files == 0 || found.f_favail > 0);
}

/* One that is not there was mistyped, or its filesystem is not mounted. */
void places_make_directory(const char *directory)
{
}
