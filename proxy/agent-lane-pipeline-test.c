/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent's lane against an agent that has agreed to several commands under way: answers in any
 * order, what must not be beside what, what is late, and what an agent gains that lies.
 */

#include "agent-lane-fixture.h"

#include <string.h>

#include "common/limits.h"

#define ASKED "{\"execute\":\"guest-capabilities\",\"arguments\":"
#define AGREED(depth)                                                                     \
    "{\"enabled\": [\"lease\", \"pipeline\"], \"available\": [\"lease\", \"pipeline\"], " \
    "\"pipeline\": {\"depth\": " depth "}}"
#define WRITE     "{\"execute\":\"guest-file-write\",\"arguments\":"
#define RESTARTED "The guest agent was restarted; "

/* ---- The agent ------------------------------------------------------------------------------- */

/* Returns: (transfer full): the id of the next command; asserts that it is @front, up to its id */
static char *take_line(LaneFixture *fixture, const char *front)
{
    g_autofree char *line = NULL;
    g_autofree char *whole = g_strdup_printf("%s,\"id\":", front);

    do
        world_settle(&fixture->world);
    while (peer_read(&fixture->agent));
    line = peer_take_line(&fixture->agent);
    if (!g_str_has_prefix(line, whole))
        g_error("not %s came, but: %s", whole, line);
    return g_strndup(line + strlen(whole), strspn(line + strlen(whole), "0123456789"));
}

static char *take(LaneFixture *fixture, const char *name)
{
    g_autofree char *front = g_strdup_printf("{\"execute\":\"%s\"", name);

    return take_line(fixture, front);
}

static void answer(LaneFixture *fixture, const char *id, const char *value)
{
    fake_agent_return(&fixture->agent, id, value);
    world_settle(&fixture->world);
}

static void take_and_answer(LaneFixture *fixture, const char *name, const char *value)
{
    g_autofree char *id = take(fixture, name);

    answer(fixture, id, value);
}

static void agree_on(LaneFixture *fixture, const char *terms)
{
    g_autofree char *id = NULL;

    agent_lane_offer(fixture->lane, 330);
    id = take_line(fixture, ASKED "{\"enable\":[\"lease\",\"pipeline\"],\"lease\":330}");
    answer(fixture, id, terms);
}

static void agree(LaneFixture *fixture)
{
    agree_on(fixture, AGREED("16"));
}

static void set_up(LaneFixture *fixture, gconstpointer unused)
{
    lane_set_up_ready(fixture, unused);
    agree(fixture);
}

static void nothing_comes(LaneFixture *fixture)
{
    world_settle(&fixture->world);
    peer_expect(&fixture->agent, "");
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* Each answer finds its own command, and whoever asked first may be answered last. */
static void test_any_order(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *trim = NULL;
    g_autofree char *ping = NULL;

    lane_submit(fixture, "guest-fstrim");
    lane_submit(fixture, "guest-ping");
    lane_submit(fixture, "guest-get-osinfo");
    trim = take(fixture, "guest-fstrim");
    ping = take(fixture, "guest-ping");
    take_and_answer(fixture, "guest-get-osinfo", "1");
    answer(fixture, ping, "2");
    lane_assert_log(fixture, "guest-get-osinfo 1\nguest-ping 2\n");
    answer(fixture, trim, "3");
    lane_assert_log(fixture, "guest-fstrim 3\n");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).dropped, ==, 1); /* of the first sync's 0xFF */
}

/* As many as was agreed; a thaw is never one too many. */
static void test_depth(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    agree_on(fixture, AGREED("2"));
    lane_submit(fixture, "guest-get-osinfo");
    lane_submit(fixture, "guest-fstrim");
    lane_submit(fixture, "guest-ping");
    first = take(fixture, "guest-get-osinfo");
    second = take(fixture, "guest-fstrim");
    nothing_comes(fixture);
    lane_submit(fixture, "guest-fsfreeze-thaw");
    take_and_answer(fixture, "guest-fsfreeze-thaw", "0");
    nothing_comes(fixture);
    answer(fixture, first, "1");
    take_and_answer(fixture, "guest-ping", "2");
    answer(fixture, second, "3");
    lane_assert_log(fixture, "guest-fsfreeze-thaw 0\nguest-get-osinfo 1\nguest-ping 2\n"
                             "guest-fstrim 3\n");
}

