/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation.
 *
 *   channel   connected or not; the link sees to that
 *   port      what QEMU says of the guest's end
 *   sync      whether what comes from there can be attributed to what we send
 *   terms     how many commands may be under way: one, unless the agent has agreed to more
 *   flights   the commands under way
 *   waiting   those that are to follow, and a large read between two of its pieces
 *
 * They move in that order: a command flies only when synced, a sync is sent only while the port may
 * be open. Each loss falls back as far as it must, fails the flights with what is known of their
 * outcome, and starts again from there.
 *
 * A command that stays silent on success is followed by a sync in the same write. In the plain
 * protocol the agent works in order, so the sync's answer says that the command succeeded, or the
 * guest goes before it can answer, which says so too. Where several may be under way it is sent
 * alone, and puts the agent back into the plain protocol first.
 */

#include "agent-lane-private.h"

#include "common/limits.h"

gint64 agent_lane_now(const AgentLane *lane)
{
    return io_loop_now(lane->loop);
}

AgentState agent_lane_state(const AgentLane *lane)
{
    AgentState state = agent_way_state(&lane->way, lane->io != NULL);
    gboolean busy = agent_flights_count(&lane->flights) > 0;

    if (state != AGENT_READY)
        return state;
    if (lane->way.frozen && (busy || lane->sync.state == SYNC_DONE))
        return AGENT_FROZEN;
    if (busy)
        return AGENT_BUSY;
    if (lane->sync.state == SYNC_DONE)
        return AGENT_READY;
    return lane->sync.probes > LIMIT_SYNC_HOPE ? AGENT_HUNG : AGENT_SYNCING;
}

void agent_lane_announce(AgentLane *lane)
{
    AgentState state = agent_lane_state(lane);

    if (state == AGENT_BUSY)
        state = AGENT_READY;
    if (state == lane->told)
        return;
    lane->told = state;
    lane->ops->changed(lane->owner, agent_state_name(state));
}

/* ---- Ends of flights ------------------------------------------------------------------------- */

static gboolean waits_for_sync(const AgentLane *lane)
{
    return lane->sync.state != SYNC_DONE && agent_flights_count(&lane->flights) == 0;
}

/* While a probe is unread none is sent, and on_io() looks again when it was written. That the agent
 * hangs is known by then, or after so many times. */
static gboolean waits_for_probe(const AgentLane *lane)
{
    guint probes = lane->sync.probes;

    return lane->sync.state == SYNC_WAITING &&
           (queue_length(&lane->stream.queue) == 0 || (probes > 0 && probes <= LIMIT_SYNC_HOPE));
}

void agent_lane_set_timer(AgentLane *lane)
{
    gint64 due = agent_flights_deadline(&lane->flights);

    if (lane->way.paused_us) {
        io_timer_set(lane->timer, -1);
        return;
    }
    /* Behind a command under way there is none. */
    if (due == G_MAXINT64 && lane->io && lane->way.port != PORT_CLOSED && waits_for_probe(lane))
        due = lane->sync.deadline_us;
    if (waits_for_sync(lane))
        due = MIN(due, agent_queue_deadline(&lane->waiting));
    if (lane->way.frozen)
        due = MIN(due, agent_queue_resting_deadline(&lane->waiting));
    io_timer_set(lane->timer, due == G_MAXINT64 ? -1 : due);
}

/* Where something under way returns bulk. */
void agent_lane_bound_messages(AgentLane *lane)
{
    gboolean bulk = agent_flights_have_flag(&lane->flights, GUEST_FLAG_BULK);

    json_scan_limit_bytes(&lane->stream.scan,
                          bulk ? LIMIT_AGENT_BULK_REPLY_BYTES : LIMIT_AGENT_REPLY_BYTES);
    stream_expect(&lane->stream, agent_flights_read(&lane->flights) ? LIMIT_FILE_SLICE_REPLY : 0);
}

