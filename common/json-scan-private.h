/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-scan-private: what the files of the scanner share, for them alone.
 *
 *   json-scan.c   modes, grammar, and what others call
 *   json-lex.c    bytes to tokens, one state after the other
 *   json-whole.c  the same at once, for what is there whole and right
 *   json-index.c  what that knows of the bytes in advance
 */

#pragma once

#include "json-keys.h"
#include "json-scan.h"

G_BEGIN_DECLS

enum { MODE_READ, MODE_SKIP_TOKEN, MODE_STRAY, MODE_SKIP_BALANCE };

enum {
    LEX_BETWEEN, /* no token under way */
    LEX_STRING,
    LEX_ESCAPE,
    LEX_HEX,
    LEX_UTF8,
    LEX_KEYWORD,
    LEX_MINUS, /* the rest: numbers, by what was last read of them */
    LEX_ZERO,
    LEX_DIGITS,
    LEX_POINT,
    LEX_FRACTION,
    LEX_E,
    LEX_E_SIGN,
    LEX_E_DIGITS,
};

enum {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END,
    EXPECT_KEY,
    EXPECT_KEY_OR_END,
    EXPECT_COLON,
    EXPECT_COMMA_OR_END,
};

typedef enum { STEP_ON, STEP_VALUE, STEP_FAULT } Step;

typedef enum { TOKEN_STRUCTURAL, TOKEN_STRING, TOKEN_SCALAR } Token;

enum { RESET = 1, STRUCTURAL, SPACE };

struct JsonLevels {
    guint64 kinds[LIMIT_JSON_NESTING / 64]; /* a bit per level: set for { */
    JsonKeys keys;
};

/* Of each byte, or 0. */
extern const guint8 json_scan_kinds[256];

static inline gboolean json_scan_is_reset(guint8 byte)
{
    return json_scan_kinds[byte] == RESET;
}

static inline gboolean json_scan_is_structural(guint8 byte)
{
    return json_scan_kinds[byte] == STRUCTURAL;
}

static inline gboolean json_scan_is_space(guint8 byte)
{
    return json_scan_kinds[byte] == SPACE;
}

static inline guint json_scan_depth(const JsonScan *scan)
{
    return (guint)(scan->braces + scan->brackets);
}

static inline gboolean json_scan_is_object_at(const JsonScan *scan, guint level)
{
    return scan->levels->kinds[level / 64] >> (level % 64) & 1;
}

static inline void json_scan_set_object_at(JsonScan *scan, guint level, gboolean object)
{
    guint64 bit = (guint64)1 << (level % 64);

    if (object)
        scan->levels->kinds[level / 64] |= bit;
    else
        scan->levels->kinds[level / 64] &= ~bit;
}

/* @end: behind a value, at `pos`, whose last token was just taken */
Step json_scan_end_value(JsonScan *scan, gsize end);

/**
 * json_scan_end_token:
 *
 * One whole token, which ends before `pos`: what the grammar says to it, if it is asked.
 *
 * @byte: with TOKEN_STRUCTURAL
 */
Step json_scan_end_token(JsonScan *scan, const char *buffer, Token token, guint8 byte);

/* No token goes on with @culprit, at `pos`. */
Step json_scan_fault_lexical(JsonScan *scan, guint8 culprit);
Step json_scan_fault_reset(JsonScan *scan, guint8 culprit);

/**
 * json_scan_fault_skip:
 * @what: the fault in words
 * @place: of the culprit
 *
 * Goes on to where brackets balance.
 */
Step json_scan_fault_skip(JsonScan *scan, JsonFault fault, const char *what, gsize place);

/**
 * json_lex_step:
 * @end: more than `pos`: how far to look
 *
 * Looks at one byte at least, and at most at the rest of one token.
 */
Step json_lex_step(JsonScan *scan, const guint8 *bytes, gsize end);

/**
 * json_lex_find_quote:
 * @at: in a string in double quotes, between two characters
 *
 * Returns: (nullable): the quote that ends it, where it is there and nothing before it is wrong;
 * characters of four bytes, too, are left to json_lex_step()
 */
const guint8 *json_lex_find_quote(const guint8 *at, const guint8 *end);

/**
 * json_whole_tokens:
 * @stop: more than `pos`, which is between two tokens of a message that is being read
 *
 * Takes tokens as far as they are whole and right, none of them perhaps.
 */
Step json_whole_tokens(JsonScan *scan, const guint8 *bytes, gsize stop);

/* json_scan_next() without that: for tests, which hold the two ways against each other. */
JsonScanVerdict json_scan_next_long(JsonScan *scan, const char *buffer, gsize len);

G_END_DECLS
