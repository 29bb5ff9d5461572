/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent's lane against a guest that means harm: whatever it sends, the command under way gets
 * one reply to itself or an error that says so, nobody gets anything else, and the next command
 * works as soon as the agent is honest.
 */

#include "agent-lane-fixture.h"

#include <stdio.h>
#include <string.h>

#include "common/limits.h"

#define TIMED_OUT "guest-ping: The guest agent did not answer within 10 s; guest-ping " OUTCOME
#define NO_REPLY  "guest-ping: The guest agent sent something that is no reply; guest-ping " OUTCOME

/* The lane works again: a sync, where it wants one, then a command. */
static void assert_recovers(LaneFixture *fixture)
{
    world_settle(&fixture->world);
    if (agent_lane_state(fixture->lane) == AGENT_SYNCING) {
        fake_agent_sync(&fixture->agent, &fixture->world);
        lane_assert_log(fixture, "synced\n");
    }
    lane_submit(fixture, "guest-info");
    lane_take_and_answer(fixture, "guest-info", "\"honest\"");
    lane_assert_log(fixture, "guest-info \"honest\"\n");
}

static char *with_id(const char *text, const char *id)
{
    g_auto(GStrv) parts = g_strsplit(text, "ID", -1);

    return g_strjoinv(id, parts);
}

/* ---- Replies --------------------------------------------------------------------------------- */

/* ID stands for the id of the command under way. What is not its answer is dropped, and the command
 * waits; what cannot be told apart fails it at once. */
static void test_replies(LaneFixture *unused_fixture, gconstpointer unused)
{
    static const struct {
        const char *input;
        const char *told; /* at once; NULL where it runs into its time limit */
    } cases[] = {
        /* not the answer */
        {"", NULL},
        {"{\"return\": 1}\n", NULL},
        {"{\"return\": 1, \"id\": 1}\n", NULL},
        {"{\"return\": 1, \"id\": ID0}\n", NULL},
        {"{\"return\": 1, \"id\": \"ID\"}\n", NULL},
        {"{\"return\": 1, \"id\": ID.0}\n", NULL},
        {"{\"return\": 1, \"id\": -ID}\n", NULL},
        {"{\"return\": 1, \"id\": [ID]}\n", NULL},
        {"{\"id\": ID}\n", NULL},
        {"{\"error\": {\"class\": \"C\", \"desc\": \"d\"}, \"return\": 1, \"id\": ID}\n", NULL},
        {"{\"return\": 1, \"id\": ID, \"event\": \"STOP\"}\n", NULL},
        {"{\"return\": 1, \"id\": ID, \"extra\": 1}\n", NULL},
        {"{\"error\": {\"class\": \"GenericError\"}, \"id\": ID}\n", NULL},
        {"{\"error\": {\"desc\": \"d\"}, \"id\": ID}\n", NULL},
        {"{\"error\": {\"class\": \"C\", \"desc\": 5}, \"id\": ID}\n", NULL},
        {"{\"error\": \"text\", \"id\": ID}\n", NULL},
        {"{\"error\": {\"class\": \"C\", \"desc\": \"JSON parse error\"}}\n", NULL},
        {"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 1}, \"event\": \"SHUTDOWN\"}\n", NULL},
        {"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n", NULL},
        {"[{\"return\": 1, \"id\": ID}] 5 \"text\" null\n", NULL},
        {"{\"return\": 1, \"id\": ID", NULL},
        /* the answer, with something before or behind it, or written oddly */
        {"{\"event\": \"X\"}{\"return\": 5, \"id\": 7}\n{\"return\": 1, \"id\": ID}\n",
         "guest-ping 1\n"},
        {"{\"return\": 1, \"id\": ID}{\"return\": 2, \"id\": ID}\n", "guest-ping 1\n"},
        {"\xff\xff\xff\xff\xff{\"return\": 1, \"id\": ID}\xff\xff\xff\n", "guest-ping 1\n"},
        {"{\"return\": {\"a\xff{\"return\": 1, \"id\": ID}\n", "guest-ping 1\n"},
        {"{\"return\":\r{ 'a' :\r\n[\t1.50,\"\xc3\xa9\\u0000\\/\"] },\"id\":\rID}\r\n",
         "guest-ping {\"a\": [1.50, \"\\u00E9\\u0000/\"]}\n"},
        {"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"d\"}, \"id\": ID}\n",
         "guest-ping: d\n"},
        {"{\"return\": 1, \"error\": {\"class\": \"C\", \"desc\": \"d\"}, \"id\": ID}\n",
         "guest-ping: d\n"},
        {"{\"error\": {\"class\": \"EvilClass\", \"desc\": \"a\\r\\nb\"}, \"id\": ID}\n",
         "guest-ping: a\r\nb\n"},
        /* no reply at all */
        {"{\"return\": \"\x80\", \"id\": ID}\n", NO_REPLY},
        {"{\"return\": \"\xed\xa0\x80\", \"id\": ID}\n", NO_REPLY},
        {"{\"return\": \"\\ud800\", \"id\": ID}\n", NO_REPLY},
        {"{\"return\": 1, \"return\": 2, \"id\": ID}\n", NO_REPLY},
        {"{\"return\": 01, \"id\": ID}\n", NO_REPLY},
        {"{\"return\": \"\x01\", \"id\": ID}\n", NO_REPLY},
        {"}\n", NO_REPLY},
        {"login: ", NO_REPLY},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        LaneFixture each;
        g_autofree char *id = NULL;
        g_autofree char *input = NULL;
        g_autofree char *shown = g_strescape(cases[i].input, NULL);

        g_test_message("%s", shown);
        lane_set_up_ready(&each, NULL);
        lane_submit(&each, "guest-ping");
        id = lane_take(&each, "guest-ping");
        input = with_id(cases[i].input, id);
        peer_send(&each.agent, input);
        lane_assert_log(&each, cases[i].told ? cases[i].told : "");
        if (!cases[i].told) {
            world_pass_ms(&each.world, LIMIT_SECONDS_QUICK * 1000);
            lane_assert_log(&each, TIMED_OUT);
        }
        assert_recovers(&each);
        lane_tear_down(&each, NULL);
    }
}

