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
