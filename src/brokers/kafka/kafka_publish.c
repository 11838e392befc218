/* Producing: acknowledged by all replicas in sync, idempotent, one outcome a message through delivery reports. */
#include "brokers/kafka/kafka_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CLOSE_FLUSH_MS   500
#define CREATED_POLL_MS  50
#define EXISTING_RETRIES 200
#define BATCH_DEFAULT    1000000
#define WINDOW_MESSAGES  20000
#define WINDOW_BYTES     (32 * MIB) /* without an outcome; a single larger message passes alone */

struct kafka_publish {
    rd_kafka_t *rk;
    rd_kafka_queue_t *events;
    char topic[256];
    int32_t partitions;
    int64_t message_most; /* bytes that the topic takes at once; -1: not known */
    uint32_t flags;
    struct publish_sink sink;
    size_t pending, pending_bytes;
    size_t misplaced; /* messages whose own partition is not there */
};

static void notice(const struct kafka_publish *p, const char *format, ...) SB_PRINTF(2, 3);
static void notice(const struct kafka_publish *p, const char *format, ...)
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

static void report(struct kafka_publish *p, struct publish_outcome *o)
{
    p->pending--;
    if (p->sink.outcome)
        p->sink.outcome(p->sink.context, o);
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

void kafka_publish_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct kafka_state *s = opaque;
    struct kafka_publish *p = s->publish;
    if (!p || p->pending == 0)
        return;
    size_t bytes = m->len + m->key_len;
    p->pending_bytes -= bytes < p->pending_bytes ? bytes : p->pending_bytes;
    struct publish_outcome o = {.token = (uint64_t)(uintptr_t)m->_private, .outcome = outcome_of(m)};
    if (!m->err)
        o.position = (struct position){POSITION_PARTITION, m->partition, m->offset};
    else if (o.outcome == OUTCOME_UNSENT)
        err_set(&o.err, ERR_TIMEOUT, "%s: no broker took the message", p->topic);
    else
        err_set(&o.err, kafka_err(m->err), "%s: %s", p->topic, rd_kafka_err2str(m->err));
    report(p, &o);
}

/* ---- opening ---- */

static enum err created(struct broker *b, rd_kafka_event_t *event, const char *name, struct err_info *err)
{
    size_t n = 0;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics = result ? rd_kafka_CreateTopics_result_topics(result, &n) : NULL;
    if (rd_kafka_event_error(event))
        return kafka_fail(b, rd_kafka_event_error(event), "creating the topic", err);
    rd_kafka_resp_err_t e = n ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!e || e == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return ERR_OK;
    return kafka_fail(b, e, name, err);
}

