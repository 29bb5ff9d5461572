/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "json-run.h"

#include <emmintrin.h>

const char *json_run(const char *at, const char *end, char quote)
{
    const __m128i space = _mm_set1_epi8(' ');
    const __m128i del = _mm_set1_epi8(0x7F);
    const __m128i escape = _mm_set1_epi8('\\');
    const __m128i quotes = _mm_set1_epi8(quote);

    for (; end - at >= (gssize)sizeof(__m128i); at += sizeof(__m128i)) {
        __m128i bytes = _mm_loadu_si128((gconstpointer)at);
        /* Signed: what is not ASCII is below the space as well. */
        __m128i control = _mm_or_si128(_mm_cmplt_epi8(bytes, space), _mm_cmpeq_epi8(bytes, del));
        __m128i special =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, escape));
        guint found = (guint)_mm_movemask_epi8(_mm_or_si128(control, special));

        if (found != 0)
            return at + __builtin_ctz(found);
    }
    while (at < end && json_run_is_plain(*at, quote))
        at++;
    return at;
}
