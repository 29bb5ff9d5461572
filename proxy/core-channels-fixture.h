/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-channels-fixture: a whole proxy with two channels to its guest, each of a port that QEMU
 * tells of, and a client.
 */

#pragma once

#include "core-handover-fixture.h"

G_BEGIN_DECLS

typedef struct {
    CoreFixture base; /* base.agent is the first */
    Peer second;
    Peer client;
} ChannelsFixture;

/* QEMU and both channels are connected, and QEMU has not told of ports yet. */
void channels_set_up(ChannelsFixture *fixture, gconstpointer unused);
void channels_tear_down(ChannelsFixture *fixture, gconstpointer unused);

/* The two steps of that, without the client: something can be set in between. */
void channels_set_up_new(ChannelsFixture *fixture);
void channels_start(ChannelsFixture *fixture);

/* QEMU answers whatever it is asked about two ports, port0 and port1, until it is asked no more. */
void channels_serve_qemu(ChannelsFixture *fixture, gboolean open0, gboolean open1);

/* QEMU tells of one of them. */
void channels_change_port(ChannelsFixture *fixture, guint port, gboolean open);

G_END_DECLS
