/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * turn: what all programs of the benchmarks have in common that measure something.
 *
 * Owns how they take turns: each says "ready" when it is set up, does one turn for each line "go"
 * that it reads, and tells of it in one line, until there is no more to read. So the driver can
 * measure several targets in turn in one run, and a busy moment of the machine meets all of them.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    GArray *ns; /* of gint64: how long each took */
} Turn;

gint64 turn_now_ns(void);
void turn_add(Turn *turn, gint64 ns);

/* Serves until the input ends. Prints for each turn: count, seconds from its first moment to its
 * last, then mean, median and 99th percentile in microseconds. */
void turn_serve(void (*run)(gpointer data, Turn *turn), gpointer data);

/* Ends the program. */
void turn_fail(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

G_END_DECLS
