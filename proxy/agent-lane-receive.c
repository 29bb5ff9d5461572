/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* agent-lane-receive: what of the guest's bytes the lane believes, and who is told. */

#include "agent-lane-private.h"

#include "common/qmp-error.h"
#include "common/scratch.h"

/* Handed to all who asked as it is. The allocation of @text was made in powers of two. */
static GBytes *share(AgentLane *lane, const EnvelopeReply *rebuilt, GString **text)
{
    gsize len = (*text)->len;

    if (len == 0)
        return stream_steal(&lane->stream, rebuilt->value);
    return g_bytes_new_take(g_realloc(g_string_free(g_steal_pointer(text), FALSE), len), len);
}

static void land_read(AgentLane *lane, AgentFlight *flight)
{
    g_autoptr(GBytes) shared = agent_read_finish(flight->question->read);
    EnvelopeReply whole = {.kind = ENVELOPE_RETURN, .shared = shared};

    whole.value.text = g_bytes_get_data(shared, &whole.value.len);
    agent_lane_land(lane, flight, &whole, NULL);
}

static void land_wrong(AgentLane *lane, AgentFlight *flight)
{
    g_autoptr(GError) error = NULL;

    qmp_error_set(&error, "The guest agent's answer to %s is not what it was asked for",
                  agent_flight_command(flight)->name);
    agent_lane_land(lane, flight, NULL, error);
}

/* Returns: FALSE where @reply is to be passed on as it is */
static gboolean take_piece(AgentLane *lane, AgentFlight *flight, const EnvelopeReply *reply)
{
    gint64 now_us = agent_lane_now(lane);

    switch (agent_read_take(flight->question->read, reply, io_stream.large)) {
    case AGENT_READ_ANSWERED: return FALSE;
    case AGENT_READ_WHOLE: land_read(lane, flight); break;
    case AGENT_READ_WRONG: land_wrong(lane, flight); break;
    case AGENT_READ_ON:
        agent_queue_rest(&lane->waiting, agent_flights_rest(&lane->flights, flight, now_us), now_us,
                         agent_lane_sync_wait_ends(lane));
        agent_lane_bound_messages(lane);
        if (lane->way.blind) /* as all that waited was when that began */
            agent_queue_refuse_resting(&lane->waiting, "QEMU's monitor was lost");
    }
    return TRUE;
}

static void deliver(AgentLane *lane, AgentFlight *flight, const EnvelopeReply *reply)
{
    g_autoptr(Scratch) text = scratch_new();
    g_autoptr(GBytes) shared = NULL;
    g_autoptr(GError) error = NULL;
    EnvelopeReply rebuilt;
    gboolean oversized;

    if (!flight->question) { /* it is late */
        agent_lane_land(lane, flight, NULL, NULL);
        return;
    }
    if (flight->question->read && take_piece(lane, flight, reply))
        return;
    if (!agent_flight_rebuild(flight, reply, text, &rebuilt, &oversized, &error)) {
        lane->stats.oversized += oversized;
        agent_lane_land(lane, flight, NULL, error);
        return;
    }
    if (rebuilt.value.len >= AGENT_FLIGHT_LARGE) {
        shared = rebuilt.shared = share(lane, &rebuilt, &text);
        rebuilt.value.text = g_bytes_get_data(shared, NULL);
    }
    if (flight->may_keep)
        agent_cache_keep(&lane->cache, agent_flight_command(flight), rebuilt.value,
                         flight->begun_us);
    agent_lane_land(lane, flight, &rebuilt, NULL);
}

static void on_synced(AgentLane *lane)
{
    /* The agent works in order: a silent command that it left behind has succeeded. Any other was
     * never there: another agent answers than the one that it was sent to. One of the two, since
     * the answer may bring the next command, which takes off at once. A read between two pieces
     * goes on: an agent that does not know its file says so. */
    if (!agent_lane_land_silent(lane) && agent_flights_count(&lane->flights) > 0)
        agent_lane_land_failed(lane, "The guest agent was restarted");
    lane->ops->synced(lane->owner);
}

/* An agent of 2011 knows no id. It says so once, and the command is sent again without; there is
 * but one. */
static gboolean is_id_refused(AgentLane *lane, const EnvelopeReply *reply)
{
    AgentFlight *flight = agent_flights_first(&lane->flights);

    if (!flight || lane->terms.depth > 1 || !agent_flight_is_id_refused(flight, reply))
        return FALSE;
    lane->refuses_id = TRUE;
    agent_lane_take_off(lane, agent_flights_withdraw(&lane->flights, flight));
    return TRUE;
}

static void on_message(AgentLane *lane, JsonSpan message)
{
    EnvelopeReply reply;
    AgentFlight *flight;

    if (!envelope_read_reply_past(message, stream_long_string(&lane->stream), &reply)) {
        lane->stats.dropped++;
        return;
    }
    flight = agent_flights_find(&lane->flights, &reply, lane->sync.state == SYNC_DONE,
                                stream_bytes_taken(&lane->stream));
    if (flight) {
        deliver(lane, flight, &reply);
    } else if (is_id_refused(lane, &reply)) {
        return;
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
    agent_lane_doubt(lane);
    agent_lane_land_failed(lane, "The guest agent sent something that is no reply");
}

gboolean agent_lane_receive(AgentLane *lane)
{
    JsonSpan message;

    for (;;) {
        switch (stream_next(&lane->stream, &message)) {
        case STREAM_MESSAGE: on_message(lane, message); break;
        case STREAM_FAULT: on_fault(lane); break;
        case STREAM_END: return FALSE;
        case STREAM_NO_ROOM: /* not without a charge */
        case STREAM_IDLE: agent_lane_pump(lane); return TRUE;
        }
    }
}
