/* The RabbitMQ driver against the lab's broker: looking into queues gives everything back, streams are read without a trace.
 * needs: rabbitmq
 * waits
 * timeout: 240 */
#include "tests/integration/rabbit_session.h"

#include "brokers/rabbitmq/rabbitmq_reader.h"

#include <sys/resource.h>

static void assert_numbers(const struct session_of_test *s, size_t from, size_t count)
{
    assert_int_equal(s->count, count);
    for (size_t i = 0; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%zu", from + i);
        if (!session_has(s, i, text))
            fail_msg("message %zu is %.*s", i, (int)s->messages[i]->payload.len,
                     (const char *)s->messages[i]->payload.data);
    }
}

static const char *stopped(struct session_of_test *s)
{
    static struct read_progress p;
    rabbitmq_broker.read_progress(&s->broker, &p);
    return p.stopped;
}

/* ---- queues ---- */

/* Where quorum queues have a limit by default (from 4.0 on) a new one is refused until there are statistics. */
static enum err browse_once_known(struct session_of_test *s, const char *queue, int64_t limit)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    enum err e;
    while ((e = session_browse(s, queue, limit)) == ERR_REFUSED && clock_mono_ns() < deadline) {
        session_close_read(s);
        usleep(200000);
    }
    return e;
}

static void look_twice(struct rig *rig, const char *type, size_t count)
{
    char queue[64], all[32];
    rig_queue(rig, type, type, NULL, queue);
    rig_fill(rig, queue, (int)count);
    snprintf(all, sizeof all, "%zu of %zu", count, count);
    for (int round = 0; round < 2; round++) {
        struct session_of_test *s = session_up("/");
        assert_int_equal(browse_once_known(s, queue, -1), ERR_OK);
        assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
        assert_numbers(s, 0, count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(s->messages[i]->flags & MESSAGE_REDELIVERED, round ? MESSAGE_REDELIVERED : 0);
        assert_non_null(strstr(stopped(s), all));
        assert_string_equal(s->messages[0]->origin->channel, queue);
        assert_int_equal(s->messages[0]->origin->kind, CHANNEL_QUEUE);
        assert_int_equal(session_close_read(s), ERR_OK);
        rig_wait_depth(rig, queue, (int64_t)count); /* returned by the nack: the connection still stands */
        session_end(s);
    }
}

static void a_classic_queue_gets_all_back(void **state)
{
    look_twice(*state, "classic", 300);
}

static void a_quorum_queue_gets_all_back(void **state)
{
    look_twice(*state, "quorum", 300);
}

/* Part of it, all of it, fewer than were returned before: after any look the next one finds the order of before. */
static void looks_keep_order(struct rig *rig, const char *type, const amqp_table_entry_t *argument)
{
    char queue[64];
    const int64_t looks[] = {2, 1, 50, -1, 40, 3, 99, 1};
    rig_queue(rig, type, "quorum", argument, queue);
    rig_fill(rig, queue, 100);
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        struct session_of_test *s = session_up("/");
        assert_int_equal(browse_once_known(s, queue, looks[i]), ERR_OK);
        assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
        assert_numbers(s, 0, looks[i] < 0 ? 100 : (size_t)looks[i]);
        assert_string_equal(s->notice, "");
        assert_non_null(strstr(stopped(s), "all returned"));
        session_end(s);
    }
    rig_wait_depth(rig, queue, 100);
}

static void a_quorum_queue_keeps_its_order(void **state)
{
    const amqp_table_entry_t limit = rig_number("x-delivery-limit", 1000);
    looks_keep_order(*state, "order", NULL);
    looks_keep_order(*state, "order-limit", &limit);
}

static void a_cancelled_look_keeps_the_order_too(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "cancelled", "quorum", NULL, queue);
    rig_fill(rig, queue, 700);
    for (int i = 0; i < 3; i++) {
        struct session_of_test *s = session_up("/");
        assert_int_equal(browse_once_known(s, queue, -1), ERR_OK);
        assert_int_equal(session_steps(s, 10 + (size_t)i), ERR_OK);
        assert_numbers(s, 0, s->count);
        atomic_store(&s->cancelled, true);
        session_end(s);
        rig_wait_depth(rig, queue, 700);
    }
    struct session_of_test *s = session_look(queue);
    assert_numbers(s, 0, 700);
    session_end(s);
}

