#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/plain.h"
#include "base/utf8.h"
#include "tests/support/unescape.h"

static void only_rfc_3629_is_valid(void **state)
{
    (void)state;
    static const struct bytes good[] = {BYTES_LITERAL(""),
                                        BYTES_LITERAL("plain ascii, longer than a word"),
                                        BYTES_LITERAL("\xC2\x80"),
                                        BYTES_LITERAL("\xED\x9F\xBF"),
                                        BYTES_LITERAL("\xEE\x80\x80"),
                                        BYTES_LITERAL("\xF4\x8F\xBF\xBF")};
    static const struct bytes bad[] = {BYTES_LITERAL("\x80"),
                                       BYTES_LITERAL("\xC0\x80"),
                                       BYTES_LITERAL("\xC1\xBF"),
                                       BYTES_LITERAL("\xE0\x9F\xBF"),
                                       BYTES_LITERAL("\xED\xA0\x80"),
                                       BYTES_LITERAL("\xF0\x8F\xBF\xBF"),
                                       BYTES_LITERAL("\xF4\x90\x80\x80"),
                                       BYTES_LITERAL("\xF5\x80\x80\x80"),
                                       BYTES_LITERAL("\xE2\x82"),
                                       BYTES_LITERAL("12345678\xFF"),
                                       BYTES_LITERAL("\xE2\x28\xA1")};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(bad[i]));
}

static void every_scalar_value_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[4];
    for (uint32_t cp = 0; cp <= 0x110000; cp++) {
        bool scalar = cp <= 0x10FFFF && (cp < 0xD800 || cp > 0xDFFF);
        size_t len = utf8_encode(cp, bytes), at = 0;
        if (!scalar)
            assert_int_equal(len, 0);
        else if (utf8_next(bytes_of(bytes, len), &at) != cp || at != len)
            fail_msg("U+%04X", (unsigned)cp);
    }
}

static void an_invalid_byte_costs_one(void **state)
{
    (void)state;
    size_t at = 0;
    struct bytes b = BYTES_LITERAL("\xE2\x82x");
    assert_int_equal(utf8_next(b, &at), UTF8_INVALID);
    assert_int_equal(at, 1);
    assert_int_equal(utf8_next(b, &at), UTF8_INVALID);
    assert_int_equal(utf8_next(b, &at), 'x');
}

