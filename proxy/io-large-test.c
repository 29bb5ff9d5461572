/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where large input buffers come from: whatever size follows on whatever, what was in them stays.
 * A guest chooses these sizes, and there is no failure but the end of the program. */

#include "io.h"

#include "common/buffer.h"
#include "common/stream.h"

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
            Buffer buffer = {.large = io_stream.large};

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
        Buffer buffer = {.large = io_stream.large};
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/io-large/pairs", test_pairs);
    g_test_add_func("/io-large/growth", test_growth);
    return g_test_run();
}
