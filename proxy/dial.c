/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dial.h"

#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

/* One question for the next address of a host name. It cannot be taken back, so it outlives a Dial
 * that is given up. */
typedef struct {
    Dial *dial; /* (nullable): NULL once it was given up */
} Question;

struct Dial {
    IoLoop *loop;
    Address *address;
    DialCallback callback;
    gpointer owner;

    GSocketAddressEnumerator *addresses; /* (nullable): of a host name */
    Question *question;                  /* (nullable): the one that is under way */
    GCancellable *cancellable;           /* of the question */
    Io *connecting;                      /* (nullable): connect(2) is under way */
    IoTimer *outcome;                    /* tells the owner, in a turn of its own */

    int fd;        /* the outcome, or -1 */
    GError *error; /* why the last address did not answer */
};

/* ---- The outcome ----------------------------------------------------------------------------- */

static void tell(gpointer data, gint64 unused_now)
{
    Dial *dial = data;
    int fd = dial->fd;
    g_autoptr(GError) error = g_steal_pointer(&dial->error);

    dial->fd = -1;
    if (fd >= 0)
        g_clear_error(&error);
    dial->callback(dial->owner, fd, error);
}

static void tell_soon(Dial *dial)
{
    io_timer_set(dial->outcome, 0);
}

/* Takes @error. */
static void remember(Dial *dial, GError *error)
{
    g_clear_error(&dial->error);
    dial->error = error;
}

static void remember_errno(Dial *dial, int number)
{
    g_autofree char *name = address_to_string(dial->address);
    /* The bare text, of a resource that is unavailable, would be read as one of the host's own. */
    const char *text = number == EAGAIN ? "it does not keep up with accepting" : g_strerror(number);

    remember(dial, g_error_new(G_IO_ERROR,
                               number == EAGAIN ? G_IO_ERROR_BUSY : g_io_error_from_errno(number),
                               "cannot connect to %s: %s", name, text));
}

/* ---- Connecting to one address --------------------------------------------------------------- */

static void try_next(Dial *dial);

static void on_connected(gpointer data, IoReady unused_ready)
{
    Dial *dial = data;
    int number = 0;
    socklen_t len = sizeof number;

    if (getsockopt(io_fd(dial->connecting), SOL_SOCKET, SO_ERROR, &number, &len) < 0)
        number = errno;
    if (number == 0) {
        dial->fd = io_steal_fd(g_steal_pointer(&dial->connecting));
        tell_soon(dial);
        return;
    }
    g_clear_pointer(&dial->connecting, io_free);
    remember_errno(dial, number);
    try_next(dial);
}

static void connect_to(Dial *dial, const struct sockaddr *name, socklen_t len)
{
    int fd = socket_open(name->sa_family);

    if (fd < 0) {
        remember_errno(dial, errno);
        try_next(dial);
        return;
    }
    socket_tune(fd);
    /* A unix socket never is in progress: it is EAGAIN where the queue of those to be accepted is
     * full, and nothing tells when it no longer is. */
    if (connect(fd, name, len) < 0 && errno != EINPROGRESS && errno != EINTR) {
        remember_errno(dial, errno);
        close(fd);
        try_next(dial);
        return;
    }
    dial->connecting = io_new(dial->loop, fd, on_connected, dial);
    io_want(dial->connecting, FALSE, TRUE);
}

/* ---- A host's addresses ---------------------------------------------------------------------- */

/* Takes @error, (nullable): a name can also be known and have no address. */
static void remember_no_address(Dial *dial, GError *error)
{
    g_autofree char *name = address_to_string(dial->address);

    if (!error)
        error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND, "it has no address");
    g_prefix_error(&error, "cannot connect to %s: ", name);
    remember(dial, error);
}

