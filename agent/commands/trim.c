/* SPDX-License-Identifier: GPL-2.0-or-later */

/* trim: guest-fstrim. The kernel returns from a trim when it is over, which takes minutes on a
 * large filesystem. */

#include "agent/dispatch.h"
#include "mounts.h"

static void write_result(JsonWrite *write, const char *path, guint64 trimmed, guint64 minimum,
                         const GError *error)
{
    json_write_begin_object(write);
    json_write_member_string(write, "path", path);
    if (error != NULL) {
        json_write_member_string(write, "error", error->message);
    } else {
        json_write_member_uint64(write, "trimmed", trimmed);
        json_write_member_uint64(write, "minimum", minimum);
    }
    json_write_end_object(write);
}

/* By the first directory that still shows it. One that shows nowhere is left out: nothing that was
 * mounted over it is to be trimmed twice. */
static void trim_mount(System *system, const Mount *mount, guint64 minimum, JsonWrite *write)
{
    SystemTrim outcome = SYSTEM_TRIM_HIDDEN;

    for (guint i = 0; i < mount->directories->len && outcome == SYSTEM_TRIM_HIDDEN; i++) {
        const char *path = mount->directories->pdata[i];
        guint64 used = minimum, trimmed = 0;
        g_autoptr(GError) error = NULL;

        outcome = system->trim(system, path, mount->device, &used, &trimmed, &error);
        if (outcome != SYSTEM_TRIM_HIDDEN)
            write_result(write, path, trimmed, used, error);
    }
}

gboolean guest_fstrim(Commands *commands, const GuestFstrimArguments *args, Call *call,
                      GError **error)
{
    System *system = commands->system;
    JsonWrite *write = call_result(call);
    g_autofree char *text = system->read_mounts(system, error);
    g_autoptr(GPtrArray) mounts = NULL;

    if (text == NULL)
        return FALSE;
    mounts = mounts_parse(text);
    json_write_begin_object(write);
    json_write_key(write, "paths");
    json_write_begin_array(write);
    for (guint i = 0; i < mounts->len; i++)
        trim_mount(system, mounts->pdata[i], (guint64)args->minimum, write);
    json_write_end_array(write);
    json_write_end_object(write);
    return TRUE;
}
