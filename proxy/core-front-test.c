/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How clients and QEMU find one another through the proxy: who waits for whom, and what becomes of
 * a client that was dialled.
 */

#include "core-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/limits.h"
#include "support/sockets.h"

enum { RECONNECT_S = 3 };

/* ---- QEMU waits ------------------------------------------------------------------------------ */

/* @listening: QEMU's. Returns: whether anybody has connected there; takes nobody */
static gboolean is_called(int listening)
{
    GPollFD poll = {.fd = listening, .events = G_IO_IN};

    return g_poll(&poll, 1, 0) == 1;
}

/* Neither monitor nor channel is connected to before each listener that waits has had a client. One
 * of another listener does not count, nor what comes first of anything else. */
static void test_wait(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = g_build_filename(fixture->folder, "first", NULL);
    g_autofree char *second = g_build_filename(fixture->folder, "second", NULL);
    Peer other, client;
    int leaver;

    fixture->listening[0] = sockets_listen_unix(fixture->monitor, 1);
    fixture->listening[1] = sockets_listen_unix(fixture->channel, 1);
    core_listen(fixture, fixture->socket, FALSE);
    core_listen(fixture, first, TRUE);
    core_listen(fixture, second, TRUE);
    leaver = sockets_connect_unix(first);
    world_pass_ms(&fixture->world, 5000);
    g_assert_false(is_called(fixture->listening[0]));
    core_start(fixture->core);
    core_connect(fixture, &other);
    close(leaver); /* it was there, as for QEMU */
    world_pass_ms(&fixture->world, 5000);
    g_assert_false(is_called(fixture->listening[0]));
    g_assert_false(is_called(fixture->listening[1]));

    peer_init(&client, sockets_connect_unix(second));
    world_settle(&fixture->world);
    g_assert_true(is_called(fixture->listening[0]));
    g_assert_true(is_called(fixture->listening[1]));
    peer_clear(&other);
    peer_clear(&client);
}

static void test_wait_over(CoreFixture *fixture, gconstpointer unused)
{
    fixture->listening[0] = sockets_listen_unix(fixture->monitor, 1);
    fixture->listening[1] = sockets_listen_unix(fixture->channel, 1);
    core_listen(fixture, fixture->socket, TRUE);
    close(sockets_connect_unix(fixture->socket));
    world_pass_ms(&fixture->world, 1000);
    g_assert_false(is_called(fixture->listening[0]));
    core_start(fixture->core);
    world_settle(&fixture->world);
    g_assert_true(is_called(fixture->listening[0]));
}

/* One that comes too late to be waited for holds nobody up. */
static void test_wait_late(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *late = g_build_filename(fixture->folder, "late", NULL);

    core_listen(fixture, late, TRUE);
    core_start_qemu(fixture);
}

/* ---- We go to the client --------------------------------------------------------------------- */

typedef struct {
    char *path;
    int listening;
} Station;

static void open_station(Station *station, CoreFixture *fixture)
{
    station->path = g_build_filename(fixture->folder, "client", NULL);
    station->listening = sockets_listen_unix(station->path, 5);
    g_assert_no_errno(fcntl(station->listening, F_SETFL, O_NONBLOCK));
}

static void close_station(Station *station)
{
    close(station->listening);
    g_assert_no_errno(g_unlink(station->path));
    g_free(station->path);
}

static void dial(CoreFixture *fixture, Station *station, guint reconnect)
{
    const Address address = {.kind = ADDRESS_UNIX, .path = station->path, .reconnect = reconnect};
    g_autoptr(GError) error = NULL;

    g_assert_true(core_add_listener(fixture->core, &address, &error));
    g_assert_no_error(error);
    world_settle(&fixture->world);
}

static gboolean is_dialled(Station *station, Peer *client)
{
    int fd = accept(station->listening, NULL, NULL);

    if (fd >= 0)
        peer_init(client, fd);
    return fd >= 0;
}

/* It is served like those that come by themselves, and dialled again when it has gone: by itself,
 * or because it broke off. */
static void test_dialled(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *greeting = NULL;
    Station station;
    Peer other, client;

    open_station(&station, fixture);
    core_connect_negotiated(fixture, &other, FALSE);
    dial(fixture, &station, RECONNECT_S);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(is_dialled(&station, &client));
        core_send(fixture, &client, "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"nope\"}");
        core_answer(fixture, "{\"execute\":\"nope\"}", "{\"return\": {}}\r\n");
        g_free(peer_take_line(&client));
        core_expect(&client, "{\"return\": {}}\r\n{\"return\": {}}\r\n");
        peer_clear(&client);
        world_pass_ms(&fixture->world, RECONNECT_S * 1000 - 100);
        g_assert_false(is_dialled(&station, &client));
        world_pass_ms(&fixture->world, 200);
    }
    g_assert_true(is_dialled(&station, &client));
    peer_clear(&other); /* somebody else's going is nothing to it */
    world_pass_ms(&fixture->world, 2 * RECONNECT_S * 1000);
    g_assert_false(is_dialled(&station, &other));
    peer_clear(&client);
    close_station(&station);
}

/* Without being asked to, it is not dialled again. */
static void test_dialled_once(CoreFixture *fixture, gconstpointer unused)
{
    Station station;
    Peer client;

    open_station(&station, fixture);
    dial(fixture, &station, 0);
    g_assert_true(is_dialled(&station, &client));
    peer_clear(&client);
    world_pass_ms(&fixture->world, 10000);
    g_assert_false(is_dialled(&station, &client));
    close_station(&station);
}

/* QEMU's end is the end of dialling too. */
static void test_dialled_qemu_gone(CoreFixture *fixture, gconstpointer unused)
{
    Station station;
    Peer client;

    open_station(&station, fixture);
    dial(fixture, &station, RECONNECT_S);
    g_assert_true(is_dialled(&station, &client));
    peer_close(&fixture->qemu);
    world_settle(&fixture->world);
    g_free(peer_take_line(&client));
    peer_expect_end(&client);
    peer_clear(&client);
    world_pass_ms(&fixture->world, 2 * RECONNECT_S * 1000);
    g_assert_false(is_dialled(&station, &client));
    close_station(&station);
}

int main(int argc, char **argv)
{
#define ADD(path, set_up, test) g_test_add(path, CoreFixture, NULL, set_up, test, core_tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/core-front/wait", core_set_up_new, test_wait);
    ADD("/core-front/wait-over", core_set_up_new, test_wait_over);
    ADD("/core-front/wait-late", core_set_up_alone, test_wait_late);
    ADD("/core-front/dialled", core_set_up, test_dialled);
    ADD("/core-front/dialled-once", core_set_up, test_dialled_once);
    ADD("/core-front/dialled-qemu-gone", core_set_up, test_dialled_qemu_gone);
    return g_test_run();
}
