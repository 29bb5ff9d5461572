/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whose a freeze is, when it ends, and that it ends: by its lease, with its owner, after an answer
 * that never came. Whatever happens, the last thing that the agent
 * is asked is its status, and that is "thawed".
 */

#include "core-fixture.h"

#include <string.h>

#include "common/limits.h"

#define FREEZE "{\"execute\":\"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\":\"guest-fsfreeze-thaw\"}"
#define STATUS "{\"execute\":\"guest-fsfreeze-status\"}"
#define PING   "{\"execute\":\"guest-ping\"}"
#define EXEC   "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":1}}"
#define ASK    "{\"execute\":\"qga-proxy-status\"}"

/* The agent is asked exactly that, and answers. */
static void agent_does(CoreFixture *fixture, const char *command, const char *value)
{
    fake_agent_serve(&fixture->agent, &fixture->world, command, value);
}

/* An agent whose commands are all enabled: else it would be asked for them again after each thaw.
 */
static void set_up(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_met(fixture, unused);
    core_answer_start(fixture, TRUE);
    core_meet_agent(fixture, "{\"version\": \"1\", \"supported_commands\": []}");
}

/* What is always asked when the agent was brought into step. */
static void sync_agent(CoreFixture *fixture)
{
    fake_agent_sync(&fixture->agent, &fixture->world);
}

/* All that the agent is asked when the proxy thaws. */
static void thaw_from_here(CoreFixture *fixture)
{
    sync_agent(fixture);
    agent_does(fixture, THAW, "2");
    agent_does(fixture, STATUS, "\"thawed\"");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{\"supported_commands\": []}");
    core_assert_freeze(fixture, "thawed");
}

static void freeze_by(CoreFixture *fixture, Peer *client)
{
    core_connect_negotiated(fixture, client, FALSE);
    core_send(fixture, client, FREEZE);
    agent_does(fixture, FREEZE, "2");
    core_assert_heard(client, "{\"return\": 2}");
    core_assert_freeze(fixture, "frozen");
}

/* ---- Owners ---------------------------------------------------------------------------------- */

/* Everybody hears of both, and of whose it was. Others cannot freeze, nor do what a frozen agent
 * refuses, and are told why; the agent is not asked. */
static void test_owned(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner, other;

    core_connect_negotiated(fixture, &other, FALSE);
    freeze_by(fixture, &owner);
    core_expect_states(&other, "frozen");
    core_send(fixture, &other, FREEZE);
    core_assert_heard(&other,
                      "\"CommandNotFound\", \"desc\": \"Command guest-fsfreeze-freeze has been "
                      "disabled: the guest is frozen by unix:");
    core_send(fixture, &other, EXEC);
    core_assert_heard(&other, "Command guest-file-close has been disabled: the guest is frozen by");
    core_send(fixture, &other, PING);
    agent_does(fixture, PING, "{}");
    core_assert_heard(&other, "{\"return\": {}}");

    core_send(fixture, &other, THAW);
    agent_does(fixture, THAW, "2");
    core_assert_freeze(fixture, "thawed");
    core_expect_states(&owner, "ready");
    core_assert_heard(&other, "{\"return\": 2}");
    core_send(fixture, &other, EXEC);
    agent_does(fixture, EXEC, "{}");
    peer_clear(&owner);
    peer_clear(&other);
}

