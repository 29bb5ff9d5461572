/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Freezes that are joined: by those who ask for the same, until the last of them is done with it.
 * However it ends, nobody who held it is left to believe that it lasted.
 */

#include "core-fixture.h"

#define FREEZE "{\"execute\":\"guest-fsfreeze-freeze\"}"
#define LIST   "{\"execute\":\"guest-fsfreeze-freeze-list\",\"arguments\":{\"mountpoints\":[\"/\"]}}"
#define THAW   "{\"execute\":\"guest-fsfreeze-thaw\"}"
#define SET                                                            \
    "{\"execute\":\"qga-proxy-session-set\",\"arguments\":{\"thaw-on-" \
    "disconnect\":true}}"
#define TWO  "{\"return\": 2}\r\n"
#define NONE "{\"return\": 0}\r\n"

static void set_up(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_met(fixture, unused);
    core_answer_start(fixture, TRUE);
    core_meet_agent(fixture, "{\"version\": \"1\", \"supported_commands\": []}");
    core_set_freeze_join(fixture->core, TRUE);
    core_set_freeze_lease(fixture->core, 10);
}

/* The agent is asked exactly that, and answers. */
static void agent_does(CoreFixture *fixture, const char *command, const char *value)
{
    fake_agent_serve(&fixture->agent, &fixture->world, command, value);
}

/* Two hold it; the agent was asked once. */
static void freeze_by_two(CoreFixture *fixture, Peer *first, Peer *second)
{
    core_connect_negotiated(fixture, first, FALSE);
    core_connect_negotiated(fixture, second, FALSE);
    core_send(fixture, first, FREEZE);
    agent_does(fixture, FREEZE, "2");
    core_send(fixture, second, FREEZE);
    core_expect(first, TWO);
    core_expect(second, TWO);
    peer_expect(&fixture->agent, "");
}

/* It ends with the last of those who hold it, whoever that is. */
static void test_last_thaws(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second;

    freeze_by_two(fixture, &first, &second);
    core_send(fixture, &first, THAW);
    core_expect(&first, NONE);
    core_assert_freeze(fixture, "frozen");
    peer_expect(&fixture->agent, "");
    core_send(fixture, &second, THAW);
    agent_does(fixture, THAW, "2");
    core_expect(&second, TWO);
    core_assert_freeze(fixture, "thawed");
    peer_clear(&first);
    peer_clear(&second);
}

/* Who comes while it is not answered yet waits for that; one who leaves meanwhile holds nothing. */
static void test_while_freezing(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second, third;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_connect_negotiated(fixture, &third, FALSE);
    core_send(fixture, &first, FREEZE);
    core_send(fixture, &second, FREEZE);
    core_send(fixture, &third, FREEZE);
    core_expect(&second, "");
    peer_clear(&third);
    world_settle(&fixture->world);
    agent_does(fixture, FREEZE, "2");
    core_expect(&first, TWO);
    core_expect(&second, TWO);
    core_send(fixture, &second, THAW);
    core_expect(&second, NONE);
    core_send(fixture, &first, THAW);
    agent_does(fixture, THAW, "2");
    core_expect(&first, TWO);
    peer_clear(&first);
    peer_clear(&second);
}

/* Nothing was frozen: who waited for it is told, and holds nothing. */
static void test_not_done(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_send(fixture, &first, FREEZE);
    core_send(fixture, &second, FREEZE);
    agent_does(fixture, FREEZE, "0");
    core_expect(&first, NONE);
    core_assert_heard(&second, "that this one joined was not done");
    core_assert_freeze(fixture, "thawed");
    peer_clear(&first);
    peer_clear(&second);
}

/* What is not the same is refused as ever: a part of it, or all beside a part. */
static void test_other_extent(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second;

    freeze_by_two(fixture, &first, &second);
    core_send(fixture, &second, LIST);
    core_assert_heard(&second, "has been disabled: the guest is frozen by unix:");
    core_send(fixture, &first, THAW);
    core_send(fixture, &second, THAW);
    agent_does(fixture, THAW, "2");
    core_send(fixture, &first, LIST);
    fake_agent_sync(&fixture->agent, &fixture->world);
    agent_does(fixture, LIST, "1");
    core_send(fixture, &second, FREEZE);
    core_assert_heard(&second, "has been disabled: the guest is frozen by unix:");
    peer_clear(&first);
    peer_clear(&second);
}

