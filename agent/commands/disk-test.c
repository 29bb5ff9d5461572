/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Disks are where /sys says, whatever it says, and one odd disk hides no other. */

#include "agent/fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/limits.h"

#define FSINFO "{\"execute\": \"guest-get-fsinfo\"}"
#define DISKS  "{\"execute\": \"guest-get-disks\"}"

#define USAGE "\"used-bytes\": 1000, \"total-bytes\": 3000, \"total-bytes-privileged\": 4000, "
#define PCI(bus, slot, function)                                              \
    "\"pci-controller\": {\"domain\": 0, \"bus\": " #bus ", \"slot\": " #slot \
    ", \"function\": " #function "}, "
#define NO_PCI "\"pci-controller\": {\"domain\": -1, \"bus\": -1, \"slot\": -1, \"function\": -1}, "
#define AT(type, bus, target, unit) \
    "\"bus-type\": \"" type "\", \"bus\": " #bus ", \"target\": " #target ", \"unit\": " #unit

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

/* ---- A machine ------------------------------------------------------------------------------- */

/* A block device at @place below /sys/devices, called as its last part. */
static void add_device(CommandFixture *fixture, const char *place, guint number)
{
    g_autofree char *name = g_path_get_basename(place);
    g_autofree char *device = g_strdup_printf("/sys/devices/%s", place);
    g_autofree char *event_file = g_strdup_printf("%s/uevent", device);
    g_autofree char *number_file = g_strdup_printf("%s/dev", device);
    g_autofree char *size_file = g_strdup_printf("%s/size", device);
    g_autofree char *link = g_strdup_printf("/sys/dev/block/254:%u", number);
    g_autofree char *event_text = g_strdup_printf("MAJOR=254\nDEVNAME=%s\n", name);
    g_autofree char *number_text = g_strdup_printf("254:%u\n", number);

    fixture_write(fixture, event_file, event_text);
    fixture_write(fixture, number_file, number_text);
    fixture_write(fixture, size_file, "2048\n");
    fixture_link(fixture, link, device);
}

static void add_disk(CommandFixture *fixture, const char *place, guint number)
{
    g_autofree char *name = g_path_get_basename(place);
    g_autofree char *link = g_strdup_printf("/sys/block/%s", name);
    g_autofree char *device = g_strdup_printf("/sys/devices/%s", place);

    add_device(fixture, place, number);
    fixture_link(fixture, link, device);
}

static void set_driver(CommandFixture *fixture, const char *place, const char *driver)
{
    g_autofree char *path = g_strdup_printf("/sys/devices/%s/driver", place);
    g_autofree char *target = g_strdup_printf("/sys/bus/pci/drivers/%s", driver);

    fixture_link(fixture, path, target);
}

/* What is told of where the only disk is. */
static void check_place(CommandFixture *fixture, const char *place, const char *expected)
{
    g_autofree char *name = g_path_get_basename(place);
    g_autofree char *reply =
        g_strdup_printf("{\"return\": [{\"name\": \"/dev/%s\", \"partition\": false, "
                        "\"dependencies\": [], \"address\": {%s, \"dev\": \"/dev/%s\"}}]}",
                        name, expected, name);

    add_disk(fixture, place, 0);
    fixture_check(fixture, DISKS, reply);
}

/* ---- Places ---------------------------------------------------------------------------------- */

static void test_virtio(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:04.0", "virtio-pci");
    check_place(fixture, "pci0000:00/0000:00:04.0/virtio1/block/vda",
                PCI(0, 4, 0) AT("virtio", 0, 0, 0));
}

static void test_virtio_scsi(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:07.0", "virtio-pci");
    check_place(fixture, "pci0000:00/0000:00:07.0/virtio4/host2/target2:1:3/2:1:3:9/block/sda",
                PCI(0, 7, 0) AT("scsi", 1, 3, 9));
}

/* Bridges on the way are not what it is attached to. */
static void test_nvme_behind_bridge(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:1c.2", "pcieport");
    set_driver(fixture, "pci0000:00/0000:00:1c.2/0000:03:1f.7", "nvme");
    check_place(fixture, "pci0000:00/0000:00:1c.2/0000:03:1f.7/nvme/nvme0/nvme0n1",
                PCI(3, 31, 7) AT("nvme", 0, 0, 0));
}

