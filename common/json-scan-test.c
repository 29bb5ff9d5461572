/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What counts as JSON, where it ends, and what is found again after something that was none.
 *
 * Every input is scanned whole, in two pieces at each position, byte by byte, and in odd pieces,
 * with identical verdicts and places (support/scan-log.h).
 */

#include "json-scan.h"

#include <string.h>

#include "limits.h"
#include "support/scan-log.h"

typedef struct {
    const char *input;
    gsize len;
    const char *log; /* as scan-log.h says */
} Case;

#define CASE(input, log)              \
    {                                 \
        input, sizeof(input) - 1, log \
    }

static void check_len(const char *input, gsize len, const JsonScanLimits *limits,
                      const char *expected)
{
    g_autofree char *log = scan_log(input, len, limits);

    if (strcmp(log, expected) != 0) {
        g_autofree char *shown = g_strndup(input, MIN(len, 400));
        g_autofree char *escaped = g_strescape(shown, NULL);

        g_test_message("input: %s", escaped);
    }
    g_assert_cmpstr(log, ==, expected);
}

static void check(const char *input, const char *expected)
{
    check_len(input, strlen(input), &scan_log_limits, expected);
}

static void check_cases(const Case *cases, gsize count)
{
    for (gsize i = 0; i < count; i++)
        check_len(cases[i].input, cases[i].len, &scan_log_limits, cases[i].log);
}

/* ---- framing --------------------------------------------------------------------------------- */

