/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent's lane against an agent that means well: what is written when, one command at a time,
 * and what becomes of commands when the port, the guest or the clock does something.
 */

#include "agent-lane-fixture.h"

#include <string.h>

#include "common/limits.h"

/* ---- Syncing --------------------------------------------------------------------------------- */

static void test_first_bytes(LaneFixture *fixture, gconstpointer unused)
{
    gint64 token;

    lane_submit(fixture, "guest-ping");
    lane_assert_log(fixture,
                    "guest-ping: The agent's channel is not connected; guest-ping was not sent\n");
    g_assert_cmpstr(agent_lane_state_name(fixture->lane), ==, "offline");
    agent_lane_connect(fixture->lane);
    world_settle(&fixture->world);
    token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    g_assert_cmpstr(agent_lane_state_name(fixture->lane), ==, "syncing");
    lane_submit(fixture, "guest-ping");
    world_pass_ms(&fixture->world, LIMIT_SYNC_FIRST_MS - 20);
    peer_expect(&fixture->agent, "");

    fake_agent_answer_probe(&fixture->agent, token);
    lane_assert_log(fixture, "synced\n");
    g_assert_cmpstr(agent_lane_state_name(fixture->lane), ==, "busy");
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "guest-ping {}\n");
    g_assert_cmpstr(agent_lane_state_name(fixture->lane), ==, "ready");
}

/* One unanswered probe at a time, further and further apart. Who waits is told in 5 s, who comes
 * later at once. The answer to the last probe counts whenever it comes, no other's. */
static void test_back_off(LaneFixture *fixture, gconstpointer unused)
{
    static const guint at_ms[] = {0, 250, 750, 1550, 2350, 3150, 3950, 4750, 5550, 6350};
    gint64 token = -1, former = -1;
    guint ms = 0;

    agent_lane_connect(fixture->lane);
    world_settle(&fixture->world);
    lane_submit(fixture, "guest-ping");
    for (gsize i = 0; i < G_N_ELEMENTS(at_ms); i++) {
        if (at_ms[i] > ms + 20) {
            world_pass_ms(&fixture->world, at_ms[i] - ms - 20);
            peer_expect(&fixture->agent, "");
            world_pass_ms(&fixture->world, 20);
        }
        world_pass_ms(&fixture->world, 10);
        ms = at_ms[i] + 10;
        former = token;
        token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
        g_assert_cmpint(token, !=, former);
        g_assert_cmpuint(agent_lane_stats(fixture->lane).syncs, ==, i + 1);
    }
    lane_assert_log(fixture,
                    "guest-ping: The guest agent does not answer; guest-ping was not sent\n");
    lane_submit(fixture, "guest-info");
    lane_assert_log(fixture,
                    "guest-info: The guest agent does not answer; guest-info was not sent\n");

    fake_agent_answer_probe(&fixture->agent, former);
    lane_assert_log(fixture, "");
    fake_agent_answer_probe(&fixture->agent, token);
    lane_assert_log(fixture, "synced\n");
    lane_submit(fixture, "guest-ping");
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "guest-ping {}\n");
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* One command at a time, in order; but thaw is the next, whoever waits. */
static void test_one_in_flight(LaneFixture *fixture, gconstpointer unused)
{
    lane_submit(fixture, "guest-info");
    lane_submit(fixture, "guest-ping");
    lane_submit(fixture, "guest-get-osinfo");
    lane_submit(fixture, "guest-fsfreeze-thaw");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).queued, ==, 3);
    lane_take_and_answer(fixture, "guest-info", "{\"version\": \"1\"}");
    lane_take_and_answer(fixture, "guest-fsfreeze-thaw", "2");
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_take_and_answer(fixture, "guest-get-osinfo", "[]");
    lane_assert_log(fixture,
                    "guest-info {\"version\": \"1\"}\nguest-fsfreeze-thaw 2\nguest-ping {}\n"
                    "guest-get-osinfo []\n");
}

