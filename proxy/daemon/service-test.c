/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service.h"

#include <fcntl.h>
#include <unistd.h>

/* The second of those that are named was passed on; the third was not, and what this process has
 * opened is there; where the fourth would be is nothing. */
static void test_missing(void)
{
    g_autofree char *pid = g_strdup_printf("%d", getpid());
    g_autoptr(GHashTable) stored = NULL;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 3; fd <= 5; fd++)
        if (fd != null)
            g_assert_cmpint(dup2(null, fd), ==, fd);
    fcntl(3, F_SETFD, 0);
    fcntl(4, F_SETFD, 0);
    fcntl(5, F_SETFD, FD_CLOEXEC);
    close(6);
    g_setenv("LISTEN_PID", pid, TRUE);
    g_setenv("LISTEN_FDS", "4", TRUE);
    g_setenv("LISTEN_FDNAMES", "other:kept-a:kept-b:kept-c", TRUE);
    stored = service_take_stored("kept-", TRUE);
    g_assert_cmpuint(g_hash_table_size(stored), ==, 1);
    g_assert_cmpint(GPOINTER_TO_INT(g_hash_table_lookup(stored, "kept-a")), ==, 4);
    g_assert_cmpint(fcntl(4, F_GETFD), ==, FD_CLOEXEC);
    g_hash_table_remove_all(stored);
    g_assert_cmpint(fcntl(4, F_GETFD), ==, -1);
    g_assert_cmpint(fcntl(5, F_GETFD), ==, FD_CLOEXEC);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service/missing", test_missing);
    return g_test_run();
}
