/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-cache: answers of the guest agent that are given again for a while.
 *
 * Owns whose answers these are, for how long, and the bound of what is kept. Leaves to the lane
 * when nothing of it holds any more. Off until a command is named.
 */

#pragma once

#include "pending.h"

G_BEGIN_DECLS

typedef struct {
    GHashTable *seconds; /* of GuestCommand: how old its answers may be */
    GQueue kept;         /* of Kept, the oldest first */
    gsize bytes;         /* in them */
} AgentCache;

void agent_cache_init(AgentCache *cache);
void agent_cache_clear(AgentCache *cache);

/**
 * agent_cache_allow:
 * @text: "COMMAND=SECONDS": how old an answer may be that is given again
 * @error: names the culprit
 */
gboolean agent_cache_allow(AgentCache *cache, const char *text,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns: (transfer full) (nullable): what was returned to who asked the same */
GBytes *agent_cache_find(const AgentCache *cache, const Pending *pending, gint64 now_us);

/* The same, as the answer to @pending. Returns: whether there was one */
gboolean agent_cache_answer(const AgentCache *cache, Pending *pending, gint64 now_us);

/**
 * agent_cache_keep:
 * @value: that @pending was answered with; kept if it may be, and there is room
 * @asked_us: when that was asked: what it tells of is no older
 */
void agent_cache_keep(AgentCache *cache, const Pending *pending, JsonSpan value, gint64 asked_us);

/* What is kept may hold no more. */
void agent_cache_forget(AgentCache *cache);

#define AGENT_CACHE_ERROR (agent_cache_error_quark())
GQuark agent_cache_error_quark(void);

typedef enum {
    AGENT_CACHE_ERROR_COMMAND, /* its answers may not be kept */
    AGENT_CACHE_ERROR_VALUE,
} AgentCacheError;

G_END_DECLS
