/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "fake-qemu.h"

#include <string.h>

void fake_qemu_greet(Peer *qemu, gboolean oob)
{
    g_autofree char *text = g_strdup_printf("{\"QMP\": {\"version\": " FAKE_QEMU_VERSION
                                            ", \"capabilities\": [%s]}}\r\n",
                                            oob ? "\"oob\"" : "");

    peer_send(qemu, text);
}

char *fake_qemu_take_handshake(Peer *qemu, gboolean oob)
{
    g_autofree char *text = peer_take(qemu);
    const char *front = oob ? "{\"execute\":\"qmp_capabilities\",\"arguments\":"
                              "{\"enable\":[\"oob\"]},\"id\":"
                            : "{\"execute\":\"qmp_capabilities\",\"id\":";
    gsize len = strlen(front);

    if (!g_str_has_prefix(text, front) || !g_str_has_suffix(text, "}") || strlen(text) < len + 10)
        g_error("no handshake with an id that cannot be guessed: %s", text);
    return g_strndup(text + len, strlen(text) - len - 1);
}

void fake_qemu_answer_handshake(Peer *qemu, const char *id)
{
    g_autofree char *text = g_strdup_printf("{\"return\": {}, \"id\": %s}\r\n", id);

    peer_send(qemu, text);
}

void fake_qemu_negotiate(Peer *qemu, World *world, gboolean oob)
{
    g_autofree char *id = NULL;

    fake_qemu_greet(qemu, oob);
    world_settle(world);
    id = fake_qemu_take_handshake(qemu, oob);
    fake_qemu_answer_handshake(qemu, id);
    world_settle(world);
}