/* What was asked beside a command that has changed something may leave that out. */
void agent_lane_land(AgentLane *lane, AgentFlight *flight, const EnvelopeReply *reply,
                     const GError *error)
{
    if (!agent_flight_has_flag(flight, GUEST_FLAG_READ_ONLY))
        agent_lane_forget(lane);
    agent_flights_land(&lane->flights, flight, reply, error, agent_lane_now(lane));
    agent_lane_bound_messages(lane);
}

void agent_lane_land_failed(AgentLane *lane, const char *why)
{
    agent_flights_fail_all(&lane->flights, why, agent_lane_now(lane));
    agent_queue_refuse_resting(&lane->waiting, why);
    agent_lane_bound_messages(lane);
}

/* It is alone. */
gboolean agent_lane_land_silent(AgentLane *lane)
{
    AgentFlight *flight = agent_flights_first(&lane->flights);

    if (!flight || !agent_flight_has_flag(flight, GUEST_FLAG_SILENT))
        return FALSE;
    agent_lane_land(lane, flight, &envelope_empty_return, NULL);
    return TRUE;
}

/* Where a sync is to come before anything else is sent, as after a loss of any kind, that one sees
 * to it. */
void agent_lane_forget(AgentLane *lane)
{
    agent_cache_forget(&lane->cache);
    agent_flights_forget(&lane->flights);
}

gint64 agent_lane_sync_wait_ends(const AgentLane *lane)
{
    return agent_lane_now(lane) + LIMIT_SECONDS_UNSYNCED * G_USEC_PER_SEC;
}

/* A sync ends what was agreed, and all that is late. */
void agent_lane_begin_sync(AgentLane *lane)
{
    lane->way.asked = FALSE;
    lane->refuses_id = FALSE;
    lane->sync_due = FALSE;
    lane->terms = agent_terms_plain;
    agent_flights_drop_late(&lane->flights);
    agent_lane_forget(lane);
    sync_start(&lane->sync, agent_lane_now(lane));
    agent_queue_set_deadlines(&lane->waiting,
                              agent_lane_sync_wait_ends(lane)); /* for this sync from now on */
}

/* What was not written yet must not be carried out later; the 0xFF of the next sync makes half a
 * command harmless. */
void agent_lane_doubt(AgentLane *lane)
{
    stream_discard_output(&lane->stream);
    agent_lane_begin_sync(lane);
}

AgentStats agent_lane_stats(const AgentLane *lane)
{
    AgentStats stats = lane->stats;

    stats.depth = lane->terms.depth;
    stats.queued = agent_queue_length(&lane->waiting);
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
    lane->terms = agent_terms_plain;
    lane->ops->lost(lane->owner);
    agent_lane_land_silent(lane);
    agent_lane_land_failed(lane, "The agent's channel was closed");
    agent_queue_refuse_all(&lane->waiting, "The agent's channel was closed");
    link_connect(lane->link);
    agent_lane_set_timer(lane);
    agent_lane_announce(lane);
}

/* ---- The channel ----------------------------------------------------------------------------- */

static void on_io(gpointer owner, IoReady ready)
{
    AgentLane *lane = owner;
    g_autoptr(GError) error = NULL;

    if ((ready & (IO_READABLE | IO_HANGUP)) && !stream_fill(&lane->stream, &error))
        lose_channel(lane, error->message);
    else if (!stream_flush(&lane->stream, &error) && !(ready & IO_READABLE))
        lose_channel(lane, error->message);
    else if (!agent_lane_receive(lane))
        lose_channel(lane, "QEMU closed it");
}

void agent_lane_open(AgentLane *lane, int fd)
{
    static const QueueLimits limits = {LIMIT_OUTPUT_LOW, LIMIT_OUTPUT_HIGH, LIMIT_OUTPUT_HARD};

    lane->io = io_new(lane->loop, fd, on_io, lane);
    stream_init(&lane->stream, &io_stream, lane->io, &JSON_SCAN_LIMITS(LIMIT_AGENT_REPLY_BYTES),
                &limits, NULL);
}

