/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a freeze by Windows' shadow copies comes to: Wine has none, so that a stand-in says how it
 * went. */

#include "freeze.h"

#include <string.h>

#include "agent/bench-win32.h"

#define FREEZE "{\"execute\": \"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\": \"guest-fsfreeze-thaw\"}"
#define STATUS "{\"execute\": \"guest-fsfreeze-status\"}"

#define LIMITED                                                                    \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"couldn't hold writes: " \
    "fsfreeze is limited up to 10 seconds\"}}"

static void set_up(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

static void await_thawed(Bench *bench)
{
    while (bench->policy.frozen)
        g_main_context_iteration(NULL, TRUE);
}

static void test_freeze_and_thaw(Bench *bench, gconstpointer data)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    bench_check_log(bench, "hold all, quiet");
    g_assert_true(bench->policy.frozen);
    bench_check(bench, THAW, "{\"return\": 2}");
    bench_check(bench, STATUS, "{\"return\": \"thawed\"}");
    bench_check_log(bench, "loud");
    bench_check(bench, THAW, "{\"return\": 0}");
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench_check(bench, THAW, "{\"return\": 2}");
}

static void test_some(Bench *bench, gconstpointer data)
{
    bench_check(bench,
                "{\"execute\": \"guest-fsfreeze-freeze-list\", "
                "\"arguments\": {\"mountpoints\": [\"C:\\\\\", \"D:\\\\\"]}}",
                "{\"return\": 2}");
    bench_check_log(bench, "hold C:\\ D:\\, quiet");
    bench_check(bench, THAW, "{\"return\": 2}");
}

static void test_refused(Bench *bench, gconstpointer data)
{
    bench_win32.hold = BENCH_REFUSES;
    bench_check(bench, FREEZE,
                "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no provider\"}}");
    bench_check(bench, STATUS, "{\"return\": \"thawed\"}");
    bench_check_log(bench, "hold all");
}

static void test_nothing(Bench *bench, gconstpointer data)
{
    bench_win32.hold = BENCH_HAS_NONE;
    bench_check(bench, FREEZE, "{\"return\": 0}");
    bench_check(bench, STATUS, "{\"return\": \"thawed\"}");
}

/* Whoever thaws is told that what was copied since may be torn. */
static void test_given_up(Bench *bench, gconstpointer data)
{
    bench_win32.hold = BENCH_GIVES_UP;
    bench_check(bench, FREEZE, "{\"return\": 2}");
    await_thawed(bench);
    bench_check(bench, STATUS, "{\"return\": \"thawed\"}");
    bench_check(bench, THAW, LIMITED);
    bench_check(bench, THAW, "{\"return\": 0}");
}

static void test_time_limit(Bench *bench, gconstpointer data)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    await_thawed(bench);
    bench_check(bench, THAW, LIMITED);
}

static void set_up_limited(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL);
    bench_set_freezer(bench, &(FreezerOptions){.timeout_ms = 1});
}

/* A thaw that comes while a freeze is prepared ends it: both are told, and nothing stays frozen. */
static void test_thaw_beside_a_freeze(Bench *bench, gconstpointer data)
{
    g_autofree char *enabled = bench_ask(bench, "{\"execute\": \"guest-capabilities\", \"id\": 1, "
                                                "\"arguments\": {\"enable\": [\"pipeline\"]}}");

    g_assert_nonnull(strstr(enabled, "\"enabled\": [\"pipeline\"]"));
    bench_check(bench, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 2}", "");
    bench_check(bench, "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": 3}", "");
    bench_check(bench, "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": 4}", "");
    while (dispatch_is_working(&bench->dispatch))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(
        bench->replies->str, ==,
        "{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"the guest was "
        "thawed before it was frozen\"}}\n"
        "{\"return\": 2, \"id\": 3}\n{\"return\": 2, \"id\": 4}\n");
    g_assert_false(bench->policy.frozen);
    bench_check_log(bench, "hold all, quiet, loud");
}

/* So with one that fails by itself. */
static void test_thaw_beside_a_failure(Bench *bench, gconstpointer data)
{
    bench_win32.hold = BENCH_REFUSES;
    g_free(bench_ask(bench, "{\"execute\": \"guest-capabilities\", \"id\": 1, "
                            "\"arguments\": {\"enable\": [\"pipeline\"]}}"));
    bench_check(bench, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 2}", "");
    bench_check(bench, "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": 3}", "");
    while (dispatch_is_working(&bench->dispatch))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(
        bench->replies->str, ==,
        "{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"no provider\"}}\n"
        "{\"return\": 0, \"id\": 3}\n");
}

static void on_released(gpointer user)
{
    *(gboolean *)user = TRUE;
}

/* The agent ends only when nothing is frozen any more. */
static void test_release(Bench *bench, gconstpointer data)
{
    gboolean released = FALSE;

    bench_check(bench, FREEZE, "{\"return\": 2}");
    freezer_release(bench->commands.freezer, on_released, &released);
    g_assert_false(released);
    bench_run_until(&released);
    g_assert_false(bench->policy.frozen);
}

static void add(const char *path, void (*set)(Bench *bench, gconstpointer data),
                void (*test)(Bench *bench, gconstpointer data))
{
    g_test_add(path, Bench, NULL, set, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK); /* it warns of such an end */
    add("/freeze/freeze-and-thaw", set_up, test_freeze_and_thaw);
    add("/freeze/some", set_up, test_some);
    add("/freeze/refused", set_up, test_refused);
    add("/freeze/nothing", set_up, test_nothing);
    add("/freeze/given-up", set_up, test_given_up);
    add("/freeze/time-limit", set_up_limited, test_time_limit);
    add("/freeze/thaw-beside-a-freeze", set_up, test_thaw_beside_a_freeze);
    add("/freeze/thaw-beside-a-failure", set_up, test_thaw_beside_a_failure);
    add("/freeze/release", set_up, test_release);
    return g_test_run();
}
