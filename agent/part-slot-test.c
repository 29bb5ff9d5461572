/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Parts arrive whole and in order, one at a time, and nobody waits for who is gone. */

#include "agent/part-slot.h"

#include <string.h>

enum { PARTS = 1000 };

typedef struct {
    PartSlot slot;
    gint put;   /* atomic: parts that were handed over, before each is */
    gint ended; /* atomic */
    gboolean wanted;
} Maker;

static GBytes *part_new(gint number)
{
    return g_bytes_new(&number, sizeof(number));
}

static gpointer make_parts(gpointer data)
{
    Maker *maker = data;

    maker->wanted = TRUE;
    for (gint i = 0; i < PARTS && maker->wanted; i++) {
        g_atomic_int_set(&maker->put, i + 1);
        maker->wanted = part_slot_put(&maker->slot, part_new(i));
    }
    part_slot_finish(&maker->slot);
    g_atomic_int_set(&maker->ended, TRUE);
    return NULL;
}

/* Returns: (transfer full): the next part */
static GBytes *await_part(Maker *maker)
{
    GBytes *part;

    while ((part = part_slot_take(&maker->slot)) == NULL)
        g_thread_yield();
    return part;
}

static void check_part(Maker *maker, gint number)
{
    g_autoptr(GBytes) part = await_part(maker);
    g_autoptr(GBytes) expected = part_new(number);

    g_assert_true(g_bytes_equal(part, expected));
    /* Behind the one that was taken may be one that waits, and one in hand. */
    g_assert_cmpint(g_atomic_int_get(&maker->put), <=, number + 3);
}

static void test_order(void)
{
    Maker maker = {0};
    GThread *thread = g_thread_new("maker", make_parts, &maker);

    for (gint i = 0; i < PARTS; i++) {
        g_assert_false(g_atomic_int_get(&maker.ended));
        check_part(&maker, i);
    }
    g_thread_join(thread);
    g_assert_true(maker.wanted);
    g_assert_null(part_slot_take(&maker.slot));
}

static void test_cut(void)
{
    Maker maker = {0};
    GThread *thread = g_thread_new("maker", make_parts, &maker);

    check_part(&maker, 0);
    part_slot_cut(&maker.slot);
    g_thread_join(thread);
    g_assert_false(maker.wanted);
    g_assert_null(part_slot_take(&maker.slot));
}

/* Who is cut off before the first part is told with it. */
static void test_cut_before(void)
{
    Maker maker = {0};

    part_slot_cut(&maker.slot);
    make_parts(&maker);
    g_assert_false(maker.wanted);
    g_assert_cmpint(maker.put, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/part-slot/order", test_order);
    g_test_add_func("/part-slot/cut", test_cut);
    g_test_add_func("/part-slot/cut-before", test_cut_before);
    return g_test_run();
}
