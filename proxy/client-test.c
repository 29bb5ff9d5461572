/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One QMP client over a real socket: what it is told without anybody's help, which commands are
 * handed out when, and in which order it hears of them.
 */

#include "client.h"

#include <string.h>
#include <sys/socket.h>

#include "support/cut.h"
#include "support/fake-qemu.h"
#include "support/peer.h"
#include "support/world.h"

#define GREETING(capabilities) \
    "{\"QMP\": {\"version\": " FAKE_QEMU_VERSION ", \"capabilities\": [" capabilities "]}}\r\n"
#define NEGOTIATE     "{\"execute\":\"qmp_capabilities\"}"
#define NEGOTIATE_OOB "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}"
#define DONE          "{\"return\": {}}\r\n"
#define DID(name)     "{\"return\": \"" name "\"}\r\n"
#define GENERIC(desc) "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" desc "\"}}\r\n"

/* What a command leaves behind that was handed out and waits for its answer. */
typedef struct {
    char *name;
    gboolean oob;
    char *id; /* (nullable) */
} Asked;

/* In the place of the core: takes what is handed out, and answers when the test says so. */
typedef struct {
    World world;
    Peer peer;
    Client *client;
    GQueue asked;
    gboolean eager; /* answers at once, from within the call */
    guint gone;
    char *why;
} Desk;

static void asked_free(Asked *asked)
{
    g_free(asked->name);
    g_free(asked->id);
    g_free(asked);
}

static void answer(Desk *desk, Asked *asked)
{
    g_autofree char *value = g_strdup_printf("\"%s\"", asked->name);
    EnvelopeReply reply = {.kind = ENVELOPE_RETURN, .value = {value, strlen(value)}};
    JsonSpan id = {asked->id, asked->id ? strlen(asked->id) : 0};

    client_reply(desk->client, asked->oob, id, &reply);
    asked_free(asked);
}

static void on_request(gpointer owner, Client *client, const EnvelopeCommand *command)
{
    Desk *desk = owner;
    Asked *asked = g_new(Asked, 1);

    *asked = (Asked){g_strdup(command->name), command->oob, NULL};
    if (command->id.text)
        asked->id = g_strndup(command->id.text, command->id.len);
    if (desk->eager)
        answer(desk, asked);
    else
        g_queue_push_tail(&desk->asked, asked);
}

static void on_gone(gpointer owner, Client *client, const char *why)
{
    Desk *desk = owner;

    desk->gone++;
    desk->why = g_strdup(why);
}

static void desk_open(Desk *desk, int type)
{
    static const ClientOps ops = {on_request, on_gone};

    *desk = (Desk){0};
    g_queue_init(&desk->asked);
    world_init(&desk->world);
    desk->client = client_new(desk->world.loop, peer_init_pair(&desk->peer, type), "the client",
                              &ops, desk, NULL);
}

static void desk_greet(Desk *desk, gboolean oob)
{
    client_greet(desk->client, JSON_SPAN_LITERAL(FAKE_QEMU_VERSION), oob);
    world_settle(&desk->world);
}

static void desk_ask(Desk *desk, const char *text)
{
    peer_send(&desk->peer, text);
    world_settle(&desk->world);
}

/* A client that has negotiated and read its answer. */
static void desk_open_negotiated(Desk *desk, gboolean oob)
{
    desk_open(desk, SOCK_STREAM);
    desk_greet(desk, TRUE);
    desk_ask(desk, oob ? NEGOTIATE_OOB : NEGOTIATE);
    peer_expect(&desk->peer, GREETING("\"oob\"") DONE);
}

static void desk_close(Desk *desk)
{
    client_free(desk->client);
    g_queue_clear_full(&desk->asked, (GDestroyNotify)asked_free);
    peer_clear(&desk->peer);
    world_clear(&desk->world);
    g_free(desk->why);
}

static void assert_asked(const Desk *desk, const char *names)
{
    g_autoptr(GString) found = g_string_new(NULL);

    for (GList *at = desk->asked.head; at; at = at->next)
        g_string_append_printf(found, "%s%s", found->len > 0 ? " " : "", ((Asked *)at->data)->name);
    g_assert_cmpstr(found->str, ==, names);
}

static void desk_answer(Desk *desk, const char *name)
{
    for (GList *at = desk->asked.head; at; at = at->next) {
        Asked *asked = at->data;

        if (!g_str_equal(asked->name, name))
            continue;
        g_queue_delete_link(&desk->asked, at);
        answer(desk, asked);
        world_settle(&desk->world);
        return;
    }
    g_error("%s was not handed out", name);
}

/* ---- Greeting and negotiation ---------------------------------------------------------------- */

