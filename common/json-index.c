/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation. Of 64 bytes each question is asked at once, and answered in the bits of one
 * word: which are quotes, which are structural, which are spaces. A byte is in a string where the
 * number of quotes up to it is odd, which one multiplication without carries tells of all; the rest
 * is a few operations on words. The bytes where tokens begin, and their places, are then moved
 * together. So there is no branch for a token. This is how simdjson begins (Langdale and Lemire,
 * "Parsing gigabytes of JSON per second", 2019), but without escapes, at which it stops here.
 *
 * Only AVX-512 gains enough by it: with AVX2 the places have to be taken out one by one, and
 * json-whole.c is as fast without. GCC does not align what AVX keeps on the stack as Windows calls.
 */

#include "json-index.h"

#include <string.h>

JsonIndexer json_index;

#if defined(__x86_64__) && !defined(G_OS_WIN32)

#include <cpuid.h>
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi,popcnt,pclmul")))
#define INLINE AVX512 static inline __attribute__((always_inline))

enum { QUOTE = 1, STRUCTURAL = 2, SPACE = 4, ODD = 8 };

/* Of ASCII. */
static const guint8 kinds[2 * JSON_INDEX_BLOCK] __attribute__((aligned(64))) = {
    [0 ... '\t' - 1] = ODD, ['\t'] = SPACE | ODD, ['\n'] = SPACE | ODD,  ['\v'] = ODD,
    ['\f'] = ODD,           ['\r'] = SPACE | ODD, [0x0E ... 0x1F] = ODD, [' '] = SPACE,
    ['"'] = QUOTE,          ['\\'] = ODD,         ['{'] = STRUCTURAL,    ['}'] = STRUCTURAL,
    ['['] = STRUCTURAL,     [']'] = STRUCTURAL,   [':'] = STRUCTURAL,    [','] = STRUCTURAL,
};

static const guint8 numbers[JSON_INDEX_BLOCK] __attribute__((aligned(64))) = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
};

/* Each has a bit for each byte, the lowest for the first. */
typedef struct {
    guint64 quotes, structural, spaces;
    guint64 odd; /* ends the index where it is in a string */
} Bits;

/* How the block before ended. */
typedef struct {
    guint64 string; /* in one: all bits, or none */
    guint64 scalar; /* in another token that goes on: the lowest bit, or none */
    guint64 odd;    /* where the index ends */
} Carry;

/* Behind the last there are spaces. */
INLINE __m512i load(const guint8 *at, gsize len)
{
    if (G_LIKELY(len >= JSON_INDEX_BLOCK))
        return _mm512_loadu_si512(at);
    return _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), ((guint64)1 << len) - 1, at);
}

INLINE Bits ask(__m512i bytes)
{
    __mmask64 others = _mm512_movepi8_mask(bytes); /* than ASCII */
    __m512i found = _mm512_permutex2var_epi8(_mm512_load_si512(kinds), bytes,
                                             _mm512_load_si512(kinds + JSON_INDEX_BLOCK));

    return (Bits){
        .quotes = _mm512_mask_test_epi8_mask(~others, found, _mm512_set1_epi8(QUOTE)),
        .structural = _mm512_mask_test_epi8_mask(~others, found, _mm512_set1_epi8(STRUCTURAL)),
        .spaces = _mm512_mask_test_epi8_mask(~others, found, _mm512_set1_epi8(SPACE)),
        .odd = _mm512_test_epi8_mask(found, _mm512_set1_epi8(ODD)) | others,
    };
}

/* Those from a quote that begins a string to before the one that ends it. */
INLINE guint64 between(guint64 quotes)
{
    return (guint64)_mm_cvtsi128_si64(
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((gint64)quotes), _mm_set1_epi8(-1), 0));
}

INLINE guint64 find_starts(const Bits *bits, Carry *carry)
{
    guint64 strings = between(bits->quotes) ^ carry->string;
    guint64 scalars = ~(strings | bits->quotes | bits->structural | bits->spaces);
    guint64 starts = (bits->structural & ~strings) | (bits->quotes & strings) |
                     (scalars & ~(scalars << 1 | carry->scalar));

    carry->string = 0 - (strings >> 63);
    carry->scalar = scalars >> 63;
    carry->odd = bits->odd & strings;
    if (G_UNLIKELY(carry->odd != 0))
        starts &= ~carry->odd & (carry->odd - 1); /* those below the lowest */
    return starts;
}

INLINE void put_half(guint16 *to, __m256i places, gsize base)
{
    _mm512_storeu_si512(
        to, _mm512_add_epi16(_mm512_cvtepu8_epi16(places), _mm512_set1_epi16((gint16)base)));
}

/* Returns: the new @n */
INLINE guint put(JsonIndex *index, guint n, guint64 starts, __m512i bytes, gsize base)
{
    __m512i places = _mm512_maskz_compress_epi8(starts, _mm512_load_si512(numbers));
    guint more = (guint)__builtin_popcountll(starts);

    _mm512_storeu_si512(index->bytes + n, _mm512_maskz_compress_epi8(starts, bytes));
    put_half(index->places + n, _mm512_castsi512_si256(places), base);
    if (G_UNLIKELY(more > JSON_INDEX_BLOCK / 2))
        put_half(index->places + n + JSON_INDEX_BLOCK / 2, _mm512_extracti64x4_epi64(places, 1),
                 base);
    return n + more;
}

AVX512 static void index_avx512(JsonIndex *index, const guint8 *at, gsize len)
{
    Carry carry = {0};
    guint n = 0;

    for (gsize base = 0; base < len && carry.odd == 0; base += JSON_INDEX_BLOCK) {
        __m512i bytes = load(at + base, len - base);
        Bits bits = ask(bytes);

        n = put(index, n, find_starts(&bits, &carry), bytes, base);
    }
    memset(index->bytes + n, 0, JSON_INDEX_AHEAD);
    index->n = n;
    index->is_short = carry.odd != 0;
}

/* Whether the kernel keeps what they work on: XMM, YMM, masks, and both parts of ZMM. */
__attribute__((target("xsave"))) static gboolean keeps_zmm(void)
{
    enum { KEPT = 0xE6 };

    return (_xgetbv(0) & KEPT) == KEPT;
}

/*
 * Not by __builtin_cpu_supports(): with that comes a constructor, which asks the processor five
 * questions at each start of each program, and the processor of a guest has its hypervisor answer:
 * 1 to 20 us each, of the few milliseconds that a start takes.
 */
static gboolean has_avx512(void)
{
    const guint basic = bit_OSXSAVE | bit_POPCNT | bit_PCLMUL;
    const guint first = bit_AVX512F | bit_AVX512BW | bit_BMI;
    const guint second = bit_AVX512VBMI | bit_AVX512VBMI2;
    guint a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & basic) != basic || !keeps_zmm())
        return FALSE;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & first) == first &&
           (c & second) == second;
}

void json_index_choose(void)
{
    static gsize chosen;

    if (!g_once_init_enter(&chosen))
        return;
    if (has_avx512())
        json_index = index_avx512;
    g_once_init_leave(&chosen, 1);
}

#else

void json_index_choose(void)
{
}

#endif
