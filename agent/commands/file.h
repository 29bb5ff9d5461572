/* SPDX-License-Identifier: GPL-2.0-or-later */

/* file: the files that hosts hold open. Owns them until they are closed or the agent ends. */

#pragma once

#include "agent/dispatch.h"

Files *files_new(void);
void files_free(Files *files);
