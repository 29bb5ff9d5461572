/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "listener.h"

#include "socket.h"
#include "socket-path.h"

#include "common/limits.h"

#include <errno.h>
#include <gio/gio.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

enum {
    /* A host with more addresses than these listens on the first ones. */
    SOCKETS = 8,
    /* A port that the kernel chose for one address can be taken on another. */
    PORT_TRIES = 16,
    /* Nothing tells when there is a descriptor again; ten questions a second cost nothing. */
    REST_MS = 100,
};

typedef struct {
    Listener *listener;
    Io *io;
} Socket;

struct Listener {
    IoLoop *loop;
    Address *address;
    ListenerCallback callback;
    gpointer owner;

    Socket sockets[SOCKETS];
    guint n_sockets;
    SocketPath path; /* unix: the one that is ours, if any */

    gboolean paused;
    gboolean resting;
    IoTimer *rest;
    gboolean *gone; /* (nullable): set when freed, while accepting */
};

G_GNUC_PRINTF(4, 5)
static void fail(GError **error, const Address *address, int code, const char *format, ...)
{
    g_autofree char *name = address_to_string(address);
    g_autofree char *reason = NULL;
    va_list args;

    va_start(args, format);
    reason = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, G_IO_ERROR, code, "cannot listen on %s: %s", name, reason);
}

static void fail_errno(GError **error, const Address *address, int number)
{
    fail(error, address, g_io_error_from_errno(number), "%s", g_strerror(number));
}

/* ---- Accepting ------------------------------------------------------------------------------- */

static void tell_wishes(Listener *listener)
{
    for (guint i = 0; i < listener->n_sockets; i++)
        io_want(listener->sockets[i].io, !listener->paused && !listener->resting, FALSE);
}

static void on_rested(gpointer data, gint64 unused_now)
{
    Listener *listener = data;

    listener->resting = FALSE;
    tell_wishes(listener);
}

/* Whatever the reason, trying again at once would not help. */
static void rest(Listener *listener)
{
    listener->resting = TRUE;
    io_timer_set(listener->rest, io_loop_now(listener->loop) + REST_MS * 1000);
    tell_wishes(listener);
}

/* A client's unix socket has no name, but the kernel knows who connected it. */
static char *peer_to_string(const Listener *listener, int fd, const SocketName *name)
{
    struct ucred who;
    g_autofree char *ours = NULL;

    if (name->any.sa_family != AF_UNIX)
        return socket_name_to_string(name);
    ours = address_to_string(listener->address);
    if (!socket_peer(fd, &who))
        return g_steal_pointer(&ours);
    return g_strdup_printf("%s uid %u pid %d", ours, who.uid, who.pid);
}

