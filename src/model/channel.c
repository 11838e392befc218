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
    static const char *const names[CAPABILITIES] = {"tap",    "browse", "seek",  "publish",
                                                    "create", "purge",  "groups"};
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
    atomic_init(&l->refs, 1);
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

struct channel_list *channel_list_ref(struct channel_list *l)
{
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    return l;
}

void channel_list_unref(struct channel_list **lp)
{
    struct channel_list *l = *lp;
    *lp = NULL;
    if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(l->items);
    free(l);
}

static int by_name(const void *a, const void *b)
{
    const struct channel *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (int)x->kind - (int)y->kind;
}

void channel_list_sort(struct channel_list *l)
{
    if (l->count)
        qsort(l->items, l->count, sizeof *l->items, by_name);
}

const struct channel *channel_list_find(const struct channel_list *l, const char *name,
                                        enum channel_kind kind)
{
    for (size_t i = 0; i < l->count; i++)
        if ((kind == CHANNEL_ANY || l->items[i].kind == kind) && strcmp(l->items[i].name, name) == 0)
            return &l->items[i];
    return NULL;
}
