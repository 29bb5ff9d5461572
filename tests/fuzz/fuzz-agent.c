/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-agent: see fuzz-agent.h.
 */

#include "fuzz-agent.h"

#include "fuzz-client.h"

#include "common/guest-schema/guest-schema.h"
#include "common/limits.h"
#include "fuzz.h"
#include "memory-record.h"

#include <string.h>

static void begin(FuzzAgent *agent, Stage *stage)
{
    *agent = (FuzzAgent){.stage = stage, .probe = -1, .open = g_ptr_array_new()};
    reader_init(&agent->says, LIMIT_JSON_BYTES);
    reader_init(&agent->hears, LIMIT_JSON_BYTES);
}

FuzzAgent *fuzz_agent_new(Stage *stage)
{
    FuzzAgent *agent = g_new(FuzzAgent, 1);

    begin(agent, stage);
    return agent;
}

void fuzz_agent_free(FuzzAgent *agent)
{
    if (!agent)
        return;
    reader_clear(&agent->says);
    reader_clear(&agent->hears);
    g_ptr_array_unref(agent->open);
    g_free(agent);
}

static void end(FuzzAgent *agent)
{
    Stage *stage = agent->stage;

    reader_clear(&agent->says);
    reader_clear(&agent->hears);
    g_ptr_array_unref(agent->open);
    begin(agent, stage);
}

void fuzz_agent_connect(FuzzAgent *agent, MemoryLine *line)
{
    end(agent);
    agent->line = line;
}

void fuzz_agent_leave(FuzzAgent *agent, gboolean reset)
{
    if (agent->line)
        memory_line_leave(agent->line, reset);
}

/* ---- What it says ---------------------------------------------------------------------------- */

/* Only what has its id is an answer to a command that was sent with one. */
static void note_answer(Question *question, const EnvelopeReply *reply)
{
    guint64 id;

    question->refused |= reply->kind == ENVELOPE_ERROR && !reply->id.text;
    if (!question->with_id || (json_read_uint64(reply->id, &id) && id == question->id))
        g_ptr_array_add(question->said, ledger_said_form(reply->kind, reply->value));
}

static void note_value(JsonSpan value, FuzzAgent *agent)
{
    EnvelopeReply reply;

    if (!envelope_read_reply(value, &reply) ||
        (reply.kind != ENVELOPE_RETURN && reply.kind != ENVELOPE_ERROR))
        return;
    agent->busy = FALSE;
    /* It may refuse an id and read the second try, which has none, only later. */
    agent->stage->ledger.by_order |=
        agent->was_slow && reply.kind == ENVELOPE_ERROR && !reply.id.text;
    g_ptr_array_add(agent->stage->ledger.spoken, ledger_said_form(reply.kind, reply.value));
    for (guint i = 0; i < agent->open->len; i++)
        note_answer(agent->open->pdata[i], &reply);
}

/* Where the proxy has thrown away half a message, it reads on from any place: so whatever stands
 * behind any brace may be what it reads. */
static void note_from_anywhere(FuzzAgent *agent, const char *bytes, gsize len)
{
    JsonSpan value;

    for (gsize i = 0; i < len; i++) {
        Reader reader;

        if (bytes[i] != '{')
            continue;
        reader_init(&reader, LIMIT_JSON_BYTES);
        reader_put(&reader, bytes + i, len - i);
        if (reader_next(&reader, &value) == JSON_SCAN_VALUE)
            note_value(value, agent);
        reader_clear(&reader);
    }
}

void fuzz_agent_say(FuzzAgent *agent, const char *bytes, gsize len)
{
    JsonScanVerdict verdict;
    JsonSpan value;

    if (!agent->line || agent->line->shut)
        return;
    memory_line_send(agent->line, bytes, len, -1);
    if (memchr(bytes, 0xFF, len))
        agent->unclear = FALSE;
    note_from_anywhere(agent, bytes, len);
    reader_put(&agent->says, bytes, len);
    while ((verdict = reader_next(&agent->says, &value)) != JSON_SCAN_MORE)
        if (verdict == JSON_SCAN_VALUE)
            note_value(value, agent);
}

static void say_text(FuzzAgent *agent, const char *text)
{
    fuzz_agent_say(agent, text, strlen(text));
}

void fuzz_agent_wait(FuzzAgent *agent)
{
    agent->unclear |= !reader_is_clean(&agent->says);
}

void fuzz_agent_sync(FuzzAgent *agent)
{
    g_autofree char *text = NULL;

    if (agent->probe < 0)
        return;
    text = g_strdup_printf(
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray\"}}\n"
        "%s{\"return\": %" G_GINT64_FORMAT "}\n",
        agent->plain ? "" : "\xff", agent->probe);
    agent->synced = TRUE;
    agent->busy = FALSE;
    say_text(agent, text);
}

