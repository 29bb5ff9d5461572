/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation.
 *
 * Three layers, each a switch on one small state, so that input may stop between any two bytes:
 *
 *   lexer    which token the bytes make up: string, number, keyword, or one structural byte
 *   grammar  whether that token may stand here (`expect`), and what may come behind it
 *   mode     whether tokens go to the grammar at all, or are being skipped after a fault
 *
 * QEMU tells two kinds of fault apart, and what it takes for a fresh message depends on it; clients
 * that recover by sending the next command rely on that. A byte that no token can begin or go on
 * with drops everything: skip to a structural byte, and there a message may begin (MODE_SKIP_TOKEN,
 * then MODE_STRAY, which passes over the rest of the broken message without a further error for
 * each of its tokens). A whole token in the wrong place drops what is inside the brackets that are
 * open (MODE_SKIP_BALANCE).
 *
 * The byte that no token can go on with is passed over, whichever it is. Another fault that is
 * found before a byte was consumed leaves that byte to be looked at again in the new mode.
 */

#include "json-scan.h"

#include "json-run.h"
#include "json-text.h"

#include <string.h>

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

static const guint8 kinds_of_bytes[256] = {
    ['\t'] = SPACE,     ['\n'] = SPACE,          ['\r'] = SPACE,           [' '] = SPACE,
    ['{'] = STRUCTURAL, ['}'] = STRUCTURAL,      ['['] = STRUCTURAL,       [']'] = STRUCTURAL,
    [':'] = STRUCTURAL, [','] = STRUCTURAL,      [0 ... '\t' - 1] = RESET, ['\v'] = RESET,
    ['\f'] = RESET,     [0x0E ... 0x1F] = RESET, [0xFE] = RESET,           [0xFF] = RESET,
};

static gboolean is_reset(guint8 byte)
{
    return kinds_of_bytes[byte] == RESET;
}

static gboolean is_structural(guint8 byte)
{
    return kinds_of_bytes[byte] == STRUCTURAL;
}

static gboolean is_space(guint8 byte)
{
    return kinds_of_bytes[byte] == SPACE;
}

/* ---- Modes ----------------------------------------------------------------------------------- */

static void begin_message(JsonScan *scan, guint8 mode)
{
    scan->mode = mode;
    scan->lexer = LEX_BETWEEN;
    scan->expect = EXPECT_VALUE;
    scan->tokens = 0;
    scan->braces = 0;
    scan->brackets = 0;
    scan->surrogate = FALSE;
    json_keys_clear(&scan->keys);
}

/* What was read of the message under way is not needed any more. */
static void drop_message(JsonScan *scan, guint8 mode)
{
    begin_message(scan, mode);
    scan->start = scan->pos;
}

/* @place: of the culprit. While a message is skipped its start is not kept; such a fault is at its
 * own start. */
static void set_fault(JsonScan *scan, JsonFault fault, const char *what, gsize place)
{
    scan->fault = fault;
    scan->what = what;
    scan->at = scan->mode == MODE_READ ? place - scan->start : 0;
    scan->start = scan->pos;
    scan->between = TRUE;
}

static Step fault_lexical(JsonScan *scan, guint8 culprit)
{
    gboolean silent = scan->mode != MODE_READ;

    if (!silent)
        set_fault(scan, JSON_FAULT_LEXICAL, "stray", scan->pos);
    scan->culprit = culprit;
    scan->pos++;
    drop_message(scan, MODE_SKIP_TOKEN);
    return silent ? STEP_ON : STEP_FAULT;
}

static Step fault_reset(JsonScan *scan, guint8 culprit)
{
    gboolean silent = scan->was_reset;

    scan->was_reset = TRUE;
    if (!silent)
        set_fault(scan, JSON_FAULT_RESET, "stray", scan->pos);
    scan->culprit = culprit;
    scan->pos++;
    drop_message(scan, MODE_READ);
    return silent ? STEP_ON : STEP_FAULT;
}

static void leave_skip_when_balanced(JsonScan *scan)
{
    if ((scan->braces <= 0 && scan->brackets <= 0) || scan->braces < 0 || scan->brackets < 0)
        drop_message(scan, MODE_READ);
}

static Step fault_skip(JsonScan *scan, JsonFault fault, const char *what, gsize place)
{
    if (scan->mode != MODE_READ)
        return STEP_ON;
    set_fault(scan, fault, what, place);
    scan->mode = MODE_SKIP_BALANCE;
    if (scan->lexer == LEX_BETWEEN)
        leave_skip_when_balanced(scan);
    return STEP_FAULT;
}

/* ---- Grammar --------------------------------------------------------------------------------- */