/* Their time has passed while they were held: nothing is ready ever after, and the broker is not to be asked without a rest. */
static void what_expires_in_our_hands_is_waited_for_in_peace(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    const amqp_table_entry_t brief = rig_number("x-message-ttl", 1500);
    struct rusage before, after;
    rig_queue(rig, "brief", "classic", &brief, queue);
    struct session_of_test *s = session_up("/");
    rig_fill(rig, queue, 3);
    assert_int_equal(session_browse(s, queue, -1), ERR_OK);
    s->pause = true;
    assert_int_equal(session_steps(s, 1), ERR_OK);
    usleep(1600000);                   /* the time to live */
    atomic_store(&s->cancelled, true); /* it waits for half a second then */
    getrusage(RUSAGE_THREAD, &before);
    (void)session_close_read(s);
    getrusage(RUSAGE_THREAD, &after);
    print_message("%ld turns\n", after.ru_nvcsw - before.ru_nvcsw);
    assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 5, 100);
    session_end(s);
}

static void send_brief(struct rig *rig, const char *queue, const char *expiration)
{
    amqp_basic_properties_t p = {._flags = AMQP_BASIC_EXPIRATION_FLAG,
                                 .expiration = amqp_cstring_bytes(expiration)};
    assert_int_equal(amqp_basic_publish(rig->connection, rig->channel, amqp_empty_bytes,
                                        amqp_cstring_bytes(queue), 0, 0, &p, amqp_cstring_bytes("brief")),
                     0);
}

/* It is counted until it comes to the head: nothing of ours is on its way. */
static void what_expired_within_is_not_waited_for(void **state)
{
    struct rig *rig = *state;
    static const char *const types[] = {"classic", "quorum"};
    for (size_t i = 0; i < 2; i++) {
        char queue[64];
        rig_queue(rig, "within", types[i], NULL, queue);
        rig_send(rig, "", queue, "first");
        send_brief(rig, queue, "200");
        rig_send(rig, "", queue, "last");
        rig_wait_depth(rig, queue, 3);
        usleep(300000);
        struct session_of_test *s = session_up("/");
        assert_int_equal(browse_once_known(s, queue, -1), ERR_OK);
        int64_t start = clock_mono_ns();
        assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
        assert_true(clock_mono_ns() - start < 3 * NS_PER_S);
        assert_int_equal(s->count, 2);
        assert_non_null(strstr(stopped(s), "2 of 3, 1 expired or was taken meanwhile, all returned"));
        session_end(s);
    }
}

/* The effective definition in the management API follows some seconds later. */
static void a_policy_counts_from_the_moment_it_is_set(void **state)
{
    struct rig *rig = *state;
    char queue[64], command[600], out[64];
    rig_queue(rig, "policy", "quorum", NULL, queue);
    rig_fill(rig, queue, 1);
    snprintf(command, sizeof command,
             "curl -sS -m 10 -u %s:%s -H content-type:application/json -XPUT '%s/api/policies/%%2f/%s' -d "
             "'{\"pattern\":\"^%s$\",\"definition\":{\"delivery-limit\":1},\"apply-to\":\"queues\"}'",
             lab_need("SB_RABBIT_USER"), lab_need("SB_RABBIT_PASSWORD"), lab_need("SB_RABBIT_MGMT"), queue,
             queue);
    assert_int_equal(lab_shell(command, out, sizeof out), 0);
    for (int i = 0; i < 3; i++) {
        struct session_of_test *s = session_up("/");
        assert_int_equal(session_browse(s, queue, -1), ERR_REFUSED);
        assert_non_null(strstr(s->err.text, "delivery limit"));
        session_end(s);
    }
    rig_wait_depth(rig, queue, 1);
    snprintf(command, sizeof command, "curl -sS -m 10 -u %s:%s -XDELETE '%s/api/policies/%%2f/%s'",
             lab_need("SB_RABBIT_USER"), lab_need("SB_RABBIT_PASSWORD"), lab_need("SB_RABBIT_MGMT"), queue);
    assert_int_equal(lab_shell(command, out, sizeof out), 0);
}

