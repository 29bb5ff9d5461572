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

static void policy_of(Policy *policy, const char *allowed, const char *blocked, gboolean frozen)
{
    g_autoptr(GPtrArray) allow = names(allowed);
    g_autoptr(GPtrArray) block = names(blocked);

    policy_init(policy, allow, block);
    policy->frozen = frozen;
}

static gboolean permits(const char *allowed, const char *blocked, gboolean frozen, const char *name)
{
    Policy policy;
    gboolean result;

    policy_of(&policy, allowed, blocked, frozen);
    result = policy_permits(&policy, guest_schema_find(name));
    policy_clear(&policy);
    return result;
}

/* What is blocked beats what is allowed, by name or by class; where nothing is allowed, all is. */
static void test_lists(void)
{
    static const struct {
        const char *allowed, *blocked, *name;
        gboolean permitted;
    } cases[] = {
        {"", "", "guest-exec", TRUE},
        {"", "guest-ping,guest-exec", "guest-exec", FALSE},
        {"", "guest-no-such", "guest-exec", TRUE},
        {"guest-exec", "", "guest-exec", TRUE},
        {"guest-ping", "", "guest-exec", FALSE},
        {"guest-exec", "guest-exec", "guest-exec", FALSE},

        {"", "@exec", "guest-exec", FALSE},
        {"", "@exec", "guest-exec-status", FALSE},
        {"", "@exec", "guest-shutdown", TRUE},
        {"@exec", "", "guest-exec", TRUE},
        {"@exec", "", "guest-shutdown", FALSE},
        {"@exec,guest-shutdown", "", "guest-shutdown", TRUE},
        {"@exec,guest-shutdown", "", "guest-suspend-ram", FALSE},

        {"@exec", "guest-exec", "guest-exec", FALSE},
        {"@exec", "guest-exec", "guest-exec-status", TRUE},
        {"guest-exec", "@exec", "guest-exec", FALSE},
        {"@exec", "@exec", "guest-exec", FALSE},

        /* Without the sign it is a name, and of no command. */
        {"", "exec", "guest-exec", TRUE},
        {"exec", "", "guest-exec", FALSE},

        /* Of several classes, one that is open is enough; it has to be the one that is allowed. */
        {"", "@file-write", "guest-file-open", TRUE},
        {"", "@file-read", "guest-file-seek", TRUE},
        {"", "@file-read,@file-write", "guest-file-close", FALSE},
        {"@file-read", "@file-write", "guest-file-open", TRUE},
        {"@file-read", "@file-read", "guest-file-open", FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(permits(cases[i].allowed, cases[i].blocked, FALSE, cases[i].name), ==,
                        cases[i].permitted);
}

/* Without these no host could come into step, so that they go with every class. */
static void test_what_goes_with_each_class(void)
{
    for (guint i = 0; i < GUEST_PRIVILEGES; i++) {
        g_autofree char *class = g_strconcat("@", guest_privilege_names[i], NULL);

        g_assert_true(permits(class, "", FALSE, "guest-sync-delimited"));
        g_assert_true(permits("", class, FALSE, "guest-ping"));
        g_assert_false(permits(class, "guest-ping", FALSE, "guest-ping"));
    }
}

static void test_each_command_has_a_class(void)
{
    for (guint i = 0; i < GUEST_SCHEMA_COMMANDS; i++)
        g_assert_cmpuint(guest_schema_commands[i].privileges, !=, 0);
}

static void test_unknown_class(void)
{
    GError *error = NULL;

    g_assert_true(policy_check_word("@file-read", &error));
    g_assert_true(policy_check_word("guest-no-such", &error));
    g_assert_no_error(error);
    g_assert_false(policy_check_word("@files", &error));
    g_assert_cmpstr(error->message, ==,
                    "there is no class '@files' of commands; there are @audit, @file-read, "
                    "@file-write, @fs, @exec, @power, @user, @config");
    g_clear_error(&error);
    g_assert_false(policy_check_word("@", &error));
    g_clear_error(&error);
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
        g_assert_true(permits("@exec", "@fs,@audit", TRUE, served[i]));
    }
    g_assert_false(permits("guest-exec", "", TRUE, "guest-exec"));
}

static void check_words(const char *allowed, const char *blocked, gboolean frozen, guint use,
                        const char *name, const char *reason)
{
    g_autofree char *expected = g_strdup_printf("Command %s has been disabled: %s", name, reason);
    g_autoptr(GError) error = NULL;
    Policy policy;

    policy_of(&policy, allowed, blocked, frozen);
    g_assert_false(policy_check_use(&policy, guest_schema_find(name), use, &error));
    g_assert_error(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND);
    g_assert_cmpstr(error->message, ==, expected);
    policy_clear(&policy);
}

static void test_words(void)
{
    check_words("", "guest-exec", FALSE, 0, "guest-exec",
                "the command is not allowed: block-rpcs names it");
    check_words("guest-exec", "@exec,@fs", FALSE, 0, "guest-exec",
                "the command is not allowed: block-rpcs has @exec");
    check_words("@audit,guest-ping", "", FALSE, 0, "guest-exec",
                "the command is not allowed: allow-rpcs has neither it nor @exec");
    check_words("", "guest-exec", TRUE, 0, "guest-exec", "the agent is in frozen state");
    check_words("", "@file-read,@file-write", FALSE, 0, "guest-file-seek",
                "the command is not allowed: block-rpcs has @file-read, @file-write");
}

/* A use that needs several classes needs all of them. */
static void test_use(void)
{
    const guint reading = GUEST_PRIVILEGE_FILE_READ, both = reading | GUEST_PRIVILEGE_FILE_WRITE;
    const GuestCommand *command = guest_schema_find("guest-file-open");
    GError *error = NULL;
    Policy policy;

    check_words("", "@file-write", FALSE, both, "guest-file-open",
                "the command is not allowed: block-rpcs has @file-write");
    check_words("guest-file-open", "@file-write", FALSE, both, "guest-file-open",
                "the command is not allowed: block-rpcs has @file-write");
    check_words("@file-read", "", FALSE, both, "guest-file-open",
                "the command is not allowed: allow-rpcs has neither it nor @file-write");
    policy_of(&policy, "@file-read", "", FALSE);
    g_assert_true(policy_check_use(&policy, command, reading, &error));
    g_assert_no_error(error);
    policy_clear(&policy);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy/lists", test_lists);
    g_test_add_func("/policy/what-goes-with-each-class", test_what_goes_with_each_class);
    g_test_add_func("/policy/each-command-has-a-class", test_each_command_has_a_class);
    g_test_add_func("/policy/unknown-class", test_unknown_class);
    g_test_add_func("/policy/frozen", test_frozen);
    g_test_add_func("/policy/words", test_words);
    g_test_add_func("/policy/use", test_use);
    return g_test_run();
}
