/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "disk-address.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "common/limits.h"
#include "sysfs.h"

void disk_address_free(DiskAddress *address)
{
    g_free(address->serial);
    g_free(address->node);
    g_free(address);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): what stands behind @key in lines of KEY=VALUE */
static char *find_value(const char *text, const char *key)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        if (g_str_has_prefix(lines[i], key) && lines[i][strlen(key)] != '\0')
            return g_strdup(lines[i] + strlen(key));
    }
    return NULL;
}

char *disk_node(const System *system, const char *syspath)
{
    g_autofree char *event = sysfs_read(system, syspath, "uevent");
    g_autofree char *name = event != NULL ? find_value(event, "DEVNAME=") : NULL;

    return name != NULL ? g_strconcat("/dev/", name, NULL) : NULL;
}

/* The name that the disk has in all links that udev makes for it. */
static char *udev_serial(const System *system, const char *syspath)
{
    g_autofree char *number = sysfs_read(system, syspath, "dev");
    g_autofree char *path = NULL;
    g_autofree char *known = NULL;
    guint number_major, number_minor;

    if (number == NULL || sscanf(number, "%u:%u", &number_major, &number_minor) != 2)
        return NULL;
    path = g_strdup_printf("/run/udev/data/b%u:%u", number_major, number_minor);
    known = sysfs_read(system, path, NULL);
    return known != NULL ? find_value(known, "E:ID_SERIAL=") : NULL;
}

/* The page of vital product data that holds it: type, code, length in two bytes, ASCII. */
static char *scsi_serial(const System *system, const char *disk)
{
    enum { HEADER = 4 };
    gsize len;
    g_autofree char *page = sysfs_read_bytes(system, disk, "device/vpd_pg80", &len);

    return page != NULL && len > HEADER ? g_strstrip(g_strndup(page + HEADER, len - HEADER)) : NULL;
}

/* As udev would put it together. */
static char *nvme_serial(const System *system, const char *disk)
{
    g_autofree char *model = sysfs_read(system, disk, "device/model");
    g_autofree char *serial = sysfs_read(system, disk, "device/serial");

    if (model == NULL || serial == NULL)
        return NULL;
    return g_strdelimit(g_strconcat(g_strstrip(model), "_", g_strstrip(serial), NULL), " ", '_');
}

/* udev's word where there is udev, the disk's own where there is not. */
static char *find_serial(const System *system, const char *syspath)
{
    g_autofree char *mark = g_build_filename(syspath, "partition", NULL);
    g_autofree char *disk =
        sysfs_exists(system, mark) ? g_path_get_dirname(syspath) : g_strdup(syspath);
    char *serial = udev_serial(system, syspath);

    if (serial == NULL)
        serial = sysfs_read(system, disk, "serial");
    if (serial == NULL)
        serial = nvme_serial(system, disk);
    if (serial == NULL)
        serial = scsi_serial(system, disk);
    if (serial != NULL && *serial == '\0')
        g_clear_pointer(&serial, g_free);
    return serial;
}

/* ---- Place ----------------------------------------------------------------------------------- */

typedef enum {
    LAYOUT_PLAIN,  /* one disk, and nothing to count */
    LAYOUT_IDE,    /* two buses with two disks each */
    LAYOUT_SATA,   /* ports with one disk each */
    LAYOUT_UNIT,   /* one bus: its numbers are units */
    LAYOUT_TARGET, /* SCSI */
} Layout;

typedef struct {
    const char *driver;
    const char *bus_type;
    Layout layout;
} Driver;

/* Controllers with disks on them; of those that are not here it is guessed. */
static const Driver drivers[] = {
    {"ahci", "sata", LAYOUT_SATA},       {"ata_piix", "ide", LAYOUT_IDE},
    {"ehci-pci", "usb", LAYOUT_TARGET},  {"nvme", "nvme", LAYOUT_PLAIN},
    {"sym53c8xx", "scsi", LAYOUT_UNIT},  {"uhci_hcd", "usb", LAYOUT_TARGET},
    {"virtio-pci", NULL, LAYOUT_TARGET}, {"xhci_hcd", "usb", LAYOUT_TARGET},
};

static const Driver *find_driver(const char *name)
{
    for (guint i = 0; name != NULL && i < G_N_ELEMENTS(drivers); i++) {
        if (strcmp(drivers[i].driver, name) == 0)
            return &drivers[i];
    }
    return NULL;
}

/* Returns: whether the whole of @part is a function's address */
static gboolean parse_pci(const char *part, int ret[4])
{
    unsigned int found[4];
    int end = 0;

    if (sscanf(part, "%8x:%2x:%2x.%1x%n", &found[0], &found[1], &found[2], &found[3], &end) != 4 ||
        part[end] != '\0')
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(found); i++)
        ret[i] = (int)(found[i] & G_MAXINT);
    return TRUE;
}

/*
 * Follows bridges down to the controller: the first function with a driver that is known, or the
 * last there is.
 *
 * @ret_path: (transfer full): of that function; NULL where there is none
 * Returns: (nullable): its driver, where that is known
 */
