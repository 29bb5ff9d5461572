/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* agent-lane-handover: what a lane leaves to its successor. */

#include "agent-lane-private.h"

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
    saved_put_int(to, "depth", lane->terms.depth);
    saved_put_int(to, "lease", lane->terms.lease);
    saved_put_int(to, "lease-seconds", lane->lease);
    saved_put_int(to, "sync-due", lane->sync_due);
    agent_flights_save(&lane->flights, handover, to);
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
    agent_lane_open(lane, fd);
    if (!stream_restore(&lane->stream, part->from))
        g_warn_if_reached(); /* nothing is charged for it */
    if (saved_get_part(part->from, "sync", &sync))
        sync_restore(&lane->sync, &sync);
    g_variant_dict_clear(&sync);
    lane->refuses_id = saved_get_int(part->from, "refuses-id") != 0;
    lane->terms.depth = (guint)MAX(saved_get_int(part->from, "depth"), 1);
    lane->terms.lease = saved_get_int(part->from, "lease") != 0;
    lane->lease = (guint)saved_get_int(part->from, "lease-seconds");
    lane->sync_due = saved_get_int(part->from, "sync-due") != 0;
    agent_flights_restore(&lane->flights, part);
    agent_queue_restore(&lane->waiting, part);
    agent_lane_bound_messages(lane);
}

/* A command that was sent without id is known by its order, and behind it no sync is asked for: one
 * that is answered says that it was lost. */
void agent_lane_resume(AgentLane *lane, gboolean anew)
{
    const AgentFlight *first = agent_flights_first(&lane->flights);

    if (anew && (!first || first->with_id))
        agent_lane_probe(lane);
    else
        agent_lane_pump(lane);
}
