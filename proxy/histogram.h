/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * histogram: how long things took, counted in buckets with fixed bounds.
 *
 * Owns the bounds and the counts. Leaves reading a clock to whoever records, and the form in which
 * it is told to status.h and metrics.h. Recording takes some 3 ns: each command of each client is
 * recorded twice.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

enum { HISTOGRAM_BOUNDS = 19 };

/* Microseconds, each included in its bucket: from a ping of QEMU, 0.1 ms, to a freeze that waits
 * for the guest's writers. */
extern const guint64 histogram_bounds_us[HISTOGRAM_BOUNDS];

typedef struct {
    guint64
        counts[HISTOGRAM_BOUNDS + 1]; /* above the bound before, up to this one; last the rest */
    guint64 sum_us;
} Histogram;

/* @us: counts as 0 where it is less */
void histogram_record(Histogram *histogram, gint64 us);

/* @histogram counts what @other does as well. */
void histogram_add(Histogram *histogram, const Histogram *other);

/* Returns: how many took at most histogram_bounds_us[@bound]; with HISTOGRAM_BOUNDS, how many there
 * are */
guint64 histogram_up_to(const Histogram *histogram, guint bound);

/* How long a lane takes: commands of clients that were answered, up to the answer. */
typedef struct {
    Histogram taken; /* from when the command was taken from its client */
    Histogram sent;  /* from when it was sent */
} Latency;

void latency_add(Latency *latency, const Latency *other);

G_END_DECLS
