/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* agent-lane-terms: what the lane agrees with an agent that can do more than the plain protocol. */

#include "agent-lane-private.h"

#include "common/limits.h"

/* As soon as a sync would be. */
static void ask(AgentLane *lane, const char *arguments, guint seconds, PendingDone done)
{
    Pending *pending = pending_new_own("guest-capabilities", arguments, done, lane);

    pending->urgent = TRUE;
    pending->seconds = seconds;
    agent_lane_submit(lane, pending);
}

/* A sync that was begun meanwhile has ended it again. */
static void on_agreed(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    AgentLane *lane = pending->owner;

    if (reply && lane->sync.state == SYNC_DONE)
        lane->terms = agent_terms_read(reply->value);
    else if (error)
        g_debug("agent's channel: %s", error->message);
}

void agent_lane_offer(AgentLane *lane, guint lease)
{
    g_autofree char *arguments = agent_terms_offer(lease);

    lane->lease = lease;
    ask(lane, arguments, LIMIT_SECONDS_UNSYNCED, on_agreed);
}

static void on_renewed(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    if (error)
        g_debug("agent's channel: %s", error->message);
}

void agent_lane_set_lease(AgentLane *lane, guint lease, gboolean renew)
{
    g_autofree char *arguments = NULL;

    if (lease == lane->lease && !renew)
        return;
    lane->lease = lease;
    if (!lane->terms.lease)
        return;
    arguments = agent_terms_renew(lease);
    ask(lane, arguments, LIMIT_SECONDS_UNSYNCED, on_renewed);
}

/* An agent that keeps to nothing was restarted, or somebody else has spoken to it: what it owed is
 * lost. Where it says nothing of that, its time limit tells. */
static void on_checked(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    AgentLane *lane = pending->owner;

    lane->checking = FALSE;
    if (!pending->answered || lane->sync.state != SYNC_DONE || lane->terms.depth == 1 ||
        (reply && agent_terms_read(reply->value).depth > 1))
        return;
    agent_lane_doubt(lane);
    agent_lane_land_failed(lane, "The guest agent was restarted");
}

void agent_lane_check(AgentLane *lane)
{
    gboolean crowded = agent_flights_count(&lane->flights) >= lane->terms.depth / 2;

    if (lane->checking)
        return;
    lane->checking = TRUE;
    ask(lane, NULL, crowded ? LIMIT_SECONDS_UNSYNCED : LIMIT_SECONDS_UNHEARD, on_checked);
}
