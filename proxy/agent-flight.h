/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-flight: one command that is under way to the guest agent.
 *
 * Owns how it is written, which message of the guest is its answer, and in which form that is
 * passed on. Leaves to agent-flights.h who is told.
 */

#pragma once

#include "agent-question.h"

G_BEGIN_DECLS

typedef struct {
    AgentQuestion *question;   /* (nullable): NULL once nobody has time left for its answer */
    const GuestCommand *guest; /* (nullable): what the schema says of it */
    guint64 id;                /* sent with it */
    gboolean with_id;
    gboolean pings;    /* it is a sync, and asked as a ping: see agent_flight_ping() */
    gint64 token;      /* that answers it then */
    gboolean spent;    /* its arguments are gone, and it cannot be sent again */
    gboolean may_keep; /* nothing has happened since it began that its answer leaves out */
    gint64 begun_us;
    guint64 begun_at; /* bytes of the guest's that were read before: no answer to it among them */
} AgentFlight;

/* Returns: what a guest does not guess */
guint64 agent_flight_random_63(void);

/* Returns: (nullable): what is asked, while somebody waits for it */
const Pending *agent_flight_command(const AgentFlight *flight);

gboolean agent_flight_has_flag(const AgentFlight *flight, GuestFlags flag);

/**
 * agent_flight_ping:
 *
 * A sync would end what was agreed with the agent, and with it what others have under way. What it
 * is to show, that the agent answers, a ping does as well. Of no effect for any other command.
 */
void agent_flight_ping(AgentFlight *flight);

/* Appends the command, with its id where it has one. */
void agent_flight_write(const AgentFlight *flight, GString *text);

/**
 * agent_flight_spend:
 *
 * Large arguments that nobody pays for any more go, where its asker has left.
 */
void agent_flight_spend(AgentFlight *flight);

/**
 * agent_flight_is_answered:
 * @synced: whether no sync is under way
 * @bytes_taken: of the guest's, up to the end of @reply
 */
gboolean agent_flight_is_answered(const AgentFlight *flight, const EnvelopeReply *reply,
                                  gboolean synced, guint64 bytes_taken);

/* Whether @reply may be what an agent says to a sync's 0xFF, or to one that it does not know. */
gboolean agent_flight_complains_of_sync(const EnvelopeReply *reply);

/* Whether @reply says that the agent takes no id: then the command was not run, and can be sent
 * again. */
gboolean agent_flight_is_id_refused(const AgentFlight *flight, const EnvelopeReply *reply);

/* Results from here on are handed from one to the other, not copied: smaller ones cost less as a
 * part of a chunk of their client's queue. */
enum { AGENT_FLIGHT_LARGE = 16 * 1024 };

/**
 * agent_flight_rebuild:
 * @reply: an answer of the guest's
 * @text: empty; what the value of @ret points into, where it is written there
 * @ret_oversized: set where it is more than is passed on
 *
 * The guest's value is written anew: one line, ASCII, in the form QEMU prints. A large one that has
 * that form already is left as it is: @text stays empty, and the value of @ret is that of @reply.
 *
 * Returns: FALSE with @error set, where the answer is an error, or more than is passed on
 */
gboolean agent_flight_rebuild(const AgentFlight *flight, const EnvelopeReply *reply, GString *text,
                              EnvelopeReply *ret, gboolean *ret_oversized,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

void agent_flight_save(const AgentFlight *flight, Handover *handover, Saved *to);

/* Returns: (transfer full) */
AgentFlight *agent_flight_restore(const HandoverPart *part);

G_END_DECLS
