/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A channel that never runs dry keeps nobody else waiting, and whatever a turn of it sets up has
 * its turn too. A starved source shows as a test that does not end. */

#include "agent/poller.h"

#include <glib-unix.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TURNS = 1000 };

static int kept; /* an eventfd, as long as the program lives */
static int kept_told;

/* A channel that is readable for ever, or until the test says so. */
typedef struct {
    GMainLoop *loop;
    GSource *source;
    int fd; /* an eventfd */
    gboolean is_endless;
    gboolean due;
    guint served;                /* past the main loop */
    guint turns;                 /* all */
    guint last;                  /* of them; 0: none is */
    void (*turn)(gpointer user); /* (nullable): what a turn does; the main loop is told of it */
    guint until;                 /* told: then the loop ends */
    guint told;                  /* sources of the test */
} Fixture;

typedef struct {
    GSource source;
    Fixture *fixture;
} ChannelSource;

/* ---- The channel ----------------------------------------------------------------------------- */

static void write_event(int fd)
{
    const uint64_t one = 1;

    g_assert_cmpint(write(fd, &one, sizeof(one)), ==, sizeof(one));
}

static void read_event(int fd)
{
    uint64_t value;

    g_assert_cmpint(read(fd, &value, sizeof(value)), ==, sizeof(value));
}

static void take_event(gpointer user, const struct epoll_event *event)
{
    Fixture *fixture = user;

    g_assert_cmpint(event->data.fd, ==, fixture->fd);
    fixture->due = TRUE;
}

static void do_turn(Fixture *fixture)
{
    fixture->due = FALSE;
    if (++fixture->turns == fixture->last)
        g_main_loop_quit(fixture->loop);
    if (!fixture->is_endless)
        read_event(fixture->fd);
    else
        write_event(fixture->fd); /* an edge */
    if (fixture->turn != NULL)
        fixture->turn(fixture);
}

static gboolean serve(gpointer user)
{
    Fixture *fixture = user;
    const gboolean acts = fixture->turn != NULL;

    if (fixture->due) {
        fixture->served++;
        do_turn(fixture);
    }
    return !acts;
}

static gboolean source_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return ((ChannelSource *)source)->fixture->due;
}

