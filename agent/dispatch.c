/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/dispatch.h"

#include "agent/log.h"
#include "agent/part-slot.h"
#include "agent/rendezvous.h"
#include "common/append.h"
#include "common/envelope.h"
#include "common/limits.h"
#include "common/message.h"
#include "common/qmp-error.h"

/*
 * Microseconds that the main loop waits for a thread where nobody can be answered before its call
 * is. Most take some ten of them, and the two turns of the loop that this saves cost as much again.
 * What else the loop has to do waits no longer than that for it.
 */
enum { WORK_WAIT_US = 1000 };

/* Bytes: what most replies fit; and up to which one is copied, and its buffer kept for the next. */
enum { REPLY_START = 64, REPLY_SMALL = 1024 };

struct Call {
    Dispatch *dispatch; /* NULL: it ended before the call did */
    const GuestCommand *command;
    GString *id;    /* (nullable) */
    GString *reply; /* begun as one of success: a result may be too large to be copied into one */
    gsize head;     /* bytes of it before the result */
    JsonWrite write;
    gboolean alone;  /* see call_is_alone() */
    gboolean parted; /* something of the reply was sent: the rest is in @reply */
    PartSlot slot;   /* of what is sent of it */
    gboolean delimited;
    gboolean deferred;
    gboolean in_handler; /* the handler has not returned yet */
    gboolean over;       /* call_finish() was called meanwhile, with this: */
    GError *error;
    gboolean orphaned;
    CallWork work; /* on a thread, with this: */
    gpointer data;
    GDestroyNotify free;
    Rendezvous rendezvous; /* with the main loop, which may wait for that */
};

