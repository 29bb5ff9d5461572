/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "disk-win32.h"

#include <stdio.h>
#include <winioctl.h>

#include "agent/win32-error.h"

/* ---- Filesystems ----------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): folders and drives that show the volume, one after the
 * other, an empty text behind the last */
static wchar_t *read_mount_points(const wchar_t *volume)
{
    DWORD len = 0;
    wchar_t *names;

    GetVolumePathNamesForVolumeNameW(volume, NULL, 0, &len);
    if (len <= 1)
        return NULL;
    names = g_new0(wchar_t, len);
    if (GetVolumePathNamesForVolumeNameW(volume, names, len, &len) && names[0] != 0)
        return names;
    g_free(names);
    return NULL;
}

/* A volume is told of as the device that it is by its name without the last backslash. */
static HANDLE open_volume(const wchar_t *volume)
{
    wchar_t device[MAX_PATH];

    wcsncpy(device, volume, G_N_ELEMENTS(device) - 1);
    device[G_N_ELEMENTS(device) - 1] = 0;
    device[wcslen(device) - 1] = 0;
    return CreateFileW(device, 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
}

static void write_disks(JsonWrite *write, const wchar_t *volume)
{
    union {
        VOLUME_DISK_EXTENTS list;
        char bytes[sizeof(VOLUME_DISK_EXTENTS) + 63 * sizeof(DISK_EXTENT)];
    } found;
    HANDLE file = open_volume(volume);
    DWORD size;

    json_write_key(write, "disk");
    json_write_begin_array(write);
    if (file != INVALID_HANDLE_VALUE &&
        DeviceIoControl(file, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS, NULL, 0, &found, sizeof(found),
                        &size, NULL)) {
        for (DWORD i = 0; i < found.list.NumberOfDiskExtents; i++) {
            Disk *disk = disk_find(found.list.Extents[i].DiskNumber);

            disk_write_address(write, disk);
            disk_free(disk);
        }
    }
    json_write_end_array(write);
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
}

static void write_wide(JsonWrite *write, const char *name, const wchar_t *wide, gsize len)
{
    g_autofree char *text = g_utf16_to_utf8(wide, (glong)len, NULL, NULL, NULL);

    json_write_member_string(write, name, text != NULL ? text : "");
}

/* As qemu-ga calls those that show nowhere; with one that shows, the first folder is told. */
static void write_volume(JsonWrite *write, const wchar_t *volume)
{
    g_autofree wchar_t *points = read_mount_points(volume);
    wchar_t type[MAX_PATH + 1] = L"";
    ULARGE_INTEGER available, total, free_bytes;

    if (!GetVolumeInformationW(volume, NULL, 0, NULL, NULL, NULL, type, G_N_ELEMENTS(type)))
        return; /* a drive without a medium, or nothing that Windows knows */
    json_write_begin_object(write);
    write_wide(write, "name", volume, wcslen(volume) - 1);
    if (points != NULL)
        write_wide(write, "mountpoint", points, wcslen(points));
    else
        json_write_member_string(write, "mountpoint", "System Reserved");
    write_wide(write, "type", type, wcslen(type));
    if (GetDiskFreeSpaceExW(volume, &available, &total, &free_bytes)) {
        json_write_member_uint64(write, "used-bytes", total.QuadPart - free_bytes.QuadPart);
        json_write_member_uint64(write, "total-bytes", total.QuadPart);
    }
    write_disks(write, volume);
    json_write_end_object(write);
}

gboolean guest_get_fsinfo(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    wchar_t volume[MAX_PATH];
    HANDLE search = FindFirstVolumeW(volume, G_N_ELEMENTS(volume));

    if (search == INVALID_HANDLE_VALUE)
        return win32_error_set(error, GetLastError(), "failed to find any volume");
    json_write_begin_array(write);
    do
        write_volume(write, volume);
    while (FindNextVolumeW(search, volume, G_N_ELEMENTS(volume)));
    json_write_end_array(write);
    FindVolumeClose(search);
    return TRUE;
}

/* ---- Disks ----------------------------------------------------------------------------------- */

/* Windows gives numbers out again, so that they stay far below. */
enum { DISKS_MOST = 256 };

static gboolean is_there(DWORD number)
{
    wchar_t name[64];
    HANDLE file;

    swprintf(name, G_N_ELEMENTS(name), L"\\\\.\\PhysicalDrive%lu", number);
    file = CreateFileW(name, 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return FALSE;
    CloseHandle(file);
    return TRUE;
}

gboolean guest_get_disks(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);

    json_write_begin_array(write);
    for (DWORD number = 0; number < DISKS_MOST; number++) {
        Disk *disk = is_there(number) ? disk_find(number) : NULL;

        if (disk == NULL)
            continue;
        json_write_begin_object(write);
        json_write_member_string(write, "name", disk->name);
        json_write_member_boolean(write, "partition", FALSE);
        json_write_key(write, "address");
        disk_write_address(write, disk);
        json_write_end_object(write);
        disk_free(disk);
    }
    json_write_end_array(write);
    return TRUE;
}
