/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "work.h"

#include "common/limits.h"

typedef struct {
    WorkStep run;
    WorkStep done;
    gpointer job;
} Work;

static gboolean on_done(gpointer user_data)
{
    const Work *work = user_data;

    work->done(work->job);
    return G_SOURCE_REMOVE;
}

static gpointer run_work(gpointer data)
{
    const Work *work = data;

    work->run(work->job);
    g_idle_add_full(G_PRIORITY_DEFAULT, on_done, data, g_free);
    return NULL;
}

void work_start(const char *name, WorkStep run, WorkStep done, gpointer job)
{
    Work *work = g_new(Work, 1);
    GThread *thread;

    *work = (Work){run, done, job};
    thread = g_thread_try_new(name, run_work, work, NULL);
    if (thread != NULL)
        g_thread_unref(thread);
    else
        run_work(work); /* a thaw that makes everybody wait is better than none */
}

typedef struct {
    gpointer *items;
    gint count;
    gint next;
    GFunc run;
    gpointer user;
} Crew;

static gpointer run_crew(gpointer data)
{
    Crew *crew = data;
    gint i;

    while ((i = g_atomic_int_add(&crew->next, 1)) < crew->count)
        crew->run(crew->items[i], crew->user);
    return NULL;
}

void work_each(gpointer *items, guint count, GFunc run, gpointer user)
{
    Crew crew = {items, (gint)count, 0, run, user};
    GThread *threads[LIMIT_WORK_THREADS - 1];
    guint started = 0;

    /* This thread is one of them, and all of them where there can be no others. */
    while (started < G_N_ELEMENTS(threads) && started + 1 < count) {
        threads[started] = g_thread_try_new("work", run_crew, &crew, NULL);
        if (threads[started] == NULL)
            break;
        started++;
    }
    run_crew(&crew);
    for (guint i = 0; i < started; i++)
        g_thread_join(threads[i]);
}
