/* The RabbitMQ driver and a broker that keeps its connections and says nothing (SIGSTOP), and one whose management API alone is slow.
 * needs: rabbitmq
 * alone
 * timeout: 240 */
#include "tests/integration/rabbit_session.h"

static void stop_and_go(const char *signal)
{
    char command[160];
    snprintf(command, sizeof command, "kill -%s $(tests/lab/lab status | awk '/^rabbitmq /{print $3}')",
             signal);
    assert_int_equal(lab_shell(command, NULL, 0), 0);
}

static enum err ping(struct session_of_test *s, struct sample *sample)
{
    sample_init(sample);
    session_deadline(s, 5000);
    return rabbitmq_broker.ping(&s->broker, sample, &s->err);
}

/* What the watching session does every five seconds, on a connection that stands all the while. */
static void a_frozen_broker_is_not_up(void **state)
{
    (void)state;
    struct sample sample;
    struct session_of_test *s = session_up("/");
    assert_int_equal(ping(s, &sample), ERR_OK);
    assert_int_equal(sample.health, HEALTH_UP);
    stop_and_go("STOP");
    int64_t start = clock_mono_ns();
    enum err e = ping(s, &sample);
    int64_t took = clock_mono_ns() - start;
    session_end(s);
    int64_t closed = clock_mono_ns() - start;
    stop_and_go("CONT");
    assert_int_equal(e, ERR_TIMEOUT);
    assert_true(took < 6 * NS_PER_S);
    assert_true(closed < took + NS_PER_S / 2); /* nobody says good-bye to it */
}

/* Steps a reader over a freeze. */
static void freeze(struct session_of_test *s)
{
    stop_and_go("STOP");
    int64_t start = clock_mono_ns();
    enum err e = ERR_OK;
    while (!e && clock_mono_ns() < start + 40 * NS_PER_S)
        e = rabbitmq_broker.read_step(&s->broker, 500, &s->err);
    int64_t took = clock_mono_ns() - start;
    stop_and_go("CONT");
    print_message("%s [%s] after %.1f s\n", s->err.text, err_name(e), (double)took / NS_PER_S);
    assert_int_equal(e, ERR_TIMEOUT);
    assert_string_equal(s->err.text, "the broker does not answer");
    assert_true(took < 22 * NS_PER_S);
    session_end(s);
}

static void a_tapped_exchange_notices(void **state)
{
    char name[64];
    rig_exchange(*state, "topic", name);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_EXCHANGE, name, 0);
    freeze(s);
}

static void a_tapped_queue_notices(void **state)
{
    char name[64];
    rig_queue(*state, "frozen", "classic", NULL, name);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_QUEUE, name, 0);
    freeze(s);
}

static void a_tail_of_a_stream_notices(void **state)
{
    char name[64];
    rig_queue(*state, "frozen", "stream", NULL, name);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_STREAM, name, 0);
    freeze(s);
}

static void a_frozen_broker_can_be_left(void **state)
{
    (void)state;
    struct sample sample;
    struct session_of_test *s = session_up("/");
    stop_and_go("STOP");
    atomic_store(&s->cancelled, true);
    int64_t start = clock_mono_ns();
    enum err e = ping(s, &sample);
    int64_t took = clock_mono_ns() - start;
    stop_and_go("CONT");
    assert_int_equal(e, ERR_CANCELLED);
    assert_true(took < NS_PER_S);
    session_end(s);
}

/* It tells alarms and lists; that the broker lives it need not say. */
static void a_slow_management_api_is_no_outage(void **state)
{
    (void)state;
    struct lab_chaos chaos;
    struct sample sample;
    char url[120];
    assert_true(lab_chaos_start(&chaos, strstr(lab_need("SB_RABBIT_MGMT"), "127")));
    snprintf(url, sizeof url, "http://%s", chaos.address);
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.management = url;
    assert_int_equal(session_open(s), ERR_OK);
    assert_true(lab_chaos(&chaos, "stall"));
    enum err e = ping(s, &sample);
    struct channel_list *list = channel_list_new();
    enum err listed = rabbitmq_broker.list(&s->broker, NULL, 0, list, &s->err);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(sample.health, HEALTH_UP);
    assert_int_equal(listed, ERR_OK);
    assert_false(list->complete);
    print_message("%s\n", list->note);
    assert_null(strstr(list->note, "before it began"));
    channel_list_free(&list);
    session_end(s);
    lab_chaos_stop(&chaos);
}

/* Also where the test failed. */
static int let_broker_go(void **state)
{
    (void)state;
    stop_and_go("CONT");
    return 0;
}

#define frozen_test(f) cmocka_unit_test_teardown(f, let_broker_go)

int main(void)
{
    const struct CMUnitTest tests[] = {
        frozen_test(a_frozen_broker_is_not_up),   frozen_test(a_tapped_exchange_notices),
        frozen_test(a_tapped_queue_notices),      frozen_test(a_tail_of_a_stream_notices),
        frozen_test(a_frozen_broker_can_be_left), frozen_test(a_slow_management_api_is_no_outage),
    };
    return rig_run(tests, rig_teardown);
}
