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

#include "agent-cache.h"
#include "agent-flight.h"
#include "agent-queue.h"

#include "common/limits.h"
#include "common/qmp-error.h"
#include "common/sync.h"

struct AgentLane {
    const AgentLaneOps *ops;
    gpointer owner;
    IoLoop *loop;
    Link *link;
    const Bounds *bounds;
    IoTimer *timer;

    Io *io; /* (nullable): while connected */
    Stream stream;
    AgentWay way;
    AgentState told;

    Sync sync;
    gboolean refuses_id; /* the agent is older than the id */
    AgentFlight flight;
    AgentQueue waiting;
    AgentCache cache;
    gboolean may_keep; /* nothing has happened since the flight began that its answer leaves out */
    AgentStats stats;  /* bytes are those of former connections */
};

static gint64 now(const AgentLane *lane)
{
    return io_loop_now(lane->loop);
}

AgentState agent_lane_state(const AgentLane *lane)
{
    AgentState state = agent_way_state(&lane->way, lane->io != NULL);

    if (state != AGENT_READY)
        return state;
    if (lane->way.frozen && (lane->flight.question || lane->sync.state == SYNC_DONE))
        return AGENT_FROZEN;
    if (lane->flight.question)
        return AGENT_BUSY;
    if (lane->sync.state == SYNC_DONE)
        return AGENT_READY;
    return lane->sync.probes > LIMIT_SYNC_HOPE ? AGENT_HUNG : AGENT_SYNCING;
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
    lane->ops->changed(lane->owner, agent_state_name(state));
}

/* ---- Ends of a flight ------------------------------------------------------------------------ */

static gboolean waits_for_sync(const AgentLane *lane)
{
    return lane->sync.state != SYNC_DONE && !lane->flight.question;
}

static void set_timer(AgentLane *lane)
{
    gint64 due = G_MAXINT64;

    if (lane->way.paused_us) {
        io_timer_set(lane->timer, -1);
        return;
    }
    /* While a probe is unread none is sent, and on_io() looks again when it was written. */
    if (lane->io && lane->way.port != PORT_CLOSED && lane->sync.state == SYNC_WAITING &&
        queue_length(&lane->stream.queue) == 0)
        due = lane->sync.deadline_us;
    if (lane->flight.question)
        due = agent_question_deadline(lane->flight.question);
    if (waits_for_sync(lane))
        due = MIN(due, agent_queue_deadline(&lane->waiting));
    io_timer_set(lane->timer, due == G_MAXINT64 ? -1 : due);
}

static void land(AgentLane *lane, const EnvelopeReply *reply, const GError *error)
{
    json_scan_limit_bytes(&lane->stream.scan, LIMIT_AGENT_REPLY_BYTES);
    agent_flight_land(&lane->flight, reply, error, now(lane));
}

static void land_failed(AgentLane *lane, const char *why)
{
    const Pending *command = agent_flight_command(&lane->flight);
    g_autoptr(GError) error = NULL;

    if (!command)
        return;
    qmp_error_set(&error, "%s; %s was sent and its outcome is unknown", why, command->name);
    land(lane, NULL, error);
}

/* A silent command has done what it should: the guest goes down or to sleep, or does other things
 * already. Returns: whether there was one */
static gboolean land_silent(AgentLane *lane)
{
    const Pending *command = agent_flight_command(&lane->flight);

    if (!command || !pending_has_flag(command, GUEST_FLAG_SILENT))
        return FALSE;
    land(lane, &envelope_empty_return, NULL);
    return TRUE;
}

/* What the guest was asked before may be answered otherwise from now on. Where a sync is to come
 * before anything else is sent, as after a loss of any kind, that one sees to it. */
static void forget(AgentLane *lane)
{
    agent_cache_forget(&lane->cache);
    lane->may_keep = FALSE;
}

static gint64 sync_wait_ends(const AgentLane *lane)
{
    return now(lane) + LIMIT_SECONDS_UNSYNCED * G_USEC_PER_SEC;
}

static void begin_sync(AgentLane *lane)
{
    lane->way.asked = FALSE;
    lane->refuses_id = FALSE;
    forget(lane);
    sync_start(&lane->sync, now(lane));
}

