/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* agent-lane-send: what of the lane's commands goes to the agent, and when. */

#include "agent-lane-private.h"

#include "common/limits.h"
#include "common/scratch.h"

/* A channel that broke is not lost here, under the feet of whoever submits a command: the kernel
 * reports it, and on_io() sees to it in a turn of its own. The queue has room: a doubt empties it,
 * and see has_room().
 */
static void write_text(AgentLane *lane, const GString *text)
{
    g_autoptr(GError) error = NULL;

    if (!stream_send_now(&lane->stream, text->str, text->len, &error))
        g_debug("agent's channel: %s", error->message);
}

static void append_probe(AgentLane *lane, GString *text)
{
    lane->stats.syncs++;
    sync_probe(&lane->sync, agent_lane_now(lane), (gint64)agent_flight_random_63(), text);
}

void agent_lane_send_probe(AgentLane *lane)
{
    g_autoptr(Scratch) text = scratch_new();

    append_probe(lane, text);
    write_text(lane, text);
}

/* One that the agent must carry out in the plain protocol: its silence tells something only where
 * commands are in order, or it is a sync that the agent has to refuse in its own words. */
static gboolean is_plain(const Pending *command)
{
    gint64 unused;

    return pending_has_flag(command, GUEST_FLAG_SILENT) ||
           (g_str_has_prefix(command->name, "guest-sync") &&
            !sync_is_asked_for(command->name, pending_arguments(command), &unused));
}

void agent_lane_take_off(AgentLane *lane, AgentQuestion *question)
{
    const Pending *command = agent_question_command(question);
    g_autoptr(Scratch) text = scratch_new();
    gboolean plain = lane->terms.depth == 1;
    AgentFlight *flight;

    lane->way.asked = FALSE;
    lane->stats.commands++;
    if (!pending_has_flag(command, GUEST_FLAG_READ_ONLY))
        agent_lane_forget(lane);
    if (!plain && is_plain(command)) {
        g_string_append_c(text, '\xFF');
        agent_flights_drop_late(&lane->flights);
        lane->terms = agent_terms_plain;
        lane->sync_due = TRUE;
        plain = TRUE;
    }
    flight = agent_flights_begin(&lane->flights, question, !lane->refuses_id,
                                 stream_bytes_read(&lane->stream), agent_lane_now(lane));
    agent_lane_bound_messages(lane);
    if (!plain)
        agent_flight_ping(flight);
    agent_flight_write(flight, text);
    g_string_append_c(text, '\n');
    if (pending_has_flag(command, GUEST_FLAG_SILENT)) {
        agent_lane_begin_sync(lane);
        append_probe(lane, text);
    }
    write_text(lane, text);
}

/* Behind a command under way there is one sync; an agent that does not know the delimited one is
 * asked in plain words at once. */
static gboolean is_probe_due(const AgentLane *lane)
{
    if (!lane->io || lane->way.port == PORT_CLOSED || lane->way.paused_us)
        return FALSE;
    if (agent_flights_count(&lane->flights) > 0 && !(lane->sync.plain && lane->sync.probes == 1))
        return FALSE;
    return sync_due(&lane->sync, agent_lane_now(lane));
}

/* One that was not read yet is not worth a second: a guest that sleeps would wake up to thousands.
 * But it is hung like one that reads and does not answer. */
static void probe(AgentLane *lane)
{
    if (queue_length(&lane->stream.queue) == 0)
        agent_lane_send_probe(lane);
    else if (lane->sync.probes > 0)
        sync_wait(&lane->sync, agent_lane_now(lane));
}

static gboolean is_bulk(const Pending *command)
{
    return pending_has_flag(command, GUEST_FLAG_BULK);
}

/* Between two pieces of a large read others have their turn, but not who would find, or leave, the
 * file at another place than before and behind all of it; nor another large read, as the two would
 * be held here together. The next piece itself waits for the end of a freeze, since an agent reads
 * nothing during one. */
static gboolean waits_for_read(const AgentLane *lane, const AgentQuestion *question)
{
    const AgentFlights *flights = &lane->flights;
    const AgentQuestion *begun =
        lane->waiting.resting ? lane->waiting.resting : agent_flights_read(flights);

    if (!begun)
        return FALSE;
    if (question == begun)
        return lane->way.frozen || agent_flights_await(flights, pending_is_freeze_or_thaw);
    return question->read || (question->on_file && question->handle == begun->handle);
}

