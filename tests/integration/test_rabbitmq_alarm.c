/* The RabbitMQ driver while the lab's broker has a memory alarm: said by ping, and publishers wait without spinning.
 * needs: rabbitmq
 * alone
 * timeout: 120 */
#include "tests/integration/rabbit_session.h"

static void set_watermark(const char *bytes)
{
    char command[512], path[400];
    snprintf(path, sizeof path, "%s", lab_need("SB_CHAOS"));
    *strrchr(path, '/') = '\0'; /* the lab's own script lies beside the proxy */
    snprintf(command, sizeof command, "%s/lab rabbitmqctl set_vm_memory_high_watermark absolute %s", path,
             bytes);
    assert_int_equal(lab_shell(command, NULL, 0), 0);
}

static enum health health_of(struct session_of_test *s)
{
    struct sample sample;
    sample_init(&sample);
    session_deadline(s, 10000);
    assert_int_equal(rabbitmq_broker.ping(&s->broker, &sample, &s->err), ERR_OK);
    if (sample.health == HEALTH_DEGRADED)
        assert_non_null(strstr(sample.reason, "memory alarm"));
    return sample.health;
}

static void wait_health(struct session_of_test *s, enum health health)
{
    int64_t deadline = clock_mono_ns() + 30 * NS_PER_S;
    while (health_of(s) != health) {
        assert_true(clock_mono_ns() < deadline);
        usleep(100000);
    }
}

static void step(struct session_of_test *s)
{
    size_t pending;
    assert_int_equal(rabbitmq_broker.publish_step(&s->broker, 300, &pending, &s->err), ERR_OK);
}

static void an_alarm_is_told_and_waited_for(void **state)
{
    struct rig *rig = *state;
    char queue[64];
    rig_queue(rig, "alarm", "classic", NULL, queue);
    struct session_of_test *probe = session_up("/"), *s = session_up("/");
    struct session_of_test *other = session_new(lab_need("SB_RABBIT")); /* may not ask the nodes */
    rig_user("management");
    other->endpoint.username = other->endpoint.password = "management";
    assert_int_equal(session_open(other), ERR_OK);
    struct message m = session_message("", "m");
    assert_int_equal(session_open_publish(s, CHANNEL_QUEUE, queue, 0), ERR_OK);
    assert_int_equal(rabbitmq_broker.publish(&s->broker, 0, &m, 1, &s->err), ERR_OK);
    session_publish_wait(s, 1);
    set_watermark("1MB");
    wait_health(probe, HEALTH_DEGRADED);
    wait_health(other, HEALTH_DEGRADED);
    /* The broker says connection.blocked to the next message: that one is on its way until the alarm is over. */
    enum err e = rabbitmq_broker.publish(&s->broker, 0, &m, 2, &s->err);
    int64_t deadline = clock_mono_ns() + 10 * NS_PER_S;
    size_t sent = 1 + !e;
    while (e != ERR_BUSY && clock_mono_ns() < deadline) {
        step(s);
        e = rabbitmq_broker.publish(&s->broker, 0, &m, 3, &s->err);
        sent += !e;
    }
    int64_t begin = clock_mono_ns();
    step(s);
    int64_t waited = clock_mono_ns() - begin;
    set_watermark("1GB");
    assert_int_equal(e, ERR_BUSY);
    assert_non_null(strstr(s->err.text, "alarm"));
    assert_true(waited >= 290 * NS_PER_MS);
    wait_health(probe, HEALTH_UP);
    wait_health(other, HEALTH_UP);
    session_publish_wait(s, sent);
    for (size_t i = 0; i < sent; i++)
        assert_int_equal(s->outcomes[i].outcome, OUTCOME_CONFIRMED);
    session_end(s);
    session_end(probe);
    session_end(other);
    rig_wait_depth(rig, queue, (int64_t)sent);
}

static int teardown(void **state)
{
    set_watermark("1GB"); /* also where the test failed amid the alarm */
    return rig_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alarm_is_told_and_waited_for),
    };
    return rig_run(tests, teardown);
}
