/* What earlier replays of a source that keeps its messages have sent: it is not sent to the same place once more. */
#include "operations/execute_internal.h"

#include "base/hash.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct sent *x = a, *y = b;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static struct sent sent_of(struct position from, const char *to)
{
    return (struct sent){.to = hash_bytes(bytes_of_text(to ? to : ""), 1),
                         .partition = from.kind == POSITION_PARTITION ? from.partition : -1,
                         .offset = from.offset};
}

static bool add(void *context, struct position from, const char *to)
{
    struct operation *o = context;
    if (o->sent_count == o->sent_cap) {
        size_t cap = o->sent_cap ? o->sent_cap * 2 : 1024;
        struct sent *all = reallocarray(o->sent, cap, sizeof *all);
        if (!all) {
            o->sent_cap = SIZE_MAX; /* says so */
            return false;
        }
        o->sent = all;
        o->sent_cap = cap;
    }
    o->sent[o->sent_count++] = sent_of(from, to);
    return true;
}

/* ---- another one ---- */

struct search {
    const struct journal_operation *own;
    struct err_info *err;
    bool found;
};

static bool find_unended(void *context, const struct journal_operation *other)
{
    struct search *s = context;
    const struct journal_operation *own = s->own;
    s->found = other->number < own->number && other->kind == own->kind && other->state == OPERATION_RUNNING &&
               other->from && own->from && strcmp(other->from, own->from) == 0;
    if (s->found) {
        err_set(s->err, ERR_REFUSED,
                "an earlier replay of it has not ended: what that has sent is not known yet");
        err_where(s->err, "%s", own->from);
        err_next(s->err, "let it end, or `signalbox resume %s`", other->id);
    }
    return !s->found;
}

/* Of two that begin at once the earlier one goes on. */
static enum err refuse_second(struct operation *o, struct err_info *err)
{
    struct search s = {.own = &o->job.record, .err = err};
    enum err e = journal_operations(o->journal, find_unended, &s, err);
    return e ? e : s.found ? ERR_REFUSED : ERR_OK;
}

enum err execute_load_sent(struct operation *o, struct err_info *err)
{
    const struct journal_operation *r = &o->job.record;
    if (!o->job.plan.keeps || r->kind != OPERATION_REPLAY || o->job.plan.again)
        return ERR_OK;
    enum err e = refuse_second(o, err);
    if (!e)
        e = journal_sent(o->journal, r->kind, r->from, r->number, add, o, err);
    if (!e && o->sent_cap == SIZE_MAX)
        e = err_set(err, ERR_NOMEM, "no memory for what was replayed before");
    if (o->sent_count)
        qsort(o->sent, o->sent_count, sizeof *o->sent, compare);
    return e;
}

bool execute_was_sent(const struct operation *o, const struct item *item)
{
    char to[300];
    const char *where = o->job.record.to;
    if (!o->sent_count || item->message->position.kind == POSITION_NONE)
        return false;
    if (!o->job.plan.to)
        where = execute_target_text(o, item->to, to, sizeof to);
    struct sent wanted = sent_of(item->message->position, where);
    return bsearch(&wanted, o->sent, o->sent_count, sizeof wanted, compare);
}
