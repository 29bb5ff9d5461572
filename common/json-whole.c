/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The scanner's short way: tokens that are there whole, of a message in which nothing is wrong.
 *
 * Nearly all input is such, so this is where the time goes; json-lex.c could do all of it, a state
 * and a token at a time. It is right because it decides nothing:
 *
 * - It begins and ends between two tokens of a message that is being read, and there its state and
 *   the machine's are the same. (The machine keeps no more between two tokens than what is written
 *   back here.)
 * - It takes a token only where the machine would take the same bytes as one token and then be in
 *   the state that is written back: the next byte, which is there, ends it, and no limit is near.
 * - All else it leaves, from its first byte on: a token that is cut or could go on, escapes, what
 * is not ASCII, fractions, single quotes, values outside all brackets, limits, and every fault. It
 *   never tells of one.
 *
 * json-whole-test.c holds both against each other.
 */

#include "json-scan-private.h"

#include "json-run.h"

#include <string.h>

/* Copied from the scanner, so that it may be in registers: what is given this is to be inlined. */
typedef struct {
    const guint8 *at;      /* behind the last token that was taken, and spaces */
    const guint8 *end;     /* no token reaches beyond */
    const guint8 *message; /* its first byte */
    guint depth;
    guint tokens;
    guint8 expect;
    gboolean in_object; /* the innermost bracket is a { */
} Whole;

#define INLINE static inline __attribute__((always_inline))

/* Returns: whether there is one, at @at */
INLINE gboolean find_token(Whole *whole)
{
    while (whole->at < whole->end) {
        if (*whole->at > ' ')
            return TRUE;
        if (!json_scan_is_space(*whole->at))
            return FALSE;
        whole->at++;
    }
    return FALSE;
}

INLINE gboolean took(Whole *whole, const guint8 *behind, guint8 expect)
{
    whole->at = behind;
    whole->tokens++;
    whole->expect = expect;
    return TRUE;
}

/* Returns: (nullable): the quote that ends the string at @at */
INLINE const guint8 *find_quote(const Whole *whole)
{
    const char *end = (const char *)whole->end;
    const char *found = json_run((const char *)whole->at + 1, end, '"');

    return found < end && *found == '"' ? (const guint8 *)found : NULL;
}

INLINE gboolean take_name(Whole *whole, JsonKeys *keys)
{
    const guint8 *name = whole->at + 1, *quote;

    if (*whole->at != '"')
        return FALSE;
    quote = find_quote(whole);
    if (!quote || !json_keys_add_plain(keys, (const char *)whole->message,
                                       (gsize)(name - whole->message), (gsize)(quote - name)))
        return FALSE;
    return took(whole, quote + 1, EXPECT_COLON);
}

INLINE gboolean take_string(Whole *whole)
{
    const guint8 *quote = find_quote(whole);

    return quote ? took(whole, quote + 1, EXPECT_COMMA_OR_END) : FALSE;
}

/* A number or a word is over where a space or a structural byte follows. */
INLINE gboolean take_scalar(Whole *whole, const guint8 *behind)
{
    if (behind >= whole->end || json_scan_kinds[*behind] < STRUCTURAL)
        return FALSE;
    return took(whole, behind, EXPECT_COMMA_OR_END);
}

INLINE gboolean is_digit(guint8 byte)
{
    return byte >= '0' && byte <= '9';
}

INLINE gboolean take_integer(Whole *whole)
{
    const guint8 *at = whole->at, *end = whole->end;

    at += *at == '-';
    if (at < end && *at == '0')
        return take_scalar(whole, at + 1);
    if (at == end || !is_digit(*at))
        return FALSE;
    while (at < end && is_digit(*at))
        at++;
    return take_scalar(whole, at);
}

INLINE gboolean take_word(Whole *whole, const char *word, gsize len)
{
    if ((gsize)(whole->end - whole->at) < len || memcmp(whole->at, word, len) != 0)
        return FALSE;
    return take_scalar(whole, whole->at + len);
}

