/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * sync: the handshake that makes a serial byte stream trustworthy, as a pure state machine.
 *
 * The agent's channel is a stream without connections: half a request of a former host process, the
 * reply to it, anything may still be in it. 0xFF resets the agent's parser, guest-sync-delimited
 * with a number that nobody can guess comes back behind a 0xFF, and what came before that answer
 * belongs to the past.
 *
 * Owns which probe is out and what answers it. Leaves bytes, timers and random numbers to the
 * caller; time is an argument, in microseconds of a clock that never jumps.
 */

#pragma once

#include "envelope.h"
#include "saved.h"

G_BEGIN_DECLS

typedef enum {
    SYNC_OFF,     /* not wanted: the port is closed */
    SYNC_WAITING, /* a probe is out */
    SYNC_DONE,    /* answered: the stream is clean */
} SyncState;

typedef struct {
    SyncState state;
    gint64 token;       /* of the probe that is out; 63 random bits */
    gint64 deadline_us; /* when the next probe is due */
    guint interval_ms;  /* how long this one is waited for */
    guint probes;       /* sent, or waited for, since the last success */
    gboolean plain;     /* the agent has no guest-sync-delimited: it is older than 1.1 */
} Sync;

void sync_init(Sync *sync);

/* Starts over: whatever was believed of the stream no longer holds. A probe is due at once. */
void sync_start(Sync *sync, gint64 now_us);

/* No probe is wanted until the next sync_start(). */
void sync_stop(Sync *sync);

/**
 * sync_due:
 * Returns: whether a probe is to be sent now. It is then built by sync_probe().
 */
gboolean sync_due(const Sync *sync, gint64 now_us);

/**
 * sync_probe:
 * @token: random, not negative, never used before
 * @out: the bytes to send are appended: 0xFF and the command
 */
void sync_probe(Sync *sync, gint64 now_us, gint64 token, GString *out);

/* In the place of that, where the last probe was not even taken: it is waited for once more, which
 * counts as another. */
void sync_wait(Sync *sync, gint64 now_us);

/**
 * sync_reply:
 * @reply: one that came while SYNC_WAITING
 *
 * Returns: whether it answers the probe that is out; the state is then SYNC_DONE. Anything else
 * (answers to older probes, the parse error that 0xFF provokes, what was left in the stream) is to
 * be dropped.
 */
gboolean sync_reply(Sync *sync, const EnvelopeReply *reply);

/**
 * sync_is_asked_for:
 * @name: of a command
 * @arguments: (nullable): its own
 *
 * Returns: whether it is a sync that anybody in the agent's place can answer, with @ret_token; one
 * that is wrong is for the agent to refuse
 */
gboolean sync_is_asked_for(const char *name, JsonSpan arguments, gint64 *ret_token);

/* All of it: times are of a clock that the successor has too. */
void sync_save(const Sync *sync, Saved *to);
void sync_restore(Sync *sync, Saved *from);

G_END_DECLS
