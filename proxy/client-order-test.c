/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which commands of one QMP client are handed out when, under which ids and in which order it hears
 * of them, and that none of it depends on how its input was cut.
 */

#include "client-fixture.h"

#include <string.h>
#include <sys/socket.h>

#include "common/limits.h"
#include "support/cut.h"

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

    desk_open_negotiated(&desk, FALSE, LIMIT_PROXY_BYTES);
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

    desk_open_negotiated(&desk, FALSE, LIMIT_PROXY_BYTES);
    desk_ask(&desk, "{\"execute\":\"a\"}\n{\"execute\":\"b\"} ] {\"execute\":\"c\"}");
    desk_assert_asked(&desk, "a");
    desk_answer(&desk, "a");
    desk_assert_asked(&desk, "b");
    peer_expect(&desk.peer, DID("a"));
    desk_answer(&desk, "b");
    desk_assert_asked(&desk, "c");
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

    desk_open_negotiated(&desk, FALSE, LIMIT_PROXY_BYTES);
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

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
    desk_ask(&desk, "{\"execute\":\"a\"}{\"execute\":5}{\"execute\":\"b\"} ] {\"exec-oob\":\"x\","
                    "\"id\":1}{\"exec-oob\":5}{\"exec-oob\":\"y\"}");
    desk_assert_asked(&desk, "a x");
    desk_answer(&desk, "x");
    desk_assert_asked(&desk, "a y");
    desk_answer(&desk, "y");
    peer_expect(&desk.peer, "{\"return\": \"x\", \"id\": 1}\r\n" GENERIC(
                                "QMP input member 'exec-oob' must be a string") DID("y"));
    desk_answer(&desk, "a");
    desk_assert_asked(&desk, "b");
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
    g_test_add_func("/client-order/ids", test_ids);
    g_test_add_func("/client-order/one-at-a-time", test_order);
    g_test_add_func("/client-order/pipeline", test_pipeline);
    g_test_add_func("/client-order/oob", test_oob);
    g_test_add_func("/client-order/cuts", test_cuts);
    return g_test_run();
}
