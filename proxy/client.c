/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client.h"

#include "common/limits.h"
#include "common/message.h"
#include "common/qmp-error.h"

#include <string.h>

/* Legal in each state:
 *   HELD         not greeted, since QEMU is not there; read once, to notice one that leaves
 *   NEGOTIATING  every command but qmp_capabilities is refused, no events
 *   COMMANDING   commands go to the owner, events come
 *   FINISHING    nothing is read; gone when what is under way was answered, and that was written
 *   GONE         the owner was told; nothing happens any more */
typedef enum {
    CLIENT_HELD,
    CLIENT_NEGOTIATING,
    CLIENT_COMMANDING,
    CLIENT_FINISHING,
    CLIENT_GONE,
} ClientState;

struct Client {
    const ClientOps *ops;
    gpointer owner;
    char *peer;
    gboolean pretty;
    Charge charge;

    ClientState state;
    Io *io;
    Stream stream;
    gboolean oob_offered;
    gboolean oob; /* negotiated */
    gboolean ended;
    gboolean in_turn;
    gboolean held; /* it left replies unread up to the high mark, and is not back at the low one */

    gboolean busy;     /* an in-band command is with the owner */
    guint oob_busy;    /* commands out of band with the owner */
    GQueue read_ahead; /* of GBytes: in-band messages behind it; an empty one is a fault's text in
                          `faults` */
    GQueue faults;     /* of GError, one for each empty entry above */
};

static void leave(Client *client, const char *why)
{
    if (client->state == CLIENT_GONE)
        return;
    client->state = CLIENT_GONE;
    g_debug("%s: %s", client->peer, why);
    client->ops->gone(client->owner, client, why);
}

