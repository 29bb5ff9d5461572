/* SPDX-License-Identifier: GPL-2.0-or-later */

/* os-release is found and read as a shell reads it, and its absence or rubbish in it costs no more
 * than what it would have told. */

#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/bench.h"

#define OSINFO "{\"execute\": \"guest-get-osinfo\"}"

static void set_up(Bench *bench, gconstpointer data)
{
    g_unsetenv("QGA_OS_RELEASE");
    bench_init(bench, NULL);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

/* @members: what os-release adds */
static void check(Bench *bench, const char *members)
{
    g_autofree char *reply = NULL;
    struct utsname kernel;

    g_assert_cmpint(uname(&kernel), ==, 0);
    reply = g_strdup_printf("{\"return\": {\"kernel-release\": \"%s\", \"kernel-version\": \"%s\","
                            " \"machine\": \"%s\"%s}}",
                            kernel.release, kernel.version, kernel.machine, members);
    bench_check(bench, OSINFO, reply);
}

static void check_text(Bench *bench, const char *text, const char *members)
{
    bench_write(bench, "/etc/os-release", text);
    check(bench, members);
}

static void test_missing(Bench *bench, gconstpointer data)
{
    check(bench, "");
}

static void test_places(Bench *bench, gconstpointer data)
{
    g_autofree char *fifo = g_build_filename(bench->directory, "etc", "os-release", NULL);

    bench_write(bench, "/usr/lib/os-release", "ID=lib\n");
    check(bench, ", \"id\": \"lib\"");
    check_text(bench, "ID=etc\n", ", \"id\": \"etc\"");
    /* What cannot be read is as if it were not there. */
    g_assert_cmpint(unlink(fifo), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    check(bench, ", \"id\": \"lib\"");
    bench_write(bench, "/elsewhere", "ID=elsewhere");
    g_setenv("QGA_OS_RELEASE", "/elsewhere", TRUE);
    check(bench, ", \"id\": \"elsewhere\"");
    g_setenv("QGA_OS_RELEASE", "/nowhere", TRUE);
    check(bench, "");
}

static void test_members(Bench *bench, gconstpointer data)
{
    check_text(bench,
               "# a comment\n"
               "PRETTY_NAME=\"Some Linux 12 (word)\"\n"
               "NAME='Some Linux'\n"
               "\n"
               "VERSION_ID=\"12\"\n"
               "VERSION=\"12 (word)\"\n"
               "  ID=some  \n"
               "VARIANT=Small # Edition\n"
               "VARIANT_ID=\"\"\n"
               "HOME_URL=\"https://example.org/?a=b\"\n",
               ", \"id\": \"some\", \"name\": \"Some Linux\","
               " \"pretty-name\": \"Some Linux 12 (word)\", \"version\": \"12 (word)\","
               " \"version-id\": \"12\", \"variant\": \"Small\", \"variant-id\": \"\"");
}

static void test_quotes(Bench *bench, gconstpointer data)
{
    check_text(bench, "NAME=\"a \\\"b\\\" \\$c \\`d\\` \\\\ 'e' \\f\"\n",
               ", \"name\": \"a \\\"b\\\" $c `d` \\\\ 'e' \\\\f\"");
    check_text(bench, "NAME='a \"b\" \\'c", ", \"name\": \"a \\\"b\\\" \\\\c\"");
    check_text(bench, "NAME='\\$a'", ", \"name\": \"\\\\$a\"");
    check_text(bench, "NAME=a\\ \\b\"c d\"'e'f", ", \"name\": \"a bc def\"");
}

static void test_hostile(Bench *bench, gconstpointer data)
{
    check_text(bench, "ID", "");
    check_text(bench, "=x\n==\nID x\n#ID=y\nid=z\nID =w", "");
    check_text(bench, "ID=", ", \"id\": \"\"");
    check_text(bench, "ID=\"open", ", \"id\": \"open\"");
    check_text(bench, "ID=\"open\\", ", \"id\": \"open\\\\\"");
    check_text(bench, "ID=\\", ", \"id\": \"\\\\\"");
    check_text(bench, "ID=one\nID=\"two\"", ", \"id\": \"two\"");
    check_text(bench, "ID=\xFF\xC3\x01\"\x7F\"\r\nNAME=x",
               ", \"id\": \"\\uFFFD\\uFFFD\\u0001\\u007F\","
               " \"name\": \"x\"");
    bench_write_bytes(bench, "/etc/os-release", "ID=a\0b\nNAME=c", 13);
    check(bench, ", \"id\": \"a\"");
}

static void test_cut(Bench *bench, gconstpointer data)
{
    static const char text[] = "# x\nID=some\nNAME=\"A \\\"b\\\" \\$c\"\nVERSION='d e'f\\ g\n";

    bench_check_cut(bench, OSINFO, "/etc/os-release", text, strlen(text));
}

static void test_host_name(Bench *bench, gconstpointer data)
{
    g_autofree char *reply = NULL;
    struct utsname kernel;

    g_assert_cmpint(uname(&kernel), ==, 0);
    reply = g_strdup_printf("{\"return\": {\"host-name\": \"%s\"}}", kernel.nodename);
    bench_check(bench, "{\"execute\": \"guest-get-host-name\"}", reply);
}

/* The zone is looked up each time. */
static void test_timezone(Bench *bench, gconstpointer data)
{
    static const char request[] = "{\"execute\": \"guest-get-timezone\"}";

    g_setenv("TZ", "XYZ-05:30", TRUE);
    bench_check(bench, request, "{\"return\": {\"zone\": \"XYZ\", \"offset\": 19800}}");
    g_setenv("TZ", "<-03>3", TRUE);
    bench_check(bench, request, "{\"return\": {\"zone\": \"-03\", \"offset\": -10800}}");
    g_setenv("TZ", "UTC0", TRUE);
    bench_check(bench, request, "{\"return\": {\"zone\": \"UTC\", \"offset\": 0}}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/os/" name, Bench, NULL, set_up, function, tear_down)
    ADD("missing", test_missing);
    ADD("places", test_places);
    ADD("members", test_members);
    ADD("quotes", test_quotes);
    ADD("hostile", test_hostile);
    ADD("cut", test_cut);
    ADD("host-name", test_host_name);
    ADD("timezone", test_timezone);
#undef ADD
    return g_test_run();
}
