/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The shape of commands, with QEMU's words for each fault, and the shape of replies, of which a
 * guest may send any.
 */

#include "envelope.h"

#include <string.h>

#include "limits.h"
#include "qmp-error.h"

static JsonSpan span(const char *text)
{
    return (JsonSpan){text, strlen(text)};
}

static void assert_span(JsonSpan value, const char *expected)
{
    g_autofree char *text = value.text ? g_strndup(value.text, value.len) : NULL;

    g_assert_cmpstr(text, ==, expected);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void test_command(void)
{
    static const struct {
        const char *message;
        EnvelopeExtras oob;
        const char *name;
        gboolean is_oob;
        const char *id;
        const char *arguments;
    } cases[] = {
        {"{\"execute\":\"a\"}", ENVELOPE_OOB_UNKNOWN, "a", FALSE, NULL, NULL},
        {"{\"execute\":\"a\"}", ENVELOPE_OOB_KNOWN, "a", FALSE, NULL, NULL},
        {"{\"exec-oob\":\"a\"}", ENVELOPE_OOB_KNOWN, "a", TRUE, NULL, NULL},
        {"{\"execute\":\"\"}", ENVELOPE_OOB_UNKNOWN, "", FALSE, NULL, NULL},
        {"{'execute':'a','id':'b'}", ENVELOPE_OOB_UNKNOWN, "a", FALSE, "'b'", NULL},
        {"{\"id\":null,\"arguments\":{},\"execute\":\"a\"}", ENVELOPE_OOB_UNKNOWN, "a", FALSE,
         "null", "{}"},
        {"{\"execute\":\"\\u0061\\u0062\"}", ENVELOPE_OOB_UNKNOWN, "ab", FALSE, NULL, NULL},
        {"{\"\\u0065xecute\":\"a\",\"\\u0069d\":1}", ENVELOPE_OOB_UNKNOWN, "a", FALSE, "1", NULL},
        {"{ \"execute\" : \"a\" , \"id\" : 1.0 , \"arguments\" : { \"b\" : [ 1 ] } }",
         ENVELOPE_OOB_UNKNOWN, "a", FALSE, "1.0", "{ \"b\" : [ 1 ] }"},
        {"{\"execute\":\"a\",\"id\":{\"x\":[1,2]}}", ENVELOPE_OOB_UNKNOWN, "a", FALSE,
         "{\"x\":[1,2]}", NULL},
        {"{\"execute\":\"a\",\"id\":[]}", ENVELOPE_OOB_UNKNOWN, "a", FALSE, "[]", NULL},
        {"{\"execute\":\"a\",\"id\":false}", ENVELOPE_OOB_UNKNOWN, "a", FALSE, "false", NULL},
        {"{\"execute\":\"a\",\"id\":1e400}", ENVELOPE_OOB_UNKNOWN, "a", FALSE, "1e400", NULL},
        {"{\"execute\":\"a\",\"arguments\":{\"id\":1,\"execute\":2}}", ENVELOPE_OOB_UNKNOWN, "a",
         FALSE, NULL, "{\"id\":1,\"execute\":2}"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(EnvelopeCommand) command = {0};
        g_autoptr(GError) error = NULL;
        gboolean ok = envelope_read_command(span(cases[i].message), cases[i].oob, &command, &error);

        g_assert_no_error(error);
        g_assert_true(ok);
        g_assert_cmpstr(command.name, ==, cases[i].name);
        g_assert_cmpint(command.oob, ==, cases[i].is_oob);
        assert_span(command.id, cases[i].id);
        assert_span(command.arguments, cases[i].arguments);
    }
}

/* Where one fault is present its text is QEMU's, and the id is there for the answer. */
static void test_command_faults(void)
{
    static const struct {
        const char *message;
        EnvelopeExtras oob;
        const char *desc;
        const char *id;
    } cases[] = {
        {"[]", ENVELOPE_OOB_UNKNOWN, "QMP input must be a JSON object", NULL},
        {"\"execute\"", ENVELOPE_OOB_UNKNOWN, "QMP input must be a JSON object", NULL},
        {"1", ENVELOPE_OOB_UNKNOWN, "QMP input must be a JSON object", NULL},
        {"null", ENVELOPE_OOB_KNOWN, "QMP input must be a JSON object", NULL},
        {"[{\"execute\":\"a\",\"id\":1}]", ENVELOPE_OOB_UNKNOWN, "QMP input must be a JSON object",
         NULL},
        {"{}", ENVELOPE_OOB_UNKNOWN, "QMP input lacks member 'execute'", NULL},
        {"{\"id\":1}", ENVELOPE_OOB_KNOWN, "QMP input lacks member 'execute'", "1"},
        {"{\"arguments\":{},\"id\":2}", ENVELOPE_OOB_UNKNOWN, "QMP input lacks member 'execute'",
         "2"},
        {"{\"execute\":1,\"id\":3}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'execute' must be a string", "3"},
        {"{\"execute\":null}", ENVELOPE_OOB_UNKNOWN, "QMP input member 'execute' must be a string",
         NULL},
        {"{\"execute\":{\"a\":1}}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'execute' must be a string", NULL},
        {"{\"exec-oob\":5,\"id\":4}", ENVELOPE_OOB_KNOWN,
         "QMP input member 'exec-oob' must be a string", "4"},
        {"{\"execute\":\"a\",\"arguments\":null,\"id\":5}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'arguments' must be an object", "5"},
        {"{\"execute\":\"a\",\"arguments\":[]}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'arguments' must be an object", NULL},
        {"{\"id\":[6],\"execute\":\"a\",\"arguments\":\"b\"}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'arguments' must be an object", "[6]"},
        {"{\"execute\":\"a\",\"extra\":1,\"id\":7}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'extra' is unexpected", "7"},
        {"{\"execute\":\"a\",\"control\":{}}", ENVELOPE_OOB_KNOWN,
         "QMP input member 'control' is unexpected", NULL},
        {"{\"execute\":\"a\",\"\\u0078y\":1}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'xy' is unexpected", NULL},
        {"{\"execute\":\"a\",\"\":1}", ENVELOPE_OOB_UNKNOWN, "QMP input member '' is unexpected",
         NULL},
        {"{\"Execute\":\"a\",\"execute\":\"a\"}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'Execute' is unexpected", NULL},
        {"{\"exec-oob\":\"a\",\"execute\":\"b\",\"id\":8}", ENVELOPE_OOB_UNKNOWN,
         "QMP input member 'exec-oob' is unexpected", "8"},
        {"{\"exec-oob\":\"a\",\"execute\":\"b\",\"id\":8}", ENVELOPE_OOB_KNOWN,
         "QMP input member 'execute' clashes with 'exec-oob'", "8"},
        {"{\"execute\":\"b\",\"exec-oob\":\"a\",\"id\":9}", ENVELOPE_OOB_KNOWN,
         "QMP input member 'execute' clashes with 'exec-oob'", "9"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(EnvelopeCommand) command = {0};
        g_autoptr(GError) error = NULL;

        g_assert_false(
            envelope_read_command(span(cases[i].message), cases[i].oob, &command, &error));
        g_assert_error(error, QMP_ERROR, QMP_ERROR_GENERIC_ERROR);
        g_assert_cmpstr(error->message, ==, cases[i].desc);
        assert_span(command.id, cases[i].id);
    }
}

/* What a guest command says of its time, beside what any command has, and in which order faults are
 * told: QEMU's own first, and to all that is no guest command it is a member like any other. */
static void test_command_timeout(void)
{
#define TIMEOUT_FAULT "QMP input member 'qga-proxy-timeout' must be an integer from 1 to 86400"
#define UNEXPECTED    "QMP input member 'qga-proxy-timeout' is unexpected"
    static const struct {
        const char *message;
        guint timeout;
        const char *desc; /* (nullable) */
    } cases[] = {
        {"{\"execute\":\"guest-a\",\"id\":1}", 0, NULL},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":1,\"id\":1}", 1, NULL},
        {"{\"qga-proxy-timeout\":86400,\"id\":1,\"execute\":\"guest-a\"}", 86400, NULL},
        {"{\"qga-\\u0070roxy-timeout\":5,\"id\":1,\"execute\":\"\\u0067uest-a\"}", 5, NULL},
        {"{\"exec-oob\":\"guest-a\",\"qga-proxy-timeout\":7,\"id\":1}", 7, NULL},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":0,\"id\":1}", 0, TIMEOUT_FAULT},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":86401,\"id\":1}", 0, TIMEOUT_FAULT},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":-1,\"id\":1}", 0, TIMEOUT_FAULT},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":1.0,\"id\":1}", 0, TIMEOUT_FAULT},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":\"1\",\"id\":1}", 0, TIMEOUT_FAULT},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":null,\"id\":1}", 0, TIMEOUT_FAULT},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":99999999999999999999,\"id\":1}", 0,
         TIMEOUT_FAULT},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":0,\"id\":1,\"arguments\":[]}", 0,
         "QMP input member 'arguments' must be an object"},
        {"{\"execute\":\"guest-a\",\"qga-proxy-timeout\":1,\"x\":1,\"id\":1}", 0,
         "QMP input member 'x' is unexpected"},
        {"{\"execute\":\"stop\",\"qga-proxy-timeout\":1,\"id\":1}", 0, UNEXPECTED},
        {"{\"execute\":\"qga-proxy-status\",\"qga-proxy-timeout\":1,\"id\":1}", 0, UNEXPECTED},
        {"{\"execute\":\"guest\",\"qga-proxy-timeout\":1,\"id\":1}", 0, UNEXPECTED},
        {"{\"qga-proxy-timeout\":1,\"id\":1}", 0, UNEXPECTED},
        {"{\"execute\":1,\"qga-proxy-timeout\":1,\"id\":1}", 0, UNEXPECTED},
        {"{\"execute\":\"a\",\"qga-proxy-timeout\":1,\"x\":1,\"id\":1}", 0, UNEXPECTED},
        {"{\"execute\":\"a\",\"x\":1,\"qga-proxy-timeout\":1,\"id\":1}", 0,
         "QMP input member 'x' is unexpected"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(EnvelopeCommand) command = {0};
        g_autoptr(GError) error = NULL;
        gboolean ok = envelope_read_command(
            span(cases[i].message), ENVELOPE_OOB_KNOWN | ENVELOPE_TIMEOUT_KNOWN, &command, &error);

        g_test_message("%s", cases[i].message);
        g_assert_cmpint(ok, ==, !cases[i].desc);
        g_assert_cmpstr(error ? error->message : NULL, ==, cases[i].desc);
        g_assert_cmpuint(command.timeout, ==, cases[i].timeout);
        assert_span(command.id, "1");
    }
}