/* Freezes that are refused while one is under way, by whichever check, leave that one as it is. */
static void test_second_while_freezing(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner, other;

    core_connect_negotiated(fixture, &other, TRUE);
    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(fixture, &owner, FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    core_send(fixture, &other, FREEZE);
    core_assert_heard(&other, "has been disabled: the guest is freezing by unix:");
    core_assert_freeze(fixture, "freezing");
    core_send(fixture, &other, "{\"exec-oob\":\"guest-fsfreeze-freeze\"}");
    core_assert_heard(&other, "does not support OOB");
    core_assert_freeze(fixture, "freezing");
    fake_agent_return(&fixture->agent, id, "2");
    world_settle(&fixture->world);
    core_assert_heard(&owner, "{\"return\": 2}");
    core_assert_freeze(fixture, "frozen");
    peer_clear(&owner);
    peer_clear(&other);
}

/* Clients that connect for each command cannot be told apart: the freeze stays without its owner,
 * and anybody may thaw it. */
static void test_owner_leaves(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner, next;

    freeze_by(fixture, &owner);
    peer_clear(&owner);
    world_settle(&fixture->world);
    peer_expect(&fixture->agent, "");
    core_assert_freeze(fixture, "frozen");
    core_connect_negotiated(fixture, &next, FALSE);
    core_send(fixture, &next, THAW);
    agent_does(fixture, THAW, "2");
    core_expect(&next, "{\"return\": 2}\r\n");
    core_assert_freeze(fixture, "thawed");
    peer_clear(&next);
}

static void freeze_with_session(CoreFixture *fixture, Peer *owner, Peer *other)
{
    core_connect_negotiated(fixture, other, FALSE);
    core_connect_negotiated(fixture, owner, FALSE);
    core_send(fixture, owner,
              "{\"execute\":\"qga-proxy-session-set\",\"arguments\":"
              "{\"thaw-on-disconnect\":true}}" FREEZE);
}

/* The guest is thawed, and everybody told why. */
static void assert_thawed_behind(CoreFixture *fixture, Peer *other)
{
    thaw_from_here(fixture);
    core_assert_heard(other, "\"data\": {\"state\": \"thawed\", \"reason\": \"owner-left\"}");
    core_send(fixture, other, THAW);
    core_assert_heard(other, "its owner left");
    peer_clear(other);
}

/* One that asked for it takes its freeze along. */
static void test_thaw_on_disconnect(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner, other;

    freeze_with_session(fixture, &owner, &other);
    agent_does(fixture, FREEZE, "2");
    peer_clear(&owner);
    world_settle(&fixture->world);
    assert_thawed_behind(fixture, &other);
}

/* The same where it left before the answer. */
static void test_left_freezing(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner, other;

    freeze_with_session(fixture, &owner, &other);
    id = fake_agent_take(&fixture->agent, FREEZE);
    peer_clear(&owner);
    world_settle(&fixture->world);
    fake_agent_return(&fixture->agent, id, "2");
    world_settle(&fixture->world);
    assert_thawed_behind(fixture, &other);
}

/* ---- Leases ---------------------------------------------------------------------------------- */

/* At its end the guest is thawed from here; the next thaw is told once that its freeze was no more.
 */
static void test_lease(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS - 100);
    peer_expect(&fixture->agent, "");
    world_pass_ms(&fixture->world, 200);
    thaw_from_here(fixture);
    core_assert_heard(&owner, "\"data\": {\"state\": \"thawed\", \"reason\": \"lease\"}");
    core_send(fixture, &owner, THAW);
    core_assert_heard(&owner, "\"GenericError\", \"desc\": \"The freeze by unix:");
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "0");
    core_assert_heard(&owner, "{\"return\": 0}");
    peer_clear(&owner);
}

/* The owner is told while it is still being thawed, and then the guest is reset, which ends it: it
 * is not told again. */
static void test_told_once(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *sent = NULL;
    Peer owner;

    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS + 100);
    core_send(fixture, &owner, THAW);
    core_assert_heard(&owner, "had ended before");
    sent = peer_take(&fixture->agent);
    core_send(fixture, &fixture->qemu, EVENT("RESET"));
    core_assert_freeze(fixture, "thawed");
    fake_agent_sync(&fixture->agent, &fixture->world);
    agent_does(fixture, THAW, "0"); /* the one that waited for the sync */
    core_agent_answer(fixture, "guest-info", "{}");
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "0");
    core_assert_heard(&owner, "{\"return\": 0}");
    peer_clear(&owner);
}

/* The agent went away meanwhile and nothing told so, as on isa-serial: a thaw that it was sent
 * would be waited for in vain. So it is found first, and then thaws. */
static void test_lease_unseen(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS + 100);
    fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    world_pass_ms(&fixture->world, LIMIT_SYNC_FIRST_MS);
    thaw_from_here(fixture);
    peer_clear(&owner);
}

static void test_renewed(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(fixture, &owner, "{\"execute\":\"qga-proxy-freeze-renew\"}");
    core_expect(&owner, GENERIC("Nothing is frozen"));
    peer_clear(&owner);
    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS - 100);
    core_send(fixture, &owner,
              "{\"execute\":\"qga-proxy-freeze-renew\",\"arguments\":{\"seconds\":1000}}");
    core_expect(&owner, "{\"return\": {}}\r\n");
    world_pass_ms(&fixture->world, 999 * 1000);
    peer_expect(&fixture->agent, "");
    core_send(fixture, &owner, "{\"execute\":\"qga-proxy-freeze-renew\"}");
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS - 100);
    peer_expect(&fixture->agent, "");
    world_pass_ms(&fixture->world, 200);
    thaw_from_here(fixture);
    peer_clear(&owner);
}

