/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* json-run for x86-64; part of json-run.h. */

#pragma once

#include <emmintrin.h>

/* Returns: a bit for each byte that is not plain */
static inline guint json_run_find(__m128i bytes, char quote)
{
    /* Signed and one up: DEL and what is not ASCII come to lie below the first plain one, too. */
    __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8(1));
    __m128i control = _mm_cmplt_epi8(moved, _mm_set1_epi8(0x21));
    __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(quote)),
                                   _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));

    return (guint)_mm_movemask_epi8(_mm_or_si128(control, special));
}

static inline const char *json_run(const char *at, const char *end, char quote)
{
    for (; end - at >= 16; at += 16) {
        guint found = json_run_find(_mm_loadu_si128((gconstpointer)at), quote);

        if (found != 0)
            return at + __builtin_ctz(found);
    }
    if (end - at >= 8) {
        guint found = json_run_find(_mm_loadl_epi64((gconstpointer)at), quote) & 0xFF;

        if (found != 0)
            return at + __builtin_ctz(found);
        at += 8;
    }
    while (at < end && json_run_is_plain(*at, quote))
        at++;
    return at;
}
