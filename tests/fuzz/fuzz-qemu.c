/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-qemu: see fuzz-qemu.h.
 */

#include "fuzz-qemu.h"

#include "fuzz-client.h"

#include "common/limits.h"
#include "fuzz.h"

#include <string.h>

FuzzQemu *fuzz_qemu_new(Stage *stage, guint number)
{
    FuzzQemu *qemu = g_new(FuzzQemu, 1);

    *qemu = (FuzzQemu){
        .stage = stage, .number = number, .bound = LIMIT_MONITOR_IN_FLIGHT, .port_open = TRUE};
    reader_init(&qemu->says, LIMIT_JSON_BYTES);
    reader_init(&qemu->hears, LIMIT_JSON_BYTES);
    return qemu;
}

/* Without --persist its clients go with it. */
static void finish_clients(FuzzQemu *qemu)
{
    for (guint i = 0; i < qemu->stage->clients->len; i++) {
        FuzzClient *client = qemu->stage->clients->pdata[i];

        client->finishing |= client->monitor == (gint)qemu->number && !qemu->stage->persist;
    }
}

static void end(FuzzQemu *qemu)
{
    if (qemu->ready)
        finish_clients(qemu);
    if (qemu->liar)
        ledger_trust(&qemu->stage->ledger);
    for (GList *at = qemu->in_band.head; at; at = at->next)
        ((Question *)at->data)->lost = TRUE;
    g_queue_clear(&qemu->in_band);
    g_queue_clear(&qemu->oob);
    g_clear_pointer(&qemu->version, g_free);
    g_clear_pointer(&qemu->fence, g_free);
    qemu->line = NULL;
    qemu->ready = qemu->doomed = qemu->liar = qemu->was_slow = FALSE;
}

void fuzz_qemu_free(FuzzQemu *qemu)
{
    qemu->ready = FALSE;
    end(qemu);
    reader_clear(&qemu->says);
    reader_clear(&qemu->hears);
    g_free(qemu);
}

void fuzz_qemu_connect(FuzzQemu *qemu, MemoryLine *line)
{
    reader_clear(&qemu->says);
    reader_clear(&qemu->hears);
    reader_init(&qemu->says, LIMIT_JSON_BYTES);
    reader_init(&qemu->hears, LIMIT_JSON_BYTES);
    qemu->line = line;
}

void fuzz_qemu_leave(FuzzQemu *qemu, gboolean reset)
{
    if (qemu->line)
        memory_line_leave(qemu->line, reset);
}

/* ---- What it says ---------------------------------------------------------------------------- */

/* It says what the proxy may or may not take for an answer to a command that is on its way. */
static void lie(FuzzQemu *qemu)
{
    if (qemu->liar)
        return;
    qemu->liar = TRUE;
    ledger_doubt(&qemu->stage->ledger);
}

static void say_event(FuzzQemu *qemu, JsonSpan message)
{
    for (guint i = 0; i < qemu->stage->clients->len; i++)
        fuzz_client_expect(qemu->stage->clients->pdata[i], qemu->number, message, !qemu->liar);
}

static Question *take_answered(FuzzQemu *qemu, const EnvelopeReply *reply)
{
    guint64 id;

    if (!reply->id.text)
        return g_queue_pop_head(&qemu->in_band);
    for (GList *at = qemu->oob.head; at; at = at->next) {
        Question *question = at->data;

        if (!json_read_uint64(reply->id, &id) || id != question->id)
            continue;
        g_queue_delete_link(&qemu->oob, at);
        return question;
    }
    return NULL;
}

static void say_ready(FuzzQemu *qemu, JsonSpan message, const EnvelopeReply *reply)
{
    Question *question;

    if (reply->kind == ENVELOPE_EVENT) {
        say_event(qemu, message);
        return;
    }
    if (reply->kind == ENVELOPE_GREETING) {
        qemu->doomed = TRUE;
        return;
    }
    question = take_answered(qemu, reply);
    if (!question)
        lie(qemu);
    else if (!qemu->liar)
        ledger_answer(question, reply);
}

static void say_greeting(FuzzQemu *qemu, const EnvelopeReply *reply)
{
    JsonSpan version = json_read_get(reply->value, "version");

    if (reply->kind == ENVELOPE_RETURN || reply->kind == ENVELOPE_ERROR)
        return; /* a former connection's */
    if (reply->kind == ENVELOPE_GREETING && json_read_kind(version) == JSON_KIND_OBJECT)
        qemu->version = g_strndup(version.text, version.len);
    else
        qemu->doomed = TRUE;
}

