/* Which channel is meant by a name: the management API tells, AMQP's passive declarations where it is absent. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

bool rabbit_exchange_steals(const char *type)
{
    return strcmp(type, "x-consistent-hash") == 0 || strcmp(type, "x-modulus-hash") == 0 ||
           strstr(type, "random") != NULL;
}

static int64_t limit_of(const struct rabbit_answer *a, const struct field *queue)
{
    int64_t by_argument = rabbit_number(a, rabbit_member(a, queue, "arguments"), "x-delivery-limit");
    int64_t by_policy =
        rabbit_number(a, rabbit_member(a, queue, "effective_policy_definition"), "delivery-limit");
    if (by_argument < 0 || by_policy < 0)
        return by_argument > by_policy ? by_argument : by_policy;
    return by_argument < by_policy ? by_argument : by_policy;
}

/* Statistics that are there and don't mention it say that nothing was ever redelivered. */
static int64_t redelivered_of(const struct rabbit_answer *a, const struct field *queue)
{
    const struct field *stats = rabbit_member(a, queue, "message_stats");
    if (!stats || rabbit_number(a, stats, "publish") < 0)
        return COUNT_UNKNOWN;
    int64_t n = rabbit_number(a, stats, "redeliver");
    return n < 0 ? 0 : n;
}

static enum err find_queue(struct broker *b, const char *name, struct rabbit_channel *found,
                           struct err_info *err)
{
    char path[900];
    struct rabbit_answer a;
    rabbit_path(b, path, sizeof path, "queues", name, NULL);
    enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
    if (e)
        return e;
    const struct field *q = &a.tree.nodes[0];
    rabbit_string(&a, q, "type", found->type, sizeof found->type);
    found->kind = strcmp(found->type, "stream") == 0 ? CHANNEL_STREAM : CHANNEL_QUEUE;
    found->depth = rabbit_number(&a, q, "messages_ready");
    found->unacked = rabbit_number(&a, q, "messages_unacknowledged");
    found->consumers = rabbit_number(&a, q, "consumers");
    found->delivery_limit = limit_of(&a, q);
    found->redelivered = redelivered_of(&a, q);
    found->exclusive = rabbit_truth(&a, q, "exclusive");
    found->single_active = rabbit_truth(&a, rabbit_member(&a, q, "arguments"), "x-single-active-consumer");
    rabbit_answer_free(&a);
    if (strcmp(found->type, "quorum") == 0)
        found->limit_unknown = rabbit_policy_limit(b, name, &found->delivery_limit, NULL) != ERR_OK;
    return ERR_OK;
}

static enum err find_exchange(struct broker *b, const char *name, struct rabbit_channel *found,
                              struct err_info *err)
{
    char path[900];
    struct rabbit_answer a;
    rabbit_path(b, path, sizeof path, "exchanges", name, NULL);
    enum err e = rabbit_api(b, "GET", path, NULL, &a, err);
    if (e)
        return e;
    found->kind = CHANNEL_EXCHANGE;
    rabbit_string(&a, &a.tree.nodes[0], "type", found->type, sizeof found->type);
    rabbit_answer_free(&a);
    return ERR_OK;
}

/* A reader of streams acknowledges, which would take a queue's messages away: what is called a stream must be one. */
static enum err type_by_amqp(struct broker *b, const struct channel_name *name, struct rabbit_channel *found,
                             struct err_info *err)
{
    found->by_amqp = true;
    (void)rabbit_ask_type(b, name->name, found->type, sizeof found->type);
    if (strcmp(found->type, "stream") == 0) {
        found->kind = CHANNEL_STREAM;
        return ERR_OK;
    }
    found->kind = CHANNEL_QUEUE;
    if (name->kind != CHANNEL_STREAM || found->type[0])
        return ERR_OK;
    err_set(err, ERR_REFUSED, "whether %s is a stream is not known: reading a queue as one would empty it",
            name->name);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "say where the management API is: ?management=URL");
    return ERR_REFUSED;
}

static enum err find_by_amqp(struct broker *b, const struct channel_name *name, struct rabbit_channel *found,
                             struct err_info *err)
{
    struct rabbit *r = b->state;
    enum err e = ERR_NOTFOUND;
    if (name->kind != CHANNEL_EXCHANGE) {
        amqp_queue_declare_ok_t *ok = amqp_queue_declare(
            r->connection, RABBIT_CHANNEL, rabbit_text(name->name), 1, 0, 0, 0, amqp_empty_table);
        if (ok)
            found->depth = ok->message_count;
        e = rabbit_last_reply(b, "looking at the queue", err);
        if (!e)
            return type_by_amqp(b, name, found, err);
    }
    if (e == ERR_NOTFOUND && (name->kind == CHANNEL_ANY || name->kind == CHANNEL_EXCHANGE)) {
        amqp_exchange_declare(r->connection, RABBIT_CHANNEL, rabbit_text(name->name), rabbit_text("direct"),
                              1, 0, 0, 0, amqp_empty_table);
        e = rabbit_last_reply(b, "looking at the exchange", err);
        found->kind = CHANNEL_EXCHANGE;
    }
    return e;
}

static enum err not_found(struct broker *b, const char *name, struct err_info *err)
{
    struct channel_list *list = channel_list_new();
    const char **names = NULL, *near = NULL;
    err_set(err, ERR_NOTFOUND, "no queue, stream or exchange %s in vhost %s", name,
            b->endpoint->vhost ? b->endpoint->vhost : "/");
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "`signalbox ls %s` lists them", b->endpoint->name);
    if (list && !rabbit_list(b, NULL, READ_INTERNAL, list, NULL))
        names = calloc(list->count + 1, sizeof *names);
    for (size_t i = 0; names && i < list->count; i++)
        names[i] = list->items[i].name;
    near = names ? text_nearest(name, names) : NULL;
    if (near)
        err_next(err, "did you mean %s?", near);
    free(names);
    if (list)
        channel_list_free(&list);
    return ERR_NOTFOUND;
}

enum err rabbit_find(struct broker *b, const struct channel_name *name, struct rabbit_channel *found,
                     struct err_info *err)
{
    struct err_info own;
    if (!err)
        err = &own;
    *found = (struct rabbit_channel){.depth = COUNT_UNKNOWN,
                                     .unacked = COUNT_UNKNOWN,
                                     .consumers = COUNT_UNKNOWN,
                                     .delivery_limit = -1,
                                     .redelivered = COUNT_UNKNOWN};
    enum err e = ERR_NOTFOUND;
    if (name->kind != CHANNEL_EXCHANGE)
        e = find_queue(b, name->name, found, err);
    if (e == ERR_NOTFOUND && (name->kind == CHANNEL_ANY || name->kind == CHANNEL_EXCHANGE))
        e = find_exchange(b, name->name, found, err);
    if (e == ERR_NOTFOUND)
        return not_found(b, name->name, err);
    if (e && e != ERR_CANCELLED)
        e = find_by_amqp(b, name, found, err);
    if (!e && name->kind == CHANNEL_STREAM && found->kind != CHANNEL_STREAM)
        return err_set(err, ERR_NOTFOUND, "%s is a %s, not a stream", name->name,
                       channel_kind_name(found->kind));
    return e == ERR_NOTFOUND ? not_found(b, name->name, err) : e;
}
