/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "local.h"

#include "common/json-write.h"
#include "common/limits.h"
#include "common/qmp-error.h"
#include "proxy/proxy-arguments.h"

#include <string.h>

typedef struct {
    Local *local;
    Pending *pending;
    QgaProxyWaitAgentArguments arguments;
    IoTimer *timer;
    gint64 until_us;
    const char *met; /* (nullable): the state that has come, of which it is about to be told */
} Waiter;

static void succeed(Pending *pending)
{
    pending_finish(pending, &envelope_empty_return, NULL);
}

static void answer(Pending *pending, const char *text)
{
    const EnvelopeReply reply = {.kind = ENVELOPE_RETURN, .value = {text, strlen(text)}};

    pending_finish(pending, &reply, NULL);
}

static gboolean check_range(const char *name, gint64 value, gint64 max, GError **error)
{
    if (value >= 0 && value <= max)
        return TRUE;
    qmp_error_set(error, "Parameter '%s' is from 0 to %" G_GINT64_FORMAT, name, max);
    return FALSE;
}

/* ---- Waiting for the agent ------------------------------------------------------------------- */

/* The same as events tell: whether a command is under way changes with each, and makes no
 * difference to who waits for an agent that answers. */
static const char *told_name(const char *state)
{
    return g_str_equal(state, "busy") ? "ready" : state;
}

static const char *state_of(const Local *local)
{
    if (!local->lane)
        return "offline";
    return told_name(agent_lane_state_name(local->lane));
}

static const char *wanted_name(const GArray *states, guint i)
{
    return told_name(qga_proxy_agent_state_choices[g_array_index(states, int, i)]);
}

static gboolean is_awaited(const QgaProxyWaitAgentArguments *arguments, const char *state)
{
    if (!arguments->states)
        return g_str_equal(state, "ready");
    for (guint i = 0; i < arguments->states->len; i++)
        if (g_str_equal(wanted_name(arguments->states, i), state))
            return TRUE;
    return FALSE;
}

static void answer_state(Pending *pending, const char *state)
{
    g_autofree char *text = g_strdup_printf("{\"state\": \"%s\"}", state);

    answer(pending, text);
}

/* Returns: (transfer full): what it waited with */
static Pending *waiter_free(Waiter *waiter)
{
    Pending *pending = waiter->pending;

    g_queue_remove(&waiter->local->waiters, waiter);
    guest_struct_clear(&qga_proxy_wait_agent_arguments_struct, &waiter->arguments);
    io_timer_free(waiter->timer);
    g_free(waiter);
    return pending;
}

static void on_waited(gpointer owner, gint64 unused_now)
{
    Waiter *waiter = owner;
    const char *state = state_of(waiter->local);
    gint64 seconds = waiter->arguments.timeout;

    pending_fail(waiter_free(waiter),
                 "The guest agent is %s, and was not as wanted within %" G_GINT64_FORMAT " s",
                 state, seconds);
}

static void wait_until(Local *local, Pending *pending, QgaProxyWaitAgentArguments *arguments,
                       gint64 until_us)
{
    Waiter *waiter = g_new(Waiter, 1);

    *waiter = (Waiter){local, pending, *arguments, io_timer_new(local->loop, on_waited, waiter),
                       until_us};
    *arguments = (QgaProxyWaitAgentArguments){0}; /* what it owns is the waiter's now */
    io_timer_set(waiter->timer, until_us);
    g_queue_push_tail(&local->waiters, waiter);
}

static void run_wait(Local *local, Client *client, Pending *pending, gpointer data)
{
    QgaProxyWaitAgentArguments *arguments = data;
    g_autoptr(GError) error = NULL;

    if (!check_range("timeout", arguments->timeout, LIMIT_WAIT_SECONDS, &error)) {
        pending_finish(pending, NULL, error);
        return;
    }
    if (is_awaited(arguments, state_of(local))) {
        answer_state(pending, state_of(local));
        return;
    }
    wait_until(local, pending, arguments,
               io_loop_now(local->loop) + arguments->timeout * G_USEC_PER_SEC);
}

static Waiter *first_met(const Local *local)
{
    for (const GList *at = local->waiters.head; at; at = at->next)
        if (((const Waiter *)at->data)->met)
            return at->data;
    return NULL;
}

/* Whose answer comes may run its next command at once, which may wait again, or change the state
 * again and so lead back here. So all that have waited for this state are noted first, and then
 * answered one by one, whoever it is that comes to them. */
void local_agent_changed(Local *local)
{
    const char *state = state_of(local);
    Waiter *waiter;

    for (const GList *at = local->waiters.head; at; at = at->next) {
        waiter = at->data;
        if (!waiter->met && is_awaited(&waiter->arguments, state))
            waiter->met = state;
    }
    while ((waiter = first_met(local))) {
        state = waiter->met;
        answer_state(waiter_free(waiter), state);
    }
}

void local_client_left(Local *local, gpointer client)
{
    g_autoptr(GList) waiters = g_list_copy(local->waiters.head);

    for (GList *at = waiters; at; at = at->next) {
        Pending *pending = ((Waiter *)at->data)->pending;

        if (pending->asker != client)
            continue;
        pending_orphan(pending);
        pending_fail(waiter_free(at->data), "The client has left");
    }
}

