/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "upstream.h"

#include "link.h"
#include "socket.h"

#include "common/limits.h"
#include "common/message.h"
#include "common/scratch.h"

#include <string.h>

/* Legal in each state:
 *   WAITING      no descriptor; the link is looking for one
 *   GREETING     nothing was sent; the first message must be the greeting
 *   NEGOTIATING  the handshake was sent; all but its answer is a former connection's, and dropped
 *   READY        commands go up, replies and events come down */
typedef enum {
    UPSTREAM_WAITING,
    UPSTREAM_GREETING,
    UPSTREAM_NEGOTIATING,
    UPSTREAM_READY,
} UpstreamState;

struct Upstream {
    const UpstreamOps *ops;
    gpointer owner;
    IoLoop *loop;
    Link *link;
    const Bounds *bounds;

    UpstreamState state;
    Io *io;
    Stream stream;
    gboolean oob;   /* QEMU offered it */
    char *greeting; /* its version, until the handshake is answered */
    char *fence;    /* id of the handshake, as JSON text */
    guint64 last_oob;
    MonitorStats stats;

    GQueue waiting;          /* of Pending: in-band, not sent */
    GQueue in_band;          /* of Pending: sent, oldest first */
    gboolean carrying;       /* one of them has brought a descriptor */
    GHashTable *oob_pending; /* number of the id → Pending */
};

static void fail_all(Upstream *upstream)
{
    GHashTableIter iter;
    gpointer pending;

    while ((pending = g_queue_pop_head(&upstream->in_band)))
        pending_fail(pending, "QEMU closed the connection; the command's outcome is unknown");
    g_hash_table_iter_init(&iter, upstream->oob_pending);
    while (g_hash_table_iter_next(&iter, NULL, &pending)) {
        g_hash_table_iter_remove(&iter);
        pending_fail(pending, "QEMU closed the connection; the command's outcome is unknown");
        g_hash_table_iter_init(&iter, upstream->oob_pending);
    }
    while ((pending = g_queue_pop_head(&upstream->waiting)))
        pending_fail(pending, "QEMU closed the connection; the command was not sent");
}

static void close_connection(Upstream *upstream)
{
    if (upstream->state == UPSTREAM_WAITING)
        return;
    stream_clear(&upstream->stream);
    upstream->io = NULL;
    upstream->carrying = FALSE;
    g_clear_pointer(&upstream->greeting, g_free);
    g_clear_pointer(&upstream->fence, g_free);
    upstream->state = UPSTREAM_WAITING;
}

/* The owner is told before the commands fail, so that it can decide that nobody is to hear of them.
 */
static void lose_connection(Upstream *upstream, const char *why)
{
    gboolean was_ready = upstream->state == UPSTREAM_READY;

    g_debug("QEMU's monitor: %s", why);
    close_connection(upstream);
    if (was_ready || link_is_used_up(upstream->link))
        upstream->ops->gone(upstream->owner, why);
    else
        link_connect(upstream->link);
    fail_all(upstream);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* A connection that broke is not lost here, under the feet of whoever submits a command: the kernel
 * reports it, and on_io() sees to it in a turn of its own. */
static void write_out(Upstream *upstream)
{
    g_autoptr(GError) error = NULL;

    if (!stream_flush(&upstream->stream, &error))
        g_debug("QEMU's monitor: %s", error->message);
}

static void note_sent(Upstream *upstream, Pending *pending)
{
    pending->sent_us = io_loop_now(upstream->loop);
    upstream->stats.commands++;
    upstream->stats.oob += pending->oob;
}

/* Returns: FALSE, and @pending is answered, where QEMU does not read even what little is under way.
 */
static gboolean write_command(Upstream *upstream, Pending *pending, JsonSpan id)
{
    g_autoptr(Scratch) text = scratch_new();

    message_command(text, pending->name, pending->oob, pending_arguments(pending), id);
    if (stream_send(&upstream->stream, text->str, text->len)) {
        note_sent(upstream, pending);
        return TRUE;
    }
    pending_fail(pending, "QEMU does not read its monitor; the command was not sent");
    return FALSE;
}

static void send_oob(Upstream *upstream, Pending *pending)
{
    guint64 number = ++upstream->last_oob;
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, number);

    if (!write_command(upstream, pending, (JsonSpan){id, strlen(id)}))
        return;
    g_hash_table_insert(upstream->oob_pending, g_memdup2(&number, sizeof number), pending);
}

