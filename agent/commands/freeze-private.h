/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze, between its parts: what a freezer is on every system, and what each does in its own way.
 *
 * freeze.c owns what is the same everywhere; freeze-linux.c and freeze-win32.c own how their system
 * freezes and thaws, and so when the state changes.
 */

#pragma once

#include "freeze.h"

/* What leads from one to the other is in each system's file; Windows has not all of them. */
typedef enum {
    FREEZER_THAWED,
    FREEZER_PREPARING,
    FREEZER_SYNCING,
    FREEZER_FREEZING,
    FREEZER_FROZEN,
    FREEZER_THAWING,
    FREEZER_FINISHING,
} FreezerState;

/* What only one system needs. */
typedef struct FreezerOwn FreezerOwn;

struct Freezer {
    Commands *commands;
    FreezerOptions options; /* its own copies */
    guint lease_ms;         /* 0: options.timeout_ms counts */
    guint timer;
    FreezerState state;
    GStrv wanted;       /* (nullable): which to freeze; NULL: all, or they are known already */
    guint frozen;       /* how many it froze */
    gboolean expired;   /* the last freeze ended without a thaw, and none was told so yet */
    Call *freezing;     /* (nullable): who asked for the freeze */
    GPtrArray *thawing; /* of Call: who asked for a thaw, and waits for it */
    void (*released)(gpointer user);
    gpointer released_user;
    FreezerOwn *own;
};

/* ---- Of every system ------------------------------------------------------------------------- */

/* For policy and log. */
void freezer_set_frozen(Freezer *freezer, gboolean frozen);
/* Files can be written again: for whoever has waited for that. */
void freezer_tell_thawed(Freezer *freezer);

/* From now on, as long as a freeze may last. */
void freezer_arm(Freezer *freezer);

/* @error: (nullable): the answer in place of @count */
void freezer_answer(Call *call, guint count, const GError *error);
/* The same for all who have asked for a thaw. */
void freezer_answer_thaws(Freezer *freezer, guint count, const GError *error);

/* ---- Each system's own ----------------------------------------------------------------------- */

/* All but @freezer->own is set. */
void freezer_own_init(Freezer *freezer);
/* Returns: FALSE where a thread still needs @freezer, which stays then: the process is at its end
 */
gboolean freezer_own_clear(Freezer *freezer);

/* A freeze begins: its state is PREPARING, and its call deferred. */
void freezer_own_prepare(Freezer *freezer);
/* The time is up: it is to be thawed. */
void freezer_own_expire(Freezer *freezer);
/* The agent ends: what is under way is to end in a guest that is thawed. */
void freezer_own_stop(Freezer *freezer);
