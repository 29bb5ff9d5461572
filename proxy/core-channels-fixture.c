/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core-channels-fixture.h"

#include <string.h>
#include <unistd.h>

#include "support/sockets.h"

/* ---- QEMU ------------------------------------------------------------------------------------ */

typedef struct {
    const char *command;
    const char *reply;
} Known;

static const char *find_reply(const Known *known, gsize n, const char **at)
{
    for (gsize i = 0; i < n; i++)
        if (g_str_has_prefix(*at, known[i].command)) {
            *at += strlen(known[i].command);
            return known[i].reply;
        }
    g_error("QEMU was sent '%s'", *at);
}

void channels_serve_qemu(ChannelsFixture *fixture, gboolean open0, gboolean open1)
{
    CoreFixture *base = &fixture->base;
    g_autofree char *chardevs = g_strdup_printf(
        "{\"return\": [{\"frontend-open\": %s, \"filename\": \"unix:%s,server=on\", \"label\": "
        "\"qga0\"}, {\"frontend-open\": %s, \"filename\": \"unix:%s,server=on\", \"label\": "
        "\"qga1\"}]}\r\n",
        open0 ? "true" : "false", base->channel, open1 ? "true" : "false", base->second);
    const Known known[] = {
        {"{\"execute\":\"query-status\"}", "{\"return\": {\"running\": true}}\r\n"},
        {"{\"execute\":\"query-chardev\"}", chardevs},
        {"{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral\"}}",
         "{\"return\": [{\"name\": \"port0\", \"type\": \"child<virtserialport>\"}, "
         "{\"name\": \"port1\", \"type\": \"child<virtserialport>\"}]}\r\n"},
        {"{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral-anon\"}}",
         NOTHING},
        {"{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral/port0\","
         "\"property\":\"chardev\"}}",
         "{\"return\": \"qga0\"}\r\n"},
        {"{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral/port1\","
         "\"property\":\"chardev\"}}",
         "{\"return\": \"qga1\"}\r\n"},
    };

    for (;;) {
        g_autofree char *sent = peer_take(&base->qemu);

        if (sent[0] == '\0')
            break;
        for (const char *at = sent; *at;)
            peer_send(&base->qemu, find_reply(known, G_N_ELEMENTS(known), &at));
        world_settle(&base->world);
    }
}

void channels_change_port(ChannelsFixture *fixture, guint port, gboolean open)
{
    g_autofree char *event = g_strdup_printf(
        "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"VSERPORT_CHANGE\", "
        "\"data\": {\"open\": %s, \"id\": \"port%u\"}}\r\n",
        open ? "true" : "false", port);

    core_send(&fixture->base, &fixture->base.qemu, event);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void channels_start(ChannelsFixture *fixture)
{
    CoreFixture *base = &fixture->base;
    int second;

    core_start(base->core);
    world_settle(&base->world);
    second = sockets_listen_unix(base->second, 1);
    core_start_qemu(base);
    core_accept(base, &fixture->second, second);
    close(second);
    fake_qemu_negotiate(&base->qemu, &base->world, TRUE);
}

void channels_set_up_new(ChannelsFixture *fixture)
{
    core_set_up_new(&fixture->base, NULL);
    fixture->base.second = g_build_filename(fixture->base.folder, "second", NULL);
    core_add_second(&fixture->base);
    core_listen(&fixture->base, fixture->base.socket, FALSE);
}

void channels_set_up(ChannelsFixture *fixture, gconstpointer unused)
{
    channels_set_up_new(fixture);
    channels_start(fixture);
    core_connect_negotiated(&fixture->base, &fixture->client, FALSE);
}

void channels_tear_down(ChannelsFixture *fixture, gconstpointer unused)
{
    if (fixture->second.got)
        peer_clear(&fixture->second);
    if (fixture->client.got)
        peer_clear(&fixture->client);
    core_tear_down(&fixture->base, NULL);
}
