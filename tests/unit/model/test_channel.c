/* Channels as a listing tells them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "model/channel.h"

static double rate(double told, int64_t before, int64_t now)
{
    struct channel a, b;
    channel_init(&a, "orders", CHANNEL_QUEUE);
    channel_init(&b, "orders", CHANNEL_QUEUE);
    a.in_total = before;
    b.in_total = now;
    b.in_rate = told;
    channel_rates_since(&a, &b, 10);
    assert_true(b.out_rate < 0); /* neither told nor counted */
    return b.in_rate;
}

static void rates_come_of_the_counters_where_nobody_tells_them(void **state)
{
    (void)state;
    assert_float_equal(rate(-1, 100, 300), 20, 1e-9);
    assert_float_equal(rate(0, 100, 300), 20, 1e-9); /* RabbitMQ between two samples */
    assert_float_equal(rate(8.4, 100, 300), 8.4, 1e-9);
    assert_float_equal(rate(-1, 100, 100), 0, 1e-9);
    assert_true(rate(-1, COUNT_UNKNOWN, 300) < 0);
    assert_true(rate(-1, 300, 100) < 0);
}

/* RabbitMQ counts what it dead-letters as nobody's publishing. */
static void what_grows_has_a_rate(void **state)
{
    struct channel a, b;
    (void)state;
    channel_init(&a, "orders.dlq", CHANNEL_QUEUE);
    a.in_total = 7;
    a.depth = 100;
    b = a;
    b.depth = 160;
    channel_rates_since(&a, &b, 10);
    assert_float_equal(b.in_rate, 6, 1e-9);
    b.in_rate = 2; /* told */
    channel_rates_since(&a, &b, 10);
    assert_float_equal(b.in_rate, 2, 1e-9);
    b.in_rate = 0;
    b.depth = 40;
    channel_rates_since(&a, &b, 10);
    assert_float_equal(b.in_rate, 0, 1e-9);
    b.depth = 160;
    a.counts_of_ns = 1; /* an old count says nothing of these seconds */
    channel_rates_since(&a, &b, 10);
    assert_float_equal(b.in_rate, 0, 1e-9);
}

static struct channel *row(struct channel_list *l, const char *name, enum channel_kind kind, double in_rate)
{
    struct channel *c = channel_list_add(l, name, kind);
    c->in_rate = in_rate;
    return c;
}

/* Twenty messages a second to an exchange with two queues are forty, not sixty. */
static void totals_count_what_an_exchange_passes_once(void **state)
{
    (void)state;
    struct channel_list *l = channel_list_new();
    struct channel_totals t = channel_list_totals(l);
    assert_true(t.in_rate < 0 && t.out_rate < 0);
    assert_int_equal(t.depth, COUNT_UNKNOWN);
    row(l, "orders", CHANNEL_EXCHANGE, 20);
    row(l, "orders.new", CHANNEL_QUEUE, 20)->depth = 7;
    row(l, "orders.audit", CHANNEL_QUEUE, 20)->depth = 5;
    struct channel *dead = row(l, "orders.dlq", CHANNEL_QUEUE, -1);
    dead->dead_letters = true;
    dead->depth = 3;
    struct channel *own = row(l, "amq.gen-1", CHANNEL_QUEUE, 100);
    own->internal = true;
    own->depth = 100;
    t = channel_list_totals(l);
    assert_float_equal(t.in_rate, 40, 1e-9);
    assert_true(t.out_rate < 0);
    assert_int_equal(t.depth, 12);
    assert_int_equal(t.dead, 3);
    assert_int_equal(t.lag, COUNT_UNKNOWN);
    channel_list_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_come_of_the_counters_where_nobody_tells_them),
        cmocka_unit_test(what_grows_has_a_rate),
        cmocka_unit_test(totals_count_what_an_exchange_passes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
