/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-terms: what was agreed with the guest agent beyond the plain protocol.
 *
 * Owns how guest-capabilities is asked and what of its answer counts. Leaves to the lane when that
 * holds: it ends with each sync.
 */

#pragma once

#include "common/json-read.h"

G_BEGIN_DECLS

typedef struct {
    guint depth;    /* commands that may be under way; 1 in the plain protocol */
    gboolean lease; /* the agent follows our lease of a freeze */
} AgentTerms;

/* The plain protocol. */
extern const AgentTerms agent_terms_plain;

/* Returns: (transfer full): arguments that enable all that we use; @lease: seconds, 0 for its own
 */
char *agent_terms_offer(guint lease);

/* Returns: (transfer full): arguments that set the lease from now on */
char *agent_terms_renew(guint lease);

/* What the agent's answer to either, or to a question without arguments, says is on. It is bounded
 * here: an agent may say anything. */
AgentTerms agent_terms_read(JsonSpan answer);

G_END_DECLS
