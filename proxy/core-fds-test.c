/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Descriptors through a whole proxy: to QEMU with the command that they came with and with no
 * other, under names that stay their owner's, and nowhere else.
 */

#include "core-fixture.h"

#include "common/limits.h"
#include "support/sockets.h"

#include <string.h>

#define GETFD(name)   "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"" name "\"}}"
#define CLOSEFD(name) "{\"execute\":\"closefd\",\"arguments\":{\"fdname\":\"" name "\"}}"
#define DONE          "{\"return\": {}}\r\n"

static void send_with(CoreFixture *fixture, Peer *client, const char *text, const char *name)
{
    peer_send_with_fd(client, text, name);
    world_settle(&fixture->world);
}

/* QEMU gets @text with the descriptor @name, or with none, and carries it out. */
static void assert_carried(CoreFixture *fixture, const char *text, const char *name)
{
    peer_expect_next(&fixture->qemu, text, name);
    peer_expect(&fixture->qemu, "");
    core_send(fixture, &fixture->qemu, DONE);
}

static void test_getfd(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    send_with(fixture, &client,
              "{ \"execute\": \"getfd\", \"id\": 1, \"arguments\":{\"fdname\":\"x\"}}", "one");
    assert_carried(fixture, GETFD("x"), "one");
    core_expect(&client, "{\"return\": {}, \"id\": 1}\r\n");
    send_with(fixture, &client, "{\"execute\":\"add-fd\"}", "two");
    assert_carried(fixture, "{\"execute\":\"add-fd\"}", "two");
    core_expect(&client, DONE);
    core_send(fixture, &client, GETFD("y"));
    core_expect(&client, GENERIC("No file descriptor supplied via SCM_RIGHTS"));
    peer_expect(&fixture->qemu, "");
    peer_clear(&client);
    world_settle(&fixture->world);
    assert_carried(fixture, CLOSEFD("x"), NULL);
}

/* What comes with any other command is closed here: QEMU would keep it for the next getfd, and the
 * guest has no use for it. */
static void test_others(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *status = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    send_with(fixture, &client, "{\"execute\":\"query-name\"}", "one");
    assert_carried(fixture, "{\"execute\":\"query-name\"}", NULL);
    core_expect(&client, DONE);
    send_with(fixture, &client, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":1}}", "two");
    assert_carried(fixture, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":1}}", NULL);
    core_expect(&client, DONE);
    send_with(fixture, &client, "{\"execute\":\"guest-ping\"}", "three");
    core_agent_answer(fixture, "guest-ping", "{}");
    core_expect(&client, DONE);
    send_with(fixture, &client, "{\"execute\":\"query-commands\"}", "four");
    core_answer(fixture, "{\"execute\":\"query-commands\"}", "{\"return\": []}\r\n");
    g_clear_pointer(&status, g_free);
    status = peer_take(&client);
    send_with(fixture, &client, "{\"execute\":\"qga-proxy-status\"}", "five");
    g_clear_pointer(&status, g_free);
    status = peer_take_line(&client);
    g_assert_nonnull(g_strrstr(status, "\"dropped-descriptors\": 5,"));
    peer_clear(&client);
}

/* Two clients, one name: who has it keeps it, and when it leaves QEMU is rid of it before the other
 * gets it. */
static void test_names(CoreFixture *fixture, gconstpointer unused)
{
    Peer alice, bob;

    core_connect_negotiated(fixture, &alice, FALSE);
    core_connect_negotiated(fixture, &bob, FALSE);
    send_with(fixture, &alice, GETFD("x"), "alice's");
    send_with(fixture, &bob, GETFD("x"), "bob's");
    assert_carried(fixture, GETFD("x"), "alice's");
    core_expect(&alice, DONE);
    core_expect(&bob, GENERIC("File descriptor name 'x' is in use by another client"));
    core_send(fixture, &bob, CLOSEFD("x"));
    core_expect(&bob, GENERIC("File descriptor named 'x' not found"));
    peer_expect(&fixture->qemu, "");

    peer_clear(&alice);
    world_settle(&fixture->world);
    peer_expect(&fixture->qemu, CLOSEFD("x"));
    send_with(fixture, &bob, GETFD("x"), "bob's");
    core_expect(&bob, GENERIC("File descriptor name 'x' is in use by another client"));
    core_send(fixture, &fixture->qemu, DONE);
    send_with(fixture, &bob, GETFD("x"), "bob's");
    assert_carried(fixture, GETFD("x"), "bob's");
    core_expect(&bob, DONE);
    core_send(fixture, &bob, CLOSEFD("x"));
    assert_carried(fixture, CLOSEFD("x"), NULL);
    peer_clear(&bob);
    world_settle(&fixture->world);
    peer_expect(&fixture->qemu, "");
}

/* It leaves while QEMU is at it: what comes of it is closed as soon as it is there. What was not
 * sent is not sent any more. */
