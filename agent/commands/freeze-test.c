/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Everything that is frozen is thawed, hooks run in pairs, and the mark tells the truth, whatever
 * goes wrong.
 *
 * The system only writes down what it is asked to do (bench.h).
 */

#include <string.h>

#include "agent/bench.h"
#include "common/limits.h"

static const char mounts[] = "1 1 8:1 / / rw - ext4 /dev/a rw\n"
                             "2 1 0:5 / /proc rw - proc proc rw\n"
                             "3 1 8:2 / /mnt/b rw - xfs /dev/b rw\n"
                             "4 1 8:2 /x /bind rw - xfs /dev/b rw\n";

#define FREEZE "{\"execute\": \"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\": \"guest-fsfreeze-thaw\"}"
#define STATUS "{\"execute\": \"guest-fsfreeze-status\"}"
#define LIST_BEGIN                                  \
    "{\"execute\": \"guest-fsfreeze-freeze-list\"," \
    " \"arguments\": {\"mountpoints\": ["
#define LIST_END          "]}}"
#define FREEZE_LIST(list) LIST_BEGIN list LIST_END

/* What the agent has warned of, and no test has looked at yet. */
static GString *warned;

static GLogWriterOutput on_log(GLogLevelFlags level, const GLogField *fields, gsize count,
                               gpointer user_data)
{
    for (gsize i = 0; i < count && level <= G_LOG_LEVEL_WARNING; i++) {
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            g_string_append(warned, fields[i].value);
    }
    return G_LOG_WRITER_HANDLED;
}

static void check_warned(const char *expected)
{
    g_assert_cmpstr(warned->str, ==, expected);
    g_string_truncate(warned, 0);
}

static void set_up(Bench *bench, gconstpointer hook)
{
    bench_init(bench, hook);
    bench->mounts = mounts;
}

