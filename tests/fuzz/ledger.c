/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * ledger: see ledger.h.
 */

#include "ledger.h"

#include "common/guest-schema/guest-schema.h"
#include "common/json-write.h"
#include "fuzz.h"

#include <string.h>

static void question_free(gpointer data)
{
    Question *question = data;

    g_ptr_array_unref(question->said);
    g_free(question->words);
    g_free(question->name);
    g_free(question->value);
    g_free(question);
}

static void request_free(gpointer data)
{
    Request *request = data;

    g_free(request->id);
    g_free(request->words);
    g_free(request->name);
    g_free(request);
}

void ledger_init(Ledger *ledger)
{
    *ledger = (Ledger){
        .requests = g_ptr_array_new_with_free_func(request_free),
        .questions = g_ptr_array_new_with_free_func(question_free),
        .spoken = g_ptr_array_new_with_free_func(g_free),
    };
}

void ledger_clear(Ledger *ledger)
{
    g_ptr_array_unref(ledger->requests);
    g_ptr_array_unref(ledger->questions);
    g_ptr_array_unref(ledger->spoken);
}

/* ---- Words ----------------------------------------------------------------------------------- */

/* No arguments and empty ones are the same. */
static char *words_of(const EnvelopeCommand *command)
{
    GString *words = g_string_new(command->oob ? "oob " : "");

    g_string_append(words, command->name);
    g_string_append_c(words, ' ');
    if (command->arguments.text)
        json_read_compact(command->arguments, words);
    if (g_str_has_suffix(words->str, " {}"))
        g_string_truncate(words, words->len - 2);
    return g_string_free(words, FALSE);
}

gboolean ledger_same(JsonSpan value, const char *text, gboolean pretty)
{
    g_autoptr(GString) a = g_string_new(NULL);
    g_autoptr(GString) b = g_string_new(NULL);

    if (!pretty)
        return value.len == strlen(text) && memcmp(value.text, text, value.len) == 0;
    json_read_compact(value, a);
    json_read_compact((JsonSpan){text, strlen(text)}, b);
    return g_string_equal(a, b);
}

/* What the proxy asks for itself, too; a blank stands in front of arguments. */
static gboolean is_own(const char *words)
{
    static const char *const whole[] = {
        "query-status ",          "query-chardev ",      "query-commands ",
        "query-qmp-schema ",      "guest-info ",         "guest-fsfreeze-thaw ",
        "guest-fsfreeze-status ", "guest-capabilities ", "guest-ping "}; /* in a sync's place */
    static const char *const fronts[] = {"qom-list ", "qom-get ", "closefd ",
                                         "guest-capabilities "};

    for (guint i = 0; i < G_N_ELEMENTS(whole); i++)
        if (g_str_equal(words, whole[i]))
            return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(fronts); i++)
        if (g_str_has_prefix(words, fronts[i]))
            return TRUE;
    return FALSE;
}

/* ---- Down here ------------------------------------------------------------------------------- */

static Route route_of(const EnvelopeCommand *command)
{
    JsonWalk walk = json_read_walk(command->arguments);
    Route route = router_route(command->name);
    JsonSpan key, value;

    if (route == ROUTE_MERGE && (command->oob || json_read_member(&walk, &key, &value)))
        return ROUTE_QEMU;
    return route;
}

Request *ledger_ask(Ledger *ledger, guint client, RequestKind kind, const EnvelopeCommand *command)
{
    Request *request = g_new(Request, 1);

    *request = (Request){.client = client, .kind = kind, .fd = -1, .unsure = ledger->doubts > 0};
    request->place = ledger->requests->len;
    if (command && command->id.text) {
        g_autoptr(GString) id = g_string_new(NULL);
        JsonWrite write;

        json_write_init(&write, id);
        json_write_value(&write, command->id);
        request->id = g_string_free(g_steal_pointer(&id), FALSE);
    }
    if (command)
        request->oob = command->oob;
    if (command && command->name) {
        request->name = g_strdup(command->name);
        request->words = words_of(command);
        request->route = route_of(command);
        request->vague = is_own(request->words);
    }
    g_ptr_array_add(ledger->requests, request);
    return request;
}

