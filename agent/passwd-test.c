/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Users as the statically linked agent finds them: in /etc/passwd, and nowhere else. */

#include "agent/passwd.h"

#include <errno.h>

#include "agent/bench.h"

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

static void check(Bench *bench, const char *name, uid_t uid, gid_t gid, const char *home)
{
    SystemUser user;
    g_autofree char *found = NULL;

    g_assert_true(passwd_find(&bench->system, name, &user));
    found = user.home;
    g_assert_cmpuint(user.uid, ==, uid);
    g_assert_cmpuint(user.gid, ==, gid);
    g_assert_cmpstr(user.home, ==, home);
}

static void check_none(Bench *bench, const char *name, int code)
{
    SystemUser user;

    errno = EINTR;
    g_assert_false(passwd_find(&bench->system, name, &user));
    g_assert_cmpint(errno, ==, code);
}

static void test_users(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    bench_write(&bench, "/etc/passwd", passwd);
    check(&bench, "root", 0, 0, "/root");
    check(&bench, "ann", 1000, 1001, "/home/ann");
    check(&bench, "last", 4294967294u, 65534, "/");
    check_none(&bench, "", 0);
    check_none(&bench, "an", 0);
    check_none(&bench, "nis", 0);
    check_none(&bench, "+nis", 0);
    check_none(&bench, "+", 0);
    check_none(&bench, "cut", 0);
    check_none(&bench, "odd", 0);
    check_none(&bench, "big", 0);
    bench_clear(&bench);
}

/* That there is nobody is no error; that nothing can be told is one. */
static void test_no_file(void)
{
    Bench bench;

    bench_init(&bench, NULL);
    check_none(&bench, "root", 0);
    bench_link(&bench, "/etc/passwd", "/etc/passwd");
    check_none(&bench, "root", ELOOP);
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/passwd/users", test_users);
    g_test_add_func("/passwd/no-file", test_no_file);
    return g_test_run();
}