/* An agent and QEMU do not know it, whatever the command. */
static void test_command_timeout_unknown(void)
{
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;

    g_assert_false(envelope_read_command(span("{\"execute\":\"guest-a\",\"qga-proxy-timeout\":1}"),
                                         ENVELOPE_OOB_KNOWN, &command, &error));
    g_assert_cmpstr(error->message, ==, UNEXPECTED);
}

/* exec-oob alone, where it is not known: either word is QEMU's, it depends on the order of a hash.
 */
static void test_command_oob_unknown(void)
{
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;

    g_assert_false(envelope_read_command(span("{\"exec-oob\":\"a\",\"id\":1}"),
                                         ENVELOPE_OOB_UNKNOWN, &command, &error));
    g_assert_error(error, QMP_ERROR, QMP_ERROR_GENERIC_ERROR);
    g_assert_true(strcmp(error->message, "QMP input member 'exec-oob' is unexpected") == 0 ||
                  strcmp(error->message, "QMP input lacks member 'execute'") == 0);
    assert_span(command.id, "1");
}

/* A name of a megabyte is not repeated to its sender, and every text is valid UTF-8. */
static void test_command_long_member(void)
{
    g_autofree char *name = g_strnfill(1024 * 1024, 'x');
    g_autoptr(GString) member = g_string_new("xx");

    for (guint i = 0; i < 1000; i++)
        g_string_append(member, "\xe2\x82\xac");
    const char *const members[] = {name, member->str};
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        g_autofree char *message =
            g_strdup_printf("{\"execute\":\"a\",\"%s\":1,\"id\":1}", members[i]);
        g_auto(EnvelopeCommand) command = {0};
        g_autoptr(GError) error = NULL;

        g_assert_false(
            envelope_read_command(span(message), ENVELOPE_OOB_UNKNOWN, &command, &error));
        g_assert_cmpuint(strlen(error->message), <, 2 * LIMIT_COMMAND_NAME);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        assert_span(command.id, "1");
    }
}

