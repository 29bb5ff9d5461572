/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fake-qemu: what a QMP monitor says by itself; the rest is up to the test.
 */

#pragma once

#include "peer.h"
#include "world.h"

G_BEGIN_DECLS

#define FAKE_QEMU_VERSION \
    "{\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"Debian\"}"

void fake_qemu_greet(Peer *qemu, gboolean oob);

/* Returns: (transfer full): the id of the qmp_capabilities that came, as JSON text; asserts that
 * nothing else came */
char *fake_qemu_take_handshake(Peer *qemu, gboolean oob);
void fake_qemu_answer_handshake(Peer *qemu, const char *id);

/* All of this. */
void fake_qemu_negotiate(Peer *qemu, World *world, gboolean oob);

G_END_DECLS