/* The write begins with the command, since the descriptor goes with its first byte; so nothing may
 * be unsent in front of it. Where it cannot be written now, a blank, which means nothing to QEMU,
 * brings us back when it can.
 *
 * Returns: FALSE where it waits on */
static gboolean carry(Upstream *upstream, Pending *pending)
{
    g_autoptr(Scratch) text = scratch_new();
    g_autoptr(GError) error = NULL;
    gssize put;

    write_out(upstream);
    if (upstream->carrying || queue_length(&upstream->stream.queue) > 0)
        return FALSE;
    message_command(text, pending->name, FALSE, pending_arguments(pending), JSON_SPAN_NONE);
    put = io_write_with_fd(upstream->io, text->str, text->len, pending->fd, &error);
    if (put > 0) {
        upstream->carrying = TRUE;
        note_sent(upstream, pending);
        pending_close_fd(pending);
        g_string_erase(text, 0, put);
    } else {
        g_string_assign(text, " ");
    }
    if (!stream_send(&upstream->stream, text->str, text->len))
        g_debug("QEMU's monitor: no room for what is left of a command"); /* nothing is before it */
    return upstream->carrying;
}

/* One that cannot be sent yet keeps its turn, and with it those behind. */
static void send_waiting(Upstream *upstream)
{
    while (upstream->in_band.length < upstream->bounds->commands_per_monitor &&
           upstream->waiting.length > 0) {
        Pending *pending = g_queue_peek_head(&upstream->waiting);
        gboolean carried = pending->carries && !pending->orphan;

        if (carried && !carry(upstream, pending))
            return;
        g_queue_pop_head(&upstream->waiting);
        if (pending->orphan)
            pending_fail(pending, "The client has left");
        else if (carried || write_command(upstream, pending, JSON_SPAN_NONE))
            g_queue_push_tail(&upstream->in_band, pending);
    }
}

/* Nobody is answered before the last was found: who hears of it may come with another command. */
void upstream_drop_orphans(Upstream *upstream)
{
    GQueue orphans = G_QUEUE_INIT;
    Pending *pending;

    for (GList *at = upstream->waiting.head, *next; at; at = next) {
        next = at->next;
        if (!((const Pending *)at->data)->orphan)
            continue;
        g_queue_unlink(&upstream->waiting, at);
        g_queue_push_tail_link(&orphans, at);
    }
    while ((pending = g_queue_pop_head(&orphans)))
        pending_fail(pending, "The client has left");
}

