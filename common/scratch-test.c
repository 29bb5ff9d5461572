/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scratch.h"

enum { AT_ONCE = 8 };

/* Each is empty and its own, however many there are and whatever was in the last. */
static void test_apart(void)
{
    Scratch *texts[AT_ONCE];

    for (guint round = 0; round < 3; round++) {
        for (guint i = 0; i < AT_ONCE; i++) {
            texts[i] = scratch_new();
            g_assert_cmpuint(texts[i]->len, ==, 0);
            g_assert_cmpstr(texts[i]->str, ==, "");
            g_string_append_printf(texts[i], "text %u", i);
        }
        for (guint i = 0; i < AT_ONCE; i++) {
            g_autofree char *expected = g_strdup_printf("text %u", i);

            g_assert_cmpstr(texts[i]->str, ==, expected);
            scratch_free(texts[i]);
        }
    }
}

/* One that has grown large is not kept: a single message of 64 MiB would stay for good. */
static void test_large(void)
{
    Scratch *text = scratch_new();
    g_autoptr(Scratch) next = NULL;

    g_string_set_size(text, 1 << 20);
    scratch_free(text);
    next = scratch_new();
    g_assert_cmpuint(next->allocated_len, <, 1 << 20);
}

static gpointer use_some(gpointer unused)
{
    g_autoptr(Scratch) one = scratch_new();
    g_autoptr(Scratch) two = scratch_new();

    g_assert_true(one != two);
    return NULL;
}

/* Those of a thread end with it: a leak checker sees to that. */
static void test_thread(void)
{
    g_thread_join(g_thread_new("one", use_some, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scratch/apart", test_apart);
    g_test_add_func("/scratch/large", test_large);
    g_test_add_func("/scratch/thread", test_thread);
    return g_test_run();
}