/* A freeze and a thaw are one after the other, and what may be large comes alone. Not so beside
 * what is late: a thaw is what ends a freeze that is, and an agent that has not ended one refuses
 * the next by itself. */
static gboolean excludes(const AgentFlights *flights, const Pending *command)
{
    if (pending_is_freeze_or_thaw(command))
        return agent_flights_await(flights, pending_is_freeze_or_thaw);
    return is_bulk(command) && agent_flights_await(flights, is_bulk);
}

/* Whether one more may be under way: what is urgent may be one too many, and is sent even to an
 * agent that was not heard of since something was late. All else waits here while the guest has
 * more to read than a little, so that the queue has room for the largest command, and behind it for
 * a thaw. */
static gboolean has_room(const AgentLane *lane, const Pending *command)
{
    guint count = agent_flights_count(&lane->flights);

    if (pending_is_urgent(command))
        return count < lane->terms.depth + 1;
    return count < lane->terms.depth && !agent_flights_are_unheard(&lane->flights) &&
           !queue_is_high(&lane->stream.queue);
}

/* What goes beside what is under way. */
static AgentQueueTurn turn_of(const AgentQuestion *question, gconstpointer data)
{
    const AgentLane *lane = data;
    const Pending *command = agent_question_command(question);

    if (waits_for_read(lane, question))
        return AGENT_QUEUE_WAIT;
    if (agent_flights_count(&lane->flights) == 0)
        return AGENT_QUEUE_GO;
    if (lane->terms.depth == 1)
        return AGENT_QUEUE_STOP;
    if (is_plain(command)) /* which ends what is late */
        return agent_flights_first(&lane->flights) ? AGENT_QUEUE_STOP : AGENT_QUEUE_GO;
    if (!has_room(lane, command))
        return AGENT_QUEUE_STOP;
    return excludes(&lane->flights, command) ? AGENT_QUEUE_WAIT : AGENT_QUEUE_GO;
}

static gboolean may_take_off(const AgentLane *lane)
{
    return agent_way_state(&lane->way, lane->io != NULL) == AGENT_READY &&
           lane->sync.state == SYNC_DONE && !lane->sync_due && !lane->way.asking;
}

static void ask_port(AgentLane *lane)
{
    if (!lane->way.must_ask || lane->way.asked || lane->way.asking ||
        agent_queue_length(&lane->waiting) == 0)
        return;
    lane->way.asking = TRUE;
    lane->ops->ask_port(lane->owner);
}

/* The agent was sent a client's own sync, and keeps to nothing that was agreed. */
static gboolean must_sync(const AgentLane *lane)
{
    return lane->sync_due && agent_flights_count(&lane->flights) == 0;
}

/* A sync that is due, or the next commands. */
void agent_lane_pump(AgentLane *lane)
{
    AgentQuestion *question;

    agent_queue_drop_orphans(&lane->waiting);
    if (must_sync(lane))
        agent_lane_begin_sync(lane);
    if (is_probe_due(lane))
        probe(lane);
    for (;;) {
        ask_port(lane);
        if (!may_take_off(lane) || !(question = agent_queue_next(&lane->waiting, turn_of, lane)))
            break;
        agent_lane_take_off(lane, question);
    }
    agent_lane_set_timer(lane);
    agent_lane_announce(lane);
}

/* Returns: (nullable): why a command cannot be sent now, nor soon. A thaw is refused only where it
 * could do nothing: others' commands and a silent agent's past do not stand in its way. */
static const char *obstacle(const AgentLane *lane, const Pending *pending)
{
    gboolean urgent = pending_is_urgent(pending);
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
        !agent_cache_answer(&lane->cache, pending, agent_lane_now(lane)))
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
    if (agent_queue_push(&lane->waiting, pending, agent_lane_sync_wait_ends(lane)))
        lane->stats.coalesced++;
    if (lane->way.blind && agent_flights_count(&lane->flights) == 0)
        agent_lane_begin_sync(lane);
    agent_lane_pump(lane);
}
