/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "crowd.h"

#include "entrance.h"
#include "socket.h"

#include <unistd.h>

/* Whoever is told may make others leave, or come. Those who left are not freed before the next
 * turn, so that a list of who was there when it began will do. */
void crowd_foreach(Crowd *crowd, void (*func)(Client *client, gpointer data), gpointer data)
{
    g_autofree Client **clients = g_new(Client *, crowd->clients.length);
    guint n = 0;

    for (const GList *at = crowd->clients.head; at; at = at->next)
        clients[n++] = at->data;
    for (guint i = 0; i < n; i++)
        func(clients[i], data);
}

guint crowd_count(const Crowd *crowd, gconstpointer data)
{
    guint count = 0;

    for (const GList *at = crowd->clients.head; at; at = at->next)
        count += client_data(at->data) == data;
    return count;
}

/* ---- Comings --------------------------------------------------------------------------------- */

const char *crowd_no_place(const Crowd *crowd, gint64 user)
{
    const Bounds *bounds = crowd->common.bounds;
    guint of_user = 0;

    if (crowd->clients.length >= bounds->clients)
        return "as many clients as there may be are connected";
    for (const GList *at = crowd->clients.head; user >= 0 && at; at = at->next)
        of_user += client_user(at->data) == user;
    return of_user >= bounds->clients_per_user ? "as many clients as a user may have are connected"
                                               : NULL;
}

/* Returns: (nullable): NULL where there was no place */
static Client *take_in(Crowd *crowd, int fd, const char *peer, AnswersForm form)
{
    const char *why = crowd_no_place(crowd, socket_peer_user(fd));
    Client *client;

    if (why) {
        crowd->refused++;
        g_debug("%s: refused, %s", peer, why);
        close(fd);
        return NULL;
    }
    socket_keep_alive(fd, (guint)crowd->common.bounds->keepalive_seconds);
    client =
        client_new(crowd->loop, fd, peer, form, &crowd->ops->client, crowd->owner, &crowd->common);
    crowd->accepted++;
    g_queue_push_tail(&crowd->clients, client);
    return client;
}

static void on_came(gpointer data, Entrance *entrance, int fd, const char *peer)
{
    Crowd *crowd = data;
    Client *client = take_in(crowd, fd, peer, (AnswersForm)entrance_kind(entrance));

    if (!client) {
        entrance_turned_away(entrance);
        return;
    }
    entrance_let_in(entrance, client);
    crowd->ops->came(crowd->owner, client);
}

void crowd_let_in(Crowd *crowd, int fd, const char *peer, AnswersForm form)
{
    Client *client = take_in(crowd, fd, peer, form);

    if (client)
        crowd->ops->came(crowd->owner, client);
}

/* Several entrances may have one address: clients that are dialled at the same place, ports that
 * the kernel chooses. @index: of the entrance. Returns: (transfer full): what a successor knows it
 * by */
static char *name_entrance(const Crowd *crowd, const Address *address, guint index)
{
    g_autofree char *text = address_to_string(address);
    guint same = 0;

    for (guint i = 0; i < index; i++) {
        g_autofree char *other = address_to_string(entrance_address(crowd->entrances->pdata[i]));

        same += g_str_equal(other, text);
    }
    return g_strdup_printf("%u %s", same, text);
}

gboolean crowd_add_entrance(Crowd *crowd, const Address *address, AnswersForm form,
                            const HandoverPart *part, GError **error)
{
    g_autofree char *name = name_entrance(crowd, address, crowd->entrances->len);
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    gboolean found = part && saved_find(part->from, "entrances", "name", name, &saved);
    Entrance *entrance =
        entrance_new(crowd->loop, address, on_came, crowd,
                     found ? &(HandoverPart){part->handover, &saved} : NULL, error);

    g_variant_dict_clear(&saved);
    if (!entrance)
        return FALSE;
    entrance_set_kind(entrance, form);
    if (crowd->common.journal)
        entrance_keep(entrance, crowd->common.journal, name);
    g_ptr_array_add(crowd->entrances, entrance);
    return TRUE;
}

gboolean crowd_remove_entrance(Crowd *crowd, const Address *address)
{
    g_autofree char *text = address_to_string(address);

    for (guint i = 0; i < crowd->entrances->len; i++) {
        g_autofree char *own = address_to_string(entrance_address(crowd->entrances->pdata[i]));

        if (!g_str_equal(own, text))
            continue;
        g_ptr_array_remove_index(crowd->entrances, i);
        return TRUE;
    }
    return FALSE;
}

gboolean crowd_is_awaited(const Crowd *crowd)
{
    for (guint i = 0; i < crowd->entrances->len; i++)
        if (entrance_is_awaited(crowd->entrances->pdata[i]))
            return TRUE;
    return FALSE;
}

/* ---- Goings ---------------------------------------------------------------------------------- */

