/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-question: one command to the guest agent, and all who wait for its one answer.
 *
 * Several clients that ask the same need the agent once. Each stays an asker in its own right: it
 * may leave, and its time may be over, without the others; and it is answered under its own id.
 */

#pragma once

#include "agent-read.h"
#include "handover.h"

G_BEGIN_DECLS

typedef struct {
    GQueue askers; /* of Pending, first come first; with the same name and arguments */
    gboolean closed;
    gboolean on_file; /* it is about the open file @handle: looked up once, as the arguments of
                       * a write may be 64 MiB */
    gint64 handle;
    AgentRead *read;  /* (nullable): it is asked in pieces */
    gint64 rested_us; /* between two of them: since when; else 0 */
} AgentQuestion;

/**
 * agent_question_new:
 * @pending: (transfer full): who asks first
 */
AgentQuestion *agent_question_new(Pending *pending);

/* Whoever waits for it must have been answered. */
void agent_question_free(AgentQuestion *question);

/**
 * agent_question_join:
 * @pending: (transfer full): if it has joined
 *
 * Returns: FALSE where @pending asks for something else, or the question is closed
 */
gboolean agent_question_join(AgentQuestion *question, Pending *pending);

/* Nobody joins any more: it is being answered. */
void agent_question_close(AgentQuestion *question);

guint agent_question_length(const AgentQuestion *question);

/* Returns: one that asks: what all of them have in common is the same in any */
const Pending *agent_question_command(const AgentQuestion *question);

/* Returns: (transfer full) (nullable): the first that asks, which then does so no more */
Pending *agent_question_take(AgentQuestion *question);

/* Returns: (transfer full) (nullable): the first of them that has left */
Pending *agent_question_take_orphan(AgentQuestion *question);

/* When the first asker's time is over. */
gint64 agent_question_deadline(const AgentQuestion *question);

/* It rested: the time until now was others', and does not count. */
void agent_question_go_on(AgentQuestion *question, gint64 now_us);

/* Returns: (transfer full) (nullable): those whose time is over, closed */
AgentQuestion *agent_question_split_late(AgentQuestion *question, gint64 now_us);

void agent_question_foreach(AgentQuestion *question, void (*func)(Pending *pending, gpointer data),
                            gpointer data);

/* @skip_own: commands of our own that were not sent are asked anew */
void agent_question_save(const AgentQuestion *question, Handover *handover, Saved *to,
                         gboolean skip_own);

/* Returns: (transfer full) (nullable): NULL where nobody asks it */
AgentQuestion *agent_question_restore(const HandoverPart *part);

G_END_DECLS
