#include "operations/sorter.h"

#include "base/limits.h"
#include "operations/spill.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FAN    64 /* runs of one level, before they become one of the next */
#define LEVELS 5  /* the last one takes any number up to FAN: FAN^5 runs are more than any disk holds */

/* Before each record in memory and in a file: its length. */
#define HEAD 8

struct entry {
    uint64_t first;
    uint8_t *record;
};

struct run {
    struct spill *spill;
    uint64_t begin, end;
};

struct level {
    struct spill *spill; /* NULL: none yet */
    size_t count;
    uint64_t ends[FAN]; /* of its runs; the first begins at 0 */
};

struct input {
    struct spill_reader reader;
    const uint8_t *record;
    uint64_t first, len;
};

struct merge {
    struct input inputs[FAN * LEVELS];
    size_t heap[FAN * LEVELS], count; /* inputs that have a record, the least one first */
    bool taken;                       /* the first one's record was handed out */
};

struct sorter {
    sorter_compare *compare;
    uint8_t *area; /* records, and while runs are merged what is read of them */
    size_t area_size, used;
    struct entry *entries;
    size_t count, cap, at;
    struct level levels[LEVELS];
    struct merge merge;
    bool merging;
};

struct sorter *sorter_new(size_t memory, sorter_compare *compare)
{
    struct sorter *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    /* Half for records; of the rest as much for their entries as the C library's sort takes beside them. */
    s->compare = compare;
    s->area_size = memory / 2;
    s->cap = memory / 4 / sizeof *s->entries;
    s->area = malloc(s->area_size);
    s->entries = malloc(s->cap * sizeof *s->entries);
    if (!s->area || !s->entries)
        sorter_free(&s);
    return s;
}

void sorter_free(struct sorter **sp)
{
    struct sorter *s = *sp;
    *sp = NULL;
    if (!s)
        return;
    for (size_t i = 0; i < LEVELS; i++)
        spill_free(&s->levels[i].spill);
    free(s->area);
    free(s->entries);
    free(s);
}

size_t sorter_runs(const struct sorter *s)
{
    size_t n = 0;
    for (size_t i = 0; i < LEVELS; i++)
        n += s->levels[i].count;
    return n;
}

/* ---- merging ---- */

static bool is_before(const struct sorter *s, size_t a, size_t b)
{
    const struct input *x = &s->merge.inputs[a], *y = &s->merge.inputs[b];
    if (x->first != y->first)
        return x->first < y->first;
    int order = s->compare(x->record, y->record);
    return order < 0 || (order == 0 && a < b); /* the earlier run's comes first */
}

static void sink(struct sorter *s, size_t at)
{
    struct merge *m = &s->merge;
    size_t moved = m->heap[at];
    for (size_t child; (child = 2 * at + 1) < m->count; at = child) {
        if (child + 1 < m->count && is_before(s, m->heap[child + 1], m->heap[child]))
            child++;
        if (!is_before(s, m->heap[child], moved))
            break;
        m->heap[at] = m->heap[child];
    }
    m->heap[at] = moved;
}

static enum err read_record(struct input *in, struct err_info *err)
{
    const uint8_t *head;
    enum err e = spill_take(&in->reader, HEAD, &head, err);
    if (e)
        return e;
    memcpy(&in->len, head, sizeof in->len);
    e = spill_take(&in->reader, (size_t)in->len, &in->record, err);
    if (!e)
        memcpy(&in->first, in->record, sizeof in->first);
    return e;
}

/* The buffers are the area's: no record is there any more. */
static enum err merge_begin(struct sorter *s, const struct run *runs, size_t count, struct err_info *err)
{
    struct merge *m = &s->merge;
    size_t size = s->area_size / count / HEAD * HEAD;
    assert(size >= HEAD + SORTER_RECORD);
    m->count = 0;
    m->taken = false;
    for (size_t i = 0; i < count; i++) {
        spill_reader_init(&m->inputs[i].reader, runs[i].spill, runs[i].begin, runs[i].end, s->area + i * size,
                          size);
        enum err e = read_record(&m->inputs[i], err);
        if (e)
            return e;
        m->heap[m->count++] = i;
    }
    for (size_t i = m->count / 2; i-- > 0;)
        sink(s, i);
    return ERR_OK;
}

static enum err merge_next(struct sorter *s, const struct input **next, struct err_info *err)
{
    struct merge *m = &s->merge;
    if (m->taken) {
        struct input *in = &m->inputs[m->heap[0]];
        if (spill_reader_is_done(&in->reader)) {
            m->heap[0] = m->heap[--m->count];
        } else {
            enum err e = read_record(in, err);
            if (e)
                return e;
        }
        if (m->count)
            sink(s, 0);
    }
    m->taken = m->count > 0;
    *next = m->count ? &m->inputs[m->heap[0]] : NULL;
    return m->count ? ERR_OK : ERR_END;
}

