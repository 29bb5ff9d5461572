/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Several channels to one guest's agent: which is in use, when another is instead, and that nothing
 * is sent twice. A freeze is the guest's: it outlives the agent that has done it, is thawed by
 * whichever there is, and what is said by one that has not done it is no evidence.
 */

#include "core-channels-fixture.h"

#include <string.h>

#include "common/limits.h"

#define PING     "{\"execute\":\"guest-ping\"}"
#define FREEZE   "{\"execute\":\"guest-fsfreeze-freeze\"}"
#define THAW     "{\"execute\":\"guest-fsfreeze-thaw\"}"
#define STATUS   "{\"execute\":\"guest-fsfreeze-status\"}"
#define GET_INFO "{\"execute\":\"guest-info\"}"
#define EXEC     "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":1}}"
#define DONE     "{\"return\": {}}\r\n"

/* More than it takes until an agent that does not answer syncs is given up. */
#define HOPE_MS ((LIMIT_SYNC_HOPE + 2) * LIMIT_SYNC_LAST_MS)

/* ---- Agents ---------------------------------------------------------------------------------- */

static void sync_agent(ChannelsFixture *fixture, Peer *agent)
{
    fake_agent_sync(agent, &fixture->base.world);
}

static void agent_does(ChannelsFixture *fixture, Peer *agent, const char *command,
                       const char *value)
{
    fake_agent_serve(agent, &fixture->base.world, command, value);
}

static void agent_refuses(ChannelsFixture *fixture, Peer *agent, const char *command)
{
    g_autofree char *id = fake_agent_take(agent, command);
    g_autofree char *reply = g_strdup_printf(
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": %s}\n", id);

    core_send(&fixture->base, agent, reply);
}

/* It is in use from now on, as @number. */
static void meet_agent(ChannelsFixture *fixture, Peer *agent)
{
    sync_agent(fixture, agent);
    agent_does(fixture, agent, STATUS, "\"thawed\"");
    agent_does(fixture, agent, GET_INFO, INFO);
}

static void assert_used(ChannelsFixture *fixture, guint number)
{
    g_autofree char *status = core_status(fixture->base.core, FALSE);
    g_autofree char *part = g_strdup_printf("\"channel\": %u, \"channels\": 2", number);

    if (!strstr(status, part))
        g_error("'%s' is not in '%s'", part, status);
}

/* A client's ping reaches this one, and no other. */
static void assert_pings(ChannelsFixture *fixture, Peer *agent)
{
    Peer *other = agent == &fixture->second ? &fixture->base.agent : &fixture->second;

    core_send(&fixture->base, &fixture->client, PING);
    agent_does(fixture, agent, PING, "{}");
    core_expect(&fixture->client, DONE);
    peer_expect(other, "");
    assert_used(fixture, agent == &fixture->second);
}

static void drop_input(Peer *agent)
{
    g_autofree char *dropped = peer_take(agent);
}

static void thaw_by_second(ChannelsFixture *fixture, const char *count)
{
    agent_does(fixture, &fixture->second, THAW, count);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
}

