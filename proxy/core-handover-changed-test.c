/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A successor that is set up with other monitors, or other channels, than the former core had: who
 * used one that is still there goes on with it, whatever its number, and nobody gets what is
 * another's. Who used one that is not there any more is closed, or told that its command failed.
 */

#include "core-channels-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "support/sockets.h"

#define NAME   "{\"execute\":\"query-name\"}"
#define PING   "{\"execute\":\"guest-ping\"}"
#define PONG   "{\"return\": {}}\r\n"
#define STATUS "{\"execute\":\"guest-fsfreeze-status\"}"
#define FREEZE "{\"execute\":\"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\":\"guest-fsfreeze-thaw\"}"
#define GETFD  "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\"}}"
#define LOST   "QEMU closed the connection; the command's outcome is unknown"

typedef struct {
    CoreFixture base;
    char *path; /* of what is there beside the first */
    int listening;
    Peer other;
    Peer first; /* a client on each monitor */
    Peer second;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    core_set_up_met(base, NULL);
    core_answer_start(base, TRUE);
    core_meet_agent(base, INFO);
    fixture->path = g_build_filename(base->folder, "other", NULL);
    fixture->listening = sockets_listen_unix(fixture->path, 1);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    Peer *peers[] = {&fixture->other, &fixture->first, &fixture->second};

    for (guint i = 0; i < G_N_ELEMENTS(peers); i++)
        if (peers[i]->got)
            peer_clear(peers[i]);
    close(fixture->listening);
    g_unlink(fixture->path);
    g_free(fixture->path);
    core_tear_down(&fixture->base, NULL);
}

/* ---- Monitors -------------------------------------------------------------------------------- */

static void add_monitor(Fixture *fixture, const char *path)
{
    const Address address = {.kind = ADDRESS_UNIX, .path = (char *)path};
    g_autoptr(GError) error = NULL;

    g_assert_true(core_add_monitor(fixture->base.core, &address, &error));
    g_assert_no_error(error);
}

static void meet_other_monitor(Fixture *fixture)
{
    core_accept(&fixture->base, &fixture->other, fixture->listening);
    fake_qemu_negotiate(&fixture->other, &fixture->base.world, TRUE);
    peer_expect(&fixture->other, "");
}

static void set_up_two_monitors(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    set_up(fixture, unused);
    add_monitor(fixture, fixture->path);
    meet_other_monitor(fixture);
    core_connect_negotiated(base, &fixture->first, FALSE);
    core_connect_negotiated(base, &fixture->second, FALSE);
    core_send(base, &fixture->first, NAME);
    core_send(base, &fixture->second, NAME);
    peer_expect(&base->qemu, NAME);
    peer_expect(&fixture->other, NAME);
}

/* The successor's first monitor is the other one. */
static void swap_paths(Fixture *fixture)
{
    char *first = fixture->base.monitor;

    fixture->base.monitor = fixture->path;
    fixture->path = first;
}

static void assert_clients(Fixture *fixture, const char *part)
{
    g_autofree char *status = core_status(fixture->base.core, FALSE);

    if (!strstr(status, part))
        g_error("'%s' is not in '%s'", part, status);
}

/* The new one is of use at once, and takes nothing from who is there. */
static void test_monitor_added(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    Peer third;

    core_connect_negotiated(base, &fixture->first, FALSE);
    core_connect_negotiated(base, &fixture->second, FALSE);
    core_send(base, &fixture->second, NAME);
    peer_expect(&base->qemu, NAME);
    core_begin_hand_over(base, NULL);
    add_monitor(fixture, fixture->path);
    core_end_hand_over(base);
    meet_other_monitor(fixture);
    core_send(base, &base->qemu, "{\"return\": \"of the second\"}\r\n");
    core_expect(&fixture->first, "");
    core_expect(&fixture->second, "{\"return\": \"of the second\"}\r\n");
    core_connect_negotiated(base, &third, FALSE);
    core_send(base, &third, NAME);
    peer_expect(&base->qemu, "");
    core_send(base, &fixture->other, "{\"return\": \"of the third\"}\r\n");
    core_expect(&third, "{\"return\": \"of the third\"}\r\n");
    peer_clear(&third);
}

/* A name stays its owner's, and is on the monitor where it was. */
static void test_monitor_added_in_front(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    core_connect_negotiated(base, &fixture->first, FALSE);
    core_connect_negotiated(base, &fixture->second, FALSE);
    peer_send_with_fd(&fixture->second, GETFD, "one");
    world_settle(&base->world);
    peer_expect_next(&base->qemu, GETFD, "one");
    core_send(base, &base->qemu, PONG);
    core_expect(&fixture->second, PONG);
    swap_paths(fixture);
    core_begin_hand_over(base, NULL);
    add_monitor(fixture, fixture->path);
    core_end_hand_over(base);
    meet_other_monitor(fixture);
    core_send(base, &fixture->first, "{\"execute\":\"closefd\",\"arguments\":{\"fdname\":\"x\"}}");
    core_expect(&fixture->first, GENERIC("File descriptor named 'x' not found"));
    peer_clear(&fixture->second);
    fixture->second = (Peer){0};
    world_settle(&base->world);
    peer_expect(&base->qemu, "{\"execute\":\"closefd\",\"arguments\":{\"fdname\":\"x\"}}");
}

