/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-client: see fuzz-client.h.
 */

#include "fuzz-client.h"

#include "common/limits.h"
#include "fuzz.h"

#include <string.h>

typedef struct {
    char *text; /* (nullable): a value; NULL for a fault */
    gsize len;
    gint64 fd;
} Said;

typedef struct {
    char *text;
    gboolean sure;
} Expected;

static void said_free(gpointer data)
{
    Said *said = data;

    g_free(said->text);
    g_free(said);
}

static void expected_free(gpointer data)
{
    Expected *expected = data;

    g_free(expected->text);
    g_free(expected);
}

FuzzClient *fuzz_client_new(Stage *stage, MemoryLine *line, gsize max_bytes)
{
    FuzzClient *client = g_new(FuzzClient, 1);

    *client = (FuzzClient){.stage = stage, .number = stage->clients->len, .line = line};
    client->monitor = stage->monitors == 1 ? 0 : -1;
    reader_init(&client->says, max_bytes);
    reader_init(&client->hears, LIMIT_JSON_BYTES);
    g_queue_init(&client->unsorted);
    g_queue_init(&client->fds);
    g_queue_init(&client->asked);
    g_queue_init(&client->events);
    g_ptr_array_add(stage->clients, client);
    return client;
}

void fuzz_client_free(FuzzClient *client)
{
    reader_clear(&client->says);
    reader_clear(&client->hears);
    g_queue_clear_full(&client->unsorted, said_free);
    g_queue_clear_full(&client->fds, g_free);
    g_queue_clear(&client->asked);
    g_queue_clear_full(&client->events, expected_free);
    g_free(client);
}

/* ---- What it says ---------------------------------------------------------------------------- */

/* Of several the last counts. */
static gint64 take_fd(FuzzClient *client)
{
    const MemoryMark *first;
    gint64 tag = -1;

    while ((first = g_queue_peek_head(&client->fds)) && first->at < reader_end(&client->says)) {
        g_autofree MemoryMark *mark = g_queue_pop_head(&client->fds);

        tag = mark->tag;
    }
    return tag;
}

void fuzz_client_say(FuzzClient *client, const char *bytes, gsize len, gint64 fd)
{
    JsonScanVerdict verdict;
    JsonSpan value;

    if (client->line->shut || client->line->closed)
        return;
    if (fd >= 0 && client->line->local && len > 0) {
        MemoryMark *mark = g_new(MemoryMark, 1);

        *mark = (MemoryMark){client->says.dropped + client->says.text->len, fd};
        g_queue_push_tail(&client->fds, mark);
    }
    memory_line_send(client->line, bytes, len, client->line->local ? fd : -1);
    reader_put(&client->says, bytes, len);
    while ((verdict = reader_next(&client->says, &value)) != JSON_SCAN_MORE) {
        Said *said = g_new(Said, 1);

        *said = (Said){.fd = take_fd(client)};
        if (verdict == JSON_SCAN_VALUE) {
            said->text = g_strndup(value.text, value.len);
            said->len = value.len;
        }
        g_queue_push_tail(&client->unsorted, said);
    }
}

static gboolean wants_oob(JsonSpan arguments)
{
    JsonWalk walk = json_read_walk(json_read_get(arguments, "enable"));
    JsonSpan name;

    return json_read_element(&walk, &name);
}

static Request *sort_said(FuzzClient *client, const Said *said)
{
    Ledger *ledger = &client->stage->ledger;
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;
    RequestKind kind;

    if (!said->text)
        return ledger_ask(ledger, client->number, REQUEST_FAULT, NULL);
    if (!envelope_read_command((JsonSpan){said->text, said->len},
                               ENVELOPE_TIMEOUT_KNOWN |
                                   (client->oob ? ENVELOPE_OOB_KNOWN : ENVELOPE_OOB_UNKNOWN),
                               &command, &error)) {
        kind = REQUEST_MALFORMED;
    } else if (!client->negotiated) {
        kind = REQUEST_EARLY;
        client->wants_oob =
            g_str_equal(command.name, "qmp_capabilities") && wants_oob(command.arguments);
    } else if (g_str_equal(command.name, "qmp_capabilities") && !command.oob) {
        kind = REQUEST_MALFORMED; /* it comes too late */
    } else {
        kind = REQUEST_COMMAND;
    }
    return ledger_ask(ledger, client->number, kind, &command);
}

