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
 * - All else it leaves, from its first byte on: a token that is cut or could go on, characters of
 *   four bytes or two escapes, single quotes, values outside all brackets, limits, and every fault.
 *   It never tells of one.
 *
 * Where the tokens begin is seen one after the other, or in an index of many (json-index.h). What
 * may stand there is the same code: what has a parameter `index` is compiled once without and once
 * with it.
 *
 * json-whole-test.c holds all of them against each other.
 */

#include "json-scan-private.h"

#include "json-index.h"
#include "json-run.h"

#include <string.h>

/* An index takes time to begin with, and is a waste behind the end of a message. So it is not made
 * of one that may be SMALL, since the last one was, nor of FEW_BYTES behind a token with which it
 * was of no help: often there are more. */
enum { SMALL = 64, FEW_BYTES = 256 };

/* Copied from the scanner, so that it may be in registers: what is given this is to be inlined. */
typedef struct {
    JsonScan *scan;
    JsonKeys *keys;
    const guint8 *message; /* its first byte */
    const guint8 *end;     /* no token reaches beyond */
    const guint8 *at;      /* behind the last token that was taken; where the index begins */
    const guint8 *behind;  /* a string, number or word that is the last of the index */
    gsize next;            /* token of the index */
    guint depth;
    guint tokens;       /* that were taken */
    gboolean in_object; /* the innermost bracket is a { */
} Whole;

#define INLINE static inline __attribute__((always_inline))

/* ---- Where the next token is ----------------------------------------------------------------- */

/* Returns: its first byte, or 0 where there is none */
INLINE guint8 peek(Whole *whole, const JsonIndex *index)
{
    if (index)
        return index->bytes[whole->next];
    for (; whole->at < whole->end; whole->at++) {
        if (*whole->at > ' ')
            return *whole->at;
        if (!json_scan_is_space(*whole->at))
            return 0;
    }
    return 0;
}

INLINE const guint8 *place(const Whole *whole, const JsonIndex *index)
{
    return index ? whole->at + index->places[whole->next] : whole->at;
}

INLINE gboolean took(Whole *whole, const JsonIndex *index, const guint8 *behind)
{
    if (index) {
        whole->next++;
    } else {
        whole->at = behind;
        whole->tokens++;
    }
    return TRUE;
}

/* Returns: (nullable): the quote that ends the string at @from
 * @ret_plain: whether it has no escapes */
INLINE const guint8 *find_quote(const guint8 *from, const guint8 *end, gboolean *ret_plain)
{
    const guint8 *found = (const guint8 *)json_run((const char *)from + 1, (const char *)end, '"');

    *ret_plain = found < end && *found == '"';
    return G_LIKELY(*ret_plain) ? found : json_lex_find_quote(found, end);
}

/* Whether the index has another token behind the next: if that is a string, it was ended. */
INLINE gboolean is_followed(const Whole *whole, const JsonIndex *index)
{
    return index && index->bytes[whole->next + 1] != 0;
}

/* Returns: the quote that ends the string that is next, which is followed */
INLINE const guint8 *quote_before_next(const Whole *whole, const JsonIndex *index)
{
    const guint8 *quote = whole->at + index->places[whole->next + 1] - 1;

    while (G_UNLIKELY(*quote != '"'))
        quote--;
    return quote;
}

/* Whether there is an index, and the next tokens begin with these. */
INLINE gboolean are_next(const Whole *whole, const JsonIndex *index, const char four[4])
{
    return index && memcmp(index->bytes + whole->next, four, 4) == 0;
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

INLINE gboolean take_byte(Whole *whole, const JsonIndex *index)
{
    return took(whole, index, whole->at + 1);
}

INLINE gboolean take_name(Whole *whole, const JsonIndex *index, gboolean followed)
{
    const char *message = (const char *)whole->message;
    const guint8 *name = place(whole, index) + 1, *quote;
    gboolean plain = TRUE, is_new;
    gsize offset = (gsize)(name - whole->message), len;

    quote = followed ? quote_before_next(whole, index) : find_quote(name - 1, whole->end, &plain);
    if (!quote)
        return FALSE;
    len = (gsize)(quote - name);
    is_new = plain ? json_keys_add_plain(whole->keys, message, offset, len)
                   : json_keys_add(whole->keys, message, offset, len);
    whole->behind = quote + 1;
    return is_new && took(whole, index, quote + 1);
}

INLINE gboolean take_string(Whole *whole, const JsonIndex *index)
{
    const guint8 *quote;
    gboolean plain;

    if (is_followed(whole, index))
        return took(whole, index, NULL);
    quote = find_quote(place(whole, index), whole->end, &plain);
    if (!quote)
        return FALSE;
    whole->behind = quote + 1;
    return took(whole, index, quote + 1);
}

INLINE gboolean is_digit(guint8 byte)
{
    return byte >= '0' && byte <= '9';
}

/* A number or a word is over where a space or a structural byte follows. */
INLINE gboolean is_over(const guint8 *behind, const guint8 *end)
{
    return behind < end && json_scan_kinds[*behind] >= STRUCTURAL;
}

/* These return @end where there is none. */

INLINE const guint8 *behind_digits(const guint8 *at, const guint8 *end)
{
    if (at >= end || !is_digit(*at))
        return end;
    do
        at++;
    while (at < end && is_digit(*at));
    return at;
}

static const guint8 *behind_fraction(const guint8 *at, const guint8 *end)
{
    if (at < end && *at == '.')
        at = behind_digits(at + 1, end);
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        at = behind_digits(at, end);
    }
    return at;
}

