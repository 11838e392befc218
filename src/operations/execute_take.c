/* What comes from the source: which messages they are, and what is to become of each. */
#include "operations/execute_internal.h"

#include "base/limits.h"

#include <stdlib.h>

#define WINDOW 5000 /* messages out of the source at once */
#define SELECT_WINDOW \
 4000 /* where most of them may be kept: RabbitMQ hands these out in small parts (rabbitmq_lease.c) */
#define RECOVER_WINDOW \
 20000 /* where the journal tells of some: they gather until it can be told which they are */
#define RECOVER_BYTES (64 * MIB)

/* It was dealt with before. */
static void leave_out(struct item *item)
{
    free(item->reason);
    item->reason = NULL;
    item->state = DELIVERY_SKIPPED;
}

/* What is to be removed alone is known by its identity. */
static enum err judge(struct operation *o, struct item *item, struct err_info *err)
{
    if (execute_is_restore(o))
        return execute_restore_judge(o, item, err);
    enum err e = execute_judge(o, item, err);
    if (!e && !execute_removes(o) && item_is_about(item) && recovery_match_position(&o->recovery, item))
        leave_out(item);
    if (!e)
        e = execute_skip_copy(o, item, err);
    if (!e && o->look_done && item_is_about(item))
        e = execute_look_done(o, item, err);
    if (o->removing)
        message_unref(&item->message);
    return e;
}

static enum err judge_all(struct operation *o, struct batch *b, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < b->count; i++) {
        e = judge(o, &b->items[i], err);
        o->early_count += !e && o->recovering && item_is_about(&b->items[i]);
    }
    return e;
}

/* Of messages that are taken: does it stand behind those that were there when they were counted? One whose removal has come back
 * was counted among those that are gone. */
static bool came_later(struct operation *o, const struct item *item)
{
    int64_t ready = o->job.plan.ready, at = o->place;
    o->place += !execute_removes(o) || (!item->undone && item->state != DELIVERY_DONE);
    return execute_leases(o) && ready > 0 && at >= ready;
}

/* Beyond the limit nothing is begun, nor of what has come since it was counted; what is recovered counts with it. */
static void keep_to_limit(struct operation *o, struct batch *b)
{
    int64_t limit = o->job.plan.limit;
    const struct recovery *r = &o->recovery;
    bool waits = r->by_content && (execute_removes(o) || recovery_waits(r));
    for (size_t i = 0; i < b->count; i++) {
        struct item *item = &b->items[i];
        bool later = came_later(o, item);
        if (!item_is_about(item) || item->journaled)
            continue;
        if (o->removing || later || (o->begun++ >= limit && limit >= 0)) {
            leave_out(item);
            if (!waits) /* else what the journal tells of may stand behind it */
                execute_stop_taking(o, NULL);
        }
    }
}

static enum err intend(struct operation *o, struct batch *b, struct err_info *err)
{
    keep_to_limit(o, b);
    enum err e = execute_write_intents(o, b, err);
    if (!e && execute_is_purge(o))
        e = execute_purge_intend(o, b, err);
    lane_push(&o->waiting, b);
    return e;
}

/* Nothing is decided where they stand in another order, before they were looked at once more: some may not be back yet. */
static void leave_all(struct operation *o, struct item **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        leave_out(items[i]);
    o->unfit = o->recovery.by_content = true;
    execute_stop_taking(o, NULL);
}

/* All that the journal tells of, or all there is, has been seen. */
static enum err end_recovery(struct operation *o, struct err_info *err)
{
    struct item **items = reallocarray(NULL, o->early_count + 1, sizeof(struct item *));
    size_t count = 0;
    if (!items)
        return err_set(err, ERR_NOMEM, "no memory for what was on its way");
    for (struct batch *b = o->early.first; b; b = b->next)
        for (size_t i = 0; i < b->count; i++)
            if (item_is_about(&b->items[i]))
                items[count++] = &b->items[i];
    if (!o->unfit && recovery_waits(&o->recovery) && !recovery_fits(&o->recovery, items, count))
        leave_all(o, items, count);
    else
        recovery_match(&o->recovery, items, count);
    free(items);
    o->recovering = false;
    enum err e = ERR_OK;
    for (struct batch *b; !e && (b = lane_pop(&o->early));)
        e = intend(o, b, err);
    return e;
}

/* Where the order was not the old one, what the journal tells of may stand anywhere. */
static void match_more(struct operation *o, struct batch *b)
{
    struct item *items[BATCH_MESSAGES];
    size_t count = 0;
    if (execute_is_dedupe(o) && execute_removes(o)) /* they are known already */
        return;
    for (size_t i = 0; o->recovery.by_content && i < b->count; i++)
        if (item_is_about(&b->items[i]))
            items[count++] = &b->items[i];
    recovery_match(&o->recovery, items, count);
}

/* A purge holds all that an archive is to have until that stands. */
size_t execute_window(const struct operation *o)
{
    if (execute_is_purge(o))
        return execute_purge_window(o);
    if (execute_removes(o) && (o->recovery.count || o->look_done))
        return RECOVER_WINDOW;
    return o->job.plan.select || o->job.plan.reasons ? SELECT_WINDOW : WINDOW;
}

enum err execute_take_batch(struct operation *o, bool *any, struct err_info *err)
{
    struct batch *b = NULL;
    size_t waiting = o->waiting.first != NULL;
    if (o->source_ended || waiting)
        return ERR_OK;
    enum err e = source_take(o->source, &b, err);
    if (e == ERR_BUSY)
        return ERR_OK;
    *any = true;
    if (e == ERR_END) {
        o->source_ended = true;
        source_held(o->source, o->held_back, sizeof o->held_back);
        return o->recovering ? end_recovery(o, err) : ERR_OK;
    }
    if (e)
        return e;
    e = judge_all(o, b, err);
    o->held += b->count;
    o->batch_ns = clock_mono_ns();
    if (o->recovering) {
        lane_push(&o->early, b);
        o->early_total += b->count;
        o->early_bytes += b->bytes;
        bool all = o->early_count >= o->recovery.count || o->early_total >= execute_window(o) ||
                   o->early_bytes >= RECOVER_BYTES;
        return !e && all ? end_recovery(o, err) : e;
    }
    if (e) {
        batch_free(&b);
        return e;
    }
    match_more(o, b);
    return intend(o, b, err);
}
