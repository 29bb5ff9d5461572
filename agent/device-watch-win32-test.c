/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What Windows tells a window of devices becomes news of a port, and nothing else does. Wine has no
 * driver that would tell anything: the messages are sent here, as Windows sends them. */

#include "agent/device-watch-win32.h"

#include "agent/fixture-device-win32.h"

static void on_news(gpointer user, DeviceNews news)
{
    static const char letters[] = {
        [DEVICE_CAME] = 'c', [DEVICE_GOES] = 'g', [DEVICE_OPENED] = 'o', [DEVICE_CLOSED] = 'x'};

    g_string_append_c(user, letters[news]);
}

static void test_news(void)
{
    g_autoptr(GString) told = g_string_new(NULL);
    DeviceWatch *watch = device_watch_new(on_news, told);

    fixture_device_came();
    fixture_device_status(TRUE);
    fixture_device_status(FALSE);
    fixture_device_goes();
    fixture_device_tell(DBT_DEVICEREMOVECOMPLETE, &fixture_device_handle);
    g_assert_cmpstr(told->str, ==, "coxgg");
    device_watch_free(watch);
}

/* Of other kinds of devices, of other events of this one, and none at all. */
static void test_strangers(void)
{
    static const DEV_BROADCAST_VOLUME volume = {.dbcv_size = sizeof(volume),
                                                .dbcv_devicetype = DBT_DEVTYP_VOLUME};
    static const DEV_BROADCAST_HANDLE stranger = {.dbch_size = sizeof(stranger),
                                                  .dbch_devicetype = DBT_DEVTYP_HANDLE};
    g_autoptr(GString) told = g_string_new(NULL);
    DeviceWatch *watch = device_watch_new(on_news, told);

    fixture_device_tell(DBT_DEVNODES_CHANGED, NULL);
    fixture_device_tell(DBT_DEVICEREMOVECOMPLETE, &volume);
    fixture_device_tell(DBT_DEVICEREMOVECOMPLETE, NULL);
    fixture_device_tell(DBT_DEVICEQUERYREMOVEFAILED, &fixture_device_handle);
    fixture_device_tell(DBT_CUSTOMEVENT, &stranger);
    fixture_device_tell(DBT_CUSTOMEVENT, &volume);
    fixture_device_tell(DBT_CUSTOMEVENT, NULL);
    g_assert_cmpstr(told->str, ==, "");
    device_watch_free(watch);
}

static gpointer send_from_elsewhere(gpointer unused)
{
    fixture_device_came();
    return NULL;
}

/* What another process sends, as Windows' own does, comes while the main loop sleeps. */
static void test_from_elsewhere(void)
{
    g_autoptr(GString) told = g_string_new(NULL);
    DeviceWatch *watch = device_watch_new(on_news, told);
    GThread *thread = g_thread_new("sender", send_from_elsewhere, NULL);

    while (told->len == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(told->str, ==, "c");
    g_thread_join(thread);
    device_watch_free(watch);
    g_assert_null(fixture_device_window());
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/device-watch/news", test_news);
    g_test_add_func("/device-watch/strangers", test_strangers);
    g_test_add_func("/device-watch/from-elsewhere", test_from_elsewhere);
    return g_test_run();
}