void upstream_submit(Upstream *upstream, Pending *pending)
{
    if (upstream->state != UPSTREAM_READY) {
        pending_fail(pending, "QEMU's monitor is not connected; the command was not sent");
        return;
    }
    if (pending->arguments_len > upstream->bounds->qemu_request_bytes) {
        pending_fail(pending,
                     "Arguments of %s have %" G_GSIZE_FORMAT " bytes, at most %" G_GUINT64_FORMAT
                     " go to QEMU",
                     pending->name, pending->arguments_len, upstream->bounds->qemu_request_bytes);
        return;
    }
    if (pending->carries && !io_is_local(upstream->io)) {
        pending_fail(pending, "QEMU's monitor is no unix socket and takes no file descriptor; the "
                              "command was not sent");
        return;
    }
    if (pending->oob) {
        send_oob(upstream, pending);
    } else {
        g_queue_push_tail(&upstream->waiting, pending);
        send_waiting(upstream);
    }
    write_out(upstream);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Each step returns: (nullable): why the connection cannot be kept */

static const char *drop_stale(Upstream *upstream)
{
    upstream->stats.stale_replies++;
    g_debug("QEMU's monitor: dropped what was meant for a former connection");
    return NULL;
}

/* QEMU may be just about to write a former connection's last reply when it accepts ours: seen once
 * in some hundred reconnections, it comes in front of the greeting. */
static const char *on_greeting(Upstream *upstream, const EnvelopeReply *reply)
{
    JsonSpan version = json_read_get(reply->value, "version");
    JsonWalk walk = json_read_walk(json_read_get(reply->value, "capabilities"));
    g_autoptr(Scratch) text = scratch_new();
    JsonSpan capability;

    if (reply->kind == ENVELOPE_RETURN || reply->kind == ENVELOPE_ERROR)
        return drop_stale(upstream);
    if (reply->kind != ENVELOPE_GREETING || json_read_kind(version) != JSON_KIND_OBJECT)
        return "what answered is no QMP server";
    upstream->oob = FALSE;
    while (json_read_element(&walk, &capability))
        upstream->oob |= json_read_is(capability, "oob");
    upstream->greeting = g_strndup(version.text, version.len);
    upstream->fence = g_strdup_printf("\"%08x%08x\"", g_random_int(), g_random_int());

    message_command(text, "qmp_capabilities", FALSE,
                    upstream->oob ? JSON_SPAN_LITERAL("{\"enable\":[\"oob\"]}") : JSON_SPAN_NONE,
                    (JsonSpan){upstream->fence, strlen(upstream->fence)});
    upstream->state = UPSTREAM_NEGOTIATING;
    if (!stream_send(&upstream->stream, text->str, text->len))
        return "no room for the handshake";
    return NULL;
}

static gboolean is_fence(const Upstream *upstream, JsonSpan id)
{
    return id.len == strlen(upstream->fence) && memcmp(id.text, upstream->fence, id.len) == 0;
}

static const char *on_handshake(Upstream *upstream, const EnvelopeReply *reply)
{
    g_autofree char *version = NULL;

    if (!reply->id.text || !is_fence(upstream, reply->id))
        return drop_stale(upstream);
    if (reply->kind != ENVELOPE_RETURN)
        return "QEMU refused the handshake";
    upstream->state = UPSTREAM_READY;
    version = g_steal_pointer(&upstream->greeting);
    upstream->ops->ready(upstream->owner, (JsonSpan){version, strlen(version)}, upstream->oob);
    return NULL;
}

static Pending *take_answered(Upstream *upstream, const EnvelopeReply *reply)
{
    Pending *pending;
    guint64 number;

    if (!reply->id.text) {
        pending = g_queue_pop_head(&upstream->in_band);
        if (pending && pending->carries)
            upstream->carrying = FALSE;
        return pending;
    }
    if (!json_read_uint64(reply->id, &number))
        return NULL;
    pending = g_hash_table_lookup(upstream->oob_pending, &number);
    g_hash_table_remove(upstream->oob_pending, &number);
    return pending;
}

static const char *on_ready_message(Upstream *upstream, JsonSpan message,
                                    const EnvelopeReply *reply)
{
    Pending *pending;

    if (reply->kind == ENVELOPE_EVENT) {
        upstream->ops->event(upstream->owner, message, reply);
        return NULL;
    }
    pending = reply->kind == ENVELOPE_GREETING ? NULL : take_answered(upstream, reply);
    if (!pending)
        return "a reply came that no command asked for";
    pending_record(pending, &upstream->stats.latency, io_loop_now(upstream->loop));
    pending_finish(pending, reply, NULL);
    return NULL;
}

static const char *on_message(Upstream *upstream, JsonSpan message)
{
    EnvelopeReply reply;

    if (!envelope_read_reply(message, &reply))
        return "a message came that is neither reply nor event";
    switch (upstream->state) {
    case UPSTREAM_GREETING: return on_greeting(upstream, &reply);
    case UPSTREAM_NEGOTIATING: return on_handshake(upstream, &reply);
    default: return on_ready_message(upstream, message, &reply);
    }
}

static const char *read_messages(Upstream *upstream)
{
    const char *why = NULL;
    JsonSpan message;

    while (!why) {
        switch (stream_next(&upstream->stream, &message)) {
        case STREAM_MESSAGE: why = on_message(upstream, message); break;
        case STREAM_FAULT: return "what came is no JSON";
        case STREAM_END: return "QEMU closed the connection";
        case STREAM_NO_ROOM: /* not without a charge */
        case STREAM_IDLE: return NULL;
        }
    }
    return why;
}

static void on_io(gpointer owner, IoReady ready)
{
    Upstream *upstream = owner;
    g_autoptr(GError) error = NULL;
    const char *why = NULL;

    /* After a hang-up the last replies may still be there to be read: quit answers and goes. */
    if ((ready & (IO_READABLE | IO_HANGUP)) && !stream_fill(&upstream->stream, &error))
        why = error->message;
    if (!why)
        why = read_messages(upstream);
    if (!why)
        send_waiting(upstream);
    /* What QEMU sent before it went is read to its end first. */
    if (!why && !stream_flush(&upstream->stream, &error) && !(ready & IO_READABLE))
        why = error->message;
    if (why)
        lose_connection(upstream, why);
}

static void open_connection(Upstream *upstream, int fd)
{
    static const QueueLimits limits = {LIMIT_OUTPUT_LOW, LIMIT_OUTPUT_HIGH, LIMIT_UPSTREAM_OUTPUT};

    upstream->io = io_new(upstream->loop, fd, on_io, upstream);
    stream_init(&upstream->stream, &io_stream, upstream->io,
                &JSON_SCAN_LIMITS(LIMIT_QMP_REPLY_BYTES), &limits, NULL);
}

static void on_connected(gpointer owner, int fd)
{
    Upstream *upstream = owner;

    upstream->state = UPSTREAM_GREETING;
    open_connection(upstream, fd);
}

/* ---- To a successor -------------------------------------------------------------------------- */

static void save_oob(const Upstream *upstream, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();
    GHashTableIter iter;
    gpointer number, pending;

    g_hash_table_iter_init(&iter, upstream->oob_pending);
    while (g_hash_table_iter_next(&iter, &number, &pending)) {
        Saved item = G_VARIANT_DICT_INIT(NULL);

        saved_put_int(&item, "number", (gint64) * (const guint64 *)number);
        handover_put_pending(handover, &item, pending);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "oob-pending", list);
}

/* One that is not negotiated yet is kept, too: QEMU may come only once, or have come as the one
 * descriptor that there is. */
void upstream_save(const Upstream *upstream, Handover *handover, Saved *to)
{
    link_save(upstream->link, handover, to);
    saved_put_int(to, "last-oob", (gint64)upstream->last_oob);
    if (upstream->state == UPSTREAM_WAITING)
        return;
    handover_put_fd(handover, to, "monitor", io_fd(upstream->io));
    stream_save(&upstream->stream, to);
    saved_put_int(to, "state", upstream->state);
    saved_put_int(to, "oob", upstream->oob);
    saved_put_text(to, "version", upstream->greeting);
    saved_put_text(to, "fence", upstream->fence);
    saved_put_int(to, "carrying", upstream->carrying);
    handover_put_queue(handover, to, "waiting", &upstream->waiting, TRUE);
    handover_put_queue(handover, to, "in-band", &upstream->in_band, FALSE);
    save_oob(upstream, handover, to);
}

static void restore_oob(const HandoverPart *item, gpointer data)
{
    Upstream *upstream = data;
    guint64 number = (guint64)saved_get_int(item->from, "number");
    Pending *pending = handover_get_pending(item);

    if (pending)
        g_hash_table_insert(upstream->oob_pending, g_memdup2(&number, sizeof number), pending);
}

void upstream_restore(Upstream *upstream, const HandoverPart *part)
{
    int fd = handover_get_fd(part, "monitor");

    upstream->last_oob = (guint64)saved_get_int(part->from, "last-oob");
    if (fd < 0)
        return;
    open_connection(upstream, fd);
    upstream->state = (UpstreamState)saved_get_int(part->from, "state");
    if (!stream_restore(&upstream->stream, part->from))
        g_warn_if_reached(); /* nothing is charged for it */
    upstream->oob = saved_get_int(part->from, "oob") != 0;
    upstream->greeting = saved_get_text(part->from, "version");
    upstream->fence = saved_get_text(part->from, "fence");
    upstream->carrying = saved_get_int(part->from, "carrying") != 0;
    handover_get_queue(part, "waiting", &upstream->waiting);
    handover_get_queue(part, "in-band", &upstream->in_band);
    handover_foreach(part, "oob-pending", restore_oob, upstream);
}

/* ---- Public ---------------------------------------------------------------------------------- */

Upstream *upstream_new(IoLoop *loop, const Address *address, const Bounds *bounds,
                       const UpstreamOps *ops, gpointer owner, const HandoverPart *part,
                       GError **error)
{
    Upstream *upstream = g_new(Upstream, 1);

    *upstream = (Upstream){.ops = ops, .owner = owner, .loop = io_loop_ref(loop), .bounds = bounds};
    g_queue_init(&upstream->waiting);
    g_queue_init(&upstream->in_band);
    upstream->oob_pending = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    upstream->link = link_new(loop, address, on_connected, upstream, part, error);
    if (!upstream->link)
        g_clear_pointer(&upstream, upstream_free);
    return upstream;
}

void upstream_free(Upstream *upstream)
{
    if (!upstream)
        return;
    close_connection(upstream);
    fail_all(upstream);
    link_free(upstream->link);
    g_hash_table_unref(upstream->oob_pending);
    io_loop_unref(upstream->loop);
    g_free(upstream);
}

gboolean upstream_is_ready(const Upstream *upstream)
{
    return upstream->state == UPSTREAM_READY;
}

void upstream_connect(Upstream *upstream)
{
    if (upstream->state == UPSTREAM_WAITING)
        link_connect(upstream->link);
}

void upstream_foreach(Upstream *upstream, void (*func)(Pending *pending, gpointer data),
                      gpointer data)
{
    GHashTableIter iter;
    gpointer pending;

    g_queue_foreach(&upstream->waiting, (GFunc)(void (*)(void))func, data);
    g_queue_foreach(&upstream->in_band, (GFunc)(void (*)(void))func, data);
    g_hash_table_iter_init(&iter, upstream->oob_pending);
    while (g_hash_table_iter_next(&iter, NULL, &pending))
        func(pending, data);
}

MonitorStats upstream_stats(const Upstream *upstream)
{
    static const char *const states[] = {
        [UPSTREAM_WAITING] = "waiting",
        [UPSTREAM_GREETING] = "greeting",
        [UPSTREAM_NEGOTIATING] = "negotiating",
        [UPSTREAM_READY] = "ready",
    };
    MonitorStats stats = upstream->stats;

    stats.state = states[upstream->state];
    stats.in_flight = upstream->in_band.length + g_hash_table_size(upstream->oob_pending);
    stats.waiting = upstream->waiting.length;
    return stats;
}

pid_t upstream_process(const Upstream *upstream)
{
    struct ucred who;

    return upstream->io && socket_peer(io_fd(upstream->io), &who) ? who.pid : 0;
}

const char *upstream_trouble(const Upstream *upstream)
{
    return link_trouble(upstream->link);
}
