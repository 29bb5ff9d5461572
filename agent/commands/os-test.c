/* SPDX-License-Identifier: GPL-2.0-or-later */

/* os-release is found and read as a shell reads it, and its absence or rubbish in it costs no more
 * than what it would have told. */

#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/fixture.h"

#define OSINFO "{\"execute\": \"guest-get-osinfo\"}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    g_unsetenv("QGA_OS_RELEASE");
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

/* @members: what os-release adds */
static void check(CommandFixture *fixture, const char *members)
{
    g_autofree char *reply = NULL;
    struct utsname kernel;

    g_assert_cmpint(uname(&kernel), ==, 0);
    reply = g_strdup_printf("{\"return\": {\"kernel-release\": \"%s\", \"kernel-version\": \"%s\","
                            " \"machine\": \"%s\"%s}}",
                            kernel.release, kernel.version, kernel.machine, members);
    fixture_check(fixture, OSINFO, reply);
}

static void check_text(CommandFixture *fixture, const char *text, const char *members)
{
    fixture_write(fixture, "/etc/os-release", text);
    check(fixture, members);
}

static void test_missing(CommandFixture *fixture, gconstpointer data)
{
    check(fixture, "");
}

static void test_places(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *fifo = g_build_filename(fixture->directory, "etc", "os-release", NULL);

    fixture_write(fixture, "/usr/lib/os-release", "ID=lib\n");
    check(fixture, ", \"id\": \"lib\"");
    check_text(fixture, "ID=etc\n", ", \"id\": \"etc\"");
    /* What cannot be read is as if it were not there. */
    g_assert_cmpint(unlink(fifo), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    check(fixture, ", \"id\": \"lib\"");
    fixture_write(fixture, "/elsewhere", "ID=elsewhere");
    g_setenv("QGA_OS_RELEASE", "/elsewhere", TRUE);
    check(fixture, ", \"id\": \"elsewhere\"");
    g_setenv("QGA_OS_RELEASE", "/nowhere", TRUE);
    check(fixture, "");
}

static void test_members(CommandFixture *fixture, gconstpointer data)
{
    check_text(fixture,
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

static void test_quotes(CommandFixture *fixture, gconstpointer data)
{
    check_text(fixture, "NAME=\"a \\\"b\\\" \\$c \\`d\\` \\\\ 'e' \\f\"\n",
               ", \"name\": \"a \\\"b\\\" $c `d` \\\\ 'e' \\\\f\"");
    check_text(fixture, "NAME='a \"b\" \\'c", ", \"name\": \"a \\\"b\\\" \\\\c\"");
    check_text(fixture, "NAME='\\$a'", ", \"name\": \"\\\\$a\"");
    check_text(fixture, "NAME=a\\ \\b\"c d\"'e'f", ", \"name\": \"a bc def\"");
}

static void test_hostile(CommandFixture *fixture, gconstpointer data)
{
    check_text(fixture, "ID", "");
    check_text(fixture, "=x\n==\nID x\n#ID=y\nid=z\nID =w", "");
    check_text(fixture, "ID=", ", \"id\": \"\"");
    check_text(fixture, "ID=\"open", ", \"id\": \"open\"");
    check_text(fixture, "ID=\"open\\", ", \"id\": \"open\\\\\"");
    check_text(fixture, "ID=\\", ", \"id\": \"\\\\\"");
    check_text(fixture, "ID=one\nID=\"two\"", ", \"id\": \"two\"");
    check_text(fixture, "ID=\xFF\xC3\x01\"\x7F\"\r\nNAME=x",
               ", \"id\": \"\\uFFFD\\uFFFD\\u0001\\u007F\","
               " \"name\": \"x\"");
    fixture_write_bytes(fixture, "/etc/os-release", "ID=a\0b\nNAME=c", 13);
    check(fixture, ", \"id\": \"a\"");
}

static void test_cut(CommandFixture *fixture, gconstpointer data)
{
    static const char text[] = "# x\nID=some\nNAME=\"A \\\"b\\\" \\$c\"\nVERSION='d e'f\\ g\n";

    fixture_check_cut(fixture, OSINFO, "/etc/os-release", text, strlen(text));
}

static void test_host_name(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *reply = NULL;
    struct utsname kernel;

    g_assert_cmpint(uname(&kernel), ==, 0);
    reply = g_strdup_printf("{\"return\": {\"host-name\": \"%s\"}}", kernel.nodename);
    fixture_check(fixture, "{\"execute\": \"guest-get-host-name\"}", reply);
}

/* The zone is looked up each time. */
static void test_timezone(CommandFixture *fixture, gconstpointer data)
{
    static const char request[] = "{\"execute\": \"guest-get-timezone\"}";

    g_setenv("TZ", "XYZ-05:30", TRUE);
    fixture_check(fixture, request, "{\"return\": {\"zone\": \"XYZ\", \"offset\": 19800}}");
    g_setenv("TZ", "<-03>3", TRUE);
    fixture_check(fixture, request, "{\"return\": {\"zone\": \"-03\", \"offset\": -10800}}");
    g_setenv("TZ", "UTC0", TRUE);
    fixture_check(fixture, request, "{\"return\": {\"zone\": \"UTC\", \"offset\": 0}}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/os/" name, CommandFixture, NULL, set_up, function, tear_down)
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
