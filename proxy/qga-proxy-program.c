/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program in the guest, from its start to its end.
 *
 * The agent tells of the end only when it is asked, and forgets a program once it has told.
 */

#include "qga-proxy-private.h"

#include "common/json-read.h"
#include "common/json-write.h"

/* How long it is waited before the end is asked for: most programs end at once, and one that runs
 * for hours costs the agent a question a second. */
enum { PAUSE_FIRST_MS = 10, PAUSE_LAST_MS = 1000 };

typedef struct {
    int status;
    int signal;
    GBytes *out;
    GBytes *err;
    gboolean truncated;
} End;

static void end_free(gpointer data)
{
    End *end = data;

    g_clear_pointer(&end->out, g_bytes_unref);
    g_clear_pointer(&end->err, g_bytes_unref);
    g_free(end);
}

/* What the task of it has. */
typedef struct {
    gint64 pid; /* the agent's name for it */
    guint pause_ms;
    void (*go_on)(GTask *task); /* waits, and asks again */
    gint64 until_us;            /* of the monotonic time; 0 for ever */
} Run;

/* ---- Its end --------------------------------------------------------------------------------- */

static GBytes *read_output(JsonSpan status, const char *name)
{
    g_autofree char *text = json_read_string(json_read_get(status, name));
    guchar *data;
    gsize len;

    if (!text)
        return g_bytes_new(NULL, 0);
    data = g_base64_decode(text, &len);
    return g_bytes_new_take(data, len);
}

static gboolean read_flag(JsonSpan object, const char *name)
{
    gboolean flag;

    return json_read_boolean(json_read_get(object, name), &flag) && flag;
}

static int read_number(JsonSpan object, const char *name, int otherwise)
{
    gint64 number;

    if (!json_read_int64(json_read_get(object, name), &number) || number != (int)number)
        return otherwise;
    return (int)number;
}

static End *read_end(JsonSpan status)
{
    End *end = g_new(End, 1);

    *end = (End){
        .status = read_number(status, "exitcode", -1),
        .signal = read_number(status, "signal", 0),
        .out = read_output(status, "out-data"),
        .err = read_output(status, "err-data"),
        .truncated = read_flag(status, "out-truncated") || read_flag(status, "err-truncated"),
    };
    return end;
}

/* @task: (transfer full) */
static void take_status(GTask *task, JsonSpan status)
{
    Run *run = g_task_get_task_data(task);
    gboolean exited;

    if (!json_read_boolean(json_read_get(status, "exited"), &exited)) {
        g_task_return_error(task, execute_misfit("guest-exec-status"));
    } else if (exited) {
        g_task_return_pointer(task, read_end(status), end_free);
    } else if (run->until_us > 0 && g_get_monotonic_time() >= run->until_us) {
        g_task_return_new_error(task, QGA_PROXY_ERROR, QGA_PROXY_ERROR_NO_ANSWER,
                                "The program, process %" G_GINT64_FORMAT ", has not ended in time",
                                run->pid);
    } else {
        run->go_on(task);
        return;
    }
    g_object_unref(task);
}

static void on_status(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    GError *error = NULL;
    g_autoptr(GBytes) bytes = qga_proxy_execute_finish(QGA_PROXY(source), result, &error);

    if (bytes) {
        take_status(task, execute_value(bytes));
        return;
    }
    g_task_return_error(task, error);
    g_object_unref(task);
}

static gboolean on_pause(gpointer data)
{
    GTask *task = data;
    const Run *run = g_task_get_task_data(task);
    g_autofree char *arguments = g_strdup_printf("{\"pid\": %" G_GINT64_FORMAT "}", run->pid);

    qga_proxy_execute_async(g_task_get_source_object(task), "guest-exec-status", arguments, 0,
                            QGA_PROXY_EXECUTE_NONE, g_task_get_cancellable(task), on_status, task);
    return G_SOURCE_REMOVE;
}

