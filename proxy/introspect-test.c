/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is believed of guest-info, which the guest makes up, and what becomes of QEMU's answers
 * about itself: its own entries as they are, ours behind them, and every type that they name.
 */

#include "introspect.h"

#include <string.h>

#include "common/guest-schema/guest-schema.h"
#include "common/guest-schema/introspection.h"
#include "common/limits.h"

/* The proxy's own commands, as query-commands lists them. */
#define OWN                                                                           \
    "{\"name\": \"qga-proxy-freeze-renew\"}, {\"name\": \"qga-proxy-session-set\"}, " \
    "{\"name\": \"qga-proxy-status\"}, {\"name\": \"qga-proxy-wait-agent\"}"

#define COMMANDS  "query-commands"
#define SCHEMA    "query-qmp-schema"
#define ONLY_PING "{\"version\": \"7.2.22\", \"supported_commands\": [" ENABLED("guest-ping") "]}"

#define ENABLED(name) "{\"enabled\": true, \"name\": \"" name "\", \"success-response\": true}"

#define TYPE(name) "{\"name\": \"" name "\", \"meta-type\": \"x\"}"
#define ALL_TYPES \
    TYPE("any")   \
    ", " TYPE("bool") ", " TYPE("int") ", " TYPE("number") ", " TYPE("str") ", " TYPE("qga.empty")

#define EMPTY_TYPE  "{\"name\": \"qga.empty\", \"members\": [], \"meta-type\": \"object\"}"
#define NUMBER_TYPE "{\"name\": \"number\", \"json-type\": \"number\", \"meta-type\": \"builtin\"}"
#define BOOL_TYPE   "{\"name\": \"bool\", \"json-type\": \"boolean\", \"meta-type\": \"builtin\"}"

/* guest-ping as the schema has it. */
#define PING                                                   \
    "{\"name\": \"guest-ping\", \"ret-type\": \"qga.empty\", " \
    "\"meta-type\": \"command\", \"arg-type\": \"qga.empty\"}"

static JsonSpan span(const char *text)
{
    return (JsonSpan){text, strlen(text)};
}

static void set_up(Introspect *introspect, gconstpointer unused)
{
    introspect_init(introspect);
}

static void tear_down(Introspect *introspect, gconstpointer unused)
{
    introspect_clear(introspect);
}

static void assert_answer(Introspect *introspect, const char *question, const char *expected)
{
    GBytes *answer = introspect_answer(introspect, question);
    g_autofree char *text = NULL;

    g_assert_nonnull(answer);
    text = g_strndup(g_bytes_get_data(answer, NULL), g_bytes_get_size(answer));

    g_assert_cmpstr(text, ==, expected);
}

/* @question is answered anew. */
static void assert_merged(Introspect *introspect, const char *question, const char *of_qemu,
                          const char *expected)
{
    introspect_forget_qemu(introspect);
    introspect_learn(introspect, question, span(of_qemu));
    assert_answer(introspect, question, expected);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void test_commands(Introspect *introspect, gconstpointer unused)
{
    assert_merged(introspect, COMMANDS, "[{\"name\": \"quit\"}]",
                  "[{\"name\": \"quit\"}, " OWN "]");
    assert_merged(introspect, COMMANDS, "[]", "[" OWN "]");

    introspect_read_guest_info(introspect,
                               span("{\"version\": \"7.2.22\", \"supported_commands\": [" ENABLED(
                                   "guest-ping") ","
                                                 "{\"enabled\": false, \"name\": \"guest-exec\", "
                                                 "\"success-response\": true}]}"));
    g_assert_cmpstr(introspect->agent_version, ==, "7.2.22");
    assert_answer(introspect, COMMANDS, "[" OWN ", {\"name\": \"guest-ping\"}]");
    introspect_forget_agent(introspect);
    g_assert_null(introspect->agent_version);
    assert_answer(introspect, COMMANDS, "[" OWN "]");
}

/* Returns: (transfer full): what the proxy tells of itself */
static char *own_entries(void)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new();

    for (const Introspection *own = proxy_introspection; own->name; own++)
        g_ptr_array_add(entries, (gpointer)own->entries);
    for (const Introspection *own = proxy_event_introspection; own->name; own++)
        g_ptr_array_add(entries, (gpointer)own->entries);
    g_ptr_array_add(entries, NULL);
    return g_strjoinv(", ", (char **)entries->pdata);
}

