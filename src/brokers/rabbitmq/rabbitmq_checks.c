/* What the broker would refuse of a message by closing the channel, and with it all that is on its way: said before it is sent. */
#include "brokers/rabbitmq/rabbitmq_internal.h"

#include "base/text.h"

/* The broker checks user_id against the login and closes the channel: better said before. */
static enum err check_user(const struct broker *b, const struct message *m, struct err_info *err)
{
    const struct value *v = headers_find(m->properties, BYTES_LITERAL("user_id"));
    const char *user = b->endpoint->username ? b->endpoint->username : "guest";
    bool text = v && (v->type == VALUE_STRING || v->type == VALUE_BYTES);
    if (!text || bytes_equal_text(v->bytes, user))
        return ERR_OK;
    err_set(err, ERR_DENIED, "property user_id is %.*s, the login is %s: the broker refuses that",
            (int)v->bytes.len, (const char *)v->bytes.data, user);
    err_next(err, "log in as that user, or take user_id out of the message");
    return ERR_DENIED;
}

/* As the broker reads it (rabbit_basic:parse_expiration): it closes the channel for any other, and with it for what is on its way. */
static enum err check_expiration(const struct broker *b, const struct message *m, struct err_info *err)
{
    const struct value *v = headers_find(m->properties, BYTES_LITERAL("expiration"));
    char text[24];
    int64_t ms;
    if (!v || (v->type != VALUE_STRING && v->type != VALUE_BYTES))
        return ERR_OK;
    if (v->bytes.len < sizeof text && text_int64(text_copy_bytes(text, sizeof text, v->bytes), &ms) &&
        ms >= 0 && ms <= UINT32_MAX)
        return ERR_OK;
    err_set(err, ERR_USAGE, "property expiration is `%.*s`", (int)(v->bytes.len < 40 ? v->bytes.len : 40),
            (const char *)v->bytes.data);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "it is a text of milliseconds, \"60000\", up to 4294967295");
    return ERR_USAGE;
}

/* RabbitMQ's sender-selected distribution: the broker would send copies to queues that nobody named here. */
static enum err check_copies(const struct broker *b, const struct message *m, struct err_info *err)
{
    static const char *const names[] = {"CC", "BCC"};
    for (size_t i = 0; i < 2; i++) {
        if (!headers_find(m->headers, bytes_of_text(names[i])))
            continue;
        err_set(err, ERR_REFUSED,
                "a message with the header %s: RabbitMQ would send copies to the queues that it lists",
                names[i]);
        err_where(err, "%s", b->endpoint->name);
        err_next(
            err,
            "take the header out (an archive: export it as .jsonl first), and send to each queue by name");
        return ERR_REFUSED;
    }
    return ERR_OK;
}

/* Tried on 3.10.8: the broker ends the connection (541), and with it what is on its way, once a stream is to keep one. */
static enum err check_decimals(const struct broker *b, const struct message *m, struct err_info *err)
{
    for (uint32_t i = 0; m->headers.items && i < m->headers.count; i++) {
        if (m->headers.items[i].value.type != VALUE_DECIMAL)
            continue;
        err_set(err, ERR_REFUSED,
                "a message with a header of the type decimal, which no stream of RabbitMQ can keep");
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "give that header another type, or send the message to a queue");
        return ERR_REFUSED;
    }
    return ERR_OK;
}

enum err rabbit_check_message(const struct broker *b, const struct message *m, bool to_stream,
                              struct err_info *err)
{
    enum err e = check_user(b, m, err);
    if (!e)
        e = check_expiration(b, m, err);
    if (!e)
        e = check_copies(b, m, err);
    return e || !to_stream ? e : check_decimals(b, m, err);
}

/* Properties go in one frame, of which 20 bytes are not theirs. The library finds out when half of the message is sent, and the
 * connection goes with it. */
enum err rabbit_check_room(const struct broker *b, struct arena *arena, amqp_basic_properties_t *properties,
                           struct err_info *err)
{
    const struct rabbit *rabbit = b->state;
    size_t frame = (size_t)amqp_get_frame_max(rabbit->connection);
    amqp_bytes_t room = {.len = frame - 20};
    char most[32];
    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return ERR_OK;
    room.bytes = arena_alloc(arena, room.len);
    if (!room.bytes)
        return err_set(err, ERR_NOMEM, "no memory for the headers");
    if (amqp_encode_properties(AMQP_BASIC_CLASS, properties, room) >= 0)
        return ERR_OK;
    err_set(err, ERR_LIMIT, "the headers are larger than a frame: AMQP takes %s of them at most",
            text_bytes(most, sizeof most, frame));
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "shorten them, or put what is large into the payload");
    return ERR_LIMIT;
}
