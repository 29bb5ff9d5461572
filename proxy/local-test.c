/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The proxy's own commands: what they take, what they refuse, and who waits for the agent.
 */

#include "core-fixture.h"

#include "common/limits.h"

#define DONE        "{\"return\": {}}\r\n"
#define WAIT        "{\"execute\":\"qga-proxy-wait-agent\"}"
#define WAIT_FOR(x) "{\"execute\":\"qga-proxy-wait-agent\",\"arguments\":{" x "}}"
#define STATE(name) "{\"return\": {\"state\": \"" name "\"}}\r\n"
#define FREEZE      "{\"execute\":\"guest-fsfreeze-freeze\"}"
#define THAW        "{\"execute\":\"guest-fsfreeze-thaw\"}"
#define TELL(name)  core_send(fixture, &fixture->qemu, EVENT(name))

static void assert_answers(CoreFixture *fixture, Peer *client, const char *command,
                           const char *answer)
{
    core_send(fixture, client, command);
    core_expect(client, answer);
}

static void test_arguments(CoreFixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *command, *answer;
    } cases[] = {
        {"{\"execute\":\"qga-proxy-session-set\"}", DONE},
        {"{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"timeout\":0}}", DONE},
        {"{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"timeout\":86400}}", DONE},
        {"{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"timeout\":86401}}",
         GENERIC("Parameter 'timeout' is from 0 to 86400")},
        {"{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"timeout\":-1}}",
         GENERIC("Parameter 'timeout' is from 0 to 86400")},
        {"{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"thaw-on-disconnect\":1}}",
         GENERIC("Invalid parameter type for 'thaw-on-disconnect', expected: boolean")},
        {"{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"x\":1}}",
         GENERIC("Parameter 'x' is unexpected")},
        {"{\"execute\":\"qga-proxy-freeze-renew\",\"arguments\":{\"seconds\":86401}}",
         GENERIC("Parameter 'seconds' is from 0 to 86400")},
        {WAIT_FOR("\"timeout\":86401"), GENERIC("Parameter 'timeout' is from 0 to 86400")},
        {WAIT_FOR("\"states\":[\"x\"]"),
         GENERIC("Parameter 'states[0]' does not accept value 'x'")},
        {WAIT_FOR("\"states\":\"ready\""),
         GENERIC("Invalid parameter type for 'states', expected: array")},
        {"{\"execute\":\"qga-proxy-nope\"}",
         "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command qga-proxy-nope has "
         "not been found\"}}\r\n"},
    };
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].command);
        assert_answers(fixture, &client, cases[i].command, cases[i].answer);
    }
    peer_clear(&client);
}

/* What the command itself says of its time goes before what the session says, and that before what
 * holds for the machine. None of it reaches the agent. */
static void test_whose_time(CoreFixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *timeout, *session, *limit;
        guint seconds;
    } cases[] = {
        {",\"qga-proxy-timeout\":3", "7", "quick-seconds=5", 3},
        {"", "7", "quick-seconds=5", 7},
        {"", "0", "quick-seconds=5", 5},
        {",\"qga-proxy-timeout\":9", "7", "quick-seconds=5", 9},
    };
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *session = g_strdup_printf(
            "{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"timeout\":%s}}",
            cases[i].session);
        g_autofree char *ping = g_strdup_printf("{\"execute\":\"guest-ping\"%s}", cases[i].timeout);
        g_autofree char *expected =
            g_strdup_printf(GENERIC("The guest agent did not answer within %u s; guest-ping was "
                                    "sent and its outcome is unknown"),
                            cases[i].seconds);
        g_autoptr(GError) error = NULL;

        g_assert_true(core_set_limit(fixture->core, cases[i].limit, &error));
        assert_answers(fixture, &client, session, DONE);
        assert_answers(fixture, &client, ping, "");
        g_free(fake_agent_take(&fixture->agent, "{\"execute\":\"guest-ping\"}"));
        world_pass_ms(&fixture->world, cases[i].seconds * 1000 - 20);
        core_expect(&client, "");
        world_pass_ms(&fixture->world, 40);
        core_expect(&client, expected);
        fake_agent_sync(&fixture->agent, &fixture->world);
        core_agent_answer(fixture, "guest-info", "{}");
        core_expect(&client, "");
    }
    assert_answers(fixture, &client, "{\"execute\":\"stop\",\"qga-proxy-timeout\":1}",
                   GENERIC("QMP input member 'qga-proxy-timeout' is unexpected"));
    peer_clear(&client);
}

