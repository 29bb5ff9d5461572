/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A successor carries on, wherever it takes over: in the middle of a request, of a reply, with
 * commands under way in QEMU and in the guest, with the guest frozen. Each side sees what it would
 * have seen without; beside what the successor asks for itself.
 */

#include "core-handover-fixture.h"

#include <string.h>

#include "common/limits.h"
#include "common/saved.h"

#define NAME   "{\"execute\":\"query-name\"}"
#define PING   "{\"execute\":\"guest-ping\"}"
#define PONG   "{\"return\": {}}\r\n"
#define FREEZE "{\"execute\":\"guest-fsfreeze-freeze\"}"

static void send_part(CoreFixture *fixture, Peer *peer, const char *text, gsize from, gsize to)
{
    g_autofree char *part = g_strndup(text + from, to - from);

    core_send(fixture, peer, part);
}

static void set_up(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_met(fixture, unused);
    core_answer_start(fixture, TRUE);
    core_meet_agent(fixture, INFO);
}

static void expect_name(CoreFixture *fixture, Peer *client)
{
    core_send(fixture, client, NAME);
    core_serve(fixture);
    core_expect(client, NAMED);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Wherever in a client's input: what stands in the middle of a broken message is no command, ids
 * and order are kept. */
static void test_request(CoreFixture *fixture, gconstpointer unused)
{
    static const char input[] = "{\"execute\":\"query-name\",\"id\":[1]} [{\"a\" 5,"
                                "{\"execute\":\"quit\"}}]\n{ \"execute\" : \"query-name\" }";

    for (gsize cut = 0; cut < sizeof input; cut++) {
        g_autofree char *first = NULL;
        g_autofree char *rest = NULL;
        Peer client;

        core_connect_negotiated(fixture, &client, FALSE);
        send_part(fixture, &client, input, 0, cut);
        core_hand_over(fixture);
        send_part(fixture, &client, input, cut, sizeof input - 1);
        core_serve(fixture);
        first = peer_take_line(&client);
        rest = peer_take(&client);
        g_assert_cmpstr(first, ==, "{\"return\": {\"name\": \"vm\"}, \"id\": [1]}\r\n");
        g_assert_true(g_str_has_prefix(rest, "{\"error\": {\"class\": \"GenericError\", \"desc\": "
                                             "\"JSON parse error"));
        g_assert_true(g_str_has_suffix(rest, "\r\n" NAMED));
        expect_name(fixture, &client);
        peer_clear(&client);
        world_settle(&fixture->world);
    }
}

/* Wherever in QEMU's output, events among it. */
static void test_reply(CoreFixture *fixture, gconstpointer unused)
{
    static const char output[] =
        EVENT("STOP") "{\"return\": {\"name\": \"x\"}}\r\n" EVENT("RESUME");

    for (gsize cut = 0; cut < sizeof output; cut++) {
        Peer client;

        core_connect_negotiated(fixture, &client, FALSE);
        core_send(fixture, &client, "{\"execute\":\"query-name\",\"id\":1}");
        peer_expect(&fixture->qemu, NAME);
        send_part(fixture, &fixture->qemu, output, 0, cut);
        core_hand_over(fixture);
        send_part(fixture, &fixture->qemu, output, cut, sizeof output - 1);
        core_serve(fixture);
        core_expect(&client,
                    EVENT("STOP") "{\"return\": {\"name\": \"x\"}, \"id\": 1}\r\n" EVENT("RESUME"));
        expect_name(fixture, &client);
        peer_clear(&client);
        world_settle(&fixture->world);
    }
}

/* Wherever in the agent's answer. */
static void test_agent_reply(CoreFixture *fixture, gconstpointer unused)
{
    for (gsize cut = 0, len = 1; cut <= len; cut++) {
        g_autofree char *id = NULL;
        g_autofree char *answer = NULL;
        Peer client;

        core_connect_negotiated(fixture, &client, FALSE);
        core_send(fixture, &client, "{\"execute\":\"guest-ping\",\"id\":\"mine\"}");
        id = fake_agent_take(&fixture->agent, PING);
        answer = g_strdup_printf("{\"return\": {}, \"id\": %s}\n", id);
        len = strlen(answer);
        send_part(fixture, &fixture->agent, answer, 0, MIN(cut, len));
        core_hand_over(fixture);
        send_part(fixture, &fixture->agent, answer, MIN(cut, len), len);
        core_serve(fixture);
        core_expect(&client, "{\"return\": {}, \"id\": \"mine\"}\r\n");
        peer_clear(&client);
        world_settle(&fixture->world);
    }
}

/* Of a file that is read in pieces, wherever it is: those that came are kept, the next is asked
 * for.
 */
static void test_file_read(CoreFixture *fixture, gconstpointer unused)
{
#define READ(count) \
    "{\"execute\":\"guest-file-read\",\"arguments\":{\"handle\":1,\"count\":" count "}}"
    g_autofree char *digits = g_strnfill(LIMIT_FILE_SLICE_BYTES / 3 * 4, 'A');
    g_autofree char *piece = g_strdup_printf("{\"count\": %u, \"buf-b64\": \"%s\", \"eof\": false}",
                                             LIMIT_FILE_SLICE_BYTES, digits);
    g_autofree char *expected =
        g_strdup_printf("{\"return\": {\"count\": %u, \"buf-b64\": \"%sQQ==\", \"eof\": true}}\r\n",
                        LIMIT_FILE_SLICE_BYTES + 1, digits);

    for (guint when = 0; when < 4; when++) {
        g_autofree char *ping = NULL, *first = NULL, *second = NULL, *came = NULL;
        Peer client, other;

        core_connect_negotiated(fixture, &client, FALSE);
        core_connect_negotiated(fixture, &other, FALSE);
        core_send(fixture, &client, READ("400000"));
        core_send(fixture, &other, PING);
        first = fake_agent_take(&fixture->agent, READ("387072"));
        if (when == 0) /* the first piece is under way */
            core_hand_over(fixture);
        fake_agent_return_large(&fixture->agent, &fixture->world, first, piece);
        ping = fake_agent_take(&fixture->agent, PING);
        if (when == 1) /* none is */
            core_hand_over(fixture);
        fake_agent_return(&fixture->agent, ping, "{}");
        world_settle(&fixture->world);
        second = fake_agent_take(&fixture->agent, READ("12928"));
        if (when == 2) /* the second is */
            core_hand_over(fixture);
        fake_agent_return(&fixture->agent, second,
                          "{\"count\": 1, \"buf-b64\": \"QQ==\", \"eof\": true}");
        world_settle(&fixture->world);
        if (when == 3) /* the client has not read all of it */
            core_hand_over(fixture);
        while (peer_read(&client))
            world_settle(&fixture->world);
        came = peer_take(&client);
        g_assert_true(g_str_equal(came, expected));
        core_expect(&other, PONG);
        peer_clear(&client);
        peer_clear(&other);
        core_serve(fixture);
    }
#undef READ
}

/* What a client has not read is written by the successor, and not twice. */
static void test_unread(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *large = g_strnfill(1024 * 1024, 'x');
    g_autofree char *reply = g_strdup_printf("{\"return\": \"%s\"}\r\n", large);
    g_autofree char *came = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, NAME);
    peer_expect(&fixture->qemu, NAME);
    world_send(&fixture->world, &fixture->qemu, reply);
    core_hand_over(fixture);
    core_serve(fixture);
    while (peer_read(&client))
        world_settle(&fixture->world);
    came = peer_take(&client);
    g_assert_cmpstr(came, ==, reply);
    expect_name(fixture, &client);
    peer_clear(&client);
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* More clients than QEMU takes commands, one out of band, one who has left: each gets its own
 * answer once, and nobody his. */
static void test_under_way(CoreFixture *fixture, gconstpointer unused)
{
    Peer clients[LIMIT_MONITOR_IN_FLIGHT + 3];
    Peer oob;
    Peer gone;

    core_connect_negotiated(fixture, &gone, FALSE);
    core_send(fixture, &gone, NAME);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        g_autofree char *text = g_strdup_printf("{\"execute\":\"query-name\",\"id\":%u}", i);

        core_connect_negotiated(fixture, &clients[i], FALSE);
        core_send(fixture, &clients[i], text);
    }
    core_connect_negotiated(fixture, &oob, TRUE);
    core_send(fixture, &oob, "{\"exec-oob\":\"yank\",\"id\":\"oob\"}" NAME);
    peer_clear(&gone);
    world_settle(&fixture->world);
    core_hand_over(fixture);
    {
        g_autofree char *sent = peer_take(&fixture->qemu);
        const char *id = strstr(sent, "{\"exec-oob\":\"yank\",\"id\":");
        g_autofree char *reply = NULL;

        g_assert_nonnull(id);
        id += strlen("{\"exec-oob\":\"yank\",\"id\":");
        reply =
            g_strdup_printf("{\"return\": 1, \"id\": %.*s}\r\n", (int)strspn(id, "0123456789"), id);
        for (guint i = 0; i < LIMIT_MONITOR_IN_FLIGHT; i++)
            peer_send(&fixture->qemu, NAMED);
        peer_send(&fixture->qemu, reply);
    }
    core_serve(fixture);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        g_autofree char *text =
            g_strdup_printf("{\"return\": {\"name\": \"vm\"}, \"id\": %u}\r\n", i);

        core_expect(&clients[i], text);
        peer_clear(&clients[i]);
    }
    {
        g_autofree char *came = peer_take(&oob);

        g_assert_nonnull(strstr(came, "{\"return\": 1, \"id\": \"oob\"}\r\n"));
        g_assert_nonnull(strstr(came, NAMED));
    }
    peer_clear(&oob);
}

