/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* json-run for x86-64; part of json-run.h. */

#pragma once

#include <emmintrin.h>

/* Returns: a bit for each of 16 bytes that is not plain */
static inline guint json_run_find(const char *at, char quote)
{
    __m128i bytes = _mm_loadu_si128((gconstpointer)at);
    /* Signed and one up: DEL and what is not ASCII come to lie below the first plain one, too. */
    __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8(1));
    __m128i control = _mm_cmplt_epi8(moved, _mm_set1_epi8(0x21));
    __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(quote)),
                                   _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));

    return (guint)_mm_movemask_epi8(_mm_or_si128(control, special));
}

static inline const char *json_run(const char *at, const char *end, char quote)
{
    for (; end - at >= (gssize)sizeof(__m128i); at += sizeof(__m128i)) {
        guint found = json_run_find(at, quote);

        if (found != 0)
            return at + __builtin_ctz(found);
    }
    while (at < end && json_run_is_plain(*at, quote))
        at++;
    return at;
}