/* What a message is depends on the answer to the one in front of it, as long as the negotiation is
 * not over. */
static void sort_all(FuzzClient *client)
{
    while (client->greeted && client->unsorted.length > 0 &&
           (client->negotiated || client->asked.length == 0)) {
        Said *said = g_queue_pop_head(&client->unsorted);
        Request *request = sort_said(client, said);

        request->fd = said->fd;
        request->muddled = client->muddled;
        request->pretty = client->pretty;
        request->late = client->was_slow;
        g_queue_push_tail(&client->asked, request);
        said_free(said);
    }
}

/* It left while it said that: the proxy has read it or not, and who knows how. */
static void sort_rest(FuzzClient *client)
{
    client->muddled |= !client->negotiated;
    client->oob |= !client->negotiated;
    client->greeted = client->negotiated = TRUE;
    sort_all(client);
}

void fuzz_client_set_room(FuzzClient *client, gsize room)
{
    client->line->room = room;
    client->was_slow |= room != G_MAXSIZE;
    for (GList *at = client->asked.head; at; at = at->next)
        ((Request *)at->data)->late = TRUE;
}

/* ---- What it hears --------------------------------------------------------------------------- */

static void hear_greeting(FuzzClient *client, JsonSpan message)
{
    if (client->greeted)
        fuzz_fail("a second greeting came");
    client->greeted = TRUE;
    for (guint i = 0; i < client->stage->versions->len; i++) {
        g_autofree char *expected =
            g_strdup_printf("{\"QMP\": {\"version\": %s, \"capabilities\": [%s]}}",
                            (const char *)client->stage->versions->pdata[i],
                            client->stage->offers_oob ? "\"oob\"" : "");

        if (ledger_same(message, expected, client->pretty))
            return;
    }
    fuzz_fail("no greeting of QEMU's: %.*s", (int)message.len, message.text);
}

static gboolean is_expected(const FuzzClient *client, JsonSpan message)
{
    for (const GList *at = client->events.head; at; at = at->next)
        if (ledger_same(message, ((const Expected *)at->data)->text, client->pretty))
            return TRUE;
    return FALSE;
}

/* One of the proxy's. Nothing of the guest's is in it, and no state is told twice. */
static gboolean hear_own_event(FuzzClient *client, const EnvelopeReply *event)
{
    static const char *const states[] = {"offline", "gone",    "asleep", "paused", "closed",
                                         "hung",    "syncing", "frozen", "ready"};
    JsonSpan state = json_read_get(event->data, "state");

    if (json_read_is(event->value, "GUEST_FSFREEZE"))
        return json_read_is(state, "thawing") || json_read_is(state, "thawed");
    if (!json_read_is(event->value, "GUEST_AGENT_STATE"))
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(states); i++)
        if (json_read_is(state, states[i])) {
            if (client->agent_state == states[i])
                fuzz_fail("the agent was said to be %s twice", states[i]);
            client->agent_state = states[i];
            return TRUE;
        }
    return FALSE;
}

/* Those in front of it that it was not sure to get did not come. */
static void hear_event(FuzzClient *client, JsonSpan message, const EnvelopeReply *event)
{
    Expected *expected;

    if (!client->negotiated)
        fuzz_fail("an event came before the negotiation");
    if (!is_expected(client, message) && hear_own_event(client, event))
        return;
    while ((expected = g_queue_pop_head(&client->events))) {
        gboolean is_it = ledger_same(message, expected->text, client->pretty);

        if (!is_it && expected->sure)
            fuzz_fail("an event was lost: %s", expected->text);
        expected_free(expected);
        if (is_it)
            return;
    }
    fuzz_fail("an event came that QEMU did not send: %.*s", (int)message.len, message.text);
}