static void test_no_lease(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    core_set_freeze_lease(fixture->core, 0);
    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 10000 * LIMIT_FREEZE_LEASE_SECONDS);
    peer_expect(&fixture->agent, "");
    core_assert_freeze(fixture, "frozen");
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "2");
    peer_clear(&owner);
}

/* ---- Doubts ---------------------------------------------------------------------------------- */

/* No answer to a freeze: it may have happened, so it is undone. */
static void test_freeze_unanswered(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner;

    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(fixture, &owner,
              "{\"execute\":\"qga-proxy-session-set\",\"arguments\":"
              "{\"timeout\":5}}" FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    world_pass_ms(&fixture->world, 5100);
    core_assert_heard(
        &owner, "did not answer within 5 s; guest-fsfreeze-freeze was sent and its outcome is "
                "unknown");
    core_assert_freeze(fixture, "thawing");
    fake_agent_return(&fixture->agent, id, "2"); /* late, and nobody's */
    thaw_from_here(fixture);
    peer_clear(&owner);
}

/* Nor to a thaw, nor does the status say so: again and again, once a second. */
static void test_thaw_unanswered(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &owner, THAW);
    id = fake_agent_take(&fixture->agent, THAW);
    world_pass_ms(&fixture->world, 1000 * LIMIT_SECONDS_THAW + 100);
    core_assert_heard(&owner, "guest-fsfreeze-thaw was sent and its outcome is unknown");
    sync_agent(fixture);
    for (guint i = 0; i < 5; i++) {
        agent_does(fixture, THAW, "0");
        agent_does(fixture, STATUS, "\"frozen\"");
        if (i == 0)
            agent_does(fixture, "{\"execute\":\"guest-info\"}", "{}");
        peer_expect(&fixture->agent, "");
        core_assert_freeze(fixture, "thawing");
        world_pass_ms(&fixture->world, LIMIT_THAW_PAUSE_MS + 20);
    }
    agent_does(fixture, THAW, "2");
    agent_does(fixture, STATUS, "\"thawed\"");
    core_assert_freeze(fixture, "thawed");
    /* it was asked for: nobody is told that it happened behind his back */
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "0");
    core_assert_heard(&owner, "{\"return\": 0}");
    peer_clear(&owner);
}

/* The agent went away with the thaw under way, and comes back: the guest's filesystems are as they
 * were. */
static void test_agent_restarts(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &owner, THAW);
    core_lose_agent(fixture);
    core_assert_freeze(fixture, "thawing");
    core_accept_agent(fixture);
    thaw_from_here(fixture);
    peer_clear(&owner);
}

/* Nor is one that could not even be sent: who asked for it may never ask again. */
static void test_thaw_unsent(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_lose_agent(fixture);
    core_send(fixture, &owner, THAW);
    core_assert_heard(&owner, "is not connected; guest-fsfreeze-thaw was not sent");
    core_assert_freeze(fixture, "thawing");
    peer_clear(&owner);
    core_accept_agent(fixture);
    thaw_from_here(fixture);
}

/* A guest that stands still is thawed by whoever asks when it runs again. */
static void test_thaw_paused(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &fixture->qemu, EVENT("STOP"));
    core_send(fixture, &owner, THAW);
    core_assert_heard(&owner, "The virtual machine is paused; guest-fsfreeze-thaw was not sent");
    core_assert_freeze(fixture, "frozen");
    core_send(fixture, &fixture->qemu, EVENT("RESUME"));
    core_assert_freeze(fixture, "frozen");
    peer_expect(&fixture->agent, "");
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "2");
    core_assert_freeze(fixture, "thawed");
    peer_clear(&owner);
}

/* What somebody has asked for who left before it was sent is dropped, a thaw too. */
static void test_thaw_orphaned(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner, other;

    freeze_by(fixture, &owner);
    core_connect_negotiated(fixture, &other, FALSE);
    core_send(fixture, &owner, PING);
    id = fake_agent_take(&fixture->agent, PING);
    core_send(fixture, &other, THAW);
    peer_clear(&other);
    world_settle(&fixture->world);
    fake_agent_return(&fixture->agent, id, "{}");
    world_settle(&fixture->world);
    peer_expect(&fixture->agent, "");
    core_assert_freeze(fixture, "frozen");
    peer_clear(&owner);
}

