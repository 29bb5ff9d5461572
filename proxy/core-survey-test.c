/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a whole proxy tells of itself while things happen: who is there, what is under way where,
 * how long it took, and what the log says of a command whose client has left.
 */

#include "core-fixture.h"
#include "histogram.h"

#include "common/limits.h"
#include "support/sockets.h"

#include <string.h>
#include <unistd.h>

#define PING   "{\"execute\":\"guest-ping\"}"
#define NAME   "{\"execute\":\"query-name\"}"
#define DONE   "{\"return\": {}}\r\n"
#define ASK    "{\"execute\":\"qga-proxy-status\",\"arguments\":{\"connections\":true}}"
#define NO_OOB "\"oob\": false, \"monitor\": 0, "

static GString *logged; /* what was told at level info */

/* ---- Helpers --------------------------------------------------------------------------------- */

static void assert_told(CoreFixture *fixture, const char *part)
{
    g_autofree char *status = core_status(fixture->core, TRUE);

    if (!strstr(status, part))
        g_error("%s is not in %s", part, status);
}

/* Buckets, from the one for so much on; all others are the same on either side. */
static void assert_lane(CoreFixture *fixture, const char *lane, const char *kind, guint count,
                        guint sum_us, guint first)
{
    g_autofree char *status = core_status(fixture->core, FALSE);
    g_autofree char *name = g_strdup_printf("{\"lane\": \"%s\", ", lane);
    g_autofree char *key = g_strdup_printf("\"%s\": ", kind);
    g_autoptr(GString) want = g_string_new(key);
    const char *at = strstr(status, name);

    g_assert_nonnull(at);
    at = strstr(at, key);
    g_string_append_printf(want, "{\"count\": %u, \"sum\": %u, \"buckets\": [", count, sum_us);
    for (guint i = 0; i < HISTOGRAM_BOUNDS; i++)
        g_string_append_printf(want, "%s%u", i > 0 ? ", " : "", i < first ? 0 : count);
    g_string_append(want, "]}");
    if (!g_str_has_prefix(at, want->str))
        g_error("%s is not at the front of %s", want->str, at);
}

/* From here on. */
static void forget_log(void)
{
    g_string_truncate(logged, 0);
}

static void assert_logged(const char *text)
{
    g_assert_cmpstr(logged->str, ==, text);
    forget_log();
}

/* ---- Who is there ---------------------------------------------------------------------------- */

/* Each by the process that connected, with what it has asked and how far that is. */
static void test_connections(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *peer =
        g_strdup_printf("\"connections\": [{\"peer\": \"unix:%s uid %u pid %d\", "
                        "\"uid\": %u, \"pid\": %d, \"protocol\": \"qmp\", ",
                        fixture->socket, getuid(), getpid(), getuid(), getpid());
    g_autofree char *first =
        g_strconcat(peer,
                    "\"state\": \"commanding\", \"oob\": true, \"monitor\": 0, \"commands\": 2, "
                    "\"bytes-in\": 109, ",
                    NULL);
    Peer busy, idle;
    g_autofree char *greeting = NULL;

    core_connect_negotiated(fixture, &busy, TRUE);
    core_connect(fixture, &idle);
    world_pass_ms(&fixture->world, 1990);
    core_send(fixture, &busy, NAME NAME);
    assert_told(fixture, first);
    assert_told(fixture, "\"queued\": 1, \"busy\": true, \"seconds\": 1}, {");
    assert_told(fixture,
                "\"state\": \"negotiating\", \"oob\": false, \"monitor\": 0, \"commands\": 0, "
                "\"bytes-in\": 0, ");
    assert_told(fixture, "\"queued\": 0, \"busy\": false, \"seconds\": 1}], "
                         "\"connections-left-out\": 0, ");
    assert_told(fixture, "\"traffic\": {\"accepted\": 2, \"commands\": 2, \"bytes-in\": 109, ");
    world_pass_ms(&fixture->world, 10);
    assert_told(fixture, "\"seconds\": 2}]");
    greeting = peer_take(&idle);
    peer_close(&busy);
    world_settle(&fixture->world);
    assert_told(fixture, "\"traffic\": {\"accepted\": 2, \"commands\": 2, \"bytes-in\": 109, ");
    peer_clear(&busy);
    peer_clear(&idle);
}

/* Bytes as they were written and read: its greeting, and all that came behind it. What has not the
 * form of a command is none. */
