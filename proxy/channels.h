/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * channels: the ways to the guest's agent, of which one is in use.
 *
 * A guest may have its agent on any of several channels, or one on each. Owns a lane for each, with
 * what QEMU says of its port, and which of them is in use: the first whose agent answers, until
 * that is of no use any more and another's agent answers. The others are connected and brought into
 * step, and are sent nothing else. Leaves commands to the lanes; what is told of lanes is told of
 * the one in use. A part of the core, which knows what a change means to the rest.
 */

#pragma once

#include "watch.h"

G_BEGIN_DECLS

typedef struct Channels Channels;

typedef struct {
    Channels *channels;
    AgentLane *lane;
    Watch watch;
    Address *address;
    gboolean may_act_late; /* when it was left it had not answered a freeze or a thaw */
    gboolean frozen;       /* when it was left filesystems were frozen, or may have been */
    int former;            /* its number in what a former core left, or -1 */
} Channel;

typedef struct {
    void (*synced)(gpointer owner);
    void (*lost)(gpointer owner);
    void (*changed)(gpointer owner, const char *state);
    /* Another is in use from now on, and is about to be brought into step. @former: whose
     * may_act_late and frozen are to be set */
    void (*changed_over)(gpointer owner, Channel *former);
    /* None is connected: QEMU has gone, and the guest with it. */
    void (*all_offline)(gpointer owner);
    /* One that was left and may act late was brought into step: what it was sent it has done by
     * now. */
    void (*late_synced)(gpointer owner);
} ChannelsOps;

struct Channels {
    const ChannelsOps *ops;
    gpointer owner;
    IoLoop *loop;
    GPtrArray *all; /* of Channel, in the order in which they are preferred */
    Channel *used;  /* (nullable): where there is any */
    Channel *stray; /* (nullable): a former core's, in use there, that is none of these: it is
                       there until channels_resume(), for what was under way */
    gboolean gone;  /* none was connected, and none has been used since */
    gboolean met;   /* an agent has answered: from then on one is left only for a reason */
    IoTimer *timer; /* until then: for those that are preferred to answer, too */
};

void channels_init(Channels *channels, IoLoop *loop, const ChannelsOps *ops, gpointer owner);
void channels_clear(Channels *channels);

/**
 * channels_add:
 * @part: (nullable): as for agent_lane_new()
 * @former: the number that the channel has there
 *
 * The first is in use until it turns out that another is to be.
 */
gboolean channels_add(Channels *channels, const Address *address, const Bounds *bounds,
                      const HandoverPart *part, guint former,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Those that are not connected are from now on, as soon as they can be. */
void channels_connect(Channels *channels);

/* @upstream: (nullable): who is to be asked about the guest; NULL where QEMU's monitor was lost */
void channels_lead(Channels *channels, Upstream *upstream);

/* An event of QEMU's. */
void channels_event(Channels *channels, const EnvelopeReply *event);

/* For one whose address that is, agent_lane_share(). Returns: whether there is one */
gboolean channels_share(Channels *channels, const Address *address, LinkIsPeer is_peer,
                        gpointer owner);

/* These are agent_lane_X() of each. */
void channels_abandon(Channels *channels, const char *why);
void channels_foreach(Channels *channels, void (*func)(Pending *pending, gpointer data),
                      gpointer data);
void channels_drop_orphans(Channels *channels);
gboolean channels_allow_cache(Channels *channels, const char *text,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The number of the one in use, from 0. */
guint channels_number(const Channels *channels);

/* Of all together; but what is queued, and how much at once, is told of the one in use. */
AgentStats channels_stats(const Channels *channels);

/* @sum: STATUS_CLASSES of them, that are added to */
void channels_add_latency(const Channels *channels, Latency *sum);

/* Each in a part of its own in @to. */
void channels_save(const Channels *channels, Handover *handover, Saved *to);

/* agent_lane_restore() for each; @from: as it was saved. */
void channels_restore(Channels *channels, const Bounds *bounds, const HandoverPart *from);

/* In the place of channels_lead(), where all was asked and answered before. */
void channels_restore_lead(Channels *channels, Upstream *upstream, Saved *from);
void channels_resume(Channels *channels, gboolean anew);

/* Returns: (transfer full): what the part of the channel with this number is called */
char *channels_part_name(const char *name, guint number);

G_END_DECLS
