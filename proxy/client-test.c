/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What one QMP client is told without anybody's help: greeting, negotiation, who is no client at
 * all, and which events it hears.
 */

#include "client-fixture.h"

#include <string.h>
#include <sys/socket.h>

#include "common/limits.h"

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
    desk_assert_asked(&desk, "");
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

/* What a browser is made to post is not carried out, in whatever pieces it comes; the same bytes
 * anywhere else are only an error. */
static void test_http(void)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: localhost:4444\r\n\r\n" NEGOTIATE "{\"execute\":\"quit\"}",
        "GET /?" NEGOTIATE " HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n" NEGOTIATE,
    };
    Desk desk;

    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++)
        for (gsize cut = 1; cut <= strlen(requests[i]); cut++) {
            g_autofree char *first = g_strndup(requests[i], cut);

            desk_open(&desk, SOCK_STREAM);
            desk_greet(&desk, TRUE);
            desk_ask(&desk, first);
            g_assert_cmpuint(desk.gone, ==, cut >= strlen("POST"));
            if (desk.gone == 0)
                desk_ask(&desk, requests[i] + cut);
            g_assert_cmpstr(desk.why, ==, "it speaks HTTP");
            desk_assert_asked(&desk, "");
            desk_close(&desk);
        }

    desk_open_negotiated(&desk, FALSE, LIMIT_PROXY_BYTES);
    desk_ask(&desk, "POST\r\n{\"execute\":\"a\"}");
    desk_assert_asked(&desk, "a");
    desk_close(&desk);

    desk_open(&desk, SOCK_STREAM);
    desk_greet(&desk, FALSE);
    desk_ask(&desk, "P\r\n" NEGOTIATE "POST\r\n{\"execute\":\"a\"}");
    desk_assert_asked(&desk, "a");
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
        desk_assert_asked(&desk, "a");
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client/greeting", test_greeting);
    g_test_add_func("/client/leaves-unheard", test_leaves_unheard);
    g_test_add_func("/client/http", test_http);
    g_test_add_func("/client/refused-negotiation", test_refused_negotiation);
    g_test_add_func("/client/negotiation", test_negotiation);
    g_test_add_func("/client/events", test_events);
    return g_test_run();
}
