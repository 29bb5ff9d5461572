/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "link.h"

#include "dial.h"
#include "common/limits.h"
#include "listener.h"

#include <unistd.h>

struct Link {
    IoLoop *loop;
    Address *address;
    LinkConnected connected;
    gpointer owner;

    LinkIsPeer is_peer; /* (nullable): where others come to the same address */
    gpointer peer_owner;
    gboolean lets_in; /* it can be told whether it is the peer */
    int next;         /* the peer has come again, before its last connection was lost; or -1 */

    gboolean wanted;
    Listener *listener; /* where the peer comes to us */
    Dial *dial;         /* the attempt under way, where we go */
    int inherited;      /* taken over and not yet dialled, or -1 */
    IoTimer *retry;
    guint pause_ms;  /* before the next attempt, where the address does not say */
    gint64 given_us; /* when there was a connection last; 0 for never */
    char *trouble;
};

static void give(Link *link, int fd)
{
    link->wanted = FALSE;
    link->given_us = io_loop_now(link->loop);
    g_clear_pointer(&link->trouble, g_free);
    link->connected(link->owner, fd);
}

/* Only where others come too is somebody let in while there is a connection. */
static void tell_listener(Link *link)
{
    listener_pause(link->listener, link->is_peer ? !link->lets_in : !link->wanted);
}

static void on_accepted(gpointer owner, int fd, const char *peer)
{
    Link *link = owner;

    if (link->is_peer && !link->is_peer(link->peer_owner, fd, peer))
        return;
    g_debug("%s came to us", peer);
    if (!link->wanted) {
        if (link->next >= 0)
            close(link->next);
        link->next = fd;
        return;
    }
    link->wanted = FALSE;
    tell_listener(link);
    give(link, fd);
}

static void lengthen_pause(Link *link)
{
    link->pause_ms = link->pause_ms == 0 ? LIMIT_RECONNECT_FIRST_MS
                                         : MIN(link->pause_ms * 2, LIMIT_RECONNECT_LAST_MS);
}

static void dial_later(Link *link)
{
    gint64 pause_us = link->address->reconnect > 0
                          ? (gint64)link->address->reconnect * G_USEC_PER_SEC
                          : (gint64)link->pause_ms * 1000;

    io_timer_set(link->retry, io_loop_now(link->loop) + pause_us);
}

static void on_dialled(gpointer owner, int fd, const GError *error)
{
    Link *link = owner;

    if (fd >= 0) {
        give(link, fd);
        return;
    }
    g_free(link->trouble);
    link->trouble = g_strdup(error->message);
    g_debug("%s", error->message);
    if (link->address->kind == ADDRESS_FD) /* by the next attempt the number may be another's */
        return;
    lengthen_pause(link);
    dial_later(link);
}

static void try_now(gpointer owner, gint64 now_us)
{
    Link *link = owner;

    if (link->next >= 0) {
        int fd = link->next;

        link->next = -1;
        give(link, fd);
        return;
    }
    g_clear_pointer(&link->dial, dial_free);
    link->inherited = -1;
    link->dial = dial_new(link->loop, link->address, on_dialled, link);
}

static gboolean open_listener(Link *link, const HandoverPart *part, GError **error)
{
    if (part)
        link->listener = listener_restore(link->loop, link->address, part, on_accepted, link);
    if (!link->listener)
        link->listener = listener_new(link->loop, link->address, on_accepted, link, error);
    if (!link->listener)
        return FALSE;
    listener_pause(link->listener, TRUE);
    return TRUE;
}

Link *link_new(IoLoop *loop, const Address *address, LinkConnected connected, gpointer owner,
               const HandoverPart *part, GError **error)
{
    Link *link = g_new(Link, 1);

    *link = (Link){.loop = io_loop_ref(loop),
                   .connected = connected,
                   .owner = owner,
                   .inherited = -1,
                   .next = -1};
    link->address = address_copy(address);
    link->retry = io_timer_new(loop, try_now, link);
    if (part) {
        link->given_us = saved_get_int(part->from, "given");
        link->next = handover_get_fd(part, "next");
    }
    if (address->server && !open_listener(link, part, error))
        g_clear_pointer(&link, link_free);
    return link;
}

void link_save(const Link *link, Handover *handover, Saved *to)
{
    g_autofree char *address = address_to_string(link->address);

    saved_put_text(to, "address", address);
    saved_put_int(to, "given", link->given_us);
    saved_put_int(to, "wanted", link->wanted);
    handover_put_fd(handover, to, "next", link->next);
    if (link->listener)
        listener_save(link->listener, handover, to);
}

gboolean link_is_wanted(const Link *link)
{
    return link->wanted;
}

void link_free(Link *link)
{
    if (!link)
        return;
    g_clear_pointer(&link->dial, dial_free);
    g_clear_pointer(&link->listener, listener_free);
    io_timer_free(link->retry);
    if (link->inherited >= 0)
        close(link->inherited);
    if (link->next >= 0)
        close(link->next);
    address_free(link->address);
    g_free(link->trouble);
    io_loop_unref(link->loop);
    g_free(link);
}

void link_share(Link *link, LinkIsPeer is_peer, gpointer owner)
{
    link->is_peer = is_peer;
    link->peer_owner = owner;
    tell_listener(link);
}

void link_let_in(Link *link, gboolean yes)
{
    link->lets_in = yes;
    if (link->is_peer)
        tell_listener(link);
}

gboolean link_is_used_up(const Link *link)
{
    return link->given_us && link->address->kind == ADDRESS_FD && !link->address->server;
}

/* A peer that hangs up at once is not there yet: it gets its pause, like one that is silent. */
static void dial_again(Link *link)
{
    if (io_loop_now(link->loop) - link->given_us < LIMIT_RECONNECT_LAST_MS * 1000)
        lengthen_pause(link);
    else
        link->pause_ms = 0;
    dial_later(link);
}

static void dial_first(Link *link)
{
    if (link->address->kind == ADDRESS_FD)
        link->inherited = (int)link->address->number;
    io_timer_set(link->retry, 0);
}

void link_connect(Link *link)
{
    if (link->wanted)
        return;
    link->wanted = TRUE;
    if (link->next >= 0)
        io_timer_set(link->retry, 0);
    else if (link->listener)
        tell_listener(link);
    else if (!link->given_us)
        dial_first(link);
    else if (link_is_used_up(link))
        link->trouble = g_strdup("its descriptor was used up");
    else
        dial_again(link);
}

const char *link_trouble(const Link *link)
{
    return link->trouble;
}