static void test_leaves(CoreFixture *fixture, gconstpointer unused)
{
    Peer alice, bob;

    core_connect_negotiated(fixture, &alice, FALSE);
    core_connect_negotiated(fixture, &bob, FALSE);
    send_with(fixture, &alice, GETFD("x"), "alice's");
    send_with(fixture, &bob, GETFD("y"), "bob's");
    peer_expect_next(&fixture->qemu, GETFD("x"), "alice's");
    peer_clear(&alice);
    peer_clear(&bob);
    world_settle(&fixture->world);
    peer_expect(&fixture->qemu, "");
    core_send(fixture, &fixture->qemu, DONE);
    assert_carried(fixture, CLOSEFD("x"), NULL);
    peer_expect(&fixture->qemu, "");
}

/* Another command has used it up: QEMU says so, and the name is free again. */
static void test_used_up(CoreFixture *fixture, gconstpointer unused)
{
    Peer alice, bob;

    core_connect_negotiated(fixture, &alice, FALSE);
    core_connect_negotiated(fixture, &bob, FALSE);
    send_with(fixture, &alice, GETFD("x"), "alice's");
    assert_carried(fixture, GETFD("x"), "alice's");
    core_expect(&alice, DONE);
    core_send(fixture, &alice, CLOSEFD("x"));
    core_answer(fixture, CLOSEFD("x"), GENERIC("File descriptor named 'x' not found"));
    core_expect(&alice, GENERIC("File descriptor named 'x' not found"));
    send_with(fixture, &bob, GETFD("x"), "bob's");
    assert_carried(fixture, GETFD("x"), "bob's");
    core_expect(&bob, DONE);
    peer_clear(&alice);
    world_settle(&fixture->world);
    peer_expect(&fixture->qemu, "");
    peer_clear(&bob);
    world_settle(&fixture->world);
    assert_carried(fixture, CLOSEFD("x"), NULL);
}

/* It leaves while it closes the name, which is then closed from here too; the answer to that says
 * nothing of who has made the name anew. */
static void test_closed_twice(CoreFixture *fixture, gconstpointer unused)
{
    Peer alice, bob, carol;

    core_connect_negotiated(fixture, &alice, FALSE);
    core_connect_negotiated(fixture, &bob, FALSE);
    core_connect_negotiated(fixture, &carol, FALSE);
    send_with(fixture, &alice, GETFD("x"), "alice's");
    assert_carried(fixture, GETFD("x"), "alice's");
    core_send(fixture, &alice, CLOSEFD("x"));
    peer_clear(&alice);
    world_settle(&fixture->world);
    peer_expect(&fixture->qemu, CLOSEFD("x") CLOSEFD("x"));
    core_send(fixture, &fixture->qemu, DONE);
    send_with(fixture, &bob, GETFD("x"), "bob's");
    core_send(fixture, &fixture->qemu, GENERIC("File descriptor named 'x' not found"));
    assert_carried(fixture, GETFD("x"), "bob's");
    core_expect(&bob, DONE);
    core_send(fixture, &carol, CLOSEFD("x"));
    core_expect(&carol, GENERIC("File descriptor named 'x' not found"));
    peer_expect(&fixture->qemu, "");
    peer_clear(&bob);
    peer_clear(&carol);
}

/* While QEMU is busy nothing is kept for those who came and left: neither what they sent, nor the
 * names that they would have had. */
static void test_leaves_unsent(CoreFixture *fixture, gconstpointer unused)
{
    Peer busy[LIMIT_MONITOR_IN_FLIGHT], client;

    for (guint i = 0; i < G_N_ELEMENTS(busy); i++) {
        core_connect_negotiated(fixture, &busy[i], FALSE);
        core_send(fixture, &busy[i], "{\"execute\":\"query-block\"}");
    }
    for (guint i = 0; i < 3; i++) {
        g_autofree char *status = NULL;

        core_connect_negotiated(fixture, &client, FALSE);
        send_with(fixture, &client, GETFD("x"), "its");
        core_expect(&client, "");
        peer_clear(&client);
        world_settle(&fixture->world);
        status = core_status(fixture->core, FALSE);
        g_assert_nonnull(strstr(status, "\"waiting\": 0,"));
    }
    for (guint i = 0; i < G_N_ELEMENTS(busy); i++)
        peer_clear(&busy[i]);
}

#define ADD(path, function) \
    g_test_add(path, CoreFixture, NULL, core_set_up, function, core_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/core-fds/getfd", test_getfd);
    ADD("/core-fds/others", test_others);
    ADD("/core-fds/names", test_names);
    ADD("/core-fds/leaves", test_leaves);
    ADD("/core-fds/used-up", test_used_up);
    ADD("/core-fds/closed-twice", test_closed_twice);
    ADD("/core-fds/leaves-unsent", test_leaves_unsent);
    return g_test_run();
}
