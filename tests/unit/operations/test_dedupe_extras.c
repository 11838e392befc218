#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "operations/dedupe_extras.h"
#include "operations/position_set.h"

#include <stdlib.h>

static const struct position nowhere = {.kind = POSITION_NONE};

static const uint8_t *identity(char letter)
{
    static uint8_t of[256][IDENTITY_SIZE];
    memset(of[(uint8_t)letter], letter, IDENTITY_SIZE);
    return of[(uint8_t)letter];
}

/* A group of a queue, a letter for each copy in its order; its first or last is kept. */
static void add_group(struct dedupe_extras *e, const char *letters, bool keep_last)
{
    size_t n = strlen(letters);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(dedupe_extras_add(e, nowhere, identity(letters[i]), NULL), ERR_OK);
    assert_int_equal(dedupe_extras_keep(e, nowhere, identity(letters[keep_last ? n - 1 : 0]), NULL), ERR_OK);
}

/* What becomes of a queue: '.' stays, 'x' may go, 'L' is the last one that is left. */
static void expect(struct dedupe_extras *e, const char *queue, const char *becomes)
{
    static const char marks[] = {[EXTRA_NOT] = '.', [EXTRA_IS] = 'x', [EXTRA_LAST] = 'L'};
    char got[64] = "";
    if (dedupe_extras_wants_look(e))
        for (size_t i = 0; queue[i]; i++)
            dedupe_extras_seen(e, identity(queue[i]));
    for (size_t i = 0; queue[i]; i++)
        got[i] = marks[dedupe_extras_judge(e, nowhere, identity(queue[i]))];
    if (strcmp(got, becomes) != 0)
        fail_msg("%s became %s, not %s", queue, got, becomes);
}

/* What was made, and what comes back of it from the disk. */
static void expect_both(struct dedupe_extras *e, const char *queue, const char *becomes)
{
    struct buffer out;
    struct err_info err;
    buffer_init(&out, MIB);
    dedupe_extras_write(e, &out);
    struct dedupe_extras *again = dedupe_extras_read(buffer_view(&out), &err);
    if (!again)
        fail_msg("%s", err.text);
    assert_int_equal(dedupe_extras_count(again), dedupe_extras_count(e));
    expect(again, queue, becomes);
    expect(e, queue, becomes);
    dedupe_extras_free(&again);
    dedupe_extras_free(&e);
    buffer_free(&out);
}

static struct dedupe_extras *three_a_two_b(bool keep_last)
{
    struct dedupe_extras *e = dedupe_extras_new(keep_last);
    add_group(e, "aab", keep_last); /* a and b: the same value, two bodies */
    add_group(e, "cc", keep_last);
    assert_int_equal(dedupe_extras_count(e), 3);
    return e;
}

static void the_first_stays(void **state)
{
    (void)state;
    expect_both(three_a_two_b(false), "adabcc", "..xx.x");
    expect_both(three_a_two_b(false), "abcc", ".x.x"); /* the first one has been consumed meanwhile */
    expect_both(three_a_two_b(false), "bcc", "L.x");
    expect_both(three_a_two_b(false), "c", ".");
    expect_both(three_a_two_b(false), "aabccabc", ".xx.x..."); /* some more have come */
}

static void the_last_stays(void **state)
{
    (void)state;
    expect_both(three_a_two_b(true), "adabcc", "x.x.x.");
    expect_both(three_a_two_b(true), "abcc", "x.x.");
    expect_both(three_a_two_b(true), "bc", "..");
    expect_both(three_a_two_b(true), "aacc", "LLx.");         /* what was to be kept has gone */
    expect_both(three_a_two_b(true), "aabccabc", "xx.x...."); /* some more have come */
}

static void it_goes_on_after_a_crash(void **state)
{
    (void)state;
    struct dedupe_extras *e = three_a_two_b(false);
    dedupe_extras_removed(e, identity('a'));
    dedupe_extras_removed(e, identity('b'));
    assert_int_equal(dedupe_extras_count(e), 1);
    expect_both(e, "acca", "..x."); /* the a at the end came later */
    e = three_a_two_b(true);
    dedupe_extras_removed(e, identity('a'));
    expect_both(e, "abcc", "x.x.");
    e = three_a_two_b(true);
    dedupe_extras_removed(e, identity('c'));
    expect_both(e, "aabcc", "xx..."); /* likewise */
}

