/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The whole proxy while all is well: each command goes its way, each answer comes to who asked, in
 * its order, and events come to everybody.
 */

#include "core-fixture.h"

#include <sys/socket.h>

/* The proxy's own commands, as query-commands lists them. */
#define OWN                                                                           \
    "{\"name\": \"qga-proxy-freeze-renew\"}, {\"name\": \"qga-proxy-session-set\"}, " \
    "{\"name\": \"qga-proxy-status\"}, {\"name\": \"qga-proxy-wait-agent\"}"

#define PING     "{\"execute\":\"guest-ping\"}"
#define STATUS   "{\"execute\":\"query-status\"}"
#define THAW     "{\"execute\":\"guest-fsfreeze-thaw\"}"
#define COMMANDS "{\"execute\":\"query-commands\"}"
#define GREETING "{\"QMP\": {\"version\": " FAKE_QEMU_VERSION ", \"capabilities\": [\"oob\"]}}\r\n"

/* ---- Meeting --------------------------------------------------------------------------------- */

/* Who comes before QEMU hears nothing, and is greeted in QEMU's name when it is there. */
static void test_before_qemu(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect(fixture, &client);
    core_send(fixture, &client, "{\"execute\":\"qmp_capabilities\"}" STATUS);
    core_expect(&client, "");
    core_start_qemu(fixture);
    core_expect(&client, "");
    fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
    core_expect(&client, GREETING "{\"return\": {}}\r\n");
    peer_expect(&fixture->qemu, ASKED_AT_START STATUS);
    peer_clear(&client);
}

