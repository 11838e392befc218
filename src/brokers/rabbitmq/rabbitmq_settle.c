/* Leasing: what becomes of the messages. Removals are acknowledged in runs; once one below them is kept, on their channel, they go one
 * by one. */
#include "brokers/rabbitmq/rabbitmq_lease.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/poll.h>

#define RUN_MOST 128
#define HOLDS_BACK \
 32 /* acknowledgements under way, beyond which the broker's channel keeps them: rabbitmq_barrier.c */
#define WALKS_S \
 1000000 /* messages that a channel goes over in a second, at least: ten times as many on an idle machine */
#define BACK_NS      (5 * NS_PER_S)
#define BACK_SOON_NS (NS_PER_S / 2)
#define TAKE_ON_NS   (10 * NS_PER_S)
#define PART_NS      NS_PER_S
#define ASK_EVERY_MS 50

/* Each channel works by itself. What a killed connection has removed is to be a beginning of what it had to remove, so that it is known
 * again: a channel has passed on its removals before the next one is told of any. A quorum queue with several has no order then. */
static enum err pass_on(struct broker *b, struct rabbit_part *part, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    enum err e = ERR_OK;
    if (l->last && l->last != part->channel && !l->one_channel && !rabbit->reader->quorum) {
        amqp_basic_qos(rabbit->connection, l->last, 0, 1, 0);
        e = rabbit_reply_on(b, l->last, amqp_get_rpc_reply(rabbit->connection), "removing messages", err);
    }
    l->last = part->channel;
    return e;
}

enum err rabbit_lease_flush(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    int status = AMQP_STATUS_OK;
    if (l->run == 0)
        return ERR_OK;
    struct rabbit_part *part = rabbit_lease_part_of(l, l->run), *first = rabbit_lease_first(l, part);
    uint64_t held = l->one_channel ? l->received - l->removed : part->received - part->removed;
    bool all = l->run == first->low;
    enum err e = pass_on(b, part, err);
    if (e)
        return e;
    for (uint64_t n = all ? l->run_end - 1 : l->run; status == AMQP_STATUS_OK && n < l->run_end; n++) {
        status = amqp_basic_ack(rabbit->connection, part->channel, n - first->base, all);
        first->commands++;
        first->walked += all ? 0 : held;
    }
    first->low = all ? l->run_end : first->low;
    part->removed += l->run_end - l->run;
    l->removed += l->run_end - l->run;
    l->run = l->run_end = 0;
    l->silent_ns = 0;
    return rabbit_status(b, status, err);
}

enum err rabbit_settle(struct broker *b, uint64_t handle, enum settle how, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    assert(handle > 0 && handle <= l->handed);
    struct rabbit_part *part = rabbit_lease_part_of(l, handle);
    l->out -= l->out > 0;
    if (how == SETTLE_KEEP || l->use == LEASE_KEEPS) {
        part->kept++;
        return ERR_OK;
    }
    bool goes_on = l->run && handle == l->run_end && handle > part->base + 1; /* which begins a part */
    enum err e = goes_on ? ERR_OK : rabbit_lease_flush(b, err);
    l->run = goes_on ? l->run : handle;
    l->run_end = handle + 1;
    bool enough = l->run_end - l->run >= RUN_MOST || l->run_end - l->run > l->window / 2;
    return !e && enough ? rabbit_lease_flush(b, err) : e;
}

static enum err sync_part(struct broker *b, struct rabbit_part *part, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    int rounds = part->commands > HOLDS_BACK ? 2 : 1;
    enum err e;
    struct timeval patience = {.tv_sec = RABBIT_RPC_S + (time_t)(part->walked / WALKS_S)};
    amqp_set_rpc_timeout(rabbit->connection, &patience);
    if (rabbit->reader->quorum) {
        e = rabbit_barrier(b, part->channel, rabbit->reader->queue, rounds, err);
    } else {
        amqp_queue_declare(rabbit->connection, part->channel, rabbit_text(rabbit->reader->queue), 1, 0, 0, 0,
                           amqp_empty_table);
        e = rabbit_reply_on(b, part->channel, amqp_get_rpc_reply(rabbit->connection), "waiting for the queue",
                            err);
    }
    amqp_set_rpc_timeout(rabbit->connection, &(struct timeval){.tv_sec = RABBIT_RPC_S});
    if (!e)
        part->commands = 0;
    part->walked = 0;
    return e;
}

/* Of a classic queue: its process has them before it hears of our end. Of a quorum queue: they are in its log and applied. A broker that
 * is killed forgets those of a classic queue all the same that came since this was last idle for a second or so. */
enum err rabbit_settle_sync(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    enum err e = rabbit_lease_flush(b, err);
    for (size_t i = 0; !e && i < l->part_count; i++)
        if (l->parts[i].commands > 0)
            e = sync_part(b, &l->parts[i], err);
    return e;
}

/* ---- back ---- */

/* A quorum queue has a list of returned messages before all others, which is filled from behind: no lease ends within it. Nor while
 * the newest of several parts could still be given what those before it return. */
