/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/policy.h"

#include "common/qmp-error.h"

static GHashTable *set_of(GPtrArray *names)
{
    GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < names->len; i++)
        g_hash_table_add(set, g_strdup(names->pdata[i]));
    return set;
}

void policy_init(Policy *policy, GPtrArray *allowed, GPtrArray *blocked)
{
    *policy = (Policy){
        .allowed = allowed->len > 0 ? set_of(allowed) : NULL,
        .blocked = set_of(blocked),
    };
}

void policy_clear(Policy *policy)
{
    g_clear_pointer(&policy->allowed, g_hash_table_unref);
    g_clear_pointer(&policy->blocked, g_hash_table_unref);
}

gboolean policy_permits(const Policy *policy, const GuestCommand *command)
{
    /* Thaw above all must run, whatever the lists say: nobody else can end the freeze. */
    if (policy->frozen)
        return (command->flags & GUEST_FLAG_FROZEN) != 0;
    if (g_hash_table_contains(policy->blocked, command->name))
        return FALSE;
    return policy->allowed == NULL || g_hash_table_contains(policy->allowed, command->name);
}

gboolean policy_check(const Policy *policy, const GuestCommand *command, GError **error)
{
    const char *reason =
        policy->frozen ? "the agent is in frozen state" : "the command is not allowed";

    if (policy_permits(policy, command))
        return TRUE;
    g_set_error(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND, "Command %s has been disabled: %s",
                command->name, reason);
    return FALSE;
}
