/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "base64.h"

#include "common/qmp-error.h"

#include <string.h>

enum { PAD = 64, SKIP = 65, BAD = 66 };

typedef struct {
    /* What each byte stands for: 0 to 63, or one of the above. */
    guint8 values[256];
    /* The same where the byte is the first, second, third or last of four: its bits where they are
     * in the three bytes, the first of which is the least of the number; NO_DIGIT for no digit. */
    guint32 places[4][256];
} Tables;

#define NO_DIGIT (1u << 31)

static void fill(Tables *tables)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    memset(tables->values, BAD, sizeof(tables->values));
    tables->values['='] = PAD;
    tables->values['\n'] = SKIP;
    for (guint i = 0; i < G_N_ELEMENTS(tables->places); i++) {
        for (guint j = 0; j < 256; j++)
            tables->places[i][j] = NO_DIGIT;
    }
    for (guint32 i = 0; i < 64; i++) {
        const guint8 digit = (guint8)digits[i];

        tables->values[digit] = (guint8)i;
        tables->places[0][digit] = i << 2;
        tables->places[1][digit] = i >> 4 | (i & 0xF) << 12;
        tables->places[2][digit] = (i >> 2) << 8 | (i & 3) << 22;
        tables->places[3][digit] = i << 16;
    }
}

static const Tables *get_tables(void)
{
    static Tables tables;
    static gsize ready; /* on whichever thread it is first used */

    if (g_once_init_enter(&ready)) {
        fill(&tables);
        g_once_init_leave(&ready, 1);
    }
    return &tables;
}

static guint32 join(const Tables *tables, guint32 four)
{
    return tables->places[0][four & 0xFF] | tables->places[1][four >> 8 & 0xFF] |
           tables->places[2][four >> 16 & 0xFF] | tables->places[3][four >> 24];
}

/*
 * Digits alone, in eights, as nearly all are. One byte behind what it writes is overwritten.
 *
 * Returns: how many characters were read, for each four of which three bytes stand at @out; the
 * next are less than eight, or have something else among them
 */
static gsize decode_eights(const Tables *tables, const char *text, gsize len, guint8 *out)
{
    gsize i;

    for (i = 0; i + 8 <= len; i += 8, out += 6) {
        guint64 eight;
        guint32 first, second;

        memcpy(&eight, text + i, sizeof(eight));
        eight = GUINT64_FROM_LE(eight);
        first = join(tables, (guint32)eight);
        second = join(tables, (guint32)(eight >> 32));
        if (((first | second) & NO_DIGIT) != 0)
            break;
        first = GUINT32_TO_LE(first);
        second = GUINT32_TO_LE(second);
        memcpy(out, &first, sizeof(first));
        memcpy(out + 3, &second, sizeof(second));
    }
    return i;
}

static gsize decode(const char *text, gsize len, guint8 *out, gboolean *ret_valid)
{
    const Tables *tables = get_tables();
    guint8 *at = out;
    guint group = 0, count = 0, pads = 0;

    *ret_valid = TRUE;
    for (gsize i = 0; i < len; i++) {
        guint8 value;

        if (count == 0) {
            gsize eights = decode_eights(tables, text + i, len - i, at);

            at += eights / 4 * 3;
            i += eights;
            if (i == len)
                break;
        }
        value = tables->values[(guint8)text[i]];
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
    data = g_malloc(text.len / 4 * 3 + 1); /* decode_eights() writes one more */
    len = decode(text.text, text.len, data, &valid);
    if (!valid) {
        qmp_error_set(error, "Base64 data contains invalid characters");
        return NULL;
    }
    *ret_len = len;
    return g_steal_pointer(&data);
}
