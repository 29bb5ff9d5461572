/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent's lane where several ask the same: one command goes to the agent, and each asker has
 * its answer, its time and its leaving for itself.
 */

#include "agent-lane-fixture.h"

#include <string.h>

#include "common/limits.h"

/* Sends what keeps the others waiting. */
static char *occupy(LaneFixture *fixture)
{
    lane_submit(fixture, "guest-ping");
    return lane_take(fixture, "guest-ping");
}

static void leave_off(LaneFixture *fixture, const char *id)
{
    fake_agent_return(&fixture->agent, id, "{}");
    world_settle(&fixture->world);
}

/* What waits unsent is joined, wherever it stands and however empty arguments are written; what
 * asks with other arguments is another question. */
static void test_joins(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = occupy(fixture);
    g_autofree char *line = NULL;

    lane_submit(fixture, "guest-get-osinfo");
    lane_submit(fixture, "guest-get-users");
    lane_submit_with(fixture, "guest-get-osinfo", "{ }");
    lane_submit_with(fixture, "guest-get-osinfo", "{\"a\": 1}");
    lane_submit_with(fixture, "guest-get-osinfo", "{}");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).queued, ==, 5);
    leave_off(fixture, id);
    lane_take_and_answer(fixture, "guest-get-osinfo", "\"os\"");
    lane_take_and_answer(fixture, "guest-get-users", "[]");
    line = peer_take_line(&fixture->agent);
    g_assert_true(g_str_has_prefix(
        line, "{\"execute\":\"guest-get-osinfo\",\"arguments\":{\"a\":1},\"id\":"));
    lane_assert_log(fixture, "guest-ping {}\nguest-get-osinfo \"os\"\nguest-get-osinfo \"os\"\n"
                             "guest-get-osinfo \"os\"\nguest-get-users []\n");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).commands, ==, 4);
    g_assert_cmpuint(agent_lane_stats(fixture->lane).coalesced, ==, 2);
}

/* What was sent may tell of the time before: it is not joined. */
static void test_not_what_is_sent(LaneFixture *fixture, gconstpointer unused)
{
    lane_submit(fixture, "guest-get-osinfo");
    lane_submit(fixture, "guest-get-osinfo");
    lane_take_and_answer(fixture, "guest-get-osinfo", "1");
    lane_assert_log(fixture, "guest-get-osinfo 1\n");
    lane_take_and_answer(fixture, "guest-get-osinfo", "2");
    lane_assert_log(fixture, "guest-get-osinfo 2\n");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).coalesced, ==, 0);
}

/* What has an effect, tells the time or is to prove something is sent for each who asks. */
static void test_not_shared(LaneFixture *fixture, gconstpointer unused)
{
    static const char *const names[] = {
        "guest-get-time",    "guest-ping",      "guest-fsfreeze-status", "guest-exec",
        "guest-exec-status", "guest-file-read", "guest-fsfreeze-thaw",   "guest-no-such-thing"};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *id = occupy(fixture);

        lane_submit(fixture, names[i]);
        lane_submit(fixture, names[i]);
        leave_off(fixture, id);
        lane_take_and_answer(fixture, names[i], "1");
        lane_take_and_answer(fixture, names[i], "2");
    }
    g_assert_cmpuint(agent_lane_stats(fixture->lane).coalesced, ==, 0);
}

/* An error is everybody's, too. */
static void test_error(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = occupy(fixture);
    g_autofree char *id = NULL;
    g_autofree char *error = NULL;

    lane_submit(fixture, "guest-get-users");
    lane_submit(fixture, "guest-get-users");
    leave_off(fixture, ping);
    id = lane_take(fixture, "guest-get-users");
    error = g_strdup_printf(
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": %s}\n", id);
    peer_send(&fixture->agent, error);
    lane_assert_log(fixture, "guest-ping {}\nguest-get-users: no\nguest-get-users: no\n");
}

/* ---- Leaving --------------------------------------------------------------------------------- */

/* Who asked first, or last, leaves before the command was sent, or after: the other is answered. */
static void test_leaves(LaneFixture *unused_fixture, gconstpointer unused)
{
    for (guint way = 0; way < 4; way++) {
        gboolean first = way & 1, sent = way & 2;
        LaneFixture each;
        Pending *askers[2];
        g_autofree char *ping = NULL;
        g_autofree char *id = NULL;

        lane_set_up_ready(&each, NULL);
        ping = occupy(&each);
        askers[0] = lane_submit(&each, "guest-get-osinfo");
        askers[1] = lane_submit(&each, "guest-get-osinfo");
        if (!sent)
            pending_orphan(askers[first ? 0 : 1]);
        leave_off(&each, ping);
        id = lane_take(&each, "guest-get-osinfo");
        if (sent)
            pending_orphan(askers[first ? 0 : 1]);
        lane_assert_log(&each, sent ? "guest-ping {}\n"
                                    : "guest-ping {}\nguest-get-osinfo: The client has left\n");
        fake_agent_return(&each.agent, id, "1");
        lane_assert_log(&each,
                        sent ? "guest-get-osinfo 1\nguest-get-osinfo 1\n" : "guest-get-osinfo 1\n");
        lane_tear_down(&each, NULL);
    }
}

