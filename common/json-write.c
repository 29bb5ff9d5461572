/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "json-write.h"

#include "base64-encode.h"
#include "json-run.h"
#include "json-text.h"

#include <math.h>
#include <string.h>

void json_write_init(JsonWrite *write, GString *out)
{
    *write = (JsonWrite){.out = out};
}

static void begin_value(JsonWrite *write)
{
    if (write->comma)
        g_string_append_len(write->out, ", ", 2);
    write->comma = TRUE;
}

static void begin_container(JsonWrite *write, char bracket)
{
    begin_value(write);
    g_string_append_c(write->out, bracket);
    write->comma = FALSE;
}

static void end_container(JsonWrite *write, char bracket)
{
    g_string_append_c(write->out, bracket);
    write->comma = TRUE;
}

void json_write_begin_object(JsonWrite *write)
{
    begin_container(write, '{');
}

void json_write_end_object(JsonWrite *write)
{
    end_container(write, '}');
}

void json_write_begin_array(JsonWrite *write)
{
    begin_container(write, '[');
}

void json_write_end_array(JsonWrite *write)
{
    end_container(write, ']');
}

/* By hand: a reply may be 60 MiB of such characters, and printf takes twenty times as long. */
static void append_unit(GString *out, guint unit)
{
    static const char hex[] = "0123456789ABCDEF";
    const char text[] = {
        '\\', 'u', hex[unit >> 12], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};

    g_string_append_len(out, text, sizeof text);
}

static void append_utf16(GString *out, gunichar character)
{
    if (character > 0xFFFF) {
        character -= 0x10000;
        append_unit(out, 0xD800 + (character >> 10));
        append_unit(out, 0xDC00 + (character & 0x3FF));
    } else {
        append_unit(out, character);
    }
}

/* Returns: how many bytes at @text, which begin no character, could have begun one: the maximal
 * part that Unicode asks to be replaced as a whole. */
static gsize bad_part(const char *text, gsize len)
{
    gsize part = 1;

    while (part < len && g_utf8_get_char_validated(text, (gssize)part + 1) == (gunichar)-2)
        part++;
    return part;
}

/* Returns: how many bytes at @text were one character, or no character. */
static gsize append_character(GString *out, const char *text, gsize len)
{
    static const char escapes[] = "\"\"\\\\b\bf\fn\nr\rt\t";
    guchar byte = (guchar)text[0];
    gunichar character;

    if (byte < 0x80) {
        for (const char *pair = escapes; *pair; pair += 2)
            if ((guchar)pair[1] == byte) {
                g_string_append_c(out, '\\');
                g_string_append_c(out, pair[0]);
                return 1;
            }
        append_utf16(out, byte);
        return 1;
    }
    if (byte == 0xC0 && len > 1 && (guchar)text[1] == 0x80) {
        append_utf16(out, 0);
        return 2;
    }
    character = g_utf8_get_char_validated(text, (gssize)len);
    if (character == (gunichar)-1 || character == (gunichar)-2) {
        append_utf16(out, 0xFFFD);
        return bad_part(text, len);
    }
    append_utf16(out, json_text_is_noncharacter(character) ? 0xFFFD : character);
    return (gsize)g_unichar_to_utf8(character, NULL);
}

static void append_string(GString *out, const char *text, gsize len)
{
    const char *end = text + len;

    g_string_append_c(out, '"');
    while (text < end) {
        const char *run = json_run(text, end, '"');

        g_string_append_len(out, text, run - text);
        text = run;
        if (text < end)
            text += append_character(out, text, (gsize)(end - text));
    }
    g_string_append_c(out, '"');
}

void json_write_key(JsonWrite *write, const char *name)
{
    begin_value(write);
    append_string(write->out, name, strlen(name));
    g_string_append_len(write->out, ": ", 2);
    write->comma = FALSE;
}

void json_write_string(JsonWrite *write, const char *text)
{
    json_write_string_len(write, text, strlen(text));
}

void json_write_string_len(JsonWrite *write, const char *text, gsize len)
{
    begin_value(write);
    append_string(write->out, text, len);
}

/* By hand: printf() takes 70 ns, and a status has 300 numbers. */
static void append_number(GString *out, gboolean negative, guint64 size)
{
    char digits[21]; /* of G_MAXUINT64, and a sign */
    gsize at = sizeof(digits);

    do
        digits[--at] = (char)('0' + size % 10);
    while ((size /= 10) > 0);
    if (negative)
        digits[--at] = '-';
    g_string_append_len(out, digits + at, (gssize)(sizeof(digits) - at));
}

