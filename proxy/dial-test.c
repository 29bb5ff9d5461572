/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Connecting to each kind of address: that it comes through, what is said where it does not, that
 * every address of a name is tried, and that it can be given up at each stage.
 */

#include "dial.h"

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

/* ---- A resolver that knows what is needed here ----------------------------------------------- */

#define TEST_TYPE_RESOLVER (test_resolver_get_type())
G_DECLARE_FINAL_TYPE(TestResolver, test_resolver, TEST, RESOLVER, GResolver)

struct _TestResolver {
    GResolver parent;
};

G_DEFINE_TYPE(TestResolver, test_resolver, G_TYPE_RESOLVER)

static void free_addresses(gpointer addresses)
{
    g_resolver_free_addresses(addresses);
}

static gboolean on_cancelled(GCancellable *unused, gpointer task)
{
    g_task_return_error_if_cancelled(task);
    return G_SOURCE_REMOVE;
}

static void answer(GTask *task, const char *name, GResolverNameLookupFlags flags)
{
    GList *addresses = NULL;

    if (strcmp(name, "silent.test") == 0) {
        g_autoptr(GSource) source = g_cancellable_source_new(g_task_get_cancellable(task));

        g_task_attach_source(task, source, G_SOURCE_FUNC(on_cancelled));
        return;
    }
    if (strcmp(name, "several.test") != 0 || flags & G_RESOLVER_NAME_LOOKUP_FLAGS_IPV6_ONLY) {
        g_task_return_new_error(task, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
                                "'%s' is nobody", name);
        return;
    }
    addresses = g_list_append(addresses, g_inet_address_new_from_string("127.0.0.3"));
    addresses = g_list_append(addresses, g_inet_address_new_from_string("127.0.0.2"));
    addresses = g_list_append(addresses, g_inet_address_new_from_string("127.0.0.1"));
    g_task_return_pointer(task, addresses, free_addresses);
}

static void look_up_async(GResolver *resolver, const char *name, GResolverNameLookupFlags flags,
                          GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
    g_autoptr(GTask) task = g_task_new(resolver, cancellable, callback, data);

    answer(task, name, flags);
}

