/* To the destination, at the rate that was asked for. */
#include "operations/execute_internal.h"

#define SLOW_START_NS (4 * NS_PER_S)  /* until a rate that was asked for is reached */
#define BEHIND_NS     (NS_PER_S / 10) /* what could not be sent for so long is made up for */

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
    const struct target *t = &o->targets[item->to];
    enum err e = execute_target_open(o, item->to, err);
    if (!e && t->why[0]) {
        item_say(item, DELIVERY_FAILED, "%s: %s", t->channel.name, t->why);
        item->answered = true;
        return ERR_OK;
    }
    if (!e)
        e = execute_rewrite(o, item, &changed, err);
    if (!e)
        e = destination_put(o->destination, item, t->number, &changed, err);
    if (!e)
        count_losses(o, &changed);
    return e;
}

enum err execute_send(struct operation *o, bool *any, struct err_info *err)
{
    struct batch *b = o->waiting.first;
    if (!b || execute_commit_is_due(o))
        return ERR_OK;
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
