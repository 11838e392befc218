/* Duplicates in a tail: what is marked has passed before in the same channel, and nothing else is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "operations/dedupe_mark.h"
#include "registry.h"

static struct dedupe_mark *mark_of(const char *rule, uint32_t most)
{
    struct dedupe_mark_job job = {.rule = rule, .decoders = registry.decoders, .most_values = most};
    struct dedupe_mark *d = dedupe_mark_new(&job, NULL);
    assert_non_null(d);
    return d;
}

static enum dedupe_marked see(struct dedupe_mark *d, const char *channel, const char *key, int64_t offset)
{
    struct message m = {.origin = origin_intern("k", channel, CHANNEL_TOPIC),
                        .key = key ? bytes_of_text(key) : BYTES_NULL,
                        .payload = BYTES_LITERAL("{}")};
    if (offset >= 0)
        m.position = (struct position){POSITION_PARTITION, 0, offset};
    return dedupe_mark_see(d, &m);
}

static void what_has_passed_is_marked(void **state)
{
    (void)state;
    char text[200];
    struct dedupe_mark *d = mark_of("key", 0);
    assert_int_equal(see(d, "a", "x", 0), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "y", 1), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "x", 2), DEDUPE_MARK_AGAIN);
    assert_int_equal(see(d, "a", "x", 3), DEDUPE_MARK_AGAIN);
    assert_int_equal(see(d, "a", NULL, 4), DEDUPE_MARK_NONE); /* none is nobody's duplicate */
    assert_int_equal(see(d, "a", NULL, 5), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "", 6), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "", 7), DEDUPE_MARK_AGAIN);
    dedupe_mark_text(d, text, sizeof text);
    assert_non_null(strstr(text, "3 duplicates by key of 8 messages since "));
    assert_non_null(strstr(text, "; 2 without a value"));
    dedupe_mark_free(&d);
}

static void another_channel_has_its_own(void **state)
{
    (void)state;
    struct dedupe_mark *d = mark_of("key", 0);
    assert_int_equal(see(d, "a", "x", -1), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "b", "x", -1), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "b", "x", -1), DEDUPE_MARK_AGAIN);
    dedupe_mark_free(&d);
}

/* A connection that was lost: some of it comes once more. */
static void what_is_read_once_more_is_none(void **state)
{
    (void)state;
    struct dedupe_mark *d = mark_of("key", 0);
    assert_int_equal(see(d, "a", "x", 7), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "y", 8), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "x", 7), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "y", 8), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "y", 9), DEDUPE_MARK_AGAIN);
    dedupe_mark_free(&d);
}

static void what_was_cut_or_hidden_is_none(void **state)
{
    (void)state;
    char text[200];
    struct dedupe_mark *d = mark_of("body", 0);
    uint32_t flags[] = {MESSAGE_TRUNCATED, MESSAGE_REDACTED};
    for (int i = 0; i < 4; i++) {
        struct message m = {.origin = origin_intern("k", "a", CHANNEL_QUEUE),
                            .payload = BYTES_LITERAL("[redacted]"),
                            .flags = flags[i % 2]};
        assert_int_equal(dedupe_mark_see(d, &m), DEDUPE_MARK_NONE);
    }
    assert_non_null(strstr(dedupe_mark_text(d, text, sizeof text), "; 4 that could not be judged"));
    dedupe_mark_free(&d);
}

static void forgetting_is_said_once(void **state)
{
    (void)state;
    struct dedupe_mark *d = mark_of("key", 2);
    assert_int_equal(see(d, "a", "x", -1), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "y", -1), DEDUPE_MARK_NONE);
    assert_int_equal(see(d, "a", "z", -1), DEDUPE_MARK_FORGETS);
    assert_int_equal(see(d, "a", "x", -1), DEDUPE_MARK_NONE); /* it was forgotten */
    assert_int_equal(see(d, "a", "z", -1), DEDUPE_MARK_AGAIN);
    dedupe_mark_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_passed_is_marked),      cmocka_unit_test(another_channel_has_its_own),
        cmocka_unit_test(what_is_read_once_more_is_none), cmocka_unit_test(what_was_cut_or_hidden_is_none),
        cmocka_unit_test(forgetting_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
