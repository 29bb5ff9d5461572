/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * policy: which commands the guest's administrator, and a freeze, let run.
 *
 * Owns the decision and its words. Leaves where the lists come from to config.h, and what belongs
 * to which class to the schema. A list has names of commands, and classes: "@" and what a command
 * lets a host do. The rules, of which the first that fits decides:
 *
 *  1. While frozen, just the commands that cannot touch a filesystem run, whatever the lists say.
 *  2. What is blocked, by its name or by all of its classes, is refused, whatever is allowed.
 *  3. Where anything is allowed, all is refused that is not, by its name or by one of its classes
 *     that is not blocked.
 */

#pragma once

#include "common/guest-schema/guest-schema.h"

/* One list. */
typedef struct {
    GHashTable *names;
    guint classes; /* GuestPrivileges */
} PolicyList;

typedef struct {
    PolicyList allowed;
    PolicyList blocked;
    gboolean allows_all; /* nothing is on the list of what is allowed */
    gboolean frozen;
} Policy;

/**
 * policy_init:
 * @allowed: names and classes; an empty list allows everything
 * @blocked: names and classes; names of no command mean nothing, since a configuration may be older
 * than the agent
 */
void policy_init(Policy *policy, GPtrArray *allowed, GPtrArray *blocked);
void policy_clear(Policy *policy);

/**
 * policy_check_word:
 * @word: of a list
 * @error: it is a class that there is not. To pass over it as over an unknown name could let run
 * all that somebody has forbidden.
 */
gboolean policy_check_word(const char *word, GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean policy_permits(const Policy *policy, const GuestCommand *command);

/**
 * policy_check:
 * @error: CommandNotFound, saying "has been disabled", by which hosts tell it from a command that
 * is unknown, and which list is the reason
 */
gboolean policy_check(const Policy *policy, const GuestCommand *command,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * policy_check_use:
 * @privileges: of the command's, those that this use of it needs, all of them
 *
 * For a command of several classes whose arguments decide.
 */
gboolean policy_check_use(const Policy *policy, const GuestCommand *command, guint privileges,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
