/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * client-handover: a client's connection, as it is left to a successor and carried on.
 */

#include "client-private.h"

#include "common/limits.h"
#include "common/qmp-error.h"

#include <string.h>

static void save_session(const ClientSession *session, Saved *to)
{
    saved_put_int(to, "thaw-on-disconnect", session->thaw_on_disconnect);
    saved_put_int(to, "timeout", session->timeout_seconds);
    saved_put_int(to, "awaits-sync", session->awaits_sync);
    saved_put_int(to, "sync-delimited", session->sync_delimited);
    saved_put_int(to, "sync-token", session->sync_token);
    if (session->sync_id)
        saved_put_bytes(to, "sync-id", g_bytes_get_data(session->sync_id, NULL),
                        g_bytes_get_size(session->sync_id));
}

static void restore_session(ClientSession *session, Saved *from)
{
    session->thaw_on_disconnect = saved_get_int(from, "thaw-on-disconnect") != 0;
    session->timeout_seconds = (guint)saved_get_int(from, "timeout");
    session->awaits_sync = saved_get_int(from, "awaits-sync") != 0;
    session->sync_delimited = saved_get_int(from, "sync-delimited") != 0;
    session->sync_token = saved_get_int(from, "sync-token");
    session->sync_id = saved_get_bytes(from, "sync-id");
}

static void save_ahead(const Client *client, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();

    for (const GList *at = client->read_ahead.head; at; at = at->next) {
        const Ahead *ahead = at->data;
        Saved item = G_VARIANT_DICT_INIT(NULL);

        if (ahead->message)
            saved_put_bytes(&item, "message", g_bytes_get_data(ahead->message, NULL),
                            g_bytes_get_size(ahead->message));
        if (ahead->fault)
            saved_put_text(&item, "fault", ahead->fault->message);
        handover_put_fd(handover, &item, "fd", ahead->fd);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "ahead", list);
}

typedef struct {
    Client *client;
    gboolean failed;
} Restore;

static void restore_ahead(const HandoverPart *item, gpointer data)
{
    Restore *restore = data;
    g_autoptr(GBytes) message = saved_get_bytes(item->from, "message");
    g_autofree char *fault = saved_get_text(item->from, "fault");
    int fd = handover_get_fd(item, "fd");
    GError *error = NULL;

    if (message && !charge_take(&restore->client->charge, g_bytes_get_size(message))) {
        client_drop_fd(restore->client->common, fd);
        restore->failed = TRUE;
        return;
    }
    if (fault)
        qmp_error_set(&error, "%s", fault);
    client_keep_ahead(restore->client, g_steal_pointer(&message), error, fd);
}

static void save_owed(const Client *client, Saved *to)
{
    static const char *const names[OWED_LANES][2] = {{"owed", "owed-id"},
                                                     {"owed-oob", "owed-oob-id"}};

    for (guint i = 0; i < OWED_LANES; i++) {
        const Owed *owed = &client->owed[i];

        saved_put_text(to, names[i][0], owed->name);
        if (owed->id)
            saved_put_bytes(to, names[i][1], g_bytes_get_data(owed->id, NULL),
                            g_bytes_get_size(owed->id));
    }
    if (client->unkept)
        saved_put_int(to, "unkept", client->unkept);
}

static void restore_owed(Client *client, Saved *from)
{
    if (client->kept.slot == 0)
        return;
    client->owed[OWED_IN_BAND] =
        (Owed){saved_get_text(from, "owed"), saved_get_bytes(from, "owed-id")};
    client->owed[OWED_OOB] =
        (Owed){saved_get_text(from, "owed-oob"), saved_get_bytes(from, "owed-oob-id")};
    client->unkept = (guint8)saved_get_int(from, "unkept");
    /* Nothing was noted where there was no journal. */
    if (client->busy && !client->owed[OWED_IN_BAND].name)
        client->unkept |= 1u << OWED_IN_BAND;
    if (client->oob_busy && !client->owed[OWED_OOB].name)
        client->unkept |= 1u << OWED_OOB;
}

void client_save(const Client *client, Handover *handover, Saved *to)
{
    handover_put_fd(handover, to, "socket", io_fd(client->io));
    saved_put_text(to, "peer", client->peer);
    saved_put_int(to, "form", client->answers.form);
    saved_put_int(to, "state", client->state);
    saved_put_int(to, "since", client->since_us);
    saved_put_int(to, "commands", (gint64)client->commands);
    saved_put_int(to, "oob-offered", client->oob_offered);
    saved_put_int(to, "oob", client->oob);
    saved_put_int(to, "at-end", client->ended);
    saved_put_int(to, "lingers", client->lingers);
    saved_put_int(to, "held", client->held);
    saved_put_int(to, "busy", client->busy);
    saved_put_int(to, "oob-busy", client->oob_busy);
    if (client->n_first > 0)
        saved_put_bytes(to, "first", client->first, client->n_first);
    stream_save(&client->stream, to);
    save_session(&client->session, to);
    save_ahead(client, handover, to);
    save_owed(client, to);
    fd_marks_save(&client->marks, handover, to);
}

