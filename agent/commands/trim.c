/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * trim: guest-fstrim.
 *
 * The kernel returns from a trim when it is over, which takes minutes on a large filesystem: it is
 * asked beside the main loop (work.h), one filesystem after the other, as their disks may be one.
 */

#include <errno.h>

#include "agent/dispatch.h"
#include "common/qmp-error.h"
#include "mounts.h"
#include "work.h"

typedef struct {
    const char *path; /* of mounts */
    guint64 trimmed;
    guint64 minimum;
    GError *error; /* (nullable) */
} Result;

typedef struct {
    System *system;
    GPtrArray *mounts;
    guint64 minimum;
    GArray *results; /* of Result */
    Call *call;
} Trim;

static void result_clear(gpointer data)
{
    g_clear_error(&((Result *)data)->error);
}

static void trim_free(Trim *trim)
{
    g_ptr_array_unref(trim->mounts);
    g_array_unref(trim->results);
    g_free(trim);
}

static void write_result(JsonWrite *write, const Result *result)
{
    json_write_begin_object(write);
    json_write_member_string(write, "path", result->path);
    if (result->error != NULL) {
        json_write_member_string(write, "error", result->error->message);
    } else {
        json_write_member_uint64(write, "trimmed", result->trimmed);
        json_write_member_uint64(write, "minimum", result->minimum);
    }
    json_write_end_object(write);
}

static void on_trimmed(gpointer job)
{
    Trim *trim = job;
    JsonWrite *write = call_result(trim->call);

    json_write_begin_object(write);
    json_write_key(write, "paths");
    json_write_begin_array(write);
    for (guint i = 0; i < trim->results->len; i++)
        write_result(write, &g_array_index(trim->results, Result, i));
    json_write_end_array(write);
    json_write_end_object(write);
    call_finish(trim->call, NULL);
    trim_free(trim);
}

static Result trim_open(System *system, const char *path, int fd, guint64 minimum)
{
    Result result = {.path = path, .minimum = minimum};

    if (system->trim(system, fd, &result.minimum, &result.trimmed))
        return result;
    if (errno == ENOTTY || errno == EOPNOTSUPP)
        qmp_error_set(&result.error, "trim not supported");
    else
        qmp_error_set(&result.error, "failed to trim: %s", g_strerror(errno));
    return result;
}

/* One that shows nowhere is left out: nothing that was mounted over it is to be trimmed twice. */
static void trim_mount(Trim *trim, const Mount *mount)
{
    Result result = {0};
    int fd;

    switch (mount_open(trim->system, mount, &result.path, &fd)) {
    case SYSTEM_OPEN_HIDDEN: return;
    case SYSTEM_OPEN_FAILED:
        qmp_error_set(&result.error, "failed to open: %s", g_strerror(errno));
        break;
    case SYSTEM_OPEN_DONE:
        result = trim_open(trim->system, result.path, fd, trim->minimum);
        trim->system->close_mount(trim->system, fd);
        break;
    }
    g_array_append_val(trim->results, result);
}

static void run(gpointer job)
{
    Trim *trim = job;

    for (guint i = 0; i < trim->mounts->len; i++)
        trim_mount(trim, trim->mounts->pdata[i]);
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
    *trim = (Trim){
        .system = system,
        .mounts = mounts_parse(text),
        .minimum = (guint64)args->minimum,
        .results = g_array_new(FALSE, FALSE, sizeof(Result)),
        .call = call,
    };
    g_array_set_clear_func(trim->results, result_clear);
    call_defer(call);
    work_start("trim", run, on_trimmed, trim);
    return TRUE;
}