static void test_bytes(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;
    g_autofree char *came = NULL;
    g_autofree char *part = NULL;

    core_connect(fixture, &client);
    core_send(fixture, &client, "{\"execute\":\"qmp_capabilities\"}");
    core_send(fixture, &client, PING "x{\"execute\":1}");
    core_agent_answer(fixture, "guest-ping", "{}");
    came = peer_take(&client);
    part = g_strdup_printf(
        "\"commands\": 2, \"bytes-in\": %" G_GSIZE_FORMAT ", \"bytes-out\": %" G_GSIZE_FORMAT ", ",
        strlen("{\"execute\":\"qmp_capabilities\"}" PING "x{\"execute\":1}"), strlen(came));
    assert_told(fixture, part);
    peer_clear(&client);
}

/* Clients are not greeted before QEMU is there; they have no monitor then. */
static void test_held(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect(fixture, &client);
    assert_told(fixture, "\"state\": \"held\", \"oob\": false, \"commands\": 0, ");
    assert_told(fixture, "\"monitors\": [{\"state\": \"waiting\", \"users\": 0, ");
    core_start_qemu(fixture);
    assert_told(fixture, "\"monitors\": [{\"state\": \"greeting\", \"users\": 0, ");
    peer_clear(&client);
}

/* Not listed where nobody asks for it; and of many, those that have been there longest. */
static void test_list_is_bounded(CoreFixture *fixture, gconstpointer unused)
{
    enum { MORE = 3 };
    g_autofree Peer *peers = g_new(Peer, LIMIT_STATUS_CONNECTIONS + MORE);
    g_autofree char *listed = NULL;
    g_autofree char *plain = NULL;
    guint count = 0;

    for (guint i = 0; i < LIMIT_STATUS_CONNECTIONS + MORE; i++)
        core_connect_negotiated(fixture, &peers[i], FALSE);
    core_send(fixture, &peers[LIMIT_STATUS_CONNECTIONS], PING);
    plain = core_status(fixture->core, FALSE);
    g_assert_null(strstr(plain, "connections"));
    listed = core_status(fixture->core, TRUE);
    for (const char *at = listed; (at = strstr(at, "\"peer\": ")); at++)
        count++;
    g_assert_cmpuint(count, ==, LIMIT_STATUS_CONNECTIONS);
    g_assert_null(strstr(listed, "\"busy\": true"));
    assert_told(fixture, "], \"connections-left-out\": 3, ");
    core_send(fixture, &peers[0], ASK);
    g_free(listed);
    listed = peer_take(&peers[0]);
    g_assert_nonnull(strstr(listed, "\"busy\": true"));
    g_assert_nonnull(strstr(listed, "], \"connections-left-out\": 3, "));
    core_send(fixture, &peers[1],
              "{\"execute\":\"qga-proxy-status\",\"arguments\":"
              "{\"connections\":1}}");
    core_expect(&peers[1], GENERIC("Invalid parameter type for 'connections', expected: boolean"));
    for (guint i = 0; i < LIMIT_STATUS_CONNECTIONS + MORE; i++)
        peer_clear(&peers[i]);
}

/* ---- What is under way ----------------------------------------------------------------------- */

static void test_monitor(CoreFixture *fixture, gconstpointer unused)
{
    Peer clients[LIMIT_MONITOR_IN_FLIGHT + 1], oob;

    for (gsize i = 0; i < G_N_ELEMENTS(clients); i++) {
        core_connect_negotiated(fixture, &clients[i], FALSE);
        core_send(fixture, &clients[i], NAME);
    }
    core_connect_negotiated(fixture, &oob, TRUE);
    core_send(fixture, &oob, "{\"exec-oob\":\"yank\"}");
    assert_told(fixture, "\"monitors\": [{\"state\": \"ready\", \"users\": 9, \"commands\": 14, "
                         "\"out-of-band\": 1, \"in-flight\": 8, \"waiting\": 1, "
                         "\"stale-replies\": 0}]");
    for (gsize i = 0; i < G_N_ELEMENTS(clients); i++)
        peer_clear(&clients[i]);
    peer_clear(&oob);
}

/* One that comes late, a made up one and an event are told from the rest; not so what stands for
 * the 0xFF of each sync. */
