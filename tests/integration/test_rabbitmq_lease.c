/* The RabbitMQ driver against the lab's broker: messages are taken, and what is not removed stands where it stood.
 * needs: rabbitmq
 * timeout: 240 */
#include "tests/integration/rabbit_lease.h"

#include "tests/support/equal.h"

#define ALL 10000

static enum choice remove_all(int number)
{
    (void)number;
    return REMOVE;
}

static enum choice hold_all(int number)
{
    (void)number;
    return HOLD;
}

static enum choice hold_each_third(int number)
{
    return number % 3 == 1 ? HOLD : REMOVE;
}

static enum choice hold_one(int number)
{
    return number == 5 ? HOLD : REMOVE;
}

/* The settled ones come in the order in which they stand there, and what was not removed stands in it still. */
static void expect_order(struct rig *rig, const char *queue, const int *before, size_t count,
                         enum choice (*choose)(int), size_t handed)
{
    static int left[MOST];
    size_t n = rig_take_all(rig, queue, left, MOST), k = 0;
    for (size_t i = 0; i < count; i++) {
        if (i < handed && choose(before[i]) == REMOVE)
            continue;
        if (k >= n || left[k] != before[i])
            fail_msg("%s: behind %zu stands %d, not %d", queue, k, k < n ? left[k] : -1, before[i]);
        k++;
    }
    assert_int_equal(k, n);
}

static void numbers_up(int *numbers, int count)
{
    for (int i = 0; i < count; i++)
        numbers[i] = i;
}

static void keeps_the_order(struct rig *rig, const char *prefix, const char *type,
                            const amqp_table_entry_t *more, int all, size_t window, int64_t most)
{
    static int numbers[ALL];
    char queue[64];
    rig_queue(rig, prefix, type, more, queue);
    rig_fill_lasting(rig, queue, all, false);
    numbers_up(numbers, all);
    struct leasing *l = leasing_of(queue, window, most);
    leasing_run(l, hold_each_third);
    size_t handed = l->count;
    assert_int_equal(handed, most < 0 ? all : most);
    for (size_t i = 0; i < handed; i++)
        assert_int_equal(l->taken[i].number, i);
    assert_true(l->most_out <= window);
    leasing_end(l);
    expect_order(rig, queue, numbers, (size_t)all, hold_each_third, handed);
}

static void a_classic_queue_keeps_its_order(void **state)
{
    const amqp_table_entry_t second = rig_number("x-queue-version", 2),
                             lazy = rig_text("x-queue-mode", "lazy");
    keeps_the_order(*state, "classic", "classic", NULL, ALL, 500, -1);
    keeps_the_order(*state, "version2", "classic", &second, 2000, 100, 900);
    keeps_the_order(*state, "lazy", "classic", &lazy, 2000, 64, 900);
}

static void a_quorum_queue_keeps_its_order(void **state)
{
    const amqp_table_entry_t limit = rig_number("x-delivery-limit", 20);
    keeps_the_order(*state, "quorum", "quorum", NULL, ALL, 500, -1);
    keeps_the_order(*state, "quorum", "quorum", NULL, 5000, 1000, 4000);
    keeps_the_order(*state, "quorum", "quorum", NULL, 1000, 1, 500);
    keeps_the_order(*state, "limited", "quorum", &limit, 2000, 100, 900);
}

static void each_priority_keeps_its_order(void **state)
{
    static int numbers[3000];
    struct rig *rig = *state;
    const amqp_table_entry_t priorities = rig_number("x-max-priority", 5);
    char queue[64];
    rig_queue(rig, "priorities", "classic", &priorities, queue);
    rig_fill_lasting(rig, queue, 3000, true);
    for (int i = 0; i < 3000; i++)
        numbers[i] = i % 1000 * 3 + 2 - i / 1000;
    struct leasing *l = leasing_of(queue, 100, 1500);
    leasing_run(l, hold_each_third);
    for (int i = 0; i < 1500; i++)
        assert_int_equal(l->taken[i].number, numbers[i]);
    leasing_end(l);
    expect_order(rig, queue, numbers, 3000, hold_each_third, 1500);
}