/* ---- Up -------------------------------------------------------------------------------------- */

typedef struct {
    gboolean to_agent;
    gboolean with_id;
    gboolean prompt;
    const char *words;
} Sought;

/* It may have gone up and failed in the same turn, or in an earlier one where it is read late. */
static gboolean is_open(const Ledger *ledger, const Request *request, const Sought *sought)
{
    return !request->answered || request->answered_at == ledger->turn || request->muddled ||
           (!sought->prompt && !request->denied);
}

static gboolean may_be_asked(const Ledger *ledger, const Request *request, const Sought *sought)
{
    return request->kind == REQUEST_COMMAND && is_open(ledger, request, sought) &&
           (request->route == ROUTE_AGENT) == sought->to_agent && request->route != ROUTE_PROXY &&
           g_str_equal(request->words, sought->words);
}

/* An agent that refuses an id is asked again without. */
static gboolean is_unsent(const Request *request, const Sought *sought)
{
    const Question *last = request->question;

    return request->sent == 0 || (request->sent == 1 && !sought->with_id && last && last->with_id &&
                                  (last->refused || !sought->prompt));
}

/* The first that is not sent, of those who wait for it; else of those who do not any more. Of one
 * client that asks the same again and again, the first is meant: then it is not vague, unless
 * that may have been answered. */
static Request *find_asked(const Ledger *ledger, const Sought *sought)
{
    Request *found = NULL;

    for (guint i = 0; i < ledger->requests->len; i++) {
        Request *request = ledger->requests->pdata[i];

        if (!may_be_asked(ledger, request, sought))
            continue;
        if (found &&
            (request->client != found->client || request->oob || found->answered || found->late))
            found->vague = request->vague = TRUE;
        if ((!found || (found->answered && !request->answered)) && is_unsent(request, sought))
            found = request;
    }
    return found;
}

static void check_order(const Ledger *ledger, const Request *request)
{
    for (guint i = 0; i < ledger->requests->len; i++) {
        const Request *other = ledger->requests->pdata[i];

        if (other->client != request->client || other->oob || request->oob || other->vague ||
            request->vague || other->unsure || other->muddled)
            continue;
        if (other->place > request->place && other->sent > 0 &&
            (other->sent_at < ledger->turn || other->route == request->route))
            fuzz_fail("%s went up behind a later command", request->words);
        if (other->place < request->place && other->kind == REQUEST_COMMAND && other->sent > 0 &&
            other->route != ROUTE_AGENT && !other->answered && !other->question->answered &&
            !other->question->lost)
            fuzz_fail("%s went up while %s is under way", request->words, other->words);
    }
}

static void check_fd(const Request *request, gint64 fd)
{
    if (fd >= 0 && fd != request->fd)
        fuzz_fail("%s went up with another's descriptor", request->words);
    if (fd < 0 && !request->oob &&
        ((g_str_has_prefix(request->words, "getfd {\"fdname\":\"f") &&
          !strchr(request->words, ',')) ||
         g_str_equal(request->words, "add-fd ")))
        fuzz_fail("%s went up without its descriptor", request->words);
}

/* Where several have asked the same, another may have been taken for who is meant before: then only
 * the numbers must be right. */
static gboolean is_one_of_many(const Ledger *ledger, const Question *question)
{
    gboolean vague = FALSE;
    guint asked = 0, sent = 0;

    for (guint i = 0; i < ledger->requests->len; i++) {
        const Request *request = ledger->requests->pdata[i];

        if (request->kind != REQUEST_COMMAND || !g_str_equal(request->words, question->words))
            continue;
        vague |= request->vague;
        asked++;
    }
    for (guint i = 0; i < ledger->questions->len; i++)
        sent +=
            g_str_equal(((const Question *)ledger->questions->pdata[i])->words, question->words);
    return vague && sent <= asked;
}