void local_hurry(Local *local, const Pending *pending)
{
    for (const GList *at = local->waiters.head; at; at = at->next) {
        const Waiter *waiter = at->data;

        if (waiter->pending == pending)
            io_timer_set(waiter->timer, io_loop_now(local->loop));
    }
}

/* ---- The others ------------------------------------------------------------------------------ */

static void run_status(Local *local, Client *client, Pending *pending, gpointer data)
{
    const QgaProxyStatusArguments *arguments = data;
    g_autofree char *text = local->status(local->owner, arguments->connections);

    answer(pending, text);
}

static void run_session_set(Local *local, Client *client, Pending *pending, gpointer data)
{
    const QgaProxySessionSetArguments *arguments = data;
    ClientSession *session = client ? client_session(client) : NULL;
    g_autoptr(GError) error = NULL;

    if (!session) {
        pending_fail(pending, "%s is for who has a connection", pending->name);
        return;
    }
    if (arguments->has_timeout &&
        !check_range("timeout", arguments->timeout, LIMIT_SESSION_TIMEOUT, &error)) {
        pending_finish(pending, NULL, error);
        return;
    }
    if (arguments->has_timeout)
        session->timeout_seconds = (guint)arguments->timeout;
    if (arguments->has_thaw_on_disconnect)
        session->thaw_on_disconnect = arguments->thaw_on_disconnect;
    succeed(pending);
}

static void run_freeze_renew(Local *local, Client *client, Pending *pending, gpointer data)
{
    const QgaProxyFreezeRenewArguments *arguments = data;
    gint64 seconds = arguments->has_seconds ? arguments->seconds : 0;
    g_autoptr(GError) error = NULL;

    if (!check_range("seconds", seconds, LIMIT_FREEZE_LEASE_LONGEST, &error))
        pending_finish(pending, NULL, error);
    else if (!local->lane || !freeze_renew(local->freeze, (guint)seconds))
        pending_fail(pending, "Nothing is frozen");
    else
        succeed(pending);
}

/* ---- All ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const GuestStruct *arguments;
    void (*run)(Local *local, Client *client, Pending *pending, gpointer arguments);
} commands[] = {
    {"qga-proxy-freeze-renew", &qga_proxy_freeze_renew_arguments_struct, run_freeze_renew},
    {"qga-proxy-session-set", &qga_proxy_session_set_arguments_struct, run_session_set},
    {"qga-proxy-status", &qga_proxy_status_arguments_struct, run_status},
    {"qga-proxy-wait-agent", &qga_proxy_wait_agent_arguments_struct, run_wait},
};

typedef union {
    QgaProxyFreezeRenewArguments freeze_renew;
    QgaProxySessionSetArguments session_set;
    QgaProxyStatusArguments status;
    QgaProxyWaitAgentArguments wait_agent;
} Arguments;

void local_submit(Local *local, Client *client, Pending *pending)
{
    g_autoptr(GError) error = NULL;
    Arguments arguments = {0};

    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        const GuestStruct *description = commands[i].arguments;

        if (!g_str_equal(commands[i].name, pending->name))
            continue;
        if (guest_struct_read(description, pending_arguments(pending), &arguments, &error))
            commands[i].run(local, client, pending, &arguments);
        else
            pending_finish(pending, NULL, error);
        guest_struct_clear(description, &arguments);
        return;
    }
    error = g_error_new(QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND, "The command %s has not been found",
                        pending->name);
    pending_finish(pending, NULL, error);
}

void local_init(Local *local, IoLoop *loop, Freeze *freeze,
                char *(*status)(gpointer owner, gboolean connections), gpointer owner)
{
    *local = (Local){io_loop_ref(loop), NULL, freeze, status, owner, G_QUEUE_INIT};
}

void local_set_lane(Local *local, AgentLane *lane)
{
    local->lane = lane;
}

void local_clear(Local *local)
{
    while (local->waiters.length > 0)
        pending_fail(waiter_free(local->waiters.head->data), "The proxy ended");
    io_loop_unref(local->loop);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void local_save(const Local *local, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();

    for (const GList *at = local->waiters.head; at; at = at->next) {
        const Waiter *waiter = at->data;
        Saved item = G_VARIANT_DICT_INIT(NULL);

        handover_put_pending(handover, &item, waiter->pending);
        saved_put_int(&item, "until", waiter->until_us);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "waiters", list);
}

static void restore_waiter(const HandoverPart *item, gpointer data)
{
    Local *local = data;
    Pending *pending = handover_get_pending(item);
    g_autoptr(GError) error = NULL;
    Arguments arguments = {0};

    if (!pending)
        return;
    if (guest_struct_read(&qga_proxy_wait_agent_arguments_struct, pending_arguments(pending),
                          &arguments, &error))
        wait_until(local, pending, &arguments.wait_agent, saved_get_int(item->from, "until"));
    else
        pending_finish(pending, NULL, error);
    guest_struct_clear(&qga_proxy_wait_agent_arguments_struct, &arguments);
}

void local_restore(Local *local, const HandoverPart *part)
{
    handover_foreach(part, "waiters", restore_waiter, local);
}
