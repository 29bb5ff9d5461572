/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "entrance.h"

#include "link.h"
#include "listener.h"
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>

struct Entrance {
    Address *address;
    EntranceCallback callback;
    gpointer owner;

    Listener *listener;   /* (nullable): where clients come to us */
    Link *link;           /* (nullable): where we go to one */
    gconstpointer client; /* (nullable): the last one, until it has left */
    gboolean visited;     /* somebody was let in */
    int kind;             /* the owner's */

    Journal *journal; /* (nullable): where it is kept */
    char *name;       /* there */
    guint slot;
    GArray *sockets; /* of KeptSocket */
};

typedef struct {
    int fd;
    guint slot;
} KeptSocket;

static void on_accepted(gpointer data, int fd, const char *peer)
{
    Entrance *entrance = data;

    entrance->callback(entrance->owner, entrance, fd, peer);
}

static void on_connected(gpointer data, int fd)
{
    Entrance *entrance = data;
    g_autofree char *peer = address_to_string(entrance->address);

    entrance->callback(entrance->owner, entrance, fd, peer);
}

/* A number that is wrong is told now: later there is nobody to be told. */
static gboolean check_descriptor(const Address *address, GError **error)
{
    int fd = (int)address->number;

    if (fcntl(fd, F_GETFD) < 0) {
        g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(errno), "cannot serve fd:%d: %s",
                    fd, g_strerror(errno));
        return FALSE;
    }
    /* It need not be a socket at all. */
    if (socket_is_listening(fd)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "cannot serve fd:%d: it listens, and is no connected client", fd);
        return FALSE;
    }
    return TRUE;
}

static gboolean open_link(Entrance *entrance, IoLoop *loop, const HandoverPart *part,
                          GError **error)
{
    if (!part && entrance->address->kind == ADDRESS_FD &&
        !check_descriptor(entrance->address, error))
        return FALSE;
    entrance->link = link_new(loop, entrance->address, on_connected, entrance, part, error);
    if (entrance->link && (!part || saved_get_int(part->from, "wanted")))
        link_connect(entrance->link);
    return entrance->link != NULL;
}

static gboolean open_listener(Entrance *entrance, IoLoop *loop, const HandoverPart *part,
                              GError **error)
{
    if (part)
        entrance->listener = listener_restore(loop, entrance->address, part, on_accepted, entrance);
    if (!entrance->listener)
        entrance->listener = listener_new(loop, entrance->address, on_accepted, entrance, error);
    return entrance->listener != NULL;
}

Entrance *entrance_new(IoLoop *loop, const Address *address, EntranceCallback callback,
                       gpointer owner, const HandoverPart *part, GError **error)
{
    g_autoptr(Entrance) entrance = g_new0(Entrance, 1);

    entrance->address = address_copy(address);
    entrance->callback = callback;
    entrance->owner = owner;
    entrance->visited = part && saved_get_int(part->from, "visited");
    if (!(address->server ? open_listener : open_link)(entrance, loop, part, error))
        return NULL;
    return g_steal_pointer(&entrance);
}

static void forget(Entrance *entrance)
{
    if (entrance->journal)
        journal_remove(entrance->journal, entrance->slot);
    for (guint i = 0; entrance->sockets && i < entrance->sockets->len; i++)
        journal_remove(entrance->journal, g_array_index(entrance->sockets, KeptSocket, i).slot);
    g_clear_pointer(&entrance->sockets, g_array_unref);
    g_free(entrance->name);
}

void entrance_free(Entrance *entrance)
{
    if (!entrance)
        return;
    listener_free(entrance->listener);
    link_free(entrance->link);
    forget(entrance);
    address_free(entrance->address);
    g_free(entrance);
}

/* ---- In the journal -------------------------------------------------------------------------- */

static int put_kept(gpointer data, int fd, GError **error)
{
    Entrance *entrance = data;
    KeptSocket socket = {fd, 0};

    for (guint i = 0; i < entrance->sockets->len; i++) {
        const KeptSocket *known = &g_array_index(entrance->sockets, KeptSocket, i);

        if (known->fd == fd)
            return (int)known->slot;
    }
    socket.slot = journal_add(entrance->journal, fd);
    if (socket.slot == 0)
        return -1;
    g_array_append_val(entrance->sockets, socket);
    return (int)socket.slot;
}

static const HandoverFds kept_fds = {put_kept, NULL};

static void note(Entrance *entrance)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    Handover handover = {.ops = &kept_fds, .fds = entrance};

    if (!entrance->journal || entrance->slot == 0) {
        g_variant_dict_clear(&saved);
        return;
    }
    entrance_save(entrance, &handover, &saved);
    saved_put_text(&saved, "kind", "entrance");
    saved_put_text(&saved, "name", entrance->name);
    journal_note(entrance->journal, entrance->slot, g_variant_dict_end(&saved));
}

void entrance_keep(Entrance *entrance, Journal *journal, const char *name)
{
    entrance->journal = journal;
    entrance->name = g_strdup(name);
    entrance->sockets = g_array_new(FALSE, FALSE, sizeof(KeptSocket));
    entrance->slot = journal_add(journal, -1);
    note(entrance);
}

/* ---- Comings and goings ---------------------------------------------------------------------- */

void entrance_let_in(Entrance *entrance, gconstpointer client)
{
    gboolean known = entrance->visited && !entrance->link;

    entrance->visited = TRUE;
    entrance->client = client;
    if (!known)
        note(entrance);
}

void entrance_turned_away(Entrance *entrance)
{
    if (entrance->link && entrance->address->reconnect > 0)
        link_connect(entrance->link);
    if (entrance->link)
        note(entrance);
}

void entrance_left(Entrance *entrance, gconstpointer client)
{
    if (!entrance->client || entrance->client != client)
        return;
    entrance->client = NULL;
    entrance_turned_away(entrance);
}

gboolean entrance_is_awaited(const Entrance *entrance)
{
    return entrance->address->wait && !entrance->visited;
}

void entrance_set_kind(Entrance *entrance, int kind)
{
    entrance->kind = kind;
}

int entrance_kind(const Entrance *entrance)
{
    return entrance->kind;
}

const Address *entrance_address(const Entrance *entrance)
{
    return entrance->address;
}

/* ---- To a successor -------------------------------------------------------------------------- */

void entrance_save(const Entrance *entrance, Handover *handover, Saved *to)
{
    saved_put_int(to, "visited", entrance->visited);
    handover_put_party(handover, to, "client", entrance->client);
    if (entrance->listener)
        listener_save(entrance->listener, handover, to);
    else
        link_save(entrance->link, handover, to);
}

void entrance_restore_client(Entrance *entrance, const HandoverPart *part)
{
    entrance->client = handover_get_party(part, "client");
}
