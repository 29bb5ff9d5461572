/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Both clocks are set, by hwclock or without it; what could be done is never told as a failure. */

#include <string.h>

#include "agent/bench.h"
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

static void set_up(Bench *bench, gconstpointer data)
{
    g_setenv("TZ", "XYZ-05:30", TRUE);
    bench_init(bench, NULL);
    bench->rtc = &rtc;
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

static void test_by_hwclock(Bench *bench, gconstpointer data)
{
    bench->tools = "hwclock ";
    bench_check(bench, SET(TIME), OK);
    bench_check_log(bench, CLOCK ", run hwclock -w");
    bench_check(bench, FROM_RTC, OK);
    bench_check_log(bench, "run hwclock -s");
}

static void test_hwclock_fails(Bench *bench, gconstpointer data)
{
    bench->tools = "hwclock ";
    bench->status = 1;
    bench_check_error(bench, SET(TIME),
                      "child process has failed to set hardware clock to system time,"
                      " exit status 1");
    bench->output = "no access";
    bench_check_error(bench, FROM_RTC,
                      "child process has failed to set hardware clock to system time: no access");
}

/* The hardware's clock tells UTC, unless hwclock's notes say otherwise. */
static void test_without_hwclock(Bench *bench, gconstpointer data)
{
    bench_check(bench, SET(TIME), OK);
    bench_check_log(bench, CLOCK ", rtc 2009-02-13 23:31:30");
    bench_check(bench, FROM_RTC, OK);
    bench_check_log(bench, "clock 1234567890.000000");
    bench_write(bench, "/etc/adjtime", "0.0 0 0.0\n0\nUTC\n");
    bench_check(bench, FROM_RTC, OK);
    bench_check_log(bench, "clock 1234567890.000000");
    bench_write(bench, "/etc/adjtime", "0.0 0 0.0\n0\nLOCAL");
    bench_check(bench, SET(TIME), OK);
    bench_check_log(bench, CLOCK ", rtc 2009-02-14 05:01:30");
    bench_check(bench, FROM_RTC, OK);
    bench_check_log(bench, "clock 1234548090.000000");
    bench_write(bench, "/etc/adjtime", "LOCAL\nLOCAL\n");
    bench_check(bench, FROM_RTC, OK);
    bench_check_log(bench, "clock 1234567890.000000");
}

static void test_adjtime_cut(Bench *bench, gconstpointer data)
{
    static const char notes[] = "0.0 0 0.0\n0\nLOCAL\n";

    bench_check_cut(bench, FROM_RTC, "/etc/adjtime", notes, strlen(notes));
}

/* Whoever sets the time has what was asked for; whoever wants it from there has not. */
static void test_without_rtc(Bench *bench, gconstpointer data)
{
    bench->rtc = NULL;
    bench->tools = "hwclock ";
    bench->status = 1;
    bench_check(bench, SET(TIME), OK);
    bench_check_log(bench, CLOCK);
    bench_check_error(bench, FROM_RTC,
                      "child process has failed to set hardware clock to system time,"
                      " exit status 1");
    bench->tools = "";
    bench_check_error(bench, FROM_RTC, "no hardware clock");
}

static void test_refused(Bench *bench, gconstpointer data)
{
    qmp_error_set(&bench->clock_error, "not permitted");
    bench->tools = "hwclock ";
    bench_check_error(bench, SET(TIME), "not permitted");
    bench->tools = "";
    bench_check_error(bench, FROM_RTC, "not permitted");
    bench_check_log(bench, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/time-linux/" name, Bench, NULL, set_up, function, tear_down)
    ADD("by-hwclock", test_by_hwclock);
    ADD("hwclock-fails", test_hwclock_fails);
    ADD("without-hwclock", test_without_hwclock);
    ADD("adjtime-cut", test_adjtime_cut);
    ADD("without-rtc", test_without_rtc);
    ADD("refused", test_refused);
#undef ADD
    return g_test_run();
}
