/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Everything that is frozen is thawed, hooks run in pairs, and the mark tells the truth, whatever
 * goes wrong.
 *
 * The system only writes down what it is asked to do (fixture.h).
 */

#include <string.h>

#include "agent/fixture.h"
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

static void set_up(CommandFixture *fixture, gconstpointer hook)
{
    fixture_init(fixture, hook);
    fixture->mounts = mounts;
}

static void tear_down(CommandFixture *fixture, gconstpointer hook)
{
    check_warned("");
    fixture_clear(fixture);
}

static void check_thawed(CommandFixture *fixture)
{
    fixture_check(fixture, STATUS, "{\"return\": \"thawed\"}");
    g_assert_false(fixture->policy.frozen);
    g_assert_false(state_is_marked_frozen(&fixture->state));
    g_assert_cmpuint(g_hash_table_size(fixture->frozen), ==, 0);
}

static void test_cycle(CommandFixture *fixture, gconstpointer hook)
{
    check_thawed(fixture);
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture_check_log(fixture, "run /hook freeze, quiet, freeze /mnt/b, freeze /");
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}");
    g_assert_true(state_is_marked_frozen(&fixture->state));
    fixture_check(fixture, FREEZE,
                  "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Command"
                  " guest-fsfreeze-freeze has been disabled: the agent is in frozen state\"}}");
    fixture_check(fixture, THAW, "{\"return\": 2}");
    fixture_check_log(fixture, "thaw /, thaw /mnt/b, loud, run /hook thaw");
    check_thawed(fixture);
    /* Nothing is left to thaw; the hook is run all the same. */
    fixture_check(fixture, THAW, "{\"return\": 0}");
    fixture_check_log(fixture, "run /hook thaw");
}

static void test_without_hook(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture_check(fixture, THAW, "{\"return\": 2}");
    fixture_check_log(fixture, "quiet, freeze /mnt/b, freeze /, thaw /, thaw /mnt/b, loud");
}

static void test_list(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE_LIST("\"/mnt/b\""), "{\"return\": 1}");
    fixture_check(fixture, THAW, "{\"return\": 1}");
    /* By its other name: the device is what is frozen. */
    fixture_check(fixture, FREEZE_LIST("\"/bind\", \"/nowhere\""), "{\"return\": 1}");
    fixture_check(fixture, THAW, "{\"return\": 1}");
    fixture_check_log(fixture, "quiet, freeze /mnt/b, thaw /mnt/b, loud, "
                               "quiet, freeze /mnt/b, thaw /mnt/b, loud");
    fixture_check(fixture, "{\"execute\": \"guest-fsfreeze-freeze-list\"}", "{\"return\": 2}");
    fixture_check(fixture, THAW, "{\"return\": 2}");
}

static void test_nothing_to_freeze(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE_LIST("\"/proc\""), "{\"return\": 0}");
    fixture_check_log(fixture, "run /hook freeze, run /hook thaw");
    check_thawed(fixture);
    fixture_check(fixture, FREEZE_LIST(""), "{\"return\": 0}");
    check_thawed(fixture);
}

static void test_skipped_is_not_counted(CommandFixture *fixture, gconstpointer hook)
{
    fixture->skipping = "/";
    fixture_check(fixture, FREEZE, "{\"return\": 1}");
    fixture_check(fixture, THAW, "{\"return\": 1}");
}

static void test_hidden_by_another_mount(CommandFixture *fixture, gconstpointer hook)
{
    fixture->hidden = "/mnt/b";
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture_check_log(fixture, "quiet, freeze /bind, freeze /");
    fixture_check(fixture, THAW, "{\"return\": 2}");
}

static void test_failure_thaws_all(CommandFixture *fixture, gconstpointer hook)
{
    fixture->refusing = "/";
    fixture_check_error(fixture, FREEZE, "failed to freeze /: Operation not permitted");
    fixture_check_log(fixture,
                      "run /hook freeze, quiet, freeze /mnt/b, freeze /, thaw /mnt/b, loud, "
                      "run /hook thaw");
    check_thawed(fixture);
}

