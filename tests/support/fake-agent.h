/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fake-agent: the guest's end of the agent's channel, as far as each agent is alike.
 */

#pragma once

#include "peer.h"
#include "world.h"

G_BEGIN_DECLS

/* Returns: the token of the probe that came; asserts that it is 0xFF and a @command ("guest-sync"
 * or "guest-sync-delimited"), and that nothing else came */
gint64 fake_agent_take_probe(Peer *agent, const char *command);

/* As upstream's agent does: a complaint about the 0xFF, then 0xFF and the token. */
void fake_agent_answer_probe(Peer *agent, gint64 token);

/* Both, for the delimited one. */
void fake_agent_sync(Peer *agent, World *world);

/* The last of several probes is answered, as by an agent that reads all at once, what came before
 * included. */
void fake_agent_sync_last(Peer *agent, World *world);

/**
 * fake_agent_take:
 * @text: the command as it is to have come, without id and line end
 *
 * Returns: (transfer full): the id that came with it, as JSON text; asserts that nothing else came
 */
char *fake_agent_take(Peer *agent, const char *text);

/* Sends {"return": @value, "id": @id}. */
void fake_agent_return(Peer *agent, const char *id, const char *value);

/* The same of one that is more than a socket takes at once. */
void fake_agent_return_large(Peer *agent, World *world, const char *id, const char *value);

/* Both: the agent is asked exactly @text, and answers. */
void fake_agent_serve(Peer *agent, World *world, const char *text, const char *value);

G_END_DECLS
