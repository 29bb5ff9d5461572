/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Arguments become a struct, or an error in the words that hosts know.
 *
 * Runs on code that was generated from test-schema.json, which has each kind of type in each place
 * where one may stand; so the generator is tested as well.
 */

#include "test-commands.h"

/* What the handlers below were last called with; arguments are looked at while they live. */
static void (*expectation)(gconstpointer args);
static guint calls;

static gboolean run(gconstpointer args)
{
    calls++;
    if (expectation != NULL)
        expectation(args);
    return TRUE;
}

gboolean guest_nothing(Commands *commands, Call *call, GError **error)
{
    return run(NULL);
}

gboolean guest_required(Commands *commands, const GuestRequiredArguments *args, Call *call,
                        GError **error)
{
    return run(args);
}

gboolean guest_optional(Commands *commands, const GuestOptionalArguments *args, Call *call,
                        GError **error)
{
    return run(args);
}

gboolean guest_lists(Commands *commands, const GuestListsArguments *args, Call *call,
                     GError **error)
{
    return run(args);
}

static gboolean call(const char *name, const char *arguments, GError **error)
{
    const GuestCommand *command = guest_schema_find(name);
    const GuestHandler *handler = guest_handler_find(command);
    JsonSpan object = {arguments, arguments != NULL ? strlen(arguments) : 0};
    g_autofree char *args = g_malloc(MAX(handler->arguments->size, 1));
    gboolean ok;

    if (!guest_struct_read(handler->arguments, object, args, error))
        return FALSE;
    ok = handler->run(NULL, args, NULL, error);
    guest_struct_clear(handler->arguments, args);
    return ok;
}

