/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "charge.h"

void charge_init(Charge *charge, Charge *parent, gsize limit)
{
    *charge = (Charge){.parent = parent, .limit = limit};
}

void charge_clear(Charge *charge)
{
    g_assert(charge->used == 0);
}

gboolean charge_take(Charge *charge, gsize bytes)
{
    for (const Charge *at = charge; at; at = at->parent)
        if (bytes > at->limit - at->used)
            return FALSE;
    for (Charge *at = charge; at; at = at->parent) {
        at->used += bytes;
        at->peak = MAX(at->peak, at->used);
    }
    return TRUE;
}

void charge_give(Charge *charge, gsize bytes)
{
    for (Charge *at = charge; at; at = at->parent) {
        g_assert(bytes <= at->used);
        at->used -= bytes;
    }
}
