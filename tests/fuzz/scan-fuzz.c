/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Any bytes into the scanner.
 *
 * Held: verdicts and places are the same for each cut of the input, what scan-log.h asserts of
 * spans and memory, and that a message behind a reset is found whatever came before. What was let
 * pass is one value again without its spaces, of the same shape, and all of its strings can be
 * resolved and written again.
 */

#include "common/json-read.h"
#include "common/json-write.h"
#include "support/scan-log.h"
#include "fuzz.h"

#include <string.h>

static const char fresh[] = "\xff{\"execute\":\"x\"}";

/* A string says the same once it was resolved and written again. */
static void assert_string_returns(JsonSpan string)
{
    g_autofree char *text = json_read_string(string);
    g_autoptr(GString) out = g_string_new(NULL);
    JsonWrite writer;

    json_write_init(&writer, out);
    json_write_string(&writer, text);
    g_autofree char *again = json_read_string((JsonSpan){out->str, out->len});
    g_assert_cmpstr(again, ==, text);
}

/* Writes down the kinds and strings that @value is made of, without its spaces. */
static void append_shape(JsonSpan value, GString *shape)
{
    JsonKind kind = json_read_kind(value);
    JsonWalk walk = json_read_walk(value);
    JsonSpan key, child;

    g_string_append_printf(shape, "%d", kind);
    if (kind == JSON_KIND_STRING) {
        assert_string_returns(value);
        g_string_append_len(shape, value.text, (gssize)value.len);
    } else if (kind == JSON_KIND_OBJECT) {
        while (json_read_member(&walk, &key, &child)) {
            g_assert_true(key.text > value.text && child.text + child.len < value.text + value.len);
            append_shape(key, shape);
            append_shape(child, shape);
        }
    } else if (kind == JSON_KIND_ARRAY) {
        while (json_read_element(&walk, &child)) {
            g_assert_true(child.text > value.text &&
                          child.text + child.len < value.text + value.len);
            append_shape(child, shape);
        }
    }
    g_string_append_c(shape, '.');
}

static void assert_same_when_compact(JsonSpan value)
{
    g_autoptr(GString) compact = g_string_new(NULL);
    g_autoptr(GString) shape = g_string_new(NULL);
    g_autoptr(GString) compact_shape = g_string_new(NULL);

    json_read_compact(value, compact);
    append_shape(value, shape);
    append_shape((JsonSpan){compact->str, compact->len}, compact_shape);
    g_assert_cmpstr(compact_shape->str, ==, shape->str);

    g_autofree char *expected = g_strdup_printf("= %s\n", compact->str);
    g_string_append_c(compact, '\n');
    g_autofree char *log = cut_nowhere(&scan_log_subject, &(ScanLogSetup){.limits = fuzz_limits},
                                       compact->str, compact->len);
    g_assert_cmpstr(log, ==, expected);
}

static void on_value(JsonSpan value, gpointer data)
{
    assert_same_when_compact(value);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    ScanLogSetup setup = {.limits = fuzz_limits, .places = TRUE};
    g_autoptr(GString) input = g_string_new_len((const char *)data, (gssize)MIN(size, 4096));

    fuzz_each_value(input->str, input->len, on_value, NULL);
    g_string_append_len(input, fresh, sizeof(fresh) - 1);
    g_autofree char *dropping =
        cut_seeded(&scan_log_subject, &setup, input->str, input->len, (guint32)size);
    setup.hoard = TRUE;
    g_autofree char *hoarding = cut_nowhere(&scan_log_subject, &setup, input->str, input->len);
    g_assert_cmpstr(hoarding, ==, dropping);
    g_assert_true(g_str_has_suffix(dropping, "= {\"execute\":\"x\"}\n"));
    return 0;
}