/* Its first thaw is not believed. */
static void thaw_twice_by_second(ChannelsFixture *fixture)
{
    thaw_by_second(fixture, "2");
    core_assert_freeze(&fixture->base, "thawing");
    world_pass_ms(&fixture->base.world, LIMIT_THAW_PAUSE_MS);
    agent_does(fixture, &fixture->second, THAW, "0");
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    core_assert_freeze(&fixture->base, "thawed");
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Both have agents, and the first is in use. */
static void set_up_both(ChannelsFixture *fixture, gconstpointer unused)
{
    channels_set_up(fixture, unused);
    channels_serve_qemu(fixture, TRUE, TRUE);
    meet_agent(fixture, &fixture->base.agent);
    sync_agent(fixture, &fixture->second);
    peer_expect(&fixture->second, "");
    core_expect_states(&fixture->client, "ready");
}

/* ---- Which one ------------------------------------------------------------------------------- */

/* Nothing has opened the first port: the second's agent is used, and stays so when the other one
 * comes, which is brought into step and asked nothing. */
static void test_second_alone(ChannelsFixture *fixture, gconstpointer unused)
{
    channels_serve_qemu(fixture, FALSE, TRUE);
    drop_input(&fixture->base.agent); /* it was sent a probe before anything was known */
    assert_used(fixture, 0);
    core_send(&fixture->base, &fixture->client, PING);
    core_assert_heard(&fixture->client, "nothing in the guest has opened its port; guest-ping was "
                                        "not sent");
    sync_agent(fixture, &fixture->second);
    assert_used(fixture, 1);
    meet_agent(fixture, &fixture->second);
    core_expect_states(&fixture->client, "syncing ready");
    assert_pings(fixture, &fixture->second);

    channels_change_port(fixture, 0, TRUE);
    sync_agent(fixture, &fixture->base.agent);
    core_assert_heard(&fixture->client, "VSERPORT_CHANGE");
    assert_pings(fixture, &fixture->second);
}

/* Both are there: the first has some time to answer behind the second. */
static void test_first_preferred(ChannelsFixture *fixture, gconstpointer unused)
{
    channels_serve_qemu(fixture, TRUE, TRUE);
    sync_agent(fixture, &fixture->second);
    world_pass_ms(&fixture->base.world, LIMIT_CHANNEL_WAIT_MS - 10);
    assert_used(fixture, 0);
    meet_agent(fixture, &fixture->base.agent);
    world_pass_ms(&fixture->base.world, LIMIT_CHANNEL_WAIT_MS);
    core_expect_states(&fixture->client, "ready");
    assert_pings(fixture, &fixture->base.agent);
}

/* Somebody has the first port open who does not answer. What a client has asked for meanwhile waits
 * and is asked where there is an agent. */
static void test_first_silent(ChannelsFixture *fixture, gconstpointer unused)
{
    channels_serve_qemu(fixture, TRUE, TRUE);
    core_send(&fixture->base, &fixture->client, PING);
    sync_agent(fixture, &fixture->second);
    world_pass_ms(&fixture->base.world, LIMIT_CHANNEL_WAIT_MS);
    drop_input(&fixture->base.agent);
    sync_agent(fixture, &fixture->second);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->second, PING, "{}");
    core_expect(&fixture->client, DONE);
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
    assert_used(fixture, 1);
    world_pass_ms(&fixture->base.world, HOPE_MS);
    drop_input(&fixture->base.agent);
    assert_pings(fixture, &fixture->second);
}

/* The port in use is closed: what is under way there fails and is not asked again, the next goes to
 * the other, once it has answered a sync that was sent after all it may have been sent before. */
static void test_closed(ChannelsFixture *fixture, gconstpointer unused)
{
    core_send(&fixture->base, &fixture->client, EXEC);
    drop_input(&fixture->base.agent);
    channels_change_port(fixture, 0, FALSE);
    core_assert_heard(
        &fixture->client,
        "The guest agent closed its port; guest-file-close was sent and its outcome is unknown");
    assert_used(fixture, 1);
    core_send(&fixture->base, &fixture->client, PING);
    sync_agent(fixture, &fixture->second);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->second, PING, "{}");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
    core_expect(&fixture->client, DONE);
    peer_expect(&fixture->base.agent, "");

    /* and back */
    channels_change_port(fixture, 0, TRUE);
    sync_agent(fixture, &fixture->base.agent);
    assert_used(fixture, 1);
    channels_change_port(fixture, 1, FALSE);
    meet_agent(fixture, &fixture->base.agent);
    drop_input(&fixture->client);
    assert_pings(fixture, &fixture->base.agent);
}

/* QEMU closes the channel in use. */
static void test_offline(ChannelsFixture *fixture, gconstpointer unused)
{
    peer_close(&fixture->base.agent);
    world_settle(&fixture->base.world);
    core_expect_states(&fixture->client, "offline syncing");
    meet_agent(fixture, &fixture->second);
    core_expect_states(&fixture->client, "ready");
    core_send(&fixture->base, &fixture->client, PING);
    agent_does(fixture, &fixture->second, PING, "{}");
    core_expect(&fixture->client, DONE);
    assert_used(fixture, 1);
}

/* The agent in use does not answer any more. While a command is under way there it is not left, nor
 * as long as there is hope. */
