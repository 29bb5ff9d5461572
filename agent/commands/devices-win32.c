/* SPDX-License-Identifier: GPL-2.0-or-later */

/* devices-win32: guest-get-devices: the drivers of what a virtual machine has. */

#include "devices-win32.h"

#include <string.h>
#include <initguid.h>
#include <devpkey.h>
#include <setupapi.h>

#include "agent/win32-error.h"

/* Whose devices are told of: of the virtio kind, and QEMU's own. */
static const guint vendors[] = {0x1AF4, 0x1B36};

static gboolean read_hex(const char *at, guint *ret)
{
    guint64 value;
    g_autofree char *digits = g_strndup(at, 4);

    if (strlen(digits) < 4 || !g_ascii_string_to_unsigned(digits, 16, 0, 0xFFFF, &value, NULL))
        return FALSE;
    *ret = (guint)value;
    return TRUE;
}

gboolean devices_parse_id(const char *id, guint *ret_vendor, guint *ret_device)
{
    static const char vendor_mark[] = "PCI\\VEN_", device_mark[] = "&DEV_";
    const char *device = id + strlen(vendor_mark) + 4;

    return g_ascii_strncasecmp(id, vendor_mark, strlen(vendor_mark)) == 0 &&
           read_hex(id + strlen(vendor_mark), ret_vendor) &&
           g_ascii_strncasecmp(device, device_mark, strlen(device_mark)) == 0 &&
           read_hex(device + strlen(device_mark), ret_device);
}

static gboolean is_wanted(guint vendor)
{
    for (guint i = 0; i < G_N_ELEMENTS(vendors); i++) {
        if (vendors[i] == vendor)
            return TRUE;
    }
    return FALSE;
}

/* Returns: (transfer full) (nullable) */
static gpointer read_property(HDEVINFO set, SP_DEVINFO_DATA *device, const DEVPROPKEY *key,
                              DEVPROPTYPE wanted)
{
    DEVPROPTYPE type;
    DWORD size = 0;
    guint8 *value;

    SetupDiGetDevicePropertyW(set, device, key, &type, NULL, 0, &size, 0);
    if (size == 0)
        return NULL;
    value = g_malloc0(size + sizeof(wchar_t));
    if (SetupDiGetDevicePropertyW(set, device, key, &type, value, size, NULL, 0) && type == wanted)
        return value;
    g_free(value);
    return NULL;
}

static char *read_text(HDEVINFO set, SP_DEVINFO_DATA *device, const DEVPROPKEY *key,
                       DEVPROPTYPE type)
{
    g_autofree wchar_t *wide = read_property(set, device, key, type);

    return wide != NULL ? g_utf16_to_utf8(wide, -1, NULL, NULL, NULL) : NULL;
}

/* The first of its names, from the most exact to the least, is enough: all have these numbers. */
static gboolean read_id(HDEVINFO set, SP_DEVINFO_DATA *device, guint *ret_vendor, guint *ret_device)
{
    g_autofree char *id =
        read_text(set, device, &DEVPKEY_Device_HardwareIds, DEVPROP_TYPE_STRING_LIST);

    return id != NULL && devices_parse_id(id, ret_vendor, ret_device) && is_wanted(*ret_vendor);
}

/* Windows counts in units of 100 ns, from 1601. */
static gint64 nanoseconds_since_1970(const FILETIME *time)
{
    gint64 ticks = (gint64)((guint64)time->dwHighDateTime << 32 | time->dwLowDateTime);

    return (ticks - G_GINT64_CONSTANT(116444736000000000)) * 100;
}

static void write_device(HDEVINFO set, SP_DEVINFO_DATA *device, JsonWrite *write)
{
    guint vendor, number;
    g_autofree char *name = NULL;
    g_autofree char *version = NULL;
    g_autofree FILETIME *date = NULL;

    if (!read_id(set, device, &vendor, &number))
        return;
    name = read_text(set, device, &DEVPKEY_NAME, DEVPROP_TYPE_STRING);
    if (name == NULL)
        return;
    date = read_property(set, device, &DEVPKEY_Device_DriverDate, DEVPROP_TYPE_FILETIME);
    version = read_text(set, device, &DEVPKEY_Device_DriverVersion, DEVPROP_TYPE_STRING);
    json_write_begin_object(write);
    json_write_member_string(write, "driver-name", name);
    if (date != NULL)
        json_write_member_int64(write, "driver-date", nanoseconds_since_1970(date));
    json_write_member_string(write, "driver-version", version);
    json_write_key(write, "id");
    json_write_begin_object(write);
    json_write_member_string(write, "type", "pci");
    json_write_member_int64(write, "vendor-id", vendor);
    json_write_member_int64(write, "device-id", number);
    json_write_end_object(write);
    json_write_end_object(write);
}

gboolean guest_get_devices(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    HDEVINFO set = SetupDiGetClassDevsW(NULL, NULL, NULL, DIGCF_PRESENT | DIGCF_ALLCLASSES);
    SP_DEVINFO_DATA device = {.cbSize = sizeof(device)};

    if (set == INVALID_HANDLE_VALUE)
        return win32_error_set(error, GetLastError(), "failed to list the devices");
    json_write_begin_array(write);
    for (DWORD i = 0; SetupDiEnumDeviceInfo(set, i, &device); i++)
        write_device(set, &device, write);
    json_write_end_array(write);
    SetupDiDestroyDeviceInfoList(set);
    return TRUE;
}
