/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Everything that is frozen is thawed, hooks run in pairs, and the mark tells the truth, whatever
 * goes wrong.
 *
 * The system only writes down what it is asked to do (bench.h).
 */

#include "agent/bench.h"
#include "agent/commands/freeze.h"

static const char mounts[] = "1 1 8:1 / / rw - ext4 /dev/a rw\n"
                             "2 1 0:5 / /proc rw - proc proc rw\n"
                             "3 1 8:2 / /mnt/b rw - xfs /dev/b rw\n"
                             "4 1 8:2 /x /bind rw - xfs /dev/b rw\n";

#define FREEZE "{\"execute\": \"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\": \"guest-fsfreeze-thaw\"}"
#define STATUS "{\"execute\": \"guest-fsfreeze-status\"}"
#define FREEZE_LIST(list)                           \
    "{\"execute\": \"guest-fsfreeze-freeze-list\"," \
    " \"arguments\": {\"mountpoints\": [" list "]}}"

static void set_up(Bench *bench, gconstpointer hook)
{
    bench_init(bench, hook, 0);
    bench->mounts = mounts;
}

static void tear_down(Bench *bench, gconstpointer hook)
{
    bench_clear(bench);
}

static void check_thawed(Bench *bench)
{
    bench_check(bench, STATUS, "{\"return\": \"thawed\"}");
    g_assert_false(bench->policy.frozen);
    g_assert_false(state_is_marked_frozen(&bench->state));
    g_assert_cmpuint(g_hash_table_size(bench->frozen), ==, 0);
}

static void test_cycle(Bench *bench, gconstpointer hook)
{
    check_thawed(bench);
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench_check_log(bench, "run /hook freeze, quiet, freeze /mnt/b, freeze /");
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    g_assert_true(state_is_marked_frozen(&bench->state));
    bench_check(bench, FREEZE,
                "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Command"
                " guest-fsfreeze-freeze has been disabled: the agent is in frozen state\"}}");
    bench_check(bench, THAW, "{\"return\": 2}");
    bench_check_log(bench, "thaw /, thaw /mnt/b, loud, run /hook thaw");
    check_thawed(bench);
    /* Nothing is left to thaw; the hook is run all the same. */
    bench_check(bench, THAW, "{\"return\": 0}");
    bench_check_log(bench, "loud, run /hook thaw");
}

static void test_without_hook(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench_check(bench, THAW, "{\"return\": 2}");
    bench_check_log(bench, "quiet, freeze /mnt/b, freeze /, thaw /, thaw /mnt/b, loud");
}

static void test_list(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE_LIST("\"/mnt/b\""), "{\"return\": 1}");
    bench_check(bench, THAW, "{\"return\": 1}");
    /* By its other name: the device is what is frozen. */
    bench_check(bench, FREEZE_LIST("\"/bind\", \"/nowhere\""), "{\"return\": 1}");
    bench_check(bench, THAW, "{\"return\": 1}");
    bench_check_log(bench, "quiet, freeze /mnt/b, thaw /mnt/b, loud, "
                           "quiet, freeze /mnt/b, thaw /mnt/b, loud");
    bench_check(bench, "{\"execute\": \"guest-fsfreeze-freeze-list\"}", "{\"return\": 2}");
    bench_check(bench, THAW, "{\"return\": 2}");
}

static void test_nothing_to_freeze(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE_LIST("\"/proc\""), "{\"return\": 0}");
    bench_check_log(bench, "run /hook freeze, quiet, loud, run /hook thaw");
    check_thawed(bench);
    bench_check(bench, FREEZE_LIST(""), "{\"return\": 0}");
    check_thawed(bench);
}

static void test_skipped_is_not_counted(Bench *bench, gconstpointer hook)
{
    bench->skipping = "/";
    bench_check(bench, FREEZE, "{\"return\": 1}");
    bench_check(bench, THAW, "{\"return\": 1}");
}

static void test_hidden_by_another_mount(Bench *bench, gconstpointer hook)
{
    bench->hidden = "/mnt/b";
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench_check_log(bench, "quiet, freeze /bind, freeze /");
    bench_check(bench, THAW, "{\"return\": 2}");
}

static void test_failure_thaws_all(Bench *bench, gconstpointer hook)
{
    bench->refusing = "/";
    bench_check_error(bench, FREEZE, "failed to freeze /: Input/output error");
    bench_check_log(bench, "run /hook freeze, quiet, freeze /mnt/b, freeze /, thaw /mnt/b, loud, "
                           "run /hook thaw");
    check_thawed(bench);
}

static void test_no_mounts(Bench *bench, gconstpointer hook)
{
    bench->mounts = NULL;
    bench_check_error(bench, FREEZE, "no mounts");
    bench_check_log(bench, "run /hook freeze, run /hook thaw");
    check_thawed(bench);
}

/* A thaw that cannot know what to thaw leaves everything as it is, to be tried again. */
static void test_no_mounts_while_frozen(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench->mounts = NULL;
    bench_check_error(bench, THAW, "no mounts");
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    bench->mounts = mounts;
    bench_check(bench, THAW, "{\"return\": 2}");
}

static void test_unwritable_state(Bench *bench, gconstpointer hook)
{
    g_autofree char *mark = g_steal_pointer(&bench->state.mark);
    g_autofree char *words = NULL;

    bench->state.mark = g_strdup("/nonexistent/mark");
    bench_check_error(bench, FREEZE,
                      "failed to create '/nonexistent/mark': No such file or directory");
    bench_check_log(bench, "");
    g_free(bench->state.mark);
    bench->state.mark = g_steal_pointer(&mark);
    check_thawed(bench);
}

