#include "operations/trial.h"

#include "base/limits.h"
#include "base/text.h"
#include "operations/bounds.h"
#include "operations/destination.h"
#include "operations/rewrite.h"

#include <stdio.h>
#include <stdlib.h>

#define ASK_NS    (10 * NS_PER_S)
#define OPERATION "0000000000000000" /* as long as the id that it will have */

struct place {
    struct channel_name channel; /* name: malloc'ed */
    size_t number;
    bool open;
    char why[240];           /* it cannot be opened; "" */
    int64_t messages, bytes; /* that would be sent there */
};

struct trial {
    const struct operation_job *job;
    struct rewrite rewrite;
    struct destination *destination;
    uint32_t flags;
    int32_t partitions;
    struct place places[TRIAL_CHANNELS];
    size_t count, opened;
    bool lost; /* the connection: no more channels are looked up */
    struct arena arena;
    char why[240];
};

static enum err prepare(void *context, const struct endpoint *endpoint, struct secret *into,
                        struct err_info *err)
{
    const struct trial *t = context;
    return operation_prepare(t->job, endpoint, into, err);
}

static void on_notice(void *context, const char *text)
{
    const struct trial *t = context;
    if (t->job->notice)
        t->job->notice(t->job->notice_context, text);
}

struct trial *trial_open(const struct operation_job *job, const char *cluster, int32_t partitions, int fd,
                         struct err_info *err)
{
    struct trial *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(err, ERR_NOMEM, "no memory for a preview");
        return NULL;
    }
    const struct plan *p = &job->plan;
    *t = (struct trial){
        .job = job,
        .rewrite = {.plan = p, .operation = OPERATION, .cluster = cluster, .channel = job->from.channel.name},
        .flags =
            PUBLISH_EXACT | PUBLISH_DRY | (p->create ? PUBLISH_CREATE : 0) | (partitions ? PUBLISH_ALIKE : 0),
        .partitions = partitions};
    arena_init(&t->arena, LIMIT_DECODE_ARENA);
    const struct destination_job to = {.ops = job->to.ops,
                                       .endpoint = job->to.endpoint,
                                       .prepare = prepare,
                                       .notice = on_notice,
                                       .context = t};
    t->destination = destination_open(&to, fd, err);
    if (!t->destination)
        trial_close(&t);
    return t;
}

void trial_close(struct trial **tp)
{
    struct trial *t = *tp;
    *tp = NULL;
    if (!t)
        return;
    destination_close(&t->destination);
    for (size_t i = 0; i < t->count; i++)
        free((void *)(uintptr_t)t->places[i].channel.name);
    arena_free(&t->arena);
    free(t);
}

/* A line that was cut tells nothing of the channel. */
static void open_place(struct trial *t, struct place *p)
{
    struct err_info err = {.code = ERR_OK};
    enum err e = destination_add(t->destination, &p->channel, t->flags, t->partitions, &err);
    p->open = !e;
    if (!e)
        p->number = t->opened++;
    else if (err_policy(e) != ERR_POLICY_RETRY && e != ERR_CANCELLED)
        text_copy(p->why, sizeof p->why, err.text);
}

/* NULL: it is one too many, or the connection was lost. */
static struct place *find(struct trial *t, const struct channel_name *to)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->places[i].channel.kind == to->kind && strcmp(t->places[i].channel.name, to->name) == 0)
            return &t->places[i];
    char *name = !t->lost && t->count < TRIAL_CHANNELS ? strdup(to->name) : NULL;
    if (!name)
        return NULL;
    struct place *p = &t->places[t->count++];
    p->channel = (struct channel_name){to->kind, name};
    open_place(t, p);
    return p;
}

const char *trial_channel(struct trial *t, const struct channel_name *to)
{
    const struct place *p = find(t, to);
    return p && p->why[0] ? p->why : NULL;
}

const char *trial_message(struct trial *t, const struct channel_name *to, const struct message *m)
{
    struct place *p = find(t, to);
    struct message sent;
    struct err_info err = {.code = ERR_OK};
    if (!p || !p->open)
        return p && p->why[0] ? p->why : NULL;
    arena_reset(&t->arena);
    enum err e = rewrite_message(&t->rewrite, m, 1, &t->arena, &sent, &err);
    if (!e)
        e = destination_check(t->destination, p->number, &sent, &err);
    if (e && err_policy(e) != ERR_POLICY_RETRY && e != ERR_CANCELLED)
        return text_copy(t->why, sizeof t->why, err.text);
    p->messages++;
    p->bytes += (int64_t)sent.payload.len;
    return NULL;
}

static void say_bound(void *context, bool lost, const char *text)
{
    (void)lost;
    on_notice(context, text);
}

static void say_bounds(struct trial *t, const struct place *p)
{
    struct channel_bounds bounds;
    struct broker *b = destination_broker(t->destination);
    struct err_info err;
    char text[400];
    int64_t ready = COUNT_UNKNOWN, unacked;
    b->deadline_ns = clock_mono_ns() + ASK_NS;
    if (!bounds_ask(b, &p->channel, &bounds))
        return;
    if (b->ops->count && b->ops->count(b, &p->channel, &ready, &unacked, &err))
        ready = COUNT_UNKNOWN;
    bounds_tell(&bounds, p->channel.name, ready, say_bound, t);
    if (bounds_check(&bounds, p->channel.name, ready, p->messages, p->bytes, &err)) {
        snprintf(text, sizeof text, "%s: %s; those stay where they are, and fail", p->channel.name, err.text);
        on_notice(t, text);
    }
}

void trial_say_bounds(struct trial *t)
{
    for (size_t i = 0; i < t->count && !t->lost && !t->job->plan.to; i++)
        if (t->places[i].open && t->places[i].messages)
            say_bounds(t, &t->places[i]);
}

void trial_serve(struct trial *t)
{
    size_t pending;
    struct err_info err;
    t->lost |= destination_step(t->destination, 0, &pending, &err) != ERR_OK;
}