static void test_hung(ChannelsFixture *fixture, gconstpointer unused)
{
    core_send(&fixture->base, &fixture->client, PING);
    world_pass_ms(&fixture->base.world, LIMIT_SECONDS_QUICK * 1000 - 100);
    assert_used(fixture, 0);
    world_pass_ms(&fixture->base.world, 200);
    core_assert_heard(&fixture->client, "guest-ping");
    assert_used(fixture, 0);
    world_pass_ms(&fixture->base.world, LIMIT_SYNC_FIRST_MS);
    assert_used(fixture, 0);
    world_pass_ms(&fixture->base.world, HOPE_MS);
    assert_used(fixture, 1);
    drop_input(&fixture->base.agent);
    fake_agent_sync_last(&fixture->second, &fixture->base.world);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
    core_expect_states(&fixture->client, "hung syncing ready");
    drop_input(&fixture->base.agent);
    assert_pings(fixture, &fixture->second);
}

/* What happens to the guest is no reason to turn to another. */
static void test_guest_stops(ChannelsFixture *fixture, gconstpointer unused)
{
    core_send(&fixture->base, &fixture->base.qemu, EVENT("SUSPEND"));
    assert_used(fixture, 0);
    core_send(&fixture->base, &fixture->base.qemu, EVENT("WAKEUP"));
    sync_agent(fixture, &fixture->second);
    assert_used(fixture, 0);
    meet_agent(fixture, &fixture->base.agent);
    core_expect_states(&fixture->client, "asleep syncing ready");
    assert_pings(fixture, &fixture->base.agent);
}

/* QEMU ends: one channel after the other, and it is over. */
static void test_end(ChannelsFixture *fixture, gconstpointer unused)
{
    peer_close(&fixture->base.agent);
    world_settle(&fixture->base.world);
    peer_close(&fixture->base.qemu);
    peer_close(&fixture->second);
    world_settle(&fixture->base.world);
    g_assert_cmpstr(fixture->base.closed->str, ==, "QEMU closed the connection\n");
}

/* ---- Freezes --------------------------------------------------------------------------------- */

static void freeze_by_first(ChannelsFixture *fixture)
{
    core_send(&fixture->base, &fixture->client, FREEZE);
    agent_does(fixture, &fixture->base.agent, FREEZE, "2");
    core_assert_heard(&fixture->client, "{\"return\": 2}");
}

/* The second is in use and was asked how it is; it knows nothing of the freeze. */
static void lose_first_frozen(ChannelsFixture *fixture)
{
    freeze_by_first(fixture);
    channels_change_port(fixture, 0, FALSE);
    sync_agent(fixture, &fixture->second);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
    core_expect_states(&fixture->client, "closed syncing frozen");
    core_assert_freeze(&fixture->base, "frozen");
}

/* It is frozen as before, whatever an agent says that has not done it, and its owner thaws it. */
static void test_frozen(ChannelsFixture *fixture, gconstpointer unused)
{
    lose_first_frozen(fixture);
    core_send(&fixture->base, &fixture->client, STATUS);
    core_expect(&fixture->client, "{\"return\": \"frozen\"}\r\n");
    core_send(&fixture->base, &fixture->client, EXEC);
    core_assert_heard(&fixture->client, "has been disabled: the guest is frozen by unix:");
    assert_pings(fixture, &fixture->second);
    core_send(&fixture->base, &fixture->client, THAW);
    agent_does(fixture, &fixture->second, THAW, "2");
    core_assert_heard(&fixture->client, "{\"return\": 2}");
    core_assert_freeze(&fixture->base, "thawed");
    core_send(&fixture->base, &fixture->client, STATUS);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    core_expect(&fixture->client, "{\"return\": \"thawed\"}\r\n");
}

/* Its lease ends: only a thaw that the agent has done makes its status count. */
static void test_frozen_lease(ChannelsFixture *fixture, gconstpointer unused)
{
    lose_first_frozen(fixture);
    world_pass_ms(&fixture->base.world, LIMIT_FREEZE_LEASE_SECONDS * 1000);
    fake_agent_sync_last(&fixture->second, &fixture->base.world);
    agent_refuses(fixture, &fixture->second, THAW);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
    core_assert_freeze(&fixture->base, "thawing");
    world_pass_ms(&fixture->base.world, LIMIT_THAW_PAUSE_MS);
    agent_does(fixture, &fixture->second, THAW, "2");
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    core_assert_freeze(&fixture->base, "thawed");
}

