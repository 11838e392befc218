/* Groups, lag, watermarks and transactions of the lab's Kafka, as the driver shows them.
 * needs: kafka
 * waits */
#include "tests/integration/kafka_session.h"

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <sys/wait.h>

static rd_kafka_t *transactional(const char *id)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_need("SB_KAFKA"), text, sizeof text);
    rd_kafka_conf_set(conf, "transactional.id", id, text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    rd_kafka_error_t *e = rd_kafka_init_transactions(rk, 15000);
    if (e)
        fail_msg("%s", rd_kafka_error_string(e));
    return rk;
}

static void produce(rd_kafka_t *rk, const char *topic, const char *text)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text);
    assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE(copy, strlen(copy)),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     0);
}

/* 2 committed (offsets 0, 1; marker 2), 1 aborted (3; marker 4), 2 plain (5, 6), 1 open (7), 1 plain behind it (8). */
static rd_kafka_t *fill_with_transactions(const char *topic)
{
    const char *kafka = lab_need("SB_KAFKA");
    const struct message plain = session_message(NULL, "plain");
    const struct message two[] = {plain, plain};
    char id[64];
    lab_unique("tx", id, sizeof id);
    struct session_of_test *s = session_new(kafka);
    const struct publish_request request = {.to = {CHANNEL_ANY, topic}, .flags = PUBLISH_CREATE};
    const struct publish_sink sink = {.context = s, .outcome = keep_outcome};
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(kafka_broker.publish_open(&s->broker, &request, &sink, &s->err), ERR_OK);
    session_end(s);
    rd_kafka_t *rk = transactional(id);
    assert_null(rd_kafka_begin_transaction(rk));
    produce(rk, topic, "committed");
    produce(rk, topic, "committed");
    assert_null(rd_kafka_commit_transaction(rk, 15000));
    assert_null(rd_kafka_begin_transaction(rk));
    produce(rk, topic, "aborted");
    assert_int_equal(rd_kafka_flush(rk, 15000), 0);
    assert_null(rd_kafka_abort_transaction(rk, 15000));
    session_send(kafka, topic, two, 2, 0);
    assert_null(rd_kafka_begin_transaction(rk));
    produce(rk, topic, "open");
    assert_int_equal(rd_kafka_flush(rk, 15000), 0);
    session_send(kafka, topic, &plain, 1, 0);
    return rk;
}

static void transactions_are_isolated(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    const struct start beginning = {.kind = START_BEGINNING};
    char topic[64];
    lab_unique("tx", topic, sizeof topic);
    rd_kafka_t *rk = fill_with_transactions(topic);
    struct session_of_test *s = session_browse(kafka, topic, beginning, 0);
    assert_int_equal(s->count, 4); /* nothing above the open transaction */
    assert_non_null(strstr(s->notice, "/0: an open transaction holds back offsets 7 to 8; --uncommitted"));
    for (size_t i = 0; i < s->count; i++)
        assert_int_equal(s->messages[i]->flags & MESSAGE_UNCOMMITTED, 0);
    session_end(s);
    s = session_browse(kafka, topic, (struct start){START_OFFSET, 7}, 0);
    assert_int_equal(s->count, 0);
    assert_non_null(strstr(s->notice, "/0: an open transaction holds back offsets 7 to 8; --uncommitted"));
    session_end(s);
    s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    struct channel_list *list = channel_list_new();
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.list(&s->broker, topic, 0, list, &s->err), ERR_OK);
    assert_int_equal(list->count, 1);
    assert_int_equal(list->items[0].depth, 9); /* control records and open ones count: an upper bound */
    assert_true(list->items[0].depth_upper);
    channel_list_free(&list);
    session_end(s);
    rd_kafka_abort_transaction(rk, 15000);
    s = session_browse(kafka, topic, (struct start){START_LAST, 5}, 0);
    assert_int_equal(s->count, 5); /* reaches back over markers */
    assert_null(strstr(s->notice, "holds back"));
    session_end(s);
    rd_kafka_destroy(rk);
}

/* By whoever goes on behind it, or has to see all that was committed. */
static void what_is_held_back_is_known_and_waited_for(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    const struct start beginning = {.kind = START_BEGINNING};
    char topic[64];
    enum err e = ERR_OK;
    lab_unique("txh", topic, sizeof topic);
    rd_kafka_t *rk = fill_with_transactions(topic);
    struct session_of_test *s = session_new(kafka);
    struct read_progress progress = {.held = ""};
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, beginning, -1, -1, READ_HELD), ERR_OK);
    while (!e)
        e = kafka_broker.read_step(&s->broker, 500, &s->err);
    assert_int_equal(e, ERR_END);
    kafka_broker.read_progress(&s->broker, &progress);
    assert_non_null(strstr(progress.held, "/0: an open transaction holds back offsets 7 to 8"));
    assert_null(strstr(s->notice, "holds back"));
    session_end(s);
    s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, beginning, -1, -1, READ_SETTLED), ERR_BUSY);
    session_end(s);
    rd_kafka_abort_transaction(rk, 15000);
    s = session_browse(kafka, topic, beginning, READ_SETTLED);
    assert_int_equal(s->count, 5);
    session_end(s);
    rd_kafka_destroy(rk);
}