static void test_queue_full(LaneFixture *fixture, gconstpointer unused)
{
    for (guint i = 0; i < 1 + LIMIT_AGENT_QUEUED; i++)
        lane_submit(fixture, i % 2 ? "guest-info" : "guest-ping"); /* the former share one */
    lane_assert_log(fixture, "");
    lane_submit(fixture, "guest-info");
    lane_assert_log(fixture, "guest-info: Too many commands wait for the guest agent; "
                             "guest-info was not sent\n");
}

static void test_orphans(LaneFixture *fixture, gconstpointer unused)
{
    Pending *sent = lane_submit(fixture, "guest-info");
    Pending *waiting = lane_submit(fixture, "guest-ping");

    lane_submit(fixture, "guest-get-osinfo");
    pending_orphan(sent);
    pending_orphan(waiting);
    lane_take_and_answer(fixture, "guest-info", "1");
    lane_take_and_answer(fixture, "guest-get-osinfo", "2");
    lane_assert_log(fixture, "guest-info 1\nguest-ping: The client has left\nguest-get-osinfo 2\n");
}

/* Sent with a time limit of its own. Returns: (transfer none): it is under way */
static Pending *send_with_limit(LaneFixture *fixture, const char *name, const char *arguments,
                                guint seconds)
{
    g_autofree char *text =
        arguments ? g_strdup_printf("{\"execute\":\"%s\",\"arguments\":%s}", name, arguments)
                  : g_strdup_printf("{\"execute\":\"%s\"}", name);
    Pending *pending;

    lane_submit(fixture, "guest-info");
    pending = lane_submit_with(fixture, name, arguments);
    pending->seconds = seconds;
    lane_take_and_answer(fixture, "guest-info", "1");
    lane_assert_log(fixture, "guest-info 1\n");
    g_free(fake_agent_take(&fixture->agent, text));
    return pending;
}

static void leave(LaneFixture *fixture, Pending *pending)
{
    pending_orphan(pending);
    agent_lane_drop_orphans(fixture->lane);
    world_settle(&fixture->world);
}

/* Nobody pays for it any more, so its asker's time is not its own, but as long as any other's; a
 * pause is no time. A freeze or a thaw has what it was asked with. */
static void test_left_time(LaneFixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *name;
        guint seconds, limit;
    } cases[] = {
        {"guest-file-write", 3600, LIMIT_SECONDS_SLOW},
        {"guest-file-write", 40, 40},
        {"guest-ping", 60, LIMIT_SECONDS_QUICK},
        {"guest-fsfreeze-freeze", 3600, 3600},
        {"guest-fsfreeze-thaw", 3600, 3600},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *expected =
            g_strdup_printf("%s: The guest agent did not answer within %u s; %s " OUTCOME,
                            cases[i].name, cases[i].limit, cases[i].name);
        Pending *pending = send_with_limit(fixture, cases[i].name, NULL, cases[i].seconds);

        world_pass_ms(&fixture->world, 5000);
        agent_lane_set_paused(fixture->lane, TRUE);
        world_pass_ms(&fixture->world, 100 * 1000);
        agent_lane_set_paused(fixture->lane, FALSE);
        leave(fixture, pending);
        leave(fixture, pending);
        world_pass_ms(&fixture->world, (cases[i].limit - 5) * 1000 - 20);
        lane_assert_log(fixture, "");
        world_pass_ms(&fixture->world, 40);
        lane_assert_log(fixture, expected);
        fake_agent_sync(&fixture->agent, &fixture->world);
        lane_assert_log(fixture, "synced\n");
    }
}

