/* A replay of a source that keeps its messages: what is at its destinations already is not sent again, whoever sent it. */
#include "operations/execute_internal.h"

#include "base/text.h"

#include <stdio.h>

#define NAME_NS (10 * NS_PER_S)

static enum err ask_cluster(struct operation *o, struct broker *b, struct err_info *err)
{
    b->deadline_ns = clock_mono_ns() + NAME_NS;
    return o->job.from.ops->cluster(b, o->cluster, sizeof o->cluster, err);
}

/* On a session of its own, but where the destination's serves. */
enum err execute_name_source(struct operation *o, struct err_info *err)
{
    const struct operation_end *from = &o->job.from, *to = &o->job.to;
    if (!o->cluster[0])
        text_copy(o->cluster, sizeof o->cluster, o->job.plan.cluster);
    if (o->cluster[0])
        return ERR_OK;
    if (!from->ops->cluster || execute_removes(o) || !to->ops) {
        text_copy(o->cluster, sizeof o->cluster, from->endpoint->name);
        return ERR_OK;
    }
    if (from->ops == to->ops && from->endpoint == to->endpoint)
        return ask_cluster(o, destination_broker(o->destination), err);
    struct destination_job job = {
        .ops = from->ops, .endpoint = from->endpoint, .prepare = o->job.prepare, .context = o->job.context};
    struct destination *d = destination_open(&job, o->event_fd, err);
    enum err e = d ? ask_cluster(o, destination_broker(d), err) : err->code;
    destination_close(&d);
    return e;
}

static bool is_once(const struct operation *o)
{
    return o->job.plan.kind == OPERATION_REPLAY && o->job.plan.keeps && !o->job.plan.again;
}

bool execute_finds_copies(const struct operation *o)
{
    return is_once(o) && copies_can(o->job.to.ops);
}

const char *execute_fence(struct operation *o)
{
    if (o->job.plan.kind != OPERATION_REPLAY || !o->job.plan.keeps)
        return NULL;
    snprintf(o->fence, sizeof o->fence, "%s-%s", o->cluster, o->job.from.channel.name);
    return o->fence;
}

static void on_looked(void *context, int64_t messages)
{
    struct operation *o = context;
    o->looked = messages;
    execute_tell(o, false);
}

static struct copies *begin(struct operation *o)
{
    struct copies_job job = {.cluster = o->cluster,
                             .channel = o->job.from.channel.name,
                             .ops = o->job.to.ops,
                             .endpoint = o->job.to.endpoint,
                             .cancelled = &o->cancelled,
                             .prepare = execute_prepare,
                             .looked = on_looked,
                             .context = o};
    return copies_new(&job);
}

/* Its destination is opened before it is looked through: whoever was at it is cut off then, and all that he has sent can be seen. */
enum err execute_skip_copy(struct operation *o, struct item *item, struct err_info *err)
{
    bool there = false;
    if (item->state != DELIVERY_INTENDED || !execute_finds_copies(o) ||
        item->message->position.kind == POSITION_NONE)
        return ERR_OK;
    enum err e = execute_target_open(o, item->to, err);
    const struct target *t = &o->targets[item->to];
    if (e || t->why[0])
        return e;
    if (!o->copies && !(o->copies = begin(o)))
        return err_set(err, ERR_NOMEM, "no memory for what is there already");
    e = copies_find(o->copies, &t->channel, item->message, &there, err);
    o->looked = 0;
    if (!e && there)
        item_say(item, DELIVERY_SKIPPED, COPY_THERE);
    return e;
}
