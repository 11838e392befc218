/* A preview asks the destinations what they would say to each message. */
#include "rig.h"

#include "operations/order.h"

static atomic_bool cancelled;
static char said[1000];

static void note(void *context, const char *text)
{
    (void)context;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", text);
}

/* {"n":1} is none that the broker takes. */
static enum err picky(struct broker *b, size_t to, const struct message *m, uint64_t token,
                      struct err_info *err)
{
    assert_non_null(
        headers_find(m->headers, BYTES_LITERAL("x-signalbox-operation"))); /* as it would be sent */
    return bytes_equal_text(m->payload, "{\"n\":1}") ? err_set(err, ERR_REFUSED, "a one")
                                                     : memory_broker.publish(b, to, m, token, err);
}

static enum err tell_bounds(struct broker *b, const struct channel_name *channel, struct channel_bounds *into,
                            struct err_info *err)
{
    (void)b, (void)channel, (void)err;
    *into = (struct channel_bounds){.messages = 1, .bytes = -1, .stored = -1, .ttl_ms = -1, .expires_ms = -1};
    return ERR_OK;
}

static struct operation_job job_of(enum operation_kind kind)
{
    struct operation_job job = {.plan = {.kind = kind, .from = "m/from", .limit = -1, .replays_most = 3},
                                .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
                                .to = {&rig_broker, &rig_endpoint, {CHANNEL_ANY, NULL}},
                                .decoders = rig_decoders,
                                .notice = note,
                                .record = {.from = "m/from", .state = OPERATION_RUNNING}};
    *said = '\0';
    return job;
}

static void die(int number, const char *origin)
{
    char body[40];
    snprintf(body, sizeof body, "{\"n\":%d}", number);
    struct header header = {BYTES_LITERAL("x-original-topic"),
                            {.type = VALUE_STRING, .bytes = bytes_of_text(origin)}};
    struct message m = {.payload = bytes_of_text(body), .headers = {&header, 1}, .time_ns = 5};
    assert_int_equal(memory_publish("from", &m, NULL, NULL), ERR_OK);
}

static void a_missing_origin_is_said(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_REPLAY);
    struct preview p;
    size_t count, missing = 0;
    die(0, "to");
    die(2, "nowhere");
    die(3, "nowhere");
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    assert_int_equal(preview_failing(&p), 2);
    assert_int_equal(preview_skipped(&p), 0);
    assert_int_equal(order_planned(&job.plan, &p), 1);
    const struct reason_group *g = reasons_groups(p.reasons, &count);
    for (size_t i = 0; i < count; i++)
        missing += g[i].fails && strstr(g[i].why_not, "no channel nowhere");
    assert_int_equal(missing, 1);
    preview_free(&p);
}

static void what_the_destination_would_refuse_is_counted(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_REPLAY);
    struct preview p;
    rig_broker.publish = picky;
    rig_broker.bounds = tell_bounds;
    for (int i = 0; i < 4; i++)
        die(i, "to");
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    assert_int_equal(preview_failing(&p), 1);
    assert_string_equal(p.refuses, "a one");
    assert_int_equal(order_planned(&job.plan, &p), 3);
    assert_non_null(strstr(said, "to holds at most 1 message, and has room for 1"));
    assert_non_null(strstr(said, "has room for 1, not for 3"));
    assert_int_equal(rig_waiting("to"), 0);
    preview_free(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_missing_origin_is_said),
        TEST(what_the_destination_would_refuse_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