INLINE const guint8 *behind_number(const guint8 *at, const guint8 *end)
{
    at += *at == '-';
    at = at < end && *at == '0' ? at + 1 : behind_digits(at, end);
    return G_LIKELY(is_over(at, end)) ? at : behind_fraction(at, end);
}

INLINE const guint8 *behind_word(const guint8 *at, const guint8 *end, const char *word, gsize len)
{
    return (gsize)(end - at) >= len && memcmp(at, word, len) == 0 ? at + len : end;
}

INLINE const guint8 *behind_scalar(guint8 byte, const guint8 *at, const guint8 *end)
{
    if (is_digit(byte) || byte == '-')
        return behind_number(at, end);
    switch (byte) {
    case 't': return behind_word(at, end, "true", 4);
    case 'f': return behind_word(at, end, "false", 5);
    case 'n': return behind_word(at, end, "null", 4);
    default: return end;
    }
}

INLINE gboolean take_scalar(Whole *whole, const JsonIndex *index, guint8 byte)
{
    const guint8 *behind = behind_scalar(byte, place(whole, index), whole->end);

    whole->behind = behind;
    return is_over(behind, whole->end) && took(whole, index, behind);
}

INLINE gboolean open_bracket(Whole *whole, const JsonIndex *index, gboolean object)
{
    JsonScan *scan = whole->scan;

    if (whole->depth >= scan->limits.nesting)
        return FALSE;
    if (object)
        json_keys_open(whole->keys);
    json_scan_set_object_at(scan, whole->depth++, object);
    *(object ? &scan->braces : &scan->brackets) += 1;
    whole->in_object = object;
    return take_byte(whole, index);
}

INLINE gboolean close_bracket(Whole *whole, const JsonIndex *index, guint8 byte)
{
    JsonScan *scan = whole->scan;

    if (byte != (whole->in_object ? '}' : ']'))
        return FALSE;
    if (whole->in_object)
        json_keys_close(whole->keys);
    *(whole->in_object ? &scan->braces : &scan->brackets) -= 1;
    whole->depth--;
    whole->in_object = whole->depth > 0 && json_scan_is_object_at(scan, whole->depth - 1);
    return take_byte(whole, index);
}

/* ---- What may stand there -------------------------------------------------------------------- */

INLINE gboolean take_value(Whole *whole, const JsonIndex *index, guint8 byte, guint8 *expect)
{
    if (byte == '"') {
        if (!take_string(whole, index))
            return FALSE;
    } else if (byte == '{' || byte == '[') {
        if (!open_bracket(whole, index, byte == '{'))
            return FALSE;
        *expect = byte == '{' ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
        return TRUE;
    } else if (!take_scalar(whole, index, byte)) {
        return FALSE;
    }
    *expect = EXPECT_COMMA_OR_END;
    return TRUE;
}

/* With an index, members that are strings are taken at once, but for the last one. */
INLINE gboolean take_names(Whole *whole, const JsonIndex *index, guint8 byte, guint8 *expect)
{
    while (are_next(whole, index, "\":\",")) {
        if (!take_name(whole, index, TRUE))
            return FALSE;
        whole->next += 3;
        *expect = EXPECT_KEY;
        byte = peek(whole, index);
    }
    return byte == '"' && take_name(whole, index, is_followed(whole, index));
}

