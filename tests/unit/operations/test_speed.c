/* How fast something goes of late. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "operations/speed.h"

/* So many a second for that long, noted twenty times a second. */
static void go(struct speed *s, int64_t *now, int64_t *count, int64_t rate, int seconds)
{
    for (int i = 0; i < 20 * seconds; i++) {
        *now += NS_PER_S / 20;
        *count += rate / 20;
        speed_note(s, *now, *count);
    }
}

static void less_than_a_second_tells_nothing(void **state)
{
    (void)state;
    struct speed s = {.held = 0};
    assert_true(speed_of(&s) < 0);
    speed_note(&s, 7 * NS_PER_S, 0);
    speed_note(&s, 7 * NS_PER_S + NS_PER_S / 2, 300);
    assert_true(speed_of(&s) < 0);
    speed_note(&s, 9 * NS_PER_S, 310);
    assert_int_equal(speed_of(&s), 155);
}

static void it_is_measured_over_five_seconds(void **state)
{
    (void)state;
    struct speed s = {.held = 0};
    int64_t now = NS_PER_S, count = 0;
    go(&s, &now, &count, 1000, 60);
    assert_in_range((int64_t)speed_of(&s), 990, 1010);
    go(&s, &now, &count, 20, 6);
    assert_in_range((int64_t)speed_of(&s), 19, 21);
    go(&s, &now, &count, 0, 6);
    assert_int_equal(speed_of(&s), 0);
}

/* Noted once a minute it is what went in that. */
static void what_is_noted_seldom_is_told_all_the_same(void **state)
{
    (void)state;
    struct speed s = {.held = 0};
    for (int i = 0; i < 200; i++)
        speed_note(&s, (60 * i + 1) * NS_PER_S, 120 * i);
    assert_int_equal(speed_of(&s), 2);
}

static void what_was_forgotten_tells_nothing(void **state)
{
    (void)state;
    struct speed s = {.held = 0};
    int64_t now = NS_PER_S, count = 0;
    go(&s, &now, &count, 1000, 10);
    now += 3600 * NS_PER_S; /* paused */
    speed_forget(&s);
    assert_true(speed_of(&s) < 0);
    go(&s, &now, &count, 20, 2);
    assert_in_range((int64_t)speed_of(&s), 19, 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(less_than_a_second_tells_nothing),
        cmocka_unit_test(it_is_measured_over_five_seconds),
        cmocka_unit_test(what_is_noted_seldom_is_told_all_the_same),
        cmocka_unit_test(what_was_forgotten_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
