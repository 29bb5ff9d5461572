/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Both clocks are set, by hwclock or without it; what could be done is never told as a failure. */

#include <string.h>

#include "agent/fixture.h"
#include "common/qmp-error.h"

#define SET(time) "{\"execute\": \"guest-set-time\", \"arguments\": {\"time\": " time "}}"
#define FROM_RTC  "{\"execute\": \"guest-set-time\"}"
#define OK        "{\"return\": {}}"

/* 2009-02-13 23:31:30 UTC */
#define TIME  "1234567890123456789"
#define CLOCK "clock 1234567890.123456"

static struct tm rtc = {
    .tm_year = 109,
    .tm_mon = 1,
    .tm_mday = 13,
    .tm_hour = 23,
    .tm_min = 31,
    .tm_sec = 30,
    .tm_isdst = -1,
};

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    g_setenv("TZ", "XYZ-05:30", TRUE);
    fixture_init(fixture, NULL);
    fixture->rtc = &rtc;
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void test_by_hwclock(CommandFixture *fixture, gconstpointer data)
{
    fixture->tools = "hwclock ";
    fixture_check(fixture, SET(TIME), OK);
    fixture_check_log(fixture, CLOCK ", run hwclock -w");
    fixture_check(fixture, FROM_RTC, OK);
    fixture_check_log(fixture, "run hwclock -s");
}

static void test_hwclock_fails(CommandFixture *fixture, gconstpointer data)
{
    fixture->tools = "hwclock ";
    fixture->status = 1;
    fixture_check_error(fixture, SET(TIME),
                        "child process has failed to set hardware clock to system time,"
                        " exit status 1");
    fixture->output = "no access";
    fixture_check_error(fixture, FROM_RTC,
                        "child process has failed to set hardware clock to system time: no access");
}

/* The hardware's clock tells UTC, unless hwclock's notes say otherwise. */
static void test_without_hwclock(CommandFixture *fixture, gconstpointer data)
{
    fixture_check(fixture, SET(TIME), OK);
    fixture_check_log(fixture, CLOCK ", rtc 2009-02-13 23:31:30");
    fixture_check(fixture, FROM_RTC, OK);
    fixture_check_log(fixture, "clock 1234567890.000000");
    fixture_write(fixture, "/etc/adjtime", "0.0 0 0.0\n0\nUTC\n");
    fixture_check(fixture, FROM_RTC, OK);
    fixture_check_log(fixture, "clock 1234567890.000000");
    fixture_write(fixture, "/etc/adjtime", "0.0 0 0.0\n0\nLOCAL");
    fixture_check(fixture, SET(TIME), OK);
    fixture_check_log(fixture, CLOCK ", rtc 2009-02-14 05:01:30");
    fixture_check(fixture, FROM_RTC, OK);
    fixture_check_log(fixture, "clock 1234548090.000000");
    fixture_write(fixture, "/etc/adjtime", "LOCAL\nLOCAL\n");
    fixture_check(fixture, FROM_RTC, OK);
    fixture_check_log(fixture, "clock 1234567890.000000");
}

static void test_adjtime_cut(CommandFixture *fixture, gconstpointer data)
{
    static const char notes[] = "0.0 0 0.0\n0\nLOCAL\n";

    fixture_check_cut(fixture, FROM_RTC, "/etc/adjtime", notes, strlen(notes));
}

/* Whoever sets the time has what was asked for; whoever wants it from there has not. */
static void test_without_rtc(CommandFixture *fixture, gconstpointer data)
{
    fixture->rtc = NULL;
    fixture->tools = "hwclock ";
    fixture->status = 1;
    fixture_check(fixture, SET(TIME), OK);
    fixture_check_log(fixture, CLOCK);
    fixture_check_error(fixture, FROM_RTC,
                        "child process has failed to set hardware clock to system time,"
                        " exit status 1");
    fixture->tools = "";
    fixture_check_error(fixture, FROM_RTC, "no hardware clock");
}

static void test_refused(CommandFixture *fixture, gconstpointer data)
{
    qmp_error_set(&fixture->clock_error, "not permitted");
    fixture->tools = "hwclock ";
    fixture_check_error(fixture, SET(TIME), "not permitted");
    fixture->tools = "";
    fixture_check_error(fixture, FROM_RTC, "not permitted");
    fixture_check_log(fixture, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/time-linux/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("by-hwclock", test_by_hwclock);
    ADD("hwclock-fails", test_hwclock_fails);
    ADD("without-hwclock", test_without_hwclock);
    ADD("adjtime-cut", test_adjtime_cut);
    ADD("without-rtc", test_without_rtc);
    ADD("refused", test_refused);
#undef ADD
    return g_test_run();
}
