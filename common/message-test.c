/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whole messages, byte for byte as the other side has always seen them; and that commands are as
 * short as can be and say what they are meant to.
 */

#include "message.h"

#include <string.h>

#include "envelope.h"
#include "qmp-error.h"
#include "support/scan-log.h"

static JsonSpan span(const char *text)
{
    return (JsonSpan){text, strlen(text)};
}

static void test_return(void)
{
    g_autoptr(GString) out = g_string_new(NULL);

    message_return(out, MESSAGE_QMP, span("{}"), JSON_SPAN_NONE);
    message_return(out, MESSAGE_QMP, span("[ 1,2]"), span("{'x' :1.0}"));
    message_return(out, MESSAGE_AGENT, span("123"), span("null"));
    message_return(out, MESSAGE_AGENT, span("null"), JSON_SPAN_NONE);
    g_assert_cmpstr(out->str, ==,
                    "{\"return\": {}}\r\n"
                    "{\"return\": [ 1,2], \"id\": {\"x\": 1.0}}\r\n"
                    "{\"return\": 123, \"id\": null}\n"
                    "{\"return\": null}\n");
}

/* An id comes back as the value it is, printed like the rest: a peer that splits lines must be able
 * to read it. */
static void test_id(void)
{
    static const struct {
        const char *id;
        const char *printed;
    } cases[] = {
        {"'a\"b'", "\"a\\\"b\""},
        {"[1,\r\n2]", "[1, 2]"},
        {"\"\xc3\xa9\"", "\"\\u00E9\""},
        {"1e400", "1e400"},
        {"-0", "-0"},
        {"18446744073709551616", "18446744073709551616"},
        {"{ }", "{}"},
        {"null", "null"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_autoptr(GError) error = g_error_new_literal(QMP_ERROR, 0, "x");
        g_autofree char *expected = g_strdup_printf(
            "{\"return\": {}, \"id\": %s}\n"
            "{\"id\": %s, \"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\n",
            cases[i].printed, cases[i].printed);

        message_return(out, MESSAGE_AGENT, span("{}"), span(cases[i].id));
        message_error(out, MESSAGE_AGENT, error, span(cases[i].id));
        g_assert_cmpstr(out->str, ==, expected);
    }
}

static void test_error(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) own =
        g_error_new_literal(QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND, "The command \"\xc3\xa9\"\n");
    g_autoptr(GError) foreign = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "gone");

    message_error(out, MESSAGE_QMP, own, JSON_SPAN_NONE);
    message_error(out, MESSAGE_QMP, own, span("7"));
    message_error(out, MESSAGE_AGENT, foreign, span("\"a\""));
    g_assert_cmpstr(
        out->str, ==,
        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command "
        "\\\"\\u00E9\\\"\\n\"}}\r\n"
        "{\"id\": 7, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command "
        "\\\"\\u00E9\\\"\\n\"}}\r\n"
        "{\"id\": \"a\", \"error\": {\"class\": \"GenericError\", \"desc\": \"gone\"}}\n");
}

