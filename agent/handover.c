/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/handover.h"

/* Of all of them: a reply of that kind is alone, but for those that nobody waits for any more. */
static GMutex lock;
static GCond changed;

/* With the lock held. Returns: FALSE where nobody takes pieces */
static gboolean wait_until_taken(const Handover *handover)
{
    while (handover->piece != NULL && !handover->cut)
        g_cond_wait(&changed, &lock);
    return !handover->cut;
}

gboolean handover_put(Handover *handover, GBytes *piece)
{
    gboolean wanted;

    g_mutex_lock(&lock);
    wanted = wait_until_taken(handover);
    if (wanted)
        handover->piece = piece;
    g_mutex_unlock(&lock);
    if (!wanted)
        g_bytes_unref(piece);
    return wanted;
}

void handover_finish(Handover *handover)
{
    g_mutex_lock(&lock);
    wait_until_taken(handover);
    g_mutex_unlock(&lock);
}

GBytes *handover_take(Handover *handover)
{
    GBytes *piece;

    g_mutex_lock(&lock);
    piece = g_steal_pointer(&handover->piece);
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
    return piece;
}

void handover_cut(Handover *handover)
{
    g_mutex_lock(&lock);
    handover->cut = TRUE;
    g_clear_pointer(&handover->piece, g_bytes_unref);
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}
