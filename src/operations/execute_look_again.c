/* What the journal tells of and nobody met at the source: gone, or not back yet? A broker gives back what a dead connection held when it
 * has noticed, and a large queue of RabbitMQ takes a while over that. */
#include "operations/execute_internal.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define SHORT_LOOKS   3
#define LOOK_AGAIN_NS (6 * NS_PER_S) /* statistics of RabbitMQ are five seconds late */

static int64_t pause_ns(const struct operation *o)
{
    return o->job.look_again_ns ? o->job.look_again_ns : LOOK_AGAIN_NS;
}

static void wait_until(struct operation *o, int64_t until)
{
    while (clock_mono_ns() < until && !atomic_load(&o->cancelled)) {
        struct pollfd p = {.fd = o->event_fd, .events = POLLIN};
        poll(&p, 1, clock_poll_ms(until));
        (void)!read(o->event_fd, &(uint64_t){0}, sizeof(uint64_t));
    }
}

/* What this run has kept goes back, and is nobody's then. False: that is not known. */
static bool end_source(struct operation *o)
{
    struct source *s = o->source;
    struct err_info err;
    int64_t returned;
    pthread_mutex_lock(&o->lock);
    o->source = NULL;
    pthread_mutex_unlock(&o->lock);
    return !s || !source_join(&s, &returned, &err);
}

/* COUNT_UNKNOWN where that cannot be told. */
static void count(struct operation *o, int64_t *ready, int64_t *unacked)
{
    const struct operation_end *from = &o->job.from;
    struct destination_job job = {
        .ops = from->ops, .endpoint = from->endpoint, .prepare = o->job.prepare, .context = o->job.context};
    struct err_info err;
    struct destination *d = from->ops->count ? destination_open(&job, o->event_fd, &err) : NULL;
    if (!d || from->ops->count(destination_broker(d), &from->channel, ready, unacked, &err))
        *ready = *unacked = COUNT_UNKNOWN;
    destination_close(&d);
}

static int64_t count_unacked(struct operation *o)
{
    int64_t ready, unacked;
    count(o, &ready, &unacked);
    return unacked;
}

/* Has anybody messages out? Statistics tell it late, and not everybody. */
static bool is_held(struct operation *o)
{
    int64_t until = clock_mono_ns() + pause_ns(o), unacked;
    if (!end_source(o))
        return true;
    while ((unacked = count_unacked(o)) != 0 && clock_mono_ns() < until && !atomic_load(&o->cancelled))
        wait_until(o, clock_mono_ns() + pause_ns(o) / 10);
    return unacked != 0;
}

void execute_wait_for_returns(struct operation *o)
{
    if (!o->job.from.ops->lease_open)
        return;
    wait_until(o, clock_mono_ns() + pause_ns(o));
    int64_t until = clock_mono_ns() + pause_ns(o);
    while (count_unacked(o) != 0 && clock_mono_ns() < until && !atomic_load(&o->cancelled))
        wait_until(o, clock_mono_ns() + pause_ns(o) / 10);
}

void execute_wait_for_held(struct operation *o)
{
    int64_t until = clock_mono_ns() + pause_ns(o), ready, unacked;
    for (;;) {
        count(o, &ready, &unacked);
        bool there = o->job.plan.ready > 0 && ready >= o->job.plan.ready;
        if (there || clock_mono_ns() >= until || atomic_load(&o->cancelled))
            return;
        wait_until(o, clock_mono_ns() + pause_ns(o) / 20);
    }
}

/* Where nothing is removed all are there, whatever became of them. */
static size_t count_missed(const struct operation *o)
{
    size_t missed = 0;
    bool all = execute_holds(o) && !o->taken;
    for (size_t i = 0; i < o->recovery.count; i++) {
        const struct remembered *row = &o->recovery.rows[i];
        missed += (all || row->state == DELIVERY_ARRIVED || row->state == DELIVERY_INTENDED) && !row->met;
    }
    return missed;
}

/* What an earlier run had out had to come back: are fewer there than were counted? */
static bool is_short(const struct operation *o)
{
    bool was_out = o->job.resumed || o->connections > 1;
    return execute_holds(o) && was_out && !o->taken && o->place < o->job.plan.ready;
}

/* There are more than came by now, or somebody has some; else consumers took them. */
static bool look_for_the_rest(struct operation *o)
{
    int64_t ready, unacked;
    char why[200];
    bool held = is_held(o);
    count(o, &ready, &unacked);
    if (ready > o->place && o->short_looks++ < SHORT_LOOKS)
        return true;
    snprintf(why, sizeof why,
             "of %" PRId64 " messages that were counted %" PRId64
             " were there: others are with consumers, or on their way back",
             o->job.plan.ready, o->place);
    if (held)
        execute_stop_taking(o, why);
    return false;
}

bool execute_looks_again(struct operation *o)
{
    size_t before = o->looks_again ? o->missed : SIZE_MAX;
    o->looks_again = false;
    if (!execute_leases(o) || o->why[0] || atomic_load(&o->cancelled))
        return false;
    size_t missed = count_missed(o);
    o->missed = missed;
    o->looks_again = missed && missed != before;
    o->others_hold = missed && !o->looks_again && is_held(o);
    if (!o->looks_again && is_short(o))
        o->looks_again = look_for_the_rest(o);
    return o->looks_again;
}

void execute_wait_to_look(struct operation *o)
{
    if (o->looks_again)
        execute_wait_for_statistics(o);
}

void execute_wait_for_statistics(struct operation *o)
{
    wait_until(o, clock_mono_ns() + pause_ns(o));
}