/* Nobody knows what became of the freeze: the other agent thaws. */
static void test_freezing(ChannelsFixture *fixture, gconstpointer unused)
{
    core_send(&fixture->base, &fixture->client, FREEZE);
    drop_input(&fixture->base.agent);
    channels_change_port(fixture, 0, FALSE);
    core_assert_heard(&fixture->client, "The guest agent closed its port");
    core_assert_freeze(&fixture->base, "thawing");
    sync_agent(fixture, &fixture->second);
    agent_does(fixture, &fixture->second, THAW, "0");
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    core_assert_freeze(&fixture->base, "thawed");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);

    /* The first is there again, and may have done by now what it was sent: so it is thawed again,
     * by who is in use. */
    channels_change_port(fixture, 0, TRUE);
    peer_expect(&fixture->second, "");
    sync_agent(fixture, &fixture->base.agent);
    sync_agent(fixture, &fixture->second);
    agent_does(fixture, &fixture->second, THAW, "2");
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    core_assert_freeze(&fixture->base, "thawed\", \"thaws\": 1}, \"clients");
    peer_expect(&fixture->base.agent, "");
}

/* The first is left with a thaw that it may do when it is back; the second knows nothing of that.
 */
static void leave_first_owing(ChannelsFixture *fixture)
{
    freeze_by_first(fixture);
    core_send(&fixture->base, &fixture->client, THAW);
    drop_input(&fixture->base.agent);
    channels_change_port(fixture, 0, FALSE);
    sync_agent(fixture, &fixture->second);
    drop_input(&fixture->client);
}

/* It is, while another freeze is on: that may have been ended, and its owner is told. More may be
 * frozen than the second has frozen, and leaves alone: so that thaws twice. */
static void test_late_thaw(ChannelsFixture *fixture, gconstpointer unused)
{
    leave_first_owing(fixture);
    thaw_by_second(fixture, "2");
    core_assert_freeze(&fixture->base, "thawed");

    core_send(&fixture->base, &fixture->client, FREEZE);
    sync_agent(fixture, &fixture->second);
    agent_does(fixture, &fixture->second, FREEZE, "2");
    core_assert_heard(&fixture->client, "{\"return\": 2}");
    drop_input(&fixture->second);
    channels_change_port(fixture, 0, TRUE);
    core_assert_freeze(&fixture->base, "frozen");
    sync_agent(fixture, &fixture->base.agent);
    core_assert_freeze(&fixture->base, "thawing");
    core_send(&fixture->base, &fixture->client, THAW);
    core_assert_heard(&fixture->client, "The freeze by unix:");
    sync_agent(fixture, &fixture->second);
    thaw_twice_by_second(fixture);
}

/* It is, where nobody has frozen anything: a freeze that was refused has ended for nobody, and the
 * next thaw is none that anything is to be told of. */
static void test_late_thaw_after_refusal(ChannelsFixture *fixture, gconstpointer unused)
{
    leave_first_owing(fixture);
    thaw_by_second(fixture, "2");
    core_send(&fixture->base, &fixture->client, FREEZE);
    sync_agent(fixture, &fixture->second);
    agent_refuses(fixture, &fixture->second, FREEZE);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
    core_assert_heard(&fixture->client, "\"desc\": \"no\"");
    channels_change_port(fixture, 0, TRUE);
    sync_agent(fixture, &fixture->base.agent);
    core_assert_freeze(&fixture->base, "thawing");
    sync_agent(fixture, &fixture->second);
    agent_does(fixture, &fixture->second, THAW, "0");
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    core_assert_freeze(&fixture->base, "thawed");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
    core_send(&fixture->base, &fixture->client, THAW);
    agent_does(fixture, &fixture->second, THAW, "0");
    core_assert_heard(&fixture->client, "{\"return\": 0}");
}

