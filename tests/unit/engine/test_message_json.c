#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/limits.h"
#include "engine/message_json.h"
#include "registry.h"
#include "tests/support/equal.h"
#include "tests/support/witness.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct header deep[] = {
    {BYTES_LITERAL("n"), {.type = VALUE_UINT64, .u = UINT64_MAX}},
    {BYTES_LITERAL("t"), {.type = VALUE_TIMESTAMP, .u = 1770000000}},
};
static const struct header array[] = {
    {BYTES_NULL, {.type = VALUE_INT8, .i = -128}},
    {BYTES_NULL, {.type = VALUE_TABLE, .list = {deep, 2}}},
    {BYTES_NULL, {.type = VALUE_VOID}},
};
static const struct header nasty[] = {
    {BYTES_LITERAL("x"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("tab\there")}},
    {BYTES_LITERAL("x"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("\xff\x00\x01")}},
    {BYTES_LITERAL("null"), {.type = VALUE_BYTES, .bytes = {NULL, 0}}},
    {BYTES_LITERAL("empty"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("")}},
    {BYTES_LITERAL("array"), {.type = VALUE_ARRAY, .list = {array, 3}}},
    {BYTES_LITERAL("emptytable"), {.type = VALUE_TABLE, .list = {array, 0}}},
    {BYTES_LITERAL("d"), {.type = VALUE_DOUBLE, .f = 0.1}},
    {BYTES_LITERAL("f"), {.type = VALUE_FLOAT, .f = 0.5f}},
    {BYTES_LITERAL("nan"), {.type = VALUE_DOUBLE, .f = NAN}},
    {BYTES_LITERAL("inf"), {.type = VALUE_DOUBLE, .f = -INFINITY}},
    {BYTES_LITERAL("zero"), {.type = VALUE_DOUBLE, .f = -0.0}},
    {BYTES_LITERAL("dec"), {.type = VALUE_DECIMAL, .decimal = {2, -1995}}},
    {BYTES_LITERAL("big"), {.type = VALUE_INT64, .i = INT64_MIN}},
    {BYTES_LITERAL("yes"), {.type = VALUE_BOOL, .b = true}},
    {BYTES_LITERAL("\xff name"), {.type = VALUE_VOID}},
};
static const struct header properties[] = {
    {BYTES_LITERAL("content_type"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("application/json")}},
    {BYTES_LITERAL("delivery_mode"), {.type = VALUE_UINT8, .u = 2}},
    {BYTES_LITERAL("timestamp"), {.type = VALUE_TIMESTAMP, .u = 1770000000}},
    {BYTES_LITERAL("partition"), {.type = VALUE_INT32, .i = 3}},
    {BYTES_LITERAL("reply_to"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("\xff")}},
};

static void round_trip(struct message m)
{
    struct buffer b;
    struct arena arena;
    struct message back;
    struct err_info err = {0};
    buffer_init(&b, MIB);
    arena_init(&arena, MIB);
    message_json(&b, &m, registry.decoders, MESSAGE_JSON_DECODE);
    assert_true(buffer_ok(&b));
    assert_null(witness_objects(buffer_view(&b)));
    if (message_from_json(&back, buffer_view(&b), &arena, &err))
        fail_msg("%s: %s in %s", err.where, err.text, buffer_cstr(&b));
    assert_true(bytes_equal(m.key, back.key));
    assert_true(bytes_equal(m.id, back.id));
    assert_true(bytes_equal(m.payload, back.payload));
    assert_true(headers_equal(m.headers, back.headers));
    if (m.properties.count)
        assert_true(headers_equal(m.properties, back.properties));
    assert_int_equal(m.time_ns, back.time_ns);
    assert_int_equal(m.received_ns, back.received_ns);
    assert_int_equal(m.flags, back.flags);
    assert_int_equal(m.position.kind, back.position.kind);
    assert_int_equal(m.position.offset, back.position.offset);
    assert_string_equal(m.origin->channel, back.origin->channel);
    buffer_free(&b);
    arena_free(&arena);
}

