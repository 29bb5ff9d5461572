/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A name that is there twice in one object is found however it is written and however many there
 * are, and one that is there once is never taken for another. Through the scanner, as json-keys has
 * no other user.
 */

#include "json-keys.h"

#include <string.h>

#include "support/scan-log.h"

static void check(const char *input, const char *expected)
{
    g_autofree char *log = scan_log(input, strlen(input), &scan_log_limits);

    g_assert_cmpstr(log, ==, expected);
}

static void test_duplicate(void)
{
    static const char *const inputs[] = {
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,'a':2}",
        "{\"\":1,\"\":2}",
        "{\"\":1,'':2}",
        "{'':1,\"\":2}",
        "{\"a\":1,\"\\n\":2,\"b\":3,\"a\":4}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"\\u0061\":1,\"a\":2}",
        "{\"/\":1,\"\\/\":2}",
        "{\"'\":1,\"\\'\":2}",
        "{\"\\n\":1,\"\\u000A\":2}",
        "{\"\\u00e9\":1,\"\xc3\xa9\":2}",
        "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
        "{\"\\u0000\":1,\"\xc0\x80\":2}",
        "{\"a\":{\"b\":1},\"a\":2}",
        "{\"a\":[{\"b\":1}],\"b\":2,\"a\":3}",
        "{\"x\":{\"a\":1,\"a\":2}}",
        "[{\"a\":1},{\"b\":1,\"b\":2}]",
        "{\"a\":1,\"b\":{\"a\":1},\"b\":1}",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autofree char *input = g_strconcat(inputs[i], "{\"b\":[2]}\n", NULL);

        check(input, "! duplicate\n= {\"b\":[2]}\n");
    }
}

static void test_not_duplicate(void)
{
    static const char *const inputs[] = {
        "{\"a\":{\"a\":{\"a\":1}}}",
        "[{\"a\":1},{\"a\":1}]",
        "{\"x\":{\"a\":1},\"a\":2}",
        "{\"x\":{\"a\":1},\"y\":{\"a\":1}}",
        "{\"a\":1,\"ab\":2,\"abc\":3,\"\":4,\"A\":5}",
        "{\"a\":\"a\",\"b\":\"a\"}",
        "{\"\\u0000\":1,\"\":2}",
        "{\"a\\u0000\":1,\"a\":2,\"a\\u0000b\":3}",
        "{\"\\\\u0061\":1,\"a\":2}",
        "{\"ab\":1,\"bA\":2}", /* equal under the hash of GLib's strings */
    };

    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autofree char *input = g_strconcat(inputs[i], inputs[i], NULL);
        g_autofree char *log = g_strdup_printf("= %s\n= %s\n", inputs[i], inputs[i]);

        check(input, log);
    }
}

/* {"k0":0, "k1":0, … } with @count members and, where not NULL, @last as one more. */
static char *many_members(guint count, const char *last)
{
    GString *text = g_string_new("{");

    for (guint i = 0; i < count; i++)
        g_string_append_printf(text, "%s\"k%u\":0", i > 0 ? "," : "", i);
    if (last)
        g_string_append_printf(text, ",%s:0", last);
    g_string_append_c(text, '}');
    return g_string_free(text, FALSE);
}

/* Around the count at which keys are found by hash: the first, one in the middle, the last. */
static void test_duplicate_among_many(void)
{
    for (guint count = LIMIT_JSON_KEYS_LINEAR - 2; count <= LIMIT_JSON_KEYS_LINEAR + 4; count++) {
        g_autofree char *middle = g_strdup_printf("\"k%u\"", count / 2);
        g_autofree char *last = g_strdup_printf("'\\u006b%u'", count - 1);
        const char *const again[] = {"\"k0\"", middle, last};

        for (gsize i = 0; i < G_N_ELEMENTS(again); i++) {
            g_autofree char *bad = many_members(count, again[i]);

            check(bad, "! duplicate\n");
        }
        g_autofree char *good = many_members(count, "\"ab\":0,\"bA\"");
        g_autofree char *log = g_strdup_printf("= %s\n", good);
        check(good, log);
    }
}

/* An object of many members inside another of many, and both still know their own. */
static void test_duplicate_nested_many(void)
{
    g_autofree char *inner = many_members(40, NULL);
    g_autofree char *good_member = g_strdup_printf("\"x\":%s,\"z\"", inner);
    g_autofree char *good = many_members(40, good_member);
    g_autofree char *log = g_strdup_printf("= %s\n", good);
    g_autofree char *bad_member = g_strdup_printf("\"x\":%s,\"k7\"", inner);
    g_autofree char *bad = many_members(40, bad_member);

    check(good, log);
    check(bad, "! duplicate\n");
}

static void test_hundred_thousand_members(void)
{
    ScanLogSetup setup = {.limits = scan_log_limits};
    g_autofree char *good = many_members(100000, NULL);
    g_autofree char *bad = many_members(100000, "\"k50000\"");
    g_autofree char *good_log = cut_nowhere(&scan_log_subject, &setup, good, strlen(good));
    g_autofree char *bad_log = cut_nowhere(&scan_log_subject, &setup, bad, strlen(bad));

    g_assert_cmpint(strncmp(good_log + 2, good, strlen(good)), ==, 0);
    g_assert_cmpstr(bad_log, ==, "! duplicate\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-keys/duplicate", test_duplicate);
    g_test_add_func("/json-keys/not-duplicate", test_not_duplicate);
    g_test_add_func("/json-keys/duplicate-among-many", test_duplicate_among_many);
    g_test_add_func("/json-keys/duplicate-nested-many", test_duplicate_nested_many);
    g_test_add_func("/json-keys/hundred-thousand-members", test_hundred_thousand_members);
    return g_test_run();
}