/* Returns: FALSE where there is nothing more to be accepted in this turn */
static gboolean accept_one(Listener *listener, int listening)
{
    SocketName name = {.len = sizeof name.space};
    g_autofree char *peer = NULL;
    int fd = accept4(listening, &name.any, &name.len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
        return TRUE;
    if (fd < 0) {
        if (errno != EAGAIN)
            rest(listener);
        return FALSE;
    }
    socket_tune(fd);
    peer = peer_to_string(listener, fd, &name);
    listener->callback(listener->owner, fd, peer);
    return TRUE;
}

static void on_ready(gpointer data, IoReady unused_ready)
{
    const Socket *ready = data;
    Listener *listener = ready->listener;
    gboolean gone = FALSE;

    listener->gone = &gone;
    for (guint i = 0; i < LIMIT_ACCEPTS_PER_TURN && !listener->paused; i++) {
        gboolean more = accept_one(listener, io_fd(ready->io));

        if (gone)
            return;
        if (!more)
            break;
    }
    listener->gone = NULL;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Takes @fd, which listens. */
static void add_socket(Listener *listener, int fd)
{
    Socket *added = &listener->sockets[listener->n_sockets++];

    added->listener = listener;
    added->io = io_new(listener->loop, fd, on_ready, added);
}

static void drop_sockets(Listener *listener)
{
    while (listener->n_sockets > 0)
        io_free(listener->sockets[--listener->n_sockets].io);
}

/* Returns: a descriptor that listens, or -1 and errno */
static int open_socket(const SocketName *name)
{
    static const int on = 1;
    sa_family_t family = name->any.sa_family;
    int fd = socket_open(family);
    int number;

    if (fd < 0)
        return -1;
    /* Connections of a former server that linger would otherwise hold the port for a minute. */
    if (family == AF_INET || family == AF_INET6)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Else the IPv6 socket would take the port of the IPv4 one beside it. */
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &name->any, name->len) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    number = errno;
    close(fd);
    errno = number;
    return -1;
}

static gboolean open_path(Listener *listener, GError **error)
{
    const Address *address = listener->address;
    SocketName name;
    GError *reason = NULL;
    int fd;

    if (!socket_name_from_address(address, &name, error))
        return FALSE;
    fd = socket_path_listen(&listener->path, address, &name, &reason);
    if (fd < 0) {
        fail(error, address, reason->code, "%s", reason->message);
        g_error_free(reason);
        return FALSE;
    }
    add_socket(listener, fd);
    return TRUE;
}

static gboolean open_local(Listener *listener, GError **error)
{
    SocketName name;
    int fd;

    if (address_has_path(listener->address))
        return open_path(listener, error);
    if (!socket_name_from_address(listener->address, &name, error))
        return FALSE;
    fd = open_socket(&name);
    if (fd < 0) {
        fail_errno(error, listener->address, errno);
        return FALSE;
    }
    add_socket(listener, fd);
    return TRUE;
}

typedef struct addrinfo AddrInfo;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AddrInfo, freeaddrinfo)

/* Without a host, the resolver gives the addresses of all interfaces or of the loopback, in both
 * families, whatever /etc/hosts says of localhost. */
static AddrInfo *look_up(const Address *address, GError **error)
{
    gboolean any = address->host[0] == '\0';
    gboolean loopback = g_ascii_strcasecmp(address->host, "localhost") == 0;
    const AddrInfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = any ? AI_PASSIVE : 0};
    AddrInfo *found;
    int result = getaddrinfo(any || loopback ? NULL : address->host, address->port, &hints, &found);

    if (result == 0)
        return found;
    fail(error, address, G_IO_ERROR_HOST_NOT_FOUND, "%s", gai_strerror(result));
    return NULL;
}

/* A hosts file can give one address twice. */
static gboolean is_repeated(const AddrInfo *found, const AddrInfo *info)
{
    for (const AddrInfo *i = found; i != info; i = i->ai_next)
        if (i->ai_addrlen == info->ai_addrlen && !memcmp(i->ai_addr, info->ai_addr, i->ai_addrlen))
            return TRUE;
    return FALSE;
}

static in_port_t *port_of(SocketName *name)
{
    return name->any.sa_family == AF_INET6 ? &name->inet6.sin6_port : &name->inet.sin_port;
}

/* A family that this host has no address of is no reason to fail, as long as there is another.
 * *port is 0 for one that the kernel chooses; then all get the same, and it is set to it.
 * Returns: 0 or errno */
static int open_each(Listener *listener, const AddrInfo *found, in_port_t *port)
{
    int number = 0;

    for (const AddrInfo *info = found; info && listener->n_sockets < SOCKETS;
         info = info->ai_next) {
        SocketName name = {.len = info->ai_addrlen};
        int fd;

        if (is_repeated(found, info))
            continue;
        memcpy(&name.space, info->ai_addr, info->ai_addrlen);
        if (*port != 0)
            *port_of(&name) = *port;
        fd = open_socket(&name);
        if (fd < 0) {
            number = errno;
            if (number == EAFNOSUPPORT || number == EADDRNOTAVAIL)
                continue;
            drop_sockets(listener);
            return number;
        }
        add_socket(listener, fd);
        if (getsockname(fd, &name.any, &name.len) == 0)
            *port = *port_of(&name);
    }
    return listener->n_sockets > 0 ? 0 : number;
}