/* Alone in one write, even where commands wait already, and nothing is read before it. */
static void test_greeting(void)
{
    Desk desk;

    desk_open(&desk, SOCK_SEQPACKET);
    desk_ask(&desk, "{\"execute\":\"early\"}");
    peer_expect(&desk.peer, "");
    desk_greet(&desk, FALSE);
    g_assert_true(peer_read(&desk.peer));
    g_assert_cmpstr(desk.peer.got->str, ==, GREETING(""));
    g_string_truncate(desk.peer.got, 0);
    g_assert_true(peer_read(&desk.peer));
    g_assert_nonnull(strstr(desk.peer.got->str, "Expecting capabilities negotiation"));
    assert_asked(&desk, "");
    desk_close(&desk);
}

/* One that leaves before QEMU is there leaves its place to others; one that only sends no more does
 * not. */
static void test_leaves_unheard(void)
{
    Desk desk;

    desk_open(&desk, SOCK_STREAM);
    peer_shut(&desk.peer);
    world_settle(&desk.world);
    g_assert_cmpuint(desk.gone, ==, 1);
    desk_close(&desk);

    desk_open(&desk, SOCK_STREAM);
    peer_send(&desk.peer, NEGOTIATE);
    peer_shut(&desk.peer);
    world_settle(&desk.world);
    g_assert_cmpuint(desk.gone, ==, 0);
    desk_greet(&desk, TRUE);
    peer_expect(&desk.peer, GREETING("\"oob\"") DONE);
    desk_close(&desk);
}

/* What a browser is made to post is not carried out; the same bytes after negotiation are only an
 * error. */
static void test_http(void)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: localhost:4444\r\n\r\n" NEGOTIATE "{\"execute\":\"quit\"}",
        "GET /?" NEGOTIATE " HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n" NEGOTIATE,
    };
    Desk desk;

    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++) {
        desk_open(&desk, SOCK_STREAM);
        desk_greet(&desk, TRUE);
        desk_ask(&desk, requests[i]);
        g_assert_cmpstr(desk.why, ==, "it speaks HTTP");
        assert_asked(&desk, "");
        desk_close(&desk);
    }

    desk_open_negotiated(&desk, FALSE);
    desk_ask(&desk, "POST\r\n{\"execute\":\"a\"}");
    assert_asked(&desk, "a");
    desk_close(&desk);
}

