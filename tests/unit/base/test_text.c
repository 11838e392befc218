#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/text.h"

static void copies_are_cut_between_characters(void **state)
{
    (void)state;
    char into[6];
    assert_string_equal(text_copy(into, sizeof into, "abc"), "abc");
    assert_string_equal(text_copy(into, sizeof into, "abcdefgh"), "abcde");
    assert_string_equal(text_copy(into, sizeof into, "abcd\u00eb"), "abcd");
    assert_string_equal(text_copy(into, sizeof into, "a\u20ac\u20ac"), "a\u20ac");
    assert_string_equal(text_copy_bytes(into, sizeof into, BYTES_NULL), "");
    assert_string_equal(text_copy_bytes(into, sizeof into, BYTES_LITERAL("ab\0cd")), "ab");
    into[0] = 'x';
    text_copy(into, 0, "abc");
    assert_int_equal(into[0], 'x');
}

static void what_is_shortened_says_so(void **state)
{
    (void)state;
    char text[16];
    assert_string_equal(text_shorten(text, sizeof text, "fifteen letters"), "fifteen letters");
    assert_string_equal(text_shorten(text, sizeof text, "sixteen letters!"), "sixteen lett…");
    assert_string_equal(text_shorten(text, sizeof text, "unbroken-as-it-is"), "unbroken-as-…");
    assert_string_equal(text_shorten(text, sizeof text, "sixteen let ters"), "sixteen let…");
    assert_string_equal(text_shorten(text, sizeof text, "ää ääääääääää"), "ää äää…");
    assert_string_equal(text_shorten(text, 4, "word"), "wor");
}

static void patterns_are_those_of_a_shell(void **state)
{
    (void)state;
    assert_true(text_glob(NULL, "orders") && text_glob("", "orders") && text_glob("*", ""));
    assert_true(text_glob("orders.*", "orders.dlt") && text_glob("*.dlt", "a.dlt.dlt") &&
                text_glob("?b*", "ab"));
    assert_false(text_glob("orders.*", "orders") || text_glob("?", "") || text_glob("a*b", "abc"));
}

static void the_nearest_name_is_near(void **state)
{
    (void)state;
    static const char *const names[] = {"total", "key", "time", NULL}, *const flags[] = {"as", "json", "jq",
                                                                                         "js1", NULL};
    assert_string_equal(text_nearest("totl", names), "total");
    assert_string_equal(text_nearest("kye", names), "key");
    assert_string_equal(text_nearest("TIME", names), "time");
    assert_null(text_nearest("zebra", names));
    assert_null(text_nearest("bye", names)); /* two of three letters differ */
    assert_null(text_nearest("", names));
    assert_string_equal(text_nearest("to", names), "total");
    assert_string_equal(text_nearest("jso", flags), "json");
    assert_string_equal(text_nearest("ax", flags), "as"); /* not one that begins so */
}

static void numbers_are_whole_strings(void **state)
{
    (void)state;
    int64_t i;
    double d;
    assert_true(text_int64("-9223372036854775808", &i) && i == INT64_MIN);
    assert_false(text_int64("9223372036854775808", &i) || text_int64("", &i) || text_int64(" 1", &i) ||
                 text_int64("+1", &i) || text_int64("1x", &i) || text_int64("-", &i));
    assert_true(text_double("-1.5e2", &d) && d == -150);
    assert_true(text_double(".5", &d) && d == 0.5);
    assert_false(text_double("1e999", &d) || text_double("nan", &d) || text_double("1 ", &d));
    assert_false(text_double("-inf", &d) || text_double("-nan", &d) || text_double("0x10", &d) ||
                 text_double("- 1", &d));
}

