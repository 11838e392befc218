/* The RabbitMQ driver against the lab's broker: taps see what flows, take nothing from anybody, and leave nothing behind,
 * whichever way they end.
 * needs: rabbitmq
 * timeout: 120 */
#include "tests/integration/rabbit_session.h"

#include "engine/session.h"
#include "tests/support/equal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* Names of the queues that an exchange is bound to, in JSON. */
static void bindings_of(const char *exchange, char *out, size_t size)
{
    char path[200];
    snprintf(path, sizeof path, "exchanges/%%2F/%s/bindings/source?columns=destination", exchange);
    rig_api(path, out, size);
}

static void wait_bindings(const char *exchange, bool some)
{
    char out[4096] = "";
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    for (;;) {
        bindings_of(exchange, out, sizeof out);
        if ((strcmp(out, "[]") != 0) == some)
            return;
        if (clock_mono_ns() > deadline)
            fail_msg("%s is bound to %s", exchange, out);
        usleep(20000);
    }
}

/* ---- exchanges ---- */

static void a_tap_sees_an_exchange_and_leaves_it(void **state)
{
    struct rig *rig = *state;
    const char *const types[] = {"topic", "fanout", "headers"};
    for (size_t i = 0; i < 3; i++) {
        char exchange[64], queue[64];
        rig_exchange(rig, types[i], exchange);
        rig_queue(rig, "consumer", "classic", NULL, queue);
        struct session_of_test *s = session_up("/");
        session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
        wait_bindings(exchange, true);
        rig_bind(rig, queue, exchange, strcmp(types[i], "topic") ? "" : "#");
        for (int n = 0; n < 20; n++)
            rig_send(rig, exchange, "a.b", "text");
        assert_int_equal(session_steps(s, 20), ERR_OK);
        assert_int_equal(s->count, 20);
        assert_true(bytes_equal_text(message_label(s->messages[0]), "a.b"));
        assert_int_equal(s->messages[0]->flags & MESSAGE_REDELIVERED, 0);
        rig_wait_depth(rig, queue, 20); /* the consumer's share is whole */
        assert_int_equal(session_close_read(s), ERR_OK);
        session_end(s);
        rig_send(rig, exchange, "a.b", "more");
        rig_wait_depth(rig, queue, 21);
        char out[4096];
        bindings_of(exchange, out, sizeof out);
        assert_null(strstr(out, "amq.gen"));
    }
}

/* 20,000 messages is the tap's bound: while its reader is paused the broker drops the oldest, and the reader says so. */
static void what_a_full_tap_drops_is_said(void **state)
{
    enum { FLOOD = 21000 };
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "fanout", exchange);
    rig_queue(rig, "beside", "classic", NULL, queue);
    rig_bind(rig, queue, exchange, "");
    struct session_of_test *s = session_up("/");
    s->pause = true;
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    rig_send(rig, exchange, "", "first");
    assert_int_equal(session_steps(s, 1), ERR_OK);
    for (int n = 1; n < FLOOD; n++)
        rig_send(rig, exchange, "", "x");
    rig_wait_depth(rig, queue, FLOOD); /* one channel: the tap's share is there, too */
    assert_string_equal(s->notice, "");
    s->pause = false;
    rabbitmq_broker.read_pause(&s->broker, false);
    assert_int_equal(session_steps(s, 20000), ERR_OK);
    assert_non_null(strstr(s->notice, "dropped"));
    assert_true(s->count < FLOOD);
    assert_int_equal(session_close_read(s), ERR_OK);
    session_end(s);
}

static void a_direct_exchange_is_tapped_with_its_own_keys(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "direct", exchange);
    rig_queue(rig, "direct", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    assert_non_null(strstr(s->notice, "no keys"));
    session_end(s);
    rig_bind(rig, queue, exchange, "red");
    rig_bind(rig, queue, exchange, "blue");
    s = session_up("/");
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    assert_non_null(strstr(s->notice, "messages with other keys are not seen"));
    rig_send(rig, exchange, "red", "1");
    rig_send(rig, exchange, "green", "2");
    rig_send(rig, exchange, "blue", "3");
    assert_int_equal(session_steps(s, 2), ERR_OK);
    assert_int_equal(s->count, 2);
    assert_true(session_has(s, 0, "1") && session_has(s, 1, "3"));
    session_end(s);
    rig_wait_depth(rig, queue, 2);
}

static void a_direct_exchange_with_too_many_keys_says_so(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "direct", exchange);
    rig_queue(rig, "many", "classic", NULL, queue);
    for (int i = 0; i <= 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        rig_bind(rig, queue, exchange, key);
    }
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    assert_non_null(strstr(s->notice, "has more than 1000 bindings"));
    session_end(s);
}

