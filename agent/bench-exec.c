/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/bench-exec.h"

#include <string.h>

gint64 bench_exec_start(Bench *bench, const char *arguments)
{
    static const char answer[] = "{\"return\": {\"pid\": ";
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-exec\", \"arguments\": {%s}}", arguments);
    g_autofree char *reply = bench_ask(bench, request);

    g_assert_true(g_str_has_prefix(reply, answer));
    return g_ascii_strtoll(reply + strlen(answer), NULL, 10);
}

char *bench_exec_status(Bench *bench, gint64 pid)
{
    g_autofree char *request = g_strdup_printf("{\"execute\": \"guest-exec-status\", \"arguments\":"
                                               " {\"pid\": %" G_GINT64_FORMAT "}}",
                                               pid);

    return g_strchomp(bench_ask(bench, request));
}

char *bench_exec_finish(Bench *bench, gint64 pid)
{
    for (;;) {
        char *reply = bench_exec_status(bench, pid);

        if (strcmp(reply, "{\"return\": {\"exited\": false}}") != 0)
            return reply;
        g_free(reply);
        g_main_context_iteration(NULL, TRUE);
    }
}

void bench_exec_check(Bench *bench, const char *arguments, const char *expected)
{
    g_autofree char *reply = bench_exec_finish(bench, bench_exec_start(bench, arguments));
    g_autofree char *whole = g_strdup_printf("{\"return\": {\"exited\": true, %s}}", expected);

    g_assert_cmpstr(reply, ==, whole);
}

void bench_exec_check_error(Bench *bench, const char *arguments, const char *words)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-exec\", \"arguments\": {%s}}", arguments);

    bench_check_error(bench, request, words);
}
