/* "The last N over all partitions, by time": a heap of sealed messages with the oldest on top. Each partition's last N
 * offsets are read; where control or compacted records left fewer messages than offsets, it reaches further back. */
#include "brokers/kafka/kafka_reader.h"

#include <stdio.h>
#include <stdlib.h>

#define LAST_BYTES (16 * MIB) /* of the messages held; what is older is left out, and that is said */

struct kafka_last {
    int64_t want, asked;
    size_t count, cap, next;
    size_t bytes;
    struct message **heap;
};

static int compare(const struct message *a, const struct message *b)
{
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    if (a->position.partition != b->position.partition)
        return a->position.partition < b->position.partition ? -1 : 1;
    return a->position.offset < b->position.offset ? -1 : a->position.offset > b->position.offset;
}

struct kafka_last *kafka_last_new(int64_t want, struct err_info *err)
{
    struct kafka_last *l = calloc(1, sizeof *l);
    if (!l)
        err_set(err, ERR_NOMEM, "no memory for reading");
    else
        l->want = l->asked = want > 0 ? want : 0;
    return l;
}

void kafka_last_free(struct kafka_last **lp)
{
    struct kafka_last *l = *lp;
    *lp = NULL;
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        if (l->heap[i])
            message_unref(&l->heap[i]);
    free(l->heap);
    free(l);
}

static void sift_up(struct kafka_last *l, size_t i)
{
    while (i > 0) {
        size_t up = (i - 1) / 2;
        if (compare(l->heap[up], l->heap[i]) <= 0)
            return;
        struct message *m = l->heap[up];
        l->heap[up] = l->heap[i];
        l->heap[i] = m;
        i = up;
    }
}

static void sift_down(struct kafka_last *l)
{
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < l->count && compare(l->heap[child], l->heap[least]) < 0)
                least = child;
        if (least == i)
            return;
        struct message *m = l->heap[least];
        l->heap[least] = l->heap[i];
        l->heap[i] = m;
        i = least;
    }
}

static void drop_oldest(struct kafka_last *l)
{
    l->bytes -= l->heap[0]->footprint;
    message_unref(&l->heap[0]);
    l->heap[0] = l->heap[--l->count];
    sift_down(l);
}

static bool grow(struct kafka_last *l)
{
    if (l->count < l->cap)
        return true;
    size_t cap = l->cap ? l->cap * 2 : 64;
    struct message **heap = realloc(l->heap, cap * sizeof(struct message *));
    if (!heap)
        return false;
    l->heap = heap;
    l->cap = cap;
    return true;
}

enum err kafka_last_take(struct kafka_last *l, const struct message *borrowed, struct err_info *err)
{
    if (l->want == 0 || ((int64_t)l->count == l->want && compare(borrowed, l->heap[0]) <= 0))
        return ERR_OK;
    struct message *m = message_seal(borrowed, err);
    if (!m)
        return err ? err->code : ERR_NOMEM;
    if (!grow(l)) {
        message_unref(&m);
        return err_set(err, ERR_NOMEM, "no memory for reading");
    }
    l->bytes += m->footprint;
    l->heap[l->count++] = m;
    sift_up(l, l->count - 1);
    if ((int64_t)l->count > l->want)
        drop_oldest(l);
    while (l->bytes > LAST_BYTES && l->count > 1) {
        drop_oldest(l);
        l->want = (int64_t)l->count;
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
    return p->seen == 0 ? p->to > p->from : p->seen < l->want && p->oldest_ns > l->heap[0]->time_ns;
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

static int compare_slots(const void *a, const void *b)
{
    return compare(*(struct message *const *)a, *(struct message *const *)b);
}

void kafka_last_sort(struct kafka_last *l)
{
    if (l->count)
        qsort(l->heap, l->count, sizeof(struct message *), compare_slots);
}

const struct message *kafka_last_next(struct kafka_last *l)
{
    if (l->next > 0 && l->heap[l->next - 1])
        message_unref(&l->heap[l->next - 1]);
    return l->next < l->count ? l->heap[l->next++] : NULL;
}

bool kafka_last_cut(const struct kafka_last *l, char *text, size_t size)
{
    if (l->want == l->asked)
        return false;
    char limit[32];
    snprintf(text, size, "the last %zu messages of the %lld asked for: more would take over %s", l->count,
             (long long)l->asked, text_bytes(limit, sizeof limit, LAST_BYTES));
    return true;
}
