/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Descriptors and timers in a main loop: what is reported when, that a callback may free anything,
 * and that nothing stays open behind any of it.
 */

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/sockets.h"

/* Stands before the C library's, to count what the kernel is asked for. */
static guint epoll_changes;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library names none */
int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    epoll_changes++;
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

/* One end is an Io, the other is the test's. */
typedef struct Probe Probe;

struct Probe {
    Io *io;
    int other; /* -1 once closed */
    guint calls;
    IoReady ready;                     /* of the last call */
    void (*action)(Probe *this_probe); /* (nullable): what the callback does */
    gpointer data;
};

typedef struct {
    GMainContext *context;
    IoLoop *loop;
    guint descriptors;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
    fixture->descriptors = sockets_open_descriptors();
    fixture->context = g_main_context_new();
    fixture->loop = io_loop_get(fixture->context);
}

/* No descriptor is left, and none was closed that was not ours. */
static void tear_down(Fixture *fixture, gconstpointer unused)
{
    io_loop_unref(fixture->loop);
    g_main_context_unref(fixture->context);
    g_assert_cmpuint(sockets_open_descriptors(), ==, fixture->descriptors);
}

static gboolean turn(Fixture *fixture)
{
    return g_main_context_iteration(fixture->context, FALSE);
}

static void on_ready(gpointer data, IoReady ready)
{
    Probe *probe = data;

    probe->calls++;
    probe->ready = ready;
    if (probe->action)
        probe->action(probe);
}

static void probe_init_fds(Probe *probe, IoLoop *loop, int fd, int other)
{
    *probe = (Probe){.other = other};
    probe->io = io_new(loop, fd, on_ready, probe);
}

static void probe_init(Probe *probe, IoLoop *loop)
{
    int fds[2];

    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    probe_init_fds(probe, loop, fds[0], fds[1]);
}

static void probe_close_other(Probe *probe)
{
    if (probe->other >= 0)
        g_assert_no_errno(close(probe->other));
    probe->other = -1;
}

static void probe_clear(Probe *probe)
{
    g_clear_pointer(&probe->io, io_free);
    probe_close_other(probe);
}

static void probe_put(Probe *probe, const char *text)
{
    g_assert_cmpint(write(probe->other, text, strlen(text)), ==, (gssize)strlen(text));
}

static void assert_reads(Probe *probe, const char *expected)
{
    char buffer[64];
    g_autoptr(GError) error = NULL;
    gssize got = io_stream.read(probe->io, buffer, sizeof buffer, &error);

    g_assert_no_error(error);
    g_assert_cmpint(got, >=, 0);
    g_assert_cmpmem(buffer, (gsize)got, expected, strlen(expected));
}

/* ---- readiness ------------------------------------------------------------------------------- */

/* Nothing is reported that was not asked for; what was is reported for as long as it lasts. */
static void test_want(Fixture *fixture, gconstpointer unused)
{
    Probe probe;
    guint calls;

    probe_init(&probe, fixture->loop);
    probe_put(&probe, "text");
    g_assert_false(turn(fixture));
    g_assert_cmpuint(probe.calls, ==, 0);

    io_want(probe.io, TRUE, FALSE);
    for (guint i = 1; i <= 3; i++) {
        g_assert_true(turn(fixture));
        g_assert_cmpuint(probe.calls, ==, i);
        g_assert_cmpint(probe.ready, ==, IO_READABLE);
    }
    io_want(probe.io, TRUE, TRUE);
    g_assert_true(turn(fixture));
    g_assert_cmpint(probe.ready, ==, IO_READABLE | IO_WRITABLE);

    assert_reads(&probe, "text");
    g_assert_true(turn(fixture));
    g_assert_cmpint(probe.ready, ==, IO_WRITABLE);
    /* The kernel tells once more what is not wanted any more; whoever is served does not hear it.
     */
    io_want(probe.io, TRUE, FALSE);
    calls = probe.calls;
    g_assert_true(turn(fixture));
    g_assert_false(turn(fixture));
    g_assert_cmpuint(probe.calls, ==, calls);
    probe_clear(&probe);
}

