/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-state.h"

const char *agent_state_name(AgentState state)
{
    static const char *const names[] = {
        [AGENT_OFFLINE] = "offline", [AGENT_GONE] = "gone",     [AGENT_ASLEEP] = "asleep",
        [AGENT_PAUSED] = "paused",   [AGENT_CLOSED] = "closed", [AGENT_BUSY] = "busy",
        [AGENT_FROZEN] = "frozen",   [AGENT_READY] = "ready",   [AGENT_HUNG] = "hung",
        [AGENT_SYNCING] = "syncing",
    };

    return names[state];
}

AgentState agent_way_state(const AgentWay *way, gboolean connected)
{
    if (!connected)
        return AGENT_OFFLINE;
    if (way->stopped)
        return way->stopped;
    if (way->paused_us)
        return AGENT_PAUSED;
    return way->port == PORT_CLOSED ? AGENT_CLOSED : AGENT_READY;
}

const char *agent_way_obstacle(const AgentWay *way, gboolean connected, gboolean asked,
                               gboolean urgent)
{
    if (!connected)
        return "The agent's channel is not connected";
    if (way->stopped && asked)
        return way->stopped == AGENT_GONE ? "The guest has shut down" : "The guest is asleep";
    if (way->paused_us && asked)
        return "The virtual machine is paused";
    if (way->port == PORT_CLOSED && !way->must_ask)
        return "The guest agent is not connected: nothing in the guest has opened its port";
    if (way->blind && !urgent)
        return "QEMU's monitor is not connected, so that nobody knows who listens in the guest";
    return NULL;
}
