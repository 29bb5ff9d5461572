/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a freeze by Windows' shadow copies comes to: Wine has none, so that a stand-in says how it
 * went. */

#include "freeze.h"

#include <string.h>

#include "agent/fixture-win32.h"

#define FREEZE "{\"execute\": \"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\": \"guest-fsfreeze-thaw\"}"
#define STATUS "{\"execute\": \"guest-fsfreeze-status\"}"

#define LIMITED                                                                    \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"couldn't hold writes: " \
    "fsfreeze is limited up to 10 seconds\"}}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void await_thawed(CommandFixture *fixture)
{
    while (fixture->policy.frozen)
        g_main_context_iteration(NULL, TRUE);
}

static void test_freeze_and_thaw(CommandFixture *fixture, gconstpointer data)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture_check(fixture, STATUS, "{\"return\": \"frozen\"}");
    fixture_check_log(fixture, "hold all, quiet");
    g_assert_true(fixture->policy.frozen);
    fixture_check(fixture, THAW, "{\"return\": 2}");
    fixture_check(fixture, STATUS, "{\"return\": \"thawed\"}");
    fixture_check_log(fixture, "loud");
    fixture_check(fixture, THAW, "{\"return\": 0}");
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    fixture_check(fixture, THAW, "{\"return\": 2}");
}

static void test_some(CommandFixture *fixture, gconstpointer data)
{
    fixture_check(fixture,
                  "{\"execute\": \"guest-fsfreeze-freeze-list\", "
                  "\"arguments\": {\"mountpoints\": [\"C:\\\\\", \"D:\\\\\"]}}",
                  "{\"return\": 2}");
    fixture_check_log(fixture, "hold C:\\ D:\\, quiet");
    fixture_check(fixture, THAW, "{\"return\": 2}");
}

static void test_refused(CommandFixture *fixture, gconstpointer data)
{
    fixture_win32.hold = FIXTURE_REFUSES;
    fixture_check(fixture, FREEZE,
                  "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no provider\"}}");
    fixture_check(fixture, STATUS, "{\"return\": \"thawed\"}");
    fixture_check_log(fixture, "hold all");
}

static void test_nothing(CommandFixture *fixture, gconstpointer data)
{
    fixture_win32.hold = FIXTURE_HAS_NONE;
    fixture_check(fixture, FREEZE, "{\"return\": 0}");
    fixture_check(fixture, STATUS, "{\"return\": \"thawed\"}");
}

/* Whoever thaws is told that what was copied since may be torn. */
static void test_given_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_win32.hold = FIXTURE_GIVES_UP;
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    await_thawed(fixture);
    fixture_check(fixture, STATUS, "{\"return\": \"thawed\"}");
    fixture_check(fixture, THAW, LIMITED);
    fixture_check(fixture, THAW, "{\"return\": 0}");
}

static void test_time_limit(CommandFixture *fixture, gconstpointer data)
{
    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    await_thawed(fixture);
    fixture_check(fixture, THAW, LIMITED);
}

static void set_up_limited(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
    fixture_set_freezer(fixture, &(FreezerOptions){.timeout_ms = 1});
}

/* A thaw that comes while a freeze is prepared ends it: both are told, and nothing stays frozen. */
static void test_thaw_beside_a_freeze(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *enabled =
        fixture_ask(fixture, "{\"execute\": \"guest-capabilities\", \"id\": 1, "
                             "\"arguments\": {\"enable\": [\"pipeline\"]}}");

    g_assert_nonnull(strstr(enabled, "\"enabled\": [\"pipeline\"]"));
    fixture_check(fixture, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 2}", "");
    fixture_check(fixture, "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": 3}", "");
    fixture_check(fixture, "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": 4}", "");
    while (dispatch_is_working(&fixture->dispatch))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(
        fixture->replies->str, ==,
        "{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"the guest was "
        "thawed before it was frozen\"}}\n"
        "{\"return\": 2, \"id\": 3}\n{\"return\": 2, \"id\": 4}\n");
    g_assert_false(fixture->policy.frozen);
    fixture_check_log(fixture, "hold all, quiet, loud");
}

/* So with one that fails by itself. */
static void test_thaw_beside_a_failure(CommandFixture *fixture, gconstpointer data)
{
    fixture_win32.hold = FIXTURE_REFUSES;
    g_free(fixture_ask(fixture, "{\"execute\": \"guest-capabilities\", \"id\": 1, "
                                "\"arguments\": {\"enable\": [\"pipeline\"]}}"));
    fixture_check(fixture, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 2}", "");
    fixture_check(fixture, "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": 3}", "");
    while (dispatch_is_working(&fixture->dispatch))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(
        fixture->replies->str, ==,
        "{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"no provider\"}}\n"
        "{\"return\": 0, \"id\": 3}\n");
}

static void on_released(gpointer user)
{
    *(gboolean *)user = TRUE;
}

/* The agent ends only when nothing is frozen any more. */
static void test_release(CommandFixture *fixture, gconstpointer data)
{
    gboolean released = FALSE;

    fixture_check(fixture, FREEZE, "{\"return\": 2}");
    freezer_release(fixture->commands.freezer, on_released, &released);
    g_assert_false(released);
    fixture_run_until(&released);
    g_assert_false(fixture->policy.frozen);
}

static void add(const char *path, void (*set)(CommandFixture *fixture, gconstpointer data),
                void (*test)(CommandFixture *fixture, gconstpointer data))
{
    g_test_add(path, CommandFixture, NULL, set, test, tear_down);
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
