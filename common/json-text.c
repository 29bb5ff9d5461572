/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "json-text.h"

#include <string.h>

static gunichar hex4(const char *digits)
{
    gunichar value = 0;

    for (guint i = 0; i < 4; i++)
        value = value << 4 | (gunichar)g_ascii_xdigit_value(digits[i]);
    return value;
}

/* @at stands behind \u; a scanned high surrogate has its other half right behind it. */
static gunichar resolve_unicode(const char **at)
{
    gunichar unit = hex4(*at);

    *at += 4;
    if (unit >= 0xD800 && unit < 0xDC00) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (hex4(*at + 2) - 0xDC00);
        *at += 6;
    }
    return unit;
}

static gunichar resolve_escape(const char **at)
{
    char kind = *(*at)++;

    switch (kind) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': return resolve_unicode(at);
    default: return (guchar)kind;
    }
}

guint json_text_next(const char **at, const char *end, char ret_bytes[4])
{
    gunichar character;

    if (*at >= end)
        return 0;
    if (**at != '\\') {
        ret_bytes[0] = *(*at)++;
        return 1;
    }

    (*at)++;
    character = resolve_escape(at);
    if (character == 0) {
        memcpy(ret_bytes, "\xC0\x80", 2);
        return 2;
    }
    return (guint)g_unichar_to_utf8(character, ret_bytes);
}

JsonSpan json_text_of(JsonSpan string)
{
    return (JsonSpan){string.text + 1, string.len - 2};
}

gboolean json_text_is_plain(JsonSpan text)
{
    return memchr(text.text, '\\', text.len) == NULL;
}

gboolean json_text_reads(JsonSpan text, const char *plain)
{
    const char *at = text.text, *end = text.text + text.len;
    char bytes[4];
    guint n;

    /* Most names that are asked for are others. */
    if (text.len > 0 && *at != '\\' && *at != *plain)
        return FALSE;
    if (json_text_is_plain(text))
        return strncmp(plain, at, text.len) == 0 && plain[text.len] == '\0';
    while ((n = json_text_next(&at, end, bytes)) > 0) {
        if (strncmp(plain, bytes, n) != 0)
            return FALSE;
        plain += n;
    }
    return *plain == '\0';
}

gboolean json_text_equal(JsonSpan a, JsonSpan b)
{
    const char *at_a = a.text, *end_a = a.text + a.len;
    const char *at_b = b.text, *end_b = b.text + b.len;
    char bytes_a[4], bytes_b[4];
    guint n_a = 0, n_b = 0, i_a = 0, i_b = 0;

    if (json_text_is_plain(a) && json_text_is_plain(b))
        return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;

    for (;;) {
        if (i_a == n_a) {
            n_a = json_text_next(&at_a, end_a, bytes_a);
            i_a = 0;
        }
        if (i_b == n_b) {
            n_b = json_text_next(&at_b, end_b, bytes_b);
            i_b = 0;
        }
        if (n_a == 0 || n_b == 0)
            return n_a == n_b;
        if (bytes_a[i_a++] != bytes_b[i_b++])
            return FALSE;
    }
}
