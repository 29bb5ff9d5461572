/* SPDX-License-Identifier: GPL-2.0-or-later */

/* One request, one reply, in the words and with the silences that hosts know. */

#include "agent/bench.h"

#include "common/limits.h"

#define NOT_FOUND(id, desc) \
    "{" id "\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"" desc "\"}}"

static void test_envelope(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench_check(&bench, "{\"execute\": \"guest-ping\"}", "{\"return\": {}}");
    bench_check(&bench, "{'execute': 'guest-ping', 'id':\n[1,{'a':null}]}",
                "{\"return\": {}, \"id\": [1, {\"a\": null}]}");
    bench_check_error(&bench, "[]", "QMP input must be a JSON object");
    bench_check_error(&bench, "{}", "QMP input lacks member 'execute'");
    bench_check_error(&bench, "{\"execute\": 1}", "QMP input member 'execute' must be a string");
    bench_check_error(&bench, "{\"exec-oob\": \"guest-ping\"}",
                      "QMP input member 'exec-oob' is unexpected");
    bench_check(&bench, "{\"id\": 7}",
                "{\"id\": 7, \"error\": {\"class\": \"GenericError\","
                " \"desc\": \"QMP input lacks member 'execute'\"}}");
    bench_check(&bench, "{\"execute\": \"guest-nope\", \"id\": \"x\"}",
                NOT_FOUND("\"id\": \"x\", ", "The command guest-nope has not been found"));
    bench_clear(&bench);
}

static void test_sync(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench_check(&bench, "{\"execute\": \"guest-sync\", \"arguments\": {\"id\": 1234}}",
                "{\"return\": 1234}");
    bench_check(&bench,
                "{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": 5}, \"id\": 6}",
                "\xFF{\"return\": 5, \"id\": 6}");
    /* Only success is delimited. */
    bench_check_error(&bench, "{\"execute\": \"guest-sync-delimited\"}",
                      "Parameter 'id' is missing");
    bench_clear(&bench);
}

static void test_info(void)
{
    Bench bench;
    g_autofree char *info = NULL;

    bench_init(&bench, NULL);
    bench.policy.frozen = TRUE;
    info = bench_ask(&bench, "{\"execute\": \"guest-info\"}");
    g_assert_true(g_str_has_prefix(info, "{\"return\": {\"version\": \"" QGA_PROXY_VERSION
                                         "\", \"supported_commands\": [{"));
    g_assert_nonnull(strstr(info, "{\"enabled\": true, \"name\": \"guest-ping\","
                                  " \"success-response\": true}"));
    g_assert_nonnull(strstr(info, "{\"enabled\": false, \"name\": \"guest-shutdown\","
                                  " \"success-response\": false}"));
    bench_clear(&bench);
}

static void test_policy_before_arguments(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench.policy.frozen = TRUE;
    bench_check(&bench, "{\"execute\": \"guest-file-open\"}",
                NOT_FOUND("", "Command guest-file-open has been disabled: the agent is in frozen "
                              "state"));
    bench_clear(&bench);
}

static void test_silent(void)
{
    Bench bench;
    g_autofree char *log = NULL;

    bench_init(&bench, NULL);
    bench.tools = "poweroff "; /* where it takes one */
    bench_check(&bench, "{\"execute\": \"guest-shutdown\", \"id\": 1}", "");
    log = bench_take_log(&bench);
    g_assert_cmpstr(log, !=, "");
    bench_clear(&bench);
}

static void test_deferred(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench.tools = BENCH_CLOCK_TOOLS;
    bench.hold = TRUE;
    bench_check(&bench, "{\"execute\": \"guest-set-time\", \"id\": 3}", "");
    g_assert_true(dispatch_is_busy(&bench.dispatch));
    bench_end_program(&bench, 0, "");
    g_assert_false(dispatch_is_busy(&bench.dispatch));
    g_assert_cmpstr(bench.replies->str, ==, "{\"return\": {}, \"id\": 3}\n");
    bench_clear(&bench);
}

static void test_orphaned(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench.tools = BENCH_CLOCK_TOOLS;
    bench.hold = TRUE;
    bench_check(&bench, "{\"execute\": \"guest-set-time\", \"id\": 3}", "");
    dispatch_reset(&bench.dispatch);
    g_assert_true(dispatch_is_working(&bench.dispatch));
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(bench.replies->str, ==, "");
    bench_check(&bench, "{\"execute\": \"guest-ping\"}", "{\"return\": {}}");
    bench_clear(&bench);
}

static void check_note(Bench *bench, const char *request, gboolean at_rest)
{
    g_free(bench_ask(bench, request));
    g_assert_true(dispatch_note(&bench->dispatch) == at_rest);
    g_assert_true(dispatch_note(&bench->dispatch)); /* once */
}

/* What may have set up a timer or started a program is told from what cannot have. */
static void test_note(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    check_note(&bench, "{\"execute\": \"guest-ping\"}", TRUE);
    check_note(&bench, "{\"execute\": \"guest-sync\", \"arguments\": {\"id\": 1}}", TRUE);
    check_note(&bench, "{\"execute\": \"guest-nope\"}", TRUE);
    check_note(&bench, "{\"execute\": \"guest-file-close\", \"arguments\": {\"handle\": 1}}", TRUE);
    check_note(&bench, "{\"execute\": \"guest-capabilities\"}", FALSE);
    bench.tools = BENCH_CLOCK_TOOLS;
    bench.hold = TRUE;
    check_note(&bench, "{\"execute\": \"guest-set-time\"}", FALSE);
    bench_end_program(&bench, 0, "");
    bench_clear(&bench);
}

/* Each reply is of its own call alone, whatever the last one has left: its text is used again. */
static void test_one_after_the_other(void)
{
    g_autofree char *id = g_strnfill(2000, 'i');
    g_autofree char *long_request =
        g_strdup_printf("{\"execute\": \"guest-ping\", \"id\": \"%s\"}", id);
    g_autofree char *long_reply = g_strdup_printf("{\"return\": {}, \"id\": \"%s\"}", id);
    Bench bench;

    bench_init(&bench, NULL);
    for (guint i = 0; i < 2; i++) {
        bench_check(&bench, "{\"execute\": \"guest-ping\", \"id\": [1, 2]}",
                    "{\"return\": {}, \"id\": [1, 2]}");
        bench_check(&bench, "{\"execute\": \"guest-ping\", \"id\": 3}",
                    "{\"return\": {}, \"id\": 3}");
        bench_check(&bench, "{\"execute\": \"guest-ping\"}", "{\"return\": {}}");
        bench_check(&bench, long_request, long_reply);
        bench_check_error(&bench, "{}", "QMP input lacks member 'execute'");
    }
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dispatch/envelope", test_envelope);
    g_test_add_func("/dispatch/sync", test_sync);
    g_test_add_func("/dispatch/info", test_info);
    g_test_add_func("/dispatch/policy-before-arguments", test_policy_before_arguments);
    g_test_add_func("/dispatch/silent", test_silent);
    g_test_add_func("/dispatch/deferred", test_deferred);
    g_test_add_func("/dispatch/orphaned", test_orphaned);
    g_test_add_func("/dispatch/note", test_note);
    g_test_add_func("/dispatch/one-after-the-other", test_one_after_the_other);
    return g_test_run();
}
