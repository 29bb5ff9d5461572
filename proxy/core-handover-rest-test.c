/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Moments of a hand-over that are short or rare: while a connection begins or ends, while the agent
 * is away, while the proxy asks something itself, twice in a row.
 */

#include "core-handover-fixture.h"

#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "support/sockets.h"

#define NAME   "{\"execute\":\"query-name\"}"
#define PING   "{\"execute\":\"guest-ping\"}"
#define PONG   "{\"return\": {}}\r\n"
#define FREEZE "{\"execute\":\"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\":\"guest-fsfreeze-thaw\"}"

static void set_up(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up(fixture, unused);
}

static void assert_status(CoreFixture *fixture, const char *part)
{
    g_autofree char *status = core_status(fixture->core, FALSE);

    if (!strstr(status, part))
        g_error("'%s' is not in '%s'", part, status);
}

/* ---- Refused --------------------------------------------------------------------------------- */

static void assert_refused(CoreFixture *fixture, int code)
{
    g_autoptr(GUnixFDList) descriptors = g_unix_fd_list_new();
    g_autoptr(GError) error = NULL;

    g_assert_null(core_save(fixture->core, descriptors, &error));
    g_assert_error(error, G_IO_ERROR, code);
}

/* A connection that cannot be handed over is not cut off: all goes on here. */
static void test_no_descriptors(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    sockets_forbid_descriptors(TRUE);
    assert_refused(fixture, G_IO_ERROR_TOO_MANY_OPEN_FILES);
    sockets_forbid_descriptors(FALSE);
    core_send(fixture, &client, NAME);
    core_answer(fixture, NAME, NAMED);
    core_expect(&client, NAMED);
    peer_clear(&client);
}

/* Leaves it a reply that is larger than what the kernel has room for, and not so large that nothing
 * is read from it any more. Returns: (transfer full) */
static char *leave_unread(CoreFixture *fixture, Peer *client)
{
    g_autofree char *large = g_strnfill(LIMIT_OUTPUT_HIGH - 4096, 'x');
    char *reply = g_strdup_printf("{\"return\": \"%s\"}\r\n", large);

    core_send(fixture, client, NAME);
    peer_expect(&fixture->qemu, NAME);
    world_send(&fixture->world, &fixture->qemu, reply);
    return reply;
}

/* QEMU has gone and a client has yet to read: a successor would wait for the next QEMU. */
static void test_closing(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *reply = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    reply = leave_unread(fixture, &client);
    peer_close(&fixture->qemu);
    world_settle(&fixture->world);
    g_assert_cmpstr(fixture->closed->str, ==, "");
    assert_refused(fixture, G_IO_ERROR_CLOSED);
    peer_clear(&client);
    world_settle(&fixture->world);
    g_assert_cmpstr(fixture->closed->str, ==, "QEMU closed the connection\n");
}

/* ---- Beginnings and ends --------------------------------------------------------------------- */

/* Who sends no more has all the time to read that it had before. */
static void test_half_closed(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *reply = NULL;
    g_autofree char *came = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    reply = leave_unread(fixture, &client);
    peer_shut(&client);
    world_settle(&fixture->world);
    core_hand_over(fixture);
    world_pass_ms(&fixture->world, 2 * LIMIT_LINGER_MS);
    while (peer_read(&client))
        world_settle(&fixture->world);
    came = peer_take(&client);
    g_assert_cmpstr(came, ==, reply);
    g_assert_true(client.ended);
    peer_clear(&client);
}

/* A connection to QEMU that is being made is kept, wherever it is: it may be the only one that
 * there will be. */
static void test_handshake(CoreFixture *fixture, gconstpointer unused)
{
    static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1}}, "
                                   "\"capabilities\": [\"oob\"]}}\r\n";

    for (gsize cut = 0; cut < sizeof greeting; cut++) {
        g_autofree char *front = g_strndup(greeting, cut);
        g_autofree char *id = NULL;
        g_autofree char *greeted = NULL;
        Peer client;

        core_set_up_alone(fixture, unused);
        core_start_qemu(fixture);
        core_connect(fixture, &client);
        core_send(fixture, &fixture->qemu, front);
        core_hand_over(fixture);
        core_send(fixture, &fixture->qemu, greeting + cut);
        id = fake_qemu_take_handshake(&fixture->qemu, TRUE);
        core_hand_over(fixture);
        core_expect(&client, "");
        fake_qemu_answer_handshake(&fixture->qemu, id);
        world_settle(&fixture->world);
        greeted = peer_take_line(&client);
        g_assert_true(g_str_has_prefix(greeted, "{\"QMP\": "));
        assert_status(fixture, "\"qemu\": {\"connected\": true");
        peer_clear(&client);
        core_tear_down(fixture, unused);
    }
}