/* Who waits behind a command in the guest, and for the agent, still does; limits go on from where
 * they were. */
static void test_waiting(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second, waiter;
    g_autofree char *id = NULL;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_connect_negotiated(fixture, &waiter, FALSE);
    core_send(fixture, &first, PING);
    id = fake_agent_take(&fixture->agent, PING);
    core_send(fixture, &second, "{\"execute\":\"guest-ping\",\"id\":2}");
    core_send(fixture, &waiter,
              "{\"execute\":\"qga-proxy-wait-agent\",\"arguments\":{\"timeout\":7,\"states\":["
              "\"gone\"]}}");
    world_pass_ms(&fixture->world, 6000);
    core_hand_over(fixture);
    world_pass_ms(&fixture->world, 1500);
    core_expect(&waiter, GENERIC("The guest agent is ready, and was not as wanted within 7 s"));
    core_expect(&first, "");
    fake_agent_return(&fixture->agent, id, "{}");
    core_serve(fixture);
    core_expect(&first, PONG);
    core_expect(&second, "{\"return\": {}, \"id\": 2}\r\n");
    peer_clear(&first);
    peer_clear(&second);
    peer_clear(&waiter);
}

/* Who sent it has left: the successor knows how long it may take, and that it cannot be sent again.
 */
static void test_left(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *filler = g_strnfill(5000, 'x');
    g_autofree char *arguments = g_strdup_printf("{\"handle\":1,\"buf-b64\":\"%s\"}", filler);
    g_autofree char *command =
        g_strdup_printf("{\"execute\":\"guest-file-write\",\"qga-proxy-timeout\":3600,"
                        "\"arguments\":%s}",
                        arguments);
    g_autofree char *sent =
        g_strdup_printf("{\"execute\":\"guest-file-write\",\"arguments\":%s}", arguments);
    g_autofree char *id = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, command);
    id = fake_agent_take(&fixture->agent, sent);
    peer_clear(&client);
    world_settle(&fixture->world);
    core_hand_over(fixture);
    core_send(fixture, &fixture->agent,
              "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QMP input object member 'id' "
              "is unexpected\"}}\n");
    peer_expect(&fixture->agent, "");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_SLOW * 1000 - 20);
    peer_expect(&fixture->agent, "");
    world_pass_ms(&fixture->world, 40);
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_connect_negotiated(fixture, &client, FALSE);
    peer_clear(&client);
}

