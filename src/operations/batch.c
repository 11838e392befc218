#include "operations/batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct batch *batch_new(void)
{
    struct batch *b = malloc(sizeof *b);
    if (b) {
        b->next = NULL;
        b->part = false;
        b->count = b->bytes = 0;
    }
    return b;
}

void batch_free(struct batch **bp)
{
    struct batch *b = *bp;
    *bp = NULL;
    for (size_t i = 0; b && i < b->count; i++) {
        message_unref(&b->items[i].message);
        free(b->items[i].reason);
    }
    free(b);
}

bool batch_is_full(const struct batch *b)
{
    return b->count == BATCH_MESSAGES || b->bytes >= BATCH_BYTES;
}

void item_say(struct item *i, enum delivery state, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    free(i->reason);
    i->reason = text;
    i->state = state;
}

bool item_is_about(const struct item *item)
{
    return item->state != DELIVERY_SKIPPED || item->reason || item->ended;
}

void lane_push(struct lane *l, struct batch *b)
{
    b->next = NULL;
    if (l->first)
        l->last->next = b;
    else
        l->first = b;
    l->last = b;
}

struct batch *lane_pop(struct lane *l)
{
    struct batch *b = l->first;
    if (b)
        l->first = b->next;
    return b;
}

bool lane_split(struct lane *l, size_t items, struct lane *to)
{
    struct batch *b = l->first, *rest = batch_new();
    if (!rest)
        return false;
    rest->count = b->count - items;
    memcpy(rest->items, b->items + items, rest->count * sizeof *rest->items);
    rest->part = b->part;
    rest->next = b->next;
    if (l->last == b)
        l->last = rest;
    l->first = rest;
    b->count = items;
    b->part = true;
    lane_push(to, b);
    return true;
}

void lane_free(struct lane *l)
{
    for (struct batch *b; (b = lane_pop(l));)
        batch_free(&b);
}