/* Ports are counted on their own controller: the numbers of the kernel go on from one to the next.
 */
static void test_ata(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:1f.2", "ahci");
    for (guint i = 9; i <= 11; i++) {
        g_autofree char *port =
            g_strdup_printf("/sys/devices/pci0000:00/0000:00:1f.2/ata%u/uevent", i);

        fixture_write(fixture, port, "");
    }
    fixture_write(fixture, "/sys/devices/pci0000:00/0000:00:1f.2/ata_other/uevent", "");
    check_place(fixture, "pci0000:00/0000:00:1f.2/ata10/host9/target9:0:0/9:0:0:0/block/sdb",
                PCI(0, 31, 2) AT("sata", 0, 0, 1));
}

static void test_ide(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:01.1", "ata_piix");
    fixture_write(fixture, "/sys/devices/pci0000:00/0000:00:01.1/ata1/uevent", "");
    check_place(fixture, "pci0000:00/0000:00:01.1/ata2/host1/target1:0:1/1:0:1:0/block/sdc",
                PCI(0, 1, 1) AT("ide", 1, 0, 1));
}

static void test_usb(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:05.0", "xhci_hcd");
    check_place(fixture,
                "pci0000:00/0000:00:05.0/usb1/1-1/1-1:1.0/host3/target3:0:0/3:0:0:1/block/sdd",
                PCI(0, 5, 0) AT("usb", 0, 0, 1));
}

/* Of controllers that are not known it is told at least where they are. */
static void test_unknown_driver(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:06.0", "megaraid_sas");
    check_place(fixture, "pci0000:00/0000:00:06.0/host0/target0:2:1/0:2:1:0/block/sda",
                PCI(0, 6, 0) AT("scsi", 2, 1, 0));
}

static void test_ccw(CommandFixture *fixture, gconstpointer data)
{
    fixture_link(fixture, "/sys/block/vda",
                 "/sys/devices/css0/0.1.0003/0.0.00a1/virtio2/block/vda");
    add_device(fixture, "css0/0.1.0003/0.0.00a1/virtio2/block/vda", 0);
    fixture_check(fixture, DISKS,
                  "{\"return\": [{\"name\": \"/dev/vda\", \"partition\": false, \"dependencies\": "
                  "[], \"address\": {" NO_PCI AT(
                      "virtio", 0, 0,
                      0) ", \"dev\": \"/dev/vda\", "
                         "\"ccw-address\": {\"cssid\": 0, \"ssid\": 1, \"subchno\": 3, \"devno\": "
                         "161}}}]}");
}

static void test_no_pci(CommandFixture *fixture, gconstpointer data)
{
    check_place(fixture, "platform/a003e00.virtio_mmio/virtio0/block/vda",
                NO_PCI AT("virtio", 0, 0, 0));
}

/* With several ways to one NVMe disk, any of them is its place. */
static void test_nvme_subsystem(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:09.0", "nvme");
    fixture_write(fixture, "/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme3/uevent", "");
    fixture_link(fixture, "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme3",
                 "/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme3");
    check_place(fixture, "virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
                PCI(0, 9, 0) AT("nvme", 0, 0, 0));
}

/* What only looks like a place is none, and what overflows is no number. */
static void test_odd_places(CommandFixture *fixture, gconstpointer data)
{
    check_place(fixture,
                "pci0000:00/0000:00:99999999999.0/0000:00:05.00/host1/target99999999999999999999:"
                "0:0/1:18446744073709551616:2:3/block/sda",
                NO_PCI AT("scsi", 0, 0, 0));
}

static void test_target_overflows(CommandFixture *fixture, gconstpointer data)
{
    check_place(fixture, "vmbus/host1/target1:0:3/1:0:3:99999999999/block/sda",
                NO_PCI AT("scsi", 0, 0, 0));
}

/* The first that is known is the controller, whatever is called like one below it. */
static void test_first_driver(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:04.0", "nvme");
    set_driver(fixture, "pci0000:00/0000:00:04.0/0000:09:09.0", "ahci");
    check_place(fixture, "pci0000:00/0000:00:04.0/0000:09:09.0/nvme0n1",
                PCI(0, 4, 0) AT("nvme", 0, 0, 0));
}