static void tear_down(Bench *bench, gconstpointer hook)
{
    check_warned("");
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
    bench_check_log(bench, "run /hook thaw");
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
    bench_check_log(bench, "run /hook freeze, run /hook thaw");
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
    bench_check_error(bench, FREEZE, "failed to freeze /: Operation not permitted");
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

/* What it has frozen itself it knows. */
static void test_no_mounts_while_frozen(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench->mounts = NULL;
    bench_check(bench, THAW, "{\"return\": 2}");
    check_thawed(bench);
}

/* A thaw that cannot know what to thaw leaves everything as it is, to be tried again. */
static void test_no_mounts_after_restart(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench_set_freezer(bench, &(FreezerOptions){.hook = hook});
    bench->mounts = NULL;
    bench_check_error(bench, THAW, "no mounts");
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    bench->mounts = mounts;
    bench_check(bench, THAW, "{\"return\": 2}");
    check_thawed(bench);
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
    bench_set_freezer(bench, &(FreezerOptions){.hook = hook});
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
    bench_wait_programs(bench, 1);
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

static void wait_thawed(Bench *bench)
{
    while (g_hash_table_size(bench->frozen) > 0 || bench->policy.frozen)
        g_main_context_iteration(NULL, TRUE);
}

static void test_time_is_up(Bench *bench, gconstpointer hook)
{
    bench_set_freezer(bench, &(FreezerOptions){.hook = hook, .timeout_ms = 1000});
    bench_check(bench, FREEZE, "{\"return\": 2}");
    wait_thawed(bench);
    bench_check_log(bench, "run /hook freeze, quiet, freeze /mnt/b, freeze /, thaw /, thaw /mnt/b, "
                           "loud, run /hook thaw");
    check_thawed(bench);
    /* Whoever froze is told, once; and the hook has had its second run already. */
    bench_check_error(bench, THAW, "the agent itself has ended the freeze: no thaw came in time");
    bench_check_log(bench, "");
    bench_check(bench, THAW, "{\"return\": 0}");
}

/* Once the end of a former job is over. */
static gboolean clock_runs(const Bench *bench)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    return g_main_context_find_source_by_user_data(NULL, bench->commands.freezer) != NULL;
}

static void test_timely_thaw_stops_the_clock(Bench *bench, gconstpointer hook)
{
    bench_set_freezer(bench, &(FreezerOptions){.hook = hook, .timeout_ms = 100000});
    bench_check(bench, FREEZE, "{\"return\": 2}");
    g_assert_true(clock_runs(bench));
    bench_check(bench, THAW, "{\"return\": 2}");
    g_assert_false(clock_runs(bench));
    bench_check(bench, THAW, "{\"return\": 0}");
}

static void test_lease(Bench *bench, gconstpointer hook)
{
    Freezer *freezer = bench->commands.freezer;

    /* In place of none. */
    freezer_set_lease(freezer, 1);
    g_assert_false(clock_runs(bench));
    bench_check(bench, FREEZE, "{\"return\": 2}");
    wait_thawed(bench);
    bench_check_error(bench, THAW, "the agent itself has ended the freeze: no thaw came in time");
    freezer_set_lease(freezer, 0);
    bench_check(bench, FREEZE, "{\"return\": 2}");
    g_assert_false(clock_runs(bench));
    /* For the freeze that is under way. */
    freezer_set_lease(freezer, LIMIT_FREEZE_LEASE_LONGEST);
    g_assert_true(clock_runs(bench));
    freezer_set_lease(freezer, 1);
    wait_thawed(bench);
    bench_check_error(bench, THAW, "the agent itself has ended the freeze: no thaw came in time");
}

/* A freeze that hangs because of what it has frozen already ends with it. */
static void test_time_is_up_while_freezing(Bench *bench, gconstpointer hook)
{
    bench_set_freezer(bench, &(FreezerOptions){.hook = hook, .timeout_ms = 100});
    bench->stuck = "/";
    bench_check_error(bench, FREEZE,
                      "the agent itself has ended the freeze: it was not complete in time");
    check_thawed(bench);
    bench->stuck = NULL;
    bench_check(bench, THAW, "{\"return\": 0}");
}

static void test_release_while_freezing(Bench *bench, gconstpointer hook)
{
    gboolean released;
    GString *replies = bench->replies;

    bench->stuck = "/";
    dispatch_request(&bench->dispatch, (JsonSpan){FREEZE, strlen(FREEZE)});
    while (g_hash_table_size(bench->frozen) == 0 || !bench->policy.frozen)
        g_main_context_iteration(NULL, FALSE);
    release(bench, &released);
    bench_run_until(&released);
    g_assert_cmpstr(replies->str, ==,
                    "{\"error\": {\"class\": \"GenericError\","
                    " \"desc\": \"the agent is shutting down\"}}\n");
    g_string_truncate(replies, 0);
    check_thawed(bench);
}

/* ---- Which ----------------------------------------------------------------------------------- */

/* But for what the freeze itself writes out as fast. */
static void test_written_out_first(Bench *bench, gconstpointer hook)
{
    static const struct {
        const char *meminfo;
        gboolean is_much;
    } cases[] = {
        {NULL, TRUE}, /* nothing tells */
        {"MemTotal: 9 kB\nDirty:            4097 kB\nWriteback:       0 kB\n", TRUE},
        {"MemTotal: 9 kB\nDirty:            2048 kB\nWriteback:    2049 kB\n", TRUE},
        {"MemTotal: 9999 kB\nDirty:         2048 kB\nWriteback:    2048 kB\n", FALSE},
        {"MemTotal: 9 kB\nDirty: 0 kB\nWriteback: 0 kB\nWritebackTmp: 9999 kB\n", FALSE},
    };

    bench->tells_syncs = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        if (cases[i].meminfo != NULL)
            bench_write(bench, "/proc/meminfo", cases[i].meminfo);
        bench_check(bench, FREEZE, "{\"return\": 2}");
        bench_check_log(bench, cases[i].is_much
                                   ? "sync /mnt/b, sync /, quiet, freeze /mnt/b, freeze /"
                                   : "quiet, freeze /mnt/b, freeze /");
        bench_check(bench, THAW, "{\"return\": 2}");
        g_free(bench_take_log(bench));
    }
}

