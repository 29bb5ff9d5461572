/* SPDX-License-Identifier: GPL-2.0-or-later */

/* disk: guest-get-fsinfo, guest-get-disks. */

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/dispatch.h"
#include "disk-address.h"
#include "mounts.h"
#include "sysfs.h"

/* ---- Filesystems ----------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): the device's place in /sys */
static char *find_device(const System *system, const Mount *mount)
{
    dev_t number = mount->device;
    struct stat source;

    /* Its own number says nothing, but whoever mounted it named one of its devices. */
    if (number == 0 && stat(mount->source, &source) == 0 && S_ISBLK(source.st_mode))
        number = source.st_rdev;
    return number != 0 ? disk_of_number(system, number) : NULL;
}

/* By the first directory that still shows it: of one that is hidden the sizes would be another's.
 * Returns: which that is; the first where none shows it */
static const char *measure(System *system, const Mount *mount, SystemUsage *ret, gboolean *ret_ok)
{
    for (guint i = 0; i < mount->directories->len; i++) {
        *ret_ok = system->measure(system, mount->directories->pdata[i], mount->device, ret);
        if (*ret_ok)
            return mount->directories->pdata[i];
    }
    return mount->directories->pdata[0];
}

static void write_filesystem(System *system, JsonWrite *write, const Mount *mount)
{
    g_autofree char *syspath = find_device(system, mount);
    g_autofree char *name = g_path_get_basename(syspath != NULL ? syspath : mount->source);
    g_autoptr(GPtrArray) addresses = syspath != NULL ? disk_addresses(system, syspath) : NULL;
    SystemUsage usage;
    gboolean measured = FALSE;
    const char *directory = measure(system, mount, &usage, &measured);

    json_write_begin_object(write);
    json_write_member_string(write, "name", name);
    json_write_member_string(write, "mountpoint", directory);
    json_write_member_string(write, "type", mount->type);
    if (measured) {
        json_write_member_uint64(write, "used-bytes", usage.used);
        json_write_member_uint64(write, "total-bytes", usage.total);
        json_write_member_uint64(write, "total-bytes-privileged", usage.total_privileged);
    }
    json_write_key(write, "disk");
    json_write_begin_array(write);
    for (guint i = 0; addresses != NULL && i < addresses->len; i++)
        disk_address_write(addresses->pdata[i], write);
    json_write_end_array(write);
    json_write_end_object(write);
}

gboolean guest_get_fsinfo(Commands *commands, Call *call, GError **error)
{
    System *system = commands->system;
    JsonWrite *write = call_result(call);
    g_autofree char *text = system->read_mounts(system, error);
    g_autoptr(GPtrArray) mounts = NULL;

    if (text == NULL)
        return FALSE;
    mounts = mounts_parse(text);
    json_write_begin_array(write);
    for (guint i = 0; i < mounts->len; i++)
        write_filesystem(system, write, mounts->pdata[i]);
    json_write_end_array(write);
    return TRUE;
}

/* ---- Disks ----------------------------------------------------------------------------------- */

