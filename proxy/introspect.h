/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * introspect: QEMU's answers about itself, with the agent's commands and ours added.
 *
 * Owns what is known of the connected agent's commands, and the merged answers to query-commands
 * and query-qmp-schema. Leaves what is told of a command to the schemas (introspection.h). Pure:
 * text in, text out.
 *
 * QEMU is asked once in a connection: what it can do is settled by how it was built and started,
 * and a QEMU that was started anew has a new connection. So its answer is kept, as long as that
 * lasts; the 207 kB of its schema take it 12 ms, and everybody else on the monitor waits.
 */

#pragma once

#include "common/json-read.h"
#include "common/saved.h"

G_BEGIN_DECLS

/* One merged answer: QEMU's entries and the proxy's, then the agent's. Of QEMU's size, which
 * LIMIT_QMP_REPLY_BYTES bounds, and a few bytes for each of at most LIMIT_AGENT_COMMANDS. */
typedef struct {
    GBytes *text;   /* (nullable): NULL until QEMU has answered; many clients' queues may hold it */
    gsize fixed;    /* bytes of it in front that hold for every agent */
    gboolean whole; /* the agent's commands stand behind those, and the end */
} IntrospectList;

typedef struct {
    GPtrArray *guest_commands; /* of char *: the enabled ones of the agent that is connected; may be
                                  empty */
    char *agent_version;       /* (nullable) */
    gboolean restricted;       /* it has others that are disabled for now, or for good */
    gboolean capable;          /* it has guest-capabilities, which is for the proxy alone */
    IntrospectList commands;
    IntrospectList schema;
} Introspect;

void introspect_init(Introspect *introspect);
void introspect_clear(Introspect *introspect);

/* The agent is another one, or none: nothing is known of it. */
void introspect_forget_agent(Introspect *introspect);

/* QEMU has gone: the next one may be another. */
void introspect_forget_qemu(Introspect *introspect);

/* Reads what guest-info returned. The guest may say anything: only names that begin with "guest-",
 * and no more than LIMIT_AGENT_COMMANDS of them, are believed. */
void introspect_read_guest_info(Introspect *introspect, JsonSpan info);

/**
 * introspect_learn:
 * @question: query-commands or query-qmp-schema, without arguments
 * @list: what QEMU returned; of no effect where that is known already
 */
void introspect_learn(Introspect *introspect, const char *question, JsonSpan list);

/**
 * introspect_answer:
 * @question: as above
 *
 * Returns: (transfer none) (nullable): the merged list, until the next call of any function here,
 * and for longer to who keeps a reference; NULL where QEMU must be asked
 */
GBytes *introspect_answer(Introspect *introspect, const char *question);

/* What is known of the agent; QEMU can be asked again. */
void introspect_save(const Introspect *introspect, Saved *to);
void introspect_restore(Introspect *introspect, Saved *from);

G_END_DECLS
