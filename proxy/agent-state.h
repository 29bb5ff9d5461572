/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-state: how far the proxy is with the guest agent, and how that is called.
 */

#pragma once

#include <glib.h>

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

G_END_DECLS
