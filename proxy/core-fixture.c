/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/limits.h"
#include "support/sockets.h"

static void on_closed(gpointer owner, const char *why)
{
    CoreFixture *fixture = owner;

    g_string_append_printf(fixture->closed, "%s\n", why);
}

void core_set_up_new(CoreFixture *fixture, gconstpointer unused)
{
    static const CoreOps ops = {on_closed};
    Address monitor = {.kind = ADDRESS_UNIX};
    Address channel = {.kind = ADDRESS_UNIX};
    g_autoptr(GError) error = NULL;

    *fixture = (CoreFixture){.listening = {-1, -1}, .closed = g_string_new(NULL)};
    fixture->folder = g_dir_make_tmp("core-test-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->monitor = monitor.path = g_build_filename(fixture->folder, "monitor", NULL);
    fixture->channel = channel.path = g_build_filename(fixture->folder, "channel", NULL);
    fixture->socket = g_build_filename(fixture->folder, "proxy", NULL);
    world_init(&fixture->world);
    fixture->core =
        core_new(fixture->world.context, &monitor, &channel, NULL, &ops, fixture, &error);
    g_assert_no_error(error);
}

void core_add_second(CoreFixture *fixture)
{
    const Address address = {.kind = ADDRESS_UNIX, .path = fixture->second};
    g_autoptr(GError) error = NULL;

    if (!fixture->second)
        return;
    g_assert_true(core_add_agent(fixture->core, &address, &error));
    g_assert_no_error(error);
}

void core_listen(CoreFixture *fixture, const char *path, gboolean wait)
{
    const Address address = {
        .kind = ADDRESS_UNIX, .path = (char *)path, .server = TRUE, .wait = wait};
    g_autoptr(GError) error = NULL;

    g_assert_true(core_add_listener(fixture->core, &address, &error));
    g_assert_no_error(error);
}

void core_set_up_alone(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_new(fixture, unused);
    core_listen(fixture, fixture->socket, FALSE);
    core_start(fixture->core);
    world_settle(&fixture->world);
}

void core_accept(CoreFixture *fixture, Peer *peer, int listening)
{
    int fd;

    g_assert_no_errno(fcntl(listening, F_SETFL, O_NONBLOCK));
    for (guint ms = 0; (fd = accept(listening, NULL, NULL)) < 0; ms += 10) {
        g_assert_cmpuint(ms, <=, LIMIT_RECONNECT_LAST_MS);
        world_pass_ms(&fixture->world, 10);
    }
    peer_init(peer, fd);
}

void core_accept_agent(CoreFixture *fixture)
{
    core_accept(fixture, &fixture->agent, fixture->listening[1]);
}

void core_lose_agent(CoreFixture *fixture)
{
    peer_clear(&fixture->agent);
    fixture->agent = (Peer){0};
    world_settle(&fixture->world);
}

void core_accept_qemu(CoreFixture *fixture)
{
    core_accept(fixture, &fixture->qemu, fixture->listening[0]);
}

void core_start_qemu(CoreFixture *fixture)
{
    fixture->listening[0] = sockets_listen_unix(fixture->monitor, 1);
    fixture->listening[1] = sockets_listen_unix(fixture->channel, 1);
    core_accept_qemu(fixture);
    core_accept_agent(fixture);
}

void core_answer(CoreFixture *fixture, const char *sent, const char *reply)
{
    world_settle(&fixture->world);
    peer_expect(&fixture->qemu, sent);
    core_send(fixture, &fixture->qemu, reply);
}

char *core_chardevs(const CoreFixture *fixture, gboolean open)
{
    return g_strdup_printf("{\"return\": [{\"frontend-open\": %s, \"filename\": "
                           "\"unix:%s,server=on\", \"label\": \"qga0\"}]}\r\n",
                           open ? "true" : "false", fixture->channel);
}

void core_answer_first(CoreFixture *fixture, const char *chardevs, const char *named,
                       const char *unnamed)
{
    peer_send(&fixture->qemu, "{\"return\": {\"running\": true, \"status\": \"running\"}}\r\n");
    peer_send(&fixture->qemu, chardevs);
    peer_send(&fixture->qemu, named);
    core_answer(fixture, ASKED_AT_START, unnamed);
}

void core_answer_start(CoreFixture *fixture, gboolean open)
{
    g_autofree char *chardevs = core_chardevs(fixture, open);

    core_answer_first(
        fixture, chardevs,
        "{\"return\": [{\"name\": \"port0\", \"type\": \"child<virtserialport>\"}]}\r\n", NOTHING);
    core_answer(fixture,
                "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral/port0\","
                "\"property\":\"chardev\"}}",
                "{\"return\": \"qga0\"}\r\n");
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", chardevs);
}

void core_set_up_met(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_alone(fixture, unused);
    core_start_qemu(fixture);
    fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
}

void core_agent_answer(CoreFixture *fixture, const char *command, const char *value)
{
    g_autofree char *text = g_strdup_printf("{\"execute\":\"%s\"}", command);

    fake_agent_serve(&fixture->agent, &fixture->world, text, value);
}

void core_meet_agent(CoreFixture *fixture, const char *info)
{
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-fsfreeze-status", "\"thawed\"");
    core_agent_answer(fixture, "guest-info", info);
}

