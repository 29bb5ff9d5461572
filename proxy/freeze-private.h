/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* freeze-private: what the files of the freeze share. For none but freeze*.c. */

#pragma once

#include "freeze.h"

G_BEGIN_DECLS

/* ---- freeze.c -------------------------------------------------------------------------------- */

/* @client: (nullable): where nobody here has asked for the freeze. @by: who it was */
void freeze_set_owner(Freeze *freeze, gpointer client, const char *by);

/* It is to be thawed from here, by freeze_try_thaw(). */
void freeze_become_thawing(Freeze *freeze, ThawReason reason);

/* The same, and the agent is brought into step and sent a thaw. */
void freeze_begin_thawing(Freeze *freeze, ThawReason reason);

/* Sends a thaw, unless a command of our own is under way. */
void freeze_try_thaw(Freeze *freeze);

/* @pending: (transfer full): one that joins the freeze that is on */
void freeze_join(Freeze *freeze, Pending *pending);

/* @count: of filesystems, as the agent said. @renew: the guest has begun its own lease otherwise,
 * or earlier */
void freeze_become_frozen(Freeze *freeze, gint64 count, gboolean renew);

void freeze_become_thawed(Freeze *freeze, ThawReason reason);

/* Whom the freeze has ended for is told once, and not again. Where freezes are not joined anybody
 * who thaws acts for the owner.
 * Returns: whether @client is such a one */
gboolean freeze_tell_one(Freeze *freeze, gconstpointer client);

/* A thaw that @client has asked for is over, of which it hears; who else holds the freeze does not.
 * Where freezes are not joined there is one owner, for whom anybody may thaw. */
void freeze_release(Freeze *freeze, gconstpointer client);

/* A command of our own. @done: sets `asking` back */
void freeze_ask(Freeze *freeze, const char *command, PendingDone done);

/* @reply: (nullable): to guest-fsfreeze-status. Returns: whether nothing is frozen */
gboolean freeze_says_thawed(const Freeze *freeze, const EnvelopeReply *reply);

/* ---- freeze-commands.c ----------------------------------------------------------------------- */

/* @reply: (nullable): to guest-fsfreeze-status, whoever has asked */
void freeze_status_was_answered(Freeze *freeze, const EnvelopeReply *reply);

/* Where it was FREEZING when it was saved, goes on from the last thing that is sure. */
void freeze_resume_freezing(Freeze *freeze);

/* ---- freeze-agents.c ------------------------------------------------------------------------- */

/* The same as freeze_begin_thawing(), where more may be frozen than the agent in use has frozen. */
void freeze_begin_thawing_all(Freeze *freeze);

/* @pending: a freeze or a thaw that has come to its end, answered or not */
void freeze_note_unanswered(Freeze *freeze, const Pending *pending);

G_END_DECLS