static void on_address(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Question *question = data;
    Dial *dial = question->dial;
    GError *error = NULL;
    g_autoptr(GSocketAddress) address = g_socket_address_enumerator_next_finish(
        G_SOCKET_ADDRESS_ENUMERATOR(source), result, &error);
    SocketName name = {0};

    if (!dial) {
        g_clear_error(&error);
        return;
    }
    dial->question = NULL;
    if (!address) {
        if (dial->error)
            g_clear_error(&error);
        else
            remember_no_address(dial, error);
        tell_soon(dial);
        return;
    }
    name.len = (socklen_t)g_socket_address_get_native_size(address);
    if (!g_socket_address_to_native(address, &name.space, sizeof name.space, &error)) {
        remember(dial, error);
        try_next(dial);
        return;
    }
    connect_to(dial, &name.any, name.len);
}

/* Goes on, or tells that there is nothing left to be tried. */
static void try_next(Dial *dial)
{
    if (!dial->addresses) {
        tell_soon(dial);
        return;
    }
    dial->question = g_new(Question, 1);
    dial->question->dial = dial;
    /* GIO answers in the context that is the thread's default when it is asked. */
    g_main_context_push_thread_default(io_loop_context(dial->loop));
    g_socket_address_enumerator_next_async(dial->addresses, dial->cancellable, on_address,
                                           dial->question);
    g_main_context_pop_thread_default(io_loop_context(dial->loop));
}

/* Names of services are in a local file, which may be read here. */
static gboolean read_port(const char *port, guint16 *ret_port)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;

    if (getaddrinfo(NULL, port, &hints, &found) != 0)
        return FALSE;
    *ret_port = ntohs(((const struct sockaddr_in *)(gconstpointer)found->ai_addr)->sin_port);
    freeaddrinfo(found);
    return TRUE;
}

/* ---- Each kind of address -------------------------------------------------------------------- */

static void start_tcp(Dial *dial)
{
    g_autoptr(GSocketConnectable) host = NULL;
    guint16 port;

    if (!read_port(dial->address->port, &port)) {
        g_autofree char *text = address_to_string(dial->address);

        remember(dial, g_error_new(G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                                   "cannot connect to %s: service '%s' is not known", text,
                                   dial->address->port));
        tell_soon(dial);
        return;
    }
    host = g_network_address_new(dial->address->host, port);
    dial->addresses = g_socket_connectable_enumerate(host);
    try_next(dial);
}

static void start_local(Dial *dial)
{
    SocketName name;
    GError *error = NULL;

    if (!socket_name_from_address(dial->address, &name, &error)) {
        remember(dial, error);
        tell_soon(dial);
        return;
    }
    connect_to(dial, &name.any, name.len);
}

static void start_fd(Dial *dial)
{
    int fd = (int)dial->address->number;

    if (fcntl(fd, F_GETFD) < 0)
        remember_errno(dial, errno);
    else
        dial->fd = fd;
    tell_soon(dial);
}

Dial *dial_new(IoLoop *loop, const Address *address, DialCallback callback, gpointer owner)
{
    static void (*const start[])(Dial * dial) = {
        [ADDRESS_UNIX] = start_local,
        [ADDRESS_TCP] = start_tcp,
        [ADDRESS_VSOCK] = start_local,
        [ADDRESS_FD] = start_fd,
    };
    Dial *dial = g_new0(Dial, 1);

    dial->loop = io_loop_ref(loop);
    dial->address = address_copy(address);
    dial->callback = callback;
    dial->owner = owner;
    dial->fd = -1;
    dial->cancellable = g_cancellable_new();
    dial->outcome = io_timer_new(loop, tell, dial);
    start[address->kind](dial);
    return dial;
}

void dial_free(Dial *dial)
{
    if (!dial)
        return;
    if (dial->question)
        dial->question->dial = NULL;
    g_cancellable_cancel(dial->cancellable);
    g_object_unref(dial->cancellable);
    g_clear_object(&dial->addresses);
    io_free(dial->connecting);
    io_timer_free(dial->outcome);
    if (dial->fd >= 0)
        close(dial->fd);
    g_clear_error(&dial->error);
    address_free(dial->address);
    io_loop_unref(dial->loop);
    g_free(dial);
}
