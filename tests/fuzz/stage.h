/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stage: what those share who act around a proxy: fuzz-client.h, fuzz-qemu.h, fuzz-agent.h.
 */

#pragma once

#include "ledger.h"

G_BEGIN_DECLS

typedef struct {
    Ledger ledger;
    GPtrArray *clients;  /* of FuzzClient: all that ever connected */
    GPtrArray *versions; /* of char *: of each greeting with which a monitor became ready */
    guint monitors;
    gboolean offers_oob;
    gboolean persist;
    gboolean records; /* a freeze is put on record first */
    gboolean tight;   /* clients may be dropped for what they send or leave unread */
    gboolean lost;    /* a monitor that was ready has ended */
    guint lost_at;    /* the ledger's turn */
    guint last_said;  /* number in what was said last: each is another */
} Stage;

void stage_init(Stage *stage);
void stage_clear(Stage *stage);

G_END_DECLS
