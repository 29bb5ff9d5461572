/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * ledger: who asked what, what the proxy asked of QEMU and the agent for it, and what they said.
 *
 * Owns matching the three, and with it most of what must hold: nothing goes up that nobody asked,
 * nothing goes up twice, and an answer reaches who asked, as it was given. Leaves the bytes to
 * those who speak (fuzz-client.h, fuzz-qemu.h, fuzz-agent.h). Whoever finds something wrong calls
 * fuzz_fail().
 *
 * Where two asked the same in the same words, nobody but the proxy can tell whose question goes up:
 * then either may be answered by what was said to either.
 */

#pragma once

#include "proxy/router.h"

#include "common/envelope.h"

G_BEGIN_DECLS

typedef struct Request Request;

/* What went up for a request, or for the proxy itself. */
typedef struct {
    Request *request; /* (nullable): NULL for the proxy's own */
    char *words;      /* of the command */
    char *name;
    gboolean vague; /* it might be another's of the same words */
    gboolean with_id;
    guint64 id;        /* that the proxy gave it */
    gboolean carries;  /* a descriptor came with it */
    gboolean refused;  /* the agent may have said that it takes no id */
    gboolean lost;     /* the connection that it went up by has ended */
    gboolean answered; /* by QEMU: */
    EnvelopeKind kind;
    char *value;     /* (nullable): as it was said */
    GPtrArray *said; /* by the agent: what may be taken for an answer, in ledger_said_form() */
} Question;

typedef enum {
    REQUEST_FAULT,     /* is no JSON */
    REQUEST_MALFORMED, /* is no command */
    REQUEST_EARLY,     /* comes before the negotiation is over: the client's own to check */
    REQUEST_COMMAND,
} RequestKind;

/* Something that a client sent and that is to be answered. */
struct Request {
    guint client; /* number of the connection */
    guint place;  /* among what it sent */
    RequestKind kind;
    gboolean oob;
    char *id;    /* (nullable): as it is to come back */
    char *words; /* (nullable): of a command: name and arguments, without whitespace */
    char *name;
    Route route;
    gint64 fd;          /* tag of the descriptor that came with it, or -1 */
    Question *question; /* (nullable): that went up for it last */
    guint sent;         /* how often that was */
    guint sent_at;      /* the ledger's turn, of the last time */
    gboolean vague;     /* another asked the same */
    gboolean unsure;    /* QEMU has lied meanwhile: any answer will do */
    gboolean muddled;   /* its client cannot tell its answers from another's: any will do */
    gboolean answered;
    guint answered_at; /* the ledger's turn */
    gboolean denied;   /* it was said not to have been sent */
    gboolean late;     /* its answer may be read late: it may have been answered already */
    gboolean pretty;   /* its answer is spread over lines */
    gboolean orphan;   /* its client has left, or was told that it is over */
};

typedef struct {
    GPtrArray *requests;  /* of Request */
    GPtrArray *questions; /* of Question */
    GPtrArray *spoken;    /* by the agent: all that looks like an answer, in ledger_said_form() */
    gboolean by_order;    /* it takes no id, and is believed by order */
    guint turn;   /* of looking at all: what goes up is looked at behind what comes down, and
                     the agent's part of it behind QEMU's */
    guint doubts; /* while there are any, nothing is sure of new requests either */
} Ledger;

void ledger_init(Ledger *ledger);
void ledger_clear(Ledger *ledger);

/* Returns: a new one, with what @command says; NULL for what is none */
Request *ledger_ask(Ledger *ledger, guint client, RequestKind kind, const EnvelopeCommand *command);

/**
 * ledger_went_up:
 * @to_agent: else to QEMU
 * @fd: tag of the descriptor that went with it, or -1
 * @prompt: whoever it went to reads all at once, so that what nobody waits for is not under way
 *
 * Returns: the question; there is somebody who asked for it
 */
Question *ledger_went_up(Ledger *ledger, gboolean to_agent, const EnvelopeCommand *command,
                         gint64 fd, gboolean prompt);

/* What QEMU said to it. */
void ledger_answer(Question *question, const EnvelopeReply *reply);

/* A monitor says what nobody asked: from here on nothing can be told of what is under way. */
void ledger_doubt(Ledger *ledger);

/* Its end. */
void ledger_trust(Ledger *ledger);

/* Returns: (transfer full): how two answers of the agent are compared: by what they mean */
char *ledger_said_form(EnvelopeKind kind, JsonSpan value);

/* @request is answered: what came down for it is what was said to it, or what the proxy may say
 * instead. */
void ledger_take(Ledger *ledger, Request *request, const EnvelopeReply *reply);

/* Whether @value reads @text; where it is @pretty, but for the whitespace. */
gboolean ledger_same(JsonSpan value, const char *text, gboolean pretty);

/* Whether QEMU has answered @request, so that its client is to have heard of it. */
gboolean ledger_is_owed(const Request *request);

G_END_DECLS