/* ---- Serial numbers -------------------------------------------------------------------------- */

#define VDA "pci0000:00/0000:00:04.0/virtio1/block/vda"

static void check_serial(CommandFixture *fixture, const char *json)
{
    g_autofree char *reply = fixture_ask(fixture, DISKS);
    g_autofree char *member = g_strdup_printf("\"serial\": \"%s\", ", json);

    g_assert_nonnull(strstr(reply, member));
}

static void test_serials(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *none = NULL;

    add_disk(fixture, VDA, 3);
    none = fixture_ask(fixture, DISKS);
    g_assert_null(strstr(none, "serial"));
    fixture_write(fixture, "/sys/devices/" VDA "/device/vpd_pg80", "\001\x80\001\005 ab\xff\"");
    check_serial(fixture, "ab\\uFFFD\\\"");
    fixture_write(fixture, "/sys/devices/" VDA "/device/model", "QEMU NVMe Ctrl   \n");
    fixture_write(fixture, "/sys/devices/" VDA "/device/serial", " 12 \n");
    check_serial(fixture, "QEMU_NVMe_Ctrl_12");
    fixture_write(fixture, "/sys/devices/" VDA "/serial", "virtual");
    check_serial(fixture, "virtual");
    fixture_write(fixture, "/run/udev/data/b254:3", "S:disk/x\nE:ID_SERIAL=\nE:ID_SERIAL=udev's\n");
    check_serial(fixture, "udev's");
}

/* Numbers that are a path, and files that never end or keep their readers waiting. */
static void test_hostile_files(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *endless = g_strnfill(2 * LIMIT_SYSFS_BYTES, 'x');
    g_autofree char *fifo =
        g_build_filename(fixture->directory, "sys/devices", VDA, "serial", NULL);
    g_autofree char *reply = NULL;

    add_disk(fixture, VDA, 3);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    fixture_write(fixture, "/sys/devices/" VDA "/dev", "../../../etc/passwd");
    fixture_write(fixture, "/sys/devices/" VDA "/dm/name", endless);
    reply = fixture_ask(fixture, DISKS);
    g_assert_cmpuint(strlen(reply), <, LIMIT_SYSFS_BYTES + 500);
    g_assert_nonnull(strstr(reply, "\"bus-type\": \"virtio\""));
    g_assert_null(strstr(reply, "serial"));
}

/* ---- Disks ----------------------------------------------------------------------------------- */

static void test_disks(CommandFixture *fixture, gconstpointer data)
{
    set_driver(fixture, "pci0000:00/0000:00:04.0", "virtio-pci");
    add_disk(fixture, VDA, 0);
    add_device(fixture, VDA "/vda10", 10);
    add_device(fixture, VDA "/vda2", 2);
    fixture_write(fixture, "/sys/devices/" VDA "/vda2/partition", "2\n");
    fixture_write(fixture, "/sys/devices/" VDA "/vda10/partition", "10\n");
    fixture_write(fixture, "/sys/devices/" VDA "/vda_other/uevent", "DEVNAME=no-partition\n");
    add_disk(fixture, "virtual/block/dm-0", 20);
    fixture_write(fixture, "/sys/devices/virtual/block/dm-0/dm/name", "vg-\"root\"\n");
    fixture_link(fixture, "/sys/devices/virtual/block/dm-0/slaves/vda2",
                 "/sys/devices/" VDA "/vda2");
    add_disk(fixture, "virtual/block/loop0", 30);
    fixture_write(fixture, "/sys/devices/virtual/block/loop0/size", "0\n");
    fixture_write(fixture, "/sys/devices/virtual/block/ram0/size", "5\n"); /* has no node */
    fixture_link(fixture, "/sys/block/ram0", "/sys/devices/virtual/block/ram0");
    fixture_link(fixture, "/sys/block/gone", "/sys/devices/gone");
    fixture_check(
        fixture, DISKS,
        "{\"return\": [{\"name\": \"/dev/dm-0\", \"partition\": false, \"dependencies\": "
        "[\"/dev/vda2\"], \"alias\": \"vg-\\\"root\\\"\"}, {\"name\": \"/dev/vda\", "
        "\"partition\": false, \"dependencies\": [], \"address\": {" PCI(0, 4, 0) AT(
            "virtio", 0, 0,
            0) ", \"dev\": \"/dev/vda\"}}, {\"name\": \"/dev/vda2\", "
               "\"partition\": true, \"dependencies\": [\"/dev/vda\"]}, {\"name\": \"/dev/vda10\", "
               "\"partition\": true, \"dependencies\": [\"/dev/vda\"]}]}");
}

