/* To the destination, at the rate that was asked for. */
#include "operations/execute_internal.h"

#define SLOW_START_NS (SPEED_SLOW_S * NS_PER_S) /* until a rate that was asked for is reached */
#define BEHIND_NS     (NS_PER_S / 10)           /* what could not be sent for so long is made up for */
#define PART_NS       (NS_PER_S / 4)            /* what was sent waits no longer for the rest of its batch */

/* Slowly at first: what goes wrong goes wrong with few. */
static int64_t pace_ns(struct operation *o)
{
    int64_t rate = atomic_load(&o->rate), age = clock_mono_ns() - o->started_ns;
    if (rate <= 0)
        return 0;
    int64_t slow = age < SLOW_START_NS ? 1 + 4 * (SLOW_START_NS - age) / SLOW_START_NS : 1;
    return NS_PER_S / rate * slow;
}

static bool may_send(struct operation *o)
{
    int64_t now = clock_mono_ns(), pace = pace_ns(o);
    if (atomic_load(&o->paused))
        return false;
    if (!pace)
        return true;
    if (o->tokens_ns > now)
        return false;
    int64_t first = o->tokens_ns ? now - BEHIND_NS : now;
    o->tokens_ns = (o->tokens_ns > first ? o->tokens_ns : first) + pace;
    return true;
}

/* What it keeps less of than the source has is counted, as the dry run has said it. */
static void count_losses(struct operation *o, const struct message *m)
{
    unsigned carries = destination_broker(o->destination)->carries;
    const struct operation_job *job = &o->job;
    if (execute_is_restore(o) || (job->from.ops == job->to.ops && !(job->from.ops->carries & ~carries)))
        return;
    losses_count(&o->losses, m, job->to.ops);
    o->carries = carries;
}

static enum err send_one(struct operation *o, struct item *item, struct err_info *err)
{
    struct message changed;
    if (execute_is_purge(o))
        return execute_purge_put(o, item, err);
    struct target *t = &o->targets[item->to];
    enum err e = execute_target_open(o, item->to, err);
    if (!e && t->why[0]) {
        item_say(item, DELIVERY_FAILED, "%s: %s", t->channel.name, t->why);
        item->answered = true;
        return ERR_OK;
    }
    if (!e)
        e = execute_rewrite(o, item, &changed, err);
    if (!e)
        e = execute_bounds_admit(o, t, item, &changed, err);
    if (e || item->answered)
        return e;
    e = destination_put(o->destination, item, t->number, &changed, err);
    if (!e)
        count_losses(o, &changed);
    if (!e && item->state != DELIVERY_FAILED)
        execute_bounds_sent(t, &changed);
    return e;
}

/* At a low rate a batch takes minutes: what was sent of it is brought to its end, and counted, without the rest. Within a transaction that
 * is open nothing ends. */
static enum err send_part(struct operation *o, struct err_info *err)
{
    bool paused = atomic_load(&o->paused), any = o->at && o->at < o->waiting.first->count;
    if (!any || execute_is_purge(o) || o->uncommitted || (!paused && atomic_load(&o->rate) <= 0))
        return ERR_OK;
    if (!paused && clock_mono_ns() - o->part_ns < PART_NS)
        return ERR_OK;
    if (!lane_split(&o->waiting, o->at, &o->flying))
        return err_set(err, ERR_NOMEM, "no memory for messages on their way");
    o->at = 0;
    return ERR_OK;
}

enum err execute_send(struct operation *o, bool *any, struct err_info *err)
{
    if (!o->waiting.first || execute_commit_is_due(o))
        return ERR_OK;
    enum err part = send_part(o, err);
    struct batch *b = o->waiting.first;
    if (part)
        return part;
    while (o->at < b->count) {
        struct item *item = &b->items[o->at];
        if (item->state == DELIVERY_INTENDED && o->stopping) {
            enum err e = journal_forget(o->journal, o->job.record.number, item->sequence, err);
            o->written = true;
            if (e)
                return e;
            item->state = DELIVERY_SKIPPED;
        } else if (item->state == DELIVERY_INTENDED) {
            if (!may_send(o))
                return ERR_OK;
            if (!o->at)
                o->part_ns = clock_mono_ns();
            enum err e = send_one(o, item, err);
            if (e)
                return e == ERR_BUSY ? ERR_OK : e;
            execute_note_sent(o);
            o->sent_count++;
            *any = true;
        }
        o->at++;
    }
    o->at = 0;
    lane_push(&o->flying, lane_pop(&o->waiting));
    return ERR_OK;
}
