/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-lane-fixture: an agent's lane with the test as its agent, its owner and its clients.
 */

#pragma once

#include "agent-lane.h"

#include "support/fake-agent.h"
#include "support/peer.h"
#include "support/world.h"

G_BEGIN_DECLS

#define OUTCOME  "was sent and its outcome is unknown\n"
#define NOT_OPEN "The guest agent is not connected: nothing in the guest has opened its port"

typedef struct {
    World world;
    Bounds bounds;
    Peer agent;
    AgentLane *lane;
    GString *log; /* "synced", "ask", "NAME VALUE", "NAME: ERROR": a line for each */
} LaneFixture;

/* Not connected yet, and nothing known of the port. */
void lane_set_up(LaneFixture *fixture, gconstpointer unused);

/* Connected, open, synced. */
void lane_set_up_ready(LaneFixture *fixture, gconstpointer unused);
void lane_tear_down(LaneFixture *fixture, gconstpointer unused);

Pending *lane_submit(LaneFixture *fixture, const char *name);
Pending *lane_submit_with(LaneFixture *fixture, const char *name, const char *arguments);

/* Asserts that this is all that was told, and forgets it. */
void lane_assert_log(LaneFixture *fixture, const char *expected);

/* Returns: (transfer full): the id of the command that is under way; asserts that it is @name, and
 * that nothing else was sent */
char *lane_take(LaneFixture *fixture, const char *name);
void lane_take_and_answer(LaneFixture *fixture, const char *name, const char *value);

/* Takes a silent command and the probe right behind it, of the same write.
 * Returns: the token; @ret_id: (nullable): the command's id */
gint64 lane_take_silent(LaneFixture *fixture, const char *name, char **ret_id);

G_END_DECLS