/* The longest name that is repeated is repeated whole. */
static void test_command_member_at_limit(void)
{
    for (gsize len = LIMIT_COMMAND_NAME - 1; len <= LIMIT_COMMAND_NAME + 1; len++) {
        g_autofree char *name = g_strnfill(len, 'x');
        g_autofree char *message = g_strdup_printf("{\"execute\":\"a\",\"%s\":1}", name);
        g_autofree char *kept = g_strndup(name, LIMIT_COMMAND_NAME);
        g_autofree char *desc = g_strdup_printf("QMP input member '%s' is unexpected", kept);
        g_auto(EnvelopeCommand) command = {0};
        g_autoptr(GError) error = NULL;

        g_assert_false(
            envelope_read_command(span(message), ENVELOPE_OOB_UNKNOWN, &command, &error));
        g_assert_cmpstr(error->message, ==, desc);
    }
}

/* ---- replies --------------------------------------------------------------------------------- */

static void test_reply(void)
{
    static const struct {
        const char *message;
        EnvelopeKind kind;
        const char *id;
        const char *value;
        const char *data;
    } cases[] = {
        {"{\"return\":{}}", ENVELOPE_RETURN, NULL, "{}", NULL},
        {"{\"return\": {}, \"id\": 1}\r\n", ENVELOPE_RETURN, "1", "{}", NULL},
        {"{\"id\":\"a\",\"return\":[1, 2]}", ENVELOPE_RETURN, "\"a\"", "[1, 2]", NULL},
        {"{\"return\":null,\"id\":null}", ENVELOPE_RETURN, "null", "null", NULL},
        {"{\"return\":123456}", ENVELOPE_RETURN, NULL, "123456", NULL},
        {"{\"return\":\"x\"}", ENVELOPE_RETURN, NULL, "\"x\"", NULL},
        {"{\"return\":{\"error\":{},\"event\":1}}", ENVELOPE_RETURN, NULL,
         "{\"error\":{},\"event\":1}", NULL},
        {"{\"error\":{\"class\":\"GenericError\",\"desc\":\"x\"}}", ENVELOPE_ERROR, NULL,
         "{\"class\":\"GenericError\",\"desc\":\"x\"}", NULL},
        {"{\"id\":{},\"error\":{\"desc\":\"x\",\"class\":\"Other\"}}", ENVELOPE_ERROR, "{}",
         "{\"desc\":\"x\",\"class\":\"Other\"}", NULL},
        {"{\"return\":{},\"error\":{\"class\":\"GenericError\",\"desc\":\"x\"},\"id\":1}",
         ENVELOPE_ERROR, "1", "{\"class\":\"GenericError\",\"desc\":\"x\"}", NULL},
        {"{\"timestamp\":{\"seconds\":1,\"microseconds\":2},\"event\":\"STOP\"}", ENVELOPE_EVENT,
         NULL, "\"STOP\"", NULL},
        {"{\"event\":\"RESET\",\"data\":{\"guest\":true},\"timestamp\":{\"seconds\":-1,"
         "\"microseconds\":-1}}",
         ENVELOPE_EVENT, NULL, "\"RESET\"", "{\"guest\":true}"},
        {"{\"QMP\":{\"version\":{},\"capabilities\":[\"oob\"]}}", ENVELOPE_GREETING, NULL,
         "{\"version\":{},\"capabilities\":[\"oob\"]}", NULL},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strchomp(g_strdup(cases[i].message));
        EnvelopeReply reply;

        g_assert_true(envelope_read_reply(span(text), &reply));
        g_assert_cmpint(reply.kind, ==, cases[i].kind);
        assert_span(reply.id, cases[i].id);
        assert_span(reply.value, cases[i].value);
        assert_span(reply.data, cases[i].data);
    }
}

