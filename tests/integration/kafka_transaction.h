/* Sessions that have claimed an operation, for the tests of transactions. */
#ifndef TESTS_INTEGRATION_KAFKA_TRANSACTION_H
#define TESTS_INTEGRATION_KAFKA_TRANSACTION_H

#include "tests/integration/kafka_admin.h"

static inline struct session_of_test *opened(void)
{
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    if (session_open(s))
        fail_msg("%s", s->err.text);
    return s;
}

static inline void claim_in(struct session_of_test *s, const char *topic, const char *claim, bool transaction)
{
    const struct publish_request request = {
        .to = {CHANNEL_ANY, topic}, .claim = claim, .transaction = transaction};
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    if (session_open(s) || kafka_broker.publish_open(&s->broker, &request, &sink, &s->err))
        fail_msg("%s", s->err.text);
}

static inline struct session_of_test *claiming(const char *topic, const char *claim, bool transaction)
{
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    claim_in(s, topic, claim, transaction);
    return s;
}

/* One more destination. */
static inline void also(struct session_of_test *s, const char *topic)
{
    const struct publish_request request = {.to = {CHANNEL_ANY, topic}};
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    session_deadline(s, 10000);
    if (kafka_broker.publish_open(&s->broker, &request, &sink, &s->err))
        fail_msg("%s", s->err.text);
}

/* A lab that keeps the groups of many runs is listed slowly. */
static inline void forget(const char *claim)
{
    struct session_of_test *s = opened();
    session_deadline(s, 10000);
    if (kafka_broker.forget(&s->broker, claim, &s->err))
        fail_msg("%s", s->err.text);
    session_end(s);
}

/* Publishes so many, and waits until all are confirmed. */
static inline void publish_some(struct session_of_test *s, size_t to, size_t count)
{
    const struct message m = session_message("k", "v");
    size_t pending;
    s->outcome_count = 0;
    for (size_t i = 0; i < count; i++) {
        enum err e;
        while ((e = kafka_broker.publish(&s->broker, to, &m, i, &s->err)) == ERR_BUSY)
            if (kafka_broker.publish_step(&s->broker, 500, &pending, &s->err))
                fail_msg("%s", s->err.text);
        if (e)
            fail_msg("%s", s->err.text);
    }
    session_publish_wait(s, count);
    for (size_t i = 0; i < count && i < 64; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
}

static inline void commit_note(struct session_of_test *s, const char *claim, const char *note)
{
    const struct commit commit = {.claim = claim, .note = note};
    session_deadline(s, 10000);
    if (kafka_broker.commit(&s->broker, &commit, &s->err))
        fail_msg("%s", s->err.text);
}

/* What another session is told. */
static inline void expect_note(const char *claim, const char *note)
{
    char text[256] = "?";
    const struct commit of = {.claim = claim};
    struct session_of_test *s = opened();
    session_deadline(s, 10000);
    if (kafka_broker.committed(&s->broker, &of, NULL, text, sizeof text, &s->err))
        fail_msg("%s", s->err.text);
    assert_string_equal(text, note);
    session_end(s);
}

/* As who reads committed messages sees it; what an open transaction holds back is not there. One that was committed is for a moment
 * still open: see decided. */
static inline size_t stored(const char *topic)
{
    struct session_of_test *s =
        session_browse(lab_need("SB_KAFKA"), topic, (struct start){.kind = START_BEGINNING}, 0);
    size_t count = s->count;
    session_end(s);
    return count;
}

/* Until no transaction is open there: the last stable offset of partition 0 is its end. */
static inline void await_decided(const char *topic)
{
    int64_t deadline = clock_mono_ns() + 60 * NS_PER_S, low, high[2];
    static const char *const levels[] = {"read_committed", "read_uncommitted"};
    char error[256];
    do {
        if (clock_mono_ns() > deadline)
            fail_msg("a transaction in %s stays open", topic);
        for (size_t i = 0; i < 2; i++) {
            rd_kafka_conf_t *conf = rd_kafka_conf_new();
            rd_kafka_conf_set(conf, "bootstrap.servers", lab_need("SB_KAFKA"), error, sizeof error);
            rd_kafka_conf_set(conf, "isolation.level", levels[i], error, sizeof error);
            rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
            assert_int_equal(rd_kafka_query_watermark_offsets(rk, topic, 0, &low, &high[i], 10000), 0);
            rd_kafka_destroy(rk);
        }
    } while (high[0] != high[1]);
}

static inline size_t decided(const char *topic)
{
    await_decided(topic);
    return stored(topic);
}

#endif
