/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-text: what a string in JSON source says once its escapes are resolved.
 *
 * Owns that one step, for everybody who compares or copies strings. Trusts that json-scan let the
 * text pass.
 */

#pragma once

#include "json-read.h"

G_BEGIN_DECLS

/**
 * json_text_next:
 * @at: moved behind one character of the text between the quotes, or one escape
 * @end: where the text ends
 * @ret_bytes: its UTF-8; U+0000 is C0 80
 *
 * Returns: how many of @ret_bytes were set; 0 at the end
 */
guint json_text_next(const char **at, const char *end, char ret_bytes[4]);

/* Code points that Unicode keeps for a program's own use: QEMU neither reads nor writes them. */
static inline gboolean json_text_is_noncharacter(gunichar character)
{
    return (character & 0xFFFE) == 0xFFFE || (character >= 0xFDD0 && character <= 0xFDEF);
}

/* Without its quotes. */
JsonSpan json_text_of(JsonSpan string);

/* Whether it says what it reads: there is no escape in it. */
gboolean json_text_is_plain(JsonSpan text);

/* Whether a text between quotes says @plain, which has no escapes. */
gboolean json_text_reads(JsonSpan text, const char *plain);

/* Whether two texts between quotes say the same. */
gboolean json_text_equal(JsonSpan a, JsonSpan b);

G_END_DECLS