Question *ledger_went_up(Ledger *ledger, gboolean to_agent, const EnvelopeCommand *command,
                         gint64 fd, gboolean prompt)
{
    Question *question = g_new(Question, 1);
    Request *request;

    *question = (Question){.words = words_of(command), .name = g_strdup(command->name)};
    question->said = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(ledger->questions, question);
    request =
        find_asked(ledger, &(Sought){to_agent, command->id.text != NULL, prompt, question->words});
    question->vague = is_own(question->words) || (request && (request->vague || request->muddled));
    question->carries = fd >= 0;
    question->request = request;
    if (!request) {
        if (!is_own(question->words) && ledger->doubts == 0 && !is_one_of_many(ledger, question))
            fuzz_fail("nobody asked for %s, or it went up twice", question->words);
        question->vague = TRUE;
        return question;
    }
    if (request->denied && !question->vague)
        fuzz_fail("%s was sent, and was said not to be", question->words);
    if (request->orphan && request->sent == 0 && prompt && !question->vague)
        fuzz_fail("%s went up though its client had left", question->words);
    if (!question->vague && !request->unsure) {
        check_fd(request, fd);
        if (prompt)
            check_order(ledger, request);
    }
    request->vague |= question->vague;
    request->question = question;
    request->sent++;
    request->sent_at = ledger->turn;
    return question;
}

/* ---- What was said --------------------------------------------------------------------------- */

void ledger_answer(Question *question, const EnvelopeReply *reply)
{
    question->answered = TRUE;
    question->kind = reply->kind;
    question->value = g_strndup(reply->value.text, reply->value.len);
}

void ledger_doubt(Ledger *ledger)
{
    ledger->doubts++;
    for (guint i = 0; i < ledger->requests->len; i++)
        ((Request *)ledger->requests->pdata[i])->unsure = TRUE;
}

void ledger_trust(Ledger *ledger)
{
    ledger->doubts--;
}

char *ledger_said_form(EnvelopeKind kind, JsonSpan value)
{
    GString *form = g_string_new(kind == ENVELOPE_RETURN ? "return " : "error ");
    EnvelopeReply reply = {.kind = kind, .value = value};

    if (kind == ENVELOPE_RETURN) {
        fuzz_append_meaning(value, form);
    } else {
        g_autoptr(GError) error = envelope_error(&reply, G_MAXSIZE);

        g_string_append_printf(form, "%d %s", error->code, error->message);
    }
    return g_string_free(form, FALSE);
}

/* ---- Down again ------------------------------------------------------------------------------ */

static gboolean answers(const Question *question, const Request *request,
                        const EnvelopeReply *reply)
{
    return question && question->answered && question->kind == reply->kind &&
           ledger_same(reply->value, question->value, request->pretty);
}

static void swap_questions(Request *request, Question *question)
{
    Question *mine = request->question;
    Request *other = question->request;
    guint sent = request->sent;

    request->question = question;
    request->sent = other ? other->sent : 1;
    question->request = request;
    if (other) {
        other->question = mine;
        other->sent = sent;
    }
    if (mine)
        mine->request = other;
}

/* Gives @request what was said to another who asked the same. */
static gboolean swap_answer(Ledger *ledger, Request *request, const EnvelopeReply *reply)
{
    for (guint i = 0; i < ledger->questions->len; i++) {
        Question *question = ledger->questions->pdata[i];

        if (!question->vague || !answers(question, request, reply) ||
            !g_str_equal(question->words, request->words))
            continue;
        swap_questions(request, question);
        return TRUE;
    }
    return FALSE;
}

/* What the proxy says by itself. */
static void check_own_error(Request *request, const EnvelopeReply *reply)
{
    g_autoptr(GError) error = NULL;

    if (reply->kind != ENVELOPE_ERROR)
        fuzz_fail("a return came for %s that nobody gave", request->words);
    error = envelope_error(reply, G_MAXSIZE);
    request->denied = strstr(error->message, "was not sent") != NULL;
    if (request->denied && request->question && !request->vague)
        fuzz_fail("%s was sent, and is said not to be", request->words);
}

static void check_from_qemu(Ledger *ledger, Request *request, const EnvelopeReply *reply)
{
    const Question *question = request->question;

    if (answers(question, request, reply) ||
        (request->vague && swap_answer(ledger, request, reply)))
        return;
    if (question && question->answered && !question->vague)
        fuzz_fail("for %s %s was said, and %.*s came", request->words, question->value,
                  (int)reply->value.len, reply->value.text);
    check_own_error(request, reply);
}