static void test_without_agent(CoreFixture *fixture, gconstpointer unused)
{
    CoreFixture other = *fixture;
    Address monitor = {.kind = ADDRESS_FD};
    Address listener = {.kind = ADDRESS_UNIX, .path = fixture->socket, .server = TRUE};
    static const CoreOps ops = {NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *status = NULL;
    Peer client;

    core_free(g_steal_pointer(&fixture->core));
    monitor.number = (guint32)peer_init_pair(&other.qemu, SOCK_STREAM);
    other.core = core_new(fixture->world.context, &monitor, NULL, NULL, &ops, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(core_add_listener(other.core, &listener, &error));
    core_start(other.core);
    world_settle(&other.world);
    fake_qemu_negotiate(&other.qemu, &other.world, FALSE);
    core_connect_negotiated(&other, &client, FALSE);
    core_send(&other, &client, PING "{\"execute\":\"qga-proxy-status\"}" STATUS);
    peer_expect_next(&client, GENERIC("There is no guest agent's channel; guest-ping was not sent"),
                     NULL);
    status = peer_take_line(&client);
    g_assert_true(
        g_str_has_prefix(status, "{\"return\": {\"version\": \"" QGA_PROXY_VERSION "\", \"qemu\": "
                                 "{\"connected\": true, \"monitors\": 1, \"monitors-connected\": "
                                 "1, \"stale-replies\": 0}, \"monitors\": [{"));
    g_assert_nonnull(strstr(status, "}], \"clients\": 1, \"memory\": 0, "));
    g_assert_null(strstr(status, "\"lane\": \"quick\""));
    peer_expect(&other.qemu, STATUS);
    core_free(other.core);
    peer_clear(&other.qemu);
    peer_clear(&client);
}

/* ---- Requests and replies -------------------------------------------------------------------- */

/* Two clients, two lanes, the same ids: every answer at its owner. */
static void test_two_clients(CoreFixture *fixture, gconstpointer unused)
{
    Peer a, b;

    core_connect_negotiated(fixture, &a, FALSE);
    core_connect_negotiated(fixture, &b, FALSE);
    core_send(fixture, &a, "{\"execute\":\"query-status\",\"id\":1}");
    core_send(fixture, &b, "{\"execute\":\"query-name\",\"id\":1}");
    core_answer(fixture, STATUS "{\"execute\":\"query-name\"}",
                "{\"return\": \"a's\"}\r\n{\"return\": \"b's\"}\r\n");
    core_expect(&a, "{\"return\": \"a's\", \"id\": 1}\r\n");
    core_expect(&b, "{\"return\": \"b's\", \"id\": 1}\r\n");

    core_send(fixture, &a, "{\"execute\":\"guest-ping\",\"id\":1}");
    core_send(fixture, &b, "{\"execute\":\"query-name\",\"id\":1}");
    core_answer(fixture, "{\"execute\":\"query-name\"}",
                "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"d\"}}\r\n");
    core_expect(&b, "{\"id\": 1, \"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"d\"}}\r\n");
    core_agent_answer(fixture, "guest-ping", "{}");
    core_expect(&a, "{\"return\": {}, \"id\": 1}\r\n");
    peer_clear(&a);
    peer_clear(&b);
}

/* One client: in its order, whichever lane answers sooner, and never two under way. */
static void test_order_across_lanes(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING STATUS PING "{\"execute\":\"qga-proxy-nope\"}");
    peer_expect(&fixture->qemu, "");
    core_agent_answer(fixture, "guest-ping", "1");
    core_expect(&client, "{\"return\": 1}\r\n");
    peer_expect(&fixture->agent, "");
    core_answer(fixture, STATUS, "{\"return\": 2}\r\n");
    core_agent_answer(fixture, "guest-ping", "3");
    core_expect(&client, "{\"return\": 2}\r\n{\"return\": 3}\r\n"
                         "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                         "\"The command qga-proxy-nope has not been found\"}}\r\n");
    peer_clear(&client);
}

/* A hung guest keeps only who asked it: QEMU is there for the others, and by exec-oob for him. */
static void test_hung_guest(CoreFixture *fixture, gconstpointer unused)
{
    Peer a, b;

    core_connect_negotiated(fixture, &a, TRUE);
    core_connect_negotiated(fixture, &b, FALSE);
    core_send(fixture, &a, PING "{\"exec-oob\":\"yank\",\"id\":\"o\"}");
    core_send(fixture, &b, STATUS);
    core_answer(fixture, "{\"exec-oob\":\"yank\",\"id\":1}" STATUS,
                "{\"return\": {}}\r\n{\"return\": {}, \"id\": 1}\r\n");
    core_expect(&a, "{\"return\": {}, \"id\": \"o\"}\r\n");
    core_expect(&b, "{\"return\": {}}\r\n");
    core_send(fixture, &a, "{\"exec-oob\":\"guest-ping\"}{\"exec-oob\":\"qga-proxy-status\"}");
    core_expect(&a, GENERIC("The command guest-ping does not support OOB")
                        GENERIC("The command qga-proxy-status does not support OOB"));
    core_agent_answer(fixture, "guest-ping", "{}");
    core_expect(&a, "{\"return\": {}}\r\n");
    peer_clear(&a);
    peer_clear(&b);
}

/* Arguments arrive whole and shortened, and the agent's value comes back in QEMU's form. */
static void test_through(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;
    g_autofree char *id = NULL;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client,
              "{ 'execute' : 'guest-file-open',\n 'arguments' : { 'path' : '/tmp/\xc3\xa9' } }");
    id =
        fake_agent_take(&fixture->agent,
                        "{\"execute\":\"guest-file-open\",\"arguments\":{'path':'/tmp/\xc3\xa9'}}");
    fake_agent_return(&fixture->agent, id, "{'a':\t[1,\"\xc3\xa9\"]}");
    world_settle(&fixture->world);
    core_expect(&client, "{\"return\": {\"a\": [1, \"\\u00E9\"]}}\r\n");
    peer_clear(&client);
}

/* ---- Answered here --------------------------------------------------------------------------- */

/* QEMU is asked until it has answered once, whoever asks; then everybody is answered here, at once
 * and in the order of the commands. */
