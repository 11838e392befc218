#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/json.h"
#include "tests/support/witness.h"

#include <math.h>
#include <string.h>

/* The events of a text as letters, and where it failed. */
static const char *events(const char *text, unsigned depth, size_t *error_at)
{
    static char letters[256];
    static const char names[] = "?.{}[]nsdtf0";
    struct json_reader r;
    size_t n = 0;
    json_read(&r, bytes_of_text(text), depth);
    enum json_event e;
    do {
        e = json_next(&r);
        letters[n++] = names[e];
    } while (e != JSON_ERROR && e != JSON_END && n < sizeof letters - 1);
    letters[n] = '\0';
    if (error_at)
        *error_at = r.at;
    return letters;
}

static void good_texts(void **state)
{
    (void)state;
    assert_string_equal(events("{}", 10, NULL), "{}.");
    assert_string_equal(events(" [ ] ", 10, NULL), "[].");
    assert_string_equal(events("{\"a\":[1,-0.5e+3,true,false,null,\"x\"],\"b\":{}}", 10, NULL),
                        "{n[ddtf0s]n{}}.");
    assert_string_equal(events("0", 10, NULL), "d.");
    assert_string_equal(events("\"\\u00e9\\n\xc3\xa9\"", 10, NULL), "s.");
}

static void bad_texts_fail_at_the_right_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } bad[] = {
        {"", 0},
        {"{", 1},
        {"[1,]", 3},
        {"{\"a\"}", 4},
        {"{\"a\":1,}", 7},
        {"[1 2]", 3},
        {"01", 1},
        {"-", 1},
        {"1.", 2},
        {"1e", 2},
        {"tru", 0},
        {"\"a", 2},
        {"\"\\x\"", 1},
        {"\"\\u12g4\"", 1},
        {"\"\x01\"", 1},
        {"\"\xff\"", 1},
        {"[}", 1},
        {"{]", 1},
        {"1 1", 2},
        {"{a:1}", 1},
        {"[1}", 2},
        {"{\"a\":1]", 6},
        {"\"\xed\xa0\x80\"", 1},
        {"+1", 0},
        {".5", 0},
        {"[[[[1]]]]", 3},
        {"NaN", 0},
        {"'a'", 0},
        {",", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t at = 99;
        const char *seen = events(bad[i].text, 3, &at);
        if (seen[strlen(seen) - 1] != '?' || at != bad[i].at)
            fail_msg("%s: events %s, at %zu", bad[i].text, seen, at);
    }
}

static void tokens_have_their_ranges(void **state)
{
    (void)state;
    const char *text = "{ \"key\" : \"va\\\"lue\" , \"n\":12345678901234567890123 }";
    struct json_reader r;
    json_read(&r, bytes_of_text(text), 10);
    json_next(&r);
    assert_int_equal(json_next(&r), JSON_NAME);
    assert_int_equal(r.start, 2);
    assert_true(bytes_equal_text(r.raw, "key"));
    assert_int_equal(json_next(&r), JSON_STRING);
    assert_int_equal(r.start, 10);
    assert_int_equal(r.at, 19);
    assert_true(r.escaped);
    assert_int_equal(json_next(&r), JSON_NAME);
    assert_int_equal(json_next(&r), JSON_NUMBER);
    assert_true(bytes_equal_text(r.raw, "12345678901234567890123"));
}

static void long_strings_cross_every_boundary(void **state)
{
    (void)state;
    for (size_t len = 0; len < 70; len++) {
        char text[100];
        memset(text, 'x', sizeof text);
        text[0] = '"';
        text[len + 1] = '"';
        struct json_reader r;
        json_read(&r, bytes_of(text, len + 2), 4);
        assert_int_equal(json_next(&r), JSON_STRING);
        assert_int_equal(r.raw.len, len);
        assert_int_equal(json_next(&r), JSON_END);
        text[len + 1] = '\n';
        json_read(&r, bytes_of(text, len + 2), 4);
        assert_int_equal(json_next(&r), JSON_ERROR);
        assert_int_equal(r.at, len + 1);
    }
}

static void skipping_passes_over_whole_values(void **state)
{
    (void)state;
    struct json_reader r;
    json_read(&r, bytes_of_text("{\"a\":{\"x\":[1,{\"y\":[]}]},\"b\":7,\"c\":[1,2]}"), 10);
    json_next(&r);
    json_next(&r); /* a */
    assert_int_equal(json_skip(&r), JSON_OBJECT_END);
    assert_int_equal(json_next(&r), JSON_NAME);
    assert_true(bytes_equal_text(r.raw, "b"));
    assert_int_equal(json_skip(&r), JSON_NUMBER);
    json_next(&r); /* c */
    assert_int_equal(json_next(&r), JSON_ARRAY);
    assert_int_equal(json_skip(&r), JSON_ARRAY_END);
    assert_int_equal(json_next(&r), JSON_OBJECT_END);
    assert_int_equal(json_next(&r), JSON_END);
    json_read(&r, bytes_of_text("[1,[2,"), 10);
    json_next(&r);
    assert_int_equal(json_skip(&r), JSON_ERROR);
}

