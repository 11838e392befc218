/* A destination that holds a few messages, and forgets its oldest for more. */
#include "rig.h"

#include "operations/bounds.h"
#include "operations/order.h"

static struct channel_bounds bounds;
static int64_t count_most; /* the destination has at most so many, as its broker sees it */
static int others;         /* somebody else sends as many beside each */

static enum err tell_bounds(struct broker *b, const struct channel_name *channel, struct channel_bounds *into,
                            struct err_info *err)
{
    (void)b, (void)channel, (void)err;
    *into = bounds;
    return ERR_OK;
}

static enum err count(struct broker *b, const struct channel_name *channel, int64_t *ready, int64_t *unacked,
                      struct err_info *err)
{
    enum err e = memory_broker.count(b, channel, ready, unacked, err);
    if (!strcmp(channel->name, "to") && *ready > count_most)
        *ready = count_most;
    return e;
}

static enum err publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                        struct err_info *err)
{
    for (int i = 0; i < others; i++)
        assert_int_equal(memory_publish("to", m, NULL, NULL), ERR_OK);
    return memory_broker.publish(b, to, m, token, err);
}

static int setup(void **state)
{
    bounds = (struct channel_bounds){
        .messages = 3, .bytes = -1, .stored = COUNT_UNKNOWN, .ttl_ms = -1, .expires_ms = -1};
    count_most = INT64_MAX;
    others = 0;
    int code = rig_setup(state);
    rig_broker.bounds = tell_bounds;
    rig_broker.count = count;
    rig_broker.publish = publish;
    return code;
}

static struct operation_job job_of(enum operation_kind kind)
{
    struct operation_job job = {.plan = {.kind = kind, .from = "m/from", .to = "m/to", .limit = -1},
                                .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
                                .to = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "to"}},
                                .decoders = rig_decoders,
                                .record = {.from = "m/from", .to = "m/to", .state = OPERATION_RUNNING}};
    return job;
}

/* ---- before ---- */

static void what_has_no_room_is_refused(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    struct preview p;
    struct err_info err = {.code = ERR_OK};
    rig_publish("from", 0, 10);
    rig_publish("to", 0, 1);
    assert_int_equal(preview_check(&job, &p, NULL), ERR_OK);
    assert_true(p.bounded);
    assert_int_equal(order_fits(&job.plan, &p, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "has room for 2, not for 10"));
    assert_non_null(strstr(err.next, "--limit 2"));
    job.plan.limit = 2;
    assert_int_equal(order_fits(&job.plan, &p, &err), ERR_OK);
    job.plan.limit = -1;
    p.bounds.refuses = true; /* what is beyond stays at the source */
    assert_int_equal(order_fits(&job.plan, &p, &err), ERR_OK);
    preview_free(&p);
}

static char told[2000];

static void take(void *context, bool lost, const char *text)
{
    (void)context;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s%s\n", lost ? "! " : "", text);
}

static void what_it_does_is_said(void **state)
{
    (void)state;
    const struct channel_bounds b = {.messages = 3,
                                     .bytes = 2048,
                                     .stored = 2000,
                                     .ttl_ms = 60000,
                                     .expires_ms = 5000,
                                     .dead_letters = true,
                                     .dead_letter_to = "dlx"};
    *told = '\0';
    bounds_tell(&b, "q", 1, take, NULL);
    assert_string_equal(
        told, "! q holds at most 3 messages and 2.0 KiB, and has room for 2 and 48 B: beyond that its oldest "
              "make way, and go on to the exchange dlx\n"
              "! q keeps a message for 1m: then it goes on to the exchange dlx\n"
              "! q is deleted with all that is in it when nobody has used it for 5s\n");
    assert_int_equal(bounds_check(&b, "q", 1, COUNT_UNKNOWN, 49, NULL), ERR_REFUSED);
    assert_int_equal(bounds_check(&b, "q", 1, 2, 48, NULL), ERR_OK);
}

/* ---- while it runs ---- */

static void no_more_is_sent_than_it_holds(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    rig_publish("from", 0, 10);
    rig_begin(&job);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_PARTIAL);
    assert_int_equal(p.counts.done, 3);
    assert_non_null(strstr(p.note, "to is full"));
    rig_assert_holds("to", 0, 3, 1);
    rig_assert_holds("from", 3, 7, 1);
}

static void what_just_fits_is_done(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    rig_publish("from", 0, 3);
    rig_begin(&job);
    assert_int_equal(rig_run(&job).state, OPERATION_DONE);
}

static void what_others_fill_meanwhile_is_said(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    others = 1;
    count_most = 3;
    rig_publish("from", 0, 2);
    rig_begin(&job);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_PARTIAL);
    assert_int_equal(p.counts.done, 2);
    assert_non_null(strstr(p.note, "its limit may have pushed some out"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_has_no_room_is_refused),        TEST(what_it_does_is_said),
        TEST(no_more_is_sent_than_it_holds),      TEST(what_just_fits_is_done),
        TEST(what_others_fill_meanwhile_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
