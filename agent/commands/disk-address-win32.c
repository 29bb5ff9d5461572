/* SPDX-License-Identifier: GPL-2.0-or-later */

/* disk-address-win32: where a disk is attached, and what it is called. */

#include "disk-win32.h"

#include <string.h>
#include <initguid.h>
#include <setupapi.h>
#include <cfgmgr32.h>
#include <winioctl.h>
#include <ntddscsi.h>

void disk_free(gpointer data)
{
    Disk *disk = data;

    g_free(disk->serial);
    g_free(disk->name);
    g_free(disk);
}

/* In the order of STORAGE_BUS_TYPE. */
const char *disk_bus_type(DWORD type)
{
    static const char *const names[] = {
        "unknown", "scsi",  "ide", "ide",  "ieee1394", "ssa", "fibre",   "usb",
        "raid",    "iscsi", "sas", "sata", "sd",       "mmc", "virtual", "file-backed-virtual",
        "unknown", "nvme",
    };

    return type < G_N_ELEMENTS(names) ? names[type] : "unknown";
}

char *disk_clean_serial(const char *text)
{
    char *clean = g_strstrip(g_strdup(text));

    if (*clean == '\0' || !g_utf8_validate(clean, -1, NULL))
        g_clear_pointer(&clean, g_free);
    return clean;
}

/* ---- Questions to the disk ------------------------------------------------------------------- */