static struct message base(void)
{
    return (struct message){
        .origin = origin_intern("k", "orders", CHANNEL_TOPIC),
        .position = {POSITION_PARTITION, 3, 10482},
        .time_ns = INT64_C(1770000000118000000),
        .received_ns = INT64_C(1770000000118000001),
        .key = BYTES_LITERAL("o-88412"),
        .payload = BYTES_LITERAL("{\"id\":9007199254740993,\"x\":1.50}"),
        .headers = {nasty, sizeof nasty / sizeof *nasty},
        .properties = {properties, 5},
        .flags = MESSAGE_REDELIVERED,
    };
}

static void everything_comes_back(void **state)
{
    (void)state;
    round_trip(base());
}

static void null_empty_absent_and_binary_come_back(void **state)
{
    (void)state;
    struct message m = base();
    m.key = BYTES_LITERAL("");
    m.payload = BYTES_LITERAL("\xff\xfe");
    m.id = BYTES_LITERAL("\x80");
    m.headers = (struct headers){NULL, 0};
    m.position = (struct position){POSITION_OFFSET, 0, INT64_MAX};
    m.time_ns = TIME_NONE;
    m.flags = 0;
    round_trip(m);
    m.payload = BYTES_NULL;
    m.key = BYTES_NULL;
    m.headers = (struct headers){nasty, 0};
    m.position = (struct position){0};
    round_trip(m);
}

static void the_shape_is_the_documented_one(void **state)
{
    (void)state;
    struct buffer b;
    struct message m = base();
    m.headers.count = 1;
    m.properties = (struct headers){properties + 3, 1};
    buffer_init(&b, MIB);
    message_json(&b, &m, registry.decoders, MESSAGE_JSON_DECODE);
    assert_string_equal(
        buffer_cstr(&b),
        "{\"schema\":\"signalbox.message/1\",\"endpoint\":\"k\",\"channel\":\"orders\",\"position\":\"3/10482\",\"id\":null,"
        "\"time\":\"2026-02-02T02:40:00.118Z\",\"received\":\"2026-02-02T02:40:00.118000001Z\",\"key\":{\"text\":\"o-88412\"},"
        "\"headers\":[{\"name\":\"x\",\"type\":\"string\",\"value\":{\"text\":\"tab\\there\"}}],"
        "\"properties\":{\"partition\":3},\"size\":32,\"payload\":{\"text\":\"{\\\"id\\\":9007199254740993,\\\"x\\\":1.50}\"},"
        "\"format\":\"json\",\"type\":null,\"decoded\":{\"id\":\"9007199254740993\",\"x\":1.50},\"flags\":[\"redelivered\"]}");
    buffer_free(&b);
}

static void a_null_payload_has_no_format(void **state)
{
    (void)state;
    struct buffer b;
    struct message m = base();
    m.payload = BYTES_NULL;
    buffer_init(&b, MIB);
    message_json(&b, &m, registry.decoders, MESSAGE_JSON_DECODE);
    assert_non_null(
        strstr(buffer_cstr(&b), "\"payload\":null,\"format\":null,\"type\":null,\"decoded\":null,"));
    buffer_free(&b);
}

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(object, name), "text"));
}

/* As a script sees it, which has another's parser. */
static void another_parser_reads_the_same_message(void **state)
{
    (void)state;
    struct buffer b;
    struct message m = base();
    buffer_init(&b, MIB);
    message_json(&b, &m, registry.decoders, MESSAGE_JSON_DECODE);
    cJSON *tree = cJSON_ParseWithLength((const char *)b.data, b.len);
    assert_non_null(tree);
    assert_true(bytes_equal_text(m.key, text_of(tree, "key")));
    assert_true(bytes_equal_text(m.payload, text_of(tree, "payload")));
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(tree, "position")), "3/10482");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(tree, "id")));
    assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(tree, "size")), m.payload.len);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(tree, "decoded"), "id")),
                        "9007199254740993");
    const cJSON *headers = cJSON_GetObjectItem(tree, "headers");
    assert_int_equal(cJSON_GetArraySize(headers), m.headers.count);
    assert_string_equal(text_of(cJSON_GetArrayItem(headers, 0), "value"), "tab\there");
    cJSON_Delete(tree);
    buffer_free(&b);
}

