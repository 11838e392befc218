/* Sixty-four linear slots to each power of two of microseconds, as HdrHistogram does it: fixed memory, and a percentile
 * that is off by 1/64 at the most. */
#include "engine/histogram.h"

#include <stdlib.h>
#include <string.h>

#define SUB        64
#define SUB_BITS   6
#define POWERS     27 /* 2^6 us * 2^26 is beyond an hour */
#define LONGEST_US INT64_C(3600000000)

struct histogram {
    uint64_t count;
    uint32_t slots[POWERS][SUB];
};

struct histogram *histogram_new(void)
{
    return calloc(1, sizeof(struct histogram));
}

void histogram_free(struct histogram **h)
{
    free(*h);
    *h = NULL;
}

uint64_t histogram_count(const struct histogram *h)
{
    return h->count;
}

/* Power 0 holds 0 to 63 us one by one; power p holds [64 << (p - 1), 64 << p) in 64 steps of 1 << (p - 1). */
static void place(uint64_t us, unsigned *power, unsigned *sub)
{
    unsigned top = us < SUB ? 0 : 63u - (unsigned)__builtin_clzll(us) - SUB_BITS + 1;
    *power = top;
    *sub = (unsigned)(top ? (us >> (top - 1)) - SUB : us);
}

void histogram_add(struct histogram *h, int64_t ns)
{
    int64_t us = ns < 0 ? 0 : ns / 1000;
    unsigned power, sub;
    place((uint64_t)(us > LONGEST_US ? LONGEST_US : us), &power, &sub);
    if (h->slots[power][sub] < UINT32_MAX)
        h->slots[power][sub]++;
    h->count++;
}

/* The middle of a slot. */
static int64_t value_of(unsigned power, unsigned sub)
{
    if (power == 0)
        return (int64_t)sub * 1000 + 500;
    int64_t step = INT64_C(1) << (power - 1);
    return ((SUB + (int64_t)sub) * step * 1000) + step * 500;
}

int64_t histogram_percentile(const struct histogram *h, double p)
{
    if (h->count == 0)
        return -1;
    uint64_t rank = (uint64_t)(p / 100.0 * (double)h->count + 0.5);
    if (rank < 1)
        rank = 1;
    if (rank > h->count)
        rank = h->count;
    uint64_t seen = 0;
    int64_t last = -1;
    for (unsigned power = 0; power < POWERS; power++) {
        for (unsigned sub = 0; sub < SUB; sub++) {
            if (!h->slots[power][sub])
                continue;
            seen += h->slots[power][sub];
            last = value_of(power, sub);
            if (seen >= rank)
                return last;
        }
    }
    return last;
}
