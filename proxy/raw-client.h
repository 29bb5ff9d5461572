/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * raw-client: what a client that speaks the agent's own protocol is answered here.
 *
 * It believes that it has the agent's channel for itself, as libvirt does: it brings "the agent"
 * into step, and finds it silent when it is not there. The channel is shared, so its syncs are
 * answered here, and what an agent that is not there would not hear is dropped; but for its last
 * sync, which a port keeps until an agent reads it. Leaves everything else to the way that all
 * guest commands take. A part of the core: it knows clients.
 */

#pragma once

#include "client.h"

G_BEGIN_DECLS

/**
 * raw_client_request:
 * @up: whether the agent answers
 *
 * Returns: FALSE where the command is for the agent
 */
gboolean raw_client_request(Client *client, const EnvelopeCommand *command, gboolean up);

/* The agent answers again. */
void raw_client_agent_is_up(Client *client);

G_END_DECLS
