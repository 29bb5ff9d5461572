/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client-private.h"

#include "negotiation.h"
#include "socket.h"

#include "common/limits.h"
#include "common/qmp-error.h"

#include <string.h>

static void leave(Client *client, const char *why)
{
    if (client->state == CLIENT_GONE)
        return;
    client->state = CLIENT_GONE;
    io_timer_set(client->deadline, -1);
    if (client->again)
        io_timer_set(client->again, -1);
    g_debug("%s: %s", client->peer, why);
    client->ops->gone(client->owner, client, why);
}

/* What is written is in the journal before: an answer that was given is not given again. */
static void flush(Client *client)
{
    guint64 before = stream_bytes_written(&client->stream);
    g_autoptr(GError) error = NULL;
    gboolean flushed;

    if (client->state == CLIENT_GONE)
        return;
    if (client->unnoted)
        client_note(client);
    flushed = stream_flush(&client->stream, &error);
    client->common->bytes_out += stream_bytes_written(&client->stream) - before;
    if (client->told && queue_length(&client->stream.queue) > 0)
        client_note(client);
    client->told = FALSE;
    if (!flushed)
        leave(client, error->message);
    else if (client->state == CLIENT_FINISHING && !client->busy && !client->oob_busy &&
             queue_length(&client->stream.queue) == 0)
        leave(client, "finished");
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void check_sent(Client *client, gboolean sent)
{
    client->unnoted = TRUE;
    if (!sent)
        leave(client, "it does not read what it asked for");
}

static void send_error(Client *client, const GError *error, JsonSpan id)
{
    if (client->state != CLIENT_GONE)
        check_sent(client, answers_error(&client->answers, id, error));
}

static void send_reply(Client *client, JsonSpan id, const EnvelopeReply *reply)
{
    if (client->state != CLIENT_GONE)
        check_sent(client, answers_reply(&client->answers, id, reply));
}

/* ---- Negotiation ----------------------------------------------------------------------------- */

static void negotiate(Client *client, const EnvelopeCommand *command)
{
    g_autoptr(GError) error = NULL;

    if (!g_str_equal(command->name, "qmp_capabilities")) {
        g_set_error(&error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                    "Expecting capabilities negotiation with 'qmp_capabilities'");
    } else if (negotiation_read(command->arguments, client->oob_offered, &client->oob, &error)) {
        client->state = CLIENT_COMMANDING;
        io_timer_set(client->deadline, -1);
        send_reply(client, command->id, &envelope_empty_return);
        return;
    }
    send_error(client, error, command->id);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

void client_drop_fd(ClientCommon *common, int fd)
{
    fd_marks_drop(fd, &common->dropped_fds);
}

/* @before: bytes of the connection in front of the last read */
static void mark_fd(Client *client, guint64 before)
{
    gboolean more;
    gsize at;
    int fd = io_take_fd(client->io, &at, &more);

    client->common->dropped_fds += more;
    if (fd >= 0)
        fd_marks_add(&client->marks, before + at, fd);
}

/* Returns: (transfer full): what came with the message or fault that was just taken, or -1 */
static int take_fd(Client *client)
{
    return fd_marks_take(&client->marks, stream_bytes_taken(&client->stream),
                         &client->common->dropped_fds);
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* Known to be under way before it is: it must never be taken twice. */
static void keep_owed(Client *client, const EnvelopeCommand *command)
{
    const guint lane = command->oob ? OWED_OOB : OWED_IN_BAND;
    Owed *owed = &client->owed[lane];

    if (client->kept.slot == 0)
        return;
    owed->name = g_strdup(command->name);
    if (command->id.len > LIMIT_KEPT_ID_BYTES)
        client->unkept |= (guint8)(1u << lane);
    else if (command->id.text)
        owed->id = g_bytes_new(command->id.text, command->id.len);
    client_note(client);
}

static void hand_out(Client *client, const EnvelopeCommand *command, int fd)
{
    g_autoptr(GError) error = NULL;

    if (client->answers.form != ANSWERS_AGENT && !command->oob &&
        g_str_equal(command->name, "qmp_capabilities")) {
        gboolean ignored;

        if (negotiation_read(command->arguments, client->oob_offered, &ignored, &error))
            g_set_error(&error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                        "Capabilities negotiation is already complete, command ignored");
        send_error(client, error, command->id);
        client_drop_fd(client->common, fd);
        return;
    }
    if (command->oob)
        client->oob_busy = TRUE;
    else
        client->busy = TRUE;
    keep_owed(client, command);
    client->ops->request(client->owner, client, command, fd);
}

void client_keep_ahead(Client *client, GBytes *message, GError *fault, int fd)
{
    Ahead *ahead = g_new(Ahead, 1);

    *ahead = (Ahead){message, fault, fd};
    g_queue_push_tail(&client->read_ahead, ahead);
}

static void keep_message(Client *client, JsonSpan message, int fd)
{
    if (charge_take(&client->charge, message.len)) {
        client_keep_ahead(client, g_bytes_new(message.text, message.len), NULL, fd);
        return;
    }
    client_drop_fd(client->common, fd);
    leave(client, "no room for what it sends ahead");
}

/* Its descriptor is the caller's to take before. */
static void ahead_free(Client *client, Ahead *ahead)
{
    if (ahead->message)
        charge_give(&client->charge, g_bytes_get_size(ahead->message));
    g_clear_pointer(&ahead->message, g_bytes_unref);
    g_clear_error(&ahead->fault);
    g_free(ahead);
}

/* A web page can make its reader's browser post anything to a port of localhost, commands among it;
 * but not before its own verb. */
static gboolean speaks_http(const Client *client)
{
    static const char verbs[][HTTP_VERB + 1] = {"GET ", "PUT ", "POST", "HEAD", "OPTI",
                                                "DELE", "PATC", "CONN", "TRAC"};

    for (guint i = 0; client->n_first == HTTP_VERB && i < G_N_ELEMENTS(verbs); i++)
        if (memcmp(client->first, verbs[i], HTTP_VERB) == 0)
            return TRUE;
    return FALSE;
}

static void take_fault(Client *client)
{
    g_autofree char *text = stream_fault_text(&client->stream);
    g_autoptr(GError) error = NULL;

    client_drop_fd(client->common, take_fd(client));
    qmp_error_set(&error, "%s", text);
    if (client->busy)
        client_keep_ahead(client, NULL, g_steal_pointer(&error), -1);
    else
        send_error(client, error, JSON_SPAN_NONE);
}

/* An in-band one that comes while another is under way is kept as it is, and read again in its
 * turn. */
static void take_message(Client *client, JsonSpan message, int fd)
{
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;
    EnvelopeExtras extras =
        ENVELOPE_TIMEOUT_KNOWN | (client->oob ? ENVELOPE_OOB_KNOWN : ENVELOPE_OOB_UNKNOWN);
    gboolean well = envelope_read_command(message, extras, &command, &error);

    if (client->busy && !command.oob) {
        keep_message(client, message, fd);
        return;
    }
    client->commands += well;
    client->common->commands += well;
    if (well && client->state == CLIENT_COMMANDING) {
        hand_out(client, &command, fd);
    } else {
        client_drop_fd(client->common, fd);
        if (well)
            negotiate(client, &command);
        else
            send_error(client, error, command.id);
    }
}

static void take_read_ahead(Client *client)
{
    Ahead *ahead = g_queue_pop_head(&client->read_ahead);

    if (ahead->fault) {
        send_error(client, ahead->fault, JSON_SPAN_NONE);
    } else {
        gsize len;
        const char *text = g_bytes_get_data(ahead->message, &len);

        take_message(client, (JsonSpan){text, len}, ahead->fd);
    }
    ahead_free(client, ahead);
}

static gboolean is_held(Client *client)
{
    if (queue_is_high(&client->stream.queue))
        client->held = TRUE;
    else if (queue_is_low(&client->stream.queue))
        client->held = FALSE;
    return client->held;
}

static gboolean may_take_message(Client *client)
{
    if (client->state != CLIENT_NEGOTIATING && client->state != CLIENT_COMMANDING)
        return FALSE;
    if (client->recovered)
        return FALSE;
    if (is_held(client))
        return FALSE;
    if (!client->busy && client->read_ahead.length > 0)
        return TRUE;
    /* One out of band, as one in-band: QEMU reads it before what the others send, at about 4 µs a
     * byte (0.25 MB/s). */
    if (client->oob)
        return client->read_ahead.length < client->common->bounds->commands_ahead &&
               !client->oob_busy;
    return !client->busy;
}

/* Returns: FALSE where there is nothing more to take for now. */
static gboolean take_next(Client *client)
{
    JsonSpan message;

    if (!client->busy && client->read_ahead.length > 0) {
        take_read_ahead(client);
        return TRUE;
    }
    switch (stream_next(&client->stream, &message)) {
    case STREAM_MESSAGE: take_message(client, message, take_fd(client)); return TRUE;
    case STREAM_FAULT: take_fault(client); return TRUE;
    case STREAM_END: client->ended = TRUE; return FALSE;
    case STREAM_NO_ROOM: leave(client, "no room for the names in its message"); return FALSE;
    default:
        /* What is left is one message: else it could bring one with each byte. */
        fd_marks_keep_last(&client->marks, &client->common->dropped_fds);
        return FALSE;
    }
}

static void finish_when_ended(Client *client)
{
    if (client->ended && !client->busy && !client->oob_busy && client->read_ahead.length == 0 &&
        client->state != CLIENT_GONE)
        client->state = CLIENT_FINISHING;
}

static void turn(Client *client);

static void on_again(gpointer owner, gint64 unused_now)
{
    turn(owner);
}

/* Most clients never need that. */
static void come_again(Client *client)
{
    if (!client->again)
        client->again = io_timer_new(io_timer_loop(client->deadline), on_again, client);
    io_timer_set(client->again, 0);
}

/* Takes all messages that may be taken now. Answers that come from within lead back here only once
 * the stack has unwound, so that a client's pipeline is a loop and not a recursion. */
static void turn(Client *client)
{
    gint64 end = io_timer_now(client->deadline) + LIMIT_TURN_US;
    guint left = LIMIT_TURN_MESSAGES;
    gboolean was_held;

    if (client->in_turn)
        return;
    client->in_turn = TRUE;
    do {
        while (left > 0 && may_take_message(client) && take_next(client))
            left = io_timer_now(client->deadline) < end ? left - 1 : 0;
        finish_when_ended(client);
        was_held = is_held(client);
        flush(client);
        /* what waits in the buffer brings no event */
    } while (left > 0 && was_held && may_take_message(client));
    client->in_turn = FALSE;

    if (client->state == CLIENT_GONE)
        return;
    if (client->unnoted)
        client_note(client);
    if (left == 0)
        come_again(client);
    stream_pause(&client->stream, left == 0 || !may_take_message(client));
}

static gboolean fill(Client *client)
{
    guint64 before = stream_bytes_read(&client->stream);
    g_autoptr(GError) error = NULL;

    if (!stream_fill(&client->stream, &error)) {
        leave(client, error->message);
        return FALSE;
    }
    client->common->bytes_in += stream_bytes_read(&client->stream) - before;
    client->unnoted = TRUE;
    if (client->n_first < HTTP_VERB) {
        client->n_first += stream_last_read(&client->stream, client->first + client->n_first,
                                            HTTP_VERB - client->n_first);
        if (speaks_http(client)) {
            leave(client, "it speaks HTTP");
            return FALSE;
        }
    }
    mark_fd(client, before);
    return TRUE;
}

static void on_io(gpointer owner, IoReady ready)
{
    Client *client = owner;

    if (client->state == CLIENT_GONE)
        return;
    if ((ready & IO_READABLE) && (may_take_message(client) || client->state == CLIENT_HELD)) {
        if (!fill(client))
            return;
        if (client->state == CLIENT_HELD && stream_is_over(&client->stream)) {
            leave(client, "it left before it was greeted");
            return;
        }
    } else if (ready & IO_HANGUP) {
        leave(client, "it closed the connection");
        return;
    }
    turn(client);
}

static void on_deadline(gpointer owner, gint64 unused_now)
{
    Client *client = owner;

    leave(client, client->state == CLIENT_FINISHING ? "it did not read what was left for it"
                                                    : "it did not negotiate in time");
}

static void set_deadline(Client *client, guint64 us)
{
    io_timer_set(client->deadline, io_timer_now(client->deadline) + (gint64)us);
}

/* Who holds a connection without ever using it keeps others out. */
static void await_negotiation(Client *client)
{
    if (client->common->bounds->negotiation_seconds > 0)
        set_deadline(client, client->common->bounds->negotiation_seconds * G_USEC_PER_SEC);
}

static void await_reading(Client *client)
{
    client->lingers = TRUE;
    set_deadline(client, client->common->bounds->linger_milliseconds * 1000);
}

/* ---- Public ---------------------------------------------------------------------------------- */

Client *client_make(IoLoop *loop, int fd, const char *peer, AnswersForm form, const ClientOps *ops,
                    gpointer owner, ClientCommon *common, guint slot)
{
    const Bounds *bounds = common->bounds;
    const QueueLimits limits = {bounds->output_pause_bytes / LIMIT_OUTPUT_LOW_PART,
                                bounds->output_pause_bytes, bounds->output_drop_bytes};
    struct ucred who;
    gboolean known = socket_peer(fd, &who);
    Client *client = g_new(Client, 1);

    *client = (Client){.ops = ops, .owner = owner, .peer = g_strdup(peer), .common = common};
    client->user = known ? (gint64)who.uid : -1;
    client->process = known && who.pid > 0 ? (gint64)who.pid : -1; /* 0: of another container */
    client->since_us = io_loop_now(loop);
    charge_init(&client->charge, &common->memory, bounds->client_bytes);
    charge_set_own(&client->charge, LIMIT_CLIENT_OWN_BYTES);
    g_queue_init(&client->read_ahead);
    fd_marks_init(&client->marks);
    client->io = io_new(loop, fd, on_io, client);
    io_accept_fds(client->io);
    client->deadline = io_timer_new(loop, on_deadline, client);
    client->kept = (JournalIo){.journal = common->journal, .slot = slot, .io = client->io};
    stream_init(&client->stream, slot > 0 ? &journal_stream : &io_stream,
                slot > 0 ? (gpointer)&client->kept : client->io,
                &JSON_SCAN_LIMITS(bounds->request_bytes), &limits, &client->charge);
    answers_init(&client->answers, &client->stream, form);
    if (form == ANSWERS_AGENT)
        client->state = CLIENT_COMMANDING;
    return client;
}

Client *client_new(IoLoop *loop, int fd, const char *peer, AnswersForm form, const ClientOps *ops,
                   gpointer owner, ClientCommon *common)
{
    guint slot = common->journal ? journal_add(common->journal, fd) : 0;
    Client *client = client_make(loop, fd, peer, form, ops, owner, common, slot);

    client_note(client);
    return client;
}

void client_free(Client *client)
{
    Ahead *ahead;

    if (!client)
        return;
    client_forget_owed(client, FALSE);
    client_forget_owed(client, TRUE);
    if (client->kept.slot > 0)
        journal_remove(client->kept.journal, client->kept.slot);
    stream_clear(&client->stream);
    while ((ahead = g_queue_pop_head(&client->read_ahead))) {
        client_drop_fd(client->common, ahead->fd);
        ahead_free(client, ahead);
    }
    client_drop_fd(client->common,
                   fd_marks_take(&client->marks, G_MAXUINT64, &client->common->dropped_fds));
    io_timer_free(client->deadline);
    io_timer_free(client->again);
    g_clear_pointer(&client->session.sync_id, g_bytes_unref);
    charge_clear(&client->charge);
    g_free(client->peer);
    g_free(client);
}

void client_greet(Client *client, JsonSpan version, gboolean oob)
{
    if (client->state != CLIENT_HELD)
        return;
    client->state = CLIENT_NEGOTIATING;
    client->oob_offered = oob;
    await_negotiation(client);
    check_sent(client, answers_greeting(&client->answers, version, oob));
    /* Written before anything is read: some clients take the first packet for the greeting, and
     * nothing else. */
    flush(client);
    turn(client);
}

static void answered(Client *client, gboolean oob)
{
    if (oob)
        client->oob_busy = FALSE;
    else
        client->busy = FALSE;
    client_forget_owed(client, oob);
    turn(client);
}

void client_reply(Client *client, gboolean oob, JsonSpan id, const EnvelopeReply *reply)
{
    send_reply(client, id, reply);
    answered(client, oob);
}

void client_error(Client *client, gboolean oob, JsonSpan id, const GError *error)
{
    send_error(client, error, id);
    answered(client, oob);
}

void client_ignore(Client *client)
{
    answered(client, FALSE);
}

void client_reply_sync(Client *client, JsonSpan id, gboolean delimited, gint64 token)
{
    client_send_sync(client, id, delimited, token);
    answered(client, FALSE);
}

void client_send_sync(Client *client, JsonSpan id, gboolean delimited, gint64 token)
{
    if (client->state == CLIENT_GONE)
        return;
    check_sent(client, answers_sync(&client->answers, id, delimited, token));
    turn(client);
}

AnswersForm client_form(const Client *client)
{
    return client->answers.form;
}

void client_event(Client *client, GBytes *text)
{
    if (client->state != CLIENT_COMMANDING || client->answers.form == ANSWERS_AGENT)
        return;
    client->told = TRUE;
    if (!answers_event(&client->answers, text))
        leave(client, "it does not read its events");
    turn(client);
}

void client_finish(Client *client)
{
    if (client->state == CLIENT_GONE)
        return;
    client->state = CLIENT_FINISHING;
    await_reading(client);
    stream_pause(&client->stream, TRUE);
    flush(client);
}

/* It may have been sent before the process was killed, or not. */
static void fail_owed(Client *client, gboolean oob)
{
    const Owed owed = client->owed[oob ? OWED_OOB : OWED_IN_BAND];
    g_autofree char *name = g_strdup(owed.name);
    g_autoptr(GBytes) id = owed.id ? g_bytes_ref(owed.id) : NULL;
    JsonSpan span = JSON_SPAN_NONE;
    g_autoptr(GError) error = NULL;

    if (!name)
        return;
    if (id)
        span = (JsonSpan){g_bytes_get_data(id, NULL), g_bytes_get_size(id)};
    qmp_error_set(&error, "The proxy was killed; %s was sent and its outcome is unknown", name);
    client_error(client, oob, span, error);
}

/* Who was negotiating, or is left to read in the end, has all its time again. */
void client_resume(Client *client)
{
    if (client->recovered) {
        client->recovered = FALSE;
        fail_owed(client, FALSE);
        fail_owed(client, TRUE);
    }
    if (client->state == CLIENT_NEGOTIATING)
        await_negotiation(client);
    else if (client->lingers)
        await_reading(client);
    if (client->state != CLIENT_HELD)
        come_again(client);
}

/* ---- What the owner asks --------------------------------------------------------------------- */

ClientSession *client_session(Client *client)
{
    return &client->session;
}

gboolean client_is_gone(const Client *client)
{
    return client->state == CLIENT_GONE;
}

const char *client_peer(const Client *client)
{
    return client->peer;
}

void client_set_data(Client *client, gpointer data)
{
    client->data = data;
}

gpointer client_data(const Client *client)
{
    return client->data;
}

gint64 client_user(const Client *client)
{
    return client->user;
}

ConnectionStats client_stats(const Client *client)
{
    static const char *const states[] = {
        [CLIENT_HELD] = "held",
        [CLIENT_NEGOTIATING] = "negotiating",
        [CLIENT_COMMANDING] = "commanding",
        [CLIENT_FINISHING] = "finishing",
        [CLIENT_GONE] = "finishing", /* to be freed in this turn */
    };
    gint64 connected_us = io_timer_now(client->deadline) - client->since_us;

    return (ConnectionStats){
        .peer = client->peer,
        .user = client->user,
        .process = client->process,
        .protocol = client->answers.form == ANSWERS_AGENT ? "agent" : "qmp",
        .state = states[client->state],
        .oob = client->oob,
        .monitor = -1,
        .commands = client->commands,
        .bytes_in = stream_bytes_read(&client->stream),
        .bytes_out = stream_bytes_written(&client->stream),
        .queued = client->read_ahead.length,
        .busy = client->busy || client->oob_busy,
        .seconds = (guint64)MAX(connected_us, 0) / G_USEC_PER_SEC,
    };
}

gboolean client_is_local(const Client *client)
{
    return io_is_local(client->io);
}

Charge *client_charge(Client *client)
{
    return &client->charge;
}
