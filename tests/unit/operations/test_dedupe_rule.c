#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "operations/dedupe_rule.h"
#include "registry.h"

static struct buffer room, other_room;

static struct dedupe_rule *rule_of(const char *text)
{
    struct err_info err = {.code = ERR_OK};
    struct dedupe_rule *r = dedupe_rule_new(text, registry.decoders, &err);
    if (!r)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(dedupe_rule_text(r), text);
    return r;
}

static enum dedupe_value found(const char *rule, const struct message *m)
{
    struct dedupe_rule *r = rule_of(rule);
    struct bytes value;
    enum dedupe_value v = dedupe_rule_value(r, m, &room, &value);
    dedupe_rule_free(&r);
    return v;
}

/* Both have a value, and it is the same. */
static bool same(const char *rule, const struct message *a, const struct message *b)
{
    struct dedupe_rule *r = rule_of(rule);
    struct bytes x, y;
    if (dedupe_rule_value(r, a, &room, &x) != DEDUPE_FOUND)
        fail_msg("%s: %.*s", rule, (int)a->payload.len, (const char *)a->payload.data);
    assert_int_equal(dedupe_rule_value(r, b, &other_room, &y), DEDUPE_FOUND);
    bool equal = bytes_equal(x, y);
    dedupe_rule_free(&r);
    return equal;
}

static struct message body(const char *text)
{
    return (struct message){.origin = origin_intern("k", "orders", CHANNEL_TOPIC),
                            .payload = bytes_of_text(text)};
}

static bool same_field(const char *rule, const char *a, const char *b)
{
    struct message x = body(a), y = body(b);
    return same(rule, &x, &y);
}

static enum dedupe_value found_field(const char *rule, const char *text)
{
    struct message m = body(text);
    return found(rule, &m);
}

static void expect_fault(const char *text, const char *next)
{
    struct err_info err = {.code = ERR_OK};
    assert_null(dedupe_rule_new(text, registry.decoders, &err));
    assert_int_equal(err.code, ERR_USAGE);
    if (!strstr(err.next, next))
        fail_msg("%s: \"%s\" has no \"%s\"", text, err.next, next);
}

static void what_is_no_rule_is_said_with_the_nearest(void **state)
{
    (void)state;
    expect_fault("", "id, key, body");
    expect_fault("kye", "`key`");
    expect_fault("heder:x", "`header:NAME`");
    expect_fault("field", "`field:PATH`");
    expect_fault("key ", "`key`");
    expect_fault("header:", "header:x-request-id");
    expect_fault("field:", "field:order.id");
    expect_fault("field:a[", "field:order.id");
}

static void null_is_no_value_and_empty_is_one_but_of_an_id(void **state)
{
    (void)state;
    static const char *const rules[] = {"id", "key", "body"};
    for (int i = 0; i < 3; i++) {
        struct message m = {.origin = origin_intern("k", "orders", CHANNEL_TOPIC)}, x = m;
        struct bytes *of[] = {&m.id, &m.key, &m.payload}, *of_x[] = {&x.id, &x.key, &x.payload};
        assert_int_equal(found(rules[i], &m), DEDUPE_NONE);
        *of[i] = BYTES_LITERAL("");
        *of_x[i] = BYTES_LITERAL("x");
        if (i == 0) { /* which names nothing */
            assert_int_equal(found(rules[i], &m), DEDUPE_NONE);
            continue;
        }
        assert_int_equal(found(rules[i], &m), DEDUPE_FOUND);
        assert_true(same(rules[i], &m, &m));
        assert_false(same(rules[i], &m, &x));
    }
}

static struct header text_header(const char *value)
{
    return (struct header){BYTES_LITERAL("h"), {.type = VALUE_STRING, .bytes = bytes_of_text(value)}};
}

static bool same_headers(struct header *a, uint32_t a_count, struct header *b, uint32_t b_count)
{
    struct message x = {.headers = {a, a_count}}, y = {.headers = {b, b_count}};
    return same("header:h", &x, &y);
}

static void a_header_counts_with_its_types_and_repeats(void **state)
{
    (void)state;
    struct header one[] = {text_header("1")}, again[] = {text_header("1")}, bytes[] = {text_header("1")},
                  number[] = {text_header("")}, wide[] = {text_header("")},
                  twice[] = {text_header("1"), text_header("2")}, turned[] = {twice[1], twice[0]},
                  joined[] = {text_header("12")};
    bytes[0].value.type = VALUE_BYTES;
    number[0].value = (struct value){.type = VALUE_INT32, .i = 1};
    wide[0].value = (struct value){.type = VALUE_INT64, .i = 1};
    assert_true(same_headers(one, 1, again, 1));
    assert_false(same_headers(one, 1, bytes, 1));
    assert_false(same_headers(one, 1, number, 1));
    assert_false(same_headers(number, 1, wide, 1));
    assert_false(same_headers(one, 1, twice, 2));
    assert_false(same_headers(turned, 2, twice, 2));
    assert_false(same_headers(joined, 1, twice, 2));

    /* Nested ones: what is within does not run together with what follows. */
    struct header members[] = {text_header("1"), text_header("2")};
    struct header lists[] = {{BYTES_LITERAL("h"), {.type = VALUE_ARRAY, .list = {members, 2}}}},
                  split[] = {{BYTES_LITERAL("h"), {.type = VALUE_ARRAY, .list = {members, 1}}}, members[1]};
    assert_true(same_headers(lists, 1, lists, 1));
    assert_false(same_headers(lists, 1, split, 2));

    struct header nothing[] = {{BYTES_LITERAL("h"), {.type = VALUE_VOID}}},
                  no_bytes[] = {{BYTES_LITERAL("h"), {.type = VALUE_BYTES, .bytes = BYTES_NULL}}},
                  empty[] = {text_header("")};
    struct message m = {.headers = {nothing, 1}};
    assert_int_equal(found("header:h", &m), DEDUPE_NONE);
    m.headers.items = no_bytes;
    assert_int_equal(found("header:h", &m), DEDUPE_NONE);
    m.headers.items = empty;
    assert_int_equal(found("header:h", &m), DEDUPE_FOUND);
    assert_int_equal(found("header:H", &m), DEDUPE_NONE);
}

