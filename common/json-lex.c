/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The scanner's lexer: which token the bytes make up. Theory of operation in json-scan.c.
 */

#include "json-scan-private.h"

#include "json-run.h"
#include "json-text.h"

#include <string.h>

/* Whether a token that goes on has to wait for the next turn of the machine: @end is reached, or a
 * byte that is for no token to see. */
static gboolean is_at_stop(const JsonScan *scan, const guint8 *bytes, gsize end)
{
    return scan->pos >= end || json_scan_is_reset(bytes[scan->pos]);
}

/* ---- Strings --------------------------------------------------------------------------------- */

static Step bad_string(JsonScan *scan, const char *what, gsize place)
{
    scan->lexer = LEX_STRING;
    scan->surrogate = FALSE;
    return json_scan_fault_skip(scan, JSON_FAULT_SYNTAX, what, place);
}

/* Sets up for the continuation bytes of a character that begins with @byte, by table 3-7 of the
 * Unicode standard, plus C0 80, which QEMU takes for U+0000. */
static Step begin_utf8(JsonScan *scan, guint8 byte)
{
    scan->low = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
    scan->high = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : byte == 0xC0 ? 0x80 : 0xBF;
    scan->more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    scan->character = byte & (0x3F >> scan->more);
    scan->pos++;
    if (byte < 0xC0 || byte == 0xC1 || byte > 0xF4)
        return bad_string(scan, "invalid UTF-8 sequence in string", scan->pos - 1);
    scan->lexer = LEX_UTF8;
    return STEP_ON;
}

static Step lex_utf8(JsonScan *scan, guint8 byte)
{
    if (byte < scan->low || byte > scan->high)
        return bad_string(scan, "invalid UTF-8 sequence in string", scan->pos);
    scan->pos++;
    scan->low = 0x80;
    scan->high = 0xBF;
    scan->character = scan->character << 6 | (byte & 0x3F);
    if (--scan->more > 0)
        return STEP_ON;
    scan->lexer = LEX_STRING;
    if (json_text_is_noncharacter(scan->character))
        return bad_string(scan, "invalid UTF-8 sequence in string", scan->pos - 1);
    return STEP_ON;
}

/* Whether it may stand behind a backslash, other than u. */
static gboolean is_escaped(guint8 byte)
{
    return byte != 0 && byte < 0x80 && strchr("\"'\\/bfnrt", byte);
}

static Step lex_escape(JsonScan *scan, guint8 byte)
{
    if (byte < 0x20)
        return json_scan_fault_lexical(scan, byte);

    scan->pos++;
    if (scan->surrogate && byte != 'u')
        return bad_string(scan, "lone surrogate in string is not a valid Unicode character",
                          scan->pos - 1);
    scan->lexer = LEX_STRING;
    if (byte == 'u') {
        scan->lexer = LEX_HEX;
        scan->more = 4;
    } else if (!is_escaped(byte)) {
        return bad_string(scan, "invalid escape sequence in string", scan->pos - 1);
    }
    return STEP_ON;
}

static Step lex_hex(JsonScan *scan, guint8 byte)
{
    guint32 unit;

    if (!g_ascii_isxdigit(byte))
        return bad_string(scan, "invalid escape sequence in string", scan->pos);
    scan->pos++;
    /* The digits of the other half move those of a high surrogate up. */
    scan->character = scan->character << 4 | (guint32)g_ascii_xdigit_value((char)byte);
    if (--scan->more > 0)
        return STEP_ON;

    scan->lexer = LEX_STRING;
    unit = scan->character & 0xFFFF;
    if (scan->surrogate != (unit >= 0xDC00 && unit < 0xE000))
        return bad_string(scan, "lone surrogate in string is not a valid Unicode character",
                          scan->pos);
    if (scan->surrogate)
        unit = 0x10000 + ((scan->character >> 16 & 0x3FF) << 10 | (unit & 0x3FF));
    if (json_text_is_noncharacter(unit))
        return bad_string(scan, "noncharacter in string is not a valid Unicode character",
                          scan->pos);
    scan->surrogate = unit >= 0xD800 && unit < 0xDC00;
    return STEP_ON;
}

/* Returns: the length of the character of two or three bytes at @at, which is most text that is
 * not ASCII; 0 where it is another, is none, or is cut: that goes byte by byte. */
static gsize common_character(const guint8 *at, gsize len)
{
    gunichar character;

    if (len < 3 || (at[1] & 0xC0) != 0x80)
        return 0;
    if (at[0] >= 0xC2 && at[0] < 0xE0)
        return 2;
    if (at[0] < 0xE0 || at[0] >= 0xF0 || (at[2] & 0xC0) != 0x80)
        return 0;
    character = (gunichar)((at[0] & 0x0F) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F));
    if (character < 0x800 || (character >= 0xD800 && character < 0xE000))
        return 0;
    return json_text_is_noncharacter(character) ? 0 : 3;
}

