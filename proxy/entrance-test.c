/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where clients come from: many where it is listened, one at a time where it is dialled, again only
 * where that was asked for, and never twice by a descriptor.
 */

#include "entrance.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
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
    char *name; /* of that, as an address */
    Entrance *entrance;
    gboolean closed; /* whoever comes is turned away */
    GArray *came;    /* of int: descriptors, which also stand for their clients */
    char *peer;      /* of the last one */
} Fixture;

static gconstpointer client_of(int fd)
{
    return GINT_TO_POINTER(fd + 1);
}

static void on_came(gpointer owner, Entrance *entrance, int fd, const char *peer)
{
    Fixture *fixture = owner;

    g_assert_true(entrance == fixture->entrance);
    g_free(fixture->peer);
    fixture->peer = g_strdup(peer);
    if (fixture->closed) {
        close(fd);
        entrance_turned_away(entrance);
        return;
    }
    g_array_append_val(fixture->came, fd);
    entrance_let_in(entrance, client_of(fd));
}

static Entrance *try_open(Fixture *fixture, const char *text, EntranceCallback callback,
                          GError **error)
{
    static const AddressDefaults defaults = {.server = TRUE};
    g_autoptr(GError) syntax = NULL;
    g_autoptr(Address) address = address_parse(text, &defaults, &syntax);

    g_assert_no_error(syntax);
    return entrance_new(fixture->world.loop, address, callback, fixture, NULL, error);
}

G_GNUC_PRINTF(2, 3)
static void open_entrance(Fixture *fixture, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    fixture->entrance = try_open(fixture, text, on_came, &error);
    g_assert_no_error(error);
}

static void set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    *fixture = (Fixture){.came = g_array_new(FALSE, FALSE, sizeof(int))};
    fixture->folder = g_dir_make_tmp("entrance-test-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->path = g_build_filename(fixture->folder, "socket", NULL);
    fixture->name = g_strconcat("unix:", fixture->path, NULL);
    world_init(&fixture->world);
}

/* One client goes, the last that came first. */
static void leave(Fixture *fixture)
{
    int fd = g_array_index(fixture->came, int, fixture->came->len - 1);

    g_array_set_size(fixture->came, fixture->came->len - 1);
    close(fd);
    entrance_left(fixture->entrance, client_of(fd));
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    entrance_free(fixture->entrance);
    for (guint i = 0; i < fixture->came->len; i++)
        close(g_array_index(fixture->came, int, i));
    world_clear(&fixture->world);
    g_unlink(fixture->path);
    g_assert_no_errno(g_rmdir(fixture->folder));
    g_array_unref(fixture->came);
    g_free(fixture->peer);
    g_free(fixture->name);
    g_free(fixture->path);
    g_free(fixture->folder);
}

/* ---- They come to us ------------------------------------------------------------------------- */

static void test_listens(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *peer = NULL;
    int clients[3];

    open_entrance(fixture, "%s,pretty=on", fixture->name);
    g_assert_true(entrance_address(fixture->entrance)->pretty);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        clients[i] = sockets_connect_unix(fixture->path);
        world_settle(&fixture->world);
        g_assert_cmpuint(fixture->came->len, ==, i + 1);
    }
    peer = g_strdup_printf("%s uid %u pid %d", fixture->name, getuid(), getpid());
    g_assert_cmpstr(fixture->peer, ==, peer);
    leave(fixture);
    world_pass_ms(&fixture->world, 3000);
    g_assert_cmpuint(fixture->came->len, ==, 2);
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++)
        close(clients[i]);
}

/* QEMU's start waits for the first one that is let in, and not for any after that. */
static void test_awaited(Fixture *fixture, gconstpointer unused)
{
    int clients[2];

    open_entrance(fixture, "%s,wait=on", fixture->name);
    g_assert_true(entrance_is_awaited(fixture->entrance));
    fixture->closed = TRUE;
    clients[0] = sockets_connect_unix(fixture->path);
    world_settle(&fixture->world);
    g_assert_true(entrance_is_awaited(fixture->entrance));
    fixture->closed = FALSE;
    clients[1] = sockets_connect_unix(fixture->path);
    world_settle(&fixture->world);
    g_assert_false(entrance_is_awaited(fixture->entrance));
    leave(fixture);
    g_assert_false(entrance_is_awaited(fixture->entrance));
    close(clients[0]);
    close(clients[1]);
}

static void test_not_awaited(Fixture *fixture, gconstpointer unused)
{
    open_entrance(fixture, "%s,wait=off", fixture->name);
    g_assert_false(entrance_is_awaited(fixture->entrance));
}

static void free_entrance(gpointer owner, Entrance *entrance, int fd, const char *peer)
{
    Fixture *fixture = owner;

    g_array_append_val(fixture->came, fd);
    g_clear_pointer(&fixture->entrance, entrance_free);
}

static void test_freed_in_callback(Fixture *fixture, gconstpointer unused)
{
    static const char *const options[] = {"server=on", "server=off"};

    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autofree char *text = g_strdup_printf("%s,%s", fixture->name, options[i]);
        int listening = i == 1 ? sockets_listen_unix(fixture->path, 1) : -1;
        int client;

        fixture->entrance = try_open(fixture, text, free_entrance, NULL);
        client = sockets_connect_unix(fixture->path);
        world_settle(&fixture->world);
        g_assert_cmpuint(fixture->came->len, ==, i + 1);
        g_assert_null(fixture->entrance);
        close(client);
        if (listening >= 0)
            close(listening);
    }
}

/* ---- We go to them --------------------------------------------------------------------------- */

static void assert_came(Fixture *fixture, guint count)
{
    g_assert_cmpuint(fixture->came->len, ==, count);
    if (count > 0)
        g_assert_cmpstr(fixture->peer, ==, fixture->name);
}

