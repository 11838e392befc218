/* What is tapped changes while it is listened to: bindings go with their exchange and tell nobody, the driver looks.
 * needs: rabbitmq
 * waits
 * timeout: 240 */
#include "tests/integration/rabbit_session.h"

#include "brokers/rabbitmq/rabbitmq_internal.h"

/* Steps until the driver has said it. */
static void until_said(struct session_of_test *s, const char *text)
{
    int64_t deadline = clock_mono_ns() + 30 * NS_PER_S;
    while (!strstr(s->notice, text)) {
        assert_true(clock_mono_ns() < deadline);
        if (rabbitmq_broker.read_step(&s->broker, 500, &s->err))
            fail_msg("%s", s->err.text);
    }
}

static void delete_exchange(struct rig *rig, const char *name)
{
    amqp_exchange_delete(rig->connection, rig->channel, amqp_cstring_bytes(name), 0);
    assert_true(rig_went_well(rig));
}

static void declare_exchange(struct rig *rig, const char *name, const char *type)
{
    amqp_exchange_declare(rig->connection, rig->channel, amqp_cstring_bytes(name), amqp_cstring_bytes(type),
                          0, 0, 0, 0, amqp_empty_table);
    assert_true(rig_went_well(rig));
}

static void unbind(struct rig *rig, const char *queue, const char *exchange, const char *key)
{
    amqp_queue_unbind(rig->connection, rig->channel, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                      amqp_cstring_bytes(key), amqp_empty_table);
    assert_true(rig_went_well(rig));
}

static void expect_next(struct session_of_test *s, const char *text)
{
    size_t at = s->count;
    assert_int_equal(session_steps(s, at + 1), ERR_OK);
    assert_true(session_has(s, at, text));
}

static struct session_of_test *tapping(const char *exchange, const char *management)
{
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.management = management;
    assert_int_equal(session_open(s), ERR_OK);
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    return s;
}

/* With the management API, and by AMQP alone. */
static void an_exchange_that_is_made_anew_is_tapped_again(void **state)
{
    struct rig *rig = *state;
    char exchange[64];
    rig_exchange(rig, "topic", exchange);
    struct session_of_test *s[] = {tapping(exchange, lab_need("SB_RABBIT_MGMT")), tapping(exchange, NULL)};
    rig_send(rig, exchange, "a", "before");
    for (int i = 0; i < 2; i++)
        expect_next(s[i], "before");
    delete_exchange(rig, exchange);
    for (int i = 0; i < 2; i++)
        until_said(s[i], "was deleted: nothing comes until it is made anew");
    declare_exchange(rig, exchange, "topic");
    for (int i = 0; i < 2; i++)
        until_said(s[i], "was made anew and is tapped again");
    rig_send(rig, exchange, "a", "after");
    for (int i = 0; i < 2; i++) {
        expect_next(s[i], "after");
        session_end(s[i]);
    }
}

static void an_exchange_made_anew_between_two_looks_is_said(void **state)
{
    struct rig *rig = *state;
    char exchange[64];
    rig_exchange(rig, "topic", exchange);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    delete_exchange(rig, exchange);
    declare_exchange(rig, exchange, "topic");
    until_said(s, "was made anew and is tapped again");
    rig_send(rig, exchange, "a", "after");
    expect_next(s, "after");
    session_end(s);
}

/* Its bindings, and with them those of its queue's tap, went and came. */
static void a_direct_exchange_made_anew_between_two_looks_is_said(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "direct", exchange);
    rig_queue(rig, "behind", "classic", NULL, queue);
    rig_bind(rig, queue, exchange, "red");
    struct session_of_test *s[] = {session_up("/"), session_up("/")};
    session_tap(s[0], CHANNEL_EXCHANGE, exchange, 0);
    session_tap(s[1], CHANNEL_QUEUE, queue, 0);
    delete_exchange(rig, exchange);
    declare_exchange(rig, exchange, "direct");
    rig_bind(rig, queue, exchange, "red");
    for (int i = 0; i < 2; i++)
        until_said(s[i], "is bound in another way now");
    rig_send(rig, exchange, "red", "after");
    for (int i = 0; i < 2; i++) {
        expect_next(s[i], "after");
        session_end(s[i]);
    }
}

static void an_exchange_made_anew_as_one_that_shares_out_is_left_alone(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64], path[160], bindings[4096];
    rig_exchange(rig, "fanout", exchange);
    rig_queue(rig, "share", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    delete_exchange(rig, exchange);
    declare_exchange(rig, exchange, "x-consistent-hash");
    rig_bind(rig, queue, exchange, "1");
    until_said(s, "was made anew as one that shares out");
    snprintf(path, sizeof path, "exchanges/%%2F/%s/bindings/source?columns=destination", exchange);
    rig_api(path, bindings, sizeof bindings);
    assert_non_null(strstr(bindings, queue));
    assert_null(strstr(bindings, "amq.gen"));
    delete_exchange(rig, exchange);
    declare_exchange(rig, exchange, "fanout");
    until_said(s, "was made anew and is tapped again");
    session_end(s);
}

static void a_direct_exchange_gets_another_key(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "direct", exchange);
    rig_queue(rig, "keys", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    assert_non_null(strstr(s->notice, "no keys"));
    rig_bind(rig, queue, exchange, "red");
    until_said(s, "is bound in another way now");
    rig_send(rig, exchange, "red", "seen");
    expect_next(s, "seen");
    session_end(s);
}