void core_meet_agent_without_id(CoreFixture *fixture)
{
    g_autofree char *open = core_chardevs(fixture, TRUE);

    core_answer_first(
        fixture, open, NOTHING,
        "{\"return\": [{\"name\": \"device[1]\", \"type\": \"child<virtserialport>\"}]}\r\n");
    core_answer(fixture,
                "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral-anon/"
                "device[1]\",\"property\":\"chardev\"}}",
                "{\"return\": \"qga0\"}\r\n");
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", open);
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", open);
    core_agent_answer(fixture, "guest-fsfreeze-status", "\"thawed\"");
    core_answer(fixture, "{\"execute\":\"query-chardev\"}", open);
    core_agent_answer(fixture, "guest-info", "{}");
}

void core_set_up(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_met(fixture, unused);
    core_answer_start(fixture, TRUE);
    core_meet_agent(fixture,
                    "{\"version\": \"7.2.22\", \"supported_commands\": ["
                    "{\"enabled\": true, \"name\": \"guest-info\", \"success-response\": true}, "
                    "{\"enabled\": true, \"name\": \"guest-ping\", \"success-response\": true}, "
                    "{\"enabled\": false, \"name\": \"guest-exec\", \"success-response\": true}]}");
    peer_expect(&fixture->qemu, "");
    peer_expect(&fixture->agent, "");
}

static void remove_socket(char *path)
{
    g_unlink(path);
    g_free(path);
}

void core_tear_down(CoreFixture *fixture, gconstpointer unused)
{
    core_free(fixture->core);
    for (gsize i = 0; i < G_N_ELEMENTS(fixture->listening); i++)
        if (fixture->listening[i] >= 0)
            close(fixture->listening[i]);
    if (fixture->qemu.got)
        peer_clear(&fixture->qemu);
    if (fixture->agent.got)
        peer_clear(&fixture->agent);
    world_clear(&fixture->world);
    remove_socket(fixture->monitor);
    remove_socket(fixture->channel);
    if (fixture->second)
        remove_socket(fixture->second);
    g_assert_cmpint(g_access(fixture->socket, F_OK), !=, 0);
    g_free(fixture->socket);
    g_assert_no_errno(g_rmdir(fixture->folder));
    g_free(fixture->folder);
    g_string_free(fixture->closed, TRUE);
}

void core_connect(CoreFixture *fixture, Peer *client)
{
    peer_init(client, sockets_connect_unix(fixture->socket));
    world_settle(&fixture->world);
}

void core_connect_negotiated(CoreFixture *fixture, Peer *client, gboolean oob)
{
    g_autofree char *handshake = NULL;

    core_connect(fixture, client);
    core_send(fixture, client,
              oob ? "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}"
                  : "{\"execute\":\"qmp_capabilities\"}");
    handshake = peer_take(client);
    g_assert_true(g_str_has_suffix(handshake, "\r\n{\"return\": {}}\r\n"));
}

void core_send(CoreFixture *fixture, Peer *peer, const char *text)
{
    peer_send(peer, text);
    world_settle(&fixture->world);
}

#define STATE_EVENT "\"event\": \"GUEST_AGENT_STATE\", \"data\": {\"state\": \""

void core_expect(Peer *client, const char *text)
{
    g_autofree char *came = peer_take(client);
    g_auto(GStrv) lines = g_strsplit(came, "\r\n", -1);
    g_autoptr(GString) rest = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++)
        if (!strstr(lines[i], "\"event\": \"GUEST_"))
            g_string_append_printf(rest, "%s%s", lines[i], lines[i + 1] ? "\r\n" : "");
    g_assert_cmpstr(rest->str, ==, text);
}

void core_expect_states(Peer *client, const char *states)
{
    g_autofree char *came = peer_take(client);
    g_autoptr(GString) found = g_string_new(NULL);

    for (const char *at = came; (at = strstr(at, STATE_EVENT));) {
        at += strlen(STATE_EVENT);
        g_string_append_printf(found, "%s%.*s", found->len > 0 ? " " : "", (int)strcspn(at, "\""),
                               at);
    }
    g_assert_cmpstr(found->str, ==, states);
}

void core_assert_heard(Peer *client, const char *needle)
{
    g_autofree char *came = peer_take(client);

    if (!strstr(came, needle))
        g_error("'%s' is not in '%s'", needle, came);
}

void core_assert_freeze(CoreFixture *fixture, const char *state)
{
    g_autofree char *status = core_status(fixture->core, FALSE);
    g_autofree char *part = g_strdup_printf("\"freeze\": {\"state\": \"%s\"", state);

    if (!strstr(status, part))
        g_error("'%s' is not in '%s'", part, status);
}
