/* SPDX-License-Identifier: GPL-2.0-or-later */

/* rendezvous: the main loop waits for a thread, but not for long. */

#pragma once

#include <glib.h>

typedef struct {
    gboolean awaited; /* set before the thread begins: rendezvous_wait() will be called */
    gboolean kept;
} Rendezvous;

/**
 * rendezvous_wait:
 *
 * Returns: whether the thread has kept it within @us; else it will find that nobody waits
 */
gboolean rendezvous_wait(Rendezvous *rendezvous, guint us);

/**
 * rendezvous_end:
 * @kept: what rendezvous_wait() is to return
 *
 * On the thread. Returns: whether somebody has waited, up to now
 */
gboolean rendezvous_end(Rendezvous *rendezvous, gboolean kept);