static GVariant *drop_addresses(GVariant *state)
{
    GVariantDict less = G_VARIANT_DICT_INIT(NULL);
    GVariantIter iter;
    const char *name;
    GVariant *value;

    g_variant_iter_init(&iter, state);
    while (g_variant_iter_loop(&iter, "{&sv}", &name, &value))
        if (!g_str_equal(name, "address"))
            g_variant_dict_insert_value(&less, name,
                                        g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT)
                                            ? drop_addresses(value)
                                            : value);
    return g_variant_dict_end(&less);
}

/* A version that left no addresses was upgraded from: all there is to go by is the number. */
static void test_without_addresses(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    core_begin_hand_over(base, drop_addresses);
    add_monitor(fixture, fixture->path);
    core_end_hand_over(base);
    core_send(base, &base->qemu, "{\"return\": 1}\r\n");
    core_send(base, &fixture->other, "{\"return\": 2}\r\n");
    core_expect(&fixture->first, "{\"return\": 1}\r\n");
    core_expect(&fixture->second, "{\"return\": 2}\r\n");
    core_send(base, &fixture->first, PING);
    core_agent_answer(base, "guest-ping", "{}");
    core_expect(&fixture->first, PONG);
    peer_expect(&base->qemu, "");
}

/* The one that is left goes on, and whoever is on it. */
static void test_monitor_removed(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    core_hand_over(base);
    core_expect(&fixture->second, GENERIC(LOST));
    peer_expect_end(&fixture->second);
    peer_expect_end(&fixture->other);
    core_send(base, &base->qemu, "{\"return\": 1}\r\n");
    core_expect(&fixture->first, "{\"return\": 1}\r\n");
    assert_clients(fixture, "\"clients\": 1");
    peer_expect(&base->qemu, "");
}

/* So it does where it was not the first; it is asked about the guest from now on. */
static void test_first_monitor_removed(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    swap_paths(fixture);
    core_hand_over(base);
    core_expect(&fixture->first, GENERIC(LOST));
    peer_expect_end(&fixture->first);
    peer_expect_end(&base->qemu);
    peer_expect(&fixture->other, ASKED_AT_START);
    core_send(base, &fixture->other, "{\"return\": 2}\r\n");
    core_expect(&fixture->second, "{\"return\": 2}\r\n");
    assert_clients(fixture, "\"clients\": 1");
}

/* None of them is left: all clients are closed, and who comes is greeted when the new one is there.
 */
static void test_monitor_replaced(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    Peer late;

    core_connect_negotiated(base, &fixture->first, FALSE);
    swap_paths(fixture);
    core_hand_over(base);
    core_expect(&fixture->first, "");
    peer_expect_end(&fixture->first);
    peer_expect_end(&base->qemu);
    core_connect(base, &late);
    peer_expect(&late, "");
    core_accept(base, &fixture->other, fixture->listening);
    fake_qemu_negotiate(&fixture->other, &base->world, TRUE);
    peer_expect(&fixture->other, ASKED_AT_START);
    core_assert_heard(&late, "{\"QMP\": ");
    peer_clear(&late);
}

/* ---- Channels -------------------------------------------------------------------------------- */

/* QEMU is asked about its port, and the one in use is not disturbed. */
static void test_channel_added(Fixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    g_autofree char *id = NULL;

    core_connect_negotiated(base, &fixture->first, FALSE);
    core_send(base, &fixture->first, PING);
    id = fake_agent_take(&base->agent, PING);
    base->second = g_strdup(fixture->path);
    core_hand_over(base);
    peer_expect(&base->qemu, ASKED_AT_START);
    core_accept(base, &fixture->other, fixture->listening);
    fake_agent_return(&base->agent, id, "{}");
    world_settle(&base->world);
    core_expect(&fixture->first, PONG);
    peer_expect(&base->agent, "");
}

/* What is there of a channel that is gone is answered, and another agent is asked from now on. */
static void meet_second(ChannelsFixture *fixture, const char *status)
{
    CoreFixture *base = &fixture->base;

    fake_agent_sync(&fixture->second, &base->world);
    fake_agent_serve(&fixture->second, &base->world, STATUS, status);
    fake_agent_serve(&fixture->second, &base->world, "{\"execute\":\"guest-info\"}", INFO);
}

static void set_up_channels(ChannelsFixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    channels_set_up(fixture, unused);
    channels_serve_qemu(fixture, TRUE, TRUE);
    fake_agent_sync(&base->agent, &base->world);
    core_agent_answer(base, "guest-fsfreeze-status", "\"thawed\"");
    core_agent_answer(base, "guest-info", INFO);
    fake_agent_sync(&fixture->second, &base->world);
    core_expect(&fixture->client, "");
}