static void test_no_reply(void)
{
    static const char *const messages[] = {
        "[]",
        "null",
        "\"return\"",
        "1",
        "{}",
        "{\"id\":1}",
        "{\"Return\":{}}",
        "{\"execute\":\"a\"}",
        "{\"return\":{},\"execute\":\"a\"}",
        "{\"return\":{},\"error\":{}}",
        "{\"error\":{\"class\":\"GenericError\",\"desc\":\"x\"},\"return\":{}}",
        "{\"return\":{},\"return\":{}}",
        "{\"return\":{},\"event\":\"STOP\"}",
        "{\"return\":{},\"QMP\":{}}",
        "{\"return\":{},\"data\":{}}",
        "{\"return\":{},\"timestamp\":{}}",
        "{\"return\":{},\"extra\":1}",
        "{\"error\":{\"class\":\"GenericError\",\"desc\":\"x\"},\"extra\":1}",
        "{\"error\":{\"class\":\"GenericError\",\"desc\":\"x\"},\"event\":\"STOP\"}",
        "{\"error\":{}}",
        "{\"error\":{\"class\":\"GenericError\"}}",
        "{\"error\":{\"desc\":\"x\"}}",
        "{\"error\":{\"class\":1,\"desc\":\"x\"}}",
        "{\"error\":{\"class\":\"GenericError\",\"desc\":null}}",
        "{\"error\":{\"class\":\"GenericError\",\"desc\":[\"x\"]}}",
        "{\"error\":\"GenericError\"}",
        "{\"error\":null}",
        "{\"error\":[\"class\",\"desc\"]}",
        "{\"event\":1,\"timestamp\":{\"seconds\":1,\"microseconds\":2}}",
        "{\"event\":null}",
        "{\"event\":\"STOP\",\"id\":1,\"timestamp\":{\"seconds\":1,\"microseconds\":2}}",
        "{\"event\":\"STOP\",\"QMP\":{}}",
        "{\"QMP\":1}",
        "{\"QMP\":[]}",
        "{\"QMP\":{},\"id\":1}",
        "{\"timestamp\":{\"seconds\":1,\"microseconds\":2}}",
        "{\"data\":{}}",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(messages); i++) {
        EnvelopeReply reply = {.kind = 77};

        if (envelope_read_reply(span(messages[i]), &reply))
            g_error("taken for a reply: %s", messages[i]);
        g_assert_cmpint(reply.kind, ==, 77);
        g_assert_null(reply.value.text);
    }
}

