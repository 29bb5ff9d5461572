/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A context whose poll function is the loop's own serves what any other does: the loop's
 * descriptors and timers, what GLib polls besides, other threads' calls, and nested turns.
 */

#include "io-poll.h"

#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

/* One for all: a process has one such context. */
static GMainContext *context;
static int guest[2];

typedef struct {
    IoLoop *loop;
    Io *io;
    int other;
    guint reads;
    gboolean nests; /* from within a read, the context is run */
} Probe;

static void read_byte(gpointer owner, IoReady unused_ready)
{
    Probe *probe = owner;
    char byte;

    g_assert_cmpint(read(io_fd(probe->io), &byte, 1), ==, 1);
    probe->reads++;
    if (probe->nests)
        while (g_main_context_iteration(context, FALSE))
            ;
}

static void set_up(Probe *probe, gconstpointer unused)
{
    int fds[2];

    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    *probe = (Probe){.loop = io_loop_get(context), .other = fds[1]};
    probe->io = io_new(probe->loop, fds[0], read_byte, probe);
    io_want(probe->io, TRUE, FALSE);
}

static void tear_down(Probe *probe, gconstpointer unused)
{
    io_free(probe->io);
    io_loop_unref(probe->loop);
    close(probe->other);
    while (g_main_context_iteration(context, FALSE))
        ;
}

static void put(int fd)
{
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
}

static gboolean turn(gboolean wait)
{
    return g_main_context_iteration(context, wait);
}

static void test_own(Probe *probe, gconstpointer unused)
{
    g_assert_false(turn(FALSE));
    for (guint i = 1; i < 4; i++) {
        put(probe->other);
        g_assert_true(turn(TRUE));
        g_assert_cmpuint(probe->reads, ==, i);
        g_assert_false(turn(FALSE));
    }
}

static void ring(gpointer owner, gint64 unused_now)
{
    *(gboolean *)owner = TRUE;
}

/* It waits until a timer is due, and no longer. */
static void test_timer(Probe *probe, gconstpointer unused)
{
    gboolean rung = FALSE;
    IoTimer *timer = io_timer_new(probe->loop, ring, &rung);
    gint64 at = io_loop_now(probe->loop) + 20000;

    io_timer_set(timer, at);
    while (!rung)
        turn(TRUE);
    g_assert_cmpint(io_loop_now(probe->loop), >=, at);
    io_timer_free(timer);
}

static gboolean count_guest(int fd, GIOCondition condition, gpointer data)
{
    char byte;

    g_assert_cmpint(condition, ==, G_IO_IN);
    g_assert_cmpint(read(fd, &byte, 1), ==, 1);
    ++*(guint *)data;
    return G_SOURCE_CONTINUE;
}

static GSource *attach(int fd, GIOCondition condition, guint *count)
{
    GSource *source = g_unix_fd_source_new(fd, condition);

    g_source_set_callback(source, G_SOURCE_FUNC(count_guest), count, NULL);
    g_source_attach(source, context);
    return source;
}