static void say_handshake(FuzzQemu *qemu, const EnvelopeReply *reply)
{
    if (!qemu->fence || !reply->id.text || reply->id.len != strlen(qemu->fence) ||
        memcmp(reply->id.text, qemu->fence, reply->id.len) != 0)
        return; /* a former connection's */
    qemu->ready = reply->kind == ENVELOPE_RETURN;
    qemu->doomed = !qemu->ready;
    if (qemu->ready)
        g_ptr_array_add(qemu->stage->versions, g_strdup(qemu->version));
}

static void say_message(FuzzQemu *qemu, JsonSpan message)
{
    EnvelopeReply reply;

    if (!envelope_read_reply(message, &reply))
        qemu->doomed = TRUE;
    else if (qemu->ready)
        say_ready(qemu, message, &reply);
    else if (qemu->version)
        say_handshake(qemu, &reply);
    else
        say_greeting(qemu, &reply);
}

void fuzz_qemu_say(FuzzQemu *qemu, const char *bytes, gsize len)
{
    JsonScanVerdict verdict;
    JsonSpan message;

    if (!qemu->line || qemu->line->shut)
        return;
    memory_line_send(qemu->line, bytes, len, -1);
    reader_put(&qemu->says, bytes, len);
    while (!qemu->doomed && (verdict = reader_next(&qemu->says, &message)) != JSON_SCAN_MORE) {
        if (verdict == JSON_SCAN_VALUE)
            say_message(qemu, message);
        else
            qemu->doomed = TRUE;
    }
}

static void say_text(FuzzQemu *qemu, const char *text)
{
    fuzz_qemu_say(qemu, text, strlen(text));
}

void fuzz_qemu_greet(FuzzQemu *qemu)
{
    g_autofree char *text =
        g_strdup_printf("{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, "
                        "\"major\": 7},\"package\" :\"\"}, \"capabilities\": [%s]}}\r\n",
                        qemu->stage->offers_oob ? "\"oob\"" : "");

    say_text(qemu, text);
}

void fuzz_qemu_shake_hands(FuzzQemu *qemu)
{
    g_autofree char *text = NULL;

    if (!qemu->fence || qemu->ready)
        return;
    text = g_strdup_printf("{\"return\": {}, \"id\": %s}\r\n", qemu->fence);
    say_text(qemu, text);
}

/* ---- Answers --------------------------------------------------------------------------------- */

void fuzz_qemu_answer(FuzzQemu *qemu, Question *question, FuzzVerdict verdict, const char *value)
{
    g_autofree char *own = NULL;
    g_autoptr(GString) text = g_string_new("{");

    if (verdict == FUZZ_ERROR)
        own = g_strdup_printf("{\"class\": \"GenericError\",  \"desc\": \"said %u\"}",
                              ++qemu->stage->last_said);
    else if (!value)
        own = g_strdup_printf("{\"said\":  [%u]}", ++qemu->stage->last_said);
    if (question->with_id)
        g_string_append_printf(text, "\"id\": %" G_GUINT64_FORMAT ", ", question->id);
    g_string_append_printf(text, "\"%s\": %s}\r\n", verdict == FUZZ_ERROR ? "error" : "return",
                           own ? own : value);
    fuzz_qemu_say(qemu, text->str, text->len);
}

/* Returns: (transfer full) (nullable): what QEMU knows of the guest */
static char *known_value(const FuzzQemu *qemu, const Question *question)
{
    if (g_str_equal(question->name, "query-status"))
        return g_strdup("{\"running\": true, \"status\": \"running\"}");
    if (g_str_equal(question->name, "query-chardev"))
        return g_strdup_printf("[{\"frontend-open\": %s, \"filename\": \"unix:agent,server=on\", "
                               "\"label\": \"qga0\"}]",
                               qemu->port_open ? "true" : "false");
    if (g_str_equal(question->name, "qom-list"))
        return g_strdup((strstr(question->words, "peripheral-anon") == NULL) == qemu->port_named
                            ? "[{\"name\": \"port0\", \"type\": \"child<virtserialport>\"}]"
                            : "[]");
    if (g_str_equal(question->name, "qom-get"))
        return g_strdup("\"qga0\"");
    if (g_str_equal(question->name, "query-commands"))
        return g_strdup("[{\"name\":\"query-x\"}]");
    if (g_str_equal(question->name, "query-qmp-schema"))
        return g_strdup(
            "[{\"name\": \"int\", \"json-type\": \"int\", \"meta-type\": \"builtin\"}]");
    return NULL;
}

static void serve_first(FuzzQemu *qemu, GQueue *questions)
{
    Question *question = g_queue_peek_head(questions);
    g_autofree char *value = question ? known_value(qemu, question) : NULL;

    if (question)
        fuzz_qemu_answer(qemu, question, FUZZ_RETURN, value);
}