/* A cancellation ends the pause, and what comes next meets it. */
static void wait_on(GTask *task)
{
    Run *run = g_task_get_task_data(task);
    const QgaProxy *self = g_task_get_source_object(task);
    GCancellable *cancellable = g_task_get_cancellable(task);
    g_autoptr(GSource) pause = g_timeout_source_new(run->pause_ms);

    if (cancellable) {
        g_autoptr(GSource) cancelled = g_cancellable_source_new(cancellable);

        g_source_set_dummy_callback(cancelled);
        g_source_add_child_source(pause, cancelled);
    }
    run->pause_ms = MIN(run->pause_ms * 3 / 2, PAUSE_LAST_MS);
    g_source_set_callback(pause, on_pause, task, NULL);
    g_source_attach(pause, self->border->context);
}

/* ---- Its start ------------------------------------------------------------------------------- */

static void on_started(GObject *source, GAsyncResult *result, gpointer data)
{
    GTask *task = data;
    Run *run = g_task_get_task_data(task);
    GError *error = NULL;
    g_autoptr(GBytes) bytes = qga_proxy_execute_finish(QGA_PROXY(source), result, &error);
    JsonSpan value;

    if (!bytes) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    value = execute_value(bytes);
    if (json_read_int64(json_read_get(value, "pid"), &run->pid)) {
        wait_on(task);
        return;
    }
    g_task_return_error(task, execute_misfit("guest-exec"));
    g_object_unref(task);
}

static char *write_arguments(const char *const *arguments, const char *const *environment,
                             GBytes *input)
{
    GString *text = g_string_new(NULL);
    JsonWrite write;

    json_write_init(&write, text);
    json_write_begin_object(&write);
    json_write_member_string(&write, "path", arguments[0]);
    if (arguments[1])
        execute_write_list(&write, "arg", arguments + 1);
    if (environment)
        execute_write_list(&write, "env", environment);
    if (input) {
        json_write_key(&write, "input-data");
        json_write_base64(&write, g_bytes_get_data(input, NULL), g_bytes_get_size(input));
    }
    json_write_member_boolean(&write, "capture-output", TRUE);
    json_write_end_object(&write);
    return g_string_free(text, FALSE);
}

void qga_proxy_exec_async(QgaProxy *self, const char *const *arguments,
                          const char *const *environment, GBytes *input, guint timeout_seconds,
                          GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer user_data)
{
    g_autofree char *text = NULL;
    GTask *task;
    Run *run;

    g_return_if_fail(QGA_IS_PROXY(self));
    g_return_if_fail(arguments != NULL && arguments[0] != NULL);
    return_if_elsewhere(self);

    task = g_task_new(self, cancellable, callback, user_data);
    g_task_set_source_tag(task, qga_proxy_exec_async);
    run = g_new(Run, 1);
    *run = (Run){.pause_ms = PAUSE_FIRST_MS, .go_on = wait_on};
    if (timeout_seconds > 0)
        run->until_us = g_get_monotonic_time() + (gint64)timeout_seconds * G_USEC_PER_SEC;
    g_task_set_task_data(task, run, g_free);
    text = write_arguments(arguments, environment, input);
    qga_proxy_execute_async(self, "guest-exec", text, 0, QGA_PROXY_EXECUTE_NONE, cancellable,
                            on_started, task);
}

static void steal_bytes(GBytes **from, GBytes **to)
{
    if (to)
        *to = g_steal_pointer(from);
}

gboolean qga_proxy_exec_finish(QgaProxy *self, GAsyncResult *result, int *ret_status,
                               int *ret_signal, GBytes **ret_stdout, GBytes **ret_stderr,
                               gboolean *ret_truncated, GError **error)
{
    End *end;

    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_exec_async), FALSE);

    end = g_task_propagate_pointer(G_TASK(result), error);
    if (!end)
        return FALSE;
    if (ret_status)
        *ret_status = end->status;
    if (ret_signal)
        *ret_signal = end->signal;
    if (ret_truncated)
        *ret_truncated = end->truncated;
    steal_bytes(&end->out, ret_stdout);
    steal_bytes(&end->err, ret_stderr);
    end_free(end);
    return TRUE;
}