static void test_no_mounts(CommandFixture *fixture, gconstpointer hook)
{
    fixture->mounts = NULL;
    fixture_check_error(fixture, FREEZE, "no mounts");
    fixture_check_log(fixture, "run /hook freeze, run /hook thaw");
    check_thawed(fixture);
}

/* What it has frozen itself it knows. */
static void test_no_mounts_while_frozen(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture->mounts = NULL;
    fixture_check(fixture, THAW, "{\"return\": 2}");
    check_thawed(fixture);
}

/* A thaw that cannot know what to thaw leaves everything as it is, to be tried again. */
static void test_no_mounts_after_restart(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture_set_freezer(fixture, &(FreezerOptions){.hook = hook});
    fixture->mounts = NULL;
    fixture_check_error(fixture, THAW, "no mounts");
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}");
    fixture->mounts = mounts;
    fixture_check(fixture, THAW, "{\"return\": 2}");
    check_thawed(fixture);
}

static void test_unwritable_state(CommandFixture *fixture, gconstpointer hook)
{
    g_autofree char *mark = g_steal_pointer(&fixture->state.mark);
    g_autofree char *words = NULL;

    fixture->state.mark = g_strdup("/nonexistent/mark");
    fixture_check_error(fixture, FREEZE,
                        "failed to create '/nonexistent/mark': No such file or directory");
    fixture_check_log(fixture, "");
    g_free(fixture->state.mark);
    fixture->state.mark = g_steal_pointer(&mark);
    check_thawed(fixture);
}

static void test_freeze_hook_fails(CommandFixture *fixture, gconstpointer hook)
{
    fixture->failing = "freeze";
    fixture->output = "database is busy";
    fixture_check_error(fixture, FREEZE,
                        "child process has failed to execute fsfreeze hook: database is busy");
    fixture->output = "";
    fixture_check_error(fixture, FREEZE,
                        "child process has failed to execute fsfreeze hook, exit status 1");
    fixture_check_log(fixture, "run /hook freeze, run /hook freeze");
    check_thawed(fixture);
}

static void test_thaw_hook_fails(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture->failing = "thaw";
    fixture_check_error(fixture, THAW,
                        "child process has failed to execute fsfreeze hook, exit status 1");
    check_thawed(fixture);
}

static void test_takes_over_from_killed_agent(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture_set_freezer(fixture, &(FreezerOptions){.hook = hook});
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}");
    fixture_check(fixture, THAW, "{\"return\": 2}");
    check_thawed(fixture);
}

static void raise_flag(gpointer user)
{
    *(gboolean *)user = TRUE;
}

static void release(CommandFixture *fixture, gboolean *flag)
{
    *flag = FALSE;
    freezer_release(fixture->commands.freezer, raise_flag, flag);
}

static void test_release_thaws(CommandFixture *fixture, gconstpointer hook)
{
    gboolean released;

    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture->hold = TRUE;
    release(fixture, &released);
    fixture_wait_programs(fixture, 1);
    g_assert_false(released);
    g_assert_cmpuint(g_hash_table_size(fixture->frozen), ==, 0);
    fixture_end_program(fixture, 0, "");
    g_assert_true(released);
    check_thawed(fixture);
}

static void test_release_of_nothing(CommandFixture *fixture, gconstpointer hook)
{
    gboolean released;

    release(fixture, &released);
    g_assert_true(released);
    fixture_check_log(fixture, "");
}

/* The agent is told to end while the freeze hook runs: its work is undone, and nothing is frozen
 * any more. */
