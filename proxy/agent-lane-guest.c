/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* agent-lane-guest: what the lane makes of what becomes of the guest, its port, and its monitor. */

#include "agent-lane-private.h"

/* Returns: FALSE where nothing was under way, nor known */
static gboolean forget_guest(AgentLane *lane)
{
    lane->way.stopped = 0;
    if (!lane->io)
        return FALSE;
    lane->ops->lost(lane->owner);
    agent_lane_doubt(lane);
    return TRUE;
}

void agent_lane_guest_started(AgentLane *lane, const char *why)
{
    if (!forget_guest(lane))
        return;
    if (!agent_lane_land_silent(lane))
        agent_lane_land_failed(lane, why);
    agent_queue_refuse_resting(&lane->waiting, why);
    agent_lane_pump(lane);
}

void agent_lane_guest_lost(AgentLane *lane, const char *why)
{
    if (!forget_guest(lane))
        return;
    agent_lane_land_failed(lane, why);
    agent_queue_refuse_all(&lane->waiting, why);
    agent_lane_pump(lane);
}

/* A sync would end what was agreed, and with it what is under way. */
void agent_lane_probe(AgentLane *lane)
{
    if (!lane->io || lane->way.port == PORT_CLOSED)
        return;
    if (lane->terms.depth > 1) {
        agent_lane_check(lane);
        return;
    }
    agent_lane_begin_sync(lane);
    if (agent_flights_count(&lane->flights) > 0)
        agent_lane_send_probe(lane);
    agent_lane_pump(lane);
}

void agent_lane_guest_stopped(AgentLane *lane, AgentState state)
{
    const char *why;

    lane->way.stopped = state;
    why = agent_way_obstacle(&lane->way, TRUE, TRUE, FALSE);
    if (!agent_lane_land_silent(lane))
        agent_lane_land_failed(lane, why);
    agent_queue_refuse_all(&lane->waiting, why);
    agent_lane_pump(lane);
}

void agent_lane_set_frozen(AgentLane *lane, gboolean frozen)
{
    AgentQuestion *resting = lane->waiting.resting;

    if (frozen && !lane->way.frozen && resting)
        agent_question_go_on(resting, agent_lane_now(lane)); /* its own time begins to run here */
    lane->way.frozen = frozen;
    agent_lane_forget(lane);
    agent_lane_set_timer(lane);
    agent_lane_announce(lane);
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
    agent_lane_pump(lane);
}

void agent_lane_abandon(AgentLane *lane, const char *why)
{
    if (lane->io)
        agent_lane_doubt(lane);
    agent_lane_land_failed(lane, why);
    agent_queue_refuse_all(&lane->waiting, why);
}

/* What was not written yet must not lie there until the next boot. */
static void on_port_closed(AgentLane *lane)
{
    if (lane->io)
        stream_discard_output(&lane->stream);
    sync_stop(&lane->sync);
    lane->ops->lost(lane->owner);
    agent_lane_land_silent(lane);
    agent_lane_land_failed(lane, "The guest agent closed its port");
    agent_queue_refuse_all(
        &lane->waiting,
        "The guest agent is not connected: nothing in the guest has opened its port");
}

/* Where each command is preceded by a look at the port, one that finds it open is good for the
 * command that is next. One that finds it closed is good for none: all that wait are refused, and
 * whatever comes later has a look of its own. */
static void note_look(AgentLane *lane)
{
    lane->way.asked = lane->way.asking && lane->way.port != PORT_CLOSED;
    lane->way.asking = FALSE;
}

void agent_lane_set_port(AgentLane *lane, PortState port, gboolean must_ask)
{
    PortState before = lane->way.port;

    lane->way.port = port;
    lane->way.must_ask = must_ask;
    note_look(lane);
    if (port != before)
        agent_lane_forget(lane);
    if (port == PORT_OPEN && before == PORT_CLOSED)
        lane->way.stopped = 0;
    if (port == PORT_CLOSED)
        on_port_closed(lane);
    else if (lane->io && (before == PORT_CLOSED || lane->sync.state == SYNC_OFF))
        agent_lane_doubt(lane);
    agent_lane_pump(lane);
}

/* Whoever waits for it does so until another look, by whoever is asked from now on, was answered.
 */
void agent_lane_look_failed(AgentLane *lane)
{
    lane->way.asking = FALSE;
}

void agent_lane_take_over(AgentLane *lane, AgentLane *former)
{
    lane->way.frozen = former->way.frozen;
    former->way.frozen = FALSE;
    agent_queue_move(&former->waiting, &lane->waiting);
    agent_queue_refuse_all(&former->waiting, "Another channel of the guest agent is used");
    agent_lane_probe(lane);
}

/* Those that wait go on doing so: a snapshot pauses the machine for some ms. */
static void lengthen_limits(AgentLane *lane, gint64 paused_us)
{
    agent_flights_lengthen(&lane->flights, paused_us);
    agent_queue_lengthen(&lane->waiting, paused_us);
}

void agent_lane_set_paused(AgentLane *lane, gboolean paused)
{
    if (paused == (lane->way.paused_us != 0))
        return;
    agent_lane_forget(lane);
    if (!paused)
        lengthen_limits(lane, agent_lane_now(lane) - lane->way.paused_us);
    lane->way.paused_us = paused ? agent_lane_now(lane) : 0;
    agent_lane_pump(lane);
}
