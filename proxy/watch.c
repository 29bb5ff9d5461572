/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "watch.h"

#include "common/limits.h"

static void ask(Watch *watch, const char *command, const char *arguments, PendingDone done)
{
    upstream_submit(watch->upstream, pending_new_own(command, arguments, done, watch));
}

static void tell_port(Watch *watch)
{
    agent_lane_set_port(watch->lane, watch->port.state, port_must_ask(&watch->port));
}

static JsonSpan returned(const EnvelopeReply *reply)
{
    return reply && reply->kind == ENVELOPE_RETURN ? reply->value : JSON_SPAN_NONE;
}

/* ---- Which port, and is it open -------------------------------------------------------------- */

static void on_chardevs(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Watch *watch = pending->owner;

    if (error) {
        agent_lane_look_failed(watch->lane);
        return;
    }
    port_read_chardevs(&watch->port, returned(reply));
    tell_port(watch);
}

void watch_ask_port(Watch *watch)
{
    ask(watch, "query-chardev", NULL, on_chardevs);
}

static void on_candidate(Pending *pending, const EnvelopeReply *reply, const GError *error);

/* One port after the other is asked for its chardev, until it is the agent's. */
static void ask_candidate(Watch *watch)
{
    const char *path = port_next_candidate(&watch->port);
    g_autofree char *arguments = NULL;

    if (!path) {
        watch_ask_port(watch); /* only from here on do events tell: a change before it was missed */
        return;
    }
    arguments = g_strdup_printf("{\"path\":\"%s\",\"property\":\"chardev\"}", path);
    ask(watch, "qom-get", arguments, on_candidate);
}

static void on_candidate(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Watch *watch = pending->owner;

    if (error)
        return;
    port_read_candidate(&watch->port, returned(reply));
    ask_candidate(watch);
}

static void on_named(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Watch *watch = pending->owner;

    port_read_devices(&watch->port, PORT_NAMED, returned(reply));
}

static void on_unnamed(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Watch *watch = pending->owner;

    if (error)
        return;
    port_read_devices(&watch->port, PORT_UNNAMED, returned(reply));
    ask_candidate(watch);
}

static void on_status(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Watch *watch = pending->owner;
    gboolean running;

    if (json_read_boolean(json_read_get(returned(reply), "running"), &running))
        agent_lane_set_paused(watch->lane, !running);
}

/* ---- Is it still here ------------------------------------------------------------------------ */

/* A migration tells nothing by events, unless somebody has switched that on for all: the machine
 * stops, and its status says why. It is still open then whether it goes on here. */
static void on_stopped(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Watch *watch = pending->owner;
    JsonSpan status = json_read_get(returned(reply), "status");

    if (json_read_is(status, "finish-migrate"))
        io_timer_set(watch->timer,
                     io_loop_now(watch->loop) + LIMIT_MIGRATION_LOOK_MS * (gint64)1000);
    else if (json_read_is(status, "postmigrate"))
        agent_lane_guest_lost(watch->lane, "The guest was migrated away");
}

static void look_why_stopped(gpointer owner, gint64 unused_now)
{
    ask(owner, "query-status", NULL, on_stopped);
}

static void on_stop(Watch *watch)
{
    agent_lane_set_paused(watch->lane, TRUE);
    look_why_stopped(watch, 0);
}

/* ---- What happens to the guest --------------------------------------------------------------- */

/* QEMU reports at most one change of a port in a second. Closed and open again within it shows as a
 * second "open", so that one asks for a fresh sync. */
static void on_port_event(Watch *watch, JsonSpan data)
{
    PortState before = watch->port.state;

    if (!port_read_event(&watch->port, data))
        return;
    if (before == PORT_OPEN && watch->port.state == PORT_OPEN)
        agent_lane_probe(watch->lane);
    else
        tell_port(watch);
}

void watch_event(Watch *watch, const EnvelopeReply *event)
{
    JsonSpan name = event->value;

    if (!watch->lane)
        return;
    if (json_read_is(name, "VSERPORT_CHANGE"))
        on_port_event(watch, event->data);
    else if (json_read_is(name, "RESET"))
        agent_lane_guest_started(watch->lane, "The guest was reset");
    else if (json_read_is(name, "SHUTDOWN"))
        agent_lane_guest_stopped(watch->lane, AGENT_GONE);
    else if (json_read_is(name, "SUSPEND") || json_read_is(name, "SUSPEND_DISK"))
        agent_lane_guest_stopped(watch->lane, AGENT_ASLEEP);
    else if (json_read_is(name, "WAKEUP"))
        agent_lane_guest_started(watch->lane, "The guest was asleep and woke up");
    else if (json_read_is(name, "GUEST_PANICKED") || json_read_is(name, "GUEST_CRASHLOADED"))
        agent_lane_guest_lost(watch->lane, "The guest's kernel has crashed");
    else if (json_read_is(name, "STOP"))
        on_stop(watch);
    else if (json_read_is(name, "RESUME"))
        agent_lane_set_paused(watch->lane, FALSE);
}

/* ---- Public ---------------------------------------------------------------------------------- */

void watch_init(Watch *watch, IoLoop *loop, const Address *agent, AgentLane *lane)
{
    *watch = (Watch){.lane = lane, .loop = loop};
    watch->timer = io_timer_new(loop, look_why_stopped, watch);
    if (agent)
        port_init(&watch->port, agent);
}

void watch_clear(Watch *watch)
{
    io_timer_free(watch->timer);
    port_clear(&watch->port);
}

void watch_start(Watch *watch, Upstream *upstream)
{
    watch->upstream = upstream;
    if (!watch->lane)
        return;
    port_restart(&watch->port);
    ask(watch, "query-status", NULL, on_status);
    ask(watch, "query-chardev", NULL, on_chardevs);
    ask(watch, "qom-list", "{\"path\":\"" PORT_NAMED "\"}", on_named);
    ask(watch, "qom-list", "{\"path\":\"" PORT_UNNAMED "\"}", on_unnamed);
}

void watch_save(const Watch *watch, Saved *to)
{
    port_save(&watch->port, to);
}

void watch_restore(Watch *watch, Upstream *upstream, Saved *from)
{
    watch->upstream = upstream;
    port_restore(&watch->port, from);
}