/* Two looks of ten seconds: a transaction that is open for a moment is no news. */
static void a_tail_that_stands_before_an_open_transaction_says_so(void **state)
{
    (void)state;
    char topic[64];
    lab_unique("txt", topic, sizeof topic);
    rd_kafka_t *rk = fill_with_transactions(topic);
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_TAP, (struct start){START_BEGINNING, 0}, -1, -1, 0), ERR_OK);
    int64_t deadline = clock_mono_ns() + 40 * NS_PER_S;
    while (!strstr(s->notice, "holds back")) {
        assert_true(clock_mono_ns() < deadline);
        assert_int_equal(kafka_broker.read_step(&s->broker, 500, &s->err), ERR_OK);
    }
    assert_int_equal(s->count, 4);
    assert_non_null(strstr(s->notice, "/0: an open transaction holds back offsets 7 to 8"));
    rd_kafka_abort_transaction(rk, 15000);
    assert_int_equal(session_steps(s, 5), ERR_OK);
    session_end(s);
    rd_kafka_destroy(rk);
}

static void uncommitted_ones_are_marked(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    lab_unique("txu", topic, sizeof topic);
    rd_kafka_t *rk = fill_with_transactions(topic);
    char by_name[64]; /* several addresses, of which one may refuse */
    snprintf(by_name, sizeof by_name, "localhost%s", strchr(kafka, ':'));
    struct session_of_test *s =
        session_browse(by_name, topic, (struct start){.kind = START_BEGINNING}, READ_UNCOMMITTED);
    assert_int_equal(s->count, 7);
    for (size_t i = 0; i < s->count; i++) {
        bool marked = s->messages[i]->flags & MESSAGE_UNCOMMITTED;
        /* What lies behind the open transaction is not handed to committed readers either. */
        assert_int_equal(marked,
                         s->messages[i]->position.offset == 3 || s->messages[i]->position.offset >= 7);
    }
    session_end(s);
    rd_kafka_abort_transaction(rk, 15000);
    rd_kafka_destroy(rk);
}

struct seen {
    struct group_row rows[32];
    size_t count;
};

static void keep_row(void *context, const struct group_row *row)
{
    struct seen *seen = context;
    if (seen->count < 32)
        seen->rows[seen->count++] = *row;
}

/* A consumer of its own kind commits an offset in the first partitions and leaves. */
static void commit(const char *topic, const char *group, int32_t partitions, int64_t offset)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_need("SB_KAFKA"), text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", group, text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    rd_kafka_topic_partition_list_t *rows = rd_kafka_topic_partition_list_new(1);
    for (int32_t i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(rows, topic, i)->offset = offset;
    assert_int_equal(rd_kafka_commit(rk, rows, 0), 0);
    rd_kafka_topic_partition_list_destroy(rows);
    rd_kafka_destroy(rk);
}

static void make_topic(const char *topic, int32_t partitions)
{
    const struct publish_request request = {
        .to = {CHANNEL_ANY, topic}, .flags = PUBLISH_CREATE, .partitions = partitions};
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    const struct publish_sink sink = {.context = s, .outcome = keep_outcome};
    if (session_open(s) || kafka_broker.publish_open(&s->broker, &request, &sink, &s->err))
        fail_msg("%s", s->err.text);
    session_end(s);
}

static rd_kafka_t *consumer_of(const char *topic, const char *group)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", lab_need("SB_KAFKA"), text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", group, text, sizeof text);
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_poll_set_consumer(rk), 0);
    assert_int_equal(rd_kafka_subscribe(rk, topics), 0);
    rd_kafka_topic_partition_list_destroy(topics);
    return rk;
}

static void groups_and_lag(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64], group[64];
    lab_unique("lag", topic, sizeof topic);
    lab_unique("group", group, sizeof group);
    const struct message m = session_message("k", "v");
    const struct message five[] = {m, m, m, m, m};
    session_send(kafka, topic, five, 5, PUBLISH_CREATE);
    commit(topic, group, 1, 3); /* of five */
    struct session_of_test *s = session_new(kafka);
    struct seen seen = {.count = 0};
    assert_int_equal(session_open(s), ERR_OK);
    session_deadline(s, 10000);
    enum err e = kafka_broker.groups(&s->broker, group, keep_row, &seen, &s->err);
    if (e)
        fail_msg("%s", s->err.text);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.rows[0].channel, topic);
    assert_int_equal(seen.rows[0].committed, 3);
    assert_int_equal(seen.rows[0].end, 5);
    assert_int_equal(seen.rows[0].lag, 2);
    assert_int_equal(seen.rows[0].members, 0);
    assert_string_equal(seen.rows[0].state, "Empty");
    struct channel_list *list = channel_list_new();
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.list(&s->broker, topic, 0, list, &s->err), ERR_OK);
    assert_int_equal(list->items[0].groups, 1);
    assert_int_equal(list->items[0].lag, 2);
    assert_int_equal(list->items[0].consumers, 0);
    channel_list_free(&list);
    session_end(s);
}

