/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is enabled by name, what it does, and that a host which knows nothing of it never meets it.
 */

#include "agent/bench.h"

#include <string.h>

#include "agent/commands/freeze.h"
#include "common/limits.h"

#define CAPABILITIES(id, enabled)                                                          \
    "{\"return\": {\"available\": [\"lease\", \"pipeline\"], \"enabled\": [" enabled "], " \
    "\"lease\": {\"longest\": 86400}, \"pipeline\": {\"depth\": 16}}" id "}"
#define ENABLE(names) \
    "{\"execute\": \"guest-capabilities\", \"id\": 1, \"arguments\": {\"enable\": [" names "]}}"
#define ASK    "{\"execute\": \"guest-capabilities\", \"id\": 1}"
#define ID     ", \"id\": 1"
#define HELD   "{\"execute\": \"guest-set-time\", \"id\": \"held\"}"
#define PING   "{\"execute\": \"guest-ping\", \"id\": 2}"
#define PONG   "{\"return\": {}, \"id\": 2}"
#define SYNC   "{\"execute\": \"guest-sync\", \"arguments\": {\"id\": 7}}"
#define SYNCED "{\"return\": 7}"

static void test_enable(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench_check(&bench, ASK, CAPABILITIES(ID, ""));
    bench_check(&bench, ENABLE("\"pipeline\", \"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    bench_check(&bench, ENABLE("\"lease\""), CAPABILITIES(ID, "\"lease\", \"pipeline\""));
    bench_check(&bench, ENABLE(""), CAPABILITIES(ID, "\"lease\", \"pipeline\""));
    bench_check(&bench, ASK, CAPABILITIES(ID, "\"lease\", \"pipeline\""));
    bench_clear(&bench);
}

/* A name that is unknown is refused by that name, and nothing beside it is enabled. */
static void test_unknown(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench_check(&bench, ENABLE("\"pipeline\", \"streams\""),
                "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter "
                "'enable[1]' does not accept value 'streams'\"}}");
    bench_check(&bench, ASK, CAPABILITIES(ID, ""));
    bench_clear(&bench);
}

/* Whatever a host says that was told of nothing ends what was enabled. */
static void test_back_to_plain(void)
{
    static const char *const strangers[] = {
        "{\"execute\": \"guest-ping\"}",
        "{\"execute\": \"guest-sync\", \"id\": 5, \"arguments\": {\"id\": 9}}",
        "{\"execute\": \"guest-sync-delimited\", \"id\": 5, \"arguments\": {\"id\": 9}}",
        "{\"execute\": \"guest-nope\"}",
        "[]",
    };
    Bench bench;

    bench_init(&bench, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(strangers); i++) {
        g_autofree char *reply = NULL;

        bench_check(&bench, ENABLE("\"lease\", \"pipeline\""),
                    CAPABILITIES(ID, "\"lease\", \"pipeline\""));
        bench_check(&bench, PING, PONG);
        bench_check(&bench, ASK, CAPABILITIES(ID, "\"lease\", \"pipeline\""));
        reply = bench_ask(&bench, strangers[i]);
        g_assert_cmpuint(strlen(reply), >, 0);
        bench_check(&bench, ASK, CAPABILITIES(ID, ""));
    }
    bench_clear(&bench);
}

/* ---- pipeline -------------------------------------------------------------------------------- */

