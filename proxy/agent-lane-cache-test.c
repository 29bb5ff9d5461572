/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent's lane with answers that are given again: the agent is not asked, for as long as
 * nothing has happened that the answer could leave out.
 */

#include "agent-lane-fixture.h"

#include "common/limits.h"

static void set_up(LaneFixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    lane_set_up_ready(fixture, unused);
    g_assert_true(agent_lane_allow_cache(fixture->lane, "guest-get-osinfo=60", &error));
    g_assert_no_error(error);
}

static void assert_cached(LaneFixture *fixture, const char *value)
{
    g_autofree char *expected = g_strdup_printf("guest-get-osinfo %s\n", value);

    lane_submit(fixture, "guest-get-osinfo");
    lane_assert_log(fixture, expected);
    peer_expect(&fixture->agent, "");
}

/* The agent is asked, and what it says is kept. */
static void ask(LaneFixture *fixture, const char *value)
{
    g_autofree char *expected = g_strdup_printf("guest-get-osinfo %s\n", value);

    lane_submit(fixture, "guest-get-osinfo");
    lane_take_and_answer(fixture, "guest-get-osinfo", value);
    lane_assert_log(fixture, expected);
    assert_cached(fixture, value);
}

/* Once for all, until it is too old; also while another command is under way. */
static void test_again(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    ask(fixture, "\"a\"");
    lane_submit(fixture, "guest-get-users");
    id = lane_take(fixture, "guest-get-users");
    assert_cached(fixture, "\"a\"");
    fake_agent_return(&fixture->agent, id, "[]");
    lane_assert_log(fixture, "guest-get-users []\n");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).commands, ==, 2);
    g_assert_cmpuint(agent_lane_stats(fixture->lane).cache_hits, ==, 2);
    world_pass_ms(&fixture->world, 59 * 1000);
    assert_cached(fixture, "\"a\"");
    world_pass_ms(&fixture->world, 1000);
    ask(fixture, "\"b\"");
}

/* It is as old as its question, however long the agent took. */
static void test_age_of_question(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    lane_submit(fixture, "guest-get-osinfo");
    id = lane_take(fixture, "guest-get-osinfo");
    world_pass_ms(&fixture->world, 50 * 1000);
    fake_agent_return(&fixture->agent, id, "1");
    lane_assert_log(fixture, "guest-get-osinfo 1\n");
    assert_cached(fixture, "1");
    world_pass_ms(&fixture->world, 10 * 1000);
    ask(fixture, "2");
}

static void test_errors_are_not_kept(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *error = NULL;

    lane_submit(fixture, "guest-get-osinfo");
    id = lane_take(fixture, "guest-get-osinfo");
    error = g_strdup_printf(
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": %s}\n", id);
    peer_send(&fixture->agent, error);
    lane_assert_log(fixture, "guest-get-osinfo: no\n");
    ask(fixture, "1");
}

static void on_own(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    *(gboolean *)pending->owner = TRUE;
}

/* Our own commands ask what holds now, and what they were told serves the others. */
static void test_own(LaneFixture *fixture, gconstpointer unused)
{
    gboolean told = FALSE;

    ask(fixture, "1");
    agent_lane_submit(fixture->lane, pending_new_own("guest-get-osinfo", NULL, on_own, &told));
    g_assert_false(told);
    lane_take_and_answer(fixture, "guest-get-osinfo", "2");
    g_assert_true(told);
    assert_cached(fixture, "2");
}

/* ---- Changes --------------------------------------------------------------------------------- */

typedef enum {
    SYNC,
    PORT,
    REOPENED,
    FREEZE,
    THAW,
    STARTED,
    STOPPED,
    PAUSED,
    BLIND,
    CHANGES,
} Change;

/* Brings it about, and the lane back to where it can ask. */
static void change(LaneFixture *fixture, Change what)
{
    switch (what) {
    case SYNC: agent_lane_probe(fixture->lane); break;
    case PORT: agent_lane_set_port(fixture->lane, PORT_UNKNOWN, FALSE); return;
    case REOPENED:
        agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
        agent_lane_set_port(fixture->lane, PORT_OPEN, FALSE);
        break;
    case FREEZE: agent_lane_set_frozen(fixture->lane, TRUE); return;
    case THAW: agent_lane_set_frozen(fixture->lane, FALSE); return;
    case STOPPED:
        agent_lane_guest_stopped(fixture->lane, AGENT_ASLEEP);
        agent_lane_guest_started(fixture->lane, "awake");
        break;
    case PAUSED:
        agent_lane_set_paused(fixture->lane, TRUE);
        agent_lane_set_paused(fixture->lane, FALSE);
        return;
    case BLIND:
        agent_lane_set_blind(fixture->lane, TRUE);
        agent_lane_set_blind(fixture->lane, FALSE);
        break;
    default: agent_lane_guest_started(fixture->lane, "started"); break;
    }
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
}