static void test_agent(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *big = g_strnfill(LIMIT_AGENT_REPLY_BYTES, 'x');
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING);
    id = fake_agent_take(&fixture->agent, PING);
    assert_told(fixture, "\"running\": [\"guest-ping\"], \"queued\": 0, ");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_QUICK * 1000);
    fake_agent_return(&fixture->agent, id, "{}");
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-info", "{}");
    core_send(fixture, &fixture->agent, "{\"return\": 1}\n" EVENT("STOP") "[]\n");
    assert_told(fixture, "\"commands\": 4, \"dropped\": 6, \"unasked\": 3, \"faults\": 0, "
                         "\"oversized\": 0, \"timeouts\": 1, \"syncs\": 2, \"coalesced\": 0, "
                         "\"cache-hits\": 0, \"bytes-in\": ");
    core_send(fixture, &fixture->agent, "{\"return\": \"");
    world_send(&fixture->world, &fixture->agent, big);
    core_send(fixture, &fixture->agent, "\"}\n");
    assert_told(fixture, "\"faults\": 1, \"oversized\": 1, ");
    peer_clear(&client);
}

static guint64 agent_bytes(CoreFixture *fixture, const char *direction)
{
    g_autofree char *status = core_status(fixture->core, FALSE);
    const char *at = strstr(strstr(status, "\"agent\": "), direction);

    return g_ascii_strtoull(at + strlen(direction), NULL, 10);
}

#define IN  "\"bytes-in\": "
#define OUT "\"bytes-out\": "

/* Of all connections to the channel together, since it is the same guest. */
static void test_agent_bytes(CoreFixture *fixture, gconstpointer unused)
{
    static const char stray[] = "{\"return\": 1}\n";
    guint64 in = agent_bytes(fixture, IN), out = agent_bytes(fixture, OUT);

    g_assert_cmpuint(in, >, 100);
    g_assert_cmpuint(out, >, 100);
    core_send(fixture, &fixture->agent, stray);
    g_assert_cmpuint(agent_bytes(fixture, IN), ==, in + strlen(stray));
    peer_clear(&fixture->agent);
    world_settle(&fixture->world);
    g_assert_cmpuint(agent_bytes(fixture, IN), ==, in + strlen(stray));
    g_assert_cmpuint(agent_bytes(fixture, OUT), ==, out);
    core_accept_agent(fixture);
    core_send(fixture, &fixture->agent, stray);
    g_assert_cmpuint(agent_bytes(fixture, IN), ==, in + 2 * strlen(stray));
    g_assert_cmpuint(agent_bytes(fixture, OUT), >, out);
}

/* ---- How long it took ------------------------------------------------------------------------ */

static void test_qemu_latency(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    assert_lane(fixture, "qemu", "taken", 0, 0, 0);
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, NAME);
    world_pass_ms(&fixture->world, 20);
    core_answer(fixture, NAME, DONE);
    assert_lane(fixture, "qemu", "taken", 1, 20000, 7);
    assert_lane(fixture, "qemu", "sent", 1, 20000, 7);
    /* What is answered here, and what the proxy asks, is not among them. */
    core_send(fixture, &client, ASK);
    core_send(fixture, &client, "{\"execute\":\"nonsense\"");
    assert_lane(fixture, "qemu", "taken", 1, 20000, 7);
    peer_clear(&client);
}

/* A command that waits for another's end is quick in the guest, and not for its client. */
static void test_agent_latency(CoreFixture *fixture, gconstpointer unused)
{
    Peer clients[2];

    for (gsize i = 0; i < G_N_ELEMENTS(clients); i++)
        core_connect_negotiated(fixture, &clients[i], FALSE);
    core_send(fixture, &clients[0], "{\"execute\":\"guest-get-fsinfo\"}");
    core_send(fixture, &clients[1], PING);
    world_pass_ms(&fixture->world, 1500);
    core_agent_answer(fixture, "guest-get-fsinfo", "[]");
    world_pass_ms(&fixture->world, 50);
    core_agent_answer(fixture, "guest-ping", "{}");
    assert_lane(fixture, "slow", "taken", 1, 1500000, 13);
    assert_lane(fixture, "slow", "sent", 1, 1500000, 13);
    assert_lane(fixture, "quick", "taken", 1, 1550000, 13);
    assert_lane(fixture, "quick", "sent", 1, 50000, 8);
    assert_lane(fixture, "freeze", "taken", 0, 0, 0);
    assert_lane(fixture, "qemu", "taken", 0, 0, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(clients); i++)
        peer_clear(&clients[i]);
}

