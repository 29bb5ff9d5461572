/* SPDX-License-Identifier: GPL-2.0-or-later */

/* capabilities: what the agent can do beyond the plain protocol, and what of it is on. */

#pragma once

#include "agent/dispatch.h"

/* All of them are off: the host knows nothing of them, or is another. */
void capabilities_drop(Commands *commands);