/* It reads, and has committed nothing: nobody must think that the topic has no reader. */
static void a_group_without_commits_is_seen(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64], group[64];
    session_topic("uncommitted", topic);
    lab_unique("live", group, sizeof group);
    rd_kafka_t *rk = consumer_of(topic, group);
    struct session_of_test *s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    int64_t deadline = clock_mono_ns() + 30 * NS_PER_S;
    struct channel_list *list = NULL;
    do { /* members get their partitions by and by */
        assert_true(clock_mono_ns() < deadline);
        channel_list_free(&list);
        list = channel_list_new();
        session_deadline(s, 10000);
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);
        if (m)
            rd_kafka_message_destroy(m);
        assert_int_equal(kafka_broker.list(&s->broker, topic, 0, list, &s->err), ERR_OK);
    } while (list->items[0].consumers != 1);
    assert_int_equal(list->items[0].groups, 1);
    assert_int_equal(list->items[0].lag, COUNT_UNKNOWN);
    assert_int_equal(list->group_count, 1);
    assert_string_equal(list->groups[0].name, group);
    assert_int_equal(list->groups[0].lag, COUNT_UNKNOWN);
    assert_int_equal(list->groups[0].members, 1);
    channel_list_free(&list);
    session_end(s);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

/* Four partitions, three with a message; one group has committed in the first, another one in those three. */
static void a_lag_that_leaves_partitions_out_is_marked(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64], some[64], all[64];
    lab_unique("partial", topic, sizeof topic);
    lab_unique("a-some", some, sizeof some);
    lab_unique("b-all", all, sizeof all);
    struct message m[3];
    for (int i = 0; i < 3; i++) {
        m[i] = session_message("k", "v");
        m[i].position = (struct position){POSITION_PARTITION, i, 0};
    }
    make_topic(topic, 4);
    session_send(kafka, topic, m, 3, PUBLISH_PARTITION | PUBLISH_EXACT);
    commit(topic, some, 1, 0);
    commit(topic, all, 3, 0);
    struct session_of_test *s = session_new(kafka);
    assert_int_equal(session_open(s), ERR_OK);
    struct channel_list *list = channel_list_new();
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.list(&s->broker, topic, 0, list, &s->err), ERR_OK);
    assert_int_equal(list->partition_count, 4);
    assert_int_equal(list->partitions[2].low, 0);
    assert_int_equal(list->partitions[2].high, 1);
    assert_int_equal(list->partitions[3].high, 0);
    assert_int_equal(list->group_count, 2);
    assert_string_equal(list->groups[0].name, some);
    assert_int_equal(list->groups[0].lag, 1);
    assert_true(list->groups[0].lag_partial);
    assert_string_equal(list->groups[1].name, all);
    assert_int_equal(list->groups[1].lag, 3);
    assert_false(list->groups[1].lag_partial); /* the fourth is empty */
    assert_int_equal(list->items[0].lag, 3);
    assert_true(list->items[0].lag_partial);
    channel_list_free(&list);
    list = channel_list_new();
    char pattern[70];
    snprintf(pattern, sizeof pattern, "%s*", topic);
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.list(&s->broker, pattern, 0, list, &s->err), ERR_OK);
    assert_true(list->items[0].lag_partial);
    assert_null(list->partitions);
    assert_null(list->groups);
    channel_list_free(&list);
    session_end(s);
}

/* Every group's name, one a line; reading, even when killed, adds none. */
static void reading_leaves_no_group(void **state)
{
    (void)state;
    const char *kafka = lab_need("SB_KAFKA");
    char topic[64];
    lab_unique("trace", topic, sizeof topic);
    const struct message m = session_message("k", "v");
    session_send(kafka, topic, &m, 1, PUBLISH_CREATE);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        struct session_of_test *s = session_new(kafka);
        if (!session_open(s) &&
            !session_read(s, topic, READ_TAP, (struct start){START_BEGINNING, 0}, -1, -1, 0) &&
            !session_steps(s, 1))
            (void)!write(pipes[1], "r", 1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct session_of_test *s = session_new(kafka);
    struct seen seen = {.count = 0};
    assert_int_equal(session_open(s), ERR_OK);
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.groups(&s->broker, NULL, keep_row, &seen, &s->err), ERR_OK);
    for (size_t i = 0; i < seen.count; i++)
        assert_string_not_equal(seen.rows[i].channel, topic);
    session_end(s);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_leaves_no_group),
        cmocka_unit_test(transactions_are_isolated),
        cmocka_unit_test(what_is_held_back_is_known_and_waited_for),
        cmocka_unit_test(a_tail_that_stands_before_an_open_transaction_says_so),
        cmocka_unit_test(uncommitted_ones_are_marked),
        cmocka_unit_test(groups_and_lag),
        cmocka_unit_test(a_group_without_commits_is_seen),
        cmocka_unit_test(a_lag_that_leaves_partitions_out_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