static gboolean has_id(const Request *request, JsonSpan id)
{
    if (!request->id || !id.text)
        return !request->id && !id.text;
    return ledger_same(id, request->id, request->pretty);
}

static gboolean may_be(const Request *request, const EnvelopeReply *reply)
{
    return has_id(request, reply->id) &&
           (request->muddled || reply->kind == ENVELOPE_ERROR || request->kind == REQUEST_COMMAND ||
            request->kind == REQUEST_EARLY);
}

static void muddle(FuzzClient *client)
{
    client->muddled = TRUE;
    for (GList *at = client->asked.head; at; at = at->next)
        ((Request *)at->data)->muddled = TRUE;
}

/* The first in-band one, or any out of band. Where several would do, because they have the same id,
 * nothing can be told from here on but how many answers come, and to which ids. */
static Request *find_answered(FuzzClient *client, const EnvelopeReply *reply)
{
    Request *in_band = NULL, *oob = NULL;
    gboolean in_band_passed = FALSE;

    for (GList *at = client->asked.head; at; at = at->next) {
        Request *request = at->data;

        if (!request->oob && !in_band_passed && may_be(request, reply))
            in_band = request;
        in_band_passed |= !request->oob;
        if (!request->oob || !may_be(request, reply))
            continue;
        if (oob)
            muddle(client);
        oob = request;
    }
    if (oob && in_band)
        muddle(client);
    return in_band ? in_band : oob;
}

/* An answer has one form, around what was said. */
static void check_form(const FuzzClient *client, JsonSpan message, const EnvelopeReply *reply)
{
    g_autofree char *value = g_strndup(reply->value.text, reply->value.len);
    g_autofree char *id = g_strndup(reply->id.text, reply->id.len);
    g_autofree char *form = NULL;

    if (reply->kind == ENVELOPE_RETURN)
        form = g_strconcat("{\"return\": ", value, reply->id.text ? ", \"id\": " : "",
                           reply->id.text ? id : "", "}", NULL);
    else
        form = g_strconcat("{", reply->id.text ? "\"id\": " : "", reply->id.text ? id : "",
                           reply->id.text ? ", " : "", "\"error\": ", value, "}", NULL);
    if (!ledger_same(message, form, client->pretty))
        fuzz_fail("an answer of another form came: %.*s", (int)message.len, message.text);
}

static void hear_answer(FuzzClient *client, JsonSpan message, const EnvelopeReply *reply)
{
    Request *request;

    sort_all(client);
    check_form(client, message, reply);
    request = find_answered(client, reply);
    if (!request)
        fuzz_fail("an answer came that client %u did not ask for: %.*s", client->number,
                  (int)message.len, message.text);
    ledger_take(&client->stage->ledger, request, reply);
    g_queue_remove(&client->asked, request);
    if (request->kind == REQUEST_EARLY && reply->kind == ENVELOPE_RETURN) {
        if (!g_str_equal(request->name, "qmp_capabilities"))
            fuzz_fail("%s was carried out before the negotiation", request->name);
        client->negotiated = TRUE;
        client->oob = client->wants_oob;
        if (client->oob && !client->stage->offers_oob)
            fuzz_fail("what was not offered was granted");
    }
}

static void hear_message(FuzzClient *client, JsonSpan message)
{
    EnvelopeReply reply;

    if (reader_start(&client->hears) != client->hears.dropped)
        fuzz_fail("something stands in front of what came: %.*s", (int)message.len, message.text);
    if (!envelope_read_reply(message, &reply))
        fuzz_fail("what came is none of QMP's: %.*s", (int)message.len, message.text);
    switch (reply.kind) {
    case ENVELOPE_GREETING: hear_greeting(client, message); break;
    case ENVELOPE_EVENT: hear_event(client, message, &reply); break;
    default: hear_answer(client, message, &reply);
    }
}

