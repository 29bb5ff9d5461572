/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The run ends where bytes looked at one by one say, at every alignment and every length, and no
 * byte behind its end is read. Built with each of the two files: they answer alike because both
 * answer like the reference.
 */

#include "json-run.h"

#include <string.h>

#include "support/scan-log.h"

enum { LONGEST = 70, ALIGNMENTS = 17 };

static const char *reference(const char *at, const char *end, char quote)
{
    while (at < end && (guint8)*at >= 0x20 && (guint8)*at < 0x7F && *at != quote && *at != '\\')
        at++;
    return at;
}

/* In memory of its own, of just that size: a sanitizer sees a read behind it. */
static void check(const char *text, gsize len)
{
    for (gsize shift = 0; shift < ALIGNMENTS; shift++) {
        g_autofree char *bytes = g_malloc(shift + len + 1);
        const char *at = bytes + shift, *end = at + len;

        memcpy(bytes + shift, text, len);
        bytes[shift + len] = 'x'; /* plain: the end is found by its place */
        g_assert_true(json_run(at, end, '"') == reference(at, end, '"'));
        g_assert_true(json_run(at, end, '\'') == reference(at, end, '\''));
    }
}

/* Every byte at every place of every length, among plain ones. */
static void test_each_byte(void)
{
    char text[LONGEST];

    for (gsize len = 1; len <= 33; len++)
        for (gsize place = 0; place < len; place++)
            for (guint byte = 0; byte < 256; byte++) {
                memset(text, 'A', len);
                text[place] = (char)byte;
                g_assert_true(json_run(text, text + len, '"') == reference(text, text + len, '"'));
                g_assert_true(json_run(text, text + len, '\'') ==
                              reference(text, text + len, '\''));
            }
}

static void test_plain(void)
{
    char text[LONGEST];

    for (gsize len = 0; len <= LONGEST; len++) {
        memset(text, '~', len);
        check(text, len);
        memset(text, ' ', len);
        check(text, len);
    }
}

/* Several that end a run, of which the first counts: a borrow from one must not hide another. */
static void test_random(void)
{
    static const char alphabet[] = "\x80\x01\x1F\x20\x21\"#'(\\[]\x7E\x7F\xFF~~~~~~~~AAAAAAAA";
    g_autoptr(GRand) random = g_rand_new_with_seed(16);
    char text[LONGEST];

    for (guint round = 0; round < 3000; round++) {
        gsize len = (gsize)g_rand_int_range(random, 0, LONGEST + 1);
        gsize plain = (gsize)g_rand_int_range(random, 0, LONGEST + 1);

        for (gsize i = 0; i < len; i++)
            text[i] = i < plain ? 'a' : alphabet[g_rand_int_range(random, 0, sizeof(alphabet) - 1)];
        check(text, len);
    }
}

/* The scanner, which passes over long runs: what one ends at is found at each place of it, whole or
 * cut. */
static void test_scanned(void)
{
    static const struct {
        const char *piece;
        const char *fault; /* (nullable) */
        guint at;
    } cases[] = {
        {"\x7f", NULL, 0},
        {"'", NULL, 0},
        {"\\\"", NULL, 0},
        {"\xc3\xa9", NULL, 0},
        {"\xe2\x82\xac", NULL, 0},
        {"\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x81", NULL, 0},
        {"\xf0\x9f\x98\x80\xc3\xa9", NULL, 0},
        {"\xc3\xa9\xed\xa0\x80", "syntax", 3},
        {"\xe2\x82\xac\xe0\x80\x80", "syntax", 4},
        {"\xc3\xa9\xef\xbf\xbf", "syntax", 4},
        {"\xef\xb7\x90", "syntax", 2},
        {"\xc3\xa9\xc3(", "syntax", 3},
        {"\xe2\x82(", "syntax", 2},
        {"\t", "lexical", 0},
        {"\x1f", "reset", 0},
    };
    ScanLogSetup setup = {.limits = scan_log_limits, .places = TRUE};

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        for (int before = 0; before <= 34; before++) {
            g_autofree char *value = g_strdup_printf(
                "\"%.*s%s%.*s\"", before, "0123456789abcdefghijklmnopqrstuvwxyz", cases[i].piece,
                34 - before, "0123456789abcdefghijklmnopqrstuvwxyz");
            g_autofree char *input = g_strconcat(value, "\n", NULL);
            g_autofree char *expected =
                cases[i].fault
                    ? g_strdup_printf("! %s@%u\n", cases[i].fault, 1 + (guint)before + cases[i].at)
                    : g_strdup_printf("= %s\n", value);
            g_autofree char *log = cut_everywhere(&scan_log_subject, &setup, input, strlen(input));

            if (cases[i].fault)
                g_assert_true(g_str_has_prefix(log, expected));
            else
                g_assert_cmpstr(log, ==, expected);
        }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-run/each-byte", test_each_byte);
    g_test_add_func("/json-run/plain", test_plain);
    g_test_add_func("/json-run/random", test_random);
    g_test_add_func("/json-run/scanned", test_scanned);
    return g_test_run();
}
