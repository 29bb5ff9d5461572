/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The short way, with an index and without, and the long one say the same of any input, whatever is
 * wrong in it, wherever it is cut and whichever limit it comes near; and the short way does take
 * what it is there for.
 *
 * Documents are made at random, near enough to JSON that both ways get far, and then broken in few
 * places. A failure is seen again with the seed that the test prints.
 */

#include "json-scan-private.h"

#include <string.h>

#include "limits.h"
#include "support/scan-log.h"
#include "support/slow-index.h"

enum { DOCUMENTS = 4000 };

static const char *pick(const char *const *from, guint n)
{
    return from[g_test_rand_int_range(0, (gint32)n)];
}

static void append_space(GString *out)
{
    static const char *const spaces[] = {"", "", "", "", " ", " ", "\t", "\r\n", "  \n "};

    g_string_append(out, pick(spaces, G_N_ELEMENTS(spaces)));
}

static void append_name(GString *out)
{
    static const char *const names[] = {
        "\"a\"",        "\"b\"",         "\"\"",        "'a'",
        "\"\\u0061\"",  "\"return\"",    "\"abcdefg\"", "\"abcdefgh\"",
        "\"abcdefgi\"", "\"z\xc3\xa9\"", "\"\\u00e9\"", "\"of-more-than-sixteen-bytes\"",
    };

    if (g_test_rand_int_range(0, 3) > 0)
        g_string_append_printf(out, "\"n%d\"", g_test_rand_int_range(0, 100));
    else
        g_string_append(out, pick(names, G_N_ELEMENTS(names)));
}

static void append_scalar(GString *out)
{
    static const char *const scalars[] = {
        "0",
        "-0",
        "1",
        "-17",
        "4096",
        "00",
        "-",
        "01",
        "1.5",
        "2e3",
        "-0.1E+2",
        "1.",
        "12345678901234567890",
        "true",
        "false",
        "null",
        "nul",
        "truely",
        "True",
        "\"\"",
        "\"x\"",
        "'x'",
        "\"a\\n\"",
        "\"\\ud834\"",
        "\"\xff\"",
        "\"\x7f\"",
        "\"\xe2\x82\xac\"",
        "1e",
        "1.e2",
        "-0.0e-10",
        "3E+x",
        "\"\\u20ac\"",
        "\"\\uFFFF\"",
        "\"\\ud83d\\ude00\"",
        "\"\\u12g4\"",
        "\"\\x\"",
        "\"\\\\\"",
        "\"\\\"\\'\\/\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\xef\xbf\xbf\"",
        "\"\xed\xa0\x80\"",
        "\"0123456789abcdef0123456789abcdef\"",
        "\"0123456789abcde\"",
        "\"0123456789abcdef\"",
    };

    g_string_append(out, pick(scalars, G_N_ELEMENTS(scalars)));
}

/* Up to where values have others in them. */
static gsize nests_to;

static void append_value(GString *out, guint depth);

static void append_container(GString *out, guint depth, gboolean object)
{
    gint32 members = g_test_rand_int_range(0, g_test_rand_int_range(0, 8) == 0 ? 40 : 5);

    g_string_append_c(out, object ? '{' : '[');
    for (gint32 i = 0; i < members; i++) {
        append_space(out);
        if (object) {
            append_name(out);
            append_space(out);
            g_string_append_c(out, ':');
            append_space(out);
        }
        append_value(out, depth + 1);
        append_space(out);
        if (i < members - 1)
            g_string_append_c(out, ',');
    }
    append_space(out);
    g_string_append_c(out, object ? '}' : ']');
}

static void append_value(GString *out, guint depth)
{
    gint32 kind = g_test_rand_int_range(0, 6);

    if (kind < 2 && depth < 12 && out->len < nests_to)
        append_container(out, depth, kind == 0);
    else
        append_scalar(out);
}

/* A byte is left out, put in, or another. */
static void break_somewhere(GString *out)
{
    static const char bytes[] = "{}[]:,\"'\\ \n0-1.etn/\x01\x1f\x7f\x80\xc3\xff";
    gssize place = g_test_rand_int_range(0, (gint32)out->len);
    char byte = bytes[g_test_rand_int_range(0, sizeof bytes - 1)];

    switch (g_test_rand_int_range(0, 3)) {
    case 0: g_string_erase(out, place, 1); break;
    case 1: g_string_insert_c(out, place, byte); break;
    default: out->str[place] = byte;
    }
}

static GString *make_document(void)
{
    static const char *const starts[] = {"", "", " ", "\n", "\xff", "\xff\xff"};
    GString *out = g_string_new(NULL);
    gint32 breaks = g_test_rand_int_range(0, 4);

    /* Some are longer than an index. */
    nests_to = g_test_rand_int_range(0, 20) == 0 ? 2 * JSON_INDEX_BYTES : 600;
    for (gint32 values = g_test_rand_int_range(1, 4); values > 0; values--) {
        g_string_append(out, pick(starts, G_N_ELEMENTS(starts)));
        append_container(out, 0, g_test_rand_int_range(0, 2));
    }
    for (; breaks > 0 && out->len > 0; breaks--)
        break_somewhere(out);
    return out;
}

static JsonScanLimits make_limits(gsize len)
{
    JsonScanLimits limits = scan_log_limits;

    switch (g_test_rand_int_range(0, 5)) {
    case 0: limits.bytes = (gsize)g_test_rand_int_range(1, (gint32)len + 2); break;
    case 1: limits.tokens = (guint)g_test_rand_int_range(1, 60); break;
    case 2: limits.nesting = (guint)g_test_rand_int_range(0, 5); break;
    default: break;
    }
    return limits;
}