/* What was returned stands in a list of its own, which is filled from behind. */
static void a_lease_that_ends_among_returned_messages_keeps_the_order(void **state)
{
    static int numbers[2000];
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "again", "quorum", NULL, queue);
    rig_fill_lasting(rig, queue, 2000, false);
    numbers_up(numbers, 2000);
    struct leasing *l = leasing_of(queue, 100, 1000);
    leasing_run(l, hold_all);
    leasing_end(l);
    l = leasing_of(queue, 10, 20);
    leasing_run(l, hold_one);
    assert_int_equal(l->count, 20);
    leasing_end(l);
    expect_order(rig, queue, numbers, 2000, hold_one, 20);
}

static void what_is_left_goes_back_at_once(void **state)
{
    static int numbers[300];
    struct rig *rig = *state;
    char queue[64];
    const char *const types[] = {"classic", "quorum"};
    numbers_up(numbers, 300);
    for (int i = 0; i < 2; i++) {
        rig_queue(rig, "left", types[i], NULL, queue);
        rig_fill_lasting(rig, queue, 300, false);
        struct leasing *l = leasing_of(queue, 50, -1);
        leasing_leave(l, 50);
        assert_int_equal(rabbitmq_broker.lease_close(&l->s->broker, &l->returned, &l->s->err), ERR_OK);
        assert_int_equal(l->returned, 50);
        assert_int_equal(rig_depth(rig, queue), 300);
        leasing_end(l);
        expect_order(rig, queue, numbers, 300, hold_all, 50);
    }
}

/* Of what stands there no more is with us than the window has, and what is kept beside it. */
static void the_window_is_kept_to(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    const char *const types[] = {"classic", "quorum"};
    for (int i = 0; i < 2; i++) {
        rig_queue(rig, "window", types[i], NULL, queue);
        rig_fill_lasting(rig, queue, 1000, false);
        struct leasing *l = leasing_of(queue, 40, -1);
        leasing_leave(l, 40);
        rig_wait_depth(rig, queue, 960);
        leasing_end(l);
        rig_wait_depth(rig, queue, 1000);
        l = leasing_of(queue, 40, 400); /* more are kept than the window has */
        leasing_run(l, hold_all);
        assert_int_equal(l->count, 400);
        assert_int_equal(l->most_out, 40);
        leasing_end(l);
    }
}

static void a_paused_lease_hands_nothing_over(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "paused", "classic", NULL, queue);
    rig_fill(rig, queue, 10);
    struct leasing *l = leasing_of(queue, 10, -1);
    l->pause = true;
    for (size_t n = 1; n <= 10; n++) {
        int64_t deadline = clock_mono_ns() + 5 * NS_PER_S;
        enum err e = ERR_OK;
        while (l->count < n) {
            assert_true(!e && clock_mono_ns() < deadline);
            e = rabbitmq_broker.lease_step(&l->s->broker, 50, &l->s->err);
        }
        if (n < 10) {
            assert_int_equal(rabbitmq_broker.lease_step(&l->s->broker, 20, &l->s->err), ERR_OK);
            assert_int_equal(l->count, n);
        }
        rabbitmq_broker.lease_pause(&l->s->broker, false);
    }
    leasing_end(l);
}

/* ---- what is there besides ---- */

static void others_that_take_meanwhile_end_it(void **state)
{
    struct rig *rig = *state;
    static int numbers[100];
    char queue[64];
    rig_queue(rig, "others", "classic", NULL, queue);
    rig_fill(rig, queue, 100);
    struct leasing *l = leasing_of(queue, 10, -1);
    assert_int_equal(rig_take_all(rig, queue, numbers, 100), 90);
    leasing_run(l, remove_all);
    assert_int_equal(l->count, 10);
    leasing_end(l);
}

/* Somebody else's consumer, which settles nothing. */
static struct rig *consume_beside(const char *queue, uint16_t prefetch)
{
    struct rig *theirs = rig_open("/");
    amqp_basic_qos(theirs->connection, theirs->channel, 0, prefetch, 0);
    amqp_basic_consume(theirs->connection, theirs->channel, amqp_cstring_bytes(queue),
                       amqp_cstring_bytes("theirs"), 0, 0, 0, amqp_empty_table);
    assert_true(rig_went_well(theirs));
    return theirs;
}

