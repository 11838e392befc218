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

bool rabbit_exchange_repeats(const char *type)
{
    return strcmp(type, "x-recent-history") == 0;
}

bool rabbit_is_default(const struct channel_name *name)
{
    bool may = name->kind == CHANNEL_ANY || name->kind == CHANNEL_EXCHANGE;
    return may && (name->name[0] == '\0' || strcmp(name->name, "amq.default") == 0);
}

#define LIMIT_FAR \
 10 /* returns: from here on a queue may be looked into of which not every message is known */

static int64_t limit_of(const struct rabbit_answer *a, const struct field *queue)
{
    int64_t by_argument = rabbit_number(a, rabbit_member(a, queue, "arguments"), "x-delivery-limit");
    int64_t by_policy =
        rabbit_number(a, rabbit_member(a, queue, "effective_policy_definition"), "delivery-limit");
    if (by_argument < 0 || by_policy < 0)
        return by_argument > by_policy ? by_argument : by_policy;
    return by_argument < by_policy ? by_argument : by_policy;
}

static int64_t sum_of(const struct rabbit_answer *a, const struct field *stats, const char *const *names)
{
    int64_t sum = 0;
    for (; *names; names++) {
        int64_t n = rabbit_number(a, stats, *names);
        sum += n > 0 ? n : 0;
    }
    return sum;
}

/* Statistics begin anew with the broker, and no dead-lettered message is in them: what the message's own count says of earlier
 * returns they do not know. While messages come and go the numbers, each late in its way, do not tell. */
static bool knows_all(const struct rabbit_answer *a, const struct field *queue, const struct field *stats)
{
    static const char *const removals[] = {"ack", "deliver_no_ack", "get_no_ack", NULL};
    static const char *const moving[] = {"publish_details", "ack_details", "deliver_get_details", NULL};
    for (const char *const *name = moving; *name; name++)
        if (rabbit_rate(a, stats, *name) > 0)
            return true;
    return rabbit_number(a, queue, "messages") <=
           rabbit_number(a, stats, "publish") - sum_of(a, stats, removals);
}

/* Statistics that are there and don't mention it say that nothing was ever redelivered. A limit that few returns reach wants to be
 * sure of every message; one as far away as the 20 of RabbitMQ 4 would shut every dead-letter queue otherwise. */
static int64_t redelivered_of(const struct rabbit_answer *a, const struct field *queue, int64_t limit)
{
    const struct field *stats = rabbit_member(a, queue, "message_stats");
    bool near = limit >= 0 && limit < LIMIT_FAR;
    if (near && (!stats || rabbit_number(a, stats, "publish") < 0 || !knows_all(a, queue, stats)))
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
    found->redelivered = redelivered_of(&a, q, found->delivery_limit);
    found->exclusive = rabbit_truth(&a, q, "exclusive");
    found->auto_delete = rabbit_truth(&a, q, "auto_delete");
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

/* ---- without the management API ---- */

enum err rabbit_find_queue_by_amqp(struct broker *b, const char *name, struct rabbit_channel *found,
                                   struct err_info *err)
{
    struct rabbit *r = b->state;
    const amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(r->connection, RABBIT_CHANNEL, rabbit_text(name), 1, 0, 0, 0, amqp_empty_table);
    found->by_amqp = true;
    if (ok) {
        found->depth = ok->message_count;
        found->consumers = ok->consumer_count;
    }
    enum err e = rabbit_last_reply(b, "looking at the queue", err);
    if (e)
        return e;
    (void)rabbit_ask_type(b, name, found->type, sizeof found->type);
    found->kind = !*found->type                        ? CHANNEL_ANY
                  : strcmp(found->type, "stream") == 0 ? CHANNEL_STREAM
                                                       : CHANNEL_QUEUE;
    return ERR_OK;
}

/* A reader of streams acknowledges, which would take a queue's messages away: what is called a stream must be one. */
static enum err untold_stream(const struct broker *b, const char *name, struct err_info *err)
{
    err_set(err, ERR_REFUSED, "whether %s is a stream is not known: reading a queue as one would empty it",
            name);
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
        e = rabbit_find_queue_by_amqp(b, name->name, found, err);
        if (!e && found->kind == CHANNEL_ANY && name->kind == CHANNEL_STREAM)
            return untold_stream(b, name->name, err);
        if (!e && found->kind == CHANNEL_ANY)
            found->kind = CHANNEL_QUEUE;
    }
    if (e == ERR_NOTFOUND && (name->kind == CHANNEL_ANY || name->kind == CHANNEL_EXCHANGE)) {
        amqp_exchange_declare(r->connection, RABBIT_CHANNEL, rabbit_text(name->name), rabbit_text("direct"),
                              1, 0, 0, 0, amqp_empty_table);
        e = rabbit_last_reply(b, "looking at the exchange", err);
        found->kind = CHANNEL_EXCHANGE;
    }
    return e;
}