/* Whatever was believed of the stream no longer holds. What was not written yet must not be carried
 * out later; the 0xFF of the next sync makes half a command harmless. */
static void doubt(AgentLane *lane)
{
    stream_discard_output(&lane->stream);
    begin_sync(lane);
    agent_queue_set_deadlines(&lane->waiting, sync_wait_ends(lane)); /* for this sync from now on */
}

AgentStats agent_lane_stats(const AgentLane *lane)
{
    AgentStats stats = lane->stats;

    stats.queued = agent_queue_length(&lane->waiting);
    stats.oversized += lane->flight.oversized;
    if (lane->io) {
        stats.bytes_in += stream_bytes_read(&lane->stream);
        stats.bytes_out += stream_bytes_written(&lane->stream);
    }
    return stats;
}

static void lose_channel(AgentLane *lane, const char *why)
{
    g_debug("agent's channel: %s", why);
    lane->stats = agent_lane_stats(lane);
    stream_clear(&lane->stream);
    lane->io = NULL;
    sync_stop(&lane->sync);
    lane->ops->lost(lane->owner);
    land_silent(lane);
    land_failed(lane, "The agent's channel was closed");
    agent_queue_refuse_all(&lane->waiting, "The agent's channel was closed");
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
    sync_probe(&lane->sync, now(lane), (gint64)agent_flight_random_63(), text);
}

/* Where the command under way returns bulk. */
static void allow_bulk(AgentLane *lane)
{
    const Pending *command = agent_flight_command(&lane->flight);

    if (command && pending_has_flag(command, GUEST_FLAG_BULK))
        json_scan_limit_bytes(&lane->stream.scan, LIMIT_AGENT_BULK_REPLY_BYTES);
}

static void take_off(AgentLane *lane, AgentQuestion *question)
{
    const Pending *command = agent_question_command(question);
    g_autoptr(GString) text = g_string_new(NULL);

    agent_flight_begin(&lane->flight, question, !lane->refuses_id, stream_bytes_read(&lane->stream),
                       now(lane));
    lane->way.asked = FALSE;
    lane->stats.commands++;
    if (!pending_has_flag(command, GUEST_FLAG_READ_ONLY))
        forget(lane);
    lane->may_keep = TRUE;
    allow_bulk(lane);

    agent_flight_write(&lane->flight, text);
    g_string_append_c(text, '\n');
    if (pending_has_flag(command, GUEST_FLAG_SILENT)) {
        begin_sync(lane);
        append_probe(lane, text);
    }
    write_text(lane, text);
}

/* Behind a command under way there is one sync; an agent that does not know the delimited one is
 * asked in plain words at once. */
static gboolean may_probe(const AgentLane *lane)
{
    if (!lane->io || lane->way.port == PORT_CLOSED || lane->way.paused_us)
        return FALSE;
    if (lane->flight.question && !(lane->sync.plain && lane->sync.probes == 1))
        return FALSE;
    /* One that was not read yet is not worth a second: a guest that sleeps would wake up to
     * thousands. */
    return sync_due(&lane->sync, now(lane)) && queue_length(&lane->stream.queue) == 0;
}

static gboolean may_take_off(const AgentLane *lane)
{
    AgentState state = agent_lane_state(lane);

    return (state == AGENT_READY || (state == AGENT_FROZEN && !lane->flight.question)) &&
           agent_queue_length(&lane->waiting) > 0 && !lane->way.asking;
}

/* Sends what may be sent now: a sync that is due, or the next command. */
static void pump(AgentLane *lane)
{
    agent_queue_drop_orphans(&lane->waiting);
    if (may_probe(lane)) {
        g_autoptr(GString) text = g_string_new(NULL);

        append_probe(lane, text);
        write_text(lane, text);
    }
    if (lane->way.must_ask && !lane->way.asked && agent_queue_length(&lane->waiting) > 0 &&
        !lane->way.asking) {
        lane->way.asking = TRUE;
        lane->ops->ask_port(lane->owner);
    }
    if (may_take_off(lane))
        take_off(lane, agent_queue_pop(&lane->waiting));
    set_timer(lane);
    announce(lane);
}

static gboolean is_urgent(const Pending *pending)
{
    return pending->urgent || pending_is_class(pending, GUEST_CLASS_THAW);
}

