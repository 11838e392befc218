/* Which headers are taken off on the way, and put on; what the journal keeps of them; how they are shown. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "operations/operation_json.h"
#include "operations/rewrite.h"

static struct arena arena;
static const struct decoder_ops *const no_decoders[] = {NULL};

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 4 * MIB);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct header text_header(const char *name, const char *value)
{
    return (struct header){bytes_of_text(name), {.type = VALUE_STRING, .bytes = bytes_of_text(value)}};
}

static struct header entry[3], death[1];

/* As RabbitMQ writes it. */
static struct header x_death(void)
{
    entry[0] = (struct header){BYTES_LITERAL("count"), {.type = VALUE_INT64, .i = 2}};
    entry[1] = text_header("reason", "rejected");
    entry[2] = (struct header){BYTES_LITERAL("time"), {.type = VALUE_TIMESTAMP, .u = 1700000000}};
    death[0] = (struct header){.value = {.type = VALUE_TABLE, .list = {entry, 3}}};
    return (struct header){BYTES_LITERAL("x-death"), {.type = VALUE_ARRAY, .list = {death, 1}}};
}

static const struct plan replay = {.kind = OPERATION_REPLAY, .from = "k/dlq", .limit = -1, .replays_most = 3};

static void add_line(void *context, bool on, const char *text)
{
    buffer_printf(context, "%c %s\n", on ? '+' : '-', text);
}

static const char *told(const struct header_changes *changes, struct buffer *out)
{
    buffer_init(out, MIB);
    rewrite_tell(changes, add_line, out);
    return buffer_cstr(out);
}

static void a_replay_takes_deaths_off_and_puts_stamps_on(void **state)
{
    (void)state;
    struct header h[] = {text_header("a", "1"), x_death(), text_header("x-signalbox-replays", "1"),
                         text_header("x-last-death-queue", "")};
    struct message m = {.position = {POSITION_PARTITION, 2, 7}, .headers = {h, 4}}, sent;
    struct rewrite r = {.plan = &replay, .operation = "", .cluster = "k", .channel = "dlq"};
    struct header_changes changes;
    struct buffer out;
    rewrite_changes(&r, &m, 1, &arena, &changes);
    assert_string_equal(told(&changes, &out),
                        "- x-death: [{count: 2, reason: rejected, time: 2023-11-14T22:13:20Z}]\n"
                        "- x-signalbox-replays: 1\n"
                        "- x-last-death-queue: \"\"\n"
                        "+ x-signalbox-operation: ID/NUMBER\n"
                        "+ x-signalbox-replays: 2\n"
                        "+ x-signalbox-source: k/dlq/2/7\n");
    buffer_free(&out);
    /* And that is what is sent. */
    r.operation = "0123456789abcdef";
    assert_int_equal(rewrite_message(&r, &m, 5, &arena, &sent, NULL), ERR_OK);
    assert_int_equal(sent.headers.count, 4);
    assert_true(bytes_equal_text(sent.headers.items[0].name, "a"));
    rewrite_changes(&r, &m, 5, &arena, &changes);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(bytes_equal(sent.headers.items[1 + i].value.bytes, changes.on.items[i].value.bytes));
}

static void what_keeps_them_takes_nothing_off(void **state)
{
    (void)state;
    struct header h[] = {x_death(), text_header("x-signalbox-operation", "0123456789abcdef/1")};
    struct message m = {.headers = {h, 2}};
    struct plan plan = replay;
    struct rewrite r = {.plan = &plan, .operation = "fedcba9876543210", .cluster = "r", .channel = "dlq"};
    struct header_changes changes;
    plan.keep_death = plan.no_mark = true;
    rewrite_changes(&r, &m, 1, &arena, &changes);
    assert_int_equal(changes.off.count + changes.on.count, 0);
    plan = (struct plan){.kind = OPERATION_MOVE, .from = "r/dlq", .to = "r/to"};
    rewrite_changes(&r, &m, 1, &arena, &changes);
    assert_int_equal(changes.off.count, 1); /* the stamp of before makes way */
    assert_int_equal(changes.on.count, 1);
}

static struct journal_operation row_of(struct buffer *json)
{
    buffer_init(json, MIB);
    plan_write(&replay, json);
    return (struct journal_operation){.kind = OPERATION_REPLAY,
                                      .id = "0123456789abcdef",
                                      .from = "k/topic:d%2Fq",
                                      .plan = buffer_view(json)};
}