static void test_long_desc(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *desc = g_strnfill(LIMIT_AGENT_ERROR_DESC + 1000, 'x');
    g_autofree char *id = NULL;
    g_autofree char *error = NULL;

    lane_submit(fixture, "guest-ping");
    id = lane_take(fixture, "guest-ping");
    error =
        g_strdup_printf("{\"error\": {\"class\": \"C\", \"desc\": \"%s\"}, \"id\": %s}", desc, id);
    peer_send(&fixture->agent, error);
    world_settle(&fixture->world);
    g_assert_cmpuint(fixture->log->len, ==, strlen("guest-ping: \n") + LIMIT_AGENT_ERROR_DESC);
    g_string_truncate(fixture->log, 0);
    assert_recovers(fixture);
}

/* A NUL ends the message that it stands in, like any control byte, and nothing else. */
static void test_nul(LaneFixture *fixture, gconstpointer unused)
{
    static const char nul[] = "{\"return\": \"a\0b";

    lane_submit(fixture, "guest-ping");
    g_assert_cmpuint(peer_offer(&fixture->agent, nul, sizeof nul - 1), ==, sizeof nul - 1);
    world_settle(&fixture->world);
    lane_take_and_answer(fixture, "guest-ping", "1");
    lane_assert_log(fixture, NO_REPLY);
    assert_recovers(fixture);
}

/* As deep as QEMU takes it, and one more. */
static void test_deep(LaneFixture *fixture, gconstpointer unused)
{
    for (guint too_deep = 0; too_deep < 2; too_deep++) {
        guint depth = LIMIT_JSON_NESTING - 1 + too_deep;
        g_autofree char *opening = g_strnfill(depth, '[');
        g_autofree char *closing = g_strnfill(depth, ']');
        g_autofree char *value = g_strconcat(opening, closing, NULL);
        g_autofree char *told = g_strdup_printf("guest-ping %s\n", value);

        lane_submit(fixture, "guest-ping");
        lane_take_and_answer(fixture, "guest-ping", value);
        lane_assert_log(fixture, too_deep ? NO_REPLY : told);
        assert_recovers(fixture);
    }
}

/* Its reply comes in the flight of the next command, and of the one after. */
static void test_replayed(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    lane_submit(fixture, "guest-ping");
    id = lane_take(fixture, "guest-ping");
    fake_agent_return(&fixture->agent, id, "{}");
    lane_assert_log(fixture, "guest-ping {}\n");
    for (guint i = 0; i < 2; i++) {
        fake_agent_return(&fixture->agent, id, "{}");
        lane_submit(fixture, "guest-info");
        fake_agent_return(&fixture->agent, id, "{}");
        lane_take_and_answer(fixture, "guest-info", "1");
        lane_assert_log(fixture, "guest-info 1\n");
    }
    g_assert_cmpuint(agent_lane_stats(fixture->lane).dropped, >=, 4);
}