/* Returns: (transfer full): the value and the word in front of it */
static char *own_value(FuzzAgent *agent, FuzzAgentAnswer answer)
{
    guint n = ++agent->stage->last_said;

    switch (answer) {
    case FUZZ_AGENT_ERROR:
        return g_strdup_printf("\"error\":{\"desc\":\"agent %u\",\"class\":\"CommandNotFound\"}",
                               n);
    case FUZZ_AGENT_REFUSED_ID:
        return g_strdup("\"error\":{\"class\":\"GenericError\",\"desc\":\"'id' is unexpected\"}");
    case FUZZ_AGENT_ODD:
        return g_strdup_printf("\"return\":\n{ 'odd' :[%u,\t'\\u00e9\xc3\xa9 \\' \"'] }", n);
    case FUZZ_AGENT_INFO:
        if (g_str_equal(agent->question->name, "guest-capabilities"))
            return g_strdup("\"return\": {\"enabled\": [\"lease\", \"pipeline\"], \"pipeline\": "
                            "{\"depth\": 3}}");
        return g_strdup("\"return\": {\"version\": \"9\", \"supported_commands\": [{\"name\": "
                        "\"guest-ping\", \"enabled\": true}, {\"name\": \"guest-capabilities\", "
                        "\"enabled\": true}, {\"name\": \"guest-exec\", "
                        "\"enabled\": false}]}");
    default: return g_strdup_printf("\"return\": {\"guest\": %u}", n);
    }
}

/* Whether what comes next is read by the proxy as it is written. */
static gboolean is_clear(const FuzzAgent *agent)
{
    return !agent->unclear && reader_is_clean(&agent->says) && agent->line->sent->len == 0;
}

static void answer_it(FuzzAgent *agent, Question *question, FuzzAgentAnswer answer,
                      const char *value)
{
    g_autofree char *own = NULL;
    g_autoptr(GString) text = g_string_new("{");

    if (!question || !agent->line || agent->line->shut)
        return;
    agent->agreed |= g_str_equal(question->name, "guest-capabilities");
    if (value)
        own = g_strconcat("\"return\": ", value, NULL);
    else
        own = own_value(agent, answer);
    g_string_append(text, own);
    if (question->with_id && answer != FUZZ_AGENT_NO_ID && answer != FUZZ_AGENT_REFUSED_ID)
        g_string_append_printf(text, ", \"id\": %" G_GUINT64_FORMAT,
                               question->id + (answer == FUZZ_AGENT_OTHER_ID));
    g_string_append(text, "}\n");
    if (is_clear(agent) && !agent->agreed && question->with_id && !value &&
        answer != FUZZ_AGENT_OTHER_ID && answer != FUZZ_AGENT_NO_ID &&
        answer != FUZZ_AGENT_REFUSED_ID)
        agent->owed = question;
    agent->busy = FALSE;
    if (g_str_has_prefix(question->name, "guest-fsfreeze-freeze"))
        agent->frozen = TRUE;
    if (g_str_equal(question->name, "guest-fsfreeze-thaw"))
        agent->frozen = FALSE;
    fuzz_agent_say(agent, text->str, text->len);
    if (answer == FUZZ_AGENT_TWICE)
        fuzz_agent_say(agent, text->str, text->len);
}

/* Where several may be under way, any of them. */
void fuzz_agent_answer(FuzzAgent *agent, FuzzAgentAnswer answer, const char *value)
{
    guint n = agent->open->len;

    if (agent->agreed && n > 0)
        agent->question = agent->open->pdata[agent->stage->last_said % n];
    answer_it(agent, agent->question, answer, value);
}

static gboolean is_silent(const Question *question)
{
    const GuestCommand *command = guest_schema_find(question->name);

    return command && (command->flags & GUEST_FLAG_SILENT);
}

static void serve_command(FuzzAgent *agent, Question *question)
{
    const char *name = question->name;

    agent->question = question;
    if (g_str_equal(name, "guest-info") || g_str_equal(name, "guest-capabilities"))
        answer_it(agent, question, FUZZ_AGENT_INFO, NULL);
    else if (g_str_equal(name, "guest-fsfreeze-status"))
        answer_it(agent, question, FUZZ_AGENT_RETURN, agent->frozen ? "\"frozen\"" : "\"thawed\"");
    else
        answer_it(agent, question, FUZZ_AGENT_RETURN, NULL);
}

void fuzz_agent_serve(FuzzAgent *agent)
{
    gboolean agreed = agent->agreed;

    if (agent->question && agent->busy && !is_silent(agent->question))
        serve_command(agent, agent->question);
    for (guint n = agreed ? agent->open->len : 0; n > 0; n--) {
        serve_command(agent, agent->open->pdata[0]);
        g_ptr_array_remove_index(agent->open, 0);
    }
    if (!agent->synced)
        fuzz_agent_sync(agent);
}

