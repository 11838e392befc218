/* Producing to the lab's Kafka: outcomes one by one, a bounded window, no topic made in passing.
 * needs: kafka */
#include "tests/integration/kafka_session.h"

#include <librdkafka/rdkafka.h>

static void open_publish(struct session_of_test *s, const char *topic, uint32_t flags)
{
    const struct publish_request request = {.to = {CHANNEL_ANY, topic}, .flags = flags};
    const struct publish_sink sink = {.context = s, .outcome = keep_outcome};
    if (session_open(s) || kafka_broker.publish_open(&s->broker, &request, &sink, &s->err))
        fail_msg("%s", s->err.text);
}

static enum err look_up(struct session_of_test *s, const char *topic, uint32_t flags, int32_t partitions)
{
    const struct publish_request request = {
        .to = {CHANNEL_ANY, topic}, .flags = flags, .partitions = partitions};
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    kafka_broker.publish_close(&s->broker);
    session_deadline(s, 10000);
    s->notice[0] = '\0';
    return kafka_broker.publish_open(&s->broker, &request, &sink, &s->err);
}

static void a_topic_is_made_with_what_the_messages_name(void **state)
{
    (void)state;
    char topic[64];
    lab_unique("four", topic, sizeof topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(look_up(s, topic, PUBLISH_DRY, 4), ERR_NOTFOUND);
    assert_int_equal(look_up(s, topic, PUBLISH_DRY | PUBLISH_CREATE, 4), ERR_OK);
    assert_non_null(strstr(s->notice, "would be made with 4 partitions"));
    assert_int_equal(look_up(s, topic, PUBLISH_DRY | PUBLISH_CREATE, LIMIT_PARTITIONS + 1), ERR_LIMIT);
    assert_int_equal(look_up(s, topic, PUBLISH_DRY, 4), ERR_NOTFOUND); /* nothing was made */
    assert_int_equal(look_up(s, topic, PUBLISH_CREATE, 4), ERR_OK);
    assert_non_null(strstr(s->notice, "was made with 4 partitions"));
    assert_int_equal(look_up(s, topic, PUBLISH_CREATE | PUBLISH_PARTITION, 5), ERR_NOTFOUND);
    assert_non_null(strstr(s->err.text, "no partition 4"));
    assert_int_equal(look_up(s, topic, PUBLISH_PARTITION, 4), ERR_OK);
    assert_int_equal(look_up(s, topic, 0, 5), ERR_OK);
    session_end(s);
}

static void too_large_is_refused_alone(void **state)
{
    (void)state;
    char topic[64];
    lab_unique("large", topic, sizeof topic);
    size_t size = 40 * MIB; /* the broker takes 32 MiB */
    uint8_t *big = calloc(1, size);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    open_publish(s, topic, PUBLISH_CREATE);
    struct message small = session_message("k", "v");
    struct message large = {.time_ns = TIME_NONE, .payload = {big, size}};
    assert_int_equal(kafka_broker.publish(&s->broker, &small, 1, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    assert_int_equal(kafka_broker.publish(&s->broker, &large, 2, &s->err), ERR_OK);
    session_publish_wait(s, 2);
    assert_int_equal(kafka_broker.publish(&s->broker, &small, 3, &s->err), ERR_OK);
    session_publish_wait(s, 3);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    assert_int_equal(s->outcomes[0].position.offset, 0);
    assert_int_equal(s->outcomes[1].outcome, OUTCOME_REFUSED);
    assert_int_equal(s->outcomes[1].token, 2);
    assert_int_equal(s->outcomes[1].err.code, ERR_LIMIT);
    assert_int_equal(s->outcomes[2].outcome, OUTCOME_CONFIRMED);
    assert_int_equal(s->outcomes[2].position.offset, 1);
    session_end(s);
    free(big);
}

static void a_full_window_is_busy(void **state)
{
    (void)state;
    char topic[64];
    lab_unique("busy", topic, sizeof topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    open_publish(s, topic, PUBLISH_CREATE);
    struct message m = session_message("k", "v");
    enum err e = ERR_OK;
    size_t sent = 0;
    for (; !e && sent < 1000000; sent += !e)
        e = kafka_broker.publish(&s->broker, &m, sent, &s->err);
    assert_int_equal(e, ERR_BUSY);
    session_publish_wait(s, sent);
    assert_int_equal(s->outcome_count, sent);
    assert_int_equal(kafka_broker.publish(&s->broker, &m, 0, &s->err), ERR_OK);
    session_publish_wait(s, sent + 1);
    session_end(s);
}

static void closing_reports_what_is_outstanding(void **state)
{
    (void)state;
    char topic[64];
    const struct message m = session_message("k", "v");
    session_topic("unknown", topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    open_publish(s, topic, 0);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(kafka_broker.publish(&s->broker, &m, i, &s->err), ERR_OK);
    kafka_broker.publish_close(&s->broker);
    assert_int_equal(s->outcome_count, 5); /* each exactly once, whatever became of it */
    session_end(s);
}

static void a_header_that_is_not_bytes_is_refused(void **state)
{
    (void)state;
    char topic[64];
    lab_unique("typed", topic, sizeof topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    open_publish(s, topic, PUBLISH_CREATE);
    const struct header h = {BYTES_LITERAL("n"), {.type = VALUE_INT32, .i = 5}};
    struct message m = session_message("k", "v");
    m.headers = (struct headers){&h, 1};
    assert_int_equal(kafka_broker.publish(&s->broker, &m, 1, &s->err), ERR_UNSUPPORTED);
    assert_non_null(strstr(s->err.text, "int32"));
    session_end(s);
}

static void delete_topic(const char *name)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_need("SB_KAFKA"), error, sizeof error);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

static void a_vanished_topic_does_not_come_back(void **state)
{
    (void)state;
    char topic[64];
    lab_unique("vanished", topic, sizeof topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    open_publish(s, topic, PUBLISH_CREATE);
    delete_topic(topic);
    struct message m = session_message("k", "v");
    assert_int_equal(kafka_broker.publish(&s->broker, &m, 1, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    print_message("%s\n", s->outcomes[0].err.text);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_REFUSED);
    assert_int_equal(s->outcomes[0].err.code, ERR_NOTFOUND);
    session_end(s);
    s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, (struct start){0}, -1, -1, 0), ERR_NOTFOUND);
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_is_made_with_what_the_messages_name),
        cmocka_unit_test(too_large_is_refused_alone),
        cmocka_unit_test(a_full_window_is_busy),
        cmocka_unit_test(closing_reports_what_is_outstanding),
        cmocka_unit_test(a_vanished_topic_does_not_come_back),
        cmocka_unit_test(a_header_that_is_not_bytes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