static void check(const char *name, const char *arguments, void (*expect)(gconstpointer))
{
    GError *error = NULL;
    guint before = calls;

    expectation = expect;
    call(name, arguments, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(calls, ==, before + 1);
}

static void check_error(const char *name, const char *arguments, const char *words)
{
    g_autoptr(GError) error = NULL;
    guint before = calls;

    g_assert_false(call(name, arguments, &error));
    g_assert_cmpstr(error->message, ==, words);
    g_assert_cmpuint(calls, ==, before);
}

#define REQUIRED(number, big, flag, text, data, level, either, switch_it)                       \
    "{\"number\":" number ",\"big\":" big ",\"flag\":" flag ",\"text\":" text ",\"data\":" data \
    ",\"level\":" level ",\"either\":" either ",\"switch-it\":" switch_it "}"

/* Each name is found, by its bytes alone, and nothing that is one byte more, less or other. */
static void test_find(void)
{
    for (guint i = 0; i < GUEST_SCHEMA_COMMANDS; i++) {
        const GuestCommand *command = &guest_schema_commands[i];
        const gsize len = strlen(command->name);
        g_autofree char *name = g_strconcat(command->name, "x", NULL);

        g_assert_true(guest_schema_find_bytes(name, len) == command);
        g_assert_null(guest_schema_find(name));
        g_assert_null(guest_schema_find_bytes(command->name, len + 1)); /* with the NUL */
        for (gsize at = 0; at < len; at++) {
            const GuestCommand *found = guest_schema_find_bytes(name, at);

            g_assert_true(found == NULL || strlen(found->name) == at);
            name[at] ^= 1;
            g_assert_true(guest_schema_find_bytes(name, len) != command);
            name[at] ^= 1;
        }
    }
    g_assert_null(guest_schema_find_bytes("guest-optional", 0));
}

static void test_schema_table(void)
{
    const GuestCommand *command = guest_schema_find("guest-optional");

    g_assert_cmpuint(command->time_class, ==, GUEST_CLASS_FREEZE);
    g_assert_cmpuint(command->flags, ==, GUEST_FLAG_FROZEN | GUEST_FLAG_LOGGED);
    g_assert_cmpuint(guest_schema_find("guest-lists")->flags, ==, 0);
    g_assert_null(guest_schema_find("guest-"));
    g_assert_null(guest_schema_find("guest-zzz"));
    g_assert_null(guest_schema_find(""));
    for (guint i = 0; i < GUEST_SCHEMA_COMMANDS; i++)
        g_assert_true(guest_schema_find(guest_schema_commands[i].name) ==
                      &guest_schema_commands[i]);

    /* What this system has not is known all the same. */
    command = guest_schema_find("guest-rare");
    g_assert_cmpuint(command->flags, ==, GUEST_FLAG_READ_ONLY | GUEST_FLAG_SHARED);
    g_assert_null(guest_handler_find(command));
    g_assert_nonnull(guest_handler_find(guest_schema_find("guest-lists")));
}

static void expect_all(gconstpointer data)
{
    const GuestRequiredArguments *args = data;

    g_assert_cmpint(args->number, ==, -5);
    g_assert_cmpuint(args->big, ==, G_MAXUINT64);
    g_assert_true(args->flag);
    g_assert_cmpstr(args->text, ==, "a\nb");
    g_assert_cmpint((gint64)args->data.len, ==, 6);
    g_assert_cmpint(args->level, ==, GUEST_LEVEL_VERY_HIGH);
    g_assert_cmpint(args->either.kind, ==, JSON_KIND_NUMBER);
    g_assert_cmpint(args->either.value, ==, 2);
    g_assert_cmpint(args->switch_it.kind, ==, JSON_KIND_STRING);
    g_assert_cmpint(args->switch_it.value, ==, GUEST_LEVEL_LOW);
}

static void test_values(void)
{
    check("guest-required",
          REQUIRED("-5", "18446744073709551615", "true", "\"a\\nb\"", "'AAAA'", "\"very-high\"",
                   "2", "\"low\""),
          expect_all);
    check("guest-nothing", NULL, NULL);
    check("guest-nothing", "{ }", NULL);
}

static void test_types(void)
{
#define NAMED(name, expected) "Invalid parameter type for '" name "', expected: " expected
    static const struct {
        const char *arguments;
        const char *words;
    } cases[] = {
        {REQUIRED("1.0", "1", "true", "''", "''", "'low'", "1", "true"),
         NAMED("number", "integer")},
        {REQUIRED("9223372036854775808", "1", "true", "''", "''", "'low'", "1", "true"),
         NAMED("number", "integer")},
        {REQUIRED("'1'", "1", "true", "''", "''", "'low'", "1", "true"),
         NAMED("number", "integer")},
        {REQUIRED("1", "-1", "true", "''", "''", "'low'", "1", "true"), NAMED("big", "integer")},
        {REQUIRED("1", "1", "1", "''", "''", "'low'", "1", "true"), NAMED("flag", "boolean")},
        {REQUIRED("1", "1", "true", "null", "''", "'low'", "1", "true"), NAMED("text", "string")},
        {REQUIRED("1", "1", "true", "''", "[]", "'low'", "1", "true"), NAMED("data", "string")},
        {REQUIRED("1", "1", "true", "''", "''", "{}", "1", "true"), NAMED("level", "string")},
        {REQUIRED("1", "1", "true", "''", "''", "'high'", "1", "true"),
         "Parameter 'level' does not accept value 'high'"},
        {REQUIRED("1", "1", "true", "''", "''", "'low'", "true", "true"),
         NAMED("either", "GuestLevelOrNumber")},
        {REQUIRED("1", "1", "true", "''", "''", "'low'", "1.5", "true"),
         NAMED("either", "GuestLevelOrNumber")},
        {REQUIRED("1", "1", "true", "''", "''", "'low'", "'up'", "true"),
         "Parameter 'either' does not accept value 'up'"},
        {REQUIRED("1", "1", "true", "''", "''", "'low'", "1", "1"),
         NAMED("switch-it", "GuestLevelOrFlag")},
    };
#undef NAMED

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check_error("guest-required", cases[i].arguments, cases[i].words);
}

static void test_missing_and_unexpected(void)
{
    check_error("guest-required", NULL, "Parameter 'number' is missing");
    check_error("guest-required", "{\"number\": 1}", "Parameter 'big' is missing");
    check_error("guest-nothing", "{\"x\": 1}", "Parameter 'x' is unexpected");
    check_error("guest-optional", "{\"Number\": 1, \"z\": 2}", "Parameter 'Number' is unexpected");
    /* A wrong type is told before a stranger, wherever it stands. */
    check_error("guest-optional", "{\"z\": 1, \"number\": true}",
                "Invalid parameter type for 'number', expected: integer");
}

/* A peer chooses the name, and may choose one of megabytes. */
static void test_long_names_are_cut(void)
{
    g_autofree char *name = g_strnfill(100000, 'n');
    g_autofree char *arguments = g_strdup_printf("{\"%s\": 1}", name);
    g_autofree char *value = g_strdup_printf("{\"level\": \"%s\"}", name);
    g_autofree char *words = g_strdup_printf("Parameter '%.256s' is unexpected", name);
    g_autofree char *value_words =
        g_strdup_printf("Parameter 'level' does not accept value '%.256s'", name);

    check_error("guest-nothing", arguments, words);
    check_error("guest-optional", value, value_words);
}

static void expect_none(gconstpointer data)
{
    const GuestOptionalArguments *args = data;

    g_assert_false(args->has_number);
    g_assert_null(args->text);
    g_assert_null(args->data.text);
    g_assert_cmpint(args->either.kind, ==, JSON_KIND_NONE);
    g_assert_cmpint(args->count, ==, 4096);
    g_assert_cmpstr(args->mode, ==, "r");
    g_assert_cmpint(args->level, ==, GUEST_LEVEL_VERY_HIGH);
    g_assert_cmpint(args->flag.kind, ==, JSON_KIND_BOOLEAN);
    g_assert_cmpint(args->flag.value, ==, TRUE);
}

static void expect_some(gconstpointer data)
{
    const GuestOptionalArguments *args = data;

    g_assert_true(args->has_number);
    g_assert_cmpint(args->number, ==, 0);
    g_assert_cmpstr(args->mode, ==, "w");
    g_assert_cmpint(args->level, ==, GUEST_LEVEL_LOW);
}

static void test_optional(void)
{
    check("guest-optional", NULL, expect_none);
    check("guest-optional", "{\"number\": 0, \"mode\": \"w\", \"level\": \"low\"}", expect_some);
}

static void expect_lists(gconstpointer data)
{
    const GuestListsArguments *args = data;
    const GuestBox *boxes = (const GuestBox *)(gconstpointer)args->boxes->data;
    char *const *words = (char *const *)(gpointer)args->words->data;

    g_assert_cmpuint(args->words->len, ==, 2);
    g_assert_cmpstr(words[0], ==, "a");
    g_assert_cmpstr(words[1], ==, "b");
    g_assert_null(words[2]);
    g_assert_cmpuint(args->boxes->len, ==, 2);
    g_assert_cmpstr(boxes[0].name, ==, "x");
    g_assert_true(boxes[0].has_part);
    g_assert_cmpint(boxes[0].part.logical_id, ==, 7);
    g_assert_false(boxes[0].part.has_online);
    g_assert_false(boxes[1].has_part);
    g_assert_false(args->has_box);
}

static void test_lists(void)
{
    check("guest-lists",
          "{\"words\": [\"a\", \"b\"],"
          " \"boxes\": [{\"name\": \"x\", \"part\": {\"logical-id\": 7}}, {\"name\": \"y\"}]}",
          expect_lists);
    check("guest-lists", "{\"words\": []}", NULL);
    check_error("guest-lists", "{\"words\": \"a\"}",
                "Invalid parameter type for 'words', expected: array");
    check_error("guest-lists", "{\"words\": [\"a\", 1]}",
                "Invalid parameter type for 'words[1]', expected: string");
    check_error("guest-lists", "{\"boxes\": [{\"name\": \"x\", \"part\": {}}]}",
                "Parameter 'boxes[0].part.logical-id' is missing");
    check_error("guest-lists", "{\"boxes\": [{\"name\": \"x\"}, {\"name\": \"x\", \"y\": 1}]}",
                "Parameter 'boxes[1].y' is unexpected");
    check_error("guest-lists", "{\"boxes\": [3]}",
                "Invalid parameter type for 'boxes[0]', expected: object");
    check_error("guest-lists", "{\"box\": {\"name\": 3}}",
                "Invalid parameter type for 'box.name', expected: string");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest-schema/table", test_schema_table);
    g_test_add_func("/guest-schema/find", test_find);
    g_test_add_func("/guest-schema/values", test_values);
    g_test_add_func("/guest-schema/types", test_types);
    g_test_add_func("/guest-schema/missing-and-unexpected", test_missing_and_unexpected);
    g_test_add_func("/guest-schema/long-names", test_long_names_are_cut);
    g_test_add_func("/guest-schema/optional", test_optional);
    g_test_add_func("/guest-schema/lists", test_lists);
    return g_test_run();
}
