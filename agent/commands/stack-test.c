/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Depths are right on stacks of every kind, and careful where nothing is known. */

#include <string.h>

#include "agent/fixture.h"
#include "stack.h"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

/* @path: below /sys/devices */
static void add_device(CommandFixture *fixture, const char *number, const char *path)
{
    g_autofree char *link = g_strconcat("/sys/dev/block/", number, NULL);
    g_autofree char *target = g_strconcat("/sys/devices/", path, NULL);
    g_autofree char *dev = g_strconcat(target, "/dev", NULL);

    fixture_write(fixture, dev, number);
    fixture_link(fixture, link, target);
}

static void add_loop(CommandFixture *fixture, const char *number, const char *name,
                     const char *file)
{
    g_autofree char *path = g_strconcat("virtual/block/", name, NULL);
    g_autofree char *backing = g_strconcat("/sys/devices/", path, "/loop/backing_file", NULL);

    add_device(fixture, number, path);
    fixture_write(fixture, backing, file);
}

static void add_slave(CommandFixture *fixture, const char *volume, const char *slave)
{
    g_autofree char *link = g_strconcat("/sys/devices/virtual/block/", volume, "/slaves/",
                                        strrchr(slave, '/') + 1, NULL);
    g_autofree char *target = g_strconcat("/sys/devices/", slave, NULL);

    fixture_link(fixture, link, target);
}

/* @expected: ends with -1 */
static void check(CommandFixture *fixture, const char *table, const int *expected)
{
    g_autoptr(GPtrArray) mounts = mounts_parse(table);
    g_autoptr(GArray) depths = NULL;

    fixture->mounts = table;
    depths = stack_depths(&fixture->system, mounts);
    g_assert_cmpuint(depths->len, ==, mounts->len);
    for (guint i = 0; i < depths->len; i++)
        g_assert_cmpint((int)g_array_index(depths, guint, i), ==, expected[i]);
}

#define CHECK(table, ...) check(fixture, table, (const int[]){__VA_ARGS__, -1})

#define ROOT "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
#define DATA "2 1 8:2 / /data rw - xfs /dev/sda2 rw\n"

static void add_disks(CommandFixture *fixture)
{
    add_device(fixture, "8:1", "pci0/block/sda/sda1");
    add_device(fixture, "8:2", "pci0/block/sda/sda2");
}

static void test_disks(CommandFixture *fixture, gconstpointer data)
{
    add_disks(fixture);
    CHECK(ROOT DATA, 0, 0);
}

static void test_loop(CommandFixture *fixture, gconstpointer data)
{
    add_disks(fixture);
    add_loop(fixture, "7:0", "loop0", "/data/image");
    add_loop(fixture, "7:1", "loop1", "/mnt/loop/image");
    CHECK(ROOT DATA "3 1 7:0 / /mnt/loop rw - ext4 /dev/loop0 rw\n"
                    "4 1 7:1 / /mnt/more rw - ext4 /dev/loop1 rw\n",
          0, 0, 1, 2);
    /* Whatever was mounted when. */
    CHECK("4 1 7:1 / /mnt/more rw - ext4 /dev/loop1 rw\n"
          "3 1 7:0 / /mnt/loop rw - ext4 /dev/loop0 rw\n" ROOT DATA,
          2, 1, 0, 0);
}

/* The image is on a tmpfs, which cannot be frozen. */
static void test_loop_in_memory(CommandFixture *fixture, gconstpointer data)
{
    add_disks(fixture);
    add_loop(fixture, "7:0", "loop0", "/run/image");
    CHECK(ROOT "2 1 0:20 / /run rw - tmpfs tmpfs rw\n"
               "3 1 7:0 / /mnt/loop rw - ext4 /dev/loop0 rw\n",
          0, 0);
}

/* A volume on a partition of a loop device, and one on a disk. */
static void test_volumes(CommandFixture *fixture, gconstpointer data)
{
    add_disks(fixture);
    add_loop(fixture, "7:0", "loop0", "/data/image");
    add_device(fixture, "259:1", "virtual/block/loop0/loop0p1");
    fixture_write(fixture, "/sys/devices/virtual/block/loop0/loop0p1/partition", "1");
    add_device(fixture, "253:0", "virtual/block/dm-0");
    add_slave(fixture, "dm-0", "virtual/block/loop0/loop0p1");
    add_device(fixture, "9:0", "virtual/block/md0");
    add_slave(fixture, "md0", "pci0/block/sda/sda1");
    add_slave(fixture, "md0", "virtual/block/dm-0");
    add_device(fixture, "253:1", "virtual/block/dm-1");
    add_slave(fixture, "dm-1", "pci0/block/sda/sda1");
    CHECK("3 1 9:0 / /mnt/raid rw - ext4 /dev/md0 rw\n"
          "4 1 253:0 / /mnt/volume rw - ext4 /dev/dm-0 rw\n"
          "5 1 253:1 / /mnt/disk rw - ext4 /dev/dm-1 rw\n" DATA,
          1, 1, 0, 0);
}

/* It may be served from any of those that were there before. */
static void test_unknown(CommandFixture *fixture, gconstpointer data)
{
    add_disks(fixture);
    add_device(fixture, "43:0", "virtual/block/nbd0");
    add_loop(fixture, "7:0", "loop0", "/nowhere/image (deleted)");
    CHECK(ROOT "3 1 43:0 / /mnt/nbd rw - ext4 /dev/nbd0 rw\n" DATA
               "4 1 7:0 / /mnt/loop rw - ext4 /dev/loop0 rw\n",
          0, 1, 0, 2);
}

/* Without a word from the kernel: as they were mounted. */
static void test_no_sysfs(CommandFixture *fixture, gconstpointer data)
{
    CHECK(ROOT DATA, 0, 1);
}

/* Its files show other devices than it has; what they are mounted by tells. */
static void test_on_btrfs(CommandFixture *fixture, gconstpointer data)
{
    add_disks(fixture);
    add_loop(fixture, "7:0", "loop0", "/home/image");
    CHECK("5 1 0:40 /@home /home rw - btrfs /dev/sda3 rw\n" ROOT
          "3 1 7:0 / /mnt/loop rw - ext4 /dev/loop0 rw\n",
          0, 0, 1);
}

/* Nothing can really be on itself; the table is read while others mount and unmount. */
static void test_circle(CommandFixture *fixture, gconstpointer data)
{
    add_loop(fixture, "7:0", "loop0", "/b/image");
    add_loop(fixture, "7:1", "loop1", "/a/image");
    CHECK("1 1 7:0 / /a rw - ext4 /dev/loop0 rw\n"
          "2 1 7:1 / /b rw - ext4 /dev/loop1 rw\n",
          2, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/stack/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("disks", test_disks);
    ADD("loop", test_loop);
    ADD("loop-in-memory", test_loop_in_memory);
    ADD("volumes", test_volumes);
    ADD("unknown", test_unknown);
    ADD("no-sysfs", test_no_sysfs);
    ADD("on-btrfs", test_on_btrfs);
    ADD("circle", test_circle);
#undef ADD
    return g_test_run();
}
