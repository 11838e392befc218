#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/regex.h"

static void times_are_written_as_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {-1, "1969-12-31T23:59:59.999999999Z"},
                 {INT64_C(1795349070118000000), "2026-11-22T12:04:30.118Z"},
                 {INT64_C(1795349070118001000), "2026-11-22T12:04:30.118001Z"},
                 {INT64_MAX, "2262-04-11T23:47:16.854775807Z"}};
    char text[36], whole[36];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(clock_rfc3339(cases[i].ns, text, sizeof text), cases[i].text);
        snprintf(whole, sizeof whole, "%.19sZ", cases[i].text);
        assert_string_equal(clock_rfc3339_seconds(cases[i].ns, text, sizeof text), whole);
    }
    assert_string_equal(clock_hms(cases[2].ns, text, sizeof text, 3), "12:04:30.118");
    assert_string_equal(clock_hms(cases[2].ns, text, sizeof text, 0), "12:04:30");
}

/* A walk in steps of a prime through all the years that nanoseconds reach. */
static void every_time_comes_back_and_agrees_with_the_library(void **state)
{
    (void)state;
    char text[CLOCK_TEXT], expected[64];
    const int64_t step = INT64_C(86399999999999) * 13;
    for (int64_t ns = INT64_MIN + 1, read = 0; ns < INT64_MAX - step; ns += step) {
        time_t s = (time_t)(ns / NS_PER_S - (ns % NS_PER_S < 0));
        struct tm tm;
        gmtime_r(&s, &tm);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.", &tm);
        clock_rfc3339(ns, text, sizeof text);
        assert_memory_equal(text, expected, 20);
        if (!clock_parse(text, 0, &read) || read != ns)
            fail_msg("%lld became %s and %lld", (long long)ns, text, (long long)read);
    }
}

static void times_are_read_strictly(void **state)
{
    (void)state;
    static const int64_t now = INT64_C(1795349070118000000);
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"2026-11-22T12:04:30.118Z", now},
                {"2026-11-22T13:04:30.118+01:00", now},
                {"2026-11-22t07:04:30.118-05:00", now},
                {"1970-01-01T00:00:00Z", 0},
                {"2024-02-29T00:00:00Z", INT64_C(1709164800000000000)},
                {"2016-12-31T23:59:60Z", INT64_C(1483228800000000000)},
                {"-15m", now - 900 * NS_PER_S},
                {"2262-04-11T23:47:16.854775807Z", INT64_MAX},
                {"1677-09-21T00:12:43.145224193Z", INT64_MIN + 1},
                {"-2h", now - 7200 * NS_PER_S}};
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "-15",
                                      "15m",
                                      "2026-11-22",
                                      "2026-11-22T12:04:30",
                                      "2026-13-22T12:04:30Z",
                                      "2026-02-30T00:00:00Z",
                                      "2025-02-29T00:00:00Z",
                                      "2026-11-22T24:00:00Z",
                                      "2026-11-22T12:04:30.Z",
                                      "2026-11-22T12:04:30Zx",
                                      "2262-04-11T23:47:16.854775808Z",
                                      "1677-09-21T00:12:42Z",
                                      "9999-12-31T23:59:59Z",
                                      "0000-01-01T00:00:00Z"};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!clock_parse(good[i].text, now, &ns) || ns != good[i].ns)
            fail_msg("%s: %lld", good[i].text, (long long)ns);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (clock_parse(bad[i], now, &ns))
            fail_msg("%s was taken", bad[i]);
}

static void digests_are_the_standards(void **state)
{
    (void)state;
    uint8_t digest[SHA256_SIZE];
    static const uint8_t standard[SHA256_SIZE] = /* FIPS 180-2 */
        "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
        "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad";
    struct sha256 *s = sha256_new();
    sha256_add(s, BYTES_LITERAL("a"));
    sha256_add(s, BYTES_LITERAL("bc"));
    sha256_end(&s, digest);
    assert_null(s);
    assert_memory_equal(digest, standard, sizeof digest);
    s = sha256_new();
    sha256_end(&s, NULL);
    assert_null(s);
    assert_true(hash_bytes(BYTES_LITERAL("a"), 1) == hash_bytes(BYTES_LITERAL("a"), 1));
    assert_true(hash_bytes(BYTES_LITERAL("a"), 1) != hash_bytes(BYTES_LITERAL("a"), 2));
    assert_true(hash_bytes(BYTES_LITERAL("a"), 1) != hash_bytes(BYTES_LITERAL("a\0"), 1));
}