/* A command whose program runs until bench_end_program(). */
static void hold(Bench *bench)
{
    bench_init(bench, NULL);
    bench->tools = BENCH_CLOCK_TOOLS;
    bench_check(bench, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    bench->hold = TRUE;
    bench_check(bench, HELD, "");
}

/* What ends first is answered first. */
static void test_pipeline(void)
{
    Bench bench;

    hold(&bench);
    g_assert_false(dispatch_is_busy(&bench.dispatch));
    bench_check(&bench, PING, PONG);
    bench_check(&bench, "{\"execute\": \"guest-nope\", \"id\": 3}",
                "{\"id\": 3, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command "
                "guest-nope has not been found\"}}");
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(bench.replies->str, ==, "{\"return\": {}, \"id\": \"held\"}\n");
    bench_clear(&bench);
}

/* Replies that were owed are dropped, and their calls keep nobody waiting. */
static void test_owed_replies_are_dropped(void)
{
    Bench bench;

    hold(&bench);
    bench_check(&bench, SYNC, SYNCED);
    g_assert_false(dispatch_is_busy(&bench.dispatch));
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(bench.replies->str, ==, "");
    bench_clear(&bench);
}

static char *slow_request(guint number)
{
    return g_strdup_printf("{\"execute\": \"guest-set-time\", \"id\": %u}", number);
}

/* One too many is refused; what is quick is not. */
static void test_depth(void)
{
    static const char *const refusal =
        "{\"id\": 99, \"error\": {\"class\": \"GenericError\", \"desc\": \"too many commands are "
        "under way: there may be 16\"}}";
    Bench bench;
    g_autofree char *last = slow_request(99);

    bench_init(&bench, NULL);
    bench.tools = BENCH_CLOCK_TOOLS;
    bench_check(&bench, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    bench.hold = TRUE;
    for (guint i = 0; i < LIMIT_AGENT_PIPELINE; i++) {
        g_autofree char *request = slow_request(i);

        bench_check(&bench, request, "");
    }
    bench_check(&bench, last, refusal);
    bench_check(&bench, PING, PONG);
    bench_wait_programs(&bench, LIMIT_AGENT_PIPELINE);

    /* A host that has begun anew finds room, and those that another left count once more. */
    bench_check(&bench, SYNC, SYNCED);
    bench_check(&bench, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    for (guint i = 0; i < LIMIT_AGENT_CALLS - LIMIT_AGENT_PIPELINE; i++) {
        g_autofree char *request = slow_request(i);

        bench_check(&bench, request, "");
    }
    bench_check(&bench, last, refusal);
    while (bench.held->len > 0)
        bench_end_program(&bench, 0, "");
    bench_clear(&bench);
}

/* ---- lease ----------------------------------------------------------------------------------- */

static void test_lease_is_checked(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench_check_error(&bench,
                      "{\"execute\": \"guest-capabilities\", \"arguments\": {\"lease\": 5}}",
                      "the capability 'lease' is not enabled");
    bench_check_error(&bench,
                      "{\"execute\": \"guest-capabilities\", \"arguments\": "
                      "{\"enable\": [\"lease\"], \"lease\": 86401}}",
                      "a lease is from 0 to 86400 seconds, not 86401");
    bench_check_error(&bench,
                      "{\"execute\": \"guest-capabilities\", \"arguments\": "
                      "{\"enable\": [\"lease\"], \"lease\": -1}}",
                      "a lease is from 0 to 86400 seconds, not -1");
    bench_check(&bench, ASK, CAPABILITIES(ID, ""));
    bench_clear(&bench);
}

static void set_lease(Bench *bench, guint seconds, guint configured_ms)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-capabilities\", \"id\": 1, \"arguments\": "
                        "{\"enable\": [\"lease\"], \"lease\": %u}}",
                        seconds);

    bench_init(bench, NULL);
    bench_set_freezer(bench, &(FreezerOptions){.timeout_ms = configured_ms});
    bench_check(bench, request, CAPABILITIES(ID, "\"lease\""));
}

static void freeze(Bench *bench)
{
    g_autofree char *reply = g_strdup_printf("{\"return\": %s, \"id\": 3}", bench_freeze.frozen);

    bench->mounts = bench_freeze.mounts;
    bench_check(bench, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 3}", reply);
    bench_check_log(bench, bench_freeze.freeze_log);
}

/* By the guest itself. */
static void wait_thawed(Bench *bench)
{
    while (bench->policy.frozen)
        g_main_context_iteration(NULL, TRUE);
    bench_check_log(bench, bench_freeze.thaw_log);
}

/* The guest thaws itself after the host's time, though its own configuration knows no end. */
static void test_lease(void)
{
    Bench bench;

    set_lease(&bench, 1, 0);
    freeze(&bench);
    wait_thawed(&bench);
    bench_check_error(&bench, "{\"execute\": \"guest-fsfreeze-thaw\"}", bench_freeze.expired);
    bench_clear(&bench);
}

/* A host that begins anew neither ends nor shortens nor lengthens what is armed. */
static void test_lease_outlives_its_host(void)
{
    Bench bench;

    set_lease(&bench, 1, 0);
    freeze(&bench);
    bench_check(&bench, SYNC, SYNCED);
    wait_thawed(&bench);
    bench_clear(&bench);
}

/* What a host has asked for ends with it: the next one's freeze lasts as long as is configured. */
static void test_lease_is_forgotten(void)
{
    Bench bench;

    set_lease(&bench, 86400, 1000);
    bench_check(&bench, SYNC, SYNCED);
    freeze(&bench);
    wait_thawed(&bench);
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/capabilities/enable", test_enable);
    g_test_add_func("/capabilities/unknown", test_unknown);
    g_test_add_func("/capabilities/back-to-plain", test_back_to_plain);
    g_test_add_func("/capabilities/pipeline", test_pipeline);
    g_test_add_func("/capabilities/owed-replies-are-dropped", test_owed_replies_are_dropped);
    g_test_add_func("/capabilities/depth", test_depth);
    g_test_add_func("/capabilities/lease-is-checked", test_lease_is_checked);
    g_test_add_func("/capabilities/lease", test_lease);
    g_test_add_func("/capabilities/lease-outlives-its-host", test_lease_outlives_its_host);
    g_test_add_func("/capabilities/lease-is-forgotten", test_lease_is_forgotten);
    return g_test_run();
}
