/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Averages approach what there is, the shorter ones sooner. */

#include "load.h"

static void test_approach(void)
{
    Load load = {{0}};

    for (guint i = 0; i < 12; i++) /* one minute */
        load_add(&load, 4);
    g_assert_cmpfloat_with_epsilon(load.averages[0], 4 * 0.6321, 0.001);
    g_assert_cmpfloat_with_epsilon(load.averages[1], 4 * 0.1813, 0.001);
    g_assert_cmpfloat_with_epsilon(load.averages[2], 4 * 0.0645, 0.001);
    for (guint i = 0; i < 3600; i++)
        load_add(&load, 1);
    for (guint i = 0; i < 3; i++)
        g_assert_cmpfloat_with_epsilon(load.averages[i], 1, 0.001);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/load/approach", test_approach);
    return g_test_run();
}
