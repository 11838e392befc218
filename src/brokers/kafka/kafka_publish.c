/* Producing: acknowledged by all replicas in sync, idempotent, one outcome a message through delivery reports. */
#include "brokers/kafka/kafka_producer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CLOSE_FLUSH_MS  500
#define WINDOW_MESSAGES 20000
#define WINDOW_BYTES    (32 * MIB) /* without an outcome; a single larger message passes alone */
/* What a record, a header and a batch take beside their bytes, at most. */
#define RECORD_OVERHEAD 40
#define HEADER_OVERHEAD 10
#define BATCH_OVERHEAD  100

void kafka_publish_say(const struct kafka_publish *p, const char *format, ...)
{
    char text[400];
    va_list args;
    if (!p->sink.notice)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->sink.notice(p->sink.context, text);
}

/* Errors of the library's own come of messages that it gave up; no broker has said a word of them. */
static enum outcome outcome_of(const rd_kafka_message_t *m)
{
    if (!m->err)
        return OUTCOME_CONFIRMED;
    if (rd_kafka_message_status(m) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED)
        return OUTCOME_UNKNOWN;
    return m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
                   m->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || m->err == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE
               ? OUTCOME_UNSENT
               : OUTCOME_REFUSED;
}

static void settle(struct kafka_publish *p, struct kafka_destination *d, const rd_kafka_message_t *m)
{
    size_t bytes = m->len + m->key_len;
    p->pending--;
    p->pending_bytes -= bytes < p->pending_bytes ? bytes : p->pending_bytes;
    d->pending--;
    if (d->pending == 0)
        d->weight = 0;
}

void kafka_publish_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct kafka_state *s = opaque;
    struct kafka_publish *p = s->publish;
    struct kafka_destination *d = rd_kafka_topic_opaque(m->rkt);
    if (!p || p->pending == 0)
        return;
    settle(p, d, m);
    bool given_up = m->err && kafka_transaction_is_over(p, m->err);
    struct publish_outcome o = {.token = (uint64_t)(uintptr_t)m->_private,
                                .outcome = given_up ? OUTCOME_UNSENT : outcome_of(m)};
    if (!m->err)
        o.position = (struct position){POSITION_PARTITION, m->partition, m->offset};
    else if (o.outcome == OUTCOME_UNSENT && !given_up)
        err_set(&o.err, ERR_TIMEOUT, "%s: no broker took the message", d->topic);
    else
        err_set(&o.err, kafka_err(m->err), "%s: %s", d->topic, rd_kafka_err2str(m->err));
    if (!kafka_transaction_outcome(p, &o) && p->sink.outcome)
        p->sink.outcome(p->sink.context, &o);
}

/* ---- opening ---- */

static enum err connect_producer(struct broker *b, struct kafka_publish *p,
                                 const struct publish_request *request, struct err_info *err)
{
    struct kafka_state *s = b->state;
    int64_t most = p->destinations[0].message_most;
    s->batch_most = most > 0 && most < KAFKA_BATCH_DEFAULT ? most : 0;
    enum err e = kafka_claim_name(b, p, request, err);
    if (e)
        return e;
    p->rk = kafka_handle_new(b, RD_KAFKA_PRODUCER, true, err);
    if (!p->rk)
        return err ? err->code : ERR_CONFIG;
    p->events = rd_kafka_queue_get_main(p->rk);
    kafka_queue_watch(s, p->events);
    return kafka_claim(b, p, err);
}

static enum err open_one(struct broker *b, struct kafka_publish *p, const struct publish_request *request,
                         struct err_info *err)
{
    struct kafka_destination *d = &p->destinations[p->count];
    enum err e = kafka_destination_find(b, p, d, request, err);
    if (!e && !p->dry && !p->rk)
        e = connect_producer(b, p, request, err);
    if (!e && !p->dry)
        e = kafka_destination_bind(b, p, d, err);
    p->count += !e;
    return e;
}

enum err kafka_publish_open(struct broker *b, const struct publish_request *request,
                            const struct publish_sink *sink, struct err_info *err)
{
    struct kafka_state *s = b->state;
    enum channel_kind kind = request->to.kind;
    if (kind != CHANNEL_ANY && kind != CHANNEL_TOPIC)
        return err_set(err, ERR_NOTFOUND, "Kafka has no %s, only topics", channel_kind_name(kind));
    if (!s->publish)
        s->publish = calloc(1, sizeof *s->publish);
    struct kafka_publish *p = s->publish;
    if (!p)
        return err_set(err, ERR_NOMEM, "no memory for publishing");
    if (p->count == KAFKA_DESTINATIONS)
        return err_set(err, ERR_LIMIT, "more than %d topics in one session", KAFKA_DESTINATIONS);
    if (p->count == 0) {
        p->sink = *sink;
        p->dry = request->flags & PUBLISH_DRY;
    }
    return open_one(b, p, request, err);
}