static void lines_stop_after_a_value(void **state)
{
    (void)state;
    struct json_reader r;
    json_read(&r, bytes_of_text("{\"a\":1} {\"b\""), 10);
    r.stop_after_value = true;
    while (json_next(&r) > JSON_END)
        ;
    assert_null(r.error);
    assert_int_equal(r.at, 7);
}

static void escapes_become_text(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    assert_true(json_unescape(bytes_of_text("a\\n\\u0041\\u00e9\\ud83d\\ude00\\ud800x\\/"), &b));
    assert_string_equal(buffer_cstr(&b), "a\nA\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdx/");
    assert_false(json_unescape(bytes_of_text("\\u12"), &b));
    assert_false(json_unescape(bytes_of_text("\\"), &b));
    assert_true(json_raw_equal(bytes_of_text("\\u0041b"), true, bytes_of_text("Ab")));
    assert_false(json_raw_equal(bytes_of_text("\\u0041b"), true, bytes_of_text("Abc")));
    assert_false(json_raw_equal(bytes_of_text("\\u0041bc"), true, bytes_of_text("Ab")));
    buffer_free(&b);
}

static int compared(const char *a, const char *b)
{
    return json_compare(bytes_of_text(a), bytes_of_text(b));
}

static void numbers_compare_exactly(void **state)
{
    (void)state;
    assert_int_equal(compared("1", "1.0"), 0);
    assert_int_equal(compared("100", "1e2"), 0);
    assert_int_equal(compared("1E+2", "0.1e3"), 0);
    assert_int_equal(compared("0", "-0.0"), 0);
    assert_int_equal(compared("9007199254740993", "9007199254740992"), 1);
    assert_int_equal(compared("0.1", "0.10000000000000000000000000000000001"), -1);
    assert_int_equal(compared("-2", "1"), -1);
    assert_int_equal(compared("-2", "-3"), 1);
    assert_int_equal(compared("1e400", "1e399"), 1);
    assert_int_equal(compared("1e-400", "0"), 1);
    assert_int_equal(compared("0.0012", "0.00120"), 0);
    assert_int_equal(compared("10.01", "10.1"), -1);
    assert_int_equal(compared("12", "120"), -1);
}