static void test_hangup(Fixture *fixture, gconstpointer unused)
{
    Probe probe;

    probe_init(&probe, fixture->loop);
    probe_put(&probe, "last words");
    probe_close_other(&probe);
    g_assert_true(turn(fixture));
    g_assert_cmpint(probe.ready, ==, IO_HANGUP);

    io_want(probe.io, TRUE, FALSE);
    g_assert_true(turn(fixture));
    g_assert_cmpint(probe.ready, ==, IO_HANGUP | IO_READABLE);
    assert_reads(&probe, "last words");
    assert_reads(&probe, "");
    probe_clear(&probe);
}

/* The kernel is told of a wish once. */
static void test_few_calls(Fixture *fixture, gconstpointer unused)
{
    Probe probe;

    epoll_changes = 0;
    probe_init(&probe, fixture->loop);
    g_assert_cmpuint(epoll_changes, ==, 1);
    io_want(probe.io, FALSE, FALSE);
    g_assert_cmpuint(epoll_changes, ==, 1);
    io_want(probe.io, TRUE, FALSE);
    io_want(probe.io, TRUE, FALSE);
    g_assert_cmpuint(epoll_changes, ==, 2);
    probe_put(&probe, "x");
    turn(fixture);
    g_assert_cmpuint(epoll_changes, ==, 2);
    io_want(probe.io, TRUE, TRUE);
    g_assert_cmpuint(epoll_changes, ==, 3);
    probe_clear(&probe);
    g_assert_cmpuint(epoll_changes, ==, 4);
}

static void test_flags(Fixture *fixture, gconstpointer unused)
{
    int fds[2];
    Probe probe;

    g_assert_no_errno(pipe(fds));
    probe_init_fds(&probe, fixture->loop, fds[0], fds[1]);
    g_assert_cmpint(io_fd(probe.io), ==, fds[0]);
    g_assert_cmpint(fcntl(fds[0], F_GETFD), ==, FD_CLOEXEC);
    g_assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    probe_clear(&probe);
}

/* ---- callbacks that free --------------------------------------------------------------------- */

enum { MANY = 200 };

static void free_all_others(Probe *probe)
{
    Probe *all = probe->data;

    for (guint i = 0; i < MANY; i++)
        if (&all[i] != probe)
            g_clear_pointer(&all[i].io, io_free);
}

static void free_own(Probe *probe)
{
    g_clear_pointer(&probe->io, io_free);
}

static void make_many(Probe *all, IoLoop *loop, void (*action)(Probe *this_probe))
{
    for (guint i = 0; i < MANY; i++) {
        probe_init(&all[i], loop);
        all[i].action = action;
        all[i].data = all;
        probe_put(&all[i], "x");
        io_want(all[i].io, TRUE, FALSE);
    }
}

static guint clear_many(Probe *all)
{
    guint calls = 0;

    for (guint i = 0; i < MANY; i++) {
        calls += all[i].calls;
        probe_clear(&all[i]);
    }
    return calls;
}

/* All are ready; the first that is called frees the rest, found ready or not. */
static void test_free_others(Fixture *fixture, gconstpointer unused)
{
    Probe all[MANY];

    make_many(all, fixture->loop, free_all_others);
    g_assert_true(turn(fixture));
    g_assert_cmpuint(clear_many(all), ==, 1);
}

/* More than one batch, and nobody is left out or called twice. */
static void test_free_own(Fixture *fixture, gconstpointer unused)
{
    Probe all[MANY];
    guint turns = 0;

    make_many(all, fixture->loop, free_own);
    while (turn(fixture))
        turns++;
    g_assert_cmpuint(turns, >, 1);
    g_assert_cmpuint(turns, <, 10);
    for (guint i = 0; i < MANY; i++)
        g_assert_cmpuint(all[i].calls, ==, 1);
    clear_many(all);
}

