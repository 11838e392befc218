/* One publishing session of the RabbitMQ driver with several destinations, and whose operation it is: claims.
 * needs: rabbitmq
 * timeout: 180 */
#include "tests/integration/rabbit_session.h"

#include <signal.h>
#include <sys/wait.h>

static enum err open_to(struct session_of_test *s, struct channel_name to, const char *claim, uint32_t flags)
{
    const struct publish_request request = {.to = to, .flags = flags, .claim = claim};
    const struct publish_sink sink = {s, keep_outcome, keep_notice};
    return rabbitmq_broker.publish_open(&s->broker, &request, &sink, &s->err);
}

static void send_to(struct session_of_test *s, size_t to, const char *key, const char *payload,
                    uint64_t token)
{
    struct message m = session_message(key, payload);
    if (rabbitmq_broker.publish(&s->broker, to, &m, token, &s->err))
        fail_msg("%s", s->err.text);
}

static const struct publish_outcome *outcome_of(const struct session_of_test *s, uint64_t token)
{
    for (size_t i = 0; i < s->outcome_count; i++)
        if (s->outcomes[i].token == token)
            return &s->outcomes[i];
    fail_msg("no outcome of %llu", (unsigned long long)token);
    return NULL;
}

/* ---- several destinations ---- */

#define MANY 64

static void each_message_goes_to_its_own_destination(void **state)
{
    struct rig *rig = *state;
    char queues[MANY][64], exchange[64], behind[64];
    struct session_of_test *s = session_up("/");
    rig_exchange(rig, "topic", exchange);
    rig_queue(rig, "behind", "classic", NULL, behind);
    rig_bind(rig, behind, exchange, "a.*");
    for (int i = 0; i < MANY; i++) {
        rig_queue(rig, "to", i % 2 ? "quorum" : "classic", NULL, queues[i]);
        assert_int_equal(open_to(s, (struct channel_name){CHANNEL_QUEUE, queues[i]}, NULL, 0), ERR_OK);
    }
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_EXCHANGE, exchange}, NULL, 0), ERR_OK);
    for (uint64_t i = 0; i < MANY; i++)
        for (uint64_t k = 0; k <= i % 3; k++)
            send_to(s, i, "", "x", i * 3 + k);
    send_to(s, MANY, "a.b", "x", 1000);
    send_to(s, MANY, "b.b", "x", 1001); /* the same payload: the one that is returned is told by its route */
    session_publish_wait(s, MANY / 3 * 6 + 1 + 2);
    assert_int_equal(outcome_of(s, 1000)->outcome, OUTCOME_CONFIRMED);
    assert_int_equal(outcome_of(s, 1001)->outcome, OUTCOME_RETURNED);
    assert_int_equal(outcome_of(s, 0)->outcome, OUTCOME_CONFIRMED);
    for (int i = 0; i < MANY; i++)
        rig_wait_depth(rig, queues[i], i % 3 + 1);
    rig_wait_depth(rig, behind, 1);
    session_end(s);
}

/* By AMQP alone a wrong name costs a channel: not the one with messages on their way. */
static void a_destination_that_is_missing_disturbs_no_other(void **state)
{
    struct rig *rig = *state;
    char queue[64], second[64];
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    rig_queue(rig, "first", "classic", NULL, queue);
    rig_queue(rig, "second", "classic", NULL, second);
    s->endpoint.management = NULL;
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_QUEUE, queue}, NULL, 0), ERR_OK);
    for (uint64_t i = 0; i < 100; i++)
        send_to(s, 0, "", "x", i);
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_QUEUE, "not-there"}, NULL, 0), ERR_NOTFOUND);
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_QUEUE, second}, NULL, 0), ERR_OK);
    for (uint64_t i = 100; i < 200; i++)
        send_to(s, 1, "", "y", i);
    session_publish_wait(s, 200);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
    rig_wait_depth(rig, queue, 100);
    rig_wait_depth(rig, second, 100);
    session_end(s);
}

static void step_to_error(struct session_of_test *s, enum err expected)
{
    int64_t deadline = clock_mono_ns() + 15 * NS_PER_S;
    size_t pending;
    enum err e = ERR_OK;
    while (!e && clock_mono_ns() < deadline)
        e = rabbitmq_broker.publish_step(&s->broker, 500, &pending, &s->err);
    assert_int_equal(e, expected);
    rabbitmq_broker.publish_close(&s->broker);
}