/* A script can tell null from what could not be read. */
static void what_is_not_wholly_read_says_why(void **state)
{
    (void)state;
    struct buffer b;
    struct message m = base();
    m.payload = BYTES_LITERAL("{\"a\":[1,");
    buffer_init(&b, MIB);
    message_json(&b, &m, registry.decoders, MESSAGE_JSON_DECODE);
    assert_non_null(strstr(buffer_cstr(&b),
                           "\"decoded\":null,\"decode_error\":{\"offset\":8,\"text\":\"the text "
                           "ends before the value does\"},\"flags\""));
    buffer_clear(&b);
    m.payload = BYTES_LITERAL("null");
    message_json(&b, &m, registry.decoders, MESSAGE_JSON_DECODE);
    assert_non_null(strstr(buffer_cstr(&b), "\"decoded\":null,\"flags\""));
    for (int empty = 0; empty < 2; empty++) { /* nothing is not the empty text */
        buffer_clear(&b);
        m.payload = empty ? BYTES_LITERAL("") : BYTES_NULL;
        message_json(&b, &m, registry.decoders, MESSAGE_JSON_DECODE);
        assert_non_null(strstr(buffer_cstr(&b), empty ? "\"decoded\":\"\"" : "\"decoded\":null,\"flags\""));
    }
    buffer_free(&b);
}

static void collect(void *all, struct buffer *b)
{
    buffer_bytes(all, buffer_view(b));
    buffer_clear(b);
}

/* A large payload that turns out to be malformed at its end cannot be taken back by then. */
static void what_is_drained_on_its_way_is_the_same(void **state)
{
    (void)state;
    struct buffer payload, whole, rest, all;
    buffer_init(&payload, 4 * MIB);
    buffer_init(&whole, 32 * MIB);
    buffer_init(&rest, 2 * MIB); /* less than it has to hold in all */
    buffer_init(&all, 32 * MIB);
    rest.drain = collect;
    rest.drain_context = &all;
    static const char *const ends[] = {"\"]", "\"", "\xff"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        buffer_clear(&payload);
        buffer_text(&payload, "[\"");
        for (int n = 0; n < 1000000; n++)
            buffer_append(&payload, "\x7f\x7f", 2);
        buffer_text(&payload, ends[i]);
        struct message m = {.time_ns = TIME_NONE, .received_ns = TIME_NONE, .payload = buffer_view(&payload)};
        buffer_clear(&whole);
        buffer_clear(&all);
        message_json(&whole, &m, registry.decoders, MESSAGE_JSON_DECODE);
        message_json(&rest, &m, registry.decoders, MESSAGE_JSON_DECODE);
        collect(&all, &rest);
        assert_true(buffer_ok(&whole) && buffer_ok(&all));
        assert_true(bytes_equal(buffer_view(&whole), buffer_view(&all)));
    }
    buffer_free(&payload);
    buffer_free(&whole);
    buffer_free(&rest);
    buffer_free(&all);
}

static void plain_lines_are_scrubbed_and_told_apart(void **state)
{
    (void)state;
    struct buffer b;
    struct message m = base();
    m.payload = BYTES_LITERAL("a\tb\n\x1b[31m\\\xff");
    buffer_init(&b, MIB);
    message_plain(&b, &m);
    assert_string_equal(buffer_cstr(&b),
                        "2026-02-02T02:40:00.118Z\torders\t3/10482\to-88412\t11\ta\\tb\\n\\x1b[31m\\\\\\xff");
    buffer_clear(&b);
    m.payload = BYTES_LITERAL("\u202e<202E>"); /* one is a character, one its name */
    message_plain(&b, &m);
    assert_string_equal(buffer_cstr(&b),
                        "2026-02-02T02:40:00.118Z\torders\t3/10482\to-88412\t9\t\\xe2\\x80\\xae<202E>");
    buffer_clear(&b);
    m.key = BYTES_NULL;
    m.payload = BYTES_LITERAL("");
    message_plain(&b, &m);
    assert_string_equal(buffer_cstr(&b), "2026-02-02T02:40:00.118Z\torders\t3/10482\t\\N\t0\t");
    buffer_clear(&b);
    m.time_ns = TIME_NONE; /* when we got it is another matter */
    message_plain(&b, &m);
    assert_string_equal(buffer_cstr(&b), "\\N\torders\t3/10482\t\\N\t0\t");
    buffer_free(&b);
}

