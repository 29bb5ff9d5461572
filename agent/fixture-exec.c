/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/fixture-exec.h"

#include <string.h>

gint64 fixture_exec_start(CommandFixture *fixture, const char *arguments)
{
    static const char answer[] = "{\"return\": {\"pid\": ";
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-exec\", \"arguments\": {%s}}", arguments);
    g_autofree char *reply = fixture_ask(fixture, request);

    g_assert_true(g_str_has_prefix(reply, answer));
    return g_ascii_strtoll(reply + strlen(answer), NULL, 10);
}

char *fixture_exec_status(CommandFixture *fixture, gint64 pid)
{
    g_autofree char *request = g_strdup_printf("{\"execute\": \"guest-exec-status\", \"arguments\":"
                                               " {\"pid\": %" G_GINT64_FORMAT "}}",
                                               pid);

    return g_strchomp(fixture_ask(fixture, request));
}

char *fixture_exec_finish(CommandFixture *fixture, gint64 pid)
{
    for (;;) {
        char *reply = fixture_exec_status(fixture, pid);

        if (strcmp(reply, "{\"return\": {\"exited\": false}}") != 0)
            return reply;
        g_free(reply);
        g_main_context_iteration(NULL, TRUE);
    }
}

void fixture_exec_check(CommandFixture *fixture, const char *arguments, const char *expected)
{
    g_autofree char *reply = fixture_exec_finish(fixture, fixture_exec_start(fixture, arguments));
    g_autofree char *whole = g_strdup_printf("{\"return\": {\"exited\": true, %s}}", expected);

    g_assert_cmpstr(reply, ==, whole);
}

void fixture_exec_check_error(CommandFixture *fixture, const char *arguments, const char *words)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-exec\", \"arguments\": {%s}}", arguments);

    fixture_check_error(fixture, request, words);
}
