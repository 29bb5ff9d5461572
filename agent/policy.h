/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * policy: which commands the guest's administrator, and a freeze, let run.
 *
 * Owns the decision and its words. Leaves where the lists come from to config.h.
 */

#pragma once

#include "common/guest-schema/guest-schema.h"

typedef struct {
    GHashTable *allowed; /* (nullable): names; nothing else runs. NULL: everything does */
    GHashTable *blocked; /* names; beats allowed */
    gboolean frozen;     /* beats both: just the commands that cannot touch a filesystem run */
} Policy;

/**
 * policy_init:
 * @allowed: names; an empty list allows everything
 * @blocked: names; those of no command mean nothing, since a configuration may be older than the
 * agent
 */
void policy_init(Policy *policy, GPtrArray *allowed, GPtrArray *blocked);
void policy_clear(Policy *policy);

gboolean policy_permits(const Policy *policy, const GuestCommand *command);

/**
 * policy_check:
 * @error: CommandNotFound, saying "has been disabled", by which hosts tell it from a command that
 * is unknown
 */
gboolean policy_check(const Policy *policy, const GuestCommand *command,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