void crowd_leave(Crowd *crowd, Client *client)
{
    /* Where it was dialled, it may be dialled again. */
    for (guint i = 0; i < crowd->entrances->len; i++)
        entrance_left(crowd->entrances->pdata[i], client);
    g_queue_remove(&crowd->clients, client);
    g_queue_push_tail(&crowd->departed, client);
    io_timer_set(crowd->reaper, 0);
}

static void on_reaper(gpointer data, gint64 unused_now)
{
    Crowd *crowd = data;

    g_queue_clear_full(&crowd->departed, (GDestroyNotify)client_free);
    if (crowd->closing && crowd->clients.length == 0)
        crowd->ops->empty(crowd->owner);
}

static void finish(Client *client, gpointer unused)
{
    client_finish(client);
}

void crowd_close(Crowd *crowd)
{
    g_ptr_array_set_size(crowd->entrances, 0);
    crowd->closing = TRUE;
    crowd_foreach(crowd, finish, NULL);
    io_timer_set(crowd->reaper, 0);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void crowd_init(Crowd *crowd, IoLoop *loop, const Bounds *bounds, const CrowdOps *ops,
                gpointer owner)
{
    *crowd = (Crowd){.loop = io_loop_ref(loop), .ops = ops, .owner = owner};
    crowd->entrances = g_ptr_array_new_with_free_func((GDestroyNotify)entrance_free);
    g_queue_init(&crowd->clients);
    g_queue_init(&crowd->departed);
    crowd->reaper = io_timer_new(loop, on_reaper, crowd);
    crowd->common.bounds = bounds;
    charge_init(&crowd->common.memory, NULL, bounds->total_bytes);
}

void crowd_clear(Crowd *crowd)
{
    g_ptr_array_unref(crowd->entrances);
    g_queue_clear_full(&crowd->clients, (GDestroyNotify)client_free);
    g_queue_clear_full(&crowd->departed, (GDestroyNotify)client_free);
    io_timer_free(crowd->reaper);
    charge_clear(&crowd->common.memory);
    io_loop_unref(crowd->loop);
}

void crowd_set_total(Crowd *crowd, gsize bytes)
{
    crowd->common.memory.limit = bytes;
}

/* ---- To a successor -------------------------------------------------------------------------- */

void crowd_add_parties(Crowd *crowd, Handover *handover)
{
    for (const GList *at = crowd->clients.head; at; at = at->next)
        handover_add_party(handover, at->data);
}

void crowd_save(Crowd *crowd, Handover *handover, Saved *to)
{
    SavedList *entrances = saved_list_new();
    SavedList *clients = saved_list_new();

    for (guint i = 0; i < crowd->entrances->len; i++) {
        Entrance *entrance = crowd->entrances->pdata[i];
        g_autofree char *name = name_entrance(crowd, entrance_address(entrance), i);
        Saved item = G_VARIANT_DICT_INIT(NULL);

        saved_put_text(&item, "name", name);
        entrance_save(entrance, handover, &item);
        saved_list_add(entrances, &item);
    }
    for (const GList *at = crowd->clients.head; at; at = at->next) {
        Saved item = G_VARIANT_DICT_INIT(NULL);

        client_save(at->data, handover, &item);
        handover_put_party(handover, &item, "data", client_data(at->data));
        saved_list_add(clients, &item);
    }
    saved_put_list(to, "entrances", entrances);
    saved_put_list(to, "clients", clients);
    saved_put_int(to, "refused", (gint64)crowd->refused);
    saved_put_int(to, "dropped-fds", (gint64)crowd->common.dropped_fds);
}

static void restore_client(const HandoverPart *item, gpointer data)
{
    Crowd *crowd = data;
    Client *client =
        client_restore(crowd->loop, item, &crowd->ops->client, crowd->owner, &crowd->common);

    handover_add_party(item->handover, client);
    if (!client)
        return;
    client_set_data(client, handover_get_party(item, "data"));
    g_queue_push_tail(&crowd->clients, client);
}

static void restore_dialled(const HandoverPart *item, gpointer data)
{
    Crowd *crowd = data;
    g_autofree char *name = saved_get_text(item->from, "name");

    for (guint i = 0; i < crowd->entrances->len; i++) {
        Entrance *entrance = crowd->entrances->pdata[i];
        g_autofree char *own = name_entrance(crowd, entrance_address(entrance), i);

        if (g_strcmp0(own, name) == 0)
            entrance_restore_client(entrance, item);
    }
}

void crowd_restore(Crowd *crowd, const HandoverPart *part)
{
    handover_foreach(part, "clients", restore_client, crowd);
    handover_foreach(part, "entrances", restore_dialled, crowd);
    crowd->refused = (guint64)saved_get_int(part->from, "refused");
    crowd->common.dropped_fds = (guint64)saved_get_int(part->from, "dropped-fds");
}

static void resume(Client *client, gpointer unused)
{
    client_resume(client);
}

void crowd_resume(Crowd *crowd)
{
    crowd_foreach(crowd, resume, NULL);
}