static void flush(Client *client)
{
    g_autoptr(GError) error = NULL;

    if (client->state == CLIENT_GONE)
        return;
    if (!stream_flush(&client->stream, &error))
        leave(client, error->message);
    else if (client->state == CLIENT_FINISHING && !client->busy && client->oob_busy == 0 &&
             queue_length(&client->stream.queue) == 0)
        leave(client, "finished");
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void send_span(Client *client, const char *text, gsize len)
{
    if (client->state == CLIENT_GONE)
        return;
    if (!stream_send(&client->stream, text, len))
        leave(client, "it does not read what it asked for");
}

static void send_text(Client *client, const GString *text)
{
    send_span(client, text->str, text->len);
}

static void send_error(Client *client, const GError *error, JsonSpan id)
{
    g_autoptr(GString) text = g_string_new(NULL);

    message_error(text, MESSAGE_QMP, error, id);
    send_text(client, text);
}

/* The value goes to the queue as it stands where it came in: it may be 64 MiB. */
static void send_return(Client *client, JsonSpan id, JsonSpan value)
{
    g_autoptr(GString) around = g_string_new(NULL);

    message_open(around, "return");
    send_text(client, around);
    send_span(client, value.text, value.len);
    g_string_truncate(around, 0);
    message_close(around, MESSAGE_QMP, id);
    send_text(client, around);
}

static void send_reply(Client *client, JsonSpan id, const EnvelopeReply *reply)
{
    g_autoptr(GString) text = NULL;

    if (reply->kind == ENVELOPE_RETURN) {
        send_return(client, id, reply->value);
        return;
    }
    text = g_string_new(NULL);
    message_error_span(text, MESSAGE_QMP, reply->value, id);
    send_text(client, text);
}

/* ---- Negotiation ----------------------------------------------------------------------------- */

static gboolean read_capability(const Client *client, JsonSpan capability, GError **error)
{
    g_autofree char *name = NULL;

    if (json_read_kind(capability) != JSON_KIND_STRING) {
        qmp_error_set(error, "Invalid parameter type for 'enable', expected: string");
        return FALSE;
    }
    name = envelope_quotable(capability);
    if (!g_str_equal(name, "oob")) {
        qmp_error_set(error, "Parameter 'enable' does not accept value '%s'", name);
        return FALSE;
    }
    if (!client->oob_offered) {
        qmp_error_set(error, "Capability oob not available");
        return FALSE;
    }
    return TRUE;
}

static gboolean read_capabilities(const Client *client, JsonSpan arguments, gboolean *ret_oob,
                                  GError **error)
{
    JsonWalk walk = json_read_walk(arguments);
    JsonSpan key, value;
    gboolean oob = FALSE;

    while (arguments.text && json_read_member(&walk, &key, &value)) {
        JsonWalk names = json_read_walk(value);
        JsonSpan name;

        if (!json_read_is(key, "enable")) {
            g_autofree char *stranger = envelope_quotable(key);

            qmp_error_set(error, "Parameter '%s' is unexpected", stranger);
            return FALSE;
        }
        if (json_read_kind(value) != JSON_KIND_ARRAY) {
            qmp_error_set(error, "Invalid parameter type for 'enable', expected: array");
            return FALSE;
        }
        while (json_read_element(&names, &name)) {
            if (!read_capability(client, name, error))
                return FALSE;
            oob = TRUE;
        }
    }
    *ret_oob = oob;
    return TRUE;
}

static void negotiate(Client *client, const EnvelopeCommand *command)
{
    g_autoptr(GError) error = NULL;

    if (!g_str_equal(command->name, "qmp_capabilities")) {
        g_set_error(&error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                    "Expecting capabilities negotiation with 'qmp_capabilities'");
    } else if (read_capabilities(client, command->arguments, &client->oob, &error)) {
        client->state = CLIENT_COMMANDING;
        send_reply(client, command->id, &envelope_empty_return);
        return;
    }
    send_error(client, error, command->id);
}

/* ---- Commands -------------------------------------------------------------------------------- */

static void hand_out(Client *client, const EnvelopeCommand *command)
{
    g_autoptr(GError) error = NULL;

    if (g_str_equal(command->name, "qmp_capabilities") && !command->oob) {
        gboolean ignored;

        if (read_capabilities(client, command->arguments, &ignored, &error))
            g_set_error(&error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                        "Capabilities negotiation is already complete, command ignored");
        send_error(client, error, command->id);
        return;
    }
    if (command->oob)
        client->oob_busy++;
    else
        client->busy = TRUE;
    client->ops->request(client->owner, client, command);
}

static void keep(Client *client, JsonSpan message)
{
    if (charge_take(&client->charge, message.len))
        g_queue_push_tail(&client->read_ahead, g_bytes_new(message.text, message.len));
    else
        leave(client, "no room for what it sends ahead");
}

/* A web page can make its reader's browser post anything to a port of localhost, commands among it.
 */
static gboolean speaks_http(const Client *client)
{
    static const char *const verbs[] = {"GET ", "PUT ", "POST", "HEAD", "OPTI",
                                        "DELE", "PATC", "CONN", "TRAC"};

    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (stream_fault_begins(&client->stream, verbs[i]))
            return TRUE;
    return FALSE;
}

static void take_fault(Client *client, GError *error)
{
    if (client->busy) {
        keep(client, JSON_SPAN_NONE);
        g_queue_push_tail(&client->faults, g_error_copy(error));
    } else {
        send_error(client, error, JSON_SPAN_NONE);
    }
}

/* An in-band one that comes while another is under way is kept as it is, and read again in its
 * turn. */
static void take_message(Client *client, JsonSpan message)
{
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;
    gboolean well = envelope_read_command(
        message, client->oob ? ENVELOPE_OOB_KNOWN : ENVELOPE_OOB_UNKNOWN, &command, &error);

    if (client->busy && !command.oob)
        keep(client, message);
    else if (!well)
        send_error(client, error, command.id);
    else if (client->state == CLIENT_NEGOTIATING)
        negotiate(client, &command);
    else
        hand_out(client, &command);
}

static void take_read_ahead(Client *client)
{
    g_autoptr(GBytes) text = g_queue_pop_head(&client->read_ahead);
    gsize len;
    const char *message = g_bytes_get_data(text, &len);
    g_autoptr(GError) fault = len == 0 ? g_queue_pop_head(&client->faults) : NULL;

    charge_give(&client->charge, len);
    if (fault)
        send_error(client, fault, JSON_SPAN_NONE);
    else
        take_message(client, (JsonSpan){message, len});
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
    if (is_held(client))
        return FALSE;
    if (!client->busy && client->read_ahead.length > 0)
        return TRUE;
    if (client->oob)
        return client->read_ahead.length < LIMIT_CLIENT_QUEUED &&
               client->oob_busy < LIMIT_CLIENT_QUEUED;
    return !client->busy;
}

/* Returns: FALSE where there is nothing more to take for now. */
static gboolean take_next(Client *client)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    JsonSpan message;

    if (!client->busy && client->read_ahead.length > 0) {
        take_read_ahead(client);
        return TRUE;
    }
    switch (stream_next(&client->stream, &message)) {
    case STREAM_MESSAGE: take_message(client, message); return TRUE;
    case STREAM_FAULT:
        if (client->state == CLIENT_NEGOTIATING && speaks_http(client)) {
            leave(client, "it speaks HTTP");
            return FALSE;
        }
        text = stream_fault_text(&client->stream);
        qmp_error_set(&error, "%s", text);
        take_fault(client, error);
        return TRUE;
    case STREAM_END: client->ended = TRUE; return FALSE;
    default: return FALSE;
    }
}

