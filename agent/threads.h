/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * threads: runs what may take long, beside the main loop.
 *
 * Owns how many threads there are, and when they end. Not a GThreadPool, which wakes a thread while
 * it holds the lock that the thread wants next: where both share a processor that is two switches
 * more for each job, a third of what a short one takes.
 */

#pragma once

#include <glib.h>

typedef struct Threads Threads;

/**
 * threads_new:
 * @run: called on one of the threads with each of the jobs
 * @max: more threads than that there are not, and jobs wait
 */
Threads *threads_new(void (*run)(gpointer job), guint max);

/**
 * threads_push:
 *
 * Starts no thread where one is idle. Jobs are begun in their order.
 *
 * Returns: FALSE where no thread can be had, and none is there to come to it: @job is the caller's
 */
gboolean threads_push(Threads *threads, gpointer job) G_GNUC_WARN_UNUSED_RESULT;

/* Waits for nobody: what was pushed still runs to its end. */
void threads_free(Threads *threads);