static void units_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value; /* -1: refused */
    } durations[] = {{"250ms", 250000000},
                     {"5s", 5000000000},
                     {"2", 2000000000},
                     {"15m", 900000000000},
                     {"1h", 3600000000000},
                     {"2d", 172800000000000},
                     {"", -1},
                     {"-5s", -1},
                     {"5x", -1},
                     {"5 s", -1},
                     {"0x10s", -1},
                     {"1e300s", -1}},
      sizes[] = {{"10k", 10000},  {"2MiB", 2097152}, {"512B", 512}, {"0", 0},
                 {"1.5Ki", 1536}, {"1q", -1},        {"-1", -1}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        int64_t ns = -1;
        bool taken = text_duration(durations[i].text, &ns);
        if (taken != (durations[i].value >= 0) || (taken && ns != durations[i].value))
            fail_msg("%s: %lld", durations[i].text, (long long)ns);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t bytes = 0;
        bool taken = text_size(sizes[i].text, &bytes);
        if (taken != (sizes[i].value >= 0) || (taken && bytes != (uint64_t)sizes[i].value))
            fail_msg("%s: %llu", sizes[i].text, (unsigned long long)bytes);
    }
}

static void people_read_these(void **state)
{
    (void)state;
    char t[32];
    assert_string_equal(text_count(t, sizeof t, 18402), "18,402");
    assert_string_equal(text_count(t, sizeof t, 999), "999");
    assert_string_equal(text_count(t, sizeof t, UINT64_MAX), "18,446,744,073,709,551,615");
    assert_string_equal(text_bytes(t, sizeof t, 512), "512 B");
    assert_string_equal(text_bytes(t, sizeof t, 4299161), "4.1 MiB");
    assert_string_equal(text_bytes(t, sizeof t, 1023), "1023 B");
    assert_string_equal(text_bytes(t, sizeof t, 102399), "100 KiB");  /* rounded to a digit less, not 100.0 */
    assert_string_equal(text_bytes(t, sizeof t, 1048575), "1.0 MiB"); /* nor 1024 KiB */
    assert_string_equal(text_age(t, sizeof t, INT64_C(4999999999)), "4s");
    assert_string_equal(text_age(t, sizeof t, INT64_C(29000000000)), "25s");
    assert_string_equal(text_age(t, sizeof t, INT64_C(179000000000)), "2m");
    assert_string_equal(text_age(t, sizeof t, INT64_C(11040000000000)), "3h04m");
    assert_string_equal(text_age(t, sizeof t, INT64_C(176400000000000)), "2d01h");
    assert_string_equal(text_ms(t, sizeof t, 400000), "0.4");
    assert_string_equal(text_ms(t, sizeof t, 12000000), "12");
    assert_string_equal(text_ms(t, sizeof t, INT64_C(1840000000)), "1,840");
}

static void doubles_are_as_short_as_they_can_be(void **state)
{
    (void)state;
    char t[40];
    assert_string_equal(text_shortest(t, sizeof t, 0.1), "0.1");
    assert_string_equal(text_shortest(t, sizeof t, (double)1.1F), "1.100000023841858");
    assert_string_equal(text_shortest(t, sizeof t, 0.1 + 0.2), "0.30000000000000004");
    assert_string_equal(text_shortest(t, sizeof t, -1e300), "-1e+300");
    assert_string_equal(text_shortest(t, sizeof t, 100), "100"); /* as it is written, and looked for */
    assert_string_equal(text_shortest(t, sizeof t, -1e6), "-1000000");
    assert_string_equal(text_shortest(t, sizeof t, 123456789012345680.0), "1.2345678901234568e+17");
    assert_string_equal(text_shortest(t, sizeof t, 9007199254740993.0), "9007199254740992");
    assert_string_equal(text_shortest(t, sizeof t, 1234.5), "1234.5");
    assert_string_equal(text_shortest(t, sizeof t, 0.00012), "0.00012");
    assert_string_equal(text_shortest(t, sizeof t, 0.000012), "1.2e-05");
    assert_string_equal(text_shortest(t, sizeof t, 0), "0");
    assert_string_equal(text_shortest(t, sizeof t, -0.0), "-0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_cut_between_characters),
        cmocka_unit_test(what_is_shortened_says_so),
        cmocka_unit_test(patterns_are_those_of_a_shell),
        cmocka_unit_test(the_nearest_name_is_near),
        cmocka_unit_test(numbers_are_whole_strings),
        cmocka_unit_test(units_are_exact),
        cmocka_unit_test(people_read_these),
        cmocka_unit_test(doubles_are_as_short_as_they_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
