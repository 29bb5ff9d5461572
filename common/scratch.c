/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scratch.h"

#include "spares.h"

/* START: most texts fit. MOST: a larger one is not kept. */
enum { SCRATCH_START = 512, SCRATCH_MOST = 16 * 1024 };

static void free_item(gpointer text)
{
    g_string_free(text, TRUE);
}

static SparesKind texts = SPARES_KIND(free_item);

Scratch *scratch_new(void)
{
    Scratch *text = spares_take(&texts);

    return text ? text : g_string_sized_new(SCRATCH_START);
}

void scratch_free(Scratch *text)
{
    if (text->allocated_len > SCRATCH_MOST) {
        g_string_free(text, TRUE);
        return;
    }
    g_string_truncate(text, 0);
    spares_give(&texts, text);
}
