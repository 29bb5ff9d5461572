/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What QEMU knows of the guest, and what becomes of it in the agent's lane: which port is the
 * agent's, whether it is open, and what resets, sleep and pauses do to a command under way.
 */

#include "core-fixture.h"

#include <string.h>

#include "common/limits.h"

#define PING     "{\"execute\":\"guest-ping\"}"
#define NOT_OPEN "The guest agent is not connected: nothing in the guest has opened its port"
#define OUTCOME  "guest-ping was sent and its outcome is unknown"
#define PORT(name, open)                                                                     \
    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"VSERPORT_CHANGE\"," \
    " \"data\": {\"open\": " open ", \"id\": \"" name "\"}}\r\n"

static void assert_state(CoreFixture *fixture, const char *state)
{
    g_autofree char *status = core_status(fixture->core, FALSE);
    g_autofree char *part = g_strdup_printf("\"agent\": {\"state\": \"%s\"", state);

    world_settle(&fixture->world);
    if (!strstr(status, part))
        g_error("not %s, but %s", state, status);
}

/* A client with a guest-ping under way. */
static void connect_and_ping(CoreFixture *fixture, Peer *client)
{
    g_autofree char *id = NULL;

    core_connect_negotiated(fixture, client, FALSE);
    core_send(fixture, client, PING);
    id = fake_agent_take(&fixture->agent, PING);
}

/* The agent answers the probe that came, and guest-info, which is asked of each that is new. */
static void sync_again(CoreFixture *fixture)
{
    core_meet_agent(fixture, "{}");
}

static void forget_what_came(Peer *peer)
{
    g_free(peer_take(peer));
}

/* ---- Which port ------------------------------------------------------------------------------ */

static void test_closed_port(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_answer_start(fixture, FALSE);
    forget_what_came(&fixture->agent);
    assert_state(fixture, "closed");
    core_send(fixture, &client, PING);
    core_expect(&client, GENERIC(NOT_OPEN "; guest-ping was not sent"));
    world_pass_ms(&fixture->world, 60 * 1000);
    peer_expect(&fixture->agent, "");

    core_send(fixture, &fixture->qemu, PORT("other", "true"));
    assert_state(fixture, "closed");
    core_send(fixture, &fixture->qemu, PORT("port0", "true"));
    assert_state(fixture, "syncing");
    core_expect(&client, PORT("other", "true") PORT("port0", "true"));
    sync_again(fixture);
    assert_state(fixture, "ready");
    peer_clear(&client);
}

/* It opens while the port is still being looked for, when its events cannot be told from others. */
static void test_opens_meanwhile(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *closed = core_chardevs(fixture, FALSE);
    g_autofree char *open = core_chardevs(fixture, TRUE);

    core_answer_first(
        fixture, closed,
        "{\"return\": [{\"name\": \"port0\", \"type\": \"child<virtserialport>\"}]}\r\n", NOTHING);
    forget_what_came(&fixture->agent);
    forget_what_came(&fixture->qemu);
    core_send(fixture, &fixture->qemu, PORT("port0", "true") "{\"return\": \"qga0\"}\r\n");
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", open);
    sync_again(fixture);
    assert_state(fixture, "ready");
}

/* A port without id tells nothing by itself: each command is preceded by a look. */
static void test_must_ask(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *open = core_chardevs(fixture, TRUE);
    Peer client;

    core_meet_agent_without_id(fixture);
    core_connect_negotiated(fixture, &client, FALSE);
    for (guint i = 0; i < 2; i++) {
        core_send(fixture, &client, PING);
        peer_expect(&fixture->agent, "");
        core_answer(fixture, "{\"execute\":\"query-chardev\"}", open);
        core_agent_answer(fixture, "guest-ping", "{}");
        core_expect(&client, "{\"return\": {}}\r\n");
    }
    peer_clear(&client);
}

/* A chardev that no port has is a serial line's, and always open. */
static void test_serial_line(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *open = core_chardevs(fixture, TRUE);
    Peer client;

    core_answer_first(fixture, open, NOTHING, NOTHING);
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", open);
    sync_again(fixture);
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING);
    core_agent_answer(fixture, "guest-ping", "{}");
    core_expect(&client, "{\"return\": {}}\r\n");
    peer_expect(&fixture->qemu, "");
    peer_clear(&client);
}

/* QEMU says nothing of it (the channel is a descriptor that something else made): the sync alone
 * must tell. */