static void integers_are_exact_or_refused(void **state)
{
    (void)state;
    int64_t i;
    uint64_t u;
    assert_true(json_to_int64(bytes_of_text("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(json_to_int64(bytes_of_text("9223372036854775808"), &i));
    assert_true(json_to_uint64(bytes_of_text("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(json_to_uint64(bytes_of_text("18446744073709551616"), &u));
    assert_false(json_to_uint64(bytes_of_text("-1"), &u));
    assert_true(json_to_int64(bytes_of_text("1e2"), &i) && i == 100);
    assert_true(json_to_int64(bytes_of_text("1.50e1"), &i) && i == 15);
    assert_true(json_to_int64(bytes_of_text("120.00"), &i) && i == 120);
    assert_true(json_to_int64(bytes_of_text("-0"), &i) && i == 0);
    assert_false(json_to_int64(bytes_of_text("1.5"), &i));
    assert_false(json_to_int64(bytes_of_text("1e99999999999999999999"), &i));
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    (void)state;
    struct json_reader r;
    json_read(&r, bytes_of_text("\xef\xbb\xbf[1]"), 10);
    assert_int_equal(json_next(&r), JSON_ARRAY);
    assert_int_equal(r.start, 3);
    json_read(&r, bytes_of_text("\xef\xbb"), 10);
    assert_int_equal(json_next(&r), JSON_ERROR);
}

static void writing(void **state)
{
    (void)state;
    struct buffer b;
    struct json_writer w;
    buffer_init(&b, 4000);
    json_write(&w, &b);
    json_object(&w);
    json_name(&w, "a");
    json_array(&w);
    json_int(&w, -5);
    json_int(&w, INT64_C(9007199254740993));
    json_uint(&w, UINT64_MAX);
    json_int(&w, INT64_MIN);
    json_double(&w, 0.1);
    json_double(&w, NAN);
    json_bool(&w, true);
    json_null(&w);
    json_array_end(&w);
    json_name_bytes(&w, bytes_of_text("q\"\x01\xff"));
    json_string(&w, bytes_of_text("\n\xc3\xa9\xff"));
    json_name(&w, "bytes");
    json_array(&w);
    json_byte_string(&w, BYTES_NULL);
    json_byte_string(&w, BYTES_LITERAL(""));
    json_byte_string(&w, BYTES_LITERAL("x"));
    json_byte_string(&w, BYTES_LITERAL("\xff\x00"));
    json_array_end(&w);
    json_object_end(&w);
    assert_string_equal(
        buffer_cstr(&b),
        "{\"a\":[-5,\"9007199254740993\",\"18446744073709551615\",\"-9223372036854775808\",0.1,\"NaN\","
        "true,null],\"q\\\"\\u0001\xef\xbf\xbd\":\"\\n\xc3\xa9\xef\xbf\xbd\",\"bytes\":[null,"
        "{\"text\":\"\"},{\"text\":\"x\"},{\"base64\":\"/wA=\"}]}");
    buffer_free(&b);
}

static void assert_witnessed(struct bytes text)
{
    const char *why = witness_objects(text);
    if (why)
        fail_msg("%s: %.*s", why, (int)text.len, text.data);
}

/* Another's parser reads the same tree. */
static void what_is_read_and_written_has_a_witness(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        " [ ] ",
        "{\"a\":[1,-0.5e+3,true,false,null,\"x\"],\"b\":{}}",
        "\"\\u00e9\\n\xc3\xa9\\/\\b\\f\\r\\t\\\"\\\\\"",
        "[\"\\ud83d\\ude00\",\"\\uFFFF\",\"a\\u0000b\"]",
        "[0,-0,-0.0,1e0,0.1,5e-324,1.7976931348623157e308,1e400,-1E-400,9007199254740993,18446744073709551616]",
        ("\xef\xbb\xbf"
         "1"),
        "{\"a\":1,\"a\":2,\"\":[[[{}]]]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_witnessed(bytes_of_text(texts[i]));
    assert_non_null(witness_objects(BYTES_LITERAL("[1,2")));
    struct buffer b;
    struct json_writer w;
    buffer_init(&b, 100000);
    json_write(&w, &b);
    json_array(&w);
    for (unsigned c = 0; c < 256; c++) /* each byte among others, as text and as bytes */
        for (unsigned bytes = 0; bytes < 2; bytes++)
            (bytes ? json_byte_string : json_string)(&w, bytes_of((char[]){'a', (char)c, 'b'}, 3));
    json_double(&w, 0.1);
    json_double(&w, -1.7976931348623157e308);
    json_double(&w, INFINITY);
    json_int(&w, INT64_MIN);
    json_array_end(&w);
    assert_true(buffer_ok(&b));
    assert_witnessed(buffer_view(&b));
    buffer_free(&b);
}

static void writing_goes_as_deep_as_it_must(void **state)
{
    (void)state;
    struct buffer b;
    struct json_writer w;
    buffer_init(&b, 4000);
    json_write(&w, &b);
    for (int i = 0; i < 200; i++)
        json_array(&w);
    for (int i = 0; i < 200; i++) {
        if (i)
            json_int(&w, 1);
        json_array_end(&w);
    }
    for (size_t i = 1; i < 200; i++) /* ]],1],1]: a comma before each but in the innermost */
        assert_memory_equal(b.data + 201 + (i - 1) * 3, ",1]", 3);
    buffer_free(&b);
}

/* A lone surrogate and an escape come out as they went in; what a terminal would obey is escaped. */
static void writing_hides_nothing_from_a_terminal(void **state)
{
    (void)state;
    struct buffer b;
    struct json_writer w;
    buffer_init(&b, 4000);
    json_write(&w, &b);
    json_array(&w);
    json_string(&w, bytes_of_text("\xc2\x9b"
                                  "31m\x7f\xe2\x80\xae\xf3\xa0\x81\x81\xe0\xa4\x95"));
    json_escaped(&w, bytes_of_text("\\ud800\\\"\\u001b\xc2\x9b"));
    json_number(&w, bytes_of_text("9007199254740993"));
    json_number(&w, bytes_of_text("1.00000000000000000000"));
    json_array_end(&w);
    assert_string_equal(buffer_cstr(&b),
                        "[\"\\u009b31m\\u007f\\u202e\\udb40\\udc41\xe0\xa4\x95\","
                        "\"\\ud800\\\"\\u001b\\u009b\",\"9007199254740993\",1.00000000000000000000]");
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts),
        cmocka_unit_test(bad_texts_fail_at_the_right_byte),
        cmocka_unit_test(tokens_have_their_ranges),
        cmocka_unit_test(long_strings_cross_every_boundary),
        cmocka_unit_test(skipping_passes_over_whole_values),
        cmocka_unit_test(lines_stop_after_a_value),
        cmocka_unit_test(escapes_become_text),
        cmocka_unit_test(numbers_compare_exactly),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(writing),
        cmocka_unit_test(what_is_read_and_written_has_a_witness),
        cmocka_unit_test(writing_goes_as_deep_as_it_must),
        cmocka_unit_test(writing_hides_nothing_from_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
