/* What a purge removes all at once: up to a place in each partition, behind what was archived; or by the broker's own purge. */
#include "operations/execute_internal.h"

#include "base/text.h"

#include <stdlib.h>

#define TRUNCATE_NS (60 * NS_PER_S)

static enum err truncate_source(struct operation *o, const struct read_places *places, int64_t *removed,
                                struct err_info *err)
{
    const struct operation_end *from = &o->job.from;
    struct destination_job job = {
        .ops = from->ops, .endpoint = from->endpoint, .prepare = o->job.prepare, .context = o->job.context};
    struct destination *d = destination_open(&job, o->event_fd, err);
    if (!d)
        return err->code;
    struct broker *b = destination_broker(d);
    b->deadline_ns = clock_mono_ns() + TRUNCATE_NS;
    enum err e = from->ops->truncate(b, &from->channel, places, removed, err);
    destination_close(&d);
    return e;
}

static bool add_place(struct read_places *all, int32_t partition, int64_t next)
{
    struct read_place *more = reallocarray(all->items, all->count + 1, sizeof *more);
    if (!more)
        return false;
    all->items = more;
    all->items[all->count++] = (struct read_place){.partition = partition < 0 ? 0 : partition, .next = next};
    return true;
}

struct placing {
    struct read_places places;
    bool no_room;
};

static bool add_reached(void *context, int32_t partition, int64_t offset)
{
    struct placing *p = context;
    p->no_room = !add_place(&p->places, partition, offset + 1);
    return !p->no_room;
}

enum err execute_remove_by_places(struct operation *o, struct err_info *err)
{
    struct placing p = {.no_room = false};
    struct journal_totals totals;
    int64_t number = o->job.record.number, removed;
    if (o->job.plan.tombstones)
        return execute_send_tombstones(o, err);
    enum err e = journal_reached(o->journal, number, add_reached, &p, err);
    if (!e && p.no_room)
        e = err_set(err, ERR_NOMEM, "no memory for the places of a purge");
    if (!e)
        e = truncate_source(o, &p.places, &removed, err);
    free(p.places.items);
    if (!e)
        e = journal_mark_range(o->journal, number, 0, INT64_MAX, DELIVERY_ARRIVED, DELIVERY_DONE, err);
    if (!e)
        e = journal_sync(o->journal, err);
    if (!e)
        e = journal_count(o->journal, number, &totals, err);
    if (!e)
        o->counts.done = totals.of[DELIVERY_DONE];
    return e;
}

/* The places where the partitions end now; none where the broker has no such thing. */
static enum err find_ends(struct operation *o, struct read_places *places, struct err_info *err)
{
    const struct operation_end *from = &o->job.from;
    struct destination_job job = {
        .ops = from->ops, .endpoint = from->endpoint, .prepare = o->job.prepare, .context = o->job.context};
    struct destination *d = destination_open(&job, o->event_fd, err);
    if (!d)
        return err->code;
    struct channel_list *list = channel_list_new();
    enum err e = list ? from->ops->list(destination_broker(d), from->channel.name, 0, list, err)
                      : err_set(err, ERR_NOMEM, "no memory for the places of a purge");
    for (size_t i = 0; !e && i < list->partition_count; i++)
        if (!add_place(places, list->partitions[i].id, list->partitions[i].high))
            e = err_set(err, ERR_NOMEM, "no memory for the places of a purge");
    if (list)
        channel_list_free(&list);
    destination_close(&d);
    return e;
}

static enum err mark_first(struct operation *o, enum delivery state, const char *reason, struct err_info *err)
{
    enum err e = journal_mark(o->journal, o->job.record.number, 1, state,
                              (struct position){.kind = POSITION_NONE}, reason, err);
    return e ? e : journal_sync(o->journal, err);
}

static enum err be_in_doubt(struct operation *o, struct err_info *err)
{
    static const char doubt[] = "whether the broker has purged it is not known: look, and purge once more";
    o->counts.in_doubt = 1;
    text_copy(o->why, sizeof o->why, doubt);
    return mark_first(o, DELIVERY_IN_DOUBT, doubt, err);
}

/* One row stands for all of it. It is there: an earlier try has gone, and a second one could take what came since. */
static enum err purge_at_once(struct operation *o, struct err_info *err)
{
    struct journal_message row = {.sequence = 1,
                                  .state = DELIVERY_INTENDED,
                                  .label = BYTES_LITERAL("all of it, by the broker's own purge")};
    struct read_places places = {.count = 0};
    int64_t removed = COUNT_UNKNOWN;
    if (o->last)
        return be_in_doubt(o, err);
    enum err e = o->job.plan.by_place ? find_ends(o, &places, err) : ERR_OK;
    if (!e)
        e = journal_put(o->journal, o->job.record.number, &row, err);
    if (!e)
        e = journal_sync(o->journal, err);
    o->last = !e;
    if (!e)
        e = truncate_source(o, places.count ? &places : NULL, &removed, err);
    free(places.items);
    if (e && o->last && err_policy(e) == ERR_POLICY_USER && e != ERR_CANCELLED &&
        !journal_forget(o->journal, o->job.record.number, 1, NULL) && !journal_sync(o->journal, NULL))
        o->last = 0; /* it was refused: nothing has changed */
    if (e)
        return e;
    o->counts.done = removed >= 0 ? removed : o->counts.planned > 0 ? o->counts.planned : 1;
    text_copy(o->remark, sizeof o->remark, "by the broker's own purge: nothing of it can be restored");
    return mark_first(o, DELIVERY_DONE, "not archived: it cannot be restored", err);
}

bool execute_purge_is_at_once(const struct operation *o)
{
    return execute_is_purge(o) && (o->job.plan.no_archive || (o->job.plan.by_place && o->removing));
}

enum err execute_purge_at_once(struct operation *o, struct err_info *err)
{
    if (atomic_load(&o->cancelled) && !o->last)
        return ERR_OK;
    return o->job.plan.no_archive ? purge_at_once(o, err) : execute_remove_by_places(o, err);
}