static void wait_for_unacked(const char *queue)
{
    char path[128], *answer = malloc(65536);
    bool known = false;
    snprintf(path, sizeof path, "queues/%%2f/%s?columns=messages_unacknowledged", queue);
    for (int64_t until = clock_mono_ns() + 15 * NS_PER_S; !known && clock_mono_ns() < until; usleep(50000)) {
        rig_api(path, answer, 65536);
        known = strstr(answer, "\"messages_unacknowledged\":1") != NULL;
    }
    free(answer);
    assert_true(known);
}

static void what_others_hold_is_counted_and_said(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "held", "classic", NULL, queue);
    rig_fill(rig, queue, 5);
    amqp_message_t held;
    amqp_rpc_reply_t got = amqp_basic_get(rig->connection, rig->channel, amqp_cstring_bytes(queue), 0);
    assert_int_equal(got.reply.id, AMQP_BASIC_GET_OK_METHOD);
    uint64_t tag = ((amqp_basic_get_ok_t *)got.reply.decoded)->delivery_tag;
    amqp_read_message(rig->connection, rig->channel, &held, 0);
    amqp_destroy_message(&held);
    wait_for_unacked(queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_browse(s, queue, -1), ERR_OK);
    assert_non_null(strstr(s->notice, "1 of 5 messages"));
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_non_null(strstr(stopped(s), "4 of 5 (1 elsewhere), all returned"));
    session_end(s);
    amqp_basic_nack(rig->connection, rig->channel, tag, 0, 1);
    rig_wait_depth(rig, queue, 5);
}

static void the_limit_is_kept_and_told(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "limit", "classic", NULL, queue);
    rig_fill(rig, queue, 50);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_browse(s, queue, 20), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_numbers(s, 0, 20);
    assert_non_null(strstr(stopped(s), "limit"));
    assert_non_null(strstr(stopped(s), "20 of 50"));
    struct read_progress progress;
    rabbitmq_broker.read_progress(&s->broker, &progress);
    assert_int_equal(progress.most, RABBIT_HOLD_MOST);
    assert_int_equal(session_close_read(s), ERR_OK);
    rig_wait_depth(rig, queue, 50);
    s->stop_at = 7; /* the same session again, the sink says stop */
    assert_int_equal(session_browse(s, queue, -1), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_numbers(s, 0, 7);
    session_end(s);
    rig_wait_depth(rig, queue, 50);
}

static void an_empty_queue_ends_at_once(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "empty", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_browse(s, queue, -1), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 0);
    assert_non_null(strstr(stopped(s), "0 of 0"));
    session_end(s);
}

static void what_comes_later_is_not_looked_at(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "later", "classic", NULL, queue);
    rig_fill(rig, queue, 10);
    struct session_of_test *s = session_up("/");
    s->pause = true;
    assert_int_equal(session_browse(s, queue, -1), ERR_OK);
    assert_int_equal(session_steps(s, 1), ERR_OK);
    rig_send(rig, "", queue, "late");
    rig_wait_depth(rig, queue, 10); /* nine of before, and this one */
    s->pause = false;
    rabbitmq_broker.read_pause(&s->broker, false);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_numbers(s, 0, 10);
    session_end(s);
    rig_wait_depth(rig, queue, 11);
}

static void two_connections_may_not_share_an_exclusive_queue(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    lab_unique("exclusive", queue, sizeof queue);
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(queue), 0, 0, 1, 0,
                       amqp_empty_table);
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'q', queue);
    rig_fill(rig, queue, 2);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_browse(s, queue, -1), ERR_UNSUPPORTED);
    assert_non_null(strstr(s->err.next, "tail"));
    session_end(s);
    rig_wait_depth(rig, queue, 2);
}

