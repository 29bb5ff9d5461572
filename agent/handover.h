/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * handover: a reply that is sent while a thread still makes it, from that thread to the main loop.
 *
 * Owns that of each reply one piece waits, and its thread with the next one in hand, so that a
 * reply costs the same memory however long it is. Leaves what the pieces are, and when there is
 * room for one, to its two sides.
 */

#pragma once

#include <glib.h>

/* Begins as zeros. */
typedef struct {
    GBytes *piece; /* (nullable): waits to be taken */
    gboolean cut;  /* nobody takes pieces any more */
} Handover;

/* ---- The thread's side ----------------------------------------------------------------------- */

/**
 * handover_put:
 * @piece: (transfer full)
 *
 * Waits until the piece before it was taken.
 *
 * Returns: FALSE where nobody takes it
 */
gboolean handover_put(Handover *handover, GBytes *piece);

/* Waits until the last piece was taken, or nobody takes it. */
void handover_finish(Handover *handover);

/* ---- The main loop's side -------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): NULL where none waits */
GBytes *handover_take(Handover *handover);

/* Ends all waiting, that to come as well. */
void handover_cut(Handover *handover);
