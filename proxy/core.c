/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The story in four verbs:
 *
 *   request   a client's command: which way, who pays, off it goes
 *   reply     an answer: back to who asked, or to nobody
 *   event     from QEMU: to every client that negotiated, then our own notes
 *   gone      a client, or QEMU with everything behind it
 */

#include "core.h"

#include "agent-lane.h"
#include "client.h"
#include "descriptors.h"
#include "introspect.h"
#include "listener.h"
#include "router.h"
#include "socket.h"
#include "status.h"
#include "upstream.h"
#include "watch.h"

#include "common/limits.h"
#include "common/qmp-error.h"

#include <string.h>
#include <unistd.h>

struct Core {
    const CoreOps *ops;
    gpointer owner;
    IoLoop *loop;

    GPtrArray *listeners;
    GQueue clients;  /* of Client */
    GQueue departed; /* of Client: have left, freed at the next turn of the loop */
    IoTimer *reaper;
    Bounds bounds;
    ClientCommon common; /* of all clients */
    guint64 refused;     /* clients that were one too many */

    Upstream *upstream;
    AgentLane *lane; /* (nullable) */
    Watch watch;
    Introspect introspect;
    Descriptors descriptors;
    gboolean persist;

    char *version; /* (nullable): of QEMU's greeting, while it is connected */
    gboolean oob;
    char *closing;    /* (nullable): why, once QEMU has gone */
    gint64 linger_us; /* until when clients may read what is left for them then */
};

/* ---- The agent's commands -------------------------------------------------------------------- */

static void on_guest_info(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Core *core = pending->owner;

    if (reply && reply->kind == ENVELOPE_RETURN)
        introspect_read_guest_info(&core->introspect, reply->value);
}

static void ask_guest_info(Core *core)
{
    agent_lane_submit(core->lane, pending_new_own("guest-info", NULL, on_guest_info, core));
}

/* ---- Descriptors that clients left in QEMU ----------------------------------------------------
 */

static void on_left_closed(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Core *core = pending->owner;
    g_autofree char *name = json_read_string(json_read_get(pending_arguments(pending), "fdname"));

    descriptors_closed(&core->descriptors, name, reply != NULL);
}

static void close_name(const char *name, gpointer data)
{
    Core *core = data;
    g_autoptr(GString) arguments = g_string_new(NULL);
    JsonWrite write;

    json_write_init(&write, arguments);
    json_write_begin_object(&write);
    json_write_key(&write, "fdname");
    json_write_string(&write, name);
    json_write_end_object(&write);
    upstream_submit(core->upstream,
                    pending_new_own("closefd", arguments->str, on_left_closed, core));
}

static void close_left(Core *core)
{
    if (core->version)
        descriptors_close_left(&core->descriptors, close_name, core);
}

/* ---- Reply ----------------------------------------------------------------------------------- */

static gboolean has_thawed(const Pending *pending, const EnvelopeReply *reply)
{
    return pending->guest && pending->guest->time_class == GUEST_CLASS_THAW && reply &&
           reply->kind == ENVELOPE_RETURN;
}

/* Where the connection was lost behind a descriptor that was sent, QEMU may have it. */
static gboolean may_be_done(const Pending *pending, const EnvelopeReply *reply)
{
    return reply ? reply->kind == ENVELOPE_RETURN : pending->carries && pending->fd < 0;
}

static void core_reply(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Core *core = pending->owner;
    Client *client = pending->asker;

    /* 1 a frozen agent calls most of its commands disabled: met frozen, it is asked again */
    if (has_thawed(pending, reply) && core->introspect.restricted)
        ask_guest_info(core);
    /* 2 what it did to the names of descriptors */
    descriptors_answered(&core->descriptors, pending->name, pending_arguments(pending),
                         pending->carries, may_be_done(pending, reply));
    /* 3 nobody is there any more */
    if (!client) {
        close_left(core);
        return;
    }
    /* 4 back, under the id that was asked with */
    if (reply)
        client_reply(client, pending->oob, pending_id(pending), reply);
    else
        client_error(client, pending->oob, pending_id(pending), error);
}

/* What QEMU tells of itself, with the agent's commands and ours behind it. */
static void core_reply_merged(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Core *core = pending->owner;
    EnvelopeReply merged = {.kind = ENVELOPE_RETURN};

    if (!reply || reply->kind != ENVELOPE_RETURN) {
        core_reply(pending, reply, error);
        return;
    }
    introspect_learn(&core->introspect, pending->name, reply->value);
    merged.value = introspect_answer(&core->introspect, pending->name);
    core_reply(pending, &merged, NULL);
}

