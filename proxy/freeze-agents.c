/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * freeze-agents: the freeze of a guest that has several agents, of which one is in use.
 *
 * What one agent has frozen any other thaws: the filesystems are the guest's. But each knows only
 * of its own freezes. One that comes into use need not know of the freeze that is on; one that was
 * left may still carry out what it was sent, behind everybody's back; and one that others have
 * thawed for refuses its commands until it is told. So there are four flags in Freeze:
 *
 *   flag              set when                      cleared when                 forbids
 *   ----------------  ----------------------------  ---------------------------  -----------------
 *   status_untrusted  another agent comes into use  the one in use has frozen,   to believe that
 *                     while it is not thawed;       or thawed and was not over-  nothing is frozen;
 *                     a freeze is on record, of     taken in that; it is known   to pass a client's
 *                     any of several; a late agent  to be thawed; all agents     question for the
 *                     synced while not THAWED       are gone                     status on
 *   may_act_late      the agent in use was sent a   that agent is in step again; (nothing; goes
 *                     freeze or a thaw that it has  it is left; all agents are   with an agent that
 *                     not answered                  gone                         is left: Channel)
 *   overtaken         a late agent synced while     the thaw that follows, or    to believe the
 *                     not THAWED                    is under way, has ended; the answer to what is
 *                                                   next freeze begins           under way
 *   status_due        the agent was lost; another   the agent has answered       (nothing; asked
 *                     comes into use                                             at the next sync)
 *
 * A late agent is one that was left while it may_act_late. Its sync says that it has done by now
 * what it ever will.
 *
 * Leaves to freeze.c the states and how the guest is thawed, and to channels.h which agent is in
 * use, and which of those that were left are late.
 */

#include "freeze-private.h"
#include "freeze-words.h"

void freeze_set_lane(Freeze *freeze, AgentLane *lane)
{
    freeze->lane = lane;
}

void freeze_note_unanswered(Freeze *freeze, const Pending *pending)
{
    freeze->may_act_late |= pending->sent_us > 0 && !pending->answered;
}

void freeze_distrust_status(Freeze *freeze)
{
    freeze->status_untrusted = freeze->state != FREEZE_THAWED;
}

/* Nothing is known to be frozen: nobody holds it, so nobody is told. */
static void become_thawing_quietly(Freeze *freeze)
{
    freeze_set_owner(freeze, NULL, FREEZE_STRANGER);
    holds_drop(&freeze->holds);
    freeze_become_thawing(freeze, THAW_ASKED);
}

void freeze_agent_changed(Freeze *freeze, gboolean frozen)
{
    freeze_distrust_status(freeze);
    freeze->may_act_late = FALSE;
    freeze_agent_lost(freeze);
    if (frozen && freeze->state == FREEZE_THAWED)
        become_thawing_quietly(freeze);
}

void freeze_agents_gone(Freeze *freeze)
{
    freeze->status_untrusted = FALSE;
    freeze->may_act_late = FALSE;
}

/* A thaw by the agent in use leaves what its own freeze found frozen: so another follows, which is
 * about no freeze that it knows. */
void freeze_begin_thawing_all(Freeze *freeze)
{
    freeze->status_untrusted = TRUE;
    freeze->overtaken = TRUE;
    freeze_begin_thawing(freeze, THAW_DOUBT);
}

/* A freeze that came late is one that nobody has asked for any more, and a thaw may have ended
 * what another agent has frozen since. */
void freeze_late_agent_synced(Freeze *freeze)
{
    switch (freeze->state) {
    case FREEZE_THAWED:
        become_thawing_quietly(freeze);
        agent_lane_probe(freeze->lane);
        freeze_try_thaw(freeze);
        break;
    case FREEZE_FREEZING: freeze->overtaken = TRUE; break;
    case FREEZE_FROZEN: freeze_begin_thawing_all(freeze); break;
    case FREEZE_THAWING: /* a thaw that is under way may be over for what was frozen now */
        freeze->status_untrusted = TRUE;
        freeze->overtaken = TRUE;
        break;
    }
}
