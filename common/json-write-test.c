/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The text that is written: separators, escapes, what becomes of bytes that are no UTF-8; and that
 * all of it is JSON to our own scanner and reads back as what went in.
 */

#include "json-write.h"

#include <math.h>
#include <string.h>

#include "support/scan-log.h"

/* Returns: (transfer full): one string, as it is written; from a block of exact size, for ASan */
static char *written(const char *text, gsize len)
{
    g_autofree char *exact = g_memdup2(text, len);
    g_autoptr(GString) out = g_string_new(NULL);
    JsonWrite writer;

    json_write_init(&writer, out);
    json_write_string_len(&writer, exact, len);
    return g_strdup(out->str);
}

static void test_structure(void)
{
    g_autoptr(GString) out = g_string_new("before ");
    JsonWrite writer;

    json_write_init(&writer, out);
    json_write_begin_object(&writer);
    json_write_key(&writer, "empty");
    json_write_begin_object(&writer);
    json_write_end_object(&writer);
    json_write_key(&writer, "list");
    json_write_begin_array(&writer);
    json_write_int64(&writer, 1);
    json_write_begin_array(&writer);
    json_write_end_array(&writer);
    json_write_begin_object(&writer);
    json_write_key(&writer, "a");
    json_write_boolean(&writer, TRUE);
    json_write_key(&writer, "b");
    json_write_boolean(&writer, FALSE);
    json_write_end_object(&writer);
    json_write_null(&writer);
    json_write_string(&writer, "x");
    json_write_span(&writer, (JsonSpan)JSON_SPAN_LITERAL("{'raw' :1}"));
    json_write_end_array(&writer);
    json_write_key(&writer, "k\n");
    json_write_uint64(&writer, 0);
    json_write_end_object(&writer);
    g_assert_cmpstr(
        out->str, ==,
        "before {\"empty\": {}, \"list\": [1, [], {\"a\": true, \"b\": false}, null, \"x\", "
        "{'raw' :1}], \"k\\n\": 0}");
}

/* What cannot be copied as it stands is found at each place of a long text, which is written, and
 * one from a peer, which is written anew. */
static void test_runs(void)
{
    static const char plain[] = "0123456789 abcdefghijklmnopqrstuvwxyz~";
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"\"", "\\\""},
        {"\\", "\\\\"},
        {"\n", "\\n"},
        {"\x1f", "\\u001F"},
        {"\x7f", "\\u007F"},
        {"\xc3\xa9", "\\u00E9"},
        {"\xff", "\\uFFFD"},
        {"'", "'"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        for (int before = 0; before <= 35; before++) {
            g_autofree char *text =
                g_strdup_printf("%.*s%s%s", before, plain, cases[i].text, plain);
            g_autofree char *expected =
                g_strdup_printf("\"%.*s%s%s\"", before, plain, cases[i].expected, plain);
            g_autofree char *log = written(text, strlen(text));
            g_autoptr(GString) anew = g_string_new(NULL);
            JsonWrite writer;

            g_assert_cmpstr(log, ==, expected);
            json_write_init(&writer, anew);
            json_write_value(&writer, (JsonSpan){expected, strlen(expected)});
            g_assert_cmpstr(anew->str, ==, expected);
        }
}

/* A text that is not there is no member, and leaves no comma. */
static void test_members(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    JsonWrite writer;

    json_write_init(&writer, out);
    json_write_begin_object(&writer);
    json_write_member_string(&writer, "none", NULL);
    json_write_member_string(&writer, "text", "");
    json_write_member_string(&writer, "none", NULL);
    json_write_member_int64(&writer, "least", G_MININT64);
    json_write_member_uint64(&writer, "most", G_MAXUINT64);
    json_write_member_boolean(&writer, "not", FALSE);
    json_write_end_object(&writer);
    g_assert_cmpstr(out->str, ==,
                    "{\"text\": \"\", \"least\": -9223372036854775808, "
                    "\"most\": 18446744073709551615, \"not\": false}");
}