/* ---- The agent is away ----------------------------------------------------------------------- */

/* What is known of the guest is known still when the channel is back: nothing is sent to a port
 * that nobody has opened. */
static void test_closed_and_offline(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_set_up_met(fixture, unused);
    core_answer_start(fixture, FALSE);
    core_lose_agent(fixture);
    core_hand_over(fixture);
    core_accept_agent(fixture);
    assert_status(fixture, "\"state\": \"closed\"");
    peer_expect(&fixture->agent, "");
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING);
    core_expect(&client,
                GENERIC("The guest agent is not connected: nothing in the guest has opened "
                        "its port; guest-ping was not sent"));
    peer_clear(&client);
    core_tear_down(fixture, unused);
}

static void test_paused_and_offline(CoreFixture *fixture, gconstpointer unused)
{
    core_send(fixture, &fixture->qemu, EVENT("STOP"));
    core_lose_agent(fixture);
    core_hand_over(fixture);
    core_accept_agent(fixture);
    assert_status(fixture, "\"state\": \"paused\"");
    peer_expect(&fixture->agent, "");
}

/* ---- QEMU is away ---------------------------------------------------------------------------- */

/* Who stays is told so, who comes waits, and both go on with the next QEMU. */
static void test_persist(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *greeting = NULL;
    Peer client, late;

    core_set_persist(fixture->core, TRUE);
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, NAME);
    peer_clear(&fixture->qemu);
    fixture->qemu = (Peer){0};
    world_settle(&fixture->world);
    core_expect(&client, GENERIC("QEMU closed the connection; the command's outcome is unknown"));
    core_hand_over(fixture);
    core_set_persist(fixture->core, TRUE);
    core_send(fixture, &client, NAME);
    core_expect(&client, GENERIC("QEMU's monitor is not connected; the command was not sent"));
    core_send(fixture, &client, PING);
    core_expect(&client,
                GENERIC("QEMU's monitor is not connected, so that nobody knows who listens "
                        "in the guest; guest-ping was not sent"));
    core_connect(fixture, &late);
    core_expect(&late, "");
    core_accept_qemu(fixture);
    fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
    core_serve(fixture);
    greeting = peer_take_line(&late);
    g_assert_true(g_str_has_prefix(greeting, "{\"QMP\": "));
    core_send(fixture, &client, NAME PING);
    core_serve(fixture);
    core_expect(&client, NAMED PONG);
    peer_clear(&client);
    peer_clear(&late);
}

/* ---- Questions of our own -------------------------------------------------------------------- */

/* A port without id, of which QEMU is asked before each command, and a freeze that the agent has
 * refused, so that its status is asked for: the successor asks QEMU first, then the agent. */
static void test_refusal_at_mute_port(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *chardevs = NULL;
    g_autofree char *id = NULL;
    g_autofree char *error = NULL;
    g_autofree char *asked = NULL;
    Peer client;

    core_set_up_met(fixture, unused);
    chardevs = core_chardevs(fixture, TRUE);
    core_answer_first(fixture, chardevs, NOTHING,
                      "{\"return\": [{\"name\": \"device[1]\", \"type\": "
                      "\"child<virtserialport>\"}]}\r\n");
    core_answer(fixture,
                "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral-anon/"
                "device[1]\",\"property\":\"chardev\"}}",
                "{\"return\": \"qga0\"}\r\n");
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", chardevs);
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", chardevs);
    core_agent_answer(fixture, "guest-fsfreeze-status", "\"thawed\"");
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", chardevs);
    core_agent_answer(fixture, "guest-info", INFO);

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", chardevs);
    id = fake_agent_take(&fixture->agent, FREEZE);
    error = g_strdup_printf("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": "
                            "%s}\n",
                            id);
    core_send(fixture, &fixture->agent, error);
    core_expect(&client, GENERIC("no"));
    peer_expect(&fixture->qemu, "{\"execute\":\"query-chardev\"}");
    core_hand_over(fixture);
    core_send(fixture, &fixture->qemu, chardevs); /* of the former one's question */
    asked = peer_take(&fixture->qemu);
    g_assert_true(g_str_has_prefix(asked, ASKED_AT_START));
    assert_status(fixture, "\"freeze\": {\"state\": \"freezing\"");
    peer_clear(&client);
    core_tear_down(fixture, unused);
}

/* A name that its owner left is being closed: that is a question of ours, asked of QEMU. */
static void begin_question(CoreFixture *fixture)
{
    Peer owner;

    core_connect_negotiated(fixture, &owner, FALSE);
    peer_send_with_fd(&owner, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"}}", "one");
    world_settle(&fixture->world);
    peer_expect_next(&fixture->qemu, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"}}",
                     "one");
    core_send(fixture, &fixture->qemu, PONG);
    peer_clear(&owner);
    world_settle(&fixture->world);
    peer_expect(&fixture->qemu, "{\"execute\":\"closefd\",\"arguments\":{\"fdname\":\"x\"}}");
}