/* What an agent offers is bounded, and what is no offer leaves things as they are. */
static void test_offers(LaneFixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *answer;
        guint depth;
    } cases[] = {
        {AGREED("1000000"), LIMIT_AGENT_IN_FLIGHT},
        {AGREED("-5"), 1},
        {AGREED("\"many\""), 1},
        {"{\"enabled\": [], \"pipeline\": {\"depth\": 9}}", 1},
        {"{\"enabled\": {\"pipeline\": 1}, \"pipeline\": {\"depth\": 9}}", 1},
        {"{\"enabled\": [\"pipeline\"]}", 1},
        {"[]", 1},
        {"7", 1},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint sent = 0;

        agree_on(fixture, cases[i].answer);
        for (guint n = 0; n < LIMIT_AGENT_IN_FLIGHT + 3; n++)
            lane_submit(fixture, "guest-fstrim");
        for (guint n = 0; n < LIMIT_AGENT_IN_FLIGHT + 3; n++) {
            g_autofree char *text = NULL;

            world_settle(&fixture->world);
            text = peer_take(&fixture->agent);
            for (const char *at = text; (at = strchr(at, '\n')); at++)
                sent++;
            if (n == 0)
                g_assert_cmpuint(sent, ==, cases[i].depth);
        }
        agent_lane_guest_lost(fixture->lane, "Lost");
        fake_agent_sync(&fixture->agent, &fixture->world);
        g_string_truncate(fixture->log, 0);
    }
}

/* Whatever an agent that refuses says, one at a time is what it is asked. */
static void test_refused(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *text = NULL;

    agent_lane_offer(fixture->lane, 330);
    id = take_line(fixture, ASKED "{\"enable\":[\"lease\",\"pipeline\"],\"lease\":330}");
    text = g_strdup_printf("{\"id\": %s, \"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                           "\"The command guest-capabilities has not been found\"}}\n",
                           id);
    peer_send(&fixture->agent, text);
    lane_submit(fixture, "guest-fstrim");
    lane_submit(fixture, "guest-ping");
    lane_take_and_answer(fixture, "guest-fstrim", "1");
    lane_take_and_answer(fixture, "guest-ping", "2");
    lane_assert_log(fixture, "guest-fstrim 1\nguest-ping 2\n");
}

/* ---- What goes alone ------------------------------------------------------------------------- */

/* A freeze and a thaw are one after the other, whatever is beside them. */
static void test_freeze_and_thaw(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *freeze = NULL;

    lane_submit(fixture, "guest-fsfreeze-freeze");
    freeze = take(fixture, "guest-fsfreeze-freeze");
    lane_submit(fixture, "guest-fsfreeze-thaw");
    lane_submit(fixture, "guest-ping");
    take_and_answer(fixture, "guest-ping", "{}");
    nothing_comes(fixture);
    answer(fixture, freeze, "2");
    lane_submit(fixture, "guest-fsfreeze-freeze");
    take_and_answer(fixture, "guest-fsfreeze-thaw", "2");
    take_and_answer(fixture, "guest-fsfreeze-freeze", "2");
    lane_assert_log(fixture, "guest-ping {}\nguest-fsfreeze-freeze 2\nguest-fsfreeze-thaw 2\n"
                             "guest-fsfreeze-freeze 2\n");
}

static void test_bulk(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = NULL;

    lane_submit(fixture, "guest-file-read");
    lane_submit(fixture, "guest-exec-status");
    lane_submit(fixture, "guest-ping");
    first = take(fixture, "guest-file-read");
    take_and_answer(fixture, "guest-ping", "{}");
    nothing_comes(fixture);
    answer(fixture, first, "1");
    take_and_answer(fixture, "guest-exec-status", "2");
    lane_assert_log(fixture, "guest-ping {}\nguest-file-read 1\nguest-exec-status 2\n");
}