/* Returns: what is expected behind the last token that was taken */
INLINE guint8 walk(Whole *whole, const JsonIndex *index, guint8 expect)
{
    for (;;) {
        guint8 byte = peek(whole, index);

        switch (expect) {
        case EXPECT_COMMA_OR_END:
            if (byte == ',') {
                take_byte(whole, index);
                expect = whole->in_object ? EXPECT_KEY : EXPECT_VALUE;
            } else if (!close_bracket(whole, index, byte) || whole->depth == 0) {
                return EXPECT_COMMA_OR_END;
            }
            continue;
        case EXPECT_KEY_OR_END:
            if (byte == '}') {
                expect = EXPECT_COMMA_OR_END;
                continue;
            }
            G_GNUC_FALLTHROUGH;
        case EXPECT_KEY:
            if (!take_names(whole, index, byte, &expect))
                return expect;
            byte = peek(whole, index);
            G_GNUC_FALLTHROUGH;
        case EXPECT_COLON:
            if (byte != ':')
                return EXPECT_COLON;
            take_byte(whole, index);
            expect = EXPECT_VALUE;
            byte = peek(whole, index);
            G_GNUC_FALLTHROUGH;
        default:
            if (expect == EXPECT_VALUE_OR_END && byte == ']')
                expect = EXPECT_COMMA_OR_END;
            else if (!take_value(whole, index, byte, &expect))
                return expect;
        }
    }
}

/* ---- The ways -------------------------------------------------------------------------------- */

INLINE void begin(Whole *whole, JsonScan *scan, const guint8 *bytes, gsize stop)
{
    *whole = (Whole){
        .scan = scan,
        .keys = &scan->levels->keys,
        .message = bytes + scan->start,
        /* Each token has a byte at least: up to here there are not too many. */
        .end = bytes + scan->pos + MIN(stop - scan->pos, scan->limits.tokens - scan->tokens),
        .at = bytes + scan->pos,
        .depth = json_scan_depth(scan),
    };
    whole->in_object = whole->depth > 0 && json_scan_is_object_at(scan, whole->depth - 1);
}

INLINE Step end(const Whole *whole, const guint8 *bytes)
{
    JsonScan *scan = whole->scan;

    if (whole->tokens == 0)
        return STEP_ON;
    scan->tokens += whole->tokens;
    scan->pos = (gsize)(whole->at - bytes);
    scan->was_reset = FALSE;
    if (whole->depth > 0)
        return STEP_ON;
    scan->by_bytes = scan->pos - scan->start <= SMALL ? SMALL : 0;
    return json_scan_end_value(scan, scan->pos);
}

static Step by_bytes(JsonScan *scan, const guint8 *bytes, gsize stop)
{
    Whole whole;

    begin(&whole, scan, bytes, stop);
    scan->expect = walk(&whole, NULL, scan->expect);
    return end(&whole, bytes);
}

/* Returns: where to go on */
INLINE const guint8 *behind_index(const Whole *whole, const JsonIndex *index, gsize len)
{
    const guint8 *last;

    if (index->n == 0) /* spaces */
        return whole->at + len;
    if (whole->next == 0 || (whole->next < index->n && whole->depth > 0))
        return place(whole, index);
    last = whole->at + index->places[whole->next - 1];
    return json_scan_is_structural(*last) ? last + 1 : whole->behind;
}

static Step by_index(JsonScan *scan, const guint8 *bytes, gsize stop)
{
    gsize look = scan->pos == scan->start ? 4 * JSON_INDEX_BLOCK : JSON_INDEX_BLOCK;
    gboolean is_good;
    JsonIndex index;
    Whole whole;

    begin(&whole, scan, bytes, stop);
    do {
        gsize len = MIN((gsize)(whole.end - whole.at), look);

        json_index(&index, whole.at, len);
        whole.next = 0;
        scan->expect = walk(&whole, &index, scan->expect);
        whole.tokens += (guint)whole.next;
        whole.at = behind_index(&whole, &index, len);
        is_good = whole.next == index.n && !index.is_short;
        look = MIN(look * 4, JSON_INDEX_BYTES);
    } while (is_good && whole.depth > 0 && whole.at < whole.end);
    if (!is_good)
        scan->by_bytes = (guint32)(whole.at - whole.message) + FEW_BYTES;
    return end(&whole, bytes);
}

Step json_whole_tokens(JsonScan *scan, const guint8 *bytes, gsize stop)
{
    guint8 byte = bytes[scan->pos];
    gsize by_bytes_to = scan->start + scan->by_bytes;

    if (json_scan_depth(scan) == 0 && byte != '{' && byte != '[')
        return STEP_ON;
    if (stop - scan->pos <= JSON_INDEX_BLOCK)
        return by_bytes(scan, bytes, stop);
    json_index_choose();
    if (!json_index)
        return by_bytes(scan, bytes, stop);
    if (scan->pos < by_bytes_to)
        return by_bytes(scan, bytes, MIN(stop, by_bytes_to));
    return by_index(scan, bytes, stop);
}
