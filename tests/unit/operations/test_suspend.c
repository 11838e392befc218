/* An operation that is to go on later. */
#include "rig.h"

static struct operation_job job_of(enum operation_kind kind)
{
    struct operation_job job = {
        .plan = {.kind = kind, .from = "m/from", .to = "m/to", .limit = -1, .rate = 50},
        .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
        .to = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "to"}},
        .decoders = rig_decoders,
        .record = {.from = "m/from",
                   .to = "m/to",
                   .state = OPERATION_RUNNING,
                   .counts = {.planned = COUNT_UNKNOWN}}};
    return job;
}

static void wait_for_some(struct operation *o)
{
    struct operation_progress p = {.counts = {.done = 0}};
    for (int64_t end = clock_mono_ns() + 30 * NS_PER_S; p.counts.done < 2 && clock_mono_ns() < end;
         poll(NULL, 0, 5))
        operation_progress(o, &p);
    assert_true(p.counts.done >= 2);
}

static void what_was_suspended_is_resumed(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    rig_publish("from", 0, 200);
    rig_begin(&job);
    struct operation *o = operation_start(&job, rig_fd, NULL);
    wait_for_some(o);
    operation_suspend(o);
    struct operation_progress p = rig_wait(&o);
    assert_int_equal(p.state, OPERATION_INTERRUPTED);
    assert_int_equal(rig_waiting("from") + rig_waiting("to"), 200);
    assert_int_equal(rig_waiting("to"), p.counts.done);
    job.plan.rate = 0;
    p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 200);
    rig_assert_holds("to", 0, 200, 1);
}

static void what_was_cancelled_is_over(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    rig_publish("from", 0, 200);
    rig_begin(&job);
    struct operation *o = operation_start(&job, rig_fd, NULL);
    wait_for_some(o);
    operation_cancel(o);
    assert_int_equal(rig_wait(&o).state, OPERATION_CANCELLED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {TEST(what_was_suspended_is_resumed), TEST(what_was_cancelled_is_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
