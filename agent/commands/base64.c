/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "base64.h"

#include "common/qmp-error.h"

#include <string.h>

enum { PAD = 64, SKIP = 65, BAD = 66 };

/* What each byte stands for: 0 to 63, or one of the above. */
static const guint8 *values(void)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static guint8 table[256];
    static gsize ready; /* on whichever thread it is first used */

    if (g_once_init_enter(&ready)) {
        memset(table, BAD, sizeof(table));
        for (guint i = 0; i < 64; i++)
            table[(guint8)digits[i]] = (guint8)i;
        table['='] = PAD;
        table['\n'] = SKIP;
        g_once_init_leave(&ready, 1);
    }
    return table;
}

/* Digits alone, in fours, as nearly all are. Returns: how many characters were read, for each four
 * of which three bytes stand at @out; the next is of a four that has something else in it, or is
 * the end. */
static gsize decode_fours(const guint8 *table, const char *text, gsize len, guint8 *out)
{
    gsize i;

    for (i = 0; i + 4 <= len; i += 4, out += 3) {
        guint a = table[(guint8)text[i]], b = table[(guint8)text[i + 1]];
        guint c = table[(guint8)text[i + 2]], d = table[(guint8)text[i + 3]];
        guint group = a << 18 | b << 12 | c << 6 | d;

        if ((a | b | c | d) >= PAD)
            break;
        out[0] = (guint8)(group >> 16);
        out[1] = (guint8)(group >> 8);
        out[2] = (guint8)group;
    }
    return i;
}

static gsize decode(const char *text, gsize len, guint8 *out, gboolean *ret_valid)
{
    const guint8 *table = values();
    guint8 *at = out;
    guint group = 0, count = 0, pads = 0;

    *ret_valid = TRUE;
    for (gsize i = 0; i < len; i++) {
        guint8 value;

        if (count == 0) {
            gsize fours = decode_fours(table, text + i, len - i, at);

            at += fours / 4 * 3;
            i += fours;
            if (i == len)
                break;
        }
        value = table[(guint8)text[i]];
        if (value == SKIP)
            continue;
        if (value == BAD) {
            *ret_valid = FALSE;
            return 0;
        }
        pads = value == PAD ? pads + 1 : 0;
        group = group << 6 | (value & 63);
        if (++count < 4)
            continue;
        *at++ = (guint8)(group >> 16);
        if (pads < 2)
            *at++ = (guint8)(group >> 8);
        if (pads < 1)
            *at++ = (guint8)group;
        group = count = pads = 0;
    }
    return (gsize)(at - out);
}

guint8 *base64_decode(JsonSpan string, gsize *ret_len, GError **error)
{
    g_autofree char *unescaped = NULL;
    g_autofree guint8 *data = NULL;
    JsonSpan text;
    gboolean valid;
    gsize len;

    if (!json_read_string_plain(string, &text)) {
        unescaped = json_read_string(string);
        text = (JsonSpan){unescaped, strlen(unescaped)};
    }
    data = g_malloc(text.len / 4 * 3 + 1);
    len = decode(text.text, text.len, data, &valid);
    if (!valid) {
        qmp_error_set(error, "Base64 data contains invalid characters");
        return NULL;
    }
    *ret_len = len;
    return g_steal_pointer(&data);
}
