/* What a destination cannot keep is counted, by its names. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "operations/losses.h"

#include <stdio.h>

static struct losses losses_of(const char *const *names, uint32_t count, unsigned carries)
{
    struct losses l = {0};
    struct header properties[64];
    for (uint32_t i = 0; i < count; i++)
        properties[i] = (struct header){bytes_of_text(names[i]), {.type = VALUE_VOID}};
    struct message m = {
        .time_ns = TIME_NONE, .payload = BYTES_LITERAL(""), .properties = {properties, count}};
    const struct broker_ops to = {.carries = carries};
    losses_count(&l, &m, &to);
    losses_count(&l, &m, &to);
    return l;
}

static void properties_that_nobody_keeps_are_named(void **state)
{
    (void)state;
    static const char *const names[] = {"app_id",    "id",     "partition", "exchange",
                                        "timestamp", "colour", "a\xc2\x9b"};
    struct losses kafka = losses_of(names, 7, 0), rabbit = losses_of(names, 7, CARRY_AMQP),
                  any = losses_of(names, 7, CARRY_ANY);
    assert_int_equal(kafka.properties, 2);
    assert_string_equal(kafka.property_names, "app_id, id, colour, a\\x9b");
    assert_int_equal(rabbit.properties, 2);
    assert_string_equal(rabbit.property_names, "id, colour, a\\x9b");
    assert_int_equal(any.properties, 0);
    rabbit = losses_of(names + 2, 3, CARRY_AMQP);
    assert_int_equal(rabbit.properties, 0);
}

static void what_a_restart_would_lose_is_counted(void **state)
{
    (void)state;
    static const char *const bare[] = {"type"}, *const read[] = {"exchange", "type"},
                             *const said[] = {"exchange", "delivery_mode"};
    assert_int_equal(losses_of(bare, 1, CARRY_AMQP).transient, 0);
    assert_int_equal(losses_of(read, 2, CARRY_AMQP).transient, 2);
    assert_int_equal(losses_of(said, 2, CARRY_AMQP).transient, 0);
    assert_int_equal(losses_of(read, 2, CARRY_ANY).transient, 0);
}

static void names_beyond_the_room_are_hinted_at(void **state)
{
    (void)state;
    char texts[64][40];
    const char *names[64];
    for (int i = 0; i < 64; i++) {
        snprintf(texts[i], sizeof texts[i], "a-property-of-my-own-%d", i);
        names[i] = texts[i];
    }
    struct losses l = losses_of(names, 64, CARRY_AMQP);
    size_t len = strlen(l.property_names);
    assert_int_equal(l.properties, 2);
    assert_string_equal(l.property_names + len - 5, ", ...");
    assert_null(strstr(l.property_names, "...,"));
}

static void headers_of_the_broker_s_own_are_counted(void **state)
{
    (void)state;
    static const char *const counters[] = {"x-delivery-count", NULL};
    const struct broker_ops rabbit = {.carries = CARRY_TYPES, .counters = counters},
                            other = {.carries = CARRY_TYPES};
    struct header headers[] = {{BYTES_LITERAL("a"), {.type = VALUE_VOID}},
                               {BYTES_LITERAL("x-delivery-count"), {.type = VALUE_INT64}}};
    struct message m = {.time_ns = TIME_NONE, .payload = BYTES_LITERAL(""), .headers = {headers, 2}};
    struct losses l = {0};
    losses_count(&l, &m, &rabbit);
    losses_count(&l, &m, &other);
    assert_int_equal(l.counters, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_that_nobody_keeps_are_named),
        cmocka_unit_test(what_a_restart_would_lose_is_counted),
        cmocka_unit_test(headers_of_the_broker_s_own_are_counted),
        cmocka_unit_test(names_beyond_the_room_are_hinted_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
