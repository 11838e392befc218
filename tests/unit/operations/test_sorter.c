#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "operations/sorter.h"

#include <stdlib.h>

enum { WORDS = 32 };

static int by_second(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

/* Sorts so many, of which eight have each first key; the second counts. *runs: how many a merge has to read. */
static void sort(uint64_t count, size_t words, size_t *runs)
{
    struct sorter *s = sorter_new(2 * MIB, by_second);
    struct err_info err = {.code = ERR_OK};
    uint64_t record[WORDS] = {0}, before[2] = {0, 0}, n = 0, sum = 0;
    const void *next;
    size_t len;
    assert_non_null(s);
    for (uint64_t i = 0; i < count; i++) {
        record[0] = (i * UINT64_C(0x9E3779B97F4A7C15)) >> 40 << 3;
        record[1] = count - i;
        assert_int_equal(sorter_add(s, record, words * 8, &err), ERR_OK);
    }
    assert_int_equal(sorter_begin(s, &err), ERR_OK);
    *runs = sorter_runs(s);
    enum err e;
    while (!(e = sorter_next(s, &next, &len, &err))) {
        const uint64_t *r = next;
        assert_int_equal(len, words * 8);
        if (n && (r[0] < before[0] || (r[0] == before[0] && r[1] <= before[1])))
            fail_msg("record %llu is out of order", (unsigned long long)n);
        memcpy(before, r, sizeof before);
        sum += r[1];
        n++;
    }
    assert_int_equal(e, ERR_END);
    assert_int_equal(n, count);
    assert_int_equal(sum, count * (count + 1) / 2);
    sorter_free(&s);
}

static void what_fits_is_not_written(void **state)
{
    (void)state;
    size_t runs;
    sort(0, 2, &runs);
    sort(1, 2, &runs);
    sort(3000, WORDS, &runs);
    assert_int_equal(runs, 0);
}

static void runs_are_merged(void **state)
{
    (void)state;
    size_t runs;
    sort(50000, WORDS, &runs);
    assert_in_range(runs, 12, 14);
}

/* Sixty-four runs become one: that many files are read at once, and no more, whatever there is to sort. */
static void runs_become_runs(void **state)
{
    (void)state;
    size_t runs;
    sort(300000, WORDS, &runs);
    assert_in_range(runs, 2, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_not_written),
        cmocka_unit_test(runs_are_merged),
        cmocka_unit_test(runs_become_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
