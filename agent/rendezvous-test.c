/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each side knows of the other whether it has come in time, and both never think differently. */

#include "agent/rendezvous.h"

enum { TIMES = 300, FOREVER_US = 600 * 1000 * 1000 };

typedef struct {
    Rendezvous rendezvous;
    guint delay_us;
    gboolean kept;
    gboolean told; /* what the thread was told */
} Pair;

static gpointer come(gpointer data)
{
    Pair *pair = data;

    if (pair->delay_us > 0)
        g_usleep(pair->delay_us);
    pair->told = rendezvous_end(&pair->rendezvous, pair->kept);
    return NULL;
}

static Pair meet(guint delay_us, guint wait_us, gboolean kept, gboolean *ret_kept)
{
    Pair pair = {.rendezvous.awaited = TRUE, .delay_us = delay_us, .kept = kept};
    GThread *thread = g_thread_new("thread", come, &pair);

    *ret_kept = rendezvous_wait(&pair.rendezvous, wait_us);
    g_thread_join(thread);
    return pair;
}

static void test_in_time(void)
{
    gboolean kept;

    g_assert_true(meet(1000, FOREVER_US, TRUE, &kept).told);
    g_assert_true(kept);
    g_assert_true(meet(1000, FOREVER_US, FALSE, &kept).told);
    g_assert_false(kept);
}

/* Whoever comes first: the thread is told that it was waited for exactly where it was met. */
static void test_race(void)
{
    for (guint i = 0; i < TIMES; i++) {
        gboolean kept;
        Pair pair = meet(i % 200, i % 170, TRUE, &kept);

        g_assert_true(kept == pair.told);
    }
}

static void test_nobody_waits(void)
{
    Rendezvous rendezvous = {0};

    g_assert_false(rendezvous_end(&rendezvous, TRUE));
}

/* It may have been kept before anybody waits; what is told behind it is told to nobody. */
static void test_before(void)
{
    Rendezvous rendezvous = {.awaited = TRUE};

    g_assert_true(rendezvous_end(&rendezvous, TRUE));
    g_assert_false(rendezvous_end(&rendezvous, FALSE));
    g_assert_true(rendezvous_wait(&rendezvous, FOREVER_US));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rendezvous/in-time", test_in_time);
    g_test_add_func("/rendezvous/race", test_race);
    g_test_add_func("/rendezvous/nobody-waits", test_nobody_waits);
    g_test_add_func("/rendezvous/before", test_before);
    return g_test_run();
}