/* The last Io takes the loop with it, from within the loop. */
static void test_free_loop(void)
{
    guint descriptors = sockets_open_descriptors();
    GMainContext *context = g_main_context_new();
    IoLoop *loop = io_loop_get(context);
    Probe all[MANY];

    make_many(all, loop, free_all_others);
    io_loop_unref(loop);
    g_assert_true(g_main_context_iteration(context, FALSE));
    for (guint i = 0; i < MANY; i++)
        all[i].action = free_own;
    g_assert_true(g_main_context_iteration(context, FALSE));
    g_assert_false(g_main_context_iteration(context, FALSE));
    g_assert_cmpuint(clear_many(all), ==, 2);
    g_assert_null(g_main_context_find_source_by_user_data(context, NULL));
    g_main_context_unref(context);
    g_assert_cmpuint(sockets_open_descriptors(), ==, descriptors);
}

/* Data that is still open elsewhere is no business of a freed Io. */
static void test_free_duplicate(Fixture *fixture, gconstpointer unused)
{
    Probe probe;
    int duplicate;

    probe_init(&probe, fixture->loop);
    io_want(probe.io, TRUE, FALSE);
    duplicate = fcntl(io_fd(probe.io), F_DUPFD_CLOEXEC, 0);
    g_assert_cmpint(duplicate, >=, 0);
    g_clear_pointer(&probe.io, io_free);
    probe_put(&probe, "x");
    g_assert_false(turn(fixture));
    g_assert_cmpuint(probe.calls, ==, 0);
    probe_clear(&probe);
    close(duplicate);
}

static void test_steal(Fixture *fixture, gconstpointer unused)
{
    Probe probe;
    char byte;
    int fd;

    probe_init(&probe, fixture->loop);
    io_want(probe.io, TRUE, FALSE);
    probe_put(&probe, "x");
    fd = io_steal_fd(g_steal_pointer(&probe.io));
    g_assert_false(turn(fixture));
    g_assert_cmpint(read(fd, &byte, 1), ==, 1);
    close(fd);
    probe_clear(&probe);
}

static void unwant_other(Probe *probe)
{
    Probe *other = probe->data;

    io_want(other->io, FALSE, FALSE);
}

/* Both are ready; whoever comes first silences the other, although it was found ready. */
static void test_unwant(Fixture *fixture, gconstpointer unused)
{
    Probe a;
    Probe b;

    probe_init(&a, fixture->loop);
    probe_init(&b, fixture->loop);
    a.action = b.action = unwant_other;
    a.data = &b;
    b.data = &a;
    io_want(a.io, TRUE, FALSE);
    io_want(b.io, TRUE, FALSE);
    probe_put(&a, "x");
    probe_put(&b, "x");
    g_assert_true(turn(fixture));
    g_assert_cmpuint(a.calls + b.calls, ==, 1);
    probe_clear(&a);
    probe_clear(&b);
}

/* ---- callbacks that run the loop ------------------------------------------------------------- */

static guint nested_depth;

static void run_nested(Probe *probe)
{
    Fixture *fixture = probe->data;

    g_assert_cmpuint(nested_depth, ==, 0);
    nested_depth++;
    while (turn(fixture))
        ;
    nested_depth--;
    free_own(probe);
}

static gboolean note_idle(gpointer ran)
{
    *(gboolean *)ran = TRUE;
    return G_SOURCE_REMOVE;
}