gboolean fuzz_agent_is_honest(const FuzzAgent *agent)
{
    return agent->line && !agent->line->shut && !agent->unclear && reader_is_clean(&agent->says);
}

/* ---- What it hears --------------------------------------------------------------------------- */

/* A probe has no id, and stands behind a 0xFF. */
static gboolean hear_probe(FuzzAgent *agent, const EnvelopeCommand *command)
{
    gboolean plain = g_str_equal(command->name, "guest-sync");

    if (!agent->reset || command->id.text ||
        (!plain && !g_str_equal(command->name, "guest-sync-delimited")))
        return FALSE;
    if (!json_read_int64(json_read_get(command->arguments, "id"), &agent->probe))
        fuzz_fail("a probe without a number came");
    agent->plain = plain;
    agent->agreed = FALSE;
    agent->synced = FALSE;
    return TRUE;
}

/* An agent that refused an id did not carry out the command; it is sent again at once. */
static gboolean is_sent_again(const FuzzAgent *agent, const EnvelopeCommand *command)
{
    const Question *last = agent->question;

    return last && last->with_id && (last->refused || agent->was_slow) && !command->id.text &&
           g_str_equal(last->name, command->name);
}

/* Without QEMU nobody is served any more; but for a thaw of the proxy's own. */
static gboolean is_over(const Stage *stage)
{
    return stage->lost && !stage->persist && stage->monitors == 1 &&
           stage->lost_at < stage->ledger.turn;
}

static void hear_message(FuzzAgent *agent, JsonSpan message)
{
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;

    if (!envelope_read_command(message, ENVELOPE_OOB_UNKNOWN, &command, &error))
        fuzz_fail("the agent was sent what is no command: %s", error->message);
    if (hear_probe(agent, &command))
        return;
    if (!agent->synced && !is_sent_again(agent, &command))
        fuzz_fail("%s came before the last probe was answered", command.name);
    if (agent->busy && !agent->agreed && !agent->stage->ledger.by_order && !agent->was_slow)
        fuzz_fail("%s came while another was under way", command.name);
    agent->question = ledger_went_up(&agent->stage->ledger, TRUE, &command, -1, !agent->was_slow);
    if (agent->question->request && !agent->question->vague && !agent->was_slow &&
        is_over(agent->stage))
        fuzz_fail("%s was sent though QEMU has gone", command.name);
    if (agent->stage->records && g_str_has_prefix(command.name, "guest-fsfreeze-freeze") &&
        !agent->was_slow && !memory_record_is_written())
        fuzz_fail("a freeze was sent before it was on record");
    if (!agent->agreed)
        g_ptr_array_set_size(agent->open, 0);
    g_ptr_array_add(agent->open, agent->question);
    agent->question->with_id = command.id.text != NULL;
    agent->stage->ledger.by_order |= !command.id.text;
    if (command.id.text && !json_read_uint64(command.id, &agent->question->id))
        fuzz_fail("%s has a strange id", command.name);
    agent->busy = TRUE;
}

static void check_owed(FuzzAgent *agent)
{
    const Question *owed = g_steal_pointer(&agent->owed);

    const FuzzClient *client;

    if (!owed || !owed->request || owed->vague || owed->request->answered ||
        owed->request->question != owed)
        return;
    client = agent->stage->clients->pdata[owed->request->client];
    if (fuzz_client_is_there(client))
        fuzz_fail("the agent's answer to %s was lost", owed->words);
}

void fuzz_agent_set_room(FuzzAgent *agent, gsize room)
{
    if (!agent->line)
        return;
    agent->line->room = room;
    agent->was_slow |= room != G_MAXSIZE;
}

/* Half a command may stand in front of a probe, whose 0xFF makes it harmless. */
void fuzz_agent_hear(FuzzAgent *agent)
{
    JsonScanVerdict verdict;
    JsonSpan message;

    if (!agent->line)
        return;
    if (agent->line->closed) {
        if (!agent->line->left && !agent->line->shut)
            fuzz_fail("the proxy has left the agent's channel for nothing");
        end(agent);
        return;
    }
    check_owed(agent);
    reader_take(&agent->hears, agent->line->got);
    while ((verdict = reader_next(&agent->hears, &message)) != JSON_SCAN_MORE) {
        if (verdict == JSON_SCAN_VALUE)
            hear_message(agent, message);
        else if (agent->hears.scan.fault != JSON_FAULT_RESET)
            fuzz_fail("the agent was sent what is no JSON");
        agent->reset = verdict == JSON_SCAN_ERROR;
    }
}
