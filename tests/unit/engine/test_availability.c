#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/histogram.h"
#include "engine/prober.h"

#include <string.h>

static struct availability a;
static int64_t now;

static int setup(void **state)
{
    (void)state;
    now = INT64_C(1770000000) * NS_PER_S;
    return availability_init(&a, 3, 2, 800 * NS_PER_MS, 17 * NS_PER_S, NULL);
}

static int teardown(void **state)
{
    (void)state;
    availability_free(&a);
    return 0;
}

static bool feed(enum health health, int64_t ms)
{
    now += 5 * NS_PER_S;
    struct sample s = {
        .health = health, .error = health == HEALTH_DOWN ? ERR_TIMEOUT : ERR_OK, .time_ns = now};
    phases_init(&s.phases);
    s.phases.total = ms * NS_PER_MS;
    if (health == HEALTH_DOWN)
        memcpy(s.reason, "deadline exceeded", sizeof "deadline exceeded");
    return availability_sample(&a, &s);
}

static void unknown_until_the_first_good_sample(void **state)
{
    (void)state;
    assert_int_equal(a.state, HEALTH_UNKNOWN);
    assert_true(feed(HEALTH_UP, 10));
    assert_int_equal(a.state, HEALTH_UP);
}

static void one_failure_is_no_outage(void **state)
{
    (void)state;
    feed(HEALTH_UP, 10);
    assert_false(feed(HEALTH_DOWN, 0));
    assert_false(feed(HEALTH_DOWN, 0));
    assert_false(feed(HEALTH_UP, 10));
    assert_false(feed(HEALTH_DOWN, 0));
    int64_t first = now;
    assert_false(feed(HEALTH_DOWN, 0));
    assert_int_equal(a.state, HEALTH_UP);
    assert_true(feed(HEALTH_DOWN, 0));
    assert_int_equal(a.state, HEALTH_DOWN);
    assert_string_equal(a.changes[0].reason, "deadline exceeded, 3 of 3 probes");
    assert_int_equal(a.changes[0].time_ns, now);
    assert_int_equal(a.since_ns, first);
    assert_false(a.since_before);
    assert_false(feed(HEALTH_DOWN, 0));
    assert_int_equal(a.since_ns, first);
}

/* The first look finds it so: it may have been so for long. */
static void what_was_never_otherwise_is_older_than_it_was_seen(void **state)
{
    (void)state;
    feed(HEALTH_DOWN, 0);
    int64_t first = now;
    feed(HEALTH_DOWN, 0);
    assert_true(feed(HEALTH_DOWN, 0));
    assert_true(a.since_before);
    assert_int_equal(a.since_ns, first);
    feed(HEALTH_UP, 10);
    first = now;
    assert_true(feed(HEALTH_UP, 10));
    assert_false(a.since_before);
    assert_int_equal(a.since_ns, first);
    now += 60 * NS_PER_S;
    assert_true(availability_tick(&a, now));
    assert_true(feed(HEALTH_UP, 10)); /* since when, nobody saw */
    assert_true(a.since_before);
    availability_free(&a);
    assert_int_equal(setup(NULL), 0);
    feed(HEALTH_DOWN, 0);
    assert_true(feed(HEALTH_UP, 10));
    assert_false(a.since_before);
}

static void one_success_is_no_recovery(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        feed(HEALTH_DOWN, 0);
    assert_int_equal(a.state, HEALTH_DOWN);
    assert_false(feed(HEALTH_UP, 10));
    assert_false(feed(HEALTH_DOWN, 0));
    assert_false(feed(HEALTH_UP, 10));
    assert_true(feed(HEALTH_UP, 10));
    assert_int_equal(a.state, HEALTH_UP);
    assert_int_equal(a.change_count, 2);
}

static void slow_is_degraded_both_ways_with_hysteresis(void **state)
{
    (void)state;
    feed(HEALTH_UP, 10);
    assert_false(feed(HEALTH_UP, 1840));
    assert_false(feed(HEALTH_UP, 10));
    assert_false(feed(HEALTH_UP, 1840));
    assert_true(feed(HEALTH_UP, 1841));
    assert_int_equal(a.state, HEALTH_DEGRADED);
    assert_string_equal(a.changes[0].reason, "1841 ms, threshold 800 ms");
    assert_false(feed(HEALTH_UP, 10));
    assert_true(feed(HEALTH_UP, 10));
    assert_int_equal(a.state, HEALTH_UP);
}

static void silence_is_unknown_not_up(void **state)
{
    (void)state;
    feed(HEALTH_UP, 10);
    assert_false(availability_tick(&a, now + 16 * NS_PER_S));
    assert_true(availability_tick(&a, now + 17 * NS_PER_S));
    assert_int_equal(a.state, HEALTH_UNKNOWN);
    assert_false(availability_tick(&a, now + 18 * NS_PER_S));
    now += 60 * NS_PER_S;
    assert_true(feed(HEALTH_UP, 10));
}