static void test_query_commands(CoreFixture *fixture, gconstpointer unused)
{
    static const char *const rest = "[{\"name\": \"stop\"}, " OWN ", "
                                    "{\"name\": \"guest-info\"}, {\"name\": \"guest-ping\"}]";
    g_autofree char *answer = g_strdup_printf("{\"return\": %s, \"id\": \"q\"}\r\n", rest);
    g_autofree char *between =
        g_strdup_printf("{\"return\": 1}\r\n{\"return\": %s}\r\n{\"return\": 2}\r\n", rest);
    Peer a, b;

    core_connect_negotiated(fixture, &a, FALSE);
    core_connect_negotiated(fixture, &b, FALSE);
    core_send(fixture, &a, COMMANDS);
    core_answer(fixture, COMMANDS,
                "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n");
    core_expect(&a, GENERIC("no"));
    core_send(fixture, &a, "{\"execute\":\"query-commands\",\"id\":\"q\"}");
    core_send(fixture, &b, "{\"execute\":\"query-commands\",\"id\":\"q\"}");
    core_answer(fixture, COMMANDS COMMANDS,
                "{\"return\": [{\"name\": \"stop\"}]}\r\n{\"return\": [{\"name\": \"stop\"}]}\r\n");
    core_expect(&a, answer);
    core_expect(&b, answer);

    core_send(fixture, &b, PING COMMANDS STATUS);
    core_expect(&b, "");
    core_agent_answer(fixture, "guest-ping", "1");
    core_answer(fixture, STATUS, "{\"return\": 2}\r\n");
    core_expect(&b, between);
    peer_clear(&a);
    peer_clear(&b);
}

/* What QEMU refuses it is still asked, and has its own words for. */
static void test_query_commands_otherwise(CoreFixture *fixture, gconstpointer unused)
{
    static const char *const others[] = {
        "{\"execute\":\"query-commands\",\"arguments\":{\"x\":1}}",
        "{\"exec-oob\":\"query-commands\",\"id\":1}",
    };
    Peer client;

    core_connect_negotiated(fixture, &client, TRUE);
    core_send(fixture, &client, COMMANDS);
    core_answer(fixture, COMMANDS, "{\"return\": []}\r\n");
    core_expect(&client, "{\"return\": [" OWN ", {\"name\": \"guest-info\"}, "
                         "{\"name\": \"guest-ping\"}]}\r\n");
    core_send(fixture, &client, others[0]);
    core_answer(fixture, others[0], GENERIC("Parameter 'x' is unexpected"));
    core_expect(&client, GENERIC("Parameter 'x' is unexpected"));
    core_send(fixture, &client, others[1]);
    core_answer(fixture, others[1],
                "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no OOB\"}}\r\n");
    core_expect(&client,
                "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no OOB\"}}\r\n");
    core_send(fixture, &client, "{\"execute\":\"query-commands\",\"arguments\":{}}");
    peer_expect(&fixture->qemu, "");
    peer_clear(&client);
}

/* An agent that was met frozen called most of its commands disabled. Thawed, it is asked again; one
 * that had none disabled is not. */
static void test_thaw(CoreFixture *fixture, gconstpointer unused)
{
    static const char *const thawed =
        "{\"version\": \"7.2.22\", \"supported_commands\": ["
        "{\"enabled\": true, \"name\": \"guest-exec\", \"success-response\": true}]}";
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, COMMANDS);
    core_answer(fixture, COMMANDS, "{\"return\": []}\r\n");
    g_free(peer_take(&client));
    core_send(fixture, &client, THAW);
    core_agent_answer(fixture, "guest-fsfreeze-thaw", "2");
    core_expect(&client, "{\"return\": 2}\r\n");
    core_agent_answer(fixture, "guest-info", thawed);
    core_send(fixture, &client, COMMANDS THAW);
    core_expect(&client, "{\"return\": [" OWN ", "
                         "{\"name\": \"guest-exec\"}]}\r\n");
    core_agent_answer(fixture, "guest-fsfreeze-thaw", "0");
    core_expect(&client, "{\"return\": 0}\r\n");
    peer_expect(&fixture->agent, "");
    peer_clear(&client);
}

