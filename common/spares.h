/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spares: what each command takes and gives back again, kept for the next one.
 *
 * Owns a few of one kind for each thread. Leaves what they are to buffer.h and scratch.h.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* static SparesKind texts = SPARES_KIND(g_free); */
typedef struct {
    GPrivate of_thread;
    GDestroyNotify free_item;
} SparesKind;

#define SPARES_KIND(free_item)                   \
    {                                            \
        G_PRIVATE_INIT(spares_free), (free_item) \
    }

/* Returns: (transfer full) (nullable): one that was given before by this thread */
gpointer spares_take(SparesKind *kind);

/* @item: (transfer full): kept or freed */
void spares_give(SparesKind *kind, gpointer item);

/* At the end of a thread. */
void spares_free(gpointer spares);

G_END_DECLS