/* @channel: (nullable): the only one of the successor */
static void hand_over_with(ChannelsFixture *fixture, char *channel)
{
    CoreFixture *base = &fixture->base;
    char *first = base->channel;
    char *second = base->second;

    base->channel = channel;
    base->second = NULL;
    core_hand_over(base);
    base->channel = first;
    base->second = second;
}

static void test_channel_removed(ChannelsFixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    g_autofree char *id = NULL;

    core_send(base, &fixture->client, PING);
    id = fake_agent_take(&base->agent, PING);
    hand_over_with(fixture, base->channel);
    peer_expect_end(&fixture->second);
    fake_agent_return(&base->agent, id, "{}");
    world_settle(&base->world);
    core_expect(&fixture->client, PONG);
    peer_expect(&base->agent, "");
    peer_expect(&base->qemu, "");
}

static void test_used_channel_removed(ChannelsFixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    g_autofree char *id = NULL;

    core_send(base, &fixture->client, PING);
    id = fake_agent_take(&base->agent, PING);
    hand_over_with(fixture, base->second);
    peer_expect_end(&base->agent);
    core_assert_heard(&fixture->client, "The guest agent's channel was taken away");
    meet_second(fixture, "\"thawed\"");
    core_send(base, &fixture->client, PING);
    fake_agent_serve(&fixture->second, &base->world, PING, "{}");
    core_expect(&fixture->client, PONG);
}

/* The filesystems stay frozen, for who has frozen them to thaw, whichever agent does it. */
static void test_used_channel_removed_frozen(ChannelsFixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;

    core_send(base, &fixture->client, FREEZE);
    fake_agent_serve(&base->agent, &base->world, FREEZE, "2");
    hand_over_with(fixture, base->second);
    meet_second(fixture, "\"thawed\"");
    core_assert_freeze(base, "frozen");
    core_send(base, &fixture->client, THAW);
    fake_agent_serve(&fixture->second, &base->world, THAW, "2");
    core_assert_freeze(base, "thawed");
}

/* One that was not answered may have happened. */
static void test_used_channel_removed_freezing(ChannelsFixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    g_autofree char *id = NULL;

    core_send(base, &fixture->client, FREEZE);
    id = fake_agent_take(&base->agent, FREEZE);
    hand_over_with(fixture, base->second);
    core_assert_heard(&fixture->client, "The guest agent's channel was taken away");
    core_assert_freeze(base, "thawing");
    fake_agent_sync_last(&fixture->second, &base->world);
    fake_agent_serve(&fixture->second, &base->world, THAW, "0");
    fake_agent_serve(&fixture->second, &base->world, STATUS, "\"thawed\"");
    core_assert_freeze(base, "thawed");
}

/* Nobody is left waiting for an answer that cannot come. */
static void test_no_channel(ChannelsFixture *fixture, gconstpointer unused)
{
    CoreFixture *base = &fixture->base;
    g_autofree char *id = NULL;
    Peer idle;

    core_connect_negotiated(base, &idle, FALSE);
    core_send(base, &fixture->client, PING);
    id = fake_agent_take(&base->agent, PING);
    hand_over_with(fixture, NULL);
    world_pass_ms(&base->world, LIMIT_LINGER_MS);
    peer_expect_end(&fixture->client);
    core_send(base, &idle, NAME);
    peer_expect(&base->qemu, NAME);
    core_send(base, &base->qemu, NAMED);
    core_expect(&idle, NAMED);
    peer_clear(&idle);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define PATH                    "/core-handover-changed/"
#define ADD(name, set_up, test) g_test_add(PATH name, Fixture, NULL, set_up, test, tear_down)
#define ADD_CHANNELS(name, test) \
    g_test_add(PATH name, ChannelsFixture, NULL, set_up_channels, test, channels_tear_down)
    ADD("monitor-added", set_up, test_monitor_added);
    ADD("monitor-added-in-front", set_up, test_monitor_added_in_front);
    ADD("monitor-removed", set_up_two_monitors, test_monitor_removed);
    ADD("first-monitor-removed", set_up_two_monitors, test_first_monitor_removed);
    ADD("monitor-replaced", set_up, test_monitor_replaced);
    ADD("without-addresses", set_up_two_monitors, test_without_addresses);
    ADD("channel-added", set_up, test_channel_added);
    ADD_CHANNELS("channel-removed", test_channel_removed);
    ADD_CHANNELS("used-channel-removed", test_used_channel_removed);
    ADD_CHANNELS("used-channel-removed-frozen", test_used_channel_removed_frozen);
    ADD_CHANNELS("used-channel-removed-freezing", test_used_channel_removed_freezing);
    ADD_CHANNELS("no-channel", test_no_channel);
#undef ADD
#undef ADD_CHANNELS
#undef PATH
    return g_test_run();
}
