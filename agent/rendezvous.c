/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/rendezvous.h"

/* Of all of them: the main loop waits for one thread at a time, and others only look. */
static GMutex lock;
static GCond changed;

gboolean rendezvous_wait(Rendezvous *rendezvous, guint us)
{
    const gint64 end = g_get_monotonic_time() + us;
    gboolean kept;

    g_mutex_lock(&lock);
    while (rendezvous->awaited && g_cond_wait_until(&changed, &lock, end))
        continue;
    rendezvous->awaited = FALSE;
    kept = rendezvous->kept;
    g_mutex_unlock(&lock);
    return kept;
}

gboolean rendezvous_end(Rendezvous *rendezvous, gboolean kept)
{
    gboolean awaited;

    g_mutex_lock(&lock);
    awaited = rendezvous->awaited;
    if (awaited) {
        rendezvous->awaited = FALSE;
        rendezvous->kept = kept;
    }
    g_mutex_unlock(&lock);
    /* Without the lock: who is woken wants it, and may come before this thread goes on. */
    if (awaited)
        g_cond_signal(&changed);
    return awaited;
}
