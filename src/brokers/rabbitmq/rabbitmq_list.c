/* What a broker has: from the management API page by page, never in an unpaged sweep, and by AMQP what is asked for by name. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE       500
#define MOST_PAGES 40

static bool looks_dead(const char *name)
{
    static const char *const parts[] = {".dlq",  ".dlx",        "-dlq",        "_dlq",
                                        ".dead", "dead-letter", "dead_letter", "deadletter"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

static const char exclusive_why[] = "it belongs to another connection alone";
static const char stream_why[] = "only its retention takes messages off a stream";
static const char single_why[] = "its single active consumer has it: nobody else is given anything";

static void queue_capabilities(struct channel *c, const struct rabbit_answer *a, const struct field *q)
{
    const struct field *arguments = rabbit_member(a, q, "arguments");
    for (int i = 0; i < CAPABILITIES; i++)
        c->why_not[i] = NULL;
    c->browse_effect = c->kind == CHANNEL_STREAM ? EFFECT_NONE : EFFECT_MARKS;
    c->why_not[CAN_GROUPS] = "RabbitMQ has no consumer groups";
    if (c->kind == CHANNEL_STREAM)
        c->why_not[CAN_PURGE] = c->why_not[CAN_REMOVE] = stream_why;
    else
        c->why_not[CAN_SEEK] = "a queue is read from its head";
    bool single = rabbit_truth(a, arguments, "x-single-active-consumer");
    if (single && c->consumers > 0)
        c->why_not[CAN_REMOVE] = single_why;
    if (single && strstr(c->detail, "quorum"))
        c->why_not[CAN_BROWSE] = c->why_not[CAN_REMOVE] =
            "a quorum queue with a single active consumer gives nothing to lookers (405 RESOURCE_LOCKED)";
    if (rabbit_truth(a, q, "exclusive"))
        c->why_not[CAN_BROWSE] = c->why_not[CAN_REMOVE] = c->why_not[CAN_PURGE] = exclusive_why;
}

static void take_queue(struct channel_list *list, const struct rabbit_answer *a, const struct field *q)
{
    char name[256], type[32];
    rabbit_string(a, q, "name", name, sizeof name);
    rabbit_string(a, q, "type", type, sizeof type);
    bool stream = strcmp(type, "stream") == 0;
    struct channel *c = channel_list_add(list, name, stream ? CHANNEL_STREAM : CHANNEL_QUEUE);
    if (!c)
        return;
    const struct field *stats = rabbit_member(a, q, "message_stats");
    snprintf(c->detail, sizeof c->detail, stream ? "stream" : "%s queue", type[0] ? type : "classic");
    rabbit_string(a, q, "state", c->state, sizeof c->state);
    c->depth = rabbit_number(a, q, "messages");
    c->unacked = rabbit_number(a, q, "messages_unacknowledged");
    c->consumers = rabbit_number(a, q, "consumers");
    c->bytes = rabbit_number(a, q, "message_bytes");
    c->bytes_why = c->bytes >= 0 ? NULL
                   : stream      ? "RabbitMQ does not count those of a stream"
                                 : "the broker has not counted yet";
    c->in_rate = rabbit_rate(a, stats, "publish_details");
    c->out_rate = rabbit_rate(a, stats, "deliver_get_details");
    c->in_total = rabbit_number(a, stats, "publish");
    c->out_total = rabbit_number(a, stats, "deliver_get");
    c->dead_letters = looks_dead(name);
    c->internal = text_starts(name, RABBIT_CLAIM) || /* somebody works, or looks */
                  rabbit_truth(a, rabbit_member(a, q, "arguments"), RABBIT_TAP_ARGUMENT);
    queue_capabilities(c, a, q);
}

static void exchange_capabilities(struct channel *c)
{
    for (int i = 0; i < CAPABILITIES; i++)
        c->why_not[i] = NULL;
    c->why_not[CAN_BROWSE] = "an exchange keeps nothing";
    c->why_not[CAN_SEEK] = "an exchange keeps nothing";
    c->why_not[CAN_GROUPS] = "RabbitMQ has no consumer groups";
    c->why_not[CAN_PURGE] = "an exchange keeps nothing";
    c->why_not[CAN_REMOVE] = "an exchange keeps nothing";
    c->why_not[CAN_CREATE] = "only queues and streams are made";
}

