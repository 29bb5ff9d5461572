/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where large buffers come from: whatever size follows on whatever, what was in them stays.
 * A guest chooses these sizes, and there is no failure but the end of the program. */

#include "large-pages.h"

#include "common/buffer.h"

enum { STEP = 256 * 1024 - 1 };

static const gsize MIB = 1 << 20;

static char mark(gsize at)
{
    return (char)(at / STEP + 1);
}

/* A byte in each quarter of a MiB, and the last one: what is not touched takes no memory. */
static void fill(Buffer *buffer)
{
    for (gsize at = 0; at < buffer->size; at += STEP)
        buffer->text[at] = mark(at);
}

static void assert_holds(const char *text, gsize len)
{
    for (gsize at = 0; at < len; at += STEP)
        g_assert_cmpint(text[at], ==, mark(at));
}

static void test_pairs(void)
{
    const gsize sizes[] = {4096,         MIB,      MIB + 1,      3 * MIB + 129,
                           64 * MIB - 1, 64 * MIB, 64 * MIB + 1, 64 * MIB + 5000,
                           65 * MIB,     66 * MIB, 129 * MIB,    130 * MIB + 7};

    for (gsize from = 0; from < G_N_ELEMENTS(sizes); from++)
        for (gsize to = 0; to < G_N_ELEMENTS(sizes); to++) {
            Buffer buffer = {.large = large_pages};

            buffer_resize(&buffer, sizes[from]);
            fill(&buffer);
            buffer_resize(&buffer, sizes[to]);
            assert_holds(buffer.text, MIN(sizes[from], sizes[to]));
            fill(&buffer);
            buffer_resize(&buffer, 2 * MIB + 3);
            assert_holds(buffer.text, MIN(buffer.size, sizes[to]));
            buffer_clear(&buffer);
        }
}

/* Doubled from any beginning, and given away. */
static void test_growth(void)
{
    const gsize beginnings[] = {65, 129, 130, 200, 4096, 5000, 1031};

    for (gsize i = 0; i < G_N_ELEMENTS(beginnings); i++) {
        Buffer buffer = {.large = large_pages};
        g_autoptr(GBytes) bytes = NULL;
        gsize size = beginnings[i];

        for (; size < 140 * MIB; size *= 2) {
            buffer_resize(&buffer, size);
            if (size > beginnings[i])
                assert_holds(buffer.text, size / 2);
            fill(&buffer);
        }
        size = buffer.size;
        bytes = buffer_to_bytes(&buffer, 0, size);
        assert_holds(g_bytes_get_data(bytes, NULL), size);
    }
}

/* Else both ends are made of small pages. */
static void test_alignment(void)
{
    gsize size = MIB;
    char *text = large_pages(NULL, 0, size);

    for (; size < 64 * MIB; size *= 2) {
        text = large_pages(text, size, 2 * size);
        g_assert_cmpuint((gsize)text % (2 * MIB), ==, 0);
    }
    large_pages(text, size, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/large-pages/pairs", test_pairs);
    g_test_add_func("/large-pages/growth", test_growth);
    g_test_add_func("/large-pages/alignment", test_alignment);
    return g_test_run();
}
