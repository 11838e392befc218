/* What the line of progress says. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "cli/reading.h"

static void the_time_left_is_that_to_the_bound(void **state)
{
    (void)state;
    char text[240];
    struct reading_result now = {.scanned = 5000, .total = 12199, .goal = 10000};
    assert_string_equal(reading_progress_text(text, sizeof text, &now, 2 * NS_PER_S, "matched"),
                        "scanned 5,000 of 12,199 (40 %), 0 matched, 2s left");
    now.goal = now.total;
    assert_string_equal(reading_progress_text(text, sizeof text, &now, 5 * NS_PER_S, "matched"),
                        "scanned 5,000 of 12,199 (40 %), 0 matched, 7s left");
    now = (struct reading_result){.scanned = 10000, .total = 12199, .goal = 10000, .written = 10000};
    assert_string_equal(reading_progress_text(text, sizeof text, &now, 9 * NS_PER_S, "taken"),
                        "scanned 10,000 of 12,199 (81 %), 10,000 taken, 0s left");
}

static void nothing_is_foretold_of_what_is_not_known(void **state)
{
    (void)state;
    char text[240];
    struct reading_result now = {.scanned = 7, .total = COUNT_UNKNOWN, .goal = COUNT_UNKNOWN};
    assert_string_equal(reading_progress_text(text, sizeof text, &now, NS_PER_S, "matched"),
                        "scanned 7, 0 matched");
    now = (struct reading_result){.total = 9, .goal = 9};
    assert_string_equal(reading_progress_text(text, sizeof text, &now, 0, "taken"), "scanned 0, 0 taken");
    now = (struct reading_result){.scanned = 700, .total = 900, .goal = 900}; /* passed over */
    assert_string_equal(reading_progress_text(text, sizeof text, &now, 0, "taken"),
                        "scanned 700 of 900 (77 %), 0 taken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_left_is_that_to_the_bound),
        cmocka_unit_test(nothing_is_foretold_of_what_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
