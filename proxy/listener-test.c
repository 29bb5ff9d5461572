/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Listening on each kind of address: who is accepted and how it is named, whose path a path is, and
 * that neither a flood nor a lack of descriptors stops the others.
 */

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/sockets.h"

enum { MANY = 200 };

typedef struct {
    GMainContext *context;
    IoLoop *loop;
    guint descriptors;
    char *folder;
    char *path;    /* in it, for a socket */
    char *address; /* of that */

    Listener *listener;
    void (*action)(Listener **listener); /* (nullable): in the callback */
    GArray *accepted;                    /* of int */
    char *peer;                          /* of the last one */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
    fixture->descriptors = sockets_open_descriptors();
    fixture->context = g_main_context_new();
    fixture->loop = io_loop_get(fixture->context);
    fixture->folder = g_dir_make_tmp("listener-test-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "socket", NULL);
    fixture->address = g_strconcat("unix:", fixture->path, NULL);
    fixture->accepted = g_array_new(FALSE, FALSE, sizeof(int));
}

static void close_accepted(Fixture *fixture)
{
    for (guint i = 0; i < fixture->accepted->len; i++)
        g_assert_no_errno(close(g_array_index(fixture->accepted, int, i)));
    g_array_set_size(fixture->accepted, 0);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    listener_free(fixture->listener);
    close_accepted(fixture);
    io_loop_unref(fixture->loop);
    g_main_context_unref(fixture->context);
    g_assert_no_errno(g_rmdir(fixture->folder)); /* no path is left in it */
    g_array_unref(fixture->accepted);
    g_free(fixture->peer);
    g_free(fixture->address);
    g_free(fixture->path);
    g_free(fixture->folder);
    g_assert_cmpuint(sockets_open_descriptors(), ==, fixture->descriptors);
}

static gboolean turn(Fixture *fixture)
{
    return g_main_context_iteration(fixture->context, FALSE);
}

static void on_accepted(gpointer owner, int fd, const char *peer)
{
    Fixture *fixture = owner;

    g_array_append_val(fixture->accepted, fd);
    g_free(fixture->peer);
    fixture->peer = g_strdup(peer);
    if (fixture->action)
        fixture->action(&fixture->listener);
}

static Listener *try_listen(Fixture *fixture, const char *text, GError **error)
{
    static const AddressDefaults defaults = {.server = TRUE};
    g_autoptr(GError) syntax = NULL;
    g_autoptr(Address) address = address_parse(text, &defaults, &syntax);

    g_assert_no_error(syntax);
    return listener_new(fixture->loop, address, on_accepted, fixture, error);
}

static void start(Fixture *fixture, const char *text)
{
    g_autoptr(GError) error = NULL;

    fixture->listener = try_listen(fixture, text, &error);
    g_assert_no_error(error);
    g_assert_nonnull(fixture->listener);
}

G_GNUC_PRINTF(4, 5)
static void assert_fails(Fixture *fixture, const char *text, int code, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = NULL;
    va_list args;

    va_start(args, format);
    expected = g_strdup_vprintf(format, args);
    va_end(args);
    g_assert_null(try_listen(fixture, text, &error));
    g_assert_error(error, G_IO_ERROR, code);
    g_assert_cmpstr(error->message, ==, expected);
}

/* @client was accepted, and by whom it should. */
static void assert_accepts(Fixture *fixture, int client, const char *expected_peer)
{
    guint8 byte = 0;
    int fd;

    while (fixture->accepted->len == 0)
        g_main_context_iteration(fixture->context, TRUE);
    g_assert_false(turn(fixture));
    g_assert_cmpuint(fixture->accepted->len, ==, 1);
    fd = g_array_index(fixture->accepted, int, 0);
    g_assert_cmpstr(fixture->peer, ==, expected_peer);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    g_assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    g_assert_cmpint(write(fd, "x", 1), ==, 1);
    g_assert_cmpint(read(client, &byte, 1), ==, 1);
    g_assert_cmpint(byte, ==, 'x');
}

/* ---- unix ------------------------------------------------------------------------------------ */

static void assert_serves_unix(Fixture *fixture)
{
    int client = sockets_connect_unix(fixture->path);
    g_autofree char *peer =
        g_strdup_printf("%s uid %u pid %d", fixture->address, getuid(), getpid());

    assert_accepts(fixture, client, peer);
    close_accepted(fixture);
    close(client);
}

static void test_unix(Fixture *fixture, gconstpointer unused)
{
    start(fixture, fixture->address);
    assert_serves_unix(fixture);
    g_clear_pointer(&fixture->listener, listener_free);
    g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
    listener_free(NULL);
}

static void test_abstract(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *name = g_strdup_printf("@qga-proxy-listener-test-%d", getpid());
    g_autofree char *address = g_strconcat("unix:", name, NULL);
    g_autofree char *peer = g_strdup_printf("%s uid %u pid %d", address, getuid(), getpid());
    int client;

    start(fixture, address);
    client = sockets_connect_unix(name);
    assert_accepts(fixture, client, peer);
    assert_fails(fixture, address, G_IO_ERROR_ADDRESS_IN_USE,
                 "cannot listen on %s: Address already in use", address);
    close(client);
}

static void test_stale(Fixture *fixture, gconstpointer unused)
{
    close(sockets_listen_unix(fixture->path, 1)); /* leaves the path */
    start(fixture, fixture->address);
    assert_serves_unix(fixture);
}

/* One that is served by another stays what it is, busy or not. */
static void test_in_use(Fixture *fixture, gconstpointer unused)
{
    int other = sockets_listen_unix(fixture->path, 0);
    int waiting;

    assert_fails(fixture, fixture->address, G_IO_ERROR_ADDRESS_IN_USE,
                 "cannot listen on %s: it is in use by another server", fixture->address);
    close(accept4(other, NULL, NULL, SOCK_CLOEXEC)); /* our question */
    waiting = sockets_connect_unix(fixture->path);
    assert_fails(fixture, fixture->address, G_IO_ERROR_ADDRESS_IN_USE,
                 "cannot listen on %s: it is in use by another server", fixture->address);
    g_assert_no_errno(unlink(fixture->path));
    close(waiting);
    close(other);
}

/* Whose path it is to be is known to the address alone. */
static void test_rights(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *text = g_strconcat(fixture->address, ",mode=606", NULL);
    g_autofree char *stranger = g_strconcat(fixture->address, ",user=no-such-user", NULL);
    GStatBuf status;

    start(fixture, text);
    g_assert_no_errno(g_lstat(fixture->path, &status));
    g_assert_cmpuint(status.st_mode & 07777, ==, 0606);
    g_clear_pointer(&fixture->listener, listener_free);
    assert_fails(fixture, stranger, G_IO_ERROR_NOT_FOUND,
                 "cannot listen on %s: there is no user 'no-such-user'", fixture->address);
}

static void test_no_socket(Fixture *fixture, gconstpointer unused)
{
    g_assert_true(g_file_set_contents(fixture->path, "precious", -1, NULL));
    assert_fails(fixture, fixture->address, G_IO_ERROR_EXISTS,
                 "cannot listen on %s: there is something else than a socket", fixture->address);
    g_assert_true(g_file_test(fixture->path, G_FILE_TEST_IS_REGULAR));
    g_assert_no_errno(unlink(fixture->path));
}

static void test_no_folder(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *address = g_strconcat(fixture->address, "/below", NULL);
    g_autofree char *endless = g_strnfill(200, 'x');
    g_autofree char *too_long = g_strconcat("unix:", endless, NULL);

    assert_fails(fixture, address, G_IO_ERROR_NOT_FOUND,
                 "cannot listen on %s: No such file or directory", address);
    assert_fails(fixture, too_long, G_IO_ERROR_FILENAME_TOO_LONG,
                 "'%s' is 200 bytes long, a socket's path at most 107", endless);
}

/* A path may be as long as a socket's may be. */
static void test_longest(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *file = g_strnfill(107 - strlen(fixture->folder) - 1, 'x');
    g_autofree char *path = g_build_filename(fixture->folder, file, NULL);
    g_autofree char *address = g_strconcat("unix:", path, NULL);

    start(fixture, address);
    close(sockets_connect_unix(path));
    g_clear_pointer(&fixture->listener, listener_free);
    close(sockets_listen_unix(path, 1));
    start(fixture, address);
    close(sockets_connect_unix(path));
}

/* Somebody put another socket in our place: that one is not ours to take away. */
static void test_replaced(Fixture *fixture, gconstpointer unused)
{
    int other;

    start(fixture, fixture->address);
    g_assert_no_errno(unlink(fixture->path));
    other = sockets_listen_unix(fixture->path, 1);
    g_clear_pointer(&fixture->listener, listener_free);
    close(sockets_connect_unix(fixture->path));
    g_assert_no_errno(unlink(fixture->path));
    close(other);
}

/* ---- tcp ------------------------------------------------------------------------------------- */

static guint16 port_of(Fixture *fixture)
{
    const char *port = listener_address(fixture->listener)->port;
    guint64 number;

    g_assert_true(g_ascii_string_to_unsigned(port, 10, 1, G_MAXUINT16, &number, NULL));
    return (guint16)number;
}

static void assert_option(int fd, int level, int option, int expected)
{
    int value = -1;
    socklen_t len = sizeof value;

    g_assert_no_errno(getsockopt(fd, level, option, &value, &len));
    g_assert_cmpint(value, ==, expected);
}

static void assert_serves_tcp(Fixture *fixture, const char *host)
{
    int client = sockets_connect_tcp(host, port_of(fixture));
    g_autofree char *peer = g_strdup_printf(strchr(host, ':') ? "tcp:[%s]:%u" : "tcp:%s:%u", host,
                                            sockets_port(client));
    int fd;

    assert_accepts(fixture, client, peer);
    fd = g_array_index(fixture->accepted, int, 0);
    assert_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    assert_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    assert_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    close_accepted(fixture);
    close(client);
}

static void test_tcp(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *address = NULL;

    start(fixture, "tcp:127.0.0.1:0");
    assert_serves_tcp(fixture, "127.0.0.1");
    address = address_to_string(listener_address(fixture->listener));
    assert_fails(fixture, address, G_IO_ERROR_ADDRESS_IN_USE,
                 "cannot listen on %s: Address already in use", address);

    /* What lingers of the connection above does not hold the port. */
    g_clear_pointer(&fixture->listener, listener_free);
    start(fixture, address);
    assert_serves_tcp(fixture, "127.0.0.1");
}

/* Both families where there are both, on one port. */
static void assert_serves_both(Fixture *fixture, const char *text)
{
    start(fixture, text);
    assert_serves_tcp(fixture, "127.0.0.1");
    if (sockets_have("::1"))
        assert_serves_tcp(fixture, "::1");
    g_clear_pointer(&fixture->listener, listener_free);
}

static void test_both_families(Fixture *fixture, gconstpointer unused)
{
    assert_serves_both(fixture, "tcp:localhost:0");
    assert_serves_both(fixture, "tcp:LOCALHOST:0");
    assert_serves_both(fixture, "tcp::0");
}

/* localhost is not served at all where one of its addresses is another server's: clients would
 * reach that one. */
static void test_half_in_use(Fixture *fixture, gconstpointer unused)
{
    int other = sockets_listen_tcp("127.0.0.1", 0, 1);
    g_autofree char *address = g_strdup_printf("tcp:localhost:%u", sockets_port(other));

    assert_fails(fixture, address, G_IO_ERROR_ADDRESS_IN_USE,
                 "cannot listen on %s: Address already in use", address);
    close(other);
}

static void test_tcp_errors(Fixture *fixture, gconstpointer unused)
{
    assert_fails(fixture, "tcp:127.0.0.1:no-such-service", G_IO_ERROR_HOST_NOT_FOUND,
                 "cannot listen on tcp:127.0.0.1:no-such-service: "
                 "Servname not supported for ai_socktype");
    /* Of a block that is for documentation, and so nobody's. */
    assert_fails(fixture, "tcp:192.0.2.1:0", g_io_error_from_errno(EADDRNOTAVAIL),
                 "cannot listen on tcp:192.0.2.1:0: Cannot assign requested address");
}

/* ---- vsock and inherited descriptors --------------------------------------------------------- */

/* It listens, or says why it does not: there are kernels without vsock. */
static void test_vsock(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *text = g_strdup_printf("vsock::%d", 0x40000000 + getpid());
    g_autofree char *complaint = g_strdup_printf("cannot listen on %s: ", text);
    g_autoptr(GError) error = NULL;

    fixture->listener = try_listen(fixture, text, &error);
    if (!fixture->listener)
        g_assert_true(g_str_has_prefix(error->message, complaint));
    else
        g_assert_false(turn(fixture));
}

static void test_fd(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_tcp("127.0.0.1", 0, 1);
    int client = sockets_connect_tcp("127.0.0.1", sockets_port(listening));
    g_autofree char *address = g_strdup_printf("fd:%d", listening);
    g_autofree char *peer = g_strdup_printf("tcp:127.0.0.1:%u", sockets_port(client));

    start(fixture, address);
    assert_accepts(fixture, client, peer);
    assert_option(g_array_index(fixture->accepted, int, 0), IPPROTO_TCP, TCP_NODELAY, 1);
    close(client);
}

static void test_fd_unix(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 1);
    int client = sockets_connect_unix(fixture->path);
    g_autofree char *address = g_strdup_printf("fd:%d", listening);
    g_autofree char *peer = g_strdup_printf("%s uid %u pid %d", address, getuid(), getpid());

    start(fixture, address);
    assert_accepts(fixture, client, peer);
    g_clear_pointer(&fixture->listener, listener_free);
    g_assert_no_errno(unlink(fixture->path)); /* it is whoever made it who takes it away */
    close(client);
}

