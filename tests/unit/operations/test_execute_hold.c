/* Copies off a queue where looking leaves a trace: all are taken, and all go back. On the memory broker, as RabbitMQ's queues are: its
 * messages have no names. */
#include "tests/unit/operations/rig.h"

static atomic_int calls_left; /* until the line is cut; negative: never */
static int removals, out, most_out;
static bool mute; /* the message arrives, its confirmation does not */
static int late;  /* leases for which all but ten are still on their way back */
static struct lease_sink sink;

static bool breaks(void)
{
    return atomic_load(&calls_left) >= 0 && atomic_fetch_sub(&calls_left, 1) == 0;
}

static enum emit take(void *context, const struct message *borrowed, uint64_t handle)
{
    (void)context;
    struct message m = *borrowed;
    m.position = (struct position){.kind = POSITION_NONE};
    if (++out > most_out)
        most_out = out;
    return sink.message(sink.context, &m, handle);
}

static enum err nameless_lease_open(struct broker *b, const struct lease_request *request,
                                    const struct lease_sink *theirs, struct err_info *err)
{
    struct lease_sink mine = {.message = take, .notice = theirs->notice};
    struct lease_request less = *request;
    assert_int_equal(request->use, LEASE_KEEPS);
    sink = *theirs;
    out = 0;
    if (late-- > 0)
        less.most = 10;
    return memory_broker.lease_open(b, &less, &mine, err);
}

static enum err counted_settle(struct broker *b, uint64_t handle, enum settle how, struct err_info *err)
{
    out--;
    removals += how == SETTLE_REMOVE;
    return memory_broker.settle(b, handle, how, err);
}

static enum err cut_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                            struct err_info *err)
{
    if (!breaks())
        return memory_broker.publish(b, to, m, token, err);
    if (mute)
        assert_int_equal(memory_publish("to", m, NULL, NULL), ERR_OK);
    return err_set(err, ERR_CLOSED, "the line was cut");
}

/* In memory whoever has taken something counts as a consumer for ever. */
static enum err list_without_consumers(struct broker *b, const char *pattern, uint32_t flags,
                                       struct channel_list *list, struct err_info *err)
{
    enum err e = memory_broker.list(b, pattern, flags, list, err);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].consumers = 0;
    return e;
}

/* What was sent is read back where it went; its source is held, and not read. */
static enum err read_no_source(struct broker *b, const struct read_request *r, const struct read_sink *into,
                               struct err_info *err)
{
    assert_string_not_equal(r->channels[0].name, "from");
    return memory_broker.read_open(b, r, into, err);
}

static int setup(void **state)
{
    int failed = rig_setup(state);
    atomic_store(&calls_left, -1);
    removals = most_out = late = 0;
    mute = false;
    rig_broker.browse_is_free = false;
    rig_broker.lease_open = nameless_lease_open;
    rig_broker.settle = counted_settle;
    rig_broker.publish = cut_publish;
    rig_broker.list = list_without_consumers;
    rig_broker.read_open = read_no_source;
    return failed;
}

static struct operation_job job_of(const char *select)
{
    struct operation_job job = {
        .plan = {.kind = OPERATION_COPY, .from = "m/from", .to = "m/to", .select = select, .limit = -1},
        .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
        .to = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "to"}},
        .decoders = rig_decoders,
        .look_again_ns = NS_PER_MS,
        .record = {.state = OPERATION_RUNNING,
                   .from = "m/from",
                   .to = "m/to",
                   .counts = {.planned = COUNT_UNKNOWN}},
    };
    rig_begin(&job);
    return job;
}

static void all_are_copied_and_stay(void **state)
{
    (void)state;
    struct operation_job job = job_of(NULL);
    rig_publish("from", 0, 8000);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 8000);
    assert_true(most_out <= 5000);
    assert_int_equal(removals, 0);
    rig_assert_holds("to", 0, 8000, 1);
    rig_assert_holds("from", 0, 8000, 1);
}

static void what_is_selected_is_copied(void **state)
{
    (void)state;
    struct operation_job job = job_of("/[02468]}/");
    rig_publish("from", 0, 3000);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 1500);
    rig_assert_holds("to", 0, 1500, 2);
    rig_assert_holds("from", 0, 3000, 1);
}

/* A queue that messages keep coming into. */
static void what_came_later_is_not_copied(void **state)
{
    (void)state;
    struct operation_job job = job_of("/n/");
    job.plan.ready = 50;
    rig_publish("from", 0, 80);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 50);
    rig_assert_holds("to", 0, 50, 1);
    rig_assert_holds("from", 0, 80, 1);
}

static void expect_whole(int at)
{
    rig_publish("from", 0, 50);
    struct operation_job job = job_of(NULL);
    job.plan.ready = job.plan.limit = 50;
    atomic_store(&calls_left, at);
    struct operation_progress p = rig_run(&job);
    if (p.state != OPERATION_DONE)
        fail_msg("cut after %d calls: %s, %s", at, operation_state_name(p.state), p.note);
    assert_int_equal(p.counts.done, 50);
    assert_int_equal(removals, 0);
    rig_assert_holds("to", 0, 50, 1);
    rig_assert_holds("from", 0, 50, 1);
    memory_purge("to");
    memory_purge("from");
}

static void a_line_that_is_cut_doubles_none(void **state)
{
    (void)state;
    for (int at = 0; at < 50; at += 7)
        expect_whole(at);
    mute = true;
    for (int at = 0; at < 50; at += 7)
        expect_whole(at);
}

/* Twins: of 30 that are the same to the last byte each is copied, and none twice. */
static void twins_are_copied_once_each(void **state)
{
    (void)state;
    for (int at = 0; at < 30; at += 4) {
        int64_t ready, leased;
        for (int i = 0; i < 30; i++)
            rig_publish("from", 7, 1);
        struct operation_job job = job_of(NULL);
        job.plan.ready = job.plan.limit = 30;
        mute = at % 8 == 0;
        atomic_store(&calls_left, at);
        assert_int_equal(rig_run(&job).state, OPERATION_DONE);
        assert_true(memory_count("to", &ready, &leased));
        assert_int_equal(ready, 30);
        memory_purge("to");
        memory_purge("from");
    }
}

/* What an earlier run held is back late: it is looked once more. */
static void what_comes_back_late_is_copied_too(void **state)
{
    (void)state;
    rig_publish("from", 0, 50);
    struct operation_job job = job_of(NULL);
    job.plan.ready = 50;
    job.resumed = true;
    late = 1;
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 50);
    rig_assert_holds("to", 0, 50, 1);
    rig_assert_holds("from", 0, 50, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_are_copied_and_stay),       TEST(what_is_selected_is_copied),
        TEST(what_came_later_is_not_copied), TEST(a_line_that_is_cut_doubles_none),
        TEST(twins_are_copied_once_each),    TEST(what_comes_back_late_is_copied_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
