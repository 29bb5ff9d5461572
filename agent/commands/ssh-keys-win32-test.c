/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Keys are kept where OpenSSH for Windows looks for them, in a form that it and editors understand.
 */

#include <glib/gstdio.h>
#include <string.h>

#include "agent/fixture-win32.h"

static wchar_t *home;

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
    home = g_utf8_to_utf16(fixture->directory, -1, NULL, NULL, NULL);
    fixture_win32.folder = home;
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
    g_clear_pointer(&home, g_free);
}

#define ADD(key, more)                                                                       \
    "{\"execute\": \"guest-ssh-add-authorized-keys\", \"arguments\": {\"username\": \"u\", " \
    "\"keys\": [" key "]" more "}}"
#define REMOVE(key)                                                                             \
    "{\"execute\": \"guest-ssh-remove-authorized-keys\", \"arguments\": {\"username\": \"u\", " \
    "\"keys\": [" key "]}}"
#define GET "{\"execute\": \"guest-ssh-get-authorized-keys\", \"arguments\": {\"username\": \"u\"}}"

static void test_user(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    fixture_check(fixture, ADD("\"ssh-rsa A\", \"ssh-rsa B\"", ""), "{\"return\": {}}");
    fixture_check(fixture, ADD("\"ssh-rsa B\", \"ssh-rsa C\"", ""), "{\"return\": {}}");
    text = fixture_read(fixture, ".ssh/authorized_keys");
    g_assert_cmpstr(text, ==, "ssh-rsa A\nssh-rsa B\nssh-rsa C\n");
    fixture_check(fixture, REMOVE("\"ssh-rsa A\""), "{\"return\": {}}");
    fixture_check(fixture, GET, "{\"return\": {\"keys\": [\"ssh-rsa B\", \"ssh-rsa C\"]}}");
    fixture_check(fixture, ADD("\"ssh-rsa D\"", ", \"reset\": true"), "{\"return\": {}}");
    fixture_check(fixture, GET, "{\"return\": {\"keys\": [\"ssh-rsa D\"]}}");
}

static void test_administrators(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    fixture_win32.is_administrator = TRUE;
    fixture_check(fixture, ADD("\"ssh-rsa A\"", ""), "{\"return\": {}}");
    text = fixture_read(fixture, "ssh/administrators_authorized_keys");
    g_assert_cmpstr(text, ==, "ssh-rsa A\n");
}

static void test_line_ends(CommandFixture *fixture, gconstpointer data)
{
    fixture_write(fixture, ".ssh/authorized_keys", "# mine\r\nssh-rsa A\r\n\r\nssh-rsa B");
    fixture_check(fixture, GET, "{\"return\": {\"keys\": [\"ssh-rsa A\", \"ssh-rsa B\"]}}");
    fixture_check(fixture, REMOVE("\"ssh-rsa A\""), "{\"return\": {}}");
    fixture_check(fixture, GET, "{\"return\": {\"keys\": [\"ssh-rsa B\"]}}");
}

static void check_refused(CommandFixture *fixture, const char *request, const char *words)
{
    g_autofree char *reply = fixture_ask(fixture, request);

    if (strstr(reply, words) == NULL)
        g_assert_cmpstr(reply, ==, words);
}

static void test_refused(CommandFixture *fixture, gconstpointer data)
{
    check_refused(fixture, GET, "failed to read '");
    check_refused(fixture, ADD("\"# no key\"", ""), "invalid OpenSSH public key");
    fixture_write(fixture, ".ssh/authorized_keys/file", "a folder is in its place");
    check_refused(fixture, GET, "failed to read '");
    fixture_win32.folder = NULL;
    check_refused(fixture, GET, "failed to lookup user 'u': ");
}

/* Wine has no links that a program could make of a folder. So the agent's calls come here, and
 * files of this one are opened where such a link would lead. */
static const wchar_t *elsewhere; /* (nullable): a folder */

static HANDLE WINAPI on_open(LPCWSTR path, DWORD access, DWORD share,
                             LPSECURITY_ATTRIBUTES security, DWORD disposition, DWORD flags,
                             HANDLE template)
{
    __typeof__(&CreateFileW) windows =
        (gpointer)GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "CreateFileW");
    const wchar_t *name = wcsstr(path, L"\\authorized_keys");
    wchar_t led[MAX_PATH];

    if (elsewhere != NULL && name != NULL)
        swprintf(led, G_N_ELEMENTS(led), L"%ls%ls", elsewhere, name);
    return windows(elsewhere != NULL && name != NULL ? led : path, access, share, security,
                   disposition, flags, template);
}

__typeof__(&CreateFileW) __imp_CreateFileW = on_open;

static gboolean exists(const CommandFixture *fixture, const char *name)
{
    g_autofree char *path = g_build_filename(fixture->directory, name, NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* The folder becomes a link while it is held: what is behind it is neither told nor written to. */
static void test_link(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "other", NULL);
    g_autofree wchar_t *other = g_utf8_to_utf16(path, -1, NULL, NULL, NULL);
    g_autofree char *text = NULL;

    fixture_write(fixture, ".ssh/mine", "");
    fixture_write(fixture, "other/authorized_keys", "ssh-rsa A\n");
    elsewhere = other;
    check_refused(fixture, GET, "failed to read '");
    check_refused(fixture, ADD("\"ssh-rsa B\"", ", \"reset\": true"), "failed to write '");
    elsewhere = NULL;
    text = fixture_read(fixture, "other/authorized_keys");
    g_assert_cmpstr(text, ==, "ssh-rsa A\n");
    g_assert_false(exists(fixture, "other/authorized_keys.qga"));
    g_assert_false(exists(fixture, ".ssh/authorized_keys"));
}

static void add(const char *path, void (*test)(CommandFixture *fixture, gconstpointer data))
{
    g_test_add(path, CommandFixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/ssh-keys/user", test_user);
    add("/ssh-keys/administrators", test_administrators);
    add("/ssh-keys/line-ends", test_line_ends);
    add("/ssh-keys/refused", test_refused);
    add("/ssh-keys/link", test_link);
    return g_test_run();
}
