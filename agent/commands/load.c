/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "load.h"

#include <math.h>

void load_add(Load *load, double value)
{
    static const double minutes[] = {1, 5, 15};

    for (guint i = 0; i < G_N_ELEMENTS(minutes); i++) {
        double kept = exp(-LOAD_PERIOD_MS / (minutes[i] * 60 * 1000));

        load->averages[i] = load->averages[i] * kept + value * (1 - kept);
    }
}
