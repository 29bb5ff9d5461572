/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The library as an embedder sees it, by its one header: errors that name the culprit, the signal,
 * whose main loop it is, what it lends its listener to, and that nothing stays open behind it.
 */

#include "qga-proxy.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/peer.h"
#include "support/sockets.h"

#define DEADLINE_SECONDS 20

typedef struct {
    guint descriptors;
    GMainContext *context;
    char *folder;
    char *monitor; /* paths */
    char *socket;
    char *monitor_address;
    char *socket_address;
    QgaProxy *proxy;
    int listening;
    Peer qemu;
    guint closed;
} Fixture;

/* ---- Fixture --------------------------------------------------------------------------------- */

static void set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    *fixture = (Fixture){.listening = -1, .qemu = {.fd = -1}};
    fixture->descriptors = sockets_open_descriptors();
    fixture->folder = g_dir_make_tmp("qga-proxy-test-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->monitor = g_build_filename(fixture->folder, "monitor", NULL);
    fixture->socket = g_build_filename(fixture->folder, "proxy", NULL);
    fixture->monitor_address = g_strconcat("unix:", fixture->monitor, NULL);
    fixture->socket_address = g_strconcat("unix:", fixture->socket, NULL);
    fixture->context = g_main_context_new();
    g_main_context_push_thread_default(fixture->context);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    if (fixture->proxy)
        g_assert_finalize_object(g_steal_pointer(&fixture->proxy));
    g_main_context_pop_thread_default(fixture->context);
    g_main_context_unref(fixture->context);
    if (fixture->listening >= 0)
        close(fixture->listening);
    if (fixture->qemu.got)
        peer_clear(&fixture->qemu);
    g_assert_cmpuint(sockets_open_descriptors(), ==, fixture->descriptors);
    g_unlink(fixture->monitor);
    g_assert_no_errno(g_rmdir(fixture->folder)); /* with it, that the listener's path is gone */
    g_free(fixture->folder);
    g_free(fixture->monitor);
    g_free(fixture->socket);
    g_free(fixture->monitor_address);
    g_free(fixture->socket_address);
}

static gboolean on_deadline(gpointer unused)
{
    g_error("nothing happened within %u s", DEADLINE_SECONDS);
    return G_SOURCE_REMOVE;
}

static void wait_until(Fixture *fixture, gboolean (*is_so)(Fixture *fixture))
{
    GSource *deadline = g_timeout_source_new_seconds(DEADLINE_SECONDS);

    g_source_set_callback(deadline, on_deadline, NULL, NULL);
    g_source_attach(deadline, fixture->context);
    while (!is_so(fixture))
        g_main_context_iteration(fixture->context, TRUE);
    g_source_destroy(deadline);
    g_source_unref(deadline);
}

static void settle(Fixture *fixture)
{
    while (g_main_context_iteration(fixture->context, FALSE))
        ;
}

static void on_closed(QgaProxy *proxy, Fixture *fixture)
{
    g_assert_true(proxy == fixture->proxy);
    fixture->closed++;
}

static gboolean is_connected(Fixture *fixture)
{
    g_autofree char *status = qga_proxy_dup_status(fixture->proxy);

    return strstr(status, "\"connected\": true") != NULL;
}

static gboolean is_closed(Fixture *fixture)
{
    return fixture->closed > 0;
}

