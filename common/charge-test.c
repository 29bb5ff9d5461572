/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An account gives out what it has and no more, nor more than those above it have; what is refused
 * is taken nowhere.
 */

#include "charge.h"

static void test_limit(void)
{
    Charge charge;

    charge_init(&charge, NULL, 100);
    g_assert_true(charge_take(&charge, 99));
    g_assert_false(charge_take(&charge, 2));
    g_assert_true(charge_take(&charge, 1));
    g_assert_false(charge_take(&charge, 1));
    g_assert_true(charge_take(&charge, 0));
    g_assert_cmpuint(charge.used, ==, 100);
    charge_give(&charge, 60);
    g_assert_true(charge_take(&charge, 50));
    g_assert_cmpuint(charge.used, ==, 90);
    g_assert_cmpuint(charge.peak, ==, 100);
    charge_give(&charge, 90);
    charge_clear(&charge);
}

/* Sums that wrap around are no way in. */
static void test_huge(void)
{
    Charge parent, charge;

    charge_init(&parent, NULL, 10);
    charge_init(&charge, &parent, G_MAXSIZE);
    g_assert_false(charge_take(&charge, G_MAXSIZE));
    g_assert_true(charge_take(&charge, 5));
    g_assert_false(charge_take(&charge, G_MAXSIZE));
    g_assert_false(charge_take(&charge, G_MAXSIZE - 4));
    g_assert_cmpuint(charge.used, ==, 5);
    charge_give(&charge, 5);
    charge_clear(&charge);
    charge_clear(&parent);
}

/* Two children share what their parent has; a refusal leaves all three as they were. */
static void test_parent(void)
{
    Charge parent, one, two;

    charge_init(&parent, NULL, 100);
    charge_init(&one, &parent, 80);
    charge_init(&two, &parent, 80);
    g_assert_true(charge_take(&one, 70));
    g_assert_false(charge_take(&two, 31));
    g_assert_cmpuint(two.used, ==, 0);
    g_assert_cmpuint(parent.used, ==, 70);
    g_assert_true(charge_take(&two, 30));
    g_assert_false(charge_take(&one, 11));
    g_assert_cmpuint(one.used, ==, 70);
    g_assert_cmpuint(parent.used, ==, 100);
    g_assert_cmpuint(parent.peak, ==, 100);
    charge_give(&one, 70);
    g_assert_cmpuint(parent.used, ==, 30);
    g_assert_true(charge_take(&two, 50));
    g_assert_false(charge_take(&two, 1));
    charge_give(&two, 80);
    charge_clear(&one);
    charge_clear(&two);
    charge_clear(&parent);
}

static void test_grandparent(void)
{
    Charge top, middle, leaf;

    charge_init(&top, NULL, 10);
    charge_init(&middle, &top, 100);
    charge_init(&leaf, &middle, 100);
    g_assert_false(charge_take(&leaf, 11));
    g_assert_cmpuint(leaf.used + middle.used + top.used, ==, 0);
    g_assert_true(charge_take(&leaf, 10));
    g_assert_cmpuint(top.used, ==, 10);
    charge_give(&leaf, 10);
    charge_clear(&leaf);
    charge_clear(&middle);
    charge_clear(&top);
}

/* What is a child's own is there while the others have all that is shared, and only the rest is
 * shared. */
static void test_own(void)
{
    Charge parent, greedy, modest;

    charge_init(&parent, NULL, 100);
    charge_init(&greedy, &parent, 1000);
    charge_init(&modest, &parent, 1000);
    charge_set_own(&greedy, 10);
    charge_set_own(&modest, 10);
    g_assert_true(charge_take(&greedy, 110));
    g_assert_cmpuint(parent.used, ==, 100);
    g_assert_false(charge_take(&greedy, 1));
    g_assert_true(charge_take(&modest, 6));
    g_assert_true(charge_take(&modest, 4));
    g_assert_false(charge_take(&modest, 1));
    charge_give(&greedy, 5);
    g_assert_cmpuint(parent.used, ==, 95);
    g_assert_true(charge_take(&modest, 5));
    charge_give(&modest, 15);
    charge_give(&greedy, 105);
    g_assert_cmpuint(parent.used, ==, 0);
    charge_clear(&modest);
    charge_clear(&greedy);
    charge_clear(&parent);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/charge/limit", test_limit);
    g_test_add_func("/charge/huge", test_huge);
    g_test_add_func("/charge/parent", test_parent);
    g_test_add_func("/charge/grandparent", test_grandparent);
    g_test_add_func("/charge/own", test_own);
    return g_test_run();
}
