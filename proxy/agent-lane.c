/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation.
 *
 *   channel   connected or not; the link sees to that
 *   port      what QEMU says of the guest's end
 *   sync      whether what comes from there can be attributed to what we send
 *   flight    the one command under way
 *
 * The four move in that order: a command flies only when synced, a sync is sent only while the port
 * may be open. Each loss falls back as far as it must, fails the flight with what is known of its
 * outcome, and starts again from there.
 *
 * A command that stays silent on success is followed by a sync in the same write. The agent works
 * in order, so the sync's answer says that the command succeeded, or the guest goes before it can
 * answer, which says so too.
 */

#include "agent-lane.h"

#include "link.h"

#include "common/json-write.h"
#include "common/limits.h"
#include "common/message.h"
#include "common/qmp-error.h"
#include "common/sync.h"

#include <string.h>

typedef struct {
    Pending *pending; /* (nullable): NULL while nothing is under way */
    guint64 id;       /* sent with it */
    gboolean with_id;
    gint64 deadline_us;
    guint limit_seconds;
} Flight;

typedef struct {
    Pending *pending;
    gint64 deadline_us; /* when it is refused if the agent has not synced by then */
} Waiting;

struct AgentLane {
    const AgentLaneOps *ops;
    gpointer owner;
    IoLoop *loop;
    Link *link;
    const Bounds *bounds;
    IoTimer *timer;

    Io *io; /* (nullable): while connected */
    Stream stream;
    PortState port;
    gboolean must_ask;
    gboolean asking;
    gboolean asked;     /* the port was looked at for the command that is next */
    gboolean blind;     /* QEMU's monitor is away */
    gboolean frozen;    /* as the freeze says */
    gint64 paused_us;   /* since when, or 0 */
    AgentState stopped; /* AGENT_GONE or AGENT_ASLEEP; else 0 */
    AgentState told;

    Sync sync;
    gboolean refuses_id; /* the agent is older than the id */
    Flight flight;
    GQueue waiting; /* of Waiting */
    AgentStats stats;
};

static gint64 now(const AgentLane *lane)
{
    return io_loop_now(lane->loop);
}

static guint64 random_63(void)
{
    return ((guint64)g_random_int() << 31) ^ g_random_int();
}

static guint seconds_for(const Pending *pending)
{
    static const guint seconds[] = {
        [GUEST_CLASS_QUICK] = LIMIT_SECONDS_QUICK,       [GUEST_CLASS_SLOW] = LIMIT_SECONDS_SLOW,
        [GUEST_CLASS_FREEZE] = LIMIT_SECONDS_FREEZE,     [GUEST_CLASS_THAW] = LIMIT_SECONDS_THAW,
        [GUEST_CLASS_SHUTDOWN] = LIMIT_SECONDS_SHUTDOWN,
    };

    if (pending->seconds > 0)
        return pending->seconds;
    return pending->guest ? seconds[pending->guest->time_class] : LIMIT_SECONDS_SLOW;
}

AgentState agent_lane_state(const AgentLane *lane)
{
    if (!lane->io)
        return AGENT_OFFLINE;
    if (lane->stopped)
        return lane->stopped;
    if (lane->paused_us)
        return AGENT_PAUSED;
    if (lane->port == PORT_CLOSED)
        return AGENT_CLOSED;
    if (lane->frozen && (lane->flight.pending || lane->sync.state == SYNC_DONE))
        return AGENT_FROZEN;
    if (lane->flight.pending)
        return AGENT_BUSY;
    if (lane->sync.state == SYNC_DONE)
        return AGENT_READY;
    return lane->sync.probes > LIMIT_SYNC_HOPE ? AGENT_HUNG : AGENT_SYNCING;
}