static void take_exchange(struct channel_list *list, const struct rabbit_answer *a, const struct field *x)
{
    char name[256], type[40];
    rabbit_string(a, x, "name", name, sizeof name);
    rabbit_string(a, x, "type", type, sizeof type);
    if (!name[0])
        return; /* the default exchange: no channel to tap */
    struct channel *c = channel_list_add(list, name, CHANNEL_EXCHANGE);
    if (!c)
        return;
    const struct field *stats = rabbit_member(a, x, "message_stats");
    snprintf(c->detail, sizeof c->detail, "%s exchange", type);
    text_copy(c->state, sizeof c->state, "running");
    c->internal = text_starts(name, "amq.") || rabbit_truth(a, x, "internal");
    c->in_rate = rabbit_rate(a, stats, "publish_in_details");
    c->out_rate = rabbit_rate(a, stats, "publish_out_details");
    c->in_total = rabbit_number(a, stats, "publish_in");
    c->out_total = rabbit_number(a, stats, "publish_out");
    exchange_capabilities(c);
    if (rabbit_exchange_steals(type))
        c->why_not[CAN_TAP] = "a tap would become a partition of it and take a share from the others";
}

typedef void take_row(struct channel_list *list, const struct rabbit_answer *a, const struct field *row);

static const char queue_columns[] =
    "columns=name,type,messages,messages_unacknowledged,consumers,message_bytes,state,exclusive,"
    "arguments.x-single-active-consumer,arguments." RABBIT_TAP_ARGUMENT
    ",message_stats.publish,message_stats.deliver_get,"
    "message_stats.publish_details.rate,message_stats.deliver_get_details.rate";
static const char exchange_columns[] =
    "columns=name,type,internal,message_stats.publish_in,message_stats.publish_out,"
    "message_stats.publish_in_details.rate,message_stats.publish_out_details.rate";

static enum err list_pages(struct broker *b, const char *kind, const char *columns, take_row *take,
                           struct channel_list *list, struct err_info *err)
{
    int64_t pages = 1;
    for (int64_t page = 1; page <= pages && page <= MOST_PAGES && list->complete; page++) {
        char path[900], rest[600];
        struct rabbit_answer a;
        snprintf(rest, sizeof rest, "?page=%lld&page_size=%d&%s", (long long)page, PAGE, columns);
        rabbit_path(b, path, sizeof path, kind, NULL, rest);
        enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
        if (e)
            return e;
        pages = rabbit_number(&a, &a.tree.nodes[0], "page_count");
        const struct field *items = rabbit_member(&a, &a.tree.nodes[0], "items");
        for (const struct field *f = items ? rabbit_first(&a, items) : NULL; f; f = rabbit_next(&a, items, f))
            take(list, &a, f);
        rabbit_answer_free(&a);
    }
    return ERR_OK;
}

/* The statistics are seconds late, and a new queue has none: the queue itself counts what is ready. Not one of another connection alone,
 * which answers by closing the channel, and not a stream, which knows no better. */
static void count_now(struct broker *b, struct channel *c)
{
    int64_t ready, consumers;
    bool exclusive = c->why_not[CAN_BROWSE] == exclusive_why;
    if (c->kind != CHANNEL_QUEUE || exclusive || rabbit_ready(b, c->name, &ready, &consumers, NULL))
        return;
    c->depth = ready + (c->unacked > 0 ? c->unacked : 0);
    c->consumers = consumers;
    if (!c->state[0])
        text_copy(c->state, sizeof c->state, "running");
}

static enum err list_one(struct broker *b, const char *kind, const char *name, take_row *take,
                         struct channel_list *list, struct err_info *err)
{
    char path[900];
    struct rabbit_answer a;
    rabbit_path(b, path, sizeof path, kind, name, NULL);
    enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
    if (e == ERR_NOTFOUND)
        return ERR_OK;
    if (e)
        return e;
    size_t before = list->count;
    take(list, &a, &a.tree.nodes[0]);
    rabbit_answer_free(&a);
    if (list->count > before)
        count_now(b, &list->items[before]);
    return ERR_OK;
}