static gboolean source_check(GSource *source)
{
    poller_take_events();
    return ((ChannelSource *)source)->fixture->due;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    do_turn(((ChannelSource *)source)->fixture);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {source_prepare, source_check, source_dispatch, NULL};
static const PollerCallbacks callbacks = {take_event, serve};

static void set_up(Fixture *fixture, gconstpointer data)
{
    int epoll = poller_open(&callbacks, fixture);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    fixture->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    event.data.fd = fixture->fd;
    g_assert_cmpint(epoll_ctl(epoll, EPOLL_CTL_ADD, fixture->fd, &event), ==, 0);
    fixture->loop = g_main_loop_new(NULL, FALSE);
    fixture->source = g_source_new(&source_funcs, sizeof(ChannelSource));
    ((ChannelSource *)fixture->source)->fixture = fixture;
    g_source_add_unix_fd(fixture->source, epoll, G_IO_IN);
    g_source_set_can_recurse(fixture->source, TRUE);
    g_source_attach(fixture->source, NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_source_destroy(fixture->source);
    g_source_unref(fixture->source);
    g_main_loop_unref(fixture->loop);
    poller_close();
    close(fixture->fd);
}

static void start_endless(Fixture *fixture)
{
    fixture->is_endless = TRUE;
    write_event(fixture->fd);
}

/* ---- Others ---------------------------------------------------------------------------------- */

static gboolean on_other(gpointer user_data)
{
    Fixture *fixture = user_data;

    if (++fixture->told >= fixture->until)
        g_main_loop_quit(fixture->loop);
    return fixture->told < fixture->until;
}

static gboolean on_other_fd(gint fd, GIOCondition condition, gpointer user_data)
{
    read_event(fd);
    return on_other(user_data);
}

static gboolean on_kept(gint fd, GIOCondition condition, gpointer user_data)
{
    read_event(fd);
    kept_told++;
    return G_SOURCE_CONTINUE;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* Alone it is served past the main loop, but for the first time. */
static void test_past_the_loop(Fixture *fixture, gconstpointer data)
{
    fixture->last = TURNS;
    start_endless(fixture);
    g_main_loop_run(fixture->loop);
    g_assert_cmpuint(fixture->turns, >=, TURNS);
    g_assert_cmpuint(fixture->served, >=, TURNS - 1);
}

/* Timers that were there before: each has its time, and its turn. */
static void test_beside_a_timer(Fixture *fixture, gconstpointer data)
{
    fixture->until = 20;
    start_endless(fixture);
    g_timeout_add(1, on_other, fixture);
    g_main_loop_run(fixture->loop);
    g_assert_cmpuint(fixture->told, ==, 20);
    g_assert_cmpuint(fixture->turns, >, 0);
}

static void set_timer(gpointer user)
{
    Fixture *fixture = user;

    fixture->turn = NULL;
    g_timeout_add(1, on_other, fixture);
}

/* One that a turn has set, which says so. */
static void test_timer_of_a_turn(Fixture *fixture, gconstpointer data)
{
    fixture->until = 1;
    fixture->turn = set_timer;
    start_endless(fixture);
    g_main_loop_run(fixture->loop);
    g_assert_cmpuint(fixture->told, ==, 1);
}

static gpointer add_idle(gpointer data)
{
    g_idle_add_full(G_PRIORITY_DEFAULT, on_other, data, NULL);
    return NULL;
}

static void start_thread(gpointer user)
{
    ((Fixture *)user)->turn = NULL;
    g_thread_unref(g_thread_new("other", add_idle, user));
}

static void test_source_of_a_thread(Fixture *fixture, gconstpointer data)
{
    fixture->until = 1;
    fixture->turn = start_thread;
    start_endless(fixture);
    g_main_loop_run(fixture->loop);
    g_assert_cmpuint(fixture->told, ==, 1);
}

static void wake_kept(gpointer user)
{
    Fixture *fixture = user;

    write_event(kept);
    if (kept_told >= 3)
        g_main_loop_quit(fixture->loop);
}

/* What is kept is heard again and again. */
static void test_kept(Fixture *fixture, gconstpointer data)
{
    kept_told = 0;
    fixture->turn = wake_kept;
    start_endless(fixture);
    g_main_loop_run(fixture->loop);
    g_assert_cmpint(kept_told, >=, 3);
}

/* One after the other gets the same number, and each is another file. */
static void test_number_again(Fixture *fixture, gconstpointer data)
{
    int first = -1;

    fixture->until = 1;
    start_endless(fixture);
    for (guint i = 0; i < 5; i++) {
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

        first = first < 0 ? fd : first;
        g_assert_cmpint(fd, ==, first);
        fixture->told = 0;
        g_unix_fd_add(fd, G_IO_IN, on_other_fd, fixture);
        write_event(fd);
        g_main_loop_run(fixture->loop);
        g_assert_cmpuint(fixture->told, ==, 1);
        close(fd);
    }
}

static void quit(gpointer user)
{
    g_main_loop_quit(((Fixture *)user)->loop);
}

static void test_end_of_the_loop(Fixture *fixture, gconstpointer data)
{
    fixture->turn = quit;
    write_event(fixture->fd);
    g_main_loop_run(fixture->loop);
    g_assert_cmpuint(fixture->turns, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    kept = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    g_unix_fd_add(kept, G_IO_IN, on_kept, NULL);
    poller_keep(kept);
    poller_run_alone();
#define ADD(name, function) g_test_add("/poller/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("past-the-loop", test_past_the_loop);
    ADD("beside-a-timer", test_beside_a_timer);
    ADD("timer-of-a-turn", test_timer_of_a_turn);
    ADD("source-of-a-thread", test_source_of_a_thread);
    ADD("kept", test_kept);
    ADD("number-again", test_number_again);
    ADD("end-of-the-loop", test_end_of_the_loop);
#undef ADD
    return g_test_run();
}
