/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-state: how far the proxy is with the guest agent, how that is called, and what is known of
 * the way to it.
 *
 * Leaves to the lane what the agent itself shows: that it answers, and that it is busy.
 */

#pragma once

#include "port.h"

G_BEGIN_DECLS

/* Of what holds at once, the first. */
typedef enum {
    AGENT_OFFLINE, /* the channel is not connected */
    AGENT_GONE,    /* the guest has shut down */
    AGENT_ASLEEP,  /* the guest was suspended */
    AGENT_PAUSED,  /* the machine stands still */
    AGENT_CLOSED,  /* nothing in the guest has opened the port */
    AGENT_FROZEN,  /* the agent answers, and filesystems are frozen */
    AGENT_BUSY,    /* a command is under way */
    AGENT_READY,
    AGENT_HUNG,    /* LIMIT_SYNC_HOPE syncs were not answered */
    AGENT_SYNCING, /* no sync was answered yet */
} AgentState;

/* As in qga-proxy-status and GUEST_AGENT_STATE. */
const char *agent_state_name(AgentState state);

typedef struct {
    PortState port;
    gboolean must_ask;
    gboolean asking;
    gboolean asked;     /* the port was looked at for the command that is next */
    gboolean blind;     /* QEMU's monitor is away */
    gboolean frozen;    /* as the freeze says */
    gint64 paused_us;   /* since when, or 0 */
    AgentState stopped; /* AGENT_GONE or AGENT_ASLEEP; else 0 */
} AgentWay;

/* Returns: AGENT_READY where nothing stands in the way. @connected: there is a channel */
AgentState agent_way_state(const AgentWay *way, gboolean connected);

/**
 * agent_way_obstacle:
 * @asked: by a client; our own commands keep nobody waiting, so they sit a pause out
 * @urgent: it is refused only where it could do nothing
 *
 * Returns: (nullable): why a command cannot be sent now, nor soon
 */
const char *agent_way_obstacle(const AgentWay *way, gboolean connected, gboolean asked,
                               gboolean urgent);

G_END_DECLS
