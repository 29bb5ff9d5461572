/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-read: one large guest-file-read, asked of the agent in pieces.
 *
 * A reply of 64 MiB has the channel for 60 ms or, in a slow guest, for seconds, and nobody else is
 * answered meanwhile. So the agent is asked for no more at once than passes in some ms.
 *
 * Owns what is left to be asked, what has come, and how one answer is made of it. Leaves to the
 * lane whose turn it is between two pieces.
 */

#pragma once

#include "pending.h"
#include "common/buffer.h"
#include "common/saved.h"

G_BEGIN_DECLS

typedef struct AgentRead AgentRead;

/* Returns: (transfer full) (nullable): NULL where @command is another, goes in one piece, or is
 * wrong, which is the agent's to say */
AgentRead *agent_read_new(const Pending *command);
void agent_read_free(AgentRead *read);

/* Appends the arguments that ask for the next piece. */
void agent_read_write(const AgentRead *read, GString *text);

typedef enum {
    AGENT_READ_ANSWERED, /* with what just came, as it is: an error, or all in one piece */
    AGENT_READ_ON,       /* the next piece is to be asked for */
    AGENT_READ_WHOLE,    /* all is there: agent_read_finish() */
    AGENT_READ_WRONG,    /* it is no answer to what was asked */
} AgentReadState;

/* @reply: to the piece that was asked for last; @large: (nullable): as in Buffer */
AgentReadState agent_read_take(AgentRead *read, const EnvelopeReply *reply, BufferLarge large);

/* Returns: (transfer full): the value that one command for all of it would have brought */
GBytes *agent_read_finish(AgentRead *read);

/* Whether @command is about an open file, and which: between two pieces of a read of the same one
 * it would find, or leave, the wrong position. */
gboolean agent_read_find_file(const Pending *command, gint64 *ret_handle);

void agent_read_save(const AgentRead *read, Saved *to);

/* Returns: (transfer full) (nullable): NULL where none was saved. A former proxy may have sent a
 * command of any size whole, and is answered whole. */
AgentRead *agent_read_restore(Saved *from);

G_END_DECLS
