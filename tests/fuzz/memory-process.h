/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-process: agent/process.h without a process: what was started says its own command line,
 * and whatever it was fed, and ends when it is told to.
 *
 * A program that has this among its own objects is linked with it instead of that part of the
 * agent.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

void memory_process_begin(void);

/* All that run end, with this status. */
void memory_process_end_all(int status);

/* Asserts that no process is left. */
void memory_process_end(void);

G_END_DECLS