static char *log_of(ScanLogSetup setup, ScanLogWay way, const GString *document)
{
    setup.way = way;
    return cut_seeded(&scan_log_subject, &setup, document->str, document->len,
                      (guint32)document->len);
}

static void test_same(void)
{
    for (guint i = 0; i < DOCUMENTS; i++) {
        g_autoptr(GString) document = make_document();
        ScanLogSetup setup = {.limits = make_limits(document->len), .places = TRUE};
        g_autofree char *by_long_way = log_of(setup, SCAN_LOG_LONG, document);

        for (ScanLogWay way = SCAN_LOG_AS_IT_IS; way <= SCAN_LOG_IN_TURNS; way++) {
            g_autofree char *log = log_of(setup, way, document);

            if (strcmp(log, by_long_way) != 0) {
                g_autofree char *escaped = g_strescape(document->str, NULL);

                g_test_message("way %d, input: %s", way, escaped);
            }
            g_assert_cmpstr(log, ==, by_long_way);
        }
    }
}

/* What the state of the scanner is between two tokens, in the words of what json-whole.c writes. */
static char *state_of(const JsonScan *scan)
{
    GString *state = g_string_new(NULL);

    g_string_printf(state, "%d %d %d at %" G_GSIZE_FORMAT ", %" G_GSIZE_FORMAT " %u, %d %d ",
                    scan->mode, scan->lexer, scan->expect, scan->start, scan->pos, scan->tokens,
                    (int)scan->braces, (int)scan->brackets);
    for (guint level = 0; level < json_scan_depth(scan); level++)
        g_string_append_c(state, json_scan_is_object_at(scan, level) ? '{' : '[');
    return g_string_free(state, FALSE);
}

/* It goes to the end by itself, and stands behind each token as the long way does, or before the
 * next. A text that an index does not like is taken in several calls. */
static void check_taken(const char *text)
{
    gsize len = strlen(text);

    for (gsize cut = 1; cut <= len; cut++) {
        JsonScan ours, other;
        JsonLevels levels;
        Step step = STEP_ON;
        gsize was;

        json_scan_init(&ours, &scan_log_limits);
        json_scan_init(&other, &scan_log_limits);
        json_keys_init(&levels.keys);
        ours.levels = &levels;
        do {
            was = ours.pos;
            step = json_whole_tokens(&ours, (const guint8 *)text, cut);
        } while (step == STEP_ON && ours.pos > was && ours.pos < cut);
        g_assert_cmpint(step, ==, cut == len ? STEP_VALUE : STEP_ON);
        g_assert_cmpint(json_scan_next_long(&other, text, ours.pos), ==,
                        cut == len ? JSON_SCAN_VALUE : JSON_SCAN_MORE);
        g_autofree char *state = state_of(&ours), *expected = state_of(&other);
        g_assert_cmpstr(state, ==, expected);
        json_keys_free(&levels.keys);
        json_scan_clear(&other);
    }
}

static void check_all_taken(void)
{
    check_taken("{\"execute\": \"guest-ping\", \"id\": \"libvirt-1\"}");
    check_taken(
        "{\"return\":[{\"name\":\"lo\",\"up\":true,\"mtu\":65536},{},[],[[-1,0,null,false]]],"
        "\"id\": 17}");
    check_taken(
        "[\"0123456789abcdef0123456789abcdef\", {\"a\": {\"a\": {\"b\": 1, \"a\": 2} } }\r\n]");
    check_taken("{\"a\":\"b\",\"c\": \"d\" , \"e\":\"\",\"f\":[\"\",\"\"],\"g\" : \"\"}");
    check_taken(
        "[0.5, -1.25e+10, 1E0, \"\\n\\u20ac \\\\\", \"\xc3\xa9\xe2\x82\xac\\\"\x7f\", {\"\\t\": "
        "\"\\\"\", \"\xc3\xa9\": 1}, [ ]\n, {\t}, 1]");
}

static void test_taken_by_bytes(void)
{
    json_index_choose();
    json_index = NULL;
    check_all_taken();
}

static void test_taken_by_index(void)
{
    json_index_choose();
    json_index = slow_index;
    check_all_taken();
}

/* A long message goes in few steps: the index is made of more and more. */
static void test_taken_long(void)
{
    g_autoptr(GString) text = g_string_new("[");
    JsonLevels levels;
    JsonScan scan;

    json_index_choose();
    json_index = slow_index;
    for (guint i = 0; i < 3000; i++)
        g_string_append_printf(text, "{\"name\": \"n%u\", \"of\": [%u]}, ", i, i);
    g_string_append(text, "0]");
    json_scan_init(&scan, &scan_log_limits);
    json_keys_init(&levels.keys);
    scan.levels = &levels;
    g_assert_cmpint(json_whole_tokens(&scan, (const guint8 *)text->str, text->len), ==, STEP_VALUE);
    g_assert_cmpuint(scan.end, ==, text->len);
    json_keys_free(&levels.keys);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-whole/same", test_same);
    g_test_add_func("/json-whole/taken-by-bytes", test_taken_by_bytes);
    g_test_add_func("/json-whole/taken-by-index", test_taken_by_index);
    g_test_add_func("/json-whole/taken-long", test_taken_long);
    return g_test_run();
}
