/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "buffer.h"

#include <string.h>

static const gsize sizes[] = {1,
                              100,
                              BUFFER_SMALL - 1,
                              BUFFER_SMALL,
                              BUFFER_SMALL + 1,
                              BUFFER_LARGE - 1,
                              BUFFER_LARGE,
                              BUFFER_LARGE + 1,
                              9 << 20};

static gsize large_bytes; /* that are not given back */

static gpointer large(gpointer text, gsize from, gsize to)
{
    g_assert_true((text != NULL) == (from >= BUFFER_LARGE));
    g_assert_true(to == 0 || to >= BUFFER_LARGE);
    large_bytes += to - from;
    return to > 0 ? g_realloc(text, to) : (g_free(text), NULL);
}

static char expected(gsize at)
{
    return (char)(at * 7 + at / 4096);
}

static void fill(Buffer *buffer)
{
    for (gsize at = 0; at < buffer->size; at++)
        buffer->text[at] = expected(at);
}

static void assert_holds(const char *text, gsize from, gsize len)
{
    for (gsize at = 0; at < len; at++)
        if (text[at] != expected(from + at)) /* g_assert() in this loop takes a second */
            g_error("byte %" G_GSIZE_FORMAT " differs", from + at);
}

/* From each size to each, what fits stays. */
static void assert_resizes(BufferLarge source)
{
    for (gsize from = 0; from < G_N_ELEMENTS(sizes); from++)
        for (gsize to = 0; to < G_N_ELEMENTS(sizes); to++) {
            Buffer buffer = {.large = source};

            buffer_resize(&buffer, sizes[from]);
            g_assert_cmpuint(buffer.size, ==, sizes[from]);
            fill(&buffer);
            buffer_resize(&buffer, sizes[to]);
            g_assert_cmpuint(buffer.size, ==, sizes[to]);
            assert_holds(buffer.text, 0, MIN(sizes[from], sizes[to]));
            buffer_clear(&buffer);
            g_assert_null(buffer.text);
            g_assert_cmpuint(buffer.size, ==, 0);
        }
}

static void test_resize(void)
{
    assert_resizes(NULL);
    assert_resizes(large);
    g_assert_cmpuint(large_bytes, ==, 0);
}

/* A spare is one owner's at a time. */
static void test_apart(void)
{
    Buffer buffers[5] = {0};

    for (guint round = 0; round < 3; round++) {
        for (guint i = 0; i < 5; i++) {
            buffer_resize(&buffers[i], BUFFER_SMALL);
            memset(buffers[i].text, 'a' + (int)i, BUFFER_SMALL);
        }
        for (guint i = 0; i < 5; i++)
            for (gsize at = 0; at < BUFFER_SMALL; at++)
                g_assert_cmpint(buffers[i].text[at], ==, 'a' + (int)i);
        for (guint i = 0; i < 5; i++)
            buffer_clear(&buffers[i]);
    }
}

/* Bytes outlive the buffer that they were in, whichever its size. */
static void assert_gives_bytes(BufferLarge source)
{
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Buffer buffer = {.large = source};
        g_autoptr(GBytes) bytes = NULL;

        buffer_resize(&buffer, sizes[i]);
        fill(&buffer);
        bytes = buffer_to_bytes(&buffer, sizes[i] / 3, sizes[i] / 2);
        g_assert_null(buffer.text);
        g_assert_cmpuint(buffer.size, ==, 0);
        g_assert_cmpuint(g_bytes_get_size(bytes), ==, sizes[i] / 2);
        assert_holds(g_bytes_get_data(bytes, NULL), sizes[i] / 3, sizes[i] / 2);
    }
}

static void test_bytes(void)
{
    assert_gives_bytes(NULL);
    assert_gives_bytes(large);
    g_assert_cmpuint(large_bytes, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/buffer/resize", test_resize);
    g_test_add_func("/buffer/apart", test_apart);
    g_test_add_func("/buffer/bytes", test_bytes);
    return g_test_run();
}
