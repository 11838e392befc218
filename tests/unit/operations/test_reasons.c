/* Dead letters are grouped by why they died and where they would go, in bounded memory; some are picked. */
#include "rig.h"

#include "operations/preview.h"

static struct header text_header(const char *name, const char *text)
{
    return (struct header){bytes_of_text(name), {.type = VALUE_STRING, .bytes = bytes_of_text(text)}};
}

static struct message letter(struct header *headers, uint32_t count, int64_t time_ns)
{
    return (struct message){.time_ns = time_ns,
                            .payload = BYTES_LITERAL("body"),
                            .headers = {headers, count},
                            .position = {.kind = POSITION_NONE}};
}

static const char *reason_of(const char *class, const char *text)
{
    static char reason[REASON_SIZE];
    struct header headers[] = {text_header("kafka_dlt-exception-fqcn", class),
                               text_header("kafka_dlt-exception-message", text)};
    return dead_letter_reason((struct headers){headers, 2}, reason);
}

static void a_reason_is_one_line_without_ids(void **state)
{
    (void)state;
    char reason[REASON_SIZE];
    assert_string_equal(dead_letter_reason((struct headers){NULL, 0}, reason), REASON_NONE);
    assert_string_equal(reason_of("org.acme.Orders$Refused", "order 88412 has no total\n\tat org.acme"),
                        "Refused: order # has no total");
    assert_string_equal(reason_of("", "status 404 of 6f1c2a90-77aa-4b01-9c1d-0123456789ab, line 12"),
                        "status 404 of #, line 12");
    assert_string_equal(reason_of("E", "v2ab defaced a1b2"), "E: v2ab defaced a1b2");
    assert_string_equal(reason_of("E", "a\x1b[31mb"), "E: a\xe2\x90\x9b[31mb");
    char longest[1000] = {0};
    memset(longest, 'x', sizeof longest - 1);
    assert_true(strlen(reason_of("E", longest)) < REASON_SIZE);
}

static void a_reason_is_chosen_whole_or_up_to_its_colon(void **state)
{
    (void)state;
    assert_true(dead_letter_is_chosen("rejected", "rejected"));
    assert_true(dead_letter_is_chosen("rejected", "rejected: no total"));
    assert_true(dead_letter_is_chosen("expired\nrejected: no total", "rejected: no total"));
    assert_false(dead_letter_is_chosen("reject", "rejected"));
    assert_false(dead_letter_is_chosen("rejected: no", "rejected: no total"));
    assert_false(dead_letter_is_chosen("expired", "rejected"));
    assert_false(dead_letter_is_chosen("", "rejected"));
    assert_false(dead_letter_is_chosen(NULL, "rejected"));
}

static const struct plan plan = {.kind = OPERATION_REPLAY, .limit = -1, .replays_most = PLAN_REPLAYS_MOST};

static void groups_have_counts_places_and_times(void **state)
{
    (void)state;
    struct reasons *r = reasons_new(&(struct reasons_job){.plan = &plan, .from = "dlq"});
    size_t count;
    assert_non_null(r);
    for (int i = 0; i < 7; i++) {
        struct header headers[] = {text_header("x-death-reason", i < 5 ? "rejected" : "expired"),
                                   text_header("x-death-queue", i == 0 ? "other" : "orders")};
        struct message m = letter(headers, 2, (100 - i) * NS_PER_S);
        reasons_add(r, &m);
    }
    const struct reason_group *g = reasons_groups(r, &count);
    assert_int_equal(count, 3);
    assert_string_equal(g[0].text, "rejected");
    assert_string_equal(g[0].to, "queue:orders");
    assert_int_equal(g[0].count, 4);
    assert_int_equal(g[0].bytes, 16);
    assert_int_equal(g[0].oldest_ns, 96 * NS_PER_S);
    assert_int_equal(g[0].newest_ns, 99 * NS_PER_S);
    assert_string_equal(g[0].label, "body");
    assert_string_equal(g[1].text, "expired");
    assert_string_equal(g[2].to, "queue:other");
    struct header more[] = {text_header("x-death-reason", "expired"), text_header("x-death-queue", "orders")};
    struct message m = letter(more, 2, TIME_NONE); /* after a look at the groups */
    for (int i = 0; i < 3; i++)
        reasons_add(r, &m);
    g = reasons_groups(r, &count);
    assert_int_equal(count, 3);
    assert_string_equal(g[0].text, "expired");
    assert_int_equal(g[0].count, 5);
    assert_int_equal(reasons_skipped(r), 0);
    reasons_free(&r);
}

