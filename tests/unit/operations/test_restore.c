/* Restores on the memory broker: byte for byte, adding nothing, and no message twice. */
#include "tests/unit/operations/rig.h"

#include "operations/archive_source.h"
#include "tests/support/equal.h"

static atomic_int calls_left;
static bool arrives; /* what is cut has arrived, and only its confirmation is lost */

static enum err cut_publish(struct broker *b, size_t to, const struct message *m, uint64_t token,
                            struct err_info *err)
{
    if (atomic_load(&calls_left) < 0 || atomic_fetch_sub(&calls_left, 1) != 0)
        return memory_broker.publish(b, to, m, token, err);
    if (arrives)
        assert_int_equal(memory_publish("to", m, NULL, NULL), ERR_OK);
    return err_set(err, ERR_CLOSED, "the line was cut");
}

static int setup(void **state)
{
    atomic_store(&calls_left, -1);
    return rig_setup(state);
}

static struct endpoint file;
static char path[4096];

/* An archive of what is in a queue. */
static void archive(const char *queue)
{
    struct archive_header header = {.endpoint = "m", .url = "memory:", .channel = queue};
    assert_true(archive_path(clock_wall_ns(), "m", queue, 1, path, sizeof path));
    struct archiver *a = archiver_open(path, &header, NULL);
    assert_non_null(a);
    int64_t at = 0;
    for (struct message *m; (m = memory_get(queue, &at, true)); at++) {
        assert_int_equal(archiver_put(a, m, NULL), ERR_OK);
        message_unref(&m);
    }
    assert_int_equal(archiver_finish(&a, NULL), ERR_OK);
}

/* A password is one of a configured endpoint: an archive is none. */
static enum err only_of_servers(void *context, const struct endpoint *endpoint, struct secret *into,
                                struct err_info *err)
{
    (void)context, (void)into, (void)err;
    assert_ptr_equal(endpoint, &rig_endpoint);
    return ERR_OK;
}

static struct operation_job restore(bool empty)
{
    struct operation_job job = {
        .plan = {.kind = OPERATION_RESTORE,
                 .from = path,
                 .to = "m/to",
                 .limit = -1,
                 .no_mark = true,
                 .empty = empty},
        .from = archive_source(path, &file),
        .to = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "to"}},
        .decoders = rig_decoders,
        .prepare = only_of_servers,
        .record = {.state = OPERATION_RUNNING,
                   .from = path,
                   .to = "m/to",
                   .archive = path,
                   .counts = {.planned = COUNT_UNKNOWN}},
    };
    rig_begin(&job);
    return job;
}

static void all_comes_back_in_order(void **state)
{
    (void)state;
    rig_publish("from", 0, 5000);
    archive("from");
    struct operation_job job = restore(true);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 5000);
    rig_assert_holds("to", 0, 5000, 1);
}

static bool same_bytes(struct bytes a, struct bytes b)
{
    return !a.data == !b.data && bytes_equal(a, b);
}

/* Null, empty, binary; headers absent, empty, repeated, of every kind of nesting. */
static const struct header inner[] = {{BYTES_LITERAL("deep"), {.type = VALUE_INT8, .i = -3}}};
static const struct header headers[] = {
    {BYTES_LITERAL("b"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("\0\xff")}},
    {BYTES_LITERAL("a"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("")}},
    {BYTES_LITERAL("a"), {.type = VALUE_UINT64, .u = UINT64_MAX}},
    {BYTES_LITERAL("d"), {.type = VALUE_DOUBLE, .f = 0.1}},
    {BYTES_LITERAL("t"), {.type = VALUE_TABLE, .list = {inner, 1}}},
    {BYTES_LITERAL("x-signalbox-operation"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("old/1")}},
    {BYTES_LITERAL("v"), {.type = VALUE_VOID}},
};

