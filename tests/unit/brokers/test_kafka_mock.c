/* The Kafka driver against librdkafka's mock cluster, in this process: what the demo rests on. */
#include "tests/integration/kafka_session.h"

#include "base/log.h"
#include "base/text.h"
#include "brokers/kafka/kafka_reader.h"
#include "brokers/kafka/kafka_mock.h"
#include "tests/support/server.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sys/socket.h>

static struct kafka_mock *mock;

static int start_mock(void **state)
{
    (void)state;
    struct err_info err;
    mock = kafka_mock_start(&err);
    return !mock || kafka_mock_topic(mock, "orders", 3, &err) ||
           kafka_mock_topic(mock, "orders.dlt", 1, &err);
}

static int stop_mock(void **state)
{
    (void)state;
    kafka_mock_stop(&mock);
    return 0;
}

static struct session_of_test *session(void)
{
    struct session_of_test *s = session_new(kafka_mock_bootstrap(mock));
    session_option(s, "signalbox.mock", "yes");
    if (session_open(s))
        fail_msg("%s", s->err.text);
    return s;
}

static void publish_twelve(struct session_of_test *s)
{
    const struct publish_request request = {.to = {CHANNEL_TOPIC, "orders"}, .flags = PUBLISH_EXACT};
    const struct publish_sink sink = {.context = s, .outcome = keep_outcome};
    assert_int_equal(kafka_broker.publish_open(&s->broker, &request, &sink, &s->err), ERR_OK);
    for (int i = 0; i < 12; i++) {
        struct message m = session_message("k", "{}");
        m.position = (struct position){POSITION_PARTITION, i % 3, 0};
        m.time_ns = (INT64_C(1700000000000) + i) * NS_PER_MS;
        assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, (uint64_t)i, &s->err), ERR_OK);
    }
    session_publish_wait(s, 12);
    bool seen[12] = {false};
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
        assert_int_equal(s->outcomes[i].position.partition, s->outcomes[i].token % 3);
        seen[s->outcomes[i].token] = true;
    }
    for (size_t i = 0; i < 12; i++)
        assert_true(seen[i]);
    kafka_broker.publish_close(&s->broker);
}

static void publish_list_browse(void **state)
{
    (void)state;
    struct session_of_test *s = session();
    publish_twelve(s);
    session_end(s);
    s = session();
    struct channel_list *list = channel_list_new();
    session_deadline(s, 10000);
    assert_int_equal(kafka_broker.list(&s->broker, NULL, 0, list, &s->err), ERR_OK);
    const struct channel *c = channel_list_find(list, "orders", CHANNEL_TOPIC);
    assert_non_null(c);
    assert_int_equal(c->partitions, 3);
    assert_int_equal(c->depth, 12);
    assert_true(c->depth_upper);
    assert_int_equal(c->bytes, COUNT_UNKNOWN);
    assert_non_null(c->bytes_why);
    assert_non_null(c->why_not[CAN_GROUPS]);
    assert_null(c->why_not[CAN_TAP]);
    assert_true(list->complete);
    assert_true(channel_list_find(list, "orders.dlt", CHANNEL_TOPIC)->dead_letters);
    channel_list_free(&list);
    session_end(s);
    s = session_browse(kafka_mock_bootstrap(mock), "orders", (struct start){START_LAST, 4}, 0);
    assert_int_equal(s->count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(s->messages[i]->time_ns / NS_PER_MS, INT64_C(1700000000008) + (int64_t)i);
    session_end(s);
}

/* Nothing is sent, but what cannot be sent is refused, and what goes elsewhere is said. */
static void a_dry_publish_only_looks(void **state)
{
    (void)state;
    static const struct header typed = {BYTES_LITERAL("n"), {.type = VALUE_INT32, .i = 5}};
    const struct publish_request request = {.to = {CHANNEL_TOPIC, "orders.dlt"},
                                            .flags = PUBLISH_EXACT | PUBLISH_DRY};
    struct session_of_test *s = session();
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    struct message m = session_message("k", "{}");
    size_t pending = 1;
    assert_int_equal(kafka_broker.publish_open(&s->broker, &request, &sink, &s->err), ERR_OK);
    for (int32_t i = 0; i < 3; i++) {
        m.position = (struct position){POSITION_PARTITION, i, 0};
        assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, 0, &s->err), ERR_OK);
    }
    m.headers = (struct headers){&typed, 1};
    m.position.kind = POSITION_NONE;
    assert_int_equal(kafka_broker.publish(&s->broker, 0, &m, 0, &s->err), ERR_OK);
    assert_int_equal(kafka_broker.publish_step(&s->broker, 1000, &pending, &s->err), ERR_OK);
    assert_int_equal(pending, 0);
    kafka_broker.publish_close(&s->broker);
    assert_non_null(strstr(s->notice, "2 messages are of a partition"));
    assert_int_equal(s->outcome_count, 0);
    session_end(s);
    s = session_browse(kafka_mock_bootstrap(mock), "orders.dlt", (struct start){START_BEGINNING, 0}, 0);
    assert_int_equal(s->count, 0);
    session_end(s);
}

