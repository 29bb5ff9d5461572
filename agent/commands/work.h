/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * work: a freeze and its end, done beside the main loop.
 *
 * Not on the threads of other calls (call_work()): those may all be held by files that are frozen,
 * and a thaw must not wait for one of them. Owns the threads, a crew for each job, and they are
 * kept until the job is over, and a while longer for the next one. So the thaw has those that the
 * freeze had, where no more can be had, and does not wait for them to be made, which takes as long
 * as a thaw. A job is touched by one of them at a time: by whoever started it before and after, by
 * its thread meanwhile. At the end of the agent a thread that the kernel still holds is left
 * behind, so a job must own all that it needs.
 */

#pragma once

#include "agent/system.h"

typedef void (*WorkStep)(gpointer job);
typedef struct Crew Crew;

Crew *crew_new(System *system);
/* Its threads end, each when it returns. */
void crew_free(Crew *crew);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Crew, crew_free)

/* That of the last job, as long as another one may follow soon; to be zeroed at first. */
typedef struct {
    Crew *crew; /* (nullable) */
    guint timer;
} CrewSpare;

/* Returns: (transfer full): it, or a new one */
Crew *crew_spare_take(CrewSpare *spare, System *system);
/* @crew: (transfer full): nothing is to be under way */
void crew_spare_put(CrewSpare *spare, Crew *crew);
void crew_spare_clear(CrewSpare *spare);

/**
 * crew_start:
 * @run: called on a thread of its own
 * @done: called in the default main context when it has returned
 * @wait_us: how long to wait for it here; where it returns in time, @done is called at once. To be
 *   called by the default main context's thread where it is not 0.
 */
void crew_start(Crew *crew, WorkStep run, WorkStep done, gpointer job, guint wait_us);

/**
 * crew_each:
 *
 * Calls @run for each of @items, side by side on up to LIMIT_WORK_THREADS threads, and returns when
 * all have returned. For jobs, not for the main loop.
 */
void crew_each(Crew *crew, gpointer *items, guint count, GFunc run, gpointer user);
