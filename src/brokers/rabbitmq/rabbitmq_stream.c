/* Streams over AMQP 0-9-1: basic.consume with x-stream-offset, prefetch obligatory, acknowledgements are credit alone. Nothing
 * is marked or removed. The end of a browse is the offset of the newest message, which a look at the last chunk tells. */
#include "brokers/rabbitmq/rabbitmq_reader.h"

#include <stdio.h>
#include <stdlib.h>

#define LAST_CHUNK_SILENCE_MS 300
#define LAST_CHUNK_MOST_NS    (5 * NS_PER_S)

static amqp_table_entry_t offset_text(const char *value)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes("x-stream-offset")};
    e.value.kind = AMQP_FIELD_KIND_UTF8;
    e.value.value.bytes = amqp_cstring_bytes(value);
    return e;
}

static amqp_table_entry_t offset_of(const struct start *start, enum start_kind kind, int64_t newest)
{
    amqp_table_entry_t e = offset_text("first");
    int64_t value = start->value;
    switch (kind) {
    case START_END: return offset_text("next");
    case START_TIME: /* seconds; reading begins at the chunk that holds it, so that earlier messages come too */
        e.value.kind = AMQP_FIELD_KIND_TIMESTAMP;
        e.value.value.u64 = (uint64_t)(value / NS_PER_S);
        return e;
    case START_LAST:
        value = newest - value + 1 > 0 ? newest - value + 1 : 0;
        /* fall through */
    case START_OFFSET:
        e.value.kind = AMQP_FIELD_KIND_I64;
        e.value.value.i64 = value;
        return e;
    default: return e;
    }
}

void rabbit_stream_position(struct message *m)
{
    struct headers h = m->headers;
    for (uint32_t i = 0; h.items && i < h.count; i++) {
        if (!bytes_equal_text(h.items[i].name, "x-stream-offset"))
            continue;
        const struct value *v = &h.items[i].value;
        m->position = (struct position){POSITION_OFFSET, 0, v->type == VALUE_UINT64 ? (int64_t)v->u : v->i};
        /* The list is the arena's and ours to change: the broker added this one, the sender did not. */
        struct header *items = (struct header *)(uintptr_t)h.items;
        for (uint32_t k = i; k + 1 < h.count; k++)
            items[k] = items[k + 1];
        m->headers.count--;
        return;
    }
}

/* ---- the newest offset ---- */

static int64_t delivery_offset(struct rabbit_reader *r, const amqp_envelope_t *envelope)
{
    struct message m = {.headers = {NULL, 0}};
    arena_reset(&r->arena);
    rabbit_message(&m, &envelope->message, envelope->exchange, envelope->routing_key, &r->arena);
    rabbit_stream_position(&m);
    return m.position.offset;
}

/* -1: the stream is empty. The last chunk comes in one burst; a moment of silence ends it. */
static enum err newest_offset(struct broker *b, const char *name, int64_t *newest, struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    amqp_table_entry_t entry = offset_text("last");
    amqp_table_t arguments = {1, &entry};
    int64_t end = clock_mono_ns() + LAST_CHUNK_MOST_NS;
    *newest = -1;
    amqp_basic_consume(rabbit->connection, RABBIT_CHANNEL, rabbit_text(name), rabbit_text("newest"), 0, 0, 0,
                       arguments);
    enum err e = rabbit_last_reply(b, "looking at the end of the stream", err);
    while (!e && clock_mono_ns() < end && !atomic_load(b->cancelled)) {
        amqp_envelope_t envelope;
        struct timeval silence = {0, LAST_CHUNK_SILENCE_MS * 1000};
        amqp_rpc_reply_t reply = amqp_consume_message(rabbit->connection, &envelope, &silence, 0);
        if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
            if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
                reply.library_error == AMQP_STATUS_TIMEOUT)
                break;
            return rabbit_reply(b, reply, "looking at the end of the stream", err);
        }
        int64_t offset = delivery_offset(r, &envelope);
        *newest = offset > *newest ? offset : *newest;
        amqp_basic_ack(rabbit->connection, RABBIT_CHANNEL, envelope.delivery_tag, 0);
        amqp_destroy_envelope(&envelope);
    }
    if (!e) {
        amqp_basic_cancel(rabbit->connection, RABBIT_CHANNEL, rabbit_text("newest"));
        e = rabbit_last_reply(b, "looking at the end of the stream", err);
    }
    return e;
}

enum err rabbit_stream_open(struct broker *b, const char *name, const struct read_request *request,
                            struct err_info *err)
{
    struct rabbit *rabbit = b->state;
    struct rabbit_reader *r = rabbit->reader;
    enum start_kind kind = request->start.kind;
    int64_t newest = -1;
    enum err e = ERR_OK;
    if (kind == START_DEFAULT)
        kind = r->browse ? START_BEGINNING : START_END;
    if (r->browse || kind == START_LAST || kind == START_OFFSET)
        e = newest_offset(b, name, &newest, err);
    if (e)
        return e;
    if (kind == START_OFFSET && request->start.value > newest + 1) {
        err_set(err, ERR_USAGE, "offset %lld is beyond the end: the newest message has %lld",
                (long long)request->start.value, (long long)newest);
        err_where(err, "%s/%s", b->endpoint->name, name);
        err_next(err, "--from end is what comes next; --from end-10 the last ten");
        return ERR_USAGE;
    }
    struct rabbit_source *s = rabbit_source_add(b, name, CHANNEL_STREAM);
    if (!s)
        return err_set(err, ERR_LIMIT, "too many channels for one session");
    s->stream = true;
    if (r->browse) {
        r->stream_end = newest;
        r->progress.total = newest + 1;
        r->progress.total_upper = true;
        bool nothing =
            newest < 0 || (kind == START_OFFSET && request->start.value > newest) || kind == START_END;
        if (nothing) {
            r->stream_end = -1;
            return ERR_OK;
        }
    }
    amqp_table_entry_t entry = offset_of(&request->start, kind, newest);
    amqp_table_t arguments = {1, &entry};
    return rabbit_consume(b, rabbit_text(name), &arguments, err);
}
