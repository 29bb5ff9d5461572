/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Who is logged in is found in utmp or with logind, once each, whatever else is noted there. */

#include <string.h>
#include <sys/stat.h>
#include <utmpx.h>

#include "agent/fixture.h"
#include "agent/commands/utmp.h"

#ifdef __GLIBC__ /* whose programs write the file */
G_STATIC_ASSERT(UTMP_USER_PROCESS == USER_PROCESS);
G_STATIC_ASSERT(sizeof(UtmpRecord) == sizeof(struct utmpx));
G_STATIC_ASSERT(sizeof(((UtmpRecord *)NULL)->user) == sizeof(((struct utmpx *)NULL)->ut_user));
G_STATIC_ASSERT(G_STRUCT_OFFSET(UtmpRecord, type) == G_STRUCT_OFFSET(struct utmpx, ut_type));
G_STATIC_ASSERT(G_STRUCT_OFFSET(UtmpRecord, user) == G_STRUCT_OFFSET(struct utmpx, ut_user));
G_STATIC_ASSERT(G_STRUCT_OFFSET(UtmpRecord, seconds) == G_STRUCT_OFFSET(struct utmpx, ut_tv));
G_STATIC_ASSERT(sizeof(UtmpNumber) == sizeof(((struct utmpx *)NULL)->ut_tv.tv_sec));
#endif

#define USERS             "{\"execute\": \"guest-get-users\"}"
#define USER(name, since) "{\"user\": \"" name "\", \"login-time\": " since "}"
#define NOBODY            "{\"return\": []}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void add(GByteArray *utmp, short type, const char *user, guint32 seconds,
                gint32 microseconds)
{
    UtmpRecord entry = {.type = type, .seconds = seconds, .microseconds = (guint32)microseconds};

    memcpy(entry.user, user, MIN(strlen(user), sizeof entry.user));
    g_byte_array_append(utmp, (const guint8 *)&entry, sizeof entry);
}

static void put(CommandFixture *fixture, GByteArray *utmp)
{
    fixture_write_bytes(fixture, "/var/run/utmp", (const char *)utmp->data, utmp->len);
}

static void test_utmp(CommandFixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) utmp = g_byte_array_new();

    add(utmp, BOOT_TIME, "reboot", 1, 0);
    add(utmp, USER_PROCESS, "bob", 2000, 500000);
    add(utmp, LOGIN_PROCESS, "LOGIN", 1, 0);
    add(utmp, DEAD_PROCESS, "carol", 1, 0);
    add(utmp, USER_PROCESS, "alice", 3000, 0);
    add(utmp, USER_PROCESS, "bob", 1000, 250000);
    add(utmp, USER_PROCESS, "bob", 4000, 0);
    put(fixture, utmp);
    fixture_write(fixture, "/run/systemd/sessions/1", "USER=eve\nCLASS=user\nREALTIME=1\n");
    fixture_check(fixture, USERS,
                  "{\"return\": [" USER("bob", "1000.25") ", " USER("alice", "3000") "]}");
}

/* A name as long as there is room for, one that is not text, none; a time after 2038; a record that
 * was cut. */
static void test_utmp_hostile(CommandFixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) utmp = g_byte_array_new();

    add(utmp, USER_PROCESS, "abcdefghijklmnopqrstuvwxyz123456", 1, 0);
    add(utmp, USER_PROCESS, "\xFF\"", 4294967295u, -1);
    add(utmp, USER_PROCESS, "", 3, 0);
    add(utmp, USER_PROCESS, "cut", 1, 0);
    g_byte_array_set_size(utmp, utmp->len - 1);
    put(fixture, utmp);
    fixture_check(fixture, USERS,
                  "{\"return\": [" USER("abcdefghijklmnopqrstuvwxyz123456",
                                        "1") ", " USER("\\uFFFD\\\"", "4294967295.9672952") "]}");
    fixture_write_bytes(fixture, "/var/run/utmp", "x", 1);
    fixture_check(fixture, USERS, NOBODY);
}

static void put_session(CommandFixture *fixture, const char *name, const char *text)
{
    g_autofree char *path = g_strconcat("/run/systemd/sessions/", name, NULL);

    fixture_write(fixture, path, text);
}

static void test_logind(CommandFixture *fixture, gconstpointer data)
{
    g_autoptr(GByteArray) utmp = g_byte_array_new();
    g_autofree char *fifo =
        g_build_filename(fixture->directory, "run/systemd/sessions/1.ref", NULL);

    fixture_check(fixture, USERS, NOBODY);
    put_session(fixture, "1",
                "# This is private data. Do not parse.\nUID=1000\nUSER=alice\nACTIVE=1\n"
                "STATE=active\nTYPE=tty\nCLASS=user\nREALTIME=1700000000250000\nMONOTONIC=5\n");
    put_session(fixture, "2", "USER=bob\nCLASS=user-early\nSTATE=online\nREALTIME=1000000\n");
    put_session(fixture, "3", "USER=bob\nCLASS=user\nREALTIME=500000\n");
    put_session(fixture, "4", "USER=screen\nCLASS=greeter\nREALTIME=1\n");
    put_session(fixture, "5", "USER=cron\nCLASS=background\nREALTIME=1\n");
    put_session(fixture, "6", "USER=manager\nCLASS=manager\nREALTIME=1\n");
    put_session(fixture, "7", "USER=gone\nCLASS=user\nSTATE=closing\nREALTIME=1\n");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    fixture_check(fixture, USERS,
                  "{\"return\": [" USER("bob", "0.5") ", " USER("alice", "1700000000.25") "]}");
    /* utmp may be there, and nobody write to it. */
    add(utmp, BOOT_TIME, "reboot", 1, 0);
    put(fixture, utmp);
    fixture_check(fixture, USERS,
                  "{\"return\": [" USER("bob", "0.5") ", " USER("alice", "1700000000.25") "]}");
}

static void test_logind_hostile(CommandFixture *fixture, gconstpointer data)
{
    put_session(fixture, "1", "");
    put_session(fixture, "2", "USER=\nCLASS=user\nREALTIME=1\n");
    put_session(fixture, "3", "USER=a\nCLASS=user\nREALTIME=x\n");
    put_session(fixture, "4", "USER=a\nCLASS=user\nREALTIME=99999999999999999999\n");
    put_session(fixture, "5", "USER=a\nCLASS=user\n");
    put_session(fixture, "6", "USER=a\nREALTIME=1\n");
    put_session(fixture, "7", "XUSER=a\n=\nUSER\nCLASS=user\nREALTIME=1");
    put_session(fixture, "8/9", "USER=a\nCLASS=user\nREALTIME=1\n");
    fixture_check(fixture, USERS, NOBODY);
}

static void test_cut(CommandFixture *fixture, gconstpointer data)
{
    static const char session[] =
        "USER=alice\nCLASS=user\nSTATE=active\nREALTIME=1700000000250000\n";
    g_autoptr(GByteArray) utmp = g_byte_array_new();

    fixture_check_cut(fixture, USERS, "/run/systemd/sessions/1", session, strlen(session));
    add(utmp, USER_PROCESS, "bob", 2000, 500000);
    add(utmp, USER_PROCESS, "alice", 3000, 0);
    fixture_check_cut(fixture, USERS, "/var/run/utmp", (const char *)utmp->data, utmp->len);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/users/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("utmp", test_utmp);
    ADD("utmp-hostile", test_utmp_hostile);
    ADD("logind", test_logind);
    ADD("logind-hostile", test_logind_hostile);
    ADD("cut", test_cut);
#undef ADD
    return g_test_run();
}
