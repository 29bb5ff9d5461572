/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * client-fixture: a client of the proxy, with the test at both ends: it is the peer, and it sits
 * in the place of the core, where it answers when it likes.
 */

#pragma once

#include "client.h"

#include "support/fake-qemu.h"
#include "support/peer.h"
#include "support/world.h"

G_BEGIN_DECLS

#define GREETING(capabilities) \
    "{\"QMP\": {\"version\": " FAKE_QEMU_VERSION ", \"capabilities\": [" capabilities "]}}\r\n"
#define NEGOTIATE     "{\"execute\":\"qmp_capabilities\"}"
#define NEGOTIATE_OOB "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}"
#define DONE          "{\"return\": {}}\r\n"
#define DID(name)     "{\"return\": \"" name "\"}\r\n"
#define GENERIC(desc) "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" desc "\"}}\r\n"

typedef struct {
    World world;
    Peer peer;
    Bounds bounds;
    ClientCommon common;
    Client *client; /* NULL once it has gone */
    IoTimer *reaper;

    GQueue asked;   /* of commands that were handed out and wait for their answer */
    guint requests; /* handed out in all */
    GString *came;  /* what descriptors came: "name:text " with what can be read from each */
    gboolean eager; /* answers at once, from within the call */
    char *value;    /* (nullable): what each is answered with, instead of its name */
    guint gone;
    char *why;
} Desk;

/* @type: SOCK_STREAM, or SOCK_SEQPACKET to see the single writes */
void desk_open(Desk *desk, int type);
void desk_greet(Desk *desk, gboolean oob);

/* A client that has negotiated and read its answer, and may hold so much memory. */
void desk_open_negotiated(Desk *desk, gboolean oob, gsize memory);

/* The same, and there is a journal. */
void desk_open_kept(Desk *desk, gboolean oob);

/* Asserts that nothing is held any more. */
void desk_close(Desk *desk);

/* The peer sends, and everything happens that comes of it. */
void desk_ask(Desk *desk, const char *text);

/* Asserts which commands wait, oldest first: "a b c". */
void desk_assert_asked(const Desk *desk, const char *names);

/* Answers the oldest of that name with its name; NULL for the oldest of all. */
void desk_answer(Desk *desk, const char *name);

G_END_DECLS
