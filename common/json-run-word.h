/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* json-run for any processor; part of json-run.h. */

#pragma once

#include <string.h>

#define JSON_RUN_EACH(byte) (G_GUINT64_CONSTANT(0x0101010101010101) * (guint8)(byte))

/* Returns: not 0 where a byte of @word is below @limit, at most 128. A borrow may reach the bytes
 * above such a one, but there is none without it: it tells whether, not where. */
static inline guint64 json_run_any_below(guint64 word, guint8 limit)
{
    return (word - JSON_RUN_EACH(limit)) & ~word & JSON_RUN_EACH(0x80);
}

static inline guint64 json_run_any_equal(guint64 word, char byte)
{
    return json_run_any_below(word ^ JSON_RUN_EACH(byte), 1);
}

static inline const char *json_run(const char *at, const char *end, char quote)
{
    for (; end - at >= (gssize)sizeof(guint64); at += sizeof(guint64)) {
        guint64 word;

        memcpy(&word, at, sizeof(word));
        if ((word & JSON_RUN_EACH(0x80)) | json_run_any_below(word, 0x20) |
            json_run_any_equal(word, 0x7F) | json_run_any_equal(word, quote) |
            json_run_any_equal(word, '\\'))
            break;
    }
    while (at < end && json_run_is_plain(*at, quote))
        at++;
    return at;
}
