/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * pending: one command that waits for its answer.
 *
 * Owns what must be known to answer it: who asked, under which id, and who is to be told. A lane
 * (upstream or agent lane) that accepts a Pending answers it exactly once, with pending_finish(),
 * whatever happens.
 *
 * When the asker leaves, the Pending stays until its answer came: it is orphaned, since a command
 * that was sent cannot be called back and its reply must not be taken for another's.
 */

#pragma once

#include "asker.h"
#include "histogram.h"

#include "common/charge.h"
#include "common/envelope.h"
#include "common/guest-schema/guest-schema.h"

G_BEGIN_DECLS

typedef struct Pending Pending;

/* Exactly one of @reply (ENVELOPE_RETURN or ENVELOPE_ERROR) and @error is set. */
typedef void (*PendingDone)(Pending *pending, const EnvelopeReply *reply, const GError *error);

struct Pending {
    char *name;   /* of the command */
    gboolean oob; /* may overtake */
    char *id;     /* (nullable): the asker's, as it wrote it; not terminated */
    gsize id_len;
    char *arguments; /* (nullable): as they were written; not terminated */
    gsize arguments_len;
    const GuestCommand *guest; /* (nullable): what the schema says of it */
    gboolean carries;          /* a descriptor goes to QEMU with it */
    int fd;                    /* that one, until it was sent; else -1. Closed with the Pending */

    PendingDone done;
    gpointer owner;  /* for @done */
    gpointer asker;  /* (nullable): a client; NULL for our own commands, and for orphans */
    Asker *by;       /* (nullable): the same for the audit, where there is one */
    gboolean urgent; /* as pending_is_urgent() has it, whatever its name */
    gboolean ahead;  /* goes before all that is not urgent, but is refused as any other */
    gint64 taken_us; /* when it was taken from its client; 0 for our own */
    gint64 sent_us;  /* when it was written, at least in part, so that it may have been carried out;
                      * 0  before */
    gboolean answered;  /* the guest agent has answered it, if only with an error */
    gboolean decided;   /* so has the proxy in its place, and not for want of a way */
    guint seconds;      /* that the asker gives it; 0 for the limit of its class */
    gint64 deadline_us; /* when these are over: the lane's to know, once it is sent */
    gpointer via;    /* (nullable): the monitor of QEMU that it goes through; the owner's to know */
    gboolean orphan; /* not to be sent any more, if it was not yet */
    Charge *charge;  /* (nullable): of the asker: until orphaned */
    gsize charged;
};

/**
 * pending_new:
 * @command: what was read of the request; copied from, since its text goes
 * @charge: (nullable): pays for the copy
 *
 * Returns: (nullable): NULL where the charge has no room
 */
Pending *pending_new(const EnvelopeCommand *command, Charge *charge, PendingDone done,
                     gpointer owner, gpointer asker);

/* A command of our own. */
Pending *pending_new_own(const char *name, const char *arguments, PendingDone done, gpointer owner);

JsonSpan pending_id(const Pending *pending);
JsonSpan pending_arguments(const Pending *pending);

/* The same, but that empty arguments are absent too. */
JsonSpan pending_plain_arguments(const Pending *pending);

/* Whether one answer serves both: the same command, of those that may be shared, with the same
 * arguments as they are written. */
gboolean pending_asks_the_same(const Pending *pending, const Pending *other);

/* How long it may take; one that the schema does not know is slow. */
GuestClass pending_class(const Pending *pending);

/* What the guest schema says of it; FALSE for a command that it does not know. */
gboolean pending_is_class(const Pending *pending, GuestClass time_class);
gboolean pending_has_flag(const Pending *pending, GuestFlags flag);

/* Whether it is about the guest's filesystems being frozen, which is one such command's affair at a
 * time. */
gboolean pending_is_freeze_or_thaw(const Pending *pending);

/* Whether it goes before all that waits for the agent, and is refused only where it could do
 * nothing: a thaw, and what of our own is to be as fast. */
gboolean pending_is_urgent(const Pending *pending);

/* The asker has left: its charge is given back, nobody will hear of the answer. */
void pending_orphan(Pending *pending);

typedef struct {
    gpointer asker;
    const char *name; /* for the log */
} PendingLeaver;

/* The same for each that is handed in and that this asker has asked for; the log tells of one that
 * was sent. @data: a PendingLeaver */
void pending_leave(Pending *pending, gpointer data);

/* It was answered: counts how long a client's command took. */
void pending_record(const Pending *pending, Latency *latency, gint64 now_us);

/* Its descriptor was sent, and is QEMU's now. */
void pending_close_fd(Pending *pending);

/* What was sent with it is needed no more. */
void pending_drop_arguments(Pending *pending);

/* Calls @done, then frees. */
void pending_finish(Pending *pending, const EnvelopeReply *reply, const GError *error);

/* The same with an error of class GenericError. */
void pending_fail(Pending *pending, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_END_DECLS