static void the_default_exchange_points_to_the_firehose(void **state)
{
    (void)state;
    struct session_of_test *s = session_up("/");
    const struct channel_name name = {CHANNEL_EXCHANGE, ""};
    assert_int_equal(session_read(s, name, READ_TAP, (struct start){0}, -1, 0), ERR_UNSUPPORTED);
    assert_non_null(strstr(s->err.next, "--firehose"));
    session_end(s);
}

static void an_exchange_that_shares_out_is_not_tapped(void **state)
{
    struct rig *rig = *state;
    static const char *const types[] = {"x-consistent-hash", "x-random", "x-modulus-hash"};
    char out[16384], exchange[64];
    rig_api("overview?columns=exchange_types.name", out, sizeof out);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!strstr(out, types[i])) {
            print_message("skip: the lab's RabbitMQ has no %s exchange\n", types[i]);
            skip();
        }
        rig_exchange(rig, types[i], exchange);
        struct session_of_test *s = session_up("/");
        const struct channel_name name = {CHANNEL_EXCHANGE, exchange};
        assert_int_equal(session_read(s, name, READ_TAP, (struct start){0}, -1, 0), ERR_REFUSED);
        session_end(s);
        wait_bindings(exchange, false);
    }
}

/* A reader that stopped reading holds back at most its prefetch, and is not disconnected. */
static void a_paused_tap_resumes_without_loss(void **state)
{
    struct rig *rig = *state;
    char exchange[64];
    rig_exchange(rig, "fanout", exchange);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_EXCHANGE, exchange, 0);
    s->pause = true;
    for (int n = 0; n < 1000; n++) {
        char text[16];
        snprintf(text, sizeof text, "%d", n);
        rig_send(rig, exchange, "", text);
    }
    assert_int_equal(session_steps(s, 1), ERR_OK);
    int64_t begin = clock_mono_ns();
    assert_int_equal(rabbitmq_broker.read_step(&s->broker, 300, &s->err), ERR_OK);
    assert_true(clock_mono_ns() - begin >= 290 * NS_PER_MS); /* it does not spin on what lies in the socket */
    s->pause = false;
    rabbitmq_broker.read_pause(&s->broker, false);
    assert_int_equal(session_steps(s, 1000), ERR_OK);
    for (size_t n = 0; n < 1000; n++) {
        char text[16];
        snprintf(text, sizeof text, "%zu", n);
        assert_true(session_has(s, n, text));
    }
    session_end(s);
}

/* ---- queues ---- */

static void a_queue_is_tapped_where_it_is_bound(void **state)
{
    struct rig *rig = *state;
    char exchange[64], queue[64];
    rig_exchange(rig, "topic", exchange);
    rig_queue(rig, "bound", "classic", NULL, queue);
    rig_bind(rig, queue, exchange, "a.*");
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_QUEUE, queue, 0);
    assert_non_null(strstr(s->notice, "default exchange"));
    assert_non_null(strstr(s->notice, "--firehose"));
    rig_send(rig, "", queue, "unseen");
    rig_send(rig, exchange, "b.x", "elsewhere");
    rig_send(rig, exchange, "a.x", "seen");
    assert_int_equal(session_steps(s, 1), ERR_OK);
    assert_true(session_has(s, 0, "seen"));
    assert_string_equal(s->messages[0]->origin->channel, queue);
    session_end(s);
    rig_wait_depth(rig, queue, 2);
}

static void an_unbound_queue_is_told(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "unbound", "classic", NULL, queue);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_QUEUE, queue, 0);
    assert_non_null(strstr(s->notice, "nothing is bound"));
    session_end(s);
}

/* ---- the firehose ---- */

static bool tracing_is_on(void)
{
    char out[4096];
    rig_api("vhosts/shop?columns=tracing", out, sizeof out);
    return strstr(out, "true") != NULL;
}

static void put_tracing(const char *flag)
{
    char command[512];
    snprintf(command, sizeof command,
             "curl -sS -m 10 -u %s:%s -X PUT -H content-type:application/json -d '{\"tracing\":%s}' "
             "%s/api/vhosts/shop",
             lab_need("SB_RABBIT_USER"), lab_need("SB_RABBIT_PASSWORD"), flag, lab_need("SB_RABBIT_MGMT"));
    assert_int_equal(lab_shell(command, NULL, 0), 0);
}