static GError *read_error(const char *message, gsize max_desc)
{
    EnvelopeReply reply;

    g_assert_true(envelope_read_reply(span(message), &reply));
    return envelope_error(&reply, max_desc);
}

static void test_error_class(void)
{
    static const struct {
        const char *name;
        gint code;
    } classes[] = {
        {"GenericError", QMP_ERROR_GENERIC_ERROR},
        {"CommandNotFound", QMP_ERROR_COMMAND_NOT_FOUND},
        {"DeviceNotActive", QMP_ERROR_DEVICE_NOT_ACTIVE},
        {"DeviceNotFound", QMP_ERROR_DEVICE_NOT_FOUND},
        {"KVMMissingCap", QMP_ERROR_KVM_MISSING_CAP},
        {"Invented", QMP_ERROR_GENERIC_ERROR},
        {"", QMP_ERROR_GENERIC_ERROR},
        {"genericerror", QMP_ERROR_GENERIC_ERROR},
        {"\\u0043ommandNotFound", QMP_ERROR_COMMAND_NOT_FOUND},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(classes); i++) {
        g_autofree char *message = g_strdup_printf(
            "{\"error\":{\"class\":\"%s\",\"desc\":\"it\\u0027s\"}}", classes[i].name);
        g_autoptr(GError) error = read_error(message, 1000);

        g_assert_error(error, QMP_ERROR, classes[i].code);
        g_assert_cmpstr(error->message, ==, "it's");
        if (i < 5)
            g_assert_cmpstr(qmp_error_class(error), ==, classes[i].name);
        g_assert_cmpint((gint)qmp_error_from_class(qmp_error_class(error)), ==, classes[i].code);
    }
}

