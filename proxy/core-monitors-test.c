/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Several monitors of one QEMU: clients are spread over them and keep to theirs; one that is lost
 * takes its own along and no others, and the guest is watched through another.
 */

#include "core-fixture.h"

#include <unistd.h>

#include "support/sockets.h"

#define NAME  "{\"execute\":\"query-name\"}"
#define PING  "{\"execute\":\"guest-ping\"}"
#define DONE  "{\"return\": {}}\r\n"
#define GETFD "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"}}"

typedef struct {
    CoreFixture base;
    char *path;
    int listening;
    Peer qemu; /* the second monitor */
} Fixture;

static void add_second(Fixture *fixture)
{
    Address address = {.kind = ADDRESS_UNIX};
    g_autoptr(GError) error = NULL;

    fixture->path = address.path = g_build_filename(fixture->base.folder, "second", NULL);
    fixture->listening = sockets_listen_unix(fixture->path, 1);
    g_assert_true(core_add_monitor(fixture->base.core, &address, &error));
    core_accept(&fixture->base, &fixture->qemu, fixture->listening);
    fake_qemu_negotiate(&fixture->qemu, &fixture->base.world, TRUE);
    peer_expect(&fixture->qemu, "");
}

/* The first is what leads; a client sits on each. */
static void set_up(Fixture *fixture, gconstpointer unused)
{
    core_set_up(&fixture->base, NULL);
    add_second(fixture);
}

/* The agent's port tells nothing by itself. */
static void set_up_without_id(Fixture *fixture, gconstpointer unused)
{
    core_set_up_met(&fixture->base, NULL);
    core_meet_agent_without_id(&fixture->base);
    add_second(fixture);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    if (fixture->qemu.got)
        peer_clear(&fixture->qemu);
    close(fixture->listening);
    unlink(fixture->path);
    g_free(fixture->path);
    core_tear_down(&fixture->base, NULL);
}

static void lose(Fixture *fixture, Peer *qemu)
{
    peer_clear(qemu);
    *qemu = (Peer){0};
    world_settle(&fixture->base.world);
}

/* Commands, answers and events keep to one monitor; the guest is everybody's. */
static void test_spread(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    Peer first, second;

    core_connect_negotiated(base, &first, FALSE);
    core_connect_negotiated(base, &second, FALSE);
    core_send(base, &first, NAME);
    core_send(base, &second, NAME);
    peer_expect(&base->qemu, NAME);
    peer_expect(&fixture->qemu, NAME);
    core_send(base, &fixture->qemu, "{\"return\": 2}\r\n" EVENT("STOP"));
    core_expect(&second, "{\"return\": 2}\r\n" EVENT("STOP"));
    core_send(base, &base->qemu, EVENT("RESUME") "{\"return\": 1}\r\n");
    core_expect(&first, EVENT("RESUME") "{\"return\": 1}\r\n");
    core_expect(&second, "");
    core_send(base, &second, PING);
    core_agent_answer(base, "guest-ping", "{}");
    core_expect(&second, DONE);
    peer_clear(&first);
    peer_clear(&second);
}

/* QEMU keeps names per monitor, so one name on each is two. */
static void test_names(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    Peer first, second;

    core_connect_negotiated(base, &first, FALSE);
    core_connect_negotiated(base, &second, FALSE);
    peer_send_with_fd(&first, GETFD, "one");
    peer_send_with_fd(&second, GETFD, "two");
    world_settle(&base->world);
    peer_expect_next(&base->qemu, GETFD, "one");
    peer_expect_next(&fixture->qemu, GETFD, "two");
    core_send(base, &base->qemu, DONE);
    core_send(base, &fixture->qemu, DONE);
    core_expect(&first, DONE);
    core_expect(&second, DONE);
    peer_clear(&first);
    peer_clear(&second);
}

/* The leading one is lost: its clients go as they would with QEMU, the other's stay, and it is
 * asked about the guest from now on. When it is back, it gets clients again. */
static void test_one_lost(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    Peer first, second, third;

    core_connect_negotiated(base, &first, FALSE);
    core_connect_negotiated(base, &second, FALSE);
    core_send(base, &first, NAME);
    core_send(base, &second, NAME);
    peer_expect(&fixture->qemu, NAME);
    lose(fixture, &base->qemu);
    core_expect(&first, GENERIC("QEMU closed the connection; the command's outcome is unknown"));
    peer_expect_end(&first);
    g_assert_cmpstr(base->closed->str, ==, "");
    peer_expect(&fixture->qemu, ASKED_AT_START);
    core_send(base, &fixture->qemu,
              "{\"return\": 2}\r\n{\"return\": {\"running\": false}}\r\n" NOTHING NOTHING NOTHING);
    core_expect(&second, "{\"return\": 2}\r\n");
    peer_expect(&fixture->qemu, "{\"execute\":\"query-chardev\"}");
    core_send(base, &second, PING);
    core_expect(&second, GENERIC("The virtual machine is paused; guest-ping was not sent"));
    core_send(base, &fixture->qemu, NOTHING EVENT("RESUME"));
    core_expect(&second, EVENT("RESUME"));
    core_send(base, &second, PING);
    core_agent_answer(base, "guest-ping", "{}");
    core_expect(&second, DONE);

    core_accept_qemu(base);
    fake_qemu_negotiate(&base->qemu, &base->world, TRUE);
    peer_expect(&base->qemu, "");
    core_connect_negotiated(base, &third, FALSE);
    core_send(base, &third, NAME);
    peer_expect(&base->qemu, NAME);
    peer_clear(&first);
    peer_clear(&second);
    peer_clear(&third);
}

/* With the last one QEMU is gone. */
static void test_all_lost(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    Peer second, first;

    core_connect_negotiated(base, &first, FALSE);
    core_connect_negotiated(base, &second, FALSE);
    lose(fixture, &fixture->qemu);
    peer_expect_end(&second);
    core_expect(&first, "");
    g_assert_false(first.ended);
    lose(fixture, &base->qemu);
    peer_expect_end(&first);
    g_assert_cmpstr(base->closed->str, ==, "QEMU closed the connection\n");
    peer_clear(&first);
    peer_clear(&second);
}

/* A command waits for a look at the port, on the monitor that is lost: it is not sent before the
 * other was asked and has answered. */
static void test_look_lost(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    g_autofree char *closed = core_chardevs(base, FALSE);
    Peer first, second;

    core_connect_negotiated(base, &first, FALSE);
    core_connect_negotiated(base, &second, FALSE);
    core_send(base, &second, PING);
    peer_expect(&base->qemu, "{\"execute\":\"query-chardev\"}");
    lose(fixture, &base->qemu);
    peer_expect(&fixture->qemu, ASKED_AT_START);
    peer_expect(&base->agent, "");
    peer_send(&fixture->qemu, "{\"return\": {\"running\": true}}\r\n");
    core_send(base, &fixture->qemu, closed);
    peer_expect(&base->agent, "");
    core_expect(&second,
                GENERIC("The guest agent is not connected: nothing in the guest has opened "
                        "its port; guest-ping was not sent"));
    peer_clear(&first);
    peer_clear(&second);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/core-monitors/spread", test_spread);
    ADD("/core-monitors/names", test_names);
    ADD("/core-monitors/one-lost", test_one_lost);
    ADD("/core-monitors/all-lost", test_all_lost);
    g_test_add("/core-monitors/look-lost", Fixture, NULL, set_up_without_id, test_look_lost,
               tear_down);
    return g_test_run();
}
