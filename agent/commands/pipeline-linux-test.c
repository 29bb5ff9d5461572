/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Several commands under way where one of them is of Linux' own kind: it hangs in the kernel, or
 * has a freeze's hook to wait for. */

#include "agent/bench.h"

#include "common/limits.h"

#define THAW "{\"execute\": \"guest-fsfreeze-thaw\", \"id\": \"thaw\"}"
#define PING "{\"execute\": \"guest-ping\", \"id\": 2}"
#define PONG "{\"return\": {}, \"id\": 2}"

static void enable(Bench *bench)
{
    g_free(bench_ask(bench, "{\"execute\": \"guest-capabilities\", \"id\": 1, \"arguments\": "
                            "{\"enable\": [\"pipeline\"]}}"));
}

/* A whole command that runs on a thread, and hangs there, keeps no other waiting. */
static void test_beside(void)
{
    GMutex gate;
    Bench bench;

    g_mutex_init(&gate);
    bench_init(&bench, NULL);
    bench.mounts = "";
    bench.gate = &gate;
    enable(&bench);
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

/* A thaw is taken beside as many commands as there may be. */
static void test_thaw_is_not_counted(void)
{
    Bench bench;

    bench_init(&bench, "/hook");
    bench.tools = BENCH_CLOCK_TOOLS;
    enable(&bench);
    bench.hold = TRUE;
    for (guint i = 0; i < LIMIT_AGENT_PIPELINE; i++) {
        g_autofree char *request =
            g_strdup_printf("{\"execute\": \"guest-set-time\", \"id\": %u}", i);

        bench_check(&bench, request, "");
    }
    bench_check(&bench, THAW, "");
    bench_wait_programs(&bench, LIMIT_AGENT_PIPELINE + 1);
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(bench.replies->str, ==, "{\"return\": 0, \"id\": \"thaw\"}\n");
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
    enable(&bench);
    bench.hold = TRUE;
    bench_check(&bench, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 3}", "");
    bench_check(&bench, THAW, "");
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(bench.replies->str, ==, "");
    bench_end_program(&bench, 0, "");
    g_assert_cmpstr(
        bench.replies->str, ==,
        "{\"id\": 3, \"error\": {\"class\": \"GenericError\", \"desc\": \"the guest was "
        "thawed before it was frozen\"}}\n{\"return\": 0, \"id\": \"thaw\"}\n");
    bench_check_log(&bench, "run /hook freeze, run /hook thaw");
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pipeline/beside", test_beside);
    g_test_add_func("/pipeline/thaw-is-not-counted", test_thaw_is_not_counted);
    g_test_add_func("/pipeline/thaw-beside-a-freeze", test_thaw_beside_a_freeze);
    return g_test_run();
}