static void test_refused_negotiation(void)
{
#define EXPECTING                                                    \
    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "        \
    "\"Expecting capabilities negotiation with 'qmp_capabilities'\"" \
    "}}\r\n"
#define ENABLE(arguments) "{\"execute\":\"qmp_capabilities\",\"arguments\":" arguments "}"
    static const struct {
        const char *input, *output;
        gboolean no_oob;
    } cases[] = {
        {"{\"execute\":\"query-status\"}", EXPECTING},
        {"{\"execute\":\"no-such-thing\"}", EXPECTING},
        {"{\"execute\":\"guest-ping\"}", EXPECTING},
        {"{\"execute\":\"nope\",\"extra\":1}", GENERIC("QMP input member 'extra' is unexpected")},
        {"{\"exec-oob\":\"nope\"}", GENERIC("QMP input member 'exec-oob' is unexpected")},
        {"[]", GENERIC("QMP input must be a JSON object")},
        {"{}", GENERIC("QMP input lacks member 'execute'")},
        {ENABLE("null"), GENERIC("QMP input member 'arguments' must be an object")},
        {ENABLE("{\"enable\":[\"bogus\"]}"),
         GENERIC("Parameter 'enable' does not accept value 'bogus'")},
        {ENABLE("{\"enable\":[\"oob\",\"bogus\"]}"),
         GENERIC("Parameter 'enable' does not accept value 'bogus'")},
        {ENABLE("{\"enable\":[5]}"),
         GENERIC("Invalid parameter type for 'enable', expected: string")},
        {ENABLE("{\"enable\":\"oob\"}"),
         GENERIC("Invalid parameter type for 'enable', expected: array")},
        {ENABLE("{\"foo\":1}"), GENERIC("Parameter 'foo' is unexpected")},
        {ENABLE("{\"enable\":[],\"foo\":1}"), GENERIC("Parameter 'foo' is unexpected")},
        {ENABLE("{\"enable\":[\"oob\"]}"), GENERIC("Capability oob not available"), TRUE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Desk desk;
        g_autofree char *greeting = NULL;

        g_test_message("%s", cases[i].input);
        desk_open(&desk, SOCK_STREAM);
        desk_greet(&desk, !cases[i].no_oob);
        greeting = peer_take_line(&desk.peer);
        desk_ask(&desk, cases[i].input);
        peer_expect(&desk.peer, cases[i].output);
        /* Still negotiating, and still able to. */
        desk_ask(&desk, "{\"execute\":\"x\",\"id\":[]}" NEGOTIATE "{\"execute\":\"a\"}");
        peer_expect(&desk.peer,
                    "{\"id\": [], \"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                    "\"Expecting capabilities negotiation with 'qmp_capabilities'\""
                    "}}\r\n" DONE);
        assert_asked(&desk, "a");
        desk_close(&desk);
    }
}

/* Effective for the very next command of the same write; and only once. */
static void test_negotiation(void)
{
    static const char *const accepted[] = {
        NEGOTIATE,
        NEGOTIATE_OOB,
        ENABLE("{}"),
        ENABLE("{\"enable\":[]}"),
        ENABLE("{\"enable\":[\"oob\",\"oob\"]}"),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(accepted); i++) {
        g_autofree char *input =
            g_strconcat(accepted[i], NEGOTIATE "{\"execute\":\"a\",\"id\":1}", NULL);
        Desk desk;

        desk_open(&desk, SOCK_STREAM);
        desk_greet(&desk, TRUE);
        desk_ask(&desk, input);
        peer_expect(&desk.peer, GREETING("\"oob\"") DONE
                    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                    "\"Capabilities negotiation is already complete, command ignored\"}}\r\n");
        desk_answer(&desk, "a");
        peer_expect(&desk.peer, "{\"return\": \"a\", \"id\": 1}\r\n");
        desk_close(&desk);
    }
}

static void test_events(void)
{
    static const char line[] = "{\"event\": \"STOP\"}\r\n";
    g_autoptr(GBytes) event = g_bytes_new_static(line, strlen(line));
    Desk desk;

    desk_open(&desk, SOCK_STREAM);
    client_event(desk.client, event);
    desk_greet(&desk, FALSE);
    client_event(desk.client, event);
    peer_expect(&desk.peer, GREETING(""));
    desk_ask(&desk, NEGOTIATE);
    client_event(desk.client, event);
    peer_expect(&desk.peer, "{\"return\": {}}\r\n{\"event\": \"STOP\"}\r\n");
    desk_close(&desk);
}

/* ---- Ids and order --------------------------------------------------------------------------- */

/* The same value comes back, its numbers and the order of its keys as they were written. */
static void test_ids(void)
{
    static const struct {
        const char *id;
        const char *back; /* (nullable): where it is written in another way */
    } cases[] = {
        {"1"},
        {"-0"},
        {"1.0"},
        {"18446744073709551616"},
        {"1e400"},
        {"null"},
        {"true"},
        {"\"\""},
        {"\"a\""},
        {"[]"},
        {"\"\\u0000\\uD83D\\uDE00\""},
        {"{\"b\": 1, \"a\": [{}, 1.50]}"},
        {"{ \"b\":1,\r\n\"a\" : [ {} ] }", "{\"b\": 1, \"a\": [{}]}"},
        {"'it\\'s'", "\"it's\""},
        {"\"\xc3\xa9\\/\"", "\"\\u00E9/\""},
    };
    Desk desk;

    desk_open_negotiated(&desk, FALSE);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *id = cases[i].id;
        const char *back = cases[i].back ? cases[i].back : id;
        g_autofree char *ask =
            g_strdup_printf("{\"id\": %s, \"execute\": \"a\"}{\"execute\":5,\"id\":%s}", id, id);
        g_autofree char *reply = g_strdup_printf(
            "{\"return\": \"a\", \"id\": %s}\r\n{\"id\": %s, \"error\": {\"class\": "
            "\"GenericError\", \"desc\": \"QMP input member 'execute' must be a string\"}}\r\n",
            back, back);

        desk_ask(&desk, ask);
        desk_answer(&desk, "a");
        peer_expect(&desk.peer, reply);
    }
    desk_close(&desk);
}

