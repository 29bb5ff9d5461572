/* SPDX-License-Identifier: GPL-2.0-or-later */

/* helper: what the host is told of a program that the agent had something done by. */

#pragma once

#include "agent/system.h"

/**
 * helper_check:
 * @purpose: what it was to do, for the error: "shutdown"
 *
 * Returns: whether it did; or FALSE with @error, what it said
 */
gboolean helper_check(const SystemExit *result, const char *purpose, GError **error);