static void what_is_in_two_groups_stays(void **state)
{
    (void)state;
    struct dedupe_extras *e = dedupe_extras_new(false);
    add_group(e, "ab", false);
    add_group(e, "bc", false);
    add_group(e, "dd", false);
    assert_int_equal(dedupe_extras_count(e), 2); /* c and a d */
    expect_both(e, "abbcdd", "...L" /* the first of its group that comes by and is known */ ".x");
}

static void a_damaged_list_is_refused(void **state)
{
    (void)state;
    struct dedupe_extras *e = three_a_two_b(false);
    struct err_info err;
    struct buffer out;
    buffer_init(&out, MIB);
    assert_int_equal(dedupe_extras_add(e, (struct position){POSITION_PARTITION, 3, 70000}, NULL, NULL),
                     ERR_OK);
    dedupe_extras_write(e, &out);
    for (size_t len = 0; len < out.len; len++)
        assert_null(dedupe_extras_read(bytes_of(out.data, len), &err));
    for (size_t at = 0; at < out.len; at++) {
        out.data[at] ^= 4;
        assert_null(dedupe_extras_read(buffer_view(&out), &err));
        assert_int_equal(err.code, ERR_FORMAT);
        out.data[at] ^= 4;
    }
    dedupe_extras_free(&e);
    e = dedupe_extras_read(buffer_view(&out), &err);
    assert_int_equal(dedupe_extras_judge(e, (struct position){POSITION_PARTITION, 3, 70000}, NULL), EXTRA_IS);
    dedupe_extras_free(&e);
    buffer_free(&out);
}

/* ---- positions ---- */

enum { OFFSETS = 300000, PARTITIONS = 3 };

static struct position at(int32_t partition, int64_t offset)
{
    return (struct position){POSITION_PARTITION, partition, offset};
}

/* Dense in one partition, sparse in another, a mixture in the third: against an array. */
static void a_set_is_what_an_array_would_be(void **state)
{
    (void)state;
    static bool in[PARTITIONS][OFFSETS];
    struct position_set *s = position_set_new(MIB), *again = position_set_new(MIB);
    struct buffer out;
    uint64_t random = 5, count = 0;
    size_t read = 0;
    for (int i = 0; i < 400000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        int32_t p = i % PARTITIONS;
        int64_t offset = (int64_t)((random >> 33) % OFFSETS);
        if (p == 1)
            offset = offset / 1000 * 1000;
        if (random >> 20 & 1 || i < 200000) {
            assert_int_equal(position_set_add(s, at(p, offset), NULL), ERR_OK);
            in[p][offset] = true;
        } else {
            position_set_remove(s, at(p, offset));
            in[p][offset] = false;
        }
    }
    buffer_init(&out, 8 * MIB);
    position_set_write(s, &out);
    assert_int_equal(position_set_read(again, buffer_view(&out), &read, NULL), ERR_OK);
    assert_int_equal(read, out.len);
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int64_t offset = 0; offset < OFFSETS; offset++) {
            count += in[p][offset];
            if (position_set_has(s, at(p, offset)) != in[p][offset] ||
                position_set_has(again, at(p, offset)) != in[p][offset])
                fail_msg("%d/%lld", p, (long long)offset);
        }
    assert_int_equal(position_set_count(s), count);
    assert_false(position_set_has(s, at(7, 0)));
    assert_false(position_set_has(s, at(0, (int64_t)1 << 50)));
    buffer_free(&out);
    position_set_free(&s);
    position_set_free(&again);
}

static void a_set_has_a_bound(void **state)
{
    (void)state;
    struct position_set *s = position_set_new(100 * KIB);
    struct err_info err;
    enum err e = ERR_OK;
    for (int64_t i = 0; i < 1000000 && !e; i++)
        e = position_set_add(s, at(0, i << 20), &err);
    assert_int_equal(e, ERR_LIMIT);
    position_set_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_stays),           cmocka_unit_test(the_last_stays),
        cmocka_unit_test(it_goes_on_after_a_crash),  cmocka_unit_test(what_is_in_two_groups_stays),
        cmocka_unit_test(a_damaged_list_is_refused), cmocka_unit_test(a_set_is_what_an_array_would_be),
        cmocka_unit_test(a_set_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