static const Driver *find_pci(const System *system, const char *syspath, DiskAddress *address,
                              char **ret_path)
{
    g_auto(GStrv) parts = g_strsplit(syspath, "/", -1);
    g_autoptr(GString) path = g_string_new(NULL);
    const Driver *driver = NULL;

    *ret_path = NULL;
    for (guint i = 1; parts[0] != NULL && parts[i] != NULL && driver == NULL; i++) {
        g_autofree char *name = NULL;

        g_string_append_printf(path, "/%s", parts[i]);
        if (!parse_pci(parts[i], address->pci))
            continue;
        g_free(*ret_path);
        *ret_path = g_strdup(path->str);
        name = sysfs_link(system, path->str, "driver");
        driver = find_driver(name);
    }
    return driver;
}

/* Channel, number and unit, of what is called by its host's number too; zeros where it has none. */
static gboolean find_target(const char *syspath, guint ret[3])
{
    const char *at = strstr(syspath, "/target");
    int end = 0;

    if (at != NULL &&
        sscanf(at, "/target%*u:%*u:%*u/%*u:%9u:%9u:%9u%n", &ret[0], &ret[1], &ret[2], &end) == 3 &&
        (at[end] == '/' || at[end] == '\0'))
        return TRUE;
    memset(ret, 0, 3 * sizeof(*ret));
    return FALSE;
}

/* Returns: which of the controller's ports it is on, counted from 0 */
static guint find_port(const System *system, const char *controller, const char *syspath)
{
    const char *at = syspath + strlen(controller) + 1;
    const char *prefix = g_str_has_prefix(at, "ata") ? "ata" : "host";
    g_autofree char *own = g_strndup(at, strcspn(at, "/"));
    g_autoptr(GPtrArray) names = sysfs_list(system, controller, prefix);
    guint port = 0;
    guint64 ignored;

    for (guint i = 0; names != NULL && i < names->len; i++) {
        if (strcmp(names->pdata[i], own) == 0)
            return port;
        port += sysfs_number(names->pdata[i], prefix, &ignored);
    }
    return 0;
}

static void place(const System *system, DiskAddress *address, Layout layout, const char *controller,
                  const char *syspath)
{
    guint target[3];

    find_target(syspath, target);
    switch (layout) {
    case LAYOUT_PLAIN: break;
    case LAYOUT_IDE:
        address->bus = find_port(system, controller, syspath);
        address->unit = target[1];
        break;
    case LAYOUT_SATA: address->unit = find_port(system, controller, syspath); break;
    case LAYOUT_UNIT: address->unit = target[1]; break;
    case LAYOUT_TARGET:
        address->bus = target[0];
        address->target = target[1];
        address->unit = target[2];
        break;
    }
}