/* QEMU's entries stay as they were written; a type that it lacks is added, and only that. */
static void test_schema(Introspect *introspect, gconstpointer unused)
{
    g_autofree char *own = own_entries();
    g_autofree char *alone = g_strdup_printf("[" ALL_TYPES ", %s]", own);
    g_autofree char *pinged = g_strdup_printf("[" ALL_TYPES ", %s, " PING "]", own);
    g_autofree char *lacking = g_strdup_printf(
        "[{ 'name':\t\"str\" }, " TYPE("int") ", " TYPE("any") ", " BOOL_TYPE ", " NUMBER_TYPE
                                                               ", " EMPTY_TYPE ", %s, " PING "]",
        own);

    assert_merged(introspect, SCHEMA, "[" ALL_TYPES "]", alone);
    introspect_read_guest_info(introspect, span(ONLY_PING));
    assert_answer(introspect, SCHEMA, pinged);
    assert_answer(introspect, SCHEMA, pinged);
    assert_merged(introspect, SCHEMA,
                  "[ { 'name':\t\"str\" }, " TYPE("int") ",\r\n" TYPE("any") "\r\n]", lacking);
}

/* What the schema has of a command is told; of a command that it does not know, that it is one. */
static void test_guest_commands(Introspect *introspect, gconstpointer unused)
{
    const Introspection *known =
        &guest_introspection[guest_schema_find("guest-exec-status") - guest_schema_commands];
    g_autofree char *own = own_entries();
    g_autofree char *expected = g_strdup_printf(
        "[" ALL_TYPES ", %s, %s, "
        "{\"name\": \"guest-\\u00E9\", \"ret-type\": \"any\", \"meta-type\": \"command\", "
        "\"arg-type\": \"qga.empty\"}]",
        own, known->entries);

    g_assert_cmpstr(known->name, ==, "guest-exec-status");
    introspect_read_guest_info(introspect,
                               span("{\"supported_commands\": [" ENABLED(
                                   "guest-exec-status") ", " ENABLED("guest-\xc3\xa9") "]}"));
    assert_merged(introspect, SCHEMA, "[" ALL_TYPES "]", expected);
}

/* ---- What is kept ---------------------------------------------------------------------------- */

/* QEMU's word is kept for each question by itself, as long as QEMU is there. */
static void test_kept(Introspect *introspect, gconstpointer unused)
{
    g_assert_null(introspect_answer(introspect, COMMANDS));
    introspect_learn(introspect, COMMANDS, span("[1]"));
    g_assert_null(introspect_answer(introspect, SCHEMA));
    introspect_learn(introspect, COMMANDS, span("[2]"));
    assert_answer(introspect, COMMANDS, "[1, " OWN "]");
    introspect_forget_qemu(introspect);
    g_assert_null(introspect_answer(introspect, COMMANDS));
    introspect_learn(introspect, COMMANDS, span("[2]"));
    assert_answer(introspect, COMMANDS, "[2, " OWN "]");
}

/* All are given the same text, which stays what it was for those who have not read it all yet when
 * another agent comes. */
static void test_shared(Introspect *introspect, gconstpointer unused)
{
    static const char *const before = "[{\"name\": \"query-name\"}, " OWN "]";
    g_autoptr(GBytes) taken = NULL;
    GBytes *later;

    introspect_learn(introspect, COMMANDS, span("[{\"name\": \"query-name\"}]"));
    taken = g_bytes_ref(introspect_answer(introspect, COMMANDS));
    g_assert_true(introspect_answer(introspect, COMMANDS) == taken);
    introspect_read_guest_info(introspect,
                               span("{\"supported_commands\": [" ENABLED("guest-ping") "]}"));
    later = introspect_answer(introspect, COMMANDS);
    g_assert_false(g_bytes_equal(later, taken));
    g_assert_cmpmem(g_bytes_get_data(taken, NULL), g_bytes_get_size(taken), before, strlen(before));
    introspect_forget_qemu(introspect);
    g_assert_cmpmem(g_bytes_get_data(taken, NULL), g_bytes_get_size(taken), before, strlen(before));
}

