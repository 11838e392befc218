/* What views share in drawing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "ui/paint.h"

static void an_address_shows_its_end(void **state)
{
    static const struct {
        const char *name;
        int cells;
        const char *shown;
    } rows[] = {
        {"kafka://10.0.0.7:9092", 21, "kafka://10.0.0.7:9092"},
        {"kafka://10.0.0.7:9092", 20, "10.0.0.7:9092"},
        {"kafka://10.0.0.7:9092", 13, "10.0.0.7:9092"},
        {"kafka://10.0.0.7:9092", 12, "….0.0.7:9092"},
        {"kafka://10.0.0.7:9092/orders", 15, "….7:9092/orders"},
        {"rabbitmq://10.0.0.7:5672?management=http://h:15672", 26, "rabbitmq://10.0.0.7:5672…"},
        {"rabbitmq://10.0.0.7:5672?management=http://h:15672", 24, "10.0.0.7:5672…"},
        {"rabbitmq://10.0.0.7:5672?management=http://h:15672", 12, "…0.0.7:5672…"},
        {"rabbitmq://10.0.0.7:5672?management=http://h:15672", 1, "…"},
        {"kafka://h/日本語", 5, "…本語"},
        {"kafka://h/日本語", 1, "…"},
        {"orders-kafka-of-the-shop", 10,
         "orders-kafka-of-the-shop"}, /* a name's beginning tells: cut where it is drawn */
    };
    char into[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *shown = paint_name(rows[i].name, rows[i].cells, into, sizeof into);
        assert_string_equal(shown, rows[i].shown);
        if (shown == into)
            assert_true((int)utf8_cells(bytes_of_text(shown)) <= rows[i].cells);
    }
}

/* Two channels of two brokers differ in few cells. */
static void a_source_keeps_its_channel(void **state)
{
    static const struct {
        const char *endpoint, *channel;
        int cells;
        const char *shown;
    } rows[] = {
        {"rabbit-1", "orders", 15, "rabbit-1/orders"}, {"rabbit-1", "orders", 14, "r…bit-1/orders"},
        {"rabbit-2", "payments", 12, "r…2/payments"},  {"rabbit-2", "payments", 5, "r…2/payments"},
        {"日本語語", "orders", 14, "日…語語/orders"},  {"k", "orders", 3, "k/orders"},
    };
    char into[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(paint_source(rows[i].endpoint, rows[i].channel, rows[i].cells, into, sizeof into),
                            rows[i].shown);
}

static void more_than_nothing_is_no_age(void **state)
{
    struct frame f = {.now_ns = 100 * NS_PER_S, .wakeup_ns = INT64_MAX};
    char text[16];
    (void)state;
    assert_string_equal(paint_since(&f, f.now_ns, true, text, sizeof text), "0s");
    assert_string_equal(paint_since(&f, f.now_ns - NS_PER_S, true, text, sizeof text), ">1s");
    assert_string_equal(paint_since(&f, f.now_ns - NS_PER_S, false, text, sizeof text), "1s");
}

/* To the byte where that fits, then in the measure that all other places have. */
static void a_size_fits_its_column(void **state)
{
    static const struct {
        uint64_t bytes;
        int cells;
        const char *shown;
    } rows[] = {
        {0, 6, "0"},
        {99999, 6, "99,999"},
        {100000, 6, "97.7Ki"},
        {100000, 8, "100,000"},
        {1023999, 6, "1000Ki"},
        {1048575, 6, "1.0Mi"},
        {5767168, 6, "5.5Mi"},
        {5767168, 8, "5.5 MiB"},
        {104857599, 6, "100Mi"},
        {1099511627776, 6, "1.0Ti"},
    };
    char into[32];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(paint_bytes(rows[i].bytes, rows[i].cells, into, sizeof into), rows[i].shown);
}

/* An outage shorter than a minute is one. */
static void a_minute_with_a_failure_shows_it(void **state)
{
    struct availability a;
    struct canvas c;
    struct frame f = {.canvas = &c, .now_ns = 100 * 60 * NS_PER_S + 59 * NS_PER_S, .wakeup_ns = INT64_MAX};
    struct buffer dump;
    (void)state;
    canvas_init(&c);
    assert_true(canvas_resize(&c, 3, 1));
    assert_int_equal(availability_init(&a, 3, 2, 0, 0, NULL), ERR_OK);
    for (int i = 0; i < 24; i++) {
        struct sample s = {.health = i == 7 ? HEALTH_DOWN : HEALTH_UP,
                           .time_ns = 99 * 60 * NS_PER_S + (int64_t)i * 5 * NS_PER_S};
        phases_init(&s.phases);
        s.phases.total = NS_PER_MS;
        availability_sample(&a, &s);
    }
    paint_minutes(&f, 0, 0, 3, &a);
    buffer_init(&dump, 1000);
    canvas_dump(&c, false, &dump);
    assert_string_equal(buffer_cstr(&dump), "·×▁\n");
    buffer_free(&dump);
    availability_free(&a);
    canvas_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_shows_its_end),         cmocka_unit_test(a_size_fits_its_column),
        cmocka_unit_test(a_source_keeps_its_channel),       cmocka_unit_test(more_than_nothing_is_no_age),
        cmocka_unit_test(a_minute_with_a_failure_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
