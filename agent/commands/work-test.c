/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A job runs beside the main loop, and its end is told there; each item is seen to once. */

#include "work.h"

#include "common/limits.h"

typedef struct {
    GThread *run_by;
    GThread *done_by;
    gboolean done;
} Job;

static void run(gpointer data)
{
    ((Job *)data)->run_by = g_thread_self();
}

static void on_done(gpointer data)
{
    Job *job = data;

    job->done_by = g_thread_self();
    job->done = TRUE;
}

static void test_start(void)
{
    g_autoptr(Crew) crew = crew_new(system_get());

    for (guint i = 0; i < 100; i++) {
        Job job = {0};

        crew_start(crew, run, on_done, &job, 0);
        while (!job.done)
            g_main_context_iteration(NULL, TRUE);
        g_assert_true(job.run_by != g_thread_self());
        g_assert_true(job.done_by == g_thread_self());
    }
}

enum { LONG_US = 60 * G_USEC_PER_SEC, SHORT_US = 1 };

/* Its end is told once, in time or later. */
static void test_wait(void)
{
    g_autoptr(Crew) crew = crew_new(system_get());

    for (guint i = 0; i < 100; i++) {
        Job job = {0};

        crew_start(crew, run, on_done, &job, LONG_US);
        g_assert_true(job.done);
        g_assert_true(job.run_by != g_thread_self());
        g_assert_false(g_main_context_iteration(NULL, FALSE));
        job = (Job){0};
        crew_start(crew, run, on_done, &job, SHORT_US);
        while (!job.done)
            g_main_context_iteration(NULL, TRUE);
        g_assert_true(job.done_by == g_thread_self());
    }
}

/* The thread of a former job serves the next one. */
static void test_spare(void)
{
    CrewSpare spare = {NULL, 0};
    Crew *crew = crew_spare_take(&spare, system_get());
    Job first = {0}, second = {0};

    crew_start(crew, run, on_done, &first, LONG_US);
    crew_spare_put(&spare, crew);
    g_assert_true(crew_spare_take(&spare, system_get()) == crew);
    g_assert_cmpuint(spare.timer, ==, 0);
    crew_start(crew, run, on_done, &second, LONG_US);
    g_assert_true(second.run_by == first.run_by);
    crew_spare_put(&spare, crew);
    crew_spare_clear(&spare);
    g_assert_null(spare.crew);
    crew_spare_clear(&spare);
}

enum { ITEMS = 3 * LIMIT_WORK_THREADS + 1 };

static void see_to(gpointer item, gpointer user)
{
    g_atomic_int_inc((gint *)item);
}

static void test_each(void)
{
    g_autoptr(Crew) crew = crew_new(system_get());
    gint seen[ITEMS] = {0};
    gpointer items[ITEMS];

    for (guint i = 0; i < ITEMS; i++)
        items[i] = &seen[i];
    for (guint count = 0; count <= ITEMS; count++) {
        crew_each(crew, items, count, see_to, NULL);
        for (guint i = 0; i < ITEMS; i++)
            g_assert_cmpint(seen[i], ==, i < count ? 1 : 0);
        for (guint i = 0; i < ITEMS; i++)
            seen[i] = 0;
    }
}

typedef struct {
    GMutex lock;
    GCond changed;
    guint there;
    guint expected;
} Meeting;

/* Returns when all are there. */
static void meet(gpointer item, gpointer user)
{
    Meeting *meeting = user;

    g_mutex_lock(&meeting->lock);
    meeting->there++;
    g_cond_broadcast(&meeting->changed);
    while (meeting->there < meeting->expected)
        g_cond_wait(&meeting->changed, &meeting->lock);
    g_mutex_unlock(&meeting->lock);
}

static void test_side_by_side(void)
{
    g_autoptr(Crew) crew = crew_new(system_get());
    Meeting meeting = {.expected = LIMIT_WORK_THREADS};
    gpointer items[LIMIT_WORK_THREADS] = {NULL};

    g_mutex_init(&meeting.lock);
    g_cond_init(&meeting.changed);
    for (guint i = 0; i < 3; i++) {
        meeting.there = 0;
        crew_each(crew, items, LIMIT_WORK_THREADS, meet, &meeting);
        g_assert_cmpuint(meeting.there, ==, LIMIT_WORK_THREADS);
    }
    g_cond_clear(&meeting.changed);
    g_mutex_clear(&meeting.lock);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/work/start", test_start);
    g_test_add_func("/work/wait", test_wait);
    g_test_add_func("/work/spare", test_spare);
    g_test_add_func("/work/each", test_each);
    g_test_add_func("/work/side-by-side", test_side_by_side);
    return g_test_run();
}
