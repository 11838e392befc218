/* A lease of the RabbitMQ driver as an operation would hold it. */
#ifndef TESTS_INTEGRATION_RABBIT_LEASE_H
#define TESTS_INTEGRATION_RABBIT_LEASE_H

#include "tests/integration/rabbit_session.h"

#define MOST 20000

struct leasing {
    struct session_of_test *s;
    enum lease_use use;
    struct {
        int number;
        uint64_t handle;
    } taken[MOST];
    size_t count, settled;
    size_t most_out; /* handed over and not settled, at any time */
    struct message *last;
    bool pause;
    int64_t returned;
    char notices[2000];
};

static inline int number_of(struct bytes payload)
{
    char text[16] = "";
    memcpy(text, payload.data, payload.len < 15 ? payload.len : 15);
    return (int)strtol(text, NULL, 10);
}

static inline enum emit lease_message(void *context, const struct message *m, uint64_t handle)
{
    struct leasing *l = context;
    assert_true(l->count < MOST);
    l->taken[l->count].number = number_of(m->payload);
    l->taken[l->count++].handle = handle;
    if (l->count - l->settled > l->most_out)
        l->most_out = l->count - l->settled;
    if (l->last)
        message_unref(&l->last);
    l->last = message_seal(m, NULL);
    return l->pause ? EMIT_PAUSE : EMIT_OK;
}

static inline void lease_notice(void *context, const char *text)
{
    struct leasing *l = context;
    size_t len = strlen(l->notices);
    snprintf(l->notices + len, sizeof l->notices - len, "%s\n", text);
}

static inline struct leasing *leasing_in(struct session_of_test *s)
{
    struct leasing *l = calloc(1, sizeof *l);
    l->s = s;
    return l;
}

static inline enum err leasing_try(struct leasing *l, enum channel_kind kind, const char *queue,
                                   size_t window, int64_t most)
{
    const struct lease_request request = {
        .from = {kind, queue}, .window = window, .most = most, .use = l->use};
    const struct lease_sink sink = {l, lease_message, lease_notice};
    session_deadline(l->s, 10000);
    return rabbitmq_broker.lease_open(&l->s->broker, &request, &sink, &l->s->err);
}

/* As the administrator. */
static inline struct leasing *leasing_of(const char *queue, size_t window, int64_t most)
{
    struct leasing *l = leasing_in(session_up("/"));
    if (leasing_try(l, CHANNEL_QUEUE, queue, window, most))
        fail_msg("%s", l->s->err.text);
    return l;
}

static inline struct leasing *leasing_for(enum lease_use use, const char *queue, size_t window, int64_t most)
{
    struct leasing *l = leasing_in(session_up("/"));
    l->use = use;
    if (leasing_try(l, CHANNEL_QUEUE, queue, window, most))
        fail_msg("%s", l->s->err.text);
    return l;
}

enum choice { REMOVE, HOLD };

/* Steps to the end; what choose says of a number is done to it. */
static inline void leasing_run(struct leasing *l, enum choice (*choose)(int number))
{
    int64_t deadline = clock_mono_ns() + 60 * NS_PER_S;
    enum err e = ERR_OK;
    while (!e) {
        if (clock_mono_ns() > deadline)
            fail_msg("only %zu came", l->count);
        e = rabbitmq_broker.lease_step(&l->s->broker, 200, &l->s->err);
        for (; l->settled < l->count; l->settled++)
            if (rabbitmq_broker.settle(
                    &l->s->broker, l->taken[l->settled].handle,
                    choose(l->taken[l->settled].number) == HOLD ? SETTLE_KEEP : SETTLE_REMOVE, &l->s->err))
                fail_msg("%s", l->s->err.text);
    }
    if (e != ERR_END)
        fail_msg("%s", l->s->err.text);
}

/* So many come while nothing is settled, and no more. */
static inline void leasing_leave(struct leasing *l, size_t count)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    while (l->count < count) {
        enum err e = rabbitmq_broker.lease_step(&l->s->broker, 200, &l->s->err);
        if ((e && e != ERR_END) || clock_mono_ns() > deadline)
            fail_msg("%zu came: %s", l->count, l->s->err.text);
    }
    enum err e = rabbitmq_broker.lease_step(&l->s->broker, 200, &l->s->err);
    assert_true(e == ERR_OK || e == ERR_END);
    assert_int_equal(l->count, count);
}

static inline void leasing_sync(struct leasing *l)
{
    if (rabbitmq_broker.settle_sync(&l->s->broker, &l->s->err))
        fail_msg("%s", l->s->err.text);
}

static inline void leasing_end(struct leasing *l)
{
    if (rabbitmq_broker.lease_close(&l->s->broker, &l->returned, &l->s->err))
        fail_msg("%s", l->s->err.text);
    session_end(l->s);
    if (l->last)
        message_unref(&l->last);
    free(l);
}

/* ---- what stands there ---- */

/* Takes all that is there, for good: their numbers. */
static inline size_t rig_take_all(struct rig *rig, const char *queue, int *numbers, size_t most)
{
    for (size_t n = 0;; n++) {
        amqp_message_t m;
        amqp_rpc_reply_t reply = amqp_basic_get(rig->connection, rig->channel, amqp_cstring_bytes(queue), 1);
        assert_int_equal(reply.reply_type, AMQP_RESPONSE_NORMAL);
        if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD)
            return n;
        assert_true(n < most);
        assert_int_equal(amqp_read_message(rig->connection, rig->channel, &m, 0).reply_type,
                         AMQP_RESPONSE_NORMAL);
        numbers[n] = number_of(bytes_of(m.body.bytes, m.body.len));
        amqp_destroy_message(&m);
        amqp_maybe_release_buffers(rig->connection);
    }
}

/* COUNT persistent messages "0", "1", ..., each with that priority of three if PRIORITIES. */
static inline void rig_fill_lasting(struct rig *rig, const char *queue, int count, bool priorities)
{
    amqp_basic_properties_t p = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    if (priorities)
        p._flags |= AMQP_BASIC_PRIORITY_FLAG;
    for (int i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        p.priority = (uint8_t)(i % 3);
        assert_int_equal(amqp_basic_publish(rig->connection, rig->channel, amqp_cstring_bytes(""),
                                            amqp_cstring_bytes(queue), 0, 0, &p, amqp_cstring_bytes(text)),
                         0);
    }
    rig_wait_depth(rig, queue, count);
}

#endif