/* Returns: (nullable): why a command cannot be sent now, nor soon. A thaw is refused only where it
 * could do nothing: others' commands and a silent agent's past do not stand in its way. */
static const char *obstacle(const AgentLane *lane, const Pending *pending)
{
    gboolean urgent = is_urgent(pending);
    const char *why =
        agent_way_obstacle(&lane->way, lane->io != NULL, pending->asker != NULL, urgent);

    if (why || urgent)
        return why;
    if (agent_lane_state(lane) == AGENT_HUNG)
        return "The guest agent does not answer";
    if (agent_queue_length(&lane->waiting) >= lane->bounds->commands_for_agent)
        return "Too many commands wait for the guest agent";
    return NULL;
}

/* Our own commands ask what holds now; and of a port that tells nothing by itself nobody knows
 * whether it was closed meanwhile. */
static gboolean answer_from_cache(AgentLane *lane, Pending *pending)
{
    if (!pending->asker || lane->way.must_ask ||
        !agent_cache_answer(&lane->cache, pending, now(lane)))
        return FALSE;
    lane->stats.cache_hits++;
    return TRUE;
}

void agent_lane_submit(AgentLane *lane, Pending *pending)
{
    const char *why = obstacle(lane, pending);

    if (why) {
        pending_fail(pending, "%s; %s was not sent", why, pending->name);
        return;
    }
    if (answer_from_cache(lane, pending))
        return;
    if (agent_queue_push(&lane->waiting, pending, is_urgent(pending), sync_wait_ends(lane)))
        lane->stats.coalesced++;
    if (lane->way.blind && !lane->flight.question)
        begin_sync(lane);
    pump(lane);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static void deliver(AgentLane *lane, const EnvelopeReply *reply)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    EnvelopeReply rebuilt;

    if (!agent_flight_rebuild(&lane->flight, reply, text, &rebuilt, &error)) {
        land(lane, NULL, error);
        return;
    }
    if (lane->may_keep)
        agent_cache_keep(&lane->cache, agent_flight_command(&lane->flight), rebuilt.value,
                         lane->flight.begun_us);
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

static void on_message(AgentLane *lane, JsonSpan message)
{
    EnvelopeReply reply;

    if (!envelope_read_reply(message, &reply)) {
        lane->stats.dropped++;
    } else if (agent_flight_is_answered(&lane->flight, &reply, lane->sync.state == SYNC_DONE,
                                        stream_bytes_taken(&lane->stream))) {
        deliver(lane, &reply);
    } else if (agent_flight_is_id_refused(&lane->flight, &reply)) {
        /* An agent of 2011 knows no id. It says so once, and the command is sent again without. */
        lane->refuses_id = TRUE;
        take_off(lane, g_steal_pointer(&lane->flight.question));
    } else if (sync_reply(&lane->sync, &reply)) {
        on_synced(lane);
    } else {
        lane->stats.dropped++;
        lane->stats.unasked += !agent_flight_complains_of_sync(&reply);
    }
}

/* A lone 0xFF is how the agent marks the answer to a sync; all else in a flight's place is its end.
 */
static void on_fault(AgentLane *lane)
{
    if (stream_fault(&lane->stream) == JSON_FAULT_RESET)
        return;
    lane->stats.faults++;
    lane->stats.oversized += stream_fault(&lane->stream) >= JSON_FAULT_NESTING;
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

/* While the last of those who share a command has time left it is waited for; then what is under
 * way is poison. */
static void fail_late(AgentLane *lane, gint64 now_us)
{
    AgentQuestion *late = agent_flight_split_late(&lane->flight, now_us);

    if (!late)
        return;
    lane->stats.timeouts += agent_question_length(late);
    if (!lane->flight.question) {
        json_scan_limit_bytes(&lane->stream.scan, LIMIT_AGENT_REPLY_BYTES);
        doubt(lane);
    }
    agent_flight_fail_late(&lane->flight, late);
}

static void on_timer(gpointer owner, gint64 now_us)
{
    AgentLane *lane = owner;

    fail_late(lane, now_us);
    /* A probe was not answered: half a message may stand before all that comes. Nothing of the
     * input is in hand here. */
    if (lane->io && waits_for_sync(lane) && sync_due(&lane->sync, now_us))
        stream_discard_input(&lane->stream);
    if (waits_for_sync(lane))
        agent_queue_refuse_late(&lane->waiting, now_us, "The guest agent does not answer");
    pump(lane);
}

/* ---- What becomes of the guest --------------------------------------------------------------- */

/* Returns: FALSE where nothing was under way, nor known */
static gboolean forget_guest(AgentLane *lane)
{
    lane->way.stopped = 0;
    if (!lane->io)
        return FALSE;
    lane->ops->lost(lane->owner);
    doubt(lane);
    return TRUE;
}

void agent_lane_guest_started(AgentLane *lane, const char *why)
{
    if (!forget_guest(lane))
        return;
    if (!land_silent(lane))
        land_failed(lane, why);
    pump(lane);
}

void agent_lane_guest_lost(AgentLane *lane, const char *why)
{
    if (!forget_guest(lane))
        return;
    land_failed(lane, why);
    agent_queue_refuse_all(&lane->waiting, why);
    pump(lane);
}

void agent_lane_probe(AgentLane *lane)
{
    g_autoptr(GString) text = NULL;

    if (!lane->io || lane->way.port == PORT_CLOSED)
        return;
    begin_sync(lane);
    agent_queue_set_deadlines(&lane->waiting, sync_wait_ends(lane));
    if (lane->flight.question) {
        text = g_string_new(NULL);
        append_probe(lane, text);
        write_text(lane, text);
    }
    pump(lane);
}

void agent_lane_guest_stopped(AgentLane *lane, AgentState state)
{
    const char *why;

    lane->way.stopped = state;
    why = agent_way_obstacle(&lane->way, TRUE, TRUE, FALSE);
    if (!land_silent(lane))
        land_failed(lane, why);
    agent_queue_refuse_all(&lane->waiting, why);
    pump(lane);
}

void agent_lane_set_frozen(AgentLane *lane, gboolean frozen)
{
    lane->way.frozen = frozen;
    forget(lane);
    announce(lane);
}

void agent_lane_set_blind(AgentLane *lane, gboolean blind)
{
    if (blind == lane->way.blind)
        return;
    lane->way.blind = blind;
    if (!blind) { /* the agent may have become another one meanwhile */
        agent_lane_probe(lane);
        return;
    }
    lane->way.port = PORT_UNKNOWN;
    lane->way.must_ask = FALSE;
    lane->way.asking = FALSE;
    agent_queue_refuse_all(&lane->waiting, "QEMU's monitor was lost");
    pump(lane);
}

void agent_lane_abandon(AgentLane *lane, const char *why)
{
    if (lane->io)
        doubt(lane);
    land_failed(lane, why);
    agent_queue_refuse_all(&lane->waiting, why);
}

void agent_lane_set_port(AgentLane *lane, PortState port, gboolean must_ask)
{
    PortState before = lane->way.port;

    lane->way.port = port;
    if (port != before)
        forget(lane);
    if (port == PORT_OPEN && before == PORT_CLOSED)
        lane->way.stopped = 0;
    lane->way.must_ask = must_ask;
    lane->way.asked =
        lane->way.asking && port != PORT_CLOSED; /* that look is used up by the refusals */
    lane->way.asking = FALSE;
    if (port == PORT_CLOSED) {
        if (lane->io)
            stream_discard_output(&lane->stream);
        sync_stop(&lane->sync);
        lane->ops->lost(lane->owner);
        land_silent(lane);
        land_failed(lane, "The guest agent closed its port");
        agent_queue_refuse_all(
            &lane->waiting,
            "The guest agent is not connected: nothing in the guest has opened its port");
    } else if (lane->io && (before == PORT_CLOSED || lane->sync.state == SYNC_OFF)) {
        doubt(lane);
    }
    pump(lane);
}

/* Those that wait go on doing so: a snapshot pauses the machine for some ms. */
static void lengthen_limits(AgentLane *lane, gint64 paused_us)
{
    agent_flight_lengthen(&lane->flight, paused_us);
    agent_queue_lengthen(&lane->waiting, paused_us);
}

void agent_lane_set_paused(AgentLane *lane, gboolean paused)
{
    if (paused == (lane->way.paused_us != 0))
        return;
    forget(lane);
    if (!paused)
        lengthen_limits(lane, now(lane) - lane->way.paused_us);
    lane->way.paused_us = paused ? now(lane) : 0;
    pump(lane);
}

/* ---- Public ---------------------------------------------------------------------------------- */

AgentLane *agent_lane_new(IoLoop *loop, const Address *address, const Bounds *bounds,
                          const AgentLaneOps *ops, gpointer owner, const HandoverPart *part,
                          GError **error)
{
    AgentLane *lane = g_new(AgentLane, 1);

    *lane = (AgentLane){.ops = ops, .owner = owner, .loop = io_loop_ref(loop), .bounds = bounds};
    agent_flight_init(&lane->flight, bounds);
    agent_queue_init(&lane->waiting);
    agent_cache_init(&lane->cache);
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
    agent_queue_refuse_all(&lane->waiting, "The proxy ended");
    agent_cache_clear(&lane->cache);
    io_timer_free(lane->timer);
    link_free(lane->link);
    io_loop_unref(lane->loop);
    g_free(lane);
}

void agent_lane_share(AgentLane *lane, LinkIsPeer is_peer, gpointer owner)
{
    link_share(lane->link, is_peer, owner);
}

void agent_lane_let_in(AgentLane *lane, gboolean yes)
{
    link_let_in(lane->link, yes);
}

void agent_lane_connect(AgentLane *lane)
{
    link_connect(lane->link);
}

gboolean agent_lane_allow_cache(AgentLane *lane, const char *text, GError **error)
{
    return agent_cache_allow(&lane->cache, text, error);
}

void agent_lane_foreach(AgentLane *lane, void (*func)(Pending *pending, gpointer data),
                        gpointer data)
{
    agent_queue_foreach(&lane->waiting, func, data);
    agent_flight_foreach(&lane->flight, func, data);
}

const char *agent_lane_state_name(const AgentLane *lane)
{
    return agent_state_name(agent_lane_state(lane));
}

const Latency *agent_lane_latency(const AgentLane *lane)
{
    return lane->flight.latency;
}

/* ---- To a successor -------------------------------------------------------------------------- */

void agent_lane_save(const AgentLane *lane, Handover *handover, Saved *to)
{
    Saved sync = G_VARIANT_DICT_INIT(NULL);

    link_save(lane->link, handover, to);
    /* 1 what is known of the guest, whether its agent can be reached or not */
    saved_put_int(to, "port", lane->way.port);
    saved_put_int(to, "must-ask", lane->way.must_ask);
    saved_put_int(to, "blind", lane->way.blind);
    saved_put_int(to, "frozen", lane->way.frozen);
    saved_put_int(to, "paused", lane->way.paused_us);
    saved_put_int(to, "stopped", lane->way.stopped);
    saved_put_int(to, "told", lane->told);
    if (!lane->io)
        return;
    /* 2 the channel */
    handover_put_fd(handover, to, "channel", io_fd(lane->io));
    stream_save(&lane->stream, to);
    sync_save(&lane->sync, &sync);
    saved_put_part(to, "sync", &sync);
    saved_put_int(to, "refuses-id", lane->refuses_id);
    agent_flight_save(&lane->flight, handover, to);
    agent_queue_save(&lane->waiting, handover, to);
}

void agent_lane_restore(AgentLane *lane, const HandoverPart *part)
{
    int fd = handover_get_fd(part, "channel");
    Saved sync;

    lane->way.port = (PortState)saved_get_int(part->from, "port");
    lane->way.must_ask = saved_get_int(part->from, "must-ask") != 0;
    lane->way.blind = saved_get_int(part->from, "blind") != 0;
    lane->way.frozen = saved_get_int(part->from, "frozen") != 0;
    lane->way.paused_us = saved_get_int(part->from, "paused");
    lane->way.stopped = (AgentState)saved_get_int(part->from, "stopped");
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
    agent_flight_restore(&lane->flight, part);
    agent_queue_restore(&lane->waiting, part);
    allow_bulk(lane);
}

/* A command that was sent without id is known by its order, and behind it no sync is asked for: one
 * that is answered says that it was lost. */
void agent_lane_resume(AgentLane *lane, gboolean anew)
{
    if (anew && (!lane->flight.question || lane->flight.with_id))
        agent_lane_probe(lane);
    else
        pump(lane);
}