/* 0 partitions: the broker's default, as for the replicas. Dry: the broker only says whether it would. */
static enum err create(struct broker *b, const struct kafka_publish *p, int32_t partitions,
                       struct err_info *err)
{
    struct kafka_state *s = b->state;
    char text[200];
    if (s->mock)
        return err_set(err, ERR_UNSUPPORTED, "the mock cluster answers no administration");
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(p->topic, partitions ? partitions : -1, -1, text, sizeof text);
    if (!topic)
        return err_set(err, ERR_USAGE, "topic %s: %s", p->topic, text);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(s->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, kafka_left_ms(b), text, sizeof text);
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, kafka_left_ms(b), text, sizeof text);
    (void)rd_kafka_AdminOptions_set_validate_only(options, (p->flags & PUBLISH_DRY) != 0, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(s->rk);
    rd_kafka_CreateTopics(s->rk, &topic, 1, options, queue);
    rd_kafka_event_t *event;
    enum err e = kafka_answer(b, queue, "creating the topic", &event, err);
    if (!e)
        e = created(b, event, p->topic, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    return e;
}

/* The controller said yes; the broker that is asked next may hear of it a moment later. */
static enum err await(struct broker *b, struct kafka_publish *p, struct err_info *err)
{
    const struct rd_kafka_metadata *md = NULL;
    enum err e = ERR_NOTFOUND;
    for (int i = 0; i < EXISTING_RETRIES; i++) {
        e = kafka_topic_metadata(b, p->topic, &md, err);
        if ((e != ERR_NOTFOUND && e != ERR_UNREACHABLE) || clock_mono_ns() >= b->deadline_ns ||
            atomic_load(b->cancelled))
            break;
        kafka_wait(b, CREATED_POLL_MS);
    }
    if (e == ERR_NOTFOUND)
        return err_set(err, ERR_TIMEOUT, "topic %s was created, but is not seen yet", p->topic);
    if (e)
        return e;
    p->partitions = md->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(md);
    notice(p, "topic %s was made with %d partition%s", p->topic, p->partitions,
           p->partitions == 1 ? "" : "s");
    return ERR_OK;
}

static enum err make(struct broker *b, struct kafka_publish *p, int32_t partitions, struct err_info *err)
{
    if (partitions > LIMIT_PARTITIONS) {
        err_set(err, ERR_LIMIT, "topic %s would need %d partitions; at most %d are made in passing", p->topic,
                partitions, LIMIT_PARTITIONS);
        err_where(err, "%s", b->endpoint->name);
        err_next(err, "make the topic with Kafka's own tools first");
        return ERR_LIMIT;
    }
    enum err e = create(b, p, partitions, err);
    if (e || !(p->flags & PUBLISH_DRY))
        return e ? e : await(b, p, err);
    p->partitions = INT32_MAX; /* it would have what the messages name */
    if (partitions)
        notice(p, "topic %s is missing and would be made with %d partition%s", p->topic, partitions,
               partitions == 1 ? "" : "s");
    else
        notice(p, "topic %s is missing and would be made", p->topic);
    return ERR_OK;
}

static enum err no_partition(const struct broker *b, const struct kafka_publish *p, int32_t partition,
                             struct err_info *err)
{
    err_set(err, ERR_NOTFOUND, "topic %s has no partition %d", p->topic, partition);
    err_where(err, "%s", b->endpoint->name);
    err_next(err,
             "its partitions are 0 to %d; add some, or let --create make another topic with all of them%s",
             p->partitions - 1, p->flags & PUBLISH_UNCOUNTED ? ", of messages in a file" : "");
    return ERR_NOTFOUND;
}

/* Of messages that are counted as they come: too late for the making. err: that of the look-up. */
static enum err uncounted(const struct broker *b, const struct kafka_publish *p, struct err_info *err)
{
    char near[sizeof err->next];
    text_copy(near, sizeof near, err->next);
    if (p->flags & PUBLISH_CREATE)
        err_set(
            err, ERR_NOTFOUND,
            "topic %s is missing, and how many partitions the messages of a pipe name is not known before it is made",
            p->topic);
    err_where(err, "%s", b->endpoint->name);
    err_next(err, "%s%smake the topic first, or put the messages in a file, which --create can count", near,
             *near ? "; " : "");
    return ERR_NOTFOUND;
}

/* Those whose messages its brokers refuse. */
static bool is_kafkas_own(const char *topic)
{
    return strcmp(topic, "__consumer_offsets") == 0 || strcmp(topic, "__transaction_state") == 0 ||
           strcmp(topic, "__share_group_state") == 0;
}

static enum err kafkas_own(const struct broker *b, const struct kafka_publish *p, struct err_info *err)
{
    err_set(err, ERR_UNSUPPORTED, "topic %s is Kafka's own and takes no messages", p->topic);
    err_where(err, "%s", b->endpoint->name);
    return ERR_UNSUPPORTED;
}

static enum err find_or_make(struct broker *b, struct kafka_publish *p, int32_t partitions,
                             struct err_info *err)
{
    const struct rd_kafka_metadata *md = NULL;
    if (is_kafkas_own(p->topic))
        return kafkas_own(b, p, err);
    enum err e = kafka_topic_metadata(b, p->topic, &md, err);
    if (e == ERR_NOTFOUND && (p->flags & PUBLISH_UNCOUNTED))
        return uncounted(b, p, err);
    if (e == ERR_NOTFOUND && (p->flags & PUBLISH_CREATE))
        return make(b, p, partitions, err);
    if (e)
        return e;
    p->partitions = md->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(md);
    bool lacks = (p->flags & PUBLISH_PARTITION) && partitions > p->partitions;
    return lacks ? no_partition(b, p, partitions - 1, err) : ERR_OK;
}

/* The topic's limit is one of batches, and a batch that is too large is refused as a whole: the library, which does not ask for it,
 * fills batches up to its own limit of a million bytes. */
static void learn_limits(struct broker *b, struct kafka_publish *p)
{
    struct kafka_state *s = b->state;
    p->message_most = kafka_topic_number(b, p->topic, "max.message.bytes");
    s->batch_most = p->message_most > 0 && p->message_most < BATCH_DEFAULT ? p->message_most : 0;
}

static bool compresses(const struct endpoint *e)
{
    const char *type = endpoint_option(e, "compression.type"),
               *codec = endpoint_option(e, "compression.codec");
    return (type && strcmp(type, "none") != 0) || (codec && strcmp(codec, "none") != 0);
}

/* What is sure to be refused is said before anything is sent. */
static enum err check_size(const struct broker *b, const struct kafka_publish *p, const struct message *m,
                           struct err_info *err)
{
    size_t size = m->key.len + m->payload.len;
    for (uint32_t i = 0; m->headers.items && i < m->headers.count; i++)
        size += m->headers.items[i].name.len + m->headers.items[i].value.bytes.len;
    if (p->message_most <= 0 || size <= (size_t)p->message_most || compresses(b->endpoint))
        return ERR_OK;
    err_set(err, ERR_LIMIT, "a message of %zu bytes; topic %s takes at most %" PRId64, size, p->topic,
            p->message_most);
    err_where(err, "%s", b->endpoint->name);
    err_next(err,
             "raise the topic's max.message.bytes, or set compression.type among the endpoint's options");
    return ERR_LIMIT;
}

enum err kafka_publish_open(struct broker *b, const struct publish_request *request,
                            const struct publish_sink *sink, struct err_info *err)
{
    struct kafka_state *s = b->state;
    enum channel_kind kind = request->to.kind;
    if (kind != CHANNEL_ANY && kind != CHANNEL_TOPIC)
        return err_set(err, ERR_NOTFOUND, "Kafka has no %s, only topics", channel_kind_name(kind));
    struct kafka_publish *p = s->publish = calloc(1, sizeof *p);
    if (!p)
        return err_set(err, ERR_NOMEM, "no memory for publishing");
    p->sink = *sink;
    p->flags = request->flags;
    text_copy(p->topic, sizeof p->topic, request->to.name);
    enum err e = find_or_make(b, p, request->partitions, err);
    if (!e)
        learn_limits(b, p);
    if (e || (p->flags & PUBLISH_DRY))
        return e;
    p->rk = kafka_handle_new(b, RD_KAFKA_PRODUCER, true, err);
    if (!p->rk)
        return err ? err->code : ERR_CONFIG;
    p->events = rd_kafka_queue_get_main(p->rk);
    kafka_queue_watch(s, p->events);
    return ERR_OK;
}

/* ---- one message ---- */

static bool lacks_partition(const struct kafka_publish *p, const struct message *m)
{
    return m->position.kind == POSITION_PARTITION &&
           (m->position.partition < 0 || m->position.partition >= p->partitions);
}

static int32_t partition_of(const struct kafka_publish *p, const struct message *m)
{
    bool own = (p->flags & PUBLISH_EXACT) && m->position.kind == POSITION_PARTITION && !lacks_partition(p, m);
    return own ? m->position.partition : RD_KAFKA_PARTITION_UA;
}

static int64_t time_of(const struct kafka_publish *p, const struct message *m)
{
    const struct value *raw =
        headers_find(m->properties, BYTES_LITERAL("timestamp_ms")); /* see kafka_read.c */
    bool own = m->time_ns == TIME_NONE && raw && raw->type == VALUE_INT64 && raw->i > 0;
    if (!(p->flags & PUBLISH_EXACT) || (!own && (m->time_ns == TIME_NONE || m->time_ns <= 0)))
        return 0; /* now */
    return own ? raw->i : m->time_ns / NS_PER_MS;
}

static enum err produce(struct broker *b, struct kafka_publish *p, const struct message *m, uint64_t token,
                        rd_kafka_headers_t *headers, struct err_info *err)
{
    union {
        const void *in;
        void *out;
    } key = {m->key.data}, value = {m->payload.data}; /* RD_KAFKA_MSG_F_COPY: neither is written to */
    rd_kafka_vu_t vus[8] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = p->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition_of(p, m)},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = time_of(p, m)},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {key.out, m->key.len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value.out, m->payload.len}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)token},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(p->rk, vus, headers ? 8 : 7);
    if (!error) {
        p->pending++;
        p->pending_bytes += m->key.len + m->payload.len;
        return ERR_OK;
    }
    enum err e = kafka_fail(b, rd_kafka_error_code(error), p->topic, err);
    rd_kafka_error_destroy(error);
    if (headers)
        rd_kafka_headers_destroy(headers);
    return e;
}

