/* SPDX-License-Identifier: GPL-2.0-or-later */

/* bench-system: the part of a bench's system that each real system has in a form of its own. */

#pragma once

#include "agent/bench.h"

void bench_attach_system(Bench *bench);

/* Writes down what the system was asked to do. */
void bench_note(Bench *bench, const char *format, ...) G_GNUC_PRINTF(2, 3);