static void wrong_messages_say_where(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"key\":1}",
        "{\"payload\":{\"base64\":\"a\"}}",
        "{\"headers\":[{\"name\":\"a\"}]}",
        "{} {}",
        "{\"headers\":[{\"name\":\"a\",\"type\":\"int8\",\"value\":128}]}",
        "{\"headers\":[{\"name\":\"a\",\"value\":1,\"type\":\"int8\"}]}",
        "{\"time\":\"yesterday\"}",
        "{\"position\":\"a/b\"}",
        "{\"key\":{\"text\":\"x\"",
        "{\"flags\":{}}",
        "{\"headers\":[{\"name\":\"a\",\"type\":\"nonsense\",\"value\":1}]}",
        /* Half a character is no UTF-8, wherever it stands. */
        "{\"payload\":\"\\ud800\"}",
        "{\"payload\":{\"text\":\"a\\udc00\\ud83d\"}}",
        "{\"payload\":null,\"key\":\"\\ud83dx\"}",
        "{\"payload\":null,\"channel\":\"\\ud83d\"}",
        "{\"payload\":null,\"properties\":{\"\\ud83d\":1}}",
        "{\"payload\":null,\"headers\":[{\"name\":\"\\ud83d\",\"type\":\"void\",\"value\":null}]}",
        /* One of two would be lost. */
        "{\"payload\":\"a\",\"payload\":\"b\"}",
        "{\"payload\":\"a\",\"key\":null,\"\\u006bey\":\"b\"}",
        "{\"payload\":null,\"properties\":{\"priority\":1,\"priority\":2}}",
        "{\"payload\":null,\"headers\":[{\"name\":\"a\",\"name\":\"b\",\"type\":\"void\",\"value\":null}]}",
        "{\"payload\":null,\"headers\":[{\"name\":\"a\",\"type\":\"decimal\",\"value\":{\"scale\":1,\"scale\":2,\"digits\":3}}]}",
        /* Another schema has another meaning. */
        "{\"schema\":\"signalbox.message/2\",\"payload\":null}",
        "{\"schema\":\"signalbox.sample/1\",\"payload\":null}",
        "{\"schema\":null,\"payload\":null}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct message m;
        struct arena arena;
        struct err_info err = {0};
        arena_init(&arena, MIB);
        if (message_from_json(&m, bytes_of_text(wrong[i]), &arena, &err) != ERR_FORMAT || !err.where[0])
            fail_msg("%s was taken", wrong[i]);
        arena_free(&arena);
    }
}

/* Which of the properties it is, and times as everywhere. */
static void wrong_properties_are_named_and_times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *json, *said; /* NULL: good */
    } cases[] = {
        {"{\"payload\":null,\"properties\":{\"timestamp\":\"2024-05-06T07:08:09Z\"}}", NULL},
        {"{\"payload\":null,\"properties\":{\"timestamp\":1714979289}}", NULL},
        {"{\"payload\":null,\"properties\":{\"timestamp\":\"1714979289\"}}", NULL},
        {"{\"payload\":null,\"properties\":{\"timestamp\":\"2024-05-06T09:08:09.000+02:00\"}}", NULL},
        {"{\"payload\":null,\"properties\":{\"timestamp\":\"2024-05-06T07:08:09.5Z\"}}",
         "`properties.timestamp` must be seconds since 1970, or an RFC 3339 time of whole seconds"},
        {"{\"payload\":null,\"properties\":{\"timestamp\":\"1969-05-06T07:08:09Z\"}}",
         "`properties.timestamp` must"},
        {"{\"payload\":null,\"properties\":{\"timestamp\":\"-15m\"}}", "`properties.timestamp` must"},
        {"{\"payload\":null,\"properties\":{\"type\":\"a\",\"priority\":300}}",
         "`properties.priority` must be an integer in the range of its type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct message m;
        struct arena arena;
        struct err_info err = {0};
        arena_init(&arena, MIB);
        enum err e = message_from_json(&m, bytes_of_text(cases[i].json), &arena, &err);
        if (cases[i].said ? !strstr(err.text, cases[i].said)
                          : e || m.properties.items[0].value.type != VALUE_TIMESTAMP ||
                                m.properties.items[0].value.u != 1714979289)
            fail_msg("%s: %s", cases[i].json, err.text);
        arena_free(&arena);
    }
}