static guint64 read_little_endian(const guint8 *at, guint bytes)
{
    guint64 value = 0;

    for (guint i = bytes; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

/* What NVM Express' health log page has where. */
static void write_smart(JsonWrite *write, const guint8 *page)
{
    static const struct {
        const char *name;
        guint8 offset, bytes;
    } numbers[] = {
        {"critical-warning", 0, 1},          {"temperature", 1, 2},     {"available-spare", 3, 1},
        {"available-spare-threshold", 4, 1}, {"percentage-used", 5, 1},
    };
    static const char *const pairs[] = {
        "data-units-read",      "data-units-written",
        "host-read-commands",   "host-write-commands",
        "controller-busy-time", "power-cycles",
        "power-on-hours",       "unsafe-shutdowns",
        "media-errors",         "number-of-error-log-entries",
    };
    enum { PAIRS_OFFSET = 32 };

    json_write_begin_object(write);
    json_write_member_string(write, "type", "nvme");
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        json_write_member_uint64(write, numbers[i].name,
                                 read_little_endian(page + numbers[i].offset, numbers[i].bytes));
    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        const guint8 *at = page + PAIRS_OFFSET + (gsize)i * 16;
        g_autofree char *low = g_strconcat(pairs[i], "-lo", NULL);
        g_autofree char *high = g_strconcat(pairs[i], "-hi", NULL);

        json_write_member_uint64(write, low, read_little_endian(at, 8));
        json_write_member_uint64(write, high, read_little_endian(at + 8, 8));
    }
    json_write_end_object(write);
}

static void write_dependency(const System *system, JsonWrite *write, const char *syspath)
{
    g_autofree char *node = syspath != NULL ? disk_node(system, syspath) : NULL;

    if (node != NULL)
        json_write_string(write, node);
}

static void write_slaves(const System *system, JsonWrite *write, const char *syspath)
{
    g_autofree char *slaves = g_build_filename(syspath, "slaves", NULL);
    g_autoptr(GPtrArray) names = sysfs_list(system, slaves, "");

    json_write_key(write, "dependencies");
    json_write_begin_array(write);
    for (guint i = 0; names != NULL && i < names->len; i++) {
        g_autofree char *path = g_build_filename(slaves, names->pdata[i], NULL);
        g_autofree char *slave = sysfs_resolve(system, path);

        write_dependency(system, write, slave);
    }
    json_write_end_array(write);
}

static void write_address(System *system, JsonWrite *write, const char *syspath)
{
    g_autoptr(DiskAddress) address = disk_address_new(system, syspath);
    guint8 page[SYSTEM_NVME_SMART_BYTES];

    json_write_key(write, "address");
    disk_address_write(address, write);
    if (strcmp(address->bus_type, "nvme") == 0 && address->node != NULL &&
        system->read_nvme_smart(system, address->node, page)) {
        json_write_key(write, "smart");
        write_smart(write, page);
    }
}

static void write_disk(System *system, JsonWrite *write, const char *syspath, const char *node)
{
    g_autofree char *alias = sysfs_read(system, syspath, "dm/name");

    json_write_begin_object(write);
    json_write_member_string(write, "name", node);
    json_write_member_boolean(write, "partition", FALSE);
    write_slaves(system, write, syspath);
    if (alias != NULL)
        json_write_member_string(write, "alias", alias);
    if (!disk_is_virtual(syspath))
        write_address(system, write, syspath);
    json_write_end_object(write);
}

static void write_partitions(System *system, JsonWrite *write, const char *syspath)
{
    g_autofree char *name = g_path_get_basename(syspath);
    g_autoptr(GPtrArray) names = sysfs_list(system, syspath, name);

    for (guint i = 0; names != NULL && i < names->len; i++) {
        g_autofree char *path = g_build_filename(syspath, names->pdata[i], NULL);
        g_autofree char *mark = g_build_filename(path, "partition", NULL);
        g_autofree char *node = disk_node(system, path);

        if (node == NULL || !sysfs_exists(system, mark))
            continue;
        json_write_begin_object(write);
        json_write_member_string(write, "name", node);
        json_write_member_boolean(write, "partition", TRUE);
        json_write_key(write, "dependencies");
        json_write_begin_array(write);
        write_dependency(system, write, syspath);
        json_write_end_array(write);
        json_write_end_object(write);
    }
}

static gboolean has_size(const System *system, const char *syspath)
{
    g_autofree char *size = sysfs_read(system, syspath, "size");

    return size != NULL && g_ascii_strtoull(size, NULL, 10) > 0;
}

gboolean guest_get_disks(Commands *commands, Call *call, GError **error)
{
    System *system = commands->system;
    JsonWrite *write = call_result(call);
    g_autoptr(GPtrArray) names = sysfs_list(system, "/sys/block", "");

    json_write_begin_array(write);
    for (guint i = 0; names != NULL && i < names->len; i++) {
        g_autofree char *link = g_build_filename("/sys/block", names->pdata[i], NULL);
        g_autofree char *syspath = sysfs_resolve(system, link);
        g_autofree char *node = syspath != NULL ? disk_node(system, syspath) : NULL;

        if (node == NULL || !has_size(system, syspath))
            continue;
        write_disk(system, write, syspath, node);
        write_partitions(system, write, syspath);
    }
    json_write_end_array(write);
    return TRUE;
}
