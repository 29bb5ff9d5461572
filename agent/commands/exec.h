/* SPDX-License-Identifier: GPL-2.0-or-later */

/* exec: the programs that hosts have started. Owns them until their end was told or the agent ends.
 */

#pragma once

#include "agent/dispatch.h"

Programs *programs_new(void);
void programs_free(Programs *programs);