/* ---- Freezes --------------------------------------------------------------------------------- */

static void freeze(CoreFixture *fixture, Peer *client)
{
    g_autofree char *id = NULL;

    core_send(fixture, client, FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    fake_agent_return(&fixture->agent, id, "1");
    world_settle(&fixture->world);
    core_expect(client, "{\"return\": 1}\r\n");
}

static void assert_freeze(CoreFixture *fixture, const char *part)
{
    g_autofree char *status = core_status(fixture->core, FALSE);

    if (!strstr(status, part))
        g_error("'%s' is not in '%s'", part, status);
}

/* The lease goes on, and its owner is the same. */
static void test_frozen(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;
    g_autofree char *sent = NULL;

    core_set_freeze_lease(fixture->core, 10);
    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(
        fixture, &owner,
        "{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"thaw-on-disconnect\":true}}");
    core_expect(&owner, PONG);
    freeze(fixture, &owner);
    world_pass_ms(&fixture->world, 4000);
    core_hand_over(fixture);
    assert_freeze(fixture, "\"lease\": 6");
    peer_clear(&owner);
    world_settle(&fixture->world);
    assert_freeze(fixture, "\"state\": \"thawing\"");
    sent = peer_take(&fixture->agent);
}

/* One that was sent and not answered is answered to who asked, and frozen. */
static void test_freezing(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;
    g_autofree char *id = NULL;

    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(fixture, &owner, FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    core_hand_over(fixture);
    assert_freeze(fixture, "\"state\": \"freezing\"");
    fake_agent_return(&fixture->agent, id, "1");
    world_settle(&fixture->world);
    core_expect(&owner, "{\"return\": 1}\r\n");
    assert_freeze(fixture, "\"state\": \"frozen\"");
    peer_clear(&owner);
}

/* ---- Others ---------------------------------------------------------------------------------- */

/* A name stays its owner's, and is closed when that leaves. */
static void test_names(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner, other;
    g_autofree char *sent = NULL;

    core_connect_negotiated(fixture, &owner, FALSE);
    core_connect_negotiated(fixture, &other, FALSE);
    peer_send_with_fd(&owner, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"}}", "one");
    world_settle(&fixture->world);
    peer_expect_next(&fixture->qemu, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"}}",
                     "one");
    core_send(fixture, &fixture->qemu, PONG);
    core_expect(&owner, PONG);
    core_hand_over(fixture);
    core_serve(fixture);
    core_send(fixture, &other, "{\"execute\":\"closefd\",\"arguments\":{\"fdname\":\"x\"}}");
    core_expect(&other, GENERIC("File descriptor named 'x' not found"));
    peer_clear(&owner);
    world_settle(&fixture->world);
    sent = peer_take(&fixture->qemu);
    g_assert_cmpstr(sent, ==, "{\"execute\":\"closefd\",\"arguments\":{\"fdname\":\"x\"}}");
    peer_clear(&other);
}

/* A descriptor that came with half a command goes to QEMU with the whole. */
static void test_descriptor(CoreFixture *fixture, gconstpointer unused)
{
    static const char command[] = "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"}}";
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    peer_send_with_fd(&client, "{\"execute\":\"getfd\",", "one");
    world_settle(&fixture->world);
    core_hand_over(fixture);
    core_serve(fixture);
    core_send(fixture, &client, "\"arguments\":{\"fdname\":\"x\"}}");
    peer_expect_next(&fixture->qemu, command, "one");
    peer_clear(&client);
}

