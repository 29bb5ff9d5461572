/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "json-read.h"

#include "json-text.h"

#include <string.h>

JsonKind json_read_kind(JsonSpan value)
{
    if (value.len == 0)
        return JSON_KIND_NONE;
    switch (value.text[0]) {
    case '{': return JSON_KIND_OBJECT;
    case '[': return JSON_KIND_ARRAY;
    case '"':
    case '\'': return JSON_KIND_STRING;
    case 't':
    case 'f': return JSON_KIND_BOOLEAN;
    case 'n': return JSON_KIND_NULL;
    default: return JSON_KIND_NUMBER;
    }
}

enum { SPACE = 1, SEPARATOR = 2, BRACKET = 4 };

/* What stands around numbers and words; the number of each reply's id has 19 digits. */
static const guint8 kinds[256] = {
    [' '] = SPACE,     ['\t'] = SPACE,    ['\n'] = SPACE,  ['\r'] = SPACE,
    [','] = SEPARATOR, [':'] = SEPARATOR, ['}'] = BRACKET, [']'] = BRACKET,
};

static gboolean is_kind(char byte, guint wanted)
{
    return (kinds[(guint8)byte] & wanted) != 0;
}

/* Whitespace and separators alike: between two values of scanned text there is nothing else. */
static const char *skip_between(const char *at, const char *end)
{
    while (at < end && is_kind(*at, SPACE | SEPARATOR))
        at++;
    return at;
}

/* The quote that was found stays known while escapes before it are passed over: each byte is looked
 * at twice at most, however many escapes there are. */
static const char *skip_string(const char *at, const char *end, JsonSpan known)
{
    char quote = *at;
    const char *stop = NULL;

    if (at == known.text)
        return at + known.len;
    at++;
    while (at < end) {
        const char *escape;

        if (!stop || stop < at)
            stop = memchr(at, quote, (gsize)(end - at));
        if (!stop)
            break;
        escape = memchr(at, '\\', (gsize)(stop - at));
        if (!escape)
            return stop + 1;
        at = escape + 2;
    }
    return end;
}

