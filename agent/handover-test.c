/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Pieces arrive whole and in order, one at a time, and nobody waits for who is gone. */

#include "agent/handover.h"

#include <string.h>

enum { PIECES = 1000 };

typedef struct {
    Handover handover;
    gint put;   /* atomic: pieces that were handed over, before each is */
    gint ended; /* atomic */
    gboolean wanted;
} Maker;

static GBytes *piece_new(gint number)
{
    return g_bytes_new(&number, sizeof(number));
}

static gpointer make_pieces(gpointer data)
{
    Maker *maker = data;

    maker->wanted = TRUE;
    for (gint i = 0; i < PIECES && maker->wanted; i++) {
        g_atomic_int_set(&maker->put, i + 1);
        maker->wanted = handover_put(&maker->handover, piece_new(i));
    }
    handover_finish(&maker->handover);
    g_atomic_int_set(&maker->ended, TRUE);
    return NULL;
}

/* Returns: (transfer full): the next piece */
static GBytes *await_piece(Maker *maker)
{
    GBytes *piece;

    while ((piece = handover_take(&maker->handover)) == NULL)
        g_thread_yield();
    return piece;
}

static void check_piece(Maker *maker, gint number)
{
    g_autoptr(GBytes) piece = await_piece(maker);
    g_autoptr(GBytes) expected = piece_new(number);

    g_assert_true(g_bytes_equal(piece, expected));
    /* Behind the one that was taken may be one that waits, and one in hand. */
    g_assert_cmpint(g_atomic_int_get(&maker->put), <=, number + 3);
}

static void test_order(void)
{
    Maker maker = {0};
    GThread *thread = g_thread_new("maker", make_pieces, &maker);

    for (gint i = 0; i < PIECES; i++) {
        g_assert_false(g_atomic_int_get(&maker.ended));
        check_piece(&maker, i);
    }
    g_thread_join(thread);
    g_assert_true(maker.wanted);
    g_assert_null(handover_take(&maker.handover));
}

static void test_cut(void)
{
    Maker maker = {0};
    GThread *thread = g_thread_new("maker", make_pieces, &maker);

    check_piece(&maker, 0);
    handover_cut(&maker.handover);
    g_thread_join(thread);
    g_assert_false(maker.wanted);
    g_assert_null(handover_take(&maker.handover));
}

/* Who is cut off before the first piece is told with it. */
static void test_cut_before(void)
{
    Maker maker = {0};

    handover_cut(&maker.handover);
    make_pieces(&maker);
    g_assert_false(maker.wanted);
    g_assert_cmpint(maker.put, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/handover/order", test_order);
    g_test_add_func("/handover/cut", test_cut);
    g_test_add_func("/handover/cut-before", test_cut_before);
    return g_test_run();
}
