/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Clients that take the proxy for the guest agent: each has it for itself as far as it can tell,
 * and finds silence where an agent would not be there.
 */

#include "core-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#include "common/limits.h"
#include "support/sockets.h"

#define PING          "{\"execute\":\"guest-ping\"}"
#define SYNC          "{\"execute\":\"guest-sync\",\"arguments\":{\"id\":7}}"
#define DELIMITED(id) "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":" id "}}"
#define RESET_ERROR                                                                                \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray byte 0xFF, at " \
    "byte 0\"}}\n"
#define PORT(open)                                                                            \
    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"VSERPORT_CHANGE\", " \
    "\"data\": {\"open\": " open ", \"id\": \"port0\"}}\r\n"

typedef struct {
    CoreFixture base;
    char *path;
    Peer client;
} Fixture;

static void connect_raw(Fixture *fixture, Peer *client)
{
    peer_init(client, sockets_connect_unix(fixture->path));
    world_settle(&fixture->base.world);
}

static void set_up(Fixture *fixture, gconstpointer unused)
{
    Address address = {.kind = ADDRESS_UNIX, .server = TRUE};
    g_autoptr(GError) error = NULL;

    core_set_up(&fixture->base, NULL);
    fixture->path = address.path = g_build_filename(fixture->base.folder, "raw", NULL);
    g_assert_true(core_add_agent_listener(fixture->base.core, &address, &error));
    connect_raw(fixture, &fixture->client);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    if (fixture->client.got)
        peer_clear(&fixture->client);
    g_clear_pointer(&fixture->base.core, core_free);
    core_tear_down(&fixture->base, NULL);
    g_free(fixture->path);
}

static void assert_answers(Fixture *fixture, const char *text, const char *expected)
{
    core_send(&fixture->base, &fixture->client, text);
    peer_expect(&fixture->client, expected);
}

/* No greeting; line feeds; syncs and complaints about 0xFF as an agent answers them, and the agent
 * is not asked. */
static void test_protocol(Fixture *fixture, gconstpointer unused)
{
    peer_expect(&fixture->client, "");
    assert_answers(fixture, SYNC, "{\"return\": 7}\n");
    assert_answers(fixture, "\xFF" DELIMITED("8") "\n", RESET_ERROR "\xFF{\"return\": 8}\n");
    assert_answers(fixture, DELIMITED("-1"), "\xFF{\"return\": -1}\n");
    assert_answers(fixture, "{\"execute\":\"guest-sync\",\"arguments\":{\"id\":7},\"id\":\"x\"}",
                   "{\"return\": 7, \"id\": \"x\"}\n");
    assert_answers(
        fixture, "{\"execute\":\"query-name\",\"id\":1}",
        "{\"id\": 1, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command "
        "query-name has not been found\"}}\n");
    assert_answers(fixture, "{\"execute\":\"qmp_capabilities\"}",
                   "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command "
                   "qmp_capabilities has not been found\"}}\n");
    assert_answers(
        fixture, "{\"exec-oob\":\"guest-ping\"}",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QMP input member 'exec-oob' is "
        "unexpected\"}}\n");
    peer_expect(&fixture->base.agent, "");
    peer_expect(&fixture->base.qemu, "");
}

/* Sync and command in one write, cut anywhere: two adjacent lines, in their order. */
static void test_one_write(Fixture *fixture, gconstpointer unused)
{
    static const char *const text = "\xFF" DELIMITED("12") "\n" PING;

    for (gsize cut = 0; cut <= strlen(text); cut++) {
        g_autofree char *first = g_strndup(text, cut);
        Peer client;

        connect_raw(fixture, &client);
        core_send(&fixture->base, &client, first);
        core_send(&fixture->base, &client, text + cut);
        core_agent_answer(&fixture->base, "guest-ping", "{}");
        peer_expect(&client, RESET_ERROR "\xFF{\"return\": 12}\n{\"return\": {}}\n");
        peer_clear(&client);
        world_settle(&fixture->base.world);
    }
}

/* Two of them and a QMP client, with the agent's answers each to his own. */
static void test_private(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    Peer other, qmp;

    connect_raw(fixture, &other);
    core_connect_negotiated(base, &qmp, FALSE);
    core_send(base, &fixture->client, "{\"execute\":\"guest-ping\",\"id\":\"mine\"}");
    core_send(base, &other, PING SYNC);
    core_send(base, &qmp, PING);
    core_agent_answer(base, "guest-ping", "{\"a\": 1}");
    peer_expect(&fixture->client, "{\"return\": {\"a\": 1}, \"id\": \"mine\"}\n");
    peer_expect(&other, "");
    core_agent_answer(base, "guest-ping", "{\"b\": 2}");
    peer_expect(&other, "{\"return\": {\"b\": 2}}\n{\"return\": 7}\n");
    core_agent_answer(base, "guest-ping", "{\"c\": 3}");
    core_expect(&qmp, "{\"return\": {\"c\": 3}}\r\n");
    core_send(base, &base->qemu, EVENT("STOP"));
    peer_expect(&fixture->client, "");
    peer_clear(&other);
    peer_clear(&qmp);
}

