/* Topics that change while they are read: the library tells nobody, the driver looks.
 * needs: kafka
 * waits
 * timeout: 180 */
#include "tests/integration/kafka_admin.h"

#define LARGE  10000
#define STORED 4000

static char topic[64];

static struct session_of_test *tailing(void)
{
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_TAP, (struct start){0}, -1, -1, 0), ERR_OK);
    return s;
}

/* Steps until the driver has said it; what step answers last. */
static enum err until_said(struct session_of_test *s, const char *text)
{
    int64_t deadline = clock_mono_ns() + 30 * NS_PER_S;
    enum err e = ERR_OK;
    while (!e && !strstr(s->notice, text)) {
        assert_true(clock_mono_ns() < deadline);
        e = kafka_broker.read_step(&s->broker, 500, &s->err);
    }
    assert_non_null(strstr(s->notice, text));
    return e;
}

/* As the engine does when a driver says ERR_CHANGED: the same connection, at the places. */
static void read_anew(struct session_of_test *s)
{
    struct read_places places = {0};
    kafka_broker.read_places(&s->broker, &places);
    assert_true(places.count > 0);
    assert_int_equal(kafka_broker.read_close(&s->broker, &s->err), ERR_OK);
    assert_int_equal(session_read_on(s, topic, &places), ERR_OK);
    free(places.items);
}

static void send_to(int32_t partition, const char *payload)
{
    struct message m = session_message("k", payload);
    m.position = (struct position){.kind = POSITION_PARTITION, .partition = partition};
    session_send(lab_need("SB_KAFKA"), topic, &m, 1, PUBLISH_EXACT | PUBLISH_PARTITION);
}

static void partitions_that_are_added_are_read_from_their_beginning(void **state)
{
    (void)state;
    lab_unique("grows", topic, sizeof topic);
    make_topic(topic, 1);
    send_to(0, "before");
    struct session_of_test *s = tailing();
    add_partitions(topic, 3);
    send_to(2, "early"); /* before anybody looked */
    assert_int_equal(until_said(s, "has 3 partitions now, not 1"), ERR_CHANGED);
    read_anew(s);
    send_to(0, "late");
    assert_int_equal(session_steps(s, 2), ERR_OK);
    for (size_t i = 0; i < 2; i++)
        assert_true(bytes_equal(s->messages[i]->payload, BYTES_LITERAL("early")) ||
                    bytes_equal(s->messages[i]->payload, BYTES_LITERAL("late")));
    session_end(s);
}

static void a_deleted_topic_is_said_and_waited_for(void **state)
{
    (void)state;
    lab_unique("deleted", topic, sizeof topic);
    make_topic(topic, 2);
    send_to(0, "old");
    struct session_of_test *s = tailing();
    delete_topic(topic);
    assert_int_equal(until_said(s, "was deleted"), ERR_OK);
    make_topic(topic, 3);
    for (int i = 0; i < 3; i++) /* offset 1 and on are where the old tail would have gone on */
        send_to(0, "new");
    send_to(2, "new");
    assert_int_equal(until_said(s, "was made anew"), ERR_CHANGED);
    read_anew(s);
    assert_int_equal(session_steps(s, 4), ERR_OK);
    session_end(s);
}

static void a_topic_made_anew_between_two_looks_is_read_from_its_beginning(void **state)
{
    (void)state;
    lab_unique("anew", topic, sizeof topic);
    make_topic(topic, 1);
    for (int i = 0; i < 3; i++)
        send_to(0, "old");
    struct session_of_test *s = tailing();
    delete_topic(topic);
    make_topic(topic, 1);
    send_to(0, "new");
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_CHANGED);
    read_anew(s);
    assert_non_null(strstr(s->notice, "made anew"));
    assert_int_equal(session_steps(s, 1), ERR_OK);
    assert_int_equal(s->messages[0]->position.offset, 0);
    session_end(s);
}

static void a_browse_of_a_topic_that_is_deleted_ends(void **state)
{
    (void)state;
    lab_unique("vanishes", topic, sizeof topic);
    make_topic(topic, 1);
    send_to(0, "one");
    send_to(0, "two");
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, (struct start){0}, -1, -1, 0), ERR_OK);
    s->pause = true;
    assert_int_equal(session_steps(s, 1), ERR_OK);
    kafka_broker.read_pause(&s->broker, true);
    delete_topic(topic);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_NOTFOUND);
    assert_non_null(strstr(s->err.text, "was deleted while it was read"));
    session_end(s);
}

static void store_large(void)
{
    static char payload[LARGE + 1];
    static struct message m[STORED];
    memset(payload, 'x', LARGE);
    for (int i = 0; i < STORED; i++)
        m[i] = session_message("k", payload);
    session_send(lab_need("SB_KAFKA"), topic, m, STORED, 0);
}

/* 40 MB, of which the library holds a few when the rest is taken away. */
static void retention_overtakes(uint32_t flags)
{
    lab_unique("retention", topic, sizeof topic);
    make_topic(topic, 1);
    store_large();
    struct session_of_test *s = session_new(lab_need("SB_KAFKA"));
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(session_read(s, topic, READ_BROWSE, (struct start){0}, -1, -1, flags), ERR_OK);
    s->pause = true;
    assert_int_equal(session_steps(s, 1), ERR_OK);
    delete_records(topic, 0, STORED - 100);
    s->pause = false;
    kafka_broker.read_pause(&s->broker, false);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_non_null(strstr(s->notice, "messages were removed before they could be seen"));
    assert_true(s->count > 100 && s->count < STORED);
    assert_int_equal(s->messages[s->count - 1]->position.offset, STORED - 1);
    assert_int_equal(s->messages[s->count - 100]->position.offset, STORED - 100);
    session_end(s);
}

static void what_retention_takes_from_a_browse_is_said(void **state)
{
    (void)state;
    retention_overtakes(0);
}

static void and_where_uncommitted_messages_are_read(void **state)
{
    (void)state;
    retention_overtakes(READ_UNCOMMITTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_that_are_added_are_read_from_their_beginning),
        cmocka_unit_test(a_deleted_topic_is_said_and_waited_for),
        cmocka_unit_test(a_topic_made_anew_between_two_looks_is_read_from_its_beginning),
        cmocka_unit_test(a_browse_of_a_topic_that_is_deleted_ends),
        cmocka_unit_test(what_retention_takes_from_a_browse_is_said),
        cmocka_unit_test(and_where_uncommitted_messages_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
