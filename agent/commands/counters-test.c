/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Tables of kernels old and new become members; a line that is none is left out, and so is what an
 * old kernel lacks. */

#include <string.h>
#include <unistd.h>

#include "agent/fixture.h"

#define LOAD      "{\"execute\": \"guest-get-load\"}"
#define CPUSTATS  "{\"execute\": \"guest-get-cpustats\"}"
#define DISKSTATS "{\"execute\": \"guest-get-diskstats\"}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void test_load(CommandFixture *fixture, gconstpointer data)
{
    fixture_write(fixture, "/proc/loadavg", "0.50 1.25 100.00 2/345 6789\n");
    fixture_check(fixture, LOAD,
                  "{\"return\": {\"load1m\": 0.5, \"load5m\": 1.25, \"load15m\": 100}}");
}

static void test_load_fails(CommandFixture *fixture, gconstpointer data)
{
    static const char *const broken[] = {"", "1 2", "1 2 nan", "1 2 -3", "1 2 inf", "1 2 1e999"};

    fixture_check_error(fixture, LOAD,
                        "cannot query load average: open(\"/proc/loadavg\"):"
                        " No such file or directory");
    for (guint i = 0; i < G_N_ELEMENTS(broken); i++) {
        fixture_write(fixture, "/proc/loadavg", broken[i]);
        fixture_check_error(fixture, LOAD,
                            "cannot query load average: /proc/loadavg is no such thing");
    }
}

static void test_cpustats(CommandFixture *fixture, gconstpointer data)
{
    g_assert_cmpint(sysconf(_SC_CLK_TCK), ==, 100); /* what follows counts in these */
    fixture_write(fixture, "/proc/stat",
                  "cpu  9 9 9 9 9 9 9 9 9 9\n"
                  "cpu0 1 2 3 4 5 6 7 8 9 10\n"
                  "cpu12 1 2 3 4\n"
                  "intr 5 6 7 8 9\n");
    fixture_check(fixture, CPUSTATS,
                  "{\"return\": [{\"type\": \"linux\", \"cpu\": 0, \"user\": 10, \"nice\": 20,"
                  " \"system\": 30, \"idle\": 40, \"iowait\": 50, \"irq\": 60, \"softirq\": 70,"
                  " \"steal\": 80, \"guest\": 90, \"guestnice\": 100},"
                  " {\"type\": \"linux\", \"cpu\": 12, \"user\": 10, \"nice\": 20, \"system\": 30,"
                  " \"idle\": 40}]}");
}

static void test_cpustats_broken(CommandFixture *fixture, gconstpointer data)
{
    fixture_check_error(fixture, CPUSTATS, "open(\"/proc/stat\"): No such file or directory");
    fixture_write(fixture, "/proc/stat",
                  "\ncpu0\ncpu1 1 2 3\ncpu2 1 2 3 x\ncpux 1 2 3 4\ncpu-1 1 2 3 4\n\n \n"
                  "cpu99999999999999999999 1 2 3 4\ncpu3 1 2 3 4 5 6 -7");
    fixture_check(fixture, CPUSTATS, "{\"return\": []}");
    /* More columns than there are members; a number that cannot be told in milliseconds. */
    fixture_write(
        fixture, "/proc/stat",
        "cpu3 18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22");
    fixture_check(fixture, CPUSTATS,
                  "{\"return\": [{\"type\": \"linux\", \"cpu\": 3, \"user\": 184467440737095510,"
                  " \"nice\": 20, \"system\": 30, \"idle\": 40, \"iowait\": 50, \"irq\": 60,"
                  " \"softirq\": 70, \"steal\": 80, \"guest\": 90, \"guestnice\": 100}]}");
}

#define DISK(name, minor, stats) \
    "{\"name\": \"" name "\", \"major\": 8, \"minor\": " minor ", \"stats\": {" stats "}}"
#define ELEVEN                                                                     \
    "\"read-ios\": 1, \"read-merges\": 2, \"read-sectors\": 3, \"read-ticks\": 4," \
    " \"write-ios\": 5, \"write-merges\": 6, \"write-sectors\": 7,"                \
    " \"write-ticks\": 8, \"ios-pgr\": 9, \"total-ticks\": 10, \"weight-ticks\": 11"