/* ---- one message ---- */

static bool compresses(const struct endpoint *e)
{
    const char *type = endpoint_option(e, "compression.type"),
               *codec = endpoint_option(e, "compression.codec");
    return (type && strcmp(type, "none") != 0) || (codec && strcmp(codec, "none") != 0);
}

static size_t size_of(const struct message *m)
{
    size_t size = m->key.len + m->payload.len;
    for (uint32_t i = 0; m->headers.items && i < m->headers.count; i++)
        size += m->headers.items[i].name.len + m->headers.items[i].value.bytes.len;
    return size;
}

/* What is sure to be refused is said before anything is sent. */
static enum err check_size(const struct broker *b, const struct kafka_destination *d, size_t size,
                           struct err_info *err)
{
    if (d->message_most <= 0 || size <= (size_t)d->message_most || compresses(b->endpoint))
        return ERR_OK;
    err_set(err, ERR_LIMIT, "a message of %zu bytes; topic %s takes at most %" PRId64, size, d->topic,
            d->message_most);
    err_where(err, "%s", b->endpoint->name);
    err_next(err,
             "raise the topic's max.message.bytes, or set compression.type among the endpoint's options");
    return ERR_LIMIT;
}

static enum err check_key(const struct broker *b, const struct kafka_destination *d, const struct message *m,
                          struct err_info *err)
{
    if (!d->compacted || m->key.data)
        return ERR_OK;
    err_set(err, ERR_REFUSED, "a message without a key: topic %s is compacted, and takes none", d->topic);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "give it a key, or send it to a topic whose cleanup.policy is delete");
    return ERR_REFUSED;
}

static size_t weight_of(const struct message *m, size_t size)
{
    return size + RECORD_OVERHEAD + HEADER_OVERHEAD * (m->headers.items ? m->headers.count : 0);
}

/* What waits for the broker is bounded in all, and of a narrow topic it must fit into one batch. */
static enum err check_window(const struct kafka_publish *p, const struct kafka_destination *d,
                             const struct message *m, size_t size, struct err_info *err)
{
    bool full = p->pending >= WINDOW_MESSAGES ||
                (p->pending && p->pending_bytes + m->key.len + m->payload.len > WINDOW_BYTES);
    bool narrow =
        d->narrow && d->pending && BATCH_OVERHEAD + d->weight + weight_of(m, size) > (size_t)d->message_most;
    if (!full && !narrow)
        return ERR_OK;
    return err_set(err, ERR_BUSY, "%zu messages wait for the broker", p->pending);
}

static int32_t partition_of(const struct kafka_destination *d, const struct message *m)
{
    bool placed = m->position.offset < 0, alike = d->flags & PUBLISH_ALIKE ? d->alike : true;
    bool kept = (d->flags & (PUBLISH_EXACT | PUBLISH_ALIKE)) && (placed || alike);
    bool own = kept && m->position.kind == POSITION_PARTITION && !kafka_destination_lacks(d, m);
    return own ? m->position.partition : RD_KAFKA_PARTITION_UA;
}

static int64_t time_of(const struct kafka_destination *d, const struct message *m)
{
    const struct value *raw =
        headers_find(m->properties, BYTES_LITERAL("timestamp_ms")); /* see kafka_read.c */
    bool own = m->time_ns == TIME_NONE && raw && raw->type == VALUE_INT64 && raw->i > 0;
    if (!(d->flags & PUBLISH_EXACT) || (!own && (m->time_ns == TIME_NONE || m->time_ns <= 0)))
        return 0; /* now */
    return own ? raw->i : m->time_ns / NS_PER_MS;
}

