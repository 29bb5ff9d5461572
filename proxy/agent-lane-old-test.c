/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent's lane with commands that stay silent when they succeed, and with agents of long ago,
 * which know no id, or no guest-sync-delimited, or neither.
 */

#include "agent-lane-fixture.h"

#include <string.h>

#include "common/limits.h"

#define COMPLAINT                                                                               \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\uFFFD'\"" \
    "}}\n"
#define NO_ID                                                                                \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QMP input object member 'id' is " \
    "unexpected\"}}\n"
#define NO_DELIMITED                                                        \
    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command " \
    "guest-sync-delimited has not been found\"}}\n"

/* ---- Silent commands ------------------------------------------------------------------------- */

/* It works in order: the answer to the sync behind it says that it was done. */
static void test_silent_success(LaneFixture *fixture, gconstpointer unused)
{
    static const char *const names[] = {"guest-shutdown", "guest-suspend-disk", "guest-suspend-ram",
                                        "guest-suspend-hybrid"};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *expected = g_strdup_printf("%s {}\nsynced\n", names[i]);
        gint64 token;

        lane_submit(fixture, names[i]);
        token = lane_take_silent(fixture, names[i], NULL);
        lane_assert_log(fixture, "");
        fake_agent_answer_probe(&fixture->agent, token);
        lane_assert_log(fixture, expected);
    }
}

static void test_silent_failure(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *error = NULL;
    gint64 token;

    lane_submit(fixture, "guest-suspend-ram");
    lane_submit(fixture, "guest-ping");
    token = lane_take_silent(fixture, "guest-suspend-ram", &id);
    error = g_strdup_printf(
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not supported\"}, \"id\": %s}\n",
        id);
    peer_send(&fixture->agent, error);
    lane_assert_log(fixture, "guest-suspend-ram: not supported\n");
    peer_expect(&fixture->agent, "");
    fake_agent_answer_probe(&fixture->agent, token);
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "synced\nguest-ping {}\n");
}

/* It goes before it can answer, which says the same. */
static void test_silent_goes(LaneFixture *unused_fixture, gconstpointer unused)
{
    enum { STOPPED, PORT, CHANNEL, WAYS };

    for (guint way = 0; way < WAYS; way++) {
        LaneFixture each;

        lane_set_up_ready(&each, NULL);
        lane_submit(&each, "guest-shutdown");
        lane_take_silent(&each, "guest-shutdown", NULL);
        if (way == STOPPED)
            agent_lane_guest_stopped(each.lane, AGENT_GONE);
        else if (way == PORT)
            agent_lane_set_port(each.lane, PORT_CLOSED, FALSE);
        else
            peer_close(&each.agent);
        lane_assert_log(&each, "guest-shutdown {}\n");
        lane_tear_down(&each, NULL);
    }
}

/* Any other has no answer, and what waits behind it is not carried out at the next boot: a machine
 * that stands still then would keep both for ever. */
static void test_stopped_under_another(LaneFixture *fixture, gconstpointer unused)
{
    lane_submit(fixture, "guest-ping");
    lane_submit(fixture, "guest-info");
    agent_lane_guest_stopped(fixture->lane, AGENT_GONE);
    lane_assert_log(fixture,
                    "guest-ping: The guest has shut down; guest-ping was sent and its outcome is "
                    "unknown\nguest-info: The guest has shut down; guest-info was not sent\n");
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "");
}

static void test_silent_time_limit(LaneFixture *fixture, gconstpointer unused)
{
    lane_submit(fixture, "guest-shutdown");
    lane_take_silent(fixture, "guest-shutdown", NULL);
    world_pass_ms(&fixture->world, LIMIT_SECONDS_SHUTDOWN * 1000 - 20);
    lane_assert_log(fixture, "");
    world_pass_ms(&fixture->world, 40);
    lane_assert_log(fixture, "guest-shutdown: The guest agent did not answer within 60 s; "
                             "guest-shutdown " OUTCOME);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
}

/* ---- Agents without id ----------------------------------------------------------------------- */

static void assert_sent(LaneFixture *fixture, const char *name)
{
    g_autofree char *text = g_strdup_printf("{\"execute\":\"%s\"}\n", name);

    world_settle(&fixture->world);
    peer_expect(&fixture->agent, text);
}

