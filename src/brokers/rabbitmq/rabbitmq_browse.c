/* Looking into a queue: basic.get of message after message, all held, then one basic.nack that returns them together. (One
 * get returned before the next would give the same message again.) They are marked redelivered, and invisible to consumers
 * meanwhile: at most 10,000, at most a minute. basic.reject and a closed channel would burn delivery counts: never. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include "base/text.h"

#include <stdio.h>

#define HOLD_MOST 10000
#define HOLD_NS   (60 * NS_PER_S)
#define STEP_MOST 200
/* Up to so many a quorum queue returns in their order, more in that of a hash (keys of an Erlang map; seen on 3.10.8, with
 * a nack for each message too, since its client gathers them). */
#define QUORUM_ORDERED 32

static enum err refuse(const struct broker *b, enum err code, const char *name, const char *why,
                       struct err_info *err)
{
    err_set(err, code, "%s %s", name, why);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "tail it instead: a tap disturbs nobody");
    return code;
}

/* Quorum queues count returns towards their delivery limit: all of them up to 3.13, nack too up to 4.2. The default is 20
 * from 4.0 on, none before. */
static int64_t effective_limit(const struct rabbit *rabbit, const struct rabbit_channel *found)
{
    bool quorum = strcmp(found->type, "quorum") == 0;
    if (!quorum || found->delivery_limit >= 0)
        return quorum ? found->delivery_limit : -1;
    return rabbit->version[0] >= '4' && rabbit->version[1] == '.' ? 20 : -1;
}

enum err rabbit_browse_open(struct broker *b, const struct channel_name *name,
                            const struct rabbit_channel *found, const struct read_request *request,
                            struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    if (request->channel_count > 1)
        return err_set(err, ERR_USAGE, "one queue at a time can be looked into");
    if (found->exclusive)
        return refuse(b, ERR_REFUSED, name->name, "belongs to another connection alone", err);
    if (found->single_active && strcmp(found->type, "quorum") == 0)
        return refuse(b, ERR_UNSUPPORTED, name->name,
                      "is a quorum queue with a single active consumer: it gives nothing to lookers", err);
    r->delivery_limit = effective_limit(rabbit, found);
    if (r->delivery_limit >= 0 && r->delivery_limit < 3)
        return refuse(b, ERR_REFUSED, name->name,
                      "has a delivery limit below 3, and looking counts: messages could be lost", err);
    if (r->delivery_limit >= 0 && found->redelivered == COUNT_UNKNOWN) {
        refuse(b, ERR_REFUSED, name->name,
               "has a delivery limit and, so far, no statistics of returns: looking could lose messages",
               err);
        err_next(err,
                 "statistics come some seconds after the first message; or tail it: a tap disturbs nobody");
        return ERR_REFUSED;
    }
    enum err e = r->delivery_limit >= 0 ? rabbit_looks_begin(b, name->name, found, err) : ERR_OK;
    if (e == ERR_REFUSED)
        return refuse(b, ERR_REFUSED, name->name,
                      "may hold messages near its delivery limit, and looking counts: they could be lost",
                      err);
    if (e)
        return e;
    r->mode = RABBIT_GET;
    text_copy(r->queue, sizeof r->queue, name->name);
    struct rabbit_source *s = rabbit_source_add(b, name->name, CHANNEL_QUEUE);
    if (!s)
        return err_set(err, ERR_LIMIT, "too many channels for one session");
    r->snapshot = -1;
    r->progress.total = found->depth;
    r->give_back_ns = clock_mono_ns() + HOLD_NS;
    if (strcmp(found->type, "quorum") == 0 && r->left > QUORUM_ORDERED &&
        (found->depth < 0 || found->depth > QUORUM_ORDERED))
        r->sink.notice(r->sink.context, "a quorum queue takes more than 32 messages back in another order: "
                                        "a limit of 32 keeps it");
    if (found->consumers > 0)
        r->sink.notice(r->sink.context,
                       "the queue has consumers: while this looks, they do not see the messages it holds");
    return ERR_OK;
}