/* It is tried until it is there, without being asked how often; but once lost, it is lost. */
static void test_dials_once(Fixture *fixture, gconstpointer unused)
{
    int listening;

    open_entrance(fixture, "%s,server=off", fixture->name);
    g_assert_false(entrance_is_awaited(fixture->entrance));
    world_pass_ms(&fixture->world, 3000);
    assert_came(fixture, 0);
    listening = sockets_listen_unix(fixture->path, 5);
    world_pass_ms(&fixture->world, LIMIT_RECONNECT_LAST_MS);
    assert_came(fixture, 1);
    leave(fixture);
    world_pass_ms(&fixture->world, 60000);
    assert_came(fixture, 0);
    close(listening);
}

/* After so many seconds, and not before: when nobody was there, and when it was lost. While one is
 * there, no other is dialled. */
static void test_dials_again(Fixture *fixture, gconstpointer unused)
{
    int listening;

    open_entrance(fixture, "%s,server=off,reconnect=7", fixture->name);
    world_settle(&fixture->world);
    listening = sockets_listen_unix(fixture->path, 5);
    world_pass_ms(&fixture->world, 6900);
    assert_came(fixture, 0);
    world_pass_ms(&fixture->world, 200);
    assert_came(fixture, 1);
    world_pass_ms(&fixture->world, 30000);
    assert_came(fixture, 1);
    for (guint i = 0; i < 3; i++) {
        leave(fixture);
        world_pass_ms(&fixture->world, 6900);
        assert_came(fixture, 0);
        world_pass_ms(&fixture->world, 200);
        assert_came(fixture, 1);
    }
    entrance_left(fixture->entrance, client_of(12345)); /* somebody else's */
    world_pass_ms(&fixture->world, 30000);
    assert_came(fixture, 1);
    close(listening);
}

/* One that there is no place for has not been there. */
static void test_turned_away(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 5);

    fixture->closed = TRUE;
    open_entrance(fixture, "%s,server=off,reconnect=7", fixture->name);
    world_pass_ms(&fixture->world, 20000);
    fixture->closed = FALSE;
    world_pass_ms(&fixture->world, 7000);
    assert_came(fixture, 1);
    close(listening);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* Its number is used once: to whom it belongs after that it is left. */
static void test_inherited(Fixture *fixture, gconstpointer unused)
{
    Peer peer;
    int fd = peer_init_pair(&peer, SOCK_STREAM);
    g_autofree char *name = g_strdup_printf("fd:%d", fd);

    open_entrance(fixture, "%s,server=off", name);
    g_assert_cmpuint(fixture->came->len, ==, 0);
    world_settle(&fixture->world);
    g_assert_cmpuint(fixture->came->len, ==, 1);
    g_assert_cmpint(g_array_index(fixture->came, int, 0), ==, fd);
    g_assert_cmpstr(fixture->peer, ==, name);
    leave(fixture);
    g_assert_no_errno(dup2(peer.fd, fd)); /* somebody else's by now */
    world_pass_ms(&fixture->world, 60000);
    g_assert_cmpuint(fixture->came->len, ==, 0);
    g_clear_pointer(&fixture->entrance, entrance_free);
    g_assert_no_errno(close(fd));
    peer_clear(&peer);
}

/* It was left to us: also where there was no turn of the loop to use it in. */
static void test_inherited_unused(Fixture *fixture, gconstpointer unused)
{
    Peer peer;

    open_entrance(fixture, "fd:%d,server=off", peer_init_pair(&peer, SOCK_STREAM));
    g_clear_pointer(&fixture->entrance, entrance_free);
    peer_expect_end(&peer);
    peer_clear(&peer);
}

static void test_inherited_listening(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 5);
    int client = sockets_connect_unix(fixture->path);

    open_entrance(fixture, "fd:%d", listening);
    world_settle(&fixture->world);
    g_assert_cmpuint(fixture->came->len, ==, 1);
    close(client);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void assert_fails(Fixture *fixture, const char *text, const char *expected)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(try_open(fixture, text, on_came, &error));
    g_assert_cmpint(error->domain, ==, G_IO_ERROR);
    g_assert_cmpstr(error->message, ==, expected);
}

/* Told to who asks for it, and nothing is taken over. */
static void test_errors(Fixture *fixture, gconstpointer unused)
{
    int listening = sockets_listen_unix(fixture->path, 5);
    g_autofree char *text = g_strdup_printf("fd:%d,server=off", listening);
    g_autofree char *expected =
        g_strdup_printf("cannot serve fd:%d: it listens, and is no connected client", listening);
    g_autofree char *in_use =
        g_strdup_printf("cannot listen on %s: it is in use by another server", fixture->name);

    assert_fails(fixture, text, expected);
    assert_fails(fixture, fixture->name, in_use);
    assert_fails(fixture, "fd:1023,server=off", "cannot serve fd:1023: Bad file descriptor");
    g_assert_no_errno(close(listening));
    entrance_free(NULL);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/entrance/listens", test_listens);
    ADD("/entrance/awaited", test_awaited);
    ADD("/entrance/not-awaited", test_not_awaited);
    ADD("/entrance/freed-in-callback", test_freed_in_callback);
    ADD("/entrance/dials-once", test_dials_once);
    ADD("/entrance/dials-again", test_dials_again);
    ADD("/entrance/turned-away", test_turned_away);
    ADD("/entrance/inherited", test_inherited);
    ADD("/entrance/inherited-unused", test_inherited_unused);
    ADD("/entrance/inherited-listening", test_inherited_listening);
    ADD("/entrance/errors", test_errors);
    return g_test_run();
}
