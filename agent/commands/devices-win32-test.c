/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Names of PCI devices are taken apart whatever their digits are; and what disks tell of themselves
 * is believed as far as it makes sense. */

#include "devices-win32.h"
#include "disk-win32.h"

static void check(const char *id, gboolean ok, guint vendor, guint device)
{
    guint found_vendor = 0, found_device = 0;

    g_assert_true(devices_parse_id(id, &found_vendor, &found_device) == ok);
    if (!ok)
        return;
    g_assert_cmphex(found_vendor, ==, vendor);
    g_assert_cmphex(found_device, ==, device);
}

static void test_ids(void)
{
    check("PCI\\VEN_1AF4&DEV_1003&SUBSYS_00031AF4&REV_00", TRUE, 0x1AF4, 0x1003);
    check("pci\\ven_1b36&dev_000d", TRUE, 0x1B36, 0x000D);
    check("PCI\\VEN_ABCF&DEV_FEDC&CC_0C03", TRUE, 0xABCF, 0xFEDC);
    check("PCI\\VEN_1AF4", FALSE, 0, 0);
    check("PCI\\VEN_1AF4&DEV_10", FALSE, 0, 0);
    check("PCI\\VEN_1AG4&DEV_1003", FALSE, 0, 0);
    check("USB\\VID_1AF4&PID_1003", FALSE, 0, 0);
    check("PCI\\VEN_", FALSE, 0, 0);
    check("", FALSE, 0, 0);
}

static void test_bus_types(void)
{
    g_assert_cmpstr(disk_bus_type(0), ==, "unknown");
    g_assert_cmpstr(disk_bus_type(1), ==, "scsi");
    g_assert_cmpstr(disk_bus_type(3), ==, "ide");
    g_assert_cmpstr(disk_bus_type(7), ==, "usb");
    g_assert_cmpstr(disk_bus_type(11), ==, "sata");
    g_assert_cmpstr(disk_bus_type(14), ==, "virtual");
    g_assert_cmpstr(disk_bus_type(17), ==, "nvme");
    g_assert_cmpstr(disk_bus_type(18), ==, "unknown");
    g_assert_cmpstr(disk_bus_type(G_MAXUINT32), ==, "unknown");
}

static void test_serials(void)
{
    g_autofree char *plain = disk_clean_serial("  QM00001 ");

    g_assert_cmpstr(plain, ==, "QM00001");
    g_assert_null(disk_clean_serial("   "));
    g_assert_null(disk_clean_serial("\xFF\xFE"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/devices/ids", test_ids);
    g_test_add_func("/disk/bus-types", test_bus_types);
    g_test_add_func("/disk/serials", test_serials);
    return g_test_run();
}
