/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * part-slot: what there is of a reply that is sent while a thread still makes it, on its way from
 * that thread to the main loop.
 *
 * Owns that one part of each reply waits, and its thread with the next one in hand, so that a
 * reply costs the same memory however long it is. Leaves what the parts are, and when there is
 * room for one, to its two sides.
 */

#pragma once

#include <glib.h>

/* Begins as zeros. */
typedef struct {
    GBytes *part; /* (nullable): waits to be taken */
    gboolean cut; /* nobody takes parts any more */
} PartSlot;

/* ---- The thread's side ----------------------------------------------------------------------- */

/**
 * part_slot_put:
 * @part: (transfer full)
 *
 * Waits until the part before it was taken.
 *
 * Returns: FALSE where nobody takes it
 */
gboolean part_slot_put(PartSlot *slot, GBytes *part);

/* Waits until the last part was taken, or nobody takes it. */
void part_slot_finish(PartSlot *slot);

/* ---- The main loop's side -------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): NULL where none waits */
GBytes *part_slot_take(PartSlot *slot);

/* Ends all waiting, that to come as well. */
void part_slot_cut(PartSlot *slot);
