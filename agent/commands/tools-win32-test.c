/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Commands that change the guest ask Windows, or its tools, for the right thing, and tell what they
 * say: power, passwords, clock, trim, load. Wine lacks most of what they ask. */

#include <string.h>

#include "agent/bench-win32.h"

static void set_up(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

static void check_shutdown(Bench *bench, const char *arguments, const char *flags)
{
    g_autofree char *request = g_strdup_printf("{\"execute\": \"guest-shutdown\"%s}", arguments);
    g_autofree char *reply = bench_ask(bench, request);

    g_assert_cmpstr(reply, ==, "");
    bench_check_log(bench, flags);
}

static void test_shutdown(Bench *bench, gconstpointer data)
{
    check_shutdown(bench, "", "shut down 0xb");
    check_shutdown(bench, ", \"arguments\": {\"mode\": \"reboot\"}", "shut down 0x7");
    check_shutdown(bench, ", \"arguments\": {\"mode\": \"halt\"}", "shut down 0x13");
    bench_check_error(bench,
                      "{\"execute\": \"guest-shutdown\", \"arguments\": {\"mode\": \"nap\"}}",
                      "mode is invalid (valid values are: halt|powerdown|reboot)");
    bench_win32.code = ERROR_SHUTDOWN_IN_PROGRESS;
    {
        g_autofree char *reply = bench_ask(bench, "{\"execute\": \"guest-shutdown\"}");

        g_assert_nonnull(strstr(reply, "failed to shut down"));
    }
}

static void await_log(Bench *bench, const char *expected)
{
    while (dispatch_is_working(&bench->dispatch))
        g_main_context_iteration(NULL, TRUE);
    bench_check_log(bench, expected);
}

static void test_suspend(Bench *bench, gconstpointer data)
{
    g_autofree char *silence = NULL;

    bench_check_error(bench, "{\"execute\": \"guest-suspend-disk\"}",
                      "the requested suspend mode is not supported by the guest");
    bench_win32.can_suspend = TRUE;
    silence = bench_ask(bench, "{\"execute\": \"guest-suspend-ram\"}");
    await_log(bench, "suspend to ram");
    g_assert_cmpstr(bench->replies->str, ==, "");
    g_free(bench_ask(bench, "{\"execute\": \"guest-suspend-disk\"}"));
    await_log(bench, "suspend to disk");
    g_assert_cmpstr(bench->replies->str, ==, "");
}

#define PASSWORD(name, text, crypted)                                                  \
    "{\"execute\": \"guest-set-user-password\", \"arguments\": {\"username\": \"" name \
    "\", \"password\": \"" text "\", \"crypted\": " crypted "}}"

static void test_password(Bench *bench, gconstpointer data)
{
    bench_check(bench, PASSWORD("J\\u00F6rg", "w6TDtsO8", "false"), "{\"return\": {}}");
    bench_check_log(bench, "password J\xC3\xB6rg \xC3\xA4\xC3\xB6\xC3\xBC");
    bench_check_error(bench, PASSWORD("a", "AA==", "false"),
                      "forbidden characters in raw password");
    bench_check_error(bench, PASSWORD("a", "/w==", "false"),
                      "forbidden characters in raw password");
    bench_check_error(bench, PASSWORD("a", "YQ==", "true"), "'crypted' must be off on this host");
    bench_check_log(bench, "");
    bench_win32.code = ERROR_ACCESS_DENIED;
    {
        g_autofree char *reply = bench_ask(bench, PASSWORD("a", "YQ==", "false"));

        g_assert_nonnull(strstr(reply, "failed to set password: "));
    }
}

static void test_time(Bench *bench, gconstpointer data)
{
    bench_check(bench,
                "{\"execute\": \"guest-set-time\", \"arguments\": {\"time\": 1500000000123456789}}",
                "{\"return\": {}}");
    bench_check_log(bench, "clock 1500000000.123456");
    bench_check_error(bench, "{\"execute\": \"guest-set-time\"}",
                      "cannot find w32tm.exe, which would set the clock");
    bench->tools = "w32tm ";
    bench_check(bench, "{\"execute\": \"guest-set-time\"}", "{\"return\": {}}");
    bench_check_log(bench, "run w32tm /resync /nowait");
}

#define TRIM "{\"execute\": \"guest-fstrim\"}"

static void test_trim(Bench *bench, gconstpointer data)
{
    g_autofree char *done = NULL;
    g_autofree char *failed = NULL;
    g_autofree char *log = NULL;

    bench_check_error(bench, TRIM, "cannot find defrag.exe, which would do it");
    bench->tools = "defrag ";
    done = bench_ask(bench, TRIM);
    g_assert_true(g_str_has_prefix(done, "{\"return\": {\"paths\": [{\"path\": \"C:\\\\\"}"));
    log = bench_take_log(bench);
    g_assert_true(g_str_has_prefix(log, "run defrag C: /L"));
    bench->output = "Invoking retrim on (C:)...\r\n\r\nThe operation failed. (0x8900002A)\r\n";
    failed = bench_ask(bench, TRIM);
    g_assert_nonnull(
        strstr(failed, "\"path\": \"C:\\\\\", \"error\": \"The operation failed. (0x8900002A)\"}"));
}

/* The first question begins the averages. */
static void test_load(Bench *bench, gconstpointer data)
{
    g_autofree char *refused = NULL;
    g_autofree char *loads = NULL;

    bench_win32.code = ERROR_NOT_SUPPORTED;
    refused = bench_ask(bench, "{\"execute\": \"guest-get-load\"}");
    g_assert_nonnull(strstr(refused, "cannot query load average: "));
    bench_win32.code = ERROR_SUCCESS;
    bench_win32.queue_length = 10;
    loads = bench_ask(bench, "{\"execute\": \"guest-get-load\"}");
    g_assert_true(g_str_has_prefix(loads, "{\"return\": {\"load1m\": 0.7"));
}

#define USERS "{\"execute\": \"guest-get-users\"}"

/* Of several sessions of one user the first is told; the same name elsewhere is another user. */
static void test_users(Bench *bench, gconstpointer data)
{
    static const SystemWin32Session sessions[] = {
        {L"J\u00F6rg", L"PC", G_GINT64_CONSTANT(131000000005000000)},
        {L"anna", L"PC", G_GINT64_CONSTANT(130000000000000000)},
        {L"anna", L"CORP", G_GINT64_CONSTANT(132000000000000000)},
        {L"J\u00F6rg", L"PC", G_GINT64_CONSTANT(129000000005000000)},
        {L"\xD800", L"PC", 0}, /* is no text */
        {NULL},
    };
    g_autofree char *refused = NULL;

    bench_check(bench, USERS, "{\"return\": []}");
    bench_win32.sessions = sessions;
    bench_check(bench, USERS,
                "{\"return\": ["
                "{\"user\": \"J\\u00F6rg\", \"login-time\": 1255526400.5, \"domain\": \"PC\"}, "
                "{\"user\": \"anna\", \"login-time\": 1355526400, \"domain\": \"PC\"}, "
                "{\"user\": \"anna\", \"login-time\": 1555526400, \"domain\": \"CORP\"}]}");
    bench_win32.code = ERROR_ACCESS_DENIED;
    refused = bench_ask(bench, USERS);
    g_assert_nonnull(strstr(refused, "failed to list the sessions: "));
}

/* Those that Wine can answer are answered by Wine. */
static void test_real(Bench *bench, gconstpointer data)
{
    static const char *const names[] = {
        "guest-get-vcpus",
        "guest-get-disks",
        "guest-get-fsinfo",
        "guest-get-devices",
        "guest-network-get-interfaces",
        "guest-network-get-route",
    };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *request = g_strdup_printf("{\"execute\": \"%s\"}", names[i]);
        g_autofree char *reply = bench_ask(bench, request);

        if (!g_str_has_prefix(reply, "{\"return\": ["))
            g_error("%s: %s", names[i], reply);
    }
}

/* Wine's users have no sessions that it would tell of. */
static void test_real_users(Bench *bench, gconstpointer data)
{
    bench->system.win32 = system_get()->win32;
    bench_check(bench, USERS, "{\"return\": []}");
}

static void add(const char *path, void (*test)(Bench *bench, gconstpointer data))
{
    g_test_add(path, Bench, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/tools/shutdown", test_shutdown);
    add("/tools/suspend", test_suspend);
    add("/tools/password", test_password);
    add("/tools/time", test_time);
    add("/tools/trim", test_trim);
    add("/tools/load", test_load);
    add("/tools/users", test_users);
    add("/tools/real", test_real);
    add("/tools/real-users", test_real_users);
    return g_test_run();
}
