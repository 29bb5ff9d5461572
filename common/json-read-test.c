/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Members and values by span: what stands where, and what strings and numbers say.
 */

#include "json-read.h"

#include <string.h>

static JsonSpan span(const char *text)
{
    return (JsonSpan){text, strlen(text)};
}

static void assert_span(JsonSpan value, const char *expected)
{
    g_autofree char *text = g_strndup(value.text, value.len);

    g_assert_cmpstr(text, ==, expected);
}

static void assert_absent(JsonSpan value)
{
    g_assert_null(value.text);
    g_assert_cmpuint(value.len, ==, 0);
}

static void test_kind(void)
{
    static const struct {
        const char *text;
        JsonKind kind;
    } cases[] = {
        {"{}", JSON_KIND_OBJECT},  {"[]", JSON_KIND_ARRAY},     {"\"\"", JSON_KIND_STRING},
        {"'a'", JSON_KIND_STRING}, {"0", JSON_KIND_NUMBER},     {"-1", JSON_KIND_NUMBER},
        {"1e5", JSON_KIND_NUMBER}, {"true", JSON_KIND_BOOLEAN}, {"false", JSON_KIND_BOOLEAN},
        {"null", JSON_KIND_NULL},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(json_read_kind(span(cases[i].text)), ==, cases[i].kind);
    g_assert_cmpint(json_read_kind(JSON_SPAN_NONE), ==, JSON_KIND_NONE);
}

/* One line per member or element: "KEY=VALUE" or "VALUE". */
static char *list(const char *container)
{
    GString *out = g_string_new(NULL);
    JsonWalk walk = json_read_walk(span(container));
    JsonSpan key, value;

    if (container[0] == '{') {
        while (json_read_member(&walk, &key, &value))
            g_string_append_printf(out, "%.*s=%.*s\n", (int)key.len, key.text, (int)value.len,
                                   value.text);
    } else {
        while (json_read_element(&walk, &value))
            g_string_append_printf(out, "%.*s\n", (int)value.len, value.text);
    }
    return g_string_free(out, FALSE);
}

static void test_walk(void)
{
    static const struct {
        const char *container;
        const char *list;
    } cases[] = {
        {"{}", ""},
        {"{ \t\r\n}", ""},
        {"[]", ""},
        {"[ ]", ""},
        {"{\"a\":1}", "\"a\"=1\n"},
        {"{ \"a\" : 1 , 'b'\n:\t[ 1, 2 ] }", "\"a\"=1\n'b'=[ 1, 2 ]\n"},
        {"[1,\"a,]\",{\"x\":[3]} , true,null,-1.5e+7]",
         "1\n\"a,]\"\n{\"x\":[3]}\ntrue\nnull\n-1.5e+7\n"},
        {"['\\'',\"\\\"\",\"\\\\\",'\"']", "'\\''\n\"\\\"\"\n\"\\\\\"\n'\"'\n"},
        {"[[[]],[],{},{\"a\":{}}]", "[[]]\n[]\n{}\n{\"a\":{}}\n"},
        {"{\"}\":\"{\",\"]\":\"[\"}", "\"}\"=\"{\"\n\"]\"=\"[\"\n"},
        {"[12 ,34\n]", "12\n34\n"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *found = list(cases[i].container);

        g_assert_cmpstr(found, ==, cases[i].list);
    }
}

/* A walk is a value: a copy stays where it was. Behind the end nothing is set. */
static void test_walk_is_a_value(void)
{
    JsonWalk walk = json_read_walk(span("[1,2]"));
    JsonSpan value = JSON_SPAN_NONE;

    g_assert_true(json_read_element(&walk, &value));
    JsonWalk copy = walk;
    g_assert_true(json_read_element(&walk, &value));
    assert_span(value, "2");
    g_assert_false(json_read_element(&walk, &value));
    g_assert_false(json_read_element(&walk, &value));
    assert_span(value, "2");
    g_assert_true(json_read_element(&copy, &value));
    assert_span(value, "2");
}

static void test_get(void)
{
    JsonSpan object = span("{ \"a\" : 12 , \"b\":{\"c\":1,\"d\":2}, 'e':[ 1 ], \"\\u0066\":null, "
                           "\"\":\"\", \"c\":3 }");

    assert_span(json_read_get(object, "a"), "12");
    assert_span(json_read_get(object, "b"), "{\"c\":1,\"d\":2}");
    assert_span(json_read_get(object, "c"), "3");
    assert_span(json_read_get(object, "e"), "[ 1 ]");
    assert_span(json_read_get(object, "f"), "null");
    assert_span(json_read_get(object, ""), "\"\"");
    assert_absent(json_read_get(object, "d"));
    assert_absent(json_read_get(object, "aa"));
    assert_absent(json_read_get(span("[1]"), "a"));
    assert_absent(json_read_get(span("\"a\""), "a"));
    assert_absent(json_read_get(span("null"), "a"));
    assert_absent(json_read_get(JSON_SPAN_NONE, "a"));
}

static void test_is(void)
{
    g_assert_true(json_read_is(span("\"execute\""), "execute"));
    g_assert_true(json_read_is(span("'execute'"), "execute"));
    g_assert_true(json_read_is(span("\"\\u0065xecute\""), "execute"));
    g_assert_true(json_read_is(span("\"\""), ""));
    g_assert_true(json_read_is(span("\"\\/\\'\""), "/'"));
    g_assert_true(json_read_is(span("\"\\ud83d\\ude00\""), "\xf0\x9f\x98\x80"));
    g_assert_true(json_read_is(span("\"\xc3\xa9\""), "\xc3\xa9"));
    g_assert_false(json_read_is(span("\"execut\""), "execute"));
    g_assert_false(json_read_is(span("\"executed\""), "execute"));
    g_assert_false(json_read_is(span("\"a\\u0000\""), "a"));
    g_assert_false(json_read_is(span("\"\\u0000\""), ""));
    g_assert_false(json_read_is(span("\"A\""), "a"));
    g_assert_false(json_read_is(span("true"), "true"));
    g_assert_false(json_read_is(span("1"), "1"));
    g_assert_false(json_read_is(JSON_SPAN_NONE, ""));
}

static void test_string(void)
{
    static const struct {
        const char *string;
        const char *text;
    } cases[] = {
        {"\"\"", ""},
        {"''", ""},
        {"\"abc\"", "abc"},
        {"'a\"b'", "a\"b"},
        {"\"a'b\"", "a'b"},
        {"\"\\b\\f\\n\\r\\t\\/\\\\\\\"\\'\"", "\b\f\n\r\t/\\\"'"},
        {"\"\\u0041\\u007f\\u0080\\u07ff\\u0800\\uFFFD\"",
         "A\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbd"},
        {"\"\\ud800\\udc00\\uDBFF\\uDFFD\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbd"},
        {"\"x\\u0000y\"", "x\xc0\x80y"},
        {"\"x\xc0\x80y\"", "x\xc0\x80y"},
        {"\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80"},
        {"\"\\\\u0041\"", "\\u0041"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = json_read_string(span(cases[i].string));

        g_assert_cmpstr(text, ==, cases[i].text);
        g_assert_cmpuint(strlen(text), <=, strlen(cases[i].string));
    }
}

static void test_no_string(void)
{
    static const char *const values[] = {"1", "null", "true", "{}", "[\"a\"]"};

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        g_assert_null(json_read_string(span(values[i])));
    g_assert_null(json_read_string(JSON_SPAN_NONE));
}

static void test_string_plain(void)
{
    JsonSpan text = JSON_SPAN_LITERAL("untouched");

    g_assert_true(json_read_string_plain(span("\"aGVsbG8=\""), &text));
    assert_span(text, "aGVsbG8=");
    g_assert_true(json_read_string_plain(span("'a\"b'"), &text));
    assert_span(text, "a\"b");
    g_assert_true(json_read_string_plain(span("\"\""), &text));
    g_assert_cmpuint(text.len, ==, 0);
    text = JSON_SPAN_LITERAL("untouched");
    g_assert_false(json_read_string_plain(span("\"a\\/b\""), &text));
    g_assert_false(json_read_string_plain(span("\"\\u0041\""), &text));
    g_assert_false(json_read_string_plain(span("12"), &text));
    g_assert_false(json_read_string_plain(JSON_SPAN_NONE, &text));
    assert_span(text, "untouched");
}

static void test_int64(void)
{
    static const struct {
        const char *number;
        gint64 value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"-42", -42},
        {"9223372036854775807", G_MAXINT64},
        {"-9223372036854775808", G_MININT64},
    };
    static const char *const bad[] = {
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999999999",
        "1.0",
        "1e2",
        "1E2",
        "0.0",
        "-1.5",
        "\"1\"",
        "true",
        "null",
        "[1]",
        "{}",
    };
    gint64 value = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        value = 99;
        g_assert_true(json_read_int64(span(good[i].number), &value));
        g_assert_cmpint(value, ==, good[i].value);
    }
    value = 99;
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(json_read_int64(span(bad[i]), &value));
    g_assert_false(json_read_int64(JSON_SPAN_NONE, &value));
    g_assert_cmpint(value, ==, 99);
}

static void test_uint64(void)
{
    static const char *const bad[] = {
        "18446744073709551616",
        "99999999999999999999999999",
        "-1",
        "-9223372036854775808",
        "1.0",
        "1e2",
        "\"1\"",
        "false",
    };
    guint64 value = 99;

    g_assert_true(json_read_uint64(span("0"), &value));
    g_assert_cmpuint(value, ==, 0);
    g_assert_true(json_read_uint64(span("18446744073709551615"), &value));
    g_assert_cmpuint(value, ==, G_MAXUINT64);
    g_assert_true(json_read_uint64(span("9223372036854775808"), &value));
    g_assert_cmpuint(value, ==, G_GUINT64_CONSTANT(9223372036854775808));
    value = 99;
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(json_read_uint64(span(bad[i]), &value));
    g_assert_false(json_read_uint64(JSON_SPAN_NONE, &value));
    g_assert_cmpuint(value, ==, 99);
}

/* The span ends where it ends: what stands behind it in the buffer is not read as part of the
 * number. */
static void test_number_within_buffer(void)
{
    static const char buffer[] = "1234567";
    gint64 value = 0;
    guint64 unsigned_value = 0;

    g_assert_true(json_read_int64((JsonSpan){buffer, 3}, &value));
    g_assert_cmpint(value, ==, 123);
    g_assert_true(json_read_uint64((JsonSpan){buffer, 2}, &unsigned_value));
    g_assert_cmpuint(unsigned_value, ==, 12);
}

static void test_boolean(void)
{
    static const char *const bad[] = {"null", "1", "\"true\"", "[true]", "0"};
    gboolean value = 2;

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(json_read_boolean(span(bad[i]), &value));
    g_assert_false(json_read_boolean(JSON_SPAN_NONE, &value));
    g_assert_cmpint(value, ==, 2);
    g_assert_true(json_read_boolean(span("true"), &value));
    g_assert_cmpint(value, ==, TRUE);
    g_assert_true(json_read_boolean(span("false"), &value));
    g_assert_cmpint(value, ==, FALSE);
}

static void test_token(void)
{
    static const char text[] = " { 'a b' :\t[1.5e+7,true , \"\\\"]\" ]\n}  ";
    static const char *const tokens[] = {"{",    "'a b'", ":",         "[", "1.5e+7", ",",
                                         "true", ",",     "\"\\\"]\"", "]", "}"};
    JsonSpan token = {text, 0};

    for (gsize i = 0; i < G_N_ELEMENTS(tokens); i++) {
        g_assert_true(json_read_token(&token, text + strlen(text)));
        assert_span(token, tokens[i]);
    }
    g_assert_false(json_read_token(&token, text + strlen(text)));
    g_assert_false(json_read_token(&token, text + strlen(text)));
    token = (JsonSpan){text, 0};
    g_assert_false(json_read_token(&token, text));
}

static void test_compact(void)
{
    static const struct {
        const char *value;
        const char *compact;
    } cases[] = {
        {"{}", "{}"},
        {"{ \r\n\t}", "{}"},
        {"{ \"a b\" : [ 1 , 2 , \" x  y \" ] , 'c d':{ } }", "{\"a b\":[1,2,\" x  y \"],'c d':{}}"},
        {"[ \" \\\" \" , ' \\' ' , \" \\\\\" , 1.0e+5 , true ]",
         "[\" \\\" \",' \\' ',\" \\\\\",1.0e+5,true]"},
        {"\"a  b\"", "\"a  b\""},
        {"-0.0", "-0.0"},
        {"[null , false]", "[null,false]"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new("before:");
        g_autofree char *expected = g_strconcat("before:", cases[i].compact, NULL);

        json_read_compact(span(cases[i].value), out);
        g_assert_cmpstr(out->str, ==, expected);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-read/kind", test_kind);
    g_test_add_func("/json-read/walk", test_walk);
    g_test_add_func("/json-read/walk-is-a-value", test_walk_is_a_value);
    g_test_add_func("/json-read/get", test_get);
    g_test_add_func("/json-read/is", test_is);
    g_test_add_func("/json-read/string", test_string);
    g_test_add_func("/json-read/no-string", test_no_string);
    g_test_add_func("/json-read/string-plain", test_string_plain);
    g_test_add_func("/json-read/int64", test_int64);
    g_test_add_func("/json-read/uint64", test_uint64);
    g_test_add_func("/json-read/number-within-buffer", test_number_within_buffer);
    g_test_add_func("/json-read/boolean", test_boolean);
    g_test_add_func("/json-read/token", test_token);
    g_test_add_func("/json-read/compact", test_compact);
    return g_test_run();
}