/* In the plain protocol, with a sync behind it whose answer is its own; then all is agreed anew. */
static void test_silent(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *trim = NULL;
    g_autofree char *line = NULL;

    lane_submit(fixture, "guest-fstrim");
    lane_submit(fixture, "guest-suspend-ram");
    lane_submit(fixture, "guest-ping");
    trim = take(fixture, "guest-fstrim");
    nothing_comes(fixture);
    answer(fixture, trim, "1");
    world_settle(&fixture->world);
    line = peer_take_line(&fixture->agent);
    g_assert_true(g_str_has_prefix(line, "\xff{\"execute\":\"guest-suspend-ram\",\"id\":"));
    fake_agent_answer_probe(&fixture->agent,
                            fake_agent_take_probe(&fixture->agent, "guest-sync-delimited"));
    lane_assert_log(fixture, "guest-fstrim 1\nguest-suspend-ram {}\nsynced\n");
    take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "guest-ping {}\n");
}

/* A client's own sync would end what was agreed: a ping shows as well that the agent answers. */
static void test_clients_sync(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *trim = NULL;

    lane_submit(fixture, "guest-fstrim");
    trim = take(fixture, "guest-fstrim");
    lane_submit_with(fixture, "guest-sync", "{\"id\":7}");
    take_and_answer(fixture, "guest-ping", "{}");
    lane_submit_with(fixture, "guest-sync-delimited", "{\"id\":-8}");
    take_and_answer(fixture, "guest-ping", "{}");
    answer(fixture, trim, "1");
    lane_assert_log(fixture, "guest-sync 7\nguest-sync-delimited -8\nguest-fstrim 1\n");
}

/* One that is wrong is the agent's to refuse. That ends what was agreed too: a sync of ours
 * follows.
 */
static void test_clients_wrong_sync(LaneFixture *fixture, gconstpointer unused)
{
    static const char front[] = "\xff{\"execute\":\"guest-sync\",\"id\":";
    g_autofree char *line = NULL;
    g_autofree char *id = NULL;

    lane_submit(fixture, "guest-sync");
    lane_submit(fixture, "guest-ping");
    world_settle(&fixture->world);
    line = peer_take(&fixture->agent);
    g_assert_true(g_str_has_prefix(line, front));
    id = g_strndup(line + strlen(front), strspn(line + strlen(front), "0123456789"));
    answer(fixture, id, "7");
    lane_assert_log(fixture, "guest-sync 7\n");
    fake_agent_sync(&fixture->agent, &fixture->world);
    take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "synced\nguest-ping {}\n");
}

static char *write_arguments(char digit)
{
    GString *text = g_string_new("{\"handle\":1,\"buf-b64\":\"");
    const gsize len = text->len, digits = 45u * 1024 * 1024;

    g_string_set_size(text, len + digits);
    memset(text->str + len, digit, digits);
    g_string_append(text, "\"}");
    return g_string_free(text, FALSE);
}

/* Two of them are more than the queue takes: the second is sent once the guest has read the first,
 * and so is what comes behind, but for a thaw. */
static void test_large_commands(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = write_arguments('A');
    g_autofree char *second = write_arguments('B');
    g_autofree char *front = g_strdup_printf(WRITE "%s", first);
    g_autofree char *next = g_strdup_printf(WRITE "%s", second);
    g_autofree char *one = NULL, *two = NULL;

    lane_submit_with(fixture, "guest-file-write", first);
    lane_submit_with(fixture, "guest-file-write", second);
    lane_submit(fixture, "guest-ping");
    lane_submit(fixture, "guest-fsfreeze-thaw");
    one = take_line(fixture, front);
    take_and_answer(fixture, "guest-fsfreeze-thaw", "0");
    two = take_line(fixture, next);
    take_and_answer(fixture, "guest-ping", "{}");
    answer(fixture, two, "2");
    answer(fixture, one, "1");
    lane_assert_log(fixture, "guest-fsfreeze-thaw 0\nguest-ping {}\nguest-file-write 2\n"
                             "guest-file-write 1\n");
}

