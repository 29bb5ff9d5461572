/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * keeper: all that it takes to carry on when this process is killed, with the service manager.
 *
 * Owns under which names that is left there, of which each machine has its own. Leaves what it is
 * to the library, and a daemon that ends on purpose to successor.h.
 */

#pragma once

#include "proxy/qga-proxy.h"

/* What a former daemon has kept, all of its machines. */
typedef struct {
    GHashTable *stored; /* (nullable): names to descriptors; NULL where that is of no interest */
} Kept;

void kept_find(Kept *kept);
void kept_clear(Kept *kept);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Kept, kept_clear)

/* What a machine has there. */
typedef struct {
    GPtrArray *names; /* of char *, NULL behind them; NULL where there was no proxy of it before */
    GUnixFDList *descriptors;
} KeptPart;

/* What is found is in @kept no more. */
void kept_take(Kept *kept, const char *machine, KeptPart *ret_part);
void kept_part_clear(KeptPart *part);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KeptPart, kept_part_clear)

/* What a former daemon has kept that nothing can be made of. */
void kept_part_drop(KeptPart *part, const char *machine);
void kept_drop(Kept *kept);

gboolean keeper_start(QgaProxy *proxy, const char *machine, GError **error);
void keeper_end(QgaProxy *proxy);
