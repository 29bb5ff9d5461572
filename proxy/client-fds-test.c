/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which command a descriptor of a client belongs to, however its bytes come, and that none is kept
 * that belongs to nothing.
 */

#include "client-fixture.h"

#include <string.h>
#include <sys/socket.h>

static void send_with(Desk *desk, const char *text, const char *name)
{
    peer_send_with_fd(&desk->peer, text, name);
    world_settle(&desk->world);
}

static void assert_came(Desk *desk, const char *expected)
{
    g_assert_cmpstr(desk->came->str, ==, expected);
    g_string_truncate(desk->came, 0);
}

/* Sent in two pieces cut at each position, the descriptor with the second: it is the command's that
 * the cut is in, or that begins there. What the whitespace between two commands brings is the
 * second's. */
static void test_cuts(void)
{
    static const char *const text = "{\"execute\":\"a\"} {\"execute\":\"b\"}";
    gsize end_of_a = strlen("{\"execute\":\"a\"}");

    for (gsize cut = 0; cut < strlen(text); cut++) {
        g_autofree char *first = g_strndup(text, cut);
        Desk desk;

        desk_open_negotiated(&desk, FALSE, G_MAXSIZE);
        desk.eager = TRUE;
        if (cut > 0)
            peer_send(&desk.peer, first);
        send_with(&desk, text + cut, "one");
        assert_came(&desk, cut < end_of_a ? "a:one " : "b:one ");
        g_assert_cmpuint(desk.requests, ==, 2);
        g_assert_cmpuint(desk.common.dropped_fds, ==, 0);
        desk_close(&desk);
    }
}

/* Each its own, though all are there before the first is read: those behind a command that is under
 * way keep theirs until their turn. */
static void test_pipelined(void)
{
    for (gboolean oob = FALSE; oob <= TRUE; oob++) {
        Desk desk;

        desk_open_negotiated(&desk, oob, G_MAXSIZE);
        peer_send(&desk.peer, "{\"execute\":\"a\"}");
        peer_send_with_fd(&desk.peer, "{\"execute\":\"b\"}", "two");
        peer_send(&desk.peer, "{\"execute\":\"c\"}");
        peer_send_with_fd(&desk.peer, "{\"execute\":\"d\"}{\"execute\":\"e\"}", "four");
        world_settle(&desk.world);
        for (guint i = 0; i < 5; i++) {
            g_assert_cmpuint(desk.requests, ==, i + 1);
            desk_answer(&desk, NULL);
        }
        assert_came(&desk, "b:two d:four ");
        g_assert_cmpuint(desk.common.dropped_fds, ==, 0);
        desk_close(&desk);
    }
}

/* One that overtakes takes its own along. */
static void test_overtaking(void)
{
    Desk desk;

    desk_open_negotiated(&desk, TRUE, G_MAXSIZE);
    desk_ask(&desk, "{\"execute\":\"a\"}");
    send_with(&desk, "{\"execute\":\"b\"}", "two");
    send_with(&desk, "{\"exec-oob\":\"c\"}", "three");
    assert_came(&desk, "c:three ");
    desk_answer(&desk, "a");
    assert_came(&desk, "b:two ");
    desk_answer(&desk, "b");
    desk_answer(&desk, "c");
    desk_close(&desk);
}

/* As in QEMU, the last of several counts; no other is kept while the command is incomplete. */
static void test_several(void)
{
    Desk desk;

    desk_open_negotiated(&desk, FALSE, G_MAXSIZE);
    send_with(&desk, " ", "zero");
    send_with(&desk, "{\"execute\"", "one");
    g_assert_cmpuint(desk.common.dropped_fds, ==, 1);
    send_with(&desk, ":", "two");
    g_assert_cmpuint(desk.common.dropped_fds, ==, 2);
    send_with(&desk, "\"a\"}", "three");
    assert_came(&desk, "a:three ");
    g_assert_cmpuint(desk.common.dropped_fds, ==, 3);
    desk_answer(&desk, NULL);
    desk_close(&desk);
}

/* With what is no command, or must not be one yet, it goes nowhere; the next one does not get it.
 */
static void test_stray(void)
{
    static const char *const strays[] = {
        "]", "{\"execute\":1}", "[]", "{\"execute\":\"qmp_capabilities\"}", "\xFF",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(strays); i++) {
        Desk desk;

        desk_open_negotiated(&desk, FALSE, G_MAXSIZE);
        send_with(&desk, strays[i], "one");
        desk_ask(&desk, "{\"execute\":\"a\"}");
        assert_came(&desk, "");
        g_assert_cmpuint(desk.common.dropped_fds, ==, 1);
        desk_answer(&desk, NULL);
        desk_close(&desk);
    }
}

static void test_before_negotiation(void)
{
    Desk desk;

    desk_open(&desk, SOCK_STREAM);
    send_with(&desk, "{\"execute\":\"a\"}", "one");
    send_with(&desk, NEGOTIATE, "two");
    desk_greet(&desk, FALSE);
    send_with(&desk, "{\"execute\":\"a\"}", "three");
    assert_came(&desk, "a:three ");
    g_assert_cmpuint(desk.common.dropped_fds, ==, 2);
    desk_answer(&desk, NULL);
    desk_close(&desk);
}

/* It leaves with some half sent, some waiting: the end of the test counts what is open. */
static void test_leaves(void)
{
    Desk desk;

    desk_open_negotiated(&desk, TRUE, G_MAXSIZE);
    desk_ask(&desk, "{\"execute\":\"a\"}");
    send_with(&desk, "{\"execute\":\"b\"}", "two");
    send_with(&desk, "{\"execute\":", "three");
    peer_close(&desk.peer);
    world_settle(&desk.world);
    g_assert_cmpuint(desk.gone, ==, 1);
    desk_close(&desk);
    g_assert_cmpuint(desk.common.dropped_fds, ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client-fds/cuts", test_cuts);
    g_test_add_func("/client-fds/pipelined", test_pipelined);
    g_test_add_func("/client-fds/overtaking", test_overtaking);
    g_test_add_func("/client-fds/several", test_several);
    g_test_add_func("/client-fds/stray", test_stray);
    g_test_add_func("/client-fds/before-negotiation", test_before_negotiation);
    g_test_add_func("/client-fds/leaves", test_leaves);
    return g_test_run();
}
