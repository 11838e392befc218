/* The Kafka driver against the lab's broker: reading leaves no trace, and loses nothing of a message.
 * needs: kafka */
#include "tests/integration/kafka_admin.h"
#include "tests/support/equal.h"

static const struct start from_beginning = {.kind = START_BEGINNING};

static void browse_gives_all_and_ends(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    struct message messages[300];
    lab_unique("browse", topic, sizeof topic);
    for (int i = 0; i < 300; i++)
        messages[i] = session_message("k", "{\"n\":1}");
    session_send(kafka, topic, messages, 300, PUBLISH_CREATE);
    struct session_of_test *s = session_browse(kafka, topic, from_beginning, 0);
    assert_int_equal(s->count, 300);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(s->messages[i]->position.offset, i);
    struct read_progress p;
    kafka_broker.read_progress(&s->broker, &p);
    assert_int_equal(p.scanned, 300);
    assert_int_equal(p.total, 300);
    assert_non_null(strstr(p.stopped, "the end as it stood at"));
    session_end(s);
}

static void null_and_empty_differ(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    lab_unique("nulls", topic, sizeof topic);
    const struct header headers[] = {
        {BYTES_LITERAL("a"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("1")}},
        {BYTES_LITERAL("b"), {.type = VALUE_BYTES, .bytes = BYTES_NULL}},
        {BYTES_LITERAL("a"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("2")}},
        {BYTES_LITERAL("c"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("")}},
        {BYTES_LITERAL(""), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("\x00\xff")}},
    };
    const struct message messages[] = {
        {.time_ns = TIME_NONE, .key = BYTES_NULL, .payload = BYTES_NULL},
        {.time_ns = TIME_NONE, .key = BYTES_LITERAL(""), .payload = BYTES_LITERAL("")},
        {.time_ns = TIME_NONE, .key = BYTES_NULL, .payload = BYTES_LITERAL("")},
        {.time_ns = TIME_NONE, .key = BYTES_LITERAL("k"), .payload = BYTES_NULL},
        {.time_ns = TIME_NONE, .payload = BYTES_LITERAL("h"), .headers = {headers, 5}},
    };
    session_send(kafka, topic, messages, 5, PUBLISH_CREATE);
    struct session_of_test *s = session_browse(kafka, topic, from_beginning, 0);
    assert_int_equal(s->count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(bytes_equal(s->messages[i]->key, messages[i].key));
        assert_true(bytes_equal(s->messages[i]->payload, messages[i].payload));
        assert_true(headers_equal(s->messages[i]->headers, messages[i].headers));
    }
    const struct value *type = headers_find(s->messages[0]->properties, BYTES_LITERAL("timestamp_type"));
    assert_true(type && bytes_equal_text(type->bytes, "create"));
    session_end(s);
}

static void missing_topic_is_named_and_not_made(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64], wrong[80];
    lab_unique("present", topic, sizeof topic);
    const struct message m = session_message("k", "v");
    session_send(kafka, topic, &m, 1, PUBLISH_CREATE);
    snprintf(wrong, sizeof wrong, "%sx", topic);
    struct session_of_test *s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, wrong, READ_TAP, (struct start){0}, -1, -1, 0), ERR_NOTFOUND);
    assert_non_null(strstr(s->err.next, topic));
    assert_int_equal(kafka_broker.read_close(&s->broker, NULL), ERR_OK);
    struct channel_list *list = channel_list_new();
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.list(&s->broker, wrong, 0, list, &s->err), ERR_OK);
    assert_int_equal(list->count, 0);
    channel_list_free(&list);
    const struct publish_request request = {.to = {CHANNEL_ANY, wrong}};
    const struct publish_sink sink = {.context = s, .outcome = keep_outcome};
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.publish_open(&s->broker, &request, &sink, &s->err), ERR_NOTFOUND);
    session_end(s);
    assert_int_equal(topic_partitions(wrong), 0);
}

