/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Descriptors on a unix socket: each comes with the byte it was sent with, however the bytes around
 * it are read, and none is left open that nobody was given.
 */

#include "rights.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/sockets.h"

typedef struct {
    int ours;
    int theirs;
    guint descriptors;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
    int fds[2];

    fixture->descriptors = sockets_open_descriptors();
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
    fixture->ours = fds[0];
    fixture->theirs = fds[1];
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    close(fixture->ours);
    if (fixture->theirs >= 0)
        close(fixture->theirs);
    g_assert_cmpuint(sockets_open_descriptors(), ==, fixture->descriptors);
}

/* What can be read from it says which one it is. */
static void send_named(const Fixture *fixture, const char *text, const char *name)
{
    int fd = sockets_readable(name);

    g_assert_cmpint(rights_write(fixture->theirs, text, strlen(text), fd), ==,
                    (gssize)strlen(text));
    close(fd);
}

static void send_plain(const Fixture *fixture, const char *text)
{
    g_assert_cmpint(write(fixture->theirs, text, strlen(text)), ==, (gssize)strlen(text));
}

/* Each read as "(NAME)bytes", until there is no more. */
static char *read_all(const Fixture *fixture, gsize size)
{
    GString *log = g_string_new(NULL);
    char buffer[1024];
    RightsArrived arrived;
    gssize got;

    g_assert_cmpuint(size, <=, sizeof buffer);
    while ((got = rights_read(fixture->ours, buffer, buffer, size, &arrived)) > 0) {
        g_assert_false(arrived.more);
        if (arrived.fd >= 0) {
            g_autofree char *name = sockets_read_all(arrived.fd);

            g_string_append_len(log, buffer, (gssize)arrived.at);
            g_string_append_printf(log, "(%s)", name);
            g_string_append_len(log, buffer + arrived.at, got - (gssize)arrived.at);
        } else {
            g_string_append_len(log, buffer, got);
        }
    }
    if (got < 0)
        g_assert_cmpint(errno, ==, EAGAIN);
    return g_string_free(log, FALSE);
}

/* Sent in five pieces, read in pieces of any size: the descriptor's place does not move. */
static void test_place(Fixture *fixture, gconstpointer unused)
{
    for (gsize size = 1; size <= 32; size++) {
        g_autofree char *log = NULL;

        send_plain(fixture, "ab");
        send_plain(fixture, "cdef");
        send_named(fixture, "ghi", "one");
        send_named(fixture, "j", "two");
        send_plain(fixture, "klm");
        log = read_all(fixture, size);
        g_assert_cmpstr(log, ==, "abcdef(one)ghi(two)jklm");
    }
}

/* It lies far behind: what is in front of it is read in pieces that keep nobody waiting. */
static void test_far(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *before = g_strnfill(700, 'x');
    g_autofree char *expected = g_strconcat(before, "(one)y", NULL);
    g_autofree char *log = NULL;
    RightsArrived arrived;
    char buffer[1024];
    gssize got;

    send_plain(fixture, before);
    send_named(fixture, "y", "one");
    got = rights_read(fixture->ours, buffer, buffer, sizeof buffer, &arrived);
    g_assert_cmpint(got, >, 0);
    g_assert_cmpint(got, <, 700);
    g_assert_cmpint(arrived.fd, ==, -1);
    log = read_all(fixture, sizeof buffer);
    g_assert_cmpstr(log, ==, expected + got);
}

/* The first of several is kept. The kernel says that there were more, and drops them. */
static void test_several(Fixture *fixture, gconstpointer unused)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(3 * sizeof(int))];
    } control = {.header = {CMSG_LEN(3 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    const int fds[3] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    char sent = 'x';
    struct iovec vector = {&sent, 1};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.space};
    guint before = sockets_open_descriptors();
    RightsArrived arrived;
    char byte;

    memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
    g_assert_cmpint(sendmsg(fixture->theirs, &message, 0), ==, 1);
    g_assert_cmpint(rights_read(fixture->ours, &byte, &byte, 1, &arrived), ==, 1);
    g_assert_cmpint(arrived.fd, >=, 0);
    g_assert_true(arrived.more);
    g_assert_cmpuint(sockets_open_descriptors(), ==, before + 1);
    close(arrived.fd);
}

/* Where this process can have no more of them, the bytes come all the same. */
static void test_no_room(Fixture *fixture, gconstpointer unused)
{
    RightsArrived arrived;
    char bytes[8];

    send_named(fixture, "bytes", "one");
    sockets_forbid_descriptors(TRUE);
    g_assert_cmpint(rights_read(fixture->ours, bytes, bytes, sizeof bytes, &arrived), ==, 1);
    sockets_forbid_descriptors(FALSE);
    g_assert_cmpint(arrived.fd, ==, -1);
    g_assert_true(arrived.more);
    g_assert_cmpint(rights_read(fixture->ours, bytes, bytes, sizeof bytes, &arrived), ==, 4);
}

static void test_end(Fixture *fixture, gconstpointer unused)
{
    RightsArrived arrived = {.more = TRUE};
    char byte;

    send_named(fixture, "x", "one");
    close(fixture->theirs);
    fixture->theirs = -1;
    {
        g_autofree char *log = read_all(fixture, 64);

        g_assert_cmpstr(log, ==, "(one)x");
    }
    g_assert_cmpint(rights_read(fixture->ours, &byte, &byte, 1, &arrived), ==, 0);
    g_assert_cmpint(arrived.fd, ==, -1);
    g_assert_false(arrived.more);
}

static void test_carried(Fixture *fixture, gconstpointer unused)
{
    int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_true(rights_are_carried(fixture->ours));
    g_assert_false(rights_are_carried(inet));
    g_assert_false(rights_are_carried(STDIN_FILENO));
    close(inet);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/rights/place", test_place);
    ADD("/rights/far", test_far);
    ADD("/rights/several", test_several);
    ADD("/rights/no-room", test_no_room);
    ADD("/rights/end", test_end);
    ADD("/rights/carried", test_carried);
    return g_test_run();
}