static void the_firehose_shows_the_default_exchange(void **state)
{
    (void)state;
    struct rig *rig = rig_open("shop");
    char queue[64];
    rig_queue(rig, "hose", "classic", NULL, queue);
    struct session_of_test *s = session_up("shop");
    session_tap(s, CHANNEL_QUEUE, queue, READ_FIREHOSE);
    assert_true(tracing_is_on());
    amqp_table_entry_t entry = rig_number("n", 7);
    amqp_basic_properties_t p = {._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG |
                                           AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                                           AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
                                 .headers = {1, &entry},
                                 .content_type = amqp_cstring_bytes("text/plain"),
                                 .delivery_mode = 2,
                                 .priority = 3,
                                 .message_id = amqp_cstring_bytes("m-1"),
                                 .timestamp = 1700000000};
    amqp_basic_publish(rig->connection, rig->channel, amqp_empty_bytes, amqp_cstring_bytes("elsewhere"), 0, 0,
                       &p, amqp_cstring_bytes("not for us"));
    amqp_basic_publish(rig->connection, rig->channel, amqp_empty_bytes, amqp_cstring_bytes(queue), 0, 0, &p,
                       amqp_cstring_bytes("text"));
    assert_int_equal(session_steps(s, 1), ERR_OK);
    const struct message *m = s->messages[0];
    assert_true(session_has(s, 0, "text"));
    const struct header header = {BYTES_LITERAL("n"), {.type = VALUE_INT64, .i = 7}};
    assert_true(headers_equal(m->headers, (struct headers){&header, 1}));
    assert_true(bytes_equal_text(message_label(m), queue));
    assert_true(bytes_equal_text(m->id, "m-1"));
    const struct {
        const char *name;
        struct value value;
    } properties[] = {
        {"content_type", {.type = VALUE_STRING, .bytes = BYTES_LITERAL("text/plain")}},
        {"delivery_mode", {.type = VALUE_UINT8, .u = 2}},
        {"priority", {.type = VALUE_UINT8, .u = 3}},
        {"message_id", {.type = VALUE_STRING, .bytes = BYTES_LITERAL("m-1")}},
        {"timestamp", {.type = VALUE_TIMESTAMP, .u = 1700000000}},
        {"exchange", {.type = VALUE_STRING, .bytes = BYTES_LITERAL("")}},
    };
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        const struct value *v = headers_find(m->properties, bytes_of_text(properties[i].name));
        if (!v || !value_equal(v, &properties[i].value))
            fail_msg("%s is a %s", properties[i].name, v ? value_type_name(v->type) : "nothing");
    }
    assert_int_equal(m->time_ns, INT64_C(1700000000) * NS_PER_S);
    assert_int_equal(session_close_read(s), ERR_OK);
    session_end(s);
    assert_false(tracing_is_on());
    rig_wait_depth(rig, queue, 1);
    rig_close(rig);
}

static void tracing_that_was_on_stays_on(void **state)
{
    (void)state;
    put_tracing("true");
    struct session_of_test *s = session_up("shop");
    session_tap(s, CHANNEL_EXCHANGE, "", READ_FIREHOSE);
    assert_non_null(strstr(s->notice, "stays on"));
    session_end(s);
    bool on = tracing_is_on();
    put_tracing("false");
    assert_true(on);
}

/* A cancelled session still owes the flag. */
static void cancelling_restores_tracing(void **state)
{
    (void)state;
    struct session_of_test *s = session_up("shop");
    session_tap(s, CHANNEL_EXCHANGE, "", READ_FIREHOSE);
    assert_true(tracing_is_on());
    atomic_store(&s->cancelled, true);
    session_end(s);
    assert_false(tracing_is_on());
}

/* ---- the unhappy ends ---- */

static void a_killed_tap_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    char exchange[64];
    rig_exchange(rig, "fanout", exchange);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
        const struct channel_name name = {CHANNEL_EXCHANGE, exchange};
        enum err e = session_open(s);
        if (!e)
            e = session_read(s, name, READ_TAP, (struct start){0}, -1, 0);
        while (!e)
            e = rabbitmq_broker.read_step(&s->broker, -1, &s->err);
        _exit(1);
    }
    wait_bindings(exchange, true);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    wait_bindings(exchange,
                  false); /* an exclusive queue goes with its connection, and its bindings with it */
}

struct seen {
    pthread_mutex_t lock;
    int messages, ups, backoffs;
    enum err why;
};

static enum emit on_message(void *context, const struct message *m)
{
    struct seen *seen = context;
    (void)m;
    pthread_mutex_lock(&seen->lock);
    seen->messages++;
    pthread_mutex_unlock(&seen->lock);
    return EMIT_OK;
}

static void on_status(void *context, const struct session_status *status)
{
    struct seen *seen = context;
    pthread_mutex_lock(&seen->lock);
    if (status->state == SESSION_UP && (int)status->generation > seen->ups)
        seen->ups = (int)status->generation;
    if (status->state == SESSION_BACKOFF) {
        seen->backoffs++;
        seen->why = status->err.code;
    }
    pthread_mutex_unlock(&seen->lock);
}

static void on_notice(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static bool reaches(struct seen *seen, const int *counter, int value)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    for (;;) {
        pthread_mutex_lock(&seen->lock);
        bool there = *counter >= value;
        pthread_mutex_unlock(&seen->lock);
        if (there || clock_mono_ns() > deadline)
            return there;
        usleep(10000);
    }
}

