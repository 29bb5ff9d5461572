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
    return g_test_run();
}