static void test_error_classes(void)
{
    static const char *const names[] = {
        [QMP_ERROR_GENERIC_ERROR] = "GenericError",
        [QMP_ERROR_COMMAND_NOT_FOUND] = "CommandNotFound",
        [QMP_ERROR_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
        [QMP_ERROR_DEVICE_NOT_FOUND] = "DeviceNotFound",
        [QMP_ERROR_KVM_MISSING_CAP] = "KVMMissingCap",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_autoptr(GError) error = g_error_new_literal(QMP_ERROR, (gint)i, "x");
        g_autofree char *expected =
            g_strdup_printf("{\"error\": {\"class\": \"%s\", \"desc\": \"x\"}}\n", names[i]);

        message_error(out, MESSAGE_AGENT, error, JSON_SPAN_NONE);
        g_assert_cmpstr(out->str, ==, expected);
    }
}

/* What was begun as a success is one value yet, which says in the end that it is none. */
static void test_break(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = g_error_new_literal(QMP_ERROR, QMP_ERROR_GENERIC_ERROR, "gone");

    message_open(out);
    g_string_append(out, "{}");
    message_break(out, MESSAGE_AGENT, error, span("7"));
    message_open(out);
    g_string_append(out, "[]");
    message_break(out, MESSAGE_QMP, error, JSON_SPAN_NONE);
    g_assert_cmpstr(out->str, ==,
                    "{\"return\": {}, \"error\": {\"class\": \"GenericError\", \"desc\": "
                    "\"gone\"}, \"id\": 7}\n"
                    "{\"return\": [], \"error\": {\"class\": \"GenericError\", \"desc\": "
                    "\"gone\"}}\r\n");
}

/* An error from elsewhere goes on as it came. */
static void test_error_span(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    JsonSpan error = span("{'class' :\"DeviceNotFound\", \"desc\": \"\\u0041\"}");

    message_error_span(out, MESSAGE_QMP, error, span("\"x\""));
    message_error_span(out, MESSAGE_AGENT, error, JSON_SPAN_NONE);
    g_assert_cmpstr(
        out->str, ==,
        "{\"id\": \"x\", \"error\": {'class' :\"DeviceNotFound\", \"desc\": \"\\u0041\"}}\r\n"
        "{\"error\": {'class' :\"DeviceNotFound\", \"desc\": \"\\u0041\"}}\n");
}

static void test_event(void)
{
    g_autoptr(GString) out = g_string_new(NULL);

    message_event(out, "GUEST_FROZEN", span("{\"count\": 2}"),
                  G_GINT64_CONSTANT(1700000000) * 1000000 + 42);
    message_event(out, "STOP", JSON_SPAN_NONE, 999999);
    g_assert_cmpstr(
        out->str, ==,
        "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 42}, \"event\": "
        "\"GUEST_FROZEN\", "
        "\"data\": {\"count\": 2}}\r\n"
        "{\"timestamp\": {\"seconds\": 0, \"microseconds\": 999999}, \"event\": \"STOP\"}\r\n");
}

static void test_greeting(void)
{
    g_autoptr(GString) out = g_string_new(NULL);

    message_greeting(out, span("{\"qemu\": {\"micro\": 22}, \"package\": \"\"}"), TRUE);
    message_greeting(out, span("{}"), FALSE);
    g_assert_cmpstr(out->str, ==,
                    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22}, \"package\": \"\"}, "
                    "\"capabilities\": [\"oob\"]}}\r\n"
                    "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
}

/* Each is one value that reads back as what was asked for, and no byte longer than that takes. */
static void test_command(void)
{
    static const struct {
        const char *name;
        gboolean oob;
        const char *arguments;
        const char *id;
        const char *shortest; /* members in whatever order, so that only the length counts */
    } cases[] = {
        {"stop", FALSE, NULL, NULL, "{\"execute\":\"stop\"}"},
        {"stop", FALSE, "{}", NULL, "{\"execute\":\"stop\"}"},
        {"stop", FALSE, "{ \t\n}", NULL, "{\"execute\":\"stop\"}"},
        {"yank", TRUE, "{ \"instances\" : [ ] }", "1",
         "{\"exec-oob\":\"yank\",\"arguments\":{\"instances\":[]},\"id\":1}"},
        {"x", FALSE, "{\"a\": \" b \", 'c': [1, 2]}", "{ \"i\": 1 }",
         "{\"execute\":\"x\",\"arguments\":{\"a\":\" b \",'c':[1,2]},\"id\":{\"i\":1}}"},
        {"x", FALSE, NULL, "null", "{\"execute\":\"x\",\"id\":null}"},
        {"\"\\\xc3\xa9", FALSE, NULL, NULL, "{\"execute\":\"\\\"\\\\\\u00E9\"}"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_auto(EnvelopeCommand) command = {0};
        g_autoptr(GError) error = NULL;
        JsonSpan arguments = cases[i].arguments ? span(cases[i].arguments) : JSON_SPAN_NONE;
        JsonSpan id = cases[i].id ? span(cases[i].id) : JSON_SPAN_NONE;

        message_command(out, cases[i].name, cases[i].oob, arguments, id);
        g_assert_cmpuint(out->len, ==, strlen(cases[i].shortest));
        g_autofree char *log = scan_log(out->str, out->len, &scan_log_limits);
        g_autofree char *expected = g_strdup_printf("= %s\n", out->str);
        g_assert_cmpstr(log, ==, expected);
        g_assert_true(envelope_read_command((JsonSpan){out->str, out->len}, ENVELOPE_OOB_KNOWN,
                                            &command, &error));
        g_assert_cmpstr(command.name, ==, cases[i].name);
        g_assert_cmpint(command.oob, ==, cases[i].oob);
    }
}

/* What is built by several calls stands one behind the other. */
static void test_appends(void)
{
    g_autoptr(GString) out = g_string_new("before");

    message_command(out, "a", FALSE, JSON_SPAN_NONE, JSON_SPAN_NONE);
    message_command(out, "b", FALSE, JSON_SPAN_NONE, JSON_SPAN_NONE);
    g_assert_cmpstr(out->str, ==, "before{\"execute\":\"a\"}{\"execute\":\"b\"}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/message/return", test_return);
    g_test_add_func("/message/id", test_id);
    g_test_add_func("/message/error", test_error);
    g_test_add_func("/message/error-classes", test_error_classes);
    g_test_add_func("/message/break", test_break);
    g_test_add_func("/message/error-span", test_error_span);
    g_test_add_func("/message/event", test_event);
    g_test_add_func("/message/greeting", test_greeting);
    g_test_add_func("/message/command", test_command);
    g_test_add_func("/message/appends", test_appends);
    return g_test_run();
}