static void patterns_take_any_bytes(void **state)
{
    (void)state;
    struct err_info err;
    size_t start, end;
    struct regex *re = regex_new(BYTES_LITERAL("zo\u00cb"), true, &err);
    assert_true(regex_match(re, BYTES_LITERAL("\xff ZO\u00eb"), &start, &end));
    assert_int_equal(start, 2);
    assert_int_equal(end, 6);
    assert_false(regex_match(re, BYTES_NULL, NULL, NULL));
    regex_free(&re);
    assert_null(re);
    assert_null(regex_new(BYTES_LITERAL("ab["), false, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.where, "column 4 of the pattern");
}

static void a_costly_match_ends(void **state)
{
    (void)state;
    char text[64];
    memset(text, 'a', sizeof text);
    struct regex *re = regex_new(BYTES_LITERAL("^(a+)+$"), false, NULL);
    text[63] = 'b';
    assert_false(regex_match(re, bytes_of(text, sizeof text), NULL, NULL));
    regex_free(&re);
}

static void log_lines_are_scrubbed_and_numbered(void **state)
{
    (void)state;
    uint64_t oldest, newest, before;
    struct log_line line;
    log_range(&oldest, &before);
    log_write(LOG_WARN, "k", "evil \x1b[2J %d", 7);
    log_range(&oldest, &newest);
    assert_int_equal(newest, before + 1);
    assert_true(log_get(newest, &line));
    assert_string_equal(line.text, "evil \\x1b[2J 7");
    assert_string_equal(line.source, "k");
    assert_string_equal(log_level_name(line.level), "WARN");
    assert_false(log_get(newest + 1, &line));
    assert_false(log_get(0, &line));
    for (int i = 0; i < 5000; i++)
        log_write(LOG_INFO, "k", "line %d", i);
    log_range(&oldest, &newest);
    assert_true(log_get(oldest, &line) && !log_get(oldest - 1, &line));
    assert_true(log_get(newest, &line));
    assert_string_equal(line.text, "line 4999");
}

static void a_fake_clock_moves_only_by_hand(void **state)
{
    (void)state;
    clock_fake(1000);
    int64_t mono = clock_mono_ns();
    clock_fake_advance(5 * NS_PER_MS);
    assert_int_equal(clock_wall_ns(), 1000 + 5 * NS_PER_MS);
    assert_int_equal(clock_mono_ns() - mono, 5 * NS_PER_MS);
    mono = clock_mono_ns();
    assert_int_equal(clock_poll_ms(INT64_MAX), -1);
    assert_int_equal(clock_poll_ms(mono), 0);
    assert_int_equal(clock_poll_ms(mono + 1), 1);
    assert_int_equal(clock_poll_ms(mono + 250 * NS_PER_MS), 250);
}

/* A library's lines come by the dozen: what it repeats is one line that counts, until something else happened to its source. */
static void chatter_is_folded(void **state)
{
    (void)state;
    uint64_t oldest, before, newest, writes = log_writes();
    struct log_line line;
    log_range(&oldest, &before);
    for (int i = 0; i < 7; i++) {
        clock_fake(i * NS_PER_S);
        log_chatter(LOG_WARN, "broker", "FAIL: refused");
        log_chatter(LOG_WARN, "broker", "ERROR: all down");
        log_chatter(LOG_WARN, "other", "FAIL: refused");
    }
    log_range(&oldest, &newest);
    assert_int_equal(newest, before + 3);
    assert_int_equal(log_writes(), writes + 21);
    assert_true(log_get(before + 1, &line));
    assert_int_equal(line.kind, LOG_CHATTER);
    assert_int_equal(line.times, 7);
    assert_int_equal(line.time_ns, 0);
    assert_int_equal(line.last_ns, 6 * NS_PER_S);
    log_change(LOG_ERROR, "broker", "up -> down");
    log_change(LOG_ERROR, "broker", "up -> down"); /* two outages are two lines */
    log_chatter(LOG_WARN, "broker", "FAIL: refused");
    log_range(&oldest, &newest);
    assert_int_equal(newest, before + 6);
    assert_true(log_get(newest, &line) && line.times == 1);
    clock_fake(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_as_rfc_3339),
        cmocka_unit_test(every_time_comes_back_and_agrees_with_the_library),
        cmocka_unit_test(times_are_read_strictly),
        cmocka_unit_test(digests_are_the_standards),
        cmocka_unit_test(patterns_take_any_bytes),
        cmocka_unit_test(a_costly_match_ends),
        cmocka_unit_test(log_lines_are_scrubbed_and_numbered),
        cmocka_unit_test(a_fake_clock_moves_only_by_hand), /* the last one: there is no way back */
        cmocka_unit_test(chatter_is_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
