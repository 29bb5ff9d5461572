/* SPDX-License-Identifier: GPL-2.0-or-later */

/* exec: guest-exec, guest-exec-status. */

#include "exec.h"

#include "base64.h"
#include "common/limits.h"
#include "common/qmp-error.h"

struct Programs {
    GHashTable
        *started; /* of Process, by process_id(): the key is that number, not a pointer to it */
};

static gpointer key_of(gint64 pid)
{
    return GSIZE_TO_POINTER((gsize)pid);
}

Programs *programs_new(void)
{
    Programs *programs = g_new(Programs, 1);

    process_init();
    programs->started =
        g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)(gpointer)process_free);
    return programs;
}

void programs_free(Programs *programs)
{
    if (programs == NULL)
        return;
    g_hash_table_unref(programs->started);
    g_free(programs);
}

static ProcessCapture read_capture(const GuestAlternate *capture)
{
    static const ProcessCapture modes[] = {
        [GUEST_EXEC_CAPTURE_NONE] = 0,
        [GUEST_EXEC_CAPTURE_STDOUT] = PROCESS_CAPTURE_OUT,
        [GUEST_EXEC_CAPTURE_STDERR] = PROCESS_CAPTURE_ERR,
        [GUEST_EXEC_CAPTURE_SEPARATED] = PROCESS_CAPTURE_OUT | PROCESS_CAPTURE_ERR,
        [GUEST_EXEC_CAPTURE_MERGED] = PROCESS_CAPTURE_MERGED,
    };

    if (capture->kind == JSON_KIND_BOOLEAN)
        return modes[capture->value ? GUEST_EXEC_CAPTURE_SEPARATED : GUEST_EXEC_CAPTURE_NONE];
    return modes[capture->value];
}

/* The program's own name, its arguments, and a NULL; strings stay with @args. */
static GPtrArray *build_argv(const GuestExecArguments *args)
{
    GPtrArray *argv = g_ptr_array_new();

    g_ptr_array_add(argv, args->path);
    for (guint i = 0; args->arg != NULL && i < args->arg->len; i++)
        g_ptr_array_add(argv, g_array_index(args->arg, char *, i));
    g_ptr_array_add(argv, NULL);
    return argv;
}

gboolean guest_exec(Commands *commands, const GuestExecArguments *args, Call *call, GError **error)
{
    Programs *programs = commands->programs;
    JsonWrite *write = call_result(call);
    g_autoptr(GPtrArray) argv = build_argv(args);
    g_autofree guint8 *input = NULL;
    ProcessSpec spec = {
        .argv = (const char *const *)argv->pdata,
        .env = args->env != NULL ? (const char *const *)(gpointer)args->env->data : NULL,
        .capture = read_capture(&args->capture_output),
        .capture_limit = LIMIT_EXEC_CAPTURE_BYTES,
    };
    Process *process;

    if (g_hash_table_size(programs->started) >= LIMIT_EXEC_RECORDS) {
        qmp_error_set(error, "too many programs: ask guest-exec-status for some of the %d started",
                      LIMIT_EXEC_RECORDS);
        return FALSE;
    }
    if (args->input_data.text != NULL) {
        input = base64_decode(args->input_data, &spec.input_len, error);
        if (input == NULL)
            return FALSE;
        spec.input = input;
    }
    process = process_spawn(&spec, error);
    if (process == NULL)
        return FALSE;
    g_hash_table_insert(programs->started, key_of(process_id(process)), process);
    json_write_begin_object(write);
    json_write_member_int64(write, "pid", process_id(process));
    json_write_end_object(write);
    return TRUE;
}

static void write_output(JsonWrite *write, const ProcessOutput *output, const char *data_key,
                         const char *truncated_key)
{
    if (output->data->len > 0) {
        json_write_key(write, data_key);
        json_write_base64(write, output->data->str, output->data->len);
    }
    if (output->data->len > 0 || output->open)
        json_write_member_boolean(write, truncated_key, output->truncated || output->open);
}

static void write_end(JsonWrite *write, const Process *process)
{
    gint64 status = process_status(process);

    json_write_member_int64(write, status >= 0 ? "exitcode" : "signal", ABS(status));
    write_output(write, process_out(process), "out-data", "out-truncated");
    write_output(write, process_err(process), "err-data", "err-truncated");
}

/* Output of 32 MiB takes its time to be written out. */
static gboolean write_ended(gpointer data, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);

    json_write_begin_object(write);
    json_write_member_boolean(write, "exited", TRUE);
    write_end(write, data);
    json_write_end_object(write);
    return TRUE;
}

gboolean guest_exec_status(Commands *commands, const GuestExecStatusArguments *args, Call *call,
                           GError **error)
{
    GHashTable *started = commands->programs->started;
    JsonWrite *write = call_result(call);
    Process *process = g_hash_table_lookup(started, key_of(args->pid));

    if (process == NULL || process_id(process) != args->pid) {
        qmp_error_set(error, "PID %" G_GINT64_FORMAT " does not exist", args->pid);
        return FALSE;
    }
    if (process_has_ended(process)) {
        g_hash_table_steal(started, key_of(args->pid));
        call_work(call, write_ended, process, (GDestroyNotify)(gpointer)process_free);
        return TRUE;
    }
    json_write_begin_object(write);
    json_write_member_boolean(write, "exited", FALSE);
    json_write_end_object(write);
    return TRUE;
}
