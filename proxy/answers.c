/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "answers.h"

#include "common/message.h"
#include "common/scratch.h"

#include <string.h>

/* Made pretty at a time: at the deepest nesting 64 bytes become 256 KiB, for which there may be no
 * room. */
enum { PIECE = 64 };

/* A value of fewer bytes is sent in one piece with what stands around it. */
enum { AT_ONCE = 1024 };

void answers_init(Answers *answers, Stream *stream, AnswersForm form)
{
    *answers = (Answers){.stream = stream, .form = form};
    json_pretty_init(&answers->pretty);
}

static MessageDialect dialect(const Answers *answers)
{
    return answers->form == ANSWERS_AGENT ? MESSAGE_AGENT : MESSAGE_QMP;
}

static gboolean send_pretty(Answers *answers, const char *text, gsize len)
{
    g_autoptr(Scratch) out = scratch_new();

    for (gsize at = 0; at < len; at += PIECE) {
        g_string_truncate(out, 0);
        json_pretty_feed(&answers->pretty, text + at, MIN(PIECE, len - at), out);
        if (!stream_send(answers->stream, out->str, out->len))
            return FALSE;
    }
    return TRUE;
}

static gboolean send_text(Answers *answers, const char *text, gsize len)
{
    return answers->form == ANSWERS_PRETTY ? send_pretty(answers, text, len)
                                           : stream_send(answers->stream, text, len);
}

/* What is the same for many is not copied for each. */
static gboolean send_shared(Answers *answers, GBytes *bytes)
{
    gsize len;
    const char *text = g_bytes_get_data(bytes, &len);

    return answers->form == ANSWERS_PRETTY ? send_pretty(answers, text, len)
                                           : stream_send_bytes(answers->stream, bytes);
}

static gboolean send_value(Answers *answers, const EnvelopeReply *reply)
{
    return reply->shared ? send_shared(answers, reply->shared)
                         : send_text(answers, reply->value.text, reply->value.len);
}

static gboolean send_return(Answers *answers, JsonSpan id, const EnvelopeReply *reply)
{
    g_autoptr(Scratch) text = scratch_new();

    message_open(text);
    if (reply->value.len < AT_ONCE) {
        g_string_append_len(text, reply->value.text, (gssize)reply->value.len);
    } else {
        if (!send_text(answers, text->str, text->len) || !send_value(answers, reply))
            return FALSE;
        g_string_truncate(text, 0);
    }
    message_close(text, dialect(answers), id);
    return send_text(answers, text->str, text->len);
}

gboolean answers_reply(Answers *answers, JsonSpan id, const EnvelopeReply *reply)
{
    g_autoptr(Scratch) text = NULL;

    if (reply->kind == ENVELOPE_RETURN)
        return send_return(answers, id, reply);
    text = scratch_new();
    message_error_span(text, dialect(answers), reply->value, id);
    return send_text(answers, text->str, text->len);
}

gboolean answers_error(Answers *answers, JsonSpan id, const GError *error)
{
    g_autoptr(Scratch) text = scratch_new();

    message_error(text, dialect(answers), error, id);
    return send_text(answers, text->str, text->len);
}

gboolean answers_sync(Answers *answers, JsonSpan id, gboolean delimited, gint64 token)
{
    g_autofree char *value = g_strdup_printf("%" G_GINT64_FORMAT, token);
    g_autoptr(GString) text = g_string_new(delimited ? "\xFF" : NULL);

    message_return(text, dialect(answers), (JsonSpan){value, strlen(value)}, id);
    return send_text(answers, text->str, text->len);
}

gboolean answers_greeting(Answers *answers, JsonSpan version, gboolean oob)
{
    g_autoptr(Scratch) text = scratch_new();

    message_greeting(text, version, oob);
    return send_text(answers, text->str, text->len);
}

gboolean answers_event(Answers *answers, GBytes *line)
{
    return send_shared(answers, line);
}