static size_t bound_with(const char *exchange, const char *key)
{
    char path[160], answer[8192], wanted[80];
    size_t count = 0;
    snprintf(path, sizeof path, "exchanges/%%2F/%s/bindings/source", exchange);
    snprintf(wanted, sizeof wanted, "\"routing_key\":\"%s\"", key);
    rig_api(path, answer, sizeof answer);
    for (const char *at = answer; (at = strstr(at, wanted)); at++)
        count++;
    return count;
}

/* Without the management API a tap takes "#" for a key. */
static void the_tap_of_another_one_changes_nothing(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "direct", exchange);
    rig_queue(rig, "others", "classic", NULL, queue);
    rig_bind(rig, queue, exchange, "red");
    struct session_of_test *s = session_up("/"), *other = tapping(exchange, "http://127.0.0.1:1");
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    assert_int_equal(bound_with(exchange, "#"), 1);
    session_end(other);
    other = tapping(exchange, "http://127.0.0.1:1");
    rig_bind(rig, queue, exchange, "blue");
    until_said(s, "is bound in another way now");
    assert_int_equal(bound_with(exchange, "blue"), 2);
    assert_int_equal(bound_with(exchange, "#"), 1);
    session_end(other);
    session_end(s);
}

static void a_queue_is_bound_in_another_way(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "topic", exchange);
    rig_queue(rig, "rebound", "classic", NULL, queue);
    rig_bind(rig, queue, exchange, "old.#");
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_QUEUE, queue, 0);
    rig_bind(rig, queue, exchange, "new.#");
    unbind(rig, queue, exchange, "old.#");
    until_said(s, "is bound in another way now");
    rig_send(rig, exchange, "old.1", "elsewhere");
    rig_send(rig, exchange, "new.1", "here");
    expect_next(s, "here");
    amqp_queue_delete(rig->connection, rig->channel, amqp_cstring_bytes(queue), 0, 0);
    assert_true(rig_went_well(rig));
    until_said(s, "was deleted: nothing comes until it is made anew");
    rig_send(rig, exchange, "new.1", "to nobody");
    amqp_queue_declare(rig->connection, rig->channel, amqp_cstring_bytes(queue), 0, 0, 0, 0,
                       amqp_empty_table);
    assert_true(rig_went_well(rig));
    rig_bind(rig, queue, exchange, "#");
    until_said(s, "is bound in another way now");
    rig_send(rig, exchange, "any", "again");
    expect_next(s, "again");
    session_end(s);
}

static void *step_on(void *context)
{
    struct session_of_test *s = context;
    while (!rabbitmq_broker.read_step(&s->broker, -1, &s->err) && !atomic_load(&s->cancelled))
        ;
    return NULL;
}

static bool waits_for_the_server(const struct session_of_test *s)
{
    struct rabbit *rabbit = s->broker.state;
    pthread_mutex_lock(&rabbit->cut_lock);
    bool waits = rabbit->may_cut;
    pthread_mutex_unlock(&rabbit->cut_lock);
    return waits;
}

/* The broker is frozen, and the driver waits for its answer to a look: leaving doesn't. */
static void a_cancel_ends_a_look_at_a_frozen_broker(void **state)
{
    struct rig *rig = *state;
    struct lab_chaos chaos;
    pthread_t thread;
    char exchange[64];
    rig_exchange(rig, "topic", exchange);
    assert_true(lab_chaos_start(&chaos, lab_need("SB_RABBIT")));
    struct session_of_test *s = session_new(chaos.address);
    assert_int_equal(session_open(s), ERR_OK);
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    assert_true(lab_chaos(&chaos, "stall"));
    assert_int_equal(pthread_create(&thread, NULL, step_on, s), 0);
    int64_t deadline = clock_mono_ns() + 30 * NS_PER_S;
    for (int in_a_row = 0; in_a_row < 5; in_a_row = waits_for_the_server(s) ? in_a_row + 1 : 0) {
        assert_true(clock_mono_ns() < deadline);
        usleep(100000);
    }
    int64_t start = clock_mono_ns();
    atomic_store(&s->cancelled, true);
    rabbitmq_broker.interrupt(&s->broker);
    pthread_join(thread, NULL);
    assert_true(clock_mono_ns() - start < NS_PER_S);
    session_end(s);
    assert_true(clock_mono_ns() - start < 3 * NS_PER_S);
    lab_chaos_stop(&chaos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_that_is_made_anew_is_tapped_again),
        cmocka_unit_test(an_exchange_made_anew_between_two_looks_is_said),
        cmocka_unit_test(a_direct_exchange_made_anew_between_two_looks_is_said),
        cmocka_unit_test(an_exchange_made_anew_as_one_that_shares_out_is_left_alone),
        cmocka_unit_test(a_direct_exchange_gets_another_key),
        cmocka_unit_test(the_tap_of_another_one_changes_nothing),
        cmocka_unit_test(a_queue_is_bound_in_another_way),
        cmocka_unit_test(a_cancel_ends_a_look_at_a_frozen_broker),
    };
    return rig_run(tests, rig_teardown);
}
