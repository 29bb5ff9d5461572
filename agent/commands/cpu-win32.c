/* SPDX-License-Identifier: GPL-2.0-or-later */

/* cpu-win32: guest-get-vcpus, guest-get-load of Windows. */

#include "agent/dispatch.h"
#include "agent/system-win32.h"
#include "agent/win32-error.h"
#include "load.h"

/* Of all groups, of which each has 64; Windows offers no way to take one off. */
gboolean guest_get_vcpus(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    DWORD count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);

    json_write_begin_array(write);
    for (DWORD i = 0; i < count; i++) {
        json_write_begin_object(write);
        json_write_member_int64(write, "logical-id", i);
        json_write_member_boolean(write, "online", TRUE);
        json_write_member_boolean(write, "can-offline", FALSE);
        json_write_end_object(write);
    }
    json_write_end_array(write);
    return TRUE;
}

/* ---- Load ------------------------------------------------------------------------------------ */

/* Windows keeps no averages; they are kept here from the first time on that somebody asks. */
static struct {
    guint timer;
    const SystemWin32 *win32;
    Load load;
} kept;

static gboolean on_period(gpointer unused)
{
    double value;

    if (kept.win32->read_queue_length(&value) == ERROR_SUCCESS)
        load_add(&kept.load, value);
    return G_SOURCE_CONTINUE;
}

gboolean guest_get_load(Commands *commands, Call *call, GError **error)
{
    static const char *const members[] = {"load1m", "load5m", "load15m"};
    JsonWrite *write = call_result(call);
    double value;
    DWORD code;

    if (kept.timer == 0) {
        kept.win32 = commands->system->win32;
        code = kept.win32->read_queue_length(&value);
        if (code != ERROR_SUCCESS)
            return win32_error_set(error, code, "cannot query load average");
        load_add(&kept.load, value);
        kept.timer = g_timeout_add(LOAD_PERIOD_MS, on_period, NULL);
    }
    json_write_begin_object(write);
    for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
        json_write_key(write, members[i]);
        json_write_double(write, kept.load.averages[i]);
    }
    json_write_end_object(write);
    return TRUE;
}