/* Returns: the first place in a string from @at on that needs thought, @end at most
 * @plain: set to FALSE where there is a character before it that is not ASCII */
static const guint8 *skip_text(const guint8 *at, const guint8 *end, guint8 quote, guint8 *plain)
{
    for (;;) {
        gsize length;

        at = (const guint8 *)json_run((const char *)at, (const char *)end, (char)quote);
        length = common_character(at, (gsize)(end - at));
        if (length == 0)
            return at;
        at += length;
        *plain = FALSE;
    }
}

/* Returns: (nullable): behind the escape at @at, but not where it is of a surrogate */
static const guint8 *behind_escape(const guint8 *at, const guint8 *end)
{
    guint32 unit = 0;

    if (end - at < 2)
        return NULL;
    if (at[1] != 'u')
        return is_escaped(at[1]) ? at + 2 : NULL;
    if (end - at < 6)
        return NULL;
    for (guint i = 2; i < 6; i++) {
        if (!g_ascii_isxdigit(at[i]))
            return NULL;
        unit = unit << 4 | (guint32)g_ascii_xdigit_value((char)at[i]);
    }
    return (unit >= 0xD800 && unit < 0xE000) || json_text_is_noncharacter(unit) ? NULL : at + 6;
}

const guint8 *json_lex_find_quote(const guint8 *at, const guint8 *end)
{
    guint8 plain; /* of no interest here */

    for (;;) {
        at = skip_text(at, end, '"', &plain);
        if (at == end)
            return NULL;
        if (*at == '"')
            return at;
        if (*at != '\\' && *at != 0x7F)
            return NULL;
        at = *at == '\\' ? behind_escape(at, end) : at + 1;
        if (!at)
            return NULL;
    }
}

static Step end_string(JsonScan *scan, const guint8 *bytes)
{
    if (scan->plain && scan->pos - scan->token_start >= JSON_SCAN_LONG &&
        scan->pos <= G_MAXUINT32) {
        scan->long_start = (guint32)scan->token_start;
        scan->long_end = (guint32)scan->pos;
    }
    return json_scan_end_token(scan, (const char *)bytes, TOKEN_STRING, 0);
}

static Step lex_string(JsonScan *scan, const guint8 *bytes, gsize end)
{
    guint8 byte = bytes[scan->pos];

    if (scan->surrogate && byte != '\\')
        return bad_string(scan, "lone surrogate in string is not a valid Unicode character",
                          scan->pos);
    scan->pos =
        (gsize)(skip_text(bytes + scan->pos, bytes + end, scan->quote, &scan->plain) - bytes);
    if (is_at_stop(scan, bytes, end))
        return STEP_ON;

    byte = bytes[scan->pos];
    if (byte < 0x20)
        return json_scan_fault_lexical(scan, byte);
    if (byte == scan->quote) {
        scan->pos++;
        return end_string(scan, bytes);
    }
    scan->plain = FALSE;
    if (byte >= 0x80)
        return begin_utf8(scan, byte);
    scan->pos++;
    if (byte == '\\')
        scan->lexer = LEX_ESCAPE;
    return STEP_ON;
}

/* ---- Numbers and keywords -------------------------------------------------------------------- */

/* Returns: the state behind @byte, LEX_BETWEEN where the number ended before it, or -1 where it
 * must not come here. */
static int number_next(guint8 state, guint8 byte)
{
    gboolean digit = g_ascii_isdigit(byte);
    gboolean e = byte == 'e' || byte == 'E';

    switch (state) {
    case LEX_MINUS: return !digit ? -1 : byte == '0' ? LEX_ZERO : LEX_DIGITS;
    case LEX_ZERO: return digit ? -1 : byte == '.' ? LEX_POINT : e ? LEX_E : LEX_BETWEEN;
    case LEX_DIGITS: return digit ? LEX_DIGITS : byte == '.' ? LEX_POINT : e ? LEX_E : LEX_BETWEEN;
    case LEX_POINT: return digit ? LEX_FRACTION : -1;
    case LEX_FRACTION: return digit ? LEX_FRACTION : e ? LEX_E : LEX_BETWEEN;
    case LEX_E: return digit ? LEX_E_DIGITS : byte == '+' || byte == '-' ? LEX_E_SIGN : -1;
    case LEX_E_SIGN: return digit ? LEX_E_DIGITS : -1;
    default: return digit ? LEX_E_DIGITS : LEX_BETWEEN;
    }
}

static Step lex_number(JsonScan *scan, const guint8 *bytes, gsize end)
{
    do {
        int next = number_next(scan->lexer, bytes[scan->pos]);

        if (next < 0)
            return json_scan_fault_lexical(scan, bytes[scan->pos]);
        if (next == LEX_BETWEEN)
            return json_scan_end_token(scan, (const char *)bytes, TOKEN_SCALAR, 0);
        scan->lexer = (guint8)next;
        scan->pos++;
    } while (!is_at_stop(scan, bytes, end));
    return STEP_ON;
}

