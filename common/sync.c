/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sync.h"

#include "limits.h"
#include "message.h"
#include "qmp-error.h"

void sync_init(Sync *sync)
{
    *sync = (Sync){.state = SYNC_OFF};
}

void sync_start(Sync *sync, gint64 now_us)
{
    sync->state = SYNC_WAITING;
    sync->token = -1;
    sync->deadline_us = now_us;
    sync->interval_ms = 0;
    sync->probes = 0;
    sync->plain = FALSE;
}

void sync_stop(Sync *sync)
{
    sync->state = SYNC_OFF;
    sync->token = -1;
}

gboolean sync_due(const Sync *sync, gint64 now_us)
{
    return sync->state == SYNC_WAITING && now_us >= sync->deadline_us;
}

void sync_wait(Sync *sync, gint64 now_us)
{
    sync->interval_ms = sync->interval_ms == 0 ? LIMIT_SYNC_FIRST_MS
                                               : MIN(sync->interval_ms * 2, LIMIT_SYNC_LAST_MS);
    sync->deadline_us = now_us + (gint64)sync->interval_ms * 1000;
    sync->probes++;
}

void sync_probe(Sync *sync, gint64 now_us, gint64 token, GString *out)
{
    g_autofree char *arguments = g_strdup_printf("{\"id\":%" G_GINT64_FORMAT "}", token);

    sync_wait(sync, now_us);
    sync->token = token;
    g_string_append_c(out, '\xFF');
    message_command(out, sync->plain ? "guest-sync" : "guest-sync-delimited", FALSE,
                    (JsonSpan){arguments, strlen(arguments)}, JSON_SPAN_NONE);
    g_string_append_c(out, '\n');
}

/* An agent older than 1.1 says so, and is asked again at once in the words it knows. */
static void notice_unknown_command(Sync *sync, const EnvelopeReply *reply)
{
    g_autoptr(GError) error = NULL;

    if (sync->plain || sync->token < 0 || reply->kind != ENVELOPE_ERROR)
        return;
    error = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
    if (error->code != QMP_ERROR_COMMAND_NOT_FOUND ||
        !strstr(error->message, "guest-sync-delimited"))
        return;
    sync->plain = TRUE;
    sync->deadline_us = 0;
}

gboolean sync_reply(Sync *sync, const EnvelopeReply *reply)
{
    gint64 token;

    if (sync->state != SYNC_WAITING)
        return FALSE;
    if (reply->kind == ENVELOPE_RETURN && sync->token >= 0 &&
        json_read_int64(reply->value, &token) && token == sync->token) {
        sync->state = SYNC_DONE;
        sync->token = -1;
        sync->probes = 0;
        sync->interval_ms = 0;
        return TRUE;
    }
    notice_unknown_command(sync, reply);
    return FALSE;
}

gboolean sync_is_asked_for(const char *name, JsonSpan arguments, gint64 *ret_token)
{
    JsonWalk walk = json_read_walk(arguments);
    JsonSpan key, value;

    return (g_str_equal(name, "guest-sync-delimited") || g_str_equal(name, "guest-sync")) &&
           json_read_member(&walk, &key, &value) && json_read_is(key, "id") &&
           json_read_int64(value, ret_token) && !json_read_member(&walk, &key, &value);
}

void sync_save(const Sync *sync, Saved *to)
{
    saved_put_int(to, "state", sync->state);
    saved_put_int(to, "token", sync->token);
    saved_put_int(to, "deadline", sync->deadline_us);
    saved_put_int(to, "interval", sync->interval_ms);
    saved_put_int(to, "probes", sync->probes);
    saved_put_int(to, "plain", sync->plain);
}

void sync_restore(Sync *sync, Saved *from)
{
    sync->state = (SyncState)saved_get_int(from, "state");
    sync->token = saved_get_int(from, "token");
    sync->deadline_us = saved_get_int(from, "deadline");
    sync->interval_ms = (guint)saved_get_int(from, "interval");
    sync->probes = (guint)saved_get_int(from, "probes");
    sync->plain = saved_get_int(from, "plain") != 0;
}
