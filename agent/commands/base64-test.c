/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What qemu-ga accepts is accepted, with the same result. */

#include "base64.h"

#include <string.h>

static void check(const char *string, const char *expected)
{
    g_autofree guint8 *data = NULL;
    GError *error = NULL;
    gsize len = 0;

    data = base64_decode((JsonSpan){string, strlen(string)}, &len, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(data, len, expected, strlen(expected));
}

static void test_accepted(void)
{
    check("\"\"", "");
    check("\"aGVsbG8gd29ybGQhCg==\"", "hello world!\n");
    check("\"aGVs\"", "hel");
    check("\"aGVsbA==\"", "hell");
    check("\"aGVsbG8=\"", "hello");
    check("\"aG\\nVs\\n\"", "hel");      /* escaped in JSON */
    check("\"aGVs\\u0062A==\"", "hell"); /* the same */
    check("\"aGVsb\"", "hel");           /* cut off */
    check("\"QQ==QQ==\"", "AA");         /* two texts */
    check("'+/+/'", "\xFB\xFF\xBF");
}

static void test_all_bytes(void)
{
    guint8 bytes[256];

    for (guint i = 0; i < sizeof(bytes); i++)
        bytes[i] = (guint8)i;
    for (gsize count = 0; count <= sizeof(bytes); count++) {
        g_autofree char *text = g_base64_encode(bytes + sizeof(bytes) - count, count);
        g_autofree char *string = g_strconcat("\"", text, "\"", NULL);
        gsize len = 0;
        g_autofree guint8 *data = base64_decode((JsonSpan){string, strlen(string)}, &len, NULL);

        g_assert_cmpmem(data, len, bytes + sizeof(bytes) - count, count);
    }
}

/* One character that is no digit, at each place of a text whose digits go in fours. */
static void test_each_place(void)
{
    static const char digits[] = "aGVsbG8gd29ybGQh"; /* hello world! */

    for (int place = 0; place <= 16; place++) {
        g_autofree char *skipped = g_strdup_printf("\"%.*s\\n%s\"", place, digits, digits + place);
        g_autofree char *bad = g_strdup_printf("\"%.*s.%s\"", place, digits, digits + place);
        g_autoptr(GError) error = NULL;
        gsize len;

        check(skipped, "hello world!");
        g_assert_null(base64_decode((JsonSpan){bad, strlen(bad)}, &len, &error));
        g_assert_nonnull(error);
    }
}

static void test_refused(void)
{
    static const char *const bad[] = {"\"aG!s\"", "\"aG s\"", "\"a-_s\"",
                                      "\"\\r\"",  "\"é\"",    "\"\\u0000\""};

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        gsize len;

        g_assert_null(base64_decode((JsonSpan){bad[i], strlen(bad[i])}, &len, &error));
        g_assert_cmpstr(error->message, ==, "Base64 data contains invalid characters");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base64/accepted", test_accepted);
    g_test_add_func("/base64/all-bytes", test_all_bytes);
    g_test_add_func("/base64/each-place", test_each_place);
    g_test_add_func("/base64/refused", test_refused);
    return g_test_run();
}