static void test_numbers(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    JsonWrite writer;

    json_write_init(&writer, out);
    json_write_begin_array(&writer);
    json_write_int64(&writer, G_MININT64);
    json_write_int64(&writer, G_MAXINT64);
    json_write_uint64(&writer, G_MAXUINT64);
    json_write_double(&writer, (double)NAN);
    json_write_double(&writer, (double)INFINITY);
    json_write_double(&writer, -(double)INFINITY);
    json_write_double(&writer, 0.5);
    json_write_end_array(&writer);
    g_assert_cmpstr(out->str, ==,
                    "[-9223372036854775808, 9223372036854775807, 18446744073709551615, null, null, "
                    "null, 0.5]");
}

/* A double reads back as itself, and is a JSON number. */
static void test_doubles(void)
{
    static const double values[] = {
        0.0,           1.0,   -1.0,    0.1,    1.0 / 3.0, 1e21,    1e-7,
        123456789.125, 1e300, -2e-300, 5e-324, 4096.0,    1048576, 1.7976931348623157e308,
    };

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        JsonWrite writer;

        json_write_init(&writer, out);
        json_write_double(&writer, values[i]);
        g_assert_true(g_ascii_strtod(out->str, NULL) == values[i]);
        g_autofree char *expected = g_strdup_printf("= %s\n", out->str);
        g_string_append_c(out, '\n');
        g_autofree char *log = scan_log(out->str, out->len, &scan_log_limits);
        g_assert_cmpstr(log, ==, expected);
    }
}

static void test_escapes(void)
{
    static const struct {
        const char *text;
        const char *written;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"/", "\"/\""},
        {"'", "\"'\""},
        {"\"\\", "\"\\\"\\\\\""},
        {"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1f", "\"\\u0001\\u001F\""},
        {"\x7f", "\"\\u007F\""},
        {"\xc3\xa9", "\"\\u00E9\""},
        {"\xe2\x82\xac", "\"\\u20AC\""},
        {"\xef\xbf\xbd", "\"\\uFFFD\""},
        {"\xf0\x9f\x98\x80", "\"\\uD83D\\uDE00\""},
        {"\xf4\x8f\xbf\xbd", "\"\\uDBFF\\uDFFD\""},
        {"\xf4\x8f\xbf\xbf", "\"\\uFFFD\""},
        {"\xef\xb7\x90\xef\xb7\xb0", "\"\\uFFFD\\uFDF0\""},
        {"a\xc0\x80z", "\"a\\u0000z\""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = written(cases[i].text, strlen(cases[i].text));

        g_assert_cmpstr(text, ==, cases[i].written);
    }
    g_autofree char *with_nul = written("a\0z", 3);
    g_assert_cmpstr(with_nul, ==, "\"a\\u0000z\"");
}

