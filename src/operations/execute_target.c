/* Where messages go: the plan's channel, or for dead letters where each came from. */
#include "operations/execute_internal.h"

#include "base/text.h"
#include "model/death.h"

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

void execute_find_origin(struct operation *o, struct item *item)
{
    const char *const also[] = {o->job.plan.origin_header, NULL};
    struct death_origin origin;
    if (!death_origin(item->message->headers, also, &origin)) {
        item_say(item, DELIVERY_SKIPPED, "no header tells where it came from: say it with --to");
        return;
    }
    bool exchange = o->job.plan.exchange && origin.exchange.len;
    item->to = exchange ? execute_target(o, CHANNEL_EXCHANGE, origin.exchange)
                        : execute_target(o, origin.kind, origin.channel);
    if (item->to == SIZE_MAX)
        item_say(item, DELIVERY_FAILED, "no memory for its destination");
    else if (strcmp(o->targets[item->to].channel.name, o->job.from.channel.name) == 0)
        item_say(item, DELIVERY_SKIPPED, "it came from where it is");
}
