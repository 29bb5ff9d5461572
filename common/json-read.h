/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-read: members and values of a scanned message, by span, without building a tree.
 *
 * Owns reading of text that json-scan let pass; on any other text its results are meaningless,
 * though never out of bounds. Leaves the grammar to json-scan.h.
 *
 * A span points into the message; it lives as long as the message's buffer does. The span of a
 * string includes its quotes. An absent value is a span without text.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *text; /* not terminated; NULL where absent */
    gsize len;
} JsonSpan;

#define JSON_SPAN_NONE       ((JsonSpan){NULL, 0})
#define JSON_SPAN_LITERAL(s) ((JsonSpan){"" s, sizeof(s) - 1})

typedef enum {
    JSON_KIND_NONE, /* absent */
    JSON_KIND_OBJECT,
    JSON_KIND_ARRAY,
    JSON_KIND_STRING,
    JSON_KIND_NUMBER,
    JSON_KIND_BOOLEAN,
    JSON_KIND_NULL,
} JsonKind;

JsonKind json_read_kind(JsonSpan value);

/* Where a walk through one object or array stands; a plain value, copied freely. */
typedef struct {
    const char *next;
    const char *end;
    JsonSpan known;
} JsonWalk;

/**
 * json_read_walk:
 * @container: an object or an array; anything else has no members and no elements
 */
JsonWalk json_read_walk(JsonSpan container);

/**
 * json_read_walk_past:
 * @known: a string somewhere in @container, or none. Its end is taken as said, not looked for:
 * looking takes 4 ms for 64 MiB, and the scanner has just done it; see stream_long_string()
 */
JsonWalk json_read_walk_past(JsonSpan container, JsonSpan known);

/**
 * json_read_member:
 * @walk: from json_read_walk() of an object
 * @ret_key: the member's name, as a string with its quotes
 *
 * Returns: FALSE, and nothing is set, behind the last one
 */
gboolean json_read_member(JsonWalk *walk, JsonSpan *ret_key, JsonSpan *ret_value);

/**
 * json_read_element:
 * @walk: from json_read_walk() of an array
 */
gboolean json_read_element(JsonWalk *walk, JsonSpan *ret_value);

/**
 * json_read_get:
 * Returns: the value of the member called @name, or JSON_SPAN_NONE; also where @object is no object
 */
JsonSpan json_read_get(JsonSpan object, const char *name);

/**
 * json_read_is:
 * Returns: whether @string is a string that, escapes resolved, reads @text
 */
gboolean json_read_is(JsonSpan string, const char *text);

/**
 * json_read_string:
 *
 * Resolves escapes. U+0000 becomes the two bytes C0 80, as within QEMU, so that the text stays
 * whole as a C string and json-write gives it back as \u0000.
 *
 * Returns: (transfer full): UTF-8, terminated, at most @string.len bytes; NULL where it is no
 * string
 */
char *json_read_string(JsonSpan string);

/**
 * json_read_string_plain:
 *
 * For large strings (base64) that need no copy where nothing is escaped in them.
 *
 * Returns: TRUE, and the text between the quotes, where @string is a string without any escape
 */
gboolean json_read_string_plain(JsonSpan string, JsonSpan *ret_text);

/**
 * json_read_int64:
 * Returns: FALSE where @number is not a JSON number without fraction and exponent, or does not fit.
 * As in QEMU, 1.0 is not an integer.
 */
gboolean json_read_int64(JsonSpan number, gint64 *ret_value);
gboolean json_read_uint64(JsonSpan number, guint64 *ret_value);
gboolean json_read_boolean(JsonSpan boolean, gboolean *ret_value);

/**
 * json_read_token:
 * @token: the last one; to begin, one of no length where the text starts
 * @end: where the text ends
 *
 * Goes on to the next token of scanned text: a string, number or word, or one structural byte.
 *
 * Returns: FALSE at the end
 */
gboolean json_read_token(JsonSpan *token, const char *end);

/* The same; @known as in json_read_walk_past(). */
gboolean json_read_token_past(JsonSpan *token, const char *end, JsonSpan known);

/**
 * json_read_compact:
 * @out: appended to
 *
 * Appends @value without the whitespace between its tokens; tokens stay as they are. QEMU reads at
 * about 4 µs a byte (0.25 MB/s).
 */
void json_read_compact(JsonSpan value, GString *out);

G_END_DECLS