static const char *skip_container(const char *at, const char *end, JsonSpan known)
{
    guint depth = 0;

    while (at < end) {
        if (*at == '"' || *at == '\'') {
            at = skip_string(at, end, known);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
        if (depth == 0)
            break;
    }
    return at;
}

static const char *skip_value(const char *at, const char *end, JsonSpan known)
{
    if (*at == '{' || *at == '[')
        return skip_container(at, end, known);
    if (*at == '"' || *at == '\'')
        return skip_string(at, end, known);
    while (at < end && !is_kind(*at, SPACE | SEPARATOR | BRACKET))
        at++;
    return at;
}

JsonWalk json_read_walk_past(JsonSpan container, JsonSpan known)
{
    JsonKind kind = json_read_kind(container);

    if (kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY)
        return (JsonWalk){container.text, container.text, known};
    return (JsonWalk){container.text + 1, container.text + container.len - 1, known};
}

JsonWalk json_read_walk(JsonSpan container)
{
    return json_read_walk_past(container, JSON_SPAN_NONE);
}

gboolean json_read_element(JsonWalk *walk, JsonSpan *ret_value)
{
    const char *start = skip_between(walk->next, walk->end);

    if (start >= walk->end)
        return FALSE;
    walk->next = skip_value(start, walk->end, walk->known);
    *ret_value = (JsonSpan){start, (gsize)(walk->next - start)};
    return TRUE;
}

gboolean json_read_member(JsonWalk *walk, JsonSpan *ret_key, JsonSpan *ret_value)
{
    JsonSpan key;

    if (!json_read_element(walk, &key) || !json_read_element(walk, ret_value))
        return FALSE;
    *ret_key = key;
    return TRUE;
}

gboolean json_read_is(JsonSpan string, const char *text)
{
    if (json_read_kind(string) != JSON_KIND_STRING)
        return FALSE;
    return json_text_reads(json_text_of(string), text);
}

JsonSpan json_read_get(JsonSpan object, const char *name)
{
    JsonWalk walk;
    JsonSpan key, value;

    if (json_read_kind(object) != JSON_KIND_OBJECT)
        return JSON_SPAN_NONE;
    walk = json_read_walk(object);
    while (json_read_member(&walk, &key, &value))
        if (json_read_is(key, name))
            return value;
    return JSON_SPAN_NONE;
}

char *json_read_string(JsonSpan string)
{
    JsonSpan text;
    const char *at, *end;
    char *copy, *to;
    guint n;

    if (json_read_kind(string) != JSON_KIND_STRING)
        return NULL;
    if (json_read_string_plain(string, &text))
        return g_strndup(text.text, text.len);

    text = json_text_of(string);
    at = text.text;
    end = at + text.len;
    copy = to = g_malloc(text.len + 4);
    do {
        const char *escape = memchr(at, '\\', (gsize)(end - at));
        gsize run = (gsize)((escape ? escape : end) - at);

        memcpy(to, at, run);
        at += run;
        n = json_text_next(&at, end, to + run);
        to += run + n;
    } while (n > 0);
    *to = '\0';
    return copy;
}

gboolean json_read_string_plain(JsonSpan string, JsonSpan *ret_text)
{
    JsonSpan text;

    if (json_read_kind(string) != JSON_KIND_STRING)
        return FALSE;
    text = json_text_of(string);
    if (!json_text_is_plain(text))
        return FALSE;
    *ret_text = text;
    return TRUE;
}

/* By hand: each reply has an id, and strtoull() takes 450 instructions for one.
 * @ret_size: without its sign */
static gboolean read_integer(JsonSpan number, gboolean *ret_negative, guint64 *ret_size)
{
    gboolean negative = number.len > 0 && number.text[0] == '-';
    guint64 size = 0;

    if (json_read_kind(number) != JSON_KIND_NUMBER)
        return FALSE;
    for (gsize i = negative; i < number.len; i++) {
        guint digit = (guint)number.text[i] - '0';

        if (digit > 9 || size > (G_MAXUINT64 - digit) / 10)
            return FALSE;
        size = size * 10 + digit;
    }
    *ret_negative = negative;
    *ret_size = size;
    return TRUE;
}

gboolean json_read_int64(JsonSpan number, gint64 *ret_value)
{
    gboolean negative;
    guint64 size;

    if (!read_integer(number, &negative, &size) || size > (guint64)G_MAXINT64 + negative)
        return FALSE;
    *ret_value = (gint64)(negative ? -size : size);
    return TRUE;
}

gboolean json_read_uint64(JsonSpan number, guint64 *ret_value)
{
    gboolean negative;
    guint64 size;

    if (!read_integer(number, &negative, &size) || negative)
        return FALSE;
    *ret_value = size;
    return TRUE;
}

gboolean json_read_boolean(JsonSpan boolean, gboolean *ret_value)
{
    if (json_read_kind(boolean) != JSON_KIND_BOOLEAN)
        return FALSE;
    *ret_value = boolean.text[0] == 't';
    return TRUE;
}

gboolean json_read_token_past(JsonSpan *token, const char *end, JsonSpan known)
{
    const char *at = token->text + token->len;
    const char *stop;

    while (at < end && is_kind(*at, SPACE))
        at++;
    if (at == end)
        return FALSE;
    switch (*at) {
    case '{':
    case '}':
    case '[':
    case ']':
    case ':':
    case ',': stop = at + 1; break;
    default: stop = skip_value(at, end, known);
    }
    *token = (JsonSpan){at, (gsize)(stop - at)};
    return TRUE;
}

gboolean json_read_token(JsonSpan *token, const char *end)
{
    return json_read_token_past(token, end, JSON_SPAN_NONE);
}

void json_read_compact(JsonSpan value, GString *out)
{
    JsonSpan token = {value.text, 0};

    while (json_read_token(&token, value.text + value.len))
        g_string_append_len(out, token.text, (gssize)token.len);
}
