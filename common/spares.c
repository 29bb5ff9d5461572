/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "spares.h"

/* As many as are in use at once while a command goes from its client to the agent or to QEMU, and
 * its reply back. */
enum { SPARES = 3 };

#ifdef __SANITIZE_ADDRESS__
enum { KEEPS = FALSE }; /* else it would not see that one is used after it was given back */
#else
enum { KEEPS = TRUE };
#endif

typedef struct {
    GDestroyNotify free_item;
    guint count;
    gpointer items[SPARES];
} Spares;

gpointer spares_take(SparesKind *kind)
{
    Spares *spares = g_private_get(&kind->of_thread);

    return spares && spares->count > 0 ? spares->items[--spares->count] : NULL;
}

void spares_give(SparesKind *kind, gpointer item)
{
    Spares *spares = g_private_get(&kind->of_thread);

    if (!spares) {
        spares = g_new0(Spares, 1);
        spares->free_item = kind->free_item;
        g_private_set(&kind->of_thread, spares);
    }
    if (KEEPS && spares->count < SPARES)
        spares->items[spares->count++] = item;
    else
        kind->free_item(item);
}

void spares_free(gpointer data)
{
    Spares *spares = data;

    while (spares->count > 0)
        spares->free_item(spares->items[--spares->count]);
    g_free(spares);
}