/* A long desc is cut at a character, never in one. */
static void test_error_desc_cut(void)
{
    static const char message[] =
        "{\"error\":{\"class\":\"GenericError\",\"desc\":\"ab\xe2\x82\xac\xf0\x9f\x98\x80z\"}}";
    static const char *const kept[] = {"",
                                       "a",
                                       "ab",
                                       "ab",
                                       "ab",
                                       "ab\xe2\x82\xac",
                                       "ab\xe2\x82\xac",
                                       "ab\xe2\x82\xac",
                                       "ab\xe2\x82\xac",
                                       "ab\xe2\x82\xac\xf0\x9f\x98\x80",
                                       "ab\xe2\x82\xac\xf0\x9f\x98\x80z",
                                       "ab\xe2\x82\xac\xf0\x9f\x98\x80z"};

    for (gsize max = 0; max < G_N_ELEMENTS(kept); max++) {
        g_autoptr(GError) error = read_error(message, max);

        g_assert_cmpstr(error->message, ==, kept[max]);
    }
}

static void test_qmp_error(void)
{
    static const gint unknown_codes[] = {-1, QMP_ERROR_KVM_MISSING_CAP + 1, G_MAXINT};
    g_autoptr(GError) foreign = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "gone");
    g_autoptr(GError) own = NULL;

    g_assert_cmpstr(qmp_error_class(foreign), ==, "GenericError");
    for (guint i = 0; i < G_N_ELEMENTS(unknown_codes); i++) {
        g_autoptr(GError) unknown = g_error_new_literal(QMP_ERROR, unknown_codes[i], "x");

        g_assert_cmpstr(qmp_error_class(unknown), ==, "GenericError");
    }
    qmp_error_set(&own, "%s is %d", "it", 5);
    g_assert_error(own, QMP_ERROR, QMP_ERROR_GENERIC_ERROR);
    g_assert_cmpstr(own->message, ==, "it is 5");
    qmp_error_set(NULL, "nobody asked");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/envelope/command", test_command);
    g_test_add_func("/envelope/command-faults", test_command_faults);
    g_test_add_func("/envelope/command-oob-unknown", test_command_oob_unknown);
    g_test_add_func("/envelope/command-timeout", test_command_timeout);
    g_test_add_func("/envelope/command-timeout-unknown", test_command_timeout_unknown);
    g_test_add_func("/envelope/command-long-member", test_command_long_member);
    g_test_add_func("/envelope/command-member-at-limit", test_command_member_at_limit);
    g_test_add_func("/envelope/reply", test_reply);
    g_test_add_func("/envelope/no-reply", test_no_reply);
    g_test_add_func("/envelope/error-class", test_error_class);
    g_test_add_func("/envelope/error-desc-cut", test_error_desc_cut);
    g_test_add_func("/envelope/qmp-error", test_qmp_error);
    return g_test_run();
}
