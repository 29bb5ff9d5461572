/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Bytes come out in the order in which they went in, whatever the sizes; the marks stand where they
 * were set; what would go over a bound is refused whole; and the charge is zero in the end.
 */

#include "queue.h"

#include <string.h>

static const QueueLimits roomy = {.low = 1000, .high = 2000, .hard = 64 * 1024 * 1024};

/* Returns: (transfer full): everything that waits, as one text; and asserts that no piece is empty
 */
static char *all(const Queue *queue)
{
    GString *text = g_string_new(NULL);
    QueuePiece pieces[4096];
    guint n = queue_peek(queue, pieces, G_N_ELEMENTS(pieces));

    for (guint i = 0; i < n; i++) {
        g_assert_cmpuint(pieces[i].len, >, 0);
        g_string_append_len(text, pieces[i].data, (gssize)pieces[i].len);
    }
    g_assert_cmpuint(text->len, ==, queue_length(queue));
    return g_string_free(text, FALSE);
}

static void assert_all(const Queue *queue, const char *expected)
{
    g_autofree char *text = all(queue);

    g_assert_cmpstr(text, ==, expected);
}

static void test_empty(void)
{
    Queue queue;
    QueuePiece piece;

    queue_init(&queue, &roomy, NULL);
    g_assert_cmpuint(queue_length(&queue), ==, 0);
    g_assert_cmpuint(queue_peek(&queue, &piece, 1), ==, 0);
    g_assert_true(queue_is_low(&queue));
    g_assert_false(queue_is_high(&queue));
    g_assert_true(queue_push(&queue, "", 0));
    g_assert_cmpuint(queue_length(&queue), ==, 0);
    g_assert_cmpuint(queue_peek(&queue, &piece, 1), ==, 0);
    queue_clear(&queue);
}

static void test_order(void)
{
    Queue queue;
    g_autoptr(GBytes) shared = g_bytes_new_static("shared ", 7);

    queue_init(&queue, &roomy, NULL);
    g_assert_true(queue_push(&queue, "one ", 4));
    g_assert_true(queue_push_bytes(&queue, shared));
    g_assert_true(queue_push(&queue, "two ", 4));
    g_assert_true(queue_push_bytes(&queue, shared));
    g_assert_true(queue_push(&queue, "three", 5));
    assert_all(&queue, "one shared two shared three");
    queue_pop(&queue, 2);
    assert_all(&queue, "e shared two shared three");
    queue_pop(&queue, 4);
    assert_all(&queue, "ared two shared three");
    queue_pop(&queue, 0);
    queue_pop(&queue, 20);
    assert_all(&queue, "e");
    g_assert_true(queue_push(&queue, "!", 1));
    assert_all(&queue, "e!");
    queue_pop(&queue, 2);
    assert_all(&queue, "");
    queue_clear(&queue);
}

/* The caller's buffer is its own again at once; a hundred small messages are few pieces. */
static void test_gathers(void)
{
    Queue queue;
    QueuePiece pieces[100];
    char text[] = "0123456789";

    queue_init(&queue, &roomy, NULL);
    for (guint i = 0; i < 100; i++) {
        text[0] = (char)('a' + i % 26);
        g_assert_true(queue_push(&queue, text, 10));
    }
    g_assert_cmpuint(queue_peek(&queue, pieces, G_N_ELEMENTS(pieces)), <, 10);
    queue_pop(&queue, 10);
    g_assert_cmpuint(queue_peek(&queue, pieces, 1), ==, 1);
    g_assert_cmpmem(pieces[0].data, 10, "b123456789", 10);
    queue_clear(&queue);
}

/* One text for any number of queues, not a copy each; the last one lets it go. */
static void test_shares(void)
{
    Queue queues[3];
    gsize len = 100000;
    char *text = g_strnfill(len, 'x');
    GBytes *bytes = g_bytes_new_take(text, len);
    GBytes *witness;

    for (guint i = 0; i < G_N_ELEMENTS(queues); i++) {
        QueuePiece piece;

        queue_init(&queues[i], &roomy, NULL);
        g_assert_true(queue_push_bytes(&queues[i], bytes));
        g_assert_cmpuint(queue_peek(&queues[i], &piece, 1), ==, 1);
        g_assert_true(piece.data == text);
        g_assert_cmpuint(piece.len, ==, len);
    }
    witness = g_bytes_ref(bytes);
    g_bytes_unref(bytes);
    queue_pop(&queues[0], len);
    queue_pop(&queues[1], len / 2);
    for (guint i = 0; i < G_N_ELEMENTS(queues); i++)
        queue_clear(&queues[i]);
    g_assert_true(g_bytes_unref_to_data(witness, &len) == text); /* copied, were others left */
    g_free(text);
}

static void test_peek_max(void)
{
    Queue queue;
    QueuePiece pieces[3] = {{NULL, 77}, {NULL, 77}, {NULL, 77}};
    g_autoptr(GBytes) bytes = g_bytes_new_static("shared", 6);

    queue_init(&queue, &roomy, NULL);
    for (guint i = 0; i < 5; i++)
        g_assert_true(queue_push_bytes(&queue, bytes));
    g_assert_cmpuint(queue_peek(&queue, pieces, 2), ==, 2);
    g_assert_cmpuint(pieces[0].len, ==, 6);
    g_assert_cmpuint(pieces[2].len, ==, 77);
    g_assert_cmpuint(queue_peek(&queue, pieces, 0), ==, 0);
    queue_clear(&queue);
}