static void test_release_while_preparing(CommandFixture *fixture, gconstpointer hook)
{
    gboolean released;

    fixture->hold = TRUE;
    fixture_check(fixture, FREEZE, "");
    release(fixture, &released);
    fixture_end_program(fixture, 0, "");
    g_assert_false(released);
    fixture_end_program(fixture, 0, "");
    g_assert_true(released);
    fixture_check_log(fixture, "run /hook freeze, run /hook thaw");
    g_assert_cmpstr(fixture->replies->str, ==,
                    "{\"error\": {\"class\": \"GenericError\","
                    " \"desc\": \"the agent is shutting down\"}}\n");
    g_string_truncate(fixture->replies, 0);
    check_thawed(fixture);
}

static void wait_thawed(CommandFixture *fixture)
{
    while (g_hash_table_size(fixture->frozen) > 0 || fixture->policy.frozen)
        g_main_context_iteration(NULL, TRUE);
}

static void test_time_is_up(CommandFixture *fixture, gconstpointer hook)
{
    fixture_set_freezer(fixture, &(FreezerOptions){.hook = hook, .timeout_ms = 1000});
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    wait_thawed(fixture);
    fixture_check_log(fixture,
                      "run /hook freeze, quiet, freeze /mnt/b, freeze /, thaw /, thaw /mnt/b, "
                      "loud, run /hook thaw");
    check_thawed(fixture);
    /* Whoever froze is told, once; and the hook has had its second run already. */
    fixture_check_error(fixture, THAW,
                        "the agent itself has ended the freeze: no thaw came in time");
    fixture_check_log(fixture, "");
    fixture_check(fixture, THAW, "{\"return\": 0}");
}

/* Once the end of a former job is over. */
static gboolean clock_runs(const CommandFixture *fixture)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    return g_main_context_find_source_by_user_data(NULL, fixture->commands.freezer) != NULL;
}

static void test_timely_thaw_stops_the_clock(CommandFixture *fixture, gconstpointer hook)
{
    fixture_set_freezer(fixture, &(FreezerOptions){.hook = hook, .timeout_ms = 100000});
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    g_assert_true(clock_runs(fixture));
    fixture_check(fixture, THAW, "{\"return\": 2}");
    g_assert_false(clock_runs(fixture));
    fixture_check(fixture, THAW, "{\"return\": 0}");
}

static void test_lease(CommandFixture *fixture, gconstpointer hook)
{
    Freezer *freezer = fixture->commands.freezer;

    /* In place of none. */
    freezer_set_lease(freezer, 1);
    g_assert_false(clock_runs(fixture));
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    wait_thawed(fixture);
    fixture_check_error(fixture, THAW,
                        "the agent itself has ended the freeze: no thaw came in time");
    freezer_set_lease(freezer, 0);
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    g_assert_false(clock_runs(fixture));
    /* For the freeze that is under way. */
    freezer_set_lease(freezer, LIMIT_FREEZE_LEASE_LONGEST);
    g_assert_true(clock_runs(fixture));
    freezer_set_lease(freezer, 1);
    wait_thawed(fixture);
    fixture_check_error(fixture, THAW,
                        "the agent itself has ended the freeze: no thaw came in time");
}

/* A freeze that hangs because of what it has frozen already ends with it. */
static void test_time_is_up_while_freezing(CommandFixture *fixture, gconstpointer hook)
{
    fixture_set_freezer(fixture, &(FreezerOptions){.hook = hook, .timeout_ms = 100});
    fixture->stuck = "/";
    fixture_check_error(fixture, FREEZE,
                        "the agent itself has ended the freeze: it was not complete in time");
    check_thawed(fixture);
    fixture->stuck = NULL;
    fixture_check(fixture, THAW, "{\"return\": 0}");
}

static void test_release_while_freezing(CommandFixture *fixture, gconstpointer hook)
{
    gboolean released;
    GString *replies = fixture->replies;

    fixture->stuck = "/";
    dispatch_request(&fixture->dispatch, (JsonSpan){FREEZE, strlen(FREEZE)});
    while (g_hash_table_size(fixture->frozen) == 0 || !fixture->policy.frozen)
        g_main_context_iteration(NULL, FALSE);
    release(fixture, &released);
    fixture_run_until(&released);
    g_assert_cmpstr(replies->str, ==,
                    "{\"error\": {\"class\": \"GenericError\","
                    " \"desc\": \"the agent is shutting down\"}}\n");
    g_string_truncate(replies, 0);
    check_thawed(fixture);
}