/* It was not run where it was refused: it is sent again without, and so is all that follows. */
static void test_no_id(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    lane_submit(fixture, "guest-ping");
    lane_submit(fixture, "guest-info");
    id = lane_take(fixture, "guest-ping");
    peer_send(&fixture->agent, NO_ID);
    assert_sent(fixture, "guest-ping");
    peer_send(&fixture->agent, "{\"return\": {}}\n");
    lane_assert_log(fixture, "guest-ping {}\n");
    assert_sent(fixture, "guest-info");
    peer_send(&fixture->agent, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n");
    lane_assert_log(fixture, "guest-info: no\n");
}

/* Without ids only a sync keeps a late reply from the next command. */
static void test_no_id_late(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    gint64 token;

    lane_submit(fixture, "guest-ping");
    id = lane_take(fixture, "guest-ping");
    peer_send(&fixture->agent, NO_ID);
    assert_sent(fixture, "guest-ping");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_QUICK * 1000);
    lane_assert_log(fixture, "guest-ping: The guest agent did not answer within 10 s; "
                             "guest-ping " OUTCOME);
    token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    lane_submit(fixture, "guest-info");
    peer_send(&fixture->agent, "{\"return\": \"late\"}\n");
    fake_agent_answer_probe(&fixture->agent, token);
    lane_assert_log(fixture, "synced\n");
    g_free(g_steal_pointer(&id));
    id = lane_take(fixture, "guest-info");
    peer_send(&fixture->agent, NO_ID);
    assert_sent(fixture, "guest-info");
    peer_send(&fixture->agent, "{\"return\": \"mine\"}\n");
    lane_assert_log(fixture, "guest-info \"mine\"\n");
}

/* A second reply that came with the first is no answer to the command that was sent in between. */
static void test_no_id_twice(LaneFixture *fixture, gconstpointer unused)
{
    guint64 dropped;

    lane_submit(fixture, "guest-ping");
    lane_submit(fixture, "guest-info");
    g_free(lane_take(fixture, "guest-ping"));
    peer_send(&fixture->agent, NO_ID);
    assert_sent(fixture, "guest-ping");
    dropped = agent_lane_stats(fixture->lane).dropped;
    peer_send(&fixture->agent, "{\"return\": 1}\n{\"return\": 2}\n");
    lane_assert_log(fixture, "guest-ping 1\n");
    assert_sent(fixture, "guest-info");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).dropped, ==, dropped + 1);
    peer_send(&fixture->agent, "{\"return\": 3}\n");
    lane_assert_log(fixture, "guest-info 3\n");
}

/* A guest that refuses the id for ever, or refuses what has none, does not keep the lane busy. */
static void test_refuses_for_ever(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    lane_submit(fixture, "guest-ping");
    id = lane_take(fixture, "guest-ping");
    peer_send(&fixture->agent, NO_ID NO_ID NO_ID);
    assert_sent(fixture, "guest-ping");
    lane_assert_log(fixture, ""); /* the others were said before it was sent again */
    peer_send(&fixture->agent, NO_ID NO_ID);
    lane_assert_log(fixture, "guest-ping: QMP input object member 'id' is unexpected\n");
}

/* A silent command, refused for its id: its second try has a sync of its own, and the answers to
 * the first one's are nobody's. */
static void test_no_id_silent(LaneFixture *unused_fixture, gconstpointer unused)
{
    for (guint fails = 0; fails < 2; fails++) {
        LaneFixture each;
        gint64 first, second;
        g_autofree char *line = NULL;

        lane_set_up_ready(&each, NULL);
        lane_submit(&each, "guest-shutdown");
        first = lane_take_silent(&each, "guest-shutdown", NULL);
        peer_send(&each.agent, NO_ID);
        world_settle(&each.world);
        line = peer_take_line(&each.agent);
        g_assert_cmpstr(line, ==, "{\"execute\":\"guest-shutdown\"}\n");
        second = fake_agent_take_probe(&each.agent, "guest-sync-delimited");
        g_assert_cmpint(first, !=, second);

        fake_agent_answer_probe(&each.agent, first);
        lane_assert_log(&each, "");
        if (fails)
            peer_send(&each.agent,
                      "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n");
        fake_agent_answer_probe(&each.agent, second);
        lane_assert_log(&each,
                        fails ? "guest-shutdown: no\nsynced\n" : "guest-shutdown {}\nsynced\n");
        lane_tear_down(&each, NULL);
    }
}

