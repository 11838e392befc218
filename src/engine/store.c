/* A power-of-two ring of message pointers: id n stands in slot n & mask, so that a look-up is one index. The ring grows
 * with the count of messages that the byte budget holds; its own slots are charged to the budget. */
#include "engine/store.h"

#include <stdlib.h>

struct store {
    struct message **ring;
    size_t slots;
    size_t max_bytes, bytes; /* messages and slots */
    uint64_t oldest, newest; /* ids; empty when oldest > newest */
    const struct message *held;
    size_t held_footprint;
    bool held_is_out; /* evicted: its footprint is still part of bytes */
    bool yields;      /* to the last message */
};

#define FIRST_SLOTS 1024

struct store *store_new(size_t max_bytes)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ring = calloc(FIRST_SLOTS, sizeof *s->ring);
    if (!s->ring) {
        free(s);
        return NULL;
    }
    s->slots = FIRST_SLOTS;
    s->bytes = FIRST_SLOTS * sizeof *s->ring;
    s->max_bytes = max_bytes;
    s->oldest = 1;
    return s;
}

static struct message **slot(const struct store *s, uint64_t id)
{
    return &s->ring[id & (s->slots - 1)];
}

static void evict_oldest(struct store *s)
{
    struct message **m = slot(s, s->oldest++);
    if (*m == s->held)
        s->held_is_out = true;
    else
        s->bytes -= (*m)->footprint;
    message_unref(m);
}

void store_free(struct store **sp)
{
    struct store *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    while (s->oldest <= s->newest)
        evict_oldest(s);
    free(s->ring);
    free(s);
}

/* For a message of that size. When the ring cannot grow the oldest message makes room, as over the budget. */
static void make_slot(struct store *s, size_t footprint)
{
    if (store_count(s) < s->slots)
        return;
    size_t slots = s->slots * 2;
    bool affordable = s->bytes + footprint + s->slots * sizeof *s->ring <= s->max_bytes;
    struct message **ring = affordable ? calloc(slots, sizeof *ring) : NULL;
    if (!ring) {
        evict_oldest(s);
        return;
    }
    for (uint64_t id = s->oldest; id <= s->newest; id++)
        ring[id & (slots - 1)] = *slot(s, id);
    free(s->ring);
    s->bytes += (slots - s->slots) * sizeof *ring;
    s->ring = ring;
    s->slots = slots;
}

/* Beside the one that is held, if nothing else were there. */
static bool has_room(const struct store *s, const struct message *m)
{
    size_t least = s->slots * sizeof *s->ring + s->held_footprint;
    return !s->held || least + m->footprint <= s->max_bytes;
}

static void keep_limit(struct store *s)
{
    while (store_count(s) > (s->yields ? 0 : 1) && s->bytes > s->max_bytes)
        evict_oldest(s);
}

uint64_t store_add(struct store *s, struct message *m)
{
    if (!has_room(s, m)) { /* all the others would go for it, and it after them */
        message_unref(&m);
        return 0;
    }
    while (s->oldest <= s->newest && s->bytes + m->footprint > s->max_bytes)
        evict_oldest(s);
    make_slot(s, m->footprint);
    s->newest++;
    *slot(s, s->newest) = m;
    s->bytes += m->footprint;
    keep_limit(s);
    return s->newest;
}

const struct message *store_get(const struct store *s, uint64_t id)
{
    return id >= s->oldest && id <= s->newest ? *slot(s, id) : NULL;
}

uint64_t store_oldest(const struct store *s)
{
    return s->oldest;
}

uint64_t store_newest(const struct store *s)
{
    return s->newest;
}

uint64_t store_count(const struct store *s)
{
    return s->newest + 1 - s->oldest;
}

size_t store_bytes(const struct store *s)
{
    return s->bytes;
}

size_t store_budget(const struct store *s)
{
    return s->max_bytes;
}

void store_hold(struct store *s, const struct message *m)
{
    if (s->held_is_out)
        s->bytes -= s->held_footprint;
    s->held = m;
    s->held_footprint = m ? m->footprint : 0;
    s->held_is_out = false;
}

void store_limit(struct store *s, size_t max_bytes, bool yields)
{
    s->max_bytes = max_bytes;
    s->yields = yields;
    keep_limit(s);
}
