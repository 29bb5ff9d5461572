/* SPDX-License-Identifier: GPL-2.0-or-later */

/* bench-win32: what a bench's Windows says when it is asked. A test program has one bench at a
 * time.
 */

#pragma once

#include "agent/bench.h"
#include "agent/system-win32.h"

typedef enum {
    BENCH_HOLDS,    /* two volumes are frozen until the thaw */
    BENCH_REFUSES,  /* nothing is frozen */
    BENCH_GIVES_UP, /* two volumes are frozen, and Windows ends that itself */
    BENCH_HAS_NONE, /* there is no volume to freeze */
} BenchHold;

typedef struct {
    OSVERSIONINFOEXW version;
    const char *product;
    DWORD code; /* of every call that can fail */
    gboolean can_suspend;
    double queue_length;
    const wchar_t *folder; /* (nullable): of every user */
    gboolean is_administrator;
    const SystemWin32Session *sessions; /* (nullable): NULL for the name ends them */
    BenchHold hold;
} BenchWin32;

extern BenchWin32 bench_win32;
