/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. Notifications go to a window or to a service's control handler. A window
 * serves a program that was started by hand as well, and is told in the thread that runs the main
 * loop, which polls for messages to it. All of this is a help: where any of it fails the channel
 * has its timers.
 */

#include "agent/device-watch-win32.h"

#include <string.h>
#include <dbt.h>

/* The class of ports, and the event that tells of the host's side: both are the virtio-serial
 * driver's. */
static const GUID port_class = {
    0x6fde7547, 0x1b65, 0x48ae, {0xb6, 0x28, 0x80, 0xbe, 0x62, 0x01, 0x60, 0x26}};
static const GUID port_status_changed = {
    0x2c0f39ac, 0xb156, 0x4237, {0x9c, 0x64, 0x89, 0x91, 0xa1, 0x8b, 0xf3, 0x5c}};

/* What that event carries. */
typedef struct {
    ULONG version;
    ULONG host_connected;
} PortStatus;

struct DeviceWatch {
    void (*told)(gpointer user, DeviceNews news);
    gpointer user;
    HWND window;
    HDEVNOTIFY arrivals;
    HDEVNOTIFY followed;
    GSource *source;
};

static const wchar_t class_name[] = L"qga-agent device watch";

static gboolean is_status_event(const DEV_BROADCAST_HANDLE *news)
{
    return news->dbch_devicetype == DBT_DEVTYP_HANDLE &&
           memcmp(&news->dbch_eventguid, &port_status_changed, sizeof(GUID)) == 0;
}

static void on_device_change(DeviceWatch *watch, WPARAM event, const DEV_BROADCAST_HDR *news)
{
    PortStatus status;

    if (event == DBT_DEVICEARRIVAL) {
        watch->told(watch->user, DEVICE_CAME);
    } else if (news != NULL && news->dbch_devicetype == DBT_DEVTYP_HANDLE &&
               (event == DBT_DEVICEQUERYREMOVE || event == DBT_DEVICEREMOVECOMPLETE)) {
        watch->told(watch->user, DEVICE_GOES);
    } else if (event == DBT_CUSTOMEVENT && news != NULL) {
        const DEV_BROADCAST_HANDLE *custom = (const DEV_BROADCAST_HANDLE *)(gconstpointer)news;

        if (!is_status_event(custom))
            return;
        memcpy(&status, custom->dbch_data, sizeof(status));
        watch->told(watch->user, status.host_connected != 0 ? DEVICE_OPENED : DEVICE_CLOSED);
    }
}

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM wparam, LPARAM lparam)
{
    DeviceWatch *watch = (DeviceWatch *)GetWindowLongPtrW(window, GWLP_USERDATA);

    if (message != WM_DEVICECHANGE || watch == NULL)
        return DefWindowProcW(window, message, wparam, lparam);
    on_device_change(watch, wparam, (const DEV_BROADCAST_HDR *)lparam);
    /* It may have come while the main loop was asking its sources whether they have anything to do,
     * behind the one that has now. */
    g_main_context_wakeup(NULL);
    return TRUE;
}

/* ---- Messages in the main loop --------------------------------------------------------------- */

static gboolean has_message(void)
{
    MSG ignored;

    return PeekMessageW(&ignored, NULL, 0, 0, PM_NOREMOVE);
}

static gboolean source_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return has_message();
}

static gboolean source_check(GSource *source)
{
    return has_message();
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    MSG message;

    while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE))
        DispatchMessageW(&message);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {source_prepare, source_check, source_dispatch, NULL};

/* GLib only asks for its poll record's address. */
static GPollFD message_poll = {.fd = G_WIN32_MSG_HANDLE, .events = G_IO_IN};

static GSource *attach(void)
{
    GSource *source = g_source_new(&source_funcs, sizeof(GSource));

    g_source_add_poll(source, &message_poll);
    g_source_attach(source, NULL);
    return source;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static HWND make_window(DeviceWatch *watch)
{
    WNDCLASSEXW class = {
        .cbSize = sizeof(class),
        .lpfnWndProc = on_message,
        .hInstance = GetModuleHandleW(NULL),
        .lpszClassName = class_name,
    };
    HWND window;

    RegisterClassExW(&class);
    window = CreateWindowExW(0, class_name, class_name, 0, 0, 0, 0, 0, HWND_MESSAGE, NULL,
                             class.hInstance, NULL);
    if (window != NULL)
        SetWindowLongPtrW(window, GWLP_USERDATA, (LONG_PTR)watch);
    return window;
}

DeviceWatch *device_watch_new(void (*told)(gpointer user, DeviceNews news), gpointer user)
{
    DeviceWatch *watch = g_new(DeviceWatch, 1);
    DEV_BROADCAST_DEVICEINTERFACE_W filter = {
        .dbcc_size = sizeof(filter),
        .dbcc_devicetype = DBT_DEVTYP_DEVICEINTERFACE,
        .dbcc_classguid = port_class,
    };

    *watch = (DeviceWatch){.told = told, .user = user};
    watch->window = make_window(watch);
    if (watch->window == NULL) {
        g_info("Windows will not tell of devices: error %lu", GetLastError());
        return watch;
    }
    watch->arrivals =
        RegisterDeviceNotificationW(watch->window, &filter, DEVICE_NOTIFY_WINDOW_HANDLE);
    watch->source = attach();
    return watch;
}

void device_watch_follow(DeviceWatch *watch, HANDLE file)
{
    DEV_BROADCAST_HANDLE filter = {
        .dbch_size = sizeof(filter),
        .dbch_devicetype = DBT_DEVTYP_HANDLE,
        .dbch_handle = file,
    };

    if (watch->followed != NULL)
        UnregisterDeviceNotification(watch->followed);
    watch->followed = NULL;
    if (file == NULL || watch->window == NULL)
        return;
    watch->followed =
        RegisterDeviceNotificationW(watch->window, &filter, DEVICE_NOTIFY_WINDOW_HANDLE);
}

void device_watch_free(DeviceWatch *watch)
{
    if (watch == NULL)
        return;
    device_watch_follow(watch, NULL);
    if (watch->arrivals != NULL)
        UnregisterDeviceNotification(watch->arrivals);
    if (watch->window != NULL)
        DestroyWindow(watch->window);
    if (watch->source != NULL) {
        g_source_destroy(watch->source);
        g_source_unref(watch->source);
    }
    g_free(watch);
}
