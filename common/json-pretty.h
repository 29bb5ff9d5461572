/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-pretty: the form that QEMU's monitor prints where it is told to be pretty.
 *
 * Four blanks for each level, one member or element in a line, CR LF between lines; an empty object
 * or array takes two lines. Owns the whitespace, and leaves each token as it is. Messages may be
 * fed in any pieces, for the largest ones come so; what is fed must be scanned JSON.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    guint level;
    gboolean break_line; /* before the next token */
    char quote;          /* that ends the string, within one; else 0 */
    gboolean escaped;    /* the byte before was a backslash that escapes */
} JsonPretty;

void json_pretty_init(JsonPretty *pretty);

/**
 * json_pretty_feed:
 * @text: the next piece of a message, which ends with its last bracket; whitespace may follow
 * @out: appended to; a byte becomes 4 · LIMIT_JSON_NESTING + 3 at most
 */
void json_pretty_feed(JsonPretty *pretty, const char *text, gsize len, GString *out);

G_END_DECLS