static void what_goes_nowhere_says_why(void **state)
{
    (void)state;
    struct reasons *r = reasons_new(&(struct reasons_job){.plan = &plan, .from = "dlq"});
    size_t count;
    struct header home[] = {text_header("x-death-reason", "rejected"), text_header("x-death-queue", "dlq")},
                  often[] = {text_header("x-death-reason", "rejected"),
                             text_header("x-death-queue", "orders"), text_header("x-signalbox-replays", "3")};
    struct message a = letter(home, 2, 0), b = letter(often, 3, 0), c = letter(NULL, 0, 0);
    reasons_add(r, &a);
    reasons_add(r, &a);
    reasons_add(r, &b);
    reasons_add(r, &c);
    const struct reason_group *g = reasons_groups(r, &count);
    assert_int_equal(count, 3);
    assert_string_equal(g[0].why_not, "it came from where it is");
    assert_string_equal(g[0].to, "");
    assert_int_equal(reasons_skipped(r), 4);
    reasons_free(&r);
}

static void more_reasons_than_there_is_room_for_are_counted_together(void **state)
{
    (void)state;
    struct reasons *r = reasons_new(&(struct reasons_job){.plan = &plan, .from = "dlq", .to = "m/to"});
    size_t count;
    struct buffer out;
    struct json_writer w;
    for (int i = 0; i < REASONS_MOST + 500; i++) {
        char text[40];
        snprintf(text, sizeof text, "reason %c%c%c", 'a' + i / 400, 'a' + i / 20 % 20, 'a' + i % 20);
        struct header headers[] = {text_header("x-death-reason", text)};
        struct message m = letter(headers, 1, TIME_NONE);
        reasons_add(r, &m);
        reasons_add(r, &m);
    }
    reasons_groups(r, &count);
    assert_int_equal(count, REASONS_MOST);
    assert_int_equal(reasons_rest(r), 1000);
    buffer_init(&out, 1 << 24);
    json_write(&w, &out);
    reasons_to_json(r, &w);
    assert_true(buffer_ok(&out));
    assert_non_null(strstr(buffer_cstr(&out), "{\"reason\":null,\"messages\":1000}]"));
    buffer_free(&out);
    reasons_free(&r);
}

/* ---- with what is at a source ---- */

static struct operation_job job_of(enum operation_kind kind, const char *to)
{
    rig_broker = memory_broker;
    struct operation_job job = {
        .plan = {.kind = kind, .from = "m/from", .to = to ? "m/to" : NULL, .limit = -1, .replays_most = 3},
        .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
        .to = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, to}},
        .decoders = rig_decoders};
    job.record = (struct journal_operation){.kind = kind, .from = "m/from", .to = job.plan.to};
    return job;
}

static void die(const char *reason, int count)
{
    struct header headers[] = {text_header("x-death-reason", reason), text_header("x-death-queue", "to")};
    for (int i = 0; i < count; i++) {
        struct message m = letter(headers, 2, 5 * NS_PER_S);
        assert_int_equal(memory_publish("from", &m, NULL, NULL), ERR_OK);
    }
}