static void test_no_disks(CommandFixture *fixture, gconstpointer data)
{
    fixture_check(fixture, DISKS, "{\"return\": []}");
}

static void test_smart(CommandFixture *fixture, gconstpointer data)
{
    guint8 page[SYSTEM_NVME_SMART_BYTES] = {1, 0x43, 0x01, 100, 10, 7};
    g_autofree char *reply = NULL;

    page[32] = 2;                        /* data-units-read-lo */
    page[40] = 3;                        /* its upper half */
    memset(page + 176, 0xff, 8);         /* number-of-error-log-entries-lo */
    memset(page + 192, 0xee, 512 - 192); /* none of ours */
    fixture->smart = page;
    set_driver(fixture, "pci0000:00/0000:00:09.0", "nvme");
    add_disk(fixture, "pci0000:00/0000:00:09.0/nvme/nvme0/nvme0n1", 0);
    reply = fixture_ask(fixture, DISKS);
    g_assert_nonnull(strstr(reply, "\"smart\": {\"type\": \"nvme\", \"critical-warning\": 1, "
                                   "\"temperature\": 323, \"available-spare\": 100, "
                                   "\"available-spare-threshold\": 10, \"percentage-used\": 7, "
                                   "\"data-units-read-lo\": 2, \"data-units-read-hi\": 3, "
                                   "\"data-units-written-lo\": 0"));
    g_assert_nonnull(strstr(reply, "\"number-of-error-log-entries-lo\": 18446744073709551615, "
                                   "\"number-of-error-log-entries-hi\": 0}"));
}

/* ---- Filesystems ----------------------------------------------------------------------------- */

/* However often it is mounted, it is one, and its disk is found. */
static void test_filesystems(CommandFixture *fixture, gconstpointer data)
{
    fixture->mounts = "1 1 254:2 / / rw - ext4 /dev/root rw\n"
                      "2 1 254:2 /srv /mnt/bind rw - ext4 /dev/root rw\n"
                      "3 1 0:30 / /tmp rw - tmpfs tmpfs rw\n"
                      "4 1 254:99 / /mnt/odd\\040one rw - xfs /dev/odd rw\n"
                      "5 1 0:40 / /mnt/btrfs rw - btrfs /nonexistent/vdb rw\n";
    set_driver(fixture, "pci0000:00/0000:00:04.0", "virtio-pci");
    add_disk(fixture, VDA, 0);
    add_device(fixture, VDA "/vda2", 2);
    fixture_write(fixture, "/sys/devices/" VDA "/vda2/partition", "2\n");
    fixture_write(fixture, "/sys/devices/" VDA "/serial", "of the disk\n");
    fixture_check(
        fixture, FSINFO,
        "{\"return\": [{\"name\": \"vda2\", \"mountpoint\": \"/\", \"type\": \"ext4\", " USAGE
        "\"disk\": [{" PCI(0, 4, 0)
            AT("virtio", 0, 0,
               0) ", \"serial\": \"of the disk\", "
                  "\"dev\": \"/dev/vda2\"}]}, "
                  "{\"name\": \"odd\", \"mountpoint\": \"/mnt/odd one\", \"type\": \"xfs\", " USAGE
                  "\"disk\": []}, "
                  "{\"name\": \"vdb\", \"mountpoint\": \"/mnt/btrfs\", \"type\": \"btrfs\", " USAGE
                  "\"disk\": []}]}");
}