/* Large arguments of what was sent go with who paid for them; so it cannot be sent again. */
static void test_left_arguments(LaneFixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *name;
        guint len;
        gboolean kept;
    } cases[] = {
        {"guest-file-write", 5000, FALSE},
        {"guest-file-write", 3000, TRUE},
        {"guest-get-osinfo", 5000, TRUE}, /* is shared */
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *filler = g_strnfill(cases[i].len, 'x');
        g_autofree char *arguments = g_strdup_printf("{\"a\":\"%s\"}", filler);
        g_autofree char *expected = g_strdup_printf("%s: The guest agent did not answer within 10 "
                                                    "s; %s " OUTCOME,
                                                    cases[i].name, cases[i].name);
        Pending *pending = send_with_limit(fixture, cases[i].name, arguments, 10);

        agent_lane_drop_orphans(fixture->lane);
        g_assert_nonnull(pending->arguments);
        leave(fixture, pending);
        g_assert_cmpint(pending->arguments != NULL, ==, cases[i].kept);
        if (!cases[i].kept)
            peer_send(&fixture->agent, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QMP "
                                       "input object member 'id' is unexpected\"}}\n");
        world_settle(&fixture->world);
        peer_expect(&fixture->agent, "");
        world_pass_ms(&fixture->world, 10 * 1000);
        lane_assert_log(fixture, expected);
        fake_agent_sync(&fixture->agent, &fixture->world);
        lane_assert_log(fixture, "synced\n");
    }
}

/* ---- Time limits ----------------------------------------------------------------------------- */

/* What timed out is poison: nothing is sent until a sync was answered, and its late reply is
 * nobody's. */
static void test_time_limits(LaneFixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *name;
        guint seconds;
    } cases[] = {
        {"guest-ping", LIMIT_SECONDS_QUICK},
        {"guest-no-such-thing", LIMIT_SECONDS_SLOW},
        {"guest-fsfreeze-thaw", LIMIT_SECONDS_THAW},
        {"guest-fsfreeze-freeze", LIMIT_SECONDS_FREEZE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *expected =
            g_strdup_printf("%s: The guest agent did not answer within %u s; %s " OUTCOME,
                            cases[i].name, cases[i].seconds, cases[i].name);
        g_autofree char *id = NULL;

        lane_submit(fixture, cases[i].name);
        id = lane_take(fixture, cases[i].name);
        lane_submit(fixture,
                    "guest-info"); /* has its own time for the sync, however long this takes */
        world_pass_ms(&fixture->world, cases[i].seconds * 1000 - 20);
        lane_assert_log(fixture, "");
        peer_expect(&fixture->agent, "");
        world_pass_ms(&fixture->world, 40);
        lane_assert_log(fixture, expected);
        g_assert_cmpuint(agent_lane_stats(fixture->lane).timeouts, ==, i + 1);

        fake_agent_return(&fixture->agent, id, "\"late\"");
        lane_assert_log(fixture, "");
        fake_agent_sync(&fixture->agent, &fixture->world);
        fake_agent_return(&fixture->agent, id, "\"later\"");
        lane_take_and_answer(fixture, "guest-info", "\"mine\"");
        lane_assert_log(fixture, "synced\nguest-info \"mine\"\n");
    }
}

/* Whoever runs the proxy says how long each class may take, but not for those who say it
 * themselves.
 */
static void test_set_limits(LaneFixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *name, *limit;
        guint seconds;
    } cases[] = {
        {"guest-ping", "quick-seconds=1", 1},
        {"guest-file-open", "slow-seconds=2", 2},
        {"guest-no-such-thing", "slow-seconds=3", 3},
        {"guest-fsfreeze-thaw", "thaw-seconds=4", 4},
        {"guest-fsfreeze-freeze", "freeze-seconds=5", 5},
        {"guest-suspend-ram", "shutdown-seconds=6", 6},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *expected =
            g_strdup_printf("%s: The guest agent did not answer within %u s; %s " OUTCOME,
                            cases[i].name, cases[i].seconds, cases[i].name);
        g_autoptr(GError) error = NULL;

        g_assert_true(bounds_parse(&fixture->bounds, cases[i].limit, &error));
        lane_submit(fixture, cases[i].name);
        world_pass_ms(&fixture->world, cases[i].seconds * 1000 - 20);
        lane_assert_log(fixture, "");
        world_pass_ms(&fixture->world, 40);
        lane_assert_log(fixture, expected);
        g_free(peer_take(&fixture->agent));
        world_pass_ms(&fixture->world, LIMIT_SYNC_FIRST_MS);
        fake_agent_sync(&fixture->agent, &fixture->world);
        lane_assert_log(fixture, "synced\n");
    }
}

