/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * freeze: who has frozen the guest's filesystems, until when, and that they are thawed.
 *
 * A freeze has an owner and a lease. When the lease ends, or the owner leaves and has asked for
 * that, or nobody knows what became of a freeze or a thaw, it is thawed from here, again and again
 * until the agent says that it is. Before a freeze is sent it is on record (record.h), so that a
 * proxy that is started again thaws what the former one left frozen.
 *
 * Owns what is known of that, and every command about it on its way to the agent. Leaves the way
 * itself to agent-lane.h. A part of the core: it knows the lane, and the core tells it of the rest.
 */

#pragma once

#include "agent-lane.h"
#include "holds.h"
#include "record.h"

G_BEGIN_DECLS

typedef enum {
    FREEZE_THAWED,
    FREEZE_FREEZING, /* a freeze was asked for and is not answered */
    FREEZE_FROZEN,
    FREEZE_THAWING, /* from here, whoever has asked for the freeze */
} FreezeState;

typedef enum {
    THAW_ASKED,      /* somebody sent guest-fsfreeze-thaw: never told */
    THAW_LEASE,      /* the lease ended */
    THAW_OWNER_LEFT, /* and had asked for that */
    THAW_DOUBT,      /* a freeze was not answered, or an agent that was left may have ended one */
    THAW_RESTART,    /* a former proxy left it frozen */
    THAW_GUEST,      /* the guest was reset, or thawed itself */
} ThawReason;

typedef struct {
    /* It is thawed, or being so, and nobody has asked for that. @data: of the event GUEST_FSFREEZE,
     * an object */
    void (*changed)(gpointer owner, const char *data);
    /* It is thawed, or was not frozen after all: an agent that was met frozen called most of its
     * commands disabled. */
    void (*thawed)(gpointer owner);
} FreezeOps;

typedef struct {
    const FreezeOps *ops;
    gpointer owner;
    AgentLane *lane; /* not owned */
    IoLoop *loop;
    IoTimer *timer;
    Record *record;      /* (nullable): where there is a state directory */
    guint lease_seconds; /* 0: for ever */

    FreezeState state;
    Pending *unrecorded;     /* (nullable): the freeze that waits until it is on record */
    const Pending *admitted; /* (nullable): the freeze that is FREEZING, not one that was refused */
    gboolean joins;          /* others may join it who ask for the same */
    GQueue joining;          /* of Pending: they do, once it is answered */
    gboolean all;        /* it is of all filesystems, so that what the others ask for is the same */
    gint64 count;        /* of filesystems that were frozen */
    Holds holds;         /* the owner's, and of those who joined */
    Holds untold;        /* whom it ended for, or ends, and who were not told */
    gboolean stopped;    /* the proxy ends: what fails now says nothing of the guest */
    char *by;            /* (nullable): who the owner is, or was */
    gint64 since_us;     /* of the real time */
    gint64 until_us;     /* of the loop's time: when the lease ends; 0 for never */
    gboolean needs_sync; /* a thaw was sent since the last sync */
    gboolean asking;     /* a command of our own is under way */
    ThawReason reason;   /* why it is being thawed */
    ThawReason told;     /* why, as it was told; THAW_ASKED where nothing was */
    char *ended;         /* (nullable): what those are told: that the freeze was no more */
    guint64 thaws;       /* that nobody had asked for */

    /* Where there are, or were, several agents: freeze-agents.c has when these are set. */
    gboolean status_untrusted; /* another agent has frozen it: the one that is asked need not know
                                * of it, so that only a thaw of its own says that it is thawed */
    gboolean may_act_late;     /* since it was last brought into step the agent was sent a freeze or
                                * a thaw that it has not answered, and may still carry out */
    gboolean overtaken;  /* while what is under way was, another agent may have done such a thing */
    gboolean status_due; /* the agent that answers now was not asked for its status */
} Freeze;

