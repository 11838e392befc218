/* What an operation has sent is read back at its end, where that leaves no trace; what became another one, or is not there, is said. */
#include "rig.h"

#include "operations/verify.h"

static struct operation_job job_of(enum operation_kind kind)
{
    struct operation_job job = {
        .plan = {.kind = kind, .from = "m/from", .to = "m/to", .limit = -1, .replays_most = 3},
        .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
        .to = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "to"}},
        .decoders = rig_decoders};
    job.record = (struct journal_operation){.kind = kind, .from = "m/from", .to = "m/to"};
    return job;
}

/* Runs it; as the report says it, and the journal. */
static struct verified run(struct operation_job *job)
{
    struct verified told, kept;
    struct arena arena;
    rig_begin(job);
    struct operation_progress p = rig_run(job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_true(verified_read(&told, p.verified));
    arena_init(&arena, 1 << 20);
    assert_true(verified_read(&kept, rig_record(job, &arena).verified));
    assert_int_equal(kept.equal, told.equal);
    assert_string_equal(kept.why, told.why);
    arena_free(&arena);
    return told;
}

static void what_arrived_is_read_back(void **state)
{
    (void)state;
    char text[400];
    struct operation_job job = job_of(OPERATION_MOVE);
    rig_publish("to", 100, 7); /* others' */
    rig_publish("from", 0, 1200);
    struct verified v = run(&job);
    assert_int_equal(v.sent, 1200);
    assert_int_equal(v.equal, 1200);
    assert_true(verified_is_good(&v));
    assert_string_equal(verified_tell(&v, text, sizeof text),
                        "verified: 1,200 of 1,200 were read back and are equal, payload and key");
    assert_int_equal(rig_waiting("to"), 1207);
}

static enum err publish_another(struct broker *b, size_t to, const struct message *m, uint64_t token,
                                struct err_info *err)
{
    struct message other = message_borrow(m);
    if (bytes_equal_text(m->payload, "{\"n\":2}"))
        other.payload = BYTES_LITERAL("{\"n\":3}");
    return memory_broker.publish(b, to, &other, token, err);
}

static enum err list_after_a_consumer(struct broker *b, const char *pattern, uint32_t flags,
                                      struct channel_list *list, struct err_info *err)
{
    enum err e = memory_broker.list(b, pattern, flags, list, err);
    assert_true(memory_consume("to"));
    return e;
}

static void what_differs_and_what_is_not_there_is_said(void **state)
{
    (void)state;
    char text[400];
    struct operation_job job = job_of(OPERATION_COPY);
    rig_broker.publish = publish_another;
    rig_broker.list = list_after_a_consumer;
    rig_publish("from", 0, 10);
    struct verified v = run(&job);
    assert_int_equal(v.sent, 10);
    assert_int_equal(v.equal, 8);
    assert_int_equal(v.differ, 1);
    assert_int_equal(v.missing, 1);
    assert_false(verified_is_good(&v));
    assert_string_equal(
        verified_tell(&v, text, sizeof text),
        "verified: 8 of 10 were read back and are equal, payload and key; 1 DIFFER; 1 were NOT FOUND");
}

static enum err list_that_marks(struct broker *b, const char *pattern, uint32_t flags,
                                struct channel_list *list, struct err_info *err)
{
    enum err e = memory_broker.list(b, pattern, flags, list, err);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].browse_effect = EFFECT_MARKS;
    return e;
}

static enum err list_with_consumers(struct broker *b, const char *pattern, uint32_t flags,
                                    struct channel_list *list, struct err_info *err)
{
    enum err e = memory_broker.list(b, pattern, flags, list, err);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].consumers = 2;
    return e;
}

static void what_cannot_be_looked_at_freely_is_counted_alone(void **state)
{
    (void)state;
    char text[400];
    struct operation_job job = job_of(OPERATION_MOVE);
    rig_broker.list = list_that_marks;
    rig_publish("from", 0, 3);
    struct verified v = run(&job);
    assert_int_equal(v.equal, 0);
    assert_int_equal(v.missing, 0);
    assert_string_equal(verified_tell(&v, text, sizeof text),
                        "counted, not read back: looking into to would mark its messages");
    job = job_of(OPERATION_MOVE);
    rig_broker.list = list_with_consumers;
    rig_publish("from", 0, 3);
    v = run(&job);
    assert_string_equal(v.why, "to has consumers, who take them");
}

static int late; /* so many looks see nothing of it yet */

static enum err late_read_open(struct broker *b, const struct read_request *request,
                               const struct read_sink *sink, struct err_info *err)
{
    static const struct channel_name elsewhere = {CHANNEL_QUEUE, "elsewhere"};
    struct read_request other = *request;
    if (late-- > 0)
        other.channels = &elsewhere;
    return memory_broker.read_open(b, &other, sink, err);
}

/* As transactions do. */
static void what_shows_a_moment_later_is_waited_for(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    assert_int_equal(memory_declare("elsewhere", CHANNEL_QUEUE, NULL, NULL), ERR_OK);
    rig_broker.read_open = late_read_open;
    late = 2;
    rig_publish("from", 0, 3);
    struct verified v = run(&job);
    assert_int_equal(v.equal, 3);
    assert_int_equal(v.missing, 0);
}

static void what_bears_no_marks_is_not_looked_for(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_MOVE);
    job.plan.no_mark = true;
    rig_publish("from", 0, 3);
    rig_begin(&job);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.counts.done, 3);
    assert_string_equal(p.verified, "");
}

static void an_edited_payload_is_what_is_compared(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_RESEND);
    job.plan.payload = BYTES_LITERAL("{\"edited\":true}");
    rig_publish("from", 0, 1);
    struct verified v = run(&job);
    assert_int_equal(v.equal, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_arrived_is_read_back),
        TEST(what_differs_and_what_is_not_there_is_said),
        TEST(what_cannot_be_looked_at_freely_is_counted_alone),
        TEST(what_shows_a_moment_later_is_waited_for),
        TEST(what_bears_no_marks_is_not_looked_for),
        TEST(an_edited_payload_is_what_is_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
