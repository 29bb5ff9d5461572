/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is told of the time, and which times may be set, whatever becomes of the hardware's clock.
 */

#include <string.h>

#include "agent/fixture.h"

#define SET(time) "{\"execute\": \"guest-set-time\", \"arguments\": {\"time\": " time "}}"
#define OK        "{\"return\": {}}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void test_get(CommandFixture *fixture, gconstpointer data)
{
    gint64 before = g_get_real_time();
    g_autofree char *reply = fixture_ask(fixture, "{\"execute\": \"guest-get-time\"}");
    gint64 time;

    g_assert_true(g_str_has_prefix(reply, "{\"return\": "));
    time = g_ascii_strtoll(reply + strlen("{\"return\": "), NULL, 10);
    g_assert_cmpint(time % 1000, ==, 0);
    g_assert_cmpint(time / 1000, >=, before);
    g_assert_cmpint(time / 1000, <=, g_get_real_time());
}

static void test_range(CommandFixture *fixture, gconstpointer data)
{
    fixture_check_error(fixture, SET("-1000000000"), "Invalid time");
    fixture_check_error(fixture, SET("-9223372036854775808"), "Invalid time");
    fixture_check_error(fixture, SET("9223372036854775807"), "Invalid time");
    fixture_check_error(fixture, SET("3155760000000000000"), "Invalid time");
    fixture_check_log(fixture, "");
    fixture_check(fixture, SET("3155759999999999999"), OK);
    fixture_check_log(fixture, "clock 3155759999.999999");
    fixture_check(fixture, SET("0"), OK);
    fixture_check_log(fixture, "clock 0.000000");
    fixture_check_error(fixture, SET("1.5"),
                        "Invalid parameter type for 'time', expected: integer");
    fixture_check_error(fixture, SET("\"1\""),
                        "Invalid parameter type for 'time', expected: integer");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/time/get", CommandFixture, NULL, set_up, test_get, tear_down);
    g_test_add("/time/range", CommandFixture, NULL, set_up, test_range, tear_down);
    return g_test_run();
}