static void the_last_n_are_those_by_time(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    struct message messages[60];
    lab_unique("last", topic, sizeof topic);
    make_topic(topic, 3);
    /* Partition 0 holds what is newest, 1 what is oldest, 2 lies between. */
    for (int i = 0; i < 60; i++) {
        messages[i] = session_message(NULL, "x");
        messages[i].position = (struct position){POSITION_PARTITION, i % 3, 0};
        int rank[] = {40, 0, 20};
        messages[i].time_ns = (INT64_C(1700000000000) + rank[i % 3] + i / 3) * NS_PER_MS;
    }
    session_send(kafka, topic, messages, 60, PUBLISH_EXACT);
    struct session_of_test *s = session_browse(kafka, topic, (struct start){START_LAST, 25}, 0);
    assert_int_equal(s->count, 25);
    for (size_t i = 0; i < 25; i++)
        assert_int_equal(s->messages[i]->time_ns / NS_PER_MS, INT64_C(1700000000000) + 35 + (int64_t)i);
    session_end(s);
    s = session_browse(kafka, topic, (struct start){START_TIME, INT64_C(1700000000055) * NS_PER_MS}, 0);
    assert_int_equal(s->count, 5);
    session_end(s);
}

/* Producers set times. What comes while a tail runs is new, whatever its time. */
static void nothing_older_than_the_time_asked_for_is_shown(void **state)
{
    (void)state;
    static const int times[] = {10, 30, 15, 40, 20, 25};
    const char *kafka = lab_need("SB_KAFKA");
    const struct start start = {START_TIME, INT64_C(1700000000025) * NS_PER_MS};
    char topic[64];
    struct message messages[6];
    lab_unique("since", topic, sizeof topic);
    make_topic(topic, 1);
    for (int i = 0; i < 6; i++) {
        messages[i] = session_message(NULL, "x");
        messages[i].time_ns = (INT64_C(1700000000000) + times[i]) * NS_PER_MS;
    }
    session_send(kafka, topic, messages, 6, PUBLISH_EXACT);
    struct session_of_test *s = session_browse(kafka, topic, start, 0);
    struct read_progress p;
    kafka_broker.read_progress(&s->broker, &p);
    assert_int_equal(s->count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(s->messages[i]->position.offset, i == 0 ? 1 : i == 1 ? 3 : 5);
    assert_string_equal(s->notice, "2 messages from before that time, behind newer ones: passed over");
    assert_int_equal(p.scanned, 5);
    assert_int_equal(p.total, 5);
    session_end(s);
    s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_TAP, start, -1, -1, 0), ERR_OK);
    assert_int_equal(session_steps(s, 3), ERR_OK);
    session_send(kafka, topic, messages, 1, PUBLISH_EXACT);
    assert_int_equal(session_steps(s, 4), ERR_OK);
    assert_int_equal(s->messages[2]->position.offset, 5);
    assert_int_equal(s->messages[3]->position.offset, 6);
    assert_int_equal(kafka_broker.read_close(&s->broker, NULL), ERR_OK);
    assert_string_equal(s->notice, "2 messages from before that time, behind newer ones: passed over");
    session_end(s);
}

/* In one partition the order of offsets stands, whatever the times in it say. */
static void a_browse_of_a_few_is_merged_by_time(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    struct message messages[90];
    lab_unique("first", topic, sizeof topic);
    make_topic(topic, 3);
    for (int i = 0; i < 90; i++) {
        messages[i] = session_message(NULL, "x");
        messages[i].position = (struct position){POSITION_PARTITION, i / 30, 0};
        messages[i].time_ns = (INT64_C(1700000000000) + i % 30 * 3 + i / 30) * NS_PER_MS;
    }
    messages[1].time_ns -= 60 * NS_PER_S; /* a clock that went back */
    session_send(kafka, topic, messages, 90, PUBLISH_EXACT);
    struct session_of_test *s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, (struct start){0}, -1, 50, 0), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 50);
    for (int i = 0; i < 50; i++) { /* round and round; only what a clock says too early stands early */
        int at = i < 2 ? i * 3 : i < 4 ? i - 1 : i;
        assert_int_equal(s->messages[i]->position.partition, at % 3);
        assert_int_equal(s->messages[i]->position.offset, at / 3);
    }
    session_end(s);
}

static void a_tap_sees_what_comes(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    lab_unique("tap", topic, sizeof topic);
    const struct message m[] = {session_message("k", "1"), session_message("k", "2"),
                                session_message("k", "3")};
    session_send(kafka, topic, m, 3, PUBLISH_CREATE);
    struct session_of_test *s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_TAP, (struct start){START_LAST, 2}, -1, -1, 0), ERR_OK);
    assert_int_equal(session_steps(s, 2), ERR_OK);
    assert_true(bytes_equal_text(s->messages[0]->payload, "2"));
    assert_int_equal(kafka_broker.read_step(&s->broker, 0, &s->err), ERR_OK);
    session_send(kafka, topic, m, 3, 0);
    assert_int_equal(session_steps(s, 5), ERR_OK);
    assert_int_equal(s->messages[4]->position.offset, 5);
    session_end(s);
}