static guint depth(const JsonScan *scan)
{
    return (guint)(scan->braces + scan->brackets);
}

static gboolean is_object_at(const JsonScan *scan, guint level)
{
    return scan->kinds[level / 8] >> (level % 8) & 1;
}

static Step end_value(JsonScan *scan, gsize end)
{
    scan->expect = EXPECT_COMMA_OR_END;
    if (depth(scan) > 0)
        return STEP_ON;
    scan->end = end;
    scan->between = TRUE;
    begin_message(scan, MODE_READ);
    return STEP_VALUE;
}

static Step open_bracket(JsonScan *scan, gboolean object)
{
    guint level = depth(scan) - 1;
    guint8 bit = (guint8)(1 << level % 8);

    if (level >= scan->limits.nesting)
        return fault_skip(scan, JSON_FAULT_NESTING, "JSON nesting depth limit exceeded",
                          scan->token_start);

    if (object) {
        scan->kinds[level / 8] |= bit;
        json_keys_open(&scan->keys);
    } else {
        scan->kinds[level / 8] &= (guint8)~bit;
    }
    scan->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return STEP_ON;
}

static Step misplaced(JsonScan *scan)
{
    static const char *const wanted[] = {
        [EXPECT_VALUE] = "expecting value",
        [EXPECT_VALUE_OR_END] = "expecting value or ']'",
        [EXPECT_KEY] = "expecting a string as key",
        [EXPECT_KEY_OR_END] = "expecting a string as key or '}'",
        [EXPECT_COLON] = "missing : in object pair",
        [EXPECT_COMMA_OR_END] = "expecting ',' or the closing bracket",
    };

    return fault_skip(scan, JSON_FAULT_SYNTAX, wanted[scan->expect], scan->token_start);
}

/* The brackets are counted already, the bit of the level that was closed still stands. */
static Step close_bracket(JsonScan *scan, gboolean object)
{
    gboolean may_end = scan->expect == EXPECT_COMMA_OR_END ||
                       scan->expect == (object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END);

    if (scan->braces < 0 || scan->brackets < 0 || !may_end)
        return misplaced(scan);
    if (is_object_at(scan, depth(scan)) != object)
        return misplaced(scan);
    if (object)
        json_keys_close(&scan->keys);
    return end_value(scan, scan->pos);
}

static Step end_key(JsonScan *scan, const char *buffer)
{
    gsize offset = scan->token_start + 1 - scan->start;

    scan->expect = EXPECT_COLON;
    if (!json_keys_add(&scan->keys, buffer + scan->start, offset,
                       scan->pos - 1 - (scan->token_start + 1)))
        return fault_skip(scan, JSON_FAULT_DUPLICATE, "duplicate key", scan->token_start);
    return STEP_ON;
}

static Step accept_structural(JsonScan *scan, guint8 byte)
{
    gboolean value_may_come = scan->expect == EXPECT_VALUE || scan->expect == EXPECT_VALUE_OR_END;

    switch (byte) {
    case '{': return value_may_come ? open_bracket(scan, TRUE) : misplaced(scan);
    case '[': return value_may_come ? open_bracket(scan, FALSE) : misplaced(scan);
    case '}': return close_bracket(scan, TRUE);
    case ']': return close_bracket(scan, FALSE);
    case ':':
        if (scan->expect != EXPECT_COLON)
            return misplaced(scan);
        scan->expect = EXPECT_VALUE;
        return STEP_ON;
    default: /* a comma */
        if (scan->expect != EXPECT_COMMA_OR_END || depth(scan) == 0)
            return misplaced(scan);
        scan->expect = is_object_at(scan, depth(scan) - 1) ? EXPECT_KEY : EXPECT_VALUE;
        return STEP_ON;
    }
}

/* One whole token, which ends before `pos`. */
static Step end_token(JsonScan *scan, const char *buffer, Token token, guint8 byte)
{
    scan->lexer = LEX_BETWEEN;
    if (scan->mode == MODE_SKIP_BALANCE) {
        leave_skip_when_balanced(scan);
        return STEP_ON;
    }
    if (scan->mode == MODE_STRAY)
        return STEP_ON;
    if (++scan->tokens > scan->limits.tokens)
        return fault_skip(scan, JSON_FAULT_TOKENS, "JSON token count limit exceeded",
                          scan->token_start);

    if (token == TOKEN_STRUCTURAL)
        return accept_structural(scan, byte);
    if (scan->expect == EXPECT_KEY || scan->expect == EXPECT_KEY_OR_END)
        return token == TOKEN_STRING ? end_key(scan, buffer) : misplaced(scan);
    if (scan->expect != EXPECT_VALUE && scan->expect != EXPECT_VALUE_OR_END)
        return misplaced(scan);
    return end_value(scan, scan->pos);
}

