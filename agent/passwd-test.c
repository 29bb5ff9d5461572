/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Users as the statically linked agent finds them: in /etc/passwd, and nowhere else. */

#include "agent/passwd.h"

#include <errno.h>

#include "agent/fixture.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "cut:x:3:4:\n"
                             "odd:x:-3:4::/:\n"
                             "big:x:4294967296:4::/:\n"
                             "\n"
                             "+nis:x:5:5::/nis:\n"
                             "+\n"
                             "ann:x:1000:1001:Ann,,,:/home/ann:/bin/bash\n"
                             "ann:x:7:7::/second:\n"
                             "last:x:4294967294:65534::/:";

static void check(CommandFixture *fixture, const char *name, uid_t uid, gid_t gid, const char *home)
{
    SystemUser user;
    g_autofree char *found = NULL;

    g_assert_true(passwd_find(&fixture->system, name, &user));
    found = user.home;
    g_assert_cmpuint(user.uid, ==, uid);
    g_assert_cmpuint(user.gid, ==, gid);
    g_assert_cmpstr(user.home, ==, home);
}

static void check_none(CommandFixture *fixture, const char *name, int code)
{
    SystemUser user;

    errno = EINTR;
    g_assert_false(passwd_find(&fixture->system, name, &user));
    g_assert_cmpint(errno, ==, code);
}

static void test_users(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture_write(&fixture, "/etc/passwd", passwd);
    check(&fixture, "root", 0, 0, "/root");
    check(&fixture, "ann", 1000, 1001, "/home/ann");
    check(&fixture, "last", 4294967294u, 65534, "/");
    check_none(&fixture, "", 0);
    check_none(&fixture, "an", 0);
    check_none(&fixture, "nis", 0);
    check_none(&fixture, "+nis", 0);
    check_none(&fixture, "+", 0);
    check_none(&fixture, "cut", 0);
    check_none(&fixture, "odd", 0);
    check_none(&fixture, "big", 0);
    fixture_clear(&fixture);
}

/* That there is nobody is no error; that nothing can be told is one. */
static void test_no_file(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    check_none(&fixture, "root", 0);
    fixture_link(&fixture, "/etc/passwd", "/etc/passwd");
    check_none(&fixture, "root", ELOOP);
    fixture_clear(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/passwd/users", test_users);
    g_test_add_func("/passwd/no-file", test_no_file);
    return g_test_run();
}
