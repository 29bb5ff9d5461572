/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Any value that the scanner lets pass, read as a command and as a reply.
 *
 * Held: a command that was read and is built again reads the same; one that was refused has a
 * GError with a printable text; parts of a reply stand inside it; and an error can be told to a
 * peer and read back.
 */

#include "common/envelope.h"
#include "common/json-write.h"
#include "common/message.h"
#include "common/qmp-error.h"
#include "support/scan-log.h"
#include "fuzz.h"

#include <string.h>

enum { MAX_DESC = 40 };

static void assert_inside(JsonSpan part, JsonSpan whole)
{
    if (part.text)
        g_assert_true(part.text > whole.text && part.text + part.len < whole.text + whole.len);
}

static char *compact(JsonSpan value)
{
    GString *out = g_string_new(NULL);

    if (value.text)
        json_read_compact(value, out);
    return g_string_free(out, FALSE);
}

static void assert_same_span(JsonSpan a, JsonSpan b)
{
    g_autofree char *compact_a = compact(a);
    g_autofree char *compact_b = compact(b);

    g_assert_cmpstr(compact_a, ==, compact_b);
}

/* @read again from what message_command() makes of it: the same, but that empty arguments are left
 * out. */
static void assert_rebuilt(const EnvelopeCommand *read)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(EnvelopeCommand) again = {0};
    g_autoptr(GError) error = NULL;

    message_command(out, read->name, read->oob, read->arguments, read->id);
    g_autofree char *log = cut_nowhere(
        &scan_log_subject, &(ScanLogSetup){.limits = scan_log_limits}, out->str, out->len);
    g_autofree char *expected = g_strdup_printf("= %s\n", out->str);
    g_assert_cmpstr(log, ==, expected);
    g_assert_true(
        envelope_read_command((JsonSpan){out->str, out->len}, ENVELOPE_OOB_KNOWN, &again, &error));
    g_assert_cmpstr(again.name, ==, read->name);
    g_assert_cmpint(again.oob, ==, read->oob);
    assert_same_span(again.id, read->id);
    assert_same_span(again.arguments.text ? again.arguments : (JsonSpan)JSON_SPAN_LITERAL("{}"),
                     read->arguments.text ? read->arguments : (JsonSpan)JSON_SPAN_LITERAL("{}"));
}

/* @id in a reply: the same value, printed as the rest of the reply is. */
static void assert_id_returns(JsonSpan returned, JsonSpan id)
{
    g_autoptr(GString) printed = g_string_new(NULL);
    JsonWrite writer;

    json_write_init(&writer, printed);
    if (id.text)
        json_write_value(&writer, id);
    g_assert_cmpmem(returned.text, returned.len, printed->str, printed->len);
}

/* An error as a peer is told it, and reads it. */
static void assert_error_tells(const GError *error, JsonSpan id)
{
    g_autoptr(GString) out = g_string_new(NULL);
    EnvelopeReply reply;

    message_error(out, MESSAGE_AGENT, error, id);
    g_assert_true(g_str_is_ascii(out->str));
    g_assert_true(strchr(out->str, '\n') == out->str + out->len - 1);
    g_assert_true(envelope_read_reply((JsonSpan){out->str, out->len - 1}, &reply));
    g_assert_cmpint(reply.kind, ==, ENVELOPE_ERROR);
    g_autoptr(GError) again = envelope_error(&reply, G_MAXSIZE);
    g_assert_cmpint(again->code, ==, error->code);
    assert_id_returns(reply.id, id);
}

static void check_command(JsonSpan value, EnvelopeExtras oob)
{
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;

    if (envelope_read_command(value, oob, &command, &error)) {
        g_assert_no_error(error);
        g_assert_nonnull(command.name);
        assert_rebuilt(&command);
    } else {
        g_assert_error(error, QMP_ERROR, QMP_ERROR_GENERIC_ERROR);
        assert_error_tells(error, command.id);
    }
    assert_inside(command.id, value);
    assert_inside(command.arguments, value);
}

static void check_reply(JsonSpan value)
{
    EnvelopeReply reply;

    if (!envelope_read_reply(value, &reply))
        return;
    g_assert_nonnull(reply.value.text);
    assert_inside(reply.value, value);
    assert_inside(reply.id, value);
    assert_inside(reply.data, value);
    if (reply.kind == ENVELOPE_ERROR) {
        g_autoptr(GError) error = envelope_error(&reply, MAX_DESC);

        g_assert_cmpuint(strlen(error->message), <=, MAX_DESC);
        assert_error_tells(error, reply.id);
    }
}

static void on_value(JsonSpan value, gpointer data)
{
    check_command(value, ENVELOPE_OOB_KNOWN);
    check_command(value, ENVELOPE_OOB_UNKNOWN);
    check_reply(value);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    fuzz_each_value((const char *)data, size, on_value, NULL);
    return 0;
}
