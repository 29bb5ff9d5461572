/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stage: see stage.h.
 */

#include "stage.h"

#include "fuzz-client.h"

void stage_init(Stage *stage)
{
    *stage = (Stage){
        .clients = g_ptr_array_new_with_free_func((GDestroyNotify)fuzz_client_free),
        .versions = g_ptr_array_new_with_free_func(g_free),
    };
    ledger_init(&stage->ledger);
}

void stage_clear(Stage *stage)
{
    g_ptr_array_unref(stage->clients);
    g_ptr_array_unref(stage->versions);
    ledger_clear(&stage->ledger);
}