static void test_list_of_paths(Bench *bench, gconstpointer hook)
{
    static const char *const paths[] = {"/mnt/b/some/file", "/bind/x", "/mnt/b/", "/mnt/./b",
                                        "bind"};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *request = g_strconcat(LIST_BEGIN "\"", paths[i], "\"" LIST_END, NULL);

        bench_check(bench, request, "{\"return\": 1}");
        bench_check_log(bench, "quiet, freeze /mnt/b");
        bench_check(bench, THAW, "{\"return\": 1}");
        bench_check_log(bench, "thaw /mnt/b, loud");
    }
    bench_check(bench, FREEZE_LIST("\"/proc/1\", \"/nowhere/at/all\", \"\""), "{\"return\": 1}");
    bench_check_log(bench, "quiet, freeze /");
    bench_check(bench, THAW, "{\"return\": 1}");
}

static void check_excluded(Bench *bench, const char *word, const char *frozen)
{
    char *words[] = {(char *)"/nowhere", (char *)word, NULL};

    bench_set_freezer(bench, &(FreezerOptions){.excluded = words});
    bench_check(bench, FREEZE, "{\"return\": 1}");
    bench_check_log(bench, frozen);
    bench_check(bench, THAW, "{\"return\": 1}");
    bench_check_log(bench, g_str_has_suffix(frozen, "b") ? "thaw /mnt/b, loud" : "thaw /, loud");
}

static void test_excluded(Bench *bench, gconstpointer hook)
{
    check_excluded(bench, "/bind", "quiet, freeze /");
    check_excluded(bench, "/mnt/b/", "quiet, freeze /");
    check_excluded(bench, "/dev/b", "quiet, freeze /");
    check_excluded(bench, "xfs", "quiet, freeze /");
    check_excluded(bench, "ext4", "quiet, freeze /mnt/b");
    /* By name, too. */
    bench_check(bench, FREEZE_LIST("\"/\""), "{\"return\": 0}");
}

static void test_unopenable(Bench *bench, gconstpointer hook)
{
    bench->unopenable = "/";
    bench_check_error(bench, FREEZE, "failed to open /: Permission denied");
    bench_check_log(bench, "run /hook freeze, run /hook thaw");
    check_thawed(bench);
    bench_set_freezer(bench, &(FreezerOptions){.skip_unopenable = TRUE});
    bench_check(bench, FREEZE, "{\"return\": 1}");
    check_warned("/ is left out: Permission denied");
    bench_check_log(bench, "quiet, freeze /mnt/b");
    bench_check(bench, THAW, "{\"return\": 1}");
}

/* ---- What it is really like ------------------------------------------------------------------ */

static void thaw_behind_its_back(Bench *bench, const char *directory)
{
    g_assert_true(g_hash_table_remove(bench->frozen, directory));
}

#define NOT_CONSISTENT(directory)                                                     \
    "somebody else has thawed " directory " before: what was copied since the freeze" \
    " is not consistent"

static void test_somebody_else_thaws(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    thaw_behind_its_back(bench, "/");
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    g_assert_cmpuint(g_hash_table_size(bench->frozen), ==, 1);
    thaw_behind_its_back(bench, "/mnt/b");
    bench_check(bench, STATUS, "{\"return\": \"thawed\"}");
    g_assert_cmpuint(g_hash_table_size(bench->frozen), ==, 0);
    bench_check_error(bench, THAW, NOT_CONSISTENT("/"));
    check_thawed(bench);
    bench_check(bench, THAW, "{\"return\": 0}");
}

/* What lives on a frozen filesystem must not be tried: it would wait for it. */
static void test_look_leaves_what_is_above(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    thaw_behind_its_back(bench, "/mnt/b");
    g_string_truncate(bench->log, 0);
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    bench_check_log(bench, "");
    bench_check_error(bench, THAW, NOT_CONSISTENT("/mnt/b"));
    check_thawed(bench);
}

