#include "operations/position_set.h"

#include <stdlib.h>

/* Offsets whose upper bits are the same share a chunk: few are a sorted list of their lower sixteen bits, many are a bit each. */
#define CHUNK_BITS 16
#define FEW        4096 /* so many in a list take as much as the bits */
#define BITMAP     8192
#define RECORD     16 /* of a chunk that is written, before its members */

struct chunk {
    int64_t high; /* offset >> CHUNK_BITS */
    int32_t partition;
    uint32_t count, cap; /* of the list; cap 0: bits */
    union {
        uint16_t *list;
        uint8_t *bits;
    };
};

struct position_set {
    struct chunk *chunks;
    size_t chunk_count, chunk_cap;
    uint32_t *index; /* of chunks, plus one; a power of two */
    size_t index_size;
    size_t bytes, most;
    uint64_t count;
};

struct position_set *position_set_new(size_t most_bytes)
{
    struct position_set *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->most = most_bytes;
    s->index_size = 64;
    s->index = calloc(s->index_size, sizeof *s->index);
    if (!s->index)
        position_set_free(&s);
    return s;
}

void position_set_free(struct position_set **sp)
{
    struct position_set *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    for (size_t i = 0; i < s->chunk_count; i++)
        free(s->chunks[i].list);
    free(s->chunks);
    free(s->index);
    free(s);
}

uint64_t position_set_count(const struct position_set *s)
{
    return s->count;
}

/* ---- chunks ---- */

static int32_t partition_of(struct position p)
{
    return p.kind == POSITION_PARTITION ? p.partition : -1;
}

/* Where it is in the index, or the free place where it belongs. */
static size_t slot_of(const struct position_set *s, int32_t partition, int64_t high)
{
    uint64_t h = ((uint64_t)high ^ (uint64_t)(uint32_t)partition << 40) * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(h >> 20) & (s->index_size - 1);
    for (; s->index[at]; at = (at + 1) & (s->index_size - 1)) {
        const struct chunk *c = &s->chunks[s->index[at] - 1];
        if (c->high == high && c->partition == partition)
            break;
    }
    return at;
}

static bool charge(struct position_set *s, size_t bytes)
{
    s->bytes += bytes;
    return s->bytes <= s->most;
}

static enum err full(struct err_info *err)
{
    return err_set(err, ERR_LIMIT, "more positions than are held");
}

static enum err no_memory(struct err_info *err)
{
    return err_set(err, ERR_NOMEM, "no memory for positions");
}

static bool grow_index(struct position_set *s)
{
    uint32_t *index = calloc(s->index_size * 2, sizeof *index);
    if (!index)
        return false;
    free(s->index);
    s->index = index;
    s->index_size *= 2;
    for (size_t i = 0; i < s->chunk_count; i++)
        s->index[slot_of(s, s->chunks[i].partition, s->chunks[i].high)] = (uint32_t)i + 1;
    return true;
}

static enum err add_chunk(struct position_set *s, int32_t partition, int64_t high, struct err_info *err)
{
    if (!charge(s, sizeof(struct chunk) + 2 * sizeof *s->index))
        return full(err);
    if (s->chunk_count * 2 >= s->index_size && !grow_index(s))
        return no_memory(err);
    if (s->chunk_count == s->chunk_cap) {
        size_t cap = s->chunk_cap ? s->chunk_cap * 2 : 16;
        struct chunk *chunks = reallocarray(s->chunks, cap, sizeof *chunks);
        if (!chunks)
            return no_memory(err);
        s->chunks = chunks;
        s->chunk_cap = cap;
    }
    uint16_t *list = malloc(4 * sizeof *list);
    if (!list)
        return no_memory(err);
    s->chunks[s->chunk_count] = (struct chunk){.high = high, .partition = partition, .cap = 4, .list = list};
    s->index[slot_of(s, partition, high)] = (uint32_t)++s->chunk_count;
    return ERR_OK;
}

