/* SPDX-License-Identifier: GPL-2.0-or-later */

/* fixture-win32: what a fixture's Windows says when it is asked. A test program has one fixture at
 * a time.
 */

#pragma once

#include "agent/fixture.h"
#include "agent/system-win32.h"

typedef enum {
    FIXTURE_HOLDS,    /* two volumes are frozen until the thaw */
    FIXTURE_REFUSES,  /* nothing is frozen */
    FIXTURE_GIVES_UP, /* two volumes are frozen, and Windows ends that itself */
    FIXTURE_HAS_NONE, /* there is no volume to freeze */
} FixtureHold;

typedef struct {
    OSVERSIONINFOEXW version;
    const char *product;
    DWORD code; /* of every call that can fail */
    gboolean can_suspend;
    double queue_length;
    const wchar_t *folder; /* (nullable): of every user */
    gboolean is_administrator;
    const SystemWin32Session *sessions; /* (nullable): NULL for the name ends them */
    FixtureHold hold;
} FixtureWin32;

extern FixtureWin32 fixture_win32;