void json_write_int64(JsonWrite *write, gint64 value)
{
    begin_value(write);
    append_number(write->out, value < 0, value < 0 ? -(guint64)value : (guint64)value);
}

void json_write_uint64(JsonWrite *write, guint64 value)
{
    begin_value(write);
    append_number(write->out, FALSE, value);
}

void json_write_double(JsonWrite *write, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    if (!isfinite(value)) {
        json_write_null(write);
        return;
    }
    begin_value(write);
    g_string_append(write->out, g_ascii_formatd(text, sizeof text, "%.17g", value));
}

void json_write_boolean(JsonWrite *write, gboolean value)
{
    begin_value(write);
    g_string_append(write->out, value ? "true" : "false");
}

void json_write_null(JsonWrite *write)
{
    begin_value(write);
    g_string_append_len(write->out, "null", 4);
}

void json_write_member_string(JsonWrite *write, const char *name, const char *text)
{
    if (!text)
        return;
    json_write_key(write, name);
    json_write_string(write, text);
}

void json_write_member_int64(JsonWrite *write, const char *name, gint64 value)
{
    json_write_key(write, name);
    json_write_int64(write, value);
}

void json_write_member_uint64(JsonWrite *write, const char *name, guint64 value)
{
    json_write_key(write, name);
    json_write_uint64(write, value);
}

void json_write_member_boolean(JsonWrite *write, const char *name, gboolean value)
{
    json_write_key(write, name);
    json_write_boolean(write, value);
}

void json_write_span(JsonWrite *write, JsonSpan value)
{
    begin_value(write);
    g_string_append_len(write->out, value.text, (gssize)value.len);
}

static gboolean is_plain_string(JsonSpan string)
{
    const char *close = string.text + string.len - 1;

    return *close == '"' && json_run(string.text + 1, close, '"') == close;
}

/* A string that is printed as QEMU would is copied: base64 of 64 MiB is one memcpy() and one look
 * at each byte. */
static void write_string_anew(JsonWrite *write, JsonSpan string)
{
    g_autofree char *text = NULL;

    if (is_plain_string(string)) {
        json_write_span(write, string);
        return;
    }
    text = json_read_string(string);
    json_write_string(write, text);
}

/* Walks what is under way without recursion: nesting is up to the peer. */
void json_write_value(JsonWrite *write, JsonSpan value)
{
    const char *end = value.text + value.len;
    JsonSpan token = {value.text, 0};

    while (json_read_token(&token, end)) {
        switch (token.text[0]) {
        case '{':
        case '[': begin_container(write, token.text[0]); break;
        case '}':
        case ']': end_container(write, token.text[0]); break;
        case ':':
            g_string_append_len(write->out, ": ", 2);
            write->comma = FALSE;
            break;
        case ',': break;
        case '"':
        case '\'': write_string_anew(write, token); break;
        default: json_write_span(write, token); break;
        }
    }
}

gboolean json_write_would_copy(JsonSpan value, JsonSpan known)
{
    const char *at = value.text, *end = value.text + value.len;
    JsonSpan token = {value.text, 0};

    while (json_read_token_past(&token, end, known)) {
        if (token.text != at)
            return FALSE;
        at += token.len;
        switch (token.text[0]) {
        case ':':
        case ',':
            if (*at++ != ' ')
                return FALSE;
            break;
        case '"':
            if (token.text != known.text && !is_plain_string(token))
                return FALSE;
            break;
        case '\'': return FALSE;
        default: break;
        }
    }
    return at == end;
}

void json_write_begin_base64(JsonWrite *write)
{
    begin_value(write);
    g_string_append_c(write->out, '"');
}

void json_write_more_base64(JsonWrite *write, gconstpointer data, gsize len)
{
    const gsize at = write->out->len;

    g_string_set_size(write->out, at + base64_encoded_len(len));
    base64_encode(data, len, write->out->str + at);
}

void json_write_end_base64(JsonWrite *write)
{
    g_string_append_c(write->out, '"');
}

void json_write_base64(JsonWrite *write, gconstpointer data, gsize len)
{
    json_write_begin_base64(write);
    json_write_more_base64(write, data, len);
    json_write_end_base64(write);
}