static void test_nothing(void)
{
    static const Case cases[] = {
        CASE("", ""),
        CASE(" ", ""),
        CASE("\n", ""),
        CASE("\r\n\t \r\n", ""),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

static void test_values(void)
{
    static const Case cases[] = {
        CASE("{}", "= {}\n"),
        CASE("[]", "= []\n"),
        CASE("\"\"", "= \"\"\n"),
        CASE("{\"a\":1}", "= {\"a\":1}\n"),
        CASE("[1,\"a\",true,false,null,{},[],-0.5e+7]",
             "= [1,\"a\",true,false,null,{},[],-0.5e+7]\n"),
        CASE(" \t\r\n{ \"a\" :\n[ 1 ,\t2 ]\r}\n", "= { \"a\" :\n[ 1 ,\t2 ]\r}\n"),
        CASE("{\"\":{\"\":{\"\":{}}}}", "= {\"\":{\"\":{\"\":{}}}}\n"),
        CASE("\"}]{[:,\"", "= \"}]{[:,\"\n"),
        CASE("[0,-0,1e5,1E-5,1.25,10,-1.0e+0]\n", "= [0,-0,1e5,1E-5,1.25,10,-1.0e+0]\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

/* Structure ends a message, line ends mean nothing. */
static void test_several(void)
{
    static const Case cases[] = {
        CASE("{}{}", "= {}\n= {}\n"),
        CASE("{}\r\n{}\n", "= {}\n= {}\n"),
        CASE("[][{}]\"a\"\"b\"{}", "= []\n= [{}]\n= \"a\"\n= \"b\"\n= {}\n"),
        CASE("{\"execute\":\"a\"}{\"execute\":\"b\"}",
             "= {\"execute\":\"a\"}\n= {\"execute\":\"b\"}\n"),
        CASE("1 2", "= 1\nmore\n"),
        CASE("1 2\n", "= 1\n= 2\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

/* A bare number or keyword goes on until a byte that cannot be its own. */
static void test_bare(void)
{
    static const Case cases[] = {
        CASE("12", "more\n"),
        CASE("12\n", "= 12\n"),
        CASE("-1.5e3\r", "= -1.5e3\n"),
        CASE("true", "more\n"),
        CASE("true\n", "= true\n"),
        CASE("false\tnull ", "= false\n= null\n"),
        CASE("1{}", "= 1\n= {}\n"),
        CASE("null[]", "= null\n= []\n"),
        CASE("7\"a\"", "= 7\n= \"a\"\n"),
        CASE("0'a'", "= 0\n= 'a'\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

static void test_half(void)
{
    static const Case cases[] = {
        CASE("{", "more\n"),          CASE("[", "more\n"),
        CASE("\"", "more\n"),         CASE("\"\\", "more\n"),
        CASE("\"\\u12", "more\n"),    CASE("\"\\ud834\\u", "more\n"),
        CASE("\"\xe2\x82", "more\n"), CASE("{\"a\"", "more\n"),
        CASE("{\"a\":", "more\n"),    CASE("{\"a\":1,", "more\n"),
        CASE("[[1]", "more\n"),       CASE("tru", "more\n"),
        CASE("-", "more\n"),          CASE("{\"a\":1}{", "= {\"a\":1}\nmore\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

/* ---- what QEMU accepts beyond RFC 8259 ------------------------------------------------------- */

static void test_extensions(void)
{
    static const Case cases[] = {
        CASE("'a'", "= 'a'\n"),
        CASE("{'execute':'x'}", "= {'execute':'x'}\n"),
        CASE("['\"',\"'\",'\\'',\"\\'\",'\\\"',\"\\\"\"]",
             "= ['\"',\"'\",'\\'',\"\\'\",'\\\"',\"\\\"\"]\n"),
        CASE("{'a':\"b\",\"c\":'d'}", "= {'a':\"b\",\"c\":'d'}\n"),
        CASE("'}'", "= '}'\n"),
        CASE("\"a\xc0\x80z\"", "= \"a\xc0\x80z\"\n"), /* U+0000, as QEMU writes it within */
        CASE("\"\\u0000\"", "= \"\\u0000\"\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

/* ---- strings --------------------------------------------------------------------------------- */

static void test_strings(void)
{
    static const Case cases[] = {
        CASE("\"\\b\\f\\n\\r\\t\\/\\\\\\\"\\'\"", "= \"\\b\\f\\n\\r\\t\\/\\\\\\\"\\'\"\n"),
        CASE("\"\\u00e9\\u00E9\\uFFFD\\uabCd\"", "= \"\\u00e9\\u00E9\\uFFFD\\uabCd\"\n"),
        CASE("\"\\ud834\\udd1e\"", "= \"\\ud834\\udd1e\"\n"),
        CASE("\"\\uDBFF\\uDFFD\"", "= \"\\uDBFF\\uDFFD\"\n"),
        CASE("\"\\ud7ff\\ue000\"", "= \"\\ud7ff\\ue000\"\n"),
        CASE("\"\x7f\"", "= \"\x7f\"\n"), /* DEL is no control byte to RFC 8259, nor to QEMU */
        CASE("\"\xc2\x80\xdf\xbf\"", "= \"\xc2\x80\xdf\xbf\"\n"),
        CASE("\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd\"",
             "= \"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd\"\n"),
        CASE("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbd\"", "= \"\xf0\x90\x80\x80\xf4\x8f\xbf\xbd\"\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

/*
 * A bad string is one error of its message, found in the string itself, and the string still ends
 * at its quote: what stands between there and the end of its message is not taken for structure.
 */
static void check_bad_string(const char *content)
{
    g_autofree char *in_object =
        g_strdup_printf("{\"x\":[\"}]%s}]\"],\"y\":1}{\"a\":1}\n", content);
    g_autofree char *as_key = g_strdup_printf("{\"%s\":1}{\"a\":1}\n", content);
    g_autofree char *single = g_strdup_printf("{'x':'\"%s'}{\"a\":1}\n", content);
    g_autofree char *bare = g_strdup_printf("\"%s\"{\"a\":1}\n", content);

    check(in_object, "! syntax\n= {\"a\":1}\n");
    check(as_key, "! syntax\n= {\"a\":1}\n");
    check(single, "! syntax\n= {\"a\":1}\n");
    check(bare, "! syntax\n= {\"a\":1}\n");
}

static void test_bad_utf8(void)
{
    static const char *const contents[] = {
        "\x80",
        "\xbf",
        "a\x80",
        "\xc1\xbf",
        "\xc0\x81",
        "\xc0\xaf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xfb\xbf\xbf\xbf",
        "\xc2",
        "\xc2 ",
        "\xe2\x82",
        "\xe2\x82 ",
        "\xe2(\xa1",
        "\xf0\x9f\x98",
        "\xf0\x9f\x98x",
        "\xed\xa0\xbd\xed\xb8\x80",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(contents); i++)
        check_bad_string(contents[i]);
}

static void test_bad_escapes(void)
{
    static const char *const contents[] = {
        "\\q",
        "\\0",
        "\\x41",
        "\\U0041",
        "\\ ",
        "\\u12g4",
        "\\u123",
        "\\u",
        "\\u 123",
        "\\u-123",
        "\\ud800",
        "\\udbff",
        "\\udc00",
        "\\udfff",
        "\\ud800x",
        "\\ud800\\n",
        "\\ud800\\ud800",
        "\\udc00\\ud800",
        "\\ud800\\u0041",
        "\\ud800\\udbff",
        "\\ud800\\ue000",
        "\\a",
        "\\v",
        "\\%",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(contents); i++)
        check_bad_string(contents[i]);
}

/* Line ends and TAB in a string are refused; the string is over, since nothing tells where it would
 * end. */
static void test_raw_space_in_string(void)
{
    static const Case cases[] = {
        CASE("\"a\n{}\n", "! lexical\n= {}\n"),
        CASE("\"a\r\n{}\n", "! lexical\n= {}\n"),
        CASE("{\"a\n{\"b\":1}\n", "! lexical\n= {\"b\":1}\n"),
        CASE("\"\\\n{}\n", "! lexical\n= {}\n"),
        CASE("\"a\tb{}\n", "! lexical\n= {}\n"),
        CASE("'a\tb{}\n", "! lexical\n= {}\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

/* ---- faults and recovery --------------------------------------------------------------------- */

/* One byte that begins no token: one error, the rest of the message is lost silently. */
static void test_lexical(void)
{
    static const char *const inputs[] = {
        "@",
        "{\"a\":@}",
        "{\"a\":1 @ }",
        "[1,2,@,3,4]",
        "// remark",
        "/* remark */",
        "[1, /* remark */ 2]",
        "True",
        "{\"a\": True}",
        "{\"a\": NaN}",
        "[Infinity]",
        "[-Infinity]",
        "[01]",
        "[-01]",
        "[00]",
        "[1.]",
        "[1.e5]",
        "[1e]",
        "[1e+]",
        "[-]",
        "[-a]",
        "[.5]",
        "[+1]",
        "[%d]",
        "{\"a\":%s}",
        "[\x7f]",
        "[\x80]",
        "[\xc3\xa9]",
        "#",
        "{\"a\":(1)}",

        "@@@@@@@@",
        "[@,@,@,@]",
        "{\"a\":@,\"b\":@}",
        "[[[[@]]]]",
        "@ 1 \"a\" true , : ] }",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autofree char *next_line = g_strconcat(inputs[i], "\n{\"b\":[2]}\n", NULL);
        g_autofree char *same_line = g_strconcat(inputs[i], "{\"b\":[2]}", NULL);

        check(next_line, "! lexical\n= {\"b\":[2]}\n");
        if (strstr(inputs[i], "{\"b\"") == NULL)
            check(same_line, "! lexical\n= {\"b\":[2]}\n");
    }
}

static void test_bom(void)
{
    check("\xef\xbb\xbf{\"a\":1}", "! lexical\n= {\"a\":1}\n");
}

/* The run of leftovers ends with its line: what is wrong on the next one is an error again. */
static void test_lexical_each_line(void)
{
    /* The byte at fault is passed over, also where it is a line's end: a quote behind it is inside
     * the broken string, not the start of another. */
    check("[\"a\nb\"]{\"b\":[2]}\n", "! lexical\n= {\"b\":[2]}\n");
    check("[-]\"{\"b\":[2]}\n", "! lexical\n= {\"b\":[2]}\n");
    check("@\n@\n{}\n", "! lexical\n! lexical\n= {}\n");
    check("@ ]\r\n]\n{}\n", "! lexical\n! syntax\n= {}\n");
}

/* A token in the wrong place: one error, the message is lost up to where its brackets balance. */
static void test_syntax(void)
{
    static const char *const inputs[] = {
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":}",
        "{\"a\"}",
        "{:1}",
        "{1:1}",
        "{true:1}",
        "{null:1}",
        "{{}:1}",
        "{[]:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,,\"b\":2}",
        "{\"a\"::1}",
        "{\"a\",1}",
        "[1,]",
        "[,1]",
        "[,]",
        "[1,,2]",
        "[1 2]",
        "[1:2]",
        "[\"a\":1]",
        "[\"a\"\"b\"]",
        "[1{}]",
        "[{}{}]",
        "[[],[][]]",
        "[foo]",
        "{\"a\":foo}",
        "{foo:1}",
        "[nul]",
        "[nulll]",
        "[truefalse]",
        "[1a]",
        "[1-2]",
        "}",
        "]",
        ":",
        ",",
        "foo",
        "{\"a\":{\"b\":[1,,2],\"c\":1},\"d\":\"}\"}",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autofree char *input = g_strconcat(inputs[i], "{\"b\":[2]}\n", NULL);

        check(input, "! syntax\n= {\"b\":[2]}\n");
    }
}

/* The wrong closer: skipped until both kinds of bracket balance, or one of them goes below zero. */
static void test_mismatch(void)
{
    static const Case cases[] = {
        CASE("[}{\"b\":1}\n", "! syntax\n= {\"b\":1}\n"),
        CASE("{]{\"b\":1}\n", "! syntax\n= {\"b\":1}\n"),
        CASE("{\"a\":[1}]{\"b\":1}\n", "! syntax\n= {\"b\":1}\n"),
        CASE("[{\"a\":1]}{\"b\":1}\n", "! syntax\n= {\"b\":1}\n"),
        CASE("[[[1 2]]]{\"b\":1}\n", "! syntax\n= {\"b\":1}\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

static void test_stray_closers(void)
{
    check("}}{\"b\":1}\n", "! syntax\n! syntax\n= {\"b\":1}\n");
    check("{}}{\"b\":1}\n", "= {}\n! syntax\n= {\"b\":1}\n");
    check("{},{}\n", "= {}\n! syntax\n= {}\n");
}

/* Unbalanced for good: nothing is found, nothing is kept, and a reset ends it. */
static void test_unbalanced(void)
{
    check("{\"a\" 1\n{\"b\":1}\n[", "! syntax\nmore\n");
    check_len("{\"a\" 1\n{\"b\":1}\n\xff{\"c\":1}", 23, &scan_log_limits,
              "! syntax\n! reset\n= {\"c\":1}\n");
}

/* While a broken message is skipped, its strings are still strings, escaped quotes included. */
static void test_skipped_strings(void)
{
    check("[1 2,\"]\"]{}\n", "! syntax\n= {}\n");
    check("[1 2,\"\\\"]\"]{}\n", "! syntax\n= {}\n");
    check("[1 2,'\\']\"]']{}\n", "! syntax\n= {}\n");
    check("[1 2,\"\\\\\"]{}\n", "! syntax\n= {}\n");
    check("{\"\\q\":\"}\",'}':\"\\\"}\"}{}\n", "! syntax\n= {}\n");
}

/* ---- reset ----------------------------------------------------------------------------------- */

static const char resets[] = {'\xff', '\xfe', '\0', '\x01', '\x08', '\x0b', '\x0c', '\x1b', '\x1f'};

/* Whatever was under way, behind a reset the text is a fresh message. */
static void test_reset(void)
{
    static const char *const half[] = {
        "",       "{",       "{\"a",     "{\"a\\",   "{\"a\\u",   "{\"a\\ud800", "{\"a\xe2\x82",
        "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":-", "{\"a\":tr", "{\"a\":1,",   "'",
        "[[[[",   "[1,",     "12",       "nul",      "-1.5e",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(half); i++) {
        for (gsize k = 0; k < sizeof(resets); k++) {
            g_autoptr(GString) input = g_string_new(half[i]);

            g_string_append_c(input, resets[k]);
            g_string_append(input, "{\"execute\":\"x\"}\n");
            check_len(input->str, input->len, &scan_log_limits, "! reset\n= {\"execute\":\"x\"}\n");
        }
    }
}

/* A run of resets is one fault, and no byte of it belongs to what follows. */
static void test_resets(void)
{
    static const Case cases[] = {
        CASE("\xff\xff{}", "! reset\n= {}\n"),
        CASE("{\xff\xff\xfe\1\0{}", "! reset\n= {}\n"),
        CASE("{}\xff\xff\xff", "= {}\n! reset\n"),
        CASE("\xff{}\xff[]", "! reset\n= {}\n! reset\n= []\n"),
        CASE("[1 2 \xff\xff{}", "! syntax\n! reset\n= {}\n"),
    };

    check_cases(cases, G_N_ELEMENTS(cases));
}

/* No garbage whatever keeps the message behind a reset from being found. */
static void test_reset_after_anything(void)
{
    static const char alphabet[] =
        "{}[]:,\"'\\u09aefnrtls-+.E \n\t@/\x80\xbf\xc2\xe0\xed\xf0\xf4\xff\x01";
    g_autoptr(GRand) random = g_rand_new_with_seed(4096);

    for (guint round = 0; round < 3000; round++) {
        g_autoptr(GString) input = g_string_new(NULL);
        ScanLogSetup setup = {.limits = scan_log_limits};

        for (gint len = g_rand_int_range(random, 0, 40); len > 0; len--)
            g_string_append_c(input, alphabet[g_rand_int_range(random, 0, sizeof(alphabet) - 1)]);
        g_string_append(input, "\xff{\"execute\":\"x\"}");
        g_autofree char *log = cut_seeded(&scan_log_subject, &setup, input->str, input->len, round);
        g_assert_true(g_str_has_suffix(log, "= {\"execute\":\"x\"}\n"));
    }
}

/* ---- limits ---------------------------------------------------------------------------------- */

static char *nested(const char *open, const char *inside, const char *close, guint depth)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < depth; i++)
        g_string_append(text, open);
    g_string_append(text, inside);
    for (guint i = 0; i < depth; i++)
        g_string_append(text, close);
    return g_string_free(text, FALSE);
}

static void check_nesting(const char *open, const char *inside, const char *close, guint depth,
                          const JsonScanLimits *limits, gboolean fits)
{
    g_autofree char *text = nested(open, inside, close, depth);
    g_autofree char *input = g_strconcat(text, "{\"b\":[2]}\n", NULL);
    g_autofree char *log = fits ? g_strdup_printf("= %s\n= {\"b\":[2]}\n", text)
                                : g_strdup("! nesting\n= {\"b\":[2]}\n");

    check_len(input, strlen(input), limits, log);
}

static void test_nesting(void)
{
    const JsonScanLimits few = {.bytes = 1000, .tokens = 1000, .nesting = 4};

    check_nesting("[", "", "]", 3, &few, TRUE);
    check_nesting("[", "", "]", 4, &few, TRUE);
    check_nesting("[", "", "]", 5, &few, FALSE);
    check_nesting("{\"a\":", "1", "}", 4, &few, TRUE);
    check_nesting("{\"a\":", "1", "}", 5, &few, FALSE);
    check_nesting("{\"a\":[", "1", "]}", 2, &few, TRUE);
    check_nesting("{\"a\":[", "1", "]}", 3, &few, FALSE);
    check("[[[[]]],[[[]]]]", "= [[[[]]],[[[]]]]\n"); /* depth, not the number of brackets */
}

static void test_nesting_default(void)
{
    check_nesting("[", "", "]", 1023, &scan_log_limits, TRUE);
    check_nesting("[", "", "]", 1024, &scan_log_limits, TRUE);
    check_nesting("[", "", "]", 1025, &scan_log_limits, FALSE);
    check_nesting("{\"a\":", "1", "}", 1024, &scan_log_limits, TRUE);
    check_nesting("{\"a\":", "1", "}", 1025, &scan_log_limits, FALSE);
    check_nesting("[{\"a\":", "1", "}]", 512, &scan_log_limits, TRUE);
    check_nesting("[{\"a\":", "[]", "}]", 512, &scan_log_limits, FALSE);
}

/* QEMU answers this with 99,523 errors; we with one, and go on where the brackets balance. */
static void test_hundred_thousand_brackets(void)
{
    ScanLogSetup setup = {.limits = scan_log_limits};
    g_autofree char *open = nested("[", "", "", 100000);
    g_autofree char *both = nested("[", "", "]{\"b\":1}\n", 1);
    g_autofree char *balanced = nested("[", "", "]", 100000);
    g_autofree char *more = g_strconcat(balanced, "{\"b\":1}\n", NULL);
    g_autofree char *open_log = cut_seeded(&scan_log_subject, &setup, open, strlen(open), 1);
    g_autofree char *both_log = cut_seeded(&scan_log_subject, &setup, both, strlen(both), 1);
    g_autofree char *more_log = cut_seeded(&scan_log_subject, &setup, more, strlen(more), 1);

    g_assert_cmpstr(open_log, ==, "! nesting\nmore\n");
    g_assert_cmpstr(both_log, ==, "= []\n= {\"b\":1}\n");
    g_assert_cmpstr(more_log, ==, "! nesting\n= {\"b\":1}\n");
}

static void test_tokens(void)
{
    const JsonScanLimits seven = {.bytes = 1000, .tokens = 7, .nesting = 10};
    static const Case cases[] = {
        CASE("[1,2,3]{}\n", "= [1,2,3]\n= {}\n"),
        CASE("[[1,2]]{}\n", "= [[1,2]]\n= {}\n"),
        CASE("{\"a\":[1]}{}\n", "= {\"a\":[1]}\n= {}\n"),
        CASE("[[1],2]{}\n", "= [[1],2]\n= {}\n"),
        CASE("[[1,2],3]{}\n", "! tokens\n= {}\n"),
        CASE("[[1],[2]]{}\n", "! tokens\n= {}\n"),
        CASE("{\"a\":1,\"b\":2}{}\n", "! tokens\n= {}\n"),
        CASE("[1,2,3,4,5,6,7,8,9,[10],11]{}\n", "! tokens\n= {}\n"),
        CASE("1 2 3 4 5 6 7 8 9\n", "= 1\n= 2\n= 3\n= 4\n= 5\n= 6\n= 7\n= 8\n= 9\n"),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        check_len(cases[i].input, cases[i].len, &seven, cases[i].log);
}

/* [0,0,…] with an odd number of tokens, one less and one more than the even limit. */
static void test_tokens_default(void)
{
    for (guint over = 0; over <= 1; over++) {
        ScanLogSetup setup = {.limits = scan_log_limits};
        guint zeros = LIMIT_JSON_TOKENS / 2 - 1 + over;
        g_autoptr(GString) text = g_string_sized_new(2 * zeros + 2);

        g_string_append_c(text, '[');
        for (guint i = 0; i < zeros; i++)
            g_string_append(text, i > 0 ? ",0" : "0");
        g_string_append_c(text, ']');
        g_autofree char *log = cut_nowhere(&scan_log_subject, &setup, text->str, text->len);
        g_assert_true(g_str_has_prefix(log, over ? "! tokens\n" : "= [0,0,"));
        g_assert_cmpuint(strlen(log), ==, over ? strlen("! tokens\n") : text->len + 3);
    }
}

static void test_bytes(void)
{
    const JsonScanLimits ten = {.bytes = 10, .tokens = 1000, .nesting = 100};
    static const Case cases[] = {
        CASE("\"12345678\"{}\n", "= \"12345678\"\n= {}\n"),
        CASE("\"123456789\"{}\n", "! bytes\n= {}\n"),
        CASE("[12345678]{}\n", "= [12345678]\n= {}\n"),
        CASE("[123456789]{}\n", "! bytes\n= {}\n"),
        CASE("[        ]{}\n", "= [        ]\n= {}\n"),
        CASE("[         ]{}\n", "! bytes\n= {}\n"), /* what stands inside is held, space or not */
        CASE("                    [1]                 {}\n", "= [1]\n= {}\n"),
        CASE("1234567890\n{}\n", "= 1234567890\n= {}\n"),
        CASE("12345678901\n{}\n", "! bytes\n= {}\n"),
        CASE("@\n\"12345678\"{}\n", "! lexical\n= \"12345678\"\n= {}\n"),
        CASE("@\n\"123456789\"{}\n", "! lexical\n! bytes\n= {}\n"),
        CASE("@ [123456789]{}\n", "! lexical\n! bytes\n= {}\n"),
        CASE("{\"a\":\"a long string that is no \\\" end }\",\"b\":[1]}{}\n", "! bytes\n= {}\n"),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        check_len(cases[i].input, cases[i].len, &ten, cases[i].log);
}

static void test_bytes_of_keyword(void)
{
    const JsonScanLimits four = {.bytes = 4, .tokens = 10, .nesting = 4};

    check_len("null\ntrue[]", 11, &four, "= null\n= true\n= []\n");
    check_len("false\n[]", 8, &four, "! bytes\n= []\n");
}

/* Returns: the verdict after @text was added to what is in @held; drops what may be dropped */
static JsonScanVerdict add(JsonScan *scan, GString *held, const char *text)
{
    g_string_append(held, text);
    JsonScanVerdict verdict = json_scan_next(scan, held->str, held->len);
    gsize count = verdict == JSON_SCAN_VALUE ? scan->end : scan->start;

    json_scan_drop(scan, count);
    g_string_erase(held, 0, (gssize)count);
    return verdict;
}

static void test_limit_bytes(void)
{
    g_autoptr(GString) held = g_string_new(NULL);
    JsonScan scan;

    json_scan_init(&scan, &(JsonScanLimits){.bytes = 8, .tokens = 100, .nesting = 8});
    g_assert_cmpint(add(&scan, held, "\"123456\""), ==, JSON_SCAN_VALUE);
    json_scan_limit_bytes(&scan, 6);
    g_assert_cmpint(add(&scan, held, "\"1234\""), ==, JSON_SCAN_VALUE);
    g_assert_cmpint(add(&scan, held, "\"12345\""), ==, JSON_SCAN_ERROR);
    g_assert_cmpint(scan.fault, ==, JSON_FAULT_BYTES);
    g_assert_cmpint(add(&scan, held, "\n"), ==, JSON_SCAN_MORE);
    json_scan_limit_bytes(&scan, 20);
    g_assert_cmpint(add(&scan, held, "\"123456789012345678\""), ==, JSON_SCAN_VALUE);
    json_scan_clear(&scan);
}

/* A message that never ends and one that is skipped cost nothing but the bytes under the limit. */
static void test_endless(void)
{
    static const char *const openings[] = {"\"", "{\"a\":\"", "[1 2,\"", "{\"a\":1,\"a\":\"", "[ "};

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++) {
        g_autoptr(GString) held = g_string_new(NULL);
        JsonScan scan;
        guint errors = 0;

        json_scan_init(&scan, &(JsonScanLimits){.bytes = 100, .tokens = 50, .nesting = 8});
        errors += add(&scan, held, openings[i]) == JSON_SCAN_ERROR;
        for (guint round = 0; round < 10000; round++) {
            errors += add(&scan, held, i == 4 ? "         " : "aaaaaaaaa") == JSON_SCAN_ERROR;
            g_assert_cmpuint(held->len, <=, 100 + 9);
        }
        g_assert_cmpuint(errors, ==, 1);
        g_assert_false(json_scan_is_clean(&scan));
        json_scan_clear(&scan);
    }
}

/* ---- state ----------------------------------------------------------------------------------- */

static void test_is_clean(void)
{
    static const char *const not_clean[] = {"{", "1", "\"", "[1 2", "tru", "{\"a\":1,\"a\":"};
    g_autoptr(GString) held = g_string_new(NULL);
    JsonScan scan;

    json_scan_init(&scan, &scan_log_limits);
    g_assert_true(json_scan_is_clean(&scan));
    g_assert_cmpint(add(&scan, held, " \r\n"), ==, JSON_SCAN_MORE);
    g_assert_true(json_scan_is_clean(&scan));
    g_assert_cmpint(add(&scan, held, "{}"), ==, JSON_SCAN_VALUE);
    g_assert_true(json_scan_is_clean(&scan));
    for (gsize i = 0; i < G_N_ELEMENTS(not_clean); i++) {
        JsonScanVerdict verdict = add(&scan, held, not_clean[i]);

        while (verdict != JSON_SCAN_MORE)
            verdict = add(&scan, held, "");
        g_assert_false(json_scan_is_clean(&scan));
        json_scan_restart(&scan);
        g_string_truncate(held, 0);
        g_assert_true(json_scan_is_clean(&scan));
        g_assert_cmpint(add(&scan, held, "{\"a\":1}"), ==, JSON_SCAN_VALUE);
    }
    json_scan_clear(&scan);
}

/* A place counts from the start of its own message, whatever came before. */
static void test_place(void)
{
    static const Case cases[] = {
        CASE("{\"a\" 1}", "! syntax@5\n"),
        CASE("{\"a\":1} {\"a\" 1}", "= {\"a\":1}\n! syntax@5\n"),
        CASE("[1,@]\n", "! lexical@3\n"),
        CASE("   [1,@]\n", "! lexical@3\n"),
        CASE("[1,2\xff", "! reset@4\n"),
        CASE("}", "! syntax@0\n"),
        CASE("[\"abc\\q\"]", "! syntax@6\n"),
        CASE("{\"a\":1,\"a\":2}", "! duplicate@7\n"),
    };
    ScanLogSetup setup = {.limits = scan_log_limits, .places = TRUE};

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *log =
            cut_everywhere(&scan_log_subject, &setup, cases[i].input, cases[i].len);

        g_assert_cmpstr(log, ==, cases[i].log);
    }
}

static char *fault_text(const char *input)
{
    JsonScan scan;

    json_scan_init(&scan, &scan_log_limits);
    g_assert_cmpint(json_scan_next(&scan, input, strlen(input)), ==, JSON_SCAN_ERROR);
    char *text = json_scan_fault_text(&scan);
    json_scan_clear(&scan);
    return text;
}

/* A peer can find the fault by the text alone: other faults and other places read otherwise. */
static void test_fault_texts(void)
{
    static const char *const inputs[] = {
        "[1,@]",     "[12,@]",        "[1,#]",     "[1,,]",
        "[12,,]",    "\xff",          "[\xff",     "{\"a\":1,\"a\":2}",
        "[\"\\q\"]", "[\"\\ud800\"]", "[\"\x80\"]"};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        char *text = fault_text(inputs[i]);

        g_test_message("%s", text);
        g_assert_true(g_hash_table_add(seen, text));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-scan/nothing", test_nothing);
    g_test_add_func("/json-scan/values", test_values);
    g_test_add_func("/json-scan/several", test_several);
    g_test_add_func("/json-scan/bare", test_bare);
    g_test_add_func("/json-scan/half", test_half);
    g_test_add_func("/json-scan/extensions", test_extensions);
    g_test_add_func("/json-scan/strings", test_strings);
    g_test_add_func("/json-scan/bad-utf8", test_bad_utf8);
    g_test_add_func("/json-scan/bad-escapes", test_bad_escapes);
    g_test_add_func("/json-scan/raw-space-in-string", test_raw_space_in_string);
    g_test_add_func("/json-scan/lexical", test_lexical);
    g_test_add_func("/json-scan/bom", test_bom);
    g_test_add_func("/json-scan/lexical-each-line", test_lexical_each_line);
    g_test_add_func("/json-scan/syntax", test_syntax);
    g_test_add_func("/json-scan/mismatch", test_mismatch);
    g_test_add_func("/json-scan/stray-closers", test_stray_closers);
    g_test_add_func("/json-scan/unbalanced", test_unbalanced);
    g_test_add_func("/json-scan/skipped-strings", test_skipped_strings);
    g_test_add_func("/json-scan/reset", test_reset);
    g_test_add_func("/json-scan/resets", test_resets);
    g_test_add_func("/json-scan/reset-after-anything", test_reset_after_anything);
    g_test_add_func("/json-scan/nesting", test_nesting);
    g_test_add_func("/json-scan/nesting-default", test_nesting_default);
    g_test_add_func("/json-scan/hundred-thousand-brackets", test_hundred_thousand_brackets);
    g_test_add_func("/json-scan/tokens", test_tokens);
    g_test_add_func("/json-scan/tokens-default", test_tokens_default);
    g_test_add_func("/json-scan/bytes", test_bytes);
    g_test_add_func("/json-scan/bytes-of-keyword", test_bytes_of_keyword);
    g_test_add_func("/json-scan/limit-bytes", test_limit_bytes);
    g_test_add_func("/json-scan/endless", test_endless);
    g_test_add_func("/json-scan/is-clean", test_is_clean);
    g_test_add_func("/json-scan/place", test_place);
    g_test_add_func("/json-scan/fault-texts", test_fault_texts);
    return g_test_run();
}