/* Whatever it was, the agent is asked again. */
static void test_changes(LaneFixture *unused_fixture, gconstpointer unused)
{
    for (Change what = 0; what < CHANGES; what++) {
        LaneFixture each;

        set_up(&each, NULL);
        ask(&each, "1");
        change(&each, what);
        ask(&each, "2");
        lane_tear_down(&each, NULL);
    }
}

/* What was asked before a change and answered behind it is not kept. */
static void test_change_in_flight(LaneFixture *unused_fixture, gconstpointer unused)
{
    static const Change changes[] = {PORT, FREEZE, THAW, PAUSED};

    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
        LaneFixture each;
        g_autofree char *id = NULL;

        set_up(&each, NULL);
        lane_submit(&each, "guest-get-osinfo");
        id = lane_take(&each, "guest-get-osinfo");
        change(&each, changes[i]);
        fake_agent_return(&each.agent, id, "1");
        lane_assert_log(&each, "guest-get-osinfo 1\n");
        ask(&each, "2");
        lane_tear_down(&each, NULL);
    }
}

/* What may change something ends it as soon as it is sent, whatever becomes of it; what only tells
 * does not. */
static void test_commands(LaneFixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *name;
        gboolean ends_it;
    } cases[] = {
        {"guest-ping", FALSE},         {"guest-get-time", FALSE}, {"guest-fsfreeze-status", FALSE},
        {"guest-get-users", FALSE},    {"guest-exec", TRUE},      {"guest-exec-status", TRUE},
        {"guest-file-write", TRUE},    {"guest-set-time", TRUE},  {"guest-fsfreeze-thaw", TRUE},
        {"guest-no-such-thing", TRUE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *id = NULL;

        lane_submit(fixture, "guest-get-osinfo");
        if (i == 0 || cases[i - 1].ends_it)
            lane_take_and_answer(fixture, "guest-get-osinfo", "1");
        lane_assert_log(fixture, "guest-get-osinfo 1\n");
        lane_submit(fixture, cases[i].name);
        id = lane_take(fixture, cases[i].name);
        lane_submit(fixture, "guest-get-osinfo");
        lane_assert_log(fixture, cases[i].ends_it ? "" : "guest-get-osinfo 1\n");
        fake_agent_return(&fixture->agent, id, "0");
        if (cases[i].ends_it)
            lane_take_and_answer(fixture, "guest-get-osinfo", "1");
        world_settle(&fixture->world);
        g_string_truncate(fixture->log, 0);
        if (cases[i].ends_it)
            agent_lane_set_frozen(fixture->lane, FALSE); /* forgets it, for the next */
    }
}

/* A port that tells nothing may have been closed meanwhile: it is looked at, and the agent asked.
 */
static void test_must_ask(LaneFixture *fixture, gconstpointer unused)
{
    ask(fixture, "1");
    agent_lane_set_port(fixture->lane, PORT_OPEN, TRUE);
    lane_submit(fixture, "guest-get-osinfo");
    lane_assert_log(fixture, "ask\n");
    agent_lane_set_port(fixture->lane, PORT_OPEN, TRUE);
    lane_take_and_answer(fixture, "guest-get-osinfo", "2");
    lane_assert_log(fixture, "guest-get-osinfo 2\n");
}

/* Who may not ask is told so, whatever is kept. */
static void test_obstacles(LaneFixture *fixture, gconstpointer unused)
{
    ask(fixture, "1");
    agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
    lane_submit(fixture, "guest-get-osinfo");
    lane_assert_log(fixture, "guest-get-osinfo: " NOT_OPEN "; guest-get-osinfo was not sent\n");
}

int main(int argc, char **argv)
{
#define ADD(path, test)       g_test_add(path, LaneFixture, NULL, set_up, test, lane_tear_down)
#define ADD_TABLE(path, test) g_test_add(path, LaneFixture, NULL, NULL, test, NULL)
    g_test_init(&argc, &argv, NULL);
    ADD("/agent-lane-cache/again", test_again);
    ADD("/agent-lane-cache/age-of-question", test_age_of_question);
    ADD("/agent-lane-cache/errors-are-not-kept", test_errors_are_not_kept);
    ADD("/agent-lane-cache/own", test_own);
    ADD_TABLE("/agent-lane-cache/changes", test_changes);
    ADD_TABLE("/agent-lane-cache/change-in-flight", test_change_in_flight);
    ADD("/agent-lane-cache/commands", test_commands);
    ADD("/agent-lane-cache/must-ask", test_must_ask);
    ADD("/agent-lane-cache/obstacles", test_obstacles);
    return g_test_run();
}
