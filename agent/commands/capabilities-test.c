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
#define HELD   "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": \"held\"}"
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

/* A thaw whose hook runs until bench_end_program(). */
static void hold(Bench *bench)
{
    bench_init(bench, "/hook");
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
    g_assert_cmpstr(bench.replies->str, ==, "{\"return\": 0, \"id\": \"held\"}\n");
    bench_clear(&bench);
}

/* The same where a whole command runs on a thread, and hangs there. */
static void test_beside(void)
{
    GMutex gate;
    Bench bench;

    g_mutex_init(&gate);
    bench_init(&bench, NULL);
    bench.mounts = "";
    bench.gate = &gate;
    bench_check(&bench, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    g_mutex_lock(&gate);
    bench_check(&bench, "{\"execute\": \"guest-get-fsinfo\", \"id\": \"slow\"}", "");
    bench_check(&bench, PING, PONG);
    g_mutex_unlock(&gate);
    while (dispatch_is_working(&bench.dispatch))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(bench.replies->str, ==, "{\"return\": [], \"id\": \"slow\"}\n");
    bench_clear(&bench);
    g_mutex_clear(&gate);
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

static char *slow_request(Bench *bench, guint number)
{
    return g_strdup_printf("{\"execute\": \"guest-set-user-password\", \"id\": %u, \"arguments\": "
                           "{\"username\": \"u\", \"password\": \"cA==\", \"crypted\": false}}",
                           number);
}

/* One too many is refused; what is quick, and a thaw, are not. */
static void test_depth(void)
{
    static const char *const refusal =
        "{\"id\": 99, \"error\": {\"class\": \"GenericError\", \"desc\": \"too many commands are "
        "under way: there may be 16\"}}";
    Bench bench;
    g_autofree char *last = slow_request(&bench, 99);

    bench_init(&bench, "/hook");
    bench.tools = "chpasswd ";
    bench_check(&bench, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    bench.hold = TRUE;
    for (guint i = 0; i < LIMIT_AGENT_PIPELINE; i++) {
        g_autofree char *request = slow_request(&bench, i);

        bench_check(&bench, request, "");
    }
    bench_check(&bench, last, refusal);
    bench_check(&bench, PING, PONG);
    bench_check(&bench, HELD, "");
    bench_wait_programs(&bench, LIMIT_AGENT_PIPELINE + 1);
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(bench.replies->str, ==, "{\"return\": 0, \"id\": \"held\"}\n");
    g_string_truncate(bench.replies, 0);

    /* A host that has begun anew finds room, and those that another left count once more. */
    bench_check(&bench, SYNC, SYNCED);
    bench_check(&bench, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    for (guint i = 0; i < LIMIT_AGENT_CALLS - LIMIT_AGENT_PIPELINE; i++) {
        g_autofree char *request = slow_request(&bench, i);

        bench_check(&bench, request, "");
    }
    bench_check(&bench, last, refusal);
    while (bench.held->len > 0)
        bench_end_program(&bench, 0, "");
    bench_clear(&bench);
}

/* A thaw that comes while a freeze is prepared ends it, and is answered when that is over: whoever
 * asks then finds the truth. */
static void test_thaw_beside_a_freeze(void)
{
    Bench bench;

    bench_init(&bench, "/hook");
    bench.mounts = "1 1 8:1 / /a rw - ext4 /dev/sda1 rw\n";
    bench_check(&bench, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    bench.hold = TRUE;
    bench_check(&bench, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 3}", "");
    bench_check(&bench, HELD, "");
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(bench.replies->str, ==, "");
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(
        bench.replies->str, ==,
        "{\"id\": 3, \"error\": {\"class\": \"GenericError\", \"desc\": \"the guest was "
        "thawed before it was frozen\"}}\n{\"return\": 0, \"id\": \"held\"}\n");
    bench_check_log(&bench, "run /hook freeze, run /hook thaw");
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
    bench->mounts = "1 1 8:1 / /a rw - ext4 /dev/sda1 rw\n";
    bench_check(bench, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 3}",
                "{\"return\": 1, \"id\": 3}");
    bench_check_log(bench, "quiet, freeze /a");
}

/* By the guest itself. */
static void wait_thawed(Bench *bench)
{
    while (bench->policy.frozen)
        g_main_context_iteration(NULL, TRUE);
    bench_check_log(bench, "thaw /a, loud");
}

/* The guest thaws itself after the host's time, though its own configuration knows no end. */
static void test_lease(void)
{
    Bench bench;

    set_lease(&bench, 1, 0);
    freeze(&bench);
    wait_thawed(&bench);
    bench_check_error(&bench, "{\"execute\": \"guest-fsfreeze-thaw\"}",
                      "the agent itself has ended the freeze: no thaw came in time");
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

    set_lease(&bench, 86400, 50);
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
    g_test_add_func("/capabilities/beside", test_beside);
    g_test_add_func("/capabilities/owed-replies-are-dropped", test_owed_replies_are_dropped);
    g_test_add_func("/capabilities/depth", test_depth);
    g_test_add_func("/capabilities/thaw-beside-a-freeze", test_thaw_beside_a_freeze);
    g_test_add_func("/capabilities/lease-is-checked", test_lease_is_checked);
    g_test_add_func("/capabilities/lease", test_lease);
    g_test_add_func("/capabilities/lease-outlives-its-host", test_lease_outlives_its_host);
    g_test_add_func("/capabilities/lease-is-forgotten", test_lease_is_forgotten);
    return g_test_run();
}
