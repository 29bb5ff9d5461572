/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * json-vectors-test FOLDER: each file there is one test, its verdict the start of its name
 * (make-json-vectors.py says which).
 *
 * A text that is accepted is exactly one value, can be walked by the readers, and is the same value
 * once its spaces are gone. One that is refused is an error, or never ends; both in every cut of
 * the input.
 */

#include "common/json-read.h"
#include "support/scan-log.h"

#include <string.h>

/* Returns: how many values there are in @value, itself included; and asserts that each has a known
 * kind */
static guint count_values(JsonSpan value)
{
    JsonWalk walk = json_read_walk(value);
    JsonKind kind = json_read_kind(value);
    JsonSpan key, child;
    guint count = 1;

    g_assert_cmpint(kind, !=, JSON_KIND_NONE);
    if (kind == JSON_KIND_OBJECT) {
        while (json_read_member(&walk, &key, &child)) {
            g_autofree char *name = json_read_string(key);

            g_assert_nonnull(name);
            g_assert_true(json_read_is(key, name) || strchr(name, '\\'));
            count += count_values(child);
        }
    } else if (kind == JSON_KIND_ARRAY) {
        while (json_read_element(&walk, &child))
            count += count_values(child);
    }
    return count;
}

static void assert_readable(const char *text, gsize len)
{
    JsonSpan value = {text, len};
    g_autoptr(GString) compact = g_string_new(NULL);
    g_autoptr(GString) again = g_string_new(NULL);

    json_read_compact(value, compact);
    json_read_compact((JsonSpan){compact->str, compact->len}, again);
    g_assert_cmpmem(again->str, again->len, compact->str, compact->len);
    g_assert_cmpuint(count_values(value), ==, count_values((JsonSpan){compact->str, compact->len}));
    g_string_append_c(again, '\n');
    g_autofree char *log = cut_nowhere(
        &scan_log_subject, &(ScanLogSetup){.limits = scan_log_limits}, again->str, again->len);
    g_autofree char *expected = g_strdup_printf("= %s\n", compact->str);
    g_assert_cmpstr(log, ==, expected);
}

static void test_accepted(gconstpointer path)
{
    g_autofree char *content = NULL;
    g_autoptr(GError) error = NULL;
    gsize len;

    g_file_get_contents(path, &content, &len, &error);
    g_assert_no_error(error);
    g_autofree char *text = g_strdup_printf("%s\n", content);
    g_assert_cmpuint(strlen(text), ==, len + 1);
    g_autofree char *log = scan_log(text, len + 1, &scan_log_limits);
    g_autofree char *value = g_strstrip(g_strdup(content));
    g_autofree char *expected = g_strdup_printf("= %s\n", value);
    g_assert_cmpstr(log, ==, expected);
    assert_readable(value, strlen(value));
}

static void test_refused(gconstpointer path)
{
    g_autofree char *content = NULL;
    g_autoptr(GError) error = NULL;
    gsize len;

    g_file_get_contents(path, &content, &len, &error);
    g_assert_no_error(error);
    content[len] = '\n'; /* in place of the terminator that it came with */
    g_autofree char *log = scan_log(content, len + 1, &scan_log_limits);
    g_assert_true(strstr(log, "! ") || strstr(log, "more\n"));
}

static GTestDataFunc verdict(const char *name)
{
    if (g_str_has_prefix(name, "y_") || g_str_has_prefix(name, "i_accept_"))
        return test_accepted;
    if (g_str_has_prefix(name, "n_") || g_str_has_prefix(name, "i_refuse_"))
        return test_refused;
    g_error("%s: the name tells no verdict", name);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    const char *name;

    g_test_init(&argc, &argv, NULL);
    g_autoptr(GDir) folder = g_dir_open(argc > 1 ? argv[1] : "", 0, &error);
    g_assert_no_error(error);
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *test = g_strconcat("/json-vectors/", name, NULL);

        g_test_add_data_func_full(test, g_build_filename(argv[1], name, NULL), verdict(name),
                                  g_free);
    }
    return g_test_run();
}