/* An agent that does not even read: the probe stays where it is, alone, and the agent hangs. */
static void test_unread_probe(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *filler = g_strnfill(4 * 1024 * 1024, 'x');
    g_autofree char *arguments = g_strdup_printf("{\"buf-b64\":\"%s\"}", filler);
    guint64 syncs;

    lane_submit_with(fixture, "guest-ping", arguments);
    world_pass_ms(&fixture->world, LIMIT_SECONDS_QUICK * 1000 + 20);
    syncs = agent_lane_stats(fixture->lane).syncs;
    g_assert_cmpint(agent_lane_state(fixture->lane), ==, AGENT_SYNCING);
    world_pass_ms(&fixture->world, 60 * 1000);
    g_assert_cmpuint(agent_lane_stats(fixture->lane).syncs, ==, syncs);
    g_assert_cmpint(agent_lane_state(fixture->lane), ==, AGENT_HUNG);
    while (peer_read(&fixture->agent))
        world_settle(&fixture->world);
    world_pass_ms(&fixture->world, 2 * LIMIT_SYNC_LAST_MS);
    g_assert_cmpuint(agent_lane_stats(fixture->lane).syncs, >, syncs);
    g_free(peer_take(&fixture->agent));
    g_string_truncate(fixture->log, 0);
}

/* Behind a command that takes long, nobody is refused early, and the loop rests. */
static void test_waits_behind_silent(LaneFixture *fixture, gconstpointer unused)
{
    gint64 token;

    lane_submit(fixture, "guest-shutdown");
    token = lane_take_silent(fixture, "guest-shutdown", NULL);
    lane_submit(fixture, "guest-ping");
    world_pass_ms(&fixture->world, 2 * LIMIT_SECONDS_UNSYNCED * 1000);
    lane_assert_log(fixture, "");
    fake_agent_answer_probe(&fixture->agent, token);
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "guest-shutdown {}\nsynced\nguest-ping {}\n");
}

static void on_done_go_on(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    lane_submit(pending->owner, "guest-ping");
}

/* The next command of a client is sent from within the answer to a silent one, and is not taken for
 * it. */
static void test_goes_on_behind_silent(LaneFixture *fixture, gconstpointer unused)
{
    agent_lane_submit(fixture->lane,
                      pending_new_own("guest-shutdown", NULL, on_done_go_on, fixture));
    fake_agent_answer_probe(&fixture->agent, lane_take_silent(fixture, "guest-shutdown", NULL));
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "synced\nguest-ping {}\n");
}

/* ---- The port -------------------------------------------------------------------------------- */

/* What is written to a closed port is carried out at the next boot. */
static void test_closed_port(LaneFixture *fixture, gconstpointer unused)
{
    agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
    agent_lane_connect(fixture->lane);
    world_settle(&fixture->world);
    g_assert_cmpstr(agent_lane_state_name(fixture->lane), ==, "closed");
    lane_submit(fixture, "guest-ping");
    lane_assert_log(fixture, "guest-ping: " NOT_OPEN "; guest-ping was not sent\n");
    world_pass_ms(&fixture->world, 60 * 1000);
    peer_expect(&fixture->agent, "");

    agent_lane_set_port(fixture->lane, PORT_OPEN, FALSE);
    lane_submit(fixture, "guest-ping");
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "synced\nguest-ping {}\n");
}

