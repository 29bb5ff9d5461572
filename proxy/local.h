/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * local: the proxy's own commands, qga-proxy-*.
 *
 * Owns reading their arguments and carrying them out, and who waits for the agent. Leaves what they
 * are about to those who have it. A part of the core: it knows clients and the freeze.
 */

#pragma once

#include "client.h"
#include "freeze.h"

G_BEGIN_DECLS

typedef struct {
    IoLoop *loop;
    AgentLane *lane; /* (nullable): not owned */
    Freeze *freeze;  /* not owned */
    char *(*status)(gpointer owner, gboolean connections);
    gpointer owner;
    GQueue waiters; /* of Waiter */
} Local;

/* @status: returns (transfer full) what qga-proxy-status does, each connection listed or not */
void local_init(Local *local, IoLoop *loop, Freeze *freeze,
                char *(*status)(gpointer owner, gboolean connections), gpointer owner);

/* The way to the agent that is in use. */
void local_set_lane(Local *local, AgentLane *lane);

/* Fails who waits. */
void local_clear(Local *local);

/* @client: (nullable): NULL for the program itself · @pending: (transfer full): answered in any
 * case */
void local_submit(Local *local, Client *client, Pending *pending);

/* @client has left: what it waits for is dropped. */
void local_client_left(Local *local, gpointer client);

/* Nobody waits with @pending any more, if it waits at all: it is over in the next turn. */
void local_hurry(Local *local, const Pending *pending);

/* The way to the agent is in another state. */
void local_agent_changed(Local *local);

/* Who waits for the agent, and until when. */
void local_save(const Local *local, Handover *handover, Saved *to);
void local_restore(Local *local, const HandoverPart *part);

G_END_DECLS
