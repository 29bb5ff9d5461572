/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/policy.h"

#include <string.h>

#include "common/qmp-error.h"

/* ---- Classes --------------------------------------------------------------------------------- */

/* Returns: its bit; 0: there is none of that name */
static guint class_of(const char *word)
{
    for (guint i = 0; i < GUEST_PRIVILEGES; i++) {
        if (*word == '@' && strcmp(word + 1, guest_privilege_names[i]) == 0)
            return 1u << i;
    }
    return 0;
}

static char *name_classes(guint classes)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < GUEST_PRIVILEGES; i++) {
        if ((classes & (1u << i)) != 0)
            g_string_append_printf(text, "%s@%s", text->len > 0 ? ", " : "",
                                   guest_privilege_names[i]);
    }
    return g_string_free(text, FALSE);
}

gboolean policy_check_word(const char *word, GError **error)
{
    g_autofree char *classes = NULL;

    if (*word != '@' || class_of(word) != 0)
        return TRUE;
    classes = name_classes(GUEST_PRIVILEGE_ALL);
    qmp_error_set(error, "there is no class '%s' of commands; there are %s", word, classes);
    return FALSE;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static PolicyList list_of(GPtrArray *words)
{
    PolicyList list = {g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), 0};

    for (guint i = 0; i < words->len; i++) {
        list.classes |= class_of(words->pdata[i]);
        g_hash_table_add(list.names, g_strdup(words->pdata[i]));
    }
    return list;
}

void policy_init(Policy *policy, GPtrArray *allowed, GPtrArray *blocked)
{
    *policy = (Policy){
        .allowed = list_of(allowed),
        .blocked = list_of(blocked),
        .allows_all = allowed->len == 0,
    };
}

void policy_clear(Policy *policy)
{
    g_clear_pointer(&policy->allowed.names, g_hash_table_unref);
    g_clear_pointer(&policy->blocked.names, g_hash_table_unref);
}

/* ---- Decision -------------------------------------------------------------------------------- */

/* @needed: 0: any one of the command's classes will do. Returns: whether those in @classes do. */
static gboolean suffices(guint classes, guint needed)
{
    return needed != 0 ? (needed & ~classes) == 0 : classes != 0;
}

typedef enum {
    PERMITTED,
    FROZEN,
    BLOCKED_NAME,
    BLOCKED_CLASS,
    NOT_ALLOWED,
} Verdict;

/* Mostly there is nothing to look for. */
static gboolean has_name(const PolicyList *list, const GuestCommand *command)
{
    return g_hash_table_size(list->names) > 0 && g_hash_table_contains(list->names, command->name);
}

static Verdict judge(const Policy *policy, const GuestCommand *command, guint needed)
{
    guint open = command->privileges & ~policy->blocked.classes;

    /* Thaw above all must run, whatever the lists say: nobody else can end the freeze. */
    if (policy->frozen)
        return (command->flags & GUEST_FLAG_FROZEN) != 0 ? PERMITTED : FROZEN;
    if (has_name(&policy->blocked, command))
        return BLOCKED_NAME;
    if (!suffices(open, needed))
        return BLOCKED_CLASS;
    if (policy->allows_all || has_name(&policy->allowed, command) ||
        suffices(open & policy->allowed.classes, needed))
        return PERMITTED;
    return NOT_ALLOWED;
}

gboolean policy_permits(const Policy *policy, const GuestCommand *command)
{
    return judge(policy, command, 0) == PERMITTED;
}

/* qemu-ga's words, and behind them what its administrator looks for. */
static char *name_reason(const Policy *policy, const GuestCommand *command, guint needed,
                         Verdict verdict)
{
    guint classes = needed != 0 ? needed : command->privileges;
    g_autofree char *blocked = name_classes(classes & policy->blocked.classes);
    g_autofree char *wanted = name_classes(classes & ~policy->allowed.classes);

    switch (verdict) {
    case FROZEN: return g_strdup("the agent is in frozen state");
    case BLOCKED_NAME: return g_strdup("the command is not allowed: block-rpcs names it");
    case BLOCKED_CLASS:
        return g_strdup_printf("the command is not allowed: block-rpcs has %s", blocked);
    case NOT_ALLOWED:
        return g_strdup_printf("the command is not allowed: allow-rpcs has neither it nor %s",
                               wanted);
    case PERMITTED: break;
    }
    g_assert_not_reached();
}

gboolean policy_check_use(const Policy *policy, const GuestCommand *command, guint privileges,
                          GError **error)
{
    Verdict verdict = judge(policy, command, privileges);
    g_autofree char *reason = NULL;

    if (verdict == PERMITTED)
        return TRUE;
    reason = name_reason(policy, command, privileges, verdict);
    g_set_error(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND, "Command %s has been disabled: %s",
                command->name, reason);
    return FALSE;
}

gboolean policy_check(const Policy *policy, const GuestCommand *command, GError **error)
{
    return policy_check_use(policy, command, 0, error);
}
