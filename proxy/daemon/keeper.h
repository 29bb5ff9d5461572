/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * keeper: all that it takes to carry on when this process is killed, with the service manager.
 *
 * Owns under which names that is left there. Leaves what it is to the library, and a daemon that
 * ends on purpose to successor.h.
 */

#pragma once

#include "proxy/qga-proxy.h"

typedef struct {
    GPtrArray *names; /* of char *, NULL behind them; NULL where there was no daemon before */
    GUnixFDList *descriptors;
} Kept;

void kept_find(Kept *kept);
void kept_clear(Kept *kept);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Kept, kept_clear)

/* What a former daemon has left that nothing can be made of. */
void kept_drop(Kept *kept);

gboolean keeper_start(QgaProxy *proxy, GError **error);
void keeper_end(QgaProxy *proxy);