static void consumers_are_named(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "consumed", "classic", NULL, queue);
    rig_fill(rig, queue, 20);
    struct rig *theirs = consume_beside(queue, 2);
    struct leasing *l = leasing_of(queue, 10, -1);
    leasing_run(l, remove_all);
    assert_int_equal(l->count, 18);
    assert_non_null(strstr(l->notices, "has consumers"));
    leasing_end(l);
    rig_close(theirs);
}

static void declare(struct rig *rig, const char *queue, bool durable, bool exclusive, bool auto_delete,
                    const amqp_table_entry_t *argument)
{
    amqp_table_entry_t one = argument ? *argument : (amqp_table_entry_t){0};
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(queue), 0, durable, exclusive,
                       auto_delete, (amqp_table_t){argument ? 1 : 0, &one});
    assert_true(rig_went_well(rig));
    rig_remember(rig, 'q', queue);
}

/* With the management API and without: nobody must be its last consumer. */
static void a_queue_that_goes_with_its_last_consumer_stays(void **state)
{
    static int numbers[ALL];
    struct rig *rig = *state;
    for (int i = 0; i < 2; i++) {
        char queue[64];
        lab_unique("goes", queue, sizeof queue);
        declare(rig, queue, i, false, true, NULL);
        rig_fill(rig, queue, 1000);
        numbers_up(numbers, 1000);
        struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
        if (i)
            s->endpoint.management = NULL;
        assert_int_equal(session_open(s), ERR_OK);
        struct leasing *l = leasing_in(s);
        assert_int_equal(leasing_try(l, CHANNEL_QUEUE, queue, 100, -1), ERR_OK);
        leasing_run(l, hold_each_third);
        assert_int_equal(l->count, 1000);
        leasing_end(l);
        expect_order(rig, queue, numbers, 1000, hold_each_third, 1000);
    }
}

static void expect_refused(enum channel_kind kind, const char *name, enum err code, const char *why)
{
    struct leasing *l = leasing_in(session_up("/"));
    assert_int_equal(leasing_try(l, kind, name, 10, -1), code);
    if (!strstr(l->s->err.text, why))
        fail_msg("%s", l->s->err.text);
    leasing_end(l);
}

static void what_cannot_be_taken_is_refused(void **state)
{
    struct rig *rig = *state;
    const amqp_table_entry_t single = rig_truth("x-single-active-consumer"),
                             limit = rig_number("x-delivery-limit", 2);
    char stream[64], exchange[64], exclusive[64], active[64], limited[64];
    rig_queue(rig, "stream", "stream", NULL, stream);
    rig_exchange(rig, "fanout", exchange);
    rig_queue(rig, "active", "classic", &single, active);
    rig_queue(rig, "limited", "quorum", &limit, limited);
    lab_unique("exclusive", exclusive, sizeof exclusive);
    declare(rig, exclusive, false, true, false, NULL);
    expect_refused(CHANNEL_ANY, stream, ERR_UNSUPPORTED, "is a stream");
    expect_refused(CHANNEL_EXCHANGE, exchange, ERR_UNSUPPORTED, "is an exchange");
    expect_refused(CHANNEL_QUEUE, exclusive, ERR_UNSUPPORTED, "another connection alone");
    expect_refused(CHANNEL_QUEUE, limited, ERR_REFUSED, "delivery limit");
    expect_refused(CHANNEL_QUEUE, "not-there", ERR_NOTFOUND, "no queue");
    rig_fill(rig, active, 10);
    struct leasing *l = leasing_of(active, 4, -1);
    leasing_run(l, hold_all);
    assert_int_equal(l->count, 10);
    leasing_end(l);
    struct rig *theirs = consume_beside(active, 2);
    int64_t deadline = clock_mono_ns() + 10 * NS_PER_S;
    char path[160], answer[200] = "";
    snprintf(path, sizeof path, "queues/%%2F/%s?columns=consumers", active);
    while (!strstr(answer, "\"consumers\":1")) { /* the statistics come to know */
        assert_true(clock_mono_ns() < deadline);
        rig_api(path, answer, sizeof answer);
        usleep(100000);
    }
    expect_refused(CHANNEL_QUEUE, active, ERR_UNSUPPORTED, "single active consumer");
    rig_close(theirs);
}

/* ---- nothing of a message is lost ---- */

