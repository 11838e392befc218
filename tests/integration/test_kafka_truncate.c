/* Counting, and the cluster's own removal: a prefix of each partition and nothing else, never of a compacted topic.
 * needs: kafka */
#include "tests/integration/kafka_transaction.h"

static char topic[64];
static int64_t removed;

static void fill(int partitions, size_t each)
{
    struct message m = session_message("k", "v");
    struct session_of_test *s = opened();
    const struct publish_request request = {.to = {CHANNEL_ANY, topic}, .flags = PUBLISH_EXACT};
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    assert_int_equal(kafka_broker.publish_open(&s->broker, &request, &sink, &s->err), ERR_OK);
    for (size_t i = 0; i < each * (size_t)partitions; i++) {
        m.position = (struct position){.kind = POSITION_PARTITION, .partition = (int32_t)i % partitions};
        assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, i, &s->err), ERR_OK);
    }
    session_publish_wait(s, each * (size_t)partitions);
    session_end(s);
}

static void fresh(int partitions, size_t each)
{
    lab_unique("truncate", topic, sizeof topic);
    make_topic(topic, partitions);
    fill(partitions, each);
}

static int64_t count(void)
{
    int64_t ready, unacked;
    const struct channel_name name = {CHANNEL_ANY, topic};
    struct session_of_test *s = opened();
    if (kafka_broker.count(&s->broker, &name, &ready, &unacked, &s->err))
        fail_msg("%s", s->err.text);
    assert_int_equal(unacked, COUNT_UNKNOWN);
    session_end(s);
    return ready;
}

/* Prints what it says of a failure. */
static enum err cut(const char *name, struct read_place *places, size_t places_count, const char *said)
{
    const struct channel_name channel = {CHANNEL_ANY, name};
    const struct read_places up_to = {places, places_count};
    struct session_of_test *s = opened();
    removed = -7;
    enum err e = kafka_broker.truncate(&s->broker, &channel, places ? &up_to : NULL, &removed, &s->err);
    if (e)
        print_message("%s [%s] next: %s\n", s->err.text, err_name(e), s->err.next);
    if (said)
        assert_non_null(strstr(s->err.text, said));
    session_end(s);
    return e;
}

static void each_partition_loses_its_own_prefix(void **state)
{
    (void)state;
    fresh(3, 10);
    assert_int_equal(count(), 30);
    struct read_place places[] = {
        {.partition = 0, .next = 4}, {.partition = 1, .next = -1}, {.partition = 2, .next = 10}};
    assert_int_equal(cut(topic, places, 3, NULL), ERR_OK);
    assert_int_equal(removed, 14);
    assert_int_equal(count(), 16);
    assert_int_equal(cut(topic, places, 3, NULL), ERR_OK); /* again */
    assert_int_equal(removed, 0);
    struct session_of_test *s =
        session_browse(lab_need("SB_KAFKA"), topic, (struct start){.kind = START_BEGINNING}, 0);
    assert_int_equal(s->count, 16);
    for (size_t i = 0; i < s->count; i++)
        assert_true(s->messages[i]->position.partition == 1 ||
                    (s->messages[i]->position.partition == 0 && s->messages[i]->position.offset >= 4));
    session_end(s);
}

