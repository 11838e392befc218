/* The archive: what goes in comes out, and what is damaged is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/limits.h"
#include "engine/archive.h"
#include "tests/support/equal.h"

static const struct header inner[] = {{{NULL, 0}, {.type = VALUE_INT8, .i = -3}},
                                      {{NULL, 0}, {.type = VALUE_VOID}}};
static const struct header headers[] = {
    {BYTES_LITERAL("a"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("x\0y")}},
    {BYTES_LITERAL("a"), {.type = VALUE_BYTES, .bytes = {NULL, 0}}},
    {BYTES_LITERAL(""), {.type = VALUE_ARRAY, .list = {inner, 2}}},
    {BYTES_LITERAL("t"), {.type = VALUE_TABLE, .list = {NULL, 0}}},
    {BYTES_LITERAL("f"), {.type = VALUE_FLOAT, .f = 0.5}},
    {BYTES_LITERAL("d"), {.type = VALUE_DECIMAL, .decimal = {2, -12345}}},
    {BYTES_LITERAL("u"), {.type = VALUE_UINT64, .u = UINT64_MAX}},
    {BYTES_LITERAL("b"), {.type = VALUE_BOOL, .b = true}},
};

static struct message sample(void)
{
    return (struct message){
        .position = {.kind = POSITION_PARTITION, .partition = 3, .offset = 10482},
        .time_ns = TIME_NONE,
        .received_ns = 5,
        .flags = MESSAGE_REDELIVERED,
        .key = BYTES_LITERAL(""),
        .payload = BYTES_LITERAL("\0\1\2"),
        .headers = {headers, sizeof headers / sizeof *headers},
        .properties = {headers, 0},
    };
}

static void make(struct buffer *out, unsigned count)
{
    struct archive_writer w;
    struct err_info err;
    struct message m = sample();
    struct archive_header header = {.endpoint = "k",
                                    .url = "kafka://h",
                                    .channel = "or\"ders",
                                    .kind = CHANNEL_TOPIC,
                                    .created_ns = 7 * NS_PER_S,
                                    .plan = BYTES_LITERAL("{\"kind\":\"export\"}")};
    buffer_init(out, 16 * MIB);
    assert_int_equal(archive_begin(&w, out, &header, &err), ERR_OK);
    for (unsigned i = 0; i < count; i++)
        archive_message(&w, out, &m);
    archive_end(&w, out);
    assert_true(buffer_ok(out));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct buffer out;
    struct archive a;
    struct err_info err;
    struct message m, expected = sample();
    make(&out, 3);
    assert_int_equal(archive_open(&a, buffer_view(&out), &err), ERR_OK);
    assert_string_equal(a.header.endpoint, "k");
    assert_string_equal(a.header.channel, "or\"ders");
    assert_int_equal(a.header.kind, CHANNEL_TOPIC);
    assert_int_equal(a.header.created_ns, 7 * NS_PER_S);
    assert_true(bytes_equal_text(a.header.plan, "{\"kind\":\"export\"}"));
    assert_int_equal(a.count, 3);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(archive_next(&a, &m, &err), ERR_OK);
            assert_memory_equal(&m.position, &expected.position, sizeof m.position);
            assert_true(m.time_ns == TIME_NONE && m.flags == MESSAGE_REDELIVERED);
            assert_true(bytes_is_null(m.id) && bytes_equal(m.key, expected.key));
            assert_true(bytes_equal(m.payload, expected.payload));
            assert_true(headers_equal(m.headers, expected.headers));
            assert_true(m.properties.items && m.properties.count == 0);
            assert_string_equal(m.origin->channel, "or\"ders");
        }
        assert_int_equal(archive_next(&a, &m, &err), ERR_END);
        archive_rewind(&a);
    }
    archive_close(&a);
    buffer_free(&out);
}

static void test_every_cut_and_flip_is_noticed(void **state)
{
    (void)state;
    struct buffer out;
    struct archive a;
    struct err_info err;
    make(&out, 1);
    for (size_t len = 0; len < out.len; len++) {
        assert_int_equal(archive_open(&a, bytes_of(out.data, len), &err), ERR_FORMAT);
        archive_close(&a);
    }
    for (size_t i = 0; i < out.len; i++) {
        out.data[i] ^= 0x40;
        enum err e = archive_open(&a, buffer_view(&out), &err);
        archive_close(&a);
        out.data[i] ^= 0x40;
        assert_int_equal(e, ERR_FORMAT);
    }
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_cut_and_flip_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