/* At once where it is so, else as soon as it is; several wait for what each wants. */
static void test_wait(CoreFixture *fixture, gconstpointer unused)
{
    Peer ready, paused, never;

    core_connect_negotiated(fixture, &ready, FALSE);
    core_connect_negotiated(fixture, &paused, FALSE);
    core_connect_negotiated(fixture, &never, FALSE);
    assert_answers(fixture, &ready, WAIT, STATE("ready"));
    assert_answers(fixture, &paused, WAIT_FOR("\"states\":[\"asleep\",\"paused\"]"), "");
    assert_answers(fixture, &never, WAIT_FOR("\"states\":[\"hung\"],\"timeout\":5"), "");
    TELL("STOP");
    core_expect(&paused, EVENT("STOP") STATE("paused"));
    core_expect(&ready, EVENT("STOP"));
    assert_answers(fixture, &ready, WAIT, "");
    world_pass_ms(&fixture->world, 4900);
    core_expect(&never, EVENT("STOP"));
    world_pass_ms(&fixture->world, 200);
    core_expect(&never, GENERIC("The guest agent is paused, and was not as wanted within 5 s"));
    TELL("RESUME");
    core_expect(&ready, EVENT("RESUME") STATE("ready"));
    peer_clear(&ready);
    peer_clear(&paused);
    peer_clear(&never);
}

/* An agent that has a command under way is ready: after a sync that is the proxy's own. */
static void test_wait_busy(CoreFixture *fixture, gconstpointer unused)
{
    Peer early, late;

    core_connect_negotiated(fixture, &early, FALSE);
    core_connect_negotiated(fixture, &late, FALSE);
    TELL("RESET");
    core_expect(&early, EVENT("RESET"));
    assert_answers(fixture, &early, WAIT_FOR("\"states\":[\"ready\"]"), "");
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_expect(&early, STATE("ready"));
    core_expect(&late, EVENT("RESET"));
    assert_answers(fixture, &late, WAIT, STATE("ready"));
    assert_answers(fixture, &late, WAIT_FOR("\"states\":[\"busy\"]"), STATE("ready"));
    peer_clear(&early);
    peer_clear(&late);
}

/* Who is answered goes on with a command of its own, which may change what others wait for. */
static void test_wait_that_changes_it(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner, second, watcher;

    core_connect_negotiated(fixture, &owner, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_connect_negotiated(fixture, &watcher, FALSE);
    assert_answers(fixture, &owner, FREEZE, "");
    fake_agent_serve(&fixture->agent, &fixture->world, FREEZE, "2");
    assert_answers(fixture, &second, WAIT FREEZE, "");
    assert_answers(fixture, &watcher, WAIT_FOR("\"states\":[\"syncing\"]"), "");
    core_send(fixture, &owner, THAW);
    fake_agent_serve(&fixture->agent, &fixture->world, THAW, "2");
    core_expect(&second, STATE("ready"));
    core_expect(&watcher, STATE("syncing"));
    fake_agent_sync(&fixture->agent, &fixture->world);
    fake_agent_serve(&fixture->agent, &fixture->world, FREEZE, "2");
    core_expect(&second, "{\"return\": 2}\r\n");
    peer_clear(&owner);
    peer_clear(&second);
    peer_clear(&watcher);
}

/* No time at all is a question; who leaves waits no longer; and the others, with the proxy. */
static void test_ends(CoreFixture *fixture, gconstpointer unused)
{
    Peer leaver, last;

    core_connect_negotiated(fixture, &leaver, FALSE);
    core_connect_negotiated(fixture, &last, FALSE);
    assert_answers(fixture, &last, WAIT_FOR("\"states\":[\"hung\"],\"timeout\":0"),
                   GENERIC("The guest agent is ready, and was not as wanted within 0 s"));
    assert_answers(fixture, &leaver, WAIT_FOR("\"states\":[\"hung\"]"), "");
    assert_answers(fixture, &last, WAIT_FOR("\"states\":[\"hung\"]"), "");
    peer_clear(&leaver);
    world_settle(&fixture->world);
    core_free(g_steal_pointer(&fixture->core));
    core_expect(&last, GENERIC("The proxy ended"));
    peer_clear(&last);
}

/* A client's own limit holds for its guest commands, and for nobody else's. */
static void test_session_timeout(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer hasty;

    core_connect_negotiated(fixture, &hasty, FALSE);
    assert_answers(fixture, &hasty,
                   "{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"timeout\":2}}", DONE);
    core_send(fixture, &hasty, "{\"execute\":\"guest-ping\"}");
    id = fake_agent_take(&fixture->agent, "{\"execute\":\"guest-ping\"}");
    world_pass_ms(&fixture->world, 1900);
    core_expect(&hasty, "");
    world_pass_ms(&fixture->world, 200);
    core_expect(&hasty,
                GENERIC("The guest agent did not answer within 2 s; guest-ping was sent and "
                        "its outcome is unknown"));
    peer_clear(&hasty);
}

static void set_up_plain_agent(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_met(fixture, unused);
    core_answer_start(fixture, TRUE);
    core_meet_agent(fixture, "{\"version\": \"1\", \"supported_commands\": []}");
}

#define ADD(path, function) \
    g_test_add(path, CoreFixture, NULL, core_set_up, function, core_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/local/arguments", test_arguments);
    ADD("/local/whose-time", test_whose_time);
    ADD("/local/wait", test_wait);
    ADD("/local/wait-busy", test_wait_busy);
    g_test_add("/local/wait-that-changes-it", CoreFixture, NULL, set_up_plain_agent,
               test_wait_that_changes_it, core_tear_down);
    ADD("/local/ends", test_ends);
    ADD("/local/session-timeout", test_session_timeout);
    return g_test_run();
}