/* Other sources of the context are served meanwhile, ours not until the callback has returned. */
static void test_nested(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GSource) idle = g_idle_source_new();
    gboolean idle_ran = FALSE;
    Probe probes[3];

    g_source_set_callback(idle, note_idle, &idle_ran, NULL);
    g_source_attach(idle, fixture->context);
    for (guint i = 0; i < G_N_ELEMENTS(probes); i++) {
        probe_init(&probes[i], fixture->loop);
        probes[i].action = run_nested;
        probes[i].data = fixture;
        probe_put(&probes[i], "x");
        io_want(probes[i].io, TRUE, FALSE);
    }
    g_assert_true(turn(fixture));
    g_assert_true(idle_ran);
    g_assert_false(turn(fixture));
    for (guint i = 0; i < G_N_ELEMENTS(probes); i++) {
        g_assert_cmpuint(probes[i].calls, ==, 1);
        probe_clear(&probes[i]);
    }
}

/* ---- loops ----------------------------------------------------------------------------------- */

static void test_loop_of_context(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(IoLoop) same = io_loop_get(fixture->context);
    g_autoptr(IoLoop) of_default = io_loop_get(NULL);
    g_autoptr(IoLoop) of_default_too = io_loop_get(g_main_context_default());

    io_loop_unref(io_loop_ref(same));
    g_assert_true(same == fixture->loop);
    g_assert_true(io_loop_context(same) == fixture->context);
    g_assert_true(of_default != same);
    g_assert_true(of_default == of_default_too);
    g_assert_true(io_loop_context(of_default) == g_main_context_default());
}

/* Without a descriptor for epoll there is a loop all the same, and its Ios tell why they fail. */
static void test_no_descriptors(void)
{
    GMainContext *context = g_main_context_new();
    IoLoop *loop;
    Probe probe;
    g_autoptr(GError) error = NULL;
    char byte;
    int fds[2];

    g_assert_no_errno(pipe(fds));
    sockets_forbid_descriptors(TRUE);
    loop = io_loop_get(context);
    sockets_forbid_descriptors(FALSE);
    probe_init_fds(&probe, loop, fds[0], fds[1]);
    g_assert_true(g_main_context_iteration(context, FALSE));
    g_assert_cmpint(probe.ready, ==, IO_HANGUP);
    g_assert_cmpint(io_stream.read(probe.io, &byte, 1, &error), ==, STREAM_IO_FAILED);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
    probe_clear(&probe);
    io_loop_unref(loop);
    g_main_context_unref(context);
}

/* ---- descriptors that cannot be waited for --------------------------------------------------- */

static void assert_refused(Fixture *fixture, int fd, int code)
{
    static const QueuePiece piece = {"x", 1};
    g_autoptr(GError) read_error = NULL;
    g_autoptr(GError) write_error = NULL;
    Probe probe;
    char byte;

    probe_init_fds(&probe, fixture->loop, fd, -1);
    io_want(probe.io, TRUE, TRUE);
    g_assert_cmpuint(probe.calls, ==, 0);
    g_assert_true(turn(fixture));
    g_assert_cmpint(probe.ready, ==, IO_HANGUP);
    g_assert_false(turn(fixture));
    g_assert_cmpuint(probe.calls, ==, 1);
    g_assert_cmpint(io_stream.read(probe.io, &byte, 1, &read_error), ==, STREAM_IO_FAILED);
    g_assert_error(read_error, G_IO_ERROR, code);
    g_assert_cmpint(io_stream.write(probe.io, &piece, 1, &write_error), ==, STREAM_IO_FAILED);
    g_assert_error(write_error, G_IO_ERROR, code);
    probe_clear(&probe);
}

