/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Limits that can be set: each by its name, within its range, and what is told of a mistake.
 */

#include "bounds.h"

#include <string.h>

static guint64 value_of(const Bounds *bounds, const Bound *bound)
{
    return *(const guint64 *)((const char *)bounds + bound->offset);
}

/* At its ends, and just beyond them; nothing else moves with it. */
static void test_ranges(void)
{
    for (const Bound *bound = bounds_table; bound->name; bound++) {
        g_autoptr(GError) error = NULL;
        Bounds bounds, initial;

        g_test_message("%s", bound->name);
        bounds_init(&bounds);
        bounds_init(&initial);
        g_assert_cmpuint(value_of(&bounds, bound), ==, bound->initial);
        g_assert_cmpuint(bound->initial, >=, bound->min);
        g_assert_cmpuint(bound->initial, <=, bound->max);
        g_assert_true(bounds_set(&bounds, bound->name, bound->min, &error));
        g_assert_cmpuint(value_of(&bounds, bound), ==, bound->min);
        g_assert_true(bounds_set(&bounds, bound->name, bound->max, &error));
        g_assert_cmpuint(value_of(&bounds, bound), ==, bound->max);
        g_assert_false(bounds_set(&bounds, bound->name, bound->max + 1, &error));
        g_assert_error(error, BOUNDS_ERROR, BOUNDS_ERROR_VALUE);
        g_assert_nonnull(strstr(error->message, bound->name));
        if (bound->min > 0)
            g_assert_false(bounds_set(&bounds, bound->name, bound->min - 1, NULL));
        g_assert_cmpuint(value_of(&bounds, bound), ==, bound->max);
        g_assert_true(bounds_set(&bounds, bound->name, bound->initial, NULL));
        g_assert_cmpmem(&bounds, sizeof bounds, &initial, sizeof initial);
    }
}

/* Each member of Bounds has its place in the table, once. */
static void test_all(void)
{
    gboolean seen[sizeof(Bounds) / sizeof(guint64)] = {FALSE};

    for (const Bound *bound = bounds_table; bound->name; bound++) {
        g_assert_false(seen[bound->offset / sizeof(guint64)]);
        seen[bound->offset / sizeof(guint64)] = TRUE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(seen); i++)
        g_assert_true(seen[i]);
}

static void test_parse(void)
{
    static const struct {
        const char *text;
        guint64 expected;
    } good[] = {
        {"client-bytes=1000000", 1000000},
        {"client-bytes=100K", 102400},
        {"client-bytes=3M", 3145728},
        {"client-bytes=2G", G_GUINT64_CONSTANT(2147483648)},
    };
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"client-bytes",
         "'client-bytes' is not NAME=NUMBER, with K, M or G behind it for powers of 1024"},
        {"client-bytes=",
         "'client-bytes=' is not NAME=NUMBER, with K, M or G behind it for powers of 1024"},
        {"client-bytes=K",
         "'client-bytes=K' is not NAME=NUMBER, with K, M or G behind it for powers of 1024"},
        {"client-bytes=1T",
         "'client-bytes=1T' is not NAME=NUMBER, with K, M or G behind it for powers of 1024"},
        {"client-bytes=-1",
         "'client-bytes=-1' is not NAME=NUMBER, with K, M or G behind it for powers of 1024"},
        {"client-bytes=99999999999G",
         "'client-bytes=99999999999G' is not NAME=NUMBER, with K, M or G "
         "behind it for powers of 1024"},
        {"clients=0", "limit 'clients' is from 1 to 1000000, not 0"},
        {"guests=1", "there is no limit 'guests'"},
        {"=1", "there is no limit ''"},
    };
    Bounds bounds;

    bounds_init(&bounds);
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_true(bounds_parse(&bounds, good[i].text, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(bounds.client_bytes, ==, good[i].expected);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(bounds_parse(&bounds, bad[i].text, &error));
        g_assert_cmpstr(error->message, ==, bad[i].message);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bounds/ranges", test_ranges);
    g_test_add_func("/bounds/all", test_all);
    g_test_add_func("/bounds/parse", test_parse);
    return g_test_run();
}
