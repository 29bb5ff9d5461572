/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * answers: what a client is sent, in its form: QMP, compact or pretty, or the agent's own.
 *
 * Owns putting whole messages into the client's stream. Leaves their parts to common/message.h, and
 * what becomes of a client that does not read to client.h. Every function returns FALSE where the
 * stream has no room; what was sent may end in the middle of a message then.
 */

#pragma once

#include "common/envelope.h"
#include "common/json-pretty.h"
#include "common/stream.h"

G_BEGIN_DECLS

typedef enum {
    ANSWERS_QMP,
    ANSWERS_PRETTY, /* for people to read */
    ANSWERS_AGENT,  /* as the guest agent answers */
} AnswersForm;

typedef struct {
    Stream *stream; /* not owned */
    AnswersForm form;
    JsonPretty pretty;
} Answers;

void answers_init(Answers *answers, Stream *stream, AnswersForm form);

gboolean answers_greeting(Answers *answers, JsonSpan version,
                          gboolean oob) G_GNUC_WARN_UNUSED_RESULT;

/* The value goes to the queue as it stands where it came in: it may be 64 MiB. One that is shared
 * is not copied. */
gboolean answers_reply(Answers *answers, JsonSpan id,
                       const EnvelopeReply *reply) G_GNUC_WARN_UNUSED_RESULT;
gboolean answers_error(Answers *answers, JsonSpan id,
                       const GError *error) G_GNUC_WARN_UNUSED_RESULT;

/* To guest-sync or guest-sync-delimited, as the agent answers them: the latter with 0xFF in front.
 */
gboolean answers_sync(Answers *answers, JsonSpan id, gboolean delimited,
                      gint64 token) G_GNUC_WARN_UNUSED_RESULT;

/* @line: shared by all who hear of it */
gboolean answers_event(Answers *answers, GBytes *line) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