static const char *state_name(AgentState state)
{
    static const char *const names[] = {
        [AGENT_OFFLINE] = "offline", [AGENT_GONE] = "gone",     [AGENT_ASLEEP] = "asleep",
        [AGENT_PAUSED] = "paused",   [AGENT_CLOSED] = "closed", [AGENT_BUSY] = "busy",
        [AGENT_FROZEN] = "frozen",   [AGENT_READY] = "ready",   [AGENT_HUNG] = "hung",
        [AGENT_SYNCING] = "syncing",
    };

    return names[state];
}

/* To be called last: whoever is told may come with a command. */
static void announce(AgentLane *lane)
{
    AgentState state = agent_lane_state(lane);

    if (state == AGENT_BUSY)
        state = AGENT_READY;
    if (state == lane->told)
        return;
    lane->told = state;
    lane->ops->changed(lane->owner, state_name(state));
}

/* ---- Ends of a flight ------------------------------------------------------------------------ */

static gboolean waits_for_sync(const AgentLane *lane)
{
    return lane->sync.state != SYNC_DONE && !lane->flight.pending;
}

static void set_timer(AgentLane *lane)
{
    const Waiting *first = g_queue_peek_head(&lane->waiting);
    gint64 due = G_MAXINT64;

    if (lane->paused_us) {
        io_timer_set(lane->timer, -1);
        return;
    }
    /* While a probe is unread none is sent, and on_io() looks again when it was written. */
    if (lane->io && lane->port != PORT_CLOSED && lane->sync.state == SYNC_WAITING &&
        queue_length(&lane->stream.queue) == 0)
        due = lane->sync.deadline_us;
    if (lane->flight.pending)
        due = lane->flight.deadline_us;
    if (first && waits_for_sync(lane))
        due = MIN(due, first->deadline_us);
    io_timer_set(lane->timer, due == G_MAXINT64 ? -1 : due);
}

static void land(AgentLane *lane, const EnvelopeReply *reply, const GError *error)
{
    Pending *pending = g_steal_pointer(&lane->flight.pending);

    json_scan_limit_bytes(&lane->stream.scan, LIMIT_AGENT_REPLY_BYTES);
    if (pending)
        pending_finish(pending, reply, error);
}

static void land_failed(AgentLane *lane, const char *why)
{
    g_autoptr(GError) error = NULL;

    if (!lane->flight.pending)
        return;
    qmp_error_set(&error, "%s; %s was sent and its outcome is unknown", why,
                  lane->flight.pending->name);
    land(lane, NULL, error);
}

/* A silent command has done what it should: the guest goes down or to sleep, or does other things
 * already. Returns: whether there was one */
static gboolean land_silent(AgentLane *lane)
{
    if (!lane->flight.pending || !pending_has_flag(lane->flight.pending, GUEST_FLAG_SILENT))
        return FALSE;
    land(lane, &envelope_empty_return, NULL);
    return TRUE;
}

static void refuse_waiting(AgentLane *lane, const char *why)
{
    Waiting *waiting;

    while ((waiting = g_queue_pop_head(&lane->waiting))) {
        Pending *pending = waiting->pending;

        g_free(waiting);
        pending_fail(pending, "%s; %s was not sent", why, pending->name);
    }
}

static gint64 sync_wait_ends(const AgentLane *lane)
{
    return now(lane) + LIMIT_SECONDS_UNSYNCED * G_USEC_PER_SEC;
}

/* Those that wait do so for this sync from now on. */
static void wait_anew(AgentLane *lane)
{
    for (GList *at = lane->waiting.head; at; at = at->next)
        ((Waiting *)at->data)->deadline_us = sync_wait_ends(lane);
}

static void begin_sync(AgentLane *lane)
{
    lane->asked = FALSE;
    lane->refuses_id = FALSE;
    sync_start(&lane->sync, now(lane));
}

/* Whatever was believed of the stream no longer holds. What was not written yet must not be carried
 * out later; the 0xFF of the next sync makes half a command harmless. */
static void doubt(AgentLane *lane)
{
    stream_discard_output(&lane->stream);
    begin_sync(lane);
    wait_anew(lane);
}

