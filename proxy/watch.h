/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * watch: keeps the agent lane told of what QEMU knows of the guest.
 *
 * Owns the questions that are asked of QEMU when it connects (which port is the agent's, is it
 * open, does the machine run) and the reading of its events to that end. A part of the core: it
 * knows both lanes.
 */

#pragma once

#include "agent-lane.h"
#include "upstream.h"

G_BEGIN_DECLS

typedef struct {
    Port port;
    Upstream *upstream; /* (nullable): not owned; who is asked, once there is one */
    AgentLane *lane;    /* (nullable): not owned; a proxy may have no agent */
    IoLoop *loop;
    IoTimer *timer; /* for another look at a migration that ends */
} Watch;

void watch_init(Watch *watch, IoLoop *loop, const Address *agent, AgentLane *lane);
void watch_clear(Watch *watch);

/* @upstream has connected, or takes another's place: asks for everything anew. */
void watch_start(Watch *watch, Upstream *upstream);

/* Looks whether the port is open, and tells the lane. */
void watch_ask_port(Watch *watch);

void watch_event(Watch *watch, const EnvelopeReply *event);

void watch_save(const Watch *watch, Saved *to);

/* In the place of watch_start(), where all was asked and answered before. */
void watch_restore(Watch *watch, Upstream *upstream, Saved *from);

G_END_DECLS