static GList *look_up_finish(GResolver *resolver, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void test_resolver_class_init(TestResolverClass *klass)
{
    GResolverClass *resolver_class = G_RESOLVER_CLASS(klass);

    resolver_class->lookup_by_name_with_flags_async = look_up_async;
    resolver_class->lookup_by_name_with_flags_finish = look_up_finish;
}

static void test_resolver_init(TestResolver *unused)
{
}

/* ---- Fixture --------------------------------------------------------------------------------- */

typedef struct {
    GMainContext *context;
    IoLoop *loop;
    guint descriptors;
    char *folder;
    char *path; /* in it, for a socket */

    Dial *dial;
    gboolean free_in_callback;
    guint calls;
    int fd;
    GError *error;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
    fixture->descriptors = sockets_open_descriptors();
    fixture->context = g_main_context_new();
    fixture->loop = io_loop_get(fixture->context);
    fixture->folder = g_dir_make_tmp("dial-test-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "socket", NULL);
    fixture->fd = -1;
}

static void forget_outcome(Fixture *fixture)
{
    g_clear_pointer(&fixture->dial, dial_free);
    if (fixture->fd >= 0)
        close(fixture->fd);
    fixture->fd = -1;
    g_clear_error(&fixture->error);
    fixture->calls = 0;
}

static void clean_up(Fixture *fixture)
{
    forget_outcome(fixture);
    io_loop_unref(fixture->loop);
    while (g_main_context_iteration(fixture->context, FALSE))
        ;
    g_main_context_unref(fixture->context);
    g_unlink(fixture->path);
    g_assert_no_errno(g_rmdir(fixture->folder));
    g_free(fixture->path);
    g_free(fixture->folder);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    clean_up(fixture);
    g_assert_cmpuint(sockets_open_descriptors(), ==, fixture->descriptors);
}

static void on_dialled(gpointer owner, int fd, const GError *error)
{
    Fixture *fixture = owner;

    fixture->calls++;
    g_assert_true((fd >= 0) == (error == NULL));
    fixture->fd = fd;
    fixture->error = error ? g_error_copy(error) : NULL;
    if (fixture->free_in_callback)
        g_clear_pointer(&fixture->dial, dial_free);
}

G_GNUC_PRINTF(2, 3)
static void start(Fixture *fixture, const char *format, ...)
{
    static const AddressDefaults defaults = {0};
    g_autofree char *text = NULL;
    g_autoptr(Address) address = NULL;
    g_autoptr(GError) error = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    address = address_parse(text, &defaults, &error);
    g_assert_no_error(error);
    forget_outcome(fixture);
    fixture->dial = dial_new(fixture->loop, address, on_dialled, fixture);
    g_assert_cmpuint(fixture->calls, ==, 0);
}

/* Told once, and not again. */
static void finish(Fixture *fixture)
{
    while (fixture->calls == 0)
        g_main_context_iteration(fixture->context, TRUE);
    while (g_main_context_iteration(fixture->context, FALSE))
        ;
    g_assert_cmpuint(fixture->calls, ==, 1);
}

static void assert_failed(Fixture *fixture, const char *expected)
{
    finish(fixture);
    g_assert_cmpint(fixture->fd, ==, -1);
    g_assert_cmpstr(fixture->error->message, ==, expected);
}

/* What was dialled and what is accepted are the two ends of one connection. */
static void assert_connected(Fixture *fixture, int listening)
{
    guint8 byte = 0;
    int accepted;

    finish(fixture);
    g_assert_no_error(fixture->error);
    accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    g_assert_cmpint(accepted, >=, 0);
    g_assert_cmpint(write(fixture->fd, "x", 1), ==, 1);
    g_assert_cmpint(read(accepted, &byte, 1), ==, 1);
    g_assert_cmpint(byte, ==, 'x');
    g_assert_cmpint(fcntl(fixture->fd, F_GETFD), ==, FD_CLOEXEC);
    g_assert_true(fcntl(fixture->fd, F_GETFL) & O_NONBLOCK);
    close(accepted);
}

/* GIO's first look-up starts a thread, whose descriptor stays. */
static void warm_up(void)
{
    Fixture fixture = {0};

    set_up(&fixture, NULL);
    start(&fixture, "tcp:unknown.test:1");
    finish(&fixture);
    clean_up(&fixture);
}

/* ---- unix ------------------------------------------------------------------------------------ */

static void test_unix(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 1);

    start(fixture, "unix:%s", fixture->path);
    assert_connected(fixture, listening);
    close(listening);
}

static void test_abstract(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *name = g_strdup_printf("@qga-proxy-dial-test-%d", getpid());
    int listening = sockets_listen_unix(name, 1);

    start(fixture, "unix:%s", name);
    assert_connected(fixture, listening);
    close(listening);
}

static void test_unix_errors(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *missing =
        g_strdup_printf("cannot connect to unix:%s: No such file or directory", fixture->path);
    g_autofree char *refused =
        g_strdup_printf("cannot connect to unix:%s: Connection refused", fixture->path);
    g_autofree char *endless = g_strnfill(200, 'x');
    g_autofree char *too_long =
        g_strdup_printf("'%s' is 200 bytes long, a socket's path at most 107", endless);

    start(fixture, "unix:%s", fixture->path);
    assert_failed(fixture, missing);
    g_assert_error(fixture->error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);

    close(sockets_listen_unix(fixture->path, 1)); /* leaves the path */
    start(fixture, "unix:%s", fixture->path);
    assert_failed(fixture, refused);
    g_assert_error(fixture->error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);

    start(fixture, "unix:%s", endless);
    assert_failed(fixture, too_long);
    g_assert_error(fixture->error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG);
}

/* A server that is there but does not accept is told apart from one that is not. */
static void test_unix_full(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 0);
    int waiting = sockets_connect_unix(fixture->path);
    g_autofree char *full = g_strdup_printf(
        "cannot connect to unix:%s: it does not keep up with accepting", fixture->path);

    start(fixture, "unix:%s", fixture->path);
    assert_failed(fixture, full);
    g_assert_error(fixture->error, G_IO_ERROR, G_IO_ERROR_BUSY);
    close(waiting);
    close(listening);
}