static gboolean is_pipelined(const Dispatch *dispatch)
{
    return (dispatch->commands->capabilities & 1u << GUEST_CAPABILITY_PIPELINE) != 0;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void string_free(GString *string)
{
    g_string_free(string, TRUE);
}

/* Returns: (transfer full): the last one, with the texts that it has left, or one without */
static Call *take_spare(Dispatch *dispatch)
{
    return dispatch->spare != NULL ? g_steal_pointer(&dispatch->spare) : g_new0(Call, 1);
}

static Call *call_new(Dispatch *dispatch, const GuestCommand *command, JsonSpan id)
{
    Call *call = take_spare(dispatch);

    *call = (Call){
        .dispatch = dispatch,
        .command = command,
        .alone = !is_pipelined(dispatch),
        .reply = call->reply != NULL ? call->reply : g_string_sized_new(REPLY_START),
        .id = call->id,
    };
    message_open(call->reply);
    call->head = call->reply->len;
    json_write_init(&call->write, call->reply);
    if (id.text == NULL)
        g_clear_pointer(&call->id, string_free);
    else if (call->id == NULL)
        call->id = g_string_new_len(id.text, (gssize)id.len);
    else
        append_bytes(call->id, id.text, id.len);
    return call;
}

static void free_spare(Call *call)
{
    g_clear_pointer(&call->reply, string_free);
    g_clear_pointer(&call->id, string_free);
    g_free(call);
}

/* For the next call: most are small, and one comes after the other. */
static void keep_text(GString **text)
{
    if (*text != NULL && (*text)->allocated_len > REPLY_SMALL)
        g_clear_pointer(text, string_free);
    else if (*text != NULL)
        g_string_truncate(*text, 0);
}

static void call_free(Call *call)
{
    g_clear_error(&call->error);
    if (call->dispatch == NULL || call->dispatch->spare != NULL) {
        free_spare(call);
        return;
    }
    keep_text(&call->reply);
    keep_text(&call->id);
    call->dispatch->spare = call;
}

static void write_success(Call *call, JsonSpan id)
{
    if (call->reply->len == call->head && !call->parted)
        append_literal(call->reply, "{}");
    message_close(call->reply, MESSAGE_AGENT, id);
    if (call->delimited)
        g_string_prepend_c(call->reply, '\xFF');
}

static void send_reply(Call *call, const GError *error)
{
    JsonSpan id = call->id != NULL ? (JsonSpan){call->id->str, call->id->len} : JSON_SPAN_NONE;
    const DispatchCallbacks *callbacks = call->dispatch->callbacks;
    g_autoptr(GBytes) bytes = NULL;

    if (error != NULL && call->parted) {
        message_break(call->reply, MESSAGE_AGENT, error, id);
    } else if (error != NULL) {
        g_string_truncate(call->reply, 0);
        message_error(call->reply, MESSAGE_AGENT, error, id);
    } else {
        write_success(call, id);
    }
    if (call->reply->len <= REPLY_SMALL) {
        callbacks->reply(call->dispatch->user, call->reply->str, call->reply->len);
        return;
    }
    bytes = g_string_free_to_bytes(g_steal_pointer(&call->reply));
    callbacks->reply_bytes(call->dispatch->user, bytes);
}

static void conclude(Call *call, const GError *error)
{
    gboolean silent =
        error == NULL && call->command != NULL && (call->command->flags & GUEST_FLAG_SILENT) != 0;

    if (call->dispatch != NULL && call->dispatch->parted == call)
        call->dispatch->parted = NULL;
    if (call_is_wanted(call) && !silent)
        send_reply(call, error);
    call_free(call);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static gboolean on_worked(gpointer user_data)
{
    Call *call = user_data;
    g_autoptr(GError) error = g_steal_pointer(&call->error);

    call->free(call->data);
    call_finish(call, error);
    return G_SOURCE_REMOVE;
}

static void run_work(gpointer data)
{
    Call *call = data;

    if (!call->work(call->data, call, &call->error))
        g_assert(call->error != NULL);
    part_slot_finish(&call->slot);
    if (!rendezvous_end(&call->rendezvous, TRUE))
        g_idle_add_full(G_PRIORITY_DEFAULT, on_worked, call, NULL);
}

/* No thread can be had: all wait for it, which is better than no answer. Nobody takes parts of the
 * reply meanwhile, and what is set up here wakes nobody. */
static void work_here(Call *call)
{
    call->alone = FALSE;
    call->rendezvous.awaited = FALSE;
    call->dispatch->has_acted = TRUE;
    run_work(call);
}

void call_work(Call *call, CallWork work, gpointer data, GDestroyNotify free)
{
    const gboolean awaited = call->alone;

    call->deferred = TRUE;
    call->work = work;
    call->data = data;
    call->free = free;
    call->rendezvous.awaited = awaited;
    if (!threads_push(call->dispatch->threads, call))
        work_here(call);
    else if (awaited && rendezvous_wait(&call->rendezvous, WORK_WAIT_US))
        on_worked(call);
}

/* ---- Replies in parts ------------------------------------------------------------------------ */

/* Comes before on_worked(), which was added behind it. */
static gboolean on_part(gpointer user_data)
{
    Call *call = user_data;

    if (call->dispatch == NULL || call->orphaned)
        return G_SOURCE_REMOVE;
    call->dispatch->parted = call;
    call->dispatch->callbacks->parts(call->dispatch->user);
    return G_SOURCE_REMOVE;
}

gboolean call_send_part(Call *call, GError **error)
{
    const gsize len = call->reply->len;
    GBytes *part = g_bytes_new_take(g_string_free(call->reply, FALSE), len);

    g_assert(call->alone);
    call->parted = TRUE;
    call->reply = g_string_sized_new(len);
    call->write.out = call->reply;
    if (!part_slot_put(&call->slot, part)) {
        qmp_error_set(error, "nobody waits for the rest of the reply");
        return FALSE;
    }
    rendezvous_end(&call->rendezvous, FALSE);
    g_idle_add_full(G_PRIORITY_DEFAULT, on_part, call, NULL);
    return TRUE;
}

gboolean dispatch_pull(Dispatch *dispatch)
{
    g_autoptr(GBytes) part =
        dispatch->parted != NULL ? part_slot_take(&dispatch->parted->slot) : NULL;

    if (part != NULL)
        dispatch->callbacks->reply_bytes(dispatch->user, part);
    return part != NULL;
}

/* Nobody waits for the call any more, and so its thread waits for nobody. */
static void orphan(Call *call)
{
    call->orphaned = TRUE;
    part_slot_cut(&call->slot);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void dispatch_init(Dispatch *dispatch, Commands *commands, const DispatchCallbacks *callbacks,
                   gpointer user)
{
    *dispatch = (Dispatch){.commands = commands, .callbacks = callbacks, .user = user};
    dispatch->threads = threads_new(run_work, LIMIT_AGENT_CALLS);
}

void dispatch_clear(Dispatch *dispatch)
{
    Call *call;

    while ((call = g_queue_pop_head(&dispatch->calls)) != NULL) {
        orphan(call);
        call->dispatch = NULL;
    }
    threads_free(dispatch->threads);
    g_clear_pointer(&dispatch->spare, free_spare);
}

gboolean dispatch_is_busy(const Dispatch *dispatch)
{
    return dispatch->owed > 0 && !is_pipelined(dispatch);
}

gboolean dispatch_note(Dispatch *dispatch)
{
    const gboolean has_acted = dispatch->has_acted;

    dispatch->has_acted = FALSE;
    return !has_acted;
}

gboolean dispatch_is_owing(const Dispatch *dispatch)
{
    return dispatch->owed > 0;
}

gboolean dispatch_is_working(const Dispatch *dispatch)
{
    return dispatch->calls.length > 0;
}

void dispatch_reset(Dispatch *dispatch)
{
    for (GList *link = dispatch->calls.head; link != NULL; link = link->next)
        orphan(link->data);
    dispatch->owed = 0;
    dispatch->parted = NULL;
    dispatch->callbacks->plain(dispatch->user);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* A host that keeps to what it was told is not refused, and one that does not is still read: a sync
 * or a thaw behind what is too much must be seen. */
static gboolean check_room(const Dispatch *dispatch, const GuestCommand *command, GError **error)
{
    if ((command->flags & GUEST_FLAG_FROZEN) != 0 ||
        (dispatch->owed < LIMIT_AGENT_PIPELINE && dispatch->calls.length < LIMIT_AGENT_CALLS))
        return TRUE;
    qmp_error_set(error, "too many commands are under way: there may be %d", LIMIT_AGENT_PIPELINE);
    return FALSE;
}

enum { ARGUMENTS_ROOM = 256 }; /* bytes, which those of nearly all commands fit */

static gboolean handle(Commands *commands, Call *call, JsonSpan arguments, GError **error)
{
    const GuestHandler *handler = guest_handler_find(call->command);
    guint64 room[ARGUMENTS_ROOM / sizeof(guint64)];
    const gsize size = handler->arguments->size;
    g_autofree gpointer large = size > sizeof(room) ? g_malloc(size) : NULL;
    gpointer args = large != NULL ? large : room;
    gboolean ok;

    if (!guest_struct_read(handler->arguments, arguments, args, error))
        return FALSE;
    log_debug("%s is called", call->command->name);
    if ((call->command->flags & GUEST_FLAG_LOGGED) != 0)
        log_account(call->command->name);
    ok = handler->run(commands, args, call, error);
    guest_struct_clear(handler->arguments, args);
    return ok;
}

/* What a whole command needs on a thread. */
typedef struct {
    Commands *commands;
    char *arguments; /* (nullable) */
    gsize len;
} Beside;

static void beside_free(gpointer data)
{
    Beside *beside = data;

    g_free(beside->arguments);
    g_free(beside);
}

static gboolean handle_beside(gpointer data, Call *call, GError **error)
{
    const Beside *beside = data;

    return handle(beside->commands, call, (JsonSpan){beside->arguments, beside->len}, error);
}

static void run_beside(Commands *commands, Call *call, JsonSpan arguments)
{
    Beside *beside = g_new(Beside, 1);

    *beside = (Beside){commands, g_memdup2(arguments.text, arguments.len), arguments.len};
    call_work(call, handle_beside, beside, beside_free);
}

/* Whether it may set up anything for the main loop to look for. What a thread sets up wakes that;
 * for where there is none see work_here(). */
static gboolean acts(const GuestCommand *command)
{
    if ((command->flags & GUEST_FLAG_BESIDE) != 0)
        return FALSE;
    return (command->flags & (GUEST_FLAG_READ_ONLY | GUEST_FLAG_CHANNEL)) != GUEST_FLAG_READ_ONLY;
}

static gboolean run(Dispatch *dispatch, Call *call, JsonSpan arguments, GError **error)
{
    gboolean ok = TRUE;

    if (!policy_check(dispatch->commands->policy, call->command, error) ||
        !check_room(dispatch, call->command, error))
        return FALSE;
    dispatch->has_acted |= acts(call->command);
    call->in_handler = TRUE;
    if ((call->command->flags & GUEST_FLAG_BESIDE) != 0)
        run_beside(dispatch->commands, call, arguments);
    else
        ok = handle(dispatch->commands, call, arguments, error);
    call->in_handler = FALSE;
    return ok;
}

static void keep(Dispatch *dispatch, Call *call)
{
    g_queue_push_tail(&dispatch->calls, call);
    dispatch->owed++;
}

/* Returns: (nullable): NULL where this system has no such command */
static const GuestCommand *find_command(JsonSpan name)
{
    /* What stands between the quotes is a command's name, or may be one in escapes. */
    const GuestCommand *command = guest_schema_find_bytes(name.text + 1, name.len - 2);

    if (command == NULL) {
        g_autofree char *text = json_read_string(name);

        command = guest_schema_find(text);
    }
    return command != NULL && guest_handler_find(command) != NULL ? command : NULL;
}

static void fail_unknown(JsonSpan name, GError **error)
{
    g_autofree char *text = envelope_quotable(name);

    g_set_error(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND, "The command %s has not been found",
                text);
}

void dispatch_request(Dispatch *dispatch, JsonSpan message)
{
    g_autoptr(GError) error = NULL;
    const GuestCommand *command;
    EnvelopeCommand request;
    gboolean ok;
    Call *call;

    g_assert(!dispatch_is_busy(dispatch));
    ok = envelope_find_command(message, ENVELOPE_OOB_UNKNOWN, &request, &error);
    if (request.id.text == NULL && is_pipelined(dispatch))
        dispatch_reset(dispatch);
    if (!ok) {
        conclude(call_new(dispatch, NULL, request.id), error);
        return;
    }
    command = find_command(request.called);
    call = call_new(dispatch, command, request.id);
    if (command == NULL)
        fail_unknown(request.called, &error);
    else if (run(dispatch, call, request.arguments, &error) && call->deferred) {
        if (!call->over) {
            keep(dispatch, call);
            return;
        }
        error = g_steal_pointer(&call->error);
    }
    conclude(call, error);
}

/* ---- For handlers ---------------------------------------------------------------------------- */

JsonWrite *call_result(Call *call)
{
    return &call->write;
}

gboolean call_is_alone(const Call *call)
{
    return call->alone;
}

gboolean call_is_wanted(const Call *call)
{
    return call->dispatch != NULL && !call->orphaned;
}

void call_delimit(Call *call)
{
    call->delimited = TRUE;
}

void call_begin_anew(Call *call)
{
    dispatch_reset(call->dispatch);
}

void call_defer(Call *call)
{
    g_assert(!call->deferred);
    call->deferred = TRUE;
    call->dispatch->has_acted = TRUE;
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
    if (dispatch != NULL && g_queue_remove(&dispatch->calls, call) && !call->orphaned)
        dispatch->owed--;
    conclude(call, error);
    if (dispatch != NULL)
        dispatch->callbacks->idle(dispatch->user);
}