/* With the last of them the question goes. */
static void test_all_leave(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = occupy(fixture);
    Pending *first = lane_submit(fixture, "guest-get-osinfo");

    pending_orphan(lane_submit(fixture, "guest-get-osinfo"));
    pending_orphan(first);
    leave_off(fixture, ping);
    lane_assert_log(fixture, "guest-ping {}\nguest-get-osinfo: The client has left\n"
                             "guest-get-osinfo: The client has left\n");
    peer_expect(&fixture->agent, "");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).queued, ==, 0);
}

static void count(Pending *pending, gpointer found)
{
    if (g_str_equal(pending->name, "guest-get-osinfo"))
        ++*(guint *)found;
}

typedef struct {
    LaneFixture *fixture;
    guint to_come[3]; /* how many can still be found, as each was told */
    guint told;
} Telling;

static void on_told(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Telling *telling = pending->owner;

    agent_lane_foreach(telling->fixture->lane, count, &telling->to_come[telling->told++]);
}

/* While one is told, another may leave: it can be found, also where all are told of a failure. */
static void test_leaves_while_told(LaneFixture *fixture, gconstpointer unused)
{
    for (guint late = 0; late < 2; late++) {
        Telling telling = {.fixture = fixture};
        g_autofree char *ping = occupy(fixture);

        for (guint i = 0; i < 3; i++)
            agent_lane_submit(fixture->lane,
                              pending_new_own("guest-get-osinfo", NULL, on_told, &telling));
        leave_off(fixture, ping);
        if (late) {
            g_free(lane_take(fixture, "guest-get-osinfo"));
            world_pass_ms(&fixture->world, LIMIT_SECONDS_SLOW * 1000 + 20);
        } else {
            lane_take_and_answer(fixture, "guest-get-osinfo", "1");
        }
        g_assert_cmpuint(telling.told, ==, 3);
        for (guint i = 0; i < 3; i++)
            g_assert_cmpuint(telling.to_come[i], ==, 2 - i);
    }
    g_string_truncate(fixture->log, 0);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void ask_with(LaneFixture *fixture, guint seconds)
{
    /* before the pump looks at it, since ping is under way */
    lane_submit(fixture, "guest-get-osinfo")->seconds = seconds;
}

/* Each has its own time: it fails alone, while the last has some left the command is under way, and
 * then what comes late is nobody's. */
static void test_own_time(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = occupy(fixture);
    g_autofree char *id = NULL;

    ask_with(fixture, 4);
    ask_with(fixture, 2);
    ask_with(fixture, 6);
    leave_off(fixture, ping);
    id = lane_take(fixture, "guest-get-osinfo");
    lane_assert_log(fixture, "guest-ping {}\n");
    world_pass_ms(&fixture->world, 1980);
    lane_assert_log(fixture, "");
    world_pass_ms(&fixture->world, 40);
    lane_assert_log(fixture, "guest-get-osinfo: The guest agent did not answer within 2 s; "
                             "guest-get-osinfo " OUTCOME);
    g_assert_cmpint(agent_lane_state(fixture->lane), ==, AGENT_BUSY);
    world_pass_ms(&fixture->world, 2000);
    lane_assert_log(fixture, "guest-get-osinfo: The guest agent did not answer within 4 s; "
                             "guest-get-osinfo " OUTCOME);
    peer_expect(&fixture->agent, "");
    world_pass_ms(&fixture->world, 2000);
    lane_assert_log(fixture, "guest-get-osinfo: The guest agent did not answer within 6 s; "
                             "guest-get-osinfo " OUTCOME);
    g_assert_cmpuint(agent_lane_stats(fixture->lane).timeouts, ==, 3);
    fake_agent_return(&fixture->agent, id, "\"late\"");
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
}

/* One that fails early costs the others nothing. */
static void test_shortest_fails_alone(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = occupy(fixture);
    g_autofree char *id = NULL;

    ask_with(fixture, 1);
    ask_with(fixture, 0);
    leave_off(fixture, ping);
    id = lane_take(fixture, "guest-get-osinfo");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_SLOW * 1000 - 40);
    fake_agent_return(&fixture->agent, id, "1");
    lane_assert_log(fixture, "guest-ping {}\n"
                             "guest-get-osinfo: The guest agent did not answer within 1 s; "
                             "guest-get-osinfo " OUTCOME "guest-get-osinfo 1\n");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).syncs, ==, 1);
}

