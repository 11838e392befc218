/* Lists of what a filter takes, while the store evicts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "ui/matches.h"

static struct message *message_of(size_t size)
{
    static const uint8_t zeros[MIB];
    struct message m = {.origin = origin_intern("e", "c", CHANNEL_QUEUE), .payload = {zeros, size}};
    return message_seal(&m, NULL);
}

static enum filter_answer takes_all(void *context, const struct matches *m, const struct message *message)
{
    (void)context, (void)m;
    return message ? FILTER_YES : FILTER_NO;
}

static void look(struct matches *m, const struct store *s)
{
    while (matches_slice(m, s, INT64_MAX, takes_all, NULL))
        ;
}

/* Each id of the list is one of the store: a message that is too large to stay beside the one that is held takes none away. */
static void the_list_has_what_the_store_has(void **state)
{
    (void)state;
    struct matches m = {.filter = NULL};
    struct store *s = store_new(MIB);
    matches_set(&m, filter_new("x", FILTER_MESSAGES, NULL, NULL, NULL), "x");
    for (int i = 0; i < 5; i++)
        store_add(s, message_of(1000));
    store_hold(s, store_get(s, store_add(s, message_of(700 * KIB))));
    look(&m, s);
    assert_int_equal(m.count, 6);
    store_add(s, message_of(500 * KIB));
    look(&m, s);
    assert_int_equal(m.count, store_count(s));
    assert_non_null(store_get(s, matches_id(&m, 0)));
    store_hold(s, NULL);
    store_add(s, message_of(500 * KIB));
    look(&m, s);
    assert_int_equal(m.evicted, 6);
    assert_int_equal(m.count, 1);
    assert_int_equal(matches_id(&m, 0), store_newest(s));
    matches_free(&m);
    store_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_list_has_what_the_store_has)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
