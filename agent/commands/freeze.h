/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze: whether filesystems are frozen by this agent, and how that ends.
 *
 * Owns the state from the freeze hook to the thaw hook, and the promise that it ends: by a thaw, by
 * the agent's end, or when its time is up, since the host that froze may be gone for good. Leaves
 * to filesystems.h which they are and in which order.
 */

#pragma once

#include "agent/dispatch.h"

typedef struct {
    const char *hook;    /* (nullable): program that is run with "freeze" before, "thaw" after */
    guint hook_limit_ms; /* how long it may take; 0: for ever */
    guint timeout_ms;    /* how long a freeze may last; 0: for ever */
    char **excluded;     /* (nullable): mount points, sources and types of what is never frozen */
    gboolean
        skip_unopenable; /* a filesystem that cannot be opened is left out; else it fails all */
    gboolean expedite;   /* RCU's grace periods, while it freezes */
} FreezerOptions;

/**
 * freezer_new:
 * @options: copied
 *
 * Filesystems that a former agent left frozen are taken over.
 */
Freezer *freezer_new(Commands *commands, const FreezerOptions *options);
void freezer_free(Freezer *freezer);

/**
 * freezer_set_lease:
 * @seconds: how long a freeze may last, in place of what was configured: the one that is under way,
 *   from now on, and those to come; 0: what was configured again. To be held to
 *   LIMIT_FREEZE_LEASE_LONGEST by the caller.
 *
 * Nothing else changes the time of a freeze that is under way: no sync, and no host that goes.
 */
void freezer_set_lease(Freezer *freezer, guint seconds);

/* The host's own time is not for freezes to come; the one that is under way keeps its end. */
void freezer_forget_lease(Freezer *freezer);

/**
 * freezer_release:
 * @done: called once everything is thawed and no hook runs, maybe at once
 *
 * For the end of the agent. No freeze must be asked for afterwards.
 */
void freezer_release(Freezer *freezer, void (*done)(gpointer user), gpointer user);