/* The agent's part goes with the agent, and is the former's no more when another is there. */
static void test_agents_change(Introspect *introspect, gconstpointer unused)
{
    static const char *const alone = "[" OWN "]";

    introspect_learn(introspect, COMMANDS, span("[]"));
    for (guint i = 0; i < 3; i++) {
        assert_answer(introspect, COMMANDS, alone);
        introspect_read_guest_info(introspect, span(ONLY_PING));
        assert_answer(introspect, COMMANDS, "[" OWN ", {\"name\": \"guest-ping\"}]");
        introspect_read_guest_info(introspect,
                                   span("{\"supported_commands\": [" ENABLED("guest-b") "]}"));
        assert_answer(introspect, COMMANDS, "[" OWN ", {\"name\": \"guest-b\"}]");
        introspect_forget_agent(introspect);
    }
}

/* ---- The guest's word ------------------------------------------------------------------------ */

/* A guest that lists QEMU's commands, one of them twice, or nonsense, adds nothing to what clients
 * see. */
static void test_hostile(Introspect *introspect, gconstpointer unused)
{
    static const char *const infos[] = {
        "{\"supported_commands\": [{\"enabled\": true, \"name\": \"quit\"}]}",
        "{\"supported_commands\": [{\"enabled\": true, \"name\": \"qga-proxy-status\"}]}",
        "{\"supported_commands\": [{\"enabled\": true, \"name\": \"qga.empty\"}]}",
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

    for (gsize i = 0; i < G_N_ELEMENTS(infos); i++) {
        introspect_read_guest_info(introspect, span("{\"version\": \"1\", \"supported_commands\": "
                                                    "[" ENABLED("guest-former") "]}"));
        introspect_read_guest_info(introspect, span(infos[i]));
        g_assert_null(introspect->agent_version);
        assert_merged(introspect, COMMANDS, "[]", "[" OWN "]");
    }
    introspect_read_guest_info(introspect,
                               span("{\"supported_commands\": [" ENABLED("guest-a") ", " ENABLED(
                                   "guest-\\u0061") ", " ENABLED("guest-\\\"\\n") "]}"));
    assert_merged(introspect, COMMANDS, "[]",
                  "[" OWN ", {\"name\": \"guest-a\"}, "
                  "{\"name\": \"guest-\\\"\\n\"}]");
}

static void append_command(GString *info, const char *name)
{
    g_string_append_printf(info, "%s{\"enabled\": true, \"name\": \"%s\"}",
                           g_str_has_suffix(info->str, "[") ? "" : ", ", name);
}

static void test_limits(Introspect *introspect, gconstpointer unused)
{
    g_autofree char *version = g_strnfill(3 * LIMIT_COMMAND_NAME, '7');
    g_autoptr(GString) info = g_string_new("{\"version\": \"");
    g_autofree char *longest = g_strnfill(LIMIT_COMMAND_NAME - strlen("guest-"), 'x');
    g_autofree char *fits = g_strconcat("guest-", longest, NULL);
    g_autofree char *too_long = g_strconcat(fits, "x", NULL);

    g_string_append_printf(info, "%s\", \"supported_commands\": [", version);
    append_command(info, too_long);
    append_command(info, fits);
    for (guint i = 0; i < LIMIT_AGENT_COMMANDS; i++) {
        g_autofree char *name = g_strdup_printf("guest-%u", i);

        append_command(info, name);
    }
    g_string_append(info, "]}");

    introspect_read_guest_info(introspect, (JsonSpan){info->str, info->len});
    /* All that are looked at, but for the first. */
    g_assert_cmpuint(introspect->guest_commands->len, ==, LIMIT_AGENT_COMMANDS - 1);
    g_assert_cmpuint(strlen(introspect->agent_version), ==, LIMIT_COMMAND_NAME);
    g_assert_cmpstr(g_ptr_array_index(introspect->guest_commands, 0), ==, fits);
}

int main(int argc, char **argv)
{
#define ADD(path, test) g_test_add(path, Introspect, NULL, set_up, test, tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/introspect/commands", test_commands);
    ADD("/introspect/schema", test_schema);
    ADD("/introspect/guest-commands", test_guest_commands);
    ADD("/introspect/kept", test_kept);
    ADD("/introspect/shared", test_shared);
    ADD("/introspect/agents-change", test_agents_change);
    ADD("/introspect/hostile", test_hostile);
    ADD("/introspect/limits", test_limits);
    return g_test_run();
}