/* Each maximal bad part is one U+FFFD; what is good around it stays. */
static void test_bad_utf8(void)
{
    static const struct {
        const char *text;
        const char *written;
    } cases[] = {
        {"a\x80z", "\"a\\uFFFDz\""},         {"a\xffz", "\"a\\uFFFDz\""},
        {"\xff\xff", "\"\\uFFFD\\uFFFD\""},  {"a\xe2\x82z", "\"a\\uFFFDz\""},
        {"a\xf0\x9f\x98z", "\"a\\uFFFDz\""}, {"\xe2\x82\xe2\x82\xac", "\"\\uFFFD\\u20AC\""},
        {"\xf0\x9f\x98", "\"\\uFFFD\""},     {"\xc3", "\"\\uFFFD\""},
        {"\xc3\"", "\"\\uFFFD\\\"\""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = written(cases[i].text, strlen(cases[i].text));

        g_assert_cmpstr(text, ==, cases[i].written);
    }
}

/* Overlong, surrogates, beyond U+10FFFF: how many parts that is, is for the Unicode standard; none
 * passes. */
static void test_forbidden_utf8(void)
{
    static const char *const texts[] = {
        "\xc0\xaf",     "\xc1\xbf",         "\xe0\x80\x80",
        "\xe0\x9f\xbf", "\xf0\x80\x80\x80", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *around = g_strconcat("a", texts[i], "z", NULL);
        g_autofree char *text = written(around, strlen(around));
        g_auto(GStrv) parts = g_strsplit(text, "\\uFFFD", -1);
        guint count = g_strv_length(parts);

        g_assert_cmpuint(count, >=, 2);
        g_assert_cmpstr(parts[0], ==, "\"a");
        for (guint k = 1; k + 1 < count; k++)
            g_assert_cmpstr(parts[k], ==, "");
        g_assert_cmpstr(parts[count - 1], ==, "z\"");
    }
}

/* Any bytes become one JSON string in pure ASCII; what was UTF-8 comes back as it was. */
static void test_round_trip(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(5);

    for (guint round = 0; round < 3000; round++) {
        char bytes[12];
        gsize len = (gsize)g_rand_int_range(random, 0, sizeof(bytes));

        for (gsize i = 0; i < len; i++)
            bytes[i] = (char)g_rand_int_range(random, 1, round % 2 ? 256 : 128);
        g_autofree char *text = written(bytes, len);
        for (const char *byte = text; *byte; byte++)
            g_assert_true(g_ascii_isprint(*byte));
        g_autofree char *expected = g_strdup_printf("= %s\n", text);
        g_autofree char *log = cut_nowhere(
            &scan_log_subject, &(ScanLogSetup){.limits = scan_log_limits}, text, strlen(text));
        g_assert_cmpstr(log, ==, expected);
        g_autofree char *back = json_read_string((JsonSpan){text, strlen(text)});
        if (g_utf8_validate(bytes, (gssize)len, NULL) && !strstr(text, "\\uFFFD"))
            g_assert_cmpmem(back, strlen(back), bytes, len);
        else
            g_assert_true(g_utf8_validate(back, -1, NULL) || strstr(back, "\xc0\x80"));
    }
}

/* The same value as QEMU would print it, whatever the peer's taste. */
static void test_value(void)
{
    static const struct {
        const char *value;
        const char *written;
    } cases[] = {
        {"{}", "{}"},
        {"[ ]", "[]"},
        {"\"\"", "\"\""},
        {"''", "\"\""},
        {"'it\\'s \"'", "\"it's \\\"\""},
        {"\"plain\"", "\"plain\""},
        {"\"a'b\"", "\"a'b\""},
        {"\"a\\/\\u0041\\u00e9\"", "\"a/A\\u00E9\""},
        {"\"last\\n\"", "\"last\\n\""},
        {"\"last\x7f\"", "\"last\\u007F\""},
        {"\"x\xf0\x9f\x98\x80\"", "\"x\\uD83D\\uDE00\""},
        {"\"a\xc0\x80\\u0000\"", "\"a\\u0000\\u0000\""},
        {"1.0", "1.0"},
        {"-0", "-0"},
        {"1E400", "1E400"},
        {"true", "true"},
        {"null", "null"},
        {"{'a':[1,\n2 ,{ \"b\" :null} ,[],{}],\t\"\\u0063\":'d'}\r\n",
         "{\"a\": [1, 2, {\"b\": null}, [], {}], \"c\": \"d\"}"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_autofree char *expected =
            g_strdup_printf("[%s, %s, 1]", cases[i].written, cases[i].written);
        JsonSpan value = {cases[i].value, strlen(cases[i].value)};
        JsonWrite writer;

        json_write_init(&writer, out);
        json_write_begin_array(&writer);
        json_write_value(&writer, value);
        json_write_value(&writer, value);
        json_write_int64(&writer, 1);
        json_write_end_array(&writer);
        g_assert_cmpstr(out->str, ==, expected);
    }
}

/* Where it is said that a value would be copied, it is; and that is said of what QEMU prints. */
static void test_would_copy(void)
{
    static const struct {
        const char *value;
        gboolean copied;
    } cases[] = {
        {"{}", TRUE},
        {"[]", TRUE},
        {"-1.5e3", TRUE},
        {"\"plain\"", TRUE},
        {"{\"count\": 3, \"buf-b64\": \"QUJD\", \"eof\": false}", TRUE},
        {"[{\"a\": [1, 2, {\"b\": null}, [], {}]}, \"c\"]", TRUE},
        {"[1,2]", FALSE},
        {"[1,  2]", FALSE},
        {"[1,\t2]", FALSE},
        {"[ 1]", FALSE},
        {"[1 ]", FALSE},
        {"[1 , 2]", FALSE},
        {"{\"a\":1}", FALSE},
        {"{\"a\" : 1}", FALSE},
        {"[] ", FALSE},
        {" []", FALSE},
        {"'plain'", FALSE},
        {"{'a': 1}", FALSE},
        {"\"\xc3\xa9\"", FALSE},
        {"\"\x7f\"", FALSE},
        {"\"\\u0041\"", FALSE},
        {"[\"\\n\"]", FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        JsonSpan value = {cases[i].value, strlen(cases[i].value)};
        JsonWrite writer;

        json_write_init(&writer, out);
        json_write_value(&writer, value);
        g_assert_cmpint(json_write_would_copy(value, JSON_SPAN_NONE), ==, cases[i].copied);
        if (cases[i].copied)
            g_assert_cmpstr(out->str, ==, cases[i].value);
    }
}

/* Nesting is up to the peer: the deepest that the scanner lets pass costs no stack. */
static void test_deep_value(void)
{
    g_autofree char *open = g_strnfill(1024, '[');
    g_autofree char *closed = g_strnfill(1024, ']');
    g_autofree char *value = g_strconcat(open, closed, NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    JsonWrite writer;

    json_write_init(&writer, out);
    json_write_value(&writer, (JsonSpan){value, strlen(value)});
    g_assert_cmpstr(out->str, ==, value);
}

static void test_base64(void)
{
    guint8 data[1000];

    for (gsize i = 0; i < sizeof(data); i++)
        data[i] = (guint8)(i * 7);
    for (gsize len = 0; len <= sizeof(data); len = len < 70 ? len + 1 : len + 310) {
        g_autofree char *encoded = g_base64_encode(data, len);
        g_autofree char *expected = g_strdup_printf("[\"%s\", \"%s\"]", encoded, encoded);
        g_autoptr(GString) out = g_string_new(NULL);
        JsonWrite writer;

        json_write_init(&writer, out);
        json_write_begin_array(&writer);
        json_write_base64(&writer, data, len);
        json_write_base64(&writer, data, len);
        json_write_end_array(&writer);
        g_assert_cmpstr(out->str, ==, expected);
        g_assert_cmpuint(out->len, ==, strlen(expected));
    }
}

/* However it is cut at multiples of three, and wherever the text goes meanwhile. */
static void test_base64_in_pieces(void)
{
    static const guint8 data[] = "0123456789abcdefghi";

    for (gsize at = 0; at <= sizeof(data); at += 3) {
        g_autofree char *encoded = g_base64_encode(data, sizeof(data));
        g_autofree char *expected = g_strdup_printf("[\"%s\", 7]", encoded);
        g_autoptr(GString) first = g_string_new(NULL);
        g_autoptr(GString) second = g_string_new(NULL);
        JsonWrite writer;

        json_write_init(&writer, first);
        json_write_begin_array(&writer);
        json_write_begin_base64(&writer);
        json_write_more_base64(&writer, data, at);
        writer.out = second;
        json_write_more_base64(&writer, data + at, sizeof(data) - at);
        json_write_end_base64(&writer);
        json_write_int64(&writer, 7);
        json_write_end_array(&writer);
        g_string_append(first, second->str);
        g_assert_cmpstr(first->str, ==, expected);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-write/structure", test_structure);
    g_test_add_func("/json-write/members", test_members);
    g_test_add_func("/json-write/runs", test_runs);
    g_test_add_func("/json-write/numbers", test_numbers);
    g_test_add_func("/json-write/doubles", test_doubles);
    g_test_add_func("/json-write/escapes", test_escapes);
    g_test_add_func("/json-write/bad-utf8", test_bad_utf8);
    g_test_add_func("/json-write/forbidden-utf8", test_forbidden_utf8);
    g_test_add_func("/json-write/round-trip", test_round_trip);
    g_test_add_func("/json-write/value", test_value);
    g_test_add_func("/json-write/would-copy", test_would_copy);
    g_test_add_func("/json-write/deep-value", test_deep_value);
    g_test_add_func("/json-write/base64", test_base64);
    g_test_add_func("/json-write/base64-in-pieces", test_base64_in_pieces);
    return g_test_run();
}
