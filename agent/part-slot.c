/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/part-slot.h"

/* Of all of them: a reply of that kind is alone, but for those that nobody waits for any more. */
static GMutex lock;
static GCond changed;

/* With the lock held. Returns: FALSE where nobody takes parts */
static gboolean wait_until_taken(const PartSlot *slot)
{
    while (slot->part != NULL && !slot->cut)
        g_cond_wait(&changed, &lock);
    return !slot->cut;
}

gboolean part_slot_put(PartSlot *slot, GBytes *part)
{
    gboolean wanted;

    g_mutex_lock(&lock);
    wanted = wait_until_taken(slot);
    if (wanted)
        slot->part = part;
    g_mutex_unlock(&lock);
    if (!wanted)
        g_bytes_unref(part);
    return wanted;
}

void part_slot_finish(PartSlot *slot)
{
    g_mutex_lock(&lock);
    wait_until_taken(slot);
    g_mutex_unlock(&lock);
}

GBytes *part_slot_take(PartSlot *slot)
{
    GBytes *part;

    g_mutex_lock(&lock);
    part = g_steal_pointer(&slot->part);
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
    return part;
}

void part_slot_cut(PartSlot *slot)
{
    g_mutex_lock(&lock);
    slot->cut = TRUE;
    g_clear_pointer(&slot->part, g_bytes_unref);
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}