INLINE gboolean open_bracket(Whole *whole, JsonScan *scan, gboolean object)
{
    if (whole->depth >= scan->limits.nesting)
        return FALSE;
    if (object)
        json_keys_open(&scan->levels->keys);
    json_scan_set_object_at(scan, whole->depth++, object);
    *(object ? &scan->braces : &scan->brackets) += 1;
    whole->in_object = object;
    return took(whole, whole->at + 1, object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END);
}

INLINE gboolean close_bracket(Whole *whole, JsonScan *scan)
{
    if (*whole->at != (whole->in_object ? '}' : ']'))
        return FALSE;
    if (whole->in_object)
        json_keys_close(&scan->levels->keys);
    *(whole->in_object ? &scan->braces : &scan->brackets) -= 1;
    whole->depth--;
    whole->in_object = whole->depth > 0 && json_scan_is_object_at(scan, whole->depth - 1);
    return took(whole, whole->at + 1, EXPECT_COMMA_OR_END);
}

INLINE gboolean take_value(Whole *whole, JsonScan *scan)
{
    switch (*whole->at) {
    case '"': return take_string(whole);
    case '{': return open_bracket(whole, scan, TRUE);
    case '[': return open_bracket(whole, scan, FALSE);
    case 't': return take_word(whole, "true", 4);
    case 'f': return take_word(whole, "false", 5);
    case 'n': return take_word(whole, "null", 4);
    default: return take_integer(whole);
    }
}

INLINE gboolean take_byte(Whole *whole, guint8 byte, guint8 expect)
{
    return *whole->at == byte ? took(whole, whole->at + 1, expect) : FALSE;
}

/* One token, or some that often come one behind the other. */
INLINE gboolean take_tokens(Whole *whole, JsonScan *scan)
{
    switch (whole->expect) {
    case EXPECT_KEY_OR_END:
        if (*whole->at == '}')
            return close_bracket(whole, scan);
        G_GNUC_FALLTHROUGH;
    case EXPECT_KEY:
        if (!take_name(whole, &scan->levels->keys) || !find_token(whole))
            return FALSE;
        G_GNUC_FALLTHROUGH;
    case EXPECT_COLON:
        if (!take_byte(whole, ':', EXPECT_VALUE) || !find_token(whole))
            return FALSE;
        return take_value(whole, scan);
    case EXPECT_VALUE_OR_END:
        if (*whole->at == ']')
            return close_bracket(whole, scan);
        G_GNUC_FALLTHROUGH;
    case EXPECT_VALUE: return take_value(whole, scan);
    default:
        if (*whole->at != ',')
            return close_bracket(whole, scan);
        return took(whole, whole->at + 1, whole->in_object ? EXPECT_KEY : EXPECT_VALUE);
    }
}

Step json_whole_tokens(JsonScan *scan, const guint8 *bytes, gsize stop)
{
    Whole whole = {
        .at = bytes + scan->pos,
        /* Each token has a byte at least: up to here there are not too many. */
        .end = bytes + scan->pos + MIN(stop - scan->pos, scan->limits.tokens - scan->tokens),
        .message = bytes + scan->start,
        .depth = json_scan_depth(scan),
        .tokens = scan->tokens,
        .expect = scan->expect,
    };

    if (whole.depth == 0 && *whole.at != '{' && *whole.at != '[')
        return STEP_ON;
    whole.in_object = whole.depth > 0 && json_scan_is_object_at(scan, whole.depth - 1);
    while (find_token(&whole) && take_tokens(&whole, scan) && whole.depth > 0)
        ;
    if (whole.tokens == scan->tokens)
        return STEP_ON;
    scan->pos = (gsize)(whole.at - bytes);
    scan->tokens = whole.tokens;
    scan->expect = whole.expect;
    scan->was_reset = FALSE;
    return whole.depth > 0 ? STEP_ON : json_scan_end_value(scan, scan->pos);
}
