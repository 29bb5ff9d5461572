/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation.
 *
 * There is a long way and a short one. The short one (json-whole.c) takes what is there whole and
 * right, and leaves all else to the long one, which is described here.
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

#include "json-scan-private.h"

const guint8 json_scan_kinds[256] = {
    ['\t'] = SPACE,     ['\n'] = SPACE,          ['\r'] = SPACE,           [' '] = SPACE,
    ['{'] = STRUCTURAL, ['}'] = STRUCTURAL,      ['['] = STRUCTURAL,       [']'] = STRUCTURAL,
    [':'] = STRUCTURAL, [','] = STRUCTURAL,      [0 ... '\t' - 1] = RESET, ['\v'] = RESET,
    ['\f'] = RESET,     [0x0E ... 0x1F] = RESET, [0xFE] = RESET,           [0xFF] = RESET,
};

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
    if (scan->levels)
        json_keys_clear(&scan->levels->keys);
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

Step json_scan_fault_lexical(JsonScan *scan, guint8 culprit)
{
    gboolean silent = scan->mode != MODE_READ;

    if (!silent)
        set_fault(scan, JSON_FAULT_LEXICAL, "stray", scan->pos);
    scan->culprit = culprit;
    scan->pos++;
    drop_message(scan, MODE_SKIP_TOKEN);
    return silent ? STEP_ON : STEP_FAULT;
}

Step json_scan_fault_reset(JsonScan *scan, guint8 culprit)
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

Step json_scan_fault_skip(JsonScan *scan, JsonFault fault, const char *what, gsize place)
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

Step json_scan_end_value(JsonScan *scan, gsize end)
{
    scan->expect = EXPECT_COMMA_OR_END;
    if (json_scan_depth(scan) > 0)
        return STEP_ON;
    scan->end = end;
    scan->between = TRUE;
    begin_message(scan, MODE_READ);
    return STEP_VALUE;
}

static Step open_bracket(JsonScan *scan, gboolean object)
{
    guint level = json_scan_depth(scan) - 1;

    if (level >= scan->limits.nesting)
        return json_scan_fault_skip(scan, JSON_FAULT_NESTING, "JSON nesting depth limit exceeded",
                                    scan->token_start);
    json_scan_set_object_at(scan, level, object);
    if (object)
        json_keys_open(&scan->levels->keys);
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

    return json_scan_fault_skip(scan, JSON_FAULT_SYNTAX, wanted[scan->expect], scan->token_start);
}

/* The brackets are counted already, the bit of the level that was closed still stands. */
static Step close_bracket(JsonScan *scan, gboolean object)
{
    gboolean may_end = scan->expect == EXPECT_COMMA_OR_END ||
                       scan->expect == (object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END);

    if (scan->braces < 0 || scan->brackets < 0 || !may_end)
        return misplaced(scan);
    if (json_scan_is_object_at(scan, json_scan_depth(scan)) != object)
        return misplaced(scan);
    if (object)
        json_keys_close(&scan->levels->keys);
    return json_scan_end_value(scan, scan->pos);
}

static Step end_key(JsonScan *scan, const char *buffer)
{
    gsize offset = scan->token_start + 1 - scan->start;

    scan->expect = EXPECT_COLON;
    if (!json_keys_add(&scan->levels->keys, buffer + scan->start, offset,
                       scan->pos - 1 - (scan->token_start + 1)))
        return json_scan_fault_skip(scan, JSON_FAULT_DUPLICATE, "duplicate key", scan->token_start);
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
        if (scan->expect != EXPECT_COMMA_OR_END || json_scan_depth(scan) == 0)
            return misplaced(scan);
        scan->expect =
            json_scan_is_object_at(scan, json_scan_depth(scan) - 1) ? EXPECT_KEY : EXPECT_VALUE;
        return STEP_ON;
    }
}

/* One whole token, which ends before `pos`. */
Step json_scan_end_token(JsonScan *scan, const char *buffer, Token token, guint8 byte)
{
    scan->lexer = LEX_BETWEEN;
    if (scan->mode == MODE_SKIP_BALANCE) {
        leave_skip_when_balanced(scan);
        return STEP_ON;
    }
    if (scan->mode == MODE_STRAY)
        return STEP_ON;
    if (++scan->tokens > scan->limits.tokens)
        return json_scan_fault_skip(scan, JSON_FAULT_TOKENS, "JSON token count limit exceeded",
                                    scan->token_start);

    if (token == TOKEN_STRUCTURAL)
        return accept_structural(scan, byte);
    if (scan->expect == EXPECT_KEY || scan->expect == EXPECT_KEY_OR_END)
        return token == TOKEN_STRING ? end_key(scan, buffer) : misplaced(scan);
    if (scan->expect != EXPECT_VALUE && scan->expect != EXPECT_VALUE_OR_END)
        return misplaced(scan);
    return json_scan_end_value(scan, scan->pos);
}