/* ---- Which ----------------------------------------------------------------------------------- */

/* But for what the freeze itself writes out as fast. */
static void test_written_out_first(CommandFixture *fixture, gconstpointer hook)
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

    fixture->tells_syncs = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        if (cases[i].meminfo != NULL)
            fixture_write(fixture, "/proc/meminfo", cases[i].meminfo);
        fixture_check(fixture, FREEZE, "{\"return\": 2}");
        fixture_check_log(fixture, cases[i].is_much
                                       ? "sync /mnt/b, sync /, quiet, freeze /mnt/b, freeze /"
                                       : "quiet, freeze /mnt/b, freeze /");
        fixture_check(fixture, THAW, "{\"return\": 2}");
        g_free(fixture_take_log(fixture));
    }
}

static void test_list_of_paths(CommandFixture *fixture, gconstpointer hook)
{
    static const char *const paths[] = {"/mnt/b/some/file", "/bind/x", "/mnt/b/", "/mnt/./b",
                                        "bind"};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *request = g_strconcat(LIST_BEGIN "\"", paths[i], "\"" LIST_END, NULL);

        fixture_check(fixture, request, "{\"return\": 1}");
        fixture_check_log(fixture, "quiet, freeze /mnt/b");
        fixture_check(fixture, THAW, "{\"return\": 1}");
        fixture_check_log(fixture, "thaw /mnt/b, loud");
    }
    fixture_check(fixture, FREEZE_LIST("\"/proc/1\", \"/nowhere/at/all\", \"\""),
                  "{\"return\": 1}");
    fixture_check_log(fixture, "quiet, freeze /");
    fixture_check(fixture, THAW, "{\"return\": 1}");
}

static void check_excluded(CommandFixture *fixture, const char *word, const char *frozen)
{
    char *words[] = {(char *)"/nowhere", (char *)word, NULL};

    fixture_set_freezer(fixture, &(FreezerOptions){.excluded = words});
    fixture_check(fixture, FREEZE, "{\"return\": 1}");
    fixture_check_log(fixture, frozen);
    fixture_check(fixture, THAW, "{\"return\": 1}");
    fixture_check_log(fixture,
                      g_str_has_suffix(frozen, "b") ? "thaw /mnt/b, loud" : "thaw /, loud");
}

static void test_excluded(CommandFixture *fixture, gconstpointer hook)
{
    check_excluded(fixture, "/bind", "quiet, freeze /");
    check_excluded(fixture, "/mnt/b/", "quiet, freeze /");
    check_excluded(fixture, "/dev/b", "quiet, freeze /");
    check_excluded(fixture, "xfs", "quiet, freeze /");
    check_excluded(fixture, "ext4", "quiet, freeze /mnt/b");
    /* By name, too. */
    fixture_check(fixture, FREEZE_LIST("\"/\""), "{\"return\": 0}");
}

static void test_unopenable(CommandFixture *fixture, gconstpointer hook)
{
    fixture->unopenable = "/";
    fixture_check_error(fixture, FREEZE, "failed to open /: Permission denied");
    fixture_check_log(fixture, "run /hook freeze, run /hook thaw");
    check_thawed(fixture);
    fixture_set_freezer(fixture, &(FreezerOptions){.skip_unopenable = TRUE});
    fixture_check(fixture, FREEZE, "{\"return\": 1}");
    check_warned("/ is left out: Permission denied");
    fixture_check_log(fixture, "quiet, freeze /mnt/b");
    fixture_check(fixture, THAW, "{\"return\": 1}");
}

/* ---- What it is really like ------------------------------------------------------------------ */

static void thaw_behind_its_back(CommandFixture *fixture, const char *directory)
{
    g_assert_true(g_hash_table_remove(fixture->frozen, directory));
}

