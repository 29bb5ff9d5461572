/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-script: any bytes as what happens around a proxy.
 *
 * Each step is a byte that says what happens, and what that takes behind it. Peers answer what
 * they were asked where a step says no more than that, so that short scripts come far; and they say
 * raw bytes where it does. Between two steps all settles, unless a step holds that up.
 */

#pragma once

#include "fuzz-run.h"

G_BEGIN_DECLS

void fuzz_script_play(FuzzRun *run, const guint8 *data, gsize size);

G_END_DECLS
