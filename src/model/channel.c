#include "model/channel.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>

const char *read_effect_name(enum read_effect effect)
{
    static const char *const names[] = {"NONE", "MARKS", "CONSUMES"};
    return names[effect];
}

const char *capability_name(enum capability c)
{
    static const char *const names[CAPABILITIES] = {"tap",    "browse", "seek",   "publish",
                                                    "create", "purge",  "remove", "groups"};
    return (unsigned)c < CAPABILITIES ? names[c] : "";
}

void channel_init(struct channel *c, const char *name, enum channel_kind kind)
{
    *c = (struct channel){
        .kind = kind,
        .depth = COUNT_UNKNOWN,
        .unacked = COUNT_UNKNOWN,
        .bytes = COUNT_UNKNOWN,
        .consumers = COUNT_UNKNOWN,
        .groups = COUNT_UNKNOWN,
        .lag = COUNT_UNKNOWN,
        .in_rate = -1,
        .in_total = COUNT_UNKNOWN,
        .out_total = COUNT_UNKNOWN,
        .out_rate = -1,
    };
    text_copy(c->name, sizeof c->name, name);
    for (int i = 0; i < CAPABILITIES; i++)
        c->why_not[i] = "this broker has nothing of the kind";
}

struct channel_list *channel_list_new(void)
{
    struct channel_list *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->complete = true;
    l->time_ns = clock_wall_ns();
    return l;
}

static bool list_grow(struct channel_list *l)
{
    size_t cap = l->cap ? l->cap * 2 : 64;
    struct channel *items = realloc(l->items, cap * sizeof *items);
    if (!items)
        return false;
    l->items = items;
    l->cap = cap;
    return true;
}

struct channel *channel_list_add(struct channel_list *l, const char *name, enum channel_kind kind)
{
    if (l->count >= LIMIT_CHANNELS || (l->count == l->cap && !list_grow(l))) {
        l->complete = false;
        text_copy(l->note, sizeof l->note, "more channels than the limit: narrow the pattern");
        return NULL;
    }
    struct channel *c = &l->items[l->count++];
    channel_init(c, name, kind);
    return c;
}

void channel_list_free(struct channel_list **lp)
{
    struct channel_list *l = *lp;
    *lp = NULL;
    if (!l)
        return;
    free(l->items);
    free(l->partitions);
    free(l->groups);
    free(l);
}

static int by_name(const void *a, const void *b)
{
    const struct channel *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (int)x->kind - (int)y->kind;
}

static void rate_since(double *rate, int64_t before, int64_t now, double seconds)
{
    if (*rate <= 0 && before >= 0 && now >= before)
        *rate = (double)(now - before) / seconds;
}

void channel_rates_since(const struct channel *before, struct channel *now, double seconds)
{
    rate_since(&now->in_rate, before->in_total, now->in_total, seconds);
    rate_since(&now->out_rate, before->out_total, now->out_total, seconds);
    /* RabbitMQ does not count as published what it dead-letters. */
    bool counted = before->depth >= 0 && !before->counts_of_ns;
    if (now->in_rate == 0 && counted && now->depth > before->depth)
        rate_since(&now->in_rate, before->depth, now->depth, seconds);
}

static void add_count(int64_t *sum, int64_t value)
{
    if (value >= 0)
        *sum = (*sum < 0 ? 0 : *sum) + value;
}

static void add_rate(double *sum, double value)
{
    if (value >= 0)
        *sum = (*sum < 0 ? 0 : *sum) + value;
}

struct channel_totals channel_list_totals(const struct channel_list *l)
{
    struct channel_totals t = {COUNT_UNKNOWN, COUNT_UNKNOWN, COUNT_UNKNOWN, -1, -1};
    for (size_t i = 0; i < l->count; i++) {
        const struct channel *c = &l->items[i];
        if (c->internal)
            continue;
        add_count(c->dead_letters ? &t.dead : &t.depth, c->depth);
        add_count(&t.lag, c->lag);
        if (c->kind == CHANNEL_EXCHANGE)
            continue;
        add_rate(&t.in_rate, c->in_rate);
        add_rate(&t.out_rate, c->out_rate);
    }
    return t;
}

void channel_list_sort(struct channel_list *l)
{
    if (l->count)
        qsort(l->items, l->count, sizeof *l->items, by_name);
}

bool channel_kind_covers(enum channel_kind named, enum channel_kind kind)
{
    return named == CHANNEL_ANY || named == kind || (named == CHANNEL_QUEUE && kind == CHANNEL_STREAM);
}

const struct channel *channel_list_find(const struct channel_list *l, const char *name,
                                        enum channel_kind kind)
{
    for (size_t i = 0; i < l->count; i++)
        if (channel_kind_covers(kind, l->items[i].kind) && strcmp(l->items[i].name, name) == 0)
            return &l->items[i];
    return NULL;
}