static void one_partition_from_an_offset(void **state)
{
    (void)state;
    struct session_of_test *s = session();
    assert_int_equal(session_read(s, "orders", READ_BROWSE, (struct start){START_OFFSET, 2}, 1, -1, 0),
                     ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 2);
    assert_int_equal(s->messages[0]->position.partition, 1);
    assert_int_equal(s->messages[0]->position.offset, 2);
    assert_int_equal(kafka_broker.read_close(&s->broker, NULL), ERR_OK);
    /* The same session reads again: from the start, at most five. */
    assert_int_equal(session_read(s, "orders", READ_BROWSE, (struct start){START_BEGINNING, 0}, -1, 5, 0),
                     ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 5);
    assert_int_equal(kafka_broker.read_close(&s->broker, NULL), ERR_OK);
    assert_int_equal(session_read(s, "orders", READ_BROWSE, (struct start){0}, 7, -1, 0), ERR_NOTFOUND);
    session_end(s);
}

static void a_waiting_tap_is_woken(void **state)
{
    (void)state;
    struct session_of_test *s = session();
    assert_int_equal(session_read(s, "orders", READ_TAP, (struct start){0}, -1, -1, 0), ERR_OK);
    (void)!write(s->broker.wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    for (int i = 0; i < 20; i++) /* -1 would wait for ever, were it not for the wake-up */
        assert_int_equal(kafka_broker.read_step(&s->broker, -1, &s->err), ERR_OK);
    (void)!read(s->broker.wake_fd, &(uint64_t){0}, sizeof(uint64_t));
    kafka_broker.interrupt(&s->broker);
    assert_int_equal(kafka_broker.read_step(&s->broker, -1, &s->err), ERR_OK);
    session_end(s);
}

static void what_the_mock_lacks_is_said(void **state)
{
    (void)state;
    struct session_of_test *s = session();
    session_deadline(s, 5000);
    assert_int_equal(kafka_broker.groups(&s->broker, NULL, NULL, NULL, &s->err), ERR_UNSUPPORTED);
    assert_int_equal(session_read(s, "orders", READ_BROWSE, (struct start){START_TIME, 1}, -1, -1, 0),
                     ERR_UNSUPPORTED);
    struct sample sample = {.health = HEALTH_UNKNOWN};
    session_deadline(s, 5000);
    assert_int_equal(kafka_broker.ping(&s->broker, &sample, &s->err), ERR_OK);
    assert_int_equal(sample.health, HEALTH_UP);
    session_end(s);
}

static void cancelled_opening_returns(void **state)
{
    (void)state;
    struct session_of_test *s = session_new("127.0.0.1:1");
    atomic_store(&s->cancelled, true);
    assert_int_equal(session_open(s), ERR_CANCELLED);
    session_end(s);
}

static void *keep_interrupting(void *context)
{
    struct session_of_test *s = context;
    while (!atomic_load(&s->cancelled))
        kafka_broker.interrupt(&s->broker);
    return NULL;
}

/* Its descriptor is being made then, and a zeroed state's is that of standard input. */
static void an_interrupt_may_come_before_and_while_it_opens(void **state)
{
    (void)state;
    pthread_t thread;
    int input = dup(STDIN_FILENO), ours = eventfd(0, EFD_NONBLOCK);
    struct session_of_test *s = session_new(kafka_mock_bootstrap(mock));
    session_option(s, "signalbox.mock", "yes");
    assert_int_equal(dup2(ours, STDIN_FILENO), STDIN_FILENO);
    kafka_broker.interrupt(&s->broker);
    assert_int_equal(pthread_create(&thread, NULL, keep_interrupting, s), 0);
    enum err e = session_open(s);
    atomic_store(&s->cancelled, true);
    pthread_join(thread, NULL);
    ssize_t written = read(STDIN_FILENO, &(uint64_t){0}, sizeof(uint64_t));
    if (input >= 0)
        dup2(input, STDIN_FILENO);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(written, -1);
    close(input);
    close(ours);
    session_end(s);
}

static void answer_script(struct server *s, int fd)
{
    char request[512];
    const struct bytes *script = s->script;
    if (read(fd, request, sizeof request) > 0)
        (void)!send(fd, script->data, script->len, MSG_NOSIGNAL);
    while (read(fd, request, sizeof request) > 0) /* until the client has seen enough */
        ;
}

/* What answers in another protocol is called what it is. */
static void strangers_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        struct bytes answer;
        enum err code;
        const char *said;
    } cases[] = {
        {BYTES_LITERAL("HTTP/1.1 400 Bad Request\r\n\r\n"), ERR_PROTOCOL, "speaks HTTP, not Kafka"},
        {BYTES_LITERAL("\x7a\x01\x02\x03\x04\x05\x06\x07"), ERR_PROTOCOL, "does not speak Kafka"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server server;
        char port[32], all[600];
        server_start(&server, answer_script, &cases[i].answer);
        snprintf(port, sizeof port, "127.0.0.1:%d", server.port);
        struct session_of_test *s = session_new(port);
        assert_int_equal(session_open(s), cases[i].code);
        snprintf(all, sizeof all, "%s %s", s->err.text, s->err.next);
        assert_non_null(strstr(all, cases[i].said));
        session_end(s);
        server_stop(&server);
    }
}