/* Meets a QEMU that is there and says the least that it must. */
static void start(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *handshake = NULL;
    g_autofree char *answer = NULL;
    const char *id;

    fixture->listening = sockets_listen_unix(fixture->monitor, 1);
    fixture->proxy = qga_proxy_new(fixture->monitor_address, NULL, &error);
    g_assert_no_error(error);
    g_signal_connect(fixture->proxy, "closed", G_CALLBACK(on_closed), fixture);
    g_assert_true(qga_proxy_add_listener(fixture->proxy, fixture->socket_address, &error));
    g_assert_no_error(error);
    qga_proxy_start(fixture->proxy);
    settle(fixture);
    peer_init(&fixture->qemu, accept(fixture->listening, NULL, NULL));
    peer_send(&fixture->qemu, "{\"QMP\": {\"version\": {\"qemu\": {}}, \"capabilities\": []}}\r\n");
    settle(fixture);
    handshake = peer_take(&fixture->qemu);
    id = strstr(handshake, "\"id\":");
    g_assert_nonnull(id);
    answer = g_strdup_printf("{\"return\": {}, %s\r\n", id);
    peer_send(&fixture->qemu, answer);
    wait_until(fixture, is_connected);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void test_bad_addresses(Fixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *monitor, *agent;
        QgaProxyError code;
        const char *culprit;
    } cases[] = {
        {"nonsense", NULL, QGA_PROXY_ERROR_ADDRESS, "nonsense"},
        {"unix:", NULL, QGA_PROXY_ERROR_ADDRESS, "unix:"},
        {"tcp:localhost", NULL, QGA_PROXY_ERROR_ADDRESS, "tcp:localhost"},
        {"unix:/m,server=maybe", NULL, QGA_PROXY_ERROR_ADDRESS, "maybe"},
        {"unix:/m", "fd:x", QGA_PROXY_ERROR_ADDRESS, "fd:x"},
        {"unix:/m,pretty=on", NULL, QGA_PROXY_ERROR_ADDRESS, "pretty"},
        {"unix:/m", "unix:/a,pretty", QGA_PROXY_ERROR_ADDRESS, "pretty"},
        {"unix:/no/such/folder/m,server=on", NULL, QGA_PROXY_ERROR_SOCKET, "/no/such/folder/m"},
        {"unix:/m", "unix:/no/such/folder/a,server=on", QGA_PROXY_ERROR_SOCKET,
         "/no/such/folder/a"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s and %s", cases[i].monitor, cases[i].agent);
        g_assert_null(qga_proxy_new(cases[i].monitor, cases[i].agent, &error));
        g_assert_error(error, QGA_PROXY_ERROR, (gint)cases[i].code);
        g_assert_nonnull(strstr(error->message, cases[i].culprit));
        g_assert_null(qga_proxy_new(cases[i].monitor, cases[i].agent, NULL));
    }
}

/* They may be told before the proxy is started, be it that none was told with it. */
static void test_agents(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *status = NULL;

    fixture->proxy = qga_proxy_new("unix:/nobody", NULL, NULL);
    g_assert_false(qga_proxy_add_agent(fixture->proxy, "unix:/a,pretty=on", &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS);
    g_clear_error(&error);
    g_assert_false(qga_proxy_add_agent(fixture->proxy, "unix:/no/such/folder/a,server=on", &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_SOCKET);
    g_clear_error(&error);
    g_assert_true(qga_proxy_add_agent(fixture->proxy, "unix:/nobody", &error));
    g_assert_true(qga_proxy_add_agent(fixture->proxy, "unix:/nobody/else", &error));
    g_assert_no_error(error);
    qga_proxy_start(fixture->proxy);
    g_assert_false(qga_proxy_add_agent(fixture->proxy, "unix:/late", &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE);
    status = qga_proxy_dup_status(fixture->proxy);
    g_assert_nonnull(strstr(status, "\"channel\": 0, \"channels\": 2,"));
}

static void test_bad_listeners(Fixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *address;
        QgaProxyError code;
        const char *culprit;
    } cases[] = {
        {"nonsense", QGA_PROXY_ERROR_ADDRESS, "nonsense"},
        {"unix:@x,mode=600", QGA_PROXY_ERROR_ADDRESS, "mode"},
        {"unix:/x,server=off,wait=on", QGA_PROXY_ERROR_ADDRESS, "wait"},
        {"unix:/tmp/x,user=no-such-user", QGA_PROXY_ERROR_SOCKET, "no-such-user"},
        {"fd:1023,server=off", QGA_PROXY_ERROR_SOCKET, "fd:1023"},
        {"unix:/no/such/folder/l", QGA_PROXY_ERROR_SOCKET, "/no/such/folder/l"},
        {"tcp:192.0.2.1:0", QGA_PROXY_ERROR_SOCKET, "192.0.2.1"},
    };

    fixture->proxy = qga_proxy_new("unix:/nobody", NULL, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].address);
        g_assert_false(qga_proxy_add_listener(fixture->proxy, cases[i].address, &error));
        g_assert_error(error, QGA_PROXY_ERROR, (gint)cases[i].code);
        g_assert_nonnull(strstr(error->message, cases[i].culprit));
    }
}

/* ---- What is served beside it ---------------------------------------------------------------- */

typedef struct {
    Fixture *fixture;
    guint connections;
    guint destroyed;
} Beside;

static void on_connection(int fd, const char *peer, gpointer user_data)
{
    Beside *beside = user_data;

    g_assert_true(g_str_has_prefix(peer, beside->fixture->socket_address));
    g_assert_cmpint(write(fd, "hello", 5), ==, 5);
    close(fd);
    beside->connections++;
}

static void on_destroyed(gpointer user_data)
{
    ((Beside *)user_data)->destroyed++;
}

static gboolean add_service(Beside *beside, const char *address, GError **error)
{
    return qga_proxy_add_service(beside->fixture->proxy, address, on_connection, beside,
                                 on_destroyed, error);
}

/* Each connection is handed over, started or not, until the proxy stops. */
static void test_service(Fixture *fixture, gconstpointer unused)
{
    Beside beside = {fixture};
    g_autoptr(GError) error = NULL;
    Peer client;

    fixture->proxy = qga_proxy_new("unix:/nobody", NULL, NULL);
    g_assert_true(add_service(&beside, fixture->socket_address, &error));
    g_assert_no_error(error);
    for (guint i = 1; i <= 2; i++) {
        peer_init(&client, sockets_connect_unix(fixture->socket));
        settle(fixture);
        g_assert_cmpuint(beside.connections, ==, i);
        peer_expect_next(&client, "hello", NULL);
        peer_expect_end(&client);
        peer_clear(&client);
        qga_proxy_start(fixture->proxy);
    }
    g_assert_cmpuint(beside.destroyed, ==, 0);
    qga_proxy_stop(fixture->proxy);
    g_assert_cmpuint(beside.destroyed, ==, 1);
    g_assert_cmpint(g_access(fixture->socket, F_OK), !=, 0);
    g_assert_false(add_service(&beside, fixture->socket_address, &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE);
    g_assert_cmpuint(beside.destroyed, ==, 2);
}

static void test_bad_services(Fixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *address;
        QgaProxyError code;
        const char *culprit;
    } cases[] = {
        {"nonsense", QGA_PROXY_ERROR_ADDRESS, "nonsense"},
        {"unix:/x,server=off", QGA_PROXY_ERROR_ADDRESS, "server"},
        {"unix:/x,wait=on", QGA_PROXY_ERROR_ADDRESS, "wait"},
        {"unix:/x,pretty=on", QGA_PROXY_ERROR_ADDRESS, "pretty"},
        {"unix:/no/such/folder/l", QGA_PROXY_ERROR_SOCKET, "/no/such/folder/l"},
    };
    Beside beside = {fixture};

    fixture->proxy = qga_proxy_new("unix:/nobody", NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(add_service(&beside, cases[i].address, &error));
        g_assert_error(error, QGA_PROXY_ERROR, (gint)cases[i].code);
        g_assert_nonnull(strstr(error->message, cases[i].culprit));
        g_assert_cmpuint(beside.destroyed, ==, i + 1);
    }
}

/* The same as the status tells, at any time. */
static void test_metrics(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *plain = NULL;
    g_autofree char *named = NULL;
    g_autofree char *stopped = NULL;

    start(fixture);
    plain = qga_proxy_dup_metrics(fixture->proxy, NULL);
    g_assert_nonnull(strstr(plain, "\nqga_proxy_qemu_connected 1\n"));
    named = qga_proxy_dup_metrics(fixture->proxy, "vm \"1\"");
    g_assert_nonnull(strstr(named, "\nqga_proxy_qemu_connected{vm=\"vm \\\"1\\\"\"} 1\n"));
    qga_proxy_stop(fixture->proxy);
    stopped = qga_proxy_dup_metrics(fixture->proxy, NULL);
    g_assert_cmpstr(stopped, ==, "");
}

/* ---- A life ---------------------------------------------------------------------------------- */

static void test_serves(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *status = NULL;
    Peer client;

    start(fixture);
    peer_init(&client, sockets_connect_unix(fixture->socket));
    peer_send(&client, "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-status\",\"id\":1}");
    settle(fixture);
    peer_expect(&fixture->qemu, "{\"execute\":\"query-status\"}");
    peer_send(&fixture->qemu, "{\"return\": {}}\r\n");
    settle(fixture);
    peer_expect(&client, "{\"QMP\": {\"version\": {\"qemu\": {}}, \"capabilities\": []}}\r\n"
                         "{\"return\": {}}\r\n{\"return\": {}, \"id\": 1}\r\n");
    status = qga_proxy_dup_status(fixture->proxy);
    g_assert_nonnull(strstr(status, "\"clients\": 1"));
    g_assert_finalize_object(g_steal_pointer(&fixture->proxy));
    peer_expect_end(&client);
    peer_clear(&client);
}

/* Clients that are connected to, and after the start as well. */
static void test_connects_out(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *address = NULL;
    Peer client;

    start(fixture);
    address = g_strdup_printf("fd:%d,server=off", peer_init_pair(&client, SOCK_STREAM));
    g_assert_true(qga_proxy_add_listener(fixture->proxy, address, &error));
    g_assert_no_error(error);
    settle(fixture);
    peer_expect(&client, "{\"QMP\": {\"version\": {\"qemu\": {}}, \"capabilities\": []}}\r\n");
    g_assert_finalize_object(g_steal_pointer(&fixture->proxy));
    peer_expect_end(&client);
    peer_clear(&client);
}

/* It lives in the context that was the thread's default when it was made, and in no other. */
static void test_context(Fixture *fixture, gconstpointer unused)
{
    g_assert_false(g_main_context_pending(NULL));
    start(fixture);
    peer_close(&fixture->qemu);
    g_assert_false(g_main_context_pending(NULL));
    g_assert_true(g_main_context_pending(fixture->context));
    wait_until(fixture, is_closed);
}

static void test_stopped(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *status = NULL;

    start(fixture);
    qga_proxy_stop(fixture->proxy);
    qga_proxy_stop(fixture->proxy);
    qga_proxy_start(fixture->proxy);
    g_assert_false(qga_proxy_add_listener(fixture->proxy, fixture->socket_address, &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE);
    status = qga_proxy_dup_status(fixture->proxy);
    g_assert_cmpstr(status, ==, "{}");
    peer_expect_end(&fixture->qemu);
    settle(fixture);
    g_assert_cmpuint(fixture->closed, ==, 0);
}

static void test_never_started(Fixture *fixture, gconstpointer unused)
{
    fixture->proxy = qga_proxy_new("unix:/nobody", "unix:/nobody", NULL);
    g_assert_true(qga_proxy_add_listener(fixture->proxy, fixture->socket_address, NULL));
    settle(fixture);
}

/* ---- The signal ------------------------------------------------------------------------------ */

static void test_closed(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *status = NULL;

    start(fixture);
    peer_close(&fixture->qemu);
    wait_until(fixture, is_closed);
    settle(fixture);
    g_assert_cmpuint(fixture->closed, ==, 1);
    g_assert_cmpint(g_access(fixture->socket, F_OK), !=, 0);
    status = qga_proxy_dup_status(fixture->proxy);
    g_assert_cmpstr(status, ==, "{}");
}

static void stop_in_handler(QgaProxy *proxy, Fixture *fixture)
{
    qga_proxy_stop(proxy);
}

static void drop_in_handler(QgaProxy *proxy, Fixture *fixture)
{
    g_object_unref(g_steal_pointer(&fixture->proxy));
}

/* A handler may stop it, and give up the last reference. */
static void test_closed_in_handler(Fixture *fixture, gconstpointer unused)
{
    start(fixture);
    g_signal_connect(fixture->proxy, "closed", G_CALLBACK(stop_in_handler), fixture);
    g_signal_connect(fixture->proxy, "closed", G_CALLBACK(drop_in_handler), fixture);
    peer_close(&fixture->qemu);
    wait_until(fixture, is_closed);
    settle(fixture);
    g_assert_null(fixture->proxy);
}

/* Stopped between QEMU's end and the signal: it does not follow. */
static void test_stopped_before_closed(Fixture *fixture, gconstpointer unused)
{
    start(fixture);
    peer_close(&fixture->qemu);
    for (guint turns = 0; turns < 100 && is_connected(fixture); turns++)
        g_main_context_iteration(fixture->context, FALSE);
    g_main_context_iteration(fixture->context, FALSE); /* clients are gone; the signal is next */
    g_assert_cmpuint(fixture->closed, ==, 0);
    qga_proxy_stop(fixture->proxy);
    settle(fixture);
    g_assert_cmpuint(fixture->closed, ==, 0);
}

int main(int argc, char **argv)
{
#define ADD(path, test) g_test_add(path, Fixture, NULL, set_up, test, tear_down)
    g_test_init(&argc, &argv, NULL);
    g_main_context_default(); /* or its descriptor would be made while those of a test are counted
                               */
    ADD("/qga-proxy/bad-addresses", test_bad_addresses);
    ADD("/qga-proxy/agents", test_agents);
    ADD("/qga-proxy/bad-listeners", test_bad_listeners);
    ADD("/qga-proxy/service", test_service);
    ADD("/qga-proxy/bad-services", test_bad_services);
    ADD("/qga-proxy/metrics", test_metrics);
    ADD("/qga-proxy/serves", test_serves);
    ADD("/qga-proxy/connects-out", test_connects_out);
    ADD("/qga-proxy/context", test_context);
    ADD("/qga-proxy/stopped", test_stopped);
    ADD("/qga-proxy/never-started", test_never_started);
    ADD("/qga-proxy/closed", test_closed);
    ADD("/qga-proxy/closed-in-handler", test_closed_in_handler);
    ADD("/qga-proxy/stopped-before-closed", test_stopped_before_closed);
    return g_test_run();
}