/* Half a reply, and gone; then the other half, from whoever opens the port next. */
static void test_half_a_reply(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *rest = NULL;

    lane_submit(fixture, "guest-ping");
    id = lane_take(fixture, "guest-ping");
    peer_send(&fixture->agent, "{\"return\": {\"a\": 1");
    world_settle(&fixture->world);
    agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
    lane_assert_log(fixture, "guest-ping: The guest agent closed its port; guest-ping " OUTCOME);
    agent_lane_set_port(fixture->lane, PORT_OPEN, FALSE);
    rest = g_strdup_printf("}, \"id\": %s}\n", id);
    peer_send(&fixture->agent, rest);
    assert_recovers(fixture);
}

/* ---- Syncs ----------------------------------------------------------------------------------- */

/* The token is not to be guessed, and only an integer that is equal answers. */
static void test_forged_sync(LaneFixture *fixture, gconstpointer unused)
{
    gint64 token;
    g_autofree char *forged = NULL;

    agent_lane_connect(fixture->lane);
    world_settle(&fixture->world);
    token = fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    forged = g_strdup_printf(
        "{\"return\": -1}{\"return\": 0}\xff{\"return\": \"%1$" G_GINT64_FORMAT "\"}"
        "{\"return\": [%1$" G_GINT64_FORMAT "]}{\"return\": %1$" G_GINT64_FORMAT ".0}"
        "{\"return\": {\"id\": %1$" G_GINT64_FORMAT "}}{\"event\": %1$" G_GINT64_FORMAT "}",
        token);
    peer_send(&fixture->agent, forged);
    lane_assert_log(fixture, "");
    fake_agent_answer_probe(&fixture->agent, token);
    lane_assert_log(fixture, "synced\n");
    assert_recovers(fixture);
}

/* One that answers each sync and then sends rubbish does not make the loop spin: it gets a probe
 * for each answer, no more. */
static void test_sync_storm(LaneFixture *fixture, gconstpointer unused)
{
    guint64 before = agent_lane_stats(fixture->lane).syncs;

    for (guint i = 0; i < 20; i++) {
        peer_send(&fixture->agent, "}}}}}}\x80\x80");
        fake_agent_sync(&fixture->agent, &fixture->world);
        lane_assert_log(fixture, "synced\n");
    }
    g_assert_cmpuint(agent_lane_stats(fixture->lane).syncs - before, <=, 20);
    assert_recovers(fixture);
}

/* ---- Floods ---------------------------------------------------------------------------------- */

/* ASan keeps back 256 MiB of what was freed, which is all that the bound below would see. */
/* NOLINTBEGIN(bugprone-reserved-identifier): the sanitizer's own name */
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1";
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* Of the process, from the kernel. */
static gsize resident_bytes(void)
{
    g_autofree char *text = NULL;
    gsize size = 0, resident = 0;

    g_assert_true(g_file_get_contents("/proc/self/statm", &text, NULL, NULL));
    g_assert_cmpint(sscanf(text, "%" G_GSIZE_MODIFIER "u %" G_GSIZE_MODIFIER "u", &size, &resident),
                    ==, 2);
    return resident * 4096;
}

/* Up to 64 MiB without an end, in the flight of a command and beyond it: looked at and forgotten.
 * The bound leaves room for the buffer of one reply of 1 MiB while it grows. */
static void test_floods(LaneFixture *unused_fixture, gconstpointer unused)
{
    static const struct {
        const char *front;
        char filler;
        guint mib;
        const char *told;
    } cases[] = {
        {"{\"return\": \"", 'x', 8, NO_REPLY},
        {"{\"return\": [1", '1', 8, NO_REPLY},
        {"", '[', 64, NO_REPLY},
        {"", '{', 8, NO_REPLY},
        {"", '\xff', 8, ""},
        {"", ' ', 8, ""},
        {"", 'x', 8, NO_REPLY},
        {"{\"error\": ", '\\', 8, NO_REPLY},
    };
    g_autofree char *piece = g_malloc(64 * 1024);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        LaneFixture each;
        gsize sent = 0, before;
        g_autofree char *id = NULL;

        g_test_message("case %" G_GSIZE_FORMAT, i);
        lane_set_up_ready(&each, NULL);
        lane_submit(&each, "guest-ping");
        id = lane_take(&each, "guest-ping");
        memset(piece, cases[i].filler, 64 * 1024);
        peer_send(&each.agent, cases[i].front);
        before = resident_bytes();
        while (sent < cases[i].mib * 1024 * 1024) {
            sent += peer_offer(&each.agent, piece, 64 * 1024);
            world_settle(&each.world);
        }
        g_assert_cmpuint(resident_bytes(), <, before + 6 * 1024 * 1024);
        lane_assert_log(&each, cases[i].told);
        if (cases[i].told[0] == '\0')
            fake_agent_return(&each.agent, id, "1");
        lane_assert_log(&each, cases[i].told[0] ? "" : "guest-ping 1\n");
        assert_recovers(&each);
        lane_tear_down(&each, NULL);
    }
}

