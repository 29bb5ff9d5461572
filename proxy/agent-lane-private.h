/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* agent-lane-private: what the files of the lane share. For none but agent-lane*.c. */

#pragma once

#include "agent-cache.h"
#include "agent-flights.h"
#include "agent-lane.h"
#include "agent-queue.h"
#include "agent-terms.h"

#include "common/sync.h"

G_BEGIN_DECLS

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
    AgentTerms terms;
    guint lease;       /* seconds that the agent is to give a freeze; 0: as many as it likes */
    gboolean checking; /* the agent is being asked whether it keeps to that */
    gboolean sync_due; /* once nothing is under way: the agent was sent a client's sync */
    AgentFlights flights;
    AgentQueue waiting;
    AgentCache cache;
    AgentStats stats; /* bytes are those of former connections */
};

/* ---- agent-lane.c ---------------------------------------------------------------------------- */

gint64 agent_lane_now(const AgentLane *lane);

/* What the guest was asked before may be answered otherwise from now on. */
void agent_lane_forget(AgentLane *lane);

/* The agent is to be brought into step; what is under way goes on. */
void agent_lane_begin_sync(AgentLane *lane);

/* Whatever was believed of the stream no longer holds. */
void agent_lane_doubt(AgentLane *lane);

/* It is under way no more, and all who asked are told. */
void agent_lane_land(AgentLane *lane, AgentFlight *flight, const EnvelopeReply *reply,
                     const GError *error);

/* Fails all that is under way. */
void agent_lane_land_failed(AgentLane *lane, const char *why);

/* A silent command has done what it should: the guest goes down or to sleep, or does other things
 * already. Returns: whether there was one */
gboolean agent_lane_land_silent(AgentLane *lane);

/* Tells what has changed. To be called last: whoever is told may come with a command. */
void agent_lane_announce(AgentLane *lane);

void agent_lane_set_timer(AgentLane *lane);

/* Returns: until when a command waits for a sync that begins now */
gint64 agent_lane_sync_wait_ends(const AgentLane *lane);

/* Its largest message, by what is under way. */
void agent_lane_bound_messages(AgentLane *lane);

void agent_lane_open(AgentLane *lane, int fd);

/* ---- agent-lane-receive.c -------------------------------------------------------------------- */

/* Sees to all that has come, then sends. Returns: FALSE at the end of the stream */
gboolean agent_lane_receive(AgentLane *lane);

/* ---- agent-lane-send.c ----------------------------------------------------------------------- */

void agent_lane_send_probe(AgentLane *lane);

/* @question: (transfer full): to be asked now */
void agent_lane_take_off(AgentLane *lane, AgentQuestion *question);

/* Sends what may be sent now: a sync that is due, or commands. Announces. */
void agent_lane_pump(AgentLane *lane);

/* ---- agent-lane-terms.c ---------------------------------------------------------------------- */

/* Asks whether the agent still keeps to what was agreed with it; one that does not is another. */
void agent_lane_check(AgentLane *lane);

G_END_DECLS