/* Whether a token that goes on has to wait for the next turn of the machine: @end is reached, or a
 * byte that is for no token to see. */
static gboolean is_at_stop(const JsonScan *scan, const guint8 *bytes, gsize end)
{
    return scan->pos >= end || is_reset(bytes[scan->pos]);
}

/* ---- Lexer: strings -------------------------------------------------------------------------- */

static Step bad_string(JsonScan *scan, const char *what, gsize place)
{
    scan->lexer = LEX_STRING;
    scan->surrogate = FALSE;
    return fault_skip(scan, JSON_FAULT_SYNTAX, what, place);
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

static Step lex_escape(JsonScan *scan, guint8 byte)
{
    if (byte < 0x20)
        return fault_lexical(scan, byte);

    scan->pos++;
    if (scan->surrogate && byte != 'u')
        return bad_string(scan, "lone surrogate in string is not a valid Unicode character",
                          scan->pos - 1);
    scan->lexer = LEX_STRING;
    if (byte == 'u') {
        scan->lexer = LEX_HEX;
        scan->more = 4;
    } else if (byte > 0x7F || !strchr("\"'\\/bfnrt", byte)) {
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

/* Returns: the first place in a string from @from on that needs thought, @end at most. */
static gsize skip_text(const guint8 *bytes, gsize from, gsize end, guint8 quote)
{
    const char *text = (const char *)bytes;
    gsize length = 0;

    do {
        from = (gsize)(json_run(text + from + length, text + end, (char)quote) - text);
        length = common_character(bytes + from, end - from);
    } while (length > 0);
    return from;
}

static Step lex_string(JsonScan *scan, const guint8 *bytes, gsize end)
{
    guint8 byte = bytes[scan->pos];

    if (scan->surrogate && byte != '\\')
        return bad_string(scan, "lone surrogate in string is not a valid Unicode character",
                          scan->pos);
    scan->pos = skip_text(bytes, scan->pos, end, scan->quote);
    if (is_at_stop(scan, bytes, end))
        return STEP_ON;

    byte = bytes[scan->pos];
    if (byte < 0x20)
        return fault_lexical(scan, byte);
    if (byte >= 0x80)
        return begin_utf8(scan, byte);
    scan->pos++;
    if (byte == scan->quote)
        return end_token(scan, (const char *)bytes, TOKEN_STRING, 0);
    if (byte == '\\')
        scan->lexer = LEX_ESCAPE;
    return STEP_ON;
}

/* ---- Lexer: numbers and keywords ------------------------------------------------------------- */

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
            return fault_lexical(scan, bytes[scan->pos]);
        if (next == LEX_BETWEEN)
            return end_token(scan, (const char *)bytes, TOKEN_SCALAR, 0);
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
        return fault_skip(scan, JSON_FAULT_SYNTAX, "invalid keyword", scan->token_start);
    }
    return end_token(scan, (const char *)bytes, TOKEN_SCALAR, 0);
}

/* ---- Lexer: between tokens ------------------------------------------------------------------- */

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
    return end_token(scan, (const char *)bytes, TOKEN_STRUCTURAL, byte);
}

