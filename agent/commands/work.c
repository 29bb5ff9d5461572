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
    gint next;  /* atomic */
    gint hired; /* atomic: threads, with that of the caller */
    GFunc run;
    gpointer user;
} Crew;

/* Each hires the next before it begins: so there are as many as have something to wait for, and one
 * is enough where nothing keeps it. */
static gpointer run_crew(gpointer data)
{
    Crew *crew = data;
    gint i = g_atomic_int_add(&crew->next, 1);
    GThread *helper = NULL;

    if (i + 1 < crew->count && g_atomic_int_add(&crew->hired, 1) < LIMIT_WORK_THREADS)
        helper = g_thread_try_new("work", run_crew, crew, NULL);
    for (; i < crew->count; i = g_atomic_int_add(&crew->next, 1))
        crew->run(crew->items[i], crew->user);
    if (helper != NULL)
        g_thread_join(helper);
    return NULL;
}

void work_each(gpointer *items, guint count, GFunc run, gpointer user)
{
    Crew crew = {items, (gint)count, 0, 1, run, user};

    run_crew(&crew);
}