static void test_unknown_port(CoreFixture *fixture, gconstpointer unused)
{
    static const char *const refused =
        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}}\r\n";

    core_answer_first(fixture, refused, refused, refused);
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", NOTHING);
    assert_state(fixture, "syncing");
    sync_again(fixture);
    assert_state(fixture, "ready");
}

/* ---- What happens to the guest --------------------------------------------------------------- */

static void test_port_closes(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    connect_and_ping(fixture, &client);
    core_send(fixture, &fixture->qemu, PORT("port0", "false"));
    core_expect(&client,
                PORT("port0", "false") GENERIC("The guest agent closed its port; " OUTCOME));
    assert_state(fixture, "closed");
    peer_clear(&client);
}

/* QEMU tells once in a second: a second "open" hides a restart. */
static void test_opens_twice(CoreFixture *fixture, gconstpointer unused)
{
    gint64 token;
    Peer client;

    connect_and_ping(fixture, &client);
    core_send(fixture, &fixture->qemu, PORT("port0", "true"));
    token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    core_expect(&client, PORT("port0", "true"));
    fake_agent_answer_probe(&fixture->agent, token);
    world_settle(&fixture->world);
    core_expect(&client, GENERIC("The guest agent was restarted; " OUTCOME));
    peer_clear(&client);
}

/* What each event does to an ordinary command under way, and to one that is silent on success. */
static void test_guest_events(CoreFixture *unused_fixture, gconstpointer unused)
{
    static const struct {
        const char *event;
        const char *ping;     /* what guest-ping is told; "" for nothing yet */
        const char *shutdown; /* what guest-shutdown is told */
    } cases[] = {
        {EVENT("RESET"), GENERIC("The guest was reset; " OUTCOME), "{\"return\": {}}\r\n"},
        {EVENT("SHUTDOWN"), GENERIC("The guest has shut down; " OUTCOME), "{\"return\": {}}\r\n"},
        {EVENT("SUSPEND"), GENERIC("The guest is asleep; " OUTCOME), "{\"return\": {}}\r\n"},
        {EVENT("SUSPEND_DISK"), GENERIC("The guest is asleep; " OUTCOME), "{\"return\": {}}\r\n"},
        {EVENT("WAKEUP"), GENERIC("The guest was asleep and woke up; " OUTCOME), NULL},
        {EVENT("RTC_CHANGE"), "", ""},
        {EVENT("POWERDOWN"), "", ""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        CoreFixture each;
        Peer client, stopper;
        g_autofree char *pinged = g_strconcat(cases[i].event, cases[i].ping, NULL);
        g_autofree char *stopped = NULL;

        g_test_message("%s", cases[i].event);
        core_set_up(&each, NULL);
        connect_and_ping(&each, &client);
        core_send(&each, &each.qemu, cases[i].event);
        core_expect(&client, pinged);
        peer_clear(&client);
        core_tear_down(&each, NULL);

        if (!cases[i].shutdown)
            continue;
        stopped = g_strconcat(cases[i].event, cases[i].shutdown, NULL);
        core_set_up(&each, NULL);
        core_connect_negotiated(&each, &stopper, FALSE);
        core_send(&each, &stopper, "{\"execute\":\"guest-shutdown\"}");
        core_send(&each, &each.qemu, cases[i].event);
        core_expect(&stopper, stopped);
        peer_clear(&stopper);
        core_tear_down(&each, NULL);
    }
}

/* The machine is paused: the clock of the command under way rests, others are refused at once. */
static void test_pause(CoreFixture *fixture, gconstpointer unused)
{
    Peer client, other;

    connect_and_ping(fixture, &client);
    core_connect_negotiated(fixture, &other, FALSE);
    core_send(fixture, &fixture->qemu, EVENT("STOP"));
    core_send(fixture, &other, PING);
    core_expect(&other,
                EVENT("STOP") GENERIC("The virtual machine is paused; guest-ping was not sent"));
    world_pass_ms(&fixture->world, 60 * 1000);
    core_expect(&client, EVENT("STOP"));
    core_send(fixture, &fixture->qemu, EVENT("RESUME"));
    world_pass_ms(&fixture->world, 9 * 1000);
    core_expect(&client, EVENT("RESUME"));
    world_pass_ms(&fixture->world, 2 * 1000);
    core_expect(&client, GENERIC("The guest agent did not answer within 10 s; " OUTCOME));
    peer_clear(&client);
    peer_clear(&other);
}

/* A machine that is not running when QEMU is met: nothing is written until it is. */
static void test_met_paused(CoreFixture *fixture, gconstpointer unused)
{
    forget_what_came(&fixture->agent);
    peer_send(&fixture->qemu, "{\"return\": {\"running\": false, \"status\": \"prelaunch\"}}\r\n");
    core_answer(fixture, ASKED_AT_START, NOTHING NOTHING NOTHING);
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", NOTHING);
    world_pass_ms(&fixture->world, 10 * 1000);
    peer_expect(&fixture->agent, "");
    core_send(fixture, &fixture->qemu, EVENT("RESUME"));
    sync_again(fixture);
    assert_state(fixture, "ready");
}

/* The agent's commands are forgotten with it, before the next one has told its own. */
static void test_forgets_agent(CoreFixture *fixture, gconstpointer unused)
{
    static const char *const with_ping = "{\"name\": \"guest-ping\"}";
    Peer client;
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, "{\"execute\":\"query-commands\"}");
    core_answer(fixture, "{\"execute\":\"query-commands\"}", "{\"return\": []}\r\n");
    before = peer_take(&client);
    g_assert_nonnull(strstr(before, with_ping));
    core_send(fixture, &fixture->qemu, EVENT("RESET"));
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_send(fixture, &client, "{\"execute\":\"query-commands\"}");
    after = peer_take(&client);
    g_assert_nonnull(strstr(after, "qga-proxy-status"));
    g_assert_null(strstr(after, with_ping));
    peer_clear(&client);
}