static void what_would_lose_messages_is_refused(void **state)
{
    struct rig *rig = *state;
    char single[64], twice[64];
    const amqp_table_entry_t sac = rig_truth("x-single-active-consumer"),
                             two = rig_number("x-delivery-limit", 2);
    rig_queue(rig, "single", "quorum", &sac, single);
    rig_queue(rig, "twice", "quorum", &two, twice);
    rig_fill(rig, single, 1);
    rig_fill(rig, twice, 1);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_browse(s, single, -1), ERR_UNSUPPORTED);
    session_close_read(s);
    assert_int_equal(session_browse(s, twice, -1), ERR_REFUSED);
    assert_non_null(strstr(s->err.text, "delivery limit"));
    session_end(s);
    rig_wait_depth(rig, single, 1);
    rig_wait_depth(rig, twice, 1);
}

/* Nothing is in it that could be lost, whatever the statistics know. */
static void an_empty_queue_with_a_limit_is_looked_into(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    const amqp_table_entry_t five = rig_number("x-delivery-limit", 5);
    rig_queue(rig, "empty-five", "quorum", &five, queue);
    struct session_of_test *s = session_up("/");
    if (session_browse(s, queue, -1))
        fail_msg("%s", s->err.text);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 0);
    session_end(s);
}

static void wait_for_statistics(const char *queue)
{
    static const char published[] = "\"publish\":1,\"publish_details\":{\"rate\":0}";
    static const char exact[] = "\"publish\":1,\"publish_details\":{\"rate\":0.0}";
    char path[128], *answer = malloc(65536);
    bool known = false;
    snprintf(path, sizeof path, "queues/%%2f/%s?columns=message_stats", queue);
    for (int64_t until = clock_mono_ns() + 30 * NS_PER_S; !known && clock_mono_ns() < until; usleep(100000)) {
        rig_api(path, answer, 65536);
        known = strstr(answer, published) || strstr(answer, exact);
    }
    free(answer);
    assert_true(known);
}

/* A quorum queue with one dead letter, of which no statistics tell. */
static void dead_letter_queue(struct rig *rig, int limit, char queue[64])
{
    char before[64];
    const amqp_table_entry_t limited = rig_number("x-delivery-limit", limit);
    rig_queue(rig, "unknown", "quorum", &limited, queue);
    lab_unique("before", before, sizeof before);
    amqp_table_entry_t dead[] = {rig_number("x-message-ttl", 1), rig_text("x-dead-letter-exchange", ""),
                                 rig_text("x-dead-letter-routing-key", queue)};
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(before), 0, 0, 0, 0,
                       (amqp_table_t){3, dead});
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'q', before);
    rig_send(rig, "", before, "dead");
    rig_wait_depth(rig, queue, 1);
}

/* As after the broker's restart: there is a message of which no statistics tell, and another one of which they do. */
static void messages_without_statistics_are_not_looked_at(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    dead_letter_queue(rig, 9, queue);
    for (int round = 0; round < 2; round++) {
        struct session_of_test *s = session_up("/");
        assert_int_equal(session_browse(s, queue, -1), ERR_REFUSED);
        assert_non_null(strstr(s->err.text, "messages that the statistics do not know"));
        assert_non_null(strstr(s->err.next, "by a shovel"));
        session_end(s);
        if (round)
            break;
        rig_send(rig, "", queue, "known");
        rig_wait_depth(rig, queue, 2);
        wait_for_statistics(queue);
    }
}

/* RabbitMQ 4 gives every quorum queue a limit of 20: its dead letters must be seen for all that. */
static void a_limit_that_is_far_shuts_no_dead_letter_queue(void **state)
{
    char queue[64];
    dead_letter_queue(*state, 20, queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_browse(s, queue, -1), ERR_OK);
    assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
    assert_int_equal(s->count, 1);
    session_end(s);
}

/* Looking again and again counts, so that it must stop before the broker drops the message. */
static void looking_stops_before_the_delivery_limit(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    const amqp_table_entry_t five = rig_number("x-delivery-limit", 5);
    rig_queue(rig, "five", "quorum", &five, queue);
    rig_fill(rig, queue, 3);
    for (int i = 0; i < 9; i++) {
        struct session_of_test *s = session_up("/");
        if (!session_browse(s, queue, -1))
            assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
        session_end(s);
        rig_wait_depth(rig, queue, 3);
    }
}

