/* Where messages go: the plan's channel, or for dead letters where each came from. */
#include "operations/execute_internal.h"

#include "base/text.h"
#include "operations/dead_letter.h"

#include <stdio.h>
#include <stdlib.h>

size_t execute_target(struct operation *o, enum channel_kind kind, struct bytes name)
{
    for (size_t i = 0; i < o->target_count; i++)
        if (o->targets[i].channel.kind == kind && bytes_equal_text(name, o->targets[i].channel.name))
            return i;
    struct target *all = reallocarray(o->targets, o->target_count + 1, sizeof *all);
    if (all)
        o->targets = all;
    char *copy = all ? malloc(name.len + 1) : NULL;
    if (!copy)
        return SIZE_MAX;
    text_copy_bytes(copy, name.len + 1, name);
    o->targets[o->target_count] = (struct target){.channel = {kind, copy}};
    return o->target_count++;
}

size_t execute_target_named(struct operation *o, const char *text)
{
    const char *name;
    enum channel_kind kind = channel_kind_parse(text, &name);
    return execute_target(o, kind, bytes_of_text(name));
}

char *execute_target_text(const struct operation *o, size_t target, char *into, size_t size)
{
    const struct channel_name *c = &o->targets[target].channel;
    const char *kind = channel_kind_name(c->kind);
    snprintf(into, size, "%s%s%s", kind, *kind ? ":" : "", c->name);
    return into;
}

enum err execute_target_open(struct operation *o, size_t target, struct err_info *err)
{
    struct target *t = &o->targets[target];
    const struct plan *p = &o->job.plan;
    uint32_t flags = PUBLISH_EXACT | (p->create ? PUBLISH_CREATE : 0) |
                     (p->same_partitions ? PUBLISH_PARTITION
                      : p->partitions    ? PUBLISH_ALIKE
                                         : 0);
    if (t->open || t->why[0])
        return ERR_OK;
    struct err_info why = {.code = ERR_OK};
    enum err e = destination_add(o->destination, &t->channel, flags, (int32_t)p->partitions, &why);
    if (!e) {
        t->open = true;
        t->number = o->opened++;
        execute_bounds_begin(o, t);
        return ERR_OK;
    }
    bool plans_own = o->job.plan.to && target == 0;
    if (plans_own || err_policy(e) == ERR_POLICY_RETRY || e == ERR_CANCELLED) {
        *err = why;
        return e;
    }
    text_copy(t->why, sizeof t->why, why.text);
    return ERR_OK;
}

void execute_targets_free(struct operation *o)
{
    for (size_t i = 0; i < o->target_count; i++)
        free((void *)(uintptr_t)o->targets[i].channel.name);
    free(o->targets);
    o->targets = NULL;
    o->target_count = 0;
}

void execute_find_way(struct operation *o, struct item *item)
{
    char to[300];
    const struct plan *p = &o->job.plan;
    const char *where = o->job.record.to;
    struct dead_letter way;
    dead_letter_way(p, o->job.from.channel.name, item->message, &way);
    if (way.why_not[0]) {
        item_say(item, DELIVERY_SKIPPED, "%s", way.why_not);
        return;
    }
    if (!p->to)
        item->to = execute_target(o, way.kind, way.name);
    if (item->to == SIZE_MAX) {
        item_say(item, DELIVERY_FAILED, "no memory for its destination");
        return;
    }
    if (!p->to)
        where = execute_target_text(o, item->to, to, sizeof to);
    if (!p->again && sent_has(&o->sent, item->message->position, where))
        item_say(item, DELIVERY_SKIPPED, SENT_BEFORE);
}
