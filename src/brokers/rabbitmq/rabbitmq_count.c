/* How many messages a queue has, and the broker's own purge of it. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

static enum err refuse_exchange(const struct broker *b, const char *name, struct err_info *err)
{
    err_set(err, ERR_UNSUPPORTED, "%s is an exchange, which keeps nothing", name);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "name a queue that is bound to it");
    return ERR_UNSUPPORTED;
}

enum err rabbit_count(struct broker *b, const struct channel_name *channel, int64_t *ready, int64_t *unacked,
                      struct err_info *err)
{
    struct rabbit_channel found;
    int64_t consumers;
    *ready = *unacked = COUNT_UNKNOWN;
    enum err e = rabbit_find(b, channel, &found, err);
    if (e)
        return e;
    if (found.kind == CHANNEL_EXCHANGE)
        return refuse_exchange(b, channel->name, err);
    *unacked = found.unacked; /* the statistics' alone, up to five seconds late */
    *ready = found.depth;
    bool quorum = strcmp(found.type, "quorum") == 0;
    return found.kind == CHANNEL_STREAM
               ? ERR_OK
               : rabbit_ready_on(b, RABBIT_CHANNEL, channel->name, quorum, ready, &consumers, err);
}

/* What is with consumers or on its way back stays. */
enum err rabbit_truncate(struct broker *b, const struct channel_name *channel,
                         const struct read_places *up_to, int64_t *removed, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_channel found;
    (void)up_to; /* a queue has no places */
    *removed = COUNT_UNKNOWN;
    enum err e = rabbit_find(b, channel, &found, err);
    if (e)
        return e;
    if (found.kind == CHANNEL_EXCHANGE)
        return refuse_exchange(b, channel->name, err);
    if (found.kind == CHANNEL_STREAM) {
        err_set(err, ERR_UNSUPPORTED, "%s is a stream: only its retention takes messages off it",
                channel->name);
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "shorten its retention (max-age, max-length-bytes) by a policy");
        return ERR_UNSUPPORTED;
    }
    const amqp_queue_purge_ok_t *ok =
        amqp_queue_purge(rabbit->connection, RABBIT_CHANNEL, rabbit_text(channel->name));
    if (ok)
        *removed = ok->message_count;
    return rabbit_last_reply(b, "purging the queue", err);
}