/* No answer, no time: it is among the timeouts. An error is an answer. */
static void test_unanswered(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *error = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING);
    id = fake_agent_take(&fixture->agent, PING);
    error = g_strdup_printf("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, "
                            "\"id\": %s}\n",
                            id);
    core_send(fixture, &fixture->agent, error);
    core_expect(&client, GENERIC("no"));
    assert_lane(fixture, "quick", "taken", 1, 0, 0);
    core_send(fixture, &client, PING);
    world_pass_ms(&fixture->world, LIMIT_SECONDS_QUICK * 1000);
    assert_told(fixture, "\"timeouts\": 1, ");
    assert_lane(fixture, "quick", "taken", 1, 0, 0);
    assert_lane(fixture, "quick", "sent", 1, 0, 0);
    peer_clear(&client);
}

/* ---- The log --------------------------------------------------------------------------------- */

/* What can still have an effect is named when nobody is left to hear of it; what was not sent is
 * not. */
static void test_left_in_agent(CoreFixture *fixture, gconstpointer unused)
{
    Peer leaver, waiter;
    g_autofree char *id = NULL;
    g_autofree char *line =
        g_strdup_printf("unix:%s uid %u pid %d has left while guest-ping was under "
                        "way, whose answer is dropped\n",
                        fixture->socket, getuid(), getpid());

    forget_log();
    core_connect_negotiated(fixture, &leaver, FALSE);
    core_connect_negotiated(fixture, &waiter, FALSE);
    core_send(fixture, &leaver, PING);
    core_send(fixture, &waiter, "{\"execute\":\"guest-shutdown\"}");
    id = fake_agent_take(&fixture->agent, PING);
    assert_logged("");
    peer_close(&waiter);
    world_settle(&fixture->world);
    assert_logged("");
    peer_close(&leaver);
    world_settle(&fixture->world);
    assert_logged(line);
    fake_agent_return(&fixture->agent, id, "{}");
    world_settle(&fixture->world);
    assert_logged("");
    peer_clear(&leaver);
    peer_clear(&waiter);
}

/* A name may be anything that is JSON; it is one line all the same. */
static void test_left_in_qemu(CoreFixture *fixture, gconstpointer unused)
{
    Peer leaver;
    g_autofree char *line = g_strdup_printf(
        "unix:%1$s uid %2$u pid %3$d has left while x\\nqga-proxyd: \\\"y\\\" was under "
        "way, whose answer is dropped\n"
        "unix:%1$s uid %2$u pid %3$d has left while yank was under way, whose answer "
        "is dropped\n",
        fixture->socket, getuid(), getpid());

    forget_log();
    core_connect_negotiated(fixture, &leaver, TRUE);
    core_send(fixture, &leaver,
              "{\"execute\":\"x\\nqga-proxyd: \\\"y\\\"\"}{\"exec-oob\":\"yank\"}" NAME);
    peer_close(&leaver);
    world_settle(&fixture->world);
    assert_logged(line);
    peer_clear(&leaver);
}

/* ---- Main ------------------------------------------------------------------------------------ */

static GLogWriterOutput keep_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                 gpointer user_data)
{
    if ((level & G_LOG_LEVEL_MASK) < G_LOG_LEVEL_INFO)
        return g_log_writer_standard_streams(level, fields, n_fields, user_data);
    for (gsize i = 0; i < n_fields && (level & G_LOG_LEVEL_INFO); i++)
        if (g_str_equal(fields[i].key, "MESSAGE"))
            g_string_append_printf(logged, "%s\n", (const char *)fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

#define ADD(path, set_up, test) \
    g_test_add("/core-survey/" path, CoreFixture, NULL, set_up, test, core_tear_down)

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    logged = g_string_new(NULL);
    g_log_set_writer_func(keep_log, NULL, NULL);
    ADD("connections", core_set_up, test_connections);
    ADD("bytes", core_set_up, test_bytes);
    ADD("held", core_set_up_alone, test_held);
    ADD("list-is-bounded", core_set_up, test_list_is_bounded);
    ADD("monitor", core_set_up, test_monitor);
    ADD("agent", core_set_up, test_agent);
    ADD("agent-bytes", core_set_up, test_agent_bytes);
    ADD("qemu-latency", core_set_up, test_qemu_latency);
    ADD("agent-latency", core_set_up, test_agent_latency);
    ADD("unanswered", core_set_up, test_unanswered);
    ADD("left-in-agent", core_set_up, test_left_in_agent);
    ADD("left-in-qemu", core_set_up, test_left_in_qemu);
    status = g_test_run();
    g_string_free(logged, TRUE);
    return status;
}
