/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * dispatch: from one request to its reply.
 *
 * Owns the path of a call: envelope, policy, arguments, handler, reply; and that there is one at a
 * time, in order, as hosts that send no id rely on. Leaves the bytes to agent.h and what commands
 * do to commands/.
 */

#pragma once

#include "agent/policy.h"
#include "agent/system.h"
#include "common/guest-schema/guest-commands.h"
#include "common/json-write.h"

typedef struct Files Files;
typedef struct Programs Programs;
typedef struct Freezer Freezer;

/* What handlers act on. */
struct Commands {
    System *system;
    Policy *policy;
    State *state;
    Files *files;
    Programs *programs;
    Freezer *freezer;
    void (*thawed)(gpointer user); /* (nullable): files can be written again */
    gpointer thawed_user;
};

typedef struct {
    /* @reply: (transfer none): whole, with its line end */
    void (*reply)(gpointer user, GBytes *reply);
    /* A call that had been deferred is over: the next request may come. */
    void (*idle)(gpointer user);
} DispatchCallbacks;

typedef struct {
    Commands *commands;
    const DispatchCallbacks *callbacks;
    gpointer user;
    Call *deferred; /* (nullable): the call that is under way */
} Dispatch;

void dispatch_init(Dispatch *dispatch, Commands *commands, const DispatchCallbacks *callbacks,
                   gpointer user);
/* A call that is under way will find nobody to answer. */
void dispatch_clear(Dispatch *dispatch);

/**
 * dispatch_request:
 * @message: one scanned value
 *
 * Must not be called while dispatch_is_busy().
 */
void dispatch_request(Dispatch *dispatch, JsonSpan message);
gboolean dispatch_is_busy(const Dispatch *dispatch);

/* Whoever asked is gone: the call goes on, its reply is dropped. */
void dispatch_orphan(Dispatch *dispatch);

/* ---- For handlers ---------------------------------------------------------------------------- */

/* Where the result is written; one that has none writes nothing, and {} is returned. */
JsonWrite *call_result(Call *call);

/* The reply gets a 0xFF in front. */
void call_delimit(Call *call);

/**
 * call_defer:
 *
 * The handler returns TRUE, and the call is over when call_finish() is called, later.
 */
void call_defer(Call *call);

/**
 * call_finish:
 * @error: (nullable): NULL for success
 */
void call_finish(Call *call, const GError *error);
