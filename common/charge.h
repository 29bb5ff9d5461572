/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * charge: memory charged to the peer that costs it.
 *
 * An account has a limit and may have a parent, whose limit holds for all its children together;
 * but for what is each child's own, so that some who take all there is do not leave the others with
 * nothing. Owns the arithmetic; what is done when there is no room is for whoever asked.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Charge {
    struct Charge *parent; /* (nullable): must outlive this one */
    gsize limit;
    gsize own; /* the first bytes, which the parent is not asked for */
    gsize used;
    gsize peak;
} Charge;

void charge_init(Charge *charge, Charge *parent, gsize limit);

/* The first @bytes need no room in the parent. To be called while nothing is taken. */
void charge_set_own(Charge *charge, gsize bytes);

/* Asserts that everything was given back. */
void charge_clear(Charge *charge);

/**
 * charge_take:
 * Returns: FALSE, and nothing is taken anywhere, where this account or one above it has no room
 */
gboolean charge_take(Charge *charge, gsize bytes) G_GNUC_WARN_UNUSED_RESULT;
void charge_give(Charge *charge, gsize bytes);

G_END_DECLS
