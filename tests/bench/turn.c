/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

gint64 turn_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

void turn_add(Turn *turn, gint64 ns)
{
    g_array_append_val(turn->ns, ns);
}

void turn_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: ", g_get_prgname() ? g_get_prgname() : "bench");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

static int compare(gconstpointer a, gconstpointer b)
{
    const gint64 *left = a;
    const gint64 *right = b;

    return (*left > *right) - (*left < *right);
}

static double percentile(const GArray *ns, guint percent)
{
    guint at = (ns->len - 1) * percent / 100;

    return (double)g_array_index(ns, gint64, at) / 1e3;
}

static void tell(GArray *ns, gint64 took)
{
    gint64 total = 0;

    if (ns->len == 0)
        turn_fail("nothing was measured");
    g_array_sort(ns, compare);
    for (guint i = 0; i < ns->len; i++)
        total += g_array_index(ns, gint64, i);
    printf("%u %.9f %.4f %.4f %.4f\n", ns->len, (double)took / 1e9, (double)total / 1e3 / ns->len,
           percentile(ns, 50), percentile(ns, 99));
    fflush(stdout);
}

void turn_serve(void (*run)(gpointer data, Turn *turn), gpointer data)
{
    Turn turn = {g_array_new(FALSE, FALSE, sizeof(gint64))};
    char line[16];

    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        gint64 began = turn_now_ns();

        g_array_set_size(turn.ns, 0);
        run(data, &turn);
        tell(turn.ns, turn_now_ns() - began);
    }
    g_array_free(turn.ns, TRUE);
}
