/* A look into a queue whose messages come back slowly: it is given up in time, and says how many they are and how long it takes.
 * needs: rabbitmq
 * waits
 * timeout: 120 */
#include "tests/integration/rabbit_session.h"

#include <pthread.h>

#define ALL  3000
#define HELD 2500

struct holder {
    struct rig *rig;
    atomic_bool enough;
};

static void hold(struct holder *h, const char *queue)
{
    struct rig *rig = h->rig;
    for (int i = 0; i < HELD; i++) {
        amqp_message_t m;
        amqp_rpc_reply_t reply = amqp_basic_get(rig->connection, rig->channel, amqp_cstring_bytes(queue), 0);
        assert_int_equal(reply.reply.id, AMQP_BASIC_GET_OK_METHOD);
        assert_int_equal(amqp_read_message(rig->connection, rig->channel, &m, 0).reply_type,
                         AMQP_RESPONSE_NORMAL);
        amqp_destroy_message(&m);
        amqp_maybe_release_buffers(rig->connection);
    }
}

/* Sixty a second, in more time than a look waits. */
static void *give_back_slowly(void *context)
{
    struct holder *h = context;
    for (uint64_t tag = 1; tag <= HELD && !atomic_load(&h->enough); tag++) {
        amqp_basic_nack(h->rig->connection, h->rig->channel, tag, 0, 1);
        usleep(16000);
    }
    return NULL;
}

static void wait_counted(const char *queue)
{
    char path[160], answer[256], wanted[60];
    int64_t deadline = clock_mono_ns() + 20 * NS_PER_S;
    snprintf(path, sizeof path, "queues/%%2F/%s?columns=messages_unacknowledged", queue);
    snprintf(wanted, sizeof wanted, "\"messages_unacknowledged\":%d", HELD);
    for (answer[0] = '\0'; !strstr(answer, wanted); usleep(100000)) {
        assert_true(clock_mono_ns() < deadline);
        rig_api(path, answer, sizeof answer);
    }
}

static void a_look_that_is_given_up_says_how_long_it_takes(void **state)
{
    struct rig *rig = *state;
    struct holder holder = {.rig = rig_open("/")};
    struct read_progress progress;
    pthread_t thread;
    char queue[64];
    rig_queue(rig, "slowly-back", "classic", NULL, queue);
    rig_fill(rig, queue, ALL);
    hold(&holder, queue);
    wait_counted(queue);
    assert_int_equal(pthread_create(&thread, NULL, give_back_slowly, &holder), 0);
    struct session_of_test *s = session_up("/");
    enum err e = session_browse(s, queue, -1);
    rabbitmq_broker.read_progress(&s->broker, &progress);
    atomic_store(&holder.enough, true);
    pthread_join(thread, NULL);
    rig_close(holder.rig);
    assert_int_equal(e, ERR_TIMEOUT);
    assert_non_null(strstr(s->err.text, "is still taking back"));
    assert_non_null(strstr(s->err.next, " a second, so try again in about "));
    assert_in_range(progress.total, ALL - HELD, ALL + HELD); /* of which the statistics are late */
    assert_int_equal(progress.scanned, 0);
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_that_is_given_up_says_how_long_it_takes),
    };
    return rig_run(tests, rig_teardown);
}
