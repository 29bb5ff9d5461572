/* SPDX-License-Identifier: GPL-2.0-or-later */

/* run: System.run() on every system: a helper program from its start to its end or its time limit.
 */

#pragma once

#include "agent/system.h"

void run_program(System *system, const SystemProgram *program, SystemDone done, gpointer user);