/* Most tokens are whole here: each goes on at once. */
static Step begin_token(JsonScan *scan, const guint8 *bytes, gsize end)
{
    guint8 byte = bytes[scan->pos];

    scan->token_start = scan->pos;
    if (byte == '"' || byte == '\'') {
        scan->lexer = LEX_STRING;
        scan->quote = byte;
    } else if (byte == '-') {
        scan->lexer = LEX_MINUS;
    } else if (byte == '0') {
        scan->lexer = LEX_ZERO;
    } else if (g_ascii_isdigit(byte)) {
        scan->lexer = LEX_DIGITS;
    } else if (g_ascii_islower(byte)) {
        scan->lexer = LEX_KEYWORD;
    } else {
        return fault_lexical(scan, byte);
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
    while (is_space(bytes[scan->pos])) {
        guint8 byte = bytes[scan->pos++];
        gboolean fresh = scan->mode == MODE_STRAY && (byte == '\n' || byte == '\r');

        if (fresh)
            scan->mode = MODE_READ;
        if (depth(scan) == 0 && scan->mode == MODE_READ)
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
    return is_structural(byte) ? structural(scan, bytes, byte) : begin_token(scan, bytes, end);
}

static Step skip_token(JsonScan *scan, guint8 byte)
{
    if (is_structural(byte) || byte == '\n' || byte == '\r')
        scan->mode = MODE_STRAY;
    else
        scan->pos++;
    return STEP_ON;
}

static Step step(JsonScan *scan, const guint8 *bytes, gsize end)
{
    guint8 byte = bytes[scan->pos];

    if (is_reset(byte))
        return fault_reset(scan, byte);
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

/* ---- Public ---------------------------------------------------------------------------------- */

void json_scan_init(JsonScan *scan, const JsonScanLimits *limits)
{
    *scan = (JsonScan){.limits = *limits};
    scan->limits.nesting = MIN(scan->limits.nesting, LIMIT_JSON_NESTING);
    json_scan_limit_bytes(scan, limits->bytes);
    json_keys_init(&scan->keys);
    begin_message(scan, MODE_READ);
}

void json_scan_clear(JsonScan *scan)
{
    json_keys_clear(&scan->keys);
}

void json_scan_limit_bytes(JsonScan *scan, gsize bytes)
{
    scan->limits.bytes = MIN(bytes, G_MAXUINT32 / 2); /* places of names have 32 bits */
}

/* A number or word outside all brackets ends at the byte behind it, which is not part of it. */
static gboolean may_end_here(const JsonScan *scan)
{
    return depth(scan) == 0 && scan->lexer >= LEX_KEYWORD &&
           scan->pos - scan->start == scan->limits.bytes;
}

JsonScanVerdict json_scan_next(JsonScan *scan, const char *buffer, gsize len)
{
    const guint8 *bytes = (const guint8 *)buffer;

    if (scan->between)
        scan->start = scan->pos;
    scan->between = FALSE;

    while (scan->pos < len) {
        gboolean reading = scan->mode == MODE_READ;
        gsize stop = reading ? MIN(len, scan->start + scan->limits.bytes) : len;
        Step result;

        if (scan->pos < stop || may_end_here(scan))
            result = step(scan, bytes, stop);
        else
            result =
                fault_skip(scan, JSON_FAULT_BYTES, "JSON token size limit exceeded", scan->pos);
        if (result != STEP_ON)
            return result == STEP_VALUE ? JSON_SCAN_VALUE : JSON_SCAN_ERROR;
    }
    if (scan->mode != MODE_READ)
        scan->start = scan->pos;
    return JSON_SCAN_MORE;
}

void json_scan_drop(JsonScan *scan, gsize count)
{
    scan->pos -= count;
    scan->start -= MIN(count, scan->start);
    scan->token_start -= MIN(count, scan->token_start);
    scan->end -= MIN(count, scan->end);
}

void json_scan_restart(JsonScan *scan)
{
    begin_message(scan, MODE_READ);
    scan->pos = 0;
    scan->start = 0;
    scan->between = FALSE;
    scan->was_reset = FALSE;
}

void json_scan_save(const JsonScan *scan, Saved *to)
{
    saved_put_int(to, "was-reset", scan->was_reset);
    if (scan->mode == MODE_READ)
        return;
    saved_put_int(to, "mode", scan->mode);
    saved_put_int(to, "lexer", scan->lexer);
    saved_put_int(to, "quote", scan->quote);
    saved_put_int(to, "braces", scan->braces);
    saved_put_int(to, "brackets", scan->brackets);
}

void json_scan_restore(JsonScan *scan, Saved *from)
{
    scan->was_reset = saved_get_int(from, "was-reset") != 0;
    scan->mode = (guint8)saved_get_int(from, "mode");
    scan->lexer = (guint8)saved_get_int(from, "lexer");
    scan->quote = (guint8)saved_get_int(from, "quote");
    scan->braces = saved_get_int(from, "braces");
    scan->brackets = saved_get_int(from, "brackets");
}

gboolean json_scan_is_clean(const JsonScan *scan)
{
    return scan->mode == MODE_READ && scan->lexer == LEX_BETWEEN && depth(scan) == 0;
}

char *json_scan_fault_text(const JsonScan *scan)
{
    gboolean is_limit =
        scan->fault >= JSON_FAULT_NESTING; /* QEMU, too, has other words for these */
    g_autofree char *culprit = NULL;

    if (scan->fault == JSON_FAULT_RESET || scan->fault == JSON_FAULT_LEXICAL)
        culprit = scan->culprit > 0x20 && scan->culprit < 0x7F
                      ? g_strdup_printf(" '%c'", scan->culprit)
                      : g_strdup_printf(" byte 0x%02X", scan->culprit);
    return g_strdup_printf("%s%s%s, at byte %" G_GSIZE_FORMAT, is_limit ? "" : "JSON parse error, ",
                           scan->what, culprit ? culprit : "", scan->at);
}