static void test_freeze_hook_fails(Bench *bench, gconstpointer hook)
{
    bench->failing = "freeze";
    bench->output = "database is busy";
    bench_check_error(bench, FREEZE,
                      "child process has failed to execute fsfreeze hook: database is busy");
    bench->output = "";
    bench_check_error(bench, FREEZE,
                      "child process has failed to execute fsfreeze hook, exit status 1");
    bench_check_log(bench, "run /hook freeze, run /hook freeze");
    check_thawed(bench);
}

static void test_thaw_hook_fails(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench->failing = "thaw";
    bench_check_error(bench, THAW,
                      "child process has failed to execute fsfreeze hook, exit status 1");
    check_thawed(bench);
}

static void test_takes_over_from_killed_agent(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    freezer_free(bench->commands.freezer);
    bench->policy.frozen = FALSE;
    bench->commands.freezer = freezer_new(&bench->commands, hook, 0);
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    bench_check(bench, THAW, "{\"return\": 2}");
    check_thawed(bench);
}

static void raise_flag(gpointer user)
{
    *(gboolean *)user = TRUE;
}

static void release(Bench *bench, gboolean *flag)
{
    *flag = FALSE;
    freezer_release(bench->commands.freezer, raise_flag, flag);
}

static void test_release_thaws(Bench *bench, gconstpointer hook)
{
    gboolean released;

    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench->hold = TRUE;
    release(bench, &released);
    g_assert_false(released);
    g_assert_cmpuint(g_hash_table_size(bench->frozen), ==, 0);
    bench_end_program(bench, 0, "");
    g_assert_true(released);
    check_thawed(bench);
}

static void test_release_of_nothing(Bench *bench, gconstpointer hook)
{
    gboolean released;

    release(bench, &released);
    g_assert_true(released);
    bench_check_log(bench, "");
}

/* The agent is told to end while the freeze hook runs: its work is undone, and nothing is frozen
 * any more. */
static void test_release_while_preparing(Bench *bench, gconstpointer hook)
{
    gboolean released;

    bench->hold = TRUE;
    bench_check(bench, FREEZE, "");
    release(bench, &released);
    bench_end_program(bench, 0, "");
    g_assert_false(released);
    bench_end_program(bench, 0, "");
    g_assert_true(released);
    bench_check_log(bench, "run /hook freeze, run /hook thaw");
    g_assert_cmpstr(bench->replies->str, ==,
                    "{\"error\": {\"class\": \"GenericError\","
                    " \"desc\": \"the agent is shutting down\"}}\n");
    g_string_truncate(bench->replies, 0);
    check_thawed(bench);
}

static void test_time_is_up(Bench *bench, gconstpointer hook)
{
    freezer_free(bench->commands.freezer);
    bench->commands.freezer = freezer_new(&bench->commands, hook, 1);
    bench_check(bench, FREEZE, "{\"return\": 2}");
    while (g_hash_table_size(bench->frozen) > 0)
        g_main_context_iteration(NULL, TRUE);
    bench_check_log(bench, "run /hook freeze, quiet, freeze /mnt/b, freeze /, thaw /, thaw /mnt/b, "
                           "loud, run /hook thaw");
    check_thawed(bench);
    /* Whoever froze is told, once; and the hook has had its second run already. */
    bench_check_error(bench, THAW, "the agent itself has ended the freeze: no thaw came in time");
    bench_check_log(bench, "");
    bench_check(bench, THAW, "{\"return\": 0}");
}

static void test_timely_thaw_stops_the_clock(Bench *bench, gconstpointer hook)
{
    freezer_free(bench->commands.freezer);
    bench->commands.freezer = freezer_new(&bench->commands, hook, 1);
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench_check(bench, THAW, "{\"return\": 2}");
    g_assert_false(g_main_context_pending(NULL));
    bench_check(bench, THAW, "{\"return\": 0}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, hook, function) \
    g_test_add("/freeze/" name, Bench, hook, set_up, function, tear_down)
    ADD("cycle", "/hook", test_cycle);
    ADD("without-hook", NULL, test_without_hook);
    ADD("list", NULL, test_list);
    ADD("nothing-to-freeze", "/hook", test_nothing_to_freeze);
    ADD("skipped-is-not-counted", NULL, test_skipped_is_not_counted);
    ADD("hidden-by-another-mount", NULL, test_hidden_by_another_mount);
    ADD("failure-thaws-all", "/hook", test_failure_thaws_all);
    ADD("no-mounts", "/hook", test_no_mounts);
    ADD("no-mounts-while-frozen", NULL, test_no_mounts_while_frozen);
    ADD("unwritable-state", NULL, test_unwritable_state);
    ADD("freeze-hook-fails", "/hook", test_freeze_hook_fails);
    ADD("thaw-hook-fails", "/hook", test_thaw_hook_fails);
    ADD("takes-over-from-killed-agent", NULL, test_takes_over_from_killed_agent);
    ADD("release-thaws", "/hook", test_release_thaws);
    ADD("release-of-nothing", "/hook", test_release_of_nothing);
    ADD("release-while-preparing", "/hook", test_release_while_preparing);
    ADD("time-is-up", "/hook", test_time_is_up);
    ADD("timely-thaw-stops-the-clock", NULL, test_timely_thaw_stops_the_clock);
#undef ADD
    return g_test_run();
}