void fuzz_qemu_serve(FuzzQemu *qemu)
{
    guint in_band = qemu->in_band.length, oob = qemu->oob.length;

    if (!qemu->line)
        return;
    if (!qemu->version)
        fuzz_qemu_greet(qemu);
    fuzz_qemu_shake_hands(qemu);
    while (oob-- > 0)
        serve_first(qemu, &qemu->oob);
    while (in_band-- > 0)
        serve_first(qemu, &qemu->in_band);
}

gboolean fuzz_qemu_is_honest(const FuzzQemu *qemu)
{
    return qemu->line && !qemu->doomed && !qemu->liar && reader_is_clean(&qemu->says);
}

/* ---- What it hears --------------------------------------------------------------------------- */

static gint64 take_fd(FuzzQemu *qemu)
{
    guint64 at;
    gint64 tag = memory_line_take_fd(qemu->line, reader_end(&qemu->hears), &at);

    if (tag >= 0 && at != reader_start(&qemu->hears))
        fuzz_fail("a descriptor came in the middle of a command");
    return tag;
}

/* QEMU keeps the last descriptor that came, until a command takes it. */
static void check_one_carries(const FuzzQemu *qemu, const Question *question)
{
    for (const GList *at = qemu->in_band.head; at && question->carries && !qemu->liar;
         at = at->next)
        if (((const Question *)at->data)->carries)
            fuzz_fail("a second descriptor came before the first was taken");
}

static void hear_question(FuzzQemu *qemu, const EnvelopeCommand *command, gint64 fd)
{
    Question *question = ledger_went_up(&qemu->stage->ledger, FALSE, command, fd, !qemu->was_slow);

    if (question->request && !question->vague) {
        FuzzClient *client = qemu->stage->clients->pdata[question->request->client];

        if (client->monitor >= 0 && (guint)client->monitor != qemu->number)
            fuzz_fail("a client's command went to another's monitor");
        client->monitor = (gint)qemu->number;
    }
    question->with_id = command->id.text != NULL;
    if (question->with_id != command->oob)
        fuzz_fail("%s came %s id", question->words, question->with_id ? "with an" : "without");
    if (command->oob && !json_read_uint64(command->id, &question->id))
        fuzz_fail("%s has a strange id", question->words);
    check_one_carries(qemu, question);
    g_queue_push_tail(command->oob ? &qemu->oob : &qemu->in_band, question);
    if (qemu->in_band.length > qemu->bound && !qemu->liar)
        fuzz_fail("more commands are under way than QEMU reads");
}

static void hear_message(FuzzQemu *qemu, JsonSpan message)
{
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;
    gint64 fd = take_fd(qemu);

    if (!envelope_read_command(message, ENVELOPE_OOB_KNOWN, &command, &error))
        fuzz_fail("what went up is no command: %s", error->message);
    if (!qemu->fence) {
        if (!g_str_equal(command.name, "qmp_capabilities") || !command.id.text || fd >= 0)
            fuzz_fail("%s went up in front of the handshake", command.name);
        qemu->fence = g_strndup(command.id.text, command.id.len);
        return;
    }
    if (!qemu->ready)
        fuzz_fail("%s went up before the handshake was answered", command.name);
    hear_question(qemu, &command, fd);
}

void fuzz_qemu_notice(FuzzQemu *qemu)
{
    Stage *stage = qemu->stage;

    if (!qemu->line || !qemu->line->closed || !qemu->ready)
        return;
    if (!stage->lost)
        stage->lost_at = stage->ledger.turn;
    stage->lost = TRUE;
}

void fuzz_qemu_set_room(FuzzQemu *qemu, gsize room)
{
    if (!qemu->line)
        return;
    qemu->line->room = room;
    qemu->was_slow |= room != G_MAXSIZE;
}

/* What went up when it had gone already is not looked at: nobody knows how much of it there was. */
void fuzz_qemu_hear(FuzzQemu *qemu)
{
    JsonScanVerdict verdict;
    JsonSpan message;

    if (!qemu->line)
        return;
    if (qemu->line->closed) {
        if (!qemu->doomed && !qemu->liar && !qemu->line->left)
            fuzz_fail("the proxy has left a monitor for nothing");
        end(qemu);
        return;
    }
    if (qemu->doomed && !qemu->liar)
        fuzz_fail("the proxy goes on with what is no monitor");
    reader_take(&qemu->hears, qemu->line->got);
    while ((verdict = reader_next(&qemu->hears, &message)) != JSON_SCAN_MORE) {
        if (verdict == JSON_SCAN_ERROR)
            fuzz_fail("what went up is no JSON");
        hear_message(qemu, message);
    }
}