static void lose_channel(AgentLane *lane, const char *why)
{
    g_debug("agent's channel: %s", why);
    stream_clear(&lane->stream);
    lane->io = NULL;
    sync_stop(&lane->sync);
    lane->ops->lost(lane->owner);
    land_silent(lane);
    land_failed(lane, "The agent's channel was closed");
    refuse_waiting(lane, "The agent's channel was closed");
    link_connect(lane->link);
    set_timer(lane);
    announce(lane);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* A channel that broke is not lost here, under the feet of whoever submits a command: the kernel
 * reports it, and on_io() sees to it in a turn of its own. The queue has room, since doubt()
 * empties it. */
static void write_text(AgentLane *lane, const GString *text)
{
    g_autoptr(GError) error = NULL;

    if (!stream_send(&lane->stream, text->str, text->len))
        g_debug("agent's channel: the guest does not read");
    else if (!stream_flush(&lane->stream, &error))
        g_debug("agent's channel: %s", error->message);
}

static void append_probe(AgentLane *lane, GString *text)
{
    lane->stats.syncs++;
    sync_probe(&lane->sync, now(lane), (gint64)random_63(), text);
}

static void take_off(AgentLane *lane, Pending *pending)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *id = NULL;
    Flight *flight = &lane->flight;

    flight->pending = pending;
    pending->sent = TRUE;
    flight->with_id = !lane->refuses_id;
    flight->id = random_63();
    flight->limit_seconds = seconds_for(pending);
    flight->deadline_us = now(lane) + (gint64)flight->limit_seconds * G_USEC_PER_SEC;
    lane->asked = FALSE;
    lane->stats.commands++;
    if (pending_has_flag(pending, GUEST_FLAG_BULK))
        json_scan_limit_bytes(&lane->stream.scan, LIMIT_AGENT_BULK_REPLY_BYTES);

    id = g_strdup_printf("%" G_GUINT64_FORMAT, flight->id);
    message_command(text, pending->name, FALSE, pending_arguments(pending),
                    flight->with_id ? (JsonSpan){id, strlen(id)} : JSON_SPAN_NONE);
    g_string_append_c(text, '\n');
    if (pending_has_flag(pending, GUEST_FLAG_SILENT)) {
        begin_sync(lane);
        append_probe(lane, text);
    }
    write_text(lane, text);
}

static void drop_orphans(AgentLane *lane)
{
    for (GList *at = lane->waiting.head, *next; at; at = next) {
        Waiting *waiting = at->data;

        next = at->next;
        if (!waiting->pending->orphan)
            continue;
        g_queue_delete_link(&lane->waiting, at);
        pending_fail(waiting->pending, "The client has left");
        g_free(waiting);
    }
}

/* Behind a command under way there is one sync; an agent that does not know the delimited one is
 * asked in plain words at once. */
static gboolean may_probe(const AgentLane *lane)
{
    if (!lane->io || lane->port == PORT_CLOSED || lane->paused_us)
        return FALSE;
    if (lane->flight.pending && !(lane->sync.plain && lane->sync.probes == 1))
        return FALSE;
    /* One that was not read yet is not worth a second: a guest that sleeps would wake up to
     * thousands. */
    return sync_due(&lane->sync, now(lane)) && queue_length(&lane->stream.queue) == 0;
}

static gboolean may_take_off(const AgentLane *lane)
{
    AgentState state = agent_lane_state(lane);

    return (state == AGENT_READY || (state == AGENT_FROZEN && !lane->flight.pending)) &&
           lane->waiting.length > 0 && !lane->asking;
}