/* A pause is nobody's time. */
static void test_pause(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = occupy(fixture);

    ask_with(fixture, 2);
    ask_with(fixture, 4);
    leave_off(fixture, ping);
    g_free(lane_take(fixture, "guest-get-osinfo"));
    agent_lane_set_paused(fixture->lane, TRUE);
    world_pass_ms(&fixture->world, 60 * 1000);
    agent_lane_set_paused(fixture->lane, FALSE);
    world_pass_ms(&fixture->world, 1900);
    lane_assert_log(fixture, "guest-ping {}\n");
    world_pass_ms(&fixture->world, 2000);
    lane_assert_log(fixture, "guest-get-osinfo: The guest agent did not answer within 2 s; "
                             "guest-get-osinfo " OUTCOME);
    world_pass_ms(&fixture->world, 200);
    lane_assert_log(fixture, "guest-get-osinfo: The guest agent did not answer within 4 s; "
                             "guest-get-osinfo " OUTCOME);
}

/* Whatever ends it ends it for all, sent or not. */
static void test_lost(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = occupy(fixture);

    lane_submit(fixture, "guest-get-osinfo");
    lane_submit(fixture, "guest-get-osinfo");
    leave_off(fixture, ping);
    g_free(lane_take(fixture, "guest-get-osinfo"));
    lane_submit(fixture, "guest-get-users");
    lane_submit(fixture, "guest-get-users");
    agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
    lane_assert_log(fixture,
                    "guest-ping {}\n"
                    "guest-get-osinfo: The guest agent closed its port; guest-get-osinfo " OUTCOME
                    "guest-get-osinfo: The guest agent closed its port; guest-get-osinfo " OUTCOME
                    "guest-get-users: " NOT_OPEN "; guest-get-users was not sent\n"
                    "guest-get-users: " NOT_OPEN "; guest-get-users was not sent\n");
}

/* A large result is handed to each as it is, be it in the form that it is to have or written anew;
 * what came behind it in one read comes next. */
static void test_large(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *text = g_strnfill(20000, 'x');
    g_autofree char *value = g_strdup_printf("[\"%s\", {\"a\": 1}]", text);
    g_autofree char *other = g_strdup_printf("['%s',{'a':1}]", text);
    g_autofree char *expected = g_strdup_printf(
        "guest-ping {}\nguest-get-osinfo %s\nguest-get-osinfo %s\nguest-ping {}\n", value, value);
    const char *const sent[] = {value, other};

    for (gsize i = 0; i < G_N_ELEMENTS(sent); i++) {
        g_autofree char *ping = occupy(fixture);
        g_autofree char *id = NULL;
        g_autofree char *reply = NULL;
        guint64 dropped = agent_lane_stats(fixture->lane).dropped;

        lane_submit(fixture, "guest-get-osinfo");
        lane_submit(fixture, "guest-get-osinfo");
        leave_off(fixture, ping);
        id = lane_take(fixture, "guest-get-osinfo");
        reply = g_strdup_printf("{\"return\": %s, \"id\": %s}{\"return\": 1}\n{\"half\": [",
                                sent[i], id);
        peer_send(&fixture->agent, reply);
        world_settle(&fixture->world);
        g_assert_cmpuint(agent_lane_stats(fixture->lane).dropped, ==, dropped + 1);
        peer_send(&fixture->agent, "1]}\n");
        world_settle(&fixture->world);
        g_assert_cmpuint(agent_lane_stats(fixture->lane).dropped, ==, dropped + 2);
        lane_submit(fixture, "guest-ping");
        lane_take_and_answer(fixture, "guest-ping", "{}");
        lane_assert_log(fixture, expected);
    }
}

int main(int argc, char **argv)
{
#define ADD(path, test) g_test_add(path, LaneFixture, NULL, lane_set_up_ready, test, lane_tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/agent-lane-shared/joins", test_joins);
    ADD("/agent-lane-shared/not-what-is-sent", test_not_what_is_sent);
    ADD("/agent-lane-shared/not-shared", test_not_shared);
    ADD("/agent-lane-shared/error", test_error);
    g_test_add("/agent-lane-shared/leaves", LaneFixture, NULL, NULL, test_leaves, NULL);
    ADD("/agent-lane-shared/all-leave", test_all_leave);
    ADD("/agent-lane-shared/leaves-while-told", test_leaves_while_told);
    ADD("/agent-lane-shared/own-time", test_own_time);
    ADD("/agent-lane-shared/shortest-fails-alone", test_shortest_fails_alone);
    ADD("/agent-lane-shared/pause", test_pause);
    ADD("/agent-lane-shared/lost", test_lost);
    ADD("/agent-lane-shared/large", test_large);
    return g_test_run();
}