/* Without a lane nothing here is ever called. */
void freeze_init(Freeze *freeze, IoLoop *loop, const FreezeOps *ops, gpointer owner);
void freeze_clear(Freeze *freeze);

/* QEMU has gone: a freeze that waits for its record must not be sent any more. */
void freeze_abandon(Freeze *freeze, const char *why);

/* Whether a guest that is frozen, or may be, is on record. */
gboolean freeze_is_on_record(const Freeze *freeze);

/* QEMU has ended, and what it ran is frozen no more: nothing is left on record. */
void freeze_forget(Freeze *freeze);

/* The proxy ends: what is on record stays. */
void freeze_stop(Freeze *freeze);

/**
 * freeze_set_record:
 * @record: (transfer full): if something is on it, the guest is thawed as soon as the agent answers
 */
void freeze_set_record(Freeze *freeze, Record *record);

/**
 * freeze_submit:
 * @pending: (transfer full): a guest command; answered in any case
 * @by: who asks
 */
void freeze_submit(Freeze *freeze, Pending *pending, const char *by);

/* To be called when a guest command was answered, before the asker hears of it. */
void freeze_answered(Freeze *freeze, const Pending *pending, const EnvelopeReply *reply);

/* @thaw: the client has asked for that */
void freeze_client_left(Freeze *freeze, gpointer client, gboolean thaw);

/* A freeze that waits for its record counts as what waits for the lane. */
void freeze_foreach(Freeze *freeze, void (*func)(Pending *pending, gpointer data), gpointer data);

/* The guest starts anew: nothing is frozen any more. */
void freeze_guest_started(Freeze *freeze);

/* The agent may answer again. */
void freeze_agent_synced(Freeze *freeze);

/* The next one that answers may be another. */
void freeze_agent_lost(Freeze *freeze);

/* ---- freeze-agents.c: several agents of one guest -------------------------------------------- */

/* The way to the one of them that is to be asked. */
void freeze_set_lane(Freeze *freeze, AgentLane *lane);

/* It is another one than before, and is about to be brought into step: what is frozen stays so.
 * @frozen: that agent may believe that filesystems are frozen, as they were when it was left */
void freeze_agent_changed(Freeze *freeze, gboolean frozen);

/* What is on record may have been frozen by any of several agents, so that the status of the one
 * that is asked says nothing yet. For before anything happens. */
void freeze_distrust_status(Freeze *freeze);

/* None of them is there any more, nor the guest: what the next one says is believed. */
void freeze_agents_gone(Freeze *freeze);

/* An agent that is asked no more was left while it could still act on a freeze or a thaw. It was
 * brought into step now, and has done what it ever will. */
void freeze_late_agent_synced(Freeze *freeze);

/* ---- Its lease, and how it is told ------------------------------------------------------------
 */

/**
 * freeze_renew:
 * @seconds: from now on; 0 for the usual lease
 *
 * Returns: FALSE where nothing is frozen
 */
gboolean freeze_renew(Freeze *freeze, guint seconds);

/* Returns: seconds that the agent is to give a freeze, the one that is on or the next: a little
 * more than it has here, so that the guest ends it where nobody is here; 0 where its lease has no
 * end */
guint freeze_guest_lease(const Freeze *freeze);

const char *freeze_state_name(const Freeze *freeze);

/* Returns: seconds until it is thawed; -1 where nothing is frozen, or for ever */
gint64 freeze_lease_left(const Freeze *freeze);

/* Appends an object, for qga-proxy-status. */
void freeze_write_status(const Freeze *freeze, JsonWrite *write);

void freeze_save(const Freeze *freeze, Handover *handover, Saved *to);

/* Who has frozen it, and until when. @pending: (nullable): the freeze that is under way in the lane
 */
void freeze_restore(Freeze *freeze, const HandoverPart *part, const Pending *pending);

/* Does what is to be done about it; the lane has been resumed before, which may have to ask QEMU
 * first. */
void freeze_resume(Freeze *freeze);

G_END_DECLS
