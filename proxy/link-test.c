/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The one connection to a peer: made when the peer comes, and again when it comes back; tried with
 * patience, and never twice with a descriptor.
 */

#include "link.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/limits.h"
#include "support/peer.h"
#include "support/sockets.h"
#include "support/world.h"

typedef struct {
    World world;
    char *folder;
    char *path;
    Link *link;
    int fd; /* that was given last, or -1 */
    guint given;
} Fixture;

static void on_connected(gpointer owner, int fd)
{
    Fixture *fixture = owner;

    g_assert_cmpint(fixture->fd, <, 0);
    fixture->fd = fd;
    fixture->given++;
}

static void open_link(Fixture *fixture, AddressKind kind, gboolean server, int fd)
{
    Address address = {.kind = kind, .path = fixture->path, .server = server};
    g_autoptr(GError) error = NULL;

    address.number = (guint32)fd;
    fixture->link = link_new(fixture->world.loop, &address, on_connected, fixture, NULL, &error);
    g_assert_no_error(error);
}

static void drop_fd(Fixture *fixture)
{
    g_assert_cmpint(fixture->fd, >=, 0);
    close(fixture->fd);
    fixture->fd = -1;
}

static void set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    *fixture = (Fixture){.fd = -1};
    fixture->folder = g_dir_make_tmp("link-test-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->path = g_build_filename(fixture->folder, "socket", NULL);
    world_init(&fixture->world);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    link_free(fixture->link);
    world_clear(&fixture->world);
    g_unlink(fixture->path);
    g_assert_no_errno(g_rmdir(fixture->folder));
    g_free(fixture->path);
    g_free(fixture->folder);
}

/* ---- We go to the peer ----------------------------------------------------------------------- */

static void test_waits_for_peer(Fixture *fixture, gconstpointer unused)
{
    int listening;

    open_link(fixture, ADDRESS_UNIX, FALSE, 0);
    world_pass_ms(&fixture->world, 100);
    g_assert_null(link_trouble(fixture->link));
    link_connect(fixture->link);
    world_pass_ms(&fixture->world, 3000);
    g_assert_cmpuint(fixture->given, ==, 0);
    g_assert_nonnull(strstr(link_trouble(fixture->link), fixture->path));

    listening = sockets_listen_unix(fixture->path, 5);
    world_pass_ms(&fixture->world, LIMIT_RECONNECT_LAST_MS);
    g_assert_cmpuint(fixture->given, ==, 1);
    g_assert_null(link_trouble(fixture->link));
    drop_fd(fixture);
    world_pass_ms(&fixture->world, 3000);
    g_assert_cmpuint(fixture->given, ==, 1);
    close(listening);
}

static guint count_accepted(int listening)
{
    guint accepted = 0;
    int fd;

    while ((fd = accept(listening, NULL, NULL)) >= 0) {
        close(fd);
        accepted++;
    }
    return accepted;
}

/* A peer that accepts and hangs up is not there yet: it is not asked again and again without a
 * pause. One that was there for a while and is lost is asked at once. */
static void test_hangs_up(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 100);
    guint attempts = 0;

    g_assert_no_errno(fcntl(listening, F_SETFL, O_NONBLOCK));
    open_link(fixture, ADDRESS_UNIX, FALSE, 0);
    link_connect(fixture->link);
    for (guint ms = 0; ms < 3000; ms += 10) {
        world_pass_ms(&fixture->world, 10);
        attempts += count_accepted(listening);
        if (fixture->fd < 0)
            continue;
        drop_fd(fixture);
        link_connect(fixture->link);
    }
    g_assert_cmpuint(attempts, >, 3);
    g_assert_cmpuint(attempts, <, 12);

    world_pass_ms(&fixture->world, 1000);
    g_assert_cmpint(fixture->fd, >=, 0);
    world_pass_ms(&fixture->world, 10000);
    drop_fd(fixture);
    link_connect(fixture->link);
    world_pass_ms(&fixture->world, LIMIT_RECONNECT_FIRST_MS);
    drop_fd(fixture);
    close(listening);
}

/* ---- The peer comes to us -------------------------------------------------------------------- */

/* One at a time: the next waits in the backlog until it is wanted. */
static void test_server(Fixture *fixture, gconstpointer unused)
{
    int first, second;

    open_link(fixture, ADDRESS_UNIX, TRUE, 0);
    first = sockets_connect_unix(fixture->path);
    world_pass_ms(&fixture->world, 100);
    g_assert_cmpuint(fixture->given, ==, 0);
    link_connect(fixture->link);
    world_pass_ms(&fixture->world, 100);
    g_assert_cmpuint(fixture->given, ==, 1);

    second = sockets_connect_unix(fixture->path);
    world_pass_ms(&fixture->world, 100);
    g_assert_cmpuint(fixture->given, ==, 1);
    drop_fd(fixture);
    link_connect(fixture->link);
    world_pass_ms(&fixture->world, 100);
    g_assert_cmpuint(fixture->given, ==, 2);
    drop_fd(fixture);
    close(first);
    close(second);
}