/* What the agent can do is told on while QEMU is asked anew. */
static void test_agent_known(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *asked = NULL;

    begin_question(fixture);
    core_hand_over(fixture);
    assert_status(fixture, "\"version\": \"7.2.22\"");
    asked = peer_take(&fixture->agent);
}

/* The agent is asked for a sync behind a command that others have waited for: they wait for that
 * sync from now on. */
static void test_long_wait(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second;
    g_autofree char *id = NULL;
    gint64 token;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_send(fixture, &first, PING);
    id = fake_agent_take(&fixture->agent, PING);
    core_send(fixture, &second, PING);
    world_pass_ms(&fixture->world, (LIMIT_SECONDS_UNSYNCED + 1) * 1000);
    begin_question(fixture);
    core_hand_over(fixture);
    token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    fake_agent_return(&fixture->agent, id, "{}");
    world_pass_ms(&fixture->world, 50);
    core_expect(&first, PONG);
    core_expect(&second, "");
    fake_agent_answer_probe(&fixture->agent, token);
    world_settle(&fixture->world);
    g_free(id);
    id = fake_agent_take(&fixture->agent, PING);
    fake_agent_return(&fixture->agent, id, "{}");
    world_settle(&fixture->world);
    core_expect(&second, PONG);
    peer_clear(&first);
    peer_clear(&second);
}

/* An agent that knows no id: its answer is known by its order. */
static void test_without_id(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;
    g_autofree char *id = NULL;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING);
    id = fake_agent_take(&fixture->agent, PING);
    core_send(fixture, &fixture->agent,
              "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QMP input object member 'id' "
              "is unexpected\"}}\n");
    peer_expect(&fixture->agent, PING "\n");
    begin_question(fixture);
    core_hand_over(fixture);
    core_send(fixture, &fixture->agent, "{\"return\": {}}\n");

    core_expect(&client, PONG);
    peer_clear(&client);
}

/* ---- Twice ----------------------------------------------------------------------------------- */

static gboolean hears(Peer *client, const char *needle)
{
    g_autofree char *came = peer_take(client);

    return strstr(came, needle) != NULL;
}

/* A lease that ended is told, and to whoever thaws next, though the thaw that was sent for it is
 * answered to the successor's successor. */
static void test_lease_ends(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner;

    core_set_up_met(fixture, unused);
    core_answer_start(fixture, TRUE);
    core_meet_agent(fixture, INFO);
    core_set_freeze_lease(fixture->core, 10);
    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(fixture, &owner, FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    fake_agent_return(&fixture->agent, id, "1");
    world_settle(&fixture->world);
    g_assert_true(hears(&owner, "{\"return\": 1}"));
    world_pass_ms(&fixture->world, 10000);
    fake_agent_sync(&fixture->agent, &fixture->world);
    g_free(id);
    id = fake_agent_take(&fixture->agent, THAW);
    core_hand_over(fixture);
    core_hand_over(fixture);
    fake_agent_return(&fixture->agent, id, "1");
    core_serve(fixture);
    g_assert_true(hears(&owner, "\"reason\": \"lease\""));
    core_send(fixture, &owner, THAW);
    g_assert_true(hears(&owner, "had ended before"));
    peer_clear(&owner);
    core_tear_down(fixture, unused);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, test)       g_test_add(name, CoreFixture, NULL, set_up, test, core_tear_down)
#define ADD_ALONE(name, test) g_test_add(name, CoreFixture, NULL, NULL, test, NULL)
    ADD("/core-handover-rest/no-descriptors", test_no_descriptors);
    ADD("/core-handover-rest/closing", test_closing);
    ADD("/core-handover-rest/half-closed", test_half_closed);
    ADD_ALONE("/core-handover-rest/handshake", test_handshake);
    ADD_ALONE("/core-handover-rest/closed-and-offline", test_closed_and_offline);
    ADD("/core-handover-rest/paused-and-offline", test_paused_and_offline);
    ADD("/core-handover-rest/persist", test_persist);
    ADD_ALONE("/core-handover-rest/refusal-at-mute-port", test_refusal_at_mute_port);
    ADD("/core-handover-rest/agent-known", test_agent_known);
    ADD("/core-handover-rest/long-wait", test_long_wait);
    ADD("/core-handover-rest/without-id", test_without_id);
    ADD_ALONE("/core-handover-rest/lease-ends", test_lease_ends);
#undef ADD
#undef ADD_ALONE
    return g_test_run();
}
