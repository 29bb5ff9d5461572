/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * message: builds whole messages: replies, errors, events, greetings, commands.
 *
 * An id comes back as the same value, numbers character for character (QEMU would turn 1.0 into 1),
 * but in double quotes, in ASCII and on one line whatever it came in.
 *
 * Owns member order (that of QEMU 7.2, which careless clients rely on) and line ends: QMP ends
 * lines with CRLF, the agent with LF. Leaves escaping to json-write.h.
 */

#pragma once

#include "json-read.h"

G_BEGIN_DECLS

typedef enum {
    MESSAGE_QMP,   /* … CR LF */
    MESSAGE_AGENT, /* … LF */
} MessageDialect;

/* The two ends of a message around a value that is large enough not to be copied between them:
 * {"return": … and … , "id": ID} with its line end; id left out where absent. */
void message_open(GString *out);
void message_close(GString *out, MessageDialect dialect, JsonSpan id);

/* {"return": VALUE, "id": ID}; id left out where absent. */
void message_return(GString *out, MessageDialect dialect, JsonSpan value, JsonSpan id);

/* {"id": ID, "error": {"class": …, "desc": …}}; @error of another domain than QMP_ERROR is a
 * GenericError. */
void message_error(GString *out, MessageDialect dialect, const GError *error, JsonSpan id);

/* The same, with the object of the error as it came from elsewhere. */
void message_error_span(GString *out, MessageDialect dialect, JsonSpan error, JsonSpan id);

/* The end of {"return": …, "error": {…}, "id": ID}: of a reply of success that something came
 * between while it was being sent. */
void message_break(GString *out, MessageDialect dialect, const GError *error, JsonSpan id);

/* {"timestamp": {…}, "event": NAME, "data": DATA}; data left out where absent. @now_us is real
 * time. */
void message_event(GString *out, const char *name, JsonSpan data, gint64 now_us);

/* {"QMP": {"version": VERSION, "capabilities": ["oob"]}} */
void message_greeting(GString *out, JsonSpan version, gboolean oob);

/**
 * message_command:
 * @id: absent for none
 * @arguments: absent, or an object; an empty one is left out
 *
 * In the shortest form, without a line end: QEMU reads at about 4 µs a byte (0.25 MB/s), and both
 * ends find a message's end by its structure.
 */
void message_command(GString *out, const char *name, gboolean oob, JsonSpan arguments, JsonSpan id);

G_END_DECLS