static void test_refused(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp(NULL, &path, NULL);
    Probe probe;

    g_assert_cmpint(fd, >=, 0);
    g_assert_no_errno(unlink(path));
    assert_refused(fixture, fcntl(fd, F_DUPFD_CLOEXEC, 0), G_IO_ERROR_PERMISSION_DENIED);
    assert_refused(fixture, 1023, G_IO_ERROR_FAILED); /* no descriptor */

    /* Freed before it was reported. */
    probe_init_fds(&probe, fixture->loop, fd, -1);
    probe_clear(&probe);
    g_assert_false(turn(fixture));
    g_assert_cmpuint(probe.calls, ==, 0);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static const QueuePiece pieces[] = {{"one ", 4}, {"two ", 4}, {"three", 5}};

static void assert_carries(Fixture *fixture, int fd, int other)
{
    g_autoptr(GError) error = NULL;
    char buffer[64];
    Probe probe;

    probe_init_fds(&probe, fixture->loop, fd, other);
    g_assert_cmpint(io_stream.write(probe.io, pieces, G_N_ELEMENTS(pieces), &error), ==, 13);
    g_assert_no_error(error);
    g_assert_cmpint(read(other, buffer, sizeof buffer), ==, 13);
    g_assert_cmpmem(buffer, 13, "one two three", 13);
    probe_clear(&probe);
}

static void test_kinds(Fixture *fixture, gconstpointer unused)
{
    int fds[2];
    int tty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    assert_carries(fixture, fds[0], fds[1]);
    g_assert_no_errno(pipe2(fds, O_CLOEXEC));
    assert_carries(fixture, fds[1], fds[0]);
    g_assert_cmpint(tty, >=, 0);
    g_assert_no_errno(grantpt(tty));
    g_assert_no_errno(unlockpt(tty));
    assert_carries(fixture, open(ptsname(tty), O_RDWR | O_NOCTTY | O_CLOEXEC), tty);
}

static void test_again(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *much = g_strnfill(1024 * 1024, 'x');
    const QueuePiece piece = {much, 1024 * 1024};
    g_autoptr(GError) error = NULL;
    gssize put;
    char byte;
    Probe probe;

    probe_init(&probe, fixture->loop);
    g_assert_cmpint(io_stream.read(probe.io, &byte, 1, &error), ==, STREAM_IO_AGAIN);
    put = io_stream.write(probe.io, &piece, 1, &error);
    g_assert_cmpint(put, >, 0);
    g_assert_cmpint(put, <, 1024 * 1024);
    while (put > 0)
        put = io_stream.write(probe.io, &piece, 1, &error);
    g_assert_cmpint(put, ==, STREAM_IO_AGAIN);
    g_assert_no_error(error);
    probe_clear(&probe);
}

/* A reader that is gone is an error, not a signal, which would end this process. */
static void test_broken(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    Probe probe;

    probe_init(&probe, fixture->loop);
    probe_close_other(&probe);
    g_assert_cmpint(io_stream.write(probe.io, pieces, 1, &error), ==, STREAM_IO_FAILED);
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
    g_assert_cmpstr(error->message, ==, g_strerror(EPIPE));
    io_stream.close(g_steal_pointer(&probe.io));
    probe_clear(&probe);
}

/* ---- timers ---------------------------------------------------------------------------------- */

typedef struct Clock Clock;

struct Clock {
    IoTimer *timer;
    guint calls;
    gint64 now_us;
    GString *log; /* (nullable) */
    char name;
    void (*action)(Clock *clock); /* (nullable) */
    gpointer data;
};

static void on_time(gpointer data, gint64 now_us)
{
    Clock *clock = data;

    clock->calls++;
    clock->now_us = now_us;
    if (clock->log)
        g_string_append_c(clock->log, clock->name);
    if (clock->action)
        clock->action(clock);
}

static void test_timer_due(Fixture *fixture, gconstpointer unused)
{
    Clock clock = {0};
    gint64 at = g_get_monotonic_time() + 20000;

    clock.timer = io_timer_new(fixture->loop, on_time, &clock);
    g_assert_false(turn(fixture));
    io_timer_set(clock.timer, at);
    while (clock.calls == 0)
        g_main_context_iteration(fixture->context, TRUE);
    g_assert_cmpint(clock.now_us, >=, at);
    g_assert_cmpint(clock.now_us, <=, g_get_monotonic_time());
    g_assert_false(turn(fixture));

    io_timer_set(clock.timer, 0);
    g_assert_cmpuint(clock.calls, ==, 1);
    g_assert_true(turn(fixture));
    g_assert_false(turn(fixture));
    g_assert_cmpuint(clock.calls, ==, 2);

    io_timer_set(clock.timer, 0);
    io_timer_set(clock.timer, -1);
    g_assert_false(turn(fixture));
    io_timer_set(clock.timer, 0);
    io_timer_set(clock.timer, G_MAXINT64);
    g_assert_false(turn(fixture));
    g_assert_cmpuint(clock.calls, ==, 2);
    io_timer_free(clock.timer);
    io_timer_free(NULL);
}

/* In the order of their times; equal ones in the order in which they were set. */
static void test_timer_order(Fixture *fixture, gconstpointer unused)
{
    static const gint8 order[] = {5, 1, 3, 1, 4, 0, 2};
    gint64 base = g_get_monotonic_time();
    g_autoptr(GString) log = g_string_new(NULL);
    Clock clocks[G_N_ELEMENTS(order)] = {0};

    turn(fixture);
    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        clocks[i].log = log;
        clocks[i].name = (char)('a' + i);
        clocks[i].timer = io_timer_new(fixture->loop, on_time, &clocks[i]);
        io_timer_set(clocks[i].timer, base + order[i]);
    }
    while (log->len < G_N_ELEMENTS(order))
        g_main_context_iteration(fixture->context, TRUE);
    g_assert_cmpstr(log->str, ==, "fbdgcea");
    for (guint i = 0; i < G_N_ELEMENTS(order); i++)
        io_timer_free(clocks[i].timer);
}

