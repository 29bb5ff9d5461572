/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "raw-client.h"

#include "common/limits.h"
#include "common/qmp-error.h"
#include "common/sync.h"

static void refuse(Client *client, const EnvelopeCommand *command)
{
    g_autoptr(GError) error = g_error_new(QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                                          "The command %s has not been found", command->name);

    client_error(client, FALSE, command->id, error);
}

/* A channel that is shared is nobody's to agree on. */
static gboolean is_for_the_agent(const char *name)
{
    const GuestCommand *known = guest_schema_find(name);

    return g_str_has_prefix(name, "guest-") && !(known && (known->flags & GUEST_FLAG_CHANNEL));
}

gboolean raw_client_request(Client *client, const EnvelopeCommand *command, gboolean up)
{
    ClientSession *session = client_session(client);
    gboolean delimited = g_str_equal(command->name, "guest-sync-delimited");
    gint64 token;

    if (sync_is_asked_for(command->name, command->arguments, &token)) {
        g_clear_pointer(&session->sync_id, g_bytes_unref);
        session->awaits_sync = !up && command->id.len <= LIMIT_KEPT_ID_BYTES;
        session->sync_delimited = delimited;
        session->sync_token = token;
        if (up)
            client_reply_sync(client, command->id, delimited, token);
        else if (session->awaits_sync && command->id.text)
            session->sync_id = g_bytes_new(command->id.text, command->id.len);
    } else if (up && is_for_the_agent(command->name)) {
        return FALSE;
    } else if (up) {
        refuse(client, command);
    }
    if (!up)
        client_ignore(client);
    return TRUE;
}

void raw_client_agent_is_up(Client *client)
{
    ClientSession *session = client_session(client);
    g_autoptr(GBytes) kept = g_steal_pointer(&session->sync_id);
    JsonSpan id = JSON_SPAN_NONE;

    if (!session->awaits_sync)
        return;
    session->awaits_sync = FALSE;
    if (kept)
        id = (JsonSpan){g_bytes_get_data(kept, NULL), g_bytes_get_size(kept)};
    client_send_sync(client, id, session->sync_delimited, session->sync_token);
}
