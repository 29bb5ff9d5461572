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

void charge_set_own(Charge *charge, gsize bytes)
{
    g_assert(charge->used == 0);
    charge->own = bytes;
}

/* What the parent is charged with when this account holds @used. */
static gsize passed_on(const Charge *charge, gsize used)
{
    return used > charge->own ? used - charge->own : 0;
}

gboolean charge_take(Charge *charge, gsize bytes)
{
    gsize part = bytes;

    for (const Charge *at = charge; at; at = at->parent) {
        if (at->used > at->limit || part > at->limit - at->used) /* a limit may have been lowered */
            return FALSE;
        part = passed_on(at, at->used + part) - passed_on(at, at->used);
    }
    part = bytes;
    for (Charge *at = charge; at; at = at->parent) {
        gsize before = at->used;

        at->used += part;
        at->peak = MAX(at->peak, at->used);
        part = passed_on(at, at->used) - passed_on(at, before);
    }
    return TRUE;
}

void charge_give(Charge *charge, gsize bytes)
{
    gsize part = bytes;

    for (Charge *at = charge; at; at = at->parent) {
        gsize before = at->used;

        g_assert(part <= before);
        at->used -= part;
        part = passed_on(at, before) - passed_on(at, at->used);
    }
}
