/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * load: averages of how many want a processor, as Unix counts them: older values count less and
 * less. Pure.
 */

#pragma once

#include <glib.h>

/* Between two values. */
enum { LOAD_PERIOD_MS = 5000 };

typedef struct {
    double averages[3]; /* over 1, 5 and 15 minutes */
} Load;

/* The value that there is now, LOAD_PERIOD_MS after the last one. */
void load_add(Load *load, double value);