/* Sends what may be sent now: a sync that is due, or the next command. */
static void pump(AgentLane *lane)
{
    drop_orphans(lane);
    if (may_probe(lane)) {
        g_autoptr(GString) text = g_string_new(NULL);

        append_probe(lane, text);
        write_text(lane, text);
    }
    if (lane->must_ask && !lane->asked && lane->waiting.length > 0 && !lane->asking) {
        lane->asking = TRUE;
        lane->ops->ask_port(lane->owner);
    }
    if (may_take_off(lane)) {
        g_autofree Waiting *waiting = g_queue_pop_head(&lane->waiting);

        take_off(lane, waiting->pending);
    }
    set_timer(lane);
    announce(lane);
}

static gboolean is_urgent(const Pending *pending)
{
    return pending->urgent || pending_is_class(pending, GUEST_CLASS_THAW);
}

/* Returns: (nullable): why a command cannot be sent now, nor soon. A thaw is refused only where it
 * could do nothing: others' commands and a silent agent's past do not stand in its way. Our own
 * commands keep nobody waiting, so they sit a pause out. */
static const char *obstacle(const AgentLane *lane, const Pending *pending)
{
    if (!lane->io)
        return "The agent's channel is not connected";
    if (lane->stopped && pending->asker)
        return lane->stopped == AGENT_GONE ? "The guest has shut down" : "The guest is asleep";
    if (lane->paused_us && pending->asker)
        return "The virtual machine is paused";
    if (lane->port == PORT_CLOSED && !lane->must_ask)
        return "The guest agent is not connected: nothing in the guest has opened its port";
    if (is_urgent(pending))
        return NULL;
    if (lane->blind)
        return "QEMU's monitor is not connected, so that nobody knows who listens in the guest";
    if (agent_lane_state(lane) == AGENT_HUNG)
        return "The guest agent does not answer";
    if (lane->waiting.length >= lane->bounds->commands_for_agent)
        return "Too many commands wait for the guest agent";
    return NULL;
}