/* The library takes every port that closes for one of TLS, and says so at length. */
static void a_port_that_closes_is_called_that(void **state)
{
    (void)state;
    static const char *const schemes[] = {"kafka", "kafkas"};
    static const char *const said[] = {"the connection was closed without an answer (127.0.0.1:",
                                       "the connection was closed while TLS was agreed on (127.0.0.1:"};
    for (size_t i = 0; i < 2; i++) {
        struct server server;
        char port[32];
        server_start(&server, serve_close, NULL);
        snprintf(port, sizeof port, "127.0.0.1:%d", server.port);
        struct session_of_test *s = session_new(port);
        s->endpoint.url.scheme = schemes[i];
        session_deadline(s, 3000);
        assert_int_equal(kafka_broker.open(&s->broker, &s->err), ERR_CLOSED);
        assert_int_equal(strncmp(s->err.text, said[i], strlen(said[i])), 0);
        assert_non_null(strstr(s->err.next, i ? "kafka://" : "kafkas://"));
        session_end(s);
        server_stop(&server);
    }
}

/* A cluster of three does not know a new topic, or a new leader, everywhere at once. */
static void a_settling_cluster_is_waited_for(void **state)
{
    enum { LIST_OFFSETS = 2 }; /* Kafka protocol, API keys */
    (void)state;
    char text[256];
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, text, sizeof text);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, 3);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "new", 3, 1), 0);
    struct session_of_test *s = session_new(rd_kafka_mock_cluster_bootstraps(cluster));
    session_option(s, "signalbox.mock", "yes");
    assert_int_equal(session_open(s), ERR_OK);
    rd_kafka_mock_push_request_errors(cluster, LIST_OFFSETS, 4, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                                      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
    if (session_read(s, "new", READ_TAP, (struct start){0}, -1, -1, 0))
        fail_msg("%s", s->err.text);
    session_end(s);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
}

