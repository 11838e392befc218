/* Several topics in one producing session, and which partition a message goes to.
 * needs: kafka */
#include "tests/integration/kafka_admin.h"

static enum err open_one(struct session_of_test *s, const char *topic, uint32_t flags, int32_t partitions)
{
    const struct publish_request request = {
        .to = {CHANNEL_ANY, topic}, .flags = flags, .partitions = partitions};
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    session_deadline(s, 10000);
    return kafka_broker.publish_open(&s->broker, &request, &sink, &s->err);
}

static struct session_of_test *producing(const char *topic, uint32_t flags, int32_t partitions)
{
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    if (session_open(s) || open_one(s, topic, flags, partitions))
        fail_msg("%s", s->err.text);
    return s;
}

static void publish(struct session_of_test *s, size_t to, const struct message *m, uint64_t token)
{
    size_t pending;
    enum err e;
    while ((e = kafka_broker.publish(&s->broker, to, m, token, &s->err)) == ERR_BUSY)
        assert_int_equal(kafka_broker.publish_step(&s->broker, 500, &pending, &s->err), ERR_OK);
    if (e)
        fail_msg("%s", s->err.text);
}

static size_t stored(const char *topic)
{
    struct session_of_test *s =
        session_browse(lab_need("SB_KAFKA"), topic, (struct start){.kind = START_BEGINNING}, 0);
    size_t count = s->count;
    session_end(s);
    return count;
}

static void messages_of_one_session_go_to_many_topics(void **state)
{
    (void)state;
    enum { TOPICS = 64 };
    char topics[TOPICS][64];
    const struct message m = session_message("k", "v");
    lab_unique("many", topics[0], 64);
    struct session_of_test *s = producing(topics[0], PUBLISH_CREATE, 1);
    for (size_t i = 1; i < TOPICS; i++) {
        lab_unique("many", topics[i], 64);
        assert_int_equal(open_one(s, topics[i], PUBLISH_CREATE, 1), ERR_OK);
        if (i == 1)
            publish(s, 1, &m, 1); /* while others are still added */
    }
    assert_int_equal(open_one(s, "one too many", PUBLISH_CREATE, 1), ERR_LIMIT);
    for (size_t i = 0; i < TOPICS; i++)
        if (i != 1)
            publish(s, i, &m, i);
    session_publish_wait(s, TOPICS);
    for (size_t i = 0; i < TOPICS; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
    session_end(s);
    for (size_t i = 0; i < TOPICS; i += 21)
        assert_int_equal(stored(topics[i]), 1);
}

static void a_topic_that_is_missing_leaves_the_others(void **state)
{
    (void)state;
    char topic[64], missing[64];
    const struct message m = session_message("k", "v");
    lab_unique("others", topic, sizeof topic);
    lab_unique("missing", missing, sizeof missing);
    struct session_of_test *s = producing(topic, PUBLISH_CREATE, 1);
    assert_int_equal(open_one(s, missing, 0, 0), ERR_NOTFOUND);
    publish(s, 0, &m, 1);
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    session_end(s);
}

/* The library's batches are as large as the first topic takes; the broker refuses a larger one with all that is in it. */
static void a_narrow_topic_beside_a_wide_one(void **state)
{
    (void)state;
    enum { MANY = 300 };
    char wide[64], narrow[64], payload[400];
    struct message m = {.time_ns = TIME_NONE, .payload = bytes_of(payload, sizeof payload)};
    memset(payload, 'x', sizeof payload);
    lab_unique("narrow", narrow, sizeof narrow);
    lab_unique("wide", wide, sizeof wide);
    make_topic_with(narrow, "max.message.bytes", "1000");
    struct session_of_test *s = producing(wide, PUBLISH_CREATE, 1);
    assert_int_equal(open_one(s, narrow, 0, 0), ERR_OK);
    for (uint64_t i = 0; i < MANY; i++)
        publish(s, i % 3 == 0, &m, i);
    session_publish_wait(s, MANY);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
    session_end(s);
    assert_int_equal(stored(narrow), MANY / 3);
    assert_int_equal(stored(wide), MANY - MANY / 3);
}

/* ---- partitions ---- */

static int32_t placed(struct session_of_test *s, const char *key, int32_t own)
{
    struct message m = session_message(key, "v");
    if (own >= 0)
        m.position = (struct position){.kind = POSITION_PARTITION, .partition = own};
    s->outcome_count = 0;
    publish(s, 0, &m, 1);
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    return s->outcomes[0].position.partition;
}

/* Hashes as Java's own clients have them in their tests. */
static void a_key_goes_where_java_puts_it(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t murmur2;
    } known[] = {{"21", -973932308},
                 {"foobar", -790332482},
                 {"a-little-bit-long-string", -985981536},
                 {"a-little-bit-longer-string", -1486304829},
                 {"abc", 479470107}};
    char topic[64];
    lab_unique("java", topic, sizeof topic);
    make_topic(topic, 7);
    struct session_of_test *s = producing(topic, 0, 0);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(placed(s, known[i].key, -1), (known[i].murmur2 & INT32_MAX) % 7);
    session_end(s);
}

static void a_partition_is_kept_among_as_many(void **state)
{
    (void)state;
    const int32_t by_key = (-790332482 & INT32_MAX) % 4;
    char topic[64];
    lab_unique("alike", topic, sizeof topic);
    make_topic(topic, 4);
    struct session_of_test *s = producing(topic, PUBLISH_EXACT | PUBLISH_ALIKE, 4);
    assert_string_equal(s->notice, "");
    for (int32_t i = 0; i < 4; i++)
        assert_int_equal(placed(s, "foobar", i), i);
    session_end(s);
    s = producing(topic, PUBLISH_EXACT | PUBLISH_ALIKE, 3);
    assert_non_null(strstr(s->notice, "has 4 partitions, not 3: messages go by their keys"));
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(placed(s, "foobar", i), by_key);
    session_end(s);
    s = producing(topic, PUBLISH_ALIKE, 0);
    assert_int_equal(placed(s, "foobar", (by_key + 1) % 4), by_key);
    session_end(s);
}

static void a_topic_that_is_made_is_alike(void **state)
{
    (void)state;
    char topic[64];
    lab_unique("made", topic, sizeof topic);
    struct session_of_test *s = producing(topic, PUBLISH_CREATE | PUBLISH_ALIKE, 5);
    for (int32_t i = 0; i < 5; i++)
        assert_int_equal(placed(s, "foobar", i), i);
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_one_session_go_to_many_topics),
        cmocka_unit_test(a_topic_that_is_missing_leaves_the_others),
        cmocka_unit_test(a_narrow_topic_beside_a_wide_one),
        cmocka_unit_test(a_key_goes_where_java_puts_it),
        cmocka_unit_test(a_partition_is_kept_among_as_many),
        cmocka_unit_test(a_topic_that_is_made_is_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