static void test_port_closes(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    lane_submit(fixture, "guest-info");
    lane_submit(fixture, "guest-ping");
    id = lane_take(fixture, "guest-info");
    agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
    lane_assert_log(fixture, "guest-info: The guest agent closed its port; guest-info " OUTCOME
                             "guest-ping: " NOT_OPEN "; guest-ping was not sent\n");
    fake_agent_return(&fixture->agent, id, "{}");
    world_pass_ms(&fixture->world, 60 * 1000);
    lane_assert_log(fixture, "");
    peer_expect(&fixture->agent, "");
    agent_lane_set_port(fixture->lane, PORT_OPEN, FALSE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
}

/* A port that tells nothing by itself is looked at before each command, and once. */
static void test_must_ask(LaneFixture *fixture, gconstpointer unused)
{
    agent_lane_set_port(fixture->lane, PORT_OPEN, TRUE);
    for (guint i = 0; i < 2; i++) {
        lane_submit(fixture, "guest-ping");
        world_pass_ms(&fixture->world, 100);
        peer_expect(&fixture->agent, "");
        lane_assert_log(fixture, "ask\n");
        agent_lane_set_port(fixture->lane, PORT_OPEN, TRUE);
        lane_take_and_answer(fixture, "guest-ping", "{}");
        lane_assert_log(fixture, "guest-ping {}\n");
    }
    lane_submit(fixture, "guest-ping");
    agent_lane_set_port(fixture->lane, PORT_CLOSED, TRUE);
    lane_assert_log(fixture, "ask\nguest-ping: " NOT_OPEN "; guest-ping was not sent\n");

    /* Closed as it was last seen: it is looked at again, and synced where it is open now. */
    lane_submit(fixture, "guest-ping");
    lane_assert_log(fixture, "ask\n");
    agent_lane_set_port(fixture->lane, PORT_OPEN, TRUE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "ask\nsynced\n"); /* and once more, as the sync may have taken long */
    agent_lane_set_port(fixture->lane, PORT_OPEN, TRUE);
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "guest-ping {}\n");
}

/* ---- The guest ------------------------------------------------------------------------------- */

/* While the machine is paused the clock rests for all that were there before; who comes then is
 * told so. */
static void test_pause(LaneFixture *fixture, gconstpointer unused)
{
    lane_submit(fixture, "guest-info");
    lane_submit(fixture, "guest-ping");
    world_pass_ms(&fixture->world, (LIMIT_SECONDS_QUICK - 1) * 1000);
    agent_lane_set_paused(fixture->lane, TRUE);
    lane_submit(fixture, "guest-get-osinfo");
    lane_assert_log(
        fixture,
        "guest-get-osinfo: The virtual machine is paused; guest-get-osinfo was not sent\n");
    world_pass_ms(&fixture->world, 360 * 1000);
    lane_assert_log(fixture, "");
    agent_lane_set_paused(fixture->lane, FALSE);
    world_pass_ms(&fixture->world, 900);
    lane_assert_log(fixture, "");
    lane_take_and_answer(fixture, "guest-info", "{}");
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "guest-info {}\nguest-ping {}\n");
}

/* The same for those that wait for a sync; and nothing at all is written meanwhile. */
static void test_pause_syncing(LaneFixture *fixture, gconstpointer unused)
{
    agent_lane_connect(fixture->lane);
    world_settle(&fixture->world);
    lane_submit(fixture, "guest-ping");
    agent_lane_set_paused(fixture->lane, TRUE);
    fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    world_pass_ms(&fixture->world, 360 * 1000);
    peer_send(&fixture->agent, "{\"return\": 1}\n"); /* was on its way */
    lane_assert_log(fixture, "");
    peer_expect(&fixture->agent, "");
    agent_lane_set_paused(fixture->lane, FALSE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "synced\nguest-ping {}\n");
}

static void test_interrupt(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    lane_submit(fixture, "guest-info");
    lane_submit(fixture, "guest-ping");
    id = lane_take(fixture, "guest-info");
    agent_lane_guest_started(fixture->lane, "The guest was reset");
    lane_assert_log(fixture, "guest-info: The guest was reset; guest-info " OUTCOME);
    fake_agent_return(&fixture->agent, id, "{}");
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "synced\nguest-ping {}\n");
}

/* The agent may be another one, unseen: what is under way goes on, unless the probe behind it is
 * answered first. */
static void test_probe(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    gint64 token;

    for (guint lost = 0; lost < 2; lost++) {
        lane_submit(fixture, "guest-info");
        g_clear_pointer(&id, g_free);
        id = lane_take(fixture, "guest-info");
        agent_lane_probe(fixture->lane);
        world_settle(&fixture->world);
        token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
        if (!lost)
            fake_agent_return(&fixture->agent, id, "{}");
        fake_agent_answer_probe(&fixture->agent, token);
        lane_assert_log(fixture,
                        lost ? "guest-info: The guest agent was restarted; guest-info " OUTCOME
                               "synced\n"
                             : "guest-info {}\nsynced\n");
    }
    agent_lane_probe(fixture->lane);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
}