static void assert_commands(CoreFixture *fixture, Peer *client, const char *guest)
{
    g_autofree char *expected =
        g_strdup_printf("{\"return\": [{\"name\": \"stop\"}, " OWN "%s]}\r\n", guest);

    core_send(fixture, client, "{\"execute\":\"query-commands\"}");
    core_expect(client, expected);
}

/* What is known of the agent's commands holds while it is brought into step again, until it says
 * otherwise; but not beyond its end. */
static void test_commands_meanwhile(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, "{\"execute\":\"query-commands\"}");
    core_answer(fixture, "{\"execute\":\"query-commands\"}",
                "{\"return\": [{\"name\": \"stop\"}]}");
    {
        g_autofree char *first = peer_take(&client);
    }
    assert_commands(fixture, &client, ", {\"name\": \"guest-info\"}, {\"name\": \"guest-ping\"}");
    core_send(fixture, &fixture->agent, "]");
    assert_commands(fixture, &client, ", {\"name\": \"guest-info\"}, {\"name\": \"guest-ping\"}");
    fake_agent_sync(&fixture->agent, &fixture->world);
    assert_commands(fixture, &client, ", {\"name\": \"guest-info\"}, {\"name\": \"guest-ping\"}");
    core_agent_answer(fixture, "guest-info",
                      "{\"version\": \"8\", \"supported_commands\": [{\"enabled\": true, \"name\": "
                      "\"guest-exec\", \"success-response\": true}]}");
    assert_commands(fixture, &client, ", {\"name\": \"guest-exec\"}");
    core_send(fixture, &fixture->qemu,
              "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": "
              "\"VSERPORT_CHANGE\", \"data\": {\"open\": false, \"id\": \"port0\"}}\r\n");
    {
        g_autofree char *event = peer_take_line(&client);
    }
    assert_commands(fixture, &client, "");
    peer_clear(&client);
}

static void test_status(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *status = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, "{\"execute\":\"qga-proxy-status\",\"id\":1}");
    status = peer_take_line(&client);
    g_assert_true(g_str_has_prefix(
        status,
        "{\"return\": {\"version\": \"" QGA_PROXY_VERSION "\", "
        "\"qemu\": {\"connected\": true, \"monitors\": 1, \"monitors-connected\": 1, "
        "\"stale-replies\": 0}, "
        "\"monitors\": [{\"state\": \"ready\", \"users\": 1, \"commands\": 6, "
        "\"out-of-band\": 0, \"in-flight\": 0, \"waiting\": 0, \"stale-replies\": 0}], "
        "\"agent\": {\"state\": \"ready\", \"version\": \"7.2.22\", \"channel\": 0, \"channels\": "
        "1, \"depth\": 1, "
        "\"running\": [], \"queued\": 0, \"commands\": 2, \"dropped\": 1, \"unasked\": 0, "
        "\"faults\": 0, \"oversized\": 0, "
        "\"timeouts\": 0, \"syncs\": 1, \"coalesced\": 0, \"cache-hits\": 0, \"bytes-in\": "));
    g_assert_nonnull(strstr(status, "}, \"freeze\": {\"state\": \"thawed\", \"thaws\": 0}, "
                                    "\"clients\": 1, \"memory\": 0, "));
    g_assert_true(g_str_has_suffix(status, "}}, \"id\": 1}\r\n"));
    core_send(fixture, &client, "{\"execute\":\"qga-proxy-status\",\"arguments\":{\"x\":1}}");
    core_expect(&client, GENERIC("Parameter 'x' is unexpected"));
    peer_clear(&client);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* Byte for byte, to everybody who has negotiated and to nobody else, and before the reply that they
 * belong before. */
