/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "json-run.h"

#include <string.h>

#define EACH(byte) (G_GUINT64_CONSTANT(0x0101010101010101) * (guint8)(byte))

/* Returns: not 0 where a byte of @word is below @limit, at most 128. A borrow may reach the bytes
 * above such a one, but there is none without it: it tells whether, not where. */
static guint64 any_below(guint64 word, guint8 limit)
{
    return (word - EACH(limit)) & ~word & EACH(0x80);
}

static guint64 any_equal(guint64 word, char byte)
{
    return any_below(word ^ EACH(byte), 1);
}

const char *json_run(const char *at, const char *end, char quote)
{
    for (; end - at >= (gssize)sizeof(guint64); at += sizeof(guint64)) {
        guint64 word;

        memcpy(&word, at, sizeof(word));
        if ((word & EACH(0x80)) | any_below(word, 0x20) | any_equal(word, 0x7F) |
            any_equal(word, quote) | any_equal(word, '\\'))
            break;
    }
    while (at < end && json_run_is_plain(*at, quote))
        at++;
    return at;
}