static void detach(GSource *source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

/* The caller's, alone and with the loop's own in one turn. */
static void test_guest(Probe *probe, gconstpointer unused)
{
    guint count = 0;
    GSource *source = attach(guest[0], G_IO_IN, &count);

    g_assert_false(turn(FALSE));
    put(guest[1]);
    g_assert_true(turn(TRUE));
    g_assert_cmpuint(count, ==, 1);
    g_assert_cmpuint(probe->reads, ==, 0);
    put(guest[1]);
    put(probe->other);
    g_assert_true(turn(TRUE));
    g_assert_cmpuint(count, ==, 2);
    g_assert_cmpuint(probe->reads, ==, 1);
    g_assert_false(turn(FALSE));
    detach(source);
}

/* Both are ready; the loop's own waits in its batch. */
static GSource *serve_guest_first(Probe *probe)
{
    static guint count;
    GSource *source = attach(guest[0], G_IO_IN, &count);

    count = 0;
    g_source_set_priority(source, G_PRIORITY_HIGH);
    put(guest[1]);
    put(probe->other);
    g_assert_true(turn(FALSE));
    g_assert_cmpuint(count, ==, 1);
    g_assert_cmpuint(probe->reads, ==, 0);
    return source;
}

/* The one that is served first keeps nobody's event from being served next. */
static void test_priorities(Probe *probe, gconstpointer unused)
{
    GSource *source = serve_guest_first(probe);

    g_assert_true(turn(FALSE));
    g_assert_cmpuint(probe->reads, ==, 1);
    g_assert_false(turn(FALSE));
    detach(source);
}

/* What is in a batch that waits, and is freed meanwhile, is not served. */
static void test_freed_in_batch(Probe *probe, gconstpointer unused)
{
    GSource *source = serve_guest_first(probe);

    io_free(probe->io);
    turn(FALSE);
    g_assert_cmpuint(probe->reads, ==, 0);
    g_assert_false(turn(FALSE));
    detach(source);
    probe->io = io_new(probe->loop, dup(probe->other), read_byte, probe);
}

/* Of others it knows nothing: GLib polls for all. */
static void test_stranger(Probe *probe, gconstpointer unused)
{
    int fds[2];
    guint count = 0;
    GSource *source;

    g_assert_no_errno(pipe(fds));
    source = attach(fds[0], G_IO_IN, &count);
    put(fds[1]);
    put(probe->other);
    while (turn(FALSE))
        ;
    g_assert_cmpuint(count, ==, 1);
    g_assert_cmpuint(probe->reads, ==, 1);
    detach(source);
    close(fds[0]);
    close(fds[1]);
}

static gboolean set_flag(gpointer flag)
{
    *(gboolean *)flag = TRUE;
    return G_SOURCE_REMOVE;
}

static gpointer invoke(gpointer flag)
{
    g_main_context_invoke(context, set_flag, flag);
    return NULL;
}

/* Another thread wakes it. */
static void test_invoked(Probe *probe, gconstpointer unused)
{
    gboolean invoked = FALSE;
    GThread *thread = g_thread_new("other", invoke, &invoked);

    while (!invoked)
        turn(TRUE);
    g_thread_join(thread);
    while (turn(FALSE))
        ;
    g_assert_cmpuint(probe->reads, ==, 0);
}

/* A callback that runs the context gets the others' turns, and its own only behind it. */
static void test_nested(Probe *probe, gconstpointer unused)
{
    guint count = 0;
    GSource *source = attach(guest[0], G_IO_IN, &count);

    probe->nests = TRUE;
    put(probe->other);
    put(probe->other);
    turn(TRUE);
    put(guest[1]);
    while (turn(FALSE))
        ;
    g_assert_cmpuint(probe->reads, ==, 2);
    g_assert_cmpuint(count, ==, 1);
    detach(source);
}

/* The caller's that nobody polls for a while: it waits, and costs no turn; then it is served. */
static void test_unpolled_guest(Probe *probe, gconstpointer unused)
{
    gboolean rung = FALSE;
    IoTimer *timer = io_timer_new(probe->loop, ring, &rung);
    guint count = 0, turns = 0;
    GSource *source;

    put(guest[1]);
    io_timer_set(timer, io_loop_now(probe->loop) + 20000);
    for (; !rung; turns++)
        turn(TRUE);
    g_assert_cmpuint(turns, <, 10);
    io_timer_free(timer);
    source = attach(guest[0], G_IO_IN, &count);
    put(probe->other);
    while (turn(FALSE))
        ;
    g_assert_cmpuint(count, ==, 1);
    g_assert_cmpuint(probe->reads, ==, 1);
    detach(source);
}

static void test_once(void)
{
    g_autoptr(GMainContext) other = g_main_context_new();

    g_assert_false(io_poll_take(other, NULL, 0));
    g_assert_true(g_main_context_get_poll_func(other) == g_poll);
    g_assert_true(g_main_context_get_poll_func(context) != g_poll);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_no_errno(pipe(guest));
    context = g_main_context_new();
    g_assert_true(io_poll_take(context, guest, 1));
#define ADD(path, func) g_test_add(path, Probe, NULL, set_up, func, tear_down)
    ADD("/io-poll/own", test_own);
    ADD("/io-poll/timer", test_timer);
    ADD("/io-poll/guest", test_guest);
    ADD("/io-poll/priorities", test_priorities);
    ADD("/io-poll/freed-in-batch", test_freed_in_batch);
    ADD("/io-poll/stranger", test_stranger);
    ADD("/io-poll/invoked", test_invoked);
    ADD("/io-poll/nested", test_nested);
    g_test_add_func("/io-poll/once", test_once);
    ADD("/io-poll/unpolled-guest", test_unpolled_guest); /* the last: GLib polls it from then on */
    return g_test_run();
}
