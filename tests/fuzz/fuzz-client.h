/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-client: one connection of a client, and what it must and must not be told.
 *
 * Owns the reading of what it sends, as the proxy is to read it, and of what comes: one greeting,
 * each answer once, in-band ones in order, each event once and as it was. Leaves to the ledger
 * whether an answer is the right one.
 */

#pragma once

#include "memory-io.h"
#include "reader.h"
#include "stage.h"

G_BEGIN_DECLS

typedef struct {
    Stage *stage;
    guint number;
    MemoryLine *line;
    gboolean pretty; /* what it hears is spread over lines */
    Reader says;
    Reader hears;
    gboolean line_end_due;   /* of what came last */
    GQueue unsorted;         /* of Said: what cannot be told yet what it is */
    GQueue fds;              /* of MemoryMark: sent, and not yet with one of these */
    GQueue asked;            /* of Request: not answered, in their order */
    GQueue events;           /* of Expected */
    const char *agent_state; /* (nullable): that it was told of last */
    gint monitor;            /* the one whose events it gets; -1 where that is not known */
    gboolean greeted;
    gboolean negotiated;
    gboolean wants_oob; /* was asked for with the negotiation that is under way */
    gboolean oob;
    gboolean muddled;   /* it has used an id twice: who is answered cannot be told */
    gboolean finishing; /* its monitor was lost */
    gboolean was_slow;  /* it did not always read at once */
    gboolean gone;
} FuzzClient;

/* @line: connected to the proxy just now */
FuzzClient *fuzz_client_new(Stage *stage, MemoryLine *line, gsize max_bytes);
void fuzz_client_free(FuzzClient *client);

/* @fd: tag of the descriptor that goes with the first byte, or -1 */
void fuzz_client_say(FuzzClient *client, const char *bytes, gsize len, gint64 fd);

/* From here on so many bytes are read, or all. */
void fuzz_client_set_room(FuzzClient *client, gsize room);

/* @monitor sends an event, which this client is to get: or may get, where it is not known whether
 * it is that monitor's. */
void fuzz_client_expect(FuzzClient *client, guint monitor, JsonSpan event, gboolean sure);

/* Looks at all that came, once nothing is left to be done. */
void fuzz_client_hear(FuzzClient *client);

/* Whether it reads at once, and has not begun to leave. */
gboolean fuzz_client_is_there(const FuzzClient *client);

/* Whether there is an answer that it waits for. */
gboolean fuzz_client_waits(const FuzzClient *client);

G_END_DECLS
