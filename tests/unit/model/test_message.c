#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <pthread.h>
#include <cmocka.h>

#include "base/limits.h"
#include "model/message.h"
#include "tests/support/equal.h"

static const struct header inner[] = {
    {BYTES_LITERAL("deep"), {.type = VALUE_INT64, .i = INT64_MIN}},
    {BYTES_LITERAL("nothing"), {.type = VALUE_VOID}},
};
static const struct header items[] = {
    {BYTES_LITERAL("x"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("one")}},
    {BYTES_LITERAL("x"), {.type = VALUE_STRING, .bytes = BYTES_LITERAL("two")}},
    {BYTES_LITERAL("null"), {.type = VALUE_BYTES, .bytes = {NULL, 0}}},
    {BYTES_LITERAL("empty"), {.type = VALUE_BYTES, .bytes = BYTES_LITERAL("")}},
    {BYTES_LITERAL("table"), {.type = VALUE_TABLE, .list = {inner, 2}}},
    {BYTES_LITERAL("decimal"), {.type = VALUE_DECIMAL, .decimal = {2, -1995}}},
};

static struct message sample(void)
{
    return (struct message){
        .origin = origin_intern("k", "orders", CHANNEL_TOPIC),
        .position = {POSITION_PARTITION, 3, 10482},
        .time_ns = 1,
        .key = BYTES_LITERAL("o-88412"),
        .payload = BYTES_LITERAL("{\"a\":1}"),
        .headers = {items, 6},
    };
}

static void sealing_copies_everything(void **state)
{
    (void)state;
    struct message m = sample();
    struct message *s = message_seal(&m, NULL);
    assert_non_null(s);
    assert_true(headers_equal(m.headers, s->headers));
    assert_ptr_not_equal(m.headers.items, s->headers.items);
    assert_ptr_not_equal(m.headers.items[4].value.list.items, s->headers.items[4].value.list.items);
    assert_true(bytes_equal(m.key, s->key));
    assert_true(bytes_equal(m.payload, s->payload));
    assert_true(s->footprint > m.payload.len + m.key.len);
    message_unref(&s);
    assert_null(s);
}

static void null_and_empty_stay_apart(void **state)
{
    (void)state;
    struct message m = sample();
    m.id = BYTES_NULL;
    m.key = BYTES_LITERAL("");
    m.payload = BYTES_NULL;
    m.headers = (struct headers){NULL, 0};
    m.properties = (struct headers){items, 0};
    struct message *s = message_seal(&m, NULL);
    assert_true(bytes_is_null(s->id));
    assert_false(bytes_is_null(s->key));
    assert_true(bytes_is_null(s->payload));
    assert_null(s->headers.items);
    assert_non_null(s->properties.items);
    assert_int_equal(s->properties.count, 0);
    message_unref(&s);
}

static void repeats_and_order_of_headers_are_kept(void **state)
{
    (void)state;
    struct message m = sample();
    struct message *s = message_seal(&m, NULL);
    assert_true(bytes_equal_text(s->headers.items[0].value.bytes, "one"));
    assert_true(bytes_equal_text(s->headers.items[1].value.bytes, "two"));
    const struct value *first = headers_find(s->headers, BYTES_LITERAL("x"));
    assert_true(bytes_equal_text(first->bytes, "one"));
    assert_null(headers_find(s->headers, BYTES_LITERAL("y")));
    assert_true(bytes_is_null(headers_find(s->headers, BYTES_LITERAL("null"))->bytes));
    assert_false(bytes_is_null(headers_find(s->headers, BYTES_LITERAL("empty"))->bytes));
    message_unref(&s);
}