static enum err produce(struct broker *b, struct kafka_publish *p, struct kafka_destination *d,
                        const struct message *m, uint64_t token, rd_kafka_headers_t *headers,
                        struct err_info *err)
{
    union {
        const void *in;
        void *out;
    } key = {m->key.data}, value = {m->payload.data}; /* RD_KAFKA_MSG_F_COPY: neither is written to */
    rd_kafka_vu_t vus[8] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = d->handle},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition_of(d, m)},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = time_of(d, m)},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key.out, m->key.len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value.out, m->payload.len}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)token},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(p->rk, vus, headers ? 8 : 7);
    if (!error)
        return ERR_OK;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    enum err e = p->transaction.claimed ? kafka_transaction_refused(b, p, code, err)
                                        : kafka_fail(b, code, d->topic, err);
    rd_kafka_error_destroy(error);
    if (headers)
        rd_kafka_headers_destroy(headers);
    return e;
}

/* A topic may be there as two destinations: the library knows it once, and reports to one of them. */
static void count_in(struct kafka_publish *p, struct kafka_destination *d, const struct message *m,
                     size_t size)
{
    struct kafka_destination *reported = rd_kafka_topic_opaque(d->handle);
    p->pending++;
    p->transaction.count++;
    p->pending_bytes += m->key.len + m->payload.len;
    reported->pending++;
    reported->weight += weight_of(m, size);
}

static enum err send_one(struct broker *b, struct kafka_publish *p, struct kafka_destination *d,
                         const struct message *m, uint64_t token, struct err_info *err)
{
    size_t size = size_of(m);
    rd_kafka_headers_t *headers;
    enum err e = check_window(p, d, m, size, err);
    if (!e)
        e = check_size(b, d, size, err);
    if (!e)
        e = check_key(b, d, m, err);
    if (!e)
        e = kafka_headers_of(m, &headers, err);
    if (!e && p->dry && headers)
        rd_kafka_headers_destroy(headers);
    if (e || p->dry)
        return e;
    e = kafka_transaction_begin(b, p, err);
    if (e && headers)
        rd_kafka_headers_destroy(headers);
    if (e)
        return e;
    e = produce(b, p, d, m, token, headers, err);
    if (!e)
        count_in(p, d, m, size);
    return e;
}

enum err kafka_publish_message(struct broker *b, size_t to, const struct message *m, uint64_t token,
                               struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_publish *p = s->publish;
    struct kafka_destination *d = &p->destinations[to];
    bool lacks = kafka_destination_lacks(d, m);
    if (lacks && (d->flags & PUBLISH_PARTITION) && !p->dry)
        return kafka_destination_no_partition(b, d, m->position.partition, err);
    enum err e = send_one(b, p, d, m, token, err);
    d->misplaced += !e && lacks && (d->flags & PUBLISH_EXACT) && !(d->flags & PUBLISH_ALIKE);
    return e;
}

enum err kafka_publish_step(struct broker *b, int timeout_ms, size_t *pending, struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_publish *p = s->publish;
    *pending = 0;
    if (p->dry)
        return ERR_OK;
    kafka_drain(s);
    int served = rd_kafka_poll(p->rk, 0);
    rd_kafka_poll(s->rk, 0);
    if (!served && p->pending && timeout_ms) {
        kafka_wait(b, timeout_ms);
        rd_kafka_poll(p->rk, 0);
    }
    enum err e = kafka_transaction_serve(b, p, err);
    *pending = p->pending + p->transaction.kept_count;
    if (!e && p->pending && s->trouble.code && s->trouble.decisive)
        return kafka_trouble_fail(b, err);
    return e;
}

static void say_misplaced(const struct kafka_publish *p)
{
    for (const struct kafka_destination *d = p->destinations; d < p->destinations + p->count; d++)
        if (d->misplaced)
            kafka_publish_say(
                p, "%zu message%s of a partition that topic %s does not have: %s by key, or anywhere",
                d->misplaced, d->misplaced == 1 ? " is" : "s are", d->topic,
                p->dry ? "to be placed" : "placed");
}

void kafka_publish_close(struct broker *b)
{
    struct kafka_state *s = b->state;
    struct kafka_publish *p = s->publish;
    if (!p)
        return;
    kafka_transaction_drop(b, p);
    if (p->rk && p->pending) {
        /* Reports of what is in flight come out of the purge as "possibly persisted": OUTCOME_UNKNOWN. */
        rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(p->rk, CLOSE_FLUSH_MS);
    }
    kafka_transaction_close(p);
    say_misplaced(p);
    kafka_queue_drop(&p->events);
    for (size_t i = 0; i < p->count; i++)
        if (p->destinations[i].handle)
            rd_kafka_topic_destroy(p->destinations[i].handle);
    if (p->rk)
        rd_kafka_destroy(p->rk);
    free(p);
    s->publish = NULL;
}