static void finish_when_ended(Client *client)
{
    if (client->ended && !client->busy && client->oob_busy == 0 && client->read_ahead.length == 0 &&
        client->state != CLIENT_GONE)
        client->state = CLIENT_FINISHING;
}

/* Takes all messages that may be taken now. Answers that come from within lead back here only once
 * the stack has unwound, so that a client's pipeline is a loop and not a recursion. */
static void turn(Client *client)
{
    gboolean was_held;

    if (client->in_turn)
        return;
    client->in_turn = TRUE;
    do {
        while (may_take_message(client) && take_next(client))
            ;
        finish_when_ended(client);
        was_held = is_held(client);
        flush(client);
    } while (was_held && may_take_message(client)); /* what waits in the buffer brings no event */
    client->in_turn = FALSE;

    if (client->state != CLIENT_GONE)
        stream_pause(&client->stream, !may_take_message(client));
}

static void on_io(gpointer owner, IoReady ready)
{
    Client *client = owner;
    g_autoptr(GError) error = NULL;

    if (client->state == CLIENT_GONE)
        return;
    if ((ready & IO_READABLE) && (may_take_message(client) || client->state == CLIENT_HELD)) {
        if (!stream_fill(&client->stream, &error)) {
            leave(client, error->message);
            return;
        }
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

/* ---- Public ---------------------------------------------------------------------------------- */

Client *client_new(IoLoop *loop, int fd, const char *peer, gboolean pretty, const ClientOps *ops,
                   gpointer owner, Charge *memory)
{
    static const QueueLimits limits = {LIMIT_OUTPUT_LOW, LIMIT_OUTPUT_HIGH, LIMIT_OUTPUT_HARD};
    Client *client = g_new(Client, 1);

    *client = (Client){.ops = ops, .owner = owner, .peer = g_strdup(peer), .pretty = pretty};
    charge_init(&client->charge, memory, LIMIT_CLIENT_BYTES);
    charge_set_own(&client->charge, LIMIT_CLIENT_OWN_BYTES);
    g_queue_init(&client->read_ahead);
    g_queue_init(&client->faults);
    client->io = io_new(loop, fd, on_io, client);
    stream_init(&client->stream, &io_stream, client->io,
                &JSON_SCAN_LIMITS(LIMIT_CLIENT_REQUEST_BYTES), &limits, &client->charge);
    return client;
}

void client_free(Client *client)
{
    GBytes *ahead;

    if (!client)
        return;
    stream_clear(&client->stream);
    while ((ahead = g_queue_pop_head(&client->read_ahead))) {
        charge_give(&client->charge, g_bytes_get_size(ahead));
        g_bytes_unref(ahead);
    }
    g_queue_clear_full(&client->faults, (GDestroyNotify)g_error_free);
    charge_clear(&client->charge);
    g_free(client->peer);
    g_free(client);
}

void client_greet(Client *client, JsonSpan version, gboolean oob)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (client->state != CLIENT_HELD)
        return;
    client->state = CLIENT_NEGOTIATING;
    client->oob_offered = oob;
    message_greeting(text, version, oob);
    send_text(client, text);
    /* Written before anything is read: some clients take the first packet for the greeting, and
     * nothing else. */
    flush(client);
    turn(client);
}

static void answered(Client *client, gboolean oob)
{
    if (oob)
        client->oob_busy--;
    else
        client->busy = FALSE;
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

void client_event(Client *client, GBytes *text)
{
    if (client->state != CLIENT_COMMANDING)
        return;
    if (!stream_send_bytes(&client->stream, text))
        leave(client, "it does not read its events");
    turn(client);
}

void client_finish(Client *client)
{
    if (client->state == CLIENT_GONE)
        return;
    client->state = CLIENT_FINISHING;
    stream_pause(&client->stream, TRUE);
    flush(client);
}

Charge *client_charge(Client *client)
{
    return &client->charge;
}
