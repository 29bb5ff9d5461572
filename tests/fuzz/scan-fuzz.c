/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Any bytes into the scanner.
 *
 * Held: verdicts and places are the same for each cut of the input and in each way, what
 * scan-log.h asserts of spans and memory, and that a message behind a reset is found whatever came
 * before. What was let pass is one value again, and means the same, without its spaces, printed as
 * QEMU would, and pretty.
 */

#include "common/json-pretty.h"
#include "common/json-read.h"
#include "common/json-write.h"
#include "support/scan-log.h"
#include "fuzz.h"

#include <string.h>

static const char fresh[] = "\xff{\"execute\":\"x\"}";

/* @text, which was made of @value, is one value and means the same. */
static void assert_same(GString *text, JsonSpan value)
{
    g_autoptr(GString) meaning = g_string_new(NULL);
    g_autoptr(GString) expected = g_string_new(NULL);
    g_autofree char *log = NULL;
    g_autofree char *whole = g_strdup_printf("= %s\n", text->str);

    fuzz_append_meaning(value, expected);
    fuzz_append_meaning((JsonSpan){text->str, text->len}, meaning);
    g_assert_cmpstr(meaning->str, ==, expected->str);
    g_string_append_c(text, '\n');
    log = cut_nowhere(&scan_log_subject, &(ScanLogSetup){.limits = scan_log_limits}, text->str,
                      text->len);
    g_assert_cmpstr(log, ==, whole);
}

static void assert_same_when_compact(JsonSpan value)
{
    g_autoptr(GString) compact = g_string_new(NULL);

    json_read_compact(value, compact);
    g_assert_cmpuint(compact->len, <=, value.len);
    assert_same(compact, value);
}

static void assert_same_when_written(JsonSpan value)
{
    g_autoptr(GString) written = g_string_new(NULL);
    JsonWrite writer;

    json_write_init(&writer, written);
    json_write_value(&writer, value);
    for (gsize i = 0; i < written->len; i++)
        g_assert_true(g_ascii_isprint(written->str[i]));
    if (json_write_would_copy(value, JSON_SPAN_NONE))
        g_assert_cmpmem(written->str, written->len, value.text, value.len);
    g_assert_true(json_write_would_copy((JsonSpan){written->str, written->len}, JSON_SPAN_NONE) ||
                  strchr(written->str, '\\'));
    assert_same(written, value);
}

/* A message is in brackets: no other value tells of its end. */
static void assert_same_when_pretty(JsonSpan value)
{
    g_autoptr(GString) printed = g_string_new(NULL);
    JsonPretty pretty;

    if (value.text[0] != '{' && value.text[0] != '[')
        return;
    json_pretty_init(&pretty);
    json_pretty_feed(&pretty, value.text, value.len, printed);
    g_assert_true(g_str_has_suffix(printed->str, "\r\n"));
    g_string_truncate(printed, printed->len - 2);
    assert_same(printed, value);
}

static void on_value(JsonSpan value, gpointer data)
{
    assert_same_when_compact(value);
    assert_same_when_written(value);
    assert_same_when_pretty(value);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    ScanLogSetup setup = {.limits = fuzz_limits, .places = TRUE};
    g_autoptr(GString) input = g_string_new_len((const char *)data, (gssize)MIN(size, 4096));

    fuzz_each_value(input->str, input->len, on_value, NULL);
    g_string_append_len(input, fresh, sizeof(fresh) - 1);
    g_autofree char *dropping =
        cut_seeded(&scan_log_subject, &setup, input->str, input->len, (guint32)size);
    setup.way = SCAN_LOG_LONG;
    g_autofree char *by_long_way = cut_nowhere(&scan_log_subject, &setup, input->str, input->len);
    g_assert_cmpstr(by_long_way, ==, dropping);
    setup.way = SCAN_LOG_BY_INDEX;
    g_autofree char *by_index = cut_nowhere(&scan_log_subject, &setup, input->str, input->len);
    g_assert_cmpstr(by_index, ==, dropping);
    setup.way = SCAN_LOG_BY_BYTES;
    g_autofree char *by_bytes = cut_nowhere(&scan_log_subject, &setup, input->str, input->len);
    g_assert_cmpstr(by_bytes, ==, dropping);
    setup.way = SCAN_LOG_IN_TURNS;
    setup.hoard = TRUE;
    g_autofree char *hoarding = cut_nowhere(&scan_log_subject, &setup, input->str, input->len);
    g_assert_cmpstr(hoarding, ==, dropping);
    g_assert_true(g_str_has_suffix(dropping, "= {\"execute\":\"x\"}\n"));
    return 0;
}
