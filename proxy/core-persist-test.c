/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A proxy that keeps its clients when QEMU goes: they get errors meanwhile, nothing twice, and go
 * on with the next QEMU as if it were the same.
 */

#include "core-fixture.h"

#include <unistd.h>

#include "common/limits.h"
#include "support/sockets.h"

#define AWAY    "QEMU's monitor is not connected; the command was not sent"
#define UNKNOWN "QEMU closed the connection; the command's outcome is unknown"
#define BLIND                                                                          \
    "QEMU's monitor is not connected, so that nobody knows who listens in the guest; " \
    "guest-ping was not sent"
#define UNSENT "QEMU closed the connection; the command was not sent"
#define NAME   "{\"execute\":\"query-name\"}"
#define PING   "{\"execute\":\"guest-ping\"}"
#define THAW   "{\"execute\":\"guest-fsfreeze-thaw\"}"
#define DONE   "{\"return\": {}}\r\n"

#define GETFD(name)   "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"" name "\"}}"
#define CLOSEFD(name) "{\"execute\":\"closefd\",\"arguments\":{\"fdname\":\"" name "\"}}"

static void set_up(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up(fixture, unused);
    core_set_persist(fixture->core, TRUE);
}

/* The monitor alone is lost, as by yank; the guest goes on. */
static void lose_monitor(CoreFixture *fixture)
{
    peer_clear(&fixture->qemu);
    fixture->qemu = (Peer){0};
    world_settle(&fixture->world);
}

static void find_monitor(CoreFixture *fixture)
{
    core_accept_qemu(fixture);
    fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
}

/* What was under way and what comes meanwhile fails; nothing of it is sent to the next connection.
 * Nobody is greeted twice, and who is not greeted yet waits. */
static void test_errors_meanwhile(CoreFixture *fixture, gconstpointer unused)
{
    Peer client, late;

    core_connect_negotiated(fixture, &client, TRUE);
    core_send(fixture, &client, NAME "{\"exec-oob\":\"query-yank\"}" NAME);
    lose_monitor(fixture);
    core_expect(&client, GENERIC(UNKNOWN) GENERIC(UNKNOWN) GENERIC(AWAY));
    core_send(fixture, &client, NAME "{\"execute\":\"query-commands\"}");
    core_expect(&client, GENERIC(AWAY) GENERIC(AWAY));
    core_connect(fixture, &late);
    core_expect(&late, "");
    g_assert_cmpstr(fixture->closed->str, ==, "");

    find_monitor(fixture);
    core_expect(&client, "");
    {
        g_autofree char *greeting = peer_take_line(&late);

        g_assert_true(g_str_has_prefix(greeting, "{\"QMP\": "));
    }
    core_answer_start(fixture, TRUE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-info", "{\"version\": \"1\", \"supported_commands\": []}");
    core_send(fixture, &client, NAME);
    core_answer(fixture, NAME, "{\"return\": 1}\r\n");
    core_expect(&client, "{\"return\": 1}\r\n");
    peer_clear(&client);
    peer_clear(&late);
}

/* A reply of the former connection that comes on the next one is nobody's. */
static void test_stale(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *status = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, NAME);
    lose_monitor(fixture);
    core_expect(&client, GENERIC(UNKNOWN));
    core_accept_qemu(fixture);
    fake_qemu_greet(&fixture->qemu, TRUE);
    core_send(fixture, &fixture->qemu, "{\"return\": \"stale\"}\r\n");
    id = fake_qemu_take_handshake(&fixture->qemu, TRUE);
    core_send(fixture, &client, "{\"execute\":\"qga-proxy-status\"}");
    status = peer_take(&client);
    g_assert_nonnull(g_strrstr(
        status,
        "\"connected\": false, \"monitors\": 1, \"monitors-connected\": 0, \"stale-replies\": 1}"));
    fake_qemu_answer_handshake(&fixture->qemu, id);
    world_settle(&fixture->world);
    core_expect(&client, "");
    peer_clear(&client);
}

/* Again and again, each time a pause longer, at most the last one. */
static void test_patience(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    for (guint i = 0; i < 5; i++) {
        lose_monitor(fixture);
        core_accept_qemu(fixture); /* asserts that it comes within LIMIT_RECONNECT_LAST_MS */
        if (i % 2 == 0)
            fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
    }
    core_expect(&client, "");
    peer_clear(&client);
}

/* Nobody can say how the port is: what might lie there until the next boot is not sent. A thaw is,
 * behind a sync that proves that somebody listens. What was under way is still answered. */
