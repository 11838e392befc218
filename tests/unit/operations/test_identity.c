#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "operations/identity.h"

static const char *const counters[] = {"x-delivery-count", NULL};

static struct header text_header(const char *name, const char *value)
{
    return (struct header){bytes_of_text(name), {.type = VALUE_STRING, .bytes = bytes_of_text(value)}};
}

static bool same(const struct message *a, const struct message *b)
{
    uint8_t of_a[IDENTITY_SIZE], of_b[IDENTITY_SIZE];
    assert_int_equal(identity_of(a, counters, of_a, NULL), ERR_OK);
    assert_int_equal(identity_of(b, counters, of_b, NULL), ERR_OK);
    return memcmp(of_a, of_b, sizeof of_a) == 0;
}

static void all_that_the_sender_sent_counts(void **state)
{
    (void)state;
    struct header h[] = {text_header("a", "1"), text_header("b", "2")};
    struct header turned[] = {h[1], h[0]}, typed[] = {h[0], h[1]},
                  split[] = {text_header("a", "1b"), text_header("", "2")};
    typed[1].value.type = VALUE_BYTES;
    struct message m = {.key = BYTES_LITERAL("k"), .payload = BYTES_LITERAL("p"), .headers = {h, 2}},
                   other = m;
    assert_true(same(&m, &other));
    other.payload = BYTES_LITERAL("q");
    assert_false(same(&m, &other));
    other = m;
    other.key = BYTES_NULL;
    assert_false(same(&m, &other));
    other = m;
    other.id = BYTES_LITERAL("7");
    assert_false(same(&m, &other));
    other = m;
    other.key = BYTES_LITERAL("");
    struct message nothing = other;
    nothing.key = BYTES_NULL;
    assert_false(same(&other, &nothing)); /* empty is not null */
    other = m;
    other.headers.items = turned;
    assert_false(same(&m, &other));
    other.headers.items = typed;
    assert_false(same(&m, &other));
    other.headers.items = split;
    assert_false(same(&m, &other));
    other = m;
    other.headers.count = 1;
    assert_false(same(&m, &other));
    other = m;
    other.properties = m.headers;
    other.headers = m.properties;
    assert_false(same(&m, &other));
    other = m;
    other.key = BYTES_LITERAL("kp");
    other.payload = BYTES_LITERAL("");
    assert_false(same(&m, &other));
}

static void what_the_broker_counts_or_says_of_a_delivery_does_not(void **state)
{
    (void)state;
    struct header h[] = {text_header("a", "1"),
                         {BYTES_LITERAL("x-delivery-count"), {.type = VALUE_INT64, .i = 4}}};
    struct message m = {.payload = BYTES_LITERAL("p"), .headers = {h, 1}}, again = m;
    again.headers.count = 2;
    again.flags = MESSAGE_REDELIVERED;
    again.received_ns = 17;
    again.position = (struct position){.kind = POSITION_OFFSET, .offset = 4};
    assert_true(same(&m, &again));
    m.headers = (struct headers){NULL, 0};
    again.headers = (struct headers){h + 1, 1}; /* a table that the broker has made for its counter */
    assert_true(same(&m, &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_the_sender_sent_counts),
        cmocka_unit_test(what_the_broker_counts_or_says_of_a_delivery_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