static enum err put_record(struct spill *to, const void *record, uint64_t len, struct err_info *err)
{
    enum err e = spill_append(to, bytes_of(&len, sizeof len), err);
    return e ? e : spill_append(to, bytes_of(record, (size_t)len), err);
}

static size_t runs_of(const struct level *l, struct run *runs)
{
    for (size_t i = 0; i < l->count; i++)
        runs[i] = (struct run){l->spill, i ? l->ends[i - 1] : 0, l->ends[i]};
    return l->count;
}

static enum err spill_of(struct level *l, struct err_info *err)
{
    if (!l->spill)
        l->spill = spill_new(err);
    return l->spill ? ERR_OK : err->code;
}

static void end_run(struct level *l)
{
    l->ends[l->count++] = spill_size(l->spill);
}

/* A full level becomes one run of the next. */
static enum err fold(struct sorter *s, size_t level, struct err_info *err)
{
    struct level *from = &s->levels[level], *to = from + 1;
    struct run runs[FAN];
    const struct input *next;
    if (from->count < FAN || level + 1 == LEVELS)
        return from->count < FAN ? ERR_OK : err_set(err, ERR_LIMIT, "more than can be sorted");
    enum err e = spill_of(to, err);
    if (!e)
        e = merge_begin(s, runs, runs_of(from, runs), err);
    while (!e && !(e = merge_next(s, &next, err)))
        e = put_record(to->spill, next->record, next->len, err);
    if (e != ERR_END)
        return e;
    end_run(to);
    from->count = 0;
    e = spill_clear(from->spill, err);
    return e ? e : fold(s, level + 1, err);
}

/* ---- in memory ---- */

static int by_order(const void *a, const void *b, void *sorter)
{
    const struct entry *x = a, *y = b;
    const struct sorter *s = sorter;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    int order = s->compare(x->record, y->record);
    return order ? order : x->record < y->record ? -1 : x->record > y->record;
}

static uint64_t length_of(const uint8_t *record)
{
    uint64_t len;
    memcpy(&len, record - HEAD, sizeof len);
    return len;
}

static void sort(struct sorter *s)
{
    qsort_r(s->entries, s->count, sizeof *s->entries, by_order, s);
}

static enum err write_run(struct sorter *s, struct err_info *err)
{
    struct level *l = &s->levels[0];
    enum err e = spill_of(l, err);
    sort(s);
    for (size_t i = 0; i < s->count && !e; i++)
        e = put_record(l->spill, s->entries[i].record, length_of(s->entries[i].record), err);
    if (e)
        return e;
    end_run(l);
    s->count = s->used = 0;
    return fold(s, 0, err);
}

enum err sorter_add(struct sorter *s, const void *record, size_t len, struct err_info *err)
{
    uint64_t size = len;
    assert(len >= sizeof(uint64_t) && len <= SORTER_RECORD && len % 8 == 0 && !s->merging);
    if (s->count == s->cap || HEAD + len > s->area_size - s->used) {
        enum err e = write_run(s, err);
        if (e)
            return e;
    }
    struct entry *entry = &s->entries[s->count++];
    uint8_t *at = s->area + s->used;
    memcpy(at, &size, sizeof size);
    memcpy(at + HEAD, record, len);
    memcpy(&entry->first, record, sizeof entry->first);
    entry->record = at + HEAD;
    s->used += HEAD + len;
    return ERR_OK;
}

enum err sorter_begin(struct sorter *s, struct err_info *err)
{
    struct run runs[FAN * LEVELS];
    size_t count = 0;
    s->at = 0;
    if (!sorter_runs(s)) {
        sort(s);
        return ERR_OK;
    }
    enum err e = s->count ? write_run(s, err) : ERR_OK;
    for (size_t i = LEVELS; i-- > 0 && !e;)
        count += runs_of(&s->levels[i], runs + count);
    s->merging = true;
    return e ? e : merge_begin(s, runs, count, err);
}

enum err sorter_next(struct sorter *s, const void **record, size_t *len, struct err_info *err)
{
    const struct input *next;
    if (s->merging) {
        enum err e = merge_next(s, &next, err);
        if (e)
            return e;
        *record = next->record;
        *len = (size_t)next->len;
        return ERR_OK;
    }
    if (s->at == s->count)
        return ERR_END;
    *record = s->entries[s->at++].record;
    *len = (size_t)length_of(*record);
    return ERR_OK;
}