/* The first of the list that is not below. */
static uint32_t place_in(const struct chunk *c, uint16_t low)
{
    uint32_t from = 0, to = c->count;
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (c->list[mid] < low)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static bool chunk_has(const struct chunk *c, uint16_t low)
{
    if (!c->cap)
        return c->bits[low / 8] >> low % 8 & 1;
    uint32_t at = place_in(c, low);
    return at < c->count && c->list[at] == low;
}

static enum err become_bits(struct position_set *s, struct chunk *c, struct err_info *err)
{
    uint8_t *bits = calloc(1, BITMAP);
    if (!bits)
        return no_memory(err);
    for (uint32_t i = 0; i < c->count; i++)
        bits[c->list[i] / 8] |= (uint8_t)(1 << c->list[i] % 8);
    s->bytes -= c->cap * sizeof *c->list;
    free(c->list);
    c->bits = bits;
    c->cap = 0;
    return charge(s, BITMAP) ? ERR_OK : full(err);
}

static enum err make_room(struct position_set *s, struct chunk *c, struct err_info *err)
{
    if (!c->cap || c->count < c->cap)
        return ERR_OK;
    if (c->cap >= FEW)
        return become_bits(s, c, err);
    if (!charge(s, c->cap * sizeof *c->list))
        return full(err);
    uint16_t *list = reallocarray(c->list, (size_t)c->cap * 2, sizeof *list);
    if (!list)
        return no_memory(err);
    c->list = list;
    c->cap *= 2;
    return ERR_OK;
}

static enum err chunk_add(struct position_set *s, struct chunk *c, uint16_t low, struct err_info *err)
{
    if (chunk_has(c, low))
        return ERR_OK;
    enum err e = make_room(s, c, err);
    if (e)
        return e;
    if (c->cap) {
        uint32_t at = place_in(c, low);
        memmove(c->list + at + 1, c->list + at, (c->count - at) * sizeof *c->list);
        c->list[at] = low;
    } else {
        c->bits[low / 8] |= (uint8_t)(1 << low % 8);
    }
    c->count++;
    s->count++;
    return ERR_OK;
}

/* ---- positions ---- */

static struct chunk *find(const struct position_set *s, struct position p)
{
    uint32_t at = s->index[slot_of(s, partition_of(p), p.offset >> CHUNK_BITS)];
    return at ? &s->chunks[at - 1] : NULL;
}

enum err position_set_add(struct position_set *s, struct position p, struct err_info *err)
{
    struct chunk *c = find(s, p);
    if (!c) {
        enum err e = add_chunk(s, partition_of(p), p.offset >> CHUNK_BITS, err);
        if (e)
            return e;
        c = find(s, p);
    }
    return chunk_add(s, c, (uint16_t)p.offset, err);
}

bool position_set_has(const struct position_set *s, struct position p)
{
    const struct chunk *c = find(s, p);
    return c && chunk_has(c, (uint16_t)p.offset);
}

void position_set_remove(struct position_set *s, struct position p)
{
    struct chunk *c = find(s, p);
    uint16_t low = (uint16_t)p.offset;
    if (!c || !chunk_has(c, low))
        return;
    if (c->cap) {
        uint32_t at = place_in(c, low);
        memmove(c->list + at, c->list + at + 1, (c->count - at - 1) * sizeof *c->list);
    } else {
        c->bits[low / 8] &= (uint8_t) ~(1 << low % 8);
    }
    c->count--;
    s->count--;
}

/* ---- on the disk: chunks of partition, high bits, count and lower bits; little-endian; a count of 0 is the end ---- */

static void put(struct buffer *out, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buffer_byte(out, (uint8_t)(n >> 8 * i));
}

static uint64_t get(const uint8_t *from, int bytes)
{
    uint64_t n = 0;
    for (int i = 0; i < bytes; i++)
        n |= (uint64_t)from[i] << 8 * i;
    return n;
}

static void write_chunk(const struct chunk *c, struct buffer *out)
{
    put(out, (uint32_t)c->partition, 4);
    put(out, (uint64_t)c->high, 8);
    put(out, c->count, 4);
    for (uint32_t i = 0; c->cap && i < c->count; i++)
        put(out, c->list[i], 2);
    for (uint32_t low = 0; !c->cap && low < BITMAP * 8; low++)
        if (chunk_has(c, (uint16_t)low))
            put(out, low, 2);
}

void position_set_write(const struct position_set *s, struct buffer *out)
{
    for (size_t i = 0; i < s->chunk_count; i++)
        if (s->chunks[i].count)
            write_chunk(&s->chunks[i], out);
    for (int i = 0; i < RECORD; i++)
        buffer_byte(out, 0);
}

enum err position_set_read(struct position_set *s, struct bytes in, size_t *at, struct err_info *err)
{
    for (;;) {
        if (in.len - *at < RECORD)
            break;
        struct position p = {POSITION_PARTITION, (int32_t)get(in.data + *at, 4), 0};
        int64_t high = (int64_t)get(in.data + *at + 4, 8);
        uint64_t count = get(in.data + *at + 12, 4);
        *at += RECORD;
        if (!count)
            return ERR_OK;
        if (count > (in.len - *at) / 2 || high < 0 || high > INT64_MAX >> CHUNK_BITS)
            break;
        for (uint64_t i = 0; i < count; i++, *at += 2) {
            p.offset = high << CHUNK_BITS | (int64_t)get(in.data + *at, 2);
            enum err e = position_set_add(s, p, err);
            if (e)
                return e;
        }
    }
    return err_set(err, ERR_FORMAT, "positions are cut short or wrong, at byte %zu", *at);
}