static void a_cut_tap_comes_back(void **state)
{
    struct rig *rig = *state;
    char exchange[64];
    struct lab_chaos chaos;
    rig_exchange(rig, "fanout", exchange);
    assert_true(lab_chaos_start(&chaos, lab_need("SB_RABBIT")));
    struct session_of_test *through = session_new(chaos.address); /* for its endpoint */
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct session_sink sink = {
        .context = &seen, .message = on_message, .status = on_status, .notice = on_notice};
    const struct channel_name name = {CHANNEL_EXCHANGE, exchange};
    const struct job job = {
        .kind = JOB_READ,
        .reconnect = true,
        .read = {.mode = READ_TAP, .channels = &name, .channel_count = 1, .partition = -1, .limit = -1}};
    struct session *s = session_start(&rabbitmq_broker, &through->endpoint, &job, &sink, NULL);
    assert_non_null(s);
    assert_true(reaches(&seen, &seen.ups, 1));
    wait_bindings(exchange, true);
    rig_send(rig, exchange, "", "before");
    assert_true(reaches(&seen, &seen.messages, 1));
    assert_true(lab_chaos(&chaos, "cut"));
    assert_true(reaches(&seen, &seen.backoffs, 1));
    assert_int_equal(err_policy(seen.why), ERR_POLICY_RETRY);
    assert_true(reaches(&seen, &seen.ups, 2));
    rig_send(rig, exchange, "", "after");
    assert_true(reaches(&seen, &seen.messages, 2));
    session_cancel(s);
    assert_true(session_join(&s));
    wait_bindings(exchange, false);
    session_end(through);
    lab_chaos_stop(&chaos);
}

/* Between two listings, an hour apart, the connection breaks: that is seen at once. */
static void a_cut_watch_is_noticed_while_it_rests(void **state)
{
    struct lab_chaos chaos;
    (void)state;
    assert_true(lab_chaos_start(&chaos, lab_need("SB_RABBIT")));
    struct session_of_test *through = session_new(chaos.address);
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct session_sink sink = {.context = &seen, .status = on_status, .notice = on_notice};
    const struct job job = {.kind = JOB_WATCH, .reconnect = true, .every_ns = 3600 * NS_PER_S};
    struct session *s = session_start(&rabbitmq_broker, &through->endpoint, &job, &sink, NULL);
    assert_true(reaches(&seen, &seen.ups, 1));
    assert_true(lab_chaos(&chaos, "cut"));
    assert_true(reaches(&seen, &seen.backoffs, 1));
    assert_true(reaches(&seen, &seen.ups, 2));
    session_cancel(s);
    assert_true(session_join(&s));
    session_end(through);
    lab_chaos_stop(&chaos);
}

/* The queue of a tap can be deleted by an administrator: the reading says so instead of waiting for ever. */
static void a_deleted_tap_is_noticed(void **state)
{
    struct rig *rig = *state;
    char exchange[64], stream[64];
    rig_exchange(rig, "fanout", exchange);
    rig_queue(rig, "deleted", "stream", NULL, stream);
    struct session_of_test *s = session_up("/");
    session_tap(s, CHANNEL_STREAM, stream, 0);
    amqp_queue_delete(rig->connection, rig->channel, amqp_cstring_bytes(stream), 0, 0);
    assert_true(rig_went_well(rig));
    enum err e = session_steps(s, SIZE_MAX);
    assert_int_equal(e, ERR_CLOSED);
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tap_sees_an_exchange_and_leaves_it),
        cmocka_unit_test(what_a_full_tap_drops_is_said),
        cmocka_unit_test(a_direct_exchange_is_tapped_with_its_own_keys),
        cmocka_unit_test(a_direct_exchange_with_too_many_keys_says_so),
        cmocka_unit_test(the_default_exchange_points_to_the_firehose),
        cmocka_unit_test(an_exchange_that_shares_out_is_not_tapped),
        cmocka_unit_test(a_paused_tap_resumes_without_loss),
        cmocka_unit_test(a_queue_is_tapped_where_it_is_bound),
        cmocka_unit_test(an_unbound_queue_is_told),
        cmocka_unit_test(the_firehose_shows_the_default_exchange),
        cmocka_unit_test(tracing_that_was_on_stays_on),
        cmocka_unit_test(cancelling_restores_tracing),
        cmocka_unit_test(a_killed_tap_leaves_nothing),
        cmocka_unit_test(a_cut_tap_comes_back),
        cmocka_unit_test(a_cut_watch_is_noticed_while_it_rests),
        cmocka_unit_test(a_deleted_tap_is_noticed),
    };
    return rig_run(tests, rig_teardown);
}
