/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is believed of guest-info, which the guest makes up, and what becomes of query-commands.
 */

#include "introspect.h"

#include <string.h>

#include "common/limits.h"

static const char *const ours[] = {"qga-proxy-status", NULL};

static void read_info(Introspect *introspect, const char *info)
{
    introspect_read_guest_info(introspect, (JsonSpan){info, strlen(info)});
}

static void assert_merged(const Introspect *introspect, const char *commands, const char *expected)
{
    g_autoptr(GString) out = g_string_new("before ");

    introspect_merge_commands(introspect, (JsonSpan){commands, strlen(commands)}, ours, out);
    g_assert_true(g_str_has_prefix(out->str, "before "));
    g_assert_cmpstr(out->str + strlen("before "), ==, expected);
}

static void test_merge(void)
{
    Introspect introspect;

    introspect_init(&introspect);
    assert_merged(&introspect, "[{\"name\": \"quit\"}]",
                  "[{\"name\": \"quit\"}, {\"name\": \"qga-proxy-status\"}]");
    assert_merged(&introspect, "[]", "[{\"name\": \"qga-proxy-status\"}]");

    read_info(&introspect,
              "{\"version\": \"7.2.22\", \"supported_commands\": ["
              "{\"enabled\": true, \"name\": \"guest-ping\", \"success-response\": true},"
              "{\"enabled\": false, \"name\": \"guest-exec\", \"success-response\": true}]}");
    g_assert_cmpstr(introspect.agent_version, ==, "7.2.22");
    assert_merged(
        &introspect, "[{\"name\": \"quit\"}]",
        "[{\"name\": \"quit\"}, {\"name\": \"guest-ping\"}, {\"name\": \"qga-proxy-status\"}]");

    introspect_forget_agent(&introspect);
    g_assert_null(introspect.agent_version);
    assert_merged(&introspect, "[]", "[{\"name\": \"qga-proxy-status\"}]");
    introspect_clear(&introspect);
}

/* A guest that lists QEMU's commands, one of them twice, or nonsense, adds nothing to what clients
 * see. */
static void test_hostile(void)
{
    static const char *const infos[] = {
        "{\"supported_commands\": [{\"enabled\": true, \"name\": \"quit\"}]}",
        "{\"supported_commands\": [{\"enabled\": true, \"name\": \"qga-proxy-status\"}]}",
        "{\"supported_commands\": [{\"enabled\": 1, \"name\": \"guest-ping\"}]}",
        "{\"supported_commands\": [{\"name\": \"guest-ping\"}]}",
        "{\"supported_commands\": [{\"enabled\": true, \"name\": [\"guest-ping\"]}]}",
        "{\"supported_commands\": [\"guest-ping\", null, [], 5]}",
        "{\"supported_commands\": {\"enabled\": true, \"name\": \"guest-ping\"}}",
        "{\"supported_commands\": null, \"version\": null}",
        "{}",
        "[]",
        "\"guest-ping\"",
    };
    Introspect introspect;

    introspect_init(&introspect);
    for (gsize i = 0; i < G_N_ELEMENTS(infos); i++) {
        read_info(&introspect, "{\"version\": \"1\", \"supported_commands\": [{\"enabled\": true, "
                               "\"name\": \"guest-former\"}]}");
        read_info(&introspect, infos[i]);
        g_assert_null(introspect.agent_version);
        assert_merged(&introspect, "[]", "[{\"name\": \"qga-proxy-status\"}]");
    }
    read_info(&introspect, "{\"supported_commands\": [{\"enabled\": true, \"name\": \"guest-a\"},"
                           "{\"enabled\": true, \"name\": \"guest-\\u0061\"},"
                           "{\"enabled\": true, \"name\": \"guest-\\\"\\n\"}]}");
    assert_merged(&introspect, "[]",
                  "[{\"name\": \"guest-a\"}, {\"name\": \"guest-\\\"\\n\"}, "
                  "{\"name\": \"qga-proxy-status\"}]");
    introspect_clear(&introspect);
}

static void append_command(GString *info, const char *name)
{
    g_string_append_printf(info, "%s{\"enabled\": true, \"name\": \"%s\"}",
                           g_str_has_suffix(info->str, "[") ? "" : ", ", name);
}

static void test_limits(void)
{
    g_autoptr(GString) info = g_string_new("{\"supported_commands\": [");
    g_autofree char *longest = g_strnfill(LIMIT_COMMAND_NAME - strlen("guest-"), 'x');
    g_autofree char *fits = g_strconcat("guest-", longest, NULL);
    g_autofree char *too_long = g_strconcat(fits, "x", NULL);
    Introspect introspect;

    append_command(info, too_long);
    append_command(info, fits);
    for (guint i = 0; i < LIMIT_AGENT_COMMANDS; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i);

        append_command(info, name);
    }
    g_string_append(info, "]}");

    introspect_init(&introspect);
    read_info(&introspect, info->str);
    g_assert_cmpuint(introspect.guest_commands->len, ==, LIMIT_AGENT_COMMANDS);
    g_assert_cmpstr(g_ptr_array_index(introspect.guest_commands, 0), ==, fits);
    introspect_clear(&introspect);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/introspect/merge", test_merge);
    g_test_add_func("/introspect/hostile", test_hostile);
    g_test_add_func("/introspect/limits", test_limits);
    return g_test_run();
}
