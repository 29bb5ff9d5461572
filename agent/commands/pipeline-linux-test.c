/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Several commands under way where one of them is of Linux' own kind: it hangs in the kernel, or
 * has a freeze's hook to wait for. */

#include "agent/fixture.h"

#include "common/limits.h"

#define THAW "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": \"thaw\"}"
#define PING "{\"execute\": \"guest-ping\", \"id\": 2}"
#define PONG "{\"return\": {}, \"id\": 2}"

static void enable(CommandFixture *fixture)
{
    g_free(fixture_ask(fixture, "{\"execute\": \"guest-capabilities\", \"id\": 1, \"arguments\": "
                                "{\"enable\": [\"pipeline\"]}}"));
}

/* A whole command that runs on a thread, and hangs there, keeps no other waiting. */
static void test_beside(void)
{
    GMutex gate;
    CommandFixture fixture;

    g_mutex_init(&gate);
    fixture_init(&fixture, NULL);
    fixture.mounts = "";
    fixture.gate = &gate;
    enable(&fixture);
    g_mutex_lock(&gate);
    fixture_check(&fixture, "{\"execute\": \"guest-get-fsinfo\", \"id\": \"slow\"}", "");
    fixture_check(&fixture, PING, PONG);
    g_mutex_unlock(&gate);
    while (dispatch_is_working(&fixture.dispatch))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(fixture.replies->str, ==, "{\"return\": [], \"id\": \"slow\"}\n");
    fixture_clear(&fixture);
    g_mutex_clear(&gate);
}

/* A thaw is taken beside as many commands as there may be. */
static void test_thaw_is_not_counted(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, "/hook");
    fixture.tools = FIXTURE_CLOCK_TOOLS;
    enable(&fixture);
    fixture.hold = TRUE;
    for (guint i = 0; i < LIMIT_AGENT_PIPELINE; i++) {
        g_autofree char *request =
            g_strdup_printf("{\"execute\": \"guest-set-time\", \"id\": %u}", i);

        fixture_check(&fixture, request, "");
    }
    fixture_check(&fixture, THAW, "");
    fixture_wait_programs(&fixture, LIMIT_AGENT_PIPELINE + 1);
    fixture_end_program(&fixture, 0, "");
    g_assert_cmpstr(fixture.replies->str, ==, "{\"return\": 0, \"id\": \"thaw\"}\n");
    while (fixture.held->len > 0)
        fixture_end_program(&fixture, 0, "");
    fixture_clear(&fixture);
}

/* A thaw that comes while a freeze is prepared ends it, and is answered when that is over: whoever
 * asks then finds the truth. */
static void test_thaw_beside_a_freeze(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, "/hook");
    fixture.mounts = "1 1 8:1 / /a rw - ext4 /dev/sda1 rw\n";
    enable(&fixture);
    fixture.hold = TRUE;
    fixture_check(&fixture, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 3}", "");
    fixture_check(&fixture, THAW, "");
    fixture_end_program(&fixture, 0, "");
    g_assert_cmpstr(fixture.replies->str, ==, "");
    fixture_end_program(&fixture, 0, "");
    g_assert_cmpstr(
        fixture.replies->str, ==,
        "{\"id\": 3, \"error\": {\"class\": \"GenericError\", \"desc\": \"the guest was "
        "thawed before it was frozen\"}}\n{\"return\": 0, \"id\": \"thaw\"}\n");
    fixture_check_log(&fixture, "run /hook freeze, run /hook thaw");
    fixture_clear(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pipeline/beside", test_beside);
    g_test_add_func("/pipeline/thaw-is-not-counted", test_thaw_is_not_counted);
    g_test_add_func("/pipeline/thaw-beside-a-freeze", test_thaw_beside_a_freeze);
    return g_test_run();
}