static void widths_are_those_of_unicode_15(void **state)
{
    (void)state;
    static const struct {
        uint32_t cp;
        int width;
    } cases[] = {{'a', 1},     {0x00EB, 1},  {0x0301, 0},  {0x3042, 2},   {0xAC00, 2},
                 {0xFF21, 2},  {0xFF71, 1},  {0x1F600, 2}, {0x20000, 2},  {0x2500, 1},
                 {0x200B, -1}, {0x202E, -1}, {0x2066, -1}, {0xFEFF, -1},  {0x07, -1},
                 {0x7F, -1},   {0x85, -1},   {0xD800, -1}, {0x110000, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (utf8_width(cases[i].cp) != cases[i].width)
            fail_msg("U+%04X is %d wide", (unsigned)cases[i].cp, utf8_width(cases[i].cp));
}

static void nothing_dangerous_passes_the_door(void **state)
{
    (void)state;
    static const struct {
        struct bytes in;
        const char *screen, *plain;
    } cases[] = {
        {BYTES_LITERAL("plain"), "plain", "plain"},
        {BYTES_LITERAL("a\x1b[31m"), "a\u241b[31m", "a\\x1b[31m"},
        {BYTES_LITERAL("\t\n\r\0"), "\u2409\u240a\u240d\u2400", "\\t\\n\\r\\x00"},
        {BYTES_LITERAL("a\\b"), "a\\b", "a\\\\b"},
        {BYTES_LITERAL("\x7f"), "\u2421", "\\x7f"},
        {BYTES_LITERAL("\xC2\x9B"), "\\x9b", "\\xc2\\x9b"},
        {BYTES_LITERAL("\x9B"), "\\x9b", "\\x9b"},
        {BYTES_LITERAL("\xFFz"), "\\xffz", "\\xffz"},
        {BYTES_LITERAL("\u202Eevil"), "<202E>evil", "\\xe2\\x80\\xaeevil"},
        {BYTES_LITERAL("<202E>"), "<202E>", "<202E>"},
        {BYTES_LITERAL("\U0001F468\u200D\U0001F469"), "\U0001F468<200D>\U0001F469",
         "\U0001F468\\xe2\\x80\\x8d\U0001F469"},
        {BYTES_LITERAL("\U000E0001"), "<E0001>", "\\xf3\\xa0\\x80\\x81"},
        {BYTES_LITERAL("Zo\u00eb \u3042"), "Zo\u00eb \u3042", "Zo\u00eb \u3042"},
    };
    struct buffer b;
    buffer_init(&b, 1024);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t cells = 0, at = 0;
        buffer_clear(&b);
        utf8_scrub(&b, cases[i].in, SCRUB_SCREEN);
        assert_string_equal(buffer_cstr(&b), cases[i].screen);
        for (struct bytes v = buffer_view(&b); at < v.len;)
            cells += (size_t)utf8_width(utf8_next(v, &at));
        assert_int_equal(utf8_cells(cases[i].in), cells);
        buffer_clear(&b);
        utf8_scrub(&b, cases[i].in, SCRUB_PLAIN);
        assert_string_equal(buffer_cstr(&b), cases[i].plain);
    }
    buffer_free(&b);
}

/* Every code point, every byte alone, and what is no UTF-8: a script gets back what was sent, two inputs never look the same. */
static void plain_text_gives_its_bytes_back(void **state)
{
    (void)state;
    struct buffer in, plain, back;
    buffer_init(&in, 16 * MIB);
    buffer_init(&plain, 64 * MIB);
    buffer_init(&back, 16 * MIB);
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        uint8_t utf8[4];
        buffer_append(&in, utf8, utf8_encode(cp, utf8));
        if (cp % 3 == 0)
            buffer_byte(&in, (char)(cp / 3 & 0xFF));
    }
    utf8_scrub(&plain, buffer_view(&in), SCRUB_PLAIN);
    assert_true(utf8_valid(buffer_view(&plain)));
    assert_true(unescape(&back, buffer_view(&plain)));
    assert_true(bytes_equal(buffer_view(&in), buffer_view(&back)));
    buffer_free(&in);
    buffer_free(&plain);
    buffer_free(&back);
}

static void columns_are_counted_in_cells(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 4096);
    utf8_pad(&b, BYTES_LITERAL("\xc3\xbc\xe6\x97\xa5"), 5);
    assert_string_equal(buffer_cstr(&b), "\xc3\xbc\xe6\x97\xa5  ");
    buffer_clear(&b);
    utf8_pad(&b, BYTES_LITERAL("longer"), 3);
    assert_string_equal(buffer_cstr(&b), "longer");
    buffer_free(&b);
}

/* Sixteen and sixty-four at a time, and one by one at the end. */
static void a_byte_that_is_not_plain_is_found_wherever_it_stands(void **state)
{
    (void)state;
    static const uint8_t odd[] = {0x00, 0x1F, 0x7F, 0x80, 0xFF, '"', '\\'};
    uint8_t text[200];
    for (size_t len = 0; len <= sizeof text; len++) {
        memset(text, 'a', sizeof text);
        assert_int_equal(plain_skip(bytes_of(text, len), 0, '"', '\\'), len);
        for (size_t at = 0; at < len; at++) {
            text[at] = odd[(at + len) % sizeof odd];
            assert_int_equal(plain_skip(bytes_of(text, len), 0, '"', '\\'), at);
            assert_int_equal(plain_skip(bytes_of(text, len), at + 1, '"', '\\'), len);
            text[at] = at % 2 ? 0x20 : 0x7E;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_rfc_3629_is_valid),
        cmocka_unit_test(every_scalar_value_comes_back),
        cmocka_unit_test(an_invalid_byte_costs_one),
        cmocka_unit_test(widths_are_those_of_unicode_15),
        cmocka_unit_test(nothing_dangerous_passes_the_door),
        cmocka_unit_test(plain_text_gives_its_bytes_back),
        cmocka_unit_test(columns_are_counted_in_cells),
        cmocka_unit_test(a_byte_that_is_not_plain_is_found_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
