/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The story in five verbs:
 *
 *   reply     an answer: back to who asked, or to nobody
 *   request   a client's command: which way, who pays, off it goes
 *   event     from QEMU: to every client that negotiated, then our own notes
 *   gone      a client, or QEMU with everything behind it
 *   come      a client, or QEMU: who is greeted, and which monitor it uses
 *
 * Leaves what becomes of the agent to core-agent.c, what the embedding program asks and is told to
 * core-program.c, how all of it fares to core-survey.c, and how it begins and is freed to
 * core-setup.c.
 */

#include "core-private.h"
#include "raw-client.h"
#include "router.h"
#include "socket.h"

#include "common/limits.h"
#include "common/message.h"
#include "common/qmp-error.h"

#include <string.h>
#include <unistd.h>

/* ---- Reply ----------------------------------------------------------------------------------- */

/* Without a text, where QEMU was not asked yet. */
static EnvelopeReply known_answer(Core *core, const char *question)
{
    EnvelopeReply reply = {
        .kind = ENVELOPE_RETURN,
        .shared = introspect_answer(&core->introspect, question),
    };

    if (reply.shared)
        reply.value.text = g_bytes_get_data(reply.shared, &reply.value.len);
    return reply;
}

const EnvelopeReply *core_note_answer(Core *core, const Pending *pending,
                                      const EnvelopeReply *reply, const GError *error,
                                      EnvelopeReply *merged)
{
    /* 1 what it did to the filesystems, and to the names of descriptors */
    freeze_answered(&core->freeze, pending, reply);
    if (pending->via)
        monitor_answered(pending->via, pending, reply);
    /* 2 what QEMU tells of itself, with the agent's commands and ours behind it */
    if (merged && reply && reply->kind == ENVELOPE_RETURN) {
        introspect_learn(&core->introspect, pending->name, reply->value);
        *merged = known_answer(core, pending->name);
        reply = merged;
    }
    /* 3 the program, where it wants to know */
    core_audit(core, pending, reply, error);
    return reply;
}

void core_reply_to_nobody(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    core_note_answer(pending->owner, pending, reply, error, NULL);
}

static void reply_to(Client *client, Pending *pending, const EnvelopeReply *reply,
                     const GError *error)
{
    /* nobody is there any more */
    if (!client)
        return;
    /* back, under the id that was asked with */
    if (reply && pending_has_flag(pending, GUEST_FLAG_SILENT) &&
        client_form(client) == ANSWERS_AGENT)
        client_ignore(client);
    else if (reply)
        client_reply(client, pending->oob, pending_id(pending), reply);
    else
        client_error(client, pending->oob, pending_id(pending), error);
}

static void core_reply(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    reply = core_note_answer(pending->owner, pending, reply, error, NULL);
    reply_to(pending->asker, pending, reply, error);
}

static void core_reply_merged(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    EnvelopeReply merged;

    reply = core_note_answer(pending->owner, pending, reply, error, &merged);
    reply_to(pending->asker, pending, reply, error);
}

/* ---- Request --------------------------------------------------------------------------------- */