static void what_was_purged_comes_back_byte_for_byte(void **state)
{
    (void)state;
    const struct message all[] = {
        {.payload = BYTES_NULL, .key = BYTES_LITERAL(""), .time_ns = 123456789},
        {.payload = BYTES_LITERAL(""), .key = BYTES_NULL, .time_ns = 1, .headers = {headers, 0}},
        {.payload = BYTES_LITERAL("\0\x01\xfe"), .time_ns = 2, .headers = {headers, 7}},
        {.payload = BYTES_LITERAL("p"), .time_ns = 3, .properties = {headers, 2}},
    };
    struct message *before[4];
    for (int i = 0; i < 4; i++) {
        int64_t at = 0;
        assert_int_equal(memory_publish("from", &all[i], &at, NULL), ERR_OK);
        before[i] = memory_get("from", &at, false);
    }
    struct operation_job purge = {
        .plan = {.kind = OPERATION_PURGE, .from = "m/from", .limit = -1},
        .from = {&rig_broker, &rig_endpoint, {CHANNEL_QUEUE, "from"}},
        .decoders = rig_decoders,
        .record = {.state = OPERATION_RUNNING, .from = "m/from", .counts = {.planned = COUNT_UNKNOWN}},
    };
    rig_begin(&purge);
    assert_int_equal(rig_run(&purge).state, OPERATION_DONE);
    assert_int_equal(rig_waiting("from"), 0);
    assert_true(archive_path(purge.record.created_ns, "m", "from", 1, path, sizeof path));
    struct operation_job job = restore(true);
    assert_int_equal(rig_run(&job).state, OPERATION_DONE);
    int64_t at = 0;
    for (int i = 0; i < 4; i++, at++) {
        struct message *m = memory_get("to", &at, true);
        assert_non_null(m);
        assert_true(same_bytes(m->key, before[i]->key) && same_bytes(m->payload, before[i]->payload));
        assert_true(!m->headers.items == !before[i]->headers.items);
        assert_true(headers_equal(m->headers, before[i]->headers));
        assert_true(headers_equal(m->properties, before[i]->properties));
        assert_int_equal(m->time_ns, before[i]->time_ns);
        message_unref(&m);
        message_unref(&before[i]);
    }
    assert_int_equal(rig_waiting("to"), 4);
}

/* Cut before each message, with it arrived or not: it is found by its payload, since there was nothing else there. */
static void cut_anywhere_into_an_empty_queue_none_is_lost_or_doubled(void **state)
{
    (void)state;
    rig_broker.publish = cut_publish;
    rig_publish("from", 0, 50);
    archive("from");
    for (int at = 0; at < 50; at += 7)
        for (int i = 0; i < 2; i++) {
            struct operation_job job = restore(true);
            arrives = i;
            atomic_store(&calls_left, at);
            struct operation_progress p = rig_run(&job);
            assert_int_equal(p.state, OPERATION_DONE);
            assert_int_equal(p.counts.done, 50);
            rig_assert_holds("to", 0, 50, 1);
            memory_purge("to");
        }
}

/* One with the same payload may have been there before: said, and neither sent again nor lost in silence. */
static void cut_into_a_queue_that_had_messages_what_arrived_is_in_doubt(void **state)
{
    (void)state;
    rig_broker.publish = cut_publish;
    rig_publish("from", 0, 20);
    archive("from");
    for (int i = 0; i < 2; i++) {
        struct operation_job job = restore(false);
        arrives = i;
        atomic_store(&calls_left, 10);
        struct operation_progress p = rig_run(&job);
        assert_int_equal(p.state, arrives ? OPERATION_PARTIAL : OPERATION_DONE);
        assert_int_equal(p.counts.in_doubt, arrives);
        assert_int_equal(p.counts.done, 20 - arrives);
        rig_assert_holds("to", 0, 20, 1);
        memory_purge("to");
    }
}

/* As a process that begins anew: the journal alone knows. */
static void a_crash_is_gone_on_from(void **state)
{
    (void)state;
    rig_publish("from", 0, 30);
    archive("from");
    rig_publish("to", 0, 11); /* ten are known to have arrived, the eleventh's confirmation was lost */
    struct operation_job job = restore(true);
    struct journal *j = journal_open(NULL);
    for (uint64_t i = 1; i <= 15; i++) {
        if (i == 13) /* it never left, and was forgotten */
            continue;
        struct journal_message row = {.sequence = i, .state = i <= 10 ? DELIVERY_DONE : DELIVERY_INTENDED};
        assert_int_equal(journal_put(j, job.record.number, &row, NULL), ERR_OK);
    }
    assert_int_equal(journal_sync(j, NULL), ERR_OK);
    journal_close(&j);
    struct operation_progress p = rig_resume(&job);
    assert_int_equal(p.state, OPERATION_DONE);
    assert_int_equal(p.counts.done, 30);
    rig_assert_holds("to", 0, 30, 1);
}

static void a_damaged_archive_sends_nothing(void **state)
{
    (void)state;
    rig_publish("from", 0, 30);
    archive("from");
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, 300, SEEK_SET), 0);
    fputc('!', f);
    fclose(f);
    struct operation_job job = restore(true);
    struct operation_progress p = rig_run(&job);
    assert_int_equal(p.state, OPERATION_FAILED);
    assert_non_null(strstr(p.note, "damaged"));
    assert_int_equal(rig_waiting("to"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_comes_back_in_order),
        TEST(what_was_purged_comes_back_byte_for_byte),
        TEST(cut_anywhere_into_an_empty_queue_none_is_lost_or_doubled),
        TEST(cut_into_a_queue_that_had_messages_what_arrived_is_in_doubt),
        TEST(a_crash_is_gone_on_from),
        TEST(a_damaged_archive_sends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
