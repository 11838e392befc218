#include "operations/sent.h"

#include "base/hash.h"
#include "operations/lock.h"

#include <stdlib.h>

struct sent_row {
    uint64_t to; /* a hash */
    int64_t offset;
    int32_t partition;
};

static int compare(const void *a, const void *b)
{
    const struct sent_row *x = a, *y = b;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static struct sent_row row_of(struct position from, const char *to)
{
    return (struct sent_row){.to = hash_bytes(bytes_of_text(to ? to : ""), 1),
                             .partition = from.kind == POSITION_PARTITION ? from.partition : -1,
                             .offset = from.offset};
}

static bool add(void *context, struct position from, const char *to)
{
    struct sent *s = context;
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 1024;
        struct sent_row *all = reallocarray(s->rows, cap, sizeof *all);
        if (!all) {
            s->cap = SIZE_MAX; /* says so */
            return false;
        }
        s->rows = all;
        s->cap = cap;
    }
    s->rows[s->count++] = row_of(from, to);
    return true;
}

struct search {
    const struct journal_operation *own;
    struct err_info *err;
    bool found;
};

/* An earlier one of that source whose end the journal does not know. */
static bool is_unended(const struct journal_operation *own, const struct journal_operation *other)
{
    return other->number < own->number && other->state == OPERATION_RUNNING && other->from && own->from &&
           strcmp(other->from, own->from) == 0;
}

static bool find_unended(void *context, const struct journal_operation *other)
{
    struct search *s = context;
    const struct journal_operation *own = s->own;
    s->found = other->kind == own->kind && is_unended(own, other);
    if (s->found) {
        err_set(s->err, ERR_REFUSED,
                "an earlier replay of it has not ended: what that has sent is not known yet");
        err_where(s->err, "%s", own->from);
        err_next(s->err, "let it end, or `signalbox resume %s`", other->id);
    }
    return !s->found;
}

static bool takes(enum operation_kind kind)
{
    return kind == OPERATION_MOVE || kind == OPERATION_REPLAY;
}

static bool find_interrupted(void *context, const struct journal_operation *other)
{
    struct search *s = context;
    const struct journal_operation *own = s->own;
    s->found = takes(other->kind) && is_unended(own, other) && !operation_is_locked(other->id);
    if (s->found) {
        err_set(s->err, ERR_REFUSED,
                "an earlier %s of it was interrupted: what that has sent may still be there",
                operation_kind_name(other->kind));
        err_where(s->err, "%s", own->from);
        err_next(s->err, "`signalbox resume %s` finishes it first", other->id);
    }
    return !s->found;
}

enum err sent_check_taken(struct journal *j, const struct journal_operation *record, struct err_info *err)
{
    struct search s = {.own = record, .err = err};
    enum err e = takes(record->kind) ? journal_operations(j, find_interrupted, &s, err) : ERR_OK;
    return e ? e : s.found ? ERR_REFUSED : ERR_OK;
}

enum err sent_check_alone(struct journal *j, const struct journal_operation *record, struct err_info *err)
{
    struct search s = {.own = record, .err = err};
    enum err e = journal_operations(j, find_unended, &s, err);
    return e ? e : s.found ? ERR_REFUSED : ERR_OK;
}

enum err sent_load(struct sent *s, struct journal *j, const struct journal_operation *record,
                   struct err_info *err)
{
    enum err e = journal_sent(j, record->kind, record->from, record->number, add, s, err);
    if (!e && s->cap == SIZE_MAX)
        e = err_set(err, ERR_NOMEM, "no memory for what was replayed before");
    if (s->count)
        qsort(s->rows, s->count, sizeof *s->rows, compare);
    return e;
}

bool sent_has(const struct sent *s, struct position from, const char *to)
{
    struct sent_row wanted = row_of(from, to);
    return s->count && from.kind != POSITION_NONE &&
           bsearch(&wanted, s->rows, s->count, sizeof wanted, compare);
}

void sent_free(struct sent *s)
{
    free(s->rows);
    *s = (struct sent){.rows = NULL};
}