static void ask_once(Core *core, const CoreParty *party, Pending *pending)
{
    EnvelopeReply known = known_answer(core, pending->name);

    if (known.shared)
        pending_finish(pending, &known, NULL);
    else
        upstream_submit(monitor_upstream(party->monitor), pending);
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

static void ask_qemu(Core *core, const CoreParty *party, Pending *pending,
                     const EnvelopeCommand *command)
{
    const DescriptorsAsker asker = {
        .owner = party->asker,
        .local = party->client && client_is_local(party->client),
    };

    pending->via = party->monitor;
    if (!monitor_request(pending->via, pending, command, asker, party->fd))
        client_drop_fd(&core->crowd.common, party->fd);
}

/* Whoever else agreed on something with the agent would change it for all. */
static void refuse_channel(Pending *pending)
{
    g_autoptr(GError) error = g_error_new(
        QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
        "%s is between the proxy and the guest agent, whose channel is shared", pending->name);

    pending->decided = TRUE;
    pending_finish(pending, NULL, error);
}

static void ask_agent(Core *core, const CoreParty *party, Pending *pending)
{
    if (pending_has_flag(pending, GUEST_FLAG_CHANNEL)) {
        refuse_channel(pending);
        return;
    }
    if (pending->seconds == 0 && party->client)
        pending->seconds = client_session(party->client)->timeout_seconds;
    if (core->lane)
        freeze_submit(&core->freeze, pending, party->name);
    else
        pending_fail(pending, "There is no guest agent's channel; %s was not sent", pending->name);
}

gboolean core_is_merged(const EnvelopeCommand *command)
{
    return route_of(command) == ROUTE_MERGE;
}

void core_submit(Core *core, const CoreParty *party, Pending *pending,
                 const EnvelopeCommand *command)
{
    Route route = route_of(command);

    /* 1 what came beside it is for QEMU, if for anybody */
    if (route != ROUTE_QEMU)
        client_drop_fd(&core->crowd.common, party->fd);
    /* 2 may it overtake */
    if (command->oob && !router_allows_oob(route)) {
        pending->decided = TRUE;
        pending_fail(pending, "The command %s does not support OOB", command->name);
        return;
    }
    /* 3 off it goes, and comes back through core_reply(), whatever happens */
    switch (route) {
    case ROUTE_AGENT: ask_agent(core, party, pending); break;
    case ROUTE_PROXY:
        pending->decided = TRUE;
        local_submit(&core->local, party->client, pending);
        break;
    case ROUTE_MERGE: ask_once(core, party, pending); break;
    default: ask_qemu(core, party, pending, command); break;
    }
}

/* Who it is, for the program. */
static Asker *asker_of(const Client *client)
{
    const ConnectionStats stats = client_stats(client);

    return asker_new(stats.peer, stats.user, stats.process);
}

/* Refused before anything is kept of it. */
static void refuse(Core *core, Client *client, const EnvelopeCommand *command, int fd,
                   const Asker *asker, const GError *error)
{
    client_drop_fd(&core->crowd.common, fd);
    if (core->audited && core->ops->answered)
        core->ops->answered(core->owner, asker, command->name, error, 0);
    client_error(client, command->oob, command->id, error);
}

static void core_request(gpointer owner, Client *client, const EnvelopeCommand *command, int fd)
{
    Core *core = owner;
    const CoreParty party = {client, client, client_data(client), client_peer(client), fd};
    PendingDone done = core_is_merged(command) ? core_reply_merged : core_reply;
    g_autoptr(Asker) asker = NULL;
    g_autoptr(GError) error = NULL;
    Pending *pending;

    /* 0 what a client that takes us for the agent is answered here */
    if (client_form(client) == ANSWERS_AGENT &&
        raw_client_request(client, command, core_agent_is_up(core))) {
        client_drop_fd(&core->crowd.common, fd);
        return;
    }
    /* 1 may it, says the program */
    if (core->gated || core->audited)
        asker = asker_of(client);
    if (core->gated && core->ops->admit && !core->ops->admit(core->owner, asker, command, &error)) {
        refuse(core, client, command, fd, asker, error);
        return;
    }
    if (client_is_gone(client)) { /* by what the program did meanwhile */
        client_drop_fd(&core->crowd.common, fd);
        return;
    }
    /* 2 the asker pays for what is kept of it */
    pending = pending_new(command, client_charge(client), done, core, client);
    if (!pending) {
        qmp_error_set(&error, "Too much memory is in use for %s", command->name);
        refuse(core, client, command, fd, asker, error);
        return;
    }
    pending->taken_us = io_loop_now(core->loop);
    if (core->audited)
        pending->by = g_steal_pointer(&asker);
    /* 3 the same way as any other */
    core_submit(core, &party, pending, command);
}

Pending *core_renew(gpointer owner, const EnvelopeCommand *command, gpointer asker)
{
    const Core *core = owner;
    PendingDone done = core_is_merged(command) ? core_reply_merged : core_reply;
    Charge *charge = asker ? client_charge(asker) : NULL;
    Pending *pending = pending_new(command, charge, done, owner, asker);

    /* It had room before; where less is allowed now, what is under way is over soon. */
    if (!pending)
        pending = pending_new(command, NULL, done, owner, asker);
    if (asker && core->audited)
        pending->by = asker_of(asker);
    return pending;
}

/* ---- Event ----------------------------------------------------------------------------------- */

typedef struct {
    const Monitor *monitor; /* (nullable) */
    GBytes *text;
} Heard;

static void hear(Client *client, gpointer data)
{
    const Heard *heard = data;

    if (!heard->monitor || client_data(client) == heard->monitor)
        client_event(client, heard->text);
}

/* One text for all who use @monitor, or all there are. */
static void tell(Core *core, const Monitor *monitor, const char *line, gsize len)
{
    g_autoptr(GBytes) text = g_bytes_new(line, len);

    crowd_foreach(&core->crowd, hear, &(Heard){monitor, text});
}

void core_tell_own(Core *core, const char *name, const char *data)
{
    g_autoptr(GString) line = g_string_new(NULL);
    const JsonSpan span = {data, strlen(data)};
    gint64 now_us = g_get_real_time();

    message_event(line, name, span, now_us);
    tell(core, NULL, line->str, line->len);
    if (core->ops->event)
        core->ops->event(core->owner, name, span, now_us);
}

static void core_event(gpointer owner, Monitor *monitor, JsonSpan message,
                       const EnvelopeReply *event)
{
    Core *core = owner;
    g_autoptr(GString) line = g_string_sized_new(message.len + 2);

    /* 1 to who uses this monitor, and before the answers that it brings about there */
    g_string_append_len(line, message.text, (gssize)message.len);
    g_string_append(line, "\r\n");
    tell(core, monitor, line->str, line->len);
    /* 2 to the program, once */
    if (monitor != core->leader)
        return;
    core_tell_event(core, message, event);
    /* 3 what it means for the guest, and so for who waits */
    channels_event(&core->channels, event);
    if (core->lane && json_read_is(event->value, "RESET"))
        freeze_guest_started(&core->freeze);
}

/* ---- Gone ------------------------------------------------------------------------------------ */

void core_drop_orphans(Core *core)
{
    for (guint i = 0; i < core->monitors->len; i++)
        monitor_drop_orphans(core->monitors->pdata[i]);
    channels_drop_orphans(&core->channels);
}

static void core_client_gone(gpointer owner, Client *client, const char *why)
{
    Core *core = owner;
    PendingLeaver leaver = {client, client_peer(client)};

    /* 1 what it asked for is nobody's now */
    if (client_data(client))
        monitor_leave(client_data(client), &leaver);
    channels_foreach(&core->channels, pending_leave, &leaver);
    freeze_foreach(&core->freeze, pending_leave, &leaver);
    local_client_left(&core->local, client);
    /* 2 what it has frozen is its own no more */
    freeze_client_left(&core->freeze, client, client_session(client)->thaw_on_disconnect);
    /* 3 what was not sent goes, and may bring about that others leave */
    core_drop_orphans(core);
    /* 4 and it goes itself */
    crowd_leave(&core->crowd, client);
}

static void finish_user(Client *client, gpointer monitor)
{
    if (client_data(client) == monitor)
        client_finish(client);
}

static Monitor *find_ready(const Core *core)
{
    for (guint i = 0; i < core->monitors->len; i++)
        if (upstream_is_ready(monitor_upstream(core->monitors->pdata[i])))
            return core->monitors->pdata[i];
    return NULL;
}

/* @monitor: (nullable): the one that is to tell of the guest from here on */
static void lead(Core *core, Monitor *monitor)
{
    core->leader = monitor;
    channels_lead(&core->channels, monitor ? monitor_upstream(monitor) : NULL);
}

static void close_all(Core *core, const char *why)
{
    core->closing = g_strdup(why);
    core->closing_us = io_loop_now(core->loop);
    /* 1 as QEMU itself would: what is written is still read, then the connections close */
    crowd_close(&core->crowd);
    /* 2 what was under way in the guest has no answer */
    freeze_abandon(&core->freeze, "QEMU has gone");
    channels_abandon(&core->channels, "QEMU has gone");
}

void core_forget_qemu(Core *core)
{
    g_clear_pointer(&core->version, g_free);
    introspect_forget_qemu(&core->introspect);
}

/* What was under way in QEMU is failed by the upstream, behind the core's back. */
static void core_qemu_gone(gpointer owner, Monitor *monitor, const char *why)
{
    Core *core = owner;
    Monitor *other = find_ready(core);

    /* 1 nothing is known of the next QEMU, if there is to be one */
    if (!other) {
        core_forget_qemu(core);
        core_tell_changed(core);
    }
    /* 2 it is over, as for any client of QEMU; or */
    if (!other && !core->persist) {
        close_all(core, why);
        return;
    }
    /* 3 it goes on, with who stays */
    if (!core->persist)
        crowd_foreach(&core->crowd, finish_user, monitor);
    if (core->leader == monitor)
        lead(core, other);
    upstream_connect(monitor_upstream(monitor));
}

/* That the monitor was closed says little: it may have been yanked from a QEMU that runs on, with a
 * guest that is frozen. Where the agent's channel was closed at the same time, QEMU has ended. */
static gboolean has_ended(const Core *core)
{
    return core->offline_us && agent_lane_state(core->lane) == AGENT_OFFLINE &&
           core->offline_us >= core->closing_us - LIMIT_PARTING_MS * 1000;
}

static void end(Core *core)
{
    core->parting = FALSE;
    io_timer_set(core->parted, -1);
    if (core->lane && has_ended(core))
        freeze_forget(&core->freeze);
    core->ops->closed(core->owner, core->closing);
}

void core_on_parted(gpointer owner, gint64 unused_now)
{
    end(owner);
}

void core_channel_is_offline(Core *core)
{
    core->offline_us = io_loop_now(core->loop);
    if (core->parting)
        end(core);
}

/* With a freeze on record the end of the channel is waited for, which comes a moment after the
 * monitor's or never. */
static void on_empty(gpointer owner)
{
    Core *core = owner;

    if (!core->lane || !freeze_is_on_record(&core->freeze) || has_ended(core)) {
        end(core);
        return;
    }
    core->parting = TRUE;
    io_timer_set(core->parted, io_loop_now(core->loop) + LIMIT_PARTING_MS * 1000);
}

/* ---- Comings --------------------------------------------------------------------------------- */

/* A client sticks to one monitor: its events come from there, in front of the replies that they
 * belong to. */
Monitor *core_least_used(const Core *core)
{
    Monitor *best = NULL;
    guint fewest = G_MAXUINT;

    for (guint i = 0; i < core->monitors->len; i++) {
        Monitor *monitor = core->monitors->pdata[i];
        guint users = crowd_count(&core->crowd, monitor);

        if (users >= fewest || !upstream_is_ready(monitor_upstream(monitor)))
            continue;
        best = monitor;
        fewest = users;
    }
    return best;
}

static void greet(Client *client, gpointer data)
{
    Core *core = data;

    if (client_data(client) || client_form(client) == ANSWERS_AGENT)
        return;
    client_set_data(client, core_least_used(core));
    client_greet(client, (JsonSpan){core->version, strlen(core->version)}, core->oob);
}

static void connect_monitor(Monitor *monitor)
{
    if (!upstream_is_ready(monitor_upstream(monitor)))
        upstream_connect(monitor_upstream(monitor));
}

/* QEMU is held by what waits in it for us, as long as we wait for a client. */
void core_connect_unless_held(Core *core)
{
    if (!core->held || crowd_is_awaited(&core->crowd))
        return;
    core->held = FALSE;
    core->started = TRUE;
    for (guint i = 0; i < core->monitors->len; i++)
        connect_monitor(core->monitors->pdata[i]);
    channels_connect(&core->channels);
}

static void on_came(gpointer owner, Client *client)
{
    Core *core = owner;

    core_connect_unless_held(core);
    if (core->version)
        greet(client, core);
}

void core_monitor_is_ready(Core *core, Monitor *monitor)
{
    if (!core->leader)
        lead(core, monitor);
    crowd_foreach(&core->crowd, greet, core);
    if (core->recovering)
        crowd_resume(&core->crowd);
    core->recovering = FALSE;
}

static void on_qemu_ready(gpointer owner, Monitor *monitor, JsonSpan version, gboolean oob)
{
    Core *core = owner;

    g_free(core->version);
    core->version = g_strndup(version.text, version.len);
    core->oob = oob;
    core_monitor_is_ready(core, monitor);
    core_tell_changed(core);
}

/* On an address that QEMU and the agent's clients share, QEMU is the process that serves its
 * monitor: the kernel tells of both, and a pid cannot be made up. Whoever is not QEMU is a client,
 * even where it comes first. */
gboolean core_is_qemu(gpointer owner, int fd, const char *peer)
{
    Core *core = owner;
    struct ucred who;

    if (socket_peer(fd, &who) && who.pid > 0)
        for (guint i = 0; i < core->monitors->len; i++)
            if (upstream_process(monitor_upstream(core->monitors->pdata[i])) == who.pid)
                return TRUE;
    if (core->closing)
        close(fd);
    else
        crowd_let_in(&core->crowd, fd, peer, ANSWERS_AGENT);
    return FALSE;
}

/* ---- Who tells the core ---------------------------------------------------------------------- */

const CrowdOps core_crowd_ops = {{core_request, core_client_gone}, on_came, on_empty};
const MonitorOps core_monitor_ops = {on_qemu_ready, core_event, core_qemu_gone};