/* No right is asked for: what is asked needs none, and the disk may be in use. */
static HANDLE open_disk(const char *name)
{
    g_autofree wchar_t *wide = g_utf8_to_utf16(name, -1, NULL, NULL, NULL);

    return CreateFileW(wide, 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
}

static gboolean ask(HANDLE file, DWORD question, const void *with, DWORD with_size, void *ret,
                    DWORD size, DWORD *ret_size)
{
    return DeviceIoControl(file, question, (void *)(guintptr)with, with_size, ret, size, ret_size,
                           NULL);
}

static void read_descriptor(HANDLE file, Disk *disk)
{
    const STORAGE_PROPERTY_QUERY query = {StorageDeviceProperty, PropertyStandardQuery, {0}};
    union {
        STORAGE_DEVICE_DESCRIPTOR device;
        char bytes[4096];
    } found = {0};
    DWORD size;

    if (!ask(file, IOCTL_STORAGE_QUERY_PROPERTY, &query, sizeof(query), &found, sizeof(found) - 1,
             &size) ||
        size < sizeof(found.device))
        return;
    disk->bus_type = disk_bus_type(found.device.BusType);
    if (found.device.SerialNumberOffset > 0 && found.device.SerialNumberOffset < size)
        disk->serial = disk_clean_serial(found.bytes + found.device.SerialNumberOffset);
}

static void read_scsi_address(HANDLE file, Disk *disk)
{
    SCSI_ADDRESS address;
    DWORD size;

    if (!ask(file, IOCTL_SCSI_GET_ADDRESS, NULL, 0, &address, sizeof(address), &size) ||
        size < sizeof(address))
        return;
    disk->bus = address.PathId;
    disk->target = address.TargetId;
    disk->unit = address.Lun;
}

/* ---- The controller -------------------------------------------------------------------------- */

static gboolean is_pci(DEVINST device)
{
    wchar_t id[MAX_DEVICE_ID_LEN];

    return CM_Get_Device_IDW(device, id, G_N_ELEMENTS(id), 0) == CR_SUCCESS &&
           wcsncmp(id, L"PCI\\", 4) == 0;
}

static gboolean read_number(DEVINST device, ULONG property, guint32 *ret)
{
    ULONG size = sizeof(*ret);

    return CM_Get_DevNode_Registry_PropertyW(device, property, NULL, ret, &size, 0) == CR_SUCCESS;
}

/* The function that is next above the disk. Windows tells no domain: there is one in a guest. */
static void read_pci(DEVINST device, Disk *disk)
{
    guint32 bus, address;

    while (!is_pci(device)) {
        if (CM_Get_Parent(&device, device, 0) != CR_SUCCESS)
            return;
    }
    if (!read_number(device, CM_DRP_BUSNUMBER, &bus) ||
        !read_number(device, CM_DRP_ADDRESS, &address))
        return;
    disk->pci[0] = 0;
    disk->pci[1] = (gint)bus;
    disk->pci[2] = (gint)(address >> 16);
    disk->pci[3] = (gint)(address & 0xFFFF);
}

static gboolean has_number(const wchar_t *path, DWORD number)
{
    HANDLE file =
        CreateFileW(path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    STORAGE_DEVICE_NUMBER found;
    DWORD size;
    gboolean same;

    if (file == INVALID_HANDLE_VALUE)
        return FALSE;
    same = ask(file, IOCTL_STORAGE_GET_DEVICE_NUMBER, NULL, 0, &found, sizeof(found), &size) &&
           found.DeviceNumber == number;
    CloseHandle(file);
    return same;
}

static gboolean is_interface_of(HDEVINFO set, SP_DEVICE_INTERFACE_DATA *found, DWORD number,
                                DEVINST *ret_device)
{
    union {
        SP_DEVICE_INTERFACE_DETAIL_DATA_W data;
        char bytes[sizeof(DWORD) + 2 * (MAX_PATH + 1) * sizeof(wchar_t)];
    } detail = {.data.cbSize = sizeof(detail.data)};
    SP_DEVINFO_DATA device = {.cbSize = sizeof(device)};

    if (!SetupDiGetDeviceInterfaceDetailW(set, found, &detail.data, sizeof(detail), NULL, &device))
        return FALSE;
    *ret_device = device.DevInst;
    return has_number(detail.data.DevicePath, number);
}

/* The disk's place in the tree of devices is found by its number alone. */
static void read_controller(DWORD number, Disk *disk)
{
    HDEVINFO set = SetupDiGetClassDevsW(&GUID_DEVINTERFACE_DISK, NULL, NULL,
                                        DIGCF_PRESENT | DIGCF_DEVICEINTERFACE);
    SP_DEVICE_INTERFACE_DATA found = {.cbSize = sizeof(found)};
    DEVINST device;

    if (set == INVALID_HANDLE_VALUE)
        return;
    for (DWORD i = 0; SetupDiEnumDeviceInterfaces(set, NULL, &GUID_DEVINTERFACE_DISK, i, &found);
         i++) {
        if (is_interface_of(set, &found, number, &device)) {
            read_pci(device, disk);
            break;
        }
    }
    SetupDiDestroyDeviceInfoList(set);
}

Disk *disk_find(DWORD number)
{
    Disk *disk = g_new(Disk, 1);
    HANDLE file;

    *disk = (Disk){
        .pci = {-1, -1, -1, -1},
        .bus_type = "unknown",
        .name = g_strdup_printf("\\\\.\\PhysicalDrive%lu", number),
    };
    file = open_disk(disk->name);
    if (file != INVALID_HANDLE_VALUE) {
        read_descriptor(file, disk);
        read_scsi_address(file, disk);
        CloseHandle(file);
    }
    read_controller(number, disk);
    return disk;
}

void disk_write_address(JsonWrite *write, const Disk *disk)
{
    static const char *const pci_names[] = {"domain", "bus", "slot", "function"};

    json_write_begin_object(write);
    json_write_key(write, "pci-controller");
    json_write_begin_object(write);
    for (guint i = 0; i < G_N_ELEMENTS(pci_names); i++)
        json_write_member_int64(write, pci_names[i], disk->pci[i]);
    json_write_end_object(write);
    json_write_member_string(write, "bus-type", disk->bus_type);
    json_write_member_int64(write, "bus", disk->bus);
    json_write_member_int64(write, "target", disk->target);
    json_write_member_int64(write, "unit", disk->unit);
    json_write_member_string(write, "serial", disk->serial);
    json_write_member_string(write, "dev", disk->name);
    json_write_end_object(write);
}