static const struct header headers[] = {
    {BYTES_LITERAL("twice"), {.type = VALUE_INT16, .i = -7}},
    {BYTES_LITERAL("text"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("K\xc3\xb6ln")}},
    {BYTES_LITERAL("bytes"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("\x00\xff")}},
    {BYTES_LITERAL("twice"), {.type = VALUE_INT64, .i = INT64_MIN}},
};
static const struct header properties[] = {
    {BYTES_LITERAL("content_type"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("text/plain")}},
    {BYTES_LITERAL("message_id"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("m-1")}},
    {BYTES_LITERAL("delivery_mode"), {.type = VALUE_UINT8, .u = 2}},
};

static void a_leased_message_is_the_one_that_is_seen(void **state)
{
    struct rig *rig = *state;
    const char *const types[] = {"classic", "quorum"};
    size_t size = 3 * MIB + 17;
    uint8_t *large = malloc(size);
    for (size_t i = 0; i < size; i++)
        large[i] = (uint8_t)(i * 7 + (i >> 9));
    for (int i = 0; i < 2; i++) {
        char queue[64];
        rig_queue(rig, "same", types[i], NULL, queue);
        struct message m = session_message("", "");
        m.payload = bytes_of(large, size);
        m.headers = (struct headers){headers, sizeof headers / sizeof *headers};
        m.properties = (struct headers){properties, sizeof properties / sizeof *properties};
        session_send(queue, &m);
        struct leasing *l = leasing_of(queue, 10, -1);
        leasing_leave(l, 1);
        assert_true(bytes_equal(l->last->payload, m.payload));
        assert_true(headers_equal(l->last->headers, m.headers));
        for (size_t k = 0; k < 3; k++) {
            const struct value *v = headers_find(l->last->properties, properties[k].name);
            assert_true(v && value_equal(v, &properties[k].value));
        }
        leasing_end(l);
        rig_wait_depth(rig, queue, 1);
    }
    free(large);
}

/* ---- counting and purging ---- */

static void what_is_ready_is_counted_and_purged(void **state)
{
    struct rig *rig = *state;
    const char *const types[] = {"classic", "quorum"};
    struct session_of_test *s = session_up("/");
    int64_t ready = 0, unacked = 0, removed = 0;
    char stream[64];
    for (int i = 0; i < 2; i++) {
        char queue[64];
        rig_queue(rig, "counted", types[i], NULL, queue);
        const struct channel_name name = {CHANNEL_QUEUE, queue};
        rig_fill_lasting(rig, queue, 300, false);
        struct leasing *l = leasing_of(queue, 40, -1);
        leasing_leave(l, 40);
        assert_int_equal(rabbitmq_broker.count(&s->broker, &name, &ready, &unacked, &s->err), ERR_OK);
        assert_int_equal(ready, 260);
        assert_int_equal(rabbitmq_broker.truncate(&s->broker, &name, NULL, &removed, &s->err), ERR_OK);
        assert_int_equal(removed, 260);
        leasing_end(l); /* what was out comes back */
        rig_wait_depth(rig, queue, 40);
    }
    rig_queue(rig, "counted", "stream", NULL, stream);
    const struct channel_name name = {CHANNEL_ANY, stream}, missing = {CHANNEL_QUEUE, "not-there"};
    assert_int_equal(rabbitmq_broker.truncate(&s->broker, &name, NULL, &removed, &s->err), ERR_UNSUPPORTED);
    assert_int_equal(rabbitmq_broker.count(&s->broker, &missing, &ready, &unacked, &s->err), ERR_NOTFOUND);
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_classic_queue_keeps_its_order),
        cmocka_unit_test(a_quorum_queue_keeps_its_order),
        cmocka_unit_test(each_priority_keeps_its_order),
        cmocka_unit_test(a_lease_that_ends_among_returned_messages_keeps_the_order),
        cmocka_unit_test(what_is_left_goes_back_at_once),
        cmocka_unit_test(the_window_is_kept_to),
        cmocka_unit_test(a_paused_lease_hands_nothing_over),
        cmocka_unit_test(others_that_take_meanwhile_end_it),
        cmocka_unit_test(consumers_are_named),
        cmocka_unit_test(a_queue_that_goes_with_its_last_consumer_stays),
        cmocka_unit_test(what_cannot_be_taken_is_refused),
        cmocka_unit_test(a_leased_message_is_the_one_that_is_seen),
        cmocka_unit_test(what_is_ready_is_counted_and_purged),
    };
    return rig_run(tests, rig_teardown);
}
