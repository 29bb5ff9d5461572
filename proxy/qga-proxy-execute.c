/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Commands of the embedder's own.
 */

#include "qga-proxy-private.h"

#include "common/json-scan.h"
#include "common/limits.h"
#include "common/qmp-error.h"

#include <string.h>

typedef struct {
    CoreCommand command; /* must be first */
    Border *border;
    GTask *task;
    GSource *cancelled; /* (nullable) */
} Execution;

/* Returns: (transfer full): its task */
static GTask *execution_free(Execution *execution)
{
    GTask *task = execution->task;

    if (execution->cancelled)
        g_source_destroy(execution->cancelled);
    g_clear_pointer(&execution->cancelled, g_source_unref);
    g_free(execution);
    return task;
}

/* ---- For who asks ---------------------------------------------------------------------------- */

JsonSpan execute_value(GBytes *bytes)
{
    return (JsonSpan){g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)};
}

GError *execute_misfit(const char *command)
{
    return g_error_new(QGA_PROXY_ERROR, QGA_PROXY_ERROR_REPLY,
                       "%s returned something else than it should", command);
}

void execute_write_list(JsonWrite *write, const char *name, const char *const *texts)
{
    json_write_key(write, name);
    json_write_begin_array(write);
    for (; *texts; texts++)
        json_write_string(write, *texts);
    json_write_end_array(write);
}

/* ---- Answers --------------------------------------------------------------------------------- */

typedef struct {
    GTask *task;
    GBytes *value; /* (nullable): one of them */
    GError *error;
} Answer;

static void answer_free(gpointer data)
{
    Answer *answer = data;

    g_object_unref(answer->task);
    g_clear_pointer(&answer->value, g_bytes_unref);
    g_clear_error(&answer->error);
    g_free(answer);
}

static void tell_answer(QgaProxy *proxy, gpointer data)
{
    Answer *answer = data;

    if (answer->value)
        g_task_return_pointer(answer->task, g_steal_pointer(&answer->value),
                              (GDestroyNotify)g_bytes_unref);
    else
        g_task_return_error(answer->task, g_steal_pointer(&answer->error));
}

/* What nobody was sent has a class of its own where there is no such command. */
static GError *error_for(const GError *error, CoreOutcome outcome)
{
    QgaProxyError code = QGA_PROXY_ERROR_COMMAND_FAILED;

    if (g_error_matches(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND))
        code = QGA_PROXY_ERROR_COMMAND_NOT_FOUND;
    else if (outcome == CORE_NOT_SENT)
        code = QGA_PROXY_ERROR_NOT_SENT;
    else if (outcome == CORE_NO_ANSWER)
        code = QGA_PROXY_ERROR_NO_ANSWER;
    return g_error_new_literal(QGA_PROXY_ERROR, (gint)code, error->message);
}

/* Whoever reads it as a string finds its end. */
static GBytes *copy_value(JsonSpan value)
{
    char *copy = g_malloc(value.len + 1);

    memcpy(copy, value.text, value.len);
    copy[value.len] = '\0';
    return g_bytes_new_with_free_func(copy, value.len, g_free, copy);
}

static void on_answered(CoreCommand *command, const EnvelopeReply *reply, const GError *error,
                        CoreOutcome outcome)
{
    Execution *execution = (Execution *)command;
    Border *border = execution->border;
    g_autoptr(GError) refusal = NULL;
    Answer *answer = g_new(Answer, 1);

    if (reply && reply->kind == ENVELOPE_ERROR) {
        refusal = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
        error = refusal;
        reply = NULL;
    }
    *answer = (Answer){
        .task = execution_free(execution),
        .value = reply ? copy_value(reply->value) : NULL,
        .error = reply ? NULL : error_for(error, outcome),
    };
    border_tell(border, tell_answer, answer, answer_free);
}

/* ---- Questions ------------------------------------------------------------------------------- */

static gboolean on_cancelled(GCancellable *cancellable, gpointer data)
{
    Execution *execution = data;
    g_autoptr(GTask) task = NULL;

    core_withdraw(&execution->command);
    task = execution_free(execution);
    g_task_return_new_error(task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
    return G_SOURCE_REMOVE;
}

/* It may be cancelled in any thread. */
static void watch_cancellable(Execution *execution)
{
    GCancellable *cancellable = g_task_get_cancellable(execution->task);

    if (!cancellable)
        return;
    execution->cancelled = g_cancellable_source_new(cancellable);
    g_source_set_callback(execution->cancelled, G_SOURCE_FUNC(on_cancelled), execution, NULL);
    g_source_attach(execution->cancelled, execution->border->context);
}

static gboolean check_arguments(const char *arguments, GError **error)
{
    gsize len = strlen(arguments);
    gboolean good;
    JsonScan scan;

    json_scan_init(&scan, &JSON_SCAN_LIMITS(LIMIT_CLIENT_REQUEST_BYTES));
    good = json_scan_next(&scan, arguments, len) == JSON_SCAN_VALUE &&
           json_read_kind((JsonSpan){arguments + scan.start, scan.end - scan.start}) ==
               JSON_KIND_OBJECT &&
           strspn(arguments + scan.end, " \t\r\n") == len - scan.end;
    json_scan_clear(&scan);
    if (!good)
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ARGUMENTS,
                    "The arguments are no JSON object, or a larger one than may be");
    return good;
}

void execute_start(GTask *task, const char *command, const char *arguments, guint seconds,
                   QgaProxyExecuteFlags flags)
{
    QgaProxy *self = g_task_get_source_object(task);
    Border *border = self->border;
    const EnvelopeCommand question = {
        .name = (char *)command,
        .arguments = arguments ? (JsonSpan){arguments, strlen(arguments)} : JSON_SPAN_NONE,
        .timeout = seconds,
    };
    GError *error = NULL;
    Execution *execution;

    if (g_task_return_error_if_cancelled(task)) {
        g_object_unref(task);
        return;
    }
    if (border_has_stopped(border, &error) || (arguments && !check_arguments(arguments, &error))) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    execution = g_new(Execution, 1);
    *execution = (Execution){.command.answered = on_answered, .border = border, .task = task};
    watch_cancellable(execution);
    border_enter(border);
    core_ask(border->core, &execution->command, &question, flags & QGA_PROXY_EXECUTE_AHEAD);
    border_leave(border);
}

void qga_proxy_execute_async(QgaProxy *self, const char *command, const char *arguments,
                             guint timeout_seconds, QgaProxyExecuteFlags flags,
                             GCancellable *cancellable, GAsyncReadyCallback callback,
                             gpointer user_data)
{
    GTask *task;

    g_return_if_fail(QGA_IS_PROXY(self));
    g_return_if_fail(command != NULL);
    g_return_if_fail(!cancellable || G_IS_CANCELLABLE(cancellable));
    return_if_elsewhere(self);

    task = g_task_new(self, cancellable, callback, user_data);
    g_task_set_source_tag(task, qga_proxy_execute_async);
    execute_start(task, command, arguments, timeout_seconds, flags);
}

GBytes *qga_proxy_execute_finish(QgaProxy *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);
    g_return_val_if_fail(g_task_is_valid(result, self), NULL);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_execute_async), NULL);

    return g_task_propagate_pointer(G_TASK(result), error);
}