static void a_whole_pair_is_a_character_and_the_schema_may_be_missing(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{\"payload\":{\"text\":\"\\ud83d\\ude00\"}}",
        "{\"schema\":\"signalbox.message\\/1\",\"payload\":\"\xf0\x9f\x98\x80\"}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct message m;
        struct arena arena;
        struct err_info err = {0};
        arena_init(&arena, MIB);
        assert_int_equal(message_from_json(&m, bytes_of_text(good[i]), &arena, &err), ERR_OK);
        assert_true(bytes_equal_text(m.payload, "\xf0\x9f\x98\x80"));
        arena_free(&arena);
    }
}

/* A payload that does not fit must not come back as null, which deletes a key on Kafka. */
static void a_full_arena_is_an_error_and_no_null(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"payload\":\"%s\"}", "{\"payload\":{\"text\":\"%s\"}}",
                                        "{\"key\":{\"base64\":\"%s\"}}", "{\"properties\":{\"%s\":1}}"};
    char large[4001], json[4100];
    memset(large, 'A', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct message m;
        struct arena arena;
        struct err_info err = {0};
        arena_init(&arena, 2000);
        const char *hole = strstr(texts[i], "%s");
        snprintf(json, sizeof json, "%.*s%s%s", (int)(hole - texts[i]), texts[i], large, hole + 2);
        assert_int_equal(message_from_json(&m, bytes_of_text(json), &arena, &err), ERR_LIMIT);
        assert_true(err.where[0]);
        arena_free(&arena);
    }
}

static void names_are_never_shortened(void **state)
{
    (void)state;
    char json[400];
    struct message m;
    struct arena arena;
    arena_init(&arena, MIB);
    snprintf(json, sizeof json, "{\"channel\":\"%0300d\"}", 1);
    assert_int_equal(message_from_json(&m, bytes_of_text(json), &arena, NULL), ERR_FORMAT);
    assert_int_equal(message_from_json(&m, BYTES_LITERAL("{\"channel\":\"a\\u0000b\"}"), &arena, NULL),
                     ERR_FORMAT);
    arena_free(&arena);
}

/* Found by fuzzing: without any time the smallest second overflowed. */
static void times_at_the_edge(void **state)
{
    (void)state;
    struct buffer b;
    struct message m = base();
    m.time_ns = m.received_ns = TIME_NONE;
    m.key = BYTES_NULL;
    m.payload = BYTES_LITERAL("");
    buffer_init(&b, MIB);
    message_plain(&b, &m);
    assert_string_equal(buffer_cstr(&b), "\\N\torders\t3/10482\t\\N\t0\t");
    buffer_free(&b);
    m.time_ns = TIME_NONE + 1;
    m.received_ns = INT64_MAX;
    round_trip(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(null_empty_absent_and_binary_come_back),
        cmocka_unit_test(the_shape_is_the_documented_one),
        cmocka_unit_test(a_null_payload_has_no_format),
        cmocka_unit_test(another_parser_reads_the_same_message),
        cmocka_unit_test(what_is_not_wholly_read_says_why),
        cmocka_unit_test(what_is_drained_on_its_way_is_the_same),
        cmocka_unit_test(plain_lines_are_scrubbed_and_told_apart),
        cmocka_unit_test(wrong_messages_say_where),
        cmocka_unit_test(wrong_properties_are_named_and_times_are_read),
        cmocka_unit_test(a_whole_pair_is_a_character_and_the_schema_may_be_missing),
        cmocka_unit_test(a_full_arena_is_an_error_and_no_null),
        cmocka_unit_test(names_are_never_shortened),
        cmocka_unit_test(times_at_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