static void set_to_now(Clock *clock)
{
    io_timer_set(clock->timer, 0);
}

/* A timer that sets itself to now comes once a turn, and descriptors have their part of it. */
static void test_timer_again(Fixture *fixture, gconstpointer unused)
{
    Clock clock = {.action = set_to_now};
    Probe probe;

    probe_init(&probe, fixture->loop);
    probe_put(&probe, "x");
    io_want(probe.io, TRUE, FALSE);
    clock.timer = io_timer_new(fixture->loop, on_time, &clock);
    io_timer_set(clock.timer, 0);
    for (guint i = 1; i <= 5; i++) {
        g_main_context_iteration(fixture->context, TRUE);
        g_assert_cmpuint(clock.calls, <=, i);
    }
    g_assert_cmpuint(clock.calls, >, 0);
    g_assert_cmpuint(probe.calls, >, 0);
    io_timer_free(clock.timer);
    probe_clear(&probe);
}

/* Where the time stands still, what is due comes, even set anew, and nothing else. */
static void test_timer_still(Fixture *fixture, gconstpointer unused)
{
    gint64 still = g_get_monotonic_time() - 1000000;
    Clock clock = {0};

    clock.timer = io_timer_new(fixture->loop, on_time, &clock);
    io_timer_set(clock.timer, still + 600 * G_USEC_PER_SEC);
    io_loop_set_time(fixture->loop, still);
    g_assert_cmpint(io_loop_now(fixture->loop), ==, still);
    g_assert_false(turn(fixture));
    io_loop_set_time(fixture->loop, still + 600 * G_USEC_PER_SEC - 1);
    g_assert_false(turn(fixture));
    io_loop_set_time(fixture->loop, still + 600 * G_USEC_PER_SEC);
    g_assert_true(turn(fixture));
    g_assert_cmpuint(clock.calls, ==, 1);
    g_assert_cmpint(clock.now_us, ==, still + 600 * G_USEC_PER_SEC);
    for (guint i = 2; i < 5; i++) {
        io_timer_set(clock.timer, 0);
        g_assert_true(turn(fixture));
        g_assert_false(turn(fixture));
        g_assert_cmpuint(clock.calls, ==, i);
    }
    io_timer_free(clock.timer);
}