/* In each state of a connection: not greeted, since QEMU is away; greeted and silent. */
static void test_comers(CoreFixture *fixture, gconstpointer unused)
{
    Peer silent, late;
    g_autofree char *came = NULL;

    core_connect(fixture, &silent);
    core_hand_over(fixture);
    core_serve(fixture);
    core_connect_negotiated(fixture, &late, FALSE);
    core_send(fixture, &silent, "{\"execute\":\"qmp_capabilities\"}");
    came = peer_take(&silent);
    g_assert_true(g_str_has_prefix(came, "{\"QMP\": "));
    g_assert_true(g_str_has_suffix(came, "}\r\n{\"return\": {}}\r\n"));
    expect_name(fixture, &silent);
    expect_name(fixture, &late);
    peer_clear(&silent);
    peer_clear(&late);
}

/* One that left another kind of state is refused, instead of being misread. */
static void test_version(CoreFixture *fixture, gconstpointer unused)
{
    g_autoptr(GUnixFDList) none = g_unix_fd_list_new();
    g_autoptr(GError) error = NULL;
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) state = NULL;

    saved_put_int(&saved, "version", 4711);
    state = g_variant_ref_sink(g_variant_dict_end(&saved));
    g_assert_null(core_new_successor(fixture, &(CoreState){state, none}, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, test) g_test_add(name, CoreFixture, NULL, set_up, test, core_tear_down)
    ADD("/core-handover/request", test_request);
    ADD("/core-handover/reply", test_reply);
    ADD("/core-handover/agent-reply", test_agent_reply);
    ADD("/core-handover/file-read", test_file_read);
    ADD("/core-handover/unread", test_unread);
    ADD("/core-handover/under-way", test_under_way);
    ADD("/core-handover/waiting", test_waiting);
    ADD("/core-handover/left", test_left);
    ADD("/core-handover/frozen", test_frozen);
    ADD("/core-handover/freezing", test_freezing);
    ADD("/core-handover/names", test_names);
    ADD("/core-handover/descriptor", test_descriptor);
    ADD("/core-handover/comers", test_comers);
    ADD("/core-handover/version", test_version);
#undef ADD
    return g_test_run();
}