/* The exchange was deleted behind our back: its message and those behind it have not arrived, those before it may have. */
static void what_is_behind_a_refusal_has_not_arrived(void **state)
{
    struct rig *rig = *state;
    char queue[64], exchange[64];
    struct session_of_test *s = session_up("/");
    rig_queue(rig, "before", "classic", NULL, queue);
    lab_unique("gone", exchange, sizeof exchange);
    amqp_exchange_declare(rig->connection, rig->channel, amqp_cstring_bytes(exchange),
                          amqp_cstring_bytes("fanout"), 0, 0, 0, 0, amqp_empty_table);
    assert_true(rig_went_well(rig));
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_QUEUE, queue}, NULL, 0), ERR_OK);
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_EXCHANGE, exchange}, NULL, 0), ERR_OK);
    amqp_exchange_delete(rig->connection, rig->channel, amqp_cstring_bytes(exchange), 0);
    assert_true(rig_went_well(rig));
    for (uint64_t i = 0; i < 10; i++)
        send_to(s, 0, "", "x", i);
    send_to(s, 1, "", "x", 10);
    for (uint64_t i = 11; i < 20; i++)
        send_to(s, 0, "", "x", i);
    step_to_error(s, ERR_NOTFOUND);
    assert_int_equal(s->outcome_count, 20);
    for (uint64_t i = 0; i < 20; i++) {
        enum outcome is = outcome_of(s, i)->outcome;
        assert_true(i >= 10 ? is == OUTCOME_REFUSED : is == OUTCOME_UNKNOWN || is == OUTCOME_CONFIRMED);
    }
    rig_wait_depth(rig, queue, 10);
    session_end(s);
}

static void a_dry_run_speaks_of_each_destination(void **state)
{
    struct rig *rig = *state;
    char queue[64], exchange[64];
    struct session_of_test *s = session_up("/");
    rig_queue(rig, "dry", "classic", NULL, queue);
    rig_exchange(rig, "fanout", exchange);
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_QUEUE, queue}, "dry", PUBLISH_DRY), ERR_OK);
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_EXCHANGE, exchange}, NULL, PUBLISH_DRY),
                     ERR_OK);
    send_to(s, 0, "", "x", 0);
    send_to(s, 1, "", "x", 1);
    rabbitmq_broker.publish_close(&s->broker);
    assert_non_null(strstr(s->notice, "nothing is bound to"));
    assert_int_equal(s->outcome_count, 0);
    assert_int_equal(rig_depth(rig, queue), 0);
    assert_int_equal(rig_depth(rig, "signalbox.claim.dry"), -1);
    session_end(s);
}

/* ---- claims ---- */

static void one_session_alone_has_a_claim(void **state)
{
    struct rig *rig = *state;
    char queue[64], claim[64], held[100];
    rig_queue(rig, "claimed", "classic", NULL, queue);
    lab_unique("operation", claim, sizeof claim);
    snprintf(held, sizeof held, "signalbox.claim.%s", claim);
    const struct channel_name to = {CHANNEL_QUEUE, queue};
    struct session_of_test *first = session_up("/"), *second = session_up("/");
    assert_int_equal(open_to(first, to, claim, 0), ERR_OK);
    session_deadline(second, 300);
    assert_int_equal(open_to(second, to, claim, 0), ERR_BUSY);
    assert_non_null(strstr(second->err.text, claim));
    rabbitmq_broker.publish_close(&second->broker);
    send_to(first, 0, "", "x", 1);
    session_publish_wait(first, 1);
    rabbitmq_broker.publish_close(&first->broker);
    session_deadline(second, 5000);
    assert_int_equal(open_to(second, to, claim, 0), ERR_OK);
    session_end(first);
    session_end(second);
    int64_t deadline = clock_mono_ns() + 5 * NS_PER_S;
    while (rig_depth(rig, held) >= 0) /* nothing is left behind */
        assert_true(clock_mono_ns() < deadline);
}

