/* What the broker hands out, taken from the frames. The library's own way (amqp_consume_message, amqp_read_message) copies everything,
 * and refuses a message whose headers have an empty name anywhere, which brokers pass on. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/limits.h"

#include <stdlib.h>

/* What must not come between a message's frames, but the connection's own words may (AMQP 0-9-1 section 4.2.6). */
static enum err next_of(struct broker *b, amqp_channel_t channel, uint8_t type, amqp_frame_t *frame,
                        struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    enum err e = ERR_OK;
    do {
        int status = amqp_simple_wait_frame(rabbit->connection, frame);
        e = status ? rabbit_status(b, status, err) : ERR_OK;
        if (!e && frame->channel == channel && frame->frame_type == type)
            return ERR_OK;
        if (!e && frame->channel == channel && frame->frame_type != AMQP_FRAME_METHOD)
            return err_set(err, ERR_PROTOCOL, "a message's frames are out of order");
        if (!e)
            e = rabbit_other_frame(b, frame, err);
    } while (!e);
    return e;
}

/* The library keeps every frame of a message until its buffers are released: a large body would be in memory twice. So what came before
 * it is kept apart, and each of its frames is released as soon as it was copied. */
static enum err keep_apart(struct rabbit_delivery *d, uint64_t size, struct err_info *err)
{
    struct message m = {.flags = 0};
    struct arena arena;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    rabbit_message(&m, d, &arena);
    d->kept = message_seal(&m, NULL);
    arena_free(&arena);
    d->owned = d->kept ? malloc(size) : NULL;
    if (!d->owned)
        return err_set(err, ERR_NOMEM, "no memory for a message of %llu bytes", (unsigned long long)size);
    rabbit_copy(d->consumer_text, sizeof d->consumer_text, d->consumer);
    d->consumer = rabbit_text(d->consumer_text);
    return ERR_OK;
}

static enum err read_part(struct broker *b, uint64_t size, struct rabbit_delivery *d, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    amqp_frame_t frame;
    enum err e = next_of(b, d->channel, AMQP_FRAME_BODY, &frame, err);
    amqp_bytes_t part = e ? amqp_empty_bytes : frame.payload.body_fragment;
    if (!e && part.len > size - d->body.len)
        e = err_set(err, ERR_PROTOCOL, "a message is longer than was announced");
    if (!e && part.len == size) { /* one frame is borrowed */
        d->body = bytes_of(part.bytes, part.len);
        return ERR_OK;
    }
    if (!e && !d->owned)
        e = keep_apart(d, size, err);
    if (e)
        return e;
    memcpy(d->owned + d->body.len, part.bytes, part.len);
    d->body = bytes_of(d->owned, d->body.len + part.len);
    amqp_maybe_release_buffers_on_channel(rabbit->connection, d->channel);
    return ERR_OK;
}

enum err rabbit_content(struct broker *b, struct rabbit_delivery *d, struct err_info *err)
{
    amqp_frame_t frame;
    d->owned = NULL;
    d->kept = NULL;
    d->body = BYTES_LITERAL("");
    enum err e = next_of(b, d->channel, AMQP_FRAME_HEADER, &frame, err);
    if (e)
        return e;
    uint64_t size = frame.payload.properties.body_size;
    d->properties = frame.payload.properties.decoded;
    if (size > LIMIT_MESSAGE)
        return err_set(err, ERR_LIMIT, "a message of %llu bytes", (unsigned long long)size);
    while (!e && d->body.len < size)
        e = read_part(b, size, d, err);
    if (e)
        rabbit_delivery_free(d);
    return e;
}

void rabbit_delivery_free(struct rabbit_delivery *d)
{
    free(d->owned);
    d->owned = NULL;
    message_unref(&d->kept);
}

enum err rabbit_receive(struct broker *b, int timeout_ms, struct rabbit_delivery *d, amqp_frame_t *frame,
                        enum rabbit_came *came, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    *came = RABBIT_NOTHING;
    int status = amqp_simple_wait_frame_noblock(rabbit->connection, frame, &timeout);
    if (status)
        return rabbit_status(b, status, err);
    *came = RABBIT_OTHER;
    if (frame->frame_type != AMQP_FRAME_METHOD || frame->payload.method.id != AMQP_BASIC_DELIVER_METHOD)
        return ERR_OK;
    const amqp_basic_deliver_t *m = frame->payload.method.decoded;
    *d = (struct rabbit_delivery){.channel = frame->channel,
                                  .tag = m->delivery_tag,
                                  .redelivered = m->redelivered,
                                  .consumer = m->consumer_tag,
                                  .exchange = m->exchange,
                                  .routing_key = m->routing_key};
    enum err e = rabbit_content(b, d, err);
    *came = e ? RABBIT_NOTHING : RABBIT_DELIVERY;
    return e;
}