static void test_marks(void)
{
    Queue queue;
    const QueueLimits limits = {.low = 3, .high = 6, .hard = 10};

    queue_init(&queue, &limits, NULL);
    g_assert_true(queue_push(&queue, "123", 3));
    g_assert_true(queue_is_low(&queue));
    g_assert_true(queue_push(&queue, "4", 1));
    g_assert_false(queue_is_low(&queue));
    g_assert_false(queue_is_high(&queue));
    g_assert_true(queue_push(&queue, "5", 1));
    g_assert_false(queue_is_high(&queue));
    g_assert_true(queue_push(&queue, "6", 1));
    g_assert_true(queue_is_high(&queue));
    queue_pop(&queue, 1);
    g_assert_false(queue_is_high(&queue));
    g_assert_false(queue_is_low(&queue));
    queue_pop(&queue, 2);
    g_assert_true(queue_is_low(&queue));
    queue_clear(&queue);
}

static void test_hard(void)
{
    Queue queue;
    const QueueLimits limits = {.low = 3, .high = 6, .hard = 10};
    g_autoptr(GBytes) four = g_bytes_new_static("ABCD", 4);

    queue_init(&queue, &limits, NULL);
    g_assert_false(queue_push(&queue, "12345678901", 11));
    assert_all(&queue, "");
    g_assert_true(queue_push(&queue, "1234567", 7));
    g_assert_false(queue_push(&queue, "abcd", 4));
    g_assert_false(queue_push_bytes(&queue, four));
    assert_all(&queue, "1234567");
    g_assert_true(queue_push(&queue, "890", 3));
    assert_all(&queue, "1234567890");
    g_assert_false(queue_push(&queue, "x", 1));
    queue_pop(&queue, 4);
    g_assert_true(queue_push_bytes(&queue, four));
    assert_all(&queue, "567890ABCD");
    queue_clear(&queue);
}

/* What waits is charged, at least byte for byte; where that is refused nothing is queued. */
static void test_charge(void)
{
    Queue queue;
    Charge charge;
    g_autofree char *large = g_strnfill(50000, 'x');
    g_autoptr(GBytes) bytes = g_bytes_new_static(large, 50000);

    charge_init(&charge, NULL, 60000);
    queue_init(&queue, &roomy, &charge);
    g_assert_true(queue_push(&queue, large, 50000));
    g_assert_cmpuint(charge.used, >=, 50000);
    gsize used = charge.used;
    g_assert_false(queue_push(&queue, large, 50000));
    g_assert_false(queue_push_bytes(&queue, bytes));
    g_assert_cmpuint(charge.used, ==, used);
    g_assert_cmpuint(queue_length(&queue), ==, 50000);
    queue_pop(&queue, 50000);
    g_assert_cmpuint(charge.used, ==, 0);
    g_assert_true(queue_push_bytes(&queue, bytes));
    g_assert_cmpuint(charge.used, >=, 50000);
    queue_pop(&queue, 1);
    queue_clear(&queue);
    g_assert_cmpuint(charge.used, ==, 0);
    charge_clear(&charge);
}

/* Against the plainest model there is, one text: random pushes and pops, small and large. */
static void test_model(void)
{
    Queue queue;
    Charge charge;
    g_autoptr(GString) model = g_string_new(NULL);
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    guint next = 0;

    charge_init(&charge, NULL, G_MAXSIZE);
    queue_init(&queue, &roomy, &charge);
    for (guint round = 0; round < 3000; round++) {
        gsize len = (gsize)g_rand_int_range(random, 0, round % 16 ? 200 : 12000);
        g_autofree char *text = g_malloc(len + 1);

        for (gsize i = 0; i < len; i++)
            text[i] = (char)('!' + next++ % 90);
        text[len] = '\0';
        if (round % 3 == 0) {
            g_autoptr(GBytes) bytes = g_bytes_new(text, len);

            g_assert_true(queue_push_bytes(&queue, bytes));
        } else {
            g_assert_true(queue_push(&queue, text, len));
        }
        g_string_append_len(model, text, (gssize)len);
        gsize count = (gsize)g_rand_int_range(random, 0, (gint32)MIN(model->len, 900) + 1);
        queue_pop(&queue, count);
        g_string_erase(model, 0, (gssize)count);
        if (round % 64 == 0)
            assert_all(&queue, model->str);
        g_assert_cmpuint(charge.used, >=, queue_length(&queue));
    }
    assert_all(&queue, model->str);
    queue_pop(&queue, model->len);
    g_assert_cmpuint(charge.used, ==, 0);
    queue_clear(&queue);
    charge_clear(&charge);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/queue/empty", test_empty);
    g_test_add_func("/queue/order", test_order);
    g_test_add_func("/queue/gathers", test_gathers);
    g_test_add_func("/queue/shares", test_shares);
    g_test_add_func("/queue/peek-max", test_peek_max);
    g_test_add_func("/queue/marks", test_marks);
    g_test_add_func("/queue/hard", test_hard);
    g_test_add_func("/queue/charge", test_charge);
    g_test_add_func("/queue/model", test_model);
    return g_test_run();
}
