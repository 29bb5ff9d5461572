/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * holds: who wants the guest's filesystems to stay frozen.
 *
 * A freeze is held by who asked for it, and, where that is allowed, by those who asked for the same
 * and joined it: it ends with the last of them. Clients that connect for each command cannot be
 * told apart, so a hold stays when its client leaves, as nobody's, unless that asked otherwise.
 *
 * Owns who holds. Leaves the freeze to freeze.h. Pure: a client is any pointer.
 */

#pragma once

#include "handover.h"

G_BEGIN_DECLS

typedef struct {
    GPtrArray *clients; /* of gpointer (nullable): one for each hold; NULL for nobody's */
} Holds;

void holds_init(Holds *holds);
void holds_clear(Holds *holds);

/* Nobody holds it, or one alone. */
void holds_drop(Holds *holds);
void holds_add(Holds *holds, gconstpointer client);
guint holds_count(const Holds *holds);

/* One is given up: the client's own, if it has one, else nobody's; else any, or none.
 * Returns: whether one was */
gboolean holds_release(Holds *holds, gconstpointer client, gboolean any);

/* @from: left without any, as @to was */
void holds_move(Holds *from, Holds *to);

/**
 * holds_leave:
 * @give_up: whether what it holds is given up; else it is nobody's from now on
 *
 * Returns: whether it held anything
 */
gboolean holds_leave(Holds *holds, gconstpointer client, gboolean give_up);

void holds_save(const Holds *holds, const char *name, Handover *handover, Saved *to);
void holds_restore(Holds *holds, const char *name, const HandoverPart *part);

G_END_DECLS