static void test_events(CoreFixture *fixture, gconstpointer unused)
{
    Peer a, b, late;
    g_autofree char *greeting = NULL;

    core_connect_negotiated(fixture, &a, FALSE);
    core_connect_negotiated(fixture, &b, FALSE);
    core_connect(fixture, &late);
    greeting = peer_take_line(&late);
    core_send(fixture, &a, "{\"execute\":\"cont\"}");
    core_answer(fixture, "{\"execute\":\"cont\"}",
                EVENT("RESUME") "{\"return\": {}}\r\n" EVENT("NIC_RX_FILTER_CHANGED"));
    core_expect(&a, EVENT("RESUME") "{\"return\": {}}\r\n" EVENT("NIC_RX_FILTER_CHANGED"));
    core_expect(&b, EVENT("RESUME") EVENT("NIC_RX_FILTER_CHANGED"));
    core_expect(&late, "");
    core_send(fixture, &late, "{\"execute\":\"qmp_capabilities\"}");
    core_expect(&late, "{\"return\": {}}\r\n");
    peer_clear(&a);
    peer_clear(&b);
    peer_clear(&late);
}

/* Who came and left stands in nobody's way while the agent is busy with another's command. */
static void test_leaves(CoreFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    Peer a, b, gone[2];

    g_assert_true(core_set_limit(fixture->core, "commands-for-agent=2", &error));
    core_connect_negotiated(fixture, &a, FALSE);
    core_connect_negotiated(fixture, &b, FALSE);
    core_send(fixture, &a, "{\"execute\":\"guest-get-fsinfo\"}");
    for (guint i = 0; i < G_N_ELEMENTS(gone); i++) {
        core_connect_negotiated(fixture, &gone[i], FALSE);
        core_send(fixture, &gone[i], "{\"execute\":\"guest-get-disks\"}");
    }
    for (guint i = 0; i < G_N_ELEMENTS(gone); i++)
        peer_clear(&gone[i]);
    world_settle(&fixture->world);
    core_send(fixture, &b, PING);
    core_expect(&b, "");
    core_agent_answer(fixture, "guest-get-fsinfo", "1");
    core_expect(&a, "{\"return\": 1}\r\n");
    core_agent_answer(fixture, "guest-ping", "2");
    core_expect(&b, "{\"return\": 2}\r\n");
    peer_clear(&a);
    peer_clear(&b);
}

/* Nothing that a guest sends becomes an event, a greeting or anybody's reply. */
static void test_guest_events(CoreFixture *fixture, gconstpointer unused)
{
    Peer a, b;

    core_connect_negotiated(fixture, &a, FALSE);
    core_connect_negotiated(fixture, &b, FALSE);
    core_send(fixture, &a, PING);
    core_send(fixture, &b, STATUS);
    core_send(fixture, &fixture->agent,
              EVENT("SHUTDOWN") GREETING "{\"return\": {}}\n{\"return\": {}, \"id\": 1}\n");
    core_expect(&a, "");
    core_expect(&b, "");
    core_agent_answer(fixture, "guest-ping", "5");
    core_expect(&a, "{\"return\": 5}\r\n");
    core_expect(&b, "");
    peer_clear(&a);
    peer_clear(&b);
}

int main(int argc, char **argv)
{
#define ADD(path, set_up, test) g_test_add(path, CoreFixture, NULL, set_up, test, core_tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/core/before-qemu", core_set_up_alone, test_before_qemu);
    ADD("/core/without-agent", core_set_up_alone, test_without_agent);
    ADD("/core/two-clients", core_set_up, test_two_clients);
    ADD("/core/order-across-lanes", core_set_up, test_order_across_lanes);
    ADD("/core/hung-guest", core_set_up, test_hung_guest);
    ADD("/core/through", core_set_up, test_through);
    ADD("/core/query-commands", core_set_up, test_query_commands);
    ADD("/core/query-commands-otherwise", core_set_up, test_query_commands_otherwise);
    ADD("/core/thaw", core_set_up, test_thaw);
    ADD("/core/status", core_set_up, test_status);
    ADD("/core/commands-meanwhile", core_set_up, test_commands_meanwhile);
    ADD("/core/events", core_set_up, test_events);
    ADD("/core/guest-events", core_set_up, test_guest_events);
    ADD("/core/leaves", core_set_up, test_leaves);
    return g_test_run();
}