/* The lease begins anew with who joins. When it ends, each who held it is told once. */
static void test_lease(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second, third;

    freeze_by_two(fixture, &first, &second);
    core_connect_negotiated(fixture, &third, FALSE);
    world_pass_ms(&fixture->world, 9000);
    core_send(fixture, &third, FREEZE);
    core_assert_heard(&third, "{\"return\": 2}");
    world_pass_ms(&fixture->world, 9000);
    core_assert_freeze(fixture, "frozen");
    world_pass_ms(&fixture->world, 1000);
    core_assert_freeze(fixture, "thawing");
    core_send(fixture, &first, THAW);
    core_assert_heard(&first, "had ended before");
    fake_agent_sync(&fixture->agent, &fixture->world);
    agent_does(fixture, THAW, "2");
    agent_does(fixture, "{\"execute\":\"guest-fsfreeze-status\"}", "\"thawed\"");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{\"supported_commands\": []}");
    core_send(fixture, &second, THAW);
    core_assert_heard(&second, "had ended before");
    core_send(fixture, &third, THAW);
    core_assert_heard(&third, "had ended before");
    core_send(fixture, &third, THAW);
    agent_does(fixture, THAW, "0");
    core_assert_heard(&third, "{\"return\": 0}");
    peer_clear(&first);
    peer_clear(&second);
    peer_clear(&third);
}

/* A thaw may be under way when another joins: that one is told that the freeze did not last. */
static void test_joined_while_thawing(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_send(fixture, &first, FREEZE);
    agent_does(fixture, FREEZE, "2");
    core_send(fixture, &first, THAW);
    core_send(fixture, &second, FREEZE);
    core_expect(&second, TWO);
    agent_does(fixture, THAW, "2");
    core_expect(&first, TWO TWO);
    core_assert_freeze(fixture, "thawed");
    core_send(fixture, &second, THAW);
    core_assert_heard(&second, "had ended before");
    core_send(fixture, &second, THAW);
    agent_does(fixture, THAW, "0");
    core_expect(&second, NONE);
    peer_clear(&first);
    peer_clear(&second);
}

/* A stranger's thaw waits for the freeze, and ends it for all who hold it then. */
static void test_thawed_by_stranger(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second, stranger;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_connect_negotiated(fixture, &stranger, FALSE);
    core_send(fixture, &first, FREEZE);
    core_send(fixture, &second, FREEZE);
    core_send(fixture, &stranger, THAW);
    agent_does(fixture, FREEZE, "2");
    core_expect(&second, TWO);
    agent_does(fixture, THAW, "2");
    core_expect(&stranger, TWO);
    core_send(fixture, &second, THAW);
    core_assert_heard(&second, "had ended before");
    core_send(fixture, &first, THAW);
    core_assert_heard(&first, "somebody else thawed it");
    peer_clear(&first);
    peer_clear(&second);
    peer_clear(&stranger);
}

/* The agent refuses, as the guest is frozen by another way: nobody knows how much of it, and who
 * waited to join holds nothing. */
