/* The RabbitMQ driver against the lab's broker: messages that are taken and all given back, and such as are removed behind many that are
 * kept.
 * needs: rabbitmq
 * timeout: 240 */
#include "tests/integration/rabbit_lease.h"

#include <sys/socket.h>

#include "brokers/rabbitmq/rabbitmq_internal.h"

#define ALL 9000

static enum choice hold_all(int number)
{
    (void)number;
    return HOLD;
}

static enum choice remove_all(int number)
{
    (void)number;
    return REMOVE;
}

static enum choice remove_few(int number)
{
    return number % 100 == 99 ? REMOVE : HOLD;
}

/* All that was not removed stands there, in its order. */
static void expect_left(struct rig *rig, const char *queue, int count, enum choice (*choose)(int))
{
    static int left[MOST];
    size_t n = rig_take_all(rig, queue, left, MOST), k = 0;
    for (int i = 0; i < count; i++) {
        if (choose(i) == REMOVE)
            continue;
        if (k >= n || left[k] != i)
            fail_msg("%s: behind %zu stands %d, not %d", queue, k, k < n ? left[k] : -1, i);
        k++;
    }
    assert_int_equal(k, n);
}

/* More than one consumer gets, and more than are on their way at once; whatever is said of one stays. */
static void all_go_back_to_where_they_stood(void **state)
{
    struct rig *rig = *state;
    const char *const types[] = {"classic", "quorum"};
    for (int i = 0; i < 2; i++) {
        char queue[64];
        rig_queue(rig, "held", types[i], NULL, queue);
        rig_fill_lasting(rig, queue, ALL, false);
        for (int64_t most = ALL; most > 0; most -= 4500) {
            struct leasing *l = leasing_for(LEASE_KEEPS, queue, 3000, most == ALL ? -1 : most);
            leasing_run(l, most == ALL ? hold_all : remove_all);
            assert_int_equal(l->count, most);
            for (size_t k = 0; k < l->count; k++)
                assert_int_equal(l->taken[k].number, k);
            assert_true(l->most_out <= 3000);
            int64_t began = clock_mono_ns();
            leasing_end(l);
            assert_true(clock_mono_ns() - began < 3 * NS_PER_S); /* it took half a minute by a nack */
            assert_int_equal(rig_depth(rig, queue), ALL);
        }
        expect_left(rig, queue, ALL, hold_all);
    }
}

/* What is not settled goes back as well, and a lost connection gives all back in their order. */
static void a_connection_that_goes_keeps_the_order(void **state)
{
    struct rig *rig = *state;
    const char *const types[] = {"classic", "quorum"};
    for (int i = 0; i < 2; i++) {
        char queue[64];
        rig_queue(rig, "lost", types[i], NULL, queue);
        rig_fill_lasting(rig, queue, ALL, false);
        struct leasing *l = leasing_for(LEASE_KEEPS, queue, ALL, -1);
        leasing_leave(l, ALL);
        const struct rabbit *rabbit = l->s->broker.state;
        assert_int_equal(shutdown(rabbit->fd, SHUT_RDWR), 0);
        (void)!rabbitmq_broker.lease_close(&l->s->broker, &l->returned, &l->s->err);
        session_end(l->s);
        message_unref(&l->last);
        free(l);
        rig_wait_depth(rig, queue, ALL);
        expect_left(rig, queue, ALL, hold_all);
    }
}

static void an_empty_queue_gives_none(void **state)
{
    struct rig *rig = *state;
    const char *const types[] = {"classic", "quorum"};
    for (int i = 0; i < 2; i++) {
        char queue[64];
        rig_queue(rig, "none", types[i], NULL, queue);
        struct leasing *l = leasing_for(LEASE_KEEPS, queue, 10, -1);
        leasing_run(l, hold_all);
        assert_int_equal(l->count, 0);
        leasing_end(l);
    }
}

/* A large window, in which nothing is settled before all have come: removals stand behind many that are kept. */
static void few_are_removed_among_many(void **state)
{
    struct rig *rig = *state;
    const char *const types[] = {"classic", "quorum"};
    for (int i = 0; i < 2; i++) {
        char queue[64];
        rig_queue(rig, "few", types[i], NULL, queue);
        rig_fill_lasting(rig, queue, ALL, false);
        struct leasing *l = leasing_for(LEASE_PICKS, queue, 50000, -1);
        enum err e = ERR_OK;
        while (l->count < ALL && !e)
            e = rabbitmq_broker.lease_step(&l->s->broker, 200, &l->s->err);
        assert_int_equal(l->count, ALL);
        leasing_run(l, remove_few);
        leasing_sync(l);
        assert_int_equal(l->count, ALL);
        leasing_end(l);
        expect_left(rig, queue, ALL, remove_few);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_go_back_to_where_they_stood),
        cmocka_unit_test(a_connection_that_goes_keeps_the_order),
        cmocka_unit_test(an_empty_queue_gives_none),
        cmocka_unit_test(few_are_removed_among_many),
    };
    return rig_run(tests, rig_teardown);
}
