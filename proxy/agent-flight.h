/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-flight: the one command that is under way to the guest agent.
 *
 * Owns how it is written, which message of the guest is its answer, in which form that is passed
 * on, and that all who asked are told, each within its own time. Leaves to the lane when it begins
 * and how it ends.
 */

#pragma once

#include "agent-question.h"
#include "bounds.h"
#include "status.h"

G_BEGIN_DECLS

typedef struct {
    AgentQuestion *question; /* (nullable): NULL while nothing is under way */
    guint64 id;              /* sent with it */
    gboolean with_id;
    gint64 begun_us;
    guint64 begun_at; /* bytes of the guest's that were read before: no answer to it among them */
    const Bounds *bounds; /* not owned */
    guint64 oversized;    /* results that were too large to be passed on */
    Latency latency[STATUS_CLASSES];
    GQueue landing; /* of AgentQuestion: those whose askers are being told */
} AgentFlight;

/* @bounds: the time of each class of commands, for those who ask without a limit of their own */
void agent_flight_init(AgentFlight *flight, const Bounds *bounds);

/* Returns: what a guest does not guess */
guint64 agent_flight_random_63(void);

/**
 * agent_flight_begin:
 * @question: (transfer full): whose time runs from now on
 * @bytes_read: of the guest's, so far
 */
void agent_flight_begin(AgentFlight *flight, AgentQuestion *question, gboolean with_id,
                        guint64 bytes_read, gint64 now_us);

/* Returns: (nullable): what is under way */
const Pending *agent_flight_command(const AgentFlight *flight);

/* Appends the command, with its id where it has one. */
void agent_flight_write(const AgentFlight *flight, GString *text);

/**
 * agent_flight_is_answered:
 * @synced: whether no sync is under way
 * @bytes_taken: of the guest's, up to the end of @reply
 */
gboolean agent_flight_is_answered(const AgentFlight *flight, const EnvelopeReply *reply,
                                  gboolean synced, guint64 bytes_taken);

/* Whether @reply may be what an agent says to a sync's 0xFF, or to one that it does not know. */
gboolean agent_flight_complains_of_sync(const EnvelopeReply *reply);

/* Whether @reply says that the agent takes no id: then the command was not run. */
gboolean agent_flight_is_id_refused(const AgentFlight *flight, const EnvelopeReply *reply);

/**
 * agent_flight_rebuild:
 * @reply: an answer of the guest's
 * @text: empty; what the value of @ret points into
 *
 * The guest's value is written anew: one line, ASCII, in the form QEMU prints.
 *
 * Returns: FALSE with @error set, where the answer is an error, or more than is passed on
 */
gboolean agent_flight_rebuild(AgentFlight *flight, const EnvelopeReply *reply, GString *text,
                              EnvelopeReply *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Tells all who asked; nothing is under way any more, before the first of them hears of it. */
void agent_flight_land(AgentFlight *flight, const EnvelopeReply *reply, const GError *error,
                       gint64 now_us);

/**
 * agent_flight_split_late:
 *
 * Returns: (transfer full) (nullable): those whose time is over, for agent_flight_fail_late(). With
 * the last of them the flight is.
 */
AgentQuestion *agent_flight_split_late(AgentFlight *flight, gint64 now_us);
void agent_flight_fail_late(AgentFlight *flight, AgentQuestion *late);

/* A pause is no time. */
void agent_flight_lengthen(AgentFlight *flight, gint64 pause_us);

/* Also those that are still to be told. */
void agent_flight_foreach(AgentFlight *flight, void (*func)(Pending *pending, gpointer data),
                          gpointer data);

void agent_flight_save(const AgentFlight *flight, Handover *handover, Saved *to);
void agent_flight_restore(AgentFlight *flight, const HandoverPart *part);

G_END_DECLS
