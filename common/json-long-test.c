/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Long strings, whose end the scanner remembers and readers need not look for. */

#include "envelope.h"
#include "json-scan.h"
#include "json-write.h"

#include <string.h>

/* Scans @head, a string of @len times 'A' with @odd in its middle, and "}}", cut at @cut.
 * Returns: whether the string is remembered; it is then the right one */
static gboolean finds_long(const char *head, gsize len, const char *odd, gsize cut)
{
    g_autoptr(GString) text = g_string_new(head);
    JsonScan scan;
    gsize start = text->len - 1;
    gboolean found;

    for (gsize i = 0; i < len; i++)
        g_string_append_c(text, 'A');
    g_string_insert(text, (gssize)(start + 1 + len / 2), odd);
    g_string_append_printf(text, "%c}}", text->str[start]);
    json_scan_init(&scan, &(JsonScanLimits){1 << 20, 100, 10});
    if (cut < text->len)
        g_assert_cmpint(json_scan_next(&scan, text->str, cut), ==, JSON_SCAN_MORE);
    g_assert_cmpint(json_scan_next(&scan, text->str, text->len), ==, JSON_SCAN_VALUE);
    found = scan.long_end > 0;
    if (found) {
        g_assert_cmpuint(scan.long_start, ==, start);
        g_assert_cmpuint(scan.long_end, ==, text->len - 2);
    }
    json_scan_clear(&scan);
    return found;
}

/* Where a long string ends that came in parts is remembered, if it is plain; not that of another.
 */
static void test_long_string(void)
{
    static const char head[] = "{\"return\": {\"a\": \"";
    static const char *const odd[] = {"\\n",          "\\u0041",          "\xC3\xA9",
                                      "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\x7F"};
    const gsize len = JSON_SCAN_LONG - 2;

    for (gsize cut = 0; cut < sizeof head + len; cut++)
        g_assert_true(finds_long(head, len, "", cut) || cut < sizeof head - 1);
    g_assert_false(finds_long(head, len - 1, "", sizeof head + 5));
    g_assert_false(finds_long("{\"return\": {\"a\": '", len, "", sizeof head + 5));
    for (guint i = 0; i < G_N_ELEMENTS(odd); i++) {
        gsize place = sizeof head - 1 + len / 2;

        for (gsize cut = place - 1; cut <= place + strlen(odd[i]); cut++)
            g_assert_false(finds_long(head, len, odd[i], cut));
    }
}

/* It is that of the message that was found last, wherever the buffer has moved to. */
static void test_long_string_moves(void)
{
    g_autofree char *content = g_strnfill(JSON_SCAN_LONG, 'A');
    g_autofree char *text = g_strdup_printf("[1]{\"a\": \"%s\"}[2]", content);
    const gsize len = strlen(text);
    JsonScan scan;

    json_scan_init(&scan, &(JsonScanLimits){1 << 20, 100, 10});
    g_assert_cmpint(json_scan_next(&scan, text, 20), ==, JSON_SCAN_VALUE);
    g_assert_cmpuint(scan.long_end, ==, 0);
    g_assert_cmpint(json_scan_next(&scan, text, 20), ==, JSON_SCAN_MORE);
    json_scan_drop(&scan, 3);
    g_assert_cmpint(json_scan_next(&scan, text + 3, len - 3), ==, JSON_SCAN_VALUE);
    g_assert_cmpuint(scan.long_start, ==, 6);
    g_assert_cmpuint(scan.long_end, ==, 6 + JSON_SCAN_LONG + 2);
    json_scan_drop(&scan, scan.end);
    g_assert_cmpint(json_scan_next(&scan, "[2]", 3), ==, JSON_SCAN_VALUE);
    g_assert_cmpuint(scan.long_end, ==, 0);
    json_scan_clear(&scan);
}

/* Reading past a string whose end is known gives the same as looking for it. */
static void test_read_past(void)
{
    static const char text[] =
        "{\"return\": {\"count\": 3, \"buf-b64\": \"QUJD\", \"eof\": false}, \"id\": 7}";
    const JsonSpan message = {text, sizeof text - 1};
    const JsonSpan known = {strstr(text, "\"QUJD"), strlen("\"QUJD\"")};
    EnvelopeReply reply, past;

    g_assert_true(envelope_read_reply(message, &reply));
    g_assert_true(envelope_read_reply_past(message, known, &past));
    g_assert_null(reply.known.text);
    g_assert_true(past.known.text == known.text);
    g_assert_cmpint(past.kind, ==, ENVELOPE_RETURN);
    g_assert_true(past.value.text == reply.value.text && past.value.len == reply.value.len);
    g_assert_true(past.id.text == reply.id.text && past.id.len == 1);
    g_assert_true(json_write_would_copy(past.value, known));
}

/* What is known is believed: here, that a string ends where it does not. */
static void test_is_believed(void)
{
    const JsonSpan value = JSON_SPAN_LITERAL("[\"a\", \"\xC3\xA9\"]");
    const JsonSpan known = {value.text + 6, value.len - 7};
    JsonWalk walk = json_read_walk_past(value, (JsonSpan){value.text + 1, 9});
    JsonSpan element;

    g_assert_true(json_read_element(&walk, &element));
    g_assert_cmpuint(element.len, ==, 9);
    g_assert_false(json_write_would_copy(value, JSON_SPAN_NONE));
    g_assert_true(json_write_would_copy(value, known));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-long/scan", test_long_string);
    g_test_add_func("/json-long/scan-moves", test_long_string_moves);
    g_test_add_func("/json-long/read-past", test_read_past);
    g_test_add_func("/json-long/is-believed", test_is_believed);
    return g_test_run();
}