/* ---- In the journal -------------------------------------------------------------------------- */

/* The one descriptor that is kept is its socket. What came beside commands goes with the process.
 */
static int put_kept(gpointer client, int fd, GError **error)
{
    const Client *own = client;

    return fd == io_fd(own->io) ? (int)own->kept.slot : -1;
}

static const HandoverFds kept_fds = {put_kept, NULL};

void client_forget_owed(Client *client, gboolean oob)
{
    const guint lane = oob ? OWED_OOB : OWED_IN_BAND;
    Owed *owed = &client->owed[lane];

    client->unkept &= (guint8) ~(1u << lane);
    g_clear_pointer(&owed->name, g_free);
    g_clear_pointer(&owed->id, g_bytes_unref);
}

/* Returns: how much of it a record would have */
static gsize bytes_waiting(const Client *client)
{
    gsize bytes = stream_waiting(&client->stream);

    for (const GList *at = client->read_ahead.head; at; at = at->next) {
        const Ahead *ahead = at->data;

        bytes += ahead->message ? g_bytes_get_size(ahead->message) : 0;
    }
    return bytes;
}

void client_note(Client *client)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    Handover handover = {.ops = &kept_fds, .fds = client};

    client->unnoted = FALSE;
    client->told = FALSE;
    if (client->kept.slot == 0)
        return;
    if (client->unkept || bytes_waiting(client) > LIMIT_KEPT_CLIENT_BYTES) {
        g_variant_dict_clear(&saved);
        journal_note(client->kept.journal, client->kept.slot, NULL);
        return;
    }
    client_save(client, &handover, &saved);
    saved_put_text(&saved, "kind", "client");
    saved_put_int(&saved, "read", (gint64)client->kept.read);
    saved_put_int(&saved, "written", (gint64)client->kept.written);
    journal_note(client->kept.journal, client->kept.slot, g_variant_dict_end(&saved));
}

/* What has happened since it was written down. */
static gboolean recover(Client *client, Saved *from)
{
    JournalIo *kept = &client->kept;
    guint64 read = (guint64)saved_get_int(from, "read");
    guint64 written = (guint64)saved_get_int(from, "written");
    g_autoptr(GBytes) input = NULL;
    guint64 more = journal_take_rest(kept->journal, kept->slot, read, written, &input);

    kept->read = read + (input ? g_bytes_get_size(input) : 0);
    kept->written = written + more;
    client->recovered = TRUE;
    stream_pause(&client->stream, TRUE);
    stream_restore_written(&client->stream, more);
    if (input && !stream_restore_input(&client->stream, input))
        return FALSE;
    journal_claim(kept->journal, kept->slot);
    client_note(client);
    return TRUE;
}

/* ---- Restoring ------------------------------------------------------------------------------- */

/* @kept: it comes from the journal, where it has one already */
static guint slot_for(const ClientCommon *common, Saved *from, gboolean kept, int fd)
{
    if (!common->journal)
        return 0;
    return kept ? (guint)saved_get_int(from, "socket") - 1 : journal_add(common->journal, fd);
}

Client *client_restore(IoLoop *loop, const HandoverPart *part, const ClientOps *ops, gpointer owner,
                       ClientCommon *common)
{
    Saved *from = part->from;
    g_autofree char *peer = saved_get_text(from, "peer");
    g_autoptr(GBytes) first = saved_get_bytes(from, "first");
    int fd = handover_get_fd(part, "socket");
    g_autofree char *kept = NULL;
    Restore restore = {NULL, FALSE};
    Client *client;

    if (fd < 0)
        return NULL;
    kept = saved_get_text(from, "kind");
    client = client_make(loop, fd, peer, (AnswersForm)saved_get_int(from, "form"), ops, owner,
                         common, slot_for(common, from, kept != NULL, fd));
    client->state = (ClientState)saved_get_int(from, "state");
    client->since_us = saved_get_int(from, "since");
    client->commands = (guint64)saved_get_int(from, "commands");
    client->oob_offered = saved_get_int(from, "oob-offered") != 0;
    client->oob = saved_get_int(from, "oob") != 0;
    client->ended = saved_get_int(from, "at-end") != 0;
    client->lingers = saved_get_int(from, "lingers") != 0;
    client->held = saved_get_int(from, "held") != 0;
    client->busy = saved_get_int(from, "busy") != 0;
    client->oob_busy = saved_get_int(from, "oob-busy") != 0;
    client->n_first = first ? MIN(g_bytes_get_size(first), HTTP_VERB) : 0;
    if (client->n_first > 0)
        memcpy(client->first, g_bytes_get_data(first, NULL), client->n_first);
    restore_session(&client->session, from);
    restore_owed(client, from);
    restore.client = client;
    handover_foreach(part, "ahead", restore_ahead, &restore);
    fd_marks_restore(&client->marks, part);
    if (!stream_restore(&client->stream, from) || restore.failed ||
        (client->kept.slot > 0 && kept && !recover(client, from)))
        g_clear_pointer(&client, client_free);
    else if (!kept)
        client_note(client);
    return client;
}
