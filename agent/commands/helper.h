/* SPDX-License-Identifier: GPL-2.0-or-later */

/* helper: a program that the agent has something done by, and what the host is told of it. */

#pragma once

#include "agent/system.h"

/* System.run(), for as long as a helper may take. */
void helper_run(System *system, const char *const *argv, SystemDone done, gpointer user);

/**
 * helper_check:
 * @purpose: what it was to do, for the error: "shutdown"
 *
 * Returns: whether it did; or FALSE with @error, what it said
 */
gboolean helper_check(const SystemExit *result, const char *purpose, GError **error);
