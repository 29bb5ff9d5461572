/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-write: builds JSON text, piece by piece, in the form QEMU prints it.
 *
 * Owns separators (", " and ": "), escaping (pure ASCII, \uXXXX in upper-case hex, surrogate pairs,
 * "/" left alone) and what becomes of bytes that are not UTF-8 (each maximal bad part is one
 * \uFFFD). Leaves line ends and meaning to message.h.
 */

#pragma once

#include "json-read.h"

G_BEGIN_DECLS

typedef struct {
    GString *out;   /* not owned */
    gboolean comma; /* a value stands before the next one */
} JsonWrite;

/**
 * json_write_init:
 * @out: (transfer none): appended to; must outlive the writer
 */
void json_write_init(JsonWrite *write, GString *out);

void json_write_begin_object(JsonWrite *write);
void json_write_end_object(JsonWrite *write);
void json_write_begin_array(JsonWrite *write);
void json_write_end_array(JsonWrite *write);

/* The name of the member that the next value belongs to. */
void json_write_key(JsonWrite *write, const char *name);

void json_write_string(JsonWrite *write, const char *text);
void json_write_string_len(JsonWrite *write, const char *text, gsize len);
void json_write_int64(JsonWrite *write, gint64 value);
void json_write_uint64(JsonWrite *write, guint64 value);
/* A number that is not finite is written as null: JSON has no other word for it. */
void json_write_double(JsonWrite *write, double value);
void json_write_boolean(JsonWrite *write, gboolean value);
void json_write_null(JsonWrite *write);

/* A member: its name and its value. @text: (nullable): then there is none. */
void json_write_member_string(JsonWrite *write, const char *name, const char *text);
void json_write_member_int64(JsonWrite *write, const char *name, gint64 value);
void json_write_member_uint64(JsonWrite *write, const char *name, guint64 value);
void json_write_member_boolean(JsonWrite *write, const char *name, gboolean value);

/**
 * json_write_span:
 * @value: text of one value, copied byte for byte
 */
void json_write_span(JsonWrite *write, JsonSpan value);

/**
 * json_write_value:
 * @value: a scanned value, from a peer that is not trusted to print as QEMU does
 *
 * Writes the same value anew: on one line, pure ASCII, with double quotes. Numbers keep their text.
 */
void json_write_value(JsonWrite *write, JsonSpan value);

/* Whether that would write @value as it is, byte for byte, as it comes from an agent that prints as
 * QEMU does. FALSE where it is not sure: of escapes. @known as in json_read_walk_past(). */
gboolean json_write_would_copy(JsonSpan value, JsonSpan known);

/**
 * json_write_base64:
 *
 * Writes @data as a string in base64.
 */
void json_write_base64(JsonWrite *write, gconstpointer data, gsize len);

/* The same in pieces, of which all but the last have a multiple of three bytes. Between them the
 * text may be taken out of what is written to. @data may lie in the room behind the text, where its
 * end is that of the text to come: so it needs none of its own. */
void json_write_begin_base64(JsonWrite *write);
void json_write_more_base64(JsonWrite *write, gconstpointer data, gsize len);
void json_write_end_base64(JsonWrite *write);

G_END_DECLS
