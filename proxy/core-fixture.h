/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-fixture: a whole proxy on unix sockets, with the test as its QEMU, its guest and its
 * clients.
 */

#pragma once

#include "core.h"

#include "support/fake-agent.h"
#include "support/fake-qemu.h"
#include "support/peer.h"
#include "support/world.h"

G_BEGIN_DECLS

#define GENERIC(desc) "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" desc "\"}}\r\n"
#define EVENT(name) \
    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"" name "\"}\r\n"

/* What is asked of each QEMU that is connected. */
#define ASKED_AT_START                                                            \
    "{\"execute\":\"query-status\"}{\"execute\":\"query-chardev\"}"               \
    "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral\"}}" \
    "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral-anon\"}}"
#define NOTHING "{\"return\": []}\r\n"

typedef struct {
    World world;
    char *folder;
    char *monitor; /* paths */
    char *channel;
    char *socket;
    char *second;     /* (nullable): of another channel, at which the test listens */
    int listening[2]; /* QEMU's, for the monitor and the channel; -1 where it does not */
    Core *core;
    Peer qemu;
    Peer agent;
    GString *closed; /* why the core was closed: a line for each time */
} CoreFixture;

/* Neither started nor with a listener. */
void core_set_up_new(CoreFixture *fixture, gconstpointer unused);

/* The core has another channel, if there is to be one. */
void core_add_second(CoreFixture *fixture);

/* Adds a listener. @wait: QEMU's start waits for its first client. */
void core_listen(CoreFixture *fixture, const char *path, gboolean wait);

/* Started, with a listener, but QEMU is not there yet. */
void core_set_up_alone(CoreFixture *fixture, gconstpointer unused);

/* QEMU is there and negotiated, its questions are not answered, and the agent is not synced. */
void core_set_up_met(CoreFixture *fixture, gconstpointer unused);

/* The port is port0 and open, the agent knows guest-info and guest-ping, and all is quiet. */
void core_set_up(CoreFixture *fixture, gconstpointer unused);
void core_tear_down(CoreFixture *fixture, gconstpointer unused);

/* Waits for the proxy to connect to where the test listens. */
void core_accept(CoreFixture *fixture, Peer *peer, int listening);

/* Waits for the proxy to connect to the channel. */
void core_accept_agent(CoreFixture *fixture);

/* QEMU closes that. */
void core_lose_agent(CoreFixture *fixture);

/* Waits for the proxy to connect to the monitor. */
void core_accept_qemu(CoreFixture *fixture);

/* QEMU opens its sockets and accepts the proxy. */
void core_start_qemu(CoreFixture *fixture);

/* Asserts that QEMU was sent exactly @sent, and answers with @reply. */
void core_answer(CoreFixture *fixture, const char *sent, const char *reply);

/* Returns: (transfer full): QEMU's answer to query-chardev: the agent's alone */
char *core_chardevs(const CoreFixture *fixture, gboolean open);

/* Answers what is asked at the start. @chardevs, @named, @unnamed: whole answers */
void core_answer_first(CoreFixture *fixture, const char *chardevs, const char *named,
                       const char *unnamed);

/* The same, and what is asked after that: as a QEMU with one port, port0, that is open or not. */
void core_answer_start(CoreFixture *fixture, gboolean open);

/* @client: a new one, which has its greeting still to read */
void core_connect(CoreFixture *fixture, Peer *client);

/* The same, and it has negotiated and read all of it. */
void core_connect_negotiated(CoreFixture *fixture, Peer *client, gboolean oob);

/* @peer sends, and everything happens that comes of it. */
void core_send(CoreFixture *fixture, Peer *peer, const char *text);

/* Asserts that exactly @text came to a client, beside events of the proxy's own. */
void core_expect(Peer *client, const char *text);

/* Asserts that it heard of just these states, "closed syncing ready", whatever came beside. */
void core_expect_states(Peer *client, const char *states);

/* Asserts that @needle is in what came to a client; takes all of it. */
void core_assert_heard(Peer *client, const char *needle);

/* Asserts what qga-proxy-status says of the freeze. */
void core_assert_freeze(CoreFixture *fixture, const char *state);

/* The agent, which was not known, is brought into step and asked what each is asked. @info: what it
 * returns to guest-info */
void core_meet_agent(CoreFixture *fixture, const char *info);

/* The same, and QEMU is asked before: the agent's port has no id, so that each command is preceded
 * by a look. */
void core_meet_agent_without_id(CoreFixture *fixture);

/* Takes the command that the agent was sent, and answers it. */
void core_agent_answer(CoreFixture *fixture, const char *command, const char *value);

G_END_DECLS
