/* "The last N over all partitions, by time": a heap of sealed messages with the oldest on top. Each partition's last N
 * offsets are read; where control or compacted records left fewer messages than offsets, it reaches further back. Where the
 * messages would take too much memory only their places are kept, and they are read again from there, unmerged. */
#include "brokers/kafka/kafka_reader.h"

#include <stdio.h>
#include <stdlib.h>

#define LAST_BYTES  (16 * MIB) /* of the messages held */
#define LAST_PLACES 400000

struct place {
    int64_t time_ns, offset;
    const struct origin *origin;
    struct message *message; /* sealed; NULL once only places are kept */
    int32_t partition;
};

struct kafka_last {
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

static void swap(struct place *a, struct place *b)
{
    struct place c = *a;
    *a = *b;
    *b = c;
}

struct kafka_last *kafka_last_new(int64_t want, struct err_info *err)
{
    if (want > LAST_PLACES) {
        err_set(err, ERR_LIMIT, "the last %lld messages are more than %d", (long long)want, LAST_PLACES);
        err_next(err, "begin at a time or an offset instead");
        return NULL;
    }
    struct kafka_last *l = calloc(1, sizeof *l);
    if (!l)
        err_set(err, ERR_NOMEM, "no memory for reading");
    else
        l->want = want > 0 ? want : 0;
    return l;
}

static void drop_messages(struct kafka_last *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->heap[i].message)
            message_unref(&l->heap[i].message);
    l->bytes = 0;
}

void kafka_last_free(struct kafka_last **lp)
{
    struct kafka_last *l = *lp;
    *lp = NULL;
    if (!l)
        return;
    drop_messages(l);
    free(l->heap);
    free(l);
}

static void sift_up(struct kafka_last *l, size_t i)
{
    for (; i > 0 && compare(&l->heap[(i - 1) / 2], &l->heap[i]) > 0; i = (i - 1) / 2)
        swap(&l->heap[(i - 1) / 2], &l->heap[i]);
}

static void sift_down(struct kafka_last *l)
{
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < l->count && compare(&l->heap[child], &l->heap[least]) < 0)
                least = child;
        if (least == i)
            return;
        swap(&l->heap[least], &l->heap[i]);
        i = least;
    }
}

static void drop_oldest(struct kafka_last *l)
{
    if (l->heap[0].message) {
        l->bytes -= l->heap[0].message->footprint;
        message_unref(&l->heap[0].message);
    }
    l->heap[0] = l->heap[--l->count];
    sift_down(l);
}

static bool grow(struct kafka_last *l)
{
    if (l->count < l->cap)
        return true;
    size_t cap = l->cap ? l->cap * 2 : 64;
    struct place *heap = realloc(l->heap, cap * sizeof *heap);
    if (!heap)
        return false;
    l->heap = heap;
    l->cap = cap;
    return true;
}

enum err kafka_last_take(struct kafka_last *l, const struct message *borrowed, struct err_info *err)
{
    struct place place = {.time_ns = borrowed->time_ns,
                          .offset = borrowed->position.offset,
                          .partition = borrowed->position.partition,
                          .origin = borrowed->origin};
    if (l->want == 0 || ((int64_t)l->count == l->want && compare(&place, &l->heap[0]) <= 0))
        return ERR_OK;
    if (!grow(l))
        return err_set(err, ERR_NOMEM, "no memory for reading");
    if (!l->places) {
        place.message = message_seal(borrowed, err);
        if (!place.message)
            return err ? err->code : ERR_NOMEM;
        l->bytes += place.message->footprint;
    }
    l->heap[l->count++] = place;
    sift_up(l, l->count - 1);
    if ((int64_t)l->count > l->want)
        drop_oldest(l);
    if (l->bytes > LAST_BYTES && l->count > 1) {
        drop_messages(l);
        l->places = true;
    }
    return ERR_OK;
}

/* Could older messages of this partition be among the last N? */
static bool may_hold_more(const struct kafka_last *l, const struct kafka_partition *p)
{
    if (!p->wanted || p->from <= p->low || l->want == 0)
        return false;
    if ((int64_t)l->count < l->want)
        return true;
    return p->seen == 0 ? p->to > p->from : p->seen < l->want && p->oldest_ns > l->heap[0].time_ns;
}

bool kafka_last_reach_back(struct kafka_last *l, struct kafka_read *r)
{
    bool more = false;
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t i = 0; i < r->topics[t].count; i++) {
            struct kafka_partition *p = &r->topics[t].partitions[i];
            bool reach = may_hold_more(l, p);
            int64_t width = 2 * (p->to - p->from) + 16;
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

void kafka_last_sort(struct kafka_last *l)
{
    if (l->count)
        qsort(l->heap, l->count, sizeof *l->heap, compare_places);
}

const struct message *kafka_last_next(struct kafka_last *l)
{
    if (l->next > 0)
        message_unref(&l->heap[l->next - 1].message);
    return l->next < l->count ? l->heap[l->next++].message : NULL;
}

static struct kafka_partition *partition_of(struct kafka_read *r, const struct place *place)
{
    for (size_t t = 0; t < r->topic_count; t++)
        if (r->topics[t].origin == place->origin && place->partition < r->topics[t].count)
            return &r->topics[t].partitions[place->partition];
    return NULL;
}

bool kafka_last_places(const struct kafka_last *l, struct kafka_read *r)
{
    if (!l->places)
        return false;
    for (size_t t = 0; t < r->topic_count; t++) {
        for (int32_t i = 0; i < r->topics[t].count; i++) {
            struct kafka_partition *p = &r->topics[t].partitions[i];
            p->from = p->end;
            p->to = r->browse ? p->end : INT64_MAX;
        }
    }
    for (size_t i = 0; i < l->count; i++) {
        struct kafka_partition *p = partition_of(r, &l->heap[i]);
        if (p && l->heap[i].offset < p->from)
            p->from = l->heap[i].offset;
    }
    return true;
}