/* A listing just after a restart: what comes within a second is waited for, the rest is said in the field's words. */
static void a_listing_waits_a_moment_for_leaders(void **state)
{
    enum { LIST_OFFSETS = 2 };
    (void)state;
    static rd_kafka_resp_err_t many[200];
    char text[256];
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, text, sizeof text);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, 1);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "led", 1, 1), 0);
    struct session_of_test *s = session_new(rd_kafka_mock_cluster_bootstraps(cluster));
    session_option(s, "signalbox.mock", "yes");
    assert_int_equal(session_open(s), ERR_OK);
    for (size_t i = 0; i < 200; i++)
        many[i] = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    for (int late = 0; late < 2; late++) {
        struct channel_list *list = channel_list_new();
        session_deadline(s, 10000);
        rd_kafka_mock_push_request_errors_array(cluster, LIST_OFFSETS, late ? 200 : 2, many);
        assert_int_equal(kafka_broker.list(&s->broker, NULL, 0, list, &s->err), ERR_OK);
        print_message("%s\n", list->note);
        assert_int_equal(list->complete, !late);
        assert_int_equal(list->items[0].depth, late ? COUNT_UNKNOWN : 0);
        assert_true(!late ||
                    strstr(list->note, "the cluster is still electing leaders; try again in a moment"));
        channel_list_free(&list);
    }
    session_end(s);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
}

/* The library answers then as if it were one failure, "Unknown partition". */
static void rows_fail_alone_even_if_all_do(void **state)
{
    (void)state;
    struct session_of_test *s = session();
    struct kafka_state *k = s->broker.state;
    rd_kafka_topic_partition_list_t *rows = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(rows, "orders", 9);
    session_deadline(s, 5000);
    if (kafka_offsets(&s->broker, k->rk, rows, RD_KAFKA_OFFSET_END, &s->err))
        fail_msg("%s", s->err.text);
    assert_int_not_equal(rows->elems[0].err, 0);
    rd_kafka_topic_partition_list_destroy(rows);
    session_end(s);
}

static int64_t next_of(struct session_of_test *s, size_t at)
{
    struct read_places places = {0};
    kafka_broker.read_places(&s->broker, &places);
    assert_true(at < places.count);
    int64_t next = places.items[at].next;
    free(places.items);
    return next;
}

static void lead(rd_kafka_mock_cluster_t *cluster, int32_t broker)
{
    for (int32_t p = 1; p < 3; p++)
        assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, "led", p, broker), 0);
}

/* A broker that comes back has no leaders at first: a tail that goes on keeps the place of a partition that it cannot read yet. */
static void a_place_without_a_leader_is_kept(void **state)
{
    (void)state;
    char text[256];
    struct read_place stood[] = {{0, 0, 0, false}, {0, 1, 7, false}};
    struct read_places places = {stood, 2};
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, text, sizeof text);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, 1);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "led", 3, 1), 0);
    lead(cluster, -1);
    struct session_of_test *s = session_new(rd_kafka_mock_cluster_bootstraps(cluster));
    session_option(s, "signalbox.mock", "yes");
    assert_int_equal(session_open(s), ERR_OK);
    if (session_read_on(s, "led", &places))
        fail_msg("%s", s->err.text);
    assert_string_equal(s->notice, "2 partitions of led have no leader and are not read");
    assert_int_equal(next_of(s, 0), 0);
    assert_int_equal(next_of(s, 1), 7);
    assert_int_equal(next_of(s, 2), 0); /* it is new since then: from its beginning, once it has a leader */
    lead(cluster, 1);
    ((struct kafka_state *)s->broker.state)->read->look_ns = 0; /* the next look is now */
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_CHANGED);
    assert_string_equal(s->notice,
                        "2 partitions of led have leaders now, and are read on from where they stood");
    assert_int_equal(kafka_broker.read_close(&s->broker, NULL), ERR_OK);
    lead(cluster, -1);
    assert_int_equal(session_read(s, "led", READ_TAP, (struct start){0}, -1, -1, 0), ERR_OK);
    assert_int_equal(next_of(s, 1), -1); /* a tail that begins now: its end then */
    session_end(s);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
}