/* A guest that does not read: the command fails in its time, and the rest of it never arrives. */
static void test_does_not_read(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *filler = g_strnfill(4 * 1024 * 1024, 'x');
    g_autofree char *arguments = g_strdup_printf("{\"handle\":1,\"buf-b64\":\"%s\"}", filler);
    g_autofree char *came = NULL;

    lane_submit_with(fixture, "guest-file-write", arguments);
    world_pass_ms(&fixture->world, LIMIT_SECONDS_SLOW * 1000);
    lane_assert_log(fixture, "guest-file-write: The guest agent did not answer within 60 s; "
                             "guest-file-write " OUTCOME);
    for (guint i = 0; i < 100; i++) {
        g_autofree char *some = peer_take(&fixture->agent);
        g_autofree char *more = g_strconcat(came ? came : "", some, NULL);

        g_free(came);
        came = g_steal_pointer(&more);
        world_settle(&fixture->world);
    }
    g_assert_cmpuint(strlen(came), <, strlen(filler));
    g_assert_nonnull(strstr(came, "xxx\xff{\"execute\":\"guest-sync-delimited\""));
    fake_agent_answer_probe(&fixture->agent, g_ascii_strtoll(strrchr(came, ':') + 1, NULL, 10));
    lane_assert_log(fixture, "synced\n");
    assert_recovers(fixture);
}

/* The same for one that closes its port in between: what is left is not for the next boot. */
static void test_closes_unread(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *filler = g_strnfill(4 * 1024 * 1024, 'x');
    g_autofree char *arguments = g_strdup_printf("{\"handle\":1,\"buf-b64\":\"%s\"}", filler);
    gsize sent = 0;

    lane_submit_with(fixture, "guest-file-write", arguments);
    world_settle(&fixture->world);
    agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
    lane_assert_log(fixture, "guest-file-write: The guest agent closed its port; "
                             "guest-file-write " OUTCOME);
    for (guint i = 0; i < 100; i++) {
        g_autofree char *some = peer_take(&fixture->agent);

        sent += strlen(some);
        world_settle(&fixture->world);
    }
    g_assert_cmpuint(sent, <, strlen(filler));
    agent_lane_set_port(fixture->lane, PORT_OPEN, FALSE);
    assert_recovers(fixture);
}

int main(int argc, char **argv)
{
#define ADD(path, set_up, test) g_test_add(path, LaneFixture, NULL, set_up, test, lane_tear_down)
#define ADD_TABLE(path, test)   g_test_add(path, LaneFixture, NULL, NULL, test, NULL)
    g_test_init(&argc, &argv, NULL);
    ADD_TABLE("/agent-lane-hostile/replies", test_replies);
    ADD("/agent-lane-hostile/long-desc", lane_set_up_ready, test_long_desc);
    ADD("/agent-lane-hostile/nul", lane_set_up_ready, test_nul);
    ADD("/agent-lane-hostile/deep", lane_set_up_ready, test_deep);
    ADD("/agent-lane-hostile/replayed", lane_set_up_ready, test_replayed);
    ADD("/agent-lane-hostile/half-a-reply", lane_set_up_ready, test_half_a_reply);
    ADD("/agent-lane-hostile/forged-sync", lane_set_up, test_forged_sync);
    ADD("/agent-lane-hostile/sync-storm", lane_set_up_ready, test_sync_storm);
    ADD_TABLE("/agent-lane-hostile/floods", test_floods);
    ADD("/agent-lane-hostile/does-not-read", lane_set_up_ready, test_does_not_read);
    ADD("/agent-lane-hostile/closes-unread", lane_set_up_ready, test_closes_unread);
    return g_test_run();
}