static int64_t delivery_count(const struct message *m)
{
    const struct value *v = headers_find(m->headers, BYTES_LITERAL("x-delivery-count"));
    return !v ? 0 : v->type == VALUE_INT64 || v->type == VALUE_INT32 ? v->i : (int64_t)v->u;
}

static enum err done(struct rabbit_reader *r, const char *why)
{
    char total[40] = "?";
    if (r->progress.total >= 0)
        text_count(total, sizeof total, (uint64_t)r->progress.total);
    return rabbit_finish(r, "%s: looked at %lld of %s, all returned", why, (long long)r->held, total);
}

/* One message; *more is false at the end. */
static enum err get_one(struct broker *b, struct rabbit_reader *r, bool *more, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    amqp_maybe_release_buffers(rabbit->connection);
    amqp_rpc_reply_t reply = amqp_basic_get(rabbit->connection, RABBIT_CHANNEL, rabbit_text(r->queue), 0);
    enum err e = rabbit_reply(b, reply, "looking into the queue", err);
    *more = !e && reply.reply.id == AMQP_BASIC_GET_OK_METHOD;
    r->empty = !e && !*more;
    if (r->empty && r->snapshot < 0)
        r->progress.total = 0; /* the management API counts late, if it is there at all */
    if (!*more)
        return e;
    const amqp_basic_get_ok_t *ok = reply.reply.decoded;
    uint64_t tag = ok->delivery_tag;
    bool redelivered = ok->redelivered;
    amqp_bytes_t exchange = ok->exchange, key = ok->routing_key;
    if (r->snapshot < 0)
        r->snapshot = (int64_t)ok->message_count + 1;
    amqp_message_t content;
    e = rabbit_reply(b, amqp_read_message(rabbit->connection, RABBIT_CHANNEL, &content, 0),
                     "looking into the queue", err);
    if (e)
        return e;
    r->held++;
    r->last_tag = tag;
    r->progress.scanned++;
    r->progress.total = r->snapshot;
    struct message m = {.origin = r->sources[0].origin, .flags = redelivered ? MESSAGE_REDELIVERED : 0};
    arena_reset(&r->arena);
    rabbit_message(&m, &content, exchange, key, &r->arena);
    bool near = r->delivery_limit >= 0 && rabbit_looks_saw(r, delivery_count(&m), redelivered);
    rabbit_emit(r, &m);
    amqp_destroy_message(&content);
    return near ? done(r, "a message is close to its delivery limit") : ERR_OK;
}

enum err rabbit_browse_step(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    bool more = true;
    for (int n = 0; n < STEP_MOST && !r->paused && !atomic_load(b->cancelled); n++) {
        if (r->stopped || r->left <= 0)
            return done(r, "the limit was reached");
        if (r->held >= HOLD_MOST)
            return done(r, "10,000 messages are held at most");
        if (clock_mono_ns() >= r->give_back_ns)
            return done(r, "messages are held a minute at most");
        if (r->snapshot >= 0 && r->held >= r->snapshot)
            return done(r, "the end as it stood at the start was reached");
        enum err e = get_one(b, r, &more, err);
        if (e)
            return e;
        if (!more)
            return done(r, "the end as it stood at the start was reached");
    }
    return ERR_OK;
}

enum err rabbit_browse_return(struct broker *b, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    if (r->mode == RABBIT_GET && r->delivery_limit >= 0)
        rabbit_looks_end(b, r->empty || (r->snapshot >= 0 && r->held >= r->snapshot));
    if (r->mode != RABBIT_GET || r->held == 0 || !rabbit->connection)
        return ERR_OK;
    int status = amqp_basic_nack(rabbit->connection, RABBIT_CHANNEL, r->last_tag, 1, 1);
    r->held = 0;
    if (status == AMQP_STATUS_OK)
        return ERR_OK;
    /* The broker returns them itself when the connection goes. */
    enum err e = rabbit_status(b, status, err);
    err_next(err, "the broker returns the messages by itself, as after a failed delivery");
    return e;
}