/* One at a time: the next is not even handed out before the last was answered. */
static void test_order(void)
{
    Desk desk;

    desk_open_negotiated(&desk, FALSE);
    desk_ask(&desk, "{\"execute\":\"a\"}\n{\"execute\":\"b\"} ] {\"execute\":\"c\"}");
    assert_asked(&desk, "a");
    desk_answer(&desk, "a");
    assert_asked(&desk, "b");
    peer_expect(&desk.peer, DID("a"));
    desk_answer(&desk, "b");
    assert_asked(&desk, "c");
    g_autofree char *did = peer_take_line(&desk.peer);
    g_autofree char *fault = peer_take_line(&desk.peer);
    g_assert_cmpstr(did, ==, DID("b"));
    g_assert_nonnull(
        strstr(fault, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse"));
    desk_answer(&desk, "c");
    desk_ask(&desk, "{\"exec-oob\":\"x\"}");
    peer_expect(&desk.peer, DID("c") GENERIC("QMP input member 'exec-oob' is unexpected"));
    desk_close(&desk);
}

/* A pipeline of any depth is a loop, not a recursion. */
static void test_pipeline(void)
{
    g_autoptr(GString) input = g_string_new(NULL);
    g_autoptr(GString) expected = g_string_new(NULL);
    Desk desk;

    desk_open_negotiated(&desk, FALSE);
    desk.eager = TRUE;
    for (guint i = 0; i < 2000; i++) {
        g_string_append_printf(input, "{\"execute\":\"a\",\"id\":%u}", i);
        g_string_append_printf(expected, "{\"return\": \"a\", \"id\": %u}\r\n", i);
    }
    desk_ask(&desk, input->str);
    peer_expect(&desk.peer, expected->str);
    desk_close(&desk);
}

static void test_oob(void)
{
    Desk desk;

    desk_open_negotiated(&desk, TRUE);
    desk_ask(&desk, "{\"execute\":\"a\"}{\"execute\":5}{\"execute\":\"b\"} ] {\"exec-oob\":\"x\","
                    "\"id\":1}{\"exec-oob\":5}{\"exec-oob\":\"y\"}");
    assert_asked(&desk, "a x y");
    peer_expect(&desk.peer, GENERIC("QMP input member 'exec-oob' must be a string"));
    desk_answer(&desk, "y");
    desk_answer(&desk, "x");
    peer_expect(&desk.peer, DID("y") "{\"return\": \"x\", \"id\": 1}\r\n");
    desk_answer(&desk, "a");
    assert_asked(&desk, "b");
    peer_expect(&desk.peer, DID("a") GENERIC("QMP input member 'execute' must be a string"));
    desk_answer(&desk, "b");
    g_autofree char *did = peer_take_line(&desk.peer);
    g_autofree char *fault = peer_take_line(&desk.peer);
    g_assert_cmpstr(did, ==, DID("b"));
    g_assert_nonnull(strstr(fault, "JSON parse error"));
    peer_expect(&desk.peer, "");
    desk_close(&desk);
}

/* ---- Input cut everywhere -------------------------------------------------------------------- */

static gpointer cut_begin(gconstpointer setup)
{
    Desk *desk = g_new(Desk, 1);

    desk_open(desk, SOCK_STREAM);
    desk->eager = TRUE;
    desk_greet(desk, TRUE);
    return desk;
}

static void cut_feed(gpointer data, const char *bytes, gsize len, GString *log)
{
    Desk *desk = data;

    g_assert_cmpuint(peer_offer(&desk->peer, bytes, len), ==, len);
    world_settle(&desk->world);
}

static void cut_finish(gpointer data, GString *log)
{
    Desk *desk = data;
    g_autofree char *output = NULL;

    peer_shut(&desk->peer);
    world_settle(&desk->world);
    output = peer_take(&desk->peer);
    g_string_append_printf(log, "%s(%s)", output, desk->why);
    desk_close(desk);
    g_free(desk);
}

static void test_cuts(void)
{
    static const CutSubject subject = {cut_begin, cut_feed, cut_finish};
    static const char input[] =
        "{\"execute\":\"x\"}" NEGOTIATE_OOB "\r\n{\"execute\":\"a\",\"id\":\"\\u00e9\"}"
        "5 {'exec-oob':'b'}{\"execute\":\xff{\"execute\":\"c\",\"id\":[1]} nul "
        "{\"execute\":\"d\",\"arguments\":{\"p\":{\"q\":[]}}}";
    g_autofree char *log = cut_everywhere(&subject, NULL, input, strlen(input));

    g_assert_nonnull(strstr(log, "{\"return\": \"a\", \"id\": \"\\u00E9\"}\r\n"));
    g_assert_nonnull(strstr(log, "{\"return\": \"c\", \"id\": [1]}\r\n"));
    g_assert_true(g_str_has_suffix(log, DID("d") "(finished)"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client/greeting", test_greeting);
    g_test_add_func("/client/leaves-unheard", test_leaves_unheard);
    g_test_add_func("/client/http", test_http);
    g_test_add_func("/client/refused-negotiation", test_refused_negotiation);
    g_test_add_func("/client/negotiation", test_negotiation);
    g_test_add_func("/client/events", test_events);
    g_test_add_func("/client/ids", test_ids);
    g_test_add_func("/client/order", test_order);
    g_test_add_func("/client/pipeline", test_pipeline);
    g_test_add_func("/client/oob", test_oob);
    g_test_add_func("/client/cuts", test_cuts);
    return g_test_run();
}