/* Whoever answers behind a doubt may be another, of a guest that was booted meanwhile. */
static void test_found_thawed(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &fixture->agent, "]");
    sync_agent(fixture);
    agent_does(fixture, STATUS, "\"frozen\"");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{}");
    core_assert_freeze(fixture, "frozen");
    core_send(fixture, &fixture->agent, "]");
    sync_agent(fixture);
    agent_does(fixture, STATUS, "\"thawed\"");
    core_assert_freeze(fixture, "thawed");
    core_send(fixture, &owner, THAW);
    core_assert_heard(&owner, "the guest was reset or thawed itself");
    peer_clear(&owner);
}

/* The lease ends with the owner's thaw under way, which then succeeds: who heard that it is being
 * thawed hears that it is. */
static void test_lease_ends_in_thaw(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    gint64 token;
    Peer owner;

    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * (LIMIT_FREEZE_LEASE_SECONDS - 1));
    core_send(fixture, &owner, THAW);
    id = fake_agent_take(&fixture->agent, THAW);
    world_pass_ms(&fixture->world, 1100);
    core_assert_heard(&owner, "\"data\": {\"state\": \"thawing\"");
    token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    fake_agent_return(&fixture->agent, id, "2");
    world_settle(&fixture->world);
    core_assert_heard(&owner, "\"data\": {\"state\": \"thawed\", \"reason\": \"lease\"}");
    core_assert_freeze(fixture, "thawed");
    fake_agent_answer_probe(&fixture->agent, token);
    world_settle(&fixture->world);
    peer_clear(&owner);
}

/* The same where the thaw from here succeeds after the owner was told by an error. */
static void test_told_twice(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS + 100);
    core_send(fixture, &owner, THAW);
    core_assert_heard(&owner, "its lease ended");
    thaw_from_here(fixture);
    core_assert_heard(&owner, "\"data\": {\"state\": \"thawed\", \"reason\": \"lease\"}");
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "0");
    core_assert_heard(&owner, "{\"return\": 0}");
    peer_clear(&owner);
}

/* An agent that was met frozen calls its commands disabled until it is thawed, in whichever round,
 * and is asked for them again then. */
static void test_commands_after_rounds(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &owner,
              "{\"execute\":\"qga-proxy-freeze-renew\",\"arguments\":{\"seconds\":1}}");
    world_pass_ms(&fixture->world, 1100);
    sync_agent(fixture);
    agent_does(fixture, THAW, "0");
    agent_does(fixture, STATUS, "\"frozen\"");
    agent_does(fixture, "{\"execute\":\"guest-info\"}",
               "{\"supported_commands\": [{\"name\": \"guest-exec\", \"enabled\": false}]}");
    world_pass_ms(&fixture->world, LIMIT_THAW_PAUSE_MS + 20);
    agent_does(fixture, THAW, "2");
    agent_does(fixture, STATUS, "\"thawed\"");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{\"supported_commands\": []}");
    peer_expect(&fixture->agent, "");
    peer_clear(&owner);
}

/* A freeze by nobody who is known here is found when an agent is met: the guest was migrated here,
 * or frozen before there was a proxy. It has a lease like any other. */
static void test_met_frozen(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_answer_start(fixture, TRUE);
    sync_agent(fixture);
    agent_does(fixture, STATUS, "\"frozen\"");
    core_expect_states(&client, "ready frozen");
    core_assert_freeze(fixture, "frozen\", \"by\": \"an unknown client");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{}");
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS + 100);
    thaw_from_here(fixture);
    core_assert_heard(&client, "\"data\": {\"state\": \"thawed\", \"reason\": \"lease\"}");
    peer_clear(&client);
}

/* An agent that has no such command, or refuses it, is asked once for each time that it is met, and
 * is used like any other. */
static void test_met_without_status(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *refusal = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_answer_start(fixture, TRUE);
    sync_agent(fixture);
    id = fake_agent_take(&fixture->agent, STATUS);
    refusal = g_strdup_printf("{\"id\": %s, \"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                              "\"no such command\"}}\n",
                              id);
    core_send(fixture, &fixture->agent, refusal);
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{}");
    core_assert_freeze(fixture, "thawed");
    core_expect_states(&client, "ready");
    core_send(fixture, &fixture->agent, "]");
    sync_agent(fixture);
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{}");
    peer_clear(&client);
}

/* Nothing of it is left after a reset. */
static void test_reset(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &fixture->qemu, EVENT("RESET"));
    core_assert_freeze(fixture, "thawed");
    core_send(fixture, &owner, THAW);
    core_assert_heard(&owner, "the guest was reset or thawed itself");
    peer_clear(&owner);
}

