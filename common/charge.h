/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * charge: memory charged to the peer that costs it.
 *
 * An account has a limit and may have a parent, whose limit holds for all its children together.
 * Owns the arithmetic; what is done when there is no room is for whoever asked.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Charge {
    struct Charge *parent; /* (nullable): must outlive this one */
    gsize limit;
    gsize used;
    gsize peak;
} Charge;

void charge_init(Charge *charge, Charge *parent, gsize limit);

/* Asserts that everything was given back. */
void charge_clear(Charge *charge);

/**
 * charge_take:
 * Returns: FALSE, and nothing is taken anywhere, where this account or one above it has no room
 */
gboolean charge_take(Charge *charge, gsize bytes) G_GNUC_WARN_UNUSED_RESULT;
void charge_give(Charge *charge, gsize bytes);

G_END_DECLS