/* What came while there was no connection is read by the next one: once, and from the first to the last. */
static void a_tap_goes_on_where_it_stood(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    lab_unique("resume", topic, sizeof topic);
    const struct message m[] = {session_message("k", "1"), session_message("k", "2"),
                                session_message("k", "3")};
    struct read_places places = {0};
    session_send(kafka, topic, m, 3, PUBLISH_CREATE);
    struct session_of_test *s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_TAP, (struct start){0}, -1, -1, 0), ERR_OK);
    kafka_broker.read_places(&s->broker, &places);
    assert_int_equal(places.count, 1);
    assert_int_equal(places.items[0].next, 3); /* nothing came yet: behind the end */
    free(places.items);
    session_send(kafka, topic, m, 2, 0);
    assert_int_equal(session_steps(s, 2), ERR_OK);
    kafka_broker.read_places(&s->broker, &places);
    assert_int_equal(places.items[0].next, 5);
    session_end(s);
    session_send(kafka, topic, m, 3, 0);
    s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read_on(s, topic, &places), ERR_OK);
    assert_int_equal(session_steps(s, 3), ERR_OK);
    assert_int_equal(s->messages[0]->position.offset, 5);
    assert_int_equal(s->messages[2]->position.offset, 7);
    session_end(s);
    places.items[0].next = 100; /* the topic was removed and made anew meanwhile */
    s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read_on(s, topic, &places), ERR_OK);
    assert_int_equal(session_steps(s, 8), ERR_OK);
    assert_int_equal(s->messages[0]->position.offset, 0);
    assert_non_null(strstr(s->notice, "made anew"));
    session_end(s);
    free(places.items);
}

static void pause_keeps_and_stop_ends(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    lab_unique("pause", topic, sizeof topic);
    struct message m[40];
    for (int i = 0; i < 40; i++)
        m[i] = session_message("k", "v");
    session_send(kafka, topic, m, 40, PUBLISH_CREATE);
    struct session_of_test *s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, from_beginning, -1, -1, 0), ERR_OK);
    s->pause = true;
    for (size_t i = 1; i <= 10; i++) {
        assert_int_equal(session_steps(s, i), ERR_OK);
        assert_int_equal(kafka_broker.read_step(&s->broker, 0, &s->err), ERR_OK);
        assert_int_equal(s->count, i);
        kafka_broker.read_pause(&s->broker, false);
    }
    s->pause = false;
    s->stop_at = 30;
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 30);
    session_end(s);
}

static void twenty_megabytes_pass(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    size_t size = 20 * 1000 * 1000;
    uint8_t *big = malloc(size);
    lab_unique("big", topic, sizeof topic);
    for (size_t i = 0; i < size; i++)
        big[i] = (uint8_t)(i * 2654435761u >> 24);
    struct message m = {.time_ns = TIME_NONE, .payload = {big, size}};
    session_send(kafka, topic, &m, 1, PUBLISH_CREATE);
    struct session_of_test *s = session_browse(kafka, topic, from_beginning, 0);
    assert_int_equal(s->count, 1);
    assert_true(bytes_equal(s->messages[0]->payload, m.payload));
    session_end(s);
    free(big);
}

/* More than the driver merges in memory: exactly the last N all the same. */
static void those_of_many_bytes_come_unmerged(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    lab_unique("lastmany", topic, sizeof topic);
    make_topic(topic, 2);
    size_t size = 800 * KIB;
    uint8_t *body = calloc(1, size);
    struct message m[40];
    for (int i = 0; i < 40; i++)
        m[i] = (struct message){.time_ns = (INT64_C(1700000000000) + i) * NS_PER_MS,
                                .position = {POSITION_PARTITION, i % 2, 0},
                                .payload = {body, size}};
    session_send(kafka, topic, m, 40, PUBLISH_EXACT);
    struct session_of_test *s = session_browse(kafka, topic, (struct start){START_LAST, 30}, 0);
    assert_int_equal(s->count, 30);
    for (size_t i = 0; i < 30; i++)
        assert_true(s->messages[i]->time_ns >= INT64_C(1700000000010) * NS_PER_MS);
    assert_non_null(strstr(s->notice, "not merged"));
    session_end(s);
    s = session_new(kafka); /* and the first: the right ones, each partition in order */
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, (struct start){0}, -1, 30, 0), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 30);
    for (size_t i = 0; i < 30; i++)
        assert_true(s->messages[i]->position.offset < 15);
    assert_non_null(strstr(s->notice, "not merged"));
    session_end(s);
    free(body);
}