/* ---- tcp ------------------------------------------------------------------------------------- */

static void assert_connects_tcp(Fixture *fixture, const char *listen_host, const char *dial_host)
{
    int listening = sockets_listen_tcp(listen_host, 0, 1);
    int no_delay = 0;
    socklen_t len = sizeof no_delay;

    start(fixture, "tcp:%s:%u", dial_host, sockets_port(listening));
    assert_connected(fixture, listening);
    g_assert_no_errno(getsockopt(fixture->fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &len));
    g_assert_cmpint(no_delay, ==, 1);
    close(listening);
}

static void test_tcp(Fixture *fixture, gconstpointer unused)
{
    assert_connects_tcp(fixture, "127.0.0.1", "127.0.0.1");
}

static void test_tcp6(Fixture *fixture, gconstpointer unused)
{
    if (!sockets_have("::1")) {
        g_test_skip("this host has no IPv6");
        return;
    }
    assert_connects_tcp(fixture, "::1", "[::1]");
    assert_connects_tcp(fixture, "::1", "localhost");
}

/* Whichever of its addresses the server is on. */
static void test_localhost(Fixture *fixture, gconstpointer unused)
{
    assert_connects_tcp(fixture, "127.0.0.1", "localhost");
}

static void test_several(Fixture *fixture, gconstpointer unused)
{
    assert_connects_tcp(fixture, "127.0.0.1", "several.test");
    assert_connects_tcp(fixture, "127.0.0.2", "several.test");
    assert_connects_tcp(fixture, "127.0.0.3", "several.test");
}

static void test_tcp_errors(Fixture *fixture, gconstpointer unused)
{
    int silent = sockets_bind_tcp("127.0.0.1", 0);
    guint16 port = sockets_port(silent);
    g_autofree char *refused =
        g_strdup_printf("cannot connect to tcp:several.test:%u: Connection refused", port);

    start(fixture, "tcp:several.test:%u", port);
    assert_failed(fixture, refused);
    g_assert_error(fixture->error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);

    start(fixture, "tcp:unknown.test:1");
    assert_failed(fixture, "cannot connect to tcp:unknown.test:1: 'unknown.test' is nobody");
    g_assert_error(fixture->error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND);

    start(fixture, "tcp:127.0.0.1:no-such-service");
    assert_failed(fixture, "cannot connect to tcp:127.0.0.1:no-such-service: "
                           "service 'no-such-service' is not known");
    close(silent);
}

/* ---- vsock and inherited descriptors --------------------------------------------------------- */

/* There is an outcome, and an error names the address; which one is up to the host: it can be
 * without vsock, or without a local context, or have a server there. */
static void test_vsock(Fixture *fixture, gconstpointer unused)
{
    start(fixture, "vsock:1:4294967294");
    finish(fixture);
    if (fixture->error)
        g_assert_true(
            g_str_has_prefix(fixture->error->message, "cannot connect to vsock:1:4294967294: "));
}

static void test_fd(Fixture *fixture, gconstpointer unused)
{
    int fds[2];

    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    start(fixture, "fd:%d", fds[0]);
    finish(fixture);
    g_assert_no_error(fixture->error);
    g_assert_cmpint(fixture->fd, ==, fds[0]);

    start(fixture, "fd:%d", fds[0]); /* which the end of the last attempt has closed */
    finish(fixture);
    g_assert_cmpint(fixture->fd, ==, -1);
    g_assert_true(g_str_has_suffix(fixture->error->message, ": Bad file descriptor"));
    close(fds[1]);
}

/* ---- giving up ------------------------------------------------------------------------------- */

