/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The whole proxy when somebody goes: a client in the middle of a command, the agent, QEMU. The
 * others get an answer or a close, and nothing is left behind.
 */

#include "core-fixture.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/limits.h"
#include "support/sockets.h"

#define PING    "{\"execute\":\"guest-ping\"}"
#define STATUS  "{\"execute\":\"query-status\"}"
#define OUTCOME "was sent and its outcome is unknown"

/* What the proxy says of itself, by one more client. */
static void assert_status(CoreFixture *fixture, const char *part)
{
    g_autofree char *status = core_status(fixture->core, FALSE);

    if (!strstr(status, part))
        g_error("%s is not in %s", part, status);
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* Its commands cannot be called back, but their answers are nobody's, and those that were not sent
 * are not sent any more. */
static void test_client_leaves(CoreFixture *fixture, gconstpointer unused)
{
    Peer leaver, waiter;
    g_autofree char *id = NULL;

    core_connect_negotiated(fixture, &leaver, FALSE);
    core_connect_negotiated(fixture, &waiter, FALSE);
    core_send(fixture, &leaver, PING);
    core_send(fixture, &waiter, "{\"execute\":\"guest-info\"}");
    id = fake_agent_take(&fixture->agent, PING);
    peer_close(&leaver);
    world_settle(&fixture->world);
    assert_status(fixture, "\"clients\": 1, \"memory\": ");
    fake_agent_return(&fixture->agent, id, "\"leaver's\"");
    world_settle(&fixture->world);
    core_agent_answer(fixture, "guest-info", "\"waiter's\"");
    core_expect(&waiter, "{\"return\": \"waiter's\"}\r\n");
    assert_status(fixture, "\"clients\": 1, \"memory\": 0");
    peer_clear(&leaver);
    peer_clear(&waiter);
}

static void test_client_leaves_queue(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, leaver;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &leaver, FALSE);
    core_send(fixture, &first, PING);
    core_send(fixture, &leaver, "{\"execute\":\"guest-shutdown\"}");
    peer_close(&leaver);
    world_settle(&fixture->world);
    core_agent_answer(fixture, "guest-ping", "{}");
    peer_expect(&fixture->agent, "");
    core_expect(&first, "{\"return\": {}}\r\n");
    peer_clear(&first);
    peer_clear(&leaver);
}

/* The same towards QEMU: its answer does not slip to who comes next. */
static void test_client_leaves_qemu(CoreFixture *fixture, gconstpointer unused)
{
    Peer leaver, next;

    core_connect_negotiated(fixture, &leaver, TRUE);
    core_send(fixture, &leaver, STATUS "{\"exec-oob\":\"yank\"}");
    peer_close(&leaver);
    world_settle(&fixture->world);
    core_connect_negotiated(fixture, &next, FALSE);
    core_send(fixture, &next, "{\"execute\":\"query-name\",\"id\":1}");
    core_answer(fixture, STATUS "{\"exec-oob\":\"yank\",\"id\":1}{\"execute\":\"query-name\"}",
                "{\"return\": \"leaver's\"}{\"return\": \"leaver's\", \"id\": 1}"
                "{\"return\": \"next's\"}");
    core_expect(&next, "{\"return\": \"next's\", \"id\": 1}\r\n");
    peer_clear(&leaver);
    peer_clear(&next);
}

static void set_limit(CoreFixture *fixture, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(core_set_limit(fixture->core, text, &error));
    g_assert_no_error(error);
}

static void assert_turned_away(CoreFixture *fixture)
{
    Peer late;

    core_connect(fixture, &late);
    peer_expect_end(&late);
    peer_clear(&late);
}

/* One that is dialled is turned away like those who come by themselves, and dialled again: then
 * @other has gone, and it is let in. */
static void dial_into_crowd(CoreFixture *fixture, int other)
{
    g_autofree char *path = g_build_filename(fixture->folder, "client", NULL);
    const Address address = {.kind = ADDRESS_UNIX, .path = path, .reconnect = 1};
    int listening = sockets_listen_unix(path, 5);
    g_autoptr(GError) error = NULL;
    Peer client;

    g_assert_true(core_add_listener(fixture->core, &address, &error));
    world_settle(&fixture->world);
    peer_init(&client, accept4(listening, NULL, NULL, SOCK_CLOEXEC));
    peer_expect_end(&client);
    peer_clear(&client);
    close(other);
    world_pass_ms(&fixture->world, 1000);
    assert_status(fixture, "\"clients\": 1025");
    peer_init(&client, accept4(listening, NULL, NULL, SOCK_CLOEXEC));
    close(listening);
    g_assert_no_errno(unlink(path));
    peer_clear(&client);
    world_settle(&fixture->world);
}

/* As many as there may be, of one user and in all; the next is turned away, and let in when one has
 * gone or there may be more. */