static enum emit take_slowly(void *context, const struct message *m)
{
    struct session_of_test *s = context;
    int64_t until = clock_mono_ns() + 5 * NS_PER_MS;
    while (clock_mono_ns() < until)
        ;
    s->count++;
    (void)m;
    return EMIT_OK;
}

/* The library's queue is full most of the time then; its threads must not sleep on when there is room again. */
static void a_slow_sink_is_not_slowed_further(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    lab_unique("slow", topic, sizeof topic);
    size_t size = 900 * KIB;
    uint8_t *body = calloc(1, size);
    struct message m[60];
    for (int i = 0; i < 60; i++)
        m[i] = (struct message){.time_ns = TIME_NONE, .payload = {body, size}};
    session_send(kafka, topic, m, 30, PUBLISH_CREATE);
    session_send(kafka, topic, m + 30, 30, 0);
    struct session_of_test *s = session_new(kafka);
    const struct channel_name name = {CHANNEL_ANY, topic};
    const struct read_request request = {
        .mode = READ_BROWSE, .channels = &name, .channel_count = 1, .partition = -1, .limit = -1};
    const struct read_sink sink = {s, take_slowly, keep_notice};
    assert_int_equal(session_open(s), ERR_OK);
    session_deadline(s, 10000);
    int64_t start = clock_mono_ns();
    assert_int_equal(kafka_broker.read_open(&s->broker, &request, &sink, &s->err), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    int64_t ms = (clock_mono_ns() - start) / NS_PER_MS;
    print_message("60 messages at 5 ms each in %d ms\n", (int)ms);
    assert_int_equal(s->count, 60);
    assert_true(ms < 1200); /* 330; 2,100 without the nudge */
    s->count = 0;
    session_end(s);
    free(body);
}

static void produce_compressed(const char *topic, const char *codec, int count)
{
    char error[256], payload[64];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_need("SB_KAFKA"), error, sizeof error);
    assert_int_equal(rd_kafka_conf_set(conf, "compression.codec", codec, error, sizeof error),
                     RD_KAFKA_CONF_OK);
    rd_kafka_conf_set(conf, "linger.ms", "50", error,
                      sizeof error); /* one batch: what is compressed is a batch */
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    for (int i = 0; i < count; i++) {
        snprintf(payload, sizeof payload, "%s %d", codec, i);
        assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                           RD_KAFKA_V_VALUE(payload, strlen(payload)),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                         0);
    }
    assert_int_equal(rd_kafka_flush(rk, 15000), 0);
    rd_kafka_destroy(rk);
}

static void every_compression_is_read(void **state)
{
    (void)state;
    static const char *const codecs[] = {"gzip", "snappy", "lz4", "zstd"};
    enum { EACH = 200, CODECS = 4 };
    char topic[64], payload[64];
    lab_unique("compressed", topic, sizeof topic);
    make_topic(topic, 1);
    for (int i = 0; i < CODECS; i++)
        produce_compressed(topic, codecs[i], EACH);
    struct session_of_test *s =
        session_browse(lab_need("SB_KAFKA"), topic, (struct start){.kind = START_BEGINNING}, 0);
    assert_int_equal(s->count, CODECS * EACH);
    for (int i = 0; i < CODECS * EACH; i++) {
        snprintf(payload, sizeof payload, "%s %d", codecs[i / EACH], i % EACH);
        assert_true(bytes_equal_text(s->messages[i]->payload, payload));
    }
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_compression_is_read),
        cmocka_unit_test(browse_gives_all_and_ends),
        cmocka_unit_test(null_and_empty_differ),
        cmocka_unit_test(missing_topic_is_named_and_not_made),
        cmocka_unit_test(the_last_n_are_those_by_time),
        cmocka_unit_test(nothing_older_than_the_time_asked_for_is_shown),
        cmocka_unit_test(a_browse_of_a_few_is_merged_by_time),
        cmocka_unit_test(a_tap_sees_what_comes),
        cmocka_unit_test(a_tap_goes_on_where_it_stood),
        cmocka_unit_test(pause_keeps_and_stop_ends),
        cmocka_unit_test(twenty_megabytes_pass),
        cmocka_unit_test(those_of_many_bytes_come_unmerged),
        cmocka_unit_test(a_slow_sink_is_not_slowed_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