/* The library's words reach the log without its threads, and a repeat is no line of its own. */
static void the_librarys_words_are_tidied_and_folded(void **state)
{
    (void)state;
    uint64_t oldest, before, newest;
    struct log_line line = {.id = 0};
    log_range(&oldest, &before);
    struct session_of_test *s = session_new("127.0.0.1:1");
    s->endpoint.name = "refused";
    session_option(s, "signalbox.mock", "yes");
    session_option(s, "reconnect.backoff.ms", "10");
    session_option(s, "reconnect.backoff.max.ms", "10");
    session_deadline(s, 2000);
    assert_int_not_equal(kafka_broker.open(&s->broker, &s->err), ERR_OK);
    session_end(s);
    log_range(&oldest, &newest);
    unsigned fails = 0;
    for (uint64_t id = before + 1; id <= newest; id++) {
        if (!log_get(id, &line) || strcmp(line.source, "refused") || !strstr(line.text, "refused"))
            continue;
        assert_string_equal(line.text, "127.0.0.1:1: Connection refused");
        fails++;
    }
    assert_int_equal(fails, 1);
}

enum { OFFSET_FETCH = 9 };

/* A coordinator that has just moved says so, which crashed the library where the handle is in no group. */
static void a_coordinator_that_has_moved_is_an_error(void **state)
{
    (void)state;
    char text[256];
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof text);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, 1);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "led", 1, 1), 0);
    struct session_of_test *s = session_new(rd_kafka_mock_cluster_bootstraps(cluster));
    assert_int_equal(session_open(s), ERR_OK);
    rd_kafka_t *rk = kafka_group_handle(&s->broker, &s->err);
    assert_non_null(rk);
    rd_kafka_mock_push_request_errors(cluster, OFFSET_FETCH, 1, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    rd_kafka_topic_partition_list_t *rows = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(rows, "led", 0);
    rd_kafka_ListConsumerGroupOffsets_t *question = rd_kafka_ListConsumerGroupOffsets_new("readers", rows);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_event_t *event;
    rd_kafka_ListConsumerGroupOffsets(rk, &question, 1, options, queue);
    session_deadline(s, 10000);
    assert_int_equal(kafka_answer(&s->broker, queue, "offsets", &event, &s->err), ERR_OK);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    assert_ptr_equal(kafka_group_handle(&s->broker, &s->err), rk);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
    rd_kafka_topic_partition_list_destroy(rows);
    session_end(s);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publish_list_browse),
        cmocka_unit_test(a_dry_publish_only_looks),
        cmocka_unit_test(one_partition_from_an_offset),
        cmocka_unit_test(a_waiting_tap_is_woken),
        cmocka_unit_test(strangers_are_told_apart),
        cmocka_unit_test(a_port_that_closes_is_called_that),
        cmocka_unit_test(a_settling_cluster_is_waited_for),
        cmocka_unit_test(a_listing_waits_a_moment_for_leaders),
        cmocka_unit_test(rows_fail_alone_even_if_all_do),
        cmocka_unit_test(a_place_without_a_leader_is_kept),
        cmocka_unit_test(what_the_mock_lacks_is_said),
        cmocka_unit_test(cancelled_opening_returns),
        cmocka_unit_test(an_interrupt_may_come_before_and_while_it_opens),
        cmocka_unit_test(the_librarys_words_are_tidied_and_folded),
        cmocka_unit_test(a_coordinator_that_has_moved_is_an_error),
    };
    return cmocka_run_group_tests(tests, start_mock, stop_mock);
}