/* Freed after @turns of the loop; then nothing is told, and nothing left open. */
static void give_up(Fixture *fixture, guint turns)
{
    for (guint i = 0; i < turns; i++)
        g_main_context_iteration(fixture->context, FALSE);
    g_assert_cmpuint(fixture->calls, ==, 0);
    g_clear_pointer(&fixture->dial, dial_free);
    while (g_main_context_iteration(fixture->context, FALSE))
        ;
    g_assert_cmpuint(fixture->calls, ==, 0);
}

static void test_give_up_at_once(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 8);
    int fds[2];

    start(fixture, "unix:%s", fixture->path);
    give_up(fixture, 0);
    start(fixture, "unix:%s-missing", fixture->path);
    give_up(fixture, 0);
    start(fixture, "tcp:127.0.0.1:1");
    give_up(fixture, 0);
    start(fixture, "tcp:localhost:1");
    give_up(fixture, 0);
    start(fixture, "tcp:127.0.0.1:no-such-service");
    give_up(fixture, 0);
    start(fixture, "vsock:2:4294967294");
    give_up(fixture, 0);
    g_assert_no_errno(pipe2(fds, O_CLOEXEC));
    start(fixture, "fd:%d", fds[0]); /* taken over, and so closed */
    give_up(fixture, 0);
    close(fds[1]);
    dial_free(NULL);
    close(listening);
}

static void test_give_up_looking_up(Fixture *fixture, gconstpointer unused)
{
    start(fixture, "tcp:silent.test:1");
    give_up(fixture, 3);
}

/* The kernel leaves a connection unanswered where the queue of those to be accepted is full. */
static void test_give_up_connecting(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_tcp("127.0.0.1", 0, 0);
    guint16 port = sockets_port(listening);
    int waiting = sockets_connect_tcp("127.0.0.1", port);

    start(fixture, "tcp:127.0.0.1:%u", port);
    give_up(fixture, 10);
    close(waiting);
    close(listening);
}

/* Connected, but the owner was not told yet. */
static void test_give_up_connected(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 1);

    start(fixture, "unix:%s", fixture->path);
    give_up(fixture, 1);
    close(listening);
}

static void test_free_in_callback(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_tcp("127.0.0.1", 0, 1);
    int silent = sockets_bind_tcp("127.0.0.1", 0);

    fixture->free_in_callback = TRUE;
    start(fixture, "tcp:several.test:%u", sockets_port(listening));
    assert_connected(fixture, listening);
    g_assert_null(fixture->dial);
    start(fixture, "tcp:127.0.0.1:%u", sockets_port(silent));
    finish(fixture);
    g_assert_error(fixture->error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
    g_assert_null(fixture->dial);
    close(silent);
    close(listening);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_autoptr(GResolver) resolver = NULL;

    g_test_init(&argc, &argv, NULL);
    resolver = g_object_new(TEST_TYPE_RESOLVER, NULL);
    g_resolver_set_default(resolver);
    warm_up();
    ADD("/dial/unix/path", test_unix);
    ADD("/dial/unix/abstract", test_abstract);
    ADD("/dial/unix/errors", test_unix_errors);
    ADD("/dial/unix/full", test_unix_full);
    ADD("/dial/tcp/ipv4", test_tcp);
    ADD("/dial/tcp/ipv6", test_tcp6);
    ADD("/dial/tcp/localhost", test_localhost);
    ADD("/dial/tcp/several", test_several);
    ADD("/dial/tcp/errors", test_tcp_errors);
    ADD("/dial/vsock", test_vsock);
    ADD("/dial/fd", test_fd);
    ADD("/dial/give-up/at-once", test_give_up_at_once);
    ADD("/dial/give-up/looking-up", test_give_up_looking_up);
    ADD("/dial/give-up/connecting", test_give_up_connecting);
    ADD("/dial/give-up/connected", test_give_up_connected);
    ADD("/dial/free-in-callback", test_free_in_callback);
    return g_test_run();
}