/* ---- Agents without guest-sync-delimited ----------------------------------------------------- */

static void answer_plain(LaneFixture *fixture, gint64 token)
{
    g_autofree char *text =
        g_strdup_printf(COMPLAINT "{\"return\": %" G_GINT64_FORMAT "}\n", token);

    peer_send(&fixture->agent, text);
    world_settle(&fixture->world);
}

static void sync_plain(LaneFixture *fixture)
{
    world_settle(&fixture->world);
    fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    peer_send(&fixture->agent, COMPLAINT NO_DELIMITED);
    world_settle(&fixture->world);
    answer_plain(fixture, fake_agent_take_probe(&fixture->agent, "guest-sync"));
}

/* It is asked again at once in the words it knows. */
static void test_no_delimited(LaneFixture *fixture, gconstpointer unused)
{
    agent_lane_connect(fixture->lane);
    sync_plain(fixture);
    lane_assert_log(fixture, "synced\n");
    lane_submit(fixture, "guest-ping");
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "guest-ping {}\n");
}

/* An agent of 2011 knows neither. That its complaints come in the place of an answer must not make
 * a shutdown that works look like one that failed. */
static void test_oldest_silent(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *again = NULL;
    g_autofree char *probe = NULL;
    gint64 token;

    agent_lane_connect(fixture->lane);
    sync_plain(fixture);
    lane_assert_log(fixture, "synced\n");
    lane_submit(fixture, "guest-shutdown");
    lane_take_silent(fixture, "guest-shutdown", NULL);
    peer_send(&fixture->agent, NO_ID COMPLAINT NO_DELIMITED);
    world_settle(&fixture->world);
    again = peer_take_line(&fixture->agent);
    g_assert_cmpstr(again, ==, "{\"execute\":\"guest-shutdown\"}\n");
    probe = peer_take_line(&fixture->agent);
    g_assert_nonnull(strstr(probe, "guest-sync-delimited"));
    token = fake_agent_take_probe(&fixture->agent, "guest-sync");

    peer_send(&fixture->agent, COMPLAINT NO_DELIMITED);
    world_pass_ms(&fixture->world, 10000);
    lane_assert_log(fixture, "");
    peer_expect(&fixture->agent, "");
    answer_plain(fixture, token);
    lane_assert_log(fixture, "guest-shutdown {}\nsynced\n");
}

int main(int argc, char **argv)
{
#define ADD(path, set_up, test) g_test_add(path, LaneFixture, NULL, set_up, test, lane_tear_down)
#define ADD_TABLE(path, test)   g_test_add(path, LaneFixture, NULL, NULL, test, NULL)
    g_test_init(&argc, &argv, NULL);
    ADD("/agent-lane-old/silent-success", lane_set_up_ready, test_silent_success);
    ADD("/agent-lane-old/silent-failure", lane_set_up_ready, test_silent_failure);
    ADD_TABLE("/agent-lane-old/silent-goes", test_silent_goes);
    ADD("/agent-lane-old/stopped-under-another", lane_set_up_ready, test_stopped_under_another);
    ADD("/agent-lane-old/silent-time-limit", lane_set_up_ready, test_silent_time_limit);
    ADD("/agent-lane-old/no-id", lane_set_up_ready, test_no_id);
    ADD("/agent-lane-old/no-id-late", lane_set_up_ready, test_no_id_late);
    ADD("/agent-lane-old/no-id-twice", lane_set_up_ready, test_no_id_twice);
    ADD("/agent-lane-old/refuses-for-ever", lane_set_up_ready, test_refuses_for_ever);
    ADD_TABLE("/agent-lane-old/no-id-silent", test_no_id_silent);
    ADD("/agent-lane-old/no-delimited", lane_set_up, test_no_delimited);
    ADD("/agent-lane-old/oldest-silent", lane_set_up, test_oldest_silent);
    return g_test_run();
}