static void a_cancelled_run_says_nothing(void **state)
{
    (void)state;
    struct sample s = {.health = HEALTH_DOWN, .error = ERR_CANCELLED, .time_ns = now};
    phases_init(&s.phases);
    assert_false(availability_sample(&a, &s));
    assert_int_equal(a.runs, 0);
}

static void columns_are_minutes(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++)
        feed(i == 23 ? HEALTH_DOWN : HEALTH_UP, 10 + i);
    assert_int_equal(a.columns[HEALTH_COLUMNS - 1].minute, now / NS_PER_S / 60);
    unsigned runs = 0, failed = 0;
    for (int i = 0; i < HEALTH_COLUMNS; i++) {
        runs += a.columns[i].runs;
        failed += a.columns[i].failed;
    }
    assert_int_equal(runs, 24);
    assert_int_equal(failed, 1);
    now += 3600 * NS_PER_S;
    feed(HEALTH_UP, 10);
    assert_int_equal(a.columns[0].runs, 0);
}

static void percentiles_are_within_two_percent(void **state)
{
    (void)state;
    struct histogram *h = histogram_new();
    assert_int_equal(histogram_percentile(h, 50), -1);
    for (int64_t i = 1; i <= 100000; i++)
        histogram_add(h, i * 10000);
    for (int p = 1; p <= 99; p++) {
        double expected = p * 1000.0 * 10000, got = (double)histogram_percentile(h, p);
        assert_true(got > expected * 0.98 && got < expected * 1.02);
    }
    histogram_add(h, INT64_MAX);
    histogram_add(h, -5);
    assert_int_equal(histogram_count(h), 100002);
    histogram_free(&h);
}

/* A verdict takes three, but that nothing good came is no waiting. */
static void a_first_failure_is_said_before_the_verdict(void **state)
{
    char text[240];
    (void)state;
    assert_false(availability_fails(&a));
    assert_false(feed(HEALTH_DOWN, 0));
    assert_true(availability_fails(&a));
    assert_string_equal(availability_reason(&a, text, sizeof text), "deadline exceeded, 1 of 3 probes");
    assert_true(feed(HEALTH_UP, 10)); /* one good one settles it */
    assert_false(availability_fails(&a));
    assert_false(feed(HEALTH_DOWN, 0)); /* it was up: no outage yet */
    assert_false(availability_fails(&a));
}

/* Beside a state that still stands the run that speaks against it is counted, both ways. */
static void a_turn_is_counted(void **state)
{
    char text[240];
    (void)state;
    feed(HEALTH_UP, 10);
    assert_string_equal(availability_turn(&a, text, sizeof text), "");
    feed(HEALTH_DOWN, 0);
    assert_string_equal(availability_turn(&a, text, sizeof text), "failing 1 of 3");
    feed(HEALTH_DOWN, 0);
    assert_string_equal(availability_reason(&a, text, sizeof text), "deadline exceeded; failing 2 of 3");
    feed(HEALTH_DOWN, 0);
    assert_string_equal(availability_turn(&a, text, sizeof text), "");
    feed(HEALTH_UP, 10);
    assert_string_equal(availability_turn(&a, text, sizeof text), "up 1 of 2");
    feed(HEALTH_UP, 10);
    assert_string_equal(availability_turn(&a, text, sizeof text), "");
}

/* What is said of a state that lasts is as new as its samples. */
static void a_reason_is_that_of_the_newest_sample(void **state)
{
    char text[240];
    (void)state;
    feed(HEALTH_UP, 901);
    assert_string_equal(availability_reason(&a, text, sizeof text), "last 901 ms, threshold 800 ms");
    feed(HEALTH_UP, 905);
    assert_string_equal(availability_reason(&a, text, sizeof text), "last 905 ms, threshold 800 ms");
    feed(HEALTH_DOWN, 0);
    assert_string_equal(availability_reason(&a, text, sizeof text),
                        "901 ms, threshold 800 ms; failing 1 of 3");
    feed(HEALTH_DOWN, 0);
    feed(HEALTH_DOWN, 0);
    assert_string_equal(availability_reason(&a, text, sizeof text), "deadline exceeded, 3 of 3 probes");
    feed(HEALTH_DOWN, 0);
    assert_string_equal(availability_reason(&a, text, sizeof text), "deadline exceeded, 3 of 3 probes");
    struct sample other = {.health = HEALTH_DOWN, .error = ERR_CLOSED, .time_ns = now, .reason = "hung up"};
    availability_sample(&a, &other);
    assert_string_equal(availability_reason(&a, text, sizeof text), "hung up");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unknown_until_the_first_good_sample),
        TEST(one_failure_is_no_outage),
        TEST(what_was_never_otherwise_is_older_than_it_was_seen),
        TEST(one_success_is_no_recovery),
        TEST(slow_is_degraded_both_ways_with_hysteresis),
        TEST(silence_is_unknown_not_up),
        TEST(a_cancelled_run_says_nothing),
        TEST(columns_are_minutes),
        TEST(percentiles_are_within_two_percent),
        TEST(a_first_failure_is_said_before_the_verdict),
        TEST(a_turn_is_counted),
        TEST(a_reason_is_that_of_the_newest_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