/* Twenty messages, a limit of ten: the statistics count a look as twenty redeliveries, and see it late. Our own record tells that
 * each message was returned once more. */
static void a_queue_with_a_limit_is_looked_into_as_often_as_it_bears(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    const amqp_table_entry_t ten = rig_number("x-delivery-limit", 10);
    bool known = false;
    int looks = 0, refused = 0;
    rig_queue(rig, "ten", "quorum", &ten, queue);
    rig_fill(rig, queue, 20);
    for (int64_t until = clock_mono_ns() + 15 * NS_PER_S; !known && clock_mono_ns() < until;) {
        struct session_of_test *s = session_up("/"); /* refused until there are statistics */
        known = session_browse(s, queue, -1) == ERR_OK;
        session_end(s);
    }
    while (refused < 2 && looks < 30) {
        struct session_of_test *s = session_up("/");
        enum err e = session_browse(s, queue, -1);
        refused += e != ERR_OK;
        if (!e) {
            assert_int_equal(session_steps(s, SIZE_MAX), ERR_END);
            assert_int_equal(s->count, 20);
            looks++;
        } else {
            assert_int_equal(e, ERR_REFUSED);
        }
        session_end(s);
        rig_wait_depth(rig, queue, 20);
    }
    print_message("%d looks\n", looks);
    assert_in_range(looks, 7, 9);
}

static void an_exchange_keeps_nothing_to_look_at(void **state)
{
    struct rig *rig = *state;
    char exchange[64];
    rig_exchange(rig, "fanout", exchange);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_browse(s, exchange, -1), ERR_UNSUPPORTED);
    session_end(s);
}

static void a_name_that_is_not_there_gets_the_nearest(void **state)
{
    struct rig *rig = *state;
    char queue[64], wrong[80];
    rig_queue(rig, "nearest", "classic", NULL, queue);
    snprintf(wrong, sizeof wrong, "%sx", queue);
    struct session_of_test *s = session_up("/");
    assert_int_equal(session_browse(s, wrong, -1), ERR_NOTFOUND);
    assert_non_null(strstr(s->err.next, queue));
    session_end(s);
}

/* ---- streams ---- */

static struct session_of_test *read_stream(const char *stream, struct start start, int64_t limit)
{
    struct session_of_test *s = session_up("/");
    const struct channel_name name = {CHANNEL_ANY, stream};
    if (session_read(s, name, READ_BROWSE, start, limit, 0))
        fail_msg("%s", s->err.text);
    enum err e = session_steps(s, SIZE_MAX);
    if (e != ERR_END)
        fail_msg("%d %s", e, s->err.text);
    return s;
}

static void a_stream_is_read_from_anywhere_and_again(void **state)
{
    struct rig *rig = *state;
    char stream[64];
    rig_queue(rig, "stream", "stream", NULL, stream);
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        rig_send(rig, "", stream, text);
    }
    rig_wait_depth(rig, stream, 100);
    const struct {
        struct start start;
        size_t first, count;
    } cases[] = {
        {{START_DEFAULT, 0}, 0, 100}, {{START_BEGINNING, 0}, 0, 100}, {{START_BEGINNING, 0}, 0, 100},
        {{START_OFFSET, 42}, 42, 58}, {{START_LAST, 10}, 90, 10},     {{START_LAST, 1000}, 0, 100},
        {{START_OFFSET, 99}, 99, 1},  {{START_OFFSET, 100}, 0, 0},    {{START_END, 0}, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session_of_test *s = read_stream(stream, cases[i].start, -1);
        assert_numbers(s, cases[i].first, cases[i].count);
        for (size_t k = 0; k < s->count; k++) {
            const struct message *m = s->messages[k];
            assert_int_equal(m->position.kind, POSITION_OFFSET);
            assert_int_equal(m->position.offset, cases[i].first + k);
            assert_int_equal(m->flags & MESSAGE_REDELIVERED, 0);
            assert_null(headers_find(m->headers, BYTES_LITERAL("x-stream-offset")));
            assert_int_equal(m->origin->kind, CHANNEL_STREAM);
        }
        session_end(s);
    }
    struct session_of_test *s = read_stream(stream, (struct start){START_BEGINNING, 0}, 5);
    assert_numbers(s, 0, 5);
    session_end(s);
    rig_wait_depth(rig, stream, 100);
}