/* The sync is answered while the machine is paused: what the agent can do is asked when it goes on.
 */
static void test_synced_in_pause(CoreFixture *fixture, gconstpointer unused)
{
    gint64 token;

    core_answer_start(fixture, TRUE);
    token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    core_send(fixture, &fixture->qemu, EVENT("STOP"));
    fake_agent_answer_probe(&fixture->agent, token);
    world_settle(&fixture->world);
    peer_expect(&fixture->agent, "");
    core_send(fixture, &fixture->qemu, EVENT("RESUME"));
    core_agent_answer(fixture, "guest-fsfreeze-status", "\"thawed\"");
    core_agent_answer(fixture, "guest-info", "{}");
    assert_state(fixture, "ready");
}

/* ---- Crashes and migrations ------------------------------------------------------------------ */

#define QUERY_STATUS        "{\"execute\":\"query-status\"}"
#define STOPPED_FOR(status) "{\"return\": {\"running\": false, \"status\": \"" status "\"}}\r\n"

/* One command is under way, another waits. */
static void ping_twice(CoreFixture *fixture, Peer *client, Peer *waiter)
{
    core_connect_negotiated(fixture, waiter, FALSE);
    connect_and_ping(fixture, client);
    core_send(fixture, waiter, PING);
}

static void assert_lost(Peer *client, Peer *waiter, const char *why)
{
    g_autofree char *unknown = g_strconcat(why, "; " OUTCOME "\"", NULL);
    g_autofree char *unsent = g_strconcat(why, "; guest-ping was not sent\"", NULL);

    core_assert_heard(client, unknown);
    core_assert_heard(waiter, unsent);
    peer_clear(client);
    peer_clear(waiter);
}

/* Its agent will not answer, though its port stays open and nothing else is told. */
static void test_crash(CoreFixture *fixture, gconstpointer unused)
{
    Peer client, waiter;

    ping_twice(fixture, &client, &waiter);
    core_send(fixture, &fixture->qemu, EVENT("GUEST_PANICKED") EVENT("STOP"));
    assert_lost(&client, &waiter, "The guest's kernel has crashed");
    assert_state(fixture, "paused");
}

/* It goes on elsewhere, and nobody there can answer here. That is not certain before the end: QEMU
 * tells nothing but that the machine stands still. */
static void test_migrated(CoreFixture *fixture, gconstpointer unused)
{
    Peer client, waiter;

    ping_twice(fixture, &client, &waiter);
    core_send(fixture, &fixture->qemu, EVENT("STOP"));
    core_answer(fixture, QUERY_STATUS, STOPPED_FOR("finish-migrate"));
    core_expect(&client, EVENT("STOP"));
    world_pass_ms(&fixture->world, LIMIT_MIGRATION_LOOK_MS + 20);
    core_answer(fixture, QUERY_STATUS, STOPPED_FOR("postmigrate"));
    assert_lost(&client, &waiter, "The guest was migrated away");
    assert_state(fixture, "paused");
    world_pass_ms(&fixture->world, 10 * LIMIT_MIGRATION_LOOK_MS);
    peer_expect(&fixture->qemu, "");
}