/* A port that nobody in the guest has open hears nothing: what is sent is dropped, lest it be
 * carried out at the next boot. The last sync is answered when the agent is there. */
static void test_silence(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    core_send(base, &base->qemu, PORT("false"));
    assert_answers(fixture, PING SYNC "{\"execute\":\"query-name\"}" DELIMITED("9"), "");
    core_send(base, &base->qemu, PORT("true"));
    peer_expect(&fixture->client, "");
    fake_agent_sync(&base->agent, &base->world);
    peer_expect(&fixture->client, "\xFF{\"return\": 9}\n");
    core_agent_answer(base, "guest-fsfreeze-status", "\"thawed\"");
    core_agent_answer(base, "guest-info", "{}");
    peer_expect(&base->agent, "");
    core_send(base, &fixture->client, PING);
    core_agent_answer(base, "guest-ping", "{}");
    peer_expect(&fixture->client, "{\"return\": {}}\n");
}

/* Nobody pays for the id of a sync that is kept: so one that is long is dropped like all else. */
static void test_long_id(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    const gsize lengths[] = {LIMIT_KEPT_ID_BYTES - 2, LIMIT_KEPT_ID_BYTES - 1};

    core_send(base, &base->qemu, PORT("false"));
    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autofree char *id = g_strnfill(lengths[i], 'x');
        g_autofree char *sync = g_strdup_printf(
            SYNC "{\"execute\":\"guest-sync\",\"arguments\":{\"id\":8},\"id\":\"%s\"}", id);
        g_autofree char *answer = g_strdup_printf("{\"return\": 8, \"id\": \"%s\"}\n", id);

        assert_answers(fixture, sync, "");
        core_send(base, &base->qemu, PORT("true"));
        fake_agent_sync(&base->agent, &base->world);
        peer_expect(&fixture->client, i == 0 ? answer : "");
        core_agent_answer(base, "guest-fsfreeze-status", "\"thawed\"");
        core_agent_answer(base, "guest-info", "{}");
        core_send(base, &base->qemu, PORT("false"));
    }
}

/* One that is only brought into step again is there all the time: nothing is dropped. */
static void test_resync(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    core_send(base, &base->agent, "]");
    assert_answers(fixture, SYNC PING, "{\"return\": 7}\n");
    fake_agent_sync(&base->agent, &base->world);
    core_agent_answer(base, "guest-ping", "{}");
    peer_expect(&fixture->client, "{\"return\": {}}\n");
}

/* It may say how long each command may take, too: no agent hears of that. */
static void test_time(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    assert_answers(fixture, "{\"execute\":\"guest-ping\",\"qga-proxy-timeout\":2,\"id\":1}", "");
    g_free(fake_agent_take(&base->agent, "{\"execute\":\"guest-ping\"}"));
    world_pass_ms(&base->world, 2020);
    peer_expect(
        &fixture->client,
        "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"The guest agent did "
        "not answer within 2 s; guest-ping was sent and its outcome is unknown\"}}\n");
    fake_agent_sync(&base->agent, &base->world);
    core_agent_answer(base, "guest-info", "{}");
    assert_answers(fixture, PING, "");
    core_agent_answer(base, "guest-ping", "{}");
    peer_expect(&fixture->client, "{\"return\": {}}\n");
}

/* An agent says nothing when it shuts down; and complains when it cannot. */
static void test_silent_commands(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    gint64 token;

    core_send(base, &fixture->client, "{\"execute\":\"guest-shutdown\"}");
    g_free(peer_take_line(&base->agent));
    token = fake_agent_take_probe(&base->agent, "guest-sync-delimited");
    fake_agent_answer_probe(&base->agent, token);
    world_settle(&base->world);
    peer_expect(&fixture->client, "");
    core_agent_answer(base, "guest-info", "{}");
    assert_answers(fixture, SYNC, "{\"return\": 7}\n");
}

/* QEMU need not be there yet: an agent's channel is not a monitor. */
static void test_before_qemu(void)
{
    Fixture fixture = {0};
    Address address = {.kind = ADDRESS_UNIX, .server = TRUE};
    g_autoptr(GError) error = NULL;

    core_set_up_alone(&fixture.base, NULL);
    fixture.path = address.path = g_build_filename(fixture.base.folder, "raw", NULL);
    g_assert_true(core_add_agent_listener(fixture.base.core, &address, &error));
    connect_raw(&fixture, &fixture.client);
    assert_answers(&fixture, SYNC, "");
    tear_down(&fixture, NULL);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/raw-client/protocol", test_protocol);
    ADD("/raw-client/one-write", test_one_write);
    ADD("/raw-client/private", test_private);
    ADD("/raw-client/silence", test_silence);
    ADD("/raw-client/long-id", test_long_id);
    ADD("/raw-client/resync", test_resync);
    ADD("/raw-client/time", test_time);
    ADD("/raw-client/silent-commands", test_silent_commands);
    g_test_add_func("/raw-client/before-qemu", test_before_qemu);
    return g_test_run();
}
