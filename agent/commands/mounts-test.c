/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The kernel's table is read as it is written: escapes, optional fields, devices mounted twice. */

#include "mounts.h"

#include <sys/sysmacros.h>

#define CHECK_MOUNT(mounts, i, ...) check_mount(mounts, i, (const char *const[]){__VA_ARGS__, NULL})

static void check_mount(GPtrArray *mounts, guint i, const char *const *directories)
{
    const Mount *mount = mounts->pdata[i];

    g_assert_cmpuint(mount->directories->len, ==, g_strv_length((GStrv)(gpointer)directories));
    for (guint j = 0; directories[j] != NULL; j++)
        g_assert_cmpstr(mount->directories->pdata[j], ==, directories[j]);
}

static void test_table(void)
{
    g_autoptr(GPtrArray) mounts =
        mounts_parse("22 28 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
                     "28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
                     "30 28 0:25 / /run rw shared:12 - tmpfs tmpfs rw\n"
                     "31 28 8:17 / /mnt/with\\040blank rw,noatime master:1 propagate_from:2 - xfs "
                     "/dev/sdb1 rw\n"
                     "32 28 254:1 /var /srv/var rw shared:1 - ext4 /dev/vda1 rw\n"
                     "33 28 0:40 /@home /home rw - btrfs /dev/vdc rw\n"
                     "34 28 0:40 /@ /data rw - btrfs /dev/vdc rw\n"
                     "35 28 0:50 / /net rw - nfs4 server:/export rw\n");
    const Mount *root, *btrfs;

    g_assert_cmpuint(mounts->len, ==, 3);
    CHECK_MOUNT(mounts, 0, "/", "/srv/var");
    CHECK_MOUNT(mounts, 1, "/mnt/with blank");
    CHECK_MOUNT(mounts, 2, "/home", "/data");
    root = mounts->pdata[0];
    g_assert_cmpuint(root->device, ==, makedev(254, 1));
    g_assert_cmpstr(root->type, ==, "ext4");
    g_assert_cmpstr(root->source, ==, "/dev/vda1");
    btrfs = mounts->pdata[2];
    g_assert_cmpuint(btrfs->device, ==, 0);
    g_assert_cmpstr(btrfs->type, ==, "btrfs");
    g_assert_cmpstr(btrfs->source, ==, "/dev/vdc");
}

static void test_escapes(void)
{
    g_autoptr(GPtrArray) mounts =
        mounts_parse("1 1 8:1 / /a\\011b\\012c\\134d\\040\\04 rw - ext4 x rw\n"
                     "2 1 8:2 / /\\303\\251\\ rw - ext4 x rw");

    g_assert_cmpuint(mounts->len, ==, 2);
    CHECK_MOUNT(mounts, 0, "/a\tb\nc\\d \\04");
    CHECK_MOUNT(mounts, 1, "/é\\");
}

static void test_broken_lines(void)
{
    g_autoptr(GPtrArray) mounts = mounts_parse("\n"
                                               "1 2 3\n"
                                               "1 1 8:1 / /no-type rw -\n"
                                               "1 1 8:1 / /no-dash rw ext4 x rw\n"
                                               "1 1 eight:1 / /no-number rw - ext4 x rw\n"
                                               "1 1 8:1 / /cut");

    g_assert_cmpuint(mounts->len, ==, 0);
}

static void test_has_directory(void)
{
    g_autoptr(GPtrArray) mounts = mounts_parse("1 1 8:1 / /mnt/a rw - ext4 x rw\n"
                                               "2 1 8:1 /b /srv/b rw - ext4 x rw\n");
    const Mount *mount = mounts->pdata[0];

    g_assert_true(mount_has_directory(mount, "/mnt/a"));
    g_assert_true(mount_has_directory(mount, "/mnt/a/"));
    g_assert_true(mount_has_directory(mount, "/mnt/./a"));
    g_assert_true(mount_has_directory(mount, "/srv/b"));
    g_assert_false(mount_has_directory(mount, "/mnt"));
    g_assert_false(mount_has_directory(mount, "/mnt/a/b"));
    g_assert_false(mount_has_directory(mount, ""));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mounts/table", test_table);
    g_test_add_func("/mounts/escapes", test_escapes);
    g_test_add_func("/mounts/broken-lines", test_broken_lines);
    g_test_add_func("/mounts/has-directory", test_has_directory);
    return g_test_run();
}