static void test_blind(CoreFixture *fixture, gconstpointer unused)
{
    Peer client, other, third;
    g_autofree char *id = NULL;
    g_autofree char *thaw_id = NULL;

    core_connect_negotiated(fixture, &client, FALSE);
    core_connect_negotiated(fixture, &other, FALSE);
    core_connect_negotiated(fixture, &third, FALSE);
    core_send(fixture, &client, PING);
    id = fake_agent_take(&fixture->agent, PING);
    core_send(fixture, &other, PING);
    lose_monitor(fixture);
    core_expect(&other, GENERIC("QEMU's monitor was lost; guest-ping was not sent"));
    fake_agent_return(&fixture->agent, id, "{}");
    world_settle(&fixture->world);
    core_expect(&client, DONE);

    core_send(fixture, &client, PING);
    core_expect(&client, GENERIC(BLIND));
    core_send(fixture, &third, THAW);
    fake_agent_sync(&fixture->agent, &fixture->world);
    thaw_id = fake_agent_take(&fixture->agent, THAW);
    fake_agent_return(&fixture->agent, thaw_id, "2");
    world_settle(&fixture->world);
    core_expect(&third, "{\"return\": 2}\r\n");
    peer_clear(&client);
    peer_clear(&other);
    peer_clear(&third);
}

/* What a client leaves behind while QEMU is away is closed when it is back. */
static void test_names(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    peer_send_with_fd(&client, GETFD("x"), "one");
    world_settle(&fixture->world);
    peer_expect_next(&fixture->qemu, GETFD("x"), "one");
    core_send(fixture, &fixture->qemu, DONE);
    lose_monitor(fixture);
    peer_clear(&client);
    world_settle(&fixture->world);
    find_monitor(fixture);
    peer_expect(&fixture->qemu, CLOSEFD("x") ASKED_AT_START);
}

/* QEMU may have carried out a getfd whose answer got lost: its name is closed behind the client as
 * well. One that was not sent has made none, and leaves its name to others. */
static void test_names_in_doubt(CoreFixture *fixture, gconstpointer unused)
{
    Peer client, other;

    core_connect_negotiated(fixture, &client, FALSE);
    core_connect_negotiated(fixture, &other, FALSE);
    peer_send_with_fd(&client, GETFD("x"), "one");
    world_settle(&fixture->world);
    peer_send_with_fd(&other, GETFD("y"), "two");
    world_settle(&fixture->world);
    peer_expect_next(&fixture->qemu, GETFD("x"), "one");
    lose_monitor(fixture);
    core_expect(&client, GENERIC(UNKNOWN));
    core_expect(&other, GENERIC(UNSENT));
    find_monitor(fixture);
    core_answer_start(fixture, TRUE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-info", "{\"version\": \"1\", \"supported_commands\": []}");

    peer_send_with_fd(&client, GETFD("y"), "two");
    world_settle(&fixture->world);
    peer_expect_next(&fixture->qemu, GETFD("y"), "two");
    core_send(fixture, &fixture->qemu, DONE);
    core_send(fixture, &client, CLOSEFD("y"));
    core_answer(fixture, CLOSEFD("y"), DONE);
    core_expect(&client, DONE DONE);
    peer_clear(&client);
    world_settle(&fixture->world);
    peer_expect(&fixture->qemu, CLOSEFD("x"));
    peer_clear(&other);
}

/* ---- A guest that has gone ------------------------------------------------------------------- */

/* Its agent sits on a line of which QEMU tells no changes. */
static void meet_on_serial_line(CoreFixture *fixture)
{
    g_autofree char *chardevs = core_chardevs(fixture, TRUE);

    core_answer_first(fixture, chardevs, NOTHING, NOTHING);
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", chardevs);
    fake_agent_sync_last(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-fsfreeze-status", "\"thawed\"");
    core_agent_answer(fixture, "guest-info", "{\"version\": \"1\", \"supported_commands\": []}");
}

/* It was shut down, or sleeps on its disk, and QEMU has ended with it. The next one's is another,
 * which has neither shut down nor gone to sleep. */
static void test_started_anew(CoreFixture *fixture, gconstpointer event)
{
    Peer client;

    core_set_up_met(fixture, NULL);
    core_set_persist(fixture->core, TRUE);
    meet_on_serial_line(fixture);
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &fixture->qemu, event);
    core_send(fixture, &client, PING);
    core_assert_heard(&client, "guest-ping was not sent");
    lose_monitor(fixture);
    core_lose_agent(fixture);

    find_monitor(fixture);
    core_accept_agent(fixture);
    meet_on_serial_line(fixture);
    core_assert_heard(&client, "\"state\": \"ready\"");
    core_send(fixture, &client, PING);
    core_agent_answer(fixture, "guest-ping", "{}");
    core_expect(&client, DONE);
    peer_clear(&client);
}

#define ADD(path, function) g_test_add(path, CoreFixture, NULL, set_up, function, core_tear_down)
#define ADD_STOPPED(path, event) \
    g_test_add(path, CoreFixture, event, NULL, test_started_anew, core_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/core-persist/errors-meanwhile", test_errors_meanwhile);
    ADD("/core-persist/stale", test_stale);
    ADD("/core-persist/patience", test_patience);
    ADD("/core-persist/blind", test_blind);
    ADD("/core-persist/names", test_names);
    ADD("/core-persist/names-in-doubt", test_names_in_doubt);
    ADD_STOPPED("/core-persist/shut-down", EVENT("SHUTDOWN"));
    ADD_STOPPED("/core-persist/suspended", EVENT("SUSPEND_DISK"));
    return g_test_run();
}
