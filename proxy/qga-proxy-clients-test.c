/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where clients come from while the proxy runs, and a proxy of which all is said at once.
 */

#include "qga-proxy-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/sockets.h"

#define GREETING "{\"QMP\": {\"version\": {\"qemu\": {}}, \"capabilities\": [\"oob\"]}}\r\n"

static gboolean has_clients(Embed *embed, guint count)
{
    g_autofree char *status = qga_proxy_dup_status(embed->proxy);
    g_autofree char *needle = g_strdup_printf("\"clients\": %u,", count);

    return strstr(status, needle) != NULL;
}

/* ---- Listeners ------------------------------------------------------------------------------- */

/* Who came from there stays; nobody else comes. */
static void test_remove(Embed *embed, gconstpointer unused)
{
    g_autofree char *written = g_strconcat(embed->socket_address, ",mode=600", NULL);
    g_autoptr(GError) error = NULL;
    Peer client;

    embed_connect(embed, &client);
    g_assert_true(qga_proxy_remove_listener(embed->proxy, written, &error));
    g_assert_no_error(error);
    g_assert_cmpint(g_access(embed->socket, F_OK), !=, 0);
    embed_send(embed, &client, "{\"execute\":\"qga-proxy-freeze-renew\"}");
    peer_expect(&client, "{\"error\": {\"class\": \"GenericError\", "
                         "\"desc\": \"Nothing is frozen\"}}\r\n");
    g_assert_false(qga_proxy_remove_listener(embed->proxy, embed->socket_address, &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS);
    g_assert_nonnull(strstr(error->message, embed->socket));
    g_clear_error(&error);
    g_assert_true(qga_proxy_add_listener(embed->proxy, embed->socket_address, &error));
    g_assert_no_error(error);
    peer_clear(&client);
    embed_connect(embed, &client);
    peer_clear(&client);
}

/* QEMU is waited for no longer where the client that was to come before cannot come any more. */
static void test_remove_awaited(Embed *embed, gconstpointer unused)
{
    g_autofree char *address = g_strconcat(embed->socket_address, ",wait=on", NULL);
    int fd;

    g_assert_true(qga_proxy_add_listener(embed->proxy, address, NULL));
    qga_proxy_start(embed->proxy);
    embed->listening[0] = sockets_listen_unix(embed->monitor, 1);
    g_assert_no_errno(fcntl(embed->listening[0], F_SETFL, O_NONBLOCK));
    embed_settle(embed);
    g_assert_cmpint(accept(embed->listening[0], NULL, NULL), <, 0);
    g_assert_true(qga_proxy_remove_listener(embed->proxy, address, NULL));
    embed_settle(embed);
    fd = accept(embed->listening[0], NULL, NULL);
    g_assert_cmpint(fd, >=, 0);
    peer_init(&embed->qemu, fd);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void test_add_client(Embed *embed, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    Peer client;
    int fd = peer_init_pair(&client, SOCK_STREAM);

    g_assert_true(qga_proxy_add_client(embed->proxy, fd, "the-door", &error));
    g_assert_no_error(error);
    embed_settle(embed);
    peer_expect(&client, GREETING);
    embed_send(embed, &client,
               "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"qga-proxy-status\","
               "\"arguments\":{\"connections\":true}}");
    {
        g_autofree char *came = peer_take(&client);

        g_assert_nonnull(strstr(came, "\"peer\": \"the-door\""));
    }
    peer_close(&client);
    embed_settle(embed);
    g_assert_true(has_clients(embed, 0));
    peer_clear(&client);
}

/* What is not taken stays the caller's. */
static void test_add_bad_client(Embed *embed, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    int file = sockets_readable("x");
    Peer client;
    int fd;

    g_assert_false(qga_proxy_add_client(embed->proxy, file, NULL, &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_SOCKET);
    g_clear_error(&error);
    g_assert_no_errno(close(file));
    g_assert_false(qga_proxy_add_client(embed->proxy, 1023, NULL, &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_SOCKET);
    g_clear_error(&error);

    g_assert_true(qga_proxy_set_limit(embed->proxy, "clients=1", NULL));
    g_assert_true(
        qga_proxy_add_client(embed->proxy, peer_init_pair(&client, SOCK_STREAM), NULL, &error));
    g_assert_no_error(error);
    peer_clear(&client);
    fd = peer_init_pair(&client, SOCK_STREAM);
    g_assert_false(qga_proxy_add_client(embed->proxy, fd, NULL, &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_LIMIT);
    g_clear_error(&error);
    qga_proxy_stop(embed->proxy);
    g_assert_false(qga_proxy_add_client(embed->proxy, fd, NULL, &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE);
    g_assert_no_errno(close(fd));
    peer_clear(&client);
}

/* ---- Config ---------------------------------------------------------------------------------- */

/* All of it is as it was set by itself. */
static void test_config(Embed *embed, gconstpointer unused)
{
    const char *const monitors[] = {embed->monitor_address, "unix:/nobody", NULL};
    const char *const listeners[] = {embed->socket_address, NULL};
    const char *const limits[] = {"clients=7", NULL};
    const char *const cached[] = {"guest-get-osinfo=5", NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *status = NULL;
    g_autoptr(QgaProxyConfig) config =
        g_object_new(QGA_TYPE_PROXY_CONFIG, "monitors", monitors, "agent", embed->channel_address,
                     "listeners", listeners, "name", "vm", "program", "manager", "state-directory",
                     embed->folder, "limits", limits, "agent-cache", cached, "freeze-lease", 5,
                     "freeze-join", TRUE, "persist", TRUE, NULL);

    g_clear_object(&embed->proxy);
    embed->proxy = qga_proxy_new_for_config(config, &error);
    g_assert_no_error(error);
    embed_start(embed);
    qga_proxy_freeze_async(embed->proxy, NULL, NULL, NULL, NULL);
    embed_answer_agent(embed, "{\"execute\":\"guest-fsfreeze-freeze\"}", "1");
    status = qga_proxy_dup_status(embed->proxy);
    g_assert_nonnull(strstr(status, "\"by\": \"manager\""));
    g_assert_nonnull(strstr(status, "\"lease\": 5"));
    g_assert_nonnull(strstr(status, "\"clients\": 7"));
    g_assert_cmpint(g_access(embed->socket, F_OK), ==, 0);
    qga_proxy_thaw_async(embed->proxy, NULL, NULL, NULL);
    embed_answer_agent(embed, "{\"execute\":\"guest-fsfreeze-thaw\"}", "1");
    embed_close_qemu(embed); /* it stays */
    embed_settle(embed);
    g_clear_pointer(&status, g_free);
    status = qga_proxy_dup_status(embed->proxy);
    g_assert_cmpstr(status, !=, "{}");
    g_assert_cmpint(g_access(embed->socket, F_OK), ==, 0);
    qga_proxy_stop(embed->proxy);
    embed_settle(embed);
}

static void test_bad_config(Embed *embed, gconstpointer unused)
{
    static const struct {
        const char *property, *value;
        QgaProxyError code;
    } cases[] = {
        {"monitors", NULL, QGA_PROXY_ERROR_ADDRESS},
        {"monitors", "nonsense", QGA_PROXY_ERROR_ADDRESS},
        {"listeners", "unix:/no/such/folder/l", QGA_PROXY_ERROR_SOCKET},
        {"agent-listeners", "nonsense", QGA_PROXY_ERROR_ADDRESS},
        {"limits", "x=1", QGA_PROXY_ERROR_LIMIT},
        {"agent-cache", "guest-x=1", QGA_PROXY_ERROR_CACHE},
    };
    const char *const monitors[] = {"unix:/nobody", NULL};

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const value[] = {cases[i].value, NULL};
        g_autoptr(QgaProxyConfig) config = qga_proxy_config_new();
        g_autoptr(GError) error = NULL;

        g_object_set(config, "monitors", monitors, NULL);
        g_object_set(config, cases[i].property, value, NULL);
        g_assert_null(qga_proxy_new_for_config(config, &error));
        g_assert_error(error, QGA_PROXY_ERROR, (gint)cases[i].code);
    }
}

/* Sockets that the embedder has already are the proxy's from then on. */
static void test_config_of_descriptors(Embed *embed, gconstpointer unused)
{
    Peer qemu;
    g_autofree char *monitor = g_strdup_printf("fd:%d", peer_init_pair(&qemu, SOCK_STREAM));
    const char *const monitors[] = {monitor, NULL};
    g_autoptr(QgaProxyConfig) config =
        g_object_new(QGA_TYPE_PROXY_CONFIG, "monitors", monitors, NULL);
    g_autoptr(QgaProxy) proxy = NULL;
    g_autoptr(GError) error = NULL;

    proxy = qga_proxy_new_for_config(config, &error);
    g_assert_no_error(error);
    qga_proxy_start(proxy);
    peer_send(&qemu, GREETING);
    embed_settle(embed);
    g_assert_true(peer_read(&qemu));
    g_clear_object(&proxy);
    g_string_truncate(qemu.got, 0);
    peer_expect_end(&qemu);
    peer_clear(&qemu);
}

int main(int argc, char **argv)
{
#define ADD(path, set_up, test) \
    g_test_add("/qga-proxy-clients/" path, Embed, NULL, set_up, test, embed_tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("remove", embed_set_up_met, test_remove);
    ADD("remove-awaited", embed_set_up, test_remove_awaited);
    ADD("add-client", embed_set_up_met, test_add_client);
    ADD("add-bad-client", embed_set_up_met, test_add_bad_client);
    ADD("config", embed_set_up, test_config);
    ADD("bad-config", embed_set_up, test_bad_config);
    ADD("config-of-descriptors", embed_set_up, test_config_of_descriptors);
    return g_test_run();
}