/* ---- Request --------------------------------------------------------------------------------- */

char *core_status(Core *core)
{
    GString *text = g_string_new(NULL);
    Status status = {
        .qemu_connected = core->version != NULL,
        .qemu_trouble = upstream_trouble(core->upstream),
        .agent_version = core->introspect.agent_version,
        .qemu_stale_replies = upstream_stale_replies(core->upstream),
        .clients = core->clients.length,
        .refused = core->refused,
        .memory = core->common.memory.used,
        .fd_names = descriptors_count(&core->descriptors),
        .fds_dropped = core->common.dropped_fds,
        .bounds = &core->bounds,
    };

    if (core->lane) {
        status.agent_state = agent_lane_state_name(core->lane);
        status.agent = agent_lane_stats(core->lane);
    }
    status_write(&status, text);
    return g_string_free(text, FALSE);
}

static void answer_here(Core *core, Pending *pending)
{
    g_autoptr(GError) error = NULL;
    JsonWalk walk = json_read_walk(pending_arguments(pending));
    JsonSpan key, value;

    if (!g_str_equal(pending->name, "qga-proxy-status")) {
        error = g_error_new(QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                            "The command %s has not been found", pending->name);
        pending_finish(pending, NULL, error);
    } else if (json_read_member(&walk, &key, &value)) {
        g_autofree char *stranger = envelope_quotable(key);

        pending_fail(pending, "Parameter '%s' is unexpected", stranger);
    } else {
        g_autofree char *text = core_status(core);
        EnvelopeReply reply = {.kind = ENVELOPE_RETURN, .value = {text, strlen(text)}};

        pending_finish(pending, &reply, NULL);
    }
}

static void ask_once(Core *core, Pending *pending)
{
    EnvelopeReply known = {
        .kind = ENVELOPE_RETURN,
        .value = introspect_answer(&core->introspect, pending->name),
    };

    if (known.value.text)
        pending_finish(pending, &known, NULL);
    else
        upstream_submit(core->upstream, pending);
}

static Route route_of(const EnvelopeCommand *command)
{
    Route route = router_route(command->name);
    JsonWalk walk = json_read_walk(command->arguments);
    JsonSpan key, value;

    /* They take no arguments and overtake nothing; QEMU has its own words for that. */
    if (route == ROUTE_MERGE && (command->oob || json_read_member(&walk, &key, &value)))
        return ROUTE_QEMU;
    return route;
}

/* Returns: FALSE, and @pending is answered, where the command must not go to QEMU */
static gboolean settle_fd(Core *core, Client *client, const EnvelopeCommand *command, Route route,
                          Pending *pending, int fd)
{
    const DescriptorsAsker asker = {client, client_is_local(client), fd >= 0};
    g_autoptr(GError) error = NULL;

    if (route != ROUTE_QEMU ||
        descriptors_admit(&core->descriptors, command, &asker, &pending->carries, &error)) {
        if (pending->carries)
            pending->fd = fd;
        else
            client_drop_fd(&core->common, fd);
        return TRUE;
    }
    client_drop_fd(&core->common, fd);
    pending_finish(pending, NULL, error);
    return FALSE;
}

static void core_request(gpointer owner, Client *client, const EnvelopeCommand *command, int fd)
{
    Core *core = owner;
    Route route = route_of(command);
    PendingDone done = route == ROUTE_MERGE ? core_reply_merged : core_reply;
    Pending *pending;

    /* 1 the asker pays for what is kept of it */
    pending = pending_new(command, client_charge(client), done, core, client);
    if (!pending) {
        g_autoptr(GError) error = NULL;

        client_drop_fd(&core->common, fd);
        qmp_error_set(&error, "Too much memory is in use for %s", command->name);
        client_error(client, command->oob, command->id, error);
        return;
    }
    /* 2 what came beside it */
    if (!settle_fd(core, client, command, route, pending, fd))
        return;
    /* 3 may it overtake */
    if (command->oob && !router_allows_oob(route)) {
        pending_fail(pending, "The command %s does not support OOB", command->name);
        return;
    }
    /* 4 off it goes, and comes back through core_reply(), whatever happens */
    switch (route) {
    case ROUTE_AGENT:
        if (core->lane)
            agent_lane_submit(core->lane, pending);
        else
            pending_fail(pending, "There is no guest agent's channel; %s was not sent",
                         command->name);
        break;
    case ROUTE_PROXY: answer_here(core, pending); break;
    case ROUTE_MERGE: ask_once(core, pending); break;
    default: upstream_submit(core->upstream, pending); break;
    }
}