static void test_somebody_else_froze(Bench *bench, gconstpointer hook)
{
    g_hash_table_add(bench->frozen, g_strdup("/"));
    bench_check(bench, FREEZE, "{\"return\": 1}");
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    thaw_behind_its_back(bench, "/mnt/b");
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}"); /* on another's: not to be tried */
    bench_check_error(bench, THAW, NOT_CONSISTENT("/mnt/b"));
    check_thawed(bench);
}

static void test_unmounted_while_frozen(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench->mounts = "";
    bench_check(bench, THAW, "{\"return\": 2}");
    check_thawed(bench);
}

static void test_mark_of_former_boot(Bench *bench, gconstpointer hook)
{
    bench_write(bench, "qga.state.isfrozen", "boot=some other\n");
    bench_set_freezer(bench, &(FreezerOptions){.hook = hook});
    check_thawed(bench);
    bench_write(bench, "qga.state.isfrozen", ""); /* qemu-ga's */
    bench_set_freezer(bench, &(FreezerOptions){.hook = hook});
    bench_check(bench, STATUS, "{\"return\": \"frozen\"}");
    bench_check(bench, THAW, "{\"return\": 0}");
    check_thawed(bench);
}

/* ---- Side by side, and at once --------------------------------------------------------------- */

/* Both are on disks of their own. */
static void make_disks(Bench *bench)
{
    bench_write(bench, "/sys/devices/pci0/block/a/dev", "8:1");
    bench_write(bench, "/sys/devices/pci0/block/b/dev", "8:2");
    bench_link(bench, "/sys/dev/block/8:1", "/sys/devices/pci0/block/a");
    bench_link(bench, "/sys/dev/block/8:2", "/sys/devices/pci0/block/b");
}

static void test_side_by_side(Bench *bench, gconstpointer hook)
{
    make_disks(bench);
    bench->together = 2;
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench_check(bench, THAW, "{\"return\": 2}");
    check_thawed(bench);
}

#define EXPEDITED "/sys/kernel/rcu_expedited"

/* By an agent that was told to have it expedited, if it was @before. */
static void freeze_expedited(Bench *bench, const char *before)
{
    bench_write(bench, EXPEDITED, before);
    bench_set_freezer(bench, &(FreezerOptions){.expedite = TRUE});
    bench_check(bench, FREEZE, "{\"return\": 2}");
}

static void check_expedited(Bench *bench, const char *expected)
{
    g_autofree char *found = bench_read(bench, EXPEDITED);

    g_assert_cmpstr(found, ==, expected);
}

static void test_expedited(Bench *bench, gconstpointer hook)
{
    freeze_expedited(bench, "0");
    bench_check_log(bench, "quiet, freeze /mnt/b at once, freeze / at once");
    check_expedited(bench, "0");
    bench_check(bench, THAW, "{\"return\": 2}");
    bench->refusing = "/";
    bench_check_error(bench, FREEZE, "failed to freeze /: Operation not permitted");
    check_expedited(bench, "0");
}

static void test_expedited_by_others(Bench *bench, gconstpointer hook)
{
    freeze_expedited(bench, "1");
    check_expedited(bench, "1");
    bench_set_freezer(bench, &(FreezerOptions){.expedite = TRUE});
    check_expedited(bench, "1");
    bench_check(bench, THAW, "{\"return\": 2}");
    check_expedited(bench, "1");
}

/* Killed in the middle of it. */
static void test_expedited_by_former_agent(Bench *bench, gconstpointer hook)
{
    freeze_expedited(bench, "0");
    bench_write(bench, EXPEDITED, "1");
    bench_set_freezer(bench, &(FreezerOptions){.expedite = FALSE});
    check_expedited(bench, "0");
    bench_check(bench, THAW, "{\"return\": 2}");
}

