/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * qga-proxy-fixture: a proxy by its public header, with the test as its QEMU and its guest.
 *
 * What each QEMU and each agent is asked first is answered here, and so is what an agent is asked
 * about freezes; everything else is kept for the test. Time is real, and nothing waits for it.
 */

#pragma once

#include "qga-proxy.h"

#include "support/peer.h"

G_BEGIN_DECLS

typedef struct {
    guint descriptors; /* that were open before */
    GMainContext *context;
    char *folder;
    char *monitor; /* paths */
    char *channel;
    char *socket;
    char *monitor_address;
    char *channel_address;
    char *socket_address;
    QgaProxy *proxy; /* (nullable) */
    int listening[2];
    Peer qemu;
    Peer agent;
    GQueue for_qemu; /* of char *: commands that came, one after the other */
    GQueue for_agent;
    gboolean frozen; /* what the agent says of that */
    GPtrArray *told; /* of char *: for the test to note what happens, in its order */
} Embed;

/* There is a proxy, which was not started, and nobody listens. */
void embed_set_up(Embed *embed, gconstpointer unused);

/* It has a listener, QEMU is there, and so is the agent. */
void embed_set_up_met(Embed *embed, gconstpointer unused);

/* Asserts that nothing is left behind; the proxy goes with its last reference. */
void embed_tear_down(Embed *embed, gconstpointer unused);

/* It is started, and meets who is there. */
void embed_start(Embed *embed);

/* Turns the loop until nothing happens any more. */
void embed_settle(Embed *embed);

/* The same, as often as it takes. */
void embed_wait(Embed *embed, gboolean (*is_so)(Embed *embed));

/* QEMU goes. */
void embed_close_qemu(Embed *embed);

/* Asserts that this is the next command that QEMU was sent, and that it was sent no more. */
void embed_expect_qemu(Embed *embed, const char *command);

/* The same, and answers with @reply. */
void embed_answer_qemu(Embed *embed, const char *command, const char *reply);

/* Asserts that this is the next command that the agent was sent, but for its id, which is returned.
 */
char *embed_expect_agent(Embed *embed, const char *command);

/* The same, and returns @value. */
void embed_answer_agent(Embed *embed, const char *command, const char *value);

/* The same, with an error. */
void embed_refuse_agent(Embed *embed, const char *command, const char *error_class);

/* Asserts that the proxy has closed its connections to both. */
void embed_expect_end(Embed *embed);

void embed_expect_nothing(Embed *embed);

/* @client: has negotiated */
void embed_connect(Embed *embed, Peer *client);
void embed_send(Embed *embed, Peer *client, const char *text);

/* Notes what happens. */
void embed_tell(Embed *embed, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Asserts what was told, with a blank between, and forgets it. */
void embed_expect_told(Embed *embed, const char *told);

G_END_DECLS