static void an_empty_stream_ends_at_once(void **state)
{
    struct rig *rig = *state;
    char stream[64];
    rig_queue(rig, "empty-stream", "stream", NULL, stream);
    struct session_of_test *s = read_stream(stream, (struct start){0}, -1);
    assert_int_equal(s->count, 0);
    session_end(s);
}

static void a_stream_is_tailed_from_now_on(void **state)
{
    struct rig *rig = *state;
    char stream[64];
    rig_queue(rig, "tail-stream", "stream", NULL, stream);
    rig_send(rig, "", stream, "old");
    rig_wait_depth(rig, stream, 1);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_STREAM, stream, 0);
    rig_send(rig, "", stream, "new");
    assert_int_equal(session_steps(s, 1), ERR_OK);
    assert_true(session_has(s, 0, "new"));
    assert_int_equal(s->messages[0]->position.offset, 1);
    session_end(s);
}

/* A consumer that is not cancelled stays in the list for minutes, though its connection is gone. */
static void a_stream_that_was_read_has_no_consumer_left(void **state)
{
    struct rig *rig = *state;
    char stream[64], *answer = malloc(1 << 20);
    bool there = true;
    rig_queue(rig, "ghost", "stream", NULL, stream);
    rig_fill(rig, stream, 20);
    for (int i = 0; i < 5; i++)
        session_end(read_stream(stream, (struct start){0}, 5));
    for (int64_t until = clock_mono_ns() + 10 * NS_PER_S; there && clock_mono_ns() < until; usleep(50000)) {
        rig_api("consumers/%2f", answer, 1 << 20);
        there = strstr(answer, stream) != NULL;
    }
    free(answer);
    assert_false(there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_classic_queue_gets_all_back),
        cmocka_unit_test(a_quorum_queue_gets_all_back),
        cmocka_unit_test(a_quorum_queue_keeps_its_order),
        cmocka_unit_test(a_cancelled_look_keeps_the_order_too),
        cmocka_unit_test(what_expires_in_our_hands_is_waited_for_in_peace),
        cmocka_unit_test(what_expired_within_is_not_waited_for),
        cmocka_unit_test(a_policy_counts_from_the_moment_it_is_set),
        cmocka_unit_test(what_others_hold_is_counted_and_said),
        cmocka_unit_test(the_limit_is_kept_and_told),
        cmocka_unit_test(an_empty_queue_ends_at_once),
        cmocka_unit_test(what_comes_later_is_not_looked_at),
        cmocka_unit_test(two_connections_may_not_share_an_exclusive_queue),
        cmocka_unit_test(what_would_lose_messages_is_refused),
        cmocka_unit_test(messages_without_statistics_are_not_looked_at),
        cmocka_unit_test(a_limit_that_is_far_shuts_no_dead_letter_queue),
        cmocka_unit_test(an_empty_queue_with_a_limit_is_looked_into),
        cmocka_unit_test(looking_stops_before_the_delivery_limit),
        cmocka_unit_test(a_queue_with_a_limit_is_looked_into_as_often_as_it_bears),
        cmocka_unit_test(an_exchange_keeps_nothing_to_look_at),
        cmocka_unit_test(a_name_that_is_not_there_gets_the_nearest),
        cmocka_unit_test(a_stream_is_read_from_anywhere_and_again),
        cmocka_unit_test(an_empty_stream_ends_at_once),
        cmocka_unit_test(a_stream_is_tailed_from_now_on),
        cmocka_unit_test(a_stream_that_was_read_has_no_consumer_left),
    };
    return rig_run(tests, rig_teardown);
}