/* That is done while a freeze is under way, before it or behind it: nobody knows. */
static void test_late_thaw_while_freezing(ChannelsFixture *fixture, gconstpointer unused)
{
    leave_first_owing(fixture);
    thaw_by_second(fixture, "2");
    core_send(&fixture->base, &fixture->client, FREEZE);
    sync_agent(fixture, &fixture->second);
    channels_change_port(fixture, 0, TRUE);
    sync_agent(fixture, &fixture->base.agent);
    core_assert_freeze(&fixture->base, "freezing");
    agent_does(fixture, &fixture->second, FREEZE, "2");
    core_assert_freeze(&fixture->base, "thawing");
    core_send(&fixture->base, &fixture->client, THAW);
    core_assert_heard(&fixture->client, "The freeze by unix:");
}

/* A freeze of the first's, left unanswered, comes late, while one by the second is under way. */
static void freeze_beside_late_freeze(ChannelsFixture *fixture)
{
    core_send(&fixture->base, &fixture->client, FREEZE);
    drop_input(&fixture->base.agent);
    channels_change_port(fixture, 0, FALSE);
    sync_agent(fixture, &fixture->second);
    thaw_by_second(fixture, "0");
    core_send(&fixture->base, &fixture->client, THAW);
    drop_input(&fixture->client);
    core_send(&fixture->base, &fixture->client, FREEZE);
    sync_agent(fixture, &fixture->second);
    channels_change_port(fixture, 0, TRUE);
    sync_agent(fixture, &fixture->base.agent);
    core_assert_freeze(&fixture->base, "freezing");
}

static void assert_thawed_by_second(ChannelsFixture *fixture)
{
    core_assert_freeze(&fixture->base, "thawing");
    sync_agent(fixture, &fixture->second);
    agent_does(fixture, &fixture->second, THAW, "2");
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    core_assert_freeze(&fixture->base, "thawed");
}

/* All is frozen then, so that the second says that it has frozen nothing. */
static void test_late_freeze(ChannelsFixture *fixture, gconstpointer unused)
{
    freeze_beside_late_freeze(fixture);
    agent_does(fixture, &fixture->second, FREEZE, "0");
    assert_thawed_by_second(fixture);
}

static void test_late_freeze_refused(ChannelsFixture *fixture, gconstpointer unused)
{
    freeze_beside_late_freeze(fixture);
    agent_refuses(fixture, &fixture->second, FREEZE);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    assert_thawed_by_second(fixture);
}

/* QEMU was started anew: what the next agent says is of another guest. */
static void test_qemu_restarts(ChannelsFixture *fixture, gconstpointer unused)
{
    freeze_by_first(fixture);
    peer_close(&fixture->base.agent);
    world_settle(&fixture->base.world);
    peer_close(&fixture->second);
    world_settle(&fixture->base.world);
    peer_clear(&fixture->base.agent);
    fixture->base.agent = (Peer){0};
    core_accept_agent(&fixture->base);
    sync_agent(fixture, &fixture->base.agent);
    sync_agent(fixture, &fixture->base.agent);
    agent_does(fixture, &fixture->base.agent, STATUS, "\"thawed\"");
    core_assert_freeze(&fixture->base, "thawed");
}

/* The same while it is being thawed: what was thawed before that does not count. */
static void test_late_while_thawing(ChannelsFixture *fixture, gconstpointer unused)
{
    leave_first_owing(fixture);
    channels_change_port(fixture, 0, TRUE);
    sync_agent(fixture, &fixture->base.agent);
    thaw_twice_by_second(fixture);
}

/* The first is back, and believes that what it had frozen still is: it is told when it is used. */
static void test_believes(ChannelsFixture *fixture, gconstpointer unused)
{
    lose_first_frozen(fixture);
    core_send(&fixture->base, &fixture->client, THAW);
    agent_does(fixture, &fixture->second, THAW, "2");
    channels_change_port(fixture, 0, TRUE);
    sync_agent(fixture, &fixture->base.agent);
    peer_expect(&fixture->base.agent, "");
    channels_change_port(fixture, 1, FALSE);
    sync_agent(fixture, &fixture->base.agent);
    agent_does(fixture, &fixture->base.agent, THAW, "0");
    agent_does(fixture, &fixture->base.agent, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->base.agent, GET_INFO, INFO);
    core_assert_freeze(&fixture->base, "thawed\", \"thaws\": 0}, \"clients");
    drop_input(&fixture->client);
    assert_pings(fixture, &fixture->base.agent);
}

