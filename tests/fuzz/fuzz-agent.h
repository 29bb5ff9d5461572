/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-agent: the guest's end of the agent's channel, and what of it may be believed.
 *
 * Owns the reading of both directions: the probes, and for the command under way whatever the
 * proxy may take for its answer. Leaves who is told to the ledger.
 */

#pragma once

#include "memory-io.h"
#include "reader.h"
#include "stage.h"

G_BEGIN_DECLS

typedef struct {
    Stage *stage;
    MemoryLine *line; /* (nullable): while connected */
    Reader says;
    Reader hears;
    gint64 probe;     /* the last one's number, or -1 */
    gboolean plain;   /* which was in the words of old agents */
    gboolean synced;  /* it was answered */
    gboolean busy;    /* a command came since, and is not answered */
    gboolean unclear; /* the proxy may have thrown away half of a message */
    gboolean frozen;
    gboolean reset;     /* 0xFF came last */
    gboolean was_slow;  /* it did not always read at once */
    gboolean agreed;    /* it has said what the proxy may take for an agreement to several */
    GPtrArray *open;    /* of Question: the commands under way, of which the last is: */
    Question *question; /* (nullable): that command */
    Question *owed;     /* (nullable): what was answered so that the proxy must believe it */
} FuzzAgent;

FuzzAgent *fuzz_agent_new(Stage *stage);
void fuzz_agent_free(FuzzAgent *agent);
void fuzz_agent_connect(FuzzAgent *agent, MemoryLine *line);
void fuzz_agent_leave(FuzzAgent *agent, gboolean reset);
void fuzz_agent_say(FuzzAgent *agent, const char *bytes, gsize len);

/* Time goes by: the proxy may throw away half a message. */
void fuzz_agent_wait(FuzzAgent *agent);

/* Answers the last probe, as upstream's agent does. */
void fuzz_agent_sync(FuzzAgent *agent);

typedef enum {
    FUZZ_AGENT_RETURN,
    FUZZ_AGENT_ERROR,
    FUZZ_AGENT_OTHER_ID,
    FUZZ_AGENT_NO_ID,
    FUZZ_AGENT_REFUSED_ID,
    FUZZ_AGENT_TWICE,
    FUZZ_AGENT_ODD, /* a value that is to be written anew */
    FUZZ_AGENT_INFO,
} FuzzAgentAnswer;

/* Answers the command under way; @value: (nullable): with this */
void fuzz_agent_answer(FuzzAgent *agent, FuzzAgentAnswer answer, const char *value);

/* Answers what is there to be answered, as an agent does. */
void fuzz_agent_serve(FuzzAgent *agent);

/* From here on so many bytes are read, or all. */
void fuzz_agent_set_room(FuzzAgent *agent, gsize room);

void fuzz_agent_hear(FuzzAgent *agent);
gboolean fuzz_agent_is_honest(const FuzzAgent *agent);

G_END_DECLS