/* Set once more, taken back, or both, before it came: it comes when it was last set to, once. */
static void test_timer_moved(Fixture *fixture, gconstpointer unused)
{
    static const struct {
        gint64 sets[4];
        gint64 expected; /* -1: never */
    } cases[] = {
        {{10, 20, 30, 40}, 40}, {{40, 30, 20, 10}, 10}, {{10, 30, 20, 20}, 20},
        {{10, -1, -1, -1}, -1}, {{10, -1, 30, 30}, 30}, {{30, -1, 10, 10}, 10},
        {{10, -1, 30, 5}, 5},   {{10, 30, -1, -1}, -1}, {{10, 40, 40, 10}, 10},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        gint64 still = g_get_monotonic_time();
        Clock clock = {0};

        io_loop_set_time(fixture->loop, still);
        clock.timer = io_timer_new(fixture->loop, on_time, &clock);
        for (guint k = 0; k < 4; k++)
            io_timer_set(clock.timer, cases[i].sets[k] < 0 ? -1 : still + cases[i].sets[k]);
        for (gint64 later = 1; later <= 50; later++) {
            io_loop_set_time(fixture->loop, still + later);
            while (turn(fixture))
                ;
            g_assert_cmpuint(clock.calls, ==, cases[i].expected >= 0 && later >= cases[i].expected);
            if (later == cases[i].expected)
                g_assert_cmpint(clock.now_us, ==, still + later);
        }
        io_timer_free(clock.timer);
    }
}

static void free_pair(Clock *clock)
{
    Clock *pair = clock->data;

    g_clear_pointer(&pair[0].timer, io_timer_free);
    g_clear_pointer(&pair[1].timer, io_timer_free);
}

/* Both are due; the first frees itself and the other, and with them the loop. */
static void test_timer_free(void)
{
    guint descriptors = sockets_open_descriptors();
    GMainContext *context = g_main_context_new();
    IoLoop *loop = io_loop_get(context);
    Clock pair[2] = {{.action = free_pair}, {.action = free_pair}};

    for (guint i = 0; i < 2; i++) {
        pair[i].data = pair;
        pair[i].timer = io_timer_new(loop, on_time, &pair[i]);
        io_timer_set(pair[i].timer, 0);
    }
    io_loop_unref(loop);
    g_assert_true(g_main_context_iteration(context, FALSE));
    g_assert_false(g_main_context_iteration(context, FALSE));
    g_assert_cmpuint(pair[0].calls + pair[1].calls, ==, 1);
    g_main_context_unref(context);
    g_assert_cmpuint(sockets_open_descriptors(), ==, descriptors);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_main_context_default(); /* opens a descriptor of its own, for good */
    ADD("/io/want", test_want);
    ADD("/io/hangup", test_hangup);
    ADD("/io/few-calls", test_few_calls);
    ADD("/io/flags", test_flags);
    ADD("/io/free/others", test_free_others);
    ADD("/io/free/own", test_free_own);
    g_test_add_func("/io/free/loop", test_free_loop);
    ADD("/io/free/duplicate", test_free_duplicate);
    ADD("/io/steal", test_steal);
    ADD("/io/unwant", test_unwant);
    ADD("/io/nested", test_nested);
    ADD("/io/loop/of-context", test_loop_of_context);
    g_test_add_func("/io/loop/no-descriptors", test_no_descriptors);
    ADD("/io/refused", test_refused);
    ADD("/io/bytes/kinds", test_kinds);
    ADD("/io/bytes/again", test_again);
    ADD("/io/bytes/broken", test_broken);
    ADD("/io/timer/due", test_timer_due);
    ADD("/io/timer/order", test_timer_order);
    ADD("/io/timer/again", test_timer_again);
    ADD("/io/timer/still", test_timer_still);
    ADD("/io/timer/moved", test_timer_moved);
    g_test_add_func("/io/timer/free", test_timer_free);
    return g_test_run();
}
