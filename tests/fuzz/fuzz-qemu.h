/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-qemu: one monitor of QEMU, and what the proxy must make of what it says.
 *
 * Owns the reading of both directions: which question an answer belongs to, which events there are,
 * and when the connection cannot be kept. Leaves what is under way for whom to the ledger.
 */

#pragma once

#include "memory-io.h"
#include "reader.h"
#include "stage.h"

G_BEGIN_DECLS

typedef struct {
    Stage *stage;
    guint number;
    MemoryLine *line; /* (nullable): while connected */
    Reader says;
    Reader hears;
    char *version; /* (nullable): of the greeting, once it was said */
    char *fence;   /* (nullable): id of the proxy's handshake */
    gboolean ready;
    gboolean doomed;   /* the proxy must give up the connection */
    gboolean liar;     /* it has answered what was not asked */
    gboolean was_slow; /* it did not always read at once */
    GQueue in_band;    /* of Question: heard and not answered, oldest first */
    GQueue oob;        /* of Question */
    guint bound;       /* how many of them there may be in band */
    gboolean port_open;
    gboolean port_named;
} FuzzQemu;

FuzzQemu *fuzz_qemu_new(Stage *stage, guint number);
void fuzz_qemu_free(FuzzQemu *qemu);

/* @line: (transfer none): just connected */
void fuzz_qemu_connect(FuzzQemu *qemu, MemoryLine *line);

/* It closes the connection. */
void fuzz_qemu_leave(FuzzQemu *qemu, gboolean reset);

void fuzz_qemu_say(FuzzQemu *qemu, const char *bytes, gsize len);
void fuzz_qemu_greet(FuzzQemu *qemu);

/* Answers the handshake, if there is one. */
void fuzz_qemu_shake_hands(FuzzQemu *qemu);

typedef enum {
    FUZZ_RETURN,
    FUZZ_ERROR,
} FuzzVerdict;

/* Answers a question with a value of its own, or @value where it is not NULL. */
void fuzz_qemu_answer(FuzzQemu *qemu, Question *question, FuzzVerdict verdict, const char *value);

/* Answers all that is under way, as a QEMU with a guest agent's port does. */
void fuzz_qemu_serve(FuzzQemu *qemu);

/* From here on so many bytes are read, or all. */
void fuzz_qemu_set_room(FuzzQemu *qemu, gsize room);

/* Before anybody hears anything: whether the connection was lost. */
void fuzz_qemu_notice(FuzzQemu *qemu);

/* Looks at all that came, once nothing is left to be done. */
void fuzz_qemu_hear(FuzzQemu *qemu);

/* Whether it has said no half message, and nothing wrong. */
gboolean fuzz_qemu_is_honest(const FuzzQemu *qemu);

G_END_DECLS