/* One that fails, and any other pause, leaves everything to go on. */
static void test_not_migrated(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING);
    id = fake_agent_take(&fixture->agent, PING);
    core_send(fixture, &fixture->qemu, EVENT("STOP"));
    core_answer(fixture, QUERY_STATUS, STOPPED_FOR("finish-migrate"));
    core_send(fixture, &fixture->qemu, EVENT("RESUME"));
    world_pass_ms(&fixture->world, LIMIT_MIGRATION_LOOK_MS + 20);
    core_answer(fixture, QUERY_STATUS,
                "{\"return\": {\"running\": true, \"status\": \"running\"}}\r\n");
    core_send(fixture, &fixture->qemu, EVENT("STOP"));
    core_answer(fixture, QUERY_STATUS, STOPPED_FOR("paused"));
    core_send(fixture, &fixture->qemu, EVENT("RESUME"));
    fake_agent_return(&fixture->agent, id, "{}");
    world_settle(&fixture->world);
    core_assert_heard(&client, "{\"return\": {}}");
    peer_clear(&client);
}

/* ---- States ---------------------------------------------------------------------------------- */

#define TELL(name) core_send(fixture, &fixture->qemu, EVENT(name))

/* Each change is told once, to who negotiated, and the status says the same; that a command is
 * under way is not. A command that cannot run says why. */
static void test_states(CoreFixture *fixture, gconstpointer unused)
{
    Peer client, silent;

    core_connect(fixture, &silent);
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, PING);
    core_agent_answer(fixture, "guest-ping", "{}");
    core_expect_states(&client, "");
    TELL("STOP");
    assert_state(fixture, "paused");
    TELL("STOP");
    TELL("RESUME");
    core_expect_states(&client, "paused ready");

    TELL("SUSPEND");
    assert_state(fixture, "asleep");
    core_send(fixture, &client, PING);
    core_expect(&client, EVENT("SUSPEND") GENERIC("The guest is asleep; guest-ping was not sent"));
    TELL("WAKEUP");
    sync_again(fixture);
    core_expect_states(&client, "syncing ready");

    TELL("SHUTDOWN");
    assert_state(fixture, "gone");
    core_send(fixture, &client, PING);
    core_expect(&client,
                EVENT("SHUTDOWN") GENERIC("The guest has shut down; guest-ping was not sent"));
    core_send(fixture, &fixture->qemu, PORT("port0", "false"));
    assert_state(fixture, "gone");
    TELL("RESET");
    assert_state(fixture, "closed");
    core_send(fixture, &fixture->qemu, PORT("port0", "true"));
    sync_again(fixture);
    core_expect_states(&client, "closed syncing ready");

    core_send(fixture, &fixture->agent, "]");
    world_pass_ms(&fixture->world, 10 * 1000);
    assert_state(fixture, "hung");
    core_send(fixture, &client, PING);
    core_expect(&client, GENERIC("The guest agent does not answer; guest-ping was not sent"));
    peer_clear(&fixture->agent);
    fixture->agent = (Peer){0};
    world_settle(&fixture->world);
    core_expect_states(&client, "offline syncing");
    {
        g_autofree char *greeting = peer_take_line(&silent);
    }
    peer_expect(&silent, "");
    peer_clear(&client);
    peer_clear(&silent);
}

int main(int argc, char **argv)
{
#define ADD(path, set_up, test) g_test_add(path, CoreFixture, NULL, set_up, test, core_tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/watch/closed-port", core_set_up_met, test_closed_port);
    ADD("/watch/opens-meanwhile", core_set_up_met, test_opens_meanwhile);
    ADD("/watch/must-ask", core_set_up_met, test_must_ask);
    ADD("/watch/serial-line", core_set_up_met, test_serial_line);
    ADD("/watch/unknown-port", core_set_up_met, test_unknown_port);
    ADD("/watch/port-closes", core_set_up, test_port_closes);
    ADD("/watch/opens-twice", core_set_up, test_opens_twice);
    g_test_add("/watch/guest-events", CoreFixture, NULL, NULL, test_guest_events, NULL);
    ADD("/watch/pause", core_set_up, test_pause);
    ADD("/watch/met-paused", core_set_up_met, test_met_paused);
    ADD("/watch/forgets-agent", core_set_up, test_forgets_agent);
    ADD("/watch/synced-in-pause", core_set_up_met, test_synced_in_pause);
    ADD("/watch/crash", core_set_up, test_crash);
    ADD("/watch/migrated", core_set_up, test_migrated);
    ADD("/watch/not-migrated", core_set_up, test_not_migrated);
    ADD("/watch/states", core_set_up, test_states);
    return g_test_run();
}
