/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "holds.h"

void holds_init(Holds *holds)
{
    holds->clients = g_ptr_array_new();
}

void holds_clear(Holds *holds)
{
    g_ptr_array_unref(holds->clients);
}

void holds_drop(Holds *holds)
{
    g_ptr_array_set_size(holds->clients, 0);
}

void holds_add(Holds *holds, gconstpointer client)
{
    g_ptr_array_add(holds->clients, (gpointer)client);
}

guint holds_count(const Holds *holds)
{
    return holds->clients->len;
}

gboolean holds_release(Holds *holds, gconstpointer client, gboolean any)
{
    guint index = 0;

    if (!g_ptr_array_find(holds->clients, client, &index) &&
        !g_ptr_array_find(holds->clients, NULL, &index) && !(any && holds->clients->len > 0))
        return FALSE;
    g_ptr_array_remove_index(holds->clients, index);
    return TRUE;
}

void holds_move(Holds *from, Holds *to)
{
    Holds holds = *to;

    *to = *from;
    *from = holds;
}

gboolean holds_leave(Holds *holds, gconstpointer client, gboolean give_up)
{
    gboolean found = FALSE;
    guint index;

    while (g_ptr_array_find(holds->clients, client, &index)) {
        found = TRUE;
        if (give_up)
            g_ptr_array_remove_index(holds->clients, index);
        else
            holds->clients->pdata[index] = NULL;
    }
    return found;
}

/* ---- To a successor -------------------------------------------------------------------------- */

void holds_save(const Holds *holds, const char *name, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();

    for (guint i = 0; i < holds->clients->len; i++) {
        Saved item = G_VARIANT_DICT_INIT(NULL);

        handover_put_party(handover, &item, "client", holds->clients->pdata[i]);
        saved_list_add(list, &item);
    }
    saved_put_list(to, name, list);
}

static void restore_hold(const HandoverPart *item, gpointer data)
{
    Holds *holds = data;

    holds_add(holds, handover_get_party(item, "client"));
}

void holds_restore(Holds *holds, const char *name, const HandoverPart *part)
{
    holds_drop(holds);
    handover_foreach(part, name, restore_hold, holds);
}