/* ---- Event ----------------------------------------------------------------------------------- */

static void core_event(gpointer owner, JsonSpan message, const EnvelopeReply *event)
{
    Core *core = owner;
    g_autoptr(GString) line = g_string_sized_new(message.len + 2);
    g_autoptr(GBytes) text = NULL;

    /* 1 one text for everybody, and before the answers that the event brings about */
    g_string_append_len(line, message.text, (gssize)message.len);
    g_string_append(line, "\r\n");
    text = g_string_free_to_bytes(g_steal_pointer(&line));
    for (GList *at = core->clients.head, *next; at; at = next) {
        next = at->next;
        client_event(at->data, text);
    }
    /* 2 what it means for the guest, and so for who waits */
    watch_event(&core->watch, event);
}

/* ---- Gone ------------------------------------------------------------------------------------ */

static void orphan_of(Pending *pending, gpointer client)
{
    if (pending->asker == client)
        pending_orphan(pending);
}

static void core_client_gone(gpointer owner, Client *client, const char *why)
{
    Core *core = owner;

    /* 1 what it asked for is nobody's now */
    if (core->upstream)
        upstream_foreach(core->upstream, orphan_of, client);
    if (core->lane)
        agent_lane_foreach(core->lane, orphan_of, client);
    /* 2 and so is what it left in QEMU */
    descriptors_leave(&core->descriptors, client);
    close_left(core);
    /* 3 it goes at the next turn: whoever called may still hold it */
    g_queue_remove(&core->clients, client);
    g_queue_push_tail(&core->departed, client);
    io_timer_set(core->reaper, 0);
}

static void finish_clients(Core *core)
{
    for (GList *at = core->clients.head, *next; at; at = next) {
        next = at->next;
        client_finish(at->data);
    }
}

/* What was under way in QEMU is failed by the upstream, behind the core's back. */
static void core_qemu_gone(gpointer owner, const char *why)
{
    Core *core = owner;

    /* 1 nothing is known of the next one, if there is to be one */
    g_clear_pointer(&core->version, g_free);
    introspect_forget_qemu(&core->introspect);
    if (core->persist) {
        if (core->lane)
            agent_lane_set_blind(core->lane, TRUE);
        upstream_connect(core->upstream);
        return;
    }
    /* 2 nobody new */
    core->closing = g_strdup(why);
    g_ptr_array_set_size(core->listeners, 0);
    /* 3 as QEMU itself would: what is written is still read, then the connections close */
    finish_clients(core);
    /* 4 what was under way in the guest has no answer */
    if (core->lane)
        agent_lane_abandon(core->lane, "QEMU has gone");
    /* 5 for so long */
    core->linger_us = io_loop_now(core->loop) + (gint64)core->bounds.linger_milliseconds * 1000;
    io_timer_set(core->reaper, 0);
}

static void on_reaper(gpointer owner, gint64 now_us)
{
    Core *core = owner;

    g_queue_clear_full(&core->departed, (GDestroyNotify)client_free);
    if (!core->closing)
        return;
    if (core->clients.length > 0 && now_us < core->linger_us) {
        io_timer_set(core->reaper, core->linger_us);
        return;
    }
    g_queue_clear_full(&core->clients, (GDestroyNotify)client_free);
    core->ops->closed(core->owner, core->closing);
}

/* ---- Comings --------------------------------------------------------------------------------- */

static void greet(Core *core, Client *client)
{
    client_greet(client, (JsonSpan){core->version, strlen(core->version)}, core->oob);
}

/* Returns: (nullable): why there is no place for another client */
static const char *no_place(const Core *core, gint64 user)
{
    guint of_user = 0;

    if (core->clients.length >= core->bounds.clients)
        return "as many clients as there may be are connected";
    for (const GList *at = core->clients.head; user >= 0 && at; at = at->next)
        of_user += client_user(at->data) == user;
    return of_user >= core->bounds.clients_per_user
               ? "as many clients as a user may have are connected"
               : NULL;
}

