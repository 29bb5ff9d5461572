/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Commands that change the guest ask Windows, or its tools, for the right thing, and tell what they
 * say: power, passwords, clock, trim, load. Wine lacks most of what they ask. */

#include <string.h>

#include "agent/fixture-win32.h"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void check_shutdown(CommandFixture *fixture, const char *arguments, const char *flags)
{
    g_autofree char *request = g_strdup_printf("{\"execute\": \"guest-shutdown\"%s}", arguments);
    g_autofree char *reply = fixture_ask(fixture, request);

    g_assert_cmpstr(reply, ==, "");
    fixture_check_log(fixture, flags);
}

static void test_shutdown(CommandFixture *fixture, gconstpointer data)
{
    check_shutdown(fixture, "", "shut down 0xb");
    check_shutdown(fixture, ", \"arguments\": {\"mode\": \"reboot\"}", "shut down 0x7");
    check_shutdown(fixture, ", \"arguments\": {\"mode\": \"halt\"}", "shut down 0x13");
    fixture_check_error(fixture,
                        "{\"execute\": \"guest-shutdown\", \"arguments\": {\"mode\": \"nap\"}}",
                        "mode is invalid (valid values are: halt|powerdown|reboot)");
    fixture_win32.code = ERROR_SHUTDOWN_IN_PROGRESS;
    {
        g_autofree char *reply = fixture_ask(fixture, "{\"execute\": \"guest-shutdown\"}");

        g_assert_nonnull(strstr(reply, "failed to shut down"));
    }
}

static void await_log(CommandFixture *fixture, const char *expected)
{
    while (dispatch_is_working(&fixture->dispatch))
        g_main_context_iteration(NULL, TRUE);
    fixture_check_log(fixture, expected);
}

static void test_suspend(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *silence = NULL;

    fixture_check_error(fixture, "{\"execute\": \"guest-suspend-disk\"}",
                        "the requested suspend mode is not supported by the guest");
    fixture_win32.can_suspend = TRUE;
    silence = fixture_ask(fixture, "{\"execute\": \"guest-suspend-ram\"}");
    await_log(fixture, "suspend to ram");
    g_assert_cmpstr(fixture->replies->str, ==, "");
    g_free(fixture_ask(fixture, "{\"execute\": \"guest-suspend-disk\"}"));
    await_log(fixture, "suspend to disk");
    g_assert_cmpstr(fixture->replies->str, ==, "");
}

#define PASSWORD(name, text, crypted)                                                  \
    "{\"execute\": \"guest-set-user-password\", \"arguments\": {\"username\": \"" name \
    "\", \"password\": \"" text "\", \"crypted\": " crypted "}}"

static void test_password(CommandFixture *fixture, gconstpointer data)
{
    fixture_check(fixture, PASSWORD("J\\u00F6rg", "w6TDtsO8", "false"), "{\"return\": {}}");
    fixture_check_log(fixture, "password J\xC3\xB6rg \xC3\xA4\xC3\xB6\xC3\xBC");
    fixture_check_error(fixture, PASSWORD("a", "AA==", "false"),
                        "forbidden characters in raw password");
    fixture_check_error(fixture, PASSWORD("a", "/w==", "false"),
                        "forbidden characters in raw password");
    fixture_check_error(fixture, PASSWORD("a", "YQ==", "true"),
                        "'crypted' must be off on this host");
    fixture_check_log(fixture, "");
    fixture_win32.code = ERROR_ACCESS_DENIED;
    {
        g_autofree char *reply = fixture_ask(fixture, PASSWORD("a", "YQ==", "false"));

        g_assert_nonnull(strstr(reply, "failed to set password: "));
    }
}

static void test_time(CommandFixture *fixture, gconstpointer data)
{
    fixture_check(
        fixture,
        "{\"execute\": \"guest-set-time\", \"arguments\": {\"time\": 1500000000123456789}}",
        "{\"return\": {}}");
    fixture_check_log(fixture, "clock 1500000000.123456");
    fixture_check_error(fixture, "{\"execute\": \"guest-set-time\"}",
                        "cannot find w32tm.exe, which would set the clock");
    fixture->tools = "w32tm ";
    fixture_check(fixture, "{\"execute\": \"guest-set-time\"}", "{\"return\": {}}");
    fixture_check_log(fixture, "run w32tm /resync /nowait");
}

#define TRIM "{\"execute\": \"guest-fstrim\"}"

static void test_trim(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *done = NULL;
    g_autofree char *failed = NULL;
    g_autofree char *log = NULL;

    fixture_check_error(fixture, TRIM, "cannot find defrag.exe, which would do it");
    fixture->tools = "defrag ";
    done = fixture_ask(fixture, TRIM);
    g_assert_true(g_str_has_prefix(done, "{\"return\": {\"paths\": [{\"path\": \"C:\\\\\"}"));
    log = fixture_take_log(fixture);
    g_assert_true(g_str_has_prefix(log, "run defrag C: /L"));
    fixture->output = "Invoking retrim on (C:)...\r\n\r\nThe operation failed. (0x8900002A)\r\n";
    failed = fixture_ask(fixture, TRIM);
    g_assert_nonnull(
        strstr(failed, "\"path\": \"C:\\\\\", \"error\": \"The operation failed. (0x8900002A)\"}"));
}

/* The first question begins the averages. */
static void test_load(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *refused = NULL;
    g_autofree char *loads = NULL;

    fixture_win32.code = ERROR_NOT_SUPPORTED;
    refused = fixture_ask(fixture, "{\"execute\": \"guest-get-load\"}");
    g_assert_nonnull(strstr(refused, "cannot query load average: "));
    fixture_win32.code = ERROR_SUCCESS;
    fixture_win32.queue_length = 10;
    loads = fixture_ask(fixture, "{\"execute\": \"guest-get-load\"}");
    g_assert_true(g_str_has_prefix(loads, "{\"return\": {\"load1m\": 0.7"));
}

#define USERS "{\"execute\": \"guest-get-users\"}"

/* Of several sessions of one user the first is told; the same name elsewhere is another user. */
static void test_users(CommandFixture *fixture, gconstpointer data)
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

    fixture_check(fixture, USERS, "{\"return\": []}");
    fixture_win32.sessions = sessions;
    fixture_check(fixture, USERS,
                  "{\"return\": ["
                  "{\"user\": \"J\\u00F6rg\", \"login-time\": 1255526400.5, \"domain\": \"PC\"}, "
                  "{\"user\": \"anna\", \"login-time\": 1355526400, \"domain\": \"PC\"}, "
                  "{\"user\": \"anna\", \"login-time\": 1555526400, \"domain\": \"CORP\"}]}");
    fixture_win32.code = ERROR_ACCESS_DENIED;
    refused = fixture_ask(fixture, USERS);
    g_assert_nonnull(strstr(refused, "failed to list the sessions: "));
}

/* Those that Wine can answer are answered by Wine. */
static void test_real(CommandFixture *fixture, gconstpointer data)
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
        g_autofree char *reply = fixture_ask(fixture, request);

        if (!g_str_has_prefix(reply, "{\"return\": ["))
            g_error("%s: %s", names[i], reply);
    }
}

/* Wine's users have no sessions that it would tell of. */
static void test_real_users(CommandFixture *fixture, gconstpointer data)
{
    fixture->system.win32 = system_get()->win32;
    fixture_check(fixture, USERS, "{\"return\": []}");
}

static void add(const char *path, void (*test)(CommandFixture *fixture, gconstpointer data))
{
    g_test_add(path, CommandFixture, NULL, set_up, test, tear_down);
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
