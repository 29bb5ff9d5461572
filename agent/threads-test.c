/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Every job is run once, on no more threads than there may be, and nobody waits for one that hangs.
 */

#include "agent/threads.h"

enum { JOBS = 1000, THREADS = 3 };

/* What jobs see and leave; reset by each test. */
static struct {
    GMutex lock;
    GCond changed;
    gboolean held; /* jobs wait as long */
    guint under_way;
    guint most; /* that were under way at once */
    guint done;
    guint64 sum; /* of the jobs' numbers */
} seen;

static void run(gpointer job)
{
    g_mutex_lock(&seen.lock);
    seen.under_way++;
    seen.most = MAX(seen.most, seen.under_way);
    g_cond_broadcast(&seen.changed);
    while (seen.held)
        g_cond_wait(&seen.changed, &seen.lock);
    seen.under_way--;
    seen.done++;
    seen.sum += GPOINTER_TO_UINT(job);
    g_cond_broadcast(&seen.changed);
    g_mutex_unlock(&seen.lock);
}

static Threads *begin(gboolean held)
{
    seen.held = held;
    seen.under_way = seen.most = seen.done = 0;
    seen.sum = 0;
    return threads_new(run, THREADS);
}

static void push(Threads *threads, guint count)
{
    for (guint i = 1; i <= count; i++)
        g_assert_true(threads_push(threads, GUINT_TO_POINTER(i)));
}

/* With the lock */
static void await(const guint *value, guint at_least)
{
    while (*value < at_least)
        g_cond_wait(&seen.changed, &seen.lock);
}

static void release(void)
{
    seen.held = FALSE;
    g_cond_broadcast(&seen.changed);
}

static void test_each_once(void)
{
    Threads *threads = begin(FALSE);

    push(threads, JOBS);
    g_mutex_lock(&seen.lock);
    await(&seen.done, JOBS);
    g_assert_cmpuint(seen.done, ==, JOBS);
    g_assert_cmpuint(seen.sum, ==, JOBS * (JOBS + 1) / 2);
    g_assert_cmpuint(seen.most, <=, THREADS);
    g_mutex_unlock(&seen.lock);
    threads_free(threads);
}

/* As many at once as there may be; what is more waits for one of them. */
static void test_as_many_as_there_may_be(void)
{
    Threads *threads = begin(TRUE);

    push(threads, THREADS + 1);
    g_mutex_lock(&seen.lock);
    await(&seen.under_way, THREADS);
    release();
    await(&seen.done, THREADS + 1);
    g_assert_cmpuint(seen.most, ==, THREADS);
    g_mutex_unlock(&seen.lock);
    threads_free(threads);
}

/* Nor is one that is under way, or waits, forgotten. */
static void test_free_waits_for_nobody(void)
{
    Threads *threads = begin(TRUE);

    push(threads, THREADS + 1);
    threads_free(threads);
    g_mutex_lock(&seen.lock);
    release();
    await(&seen.done, THREADS + 1);
    g_mutex_unlock(&seen.lock);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/threads/each-once", test_each_once);
    g_test_add_func("/threads/as-many-as-there-may-be", test_as_many_as_there_may_be);
    g_test_add_func("/threads/free-waits-for-nobody", test_free_waits_for_nobody);
    return g_test_run();
}