static void check_merged(Ledger *ledger, Request *request, const EnvelopeReply *reply)
{
    if (reply->kind == ENVELOPE_ERROR)
        check_from_qemu(ledger, request, reply);
    else if (json_read_kind(reply->value) != JSON_KIND_ARRAY)
        fuzz_fail("%s brought no list", request->words);
}

static gboolean has_form(GPtrArray *forms, const char *form)
{
    return g_ptr_array_find_with_equal_func(forms, form, g_str_equal, NULL);
}

/* One answer may be for several that ask the same. */
static gboolean is_shared(const Request *request)
{
    const GuestCommand *command = guest_schema_find(request->name);

    return command && (command->flags & GUEST_FLAG_SHARED);
}

/* An agent that takes no id is believed by order: anything that it has said may be it. */
static gboolean was_said(const Ledger *ledger, const Request *request, const char *form)
{
    const Question *mine = request->question;
    gboolean shared = is_shared(request);

    if ((mine ? !mine->with_id : ledger->by_order) && has_form(ledger->spoken, form))
        return TRUE;
    if (mine && has_form(mine->said, form))
        return TRUE;
    for (guint i = 0; i < ledger->questions->len && (request->vague || shared); i++) {
        const Question *other = ledger->questions->pdata[i];

        if ((other->vague || shared) && g_str_equal(other->words, request->words) &&
            has_form(other->said, form))
            return TRUE;
    }
    return FALSE;
}

/* Of an agent that has agreed to several commands, a sync is asked as a ping: its number is told
 * when one was answered. */
static gboolean was_pinged(const Ledger *ledger, const Request *request, const EnvelopeReply *reply)
{
    g_autofree char *words = g_strdup_printf("%s {\"id\":%.*s}", request->name,
                                             (int)reply->value.len, reply->value.text);

    if (!g_str_has_prefix(request->name, "guest-sync") || reply->kind != ENVELOPE_RETURN ||
        !g_str_equal(words, request->words))
        return FALSE;
    for (guint i = 0; i < ledger->questions->len; i++) {
        const Question *question = ledger->questions->pdata[i];

        if (g_str_equal(question->name, "guest-ping") && question->said->len > 0)
            return TRUE;
    }
    return FALSE;
}

static void check_from_agent(Ledger *ledger, Request *request, const EnvelopeReply *reply)
{
    const GuestCommand *schema = guest_schema_find(request->name);
    g_autofree char *form = ledger_said_form(reply->kind, reply->value);

    for (gsize i = 0; i < reply->value.len && !request->pretty; i++)
        if (!g_ascii_isprint(reply->value.text[i]))
            fuzz_fail("what the guest said came down as it stood");
    if (was_said(ledger, request, form) || was_pinged(ledger, request, reply))
        return;
    if (schema && (schema->flags & GUEST_FLAG_SILENT) &&
        ledger_same(reply->value, "{}", request->pretty))
        return;
    check_own_error(request, reply);
}

void ledger_take(Ledger *ledger, Request *request, const EnvelopeReply *reply)
{
    request->answered = TRUE;
    request->answered_at = ledger->turn;
    if (request->muddled)
        return;
    if (request->kind != REQUEST_COMMAND) {
        if (request->kind != REQUEST_EARLY && reply->kind != ENVELOPE_ERROR)
            fuzz_fail("what is no command brought a return");
        return;
    }
    if (request->oob && request->route != ROUTE_QEMU) {
        check_own_error(request, reply);
        return;
    }
    switch (request->route) {
    case ROUTE_PROXY: break;
    case ROUTE_AGENT: check_from_agent(ledger, request, reply); break;
    case ROUTE_MERGE:
        if (!request->unsure)
            check_merged(ledger, request, reply);
        break;
    default:
        if (!request->unsure)
            check_from_qemu(ledger, request, reply);
    }
}

gboolean ledger_is_owed(const Request *request)
{
    return request->kind == REQUEST_COMMAND && !request->answered && !request->unsure &&
           !request->vague && !request->muddled && request->question && request->question->answered;
}