/* The agent refuses: somebody has frozen it by another way. That gets a lease too. */
static void test_refused(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *refusal = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    refusal = g_strdup_printf("{\"id\": %s, \"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                              "\"Command x has been disabled\"}}\n",
                              id);
    core_send(fixture, &fixture->agent, refusal);
    core_assert_heard(&client, "Command x has been disabled");
    agent_does(fixture, STATUS, "\"frozen\"");
    core_assert_freeze(fixture, "frozen");
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS + 100);
    thaw_from_here(fixture);
    peer_clear(&client);
}

/* There was nothing to freeze: nothing is frozen then. */
static void test_nothing_frozen(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    agent_does(fixture, FREEZE, "0");
    core_assert_freeze(fixture, "thawed");
    core_expect(&client, "{\"return\": 0}\r\n");
    peer_clear(&client);
}

/* What a thaw that was late might undo is not begun before the stream is known to be in step. */
static void test_fresh_sync(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    freeze_by(fixture, &client);
    core_send(fixture, &client, THAW);
    agent_does(fixture, THAW, "2");
    core_send(fixture, &client, FREEZE);
    sync_agent(fixture);
    agent_does(fixture, FREEZE, "2");
    core_assert_freeze(fixture, "frozen");
    peer_clear(&client);
}

/* That holds where the last thaw itself waited for a sync: there is none since it was sent. */
static void test_fresh_sync_behind_thaw(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    freeze_by(fixture, &client);
    core_send(fixture, &fixture->agent, "]");
    core_send(fixture, &client, THAW);
    sync_agent(fixture);
    agent_does(fixture, STATUS, "\"frozen\"");
    agent_does(fixture, THAW, "2");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{\"supported_commands\": []}");
    core_assert_freeze(fixture, "thawed");
    core_send(fixture, &client, FREEZE);
    sync_agent(fixture);
    agent_does(fixture, FREEZE, "2");
    core_assert_freeze(fixture, "frozen");
    peer_clear(&client);
}

#define ADD(path, set_up, function) \
    g_test_add(path, CoreFixture, NULL, set_up, function, core_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/core-freeze/owned", set_up, test_owned);
    ADD("/core-freeze/second-while-freezing", set_up, test_second_while_freezing);
    ADD("/core-freeze/owner-leaves", set_up, test_owner_leaves);
    ADD("/core-freeze/thaw-on-disconnect", set_up, test_thaw_on_disconnect);
    ADD("/core-freeze/left-freezing", set_up, test_left_freezing);
    ADD("/core-freeze/lease", set_up, test_lease);
    ADD("/core-freeze/told-once", set_up, test_told_once);
    ADD("/core-freeze/lease-unseen", set_up, test_lease_unseen);
    ADD("/core-freeze/renewed", set_up, test_renewed);
    ADD("/core-freeze/no-lease", set_up, test_no_lease);
    ADD("/core-freeze/freeze-unanswered", set_up, test_freeze_unanswered);
    ADD("/core-freeze/thaw-unanswered", set_up, test_thaw_unanswered);
    ADD("/core-freeze/agent-restarts", set_up, test_agent_restarts);
    ADD("/core-freeze/thaw-unsent", set_up, test_thaw_unsent);
    ADD("/core-freeze/thaw-paused", set_up, test_thaw_paused);
    ADD("/core-freeze/thaw-orphaned", set_up, test_thaw_orphaned);
    ADD("/core-freeze/found-thawed", set_up, test_found_thawed);
    ADD("/core-freeze/lease-ends-in-thaw", set_up, test_lease_ends_in_thaw);
    ADD("/core-freeze/told-twice", set_up, test_told_twice);
    ADD("/core-freeze/commands-after-rounds", set_up, test_commands_after_rounds);
    ADD("/core-freeze/met-frozen", core_set_up_met, test_met_frozen);
    ADD("/core-freeze/met-without-status", core_set_up_met, test_met_without_status);
    ADD("/core-freeze/reset", set_up, test_reset);
    ADD("/core-freeze/refused", set_up, test_refused);
    ADD("/core-freeze/nothing-frozen", set_up, test_nothing_frozen);
    ADD("/core-freeze/fresh-sync", set_up, test_fresh_sync);
    ADD("/core-freeze/fresh-sync-behind-thaw", set_up, test_fresh_sync_behind_thaw);
    return g_test_run();
}
