/* What the broker hands out, taken from the frames. The library's own way (amqp_consume_message, amqp_read_message) copies everything,
 * and refuses a message whose headers have an empty name anywhere, which brokers pass on. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/limits.h"

#include <stdlib.h>

/* What must not come between a message's frames, but the connection's own words may (AMQP 0-9-1 section 4.2.6). */
static enum err next_of(struct broker *b, uint8_t type, amqp_frame_t *frame, struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    enum err e = ERR_OK;
    do {
        int status = amqp_simple_wait_frame(rabbit->connection, frame);
        e = status ? rabbit_status(b, status, err) : ERR_OK;
        if (!e && frame->channel == RABBIT_CHANNEL && frame->frame_type == type)
            return ERR_OK;
        if (!e && frame->channel == RABBIT_CHANNEL && frame->frame_type != AMQP_FRAME_METHOD)
            return err_set(err, ERR_PROTOCOL, "a message's frames are out of order");
        if (!e)
            e = rabbit_other_frame(b, frame, err);
    } while (!e);
    return e;
}

/* One frame is borrowed, of several the body is put together. */
static enum err read_body(struct broker *b, uint64_t size, struct rabbit_delivery *d, struct err_info *err)
{
    if (size > LIMIT_MESSAGE)
        return err_set(err, ERR_LIMIT, "a message of %llu bytes", (unsigned long long)size);
    for (size_t have = 0; have < size;) {
        amqp_frame_t frame;
        enum err e = next_of(b, AMQP_FRAME_BODY, &frame, err);
        if (e)
            return e;
        amqp_bytes_t part = frame.payload.body_fragment;
        if (part.len > size - have)
            return err_set(err, ERR_PROTOCOL, "a message is longer than was announced");
        if (part.len == size) {
            d->body = bytes_of(part.bytes, part.len);
            return ERR_OK;
        }
        if (!d->owned && !(d->owned = malloc(size)))
            return err_set(err, ERR_NOMEM, "no memory for a message of %llu bytes", (unsigned long long)size);
        memcpy(d->owned + have, part.bytes, part.len);
        have += part.len;
        d->body = bytes_of(d->owned, have);
    }
    return ERR_OK;
}

enum err rabbit_content(struct broker *b, struct rabbit_delivery *d, struct err_info *err)
{
    amqp_frame_t frame;
    d->owned = NULL;
    d->body = BYTES_LITERAL("");
    enum err e = next_of(b, AMQP_FRAME_HEADER, &frame, err);
    if (e)
        return e;
    d->properties = frame.payload.properties.decoded;
    e = read_body(b, frame.payload.properties.body_size, d, err);
    if (e)
        rabbit_delivery_free(d);
    return e;
}

void rabbit_delivery_free(struct rabbit_delivery *d)
{
    free(d->owned);
    d->owned = NULL;
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
    *d = (struct rabbit_delivery){.tag = m->delivery_tag,
                                  .redelivered = m->redelivered,
                                  .consumer = m->consumer_tag,
                                  .exchange = m->exchange,
                                  .routing_key = m->routing_key};
    enum err e = rabbit_content(b, d, err);
    *came = e ? RABBIT_NOTHING : RABBIT_DELIVERY;
    return e;
}