static void too_many_headers_are_an_error_not_a_crash(void **state)
{
    (void)state;
    struct header table = {BYTES_LITERAL("t"), {.type = VALUE_TABLE}};
    struct header chain[LIMIT_HEADER_DEPTH + 3];
    for (size_t i = 0; i < sizeof chain / sizeof *chain; i++) {
        chain[i] = table;
        chain[i].value.list.count = i ? 1 : 0;
        chain[i].value.list.items = i ? &chain[i - 1] : chain;
    }
    struct message m = sample();
    m.headers = (struct headers){&chain[LIMIT_HEADER_DEPTH + 2], 1};
    struct err_info err;
    assert_null(message_seal(&m, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static void references_keep_it_alive(void **state)
{
    (void)state;
    struct message m = sample();
    struct message *a = message_seal(&m, NULL);
    struct message *b = message_ref(a);
    message_unref(&a);
    assert_true(bytes_equal_text(b->key, "o-88412"));
    message_unref(&b);
}

static void *count_references(void *of)
{
    struct message *m = of;
    for (int i = 0; i < 20000; i++) {
        struct message *again = message_ref(m);
        message_unref(&again);
    }
    return NULL;
}

/* Two readers of one stored message; ThreadSanitizer watches. */
static void one_is_borrowed_while_others_count_its_references(void **state)
{
    (void)state;
    struct message plain = {.payload = BYTES_LITERAL("body"), .time_ns = 7};
    struct message *m = message_seal(&plain, NULL);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, count_references, m), 0);
    for (int i = 0; i < 20000; i++) {
        struct message borrowed = message_borrow(m);
        assert_int_equal(borrowed.refs, 0);
        assert_ptr_equal(borrowed.payload.data, m->payload.data);
        assert_int_equal(borrowed.time_ns, 7);
    }
    pthread_join(other, NULL);
    message_unref(&m);
}

static void values_compare_by_type_and_bits(void **state)
{
    (void)state;
    struct value a = {.type = VALUE_INT32, .i = 5}, b = {.type = VALUE_INT64, .i = 5};
    assert_false(value_equal(&a, &b));
    b.type = VALUE_INT32;
    assert_true(value_equal(&a, &b));
    struct value nan = {.type = VALUE_DOUBLE, .f = __builtin_nan("")};
    assert_true(value_equal(&nan, &nan));
    struct value zero = {.type = VALUE_DOUBLE, .f = 0.0}, minus = {.type = VALUE_DOUBLE, .f = -0.0};
    assert_false(value_equal(&zero, &minus));
}

static void origins_are_the_same_pointer(void **state)
{
    (void)state;
    assert_ptr_equal(origin_intern("e", "c", CHANNEL_QUEUE), origin_intern("e", "c", CHANNEL_QUEUE));
    assert_ptr_not_equal(origin_intern("e", "c", CHANNEL_QUEUE), origin_intern("e", "c", CHANNEL_TOPIC));
}

static void positions_and_kinds_have_text(void **state)
{
    (void)state;
    char text[40];
    const char *name;
    assert_string_equal(position_text((struct position){POSITION_PARTITION, 3, 10482}, text, sizeof text),
                        "3/10482");
    assert_string_equal(position_text((struct position){POSITION_OFFSET, 0, 7}, text, sizeof text), "7");
    assert_string_equal(position_text((struct position){0}, text, sizeof text), "");
    assert_int_equal(channel_kind_parse("queue:a:b", &name), CHANNEL_QUEUE);
    assert_string_equal(name, "a:b");
    assert_int_equal(channel_kind_parse("odd:name", &name), CHANNEL_ANY);
    assert_string_equal(name, "odd:name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_copies_everything),
        cmocka_unit_test(null_and_empty_stay_apart),
        cmocka_unit_test(repeats_and_order_of_headers_are_kept),
        cmocka_unit_test(too_many_headers_are_an_error_not_a_crash),
        cmocka_unit_test(references_keep_it_alive),
        cmocka_unit_test(one_is_borrowed_while_others_count_its_references),
        cmocka_unit_test(values_compare_by_type_and_bits),
        cmocka_unit_test(origins_are_the_same_pointer),
        cmocka_unit_test(positions_and_kinds_have_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