static void without_the_permission_it_goes_on_and_says_so(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "unclaimed", "classic", NULL, queue);
    rig_user("unclaiming");
    rig_ask("PUT", "permissions/%2F/unclaiming",
            "{\"configure\":\"^unclaimed\",\"write\":\".*\",\"read\":\".*\"}");
    struct session_of_test *s = session_new(lab_need("SB_RABBIT"));
    s->endpoint.username = s->endpoint.password = "unclaiming";
    assert_int_equal(session_open(s), ERR_OK);
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_QUEUE, queue}, "x", 0), ERR_OK);
    assert_non_null(strstr(s->notice, "no other signalbox works on this one"));
    send_to(s, 0, "", "x", 1);
    session_publish_wait(s, 1);
    assert_int_equal(s->outcomes[0].outcome, OUTCOME_CONFIRMED);
    session_end(s);
    rig_ask("DELETE", "users/unclaiming", "");
}

/* Publishes as fast as it can, until it is killed. */
static void publish_for_ever(const char *queue, const char *claim, int ready)
{
    struct session_of_test *s = session_up("/");
    const struct message m = session_message("", "0123456789");
    size_t pending;
    if (open_to(s, (struct channel_name){CHANNEL_QUEUE, queue}, claim, 0))
        _exit(1);
    (void)!write(ready, "", 1);
    for (;;) {
        enum err e = rabbitmq_broker.publish(&s->broker, 0, &m, 0, &s->err);
        if (e == ERR_BUSY)
            e = rabbitmq_broker.publish_step(&s->broker, 100, &pending, &s->err);
        if (e)
            _exit(1);
    }
}

static void kill_a_publisher(const char *queue, const char *claim, unsigned after_us)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        publish_for_ever(queue, claim, ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    usleep(after_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Whoever has the claim sees all that an earlier session has sent, however that one ended. */
static void nothing_comes_after_a_claim(struct rig *rig, const char *type)
{
    for (unsigned i = 0; i < 12; i++) {
        char queue[64], claim[64];
        rig_queue(rig, "killed", type, NULL, queue);
        lab_unique("killed", claim, sizeof claim);
        kill_a_publisher(queue, claim, i * 7000);
        struct session_of_test *s = session_up("/");
        if (open_to(s, (struct channel_name){CHANNEL_QUEUE, queue}, claim, 0))
            fail_msg("%s", s->err.text);
        struct session_of_test *look = session_look(queue);
        usleep(300000); /* the time in which the rest would come */
        int64_t later = rig_depth(rig, queue) - (int64_t)look->count;
        if (later)
            fail_msg("%lld of a %s queue came later", (long long)later, type);
        session_end(look);
        session_end(s);
    }
}

static void nothing_comes_to_a_classic_queue_after_a_claim(void **state)
{
    nothing_comes_after_a_claim(*state, "classic");
}

static void nothing_comes_to_a_quorum_queue_after_a_claim(void **state)
{
    nothing_comes_after_a_claim(*state, "quorum");
}

static void a_claim_that_is_taken_away_ends_the_session(void **state)
{
    struct rig *rig = *state;
    char queue[64], claim[64], held[100];
    rig_queue(rig, "taken", "classic", NULL, queue);
    lab_unique("taken", claim, sizeof claim);
    snprintf(held, sizeof held, "signalbox.claim.%s", claim);
    struct session_of_test *s = session_up("/");
    assert_int_equal(open_to(s, (struct channel_name){CHANNEL_QUEUE, queue}, claim, 0), ERR_OK);
    amqp_queue_delete(rig->connection, rig->channel, amqp_cstring_bytes(held), 0, 0);
    assert_true(rig_went_well(rig));
    step_to_error(s, ERR_CLOSED);
    assert_non_null(strstr(s->err.text, "was deleted"));
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_goes_to_its_own_destination),
        cmocka_unit_test(a_destination_that_is_missing_disturbs_no_other),
        cmocka_unit_test(what_is_behind_a_refusal_has_not_arrived),
        cmocka_unit_test(a_dry_run_speaks_of_each_destination),
        cmocka_unit_test(one_session_alone_has_a_claim),
        cmocka_unit_test(without_the_permission_it_goes_on_and_says_so),
        cmocka_unit_test(nothing_comes_to_a_classic_queue_after_a_claim),
        cmocka_unit_test(nothing_comes_to_a_quorum_queue_after_a_claim),
        cmocka_unit_test(a_claim_that_is_taken_away_ends_the_session),
    };
    return rig_run(tests, rig_teardown);
}