/* Where something else stands on its first directory, another one shows it, or none. */
static void test_hidden(CommandFixture *fixture, gconstpointer data)
{
    fixture->hidden = "/mnt/a";
    fixture->mounts = "1 1 254:2 / /mnt/a rw - ext4 /dev/vda2 rw\n"
                      "2 1 254:2 / /mnt/b rw - ext4 /dev/vda2 rw\n";
    fixture_check(fixture, FSINFO,
                  "{\"return\": [{\"name\": \"vda2\", \"mountpoint\": \"/mnt/b\", \"type\": "
                  "\"ext4\", " USAGE "\"disk\": []}]}");
    fixture->mounts = "1 1 254:2 / /mnt/a rw - ext4 /dev/vda2 rw\n";
    fixture_check(fixture, FSINFO,
                  "{\"return\": [{\"name\": \"vda2\", \"mountpoint\": \"/mnt/a\", \"type\": "
                  "\"ext4\", \"disk\": []}]}");
}

static void test_volumes(CommandFixture *fixture, gconstpointer data)
{
    fixture->mounts = "1 1 254:9 / /mnt rw - ext4 /dev/mapper/x rw\n";
    add_disk(fixture, "pci0000:00/0000:00:04.0/virtio1/block/vda", 1);
    add_disk(fixture, "pci0000:00/0000:00:05.0/virtio2/block/vdb", 2);
    add_disk(fixture, "virtual/block/md0", 8);
    add_disk(fixture, "virtual/block/dm-0", 9);
    fixture_link(fixture, "/sys/devices/virtual/block/dm-0/slaves/md0",
                 "/sys/devices/virtual/block/md0");
    fixture_link(fixture, "/sys/devices/virtual/block/md0/slaves/vda",
                 "/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda");
    fixture_link(fixture, "/sys/devices/virtual/block/md0/slaves/vdb",
                 "/sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vdb");
    fixture_check(fixture, FSINFO,
                  "{\"return\": [{\"name\": \"dm-0\", \"mountpoint\": \"/mnt\", \"type\": "
                  "\"ext4\", " USAGE "\"disk\": [{" PCI(0, 4, 0)
                      AT("virtio", 0, 0, 0) ", \"dev\": \"/dev/vda\"}, {" PCI(0, 5, 0)
                          AT("virtio", 0, 0, 0) ", \"dev\": \"/dev/vdb\"}]}]}");
}

/* Volumes that lie on each other, which no kernel makes, end after a while. */
static void test_volumes_in_circle(CommandFixture *fixture, gconstpointer data)
{
    fixture->mounts = "1 1 254:8 / /mnt rw - ext4 /dev/mapper/x rw\n";
    add_disk(fixture, VDA, 1);
    add_disk(fixture, "virtual/block/dm-8", 8);
    add_disk(fixture, "virtual/block/dm-9", 9);
    fixture_link(fixture, "/sys/devices/virtual/block/dm-8/slaves/dm-9",
                 "/sys/devices/virtual/block/dm-9");
    fixture_link(fixture, "/sys/devices/virtual/block/dm-9/slaves/dm-8",
                 "/sys/devices/virtual/block/dm-8");
    fixture_link(fixture, "/sys/devices/virtual/block/dm-9/slaves/vda", "/sys/devices/" VDA);
    g_free(fixture_ask(fixture, FSINFO));
}

static void test_no_mounts(CommandFixture *fixture, gconstpointer data)
{
    fixture->mounts = NULL;
    fixture_check_error(fixture, FSINFO, "no mounts");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/disk/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("virtio", test_virtio);
    ADD("virtio-scsi", test_virtio_scsi);
    ADD("nvme-behind-bridge", test_nvme_behind_bridge);
    ADD("ata", test_ata);
    ADD("ide", test_ide);
    ADD("usb", test_usb);
    ADD("unknown-driver", test_unknown_driver);
    ADD("ccw", test_ccw);
    ADD("no-pci", test_no_pci);
    ADD("nvme-subsystem", test_nvme_subsystem);
    ADD("odd-places", test_odd_places);
    ADD("target-overflows", test_target_overflows);
    ADD("first-driver", test_first_driver);
    ADD("serials", test_serials);
    ADD("hostile-files", test_hostile_files);
    ADD("disks", test_disks);
    ADD("no-disks", test_no_disks);
    ADD("smart", test_smart);
    ADD("filesystems", test_filesystems);
    ADD("hidden", test_hidden);
    ADD("volumes", test_volumes);
    ADD("volumes-in-circle", test_volumes_in_circle);
    ADD("no-mounts", test_no_mounts);
#undef ADD
    return g_test_run();
}
