/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * trim: guest-fstrim.
 *
 * The kernel returns from a trim when it is over, which takes minutes on a large filesystem: it is
 * asked beside the main loop, one filesystem after the other, as their disks may be one.
 */

#include <errno.h>

#include "agent/dispatch.h"
#include "common/qmp-error.h"
#include "mounts.h"

typedef struct {
    System *system;
    GPtrArray *mounts;
    guint64 minimum;
} Trim;

static void trim_free(gpointer data)
{
    Trim *trim = data;

    g_ptr_array_unref(trim->mounts);
    g_free(trim);
}

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

/* @minimum: on return what was made of it */
static guint64 trim_open(System *system, int fd, guint64 *minimum, GError **error)
{
    guint64 trimmed = 0;

    if (system->trim(system, fd, minimum, &trimmed))
        return trimmed;
    if (errno == ENOTTY || errno == EOPNOTSUPP)
        qmp_error_set(error, "trim not supported");
    else
        qmp_error_set(error, "failed to trim: %s", g_strerror(errno));
    return 0;
}

/* One that shows nowhere is left out: nothing that was mounted over it is to be trimmed twice. */
static void trim_mount(const Trim *trim, const Mount *mount, JsonWrite *write)
{
    g_autoptr(GError) error = NULL;
    guint64 minimum = trim->minimum, trimmed = 0;
    const char *path;
    int fd;

    switch (mount_open(trim->system, mount, &path, &fd)) {
    case SYSTEM_OPEN_HIDDEN: return;
    case SYSTEM_OPEN_FAILED: qmp_error_set(&error, "failed to open: %s", g_strerror(errno)); break;
    case SYSTEM_OPEN_DONE:
        trimmed = trim_open(trim->system, fd, &minimum, &error);
        trim->system->close_mount(trim->system, fd);
        break;
    }
    write_result(write, path, trimmed, minimum, error);
}

static gboolean run(gpointer data, Call *call, GError **error)
{
    const Trim *trim = data;
    JsonWrite *write = call_result(call);

    json_write_begin_object(write);
    json_write_key(write, "paths");
    json_write_begin_array(write);
    for (guint i = 0; i < trim->mounts->len; i++)
        trim_mount(trim, trim->mounts->pdata[i], write);
    json_write_end_array(write);
    json_write_end_object(write);
    return TRUE;
}

gboolean guest_fstrim(Commands *commands, const GuestFstrimArguments *args, Call *call,
                      GError **error)
{
    System *system = commands->system;
    g_autofree char *text = system->read_mounts(system, error);
    Trim *trim;

    if (text == NULL)
        return FALSE;
    trim = g_new(Trim, 1);
    *trim = (Trim){system, mounts_parse(text), (guint64)args->minimum};
    call_work(call, run, trim, trim_free);
    return TRUE;
}
