/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/threads.h"

#include "common/limits.h"

struct Threads {
    GMutex lock; /* for what follows */
    GCond more;
    GQueue jobs;
    guint idle;    /* threads that wait, and were not woken for a job yet */
    guint running; /* all threads */
    gboolean freed;
    void (*run)(gpointer job);
    guint max;
};

/* With the lock, which is released. */
static void leave(Threads *threads)
{
    const gboolean last = threads->freed && threads->running == 0;

    g_mutex_unlock(&threads->lock);
    if (!last)
        return;
    g_mutex_clear(&threads->lock);
    g_cond_clear(&threads->more);
    g_free(threads);
}

/* With the lock. Returns: FALSE where the thread is to end */
static gboolean wait_for_job(Threads *threads)
{
    const gint64 end = g_get_monotonic_time() + LIMIT_IDLE_THREAD_SECONDS * G_USEC_PER_SEC;
    gboolean in_time = TRUE;

    threads->idle++;
    while (threads->jobs.length == 0 && !threads->freed && in_time)
        in_time = g_cond_wait_until(&threads->more, &threads->lock, end);
    threads->idle--;
    return threads->jobs.length > 0;
}

static gpointer work(gpointer data)
{
    Threads *threads = data;

    g_mutex_lock(&threads->lock);
    while (threads->jobs.length > 0 || wait_for_job(threads)) {
        gpointer job = g_queue_pop_head(&threads->jobs);

        g_mutex_unlock(&threads->lock);
        threads->run(job);
        g_mutex_lock(&threads->lock);
    }
    threads->running--;
    leave(threads);
    return NULL;
}

Threads *threads_new(void (*run)(gpointer job), guint max)
{
    Threads *threads = g_new0(Threads, 1);

    threads->run = run;
    threads->max = max;
    g_mutex_init(&threads->lock);
    g_cond_init(&threads->more);
    return threads;
}

/* For the last of the jobs. Returns: FALSE where it was taken back */
static gboolean start_thread(Threads *threads)
{
    GThread *thread = g_thread_try_new("work", work, threads, NULL);
    gpointer job = NULL;

    if (thread != NULL) {
        g_thread_unref(thread);
        return TRUE;
    }
    g_mutex_lock(&threads->lock);
    if (--threads->running == 0)
        job = g_queue_pop_tail(&threads->jobs);
    g_mutex_unlock(&threads->lock);
    return job == NULL;
}

gboolean threads_push(Threads *threads, gpointer job)
{
    gboolean start;

    g_mutex_lock(&threads->lock);
    g_queue_push_tail(&threads->jobs, job);
    start = threads->jobs.length > threads->idle && threads->running < threads->max;
    threads->running += start;
    g_mutex_unlock(&threads->lock);
    if (start)
        return start_thread(threads);
    g_cond_signal(&threads->more); /* without the lock: who is woken wants it */
    return TRUE;
}

void threads_free(Threads *threads)
{
    g_mutex_lock(&threads->lock);
    threads->freed = TRUE;
    g_cond_broadcast(&threads->more);
    leave(threads);
}
