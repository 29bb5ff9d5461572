/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze-job: the steps of one freeze that the kernel takes its time for: look what there is and
 * write it out, freeze, look whether it still is, thaw.
 *
 * Owns what they share, and that there is one at a time. Leaves it to freeze.h which comes when.
 */

#pragma once

#include "filesystems.h"

typedef struct {
    /* Set by who makes it. */
    gpointer owner; /* (nullable): NULL: gone, and the end of the step frees the job */
    System *system;
    FilesystemsWanted wanted; /* the job's own */
    char *mark;               /* as of state.h */
    gboolean expedite;        /* have grace periods expedited while it freezes, if they are not */

    void (*done)(gpointer owner);
    guint running; /* steps */
    Crew *crew;

    /* Of the steps. */
    int rcu_switch;         /* by which it expedites them; -1: not */
    GPtrArray *filesystems; /* (nullable): of Filesystem; NULL: nobody knows what was frozen */
    gint cancelled;         /* atomic: no further ones are to be frozen */

    /* What the last step has come to. */
    guint count; /* how many were frozen, or thawed */
    gboolean frozen;
    GError *error;    /* (nullable) */
    GPtrArray *notes; /* of char *: what is to be logged */
} FreezeJob;

/* @paths, @excluded: (nullable): copied
 * @spare: where its threads may come from */
FreezeJob *freeze_job_new(System *system, CrewSpare *spare, const char *mark, char **paths,
                          char **excluded);
/* What the kernel still holds of it is seen to when that ends.
 * @spare: where its threads may go */
void freeze_job_free(FreezeJob *job, CrewSpare *spare);

/**
 * freeze_job_start:
 * @step: one of those below
 * @done: called when it has ended
 * @wait_us: how long to wait for it; where it ends in time, @done is called at once
 */
void freeze_job_start(FreezeJob *job, WorkStep step, void (*done)(gpointer owner), guint wait_us);
gboolean freeze_job_is_busy(const FreezeJob *job);

/* Opens and marks them, and writes them out. */
void freeze_job_prepare(gpointer job);
void freeze_job_freeze(gpointer job);
void freeze_job_look(gpointer job);
/* What was frozen, or where nobody knows all that is; and unmarks it. Nothing is done where there
 * still are no filesystems afterwards. */
void freeze_job_thaw(gpointer job);

/* Has freeze_job_freeze() end soon, with what it has frozen thawed. */
void freeze_job_cancel(FreezeJob *job);

/* Undoes what an agent could not that was killed while it froze. */
void freeze_job_stop_expediting(System *system);