/* ---- Public ---------------------------------------------------------------------------------- */

void json_scan_init(JsonScan *scan, const JsonScanLimits *limits)
{
    *scan = (JsonScan){.limits = *limits};
    scan->limits.nesting = MIN(scan->limits.nesting, LIMIT_JSON_NESTING);
    json_scan_limit_bytes(scan, limits->bytes);
    begin_message(scan, MODE_READ);
}

static void free_levels(JsonScan *scan)
{
    if (scan->levels)
        json_keys_free(&scan->levels->keys);
    g_clear_pointer(&scan->levels, g_free);
}

void json_scan_clear(JsonScan *scan)
{
    free_levels(scan);
}

void json_scan_limit_bytes(JsonScan *scan, gsize bytes)
{
    scan->limits.bytes = MIN(bytes, G_MAXUINT32 / 2); /* places of names have 32 bits */
}

/* A number or word outside all brackets ends at the byte behind it, which is not part of it. */
static gboolean may_end_here(const JsonScan *scan)
{
    return json_scan_depth(scan) == 0 && scan->lexer >= LEX_KEYWORD &&
           scan->pos - scan->start == scan->limits.bytes;
}

/* The long way takes up what the short one left. */
static inline Step go_on(JsonScan *scan, const guint8 *bytes, gsize stop, gboolean short_way)
{
    if (short_way && scan->mode == MODE_READ && scan->lexer == LEX_BETWEEN && scan->pos < stop) {
        Step result = json_whole_tokens(scan, bytes, stop);

        if (result != STEP_ON || scan->pos == stop)
            return result;
    }
    return json_lex_step(scan, bytes, stop);
}

static inline JsonScanVerdict look(JsonScan *scan, const guint8 *bytes, gsize len,
                                   gboolean short_way)
{
    while (scan->pos < len) {
        gboolean reading = scan->mode == MODE_READ;
        gsize stop = reading ? MIN(len, scan->start + scan->limits.bytes) : len;
        Step result;

        if (scan->pos < stop || may_end_here(scan))
            result = go_on(scan, bytes, stop, short_way);
        else
            result = json_scan_fault_skip(scan, JSON_FAULT_BYTES, "JSON token size limit exceeded",
                                          scan->pos);
        if (result != STEP_ON)
            return result == STEP_VALUE ? JSON_SCAN_VALUE : JSON_SCAN_ERROR;
    }
    if (scan->mode != MODE_READ)
        scan->start = scan->pos;
    return JSON_SCAN_MORE;
}

/* Most messages are whole when they are looked at: for these the levels may be on the stack. */
static void keep_levels(JsonScan *scan, JsonLevels *here)
{
    gboolean under_way = scan->mode == MODE_READ && json_scan_depth(scan) > 0;
    gboolean are_here = scan->levels == here;

    if (!under_way) {
        json_keys_free(&scan->levels->keys);
        if (!are_here)
            g_free(scan->levels);
        scan->levels = NULL;
    } else if (are_here) {
        scan->levels = g_memdup2(here, sizeof *here);
        json_keys_moved(&scan->levels->keys, &here->keys);
    }
}

static inline JsonScanVerdict next(JsonScan *scan, const char *buffer, gsize len,
                                   gboolean short_way)
{
    JsonScanVerdict verdict;
    JsonLevels here;

    if (scan->between) {
        scan->start = scan->pos;
        scan->long_end = 0;
    }
    scan->between = FALSE;
    if (scan->pos == len)
        return JSON_SCAN_MORE;
    if (!scan->levels) {
        json_keys_init(&here.keys);
        scan->levels = &here;
    }
    verdict = look(scan, (const guint8 *)buffer, len, short_way);
    keep_levels(scan, &here);
    return verdict;
}

JsonScanVerdict json_scan_next(JsonScan *scan, const char *buffer, gsize len)
{
    return next(scan, buffer, len, TRUE);
}

JsonScanVerdict json_scan_next_long(JsonScan *scan, const char *buffer, gsize len)
{
    return next(scan, buffer, len, FALSE);
}

gsize json_scan_held(const JsonScan *scan)
{
    return scan->levels ? json_keys_held(&scan->levels->keys) : 0;
}

void json_scan_drop(JsonScan *scan, gsize count)
{
    scan->pos -= count;
    scan->start -= MIN(count, scan->start);
    scan->token_start -= MIN(count, scan->token_start);
    scan->end -= MIN(count, scan->end);
    scan->long_start -= (guint32)MIN(count, scan->long_start);
    scan->long_end -= (guint32)MIN(count, scan->long_end);
}

void json_scan_restart(JsonScan *scan)
{
    free_levels(scan);
    begin_message(scan, MODE_READ);
    scan->pos = 0;
    scan->start = 0;
    scan->long_end = 0;
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
    return scan->mode == MODE_READ && scan->lexer == LEX_BETWEEN && json_scan_depth(scan) == 0;
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