enum err kafka_publish_message(struct broker *b, const struct message *m, uint64_t token,
                               struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_publish *p = s->publish;
    rd_kafka_headers_t *headers;
    if (p->pending >= WINDOW_MESSAGES ||
        (p->pending && p->pending_bytes + m->key.len + m->payload.len > WINDOW_BYTES))
        return err_set(err, ERR_BUSY, "%zu messages wait for the broker", p->pending);
    bool lacks = lacks_partition(p, m);
    if (lacks && (p->flags & PUBLISH_PARTITION) && !(p->flags & PUBLISH_DRY))
        return no_partition(b, p, m->position.partition, err);
    enum err e = check_size(b, p, m, err);
    if (!e)
        e = kafka_headers_of(m, &headers, err);
    if (!e && !(p->flags & PUBLISH_DRY))
        e = produce(b, p, m, token, headers, err);
    else if (!e && headers)
        rd_kafka_headers_destroy(headers);
    p->misplaced += !e && lacks && (p->flags & PUBLISH_EXACT);
    return e;
}

enum err kafka_publish_step(struct broker *b, int timeout_ms, size_t *pending, struct err_info *err)
{
    struct kafka_state *s = b->state;
    struct kafka_publish *p = s->publish;
    *pending = 0;
    if (p->flags & PUBLISH_DRY)
        return ERR_OK;
    kafka_drain(s);
    int served = rd_kafka_poll(p->rk, 0);
    rd_kafka_poll(s->rk, 0);
    if (!served && p->pending && timeout_ms) {
        kafka_wait(b, timeout_ms);
        rd_kafka_poll(p->rk, 0);
    }
    *pending = p->pending;
    if (p->pending && s->trouble.code && s->trouble.decisive)
        return kafka_trouble_fail(b, err);
    return ERR_OK;
}

void kafka_publish_close(struct broker *b)
{
    struct kafka_state *s = b->state;
    struct kafka_publish *p = s->publish;
    if (!p)
        return;
    if (p->rk && p->pending) {
        /* Reports of what is in flight come out of the purge as "possibly persisted": OUTCOME_UNKNOWN. */
        rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(p->rk, CLOSE_FLUSH_MS);
    }
    if (p->misplaced)
        notice(p, "%zu message%s of a partition that topic %s does not have: %s by key, or anywhere",
               p->misplaced, p->misplaced == 1 ? " is" : "s are", p->topic,
               p->flags & PUBLISH_DRY ? "to be placed" : "placed");
    kafka_queue_drop(&p->events);
    if (p->rk)
        rd_kafka_destroy(p->rk);
    free(p);
    s->publish = NULL;
}
