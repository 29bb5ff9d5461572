/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * trim: guest-fstrim.
 *
 * The kernel returns from a trim when it is over, which takes minutes on a large filesystem. So it
 * is asked on a thread of its own, the only one there is: the agent goes on reading output and
 * ends when it is told to.
 */

#include "agent/dispatch.h"
#include "mounts.h"

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

static gboolean on_trimmed(gpointer user_data)
{
    Trim *trim = user_data;
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
    return G_SOURCE_REMOVE;
}

/* By the first directory that still shows it. One that shows nowhere is left out: nothing that was
 * mounted over it is to be trimmed twice. */
static void trim_mount(Trim *trim, const Mount *mount)
{
    SystemTrim outcome = SYSTEM_TRIM_HIDDEN;

    for (guint i = 0; i < mount->directories->len && outcome == SYSTEM_TRIM_HIDDEN; i++) {
        Result result = {.path = mount->directories->pdata[i], .minimum = trim->minimum};

        outcome = trim->system->trim(trim->system, result.path, mount->device, &result.minimum,
                                     &result.trimmed, &result.error);
        if (outcome != SYSTEM_TRIM_HIDDEN)
            g_array_append_val(trim->results, result);
    }
}

static gpointer run(gpointer data)
{
    Trim *trim = data;

    for (guint i = 0; i < trim->mounts->len; i++)
        trim_mount(trim, trim->mounts->pdata[i]);
    g_idle_add(on_trimmed, trim);
    return NULL;
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
    g_thread_unref(g_thread_new("trim", run, trim));
    return TRUE;
}
