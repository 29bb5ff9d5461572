/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The digits are GLib's, for every length and every 12 bits; nothing else is read or written. */

#include "base64-encode.h"

#include <string.h>

/* From and into blocks of just their size, for a sanitizer. */
static void check(const guint8 *bytes, gsize len)
{
    g_autofree char *expected = g_base64_encode(bytes, len);
    g_autofree guint8 *from = g_memdup2(bytes, len);
    gsize encoded = base64_encoded_len(len);
    g_autofree char *to = g_malloc(encoded + 1);

    to[encoded] = 0x55;
    base64_encode(from, len, to);
    g_assert_cmpint(to[encoded], ==, 0x55);
    g_assert_cmpmem(to, encoded, expected, strlen(expected));
}

static void test_known(void)
{
    static const char *const texts[][2] = {{"", ""},         {"f", "Zg=="},
                                           {"fo", "Zm8="},   {"foo", "Zm9v"},
                                           {"\xFF", "/w=="}, {"\xFB\xFF\xBF", "+/+/"}};

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        char digits[4];
        gsize len = strlen(texts[i][0]);

        base64_encode(texts[i][0], len, digits);
        g_assert_cmpmem(digits, base64_encoded_len(len), texts[i][1], strlen(texts[i][1]));
    }
}

static void test_lengths(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(64);
    guint8 bytes[80];

    for (gsize len = 0; len <= sizeof(bytes); len++)
        for (guint round = 0; round < 20; round++) {
            for (gsize i = 0; i < len; i++)
                bytes[i] = (guint8)g_rand_int(random);
            check(bytes, len);
        }
}

/* All pairs of digits, at both places of three bytes. */
static void test_all_bits(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    for (guint i = 0; i < 4096; i++) {
        guint bits = i << 12 | (4095 - i);
        const guint8 three[] = {(guint8)(bits >> 16), (guint8)(bits >> 8), (guint8)bits};

        g_byte_array_append(bytes, three, sizeof(three));
    }
    check(bytes->data, bytes->len);
}

/* Over what is being encoded. */
static void test_in_place(void)
{
    guint8 bytes[80];

    for (gsize i = 0; i < sizeof(bytes); i++)
        bytes[i] = (guint8)(i * 37);
    for (gsize len = 0; len <= sizeof(bytes); len++) {
        const gsize size = base64_encoded_len(len);
        g_autofree char *expected = g_base64_encode(bytes, len);
        g_autofree char *text = g_malloc(size + 1);

        memcpy(text + size - len, bytes, len);
        base64_encode(text + size - len, len, text);
        g_assert_cmpmem(text, size, expected, strlen(expected));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base64-encode/known", test_known);
    g_test_add_func("/base64-encode/lengths", test_lengths);
    g_test_add_func("/base64-encode/all-bits", test_all_bits);
    g_test_add_func("/base64-encode/in-place", test_in_place);
    return g_test_run();
}
