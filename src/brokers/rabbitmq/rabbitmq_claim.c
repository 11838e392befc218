/* Whose operation it is. A session that claims a name consumes the queue signalbox.claim.NAME alone (exclusive), on the channel that it
 * publishes on. The broker lets the next one consume once that channel's process has ended, and what that process has passed on to
 * queues is taken from them before what comes later. So whoever holds the claim and reads a queue sees all that an earlier session has
 * sent there, however that one ended. (What a classic queue counts may lag behind for a moment.)
 *
 * Not by an exclusive queue: that one goes with its connection, whose channels may still be at work. Tried on 3.10.8: killed while it
 * published to a quorum queue, 20 of 3,000 messages came after such a claim was had; with a slow disk each time one did. It
 * is durable, since later versions refuse others; it goes with its consumer, or, after a broker's crash, ten seconds later. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include <stdio.h>
#include <sys/poll.h>

#define AGAIN_MS   50
#define EXPIRES_MS 10000

static amqp_table_entry_t text_entry(const char *name, const char *value)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(name), .value = {.kind = AMQP_FIELD_KIND_UTF8}};
    e.value.value.bytes = amqp_cstring_bytes(value);
    return e;
}

/* ERR_NOTFOUND: it went between the two questions. */
static enum err try_claim(struct broker *b, amqp_channel_t channel, const char *queue, struct err_info *err)
{
    struct rabbit *r = b->state;
    amqp_table_entry_t entries[] = {
        text_entry("x-queue-type", "classic"),
        {.key = amqp_cstring_bytes("x-expires"),
         .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = EXPIRES_MS}}},
    };
    amqp_queue_declare(r->connection, channel, rabbit_text(queue), 0, 1, 0, 1, (amqp_table_t){2, entries});
    enum err e =
        rabbit_reply_on(b, channel, amqp_get_rpc_reply(r->connection), "claiming the operation", err);
    if (e)
        return e;
    amqp_basic_consume(r->connection, channel, rabbit_text(queue), rabbit_text("claim"), 0, 1, 1,
                       amqp_empty_table);
    return rabbit_reply_on(b, channel, amqp_get_rpc_reply(r->connection), "claiming the operation", err);
}

/* "403 ACCESS_REFUSED - queue 'x' in vhost '/' in exclusive use", against "403 ACCESS_REFUSED - access to queue 'x' ... refused". */
static bool is_held(const struct err_info *err)
{
    return strstr(err->text, "in exclusive use") != NULL;
}

static enum err busy(const struct broker *b, const char *claim, const char *queue, struct err_info *err)
{
    err_set(err, ERR_BUSY, "another signalbox works on %s", claim);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "wait for its end, or end it: its connection is the consumer of the queue %s", queue);
    return ERR_BUSY;
}

enum err rabbit_claim(struct broker *b, amqp_channel_t channel, const char *claim,
                      const struct publish_sink *sink, struct err_info *err)
{
    char queue[256];
    enum err e;
    snprintf(queue, sizeof queue, RABBIT_CLAIM "%s", claim);
    while ((e = try_claim(b, channel, queue, err)) == ERR_NOTFOUND || (e == ERR_DENIED && is_held(err))) {
        if (atomic_load(b->cancelled))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (clock_mono_ns() >= b->deadline_ns)
            return busy(b, claim, queue, err);
        poll(NULL, 0, AGAIN_MS);
    }
    if (e != ERR_DENIED)
        return e;
    if (sink->notice)
        sink->notice(sink->context, "the login may not make and read the queue " RABBIT_CLAIM
                                    "*, by which one operation keeps others off: see to it that no other "
                                    "signalbox works on this one, and that its earlier run has ended");
    *err = (struct err_info){.code = ERR_OK};
    return ERR_OK;
}
