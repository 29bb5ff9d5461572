/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * agent: the parts put together: a channel, the stream on its connection, dispatch, and what
 * commands act on.
 *
 * Owns all of them, and the pace: as many requests as dispatch takes, and none is read while
 * replies wait for a host that does not read them.
 */

#pragma once

#include "agent/channel.h"
#include "agent/commands/freeze.h"
#include "agent/policy.h"
#include "agent/state.h"

typedef struct Agent Agent;

typedef struct {
    FreezerOptions freezer;
    Policy *policy;                /* must outlive the agent */
    State *state;                  /* must outlive the agent */
    void (*thawed)(gpointer user); /* files can be written again */
    void (*answered)(void);        /* (nullable): once, when the first request was */
    gpointer user;
} AgentOptions;

Agent *agent_new(const AgentOptions *options);
/* Ends with its connection. No thread must use what it owns: see agent_is_working(). */
void agent_free(Agent *agent);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Agent, agent_free)

gboolean agent_open(Agent *agent, const ChannelAddress *address,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * agent_quit:
 * @done: called once nothing is frozen, at once or within AGENT_QUIT_MS
 */
void agent_quit(Agent *agent, void (*done)(gpointer user), gpointer user);

/* Whether threads are at work. They may hang in the kernel, so that nobody waits for them; what
 * they use goes with the process. */
gboolean agent_is_working(const Agent *agent);

/* A hook that hangs is not waited for longer; filesystems are thawed by then. */
#define AGENT_QUIT_MS 10000
