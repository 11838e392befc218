/* Runs of plain characters, sixteen at a time: where text is scanned, most of it needs no look of its own. Floor 0. */
#ifndef SIGNALBOX_BASE_PLAIN_H
#define SIGNALBOX_BASE_PLAIN_H

#include "base/bytes.h"

#if defined(__SSE2__)
# include <emmintrin.h>
#endif

enum { PLAIN_WIDE = 16, PLAIN_WIDER = 4 * PLAIN_WIDE };

/* Printable ASCII, but for two characters that mean something to the caller (the same twice, if there is one). */
static inline bool plain_one(uint8_t c, char one, char other)
{
    return c >= 0x20 && c < 0x7F && c != (uint8_t)one && c != (uint8_t)other;
}

#if defined(__SSE2__)
/* Sixteen times 0xFF where a byte is not plain. */
static inline __m128i plain_hits(const uint8_t *text, char one, char other)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)text);
    /* Signed: bytes from 0x80 on are below 0x20 as well. */
    __m128i hit =
        _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)), _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F)));
    hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8(one)));
    return _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8(other)));
}
#endif

/* How many of the PLAIN_WIDE bytes at text are plain, from the first on. */
static inline size_t plain_run(const uint8_t *text, char one, char other)
{
#if defined(__SSE2__)
    unsigned mask = (unsigned)_mm_movemask_epi8(plain_hits(text, one, other));
    return mask ? (size_t)__builtin_ctz(mask) : PLAIN_WIDE;
#else
    size_t n = 0;
    while (n < PLAIN_WIDE && plain_one(text[n], one, other))
        n++;
    return n;
#endif
}

/* Are all PLAIN_WIDER bytes at text plain? One branch for them all. */
static inline bool plain_wider(const uint8_t *text, char one, char other)
{
#if defined(__SSE2__)
    __m128i hit = _mm_or_si128(plain_hits(text, one, other), plain_hits(text + 16, one, other));
    hit =
        _mm_or_si128(hit, _mm_or_si128(plain_hits(text + 32, one, other), plain_hits(text + 48, one, other)));
    return _mm_movemask_epi8(hit) == 0;
#else
    (void)text, (void)one, (void)other;
    return false;
#endif
}

/* From at to the next byte that is not plain, or to the end. */
static inline size_t plain_skip(struct bytes in, size_t at, char one, char other)
{
    while (in.len - at >= PLAIN_WIDER && plain_wider(in.data + at, one, other))
        at += PLAIN_WIDER;
    for (size_t run; in.len - at >= PLAIN_WIDE; at += run) {
        run = plain_run(in.data + at, one, other);
        if (run < PLAIN_WIDE)
            return at + run;
    }
    while (at < in.len && plain_one(in.data[at], one, other))
        at++;
    return at;
}

#endif
