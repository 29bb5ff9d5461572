/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-queue: the commands that wait for the guest agent.
 *
 * Owns their order, which of them share one question, and until when each question waits for the
 * agent to be brought into step. Leaves to the lane when the next one goes, and why those that
 * cannot go are refused.
 */

#pragma once

#include "agent-question.h"

G_BEGIN_DECLS

typedef struct {
    GQueue waiting;         /* of Waiting */
    guint length;           /* commands in it, each asker's counted */
    AgentQuestion *resting; /* (nullable): the one of them that is between two pieces */
} AgentQueue;

void agent_queue_init(AgentQueue *queue);

/**
 * agent_queue_push:
 * @pending: (transfer full): where it is urgent it goes before all others, alone
 * @deadline_us: when it is refused if the agent has not synced by then; who joins others is refused
 *   with them
 *
 * Returns: whether it has joined others that ask the same
 */
gboolean agent_queue_push(AgentQueue *queue, Pending *pending, gint64 deadline_us);

typedef enum {
    AGENT_QUEUE_GO,
    AGENT_QUEUE_WAIT, /* those behind it may go */
    AGENT_QUEUE_STOP, /* nor may any that is behind it */
} AgentQueueTurn;

typedef AgentQueueTurn (*AgentQueueTurnOf)(const AgentQuestion *question, gconstpointer data);

/* Returns: (transfer full) (nullable): the first one whose turn it is */
AgentQuestion *agent_queue_next(AgentQueue *queue, AgentQueueTurnOf turn_of, gconstpointer data);

/**
 * agent_queue_rest:
 * @question: (transfer full): of which a piece was answered; the next waits behind all others
 */
void agent_queue_rest(AgentQueue *queue, AgentQuestion *question, gint64 now_us,
                      gint64 deadline_us);

guint agent_queue_length(const AgentQueue *queue);

/* Returns: the deadline of the next question; G_MAXINT64 where none waits */
gint64 agent_queue_deadline(const AgentQueue *queue);

/* Returns: when the time of the one between two pieces is over, if others do not have it;
 * G_MAXINT64 where there is none */
gint64 agent_queue_resting_deadline(const AgentQueue *queue);

/* They wait for another sync from now on. */
void agent_queue_set_deadlines(AgentQueue *queue, gint64 deadline_us);

/* A pause is no time. */
void agent_queue_lengthen(AgentQueue *queue, gint64 pause_us);

/* What nobody asks for any more is not sent. */
void agent_queue_drop_orphans(AgentQueue *queue);

/* Fails all, or those in front whose deadline has come. Who is told may come with another command.
 */
void agent_queue_refuse_all(AgentQueue *queue, const char *why);
void agent_queue_refuse_late(AgentQueue *queue, gint64 now_us, const char *why);

/* The agent that has answered its pieces is not there any more. */
void agent_queue_refuse_resting(AgentQueue *queue, const char *why);

/* All go behind those that wait in @to, but for what is between the proxy and one agent. */
void agent_queue_move(AgentQueue *queue, AgentQueue *to);

void agent_queue_foreach(AgentQueue *queue, void (*func)(Pending *pending, gpointer data),
                         gpointer data);

void agent_queue_save(const AgentQueue *queue, Handover *handover, Saved *to);
void agent_queue_restore(AgentQueue *queue, const HandoverPart *part);

G_END_DECLS
