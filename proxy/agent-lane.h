/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-lane: a channel into the guest, shared by all who ask. Of several, channels.h uses one.
 *
 * Owns the sync, the queue, the commands that are under way, their time limits, and what of the
 * guest's bytes may be believed: one reply to each of those commands, rebuilt, and nothing else.
 * Leaves to the core whether the port is open and what happens to the guest as a whole, and is told
 * of both.
 *
 * Nothing is written before the channel is connected, its port not known to be closed, and a sync
 * answered; but for syncs, one unanswered at a time. One command is under way at a time, unless the
 * agent has agreed to more. Whatever goes wrong (the last time limit, rubbish, a limit that is
 * passed) fails what is under way and puts the lane back to syncing: a late reply then finds
 * nobody.
 */

#pragma once

#include "agent-state.h"
#include "bounds.h"
#include "handover.h"
#include "io.h"
#include "link.h"
#include "port.h"
#include "status.h"

#include "common/address.h"

G_BEGIN_DECLS

typedef struct AgentLane AgentLane;

typedef struct {
    /* A sync was answered: whatever was known of the agent may no longer hold. */
    void (*synced)(gpointer owner);
    /* The agent has gone, as far as is known: its port was closed, or the guest was reset. */
    void (*lost)(gpointer owner);
    /* agent_lane_state() has changed, where AGENT_BUSY counts as AGENT_READY. @state: its name */
    void (*changed)(gpointer owner, const char *state);
    /* Before a command is sent, where port_must_ask() applies: to be answered with
     * agent_lane_set_port(), or agent_lane_look_failed(). */
    void (*ask_port)(gpointer owner);
} AgentLaneOps;

/* @part: (nullable): of one that is carried on, for agent_lane_restore() to go on with */
AgentLane *agent_lane_new(IoLoop *loop, const Address *address, const Bounds *bounds,
                          const AgentLaneOps *ops, gpointer owner, const HandoverPart *part,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Fails what waits and what is under way. */
void agent_lane_free(AgentLane *lane);

/* The channel's address is shared with others; see link_share() and link_let_in(). */
void agent_lane_share(AgentLane *lane, LinkIsPeer is_peer, gpointer owner);
void agent_lane_let_in(AgentLane *lane, gboolean yes);

/* Connects to the channel, now or when it is there, and again whenever it is lost. */
void agent_lane_connect(AgentLane *lane);

/**
 * agent_lane_submit:
 * @pending: (transfer full): of a guest command; answered in any case, at once where it cannot be
 * sent
 */
void agent_lane_submit(AgentLane *lane, Pending *pending);

/* What QEMU says of the port. */
void agent_lane_set_port(AgentLane *lane, PortState port, gboolean must_ask);

/* It has said nothing: its monitor was lost. */
void agent_lane_look_failed(AgentLane *lane);

/* Whether filesystems are frozen: for the state. */
void agent_lane_set_frozen(AgentLane *lane, gboolean frozen);

/* Whether nobody can say how the port is, because QEMU's monitor was lost. Then a command that is
 * under way goes on, a thaw is sent behind a fresh sync, and all else is refused: it might lie
 * there until the next boot. */
void agent_lane_set_blind(AgentLane *lane, gboolean blind);

/* The agent may have been restarted unseen. What is under way goes on; if a sync that is sent
 * behind it is answered first, it is lost. Where several may be under way, the agent is asked
 * whether it still keeps to that. */
void agent_lane_probe(AgentLane *lane);

/* The guest went down or to sleep, as a silent command under way was to achieve; any other has no
 * answer any more. @state: AGENT_GONE or AGENT_ASLEEP, until agent_lane_guest_started() or its port
 * opens */
void agent_lane_guest_stopped(AgentLane *lane, AgentState state);

/* It starts anew, or woke up: a silent command has brought that about, another has no answer, the
 * stream is in doubt. */
void agent_lane_guest_started(AgentLane *lane, const char *why);

/* It has crashed, or runs elsewhere: what waits and what is under way has no answer. That it
 * answers again, a sync must show. */
void agent_lane_guest_lost(AgentLane *lane, const char *why);

/* QEMU has gone, and the guest with it: everything fails. */
void agent_lane_abandon(AgentLane *lane, const char *why);

/* The virtual machine is paused: time limits rest, and further commands are refused. */
void agent_lane_set_paused(AgentLane *lane, gboolean paused);

/**
 * agent_lane_allow_cache:
 * @text: as for agent_cache_allow()
 */
gboolean agent_lane_allow_cache(AgentLane *lane, const char *text,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * agent_lane_offer:
 * @lease: seconds that a freeze is to last in the guest, unless it is renewed; 0: as its own
 * configuration says
 *
 * The agent is known to have guest-capabilities, and was brought into step.
 */
void agent_lane_offer(AgentLane *lane, guint lease);

/**
 * agent_lane_set_lease:
 * @lease: as above
 * @renew: the freeze that is on has so long from now on; else it is told where it has changed
 */
void agent_lane_set_lease(AgentLane *lane, guint lease, gboolean renew);

/**
 * agent_lane_take_over:
 * @former: another of the same guest, with nothing under way
 *
 * Commands go to @lane from here on, and what waits for @former is asked here. Its agent is brought
 * into step first: it was not spoken to for some time.
 */
void agent_lane_take_over(AgentLane *lane, AgentLane *former);

/* Calls @func for each command that waits or is under way. */
void agent_lane_foreach(AgentLane *lane, void (*func)(Pending *pending, gpointer data),
                        gpointer data);

/* What nobody asks for any more is not sent, or has the time of its class from when it was. Whoever
 * hears of it may come with another command. */
void agent_lane_drop_orphans(AgentLane *lane);

AgentState agent_lane_state(const AgentLane *lane);
const char *agent_lane_state_name(const AgentLane *lane);

AgentStats agent_lane_stats(const AgentLane *lane);

/* An array of the names of the commands that are under way, those of our own among them. */
void agent_lane_write_running(const AgentLane *lane, JsonWrite *write);

/* Returns: STATUS_CLASSES of them, by GuestClass */
const Latency *agent_lane_latency(const AgentLane *lane);
void agent_lane_save(const AgentLane *lane, Handover *handover, Saved *to);

/**
 * agent_lane_restore:
 *
 * Carries on the channel with all that is under way on it, where it was connected. Whoever can be
 * meant is there already. Nothing is sent or told before agent_lane_resume().
 */
void agent_lane_restore(AgentLane *lane, const HandoverPart *part);

/* @anew: the agent may have become another one, and what was asked of it is to be asked again */
void agent_lane_resume(AgentLane *lane, gboolean anew);

G_END_DECLS