static void no_place_is_nothing_and_no_places_are_all(void **state)
{
    (void)state;
    fresh(2, 5);
    struct read_place none = {.next = -1};
    assert_int_equal(cut(topic, &none, 0, NULL), ERR_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(count(), 10);
    assert_int_equal(cut(topic, NULL, 0, NULL), ERR_OK);
    assert_int_equal(removed, 10);
    assert_int_equal(count(), 0);
}

static void what_is_not_there_removes_nothing(void **state)
{
    (void)state;
    fresh(2, 5);
    struct read_place places[] = {{.partition = 0, .next = 5}, {.partition = 2, .next = 1}};
    assert_int_equal(cut(topic, places, 2, "has no partition 2"), ERR_NOTFOUND);
    assert_int_equal(removed, 0);
    assert_int_equal(count(), 10);
    assert_int_equal(cut("no-such-topic", places, 1, "no topic"), ERR_NOTFOUND);
}

/* The partitions are asked one by one: what went in one is told, too. */
static void an_offset_beyond_the_end_is_an_error(void **state)
{
    (void)state;
    fresh(2, 5);
    struct read_place places[] = {{.partition = 0, .next = 6}, {.partition = 1, .next = 3}};
    assert_int_equal(cut(topic, places, 2, "ends before the offset"), ERR_NOTFOUND);
    assert_int_equal(removed, 3);
    assert_int_equal(count(), 7);
}

static void capabilities(const char *why_not_purge)
{
    struct channel_list *list = channel_list_new();
    struct session_of_test *s = opened();
    assert_int_equal(kafka_broker.list(&s->broker, topic, READ_INTERNAL, list, &s->err), ERR_OK);
    assert_int_equal(list->count, 1);
    assert_non_null(strstr(list->items[0].why_not[CAN_REMOVE], "only a prefix"));
    const char *why = list->items[0].why_not[CAN_PURGE];
    if (why_not_purge)
        assert_non_null(strstr(why, why_not_purge));
    else
        assert_null(why);
    channel_list_free(&list);
    session_end(s);
}

static void a_compacted_topic_keeps_all(void **state)
{
    (void)state;
    lab_unique("compacted", topic, sizeof topic);
    make_topic_with(topic, "cleanup.policy", "compact");
    fill(1, 5);
    struct read_place place = {.partition = 0, .next = 3};
    assert_int_equal(cut(topic, &place, 1, "compacted"), ERR_REFUSED);
    assert_int_equal(removed, 0);
    assert_int_equal(cut(topic, NULL, 0, "compacted"), ERR_REFUSED);
    assert_int_equal(count(), 5);
    capabilities("compacted");
}

static void one_that_is_also_deleted_from_does_not(void **state)
{
    (void)state;
    lab_unique("both", topic, sizeof topic);
    make_topic_with(topic, "cleanup.policy", "compact,delete");
    fill(1, 5);
    struct read_place place = {.partition = 0, .next = 3};
    assert_int_equal(cut(topic, &place, 1, NULL), ERR_OK);
    assert_int_equal(removed, 3);
    assert_int_equal(count(), 2);
    capabilities(NULL);
}

static void kafkas_own_topics_are_left_alone(void **state)
{
    (void)state;
    struct read_place place = {.partition = 0, .next = 1};
    lab_unique("some", topic, sizeof topic);
    make_topic(topic, 1);
    struct session_of_test *s = claiming(topic, topic, true); /* so that there are transactions */
    session_end(s);
    snprintf(topic, sizeof topic, "__transaction_state");
    assert_int_equal(cut(topic, &place, 1, "Kafka's own"), ERR_REFUSED);
    capabilities("Kafka's own");
}

/* A purge takes what an open transaction has written, too; the count says that it is there. */
static void open_transactions_count_and_go(void **state)
{
    (void)state;
    fresh(1, 2);
    struct session_of_test *s = claiming(topic, topic, true);
    publish_some(s, 0, 3);
    assert_int_equal(count(), 5);
    assert_int_equal(cut(topic, NULL, 0, NULL), ERR_OK);
    assert_int_equal(removed, 5);
    commit_note(s, topic, "n");
    session_end(s);
    forget(topic);
    assert_int_equal(decided(topic), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_partition_loses_its_own_prefix),
        cmocka_unit_test(no_place_is_nothing_and_no_places_are_all),
        cmocka_unit_test(what_is_not_there_removes_nothing),
        cmocka_unit_test(an_offset_beyond_the_end_is_an_error),
        cmocka_unit_test(a_compacted_topic_keeps_all),
        cmocka_unit_test(one_that_is_also_deleted_from_does_not),
        cmocka_unit_test(kafkas_own_topics_are_left_alone),
        cmocka_unit_test(open_transactions_count_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
