/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "handover.h"

void handover_init(Handover *handover, const HandoverFds *ops, gpointer fds)
{
    *handover = (Handover){.ops = ops, .fds = fds, .parties = g_ptr_array_new()};
}

void handover_clear(Handover *handover)
{
    g_ptr_array_unref(handover->parties);
    g_clear_error(&handover->error);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

void handover_put_fd(Handover *handover, Saved *to, const char *name, int fd)
{
    GError **error = handover->error ? NULL : &handover->error;
    int number = fd >= 0 ? handover->ops->put(handover->fds, fd, error) : -1;

    if (number >= 0)
        saved_put_int(to, name, number + 1);
}

int handover_get_fd(const HandoverPart *part, const char *name)
{
    const Handover *handover = part->handover;
    gint64 number = saved_get_int(part->from, name);

    return number >= 1 && number <= G_MAXINT ? handover->ops->get(handover->fds, (int)number - 1)
                                             : -1;
}

/* ---- Who is meant ---------------------------------------------------------------------------- */

void handover_add_party(Handover *handover, gpointer party)
{
    g_ptr_array_add(handover->parties, party);
}

void handover_put_party(Handover *handover, Saved *to, const char *name, gconstpointer party)
{
    GPtrArray *parties = handover->parties;
    guint index;

    if (party && parties && g_ptr_array_find(parties, party, &index))
        saved_put_int(to, name, index + 1);
}

gpointer handover_get_party(const HandoverPart *part, const char *name)
{
    const GPtrArray *parties = part->handover->parties;
    gint64 number = saved_get_int(part->from, name);

    return number >= 1 && number <= parties->len ? parties->pdata[number - 1] : NULL;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

typedef struct {
    Handover *handover;
    HandoverFunc func;
    gpointer data;
} Walk;

static void walk_item(Saved *item, gpointer data)
{
    const Walk *walk = data;

    walk->func(&(HandoverPart){walk->handover, item}, walk->data);
}

void handover_foreach(const HandoverPart *part, const char *name, HandoverFunc func, gpointer data)
{
    saved_foreach(part->from, name, walk_item, &(Walk){part->handover, func, data});
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* An answer to a former core's question, which nobody waits for any more. */
static void ignore(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
}

void handover_put_pending(Handover *handover, Saved *to, const Pending *pending)
{
    saved_put_text(to, "command", pending->name);
    saved_put_bytes(to, "id", pending->id, pending->id_len);
    if (pending->arguments)
        saved_put_bytes(to, "arguments", pending->arguments, pending->arguments_len);
    handover_put_party(handover, to, "asker", pending->asker);
    handover_put_party(handover, to, "via", pending->via);
    handover_put_fd(handover, to, "fd", pending->fd);
    saved_put_int(to, "oob", pending->oob);
    saved_put_int(to, "carries", pending->carries);
    saved_put_int(to, "urgent", pending->urgent);
    saved_put_int(to, "taken", pending->taken_us);
    saved_put_int(to, "sent", pending->sent_us);
    saved_put_int(to, "seconds", pending->seconds);
    saved_put_int(to, "deadline", pending->deadline_us);
    saved_put_int(to, "own", (!pending->asker && !pending->orphan) || pending->done == ignore);
}

static JsonSpan span_of(GBytes *bytes)
{
    gsize len;
    const char *text = bytes ? g_bytes_get_data(bytes, &len) : NULL;

    return text ? (JsonSpan){text, len} : JSON_SPAN_NONE;
}

Pending *handover_get_pending(const HandoverPart *part)
{
    Handover *handover = part->handover;
    Saved *from = part->from;
    g_autofree char *name = saved_get_text(from, "command");
    g_autoptr(GBytes) id = saved_get_bytes(from, "id");
    g_autoptr(GBytes) arguments = saved_get_bytes(from, "arguments");
    EnvelopeCommand command = {
        .name = name,
        .id = span_of(id),
        .arguments = span_of(arguments),
        .oob = saved_get_int(from, "oob") != 0,
    };
    gpointer asker = handover_get_party(part, "asker");
    Pending *pending;

    if (!name)
        return NULL;
    if (saved_get_int(from, "own"))
        pending = pending_new(&command, NULL, ignore, NULL, NULL);
    else
        pending = handover->renew(handover->owner, &command, asker);
    if (!pending)
        return NULL;
    pending->via = handover_get_party(part, "via");
    pending->fd = handover_get_fd(part, "fd");
    pending->carries = saved_get_int(from, "carries") != 0;
    pending->urgent = saved_get_int(from, "urgent") != 0;
    pending->taken_us = saved_get_int(from, "taken");
    pending->sent_us = saved_get_int(from, "sent");
    pending->seconds = (guint)saved_get_int(from, "seconds");
    pending->deadline_us = saved_get_int(from, "deadline");
    if (!asker)
        pending_orphan(pending);
    return pending;
}

void handover_put_queue(Handover *handover, Saved *to, const char *name, const GQueue *queue,
                        gboolean skip_own)
{
    SavedList *list = saved_list_new();

    for (const GList *at = queue->head; at; at = at->next) {
        const Pending *pending = at->data;
        Saved item = G_VARIANT_DICT_INIT(NULL);

        if (skip_own && !pending->asker && !pending->orphan)
            continue;
        handover_put_pending(handover, &item, pending);
        saved_list_add(list, &item);
    }
    saved_put_list(to, name, list);
}

static void restore_pending(const HandoverPart *item, gpointer queue)
{
    Pending *pending = handover_get_pending(item);

    if (pending)
        g_queue_push_tail(queue, pending);
}

void handover_get_queue(const HandoverPart *part, const char *name, GQueue *queue)
{
    handover_foreach(part, name, restore_pending, queue);
}