static void a_field_is_what_a_filter_finds(void **state)
{
    (void)state;
    assert_true(same_field("field:order.id", "{\"order\":{\"id\":7}}", "{\"n\":1,\"order\": {\"id\":7}}"));
    assert_true(same_field("field:a", "{\"a\":\"\\u0041\"}", "{\"a\":\"A\"}"));
    assert_true(same_field("field:/a/0", "{\"a\":[5]}", "{\"a\":[5,6]}"));
    assert_true(same_field("field:\"k.z\"", "{\"k.z\":5}", "{\"k.z\":5,\"b\":1}"));
    assert_false(same_field("field:a", "{\"a\":7}", "{\"a\":\"7\"}"));
    assert_false(same_field("field:a", "{\"a\":7}", "{\"a\":7.0}"));
    assert_false(same_field("field:a[*]", "{\"a\":[1,23]}", "{\"a\":[12,3]}"));
    assert_false(same_field("field:a", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}"));
    assert_true(same_field("field:a", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1},\"c\":0}"));
    assert_int_equal(found_field("field:a", "{\"b\":7}"), DEDUPE_NONE);
    assert_int_equal(found_field("field:a", "{\"a\":null}"), DEDUPE_NONE);
    assert_int_equal(found_field("field:a", "plain words"), DEDUPE_NONE);
    assert_int_equal(found_field("field:a", "{\"a\":\"\"}"), DEDUPE_FOUND);
    struct message none = {.origin = origin_intern("k", "orders", CHANNEL_TOPIC)};
    assert_int_equal(found("field:a", &none), DEDUPE_NONE);
}

static void what_cannot_be_read_to_its_end_is_not_judged(void **state)
{
    (void)state;
    assert_int_equal(found_field("field:a", "{\"a\":7,"), DEDUPE_UNKNOWN);
    assert_int_equal(found_field("field:a[*]", "{\"a\":[7"), DEDUPE_UNKNOWN);
}

static void expect_shown(const char *rule, const struct message *m, const char *text)
{
    struct dedupe_rule *r = rule_of(rule);
    struct buffer shown;
    struct bytes value;
    buffer_init(&shown, KIB);
    assert_int_equal(dedupe_rule_value(r, m, &room, &value), DEDUPE_FOUND);
    dedupe_rule_show(r, value, &shown);
    assert_string_equal(buffer_cstr(&shown), text);
    buffer_clear(&shown);
    for (size_t len = 0; len <= value.len; len++) /* any beginning of it */
        dedupe_rule_show(r, bytes_slice(value, 0, len), &shown);
    buffer_free(&shown);
    dedupe_rule_free(&r);
}

static void values_are_shown(void **state)
{
    (void)state;
    struct header h[] = {text_header("a"),
                         {BYTES_LITERAL("h"), {.type = VALUE_INT32, .i = -7}},
                         {BYTES_LITERAL("h"), {.type = VALUE_DOUBLE, .f = 0.5}},
                         {BYTES_LITERAL("h"), {.type = VALUE_DECIMAL, .decimal = {2, -150}}},
                         {BYTES_LITERAL("h"), {.type = VALUE_BOOL, .b = true}},
                         {BYTES_LITERAL("h"), {.type = VALUE_UINT64, .u = UINT64_MAX}},
                         {BYTES_LITERAL("h"), {.type = VALUE_VOID}},
                         {BYTES_LITERAL("h"), {.type = VALUE_TABLE, .list = {NULL, 0}}}};
    struct message m = body("{\"a\":[\"x\",null,{\"b\":1}]}");
    m.headers = (struct headers){h, 8};
    m.key = BYTES_LITERAL("o-1");
    expect_shown("key", &m, "o-1");
    expect_shown("header:h", &m, "a,-7,0.5,-150e-2,true,18446744073709551615,null,(table)");
    expect_shown("field:a[*]", &m, "x,null,{\"b\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_rule_is_said_with_the_nearest),
        cmocka_unit_test(null_is_no_value_and_empty_is_one_but_of_an_id),
        cmocka_unit_test(a_header_counts_with_its_types_and_repeats),
        cmocka_unit_test(a_field_is_what_a_filter_finds),
        cmocka_unit_test(what_cannot_be_read_to_its_end_is_not_judged),
        cmocka_unit_test(values_are_shown),
    };
    buffer_init(&room, MIB);
    buffer_init(&other_room, MIB);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_free(&room);
    buffer_free(&other_room);
    return failed;
}