static void test_crowd(CoreFixture *fixture, gconstpointer unused)
{
    enum { CROWD = LIMIT_CLIENTS_PER_USER };
    g_autofree int *clients = g_new(int, CROWD);
    struct rlimit limit;
    Peer late, later;

    g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_max < 2 * CROWD + 50) {
        g_test_skip("this process may not have so many descriptors");
        return;
    }
    for (guint i = 0; i < CROWD; i++) {
        clients[i] = sockets_connect_unix(fixture->socket);
        world_settle(&fixture->world);
    }
    assert_status(fixture, "\"clients\": 1024");
    assert_turned_away(fixture);
    assert_status(fixture, "\"refused-clients\": 1");

    close(clients[0]);
    world_settle(&fixture->world);
    core_connect_negotiated(fixture, &late, FALSE);
    assert_turned_away(fixture);
    set_limit(fixture, "clients-per-user=1025");
    set_limit(fixture, "clients=1025");
    core_connect_negotiated(fixture, &later, FALSE);
    set_limit(fixture, "clients-per-user=2000");
    assert_turned_away(fixture);
    dial_into_crowd(fixture, clients[1]);
    for (guint i = 2; i < CROWD; i++)
        close(clients[i]);
    world_settle(&fixture->world);
    assert_status(fixture, "\"clients\": 2, \"memory\": 0, \"refused-clients\": 4");
    peer_clear(&late);
    peer_clear(&later);
}

/* One that never reads its events costs what it may, and the others nothing. */
static void test_deaf_client(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *filler = g_strnfill(64 * 1024, 'x');
    g_autofree char *event = g_strdup_printf(
        "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"%s\"}\r\n", filler);
    Peer deaf, other;

    core_connect_negotiated(fixture, &deaf, FALSE);
    core_connect_negotiated(fixture, &other, FALSE);
    for (gsize sent = 0; sent < LIMIT_OUTPUT_HARD + 1024 * 1024; sent += strlen(event)) {
        g_autofree char *line = NULL;

        core_send(fixture, &fixture->qemu, event);
        line = peer_take_line(&other);
        g_assert_cmpuint(strlen(line), ==, strlen(event));
    }
    assert_status(fixture, "\"clients\": 1, \"memory\": 0");
    g_free(peer_take(&deaf));
    g_assert_true(deaf.ended);
    peer_clear(&deaf);
    peer_clear(&other);
}

/* ---- The agent ------------------------------------------------------------------------------- */

/* Its channel comes back: who asked is told, who asks then is served. */
static void test_channel_comes_back(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING STATUS);
    core_lose_agent(fixture);
    core_expect(&client, GENERIC("The agent's channel was closed; guest-ping " OUTCOME));
    core_answer(fixture, STATUS, "{\"return\": {}}");
    core_send(fixture, &client, PING);
    core_expect(&client, "{\"return\": {}}\r\n" GENERIC(
                             "The agent's channel is not connected; guest-ping was not sent"));
    core_accept_agent(fixture);
    core_send(fixture, &client, PING);
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-fsfreeze-status", "\"thawed\"");
    core_agent_answer(fixture, "guest-ping", "{}");
    core_expect(&client, "{\"return\": {}}\r\n");
    peer_clear(&client);
}

/* ---- QEMU ------------------------------------------------------------------------------------ */

/* What was answered is still read, then everybody is closed, and the owner is told once. */
static void test_qemu_quits(CoreFixture *fixture, gconstpointer unused)
{
    Peer quitter, asker, idle;

    core_connect_negotiated(fixture, &quitter, FALSE);
    core_connect_negotiated(fixture, &asker, FALSE);
    core_connect_negotiated(fixture, &idle, FALSE);
    core_send(fixture, &quitter, "{\"execute\":\"quit\"}");
    core_send(fixture, &asker, PING);
    peer_expect(&fixture->qemu, "{\"execute\":\"quit\"}");
    peer_send(&fixture->qemu, EVENT("SHUTDOWN") "{\"return\": {}}\r\n");
    peer_close(&fixture->qemu);
    world_settle(&fixture->world);
    core_expect(&quitter, EVENT("SHUTDOWN") "{\"return\": {}}\r\n");
    core_expect(&asker, EVENT("SHUTDOWN") "{\"error\": {\"class\": \"GenericError\", \"desc\": "
                                          "\"The guest has shut down; guest-ping was "
                                          "sent and its outcome is unknown\"}}\r\n");
    core_expect(&idle, EVENT("SHUTDOWN"));
    peer_expect_end(&quitter);
    peer_expect_end(&asker);
    peer_expect_end(&idle);
    g_assert_cmpstr(fixture->closed->str, ==, "QEMU closed the connection\n");
    assert_status(fixture, "\"qemu\": {\"connected\": false");
    world_pass_ms(&fixture->world, 2 * LIMIT_LINGER_MS);
    g_assert_cmpstr(fixture->closed->str, ==, "QEMU closed the connection\n");
    peer_clear(&quitter);
    peer_clear(&asker);
    peer_clear(&idle);
}

