/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/fixture-device-win32.h"

#include <string.h>

HWND fixture_device_window(void)
{
    HWND window = NULL;
    DWORD process = 0;

    do {
        window = FindWindowExW(HWND_MESSAGE, window, L"qga-agent device watch", NULL);
        if (window != NULL)
            GetWindowThreadProcessId(window, &process);
    } while (window != NULL && process != GetCurrentProcessId()); /* of a test beside this one */
    return window;
}

void fixture_device_tell(WPARAM event, gconstpointer news)
{
    HWND window = fixture_device_window();

    g_assert_nonnull(window);
    SendMessageW(window, WM_DEVICECHANGE, event, (LPARAM)news);
}

const DEV_BROADCAST_HANDLE fixture_device_handle = {
    .dbch_size = sizeof(fixture_device_handle),
    .dbch_devicetype = DBT_DEVTYP_HANDLE,
};

void fixture_device_came(void)
{
    static const DEV_BROADCAST_DEVICEINTERFACE_W interface_news = {
        .dbcc_size = sizeof(interface_news), .dbcc_devicetype = DBT_DEVTYP_DEVICEINTERFACE};

    fixture_device_tell(DBT_DEVICEARRIVAL, &interface_news);
}

void fixture_device_goes(void)
{
    fixture_device_tell(DBT_DEVICEQUERYREMOVE, &fixture_device_handle);
}

/* As vioserial has it in its public header: the event's number, and a version and a flag in it. */
void fixture_device_status(gboolean connected)
{
    static const GUID changed = {
        0x2c0f39ac, 0xb156, 0x4237, {0x9c, 0x64, 0x89, 0x91, 0xa1, 0x8b, 0xf3, 0x5c}};
    const ULONG status[2] = {1, connected};
    const gsize size = offsetof(DEV_BROADCAST_HANDLE, dbch_data) + sizeof(status);
    g_autofree DEV_BROADCAST_HANDLE *news = g_malloc0(MAX(size, sizeof(*news)));

    *news = fixture_device_handle;
    news->dbch_size = (DWORD)size;
    news->dbch_eventguid = changed;
    news->dbch_nameoffset = -1;
    memcpy(news->dbch_data, status, sizeof(status));
    fixture_device_tell(DBT_CUSTOMEVENT, news);
}