static bool is_amid(const struct rabbit_lease *l)
{
    bool could_get = l->part_count > 1 && !l->one_channel && rabbit_lease_expects(l);
    return !l->empty && (l->returned_last || could_get);
}

/* Any error that leaves the connection is none: what is held goes back all the same, in another order at worst. */
static enum err take_on(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    const struct rabbit_reader *r = rabbit->reader;
    int64_t until = clock_mono_ns() + (atomic_load(b->cancelled) ? BACK_SOON_NS : TAKE_ON_NS);
    bool may = r->delivery_limit < 0 || r->looks.worst + 1 < r->delivery_limit, any = true;
    enum err e = ERR_OK;
    l->empty = false;
    l->left = 0;
    while (!e && may && is_amid(l) && clock_mono_ns() < until) {
        e = rabbit_lease_receive(b, true, &any, err);
        if (e || any)
            continue;
        e = rabbit_lease_expects(l) ? rabbit_lease_silence(b, ASK_EVERY_MS, err) : rabbit_lease_part(b, err);
    }
    if (is_amid(l))
        l->sink.notice(l->sink.context,
                       "it ended among messages that had been returned before: the queue may have "
                       "them in another order now");
    if (!e && l->empty) /* nothing is on its way, and what comes now is for others */
        e = rabbit_lease_end_consumer(b, err);
    return rabbit->lost ? e : ERR_OK;
}

/* A quorum queue hears of each end by itself, and the first must come first: it has one consumer less then. */
static enum err end_part(struct broker *b, const struct rabbit_part *part, bool last, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    const char *queue = rabbit->reader->queue;
    bool wait = rabbit->reader->quorum && !last && part->received > part->removed;
    int64_t ready, before = 0, consumers = 0, until = clock_mono_ns() + PART_NS;
    enum err e = wait ? rabbit_ready(b, queue, &ready, &before, err) : ERR_OK;
    if (!e)
        e = rabbit_end_channel(b, part->channel, clock_mono_ns() + BACK_NS, err);
    do
        e = !e && wait ? rabbit_ready(b, queue, &ready, &consumers, err) : e;
    while (!e && wait && consumers >= before && clock_mono_ns() < until);
    return e;
}

/* A quorum queue wants the first part first. A classic queue puts each where it stood, and goes over all that stands before it. */
static enum err give_back(struct broker *b, bool *back, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    struct rabbit_reader *r = rabbit->reader;
    int64_t before = 0, ready = 0, consumers = 0,
            wait_ns = atomic_load(b->cancelled) ? BACK_SOON_NS : BACK_NS;
    bool consumes = !l->by_get && !l->ended && l->parts[l->part_count - 1].consumes;
    enum err e = r->quorum ? take_on(b, err) : consumes ? rabbit_lease_end_consumer(b, err) : ERR_OK;
    if (!e)
        e = rabbit_ready(b, r->queue, &before, &consumers, err);
    int64_t held = (int64_t)(l->received - l->removed);
    size_t channels = l->one_channel ? 1 : l->part_count;
    for (size_t i = 0; !e && i < channels; i++)
        e = end_part(b, &l->parts[r->quorum ? i : channels - 1 - i], i + 1 == channels, err);
    int64_t until = clock_mono_ns() + wait_ns;
    for (int wait_ms = 0; !e && !*back; wait_ms = ASK_EVERY_MS) { /* a broker that is quick has them by now */
        poll(NULL, 0, wait_ms);
        e = rabbit_ready(b, r->queue, &ready, &consumers, err);
        *back = ready >= before + held || l->others; /* who may have them by now */
        if (clock_mono_ns() >= until)
            break;
    }
    if (e)
        err_next(err, "the broker returns what was not removed by itself, as after a failed delivery");
    return e;
}

static enum err close_lease(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    struct rabbit_reader *r = rabbit->reader;
    bool back = l->part_count == 0, up = !back && rabbit->connection && !rabbit->lost;
    enum err e = up ? rabbit_settle_sync(b, err) : ERR_OK;
    enum err given = up && !rabbit->lost ? give_back(b, &back, e ? NULL : err) : ERR_OK;
    r->wanted = (int64_t)l->received;
    r->progress.scanned = (int64_t)l->handed;
    if (r->looks.begun)
        rabbit_looks_end(b, l->received == l->handed && (int64_t)l->handed >= r->snapshot, back);
    return e ? e : given;
}

enum err rabbit_lease_close(struct broker *b, int64_t *returned, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_lease *l = rabbit->lease;
    struct err_info own;
    *returned = 0;
    if (!l)
        return ERR_OK;
    enum err e = rabbit->reader ? close_lease(b, err ? err : &own) : ERR_OK;
    *returned = (int64_t)(l->handed - l->removed);
    if (rabbit->reader)
        arena_free(&rabbit->reader->arena);
    free(rabbit->reader);
    free(l->parts);
    free(l);
    rabbit->reader = NULL;
    rabbit->lease = NULL;
    return e;
}
