/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * work: a freeze and its end, done beside the main loop.
 *
 * Not on the threads of other calls (call_work()): those may all be held by files that are frozen,
 * and a thaw must not wait for one of them. Owns the threads. A job is touched by one of them at a
 * time: by whoever started it before and after, by its thread meanwhile. At the end of the agent a
 * thread that the kernel still holds is left behind, so a job must own all that it needs.
 */

#pragma once

#include <glib.h>

typedef void (*WorkStep)(gpointer job);

/**
 * work_start:
 * @run: called on a thread of its own
 * @done: called in the default main context when it has returned
 */
void work_start(const char *name, WorkStep run, WorkStep done, gpointer job);

/**
 * work_each:
 *
 * Calls @run for each of @items, side by side on up to LIMIT_WORK_THREADS threads, and returns when
 * all have returned. For jobs, not for the main loop.
 */
void work_each(gpointer *items, guint count, GFunc run, gpointer user);