static void on_connected(gpointer owner, int fd)
{
    AgentLane *lane = owner;

    agent_lane_open(lane, fd);
    lane->way.stopped = 0; /* that was the guest of a QEMU that has ended since */
    agent_lane_doubt(lane);
    agent_lane_pump(lane);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static gboolean is_full(const AgentLane *lane)
{
    return agent_flights_count(&lane->flights) >= lane->terms.depth; /* one, if plain */
}

/* What is under way is poison once nobody has time left for it. Where several may be under way an
 * id tells what comes late, and a sync would cost the others their answers: so the agent is asked
 * first whether it still hears, and brought into step if it says nothing to that either. */
static void face_silence(AgentLane *lane)
{
    gboolean awaited = agent_flights_first(&lane->flights) != NULL;

    if (awaited || (!is_full(lane) && !lane->checking))
        return;
    agent_lane_doubt(lane);
    agent_lane_bound_messages(lane);
}

static void fail_late(AgentLane *lane, gint64 now_us)
{
    GQueue late = G_QUEUE_INIT;
    guint count = agent_flights_split_late(&lane->flights, now_us, &late);

    if (count == 0)
        return;
    lane->stats.timeouts += count;
    face_silence(lane);
    agent_flights_fail_late(&lane->flights, &late);
    if (!is_full(lane) &&
        (agent_flights_are_unheard(&lane->flights) || queue_is_high(&lane->stream.queue)))
        agent_lane_check(lane);
}

/* Whether a thaw ever comes is others' to say, or the guest's: so it takes of the read's time. */
static void fail_frozen(AgentLane *lane, gint64 now_us)
{
    if (!lane->way.frozen || agent_queue_resting_deadline(&lane->waiting) > now_us)
        return;
    lane->stats.timeouts++;
    agent_queue_refuse_resting(&lane->waiting,
                               "The guest's filesystems are frozen, and the time limit is over");
}

static void on_timer(gpointer owner, gint64 now_us)
{
    AgentLane *lane = owner;

    fail_late(lane, now_us);
    fail_frozen(lane, now_us);
    /* A probe was not answered: half a message may stand before all that comes. Nothing of the
     * input is in hand here. */
    if (lane->io && waits_for_sync(lane) && sync_due(&lane->sync, now_us))
        stream_discard_input(&lane->stream);
    if (waits_for_sync(lane))
        agent_queue_refuse_late(&lane->waiting, now_us, "The guest agent does not answer");
    agent_lane_pump(lane);
}

/* ---- Public ---------------------------------------------------------------------------------- */

AgentLane *agent_lane_new(IoLoop *loop, const Address *address, const Bounds *bounds,
                          const AgentLaneOps *ops, gpointer owner, const HandoverPart *part,
                          GError **error)
{
    AgentLane *lane = g_new(AgentLane, 1);

    *lane = (AgentLane){.ops = ops, .owner = owner, .loop = io_loop_ref(loop), .bounds = bounds};
    lane->terms = agent_terms_plain;
    agent_flights_init(&lane->flights, bounds);
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
    agent_lane_land_failed(lane, "The proxy ended");
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
    agent_flights_foreach(&lane->flights, func, data);
}

void agent_lane_drop_orphans(AgentLane *lane)
{
    agent_flights_shorten_orphans(&lane->flights);
    agent_lane_set_timer(lane);
    agent_queue_drop_orphans(&lane->waiting);
}

void agent_lane_write_running(const AgentLane *lane, JsonWrite *write)
{
    agent_flights_write_names(&lane->flights, write);
}

const char *agent_lane_state_name(const AgentLane *lane)
{
    return agent_state_name(agent_lane_state(lane));
}

const Latency *agent_lane_latency(const AgentLane *lane)
{
    return lane->flights.latency;
}