#define NOT_CONSISTENT(directory)                                                     \
    "somebody else has thawed " directory " before: what was copied since the freeze" \
    " is not consistent"

static void test_somebody_else_thaws(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    thaw_behind_its_back(fixture, "/");
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}");
    g_assert_cmpuint(g_hash_table_size(fixture->frozen), ==, 1);
    thaw_behind_its_back(fixture, "/mnt/b");
    fixture_check(fixture, STATUS, "{\"return\": \"thawed\"}");
    g_assert_cmpuint(g_hash_table_size(fixture->frozen), ==, 0);
    fixture_check_error(fixture, THAW, NOT_CONSISTENT("/"));
    check_thawed(fixture);
    fixture_check(fixture, THAW, "{\"return\": 0}");
}

/* What lives on a frozen filesystem must not be tried: it would wait for it. */
static void test_look_leaves_what_is_above(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    thaw_behind_its_back(fixture, "/mnt/b");
    g_string_truncate(fixture->log, 0);
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}");
    fixture_check_log(fixture, "");
    fixture_check_error(fixture, THAW, NOT_CONSISTENT("/mnt/b"));
    check_thawed(fixture);
}

static void test_somebody_else_froze(CommandFixture *fixture, gconstpointer hook)
{
    g_hash_table_add(fixture->frozen, g_strdup("/"));
    fixture_check(fixture, FREEZE, "{\"return\": 1}");
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}");
    thaw_behind_its_back(fixture, "/mnt/b");
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}"); /* on another's: not to be tried */
    fixture_check_error(fixture, THAW, NOT_CONSISTENT("/mnt/b"));
    g_assert_true(g_hash_table_remove(fixture->frozen, "/"));
    check_thawed(fixture);
}

/* Their freeze outlives a host's, be that one carried out, refused, or without anything to freeze;
 * and a thaw that is about no freeze known ends it. */
static void test_freeze_of_somebody_else_stays(CommandFixture *fixture, gconstpointer hook)
{
    g_hash_table_add(fixture->frozen, g_strdup("/mnt/b"));
    fixture_check(fixture, FREEZE, "{\"return\": 1}");
    fixture_check(fixture, THAW, "{\"return\": 1}");
    g_assert_true(g_hash_table_contains(fixture->frozen, "/mnt/b"));
    fixture_check(fixture, FREEZE_LIST("\"/mnt/b\""), "{\"return\": 0}");
    g_assert_true(g_hash_table_contains(fixture->frozen, "/mnt/b"));
    fixture_check(fixture, THAW, "{\"return\": 1}");
    check_thawed(fixture);
}

static void test_unmounted_while_frozen(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture->mounts = "";
    fixture_check(fixture, THAW, "{\"return\": 2}");
    check_thawed(fixture);
}

static void test_mark_of_former_boot(CommandFixture *fixture, gconstpointer hook)
{
    fixture_write(fixture, "qga.state.isfrozen", "boot=some other\n");
    fixture_set_freezer(fixture, &(FreezerOptions){.hook = hook});
    check_thawed(fixture);
    fixture_write(fixture, "qga.state.isfrozen", ""); /* qemu-ga's */
    fixture_set_freezer(fixture, &(FreezerOptions){.hook = hook});
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}");
    fixture_check(fixture, THAW, "{\"return\": 0}");
    check_thawed(fixture);
}

/* ---- Side by side, and at once --------------------------------------------------------------- */

/* Both are on disks of their own. */
static void make_disks(CommandFixture *fixture)
{
    fixture_write(fixture, "/sys/devices/pci0/block/a/dev", "8:1");
    fixture_write(fixture, "/sys/devices/pci0/block/b/dev", "8:2");
    fixture_link(fixture, "/sys/dev/block/8:1", "/sys/devices/pci0/block/a");
    fixture_link(fixture, "/sys/dev/block/8:2", "/sys/devices/pci0/block/b");
}

