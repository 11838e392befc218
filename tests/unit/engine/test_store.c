#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "engine/store.h"

static struct message *message_of(size_t size)
{
    static const uint8_t zeros[100000];
    struct message m = {.origin = origin_intern("e", "c", CHANNEL_QUEUE), .payload = {zeros, size}};
    return message_seal(&m, NULL);
}

static void ids_count_and_are_never_reused(void **state)
{
    (void)state;
    struct store *s = store_new(64 * 1024);
    assert_int_equal(store_newest(s), 0);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_int_equal(store_add(s, message_of(100)), i);
    assert_int_equal(store_newest(s), 5000);
    assert_true(store_oldest(s) > 1);
    assert_null(store_get(s, store_oldest(s) - 1));
    assert_non_null(store_get(s, store_oldest(s)));
    assert_null(store_get(s, 5001));
    assert_null(store_get(s, 0));
    store_free(&s);
}

static void the_budget_holds(void **state)
{
    (void)state;
    struct store *s = store_new(1 << 20);
    for (int i = 0; i < 20000; i++) {
        store_add(s, message_of((size_t)(i * 37 % 3000)));
        assert_true(store_bytes(s) <= store_budget(s));
    }
    assert_int_equal(store_count(s), store_newest(s) - store_oldest(s) + 1);
    store_free(&s);
}

static void the_newest_stays_even_over_the_budget(void **state)
{
    (void)state;
    struct store *s = store_new(20000);
    store_add(s, message_of(100));
    uint64_t id = store_add(s, message_of(100000));
    assert_non_null(store_get(s, id));
    assert_int_equal(store_count(s), 1);
    store_free(&s);
}

static void many_small_ones_make_the_ring_grow(void **state)
{
    (void)state;
    struct store *s = store_new(16 << 20);
    for (int i = 0; i < 30000; i++)
        store_add(s, message_of(1));
    assert_int_equal(store_oldest(s), 1);
    assert_int_equal(store_count(s), 30000);
    assert_non_null(store_get(s, 1));
    store_free(&s);
}

static void a_smaller_budget_evicts_the_oldest(void **state)
{
    (void)state;
    struct store *s = store_new(1 << 20);
    for (int i = 0; i < 100; i++)
        store_add(s, message_of(5000));
    store_limit(s, 100000, false);
    assert_true(store_count(s) > 1);
    assert_true(store_bytes(s) <= 100000);
    assert_int_equal(store_newest(s), 100);
    store_limit(s, 0, false);
    assert_int_equal(store_count(s), 1);
    store_free(&s);
}

/* Its ids go on, so that what left it is known to have been there. */
static void one_that_yields_may_be_empty(void **state)
{
    (void)state;
    struct store *s = store_new(1 << 20);
    for (int i = 0; i < 3; i++)
        store_add(s, message_of(50000));
    store_limit(s, 60000, true);
    assert_int_equal(store_count(s), 1);
    store_limit(s, 20000, true);
    assert_int_equal(store_count(s), 0);
    assert_int_equal(store_newest(s), 3);
    assert_int_equal(store_oldest(s), 4);
    assert_null(store_get(s, 3));
    assert_int_equal(store_add(s, message_of(50000)), 4);
    assert_int_equal(store_count(s), 0);
    assert_int_equal(store_add(s, message_of(1000)), 5);
    assert_non_null(store_get(s, 5));
    assert_true(store_bytes(s) <= 20000);
    store_limit(s, 1 << 20, false);
    assert_int_equal(store_add(s, message_of(50000)), 6);
    assert_int_equal(store_count(s), 2);
    store_free(&s);
}

/* Whoever holds an evicted one keeps its memory: both together keep to the budget. */
static void what_is_held_counts_when_it_is_evicted(void **state)
{
    (void)state;
    struct store *s = store_new((size_t)8 * 1024 + 25000);
    struct message *held = message_ref(message_of(10000));
    store_add(s, held);
    store_hold(s, held);
    for (int i = 0; i < 3; i++) {
        store_add(s, message_of(10000));
        assert_true(store_bytes(s) <= store_budget(s));
    }
    assert_null(store_get(s, 1));
    assert_int_equal(store_count(s), 1);
    store_hold(s, NULL);
    store_add(s, message_of(10000));
    assert_int_equal(store_count(s), 2);
    store_limit(s, (size_t)8 * 1024 + 15000, false);
    store_hold(s, store_get(s, 5));
    assert_int_equal(store_add(s, message_of(10000)), 0); /* there is room for one */
    assert_int_equal(store_newest(s), 5);
    store_hold(s, NULL);
    assert_int_equal(store_add(s, message_of(10000)), 6);
    message_unref(&held);
    store_free(&s);
}

/* One that could not stay beside it would take all others with it. */
static void what_has_no_room_beside_the_one_held_evicts_nothing(void **state)
{
    (void)state;
    struct store *s = store_new((size_t)8 * 1024 + 100000);
    for (int i = 0; i < 5; i++)
        store_add(s, message_of(1000));
    struct message *held = message_ref(message_of(70000));
    store_add(s, held);
    store_hold(s, held);
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_add(s, message_of(40000)), 0);
    assert_int_equal(store_count(s), 6);
    for (uint64_t id = 7; id < 60; id++) { /* until it is evicted, and on */
        assert_int_equal(store_add(s, message_of(1000)), id);
        assert_int_equal(store_add(s, message_of(40000)), 0);
        assert_true(store_bytes(s) <= store_budget(s));
    }
    assert_null(store_get(s, 6));
    assert_true(store_count(s) > 10);
    store_hold(s, NULL);
    assert_int_equal(store_add(s, message_of(40000)), 60);
    message_unref(&held);
    store_free(&s);
}

static void the_budget_holds_when_the_ring_grows(void **state)
{
    (void)state;
    struct store *s = store_new(8 << 20);
    for (int i = 0; i < 1024; i++)
        store_add(s, message_of(1));
    store_limit(s, store_bytes(s) + (size_t)8 * 1024, false); /* as much as the next step takes, alone */
    store_add(s, message_of(1000));
    assert_true(store_bytes(s) <= store_budget(s));
    store_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_count_and_are_never_reused),
        cmocka_unit_test(the_budget_holds),
        cmocka_unit_test(the_newest_stays_even_over_the_budget),
        cmocka_unit_test(a_smaller_budget_evicts_the_oldest),
        cmocka_unit_test(one_that_yields_may_be_empty),
        cmocka_unit_test(what_is_held_counts_when_it_is_evicted),
        cmocka_unit_test(what_has_no_room_beside_the_one_held_evicts_nothing),
        cmocka_unit_test(the_budget_holds_when_the_ring_grows),
        cmocka_unit_test(many_small_ones_make_the_ring_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
