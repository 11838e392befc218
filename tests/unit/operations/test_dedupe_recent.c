#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "operations/dedupe_recent.h"

#include <stdio.h>
#include <stdlib.h>

static enum recent_answer see(struct recent *r, const char *text, int64_t now)
{
    int64_t before;
    return recent_see(r, bytes_of_text(text), now, &before);
}

static void what_was_seen_is_known_until_it_is_forgotten(void **state)
{
    (void)state;
    struct recent *r = recent_new(3, KIB);
    int64_t before = 0;
    char text[100];
    assert_int_equal(see(r, "a", 1), RECENT_NEW);
    assert_int_equal(see(r, "", 2), RECENT_NEW);
    assert_int_equal(see(r, "", 3), RECENT_AGAIN);
    assert_int_equal(recent_see(r, BYTES_LITERAL("a"), 4, &before), RECENT_AGAIN);
    assert_int_equal(before, 1);
    assert_string_equal(recent_text(r, text, sizeof text), "");
    assert_int_equal(recent_window(r).held, 2);
    assert_int_equal(recent_window(r).since_ns, TIME_NONE);
    /* Places are taken by what was seen again, too: three in all. */
    assert_int_equal(see(r, "b", 5 * NS_PER_S), RECENT_NEW);
    assert_int_equal(see(r, "c", 6 * NS_PER_S), RECENT_NEW);
    assert_int_equal(recent_window(r).forgotten, 1);
    assert_int_equal(recent_window(r).since_ns, 3);
    assert_int_equal(see(r, "a", 7 * NS_PER_S), RECENT_AGAIN);
    assert_int_equal(see(r, "", 8 * NS_PER_S), RECENT_NEW);
    recent_text(r, text, sizeof text);
    if (!strstr(text, "of the last 3 values (since 00:00:05)"))
        fail_msg("%s", text);
    recent_free(&r);
}

static void bytes_are_bounded(void **state)
{
    (void)state;
    struct recent *r = recent_new(1000, 10);
    assert_int_equal(see(r, "12345678901", 1), RECENT_LARGE);
    assert_int_equal(see(r, "1234567890", 2), RECENT_NEW);
    assert_int_equal(see(r, "1234567890", 3), RECENT_AGAIN);
    assert_int_equal(see(r, "abcd", 4), RECENT_NEW);
    assert_int_equal(see(r, "efgh", 5), RECENT_NEW);
    assert_int_equal(see(r, "ijkl", 6), RECENT_NEW); /* does not fit before the end */
    assert_int_equal(see(r, "ijkl", 7), RECENT_AGAIN);
    assert_int_equal(see(r, "abcd", 8), RECENT_NEW);
    recent_free(&r);
}

/* Against a list that is looked through. */
static void it_answers_as_a_list_would(void **state)
{
    (void)state;
    enum { VALUES = 50, ROUNDS = 20000 };
    struct recent *r = recent_new(VALUES, MIB);
    static char list[ROUNDS][24];
    uint64_t random = 7;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        snprintf(list[i], sizeof list[i], "%u", (unsigned)(random >> 33) % 80);
        bool again = false;
        for (int k = i > VALUES ? i - VALUES : 0; k < i; k++)
            again |= strcmp(list[k], list[i]) == 0;
        if ((see(r, list[i], i) == RECENT_AGAIN) != again)
            fail_msg("value %d", i);
    }
    recent_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_seen_is_known_until_it_is_forgotten),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(it_answers_as_a_list_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