/* ---- What is late ---------------------------------------------------------------------------- */

/* One that takes too long costs nobody else an answer, and its own finds nobody. */
static void test_late(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *trim = NULL;
    g_autofree char *ping = NULL;
    g_autofree char *check = NULL;
    g_autofree char *thaw = NULL;
    guint64 dropped;

    lane_submit(fixture, "guest-fstrim");
    lane_submit(fixture, "guest-ping");
    trim = take(fixture, "guest-fstrim");
    ping = take(fixture, "guest-ping");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_QUICK * 1000 + 10);
    lane_assert_log(fixture, "guest-ping: The guest agent did not answer within 10 s; guest-ping "
                             "was sent and its outcome is unknown\n");
    dropped = agent_lane_stats(fixture->lane).dropped;

    /* Nothing was heard of it since: it is asked for that, and for nothing else but a thaw. */
    check = take(fixture, "guest-capabilities");
    lane_submit(fixture, "guest-get-osinfo");
    nothing_comes(fixture);
    lane_submit(fixture, "guest-fsfreeze-thaw");
    thaw = take(fixture, "guest-fsfreeze-thaw");
    answer(fixture, check, AGREED("16"));
    answer(fixture, thaw, "0");
    take_and_answer(fixture, "guest-get-osinfo", "1");
    answer(fixture, ping, "{}");
    answer(fixture, trim, "2");
    lane_assert_log(fixture, "guest-fsfreeze-thaw 0\nguest-get-osinfo 1\nguest-fstrim 2\n");
    g_assert_cmpuint(agent_lane_stats(fixture->lane).dropped, ==, dropped);
    nothing_comes(fixture); /* no sync was needed */
}

/* A freeze that is late is ended by a thaw, and keeps neither that nor the next freeze waiting. */
static void test_late_freeze(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *freeze = NULL;

    lane_submit(fixture, "guest-fsfreeze-freeze");
    freeze = take(fixture, "guest-fsfreeze-freeze");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_FREEZE * 1000 + 10);
    g_string_truncate(fixture->log, 0);
    take_and_answer(fixture, "guest-capabilities", AGREED("16"));
    lane_submit(fixture, "guest-fsfreeze-thaw");
    take_and_answer(fixture, "guest-fsfreeze-thaw", "0");
    lane_submit(fixture, "guest-fsfreeze-freeze");
    take_and_answer(fixture, "guest-fsfreeze-freeze", "2");
    answer(fixture, freeze, "2");
    lane_assert_log(fixture, "guest-fsfreeze-thaw 0\nguest-fsfreeze-freeze 2\n");
}

/* One that never ends, as where a file server is away, costs others nothing: neither what is as
 * large, nor what goes in the plain protocol, which ends the waiting for it. */
static void test_late_for_ever(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *read = NULL;
    g_autofree char *line = NULL;

    lane_submit(fixture, "guest-file-read");
    read = take(fixture, "guest-file-read");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_SLOW * 1000 + 10);
    g_string_truncate(fixture->log, 0);
    take_and_answer(fixture, "guest-capabilities", AGREED("16"));
    lane_submit(fixture, "guest-exec-status");
    take_and_answer(fixture, "guest-exec-status", "1");
    lane_submit(fixture, "guest-shutdown");
    world_settle(&fixture->world);
    line = peer_take_line(&fixture->agent);
    g_assert_true(g_str_has_prefix(line, "\xff{\"execute\":\"guest-shutdown\",\"id\":"));
    fake_agent_answer_probe(&fixture->agent,
                            fake_agent_take_probe(&fixture->agent, "guest-sync-delimited"));
    lane_assert_log(fixture, "guest-exec-status 1\nguest-shutdown {}\nsynced\n");
}

/* The guest stops reading in the middle of a large command, and has answered another meanwhile: it
 * is asked whether it hears, and what waits is refused. */