/* A proxy was killed, and which agent had frozen it is on no record. */
static void test_record(ChannelsFixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    g_autofree char *file = NULL;
    g_autoptr(GError) error = NULL;

    channels_set_up_new(fixture);
    file = g_build_filename(base->folder, "vm-vm.frozen", NULL);
    g_assert_true(g_file_set_contents(file, "by somebody\n", -1, &error));
    g_assert_true(core_set_state_directory(base->core, base->folder, "vm", &error));
    channels_start(fixture);
    channels_serve_qemu(fixture, FALSE, TRUE);
    sync_agent(fixture, &fixture->second);
    sync_agent(fixture, &fixture->second);
    agent_refuses(fixture, &fixture->second, THAW);
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    agent_does(fixture, &fixture->second, GET_INFO, INFO);
    core_assert_freeze(base, "thawing");
    world_pass_ms(&base->world, LIMIT_THAW_PAUSE_MS);
    agent_does(fixture, &fixture->second, THAW, "2");
    agent_does(fixture, &fixture->second, STATUS, "\"thawed\"");
    core_assert_freeze(base, "thawed");
    while (g_file_test(file, G_FILE_TEST_EXISTS))
        g_usleep(100);
}

/* ---- A successor ----------------------------------------------------------------------------- */

/* It goes on with the one that is in use, in the middle of a command, and knows of the freeze what
 * its forerunner knew. Neither agent notices. */
static void test_successor(ChannelsFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    lose_first_frozen(fixture);
    core_send(&fixture->base, &fixture->client, PING);
    id = fake_agent_take(&fixture->second, PING);
    core_hand_over(&fixture->base);
    peer_expect(&fixture->base.qemu, "");
    peer_expect(&fixture->base.agent, "");
    peer_expect(&fixture->second, "");
    fake_agent_return(&fixture->second, id, "{}");
    world_settle(&fixture->base.world);
    core_expect(&fixture->client, DONE);
    assert_used(fixture, 1);
    core_send(&fixture->base, &fixture->client, STATUS);
    core_expect(&fixture->client, "{\"return\": \"frozen\"}\r\n");
    core_send(&fixture->base, &fixture->client, THAW);
    agent_does(fixture, &fixture->second, THAW, "2");
    core_expect(&fixture->client, "{\"return\": 2}\r\n");

    /* both ports are watched */
    channels_change_port(fixture, 0, TRUE);
    sync_agent(fixture, &fixture->base.agent);
    channels_change_port(fixture, 1, FALSE);
    assert_used(fixture, 0);
}

#define ADD(path, set_up, function) \
    g_test_add(path, ChannelsFixture, NULL, set_up, function, channels_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/core-channels/second-alone", channels_set_up, test_second_alone);
    ADD("/core-channels/first-preferred", channels_set_up, test_first_preferred);
    ADD("/core-channels/first-silent", channels_set_up, test_first_silent);
    ADD("/core-channels/closed", set_up_both, test_closed);
    ADD("/core-channels/offline", set_up_both, test_offline);
    ADD("/core-channels/hung", set_up_both, test_hung);
    ADD("/core-channels/guest-stops", set_up_both, test_guest_stops);
    ADD("/core-channels/end", set_up_both, test_end);
    ADD("/core-channels/frozen", set_up_both, test_frozen);
    ADD("/core-channels/frozen-lease", set_up_both, test_frozen_lease);
    ADD("/core-channels/freezing", set_up_both, test_freezing);
    ADD("/core-channels/late-thaw", set_up_both, test_late_thaw);
    ADD("/core-channels/late-thaw-after-refusal", set_up_both, test_late_thaw_after_refusal);
    ADD("/core-channels/late-thaw-while-freezing", set_up_both, test_late_thaw_while_freezing);
    ADD("/core-channels/late-while-thawing", set_up_both, test_late_while_thawing);
    ADD("/core-channels/late-freeze", set_up_both, test_late_freeze);
    ADD("/core-channels/late-freeze-refused", set_up_both, test_late_freeze_refused);
    ADD("/core-channels/qemu-restarts", set_up_both, test_qemu_restarts);
    ADD("/core-channels/believes", set_up_both, test_believes);
    ADD("/core-channels/record", NULL, test_record);
    ADD("/core-channels/successor", set_up_both, test_successor);
    return g_test_run();
}