static gboolean hear_line_end(FuzzClient *client)
{
    if (client->line_end_due && !reader_skip(&client->hears, "\r\n")) {
        if (client->hears.text->len > 1)
            fuzz_fail("a line does not end with what came");
        return FALSE;
    }
    client->line_end_due = FALSE;
    return TRUE;
}

static void hear_all(FuzzClient *client)
{
    JsonScanVerdict verdict;
    JsonSpan message;

    reader_take(&client->hears, client->line->got);
    while (hear_line_end(client) &&
           (verdict = reader_next(&client->hears, &message)) != JSON_SCAN_MORE) {
        if (verdict == JSON_SCAN_ERROR)
            fuzz_fail("what came is no JSON");
        hear_message(client, message);
        client->line_end_due = TRUE;
    }
    sort_all(client);
}

/* ---- What it must hear ----------------------------------------------------------------------- */

void fuzz_client_expect(FuzzClient *client, guint monitor, JsonSpan event, gboolean sure)
{
    Expected *expected;

    if (client->gone || (client->monitor >= 0 && (guint)client->monitor != monitor))
        return;
    expected = g_new(Expected, 1);
    *expected = (Expected){.text = g_strndup(event.text, event.len)};
    expected->sure = sure && client->negotiated && client->monitor >= 0 && !client->finishing;
    g_queue_push_tail(&client->events, expected);
}

static gboolean is_prompt(const FuzzClient *client)
{
    return client->line->room == G_MAXSIZE && !client->line->shut;
}

gboolean fuzz_client_is_there(const FuzzClient *client)
{
    return !client->gone && is_prompt(client);
}

static void check_nothing_lost(FuzzClient *client)
{
    for (GList *at = client->asked.head; at; at = at->next)
        if (ledger_is_owed(at->data))
            fuzz_fail("QEMU's answer to %s was lost", ((const Request *)at->data)->words);
    for (GList *at = client->events.head; at && !client->gone; at = at->next)
        if (((const Expected *)at->data)->sure)
            fuzz_fail("an event was lost: %s", ((const Expected *)at->data)->text);
    g_queue_clear_full(&client->events, expected_free);
}

static gboolean may_be_closed(const FuzzClient *client)
{
    return client->line->shut || client->was_slow || !client->negotiated || client->stage->tight ||
           (client->stage->lost && !client->stage->persist);
}

static gboolean is_surely_sent(const Request *request)
{
    return request->sent > 0 && !request->vague && !request->muddled;
}

static void end(FuzzClient *client)
{
    client->gone = TRUE;
    if (!may_be_closed(client))
        fuzz_fail("a client was closed for nothing");
    if (client->stage->lost && !client->stage->tight && is_prompt(client))
        for (GList *at = client->asked.head; at; at = at->next)
            if (is_surely_sent(at->data))
                fuzz_fail("QEMU went, and %s is not answered", ((const Request *)at->data)->words);
}

static void orphan_all(FuzzClient *client)
{
    for (GList *at = client->asked.head; at; at = at->next)
        ((Request *)at->data)->orphan = TRUE;
    g_queue_clear(&client->asked);
}

void fuzz_client_hear(FuzzClient *client)
{
    if (client->gone) {
        orphan_all(client); /* from the turn behind the one in which it went */
        return;
    }
    if (client->line->left)
        sort_rest(client);
    else
        hear_all(client);
    if (client->line->closed)
        end(client);
    else if (client->line->left)
        fuzz_fail("a client that has left is kept");
    if (is_prompt(client) && !(client->gone && client->stage->tight))
        check_nothing_lost(client);
}

gboolean fuzz_client_waits(const FuzzClient *client)
{
    return !client->gone && client->asked.length + client->unsorted.length > 0;
}