static void the_journal_tells_of_both(void **state)
{
    (void)state;
    struct header h[] = {x_death(), text_header("x-signalbox-replays", "2"), text_header("b", "2")};
    struct message m = {.position = {POSITION_PARTITION, 0, 9}, .headers = {h, 3}};
    struct rewrite r = {.plan = &replay, .operation = "0123456789abcdef", .cluster = "k", .channel = "d/q"};
    struct buffer kept, json, out;
    struct header_changes changes;
    buffer_init(&kept, MIB);
    rewrite_keep(&r, &m, &arena, &kept);
    struct journal_operation o = row_of(&json);
    struct journal_message row = {
        .sequence = 42, .state = DELIVERY_DONE, .from = m.position, .taken_off = buffer_view(&kept)};
    rewrite_kept(&o, &row, &arena, &changes);
    assert_string_equal(told(&changes, &out),
                        "- x-death: [{count: 2, reason: rejected, time: 2023-11-14T22:13:20Z}]\n"
                        "- x-signalbox-replays: 2\n"
                        "+ x-signalbox-operation: 0123456789abcdef/42\n"
                        "+ x-signalbox-replays: 3\n"
                        "+ x-signalbox-source: k/d/q/0/9\n");
    buffer_free(&out);
    buffer_init(&out, MIB);
    delivery_to_json(o.id, &row, &changes, &out);
    assert_non_null(strstr(buffer_cstr(&out), "\"headers_off\":[{\"name\":\"x-death\",\"type\":\"array\""));
    assert_non_null(strstr(buffer_cstr(&out), "\"headers_on\":[{\"name\":\"x-signalbox-operation\""));
    buffer_free(&out);
    row.state = DELIVERY_FAILED; /* it stayed as it was */
    rewrite_kept(&o, &row, &arena, &changes);
    assert_int_equal(changes.off.count + changes.on.count, 0);
    row.state = DELIVERY_DONE;
    row.taken_off = BYTES_LITERAL("\x02\x00"); /* damaged */
    rewrite_kept(&o, &row, &arena, &changes);
    assert_int_equal(changes.off.count, 0);
    buffer_free(&kept);
    buffer_free(&json);
}

/* A message may have megabytes of them. */
static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    static char large[2 * REWRITE_KEPT_MOST];
    static struct header h[2000];
    struct rewrite r = {.plan = &replay, .operation = "", .cluster = "k", .channel = "dlq"};
    struct header_changes changes;
    struct buffer kept, out;
    memset(large, 'x', sizeof large - 1);
    h[0] = text_header("x-death", large);
    h[1] = text_header("x-first-death-queue", "orders");
    for (size_t i = 2; i < 2000; i++)
        h[i] = text_header("x-last-death-queue", large);
    buffer_init(&kept, 64 * MIB);
    rewrite_keep(&r, &(struct message){.headers = {h, 2000}}, &arena, &kept);
    assert_true(buffer_ok(&kept));
    assert_true(kept.len < REWRITE_KEPT_MOST + 1000);
    rewrite_unpack(buffer_view(&kept), &arena, &changes);
    assert_int_equal(changes.off.count, 1);
    assert_true(bytes_equal_text(changes.off.items[0].value.bytes, "orders"));
    assert_true(changes.omitted.count >= 1 && changes.omitted.count < 100);
    changes.on = (struct headers){NULL, 0};
    assert_non_null(strstr(told(&changes, &out), "- x-death: (8.0 KiB, too large to be kept)\n"));
    buffer_free(&out);
    buffer_free(&kept);
}

static void what_redact_names_is_not_shown(void **state)
{
    (void)state;
    const struct redact_rule rule = {REDACT_HEADER, "x-first-*"};
    struct redaction *rules = redaction_new(&rule, 1, no_decoders, NULL);
    struct redactor *redactor = redactor_new(rules);
    struct header off[] = {text_header("x-first-death-queue", "secret"), text_header("x-death", "plain")},
                  on[] = {text_header("x-signalbox-replays", "1")};
    struct header_changes changes = {.off = {off, 2}, .on = {on, 1}};
    struct buffer out;
    rewrite_hide(&changes, redactor, &arena);
    assert_string_equal(told(&changes, &out),
                        "- x-first-death-queue: [redacted]\n- x-death: plain\n+ x-signalbox-replays: 1\n");
    buffer_free(&out);
    redactor_free(&redactor);
    redaction_free(&rules);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_replay_takes_deaths_off_and_puts_stamps_on),
        TEST(what_keeps_them_takes_nothing_off),
        TEST(the_journal_tells_of_both),
        TEST(what_is_kept_is_bounded),
        TEST(what_redact_names_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