static void test_stops_reading(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *large = write_arguments('A');
    g_autofree char *ping = NULL;

    lane_submit(fixture, "guest-ping");
    ping = take(fixture, "guest-ping");
    lane_submit_with(fixture, "guest-file-write", large);
    world_pass_ms(&fixture->world, 5);
    answer(fixture, ping, "{}");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_SLOW * 1000 + 10);
    g_string_truncate(fixture->log, 0);
    lane_submit(fixture, "guest-get-osinfo");
    world_pass_ms(&fixture->world, 60 * 1000);
    lane_assert_log(fixture, "guest-get-osinfo: The guest agent does not answer; guest-get-osinfo "
                             "was not sent\n");
}

/* Once it says nothing at all it is brought into step, which ends what was agreed. */
static void test_all_late(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    g_autofree char *check = NULL;

    lane_submit(fixture, "guest-ping");
    lane_submit(fixture, "guest-info");
    first = take(fixture, "guest-ping");
    second = take(fixture, "guest-info");
    world_pass_ms(&fixture->world, LIMIT_SECONDS_QUICK * 1000 + 10);
    g_string_truncate(fixture->log, 0);
    lane_submit(fixture, "guest-fstrim");
    lane_submit(fixture, "guest-get-osinfo");
    check = take(fixture, "guest-capabilities");
    nothing_comes(fixture);
    world_pass_ms(&fixture->world, LIMIT_SECONDS_UNHEARD * 1000 + 10);
    fake_agent_sync(&fixture->agent, &fixture->world);
    answer(fixture, check, AGREED("16"));
    answer(fixture, first, "{}");
    lane_take_and_answer(fixture, "guest-fstrim", "1");
    lane_take_and_answer(fixture, "guest-get-osinfo", "2");
    lane_assert_log(fixture, "synced\nguest-fstrim 1\nguest-get-osinfo 2\n");
}

/* Where nobody reads for a while, as on a serial line, the question is lost too: it is asked again,
 * as long as that leaves room. */
static void test_asked_again(LaneFixture *fixture, gconstpointer unused)
{
    lane_submit(fixture, "guest-fstrim");
    g_free(take(fixture, "guest-fstrim"));
    agent_lane_probe(fixture->lane);
    for (guint i = 1; i < LIMIT_AGENT_IN_FLIGHT / 2; i++) {
        g_free(take(fixture, "guest-capabilities"));
        world_pass_ms(&fixture->world, LIMIT_SECONDS_UNHEARD * 1000 + 10);
    }
    g_free(take(fixture, "guest-capabilities"));
    world_pass_ms(&fixture->world, LIMIT_SECONDS_UNHEARD * 1000 + 10);
    nothing_comes(fixture);
    world_pass_ms(&fixture->world, LIMIT_SECONDS_UNSYNCED * 1000 + 10);
    take_and_answer(fixture, "guest-capabilities", "{\"enabled\": []}");
    lane_assert_log(fixture, "guest-fstrim: " RESTARTED "guest-fstrim " OUTCOME);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
}

/* ---- What becomes of the agent --------------------------------------------------------------- */

static void submit_two(LaneFixture *fixture, char **ret_first, char **ret_second)
{
    lane_submit(fixture, "guest-fstrim");
    lane_submit(fixture, "guest-get-osinfo");
    *ret_first = take(fixture, "guest-fstrim");
    *ret_second = take(fixture, "guest-get-osinfo");
}

/* Where it may have been restarted unseen it is asked whether it keeps to what was agreed. */
static void test_checked(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    submit_two(fixture, &first, &second);
    agent_lane_probe(fixture->lane);
    take_and_answer(fixture, "guest-capabilities", AGREED("16"));
    answer(fixture, second, "2");
    answer(fixture, first, "1");
    lane_assert_log(fixture, "guest-get-osinfo 2\nguest-fstrim 1\n");

    g_clear_pointer(&first, g_free);
    g_clear_pointer(&second, g_free);
    submit_two(fixture, &first, &second);
    agent_lane_probe(fixture->lane);
    take_and_answer(fixture, "guest-capabilities", "{\"enabled\": []}");
    lane_assert_log(fixture, "guest-fstrim: " RESTARTED "guest-fstrim " OUTCOME
                             "guest-get-osinfo: " RESTARTED "guest-get-osinfo " OUTCOME);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
}

