/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze: whether filesystems are frozen by this agent, and how that ends.
 *
 * Owns the state from the freeze hook to the thaw hook, and the promise that it ends: by a thaw, by
 * the agent's end, or when its time is up, since the host that froze may be gone for good.
 */

#pragma once

#include "agent/dispatch.h"

/**
 * freezer_new:
 * @hook: (nullable): program that is run with "freeze" before, and with "thaw" after
 * @timeout_ms: how long a freeze may last; 0: for ever
 *
 * Filesystems that a former agent left frozen are taken over.
 */
Freezer *freezer_new(Commands *commands, const char *hook, guint timeout_ms);
void freezer_free(Freezer *freezer);

/**
 * freezer_set_lease:
 * @seconds: the host's own deadline, for a freeze under way, from now on, and for those to come, in
 * the configured one's place; 0: the configured one again
 */
void freezer_set_lease(Freezer *freezer, guint seconds);

/* The host's own deadline is not for those to come; one that is armed stays as it is. */
void freezer_forget_lease(Freezer *freezer);

/**
 * freezer_release:
 * @done: called once everything is thawed and no hook runs, maybe at once
 *
 * For the end of the agent. No freeze must be asked for afterwards.
 */
void freezer_release(Freezer *freezer, void (*done)(gpointer user), gpointer user);
