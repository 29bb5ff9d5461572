/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "holds.h"

static const char a[] = "a", b[] = "b";

/* Each gives up its own; one who has none gives up nobody's before another's. */
static void test_release(void)
{
    Holds holds;

    holds_init(&holds);
    holds_release(&holds, a, TRUE);
    g_assert_cmpuint(holds_count(&holds), ==, 0);
    holds_add(&holds, a);
    holds_add(&holds, NULL);
    holds_add(&holds, b);
    holds_release(&holds, b, TRUE);
    holds_release(&holds, b, TRUE);
    g_assert_cmpuint(holds_count(&holds), ==, 1);
    g_assert_true(holds_leave(&holds, a, TRUE));
    g_assert_cmpuint(holds_count(&holds), ==, 0);
    holds_add(&holds, a);
    holds_release(&holds, b, TRUE);
    g_assert_cmpuint(holds_count(&holds), ==, 0);
    holds_clear(&holds);
}

/* One who leaves keeps its holds, as nobody's, or gives all of them up; others keep theirs. */
static void test_leave(void)
{
    Holds holds;

    holds_init(&holds);
    for (guint i = 0; i < 2; i++) {
        holds_add(&holds, a);
        holds_add(&holds, b);
    }
    g_assert_true(holds_leave(&holds, a, TRUE));
    g_assert_false(holds_leave(&holds, a, TRUE));
    g_assert_cmpuint(holds_count(&holds), ==, 2);
    g_assert_true(holds_leave(&holds, b, FALSE));
    g_assert_false(holds_leave(&holds, b, TRUE));
    g_assert_cmpuint(holds_count(&holds), ==, 2);
    holds_drop(&holds);
    g_assert_cmpuint(holds_count(&holds), ==, 0);
    holds_clear(&holds);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/holds/release", test_release);
    g_test_add_func("/holds/leave", test_leave);
    return g_test_run();
}
