/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base64-encode.h"

#include <string.h>

enum { PAIRS = 64 * 64 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

typedef char Pair[2];

/* The two digits of each 12 bits. */
static const Pair *all_pairs(void)
{
    static Pair pairs[PAIRS];
    static gsize ready; /* on whichever thread it is first used */

    if (g_once_init_enter(&ready)) {
        for (guint i = 0; i < PAIRS; i++) {
            pairs[i][0] = digits[i >> 6];
            pairs[i][1] = digits[i & 63];
        }
        g_once_init_leave(&ready, 1);
    }
    return pairs;
}

/* @bits: 24 */
static void put_four(char *to, const Pair *pairs, guint bits)
{
    memcpy(to, pairs[bits >> 12], sizeof(Pair));
    memcpy(to + 2, pairs[bits & (PAIRS - 1)], sizeof(Pair));
}

/* What is left of three bytes: one or two. */
static void put_rest(char *to, const Pair *pairs, const guint8 *at, gsize len)
{
    put_four(to, pairs, (guint)(at[0] << 16 | (len > 1 ? at[1] << 8 : 0)));
    to[3] = '=';
    if (len == 1)
        to[2] = '=';
}

void base64_encode(gconstpointer data, gsize len, char *ret_digits)
{
    const Pair *pairs = all_pairs();
    const guint8 *at = data, *end = at + len;

    /* Six bytes of the eight that are read. */
    for (; end - at >= (gssize)sizeof(guint64); at += 6, ret_digits += 8) {
        guint64 bits;

        memcpy(&bits, at, sizeof(bits));
        bits = GUINT64_FROM_BE(bits);
        put_four(ret_digits, pairs, (guint)(bits >> 40));
        put_four(ret_digits + 4, pairs, (guint)(bits >> 16) & 0xFFFFFF);
    }
    for (; end - at >= 3; at += 3, ret_digits += 4)
        put_four(ret_digits, pairs, (guint)(at[0] << 16 | at[1] << 8 | at[2]));
    if (at < end)
        put_rest(ret_digits, pairs, at, (gsize)(end - at));
}