static void test_side_by_side(CommandFixture *fixture, gconstpointer hook)
{
    make_disks(fixture);
    fixture->together = 2;
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture_check(fixture, THAW, "{\"return\": 2}");
    check_thawed(fixture);
}

#define EXPEDITED "/sys/kernel/rcu_expedited"

/* By an agent that was told to have it expedited, if it was @before. */
static void freeze_expedited(CommandFixture *fixture, const char *before)
{
    fixture_write(fixture, EXPEDITED, before);
    fixture_set_freezer(fixture, &(FreezerOptions){.expedite = TRUE});
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
}

static void check_expedited(CommandFixture *fixture, const char *expected)
{
    g_autofree char *found = fixture_read(fixture, EXPEDITED);

    g_assert_cmpstr(found, ==, expected);
}

static void test_expedited(CommandFixture *fixture, gconstpointer hook)
{
    freeze_expedited(fixture, "0");
    fixture_check_log(fixture, "quiet, freeze /mnt/b at once, freeze / at once");
    check_expedited(fixture, "0");
    fixture_check(fixture, THAW, "{\"return\": 2}");
    fixture->refusing = "/";
    fixture_check_error(fixture, FREEZE, "failed to freeze /: Operation not permitted");
    check_expedited(fixture, "0");
}

static void test_expedited_by_others(CommandFixture *fixture, gconstpointer hook)
{
    freeze_expedited(fixture, "1");
    check_expedited(fixture, "1");
    fixture_set_freezer(fixture, &(FreezerOptions){.expedite = TRUE});
    check_expedited(fixture, "1");
    fixture_check(fixture, THAW, "{\"return\": 2}");
    check_expedited(fixture, "1");
}

/* Killed in the middle of it. */
static void test_expedited_by_former_agent(CommandFixture *fixture, gconstpointer hook)
{
    freeze_expedited(fixture, "0");
    fixture_write(fixture, EXPEDITED, "1");
    fixture_set_freezer(fixture, &(FreezerOptions){.expedite = FALSE});
    check_expedited(fixture, "0");
    fixture_check(fixture, THAW, "{\"return\": 2}");
}

/* ---- Hooks that are killed ------------------------------------------------------------------- */

static void test_freeze_hook_is_killed(CommandFixture *fixture, gconstpointer hook)
{
    fixture->overdue = TRUE;
    fixture->status = -15;
    fixture_check_error(
        fixture, FREEZE,
        "child process has failed to execute fsfreeze hook: killed, since it had not ended");
    fixture_check_log(fixture, "run /hook freeze, run /hook thaw");
    check_thawed(fixture);
    fixture->overdue = FALSE;
    fixture->status = -9;
    fixture_check_error(fixture, FREEZE,
                        "child process has failed to execute fsfreeze hook, exit status -9");
    fixture_check_log(fixture, "run /hook freeze, run /hook thaw");
}

/* With nobody there to be told, the log is. */
static void test_thaw_hook_fails_alone(CommandFixture *fixture, gconstpointer hook)
{
    fixture_set_freezer(fixture, &(FreezerOptions){.hook = hook, .timeout_ms = 1000});
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture->failing = "thaw";
    wait_thawed(fixture);
    check_warned("child process has failed to execute fsfreeze hook, exit status 1");
    fixture_check_error(fixture, THAW,
                        "the agent itself has ended the freeze: no thaw came in time");
}

static void test_thaw_hook_is_killed(CommandFixture *fixture, gconstpointer hook)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture->overdue = TRUE;
    fixture->status = -9;
    fixture_check_error(
        fixture, THAW,
        "child process has failed to execute fsfreeze hook: killed, since it had not ended");
    check_thawed(fixture);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    warned = g_string_new(NULL);
    g_log_set_writer_func(on_log, NULL, NULL);
#define ADD(name, hook, function) \
    g_test_add("/freeze/" name, CommandFixture, hook, set_up, function, tear_down)
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
    ADD("freeze-of-somebody-else-stays", NULL, test_freeze_of_somebody_else_stays);
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
