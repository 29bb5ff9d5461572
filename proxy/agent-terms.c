/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-terms.h"

#include "common/limits.h"

const AgentTerms agent_terms_plain = {.depth = 1};

char *agent_terms_offer(guint lease)
{
    return g_strdup_printf("{\"enable\":[\"lease\",\"pipeline\"],\"lease\":%u}", lease);
}

char *agent_terms_renew(guint lease)
{
    return g_strdup_printf("{\"lease\":%u}", lease);
}

AgentTerms agent_terms_read(JsonSpan answer)
{
    JsonSpan enabled = json_read_get(answer, "enabled");
    JsonWalk walk = json_read_walk(enabled);
    AgentTerms terms = agent_terms_plain;
    gboolean pipeline = FALSE;
    JsonSpan name;
    gint64 depth;

    if (json_read_kind(enabled) != JSON_KIND_ARRAY)
        return terms;
    for (guint i = 0; i < LIMIT_AGENT_CAPABILITIES && json_read_element(&walk, &name); i++) {
        terms.lease |= json_read_is(name, "lease");
        pipeline |= json_read_is(name, "pipeline");
    }
    if (pipeline &&
        json_read_int64(json_read_get(json_read_get(answer, "pipeline"), "depth"), &depth))
        terms.depth = (guint)CLAMP(depth, 1, LIMIT_AGENT_IN_FLIGHT);
    return terms;
}
