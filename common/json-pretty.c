/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "json-pretty.h"

#include <string.h>

enum { INDENT = 4 };

void json_pretty_init(JsonPretty *pretty)
{
    *pretty = (JsonPretty){0};
}

static void break_line(JsonPretty *pretty, GString *out)
{
    gsize before;

    pretty->break_line = FALSE;
    g_string_append(out, "\r\n");
    before = out->len;
    g_string_set_size(out, before + (gsize)INDENT * pretty->level);
    memset(out->str + before, ' ', out->len - before);
}

static void feed_string(JsonPretty *pretty, char c, GString *out)
{
    g_string_append_c(out, c);
    if (c == pretty->quote && !pretty->escaped)
        pretty->quote = '\0';
    pretty->escaped = !pretty->escaped && c == '\\';
}

static void feed_bracket(JsonPretty *pretty, char c, GString *out)
{
    gboolean opens = c == '{' || c == '[';

    if (!opens && pretty->level > 0)
        pretty->level--;
    if (!opens || pretty->break_line)
        break_line(pretty, out);
    g_string_append_c(out, c);
    if (opens)
        pretty->level++;
    pretty->break_line = opens;
    if (pretty->level == 0)
        g_string_append(out, "\r\n");
}

static void feed_byte(JsonPretty *pretty, char c, GString *out)
{
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n': return;
    case '{':
    case '[':
    case '}':
    case ']': feed_bracket(pretty, c, out); return;
    case ',': pretty->break_line = TRUE; break;
    case ':': g_string_append(out, ": "); return;
    default:
        if (pretty->break_line)
            break_line(pretty, out);
        if (c == '"' || c == '\'')
            pretty->quote = c;
    }
    g_string_append_c(out, c);
}

void json_pretty_feed(JsonPretty *pretty, const char *text, gsize len, GString *out)
{
    for (gsize i = 0; i < len; i++) {
        if (pretty->quote)
            feed_string(pretty, text[i], out);
        else
            feed_byte(pretty, text[i], out);
    }
}
