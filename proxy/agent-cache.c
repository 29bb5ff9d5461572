/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-cache.h"

#include "common/limits.h"

#include <string.h>

G_DEFINE_QUARK(agent_cache_error, agent_cache_error)

typedef struct {
    const GuestCommand *command;
    GBytes *arguments; /* none of them are empty ones */
    GBytes *value;
    gint64 asked_us;
} Kept;

void agent_cache_init(AgentCache *cache)
{
    *cache = (AgentCache){.seconds = g_hash_table_new(NULL, NULL), .kept = G_QUEUE_INIT};
}

void agent_cache_clear(AgentCache *cache)
{
    agent_cache_forget(cache);
    g_hash_table_unref(cache->seconds);
}

gboolean agent_cache_allow(AgentCache *cache, const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    g_autofree char *name = g_strndup(text, equals ? (gsize)(equals - text) : strlen(text));
    const GuestCommand *command = guest_schema_find(name);
    guint64 seconds;

    if (!equals) {
        g_set_error(error, AGENT_CACHE_ERROR, AGENT_CACHE_ERROR_VALUE,
                    "'%s' is not COMMAND=SECONDS", text);
        return FALSE;
    }
    if (!command || !(command->flags & GUEST_FLAG_SHARED)) {
        g_set_error(error, AGENT_CACHE_ERROR, AGENT_CACHE_ERROR_COMMAND,
                    "'%s' is no command whose answer may be kept for others", name);
        return FALSE;
    }
    if (!g_ascii_string_to_unsigned(equals + 1, 10, 1, LIMIT_AGENT_CACHE_SECONDS, &seconds, NULL)) {
        g_set_error(error, AGENT_CACHE_ERROR, AGENT_CACHE_ERROR_VALUE,
                    "the answer of %s may be kept for 1 to %u seconds, not '%s'", name,
                    LIMIT_AGENT_CACHE_SECONDS, equals + 1);
        return FALSE;
    }
    g_hash_table_insert(cache->seconds, (gpointer)command, GUINT_TO_POINTER(seconds));
    return TRUE;
}

static guint seconds_of(const AgentCache *cache, const Pending *pending)
{
    if (!pending->guest)
        return 0;
    return GPOINTER_TO_UINT(g_hash_table_lookup(cache->seconds, pending->guest));
}

static gsize size_of(const Kept *kept)
{
    return g_bytes_get_size(kept->arguments) + g_bytes_get_size(kept->value);
}

static GList *find(const AgentCache *cache, const Pending *pending)
{
    JsonSpan arguments = pending_plain_arguments(pending);
    g_autoptr(GBytes) wanted = g_bytes_new_static(arguments.text, arguments.len);

    for (GList *at = cache->kept.head; at; at = at->next) {
        const Kept *kept = at->data;

        if (kept->command == pending->guest && g_bytes_equal(kept->arguments, wanted))
            return at;
    }
    return NULL;
}

GBytes *agent_cache_find(const AgentCache *cache, const Pending *pending, gint64 now_us)
{
    gint64 seconds = seconds_of(cache, pending);
    const GList *found = seconds > 0 ? find(cache, pending) : NULL;
    const Kept *kept;

    if (!found)
        return NULL;
    kept = found->data;
    return now_us - kept->asked_us < seconds * G_USEC_PER_SEC ? g_bytes_ref(kept->value) : NULL;
}

gboolean agent_cache_answer(const AgentCache *cache, Pending *pending, gint64 now_us)
{
    g_autoptr(GBytes) value = agent_cache_find(cache, pending, now_us);
    EnvelopeReply reply = {.kind = ENVELOPE_RETURN};

    if (!value)
        return FALSE;
    reply.value.text = g_bytes_get_data(value, &reply.value.len);
    pending_finish(pending, &reply, NULL);
    return TRUE;
}

static void drop(AgentCache *cache, GList *at)
{
    Kept *kept = at->data;

    cache->bytes -= size_of(kept);
    g_queue_delete_link(&cache->kept, at);
    g_bytes_unref(kept->arguments);
    g_bytes_unref(kept->value);
    g_free(kept);
}

/* The last may be too much by itself, and then goes as well. */
static void make_room(AgentCache *cache)
{
    while (cache->bytes > LIMIT_AGENT_CACHE_BYTES || cache->kept.length > LIMIT_AGENT_CACHE_ANSWERS)
        drop(cache, cache->kept.head);
}

void agent_cache_keep(AgentCache *cache, const Pending *pending, JsonSpan value, gint64 asked_us)
{
    JsonSpan arguments = pending_plain_arguments(pending);
    GList *former;
    Kept *kept;

    if (seconds_of(cache, pending) == 0)
        return;
    former = find(cache, pending);
    if (former)
        drop(cache, former);
    kept = g_new(Kept, 1);
    *kept = (Kept){
        .command = pending->guest,
        .arguments = g_bytes_new(arguments.text, arguments.len),
        .value = g_bytes_new(value.text, value.len),
        .asked_us = asked_us,
    };
    cache->bytes += size_of(kept);
    g_queue_push_tail(&cache->kept, kept);
    make_room(cache);
}

void agent_cache_forget(AgentCache *cache)
{
    while (cache->kept.length > 0)
        drop(cache, cache->kept.head);
}
