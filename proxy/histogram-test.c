/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which bucket a time falls into, at each bound and beside it, what is told of all, and what it
 * costs.
 */

#include "histogram.h"

static void test_bounds(void)
{
    g_assert_cmpuint(histogram_bounds_us[0], ==, 100);
    g_assert_cmpuint(histogram_bounds_us[HISTOGRAM_BOUNDS - 1], ==, 300 * G_USEC_PER_SEC);
    for (guint i = 1; i < HISTOGRAM_BOUNDS; i++)
        g_assert_cmpuint(histogram_bounds_us[i - 1], <, histogram_bounds_us[i]);
}

/* A bound belongs to what is below it. */
static void test_buckets(void)
{
    for (guint i = 0; i < HISTOGRAM_BOUNDS; i++) {
        gint64 bound = (gint64)histogram_bounds_us[i];
        Histogram histogram = {0};

        histogram_record(&histogram, bound - 1);
        histogram_record(&histogram, bound);
        histogram_record(&histogram, bound + 1);
        g_assert_cmpuint(i > 0 ? histogram_up_to(&histogram, i - 1) : 0, ==, 0);
        g_assert_cmpuint(histogram_up_to(&histogram, i), ==, 2);
        g_assert_cmpuint(histogram_up_to(&histogram, i + 1), ==, 3);
        g_assert_cmpuint(histogram_up_to(&histogram, HISTOGRAM_BOUNDS), ==, 3);
        g_assert_cmpuint(histogram.sum_us, ==, 3 * (guint64)bound);
    }
}

/* A clock that was set back by a test takes nothing away; what is longer than all has its place. */
static void test_extremes(void)
{
    Histogram histogram = {0};

    histogram_record(&histogram, G_MININT64);
    histogram_record(&histogram, -1);
    histogram_record(&histogram, 0);
    g_assert_cmpuint(histogram_up_to(&histogram, 0), ==, 3);
    g_assert_cmpuint(histogram.sum_us, ==, 0);
    histogram_record(&histogram, G_MAXINT64);
    g_assert_cmpuint(histogram_up_to(&histogram, HISTOGRAM_BOUNDS - 1), ==, 3);
    g_assert_cmpuint(histogram_up_to(&histogram, HISTOGRAM_BOUNDS), ==, 4);
    g_assert_cmpuint(histogram.sum_us, ==, G_MAXINT64);
}

static void test_add(void)
{
    Latency sum = {0}, one = {0};

    histogram_record(&one.taken, 100);
    histogram_record(&one.sent, 1000 * G_USEC_PER_SEC);
    latency_add(&sum, &one);
    latency_add(&sum, &one);
    g_assert_cmpuint(histogram_up_to(&sum.taken, 0), ==, 2);
    g_assert_cmpuint(sum.taken.sum_us, ==, 200);
    g_assert_cmpuint(histogram_up_to(&sum.sent, HISTOGRAM_BOUNDS - 1), ==, 0);
    g_assert_cmpuint(histogram_up_to(&sum.sent, HISTOGRAM_BOUNDS), ==, 2);
}

/* Told, not judged, since a machine may be busy. */
static void test_cost(void)
{
    enum { ROUNDS = 1000000 };
    Histogram histogram = {0};
    gint64 began = g_get_monotonic_time();

    for (guint i = 0; i < ROUNDS; i++)
        histogram_record(&histogram, i % 4096);
    g_test_message("%.1f ns for each", (double)(g_get_monotonic_time() - began) * 1000 / ROUNDS);
    g_assert_cmpuint(histogram_up_to(&histogram, HISTOGRAM_BOUNDS), ==, ROUNDS);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/histogram/bounds", test_bounds);
    g_test_add_func("/histogram/buckets", test_buckets);
    g_test_add_func("/histogram/extremes", test_extremes);
    g_test_add_func("/histogram/add", test_add);
    g_test_add_func("/histogram/cost", test_cost);
    return g_test_run();
}
