/* Producing to the lab's Kafka: outcomes one by one, a bounded window, no topic made in passing.
 * needs: kafka */
#include "tests/integration/kafka_admin.h"

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
    assert_int_equal(kafka_broker.publish(&s->broker, 0, &small, 1, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    assert_int_equal(kafka_broker.publish(&s->broker, 0, &large, 2, &s->err), ERR_LIMIT);
    assert_non_null(strstr(s->err.text, "a message of 41943040 bytes; topic"));
    assert_int_equal(kafka_broker.publish(&s->broker, 0, &small, 3, &s->err), ERR_OK);
    session_publish_wait(s, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
        assert_int_equal(s->outcomes[i].position.offset, i);
    }
    session_end(s);
    free(big);
}

/* Topics may take less than the library puts into a batch; a batch that is too large is refused with all that is in it. */
static void a_topic_of_small_messages_takes_many(void **state)
{
    (void)state;
    enum { MANY = 60 };
    char topic[64], payload[400];
    lab_unique("small", topic, sizeof topic);
    make_topic_with(topic, "max.message.bytes", "1000");
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    open_publish(s, topic, 0);
    memset(payload, 'x', sizeof payload);
    struct message m = {.time_ns = TIME_NONE, .payload = bytes_of(payload, sizeof payload)};
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, i, &s->err), ERR_OK);
    session_publish_wait(s, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
    session_end(s);
}

/* Microseconds where milliseconds belong: no clock of ours has that year, and the number is kept for all that. */
static void a_time_beyond_all_clocks_is_kept(void **state)
{
    (void)state;
    const struct header late = {BYTES_LITERAL("timestamp_ms"), {.type = VALUE_INT64, .i = 1795914181078367}};
    struct message m = session_message("k", "v");
    char topic[64];
    lab_unique("late", topic, sizeof topic);
    m.properties = (struct headers){&late, 1};
    session_send(lab_need("SB_KAFKA"), topic, &m, 1, PUBLISH_CREATE | PUBLISH_EXACT);
    struct session_of_test *s =
        session_browse(lab_need("SB_KAFKA"), topic, (struct start){.kind = START_BEGINNING}, 0);
    assert_int_equal(s->count, 1);
    assert_true(s->messages[0]->time_ns == TIME_NONE);
    const struct value *v = headers_find(s->messages[0]->properties, BYTES_LITERAL("timestamp_ms"));
    assert_non_null(v);
    assert_int_equal(v->i, 1795914181078367);
    session_end(s);
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
        e = kafka_broker.publish(&s->broker, 0, &m, sent, &s->err);
    assert_int_equal(e, ERR_BUSY);
    session_publish_wait(s, sent);
    assert_int_equal(s->outcome_count, sent);
    assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, 0, &s->err), ERR_OK);
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
        assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, i, &s->err), ERR_OK);
    kafka_broker.publish_close(&s->broker);
    assert_int_equal(s->outcome_count, 5); /* each exactly once, whatever became of it */
    session_end(s);
}

/* A dead letter's x-death must not keep it from Kafka. */
static void a_header_that_is_not_bytes_goes_as_json(void **state)
{
    (void)state;
    char topic[64];
    lab_unique("typed", topic, sizeof topic);
    const struct header death[] = {
        {BYTES_LITERAL("count"), {.type = VALUE_INT64, .i = 3}},
        {BYTES_LITERAL("queue"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("q")}}};
    const struct header deaths[] = {{BYTES_NULL, {.type = VALUE_TABLE, .list = {death, 2}}}};
    const struct header headers[] = {
        {BYTES_LITERAL("n"), {.type = VALUE_INT64, .i = 9007199254740993}},
        {BYTES_LITERAL("x-death"), {.type = VALUE_ARRAY, .list = {deaths, 1}}},
        {BYTES_LITERAL("t"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("as is")}}};
    struct message m = session_message("k", "v");
    m.headers = (struct headers){headers, 3};
    session_send(lab_need("SB_KAFKA"), topic, &m, 1, PUBLISH_CREATE);
    struct session_of_test *s =
        session_browse(lab_need("SB_KAFKA"), topic, (struct start){.kind = START_BEGINNING}, 0);
    assert_int_equal(s->count, 1);
    const struct headers *got = &s->messages[0]->headers;
    assert_int_equal(got->count, 3);
    assert_true(bytes_equal(got->items[0].value.bytes, BYTES_LITERAL("9007199254740993")));
    assert_true(bytes_equal(got->items[1].value.bytes, BYTES_LITERAL("[{\"count\":3,\"queue\":\"q\"}]")));
    assert_true(bytes_equal(got->items[2].value.bytes, BYTES_LITERAL("as is")));
    session_end(s);
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
    assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_OK);
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
        cmocka_unit_test(a_topic_of_small_messages_takes_many),
        cmocka_unit_test(a_time_beyond_all_clocks_is_kept),
        cmocka_unit_test(a_full_window_is_busy),
        cmocka_unit_test(closing_reports_what_is_outstanding),
        cmocka_unit_test(a_vanished_topic_does_not_come_back),
        cmocka_unit_test(a_header_that_is_not_bytes_goes_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