static void test_fd_errors(Fixture *fixture, gconstpointer unused)
{
    int fds[2];
    g_autofree char *address = NULL;

    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    address = g_strdup_printf("fd:%d", fds[0]);
    assert_fails(fixture, address, G_IO_ERROR_INVALID_ARGUMENT,
                 "cannot listen on %s: it is no listening socket", address);
    g_assert_no_errno(close(fds[0])); /* was left to us */
    assert_fails(fixture, address, G_IO_ERROR_FAILED, "cannot listen on %s: Bad file descriptor",
                 address);
    close(fds[1]);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void connect_many(Fixture *fixture, int *clients)
{
    for (guint i = 0; i < MANY; i++)
        clients[i] = sockets_connect_unix(fixture->path);
}

static void close_many(const int *clients)
{
    for (guint i = 0; i < MANY; i++)
        close(clients[i]);
}

/* A flood is taken in portions, so that others get their turn in between. */
static void test_budget(Fixture *fixture, gconstpointer unused)
{
    int clients[MANY];
    guint turns = 0;

    start(fixture, fixture->address);
    connect_many(fixture, clients);
    g_assert_true(turn(fixture));
    g_assert_cmpuint(fixture->accepted->len, ==, 64);
    while (turn(fixture))
        turns++;
    g_assert_cmpuint(fixture->accepted->len, ==, MANY);
    g_assert_cmpuint(turns, <=, 4);
    close_many(clients);
}

static void pause_now(Listener **listener)
{
    listener_pause(*listener, TRUE);
}

/* A pause is at once, even amid those that wait; they are kept until it is over. */
static void test_pause(Fixture *fixture, gconstpointer unused)
{
    int clients[MANY];

    fixture->action = pause_now;
    start(fixture, fixture->address);
    connect_many(fixture, clients);
    for (guint i = 1; i <= 3; i++) {
        g_assert_true(turn(fixture));
        turn(fixture); /* the kernel tells of them once more */
        g_assert_false(turn(fixture));
        g_assert_cmpuint(fixture->accepted->len, ==, i);
        listener_pause(fixture->listener, FALSE);
    }
    fixture->action = NULL;
    while (turn(fixture))
        ;
    g_assert_cmpuint(fixture->accepted->len, ==, MANY);
    close_many(clients);
}

static void free_now(Listener **listener)
{
    g_clear_pointer(listener, listener_free);
}

static void test_free_in_callback(Fixture *fixture, gconstpointer unused)
{
    int clients[MANY];

    fixture->action = free_now;
    start(fixture, fixture->address);
    connect_many(fixture, clients);
    g_assert_true(turn(fixture));
    g_assert_false(turn(fixture));
    g_assert_cmpuint(fixture->accepted->len, ==, 1);
    close_many(clients);
}

/* Trying again waits for a moment, though the client waits to be accepted; then it is accepted. */
static void test_no_descriptors(Fixture *fixture, gconstpointer unused)
{
    gint64 began;
    int client;

    start(fixture, fixture->address);
    client = sockets_connect_unix(fixture->path);
    sockets_forbid_descriptors(TRUE);
    began = g_get_monotonic_time();
    g_assert_true(turn(fixture));
    g_assert_cmpuint(fixture->accepted->len, ==, 0);
    listener_pause(fixture->listener, FALSE); /* ends no rest */
    sockets_forbid_descriptors(FALSE);
    while (fixture->accepted->len == 0)
        g_main_context_iteration(fixture->context, TRUE);
    g_assert_cmpint(g_get_monotonic_time(), >=, began + 100000);
    close(client);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_main_context_default(); /* opens a descriptor of its own, for good */
    ADD("/listener/unix/path", test_unix);
    ADD("/listener/unix/abstract", test_abstract);
    ADD("/listener/unix/stale", test_stale);
    ADD("/listener/unix/in-use", test_in_use);
    ADD("/listener/unix/rights", test_rights);
    ADD("/listener/unix/no-socket", test_no_socket);
    ADD("/listener/unix/no-folder", test_no_folder);
    ADD("/listener/unix/longest", test_longest);
    ADD("/listener/unix/replaced", test_replaced);
    ADD("/listener/tcp/one", test_tcp);
    ADD("/listener/tcp/both-families", test_both_families);
    ADD("/listener/tcp/half-in-use", test_half_in_use);
    ADD("/listener/tcp/errors", test_tcp_errors);
    ADD("/listener/vsock", test_vsock);
    ADD("/listener/fd/tcp", test_fd);
    ADD("/listener/fd/unix", test_fd_unix);
    ADD("/listener/fd/errors", test_fd_errors);
    ADD("/listener/budget", test_budget);
    ADD("/listener/pause", test_pause);
    ADD("/listener/free-in-callback", test_free_in_callback);
    ADD("/listener/no-descriptors", test_no_descriptors);
    return g_test_run();
}