static void on_accepted(gpointer owner, int fd, const char *peer)
{
    static const ClientOps ops = {core_request, core_client_gone};
    Core *core = owner;
    const char *why = no_place(core, socket_peer_user(fd));
    Client *client;

    if (why) {
        core->refused++;
        g_debug("%s: refused, %s", peer, why);
        close(fd);
        return;
    }
    socket_keep_alive(fd, (guint)core->bounds.keepalive_seconds);
    client = client_new(core->loop, fd, peer, &ops, core, &core->common);
    g_queue_push_tail(&core->clients, client);
    if (core->version)
        greet(core, client);
}

static void on_qemu_ready(gpointer owner, JsonSpan version, gboolean oob)
{
    Core *core = owner;

    core->version = g_strndup(version.text, version.len);
    core->oob = oob;
    if (core->lane)
        agent_lane_set_blind(core->lane, FALSE);
    close_left(core);
    watch_start(&core->watch);
    for (GList *at = core->clients.head, *next; at; at = next) {
        next = at->next;
        greet(core, at->data);
    }
}

/* ---- The agent ------------------------------------------------------------------------------- */

static void on_agent_synced(gpointer owner)
{
    Core *core = owner;

    introspect_forget_agent(&core->introspect);
    ask_guest_info(core);
}

static void on_ask_port(gpointer owner)
{
    Core *core = owner;

    watch_ask_port(&core->watch);
}

/* ---- Public ---------------------------------------------------------------------------------- */

Core *core_new(GMainContext *context, const Address *monitor, const Address *agent,
               const CoreOps *ops, gpointer owner, GError **error)
{
    static const UpstreamOps upstream_ops = {on_qemu_ready, core_event, core_qemu_gone};
    static const AgentLaneOps lane_ops = {on_agent_synced, on_ask_port};
    Core *core = g_new(Core, 1);

    *core = (Core){.ops = ops, .owner = owner, .loop = io_loop_get(context)};
    g_queue_init(&core->clients);
    g_queue_init(&core->departed);
    core->listeners = g_ptr_array_new_with_free_func((GDestroyNotify)listener_free);
    core->reaper = io_timer_new(core->loop, on_reaper, core);
    bounds_init(&core->bounds);
    core->common.bounds = &core->bounds;
    charge_init(&core->common.memory, NULL, core->bounds.total_bytes);
    descriptors_init(&core->descriptors);
    introspect_init(&core->introspect);

    core->upstream = upstream_new(core->loop, monitor, &core->bounds, &upstream_ops, core, error);
    if (core->upstream && agent)
        core->lane = agent_lane_new(core->loop, agent, &core->bounds, &lane_ops, core, error);
    if (!core->upstream || (agent && !core->lane)) {
        core_free(core);
        return NULL;
    }
    watch_init(&core->watch, agent, core->upstream, core->lane);
    return core;
}

void core_free(Core *core)
{
    if (!core)
        return;
    g_ptr_array_unref(core->listeners);
    /* Each is NULL by the time it fails what it has, and clients leave. */
    finish_clients(core);
    g_clear_pointer(&core->upstream, upstream_free);
    g_clear_pointer(&core->lane, agent_lane_free);
    g_queue_clear_full(&core->clients, (GDestroyNotify)client_free);
    g_queue_clear_full(&core->departed, (GDestroyNotify)client_free);
    watch_clear(&core->watch);
    introspect_clear(&core->introspect);
    descriptors_clear(&core->descriptors);
    charge_clear(&core->common.memory);
    io_timer_free(core->reaper);
    io_loop_unref(core->loop);
    g_free(core->version);
    g_free(core->closing);
    g_free(core);
}

gboolean core_add_listener(Core *core, const Address *address, GError **error)
{
    Listener *listener = listener_new(core->loop, address, on_accepted, core, error);

    if (!listener)
        return FALSE;
    g_ptr_array_add(core->listeners, listener);
    return TRUE;
}

void core_set_persist(Core *core, gboolean persist)
{
    core->persist = persist;
}

gboolean core_set_limit(Core *core, const char *text, GError **error)
{
    if (!bounds_parse(&core->bounds, text, error))
        return FALSE;
    core->common.memory.limit = core->bounds.total_bytes;
    return TRUE;
}

void core_start(Core *core)
{
    upstream_connect(core->upstream);
    if (core->lane)
        agent_lane_connect(core->lane);
}
