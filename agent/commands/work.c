/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "work.h"

#include "agent/rendezvous.h"
#include "common/limits.h"

typedef struct Task Task;

/* A thread that has run one says itself that it is ready again: before anybody can know that it
 * has, or another thread would be made for what comes next. */
struct Task {
    void (*run)(Crew *crew, Task *task);
};

struct Crew {
    System *system;
    GMutex lock; /* for all that follows */
    GCond called;
    GCond returned; /* for crew_each() */
    GQueue due;     /* of Task: what no thread has begun */
    guint ready;    /* threads that take one next */
    guint members;  /* threads, and the owner */
    gboolean dismissed;
};

Crew *crew_new(System *system)
{
    Crew *crew = g_new0(Crew, 1);

    crew->system = system;
    g_mutex_init(&crew->lock);
    g_cond_init(&crew->called);
    g_cond_init(&crew->returned);
    g_queue_init(&crew->due);
    crew->members = 1;
    return crew;
}

/* With the lock, which is gone afterwards. */
static void leave(Crew *crew)
{
    gboolean last = --crew->members == 0;

    g_mutex_unlock(&crew->lock);
    if (!last)
        return;
    g_cond_clear(&crew->called);
    g_cond_clear(&crew->returned);
    g_mutex_clear(&crew->lock);
    g_free(crew);
}

void crew_free(Crew *crew)
{
    if (crew == NULL)
        return;
    g_mutex_lock(&crew->lock);
    crew->dismissed = TRUE;
    g_cond_broadcast(&crew->called);
    leave(crew);
}

/* ---- Spares ---------------------------------------------------------------------------------- */

Crew *crew_spare_take(CrewSpare *spare, System *system)
{
    g_clear_handle_id(&spare->timer, g_source_remove);
    return spare->crew != NULL ? g_steal_pointer(&spare->crew) : crew_new(system);
}

void crew_spare_clear(CrewSpare *spare)
{
    g_clear_handle_id(&spare->timer, g_source_remove);
    g_clear_pointer(&spare->crew, crew_free);
}

static gboolean on_time_up(gpointer user_data)
{
    CrewSpare *spare = user_data;

    spare->timer = 0;
    crew_spare_clear(spare);
    return G_SOURCE_REMOVE;
}

void crew_spare_put(CrewSpare *spare, Crew *crew)
{
    crew_spare_clear(spare);
    spare->crew = crew;
    spare->timer = g_timeout_add_seconds(LIMIT_IDLE_THREAD_SECONDS, on_time_up, spare);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static gpointer serve(gpointer data)
{
    Crew *crew = data;
    Task *task;

    g_mutex_lock(&crew->lock);
    for (;;) {
        while ((task = g_queue_pop_head(&crew->due)) == NULL && !crew->dismissed)
            g_cond_wait(&crew->called, &crew->lock);
        if (task == NULL)
            break;
        crew->ready--;
        g_mutex_unlock(&crew->lock);
        task->run(crew, task);
        g_mutex_lock(&crew->lock);
    }
    leave(crew);
    return NULL;
}

/* With the lock. Returns: FALSE where there is no thread for it, nor can one be made */
static gboolean call(Crew *crew, Task *task)
{
    if (crew->ready > crew->due.length) {
        g_cond_signal(&crew->called);
    } else {
        GThread *thread = crew->system->start_thread(crew->system, "freeze", serve, crew);

        if (thread == NULL)
            return FALSE;
        g_thread_unref(thread);
        crew->members++;
        crew->ready++;
    }
    g_queue_push_tail(&crew->due, task);
    return TRUE;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

typedef struct {
    Task task;
    WorkStep run;
    WorkStep done;
    gpointer job;
    Rendezvous rendezvous; /* with who started it */
} Step;

static gboolean on_done(gpointer user_data)
{
    const Step *step = user_data;

    step->done(step->job);
    return G_SOURCE_REMOVE;
}

static void tell_end(Step *step)
{
    g_idle_add_full(G_PRIORITY_DEFAULT, on_done, step, g_free);
}

static void take_step(Crew *crew, Task *task)
{
    Step *step = (Step *)task;

    step->run(step->job);
    g_mutex_lock(&crew->lock);
    crew->ready++;
    g_mutex_unlock(&crew->lock);
    if (!rendezvous_end(&step->rendezvous, TRUE))
        tell_end(step);
}

/* A thaw that makes all wait is better than none. */
static void run_here(Step *step)
{
    step->run(step->job);
    tell_end(step);
}

void crew_start(Crew *crew, WorkStep run, WorkStep done, gpointer job, guint wait_us)
{
    Step *step = g_new(Step, 1);
    gboolean called;

    *step = (Step){{take_step}, run, done, job, {.awaited = wait_us > 0}};
    g_mutex_lock(&crew->lock);
    called = call(crew, &step->task);
    g_mutex_unlock(&crew->lock);
    if (!called)
        run_here(step);
    else if (wait_us > 0 && rendezvous_wait(&step->rendezvous, wait_us)) {
        on_done(step);
        g_free(step);
    }
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

typedef struct Round Round;

typedef struct {
    Task task;
    Round *round;
} Helper;

struct Round {
    gpointer *items;
    gint count;
    gint next;     /* atomic */
    guint hired;   /* with the lock: helpers that were called */
    guint helping; /* those of them that have begun, or may do so */
    GFunc run;
    gpointer user;
    Helper helpers[LIMIT_WORK_THREADS - 1];
};

static void hire(Crew *crew, Round *round)
{
    Helper *helper;

    g_mutex_lock(&crew->lock);
    if (round->hired < G_N_ELEMENTS(round->helpers)) {
        helper = &round->helpers[round->hired];
        if (call(crew, &helper->task)) {
            round->hired++;
            round->helping++;
        }
    }
    g_mutex_unlock(&crew->lock);
}

/* Each hires the next before it begins: so there are as many as have something to wait for, and one
 * is enough where nothing keeps it. */
static void see_to_items(Crew *crew, Round *round)
{
    gint i = g_atomic_int_add(&round->next, 1);

    if (i + 1 < round->count)
        hire(crew, round);
    for (; i < round->count; i = g_atomic_int_add(&round->next, 1))
        round->run(round->items[i], round->user);
}

static void help(Crew *crew, Task *task)
{
    Round *round = ((Helper *)task)->round;

    see_to_items(crew, round);
    g_mutex_lock(&crew->lock);
    crew->ready++;
    if (--round->helping == 0)
        g_cond_broadcast(&crew->returned);
    g_mutex_unlock(&crew->lock);
}

void crew_each(Crew *crew, gpointer *items, guint count, GFunc run, gpointer user)
{
    Round round = {.items = items, .count = (gint)count, .run = run, .user = user};

    for (guint i = 0; i < G_N_ELEMENTS(round.helpers); i++)
        round.helpers[i] = (Helper){{help}, &round};
    see_to_items(crew, &round);
    g_mutex_lock(&crew->lock);
    /* Whoever comes too late is not waited for. */
    for (guint i = 0; i < round.hired; i++)
        round.helping -= g_queue_remove(&crew->due, &round.helpers[i].task) ? 1 : 0;
    while (round.helping > 0)
        g_cond_wait(&crew->returned, &crew->lock);
    g_mutex_unlock(&crew->lock);
}
