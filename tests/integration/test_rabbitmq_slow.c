/* The RabbitMQ driver over a line that is slower than what comes: answers to its questions stand in line behind messages.
 * needs: rabbitmq
 * timeout: 120 */
#include "tests/integration/rabbit_session.h"

#define MESSAGES 60 /* of 20 kB, at 40 kB a second: half a minute */

static struct lab_chaos chaos;

static int stop_chaos(void **state)
{
    (void)state;
    lab_chaos_stop(&chaos);
    return 0;
}

static void send_all(struct rig *rig, const char *exchange)
{
    static char text[20001];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < MESSAGES; i++)
        rig_send(rig, exchange, "key", text);
}

static void a_tail_goes_on_while_messages_come(void **state)
{
    char name[64];
    rig_exchange(*state, "topic", name);
    assert_true(lab_chaos_start(&chaos, lab_need("SB_RABBIT")));
    struct session_of_test *s = session_new(chaos.address);
    assert_int_equal(session_open(s), ERR_OK);
    session_tap(s, CHANNEL_EXCHANGE, name, 0);
    assert_true(lab_chaos(&chaos, "rate 40000"));
    send_all(*state, name);
    int64_t start = clock_mono_ns();
    enum err e = ERR_OK;
    while (!e && s->count < MESSAGES && clock_mono_ns() < start + 90 * NS_PER_S)
        e = rabbitmq_broker.read_step(&s->broker, 500, &s->err);
    print_message("%zu messages in %.1f s: %s\n", s->count, (double)(clock_mono_ns() - start) / NS_PER_S,
                  s->err.text);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(s->count, MESSAGES);
    assert_true(lab_chaos(&chaos, "rate 0"));
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_tail_goes_on_while_messages_come, stop_chaos),
    };
    return rig_run(tests, rig_teardown);
}
