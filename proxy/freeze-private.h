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

/* ---- freeze-agents.c ------------------------------------------------------------------------- */

/* @pending: a freeze or a thaw that has come to its end, answered or not */
void freeze_note_unanswered(Freeze *freeze, const Pending *pending);

G_END_DECLS