/* ---- names ---- */

static bool is_kind_of_ours(enum channel_kind kind)
{
    return kind == CHANNEL_ANY || kind == CHANNEL_QUEUE || kind == CHANNEL_STREAM || kind == CHANNEL_EXCHANGE;
}

/* One of that name and kind; ERR_NOTFOUND where there is none. */
static enum err find_one(struct broker *b, const struct channel_name *name, struct rabbit_channel *found,
                         struct err_info *err)
{
    enum err e = ERR_NOTFOUND;
    if (!is_kind_of_ours(name->kind))
        return e;
    if (name->kind != CHANNEL_EXCHANGE)
        e = find_queue(b, name->name, found, err);
    if (e == ERR_NOTFOUND && (name->kind == CHANNEL_ANY || name->kind == CHANNEL_EXCHANGE))
        e = find_exchange(b, name->name, found, err);
    if (e && e != ERR_NOTFOUND && e != ERR_CANCELLED)
        e = find_by_amqp(b, name, found, err);
    return e;
}

/* "queue:x" may be the whole name of a channel, where there is no queue x. */
static bool suggest_whole_name(struct broker *b, const struct channel_name *name, struct err_info *err)
{
    struct rabbit_channel other = {0};
    char whole[300];
    snprintf(whole, sizeof whole, "%s:%s", channel_kind_name(name->kind), name->name);
    if (name->kind == CHANNEL_ANY || find_one(b, &(struct channel_name){CHANNEL_ANY, whole}, &other, NULL))
        return false;
    const char *kind = channel_kind_name(other.kind);
    err_next(err, "there is the %s %s: write %s:%s", kind, whole, kind, whole);
    return true;
}

static void suggest_near_name(struct broker *b, const char *name, struct err_info *err)
{
    struct channel_list *list = channel_list_new();
    const char **names = NULL, *near = NULL;
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
}

static enum err not_found(struct broker *b, const struct channel_name *name, struct err_info *err)
{
    const char *kind = channel_kind_name(name->kind);
    if (!is_kind_of_ours(name->kind))
        err_set(err, ERR_NOTFOUND, "RabbitMQ has no %s, only queues, streams and exchanges", kind);
    else
        err_set(err, ERR_NOTFOUND, "no %s %s in vhost %s", *kind ? kind : "queue, stream or exchange",
                name->name, b->endpoint->vhost ? b->endpoint->vhost : "/");
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "`signalbox ls %s` lists them", endpoint_address(b->endpoint));
    if (!suggest_whole_name(b, name, err))
        suggest_near_name(b, name->name, err);
    return ERR_NOTFOUND;
}

static bool has_exchange(struct broker *b, const char *name)
{
    struct rabbit_channel other;
    enum err e = find_exchange(b, name, &other, NULL);
    return e && e != ERR_NOTFOUND ? !rabbit_probe_exchange(b, name) : !e;
}

static enum err ambiguous(const struct broker *b, const char *name, enum channel_kind kind,
                          struct err_info *err)
{
    const char *endpoint = b->endpoint->name, *word = channel_kind_name(kind);
    err_set(err, ERR_USAGE, "%s is the name of a %s and of an exchange", name, word);
    err_where(err, "%s", endpoint);
    err_next(err, "say which: %s:%s or exchange:%s", word, name, name);
    return ERR_USAGE;
}

static enum err no_stream(const struct broker *b, const char *name, enum channel_kind kind,
                          struct err_info *err)
{
    const char *word = channel_kind_name(kind);
    err_set(err, ERR_USAGE, "%s is a %s, not a stream", name, word);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "write %s:%s", word, name);
    return ERR_USAGE;
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
    enum err e = find_one(b, name, found, err);
    if (e)
        return e == ERR_NOTFOUND ? not_found(b, name, err) : e;
    if (name->kind == CHANNEL_STREAM && found->kind != CHANNEL_STREAM)
        return no_stream(b, name->name, found->kind, err);
    if (name->kind == CHANNEL_ANY && found->kind != CHANNEL_EXCHANGE && has_exchange(b, name->name))
        return ambiguous(b, name->name, found->kind, err);
    return ERR_OK;
}
