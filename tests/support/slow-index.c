/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "slow-index.h"

#include <string.h>

static gboolean is_one_of(guint8 byte, const char *bytes)
{
    return byte != 0 && byte < 0x80 && strchr(bytes, byte);
}

static gboolean is_odd_in_string(guint8 byte)
{
    return byte < 0x20 || byte >= 0x80 || byte == '\\';
}

void slow_index(JsonIndex *index, const guint8 *at, gsize len)
{
    gboolean in_string = FALSE, in_scalar = FALSE;

    index->n = 0;
    index->is_short = FALSE;
    for (gsize i = 0; i < len && !index->is_short; i++) {
        gboolean quote = at[i] == '"', structural = is_one_of(at[i], "{}[]:,");
        gboolean scalar = !in_string && !quote && !structural && !is_one_of(at[i], " \t\r\n");

        if (!in_string && (quote || structural || (scalar && !in_scalar))) {
            index->places[index->n] = (guint16)i;
            index->bytes[index->n++] = at[i];
        }
        index->is_short = in_string && is_odd_in_string(at[i]);
        in_string ^= quote;
        in_scalar = scalar;
    }
    memset(index->bytes + index->n, 0, JSON_INDEX_AHEAD);
}