static gboolean is_word(const JsonScan *scan, const guint8 *bytes, const char *word)
{
    gsize len = strlen(word);

    return scan->pos - scan->token_start == len &&
           memcmp(bytes + scan->token_start, word, len) == 0;
}

static Step lex_keyword(JsonScan *scan, const guint8 *bytes, gsize end)
{
    while (g_ascii_islower(bytes[scan->pos])) {
        scan->pos++;
        if (is_at_stop(scan, bytes, end))
            return STEP_ON;
    }
    if (scan->mode == MODE_READ && !is_word(scan, bytes, "true") &&
        !is_word(scan, bytes, "false") && !is_word(scan, bytes, "null")) {
        scan->lexer = LEX_BETWEEN;
        return json_scan_fault_skip(scan, JSON_FAULT_SYNTAX, "invalid keyword", scan->token_start);
    }
    return json_scan_end_token(scan, (const char *)bytes, TOKEN_SCALAR, 0);
}

/* ---- Between tokens -------------------------------------------------------------------------- */

static Step structural(JsonScan *scan, const guint8 *bytes, guint8 byte)
{
    if (scan->mode == MODE_STRAY && (byte == '{' || byte == '[')) {
        scan->mode = MODE_READ;
        scan->start = scan->pos;
    }
    if (scan->mode != MODE_STRAY) {
        scan->braces += (byte == '{') - (byte == '}');
        scan->brackets += (byte == '[') - (byte == ']');
    }
    scan->token_start = scan->pos++;
    return json_scan_end_token(scan, (const char *)bytes, TOKEN_STRUCTURAL, byte);
}

/* Most tokens are whole here: each goes on at once. */
static Step begin_token(JsonScan *scan, const guint8 *bytes, gsize end)
{
    guint8 byte = bytes[scan->pos];

    scan->token_start = scan->pos;
    if (byte == '"' || byte == '\'') {
        scan->lexer = LEX_STRING;
        scan->quote = byte;
        scan->plain = byte == '"';
    } else if (byte == '-') {
        scan->lexer = LEX_MINUS;
    } else if (byte == '0') {
        scan->lexer = LEX_ZERO;
    } else if (g_ascii_isdigit(byte)) {
        scan->lexer = LEX_DIGITS;
    } else if (g_ascii_islower(byte)) {
        scan->lexer = LEX_KEYWORD;
    } else {
        return json_scan_fault_lexical(scan, byte);
    }

    scan->pos++;
    if (is_at_stop(scan, bytes, end))
        return STEP_ON;
    if (scan->lexer == LEX_STRING)
        return lex_string(scan, bytes, end);
    return scan->lexer == LEX_KEYWORD ? lex_keyword(scan, bytes, end)
                                      : lex_number(scan, bytes, end);
}

/* Returns: whether a token begins here */
static gboolean pass_space(JsonScan *scan, const guint8 *bytes, gsize end)
{
    while (json_scan_is_space(bytes[scan->pos])) {
        guint8 byte = bytes[scan->pos++];
        gboolean fresh = scan->mode == MODE_STRAY && (byte == '\n' || byte == '\r');

        if (fresh)
            scan->mode = MODE_READ;
        if (json_scan_depth(scan) == 0 && scan->mode == MODE_READ)
            scan->start = scan->pos;
        if (fresh || is_at_stop(scan, bytes, end)) /* a fresh message has an end of its own */
            return FALSE;
    }
    return TRUE;
}

static Step lex_between(JsonScan *scan, const guint8 *bytes, gsize end)
{
    guint8 byte;

    if (!pass_space(scan, bytes, end))
        return STEP_ON;
    byte = bytes[scan->pos];
    return json_scan_is_structural(byte) ? structural(scan, bytes, byte)
                                         : begin_token(scan, bytes, end);
}

static Step skip_token(JsonScan *scan, guint8 byte)
{
    if (json_scan_is_structural(byte) || byte == '\n' || byte == '\r')
        scan->mode = MODE_STRAY;
    else
        scan->pos++;
    return STEP_ON;
}

Step json_lex_step(JsonScan *scan, const guint8 *bytes, gsize end)
{
    guint8 byte = bytes[scan->pos];

    if (json_scan_is_reset(byte))
        return json_scan_fault_reset(scan, byte);
    scan->was_reset = FALSE;
    if (scan->mode == MODE_SKIP_TOKEN)
        return skip_token(scan, byte);

    switch (scan->lexer) {
    case LEX_BETWEEN: return lex_between(scan, bytes, end);
    case LEX_STRING: return lex_string(scan, bytes, end);
    case LEX_ESCAPE: return lex_escape(scan, byte);
    case LEX_HEX: return lex_hex(scan, byte);
    case LEX_UTF8: return lex_utf8(scan, byte);
    case LEX_KEYWORD: return lex_keyword(scan, bytes, end);
    default: return lex_number(scan, bytes, end);
    }
}