static void test_channel_lost(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    lane_submit(fixture, "guest-info");
    lane_submit(fixture, "guest-ping");
    id = lane_take(fixture, "guest-info");
    peer_close(&fixture->agent);
    lane_assert_log(fixture,
                    "guest-info: The agent's channel was closed; guest-info " OUTCOME
                    "guest-ping: The agent's channel was closed; guest-ping was not sent\n");
    g_assert_cmpstr(agent_lane_state_name(fixture->lane), ==, "offline");
    world_pass_ms(&fixture->world, 3000);
}

/* The guest may live on without QEMU's monitor: what comes next goes behind a sync, as after any
 * command of which nobody knows what became. */
static void test_abandoned(LaneFixture *fixture, gconstpointer unused)
{
    gint64 token;

    lane_submit(fixture, "guest-fsfreeze-freeze");
    g_free(lane_take(fixture, "guest-fsfreeze-freeze"));
    agent_lane_abandon(fixture->lane, "QEMU has gone");
    lane_assert_log(fixture,
                    "guest-fsfreeze-freeze: QEMU has gone; guest-fsfreeze-freeze " OUTCOME);
    lane_submit(fixture, "guest-fsfreeze-thaw");
    world_settle(&fixture->world);
    token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    fake_agent_answer_probe(&fixture->agent, token);
    lane_take_and_answer(fixture, "guest-fsfreeze-thaw", "1");
    lane_assert_log(fixture, "synced\nguest-fsfreeze-thaw 1\n");
}

static void test_freed(LaneFixture *fixture, gconstpointer unused)
{
    lane_submit(fixture, "guest-info");
    lane_submit(fixture, "guest-ping");
    agent_lane_free(g_steal_pointer(&fixture->lane));
    lane_assert_log(fixture, "guest-info: The proxy ended; guest-info " OUTCOME
                             "guest-ping: The proxy ended; guest-ping was not sent\n");
}

int main(int argc, char **argv)
{
#define ADD(path, set_up, test) g_test_add(path, LaneFixture, NULL, set_up, test, lane_tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/agent-lane/first-bytes", lane_set_up, test_first_bytes);
    ADD("/agent-lane/back-off", lane_set_up, test_back_off);
    ADD("/agent-lane/one-in-flight", lane_set_up_ready, test_one_in_flight);
    ADD("/agent-lane/queue-full", lane_set_up_ready, test_queue_full);
    ADD("/agent-lane/orphans", lane_set_up_ready, test_orphans);
    ADD("/agent-lane/left-time", lane_set_up_ready, test_left_time);
    ADD("/agent-lane/left-arguments", lane_set_up_ready, test_left_arguments);
    ADD("/agent-lane/time-limits", lane_set_up_ready, test_time_limits);
    ADD("/agent-lane/set-limits", lane_set_up_ready, test_set_limits);
    ADD("/agent-lane/unread-probe", lane_set_up_ready, test_unread_probe);
    ADD("/agent-lane/waits-behind-silent", lane_set_up_ready, test_waits_behind_silent);
    ADD("/agent-lane/goes-on-behind-silent", lane_set_up_ready, test_goes_on_behind_silent);
    ADD("/agent-lane/closed-port", lane_set_up, test_closed_port);
    ADD("/agent-lane/port-closes", lane_set_up_ready, test_port_closes);
    ADD("/agent-lane/must-ask", lane_set_up_ready, test_must_ask);
    ADD("/agent-lane/pause", lane_set_up_ready, test_pause);
    ADD("/agent-lane/pause-syncing", lane_set_up, test_pause_syncing);
    ADD("/agent-lane/interrupt", lane_set_up_ready, test_interrupt);
    ADD("/agent-lane/probe", lane_set_up_ready, test_probe);
    ADD("/agent-lane/channel-lost", lane_set_up_ready, test_channel_lost);
    ADD("/agent-lane/abandoned", lane_set_up_ready, test_abandoned);
    ADD("/agent-lane/freed", lane_set_up_ready, test_freed);
    return g_test_run();
}