/* ---- Hooks that are killed ------------------------------------------------------------------- */

static void test_freeze_hook_is_killed(Bench *bench, gconstpointer hook)
{
    bench->overdue = TRUE;
    bench->status = -15;
    bench_check_error(
        bench, FREEZE,
        "child process has failed to execute fsfreeze hook: killed, since it had not ended");
    bench_check_log(bench, "run /hook freeze, run /hook thaw");
    check_thawed(bench);
    bench->overdue = FALSE;
    bench->status = -9;
    bench_check_error(bench, FREEZE,
                      "child process has failed to execute fsfreeze hook, exit status -9");
    bench_check_log(bench, "run /hook freeze, run /hook thaw");
}

/* With nobody there to be told, the log is. */
static void test_thaw_hook_fails_alone(Bench *bench, gconstpointer hook)
{
    bench_set_freezer(bench, &(FreezerOptions){.hook = hook, .timeout_ms = 1000});
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench->failing = "thaw";
    wait_thawed(bench);
    check_warned("child process has failed to execute fsfreeze hook, exit status 1");
    bench_check_error(bench, THAW, "the agent itself has ended the freeze: no thaw came in time");
}

static void test_thaw_hook_is_killed(Bench *bench, gconstpointer hook)
{
    bench_check(bench, FREEZE, "{\"return\": 2}");
    bench->overdue = TRUE;
    bench->status = -9;
    bench_check_error(
        bench, THAW,
        "child process has failed to execute fsfreeze hook: killed, since it had not ended");
    check_thawed(bench);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    warned = g_string_new(NULL);
    g_log_set_writer_func(on_log, NULL, NULL);
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
    ADD("no-mounts-after-restart", NULL, test_no_mounts_after_restart);
    ADD("unwritable-state", NULL, test_unwritable_state);
    ADD("freeze-hook-fails", "/hook", test_freeze_hook_fails);
    ADD("thaw-hook-fails", "/hook", test_thaw_hook_fails);
    ADD("takes-over-from-killed-agent", NULL, test_takes_over_from_killed_agent);
    ADD("release-thaws", "/hook", test_release_thaws);
    ADD("release-of-nothing", "/hook", test_release_of_nothing);
    ADD("release-while-preparing", "/hook", test_release_while_preparing);
    ADD("time-is-up", "/hook", test_time_is_up);
    ADD("timely-thaw-stops-the-clock", NULL, test_timely_thaw_stops_the_clock);
    ADD("lease", NULL, test_lease);
    ADD("time-is-up-while-freezing", "/hook", test_time_is_up_while_freezing);
    ADD("release-while-freezing", "/hook", test_release_while_freezing);
    ADD("written-out-first", NULL, test_written_out_first);
    ADD("list-of-paths", NULL, test_list_of_paths);
    ADD("excluded", NULL, test_excluded);
    ADD("unopenable", "/hook", test_unopenable);
    ADD("somebody-else-thaws", NULL, test_somebody_else_thaws);
    ADD("look-leaves-what-is-above", NULL, test_look_leaves_what_is_above);
    ADD("somebody-else-froze", NULL, test_somebody_else_froze);
    ADD("unmounted-while-frozen", NULL, test_unmounted_while_frozen);
    ADD("mark-of-former-boot", NULL, test_mark_of_former_boot);
    ADD("side-by-side", NULL, test_side_by_side);
    ADD("expedited", NULL, test_expedited);
    ADD("expedited-by-others", NULL, test_expedited_by_others);
    ADD("expedited-by-former-agent", NULL, test_expedited_by_former_agent);
    ADD("freeze-hook-is-killed", "/hook", test_freeze_hook_is_killed);
    ADD("thaw-hook-fails-alone", "/hook", test_thaw_hook_fails_alone);
    ADD("thaw-hook-is-killed", "/hook", test_thaw_hook_is_killed);
#undef ADD
    status = g_test_run();
    g_string_free(warned, TRUE);
    return status;
}