static void test_refused(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL, *refusal = NULL;
    Peer first, second;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_send(fixture, &first, FREEZE);
    core_send(fixture, &second, FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    refusal = g_strdup_printf("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Command "
                              "guest-fsfreeze-freeze has been disabled\"}, \"id\": %s}\n",
                              id);
    core_send(fixture, &fixture->agent, refusal);
    agent_does(fixture, "{\"execute\":\"guest-fsfreeze-status\"}", "\"frozen\"");
    core_assert_heard(&first, "has been disabled");
    core_assert_heard(&second, "that this one joined was not done");
    core_assert_freeze(fixture, "frozen");
    peer_clear(&first);
    peer_clear(&second);
}

/* Each who held it is told, not the one who asks twice. */
static void test_told_each(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second;

    freeze_by_two(fixture, &first, &second);
    world_pass_ms(&fixture->world, 10000);
    fake_agent_sync(&fixture->agent, &fixture->world);
    agent_does(fixture, THAW, "2");
    agent_does(fixture, "{\"execute\":\"guest-fsfreeze-status\"}", "\"thawed\"");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{\"supported_commands\": []}");
    core_send(fixture, &first, THAW);
    core_assert_heard(&first, "had ended before");
    core_send(fixture, &first, THAW);
    agent_does(fixture, THAW, "0");
    core_assert_heard(&first, "{\"return\": 0}");
    core_send(fixture, &second, THAW);
    core_assert_heard(&second, "had ended before");
    peer_clear(&first);
    peer_clear(&second);
}

/* A stranger's thaw was under way when the lease ended: whoever held the freeze is told all the
 * same. */
static void test_stranger_thaws_at_its_end(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL, *sent = NULL;
    Peer owner, stranger;

    core_connect_negotiated(fixture, &owner, FALSE);
    core_connect_negotiated(fixture, &stranger, FALSE);
    core_send(fixture, &owner, FREEZE);
    agent_does(fixture, FREEZE, "2");
    world_pass_ms(&fixture->world, 9990);
    core_send(fixture, &stranger, THAW);
    id = fake_agent_take(&fixture->agent, THAW);
    world_pass_ms(&fixture->world, 20);
    core_assert_freeze(fixture, "thawing");
    fake_agent_return(&fixture->agent, id, "2");
    world_settle(&fixture->world);
    core_assert_heard(&stranger, "{\"return\": 2}");
    core_send(fixture, &owner, THAW);
    core_assert_heard(&owner, "had ended before");
    sent = peer_take(&fixture->agent);
    peer_clear(&owner);
    peer_clear(&stranger);
}

/* Who leaves and has asked for that gives up its own hold, and the last one thaws. */
static void test_leavers(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *sent = NULL;
    Peer first, second;

    freeze_by_two(fixture, &first, &second);
    core_send(fixture, &first, SET);
    core_send(fixture, &second, SET);
    peer_clear(&first);
    world_settle(&fixture->world);
    core_assert_freeze(fixture, "frozen");
    peer_expect(&fixture->agent, "");
    peer_clear(&second);
    world_settle(&fixture->world);
    core_assert_freeze(fixture, "thawing");
    sent = peer_take(&fixture->agent);
}

/* The owner gives it up before it is answered; who waits for it has it. */
static void test_owner_left_while_freezing(CoreFixture *fixture, gconstpointer unused)
{
    Peer first, second;

    core_connect_negotiated(fixture, &first, FALSE);
    core_connect_negotiated(fixture, &second, FALSE);
    core_send(fixture, &first, SET);
    core_send(fixture, &first, FREEZE);
    core_send(fixture, &second, FREEZE);
    peer_clear(&first);
    world_settle(&fixture->world);
    agent_does(fixture, FREEZE, "2");
    core_assert_heard(&second, "{\"return\": 2}");
    core_assert_freeze(fixture, "frozen");
    core_send(fixture, &second, THAW);
    agent_does(fixture, THAW, "2");
    core_assert_heard(&second, "{\"return\": 2}");
    peer_clear(&second);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, test) g_test_add(name, CoreFixture, NULL, set_up, test, core_tear_down)
    ADD("/core-join/last-thaws", test_last_thaws);
    ADD("/core-join/while-freezing", test_while_freezing);
    ADD("/core-join/not-done", test_not_done);
    ADD("/core-join/other-extent", test_other_extent);
    ADD("/core-join/lease", test_lease);
    ADD("/core-join/joined-while-thawing", test_joined_while_thawing);
    ADD("/core-join/thawed-by-stranger", test_thawed_by_stranger);
    ADD("/core-join/refused", test_refused);
    ADD("/core-join/told-each", test_told_each);
    ADD("/core-join/stranger-thaws-at-its-end", test_stranger_thaws_at_its_end);
    ADD("/core-join/leavers", test_leavers);
    ADD("/core-join/owner-left-while-freezing", test_owner_left_while_freezing);
#undef ADD
    return g_test_run();
}