void agent_lane_submit(AgentLane *lane, Pending *pending)
{
    const char *why = obstacle(lane, pending);
    Waiting *waiting;

    if (why) {
        pending_fail(pending, "%s; %s was not sent", why, pending->name);
        return;
    }

    waiting = g_new(Waiting, 1);
    *waiting = (Waiting){pending, sync_wait_ends(lane)};
    if (is_urgent(pending))
        g_queue_push_head(&lane->waiting, waiting);
    else
        g_queue_push_tail(&lane->waiting, waiting);
    if (lane->blind && !lane->flight.pending)
        begin_sync(lane);
    pump(lane);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Without ids, order alone tells: between a sync's answer and the next sync there is one command. A
 * silent one is followed by a sync at once; what comes between its failure and that answer is the
 * complaint about 0xFF, or about a sync that the agent does not know. */
static gboolean answers_flight_by_order(const AgentLane *lane, const EnvelopeReply *reply)
{
    g_autoptr(GError) error = NULL;

    if (reply->id.text)
        return FALSE;
    if (lane->sync.state == SYNC_DONE)
        return TRUE;
    if (reply->kind != ENVELOPE_ERROR)
        return FALSE;
    error = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
    return !strstr(error->message, "JSON parse error") && !strstr(error->message, "guest-sync");
}

static gboolean answers_flight(const AgentLane *lane, const EnvelopeReply *reply)
{
    guint64 id;

    if (!lane->flight.pending || (reply->kind != ENVELOPE_RETURN && reply->kind != ENVELOPE_ERROR))
        return FALSE;
    if (!lane->flight.with_id)
        return answers_flight_by_order(lane, reply);
    return json_read_uint64(reply->id, &id) && id == lane->flight.id;
}

/* The guest's value is written anew: one line, ASCII, in the form QEMU prints. */
static void deliver(AgentLane *lane, const EnvelopeReply *reply)
{
    g_autoptr(GString) text = NULL;
    g_autoptr(GError) error = NULL;
    EnvelopeReply rebuilt = *reply;
    JsonWrite write;

    lane->flight.pending->answered = TRUE;
    if (reply->kind == ENVELOPE_ERROR) {
        error = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
        land(lane, NULL, error);
        return;
    }
    text = g_string_sized_new(reply->value.len + 16);
    json_write_init(&write, text);
    json_write_value(&write, reply->value);
    if (text->len > LIMIT_AGENT_BULK_REPLY_BYTES) { /* each non-ASCII byte takes three */
        qmp_error_set(&error,
                      "The guest agent's result has %" G_GSIZE_FORMAT
                      " bytes, at most %u are passed on",
                      text->len, LIMIT_AGENT_BULK_REPLY_BYTES);
        land(lane, NULL, error);
        return;
    }
    rebuilt.value = (JsonSpan){text->str, text->len};
    rebuilt.id = JSON_SPAN_NONE;
    land(lane, &rebuilt, NULL);
}

static void on_synced(AgentLane *lane)
{
    /* The agent works in order: a silent command that it left behind has succeeded. Any other was
     * never there: another agent answers than the one that it was sent to. One of the two, since
     * the answer may bring the next command, which takes off at once. */
    if (!land_silent(lane))
        land_failed(lane, "The guest agent was restarted");
    lane->ops->synced(lane->owner);
}

/* An agent of 2011 knows no id. It says so once, and the command is sent again without: it was not
 * run. */
static gboolean is_id_refused(const AgentLane *lane, const EnvelopeReply *reply)
{
    g_autoptr(GError) error = NULL;

    if (!lane->flight.pending || !lane->flight.with_id || reply->kind != ENVELOPE_ERROR ||
        reply->id.text)
        return FALSE;
    error = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
    return strstr(error->message, "'id' is unexpected") != NULL;
}

static void on_message(AgentLane *lane, JsonSpan message)
{
    EnvelopeReply reply;

    if (!envelope_read_reply(message, &reply)) {
        lane->stats.dropped++;
    } else if (answers_flight(lane, &reply)) {
        deliver(lane, &reply);
    } else if (is_id_refused(lane, &reply)) {
        lane->refuses_id = TRUE;
        take_off(lane, g_steal_pointer(&lane->flight.pending));
    } else if (sync_reply(&lane->sync, &reply)) {
        on_synced(lane);
    } else {
        lane->stats.dropped++;
    }
}

/* A lone 0xFF is how the agent marks the answer to a sync; all else in a flight's place is its end.
 */
static void on_fault(AgentLane *lane)
{
    if (stream_fault(&lane->stream) == JSON_FAULT_RESET)
        return;
    lane->stats.faults++;
    if (lane->sync.state != SYNC_DONE)
        return;
    doubt(lane);
    land_failed(lane, "The guest agent sent something that is no reply");
}

/* Returns: FALSE at the end of the stream */
static gboolean read_messages(AgentLane *lane)
{
    JsonSpan message;

    for (;;) {
        switch (stream_next(&lane->stream, &message)) {
        case STREAM_MESSAGE: on_message(lane, message); break;
        case STREAM_FAULT: on_fault(lane); break;
        case STREAM_END: return FALSE;
        case STREAM_IDLE: pump(lane); return TRUE;
        }
    }
}

static void on_io(gpointer owner, IoReady ready)
{
    AgentLane *lane = owner;
    g_autoptr(GError) error = NULL;

    if ((ready & (IO_READABLE | IO_HANGUP)) && !stream_fill(&lane->stream, &error))
        lose_channel(lane, error->message);
    else if (!stream_flush(&lane->stream, &error) && !(ready & IO_READABLE))
        lose_channel(lane, error->message);
    else if (!read_messages(lane))
        lose_channel(lane, "QEMU closed it");
}

static void open_channel(AgentLane *lane, int fd)
{
    static const QueueLimits limits = {LIMIT_OUTPUT_LOW, LIMIT_OUTPUT_HIGH, LIMIT_OUTPUT_HARD};

    lane->io = io_new(lane->loop, fd, on_io, lane);
    stream_init(&lane->stream, &io_stream, lane->io, &JSON_SCAN_LIMITS(LIMIT_AGENT_REPLY_BYTES),
                &limits, NULL);
}

static void on_connected(gpointer owner, int fd)
{
    AgentLane *lane = owner;

    open_channel(lane, fd);
    doubt(lane);
    pump(lane);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void refuse_late(AgentLane *lane, gint64 now_us)
{
    const Waiting *first = g_queue_peek_head(&lane->waiting);

    while (first && waits_for_sync(lane) && first->deadline_us <= now_us) {
        g_autofree Waiting *late = g_queue_pop_head(&lane->waiting);

        pending_fail(late->pending, "The guest agent does not answer; %s was not sent",
                     late->pending->name);
        first = g_queue_peek_head(&lane->waiting);
    }
}

static void on_timer(gpointer owner, gint64 now_us)
{
    AgentLane *lane = owner;

    if (lane->flight.pending && lane->flight.deadline_us <= now_us) {
        g_autofree char *why = g_strdup_printf("The guest agent did not answer within %u s",
                                               lane->flight.limit_seconds);

        lane->stats.timeouts++;
        doubt(lane);
        land_failed(lane, why);
    }
    /* A probe was not answered: half a message may stand before all that comes. Nothing of the
     * input is in hand here. */
    if (lane->io && waits_for_sync(lane) && sync_due(&lane->sync, now_us))
        stream_discard_input(&lane->stream);
    refuse_late(lane, now_us);
    pump(lane);
}

/* ---- What becomes of the guest --------------------------------------------------------------- */

void agent_lane_guest_started(AgentLane *lane, const char *why)
{
    lane->stopped = 0;
    if (!lane->io)
        return;
    lane->ops->lost(lane->owner);
    doubt(lane);
    land_failed(lane, why);
    pump(lane);
}

void agent_lane_probe(AgentLane *lane)
{
    g_autoptr(GString) text = NULL;

    if (!lane->io || lane->port == PORT_CLOSED)
        return;
    begin_sync(lane);
    wait_anew(lane);
    if (lane->flight.pending) {
        text = g_string_new(NULL);
        append_probe(lane, text);
        write_text(lane, text);
    }
    pump(lane);
}

void agent_lane_guest_stopped(AgentLane *lane, AgentState state)
{
    lane->stopped = state;
    land_silent(lane);
    pump(lane);
}

void agent_lane_set_frozen(AgentLane *lane, gboolean frozen)
{
    lane->frozen = frozen;
    announce(lane);
}

void agent_lane_set_blind(AgentLane *lane, gboolean blind)
{
    if (blind == lane->blind)
        return;
    lane->blind = blind;
    if (!blind) { /* the agent may have become another one meanwhile */
        agent_lane_probe(lane);
        return;
    }
    lane->port = PORT_UNKNOWN;
    lane->must_ask = FALSE;
    lane->asking = FALSE;
    refuse_waiting(lane, "QEMU's monitor was lost");
    pump(lane);
}

void agent_lane_abandon(AgentLane *lane, const char *why)
{
    if (lane->io)
        doubt(lane);
    land_failed(lane, why);
    refuse_waiting(lane, why);
}

void agent_lane_set_port(AgentLane *lane, PortState port, gboolean must_ask)
{
    PortState before = lane->port;

    lane->port = port;
    if (port == PORT_OPEN && before == PORT_CLOSED)
        lane->stopped = 0;
    lane->must_ask = must_ask;
    lane->asked = lane->asking && port != PORT_CLOSED; /* that look is used up by the refusals */
    lane->asking = FALSE;
    if (port == PORT_CLOSED) {
        if (lane->io)
            stream_discard_output(&lane->stream);
        sync_stop(&lane->sync);
        lane->ops->lost(lane->owner);
        land_silent(lane);
        land_failed(lane, "The guest agent closed its port");
        refuse_waiting(
            lane, "The guest agent is not connected: nothing in the guest has opened its port");
    } else if (lane->io && (before == PORT_CLOSED || lane->sync.state == SYNC_OFF)) {
        doubt(lane);
    }
    pump(lane);
}

/* Those that wait go on doing so: a snapshot pauses the machine for some ms. */
static void lengthen_limits(AgentLane *lane, gint64 paused_us)
{
    lane->flight.deadline_us += paused_us;
    for (GList *at = lane->waiting.head; at; at = at->next)
        ((Waiting *)at->data)->deadline_us += paused_us;
}

void agent_lane_set_paused(AgentLane *lane, gboolean paused)
{
    if (paused == (lane->paused_us != 0))
        return;
    if (!paused)
        lengthen_limits(lane, now(lane) - lane->paused_us);
    lane->paused_us = paused ? now(lane) : 0;
    pump(lane);
}

/* ---- Public ---------------------------------------------------------------------------------- */

AgentLane *agent_lane_new(IoLoop *loop, const Address *address, const Bounds *bounds,
                          const AgentLaneOps *ops, gpointer owner, const HandoverPart *part,
                          GError **error)
{
    AgentLane *lane = g_new(AgentLane, 1);

    *lane = (AgentLane){.ops = ops, .owner = owner, .loop = io_loop_ref(loop), .bounds = bounds};
    g_queue_init(&lane->waiting);
    sync_init(&lane->sync);
    lane->timer = io_timer_new(loop, on_timer, lane);
    lane->link = link_new(loop, address, on_connected, lane, part, error);
    if (!lane->link)
        g_clear_pointer(&lane, agent_lane_free);
    return lane;
}

void agent_lane_free(AgentLane *lane)
{
    if (!lane)
        return;
    if (lane->io)
        stream_clear(&lane->stream);
    lane->io = NULL;
    land_failed(lane, "The proxy ended");
    refuse_waiting(lane, "The proxy ended");
    io_timer_free(lane->timer);
    link_free(lane->link);
    io_loop_unref(lane->loop);
    g_free(lane);
}

void agent_lane_connect(AgentLane *lane)
{
    link_connect(lane->link);
}

void agent_lane_foreach(AgentLane *lane, void (*func)(Pending *pending, gpointer data),
                        gpointer data)
{
    for (GList *at = lane->waiting.head; at; at = at->next)
        func(((Waiting *)at->data)->pending, data);
    if (lane->flight.pending)
        func(lane->flight.pending, data);
}

const char *agent_lane_state_name(const AgentLane *lane)
{
    return state_name(agent_lane_state(lane));
}

AgentStats agent_lane_stats(const AgentLane *lane)
{
    AgentStats stats = lane->stats;

    stats.queued = lane->waiting.length;
    return stats;
}

/* ---- To a successor -------------------------------------------------------------------------- */

static void save_flight(const Flight *flight, Handover *handover, Saved *to)
{
    Saved part = G_VARIANT_DICT_INIT(NULL);

    if (!flight->pending)
        return;
    handover_put_pending(handover, &part, flight->pending);
    saved_put_int(&part, "number", (gint64)flight->id);
    saved_put_int(&part, "with-id", flight->with_id);
    saved_put_int(&part, "deadline", flight->deadline_us);
    saved_put_int(&part, "limit", flight->limit_seconds);
    saved_put_part(to, "flight", &part);
}

static void save_waiting(const AgentLane *lane, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();

    for (const GList *at = lane->waiting.head; at; at = at->next) {
        const Waiting *waiting = at->data;
        Saved item = G_VARIANT_DICT_INIT(NULL);

        if (!waiting->pending->asker) /* our own are asked anew */
            continue;
        handover_put_pending(handover, &item, waiting->pending);
        saved_put_int(&item, "deadline", waiting->deadline_us);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "waiting", list);
}

void agent_lane_save(const AgentLane *lane, Handover *handover, Saved *to)
{
    Saved sync = G_VARIANT_DICT_INIT(NULL);

    link_save(lane->link, handover, to);
    /* 1 what is known of the guest, whether its agent can be reached or not */
    saved_put_int(to, "port", lane->port);
    saved_put_int(to, "must-ask", lane->must_ask);
    saved_put_int(to, "blind", lane->blind);
    saved_put_int(to, "frozen", lane->frozen);
    saved_put_int(to, "paused", lane->paused_us);
    saved_put_int(to, "stopped", lane->stopped);
    saved_put_int(to, "told", lane->told);
    if (!lane->io)
        return;
    /* 2 the channel */
    handover_put_fd(handover, to, "channel", io_fd(lane->io));
    stream_save(&lane->stream, to);
    sync_save(&lane->sync, &sync);
    saved_put_part(to, "sync", &sync);
    saved_put_int(to, "refuses-id", lane->refuses_id);
    save_flight(&lane->flight, handover, to);
    save_waiting(lane, handover, to);
}

static void restore_flight(Flight *flight, const HandoverPart *part)
{
    Saved saved;

    if (saved_get_part(part->from, "flight", &saved)) {
        flight->pending = handover_get_pending(part->handover, &saved);
        flight->id = (guint64)saved_get_int(&saved, "number");
        flight->with_id = saved_get_int(&saved, "with-id") != 0;
        flight->deadline_us = saved_get_int(&saved, "deadline");
        flight->limit_seconds = (guint)saved_get_int(&saved, "limit");
    }
    g_variant_dict_clear(&saved);
}

typedef struct {
    AgentLane *lane;
    Handover *handover;
} Restore;

static void restore_waiting(Saved *item, gpointer data)
{
    const Restore *restore = data;
    Pending *pending = handover_get_pending(restore->handover, item);
    Waiting *waiting;

    if (!pending)
        return;
    waiting = g_new(Waiting, 1);
    *waiting = (Waiting){pending, saved_get_int(item, "deadline")};
    g_queue_push_tail(&restore->lane->waiting, waiting);
}

void agent_lane_restore(AgentLane *lane, const HandoverPart *part)
{
    int fd = handover_get_fd(part->handover, part->from, "channel");
    Saved sync;

    lane->port = (PortState)saved_get_int(part->from, "port");
    lane->must_ask = saved_get_int(part->from, "must-ask") != 0;
    lane->blind = saved_get_int(part->from, "blind") != 0;
    lane->frozen = saved_get_int(part->from, "frozen") != 0;
    lane->paused_us = saved_get_int(part->from, "paused");
    lane->stopped = (AgentState)saved_get_int(part->from, "stopped");
    lane->told = (AgentState)saved_get_int(part->from, "told");
    if (fd < 0)
        return;
    open_channel(lane, fd);
    if (!stream_restore(&lane->stream, part->from))
        g_warn_if_reached(); /* nothing is charged for it */
    if (saved_get_part(part->from, "sync", &sync))
        sync_restore(&lane->sync, &sync);
    g_variant_dict_clear(&sync);
    lane->refuses_id = saved_get_int(part->from, "refuses-id") != 0;
    restore_flight(&lane->flight, part);
    if (lane->flight.pending && pending_has_flag(lane->flight.pending, GUEST_FLAG_BULK))
        json_scan_limit_bytes(&lane->stream.scan, LIMIT_AGENT_BULK_REPLY_BYTES);
    saved_foreach(part->from, "waiting", restore_waiting, &(Restore){lane, part->handover});
}

/* A command that was sent without id is known by its order, and behind it no sync is asked for: one
 * that is answered says that it was lost. */
void agent_lane_resume(AgentLane *lane, gboolean anew)
{
    if (anew && (!lane->flight.pending || lane->flight.with_id))
        agent_lane_probe(lane);
    else
        pump(lane);
}
