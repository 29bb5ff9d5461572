/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * freeze-words: how a freeze is told of: in the status, in events, in errors.
 */

#pragma once

#include "freeze.h"

G_BEGIN_DECLS

/* Who has frozen a guest by another way than this proxy. */
#define FREEZE_STRANGER "an unknown client"

/* All return (transfer full). */

/* In UTC, as since when. */
char *freeze_time_text(gint64 at_us);

/* The data of the event GUEST_FSFREEZE, an object. @reason: not THAW_ASKED, here and below */
char *freeze_words_event(const Freeze *freeze, ThawReason reason);

/* What a thaw is told that comes too late. */
char *freeze_words_ended(const Freeze *freeze, ThawReason reason);

/* What @command is told meanwhile: begins as an agent's words do. */
char *freeze_words_refusal(const Freeze *freeze, const char *command);

G_END_DECLS
