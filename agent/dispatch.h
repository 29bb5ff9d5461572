/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * dispatch: from requests to their replies.
 *
 * Owns the path of a call: envelope, policy, arguments, handler, reply; which calls are under way,
 * and on which threads; and which protocol the peer speaks. In the plain one there is one call at a
 * time, in order, as hosts that send no id rely on. With the capability pipeline there are several,
 * each answered when it is done. Leaves the bytes to agent.h and what commands do to commands/.
 *
 * A peer that sends no id, or a sync, or anything that is no message, knows nothing of
 * capabilities, or begins anew: the plain protocol holds at once, and what was owed is not
 * answered.
 */

#pragma once

#include "agent/policy.h"
#include "agent/system.h"
#include "agent/threads.h"
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
    guint capabilities;            /* bits of GuestCapability: those that are enabled */
    void (*thawed)(gpointer user); /* (nullable): files can be written again */
    gpointer thawed_user;
};

typedef struct {
    /* @text: a reply whole, with its line end; or the end of one that was sent in parts */
    void (*reply)(gpointer user, const char *text, gsize len);
    /* @bytes: (transfer none): the same, of one that is too large to be copied; or a part of one,
     * see dispatch_pull() */
    void (*reply_bytes)(gpointer user, GBytes *bytes);
    /* Parts of a reply wait: dispatch_pull(). */
    void (*parts)(gpointer user);
    /* A call that had been deferred is over: the next request may come. */
    void (*idle)(gpointer user);
    /* The plain protocol holds from now on: capabilities are off. */
    void (*plain)(gpointer user);
} DispatchCallbacks;

typedef struct {
    Commands *commands;
    const DispatchCallbacks *callbacks;
    gpointer user;
    GQueue calls;       /* of Call: those that are under way */
    guint owed;         /* of them, how many will be answered */
    Call *parted;       /* (nullable): that whose reply is being sent in parts */
    gboolean has_acted; /* see dispatch_note() */
    Threads *threads;
    Call *spare; /* (nullable): one that is over, for the next */
} Dispatch;

void dispatch_init(Dispatch *dispatch, Commands *commands, const DispatchCallbacks *callbacks,
                   gpointer user);
/* Calls that are under way will find nobody to answer. */
void dispatch_clear(Dispatch *dispatch);

/**
 * dispatch_request:
 * @message: one scanned value
 *
 * Must not be called while dispatch_is_busy().
 */
void dispatch_request(Dispatch *dispatch, JsonSpan message);

/* Whether the next request has to wait: in the plain protocol, until the last is answered. */
gboolean dispatch_is_busy(const Dispatch *dispatch);

/**
 * dispatch_pull:
 *
 * To be called while there is room for it, until it returns FALSE. What comes beside it is nothing:
 * a reply is sent in parts where no other call is answered meanwhile.
 *
 * Returns: whether a part of a reply was handed to the callback
 */
gboolean dispatch_pull(Dispatch *dispatch);

/**
 * dispatch_note:
 *
 * Returns: whether since the last time nothing was run but what sets up nothing for the main loop
 * to look for, no timer and no program: commands that change nothing and are answered at once, and
 * those that run on threads, where there are some
 */
gboolean dispatch_note(Dispatch *dispatch);

/* Whether somebody still gets an answer. */
gboolean dispatch_is_owing(const Dispatch *dispatch);

/* Whether calls are under way, for whomever. Their threads use what the handlers act on. */
gboolean dispatch_is_working(const Dispatch *dispatch);

/* Whoever asked is gone, or begins anew: the plain protocol holds; calls under way go on, their
 * replies are dropped. */
void dispatch_reset(Dispatch *dispatch);

/* ---- For handlers ---------------------------------------------------------------------------- */

/* Where the result is written; one that has none writes nothing, and {} is returned. */
JsonWrite *call_result(Call *call);

/**
 * call_is_alone:
 *
 * Whether nobody else is answered before this call is, so that its reply may take the channel while
 * it is still made. With several under way it may not: others would wait for its disk.
 */
gboolean call_is_alone(const Call *call);

/**
 * call_send_part:
 *
 * Sends what the result has so far, once there is room for it. For calls that are alone, on their
 * threads.
 *
 * An error cannot take the place of the result from then on, and is sent beside it: {"return": …,
 * "error": …}. Hosts look at the error first, but may not look at all: the handler has to end what
 * it began in a form that nobody can take for a result.
 *
 * Returns: FALSE with @error where nobody waits for the rest
 */
gboolean call_send_part(Call *call, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether whoever asked still waits for the answer. */
gboolean call_is_wanted(const Call *call);

/* The reply gets a 0xFF in front. */
void call_delimit(Call *call);

/* Its peer begins anew: see dispatch_reset(). */
void call_begin_anew(Call *call);

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

/* Returns: FALSE with @error; or the result is in @call */
typedef gboolean (*CallWork)(gpointer data, Call *call, GError **error);

/**
 * call_work:
 * @work: the rest of the call, on a thread: it may take as long as it likes
 * @free: of @data, where the handler runs, once the call is over
 *
 * The handler returns TRUE, if it has not done so before. Whole commands that the schema flags so
 * run in this way anyhow. A call that is alone may be over at once.
 */
void call_work(Call *call, CallWork work, gpointer data, GDestroyNotify free);
