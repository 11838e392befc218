/* A destination whose oldest messages make way for newer ones is sent no more than it has room for. */
#include "operations/execute_internal.h"

#include "operations/bounds.h"

#include <inttypes.h>
#include <stdio.h>

#define FULL_NS  (5 * NS_PER_S) /* its consumers are waited for */
#define AGAIN_NS (NS_PER_S / 5) /* between two countings */
#define ASK_NS   ((int64_t)10 * NS_PER_S)

static int64_t count(struct operation *o, const struct target *t)
{
    struct broker *b = destination_broker(o->destination);
    struct err_info err;
    int64_t ready = COUNT_UNKNOWN, unacked;
    b->deadline_ns = clock_mono_ns() + ASK_NS;
    return b->ops->count && !b->ops->count(b, &t->channel, &ready, &unacked, &err) ? ready : COUNT_UNKNOWN;
}

void execute_bounds_begin(struct operation *o, struct target *t)
{
    struct broker *b = destination_broker(o->destination);
    struct channel_bounds *of = &t->bounds;
    b->deadline_ns = clock_mono_ns() + ASK_NS;
    t->bounded =
        bounds_ask(b, &t->channel, of) && !of->refuses && !of->log && (of->messages >= 0 || of->bytes >= 0);
    t->sent = t->full_ns = 0;
    if (!t->bounded)
        return;
    t->before = count(o, t);
    t->room = bounds_room(of, t->before);
    t->room_bytes = bounds_room_bytes(of, t->before);
}

static bool has_consumers(struct operation *o, const struct target *t)
{
    struct broker *b = destination_broker(o->destination);
    struct channel_list *list = channel_list_new();
    const struct channel *c = NULL;
    b->deadline_ns = clock_mono_ns() + ASK_NS;
    if (list && b->ops->list && !b->ops->list(b, t->channel.name, 0, list, NULL))
        c = channel_list_find(list, t->channel.name, t->channel.kind);
    bool any = !c || c->consumers != 0;
    if (list)
        channel_list_free(&list);
    return any;
}

static bool fits(const struct target *t, const struct message *m)
{
    return t->room != 0 && (t->room_bytes < 0 || (int64_t)m->payload.len <= t->room_bytes);
}

/* Its consumers may have taken some: counted anew once all that was sent is there. Of bytes the broker tells too late for that. */
static enum err count_again(struct operation *o, struct target *t, int64_t now, struct err_info *err)
{
    enum err e = destination_step(o->destination, 0, &o->pending, err);
    if (e || o->pending || t->room != 0 || now - t->counted_ns < AGAIN_NS)
        return e;
    t->counted_ns = now;
    t->room = bounds_room(&t->bounds, count(o, t));
    return ERR_OK;
}

static void give_up(struct operation *o, const struct target *t, struct item *item)
{
    char why[240];
    snprintf(why, sizeof why, "%.100s is full: its oldest messages would make way for more", t->channel.name);
    if (o->job.plan.to) {
        execute_stop(o, why);
        return;
    }
    item_say(item, DELIVERY_FAILED, "%s", why);
    item->answered = true;
}

enum err execute_bounds_admit(struct operation *o, struct target *t, struct item *item,
                              const struct message *m, struct err_info *err)
{
    int64_t now = clock_mono_ns();
    if (!t->bounded || fits(t, m)) {
        t->full_ns = 0;
        return ERR_OK;
    }
    if (!t->full_ns) {
        t->full_ns = now;
        t->drains = has_consumers(o, t);
    }
    enum err e = count_again(o, t, now, err);
    if (e || fits(t, m))
        return e;
    if (!o->pending && (!t->drains || now - t->full_ns >= FULL_NS))
        give_up(o, t, item);
    return item->answered ? ERR_OK : ERR_BUSY;
}

void execute_bounds_sent(struct target *t, const struct message *m)
{
    t->sent++;
    t->room -= t->room > 0;
    if (t->room_bytes >= 0)
        t->room_bytes -= (int64_t)m->payload.len;
}

/* ---- afterwards ---- */

/* Others may have sent there, too. Full, and not just with what was there and what was sent: then something had to make way, or came
 * near to it; fewer than those, and nobody takes any: then something has gone. */
static void check(struct operation *o, const struct target *t)
{
    char why[240];
    int64_t wanted = t->before + t->sent, now = t->before >= 0 && t->sent ? count(o, t) : COUNT_UNKNOWN;
    if (now < 0 || now == wanted)
        return;
    bool full = t->bounds.messages >= 0 && now >= t->bounds.messages;
    if (!full && (now > wanted || has_consumers(o, t)))
        return;
    snprintf(why, sizeof why,
             "%.100s has %" PRId64 " messages, where %" PRId64 " were and %" PRId64
             " were sent: its limit may have pushed some out",
             t->channel.name, now, t->before, t->sent);
    if (!o->why[0])
        memcpy(o->why, why, sizeof why);
}

void execute_bounds_end(struct operation *o)
{
    for (size_t i = 0; o->destination && i < o->target_count; i++)
        if (o->targets[i].open && o->targets[i].bounded)
            check(o, &o->targets[i]);
}
