/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/dispatch.h"

#include "agent/log.h"
#include "common/envelope.h"
#include "common/message.h"
#include "common/qmp-error.h"

struct Call {
    Dispatch *dispatch; /* NULL: it ended before the call did */
    const GuestCommand *command;
    GString *id; /* (nullable) */
    GString *result;
    JsonWrite write;
    gboolean delimited;
    gboolean deferred;
    gboolean in_handler; /* the handler has not returned yet */
    gboolean over;       /* call_finish() was called meanwhile, with this: */
    GError *error;
    gboolean orphaned;
};

void dispatch_init(Dispatch *dispatch, Commands *commands, const DispatchCallbacks *callbacks,
                   gpointer user)
{
    *dispatch = (Dispatch){.commands = commands, .callbacks = callbacks, .user = user};
}

void dispatch_clear(Dispatch *dispatch)
{
    if (dispatch->deferred != NULL)
        dispatch->deferred->dispatch = NULL;
    dispatch->deferred = NULL;
}

gboolean dispatch_is_busy(const Dispatch *dispatch)
{
    return dispatch->deferred != NULL;
}

void dispatch_orphan(Dispatch *dispatch)
{
    if (dispatch->deferred != NULL)
        dispatch->deferred->orphaned = TRUE;
}

static Call *call_new(Dispatch *dispatch, const GuestCommand *command, JsonSpan id)
{
    Call *call = g_new0(Call, 1);

    call->dispatch = dispatch;
    call->command = command;
    call->result = g_string_new(NULL);
    json_write_init(&call->write, call->result);
    if (id.text != NULL)
        call->id = g_string_new_len(id.text, (gssize)id.len);
    return call;
}

static void call_free(Call *call)
{
    g_string_free(call->result, TRUE);
    if (call->id != NULL)
        g_string_free(call->id, TRUE);
    g_clear_error(&call->error);
    g_free(call);
}

static JsonSpan span_of(const GString *text)
{
    return text != NULL ? (JsonSpan){text->str, text->len} : JSON_SPAN_NONE;
}

static void send_reply(const Call *call, const GError *error)
{
    static const JsonSpan nothing = JSON_SPAN_LITERAL("{}");
    GString *text = g_string_new(NULL);
    g_autoptr(GBytes) reply = NULL;

    if (error != NULL) {
        message_error(text, MESSAGE_AGENT, error, span_of(call->id));
    } else {
        if (call->delimited)
            g_string_append_c(text, '\xFF');
        message_return(text, MESSAGE_AGENT, call->result->len > 0 ? span_of(call->result) : nothing,
                       span_of(call->id));
    }
    reply = g_string_free_to_bytes(text);
    call->dispatch->callbacks->reply(call->dispatch->user, reply);
}

static void conclude(Call *call, const GError *error)
{
    gboolean silent =
        error == NULL && call->command != NULL && (call->command->flags & GUEST_FLAG_SILENT) != 0;

    if (call->dispatch != NULL && !call->orphaned && !silent)
        send_reply(call, error);
    call_free(call);
}

static gboolean run_handler(Dispatch *dispatch, Call *call, JsonSpan arguments, GError **error)
{
    const GuestHandler *handler = guest_handler_find(call->command);
    g_autofree char *args = g_malloc0(MAX(handler->arguments->size, 1));
    gboolean ok;

    if (!policy_check(dispatch->commands->policy, call->command, error))
        return FALSE;
    if (!guest_struct_read(handler->arguments, arguments, args, error))
        return FALSE;
    g_debug("%s is called", call->command->name);
    if ((call->command->flags & GUEST_FLAG_LOGGED) != 0)
        log_account(call->command->name);
    call->in_handler = TRUE;
    ok = handler->run(dispatch->commands, args, call, error);
    call->in_handler = FALSE;
    guest_struct_clear(handler->arguments, args);
    return ok;
}

void dispatch_request(Dispatch *dispatch, JsonSpan message)
{
    g_auto(EnvelopeCommand) request = {0};
    g_autoptr(GError) error = NULL;
    const GuestCommand *command;
    Call *call;

    g_assert(!dispatch_is_busy(dispatch));
    if (!envelope_read_command(message, ENVELOPE_OOB_UNKNOWN, &request, &error)) {
        conclude(call_new(dispatch, NULL, request.id), error);
        return;
    }
    command = guest_schema_find(request.name);
    call = call_new(dispatch, command, request.id);
    if (command == NULL || guest_handler_find(command) == NULL)
        g_set_error(&error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                    "The command %s has not been found", request.name);
    else if (run_handler(dispatch, call, request.arguments, &error) && call->deferred) {
        if (!call->over) {
            dispatch->deferred = call;
            return;
        }
        error = g_steal_pointer(&call->error);
    }
    conclude(call, error);
}

JsonWrite *call_result(Call *call)
{
    return &call->write;
}

void call_delimit(Call *call)
{
    call->delimited = TRUE;
}

void call_defer(Call *call)
{
    call->deferred = TRUE;
}

void call_finish(Call *call, const GError *error)
{
    Dispatch *dispatch = call->dispatch;

    g_assert(call->deferred && !call->over);
    if (call->in_handler) {
        call->over = TRUE;
        call->error = error != NULL ? g_error_copy(error) : NULL;
        return;
    }
    conclude(call, error);
    if (dispatch != NULL) {
        dispatch->deferred = NULL;
        dispatch->callbacks->idle(dispatch->user);
    }
}