/* Who does not read what is left for it is given so long, and holds up nobody's end. */
static void test_qemu_quits_slow_reader(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *filler = g_strnfill(1024 * 1024, 'x');
    g_autofree char *reply = g_strdup_printf("{\"return\": \"%s\"}", filler);
    Peer slow;

    core_connect_negotiated(fixture, &slow, FALSE);
    core_send(fixture, &slow, STATUS);
    world_send(&fixture->world, &fixture->qemu, reply);
    peer_expect(&fixture->qemu, STATUS);
    peer_close(&fixture->qemu);
    world_pass_ms(&fixture->world, LIMIT_LINGER_MS - 50);
    g_assert_cmpstr(fixture->closed->str, ==, "");
    world_pass_ms(&fixture->world, 100);
    g_assert_cmpstr(fixture->closed->str, ==, "QEMU closed the connection\n");
    peer_clear(&slow);
}

/* A command that a client sends because the guest went down meets a QEMU that is gone, while its
 * last event is being passed on. */
static void test_qemu_gone_in_event(CoreFixture *fixture, gconstpointer unused)
{
    Peer client, idle;
    g_autofree char *front = NULL;
    g_autofree char *came = NULL;

    core_connect_negotiated(fixture, &client, FALSE);
    core_connect_negotiated(fixture, &idle, FALSE);
    core_send(fixture, &client, "{\"execute\":\"guest-shutdown\"}" STATUS STATUS);
    front = peer_take_line(&fixture->agent);
    peer_send(&fixture->qemu, EVENT("SHUTDOWN"));
    peer_close(&fixture->qemu);
    world_settle(&fixture->world);
    core_expect(&idle, EVENT("SHUTDOWN"));
    peer_expect_end(&idle);
    came = peer_take(&client);
    g_assert_nonnull(strstr(came, "{\"return\": {}}\r\n"));
    g_assert_nonnull(strstr(came, EVENT("SHUTDOWN")));
    g_assert_true(client.ended);
    peer_clear(&client);
    peer_clear(&idle);
}

#define UNKNOWN                                                                              \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QEMU closed the connection; the " \
    "command's outcome is unknown\"}}\r\n"

/* One is told for the command under way and one for that out of band; the one behind was not begun.
 */
static void test_qemu_killed(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, TRUE);
    core_send(fixture, &client, STATUS STATUS "{\"exec-oob\":\"yank\"}");
    core_send(fixture, &fixture->qemu, "{\"return\": {\"half");
    peer_close(&fixture->agent);
    peer_close(&fixture->qemu);
    world_settle(&fixture->world);
    core_expect(&client, UNKNOWN UNKNOWN);
    peer_expect_end(&client);
    g_assert_cmpuint(fixture->closed->len, >, 0);
    peer_clear(&client);
}

/* Freed in the middle of everything: what can be told is told, and all is given back. */
static void test_freed(CoreFixture *fixture, gconstpointer unused)
{
    Peer a, b, held;

    core_connect_negotiated(fixture, &a, TRUE);
    core_connect_negotiated(fixture, &b, FALSE);
    core_connect(fixture, &held);
    core_send(fixture, &a, PING STATUS "{\"exec-oob\":\"yank\"}");
    core_send(fixture, &b, STATUS PING);
    core_free(g_steal_pointer(&fixture->core));
    g_free(peer_take(&a));
    g_free(peer_take(&b));
    g_free(peer_take(&held));
    g_assert_true(a.ended && b.ended && held.ended);
    g_assert_cmpstr(fixture->closed->str, ==, "");
    peer_clear(&a);
    peer_clear(&b);
    peer_clear(&held);
}

int main(int argc, char **argv)
{
#define ADD(path, test) g_test_add(path, CoreFixture, NULL, core_set_up, test, core_tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/core-end/client-leaves", test_client_leaves);
    ADD("/core-end/client-leaves-queue", test_client_leaves_queue);
    ADD("/core-end/client-leaves-qemu", test_client_leaves_qemu);
    ADD("/core-end/crowd", test_crowd);
    ADD("/core-end/deaf-client", test_deaf_client);
    ADD("/core-end/channel-comes-back", test_channel_comes_back);
    ADD("/core-end/qemu-quits", test_qemu_quits);
    ADD("/core-end/qemu-quits-slow-reader", test_qemu_quits_slow_reader);
    ADD("/core-end/qemu-gone-in-event", test_qemu_gone_in_event);
    ADD("/core-end/qemu-killed", test_qemu_killed);
    ADD("/core-end/freed", test_freed);
    return g_test_run();
}
