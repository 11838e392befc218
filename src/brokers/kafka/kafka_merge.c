/* The first or the last N over all partitions, by time: a heap of sealed messages with the first to be dropped on top.
 *
 * The last N: each partition's last N offsets are read; where control or compacted records left fewer messages than offsets, it
 * reaches further back. The first N: each partition is read until it has nothing earlier than what is held; in one partition
 * the order of offsets stands, whatever its times say, so a message counts as late as the latest before it.
 * Where the messages would take too much memory only their places are kept, and they are read again from there, unmerged. */
#include "brokers/kafka/kafka_reader.h"

#include <stdio.h>
#include <stdlib.h>

#define MERGE_BYTES (16 * MIB) /* of the messages held */
#define LAST_PLACES 400000     /* of the last N; the help of browse has it too */

struct place {
    int64_t time_ns, offset; /* the first N: of the latest in its partition so far */
    const struct origin *origin;
    struct message *message; /* sealed; NULL once only places are kept */
    int32_t partition;
};

struct kafka_merge {
    bool first; /* the first N, not the last */
    int64_t want;
    size_t count, cap, next;
    size_t bytes;
    bool places; /* the messages took too much */
    struct place *heap;
};

static int compare(const struct place *a, const struct place *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Would a be dropped before b? */
static bool goes_first(const struct kafka_merge *g, const struct place *a, const struct place *b)
{
    return g->first ? compare(a, b) > 0 : compare(a, b) < 0;
}

static void swap(struct place *a, struct place *b)
{
    struct place c = *a;
    *a = *b;
    *b = c;
}

static struct kafka_merge *merge_new(int64_t want, bool first, struct err_info *err)
{
    struct kafka_merge *g = calloc(1, sizeof *g);
    if (!g) {
        err_set(err, ERR_NOMEM, "no memory for reading");
        return NULL;
    }
    g->first = first;
    g->want = want > 0 ? want : 0;
    return g;
}

struct kafka_merge *kafka_merge_last(int64_t want, struct err_info *err)
{
    return merge_new(want, false, err);
}

struct kafka_merge *kafka_merge_first(int64_t want, struct err_info *err)
{
    return merge_new(want, true, err);
}

static void drop_messages(struct kafka_merge *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->heap[i].message)
            message_unref(&g->heap[i].message);
    g->bytes = 0;
}

void kafka_merge_free(struct kafka_merge **gp)
{
    struct kafka_merge *g = *gp;
    *gp = NULL;
    if (!g)
        return;
    drop_messages(g);
    free(g->heap);
    free(g);
}

static void sift_up(struct kafka_merge *g, size_t i)
{
    for (; i > 0 && goes_first(g, &g->heap[i], &g->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&g->heap[(i - 1) / 2], &g->heap[i]);
}

static void sift_down(struct kafka_merge *g)
{
    for (size_t i = 0;;) {
        size_t top = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < g->count && goes_first(g, &g->heap[child], &g->heap[top]))
                top = child;
        if (top == i)
            return;
        swap(&g->heap[top], &g->heap[i]);
        i = top;
    }
}

static void drop_top(struct kafka_merge *g)
{
    if (g->heap[0].message) {
        g->bytes -= g->heap[0].message->footprint;
        message_unref(&g->heap[0].message);
    }
    g->heap[0] = g->heap[--g->count];
    sift_down(g);
}

static bool grow(struct kafka_merge *g)
{
    if (g->count < g->cap)
        return true;
    size_t cap = g->cap ? g->cap * 2 : 64;
    struct place *heap = realloc(g->heap, cap * sizeof *heap);
    if (!heap)
        return false;
    g->heap = heap;
    g->cap = cap;
    return true;
}

static struct place place_of(const struct kafka_merge *g, const struct kafka_partition *p,
                             const struct message *m)
{
    return (struct place){.time_ns = g->first ? p->newest_ns : m->time_ns,
                          .offset = m->position.offset,
                          .partition = m->position.partition,
                          .origin = m->origin};
}