/* Of what has no driver that is known. */
static const char *guess_bus_type(const char *syspath)
{
    static const struct {
        const char *mark;
        const char *bus_type;
    } marks[] = {
        {"/mmc_host/", "mmc"}, {"/devices/vbd-", "xen"}, {"/usb", "usb"},    {"/ata", "sata"},
        {"/target", "scsi"},   {"/virtio", "virtio"},    {"/nvme/", "nvme"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(marks); i++) {
        if (strstr(syspath, marks[i].mark) != NULL)
            return marks[i].bus_type;
    }
    return "unknown";
}

static void find_ccw(const char *syspath, DiskAddress *address)
{
    const char *at = strstr(syspath, "/devices/css");

    address->has_ccw =
        at != NULL && sscanf(at, "/devices/css%*x/%3x.%1x.%4x/%*x.%*x.%4x", &address->ccw[0],
                             &address->ccw[1], &address->ccw[2], &address->ccw[3]) == 4;
}

/* An NVMe disk with several ways to it stands below none of them; any of its controllers will do.
 */
static char *find_hardware(const System *system, const char *syspath)
{
    g_autofree char *subsystem = NULL;
    g_autoptr(GPtrArray) names = NULL;
    guint64 ignored;

    if (strstr(syspath, "/nvme-subsystem/") == NULL)
        return g_strdup(syspath);
    subsystem = g_path_get_dirname(syspath);
    names = sysfs_list(system, subsystem, "nvme");
    for (guint i = 0; names != NULL && i < names->len; i++) {
        g_autofree char *path = g_build_filename(subsystem, names->pdata[i], NULL);

        if (sysfs_number(names->pdata[i], "nvme", &ignored))
            return sysfs_resolve(system, path);
    }
    return NULL;
}

static void find_place(const System *system, const char *syspath, DiskAddress *address)
{
    g_autofree char *hardware = find_hardware(system, syspath);
    g_autofree char *controller = NULL;
    guint ignored[3];
    const Driver *driver;

    if (hardware == NULL)
        return;
    driver = find_pci(system, hardware, address, &controller);
    find_ccw(hardware, address);
    if (driver != NULL && driver->bus_type != NULL) {
        address->bus_type = driver->bus_type;
        place(system, address, driver->layout, controller, hardware);
    } else if (driver != NULL || strstr(hardware, "/virtio") != NULL) {
        address->bus_type = find_target(hardware, ignored) ? "scsi" : "virtio";
        place(system, address, LAYOUT_TARGET, controller, hardware);
    } else {
        address->bus_type = guess_bus_type(hardware);
        place(system, address, LAYOUT_TARGET, controller, hardware);
    }
}

DiskAddress *disk_address_new(const System *system, const char *syspath)
{
    DiskAddress *address = g_new(DiskAddress, 1);

    *address = (DiskAddress){.pci = {-1, -1, -1, -1}, .bus_type = "unknown"};
    address->node = disk_node(system, syspath);
    address->serial = find_serial(system, syspath);
    find_place(system, syspath, address);
    return address;
}

/* ---- Volumes --------------------------------------------------------------------------------- */

gboolean disk_is_virtual(const char *syspath)
{
    return strstr(syspath, "/devices/virtual/block/") != NULL;
}

/* The links in that folder lead straight to the places that have no link in them: to read one is
 * a twelfth of what resolving it takes. */
char *disk_of_number(const System *system, dev_t number)
{
    static const char up[] = "../../";
    g_autofree char *link = g_strdup_printf("/sys/dev/block/%u:%u", major(number), minor(number));
    g_autofree char *real = g_strconcat(system->root, link, NULL);
    g_autofree char *target = g_file_read_link(real, NULL);

    if (target != NULL && g_str_has_prefix(target, up))
        return g_strconcat("/sys/", target + strlen(up), NULL);
    return sysfs_resolve(system, link);
}

static void collect(const System *system, const char *syspath, guint depth, GPtrArray *bottoms)
{
    g_autofree char *partition = g_build_filename(syspath, "partition", NULL);
    g_autofree char *slaves = g_build_filename(syspath, "slaves", NULL);
    g_autoptr(GPtrArray) names = NULL;

    if (bottoms->len >= LIMIT_DISK_SLAVES || depth > LIMIT_DISK_DEPTH)
        return;
    if (disk_is_virtual(syspath) && sysfs_exists(system, partition)) {
        g_autofree char *whole = g_path_get_dirname(syspath);

        collect(system, whole, depth + 1, bottoms);
        return;
    }
    names = disk_is_virtual(syspath) ? sysfs_list(system, slaves, "") : NULL;
    if (names == NULL || names->len == 0)
        g_ptr_array_add(bottoms, g_strdup(syspath));
    for (guint i = 0; names != NULL && i < names->len; i++) {
        g_autofree char *path = g_build_filename(slaves, names->pdata[i], NULL);
        g_autofree char *slave = sysfs_resolve(system, path);

        if (slave != NULL)
            collect(system, slave, depth + 1, bottoms);
    }
}

GPtrArray *disk_bottoms(const System *system, const char *syspath)
{
    GPtrArray *bottoms = g_ptr_array_new_with_free_func(g_free);

    collect(system, syspath, 0, bottoms);
    return bottoms;
}

GPtrArray *disk_addresses(const System *system, const char *syspath)
{
    GPtrArray *addresses =
        g_ptr_array_new_with_free_func((GDestroyNotify)(gpointer)disk_address_free);
    g_autoptr(GPtrArray) bottoms = disk_bottoms(system, syspath);

    for (guint i = 0; i < bottoms->len; i++) {
        if (!disk_is_virtual(bottoms->pdata[i]))
            g_ptr_array_add(addresses, disk_address_new(system, bottoms->pdata[i]));
    }
    return addresses;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void write_numbers(JsonWrite *write, const char *const *names, const gint64 *values,
                          guint count)
{
    json_write_begin_object(write);
    for (guint i = 0; i < count; i++)
        json_write_member_int64(write, names[i], values[i]);
    json_write_end_object(write);
}

void disk_address_write(const DiskAddress *address, JsonWrite *write)
{
    static const char *const pci_names[] = {"domain", "bus", "slot", "function"};
    static const char *const ccw_names[] = {"cssid", "ssid", "subchno", "devno"};
    gint64 pci[4], ccw[4];

    for (guint i = 0; i < G_N_ELEMENTS(pci); i++) {
        pci[i] = address->pci[i];
        ccw[i] = address->ccw[i];
    }
    json_write_begin_object(write);
    json_write_key(write, "pci-controller");
    write_numbers(write, pci_names, pci, G_N_ELEMENTS(pci));
    json_write_member_string(write, "bus-type", address->bus_type);
    json_write_member_int64(write, "bus", address->bus);
    json_write_member_int64(write, "target", address->target);
    json_write_member_int64(write, "unit", address->unit);
    json_write_member_string(write, "serial", address->serial);
    json_write_member_string(write, "dev", address->node);
    if (address->has_ccw) {
        json_write_key(write, "ccw-address");
        write_numbers(write, ccw_names, ccw, G_N_ELEMENTS(ccw));
    }
    json_write_end_object(write);
}