static void a_preview_groups_what_a_replay_would_take(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_REPLAY, NULL);
    struct preview p;
    atomic_bool cancelled = false;
    size_t count;
    die("rejected: a", 2500);
    die("rejected: b", 1500);
    die("expired", 10);
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    const struct reason_group *g = reasons_groups(p.reasons, &count);
    assert_int_equal(count, 3);
    assert_int_equal(g[0].count, 2500);
    assert_true(p.whole);
    assert_int_equal(p.matched, 4010);
    preview_free(&p);
    job.plan.reasons = "rejected: b\nexpired";
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    assert_int_equal(p.matched, 1510);
    preview_free(&p);
    job.plan.limit = 20;
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    assert_int_equal(p.matched, 20);
    assert_int_equal(p.looked, 2520);
    assert_true(p.whole);
    preview_free(&p);
    assert_int_equal(rig_waiting("from"), 4010);
}

static void a_replay_takes_the_reasons_that_were_picked(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_REPLAY, NULL);
    job.plan.reasons = "rejected";
    job.record.counts.planned = COUNT_UNKNOWN;
    die("rejected: a", 30);
    die("expired", 10);
    rig_begin(&job);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 30);
    assert_int_equal(rig_waiting("from"), 10);
    assert_int_equal(rig_waiting("to"), 30);
}

static void a_preview_samples_what_another_broker_would_lose(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_COPY, "to");
    struct broker_ops other = memory_broker, marked = memory_broker;
    struct preview p;
    atomic_bool cancelled = false;
    marked.browse_is_free = false;
    job.from.ops = job.to.ops = &marked;
    rig_publish("from", 0, 100);
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    assert_false(p.compares);
    assert_int_equal(p.looked, 0);
    preview_free(&p);
    other.carries = 0;
    rig_broker.browse_is_free = false;
    job.to.ops = &other;
    for (int i = 0; i < 3000; i++) {
        struct message m = {.key = BYTES_LITERAL("k"), .payload = BYTES_LITERAL("x"), .time_ns = 5};
        assert_int_equal(memory_publish("from", &m, NULL, NULL), ERR_OK);
    }
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    assert_true(p.compares);
    assert_false(p.whole);
    assert_int_equal(p.looked, PREVIEW_SAMPLE_MARKED);
    assert_int_equal(p.losses.keys, p.looked - 100);
    preview_free(&p);
    job.plan.limit = 50;
    assert_int_equal(preview_make(&job, &cancelled, &p, NULL), ERR_OK);
    assert_int_equal(p.looked, 50);
    assert_true(p.whole);
    preview_free(&p);
}

static enum err refuse(struct broker *b, const struct read_request *request, const struct read_sink *sink,
                       struct err_info *err)
{
    (void)b, (void)request, (void)sink;
    return err_set(err, ERR_REFUSED, "a delivery limit is near");
}

static void what_may_not_be_looked_at_is_no_failure_unless_it_is_selected(void **state)
{
    (void)state;
    struct operation_job job = job_of(OPERATION_REPLAY, NULL);
    struct preview p;
    struct err_info err;
    atomic_bool cancelled = false;
    die("rejected", 3);
    rig_broker.read_open = refuse;
    assert_int_equal(preview_make(&job, &cancelled, &p, &err), ERR_OK);
    assert_non_null(strstr(p.unseen, "a delivery limit is near"));
    assert_false(p.whole);
    preview_free(&p);
    job.plan.reasons = "rejected";
    assert_int_equal(preview_make(&job, &cancelled, &p, &err), ERR_REFUSED);
    preview_free(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reason_is_one_line_without_ids),
        cmocka_unit_test(a_reason_is_chosen_whole_or_up_to_its_colon),
        cmocka_unit_test(groups_have_counts_places_and_times),
        cmocka_unit_test(what_goes_nowhere_says_why),
        cmocka_unit_test(more_reasons_than_there_is_room_for_are_counted_together),
        TEST(a_preview_groups_what_a_replay_would_take),
        TEST(a_replay_takes_the_reasons_that_were_picked),
        TEST(a_preview_samples_what_another_broker_would_lose),
        TEST(what_may_not_be_looked_at_is_no_failure_unless_it_is_selected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
