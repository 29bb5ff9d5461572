/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The index is that which is made byte by byte, of any bytes, at every length, and no byte behind
 * its end is read. Where the processor is none for which there is a fast one, nothing is shown:
 * nothing uses it then.
 */

#include "json-index.h"

#include <string.h>

#include "support/slow-index.h"

static gboolean is_missing(void)
{
    json_index_choose();
    if (!json_index)
        g_test_skip("there is no index for this processor");
    return !json_index;
}

/* In memory of its own, of just that size: a read behind it meets other bytes, or is seen. */
static void check(const guint8 *bytes, gsize len)
{
    static const guint8 after[] = "\"{}x\"";
    g_autofree guint8 *exact = g_memdup2(bytes, len);
    g_autofree guint8 *more = g_malloc(len + sizeof after);
    JsonIndex slow, fast, other;

    memcpy(more, bytes, len);
    memcpy(more + len, after, sizeof after);
    slow_index(&slow, bytes, len);
    json_index(&fast, exact, len);
    json_index(&other, more, len);
    g_assert_cmpuint(fast.n, ==, slow.n);
    g_assert_cmpint(fast.is_short, ==, slow.is_short);
    g_assert_cmpmem(fast.places, fast.n * sizeof(guint16), slow.places, slow.n * sizeof(guint16));
    g_assert_cmpmem(fast.bytes, fast.n + JSON_INDEX_AHEAD, slow.bytes, slow.n + JSON_INDEX_AHEAD);
    g_assert_cmpuint(other.n, ==, slow.n);
    g_assert_cmpmem(other.bytes, other.n, slow.bytes, slow.n);
}

/* Every byte at every place of two blocks that are full of another; x are in a string. */
static void test_each_byte(void)
{
    static const char others[] = "1 [\"x";
    guint8 text[JSON_INDEX_BLOCK + 6];

    if (is_missing())
        return;
    for (const char *other = others; *other; other++)
        for (gsize place = 0; place < sizeof text; place++)
            for (guint byte = 0; byte < 256; byte++) {
                memset(text, *other, sizeof text);
                if (*other == 'x')
                    text[0] = text[sizeof text - 1] = '"';
                text[place] = (guint8)byte;
                check(text, sizeof text);
            }
}

static void test_each_length(void)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (is_missing())
        return;
    for (gsize len = 0; len <= JSON_INDEX_BYTES; len++) {
        check((const guint8 *)text->str, len);
        g_string_append_c(text, "{\"a\": 12,\"bcd\":[true ]}\n"[len % 24]);
    }
}

static void test_random(void)
{
    static const char alphabet[] = "\"\"\"{}[]:, \n\t\r\\'\x01\x0C\x1A\x7F\x80\xA2\xFF"
                                   "aaaaaaaaaaaaaaaaaaaa11111";

    if (is_missing())
        return;
    for (guint round = 0; round < 20000; round++) {
        guint8 bytes[400];
        gsize len = (gsize)g_test_rand_int_range(0, sizeof bytes);
        /* Often without the bytes at which it ends. */
        gint32 from = g_test_rand_int_range(0, 2) * 22;

        for (gsize i = 0; i < len; i++)
            bytes[i] = (guint8)alphabet[g_test_rand_int_range(from, sizeof alphabet - 1)];
        for (gsize i = 0; from > 0 && i < len; i += (gsize)g_test_rand_int_range(1, 9))
            bytes[i] = (guint8)alphabet[g_test_rand_int_range(0, 14)];
        check(bytes, len);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-index/each-byte", test_each_byte);
    g_test_add_func("/json-index/each-length", test_each_length);
    g_test_add_func("/json-index/random", test_random);
    return g_test_run();
}