/* Of Linux 5.5, 4.18, 2.6.25 and, for a partition, older. */
static void test_diskstats(CommandFixture *fixture, gconstpointer data)
{
    fixture_write(fixture, "/proc/diskstats",
                  "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
                  "   8       1 sda1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n"
                  "   8       2 c0d0/p2 1 2 3 4 5 6 7 8 9 10 11\n"
                  "   8       3 sda3 1 2 3 4\n");
    fixture_check(
        fixture, DISKSTATS,
        "{\"return\": [" DISK(
            "sda", "0",
            ELEVEN
            ", \"discard-ios\": 12, \"discard-merges\": 13,"
            " \"discard-sectors\": 14, \"discard-ticks\": 15,"
            " \"flush-ios\": 16, \"flush-ticks\": 17") ", " DISK("sda1", "1",
                                                                 ELEVEN
                                                                 ", \"discard-ios\": 12, "
                                                                 "\"discard-merges\": 13,"
                                                                 " \"discard-sectors\": "
                                                                 "14, \"discard-ticks\": "
                                                                 "15") ", " DISK("c0d0/p2", "2",
                                                                                 ELEVEN) ","
                                                                                         " " DISK(
                                                                                             "sda3",
                                                                                             "3",
                                                                                             "\"rea"
                                                                                             "d-"
                                                                                             "ios\""
                                                                                             ": 1, "
                                                                                             "\"rea"
                                                                                             "d-"
                                                                                             "secto"
                                                                                             "rs\":"
                                                                                             " 2, "
                                                                                             "\"wri"
                                                                                             "te-"
                                                                                             "ios\""
                                                                                             ": 3,"
                                                                                             " \"wr"
                                                                                             "ite-"
                                                                                             "secto"
                                                                                             "rs\":"
                                                                                             " 4") "]}");
}

static void test_diskstats_broken(CommandFixture *fixture, gconstpointer data)
{
    fixture_check_error(fixture, DISKSTATS, "open(\"/proc/diskstats\"): No such file or directory");
    fixture_write(fixture, "/proc/diskstats",
                  "\n8\n8 0\n8 0 sda\n8 0 sda 1 2 3\n8 0 sda 1 2 3 4 5\n8 0 sda 1 2 3 x\n"
                  "x 0 sda 1 2 3 4\n8 x sda 1 2 3 4\n8 0 sda 1 2 3 4 5 6 7 8 9 10 -1\n");
    fixture_check(fixture, DISKSTATS, "{\"return\": []}");
    fixture_write(fixture, "/proc/diskstats", "8 0 s\"\xFF 1 2 3 18446744073709551615");
    fixture_check(fixture, DISKSTATS,
                  "{\"return\": [" DISK("s\\\"\\uFFFD", "0",
                                        "\"read-ios\": 1, \"read-sectors\": 2, \"write-ios\": 3,"
                                        " \"write-sectors\": 18446744073709551615") "]}");
}

static void test_cut(CommandFixture *fixture, gconstpointer data)
{
    static const char cpus[] = "cpu  9 9 9 9\ncpu0 1 2 3 4 5\nintr 5 6\n";
    static const char disks[] = "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11\n   8  1 sda1 1 2 3 4\n";
    static const char load[] = "0.50 1.25 100.00 2/345 6789\n";

    fixture_check_cut(fixture, LOAD, "/proc/loadavg", load, strlen(load));
    fixture_check_cut(fixture, CPUSTATS, "/proc/stat", cpus, strlen(cpus));
    fixture_check_cut(fixture, DISKSTATS, "/proc/diskstats", disks, strlen(disks));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/counters/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("load", test_load);
    ADD("load-fails", test_load_fails);
    ADD("cpustats", test_cpustats);
    ADD("cpustats-broken", test_cpustats_broken);
    ADD("diskstats", test_diskstats);
    ADD("diskstats-broken", test_diskstats_broken);
    ADD("cut", test_cut);
#undef ADD
    return g_test_run();
}