static void put_queue_by_amqp(struct channel_list *list, const char *name, const struct rabbit_channel *found)
{
    static const char *const details[CHANNEL_KINDS] = {
        "queue or stream", [CHANNEL_QUEUE] = "queue", [CHANNEL_STREAM] = "stream"};
    struct channel *c = channel_list_add(list, name, found->kind);
    if (!c)
        return;
    c->depth = found->depth;
    c->consumers = found->consumers;
    c->browse_effect = found->kind == CHANNEL_STREAM ? EFFECT_NONE : EFFECT_MARKS;
    c->bytes_why = "only the management API knows";
    text_copy(c->detail, sizeof c->detail, details[found->kind]);
    for (int i = 0; i < CAPABILITIES; i++)
        c->why_not[i] = NULL;
    if (found->kind == CHANNEL_QUEUE)
        c->why_not[CAN_SEEK] = "a queue is read from its head";
    if (found->kind != CHANNEL_STREAM)
        c->why_not[CAN_TAP] = "the queue's bindings are known only to the management API";
    c->why_not[CAN_GROUPS] = "RabbitMQ has no consumer groups";
    if (found->kind == CHANNEL_STREAM)
        c->why_not[CAN_PURGE] = c->why_not[CAN_REMOVE] = stream_why;
}

static void put_exchange_by_amqp(struct channel_list *list, const char *name)
{
    struct channel *c = channel_list_add(list, name, CHANNEL_EXCHANGE);
    if (!c)
        return;
    text_copy(c->detail, sizeof c->detail, "exchange");
    exchange_capabilities(c);
}

/* AMQP alone names nothing, but tells of one name what it is. ERR_NOTFOUND: nothing is called so. */
static enum err list_by_amqp(struct broker *b, const char *name, struct channel_list *list)
{
    struct err_info err = {.code = ERR_OK};
    struct rabbit_channel found = {.depth = COUNT_UNKNOWN};
    enum err queue = rabbit_find_queue_by_amqp(b, name, &found, &err);
    if (!queue)
        put_queue_by_amqp(list, name, &found);
    enum err exchange = rabbit_probe_exchange(b, name);
    if (!exchange)
        put_exchange_by_amqp(list, name);
    if (!queue || queue == ERR_NOTFOUND)
        return exchange ? queue : ERR_OK;
    list->error = queue;
    text_copy(list->note, sizeof list->note, err.text);
    return queue;
}

/* Rows that the pattern leaves out, and the broker's own ones, go away again. */
static void keep_wanted(struct channel_list *list, const char *pattern, uint32_t flags)
{
    size_t kept = 0;
    bool one = pattern && pattern[0] && !strpbrk(pattern, "*?");
    for (size_t i = 0; i < list->count; i++) {
        bool hidden = list->items[i].internal && !(flags & READ_INTERNAL) && !one;
        if (!hidden && text_glob(pattern, list->items[i].name))
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static enum err list_by_api(struct broker *b, const char *pattern, bool one, struct channel_list *list,
                            struct err_info *why)
{
    enum err e = one ? list_one(b, "queues", pattern, take_queue, list, why)
                     : list_pages(b, "queues", queue_columns, take_queue, list, why);
    if (!e)
        e = one ? list_one(b, "exchanges", pattern, take_exchange, list, why)
                : list_pages(b, "exchanges", exchange_columns, take_exchange, list, why);
    return e;
}

static void say_missing(const struct broker *b, const char *name, struct channel_list *list)
{
    list->error = ERR_NOMATCH;
    snprintf(list->note, sizeof list->note, "no queue, stream or exchange %.80s in vhost %.60s", name,
             b->endpoint->vhost ? b->endpoint->vhost : "/");
}

enum err rabbit_list(struct broker *b, const char *pattern, uint32_t flags, struct channel_list *list,
                     struct err_info *err)
{
    struct rabbit *r = b->state;
    bool one = pattern && pattern[0] && !strpbrk(pattern, "*?");
    if (r->version[0])
        snprintf(list->version, sizeof list->version, "RabbitMQ %s", r->version);
    enum err e = rabbit_serve(b, err); /* heartbeats, and whether the connection still lives */
    if (e)
        return e;
    struct err_info why = {.code = ERR_OK};
    e = list_by_api(b, pattern, one, list, &why);
    if (e == ERR_CANCELLED)
        return e;
    if (e) {
        list->complete = false;
        list->error = e;
        snprintf(list->note, sizeof list->note, "%.130s%s", why.text,
                 one ? "" : "; name a queue to see its depth");
    }
    if (e && one && list_by_amqp(b, pattern, list) == ERR_NOTFOUND)
        say_missing(b, pattern, list);
    keep_wanted(list, pattern, flags);
    return ERR_OK;
}