static void test_port_closes(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    submit_two(fixture, &first, &second);
    agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
    lane_assert_log(fixture,
                    "guest-fstrim: The guest agent closed its port; guest-fstrim " OUTCOME
                    "guest-get-osinfo: The guest agent closed its port; guest-get-osinfo " OUTCOME);

    /* The next one has agreed to nothing. */
    agent_lane_set_port(fixture->lane, PORT_OPEN, FALSE);
    lane_submit(fixture, "guest-fstrim");
    lane_submit(fixture, "guest-get-osinfo");
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_take_and_answer(fixture, "guest-fstrim", "1");
    lane_take_and_answer(fixture, "guest-get-osinfo", "2");
    lane_assert_log(fixture, "synced\nguest-fstrim 1\nguest-get-osinfo 2\n");
}

static void test_lease(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    agent_lane_set_lease(fixture->lane, 330, FALSE); /* as was agreed */
    nothing_comes(fixture);
    agent_lane_set_lease(fixture->lane, 330, TRUE);
    id = take_line(fixture, ASKED "{\"lease\":330}");
    answer(fixture, id, AGREED("16"));
    agent_lane_set_lease(fixture->lane, 65, FALSE);
    g_free(id);
    id = take_line(fixture, ASKED "{\"lease\":65}");
    answer(fixture, id, AGREED("16"));
    lane_assert_log(fixture, "");
}

/* ---- An agent that lies ---------------------------------------------------------------------- */

/* Twice, under ids of none, and what is no reply: each command is answered once, by its own. */
static void test_lies(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    submit_two(fixture, &first, &second);
    answer(fixture, second, "1");
    answer(fixture, second, "\"again\"");
    answer(fixture, "4711", "\"of nobody\"");
    answer(fixture, "-1", "\"of nobody\"");
    peer_send(&fixture->agent, "{\"return\": \"without id\"}\n{\"event\": \"GUEST_X\"}\n");
    lane_assert_log(fixture, "guest-get-osinfo 1\n");
    answer(fixture, first, "2");
    lane_assert_log(fixture, "guest-fstrim 2\n");
}

/* Rubbish fails all that is under way, once, and ends what was agreed. */
static void test_rubbish(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    const char *why = "The guest agent sent something that is no reply; ";
    g_autofree char *expected = g_strdup_printf("guest-fstrim: %sguest-fstrim " OUTCOME
                                                "guest-get-osinfo: %sguest-get-osinfo " OUTCOME,
                                                why, why);

    submit_two(fixture, &first, &second);
    peer_send(&fixture->agent, "}{\n");
    lane_assert_log(fixture, expected);
    answer(fixture, first, "1");
    lane_assert_log(fixture, "");
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/agent-lane/pipeline/" name, LaneFixture, NULL, set_up, function, lane_tear_down)
    ADD("any-order", test_any_order);
    ADD("depth", test_depth);
    ADD("offers", test_offers);
    ADD("freeze-and-thaw", test_freeze_and_thaw);
    ADD("bulk", test_bulk);
    ADD("large-commands", test_large_commands);
    ADD("silent", test_silent);
    ADD("clients-sync", test_clients_sync);
    ADD("clients-wrong-sync", test_clients_wrong_sync);
    ADD("late", test_late);
    ADD("late-freeze", test_late_freeze);
    ADD("late-for-ever", test_late_for_ever);
    ADD("stops-reading", test_stops_reading);
    ADD("all-late", test_all_late);
    ADD("asked-again", test_asked_again);
    ADD("checked", test_checked);
    ADD("port-closes", test_port_closes);
    ADD("lease", test_lease);
    ADD("lies", test_lies);
    ADD("rubbish", test_rubbish);
#undef ADD
    g_test_add("/agent-lane/pipeline/refused", LaneFixture, NULL, lane_set_up_ready, test_refused,
               lane_tear_down);
    return g_test_run();
}