bool kafka_merge_wants(const struct kafka_merge *g, const struct kafka_partition *p, const struct message *m)
{
    struct place place = place_of(g, p, m);
    return g->want > 0 && ((int64_t)g->count < g->want || goes_first(g, &g->heap[0], &place));
}

bool kafka_merge_is_first(const struct kafka_merge *g)
{
    return g->first;
}

enum err kafka_merge_take(struct kafka_merge *g, const struct kafka_partition *p,
                          const struct message *borrowed, struct err_info *err)
{
    struct place place = place_of(g, p, borrowed);
    if (!grow(g))
        return err_set(err, ERR_NOMEM, "no memory for reading");
    if (!g->places) {
        place.message = message_seal(borrowed, err);
        if (!place.message)
            return err ? err->code : ERR_NOMEM;
        g->bytes += place.message->footprint;
    }
    g->heap[g->count++] = place;
    sift_up(g, g->count - 1);
    if ((int64_t)g->count > g->want)
        drop_top(g);
    if (!g->first && g->count > LAST_PLACES) { /* by what is there: fewer than N may be */
        err_set(err, ERR_LIMIT, "the last %lld messages are more than %d", (long long)g->want, LAST_PLACES);
        err_next(err, "begin at a time or an offset instead");
        return ERR_LIMIT;
    }
    if (g->bytes > MERGE_BYTES && g->count > 1) {
        drop_messages(g);
        g->places = true;
    }
    return ERR_OK;
}

/* Could older messages of this partition be among the last N? */
static bool may_hold_more(const struct kafka_merge *g, const struct kafka_partition *p)
{
    if (g->first || !p->wanted || p->from <= p->low || g->want == 0)
        return false;
    if ((int64_t)g->count < g->want)
        return true;
    return p->seen == 0 ? p->to > p->from : p->seen < g->want && p->oldest_ns > g->heap[0].time_ns;
}

/* How much further: each round costs a restart, so that a narrow one is widened at once. */
static int64_t further(int64_t width)
{
    return width < 1000 ? 8 * width + 64 : 2 * width;
}

bool kafka_merge_reach_back(struct kafka_merge *g, struct kafka_read *r)
{
    bool more = false;
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t i = 0; i < r->topics[t].count; i++) {
            struct kafka_partition *p = &r->topics[t].partitions[i];
            bool reach = may_hold_more(g, p);
            int64_t width = further(p->to - p->from);
            p->to = p->from;
            if (reach)
                p->from = p->from - p->low > width ? p->from - width : p->low;
            more |= reach;
        }
    }
    return more;
}

static int compare_places(const void *a, const void *b)
{
    return compare(a, b);
}

void kafka_merge_sort(struct kafka_merge *g)
{
    if (g->count)
        qsort(g->heap, g->count, sizeof *g->heap, compare_places);
}

const struct message *kafka_merge_next(struct kafka_merge *g)
{
    if (g->next > 0)
        message_unref(&g->heap[g->next - 1].message);
    return g->next < g->count ? g->heap[g->next++].message : NULL;
}

static struct kafka_partition *partition_of(struct kafka_read *r, const struct place *place)
{
    for (size_t t = 0; t < r->topic_count; t++)
        if (r->topics[t].origin == place->origin && place->partition < r->topics[t].count)
            return &r->topics[t].partitions[place->partition];
    return NULL;
}

bool kafka_merge_places(const struct kafka_merge *g, struct kafka_read *r)
{
    if (!g->places)
        return false;
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t i = 0; i < r->topics[t].count; i++) {
            struct kafka_partition *p = &r->topics[t].partitions[i];
            p->from = p->end;
            p->to = g->first ? 0 : r->browse ? p->end : INT64_MAX;
        }
    }
    for (size_t i = 0; i < g->count; i++) {
        struct kafka_partition *p = partition_of(r, &g->heap[i]);
        if (p && g->heap[i].offset < p->from)
            p->from = g->heap[i].offset;
        if (p && g->first && g->heap[i].offset >= p->to)
            p->to = g->heap[i].offset + 1;
    }
    return true;
}
