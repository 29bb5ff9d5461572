/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is told of the time, and which times may be set, whatever becomes of the hardware's clock.
 */

#include <string.h>

#include "agent/bench.h"

#define SET(time) "{\"execute\": \"guest-set-time\", \"arguments\": {\"time\": " time "}}"
#define OK        "{\"return\": {}}"

static void set_up(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

static void test_get(Bench *bench, gconstpointer data)
{
    gint64 before = g_get_real_time();
    g_autofree char *reply = bench_ask(bench, "{\"execute\": \"guest-get-time\"}");
    gint64 time;

    g_assert_true(g_str_has_prefix(reply, "{\"return\": "));
    time = g_ascii_strtoll(reply + strlen("{\"return\": "), NULL, 10);
    g_assert_cmpint(time % 1000, ==, 0);
    g_assert_cmpint(time / 1000, >=, before);
    g_assert_cmpint(time / 1000, <=, g_get_real_time());
}

static void test_range(Bench *bench, gconstpointer data)
{
    bench_check_error(bench, SET("-1000000000"), "Invalid time");
    bench_check_error(bench, SET("-9223372036854775808"), "Invalid time");
    bench_check_error(bench, SET("9223372036854775807"), "Invalid time");
    bench_check_error(bench, SET("3155760000000000000"), "Invalid time");
    bench_check_log(bench, "");
    bench_check(bench, SET("3155759999999999999"), OK);
    bench_check_log(bench, "clock 3155759999.999999");
    bench_check(bench, SET("0"), OK);
    bench_check_log(bench, "clock 0.000000");
    bench_check_error(bench, SET("1.5"), "Invalid parameter type for 'time', expected: integer");
    bench_check_error(bench, SET("\"1\""), "Invalid parameter type for 'time', expected: integer");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/time/get", Bench, NULL, set_up, test_get, tear_down);
    g_test_add("/time/range", Bench, NULL, set_up, test_range, tear_down);
    return g_test_run();
}