static void test_cannot_listen(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 5);
    Address address = {.kind = ADDRESS_UNIX, .path = fixture->path, .server = TRUE};
    g_autoptr(GError) error = NULL;

    g_assert_null(link_new(fixture->world.loop, &address, on_connected, fixture, NULL, &error));
    g_assert_nonnull(strstr(error->message, fixture->path));
    close(listening);
}

/* ---- An inherited descriptor ----------------------------------------------------------------- */

/* Once it is used up, its number may be somebody else's: who connects next would be taken for the
 * guest. */
static void test_descriptor(Fixture *fixture, gconstpointer unused)
{
    Peer peer, stranger;
    int fd = peer_init_pair(&peer, SOCK_STREAM);
    int other;

    open_link(fixture, ADDRESS_FD, FALSE, fd);
    link_connect(fixture->link);
    world_settle(&fixture->world);
    g_assert_cmpint(fixture->fd, ==, fd);
    drop_fd(fixture);

    other = peer_init_pair(&stranger, SOCK_STREAM);
    g_assert_no_errno(dup2(other, fd));
    link_connect(fixture->link);
    world_pass_ms(&fixture->world, 3000);
    g_assert_cmpuint(fixture->given, ==, 1);
    g_assert_nonnull(link_trouble(fixture->link));
    g_assert_no_errno(fcntl(fd, F_GETFD));
    close(fd);
    if (other != fd)
        close(other);
    peer_clear(&peer);
    peer_clear(&stranger);
}

/* Nor is a number that was not open at first: what is open under it later is another's. */
static void test_no_descriptor(Fixture *fixture, gconstpointer unused)
{
    Peer stranger;
    int fd = peer_init_pair(&stranger, SOCK_STREAM);
    int other = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);

    close(fd);
    open_link(fixture, ADDRESS_FD, FALSE, fd);
    link_connect(fixture->link);
    world_pass_ms(&fixture->world, 100);
    g_assert_nonnull(link_trouble(fixture->link));
    g_assert_no_errno(dup2(other, fd));
    world_pass_ms(&fixture->world, 3000);
    g_assert_cmpuint(fixture->given, ==, 0);
    g_assert_no_errno(fcntl(fd, F_GETFD));
    close(fd);
    close(other);
    peer_clear(&stranger);
}

/* ---- Shared --------------------------------------------------------------------------------- */

typedef struct {
    gboolean is_peer; /* whoever comes next */
    guint strangers;
} Sorter;

static gboolean on_sort(gpointer owner, int fd, const char *unused_name)
{
    Sorter *sorter = owner;

    if (sorter->is_peer)
        return TRUE;
    sorter->strangers++;
    close(fd);
    return FALSE;
}

static void come(Fixture *fixture, Sorter *sorter, Peer *peer, gboolean is_peer)
{
    sorter->is_peer = is_peer;
    peer_init(peer, sockets_connect_unix(fixture->path));
    world_settle(&fixture->world);
}

/* Others come to the peer's address, before it and while it is there; nobody is let in before it
 * can be told who is who. A peer that comes again too early gets its turn when its last connection
 * was lost. */
static void test_shared(Fixture *fixture, gconstpointer unused)
{
    Sorter sorter = {FALSE};
    Peer early, late, peer, again;

    open_link(fixture, ADDRESS_UNIX, TRUE, -1);
    link_share(fixture->link, on_sort, &sorter);
    link_connect(fixture->link);
    come(fixture, &sorter, &early, FALSE);
    g_assert_cmpuint(sorter.strangers, ==, 0);
    link_let_in(fixture->link, TRUE);
    world_settle(&fixture->world);
    g_assert_cmpuint(sorter.strangers, ==, 1);
    come(fixture, &sorter, &peer, TRUE);
    g_assert_cmpuint(fixture->given, ==, 1);
    come(fixture, &sorter, &late, FALSE);
    g_assert_cmpuint(sorter.strangers, ==, 2);
    come(fixture, &sorter, &again, TRUE);
    g_assert_cmpuint(fixture->given, ==, 1);
    drop_fd(fixture);
    link_connect(fixture->link);
    world_settle(&fixture->world);
    g_assert_cmpuint(fixture->given, ==, 2);
    drop_fd(fixture);
    peer_clear(&early);
    peer_clear(&late);
    peer_clear(&peer);
    peer_clear(&again);
}

int main(int argc, char **argv)
{
#define ADD(path, test) g_test_add(path, Fixture, NULL, set_up, test, tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/link/waits-for-peer", test_waits_for_peer);
    ADD("/link/hangs-up", test_hangs_up);
    ADD("/link/server", test_server);
    ADD("/link/cannot-listen", test_cannot_listen);
    ADD("/link/shared", test_shared);
    ADD("/link/descriptor", test_descriptor);
    ADD("/link/no-descriptor", test_no_descriptor);
    return g_test_run();
}
