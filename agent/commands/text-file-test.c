/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Files are read whole or refused, whatever stands in their place, and nobody is waited for; words
 * are taken apart where they are. */

#include "text-file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "agent/fixture.h"
#include "common/limits.h"
#include "sysfs.h"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void check_fails(CommandFixture *fixture, const char *path, const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(text_file_read(&fixture->system, path, NULL, &error));
    g_assert_cmpstr(error->message, ==, words);
}

static void check_reads(CommandFixture *fixture, const char *text, gsize len)
{
    g_autofree char *found = NULL;
    gsize found_len;

    fixture_write_bytes(fixture, "/proc/some/file", text, len);
    found = text_file_read(&fixture->system, "/proc/some/file", &found_len, NULL);
    g_assert_cmpmem(found, found_len, text, len);
    g_assert_true(found[len] == '\0');
}

/* Sizes around those at which more memory is taken. */
static void test_read(CommandFixture *fixture, gconstpointer data)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_assert_false(sysfs_exists(&fixture->system, "/proc/some/file"));
    check_reads(fixture, "", 0);
    check_reads(fixture, "a\0b", 3);
    for (guint i = 0; i < 10000; i++)
        g_string_append_printf(text, "%x", i % 16);
    for (gsize len = 4094; len < 10000; len = len < 4098 ? len + 1 : 2 * len - 4)
        check_reads(fixture, text->str, len);
    g_assert_true(sysfs_exists(&fixture->system, "/proc/some/file"));
}

static void test_refuse(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *fifo = g_build_filename(fixture->directory, "proc", "fifo", NULL);
    g_autofree char *zero = g_build_filename(fixture->directory, "proc", "zero", NULL);
    g_autofree char *text = NULL;
    g_autofree char *large = g_build_filename(fixture->directory, "proc", "large", NULL);

    check_fails(fixture, "/proc/stat", "open(\"/proc/stat\"): No such file or directory");
    fixture_write_bytes(fixture, "/proc/large", "", 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    check_fails(fixture, "/proc/fifo", "/proc/fifo is not a regular file");
    g_assert_cmpint(symlink("/dev/zero", zero), ==, 0);
    check_fails(fixture, "/proc/zero", "/proc/zero is not a regular file");
    check_fails(fixture, "/proc", "/proc is not a regular file");
    g_assert_cmpint(truncate(large, LIMIT_TEXT_FILE_BYTES + 1), ==, 0);
    check_fails(fixture, "/proc/large", "/proc/large is larger than 16777216 bytes");
    g_assert_cmpint(truncate(large, LIMIT_TEXT_FILE_BYTES), ==, 0);
    text = text_file_read(&fixture->system, "/proc/large", NULL, NULL);
    g_assert_nonnull(text);
}

static void test_lines(void)
{
    char text[] = "one\n\nthree\nlast";
    char *at = text;

    g_assert_cmpstr(text_next_line(&at), ==, "one");
    g_assert_cmpstr(text_next_line(&at), ==, "");
    g_assert_cmpstr(text_next_line(&at), ==, "three");
    g_assert_cmpstr(text_next_line(&at), ==, "last");
    g_assert_null(text_next_line(&at));
    g_assert_null(text_next_line(&at));
}

static void test_words(void)
{
    char line[] = " \ta  bc\td ";
    char blank[] = " \t ";
    char more[] = "a b c";
    char *words[3] = {NULL};

    g_assert_cmpuint(text_split(line, words, 3), ==, 3);
    g_assert_cmpstr(words[0], ==, "a");
    g_assert_cmpstr(words[1], ==, "bc");
    g_assert_cmpstr(words[2], ==, "d");
    g_assert_cmpuint(text_split(blank, words, 3), ==, 0);
    g_assert_cmpuint(text_split(more, words, 2), ==, 2);
    g_assert_cmpstr(words[1], ==, "b");
}

static void test_numbers(void)
{
    static const char *const none[] = {"",    "-1", "+1",  " 1",  "1 ",
                                       "1.5", "x",  "0x1", "1e3", "18446744073709551616"};
    guint64 value;

    g_assert_true(text_read_number("18446744073709551615", 10, &value));
    g_assert_cmpuint(value, ==, G_MAXUINT64);
    g_assert_true(text_read_number("ffFF", 16, &value));
    g_assert_cmpuint(value, ==, 0xFFFF);
    for (guint i = 0; i < G_N_ELEMENTS(none); i++)
        g_assert_false(text_read_number(none[i], 10, &value));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/text-file/read", CommandFixture, NULL, set_up, test_read, tear_down);
    g_test_add("/text-file/refuse", CommandFixture, NULL, set_up, test_refuse, tear_down);
    g_test_add_func("/text-file/lines", test_lines);
    g_test_add_func("/text-file/words", test_words);
    g_test_add_func("/text-file/numbers", test_numbers);
    return g_test_run();
}
