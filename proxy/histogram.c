/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "histogram.h"

#define MS *1000
#define S  *1000000

const guint64 histogram_bounds_us[HISTOGRAM_BOUNDS] = {
    100,    250,    500, 1 MS,    2500, 5 MS, 10 MS, 25 MS, 50 MS, 100 MS,
    250 MS, 500 MS, 1 S, 2500 MS, 5 S,  10 S, 30 S,  60 S,  300 S,
};

/* Most commands take less than a millisecond, and so are found among the first. */
void histogram_record(Histogram *histogram, gint64 us)
{
    guint64 took = (guint64)MAX(us, 0);
    guint at = 0;

    while (at < HISTOGRAM_BOUNDS && took > histogram_bounds_us[at])
        at++;
    histogram->counts[at]++;
    histogram->sum_us += took;
}

void histogram_add(Histogram *histogram, const Histogram *other)
{
    for (guint i = 0; i <= HISTOGRAM_BOUNDS; i++)
        histogram->counts[i] += other->counts[i];
    histogram->sum_us += other->sum_us;
}

guint64 histogram_up_to(const Histogram *histogram, guint bound)
{
    guint64 count = 0;

    for (guint i = 0; i <= bound; i++)
        count += histogram->counts[i];
    return count;
}

void latency_add(Latency *latency, const Latency *other)
{
    histogram_add(&latency->taken, &other->taken);
    histogram_add(&latency->sent, &other->sent);
}
