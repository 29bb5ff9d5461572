/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Arguments are quoted by Microsoft's rules, and what cmd.exe would change is refused. */

#include "agent/command-line-win32.h"

#include <string.h>

static void test_quoting(void)
{
    static const struct {
        const char *word, *expected;
    } cases[] = {
        {"plain", "plain"},
        {"", "\"\""},
        {"two words", "\"two words\""},
        {"a\tb", "\"a\tb\""},
        {"C:\\path\\", "C:\\path\\"},
        {"C:\\a path\\", "\"C:\\a path\\\\\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"\\\"", "\"\\\\\\\"\""},
        {"a\\\\b c\\\\", "\"a\\\\b c\\\\\\\\\""},
        {"\xC3\xA4 \xE2\x82\xAC", "\"\xC3\xA4 \xE2\x82\xAC\""},
        {"%PATH%&|<>^", "%PATH%&|<>^"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const argv[] = {"p", cases[i].word, NULL};
        g_autofree char *line = command_line_build(argv, FALSE, NULL);
        g_autofree char *expected = g_strconcat("\"p\" ", cases[i].expected, NULL);

        g_assert_cmpstr(line, ==, expected);
    }
}

static void test_batch(void)
{
    static const char *const bad[] = {"\"", "%PATH%", "a\nb", "a\rb"};
    const char *const good[] = {"x.bat", "a&b", "c d", NULL};
    g_autofree char *line = command_line_build(good, TRUE, NULL);

    g_assert_cmpstr(line, ==, "\"x.bat\" \"a&b\" \"c d\"");
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        const char *const argv[] = {"x.bat", bad[i], NULL};
        g_autoptr(GError) error = NULL;

        g_assert_null(command_line_build(argv, TRUE, &error));
        g_assert_nonnull(strstr(error->message, "cannot be handed to a batch file"));
    }
    g_assert_true(command_line_is_batch("C:\\x.BAT"));
    g_assert_true(command_line_is_batch("y.cmd"));
    g_assert_false(command_line_is_batch("cmd.exe"));
    g_assert_false(command_line_is_batch("bat"));
}

static void test_environment(void)
{
    const char *const env[] = {"b=2", "A=1", "AB=3", "a-=4", NULL};
    const char *const nameless[] = {"", NULL};
    const char *const none[] = {NULL};
    static const wchar_t expected[] = L"A=1\0a-=4\0AB=3\0b=2\0\0";
    g_autofree gunichar2 *block = command_line_environment(env, NULL);
    g_autofree gunichar2 *empty = command_line_environment(none, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpmem(block, sizeof(expected) - sizeof(wchar_t), expected,
                    sizeof(expected) - sizeof(wchar_t));
    g_assert_cmpmem(empty, 4, "\0\0\0\0", 4);
    g_assert_null(command_line_environment(nameless, &error));
    g_assert_nonnull(error);
}

static void test_find(void)
{
    g_autofree char *found = command_line_find("cmd", NULL);
    g_autofree char *whole = command_line_find("CMD.EXE", NULL);
    g_autofree char *path = found != NULL ? command_line_find(found, "C:\\nowhere") : NULL;

    g_assert_nonnull(found);
    g_assert_nonnull(whole);
    g_assert_cmpstr(path, ==, found);
    g_assert_null(command_line_find("no-such-program", NULL));
    g_assert_null(command_line_find("cmd", "C:\\nowhere"));
    g_assert_null(command_line_find("", NULL));
    g_assert_null(command_line_find("C:\\windows", NULL)); /* a folder */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command-line/quoting", test_quoting);
    g_test_add_func("/command-line/batch", test_batch);
    g_test_add_func("/command-line/environment", test_environment);
    g_test_add_func("/command-line/find", test_find);
    return g_test_run();
}
