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
 * and pushes back. A client that negotiated oob is read ahead, some commands far, to find the ones
 * that may overtake.
 *
 * A descriptor belongs to the command whose bytes it came with; of several the last, as in QEMU.
 */

#pragma once

#include "answers.h"
#include "bounds.h"
#include "handover.h"
#include "io.h"
#include "journal.h"
#include "status.h"

G_BEGIN_DECLS

typedef struct Client Client;

typedef struct {
    /* A well-formed command after negotiation. To be answered once, with client_reply() or
     * client_error(), from within the call or later. @command is gone after the call. @fd:
     * (transfer full): that came with it, or -1 */
    void (*request)(gpointer owner, Client *client, const EnvelopeCommand *command, int fd);
    /* The client has left or was dropped; it must be freed, but not within this call. Called once.
     */
    void (*gone)(gpointer owner, Client *client, const char *why);
} ClientOps;

/* What all clients of one proxy have in common. */
typedef struct {
    const Bounds *bounds;
    Charge memory;       /* that they hold together */
    Journal *journal;    /* (nullable): where they are kept, in case that the process is killed */
    guint64 dropped_fds; /* descriptors that came where none is taken */
    guint64 commands;    /* of all there were, and the bytes that came and went */
    guint64 bytes_in;
    guint64 bytes_out;
} ClientCommon;

/**
 * client_new:
 * @fd: (transfer full)
 * @peer: who it is, for logs and status
 * @form: in which it is answered; with ANSWERS_AGENT there is no greeting, no negotiation and no
 *   event, as on the agent's own channel
 * @common: must outlive the client
 *
 * The client hears nothing before client_greet().
 */
Client *client_new(IoLoop *loop, int fd, const char *peer, AnswersForm form, const ClientOps *ops,
                   gpointer owner, ClientCommon *common);
void client_free(Client *client);

/**
 * client_greet:
 * @version: as in QEMU's greeting
 * @oob: whether it is offered
 */
void client_greet(Client *client, JsonSpan version, gboolean oob);

/* What a client has set for its connection. */
typedef struct {
    gboolean thaw_on_disconnect;
    guint timeout_seconds; /* for each guest command; 0 for the limit of its class */
    /* Of one that speaks as to an agent: its last sync, if no agent was there to answer it. */
    gboolean awaits_sync;
    gboolean sync_delimited;
    gint64 sync_token;
    GBytes *sync_id; /* (nullable) */
} ClientSession;

ClientSession *client_session(Client *client);

/* Whether gone() was called. */
gboolean client_is_gone(const Client *client);

/* Who it is: as client_new() was told. */
const char *client_peer(const Client *client);

/* For the owner: NULL until it is set. */
void client_set_data(Client *client, gpointer data);
gpointer client_data(const Client *client);

/**
 * client_save:
 *
 * The connection as it is, but for what the owner knows of the client.
 */
void client_save(const Client *client, Handover *handover, Saved *to);

/**
 * client_restore:
 *
 * Nothing is read or written before client_resume().
 *
 * Returns: (nullable): NULL where there is no room for it
 */
Client *client_restore(IoLoop *loop, const HandoverPart *part, const ClientOps *ops, gpointer owner,
                       ClientCommon *common);
void client_resume(Client *client);

/* Answers a command that request() handed out; @id as it was there, @oob likewise. */
void client_reply(Client *client, gboolean oob, JsonSpan id, const EnvelopeReply *reply);
void client_error(Client *client, gboolean oob, JsonSpan id, const GError *error);

/* Answers an in-band command with silence, or with what guest-sync returns. */
void client_ignore(Client *client);
void client_reply_sync(Client *client, JsonSpan id, gboolean delimited, gint64 token);

/* The same out of turn, for one that was answered with silence. */
void client_send_sync(Client *client, JsonSpan id, gboolean delimited, gint64 token);

AnswersForm client_form(const Client *client);

/* Passes on an event, if the client has negotiated. @text: the whole line. */
void client_event(Client *client, GBytes *text);

/* No further command is taken; the client is gone once what is under way was answered and it has
 * read all that is left for it, for which it gets some time. */
void client_finish(Client *client);

/* Returns: user id of who is connected, or -1 where nobody knows: not on this host */
gint64 client_user(const Client *client);

/* Returns: what there is to tell of it, but for its monitor; good for as long as the client is */
ConnectionStats client_stats(const Client *client);

/* Whether descriptors can come from there. */
gboolean client_is_local(const Client *client);

/* A descriptor that came with a command is of no use to it. @fd: (transfer full): or -1 */
void client_drop_fd(ClientCommon *common, int fd);

/* The account that pays for this client's requests. */
Charge *client_charge(Client *client);

G_END_DECLS
