/* SPDX-License-Identifier: GPL-2.0-or-later */

/* exec: the programs that hosts have started. Owns them until their end was told or the agent ends.
 */

#pragma once

#include "agent/dispatch.h"

/* @hold_ms: LIMIT_EXEC_HOLD_MS, but for tests */
Programs *programs_new(guint hold_ms);
void programs_free(Programs *programs);