static gboolean open_tcp(Listener *listener, GError **error)
{
    Address *address = listener->address;
    g_autoptr(AddrInfo) found = look_up(address, error);
    gboolean any_port = strspn(address->port, "0") == strlen(address->port);
    in_port_t port;
    int number = EADDRINUSE;

    if (!found)
        return FALSE;
    for (guint i = 0; number == EADDRINUSE && i < (any_port ? PORT_TRIES : 1); i++) {
        port = 0;
        number = open_each(listener, found, &port);
    }
    if (number != 0) {
        fail_errno(error, address, number);
        return FALSE;
    }
    if (any_port) {
        g_free(address->port);
        address->port = g_strdup_printf("%u", ntohs(port));
    }
    return TRUE;
}

static gboolean open_fd(Listener *listener, GError **error)
{
    int fd = (int)listener->address->number;

    if (!socket_is_listening(fd)) {
        if (errno != 0)
            fail_errno(error, listener->address, errno);
        else
            fail(error, listener->address, G_IO_ERROR_INVALID_ARGUMENT,
                 "it is no listening socket");
        return FALSE;
    }
    add_socket(listener, fd);
    return TRUE;
}

static Listener *make(IoLoop *loop, const Address *address, ListenerCallback callback,
                      gpointer owner)
{
    Listener *listener = g_new0(Listener, 1);

    listener->loop = io_loop_ref(loop);
    listener->address = address_copy(address);
    listener->callback = callback;
    listener->owner = owner;
    listener->rest = io_timer_new(loop, on_rested, listener);
    return listener;
}

Listener *listener_new(IoLoop *loop, const Address *address, ListenerCallback callback,
                       gpointer owner, GError **error)
{
    static gboolean (*const open_kind[])(Listener * listener, GError * *error) = {
        [ADDRESS_UNIX] = open_local,
        [ADDRESS_TCP] = open_tcp,
        [ADDRESS_VSOCK] = open_local,
        [ADDRESS_FD] = open_fd,
    };
    g_autoptr(Listener) listener = make(loop, address, callback, owner);

    if (!open_kind[address->kind](listener, error))
        return NULL;
    tell_wishes(listener);
    return g_steal_pointer(&listener);
}

void listener_free(Listener *listener)
{
    if (!listener)
        return;
    if (listener->gone)
        *listener->gone = TRUE;
    socket_path_clear(&listener->path); /* while the socket is open: see there */
    drop_sockets(listener);
    io_timer_free(listener->rest);
    address_free(listener->address);
    io_loop_unref(listener->loop);
    g_free(listener);
}

void listener_pause(Listener *listener, gboolean paused)
{
    listener->paused = paused;
    tell_wishes(listener);
}

const Address *listener_address(const Listener *listener)
{
    return listener->address;
}

/* ---- To a successor -------------------------------------------------------------------------- */

void listener_save(const Listener *listener, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();

    for (guint i = 0; i < listener->n_sockets; i++) {
        Saved item = G_VARIANT_DICT_INIT(NULL);

        handover_put_fd(handover, &item, "socket", io_fd(listener->sockets[i].io));
        saved_list_add(list, &item);
    }
    saved_put_list(to, "sockets", list);
    saved_put_text(to, "port", listener->address->port);
    socket_path_save(&listener->path, to);
}

static void restore_socket(const HandoverPart *item, gpointer data)
{
    Listener *listener = data;
    int fd = handover_get_fd(item, "socket");

    if (fd >= 0 && listener->n_sockets < SOCKETS)
        add_socket(listener, fd);
}

Listener *listener_restore(IoLoop *loop, const Address *address, const HandoverPart *part,
                           ListenerCallback callback, gpointer owner)
{
    g_autoptr(Listener) listener = make(loop, address, callback, owner);

    handover_foreach(part, "sockets", restore_socket, listener);
    if (listener->n_sockets == 0)
        return NULL;
    g_free(listener->address->port);
    listener->address->port = saved_get_text(part->from, "port");
    socket_path_restore(&listener->path, part->from);
    tell_wishes(listener);
    return g_steal_pointer(&listener);
}
