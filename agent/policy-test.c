/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Lists and a freeze decide what runs, in this order: frozen, blocked, allowed. */

#include "agent/policy.h"

#include "common/qmp-error.h"

static GPtrArray *names(const char *list)
{
    GPtrArray *array = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) words = g_strsplit(list, ",", -1);

    for (guint i = 0; words[i] != NULL; i++)
        g_ptr_array_add(array, g_strdup(words[i]));
    return array;
}

static gboolean permits(const char *allowed, const char *blocked, gboolean frozen, const char *name)
{
    g_autoptr(GPtrArray) allow = names(allowed);
    g_autoptr(GPtrArray) block = names(blocked);
    Policy policy;
    gboolean result;

    policy_init(&policy, allow, block);
    policy.frozen = frozen;
    result = policy_permits(&policy, guest_schema_find(name));
    policy_clear(&policy);
    return result;
}

static void test_lists(void)
{
    g_assert_true(permits("", "", FALSE, "guest-exec"));
    g_assert_false(permits("", "guest-ping,guest-exec", FALSE, "guest-exec"));
    g_assert_true(permits("", "guest-no-such", FALSE, "guest-exec"));
    g_assert_true(permits("guest-exec", "", FALSE, "guest-exec"));
    g_assert_false(permits("guest-ping", "", FALSE, "guest-exec"));
    g_assert_false(permits("guest-exec", "guest-exec", FALSE, "guest-exec"));
}

static void test_frozen(void)
{
    static const char *const served[] = {
        "guest-capabilities",  "guest-ping",           "guest-info",
        "guest-sync",          "guest-sync-delimited", "guest-fsfreeze-status",
        "guest-fsfreeze-thaw",
    };
    guint count = 0;

    for (guint i = 0; i < GUEST_SCHEMA_COMMANDS; i++)
        count += permits("", "", TRUE, guest_schema_commands[i].name);
    g_assert_cmpuint(count, ==, G_N_ELEMENTS(served));
    for (guint i = 0; i < G_N_ELEMENTS(served); i++) {
        g_assert_true(permits("", "", TRUE, served[i]));
        /* What is forbidden otherwise must still end the freeze. */
        g_assert_true(permits("guest-exec", served[i], TRUE, served[i]));
    }
    g_assert_false(permits("guest-exec", "", TRUE, "guest-exec"));
}

static void test_words(void)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autoptr(GPtrArray) block = names("guest-exec");
    Policy policy;
    GError *error = NULL;

    policy_init(&policy, none, block);
    g_assert_false(policy_check(&policy, guest_schema_find("guest-exec"), &error));
    g_assert_error(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND);
    g_assert_cmpstr(error->message, ==,
                    "Command guest-exec has been disabled: the command is not allowed");
    g_clear_error(&error);
    policy.frozen = TRUE;
    g_assert_false(policy_check(&policy, guest_schema_find("guest-exec"), &error));
    g_assert_cmpstr(error->message, ==,
                    "Command guest-exec has been disabled: the agent is in frozen state");
    g_clear_error(&error);
    g_assert_true(policy_check(&policy, guest_schema_find("guest-ping"), &error));
    g_assert_no_error(error);
    policy_clear(&policy);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy/lists", test_lists);
    g_test_add_func("/policy/frozen", test_frozen);
    g_test_add_func("/policy/words", test_words);
    return g_test_run();
}
