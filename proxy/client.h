/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * client: one connected QMP client.
 *
 * Owns the server side of QMP as far as it needs nobody else: greeting, negotiation, the shape of
 * commands, the order of replies, and what becomes of a client that does not read. Leaves commands
 * to the core.
 *
 * In-band commands are handed out one at a time, the next when the last was answered: that is the
 * order QMP promises, whichever lane answers. So the input behind it simply waits in the socket,
 * and pushes back. A client that negotiated oob is read ahead, up to LIMIT_CLIENT_QUEUED commands,
 * to find the ones that may overtake.
 */

#pragma once

#include "io.h"
#include "pending.h"

G_BEGIN_DECLS

typedef struct Client Client;

typedef struct {
    /* A well-formed command after negotiation. To be answered once, with client_reply() or
     * client_error(), from within the call or later. @command is gone after the call. */
    void (*request)(gpointer owner, Client *client, const EnvelopeCommand *command);
    /* The client has left or was dropped; it must be freed, but not within this call. Called once.
     */
    void (*gone)(gpointer owner, Client *client, const char *why);
} ClientOps;

/**
 * client_new:
 * @fd: (transfer full)
 * @peer: who it is, for logs and status
 * @pretty: what it is sent is for people to read
 * @memory: (nullable): the account of all clients together
 *
 * The client hears nothing before client_greet().
 */
Client *client_new(IoLoop *loop, int fd, const char *peer, gboolean pretty, const ClientOps *ops,
                   gpointer owner, Charge *memory);
void client_free(Client *client);

/**
 * client_greet:
 * @version: as in QEMU's greeting
 * @oob: whether it is offered
 */
void client_greet(Client *client, JsonSpan version, gboolean oob);

/* Answers a command that request() handed out; @id as it was there, @oob likewise. */
void client_reply(Client *client, gboolean oob, JsonSpan id, const EnvelopeReply *reply);
void client_error(Client *client, gboolean oob, JsonSpan id, const GError *error);

/* Passes on an event, if the client has negotiated. @text: the whole line. */
void client_event(Client *client, GBytes *text);

/* No further command is taken; the client is gone once what is under way was answered and it has
 * read all that is left for it. */
void client_finish(Client *client);

/* The account that pays for this client's requests. */
Charge *client_charge(Client *client);

G_END_DECLS
