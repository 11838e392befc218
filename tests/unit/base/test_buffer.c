#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"

#include <stdlib.h>

static void over_the_maximum_a_buffer_fails_and_stays_so(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 8);
    buffer_text(&b, "12345678");
    assert_true(buffer_ok(&b));
    buffer_byte(&b, '9');
    assert_false(buffer_ok(&b));
    assert_string_equal(buffer_cstr(&b), "");
    assert_null(buffer_reserve(&b, 0));
    buffer_clear(&b);
    buffer_printf(&b, "%d-%s", 42, "x");
    assert_true(buffer_ok(&b));
    assert_string_equal(buffer_cstr(&b), "42-x");
    assert_null(buffer_reserve(&b, SIZE_MAX));
    buffer_free(&b);
    assert_true(buffer_ok(&b));
    assert_false(bytes_is_null(buffer_view(&b)));
}

static void base64_is_that_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "Zm 9v", "Z=g=", "Zm9-"};
    struct buffer b;
    buffer_init(&b, 64);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        buffer_clear(&b);
        buffer_base64(&b, bytes_of_text(pairs[i][0]));
        assert_string_equal(buffer_cstr(&b), pairs[i][1]);
        buffer_clear(&b);
        assert_true(buffer_unbase64(&b, bytes_of_text(pairs[i][1])));
        assert_string_equal(buffer_cstr(&b), pairs[i][0]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buffer_clear(&b);
        if (buffer_unbase64(&b, bytes_of_text(bad[i])) || b.len)
            fail_msg("%s was taken", bad[i]);
    }
    buffer_free(&b);
}

static void decoded_bytes_may_fill_a_buffer(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 3);
    assert_true(buffer_unbase64(&b, BYTES_LITERAL("Zm9v")));
    assert_true(buffer_ok(&b) && bytes_equal_text(buffer_view(&b), "foo"));
    assert_false(buffer_unbase64(&b, BYTES_LITERAL("Zm9v")));
    buffer_free(&b);
}

static void an_arena_is_aligned_and_bounded(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100000);
    for (size_t i = 1; i < 200; i++)
        assert_int_equal((uintptr_t)arena_alloc(&a, i) % 16, 0);
    assert_null(arena_alloc(&a, 100001));
    assert_null(arena_alloc(&a, PTRDIFF_MAX));
    while (arena_alloc(&a, 1000))
        assert_true(a.used <= 100000 + 16);
    assert_true(bytes_is_null(arena_copy(&a, bytes_of(&a, 5000))));
    arena_reset(&a);
    uint8_t *zero = arena_zalloc(&a, 5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(zero[i], 0);
    arena_free(&a);
    assert_int_equal(a.used, 0);
}

static void null_and_empty_stay_apart(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    assert_true(bytes_is_null(arena_copy(&a, BYTES_NULL)));
    assert_false(bytes_is_null(arena_copy(&a, BYTES_LITERAL(""))));
    assert_string_equal(arena_strdup(&a, "abc"), "abc");
    assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    arena_free(&a);
}

/* What is written in parts is what would have been written at once. */
static void base64_of_any_size_comes_back(void **state)
{
    (void)state;
    static const size_t around[] = {98304, 196608, 300000};
    uint8_t *data = malloc(300003);
    for (size_t i = 0; i < 300003; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 11);
    for (size_t n = 0; n < 3; n++)
        for (size_t len = around[n] - 2; len <= around[n] + 3; len++) {
            struct buffer text, back;
            buffer_init(&text, 1 << 20);
            buffer_init(&back, 1 << 20);
            buffer_base64(&text, bytes_of(data, len));
            assert_int_equal(text.len, (len + 2) / 3 * 4);
            assert_true(buffer_unbase64(&back, buffer_view(&text)));
            assert_true(bytes_equal(buffer_view(&back), bytes_of(data, len)));
            buffer_free(&text);
            buffer_free(&back);
        }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_of_any_size_comes_back),
        cmocka_unit_test(over_the_maximum_a_buffer_fails_and_stays_so),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(decoded_bytes_may_fill_a_buffer),
        cmocka_unit_test(an_arena_is_aligned_and_bounded),
        cmocka_unit_test(null_and_empty_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
