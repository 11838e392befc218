/* The helper that makes allocations fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/alloc.h"

/* Three allocations; frees all that it got. */
static int thing(void)
{
    int result = -1;
    char *a = malloc(10), *b = a != NULL ? calloc(2, 5) : NULL, *c = b != NULL ? strdup("x") : NULL;
    if (c != NULL)
        result = 0;
    free(c);
    free(b);
    free(a);
    return result;
}

static void each_fails_once(void **state)
{
    long n;
    (void)state;
    for (n = 1; n < 100; n++) {
        alloc_fail(n);
        int result = thing();
        if (!alloc_failed()) {
            assert_int_equal(result, 0);
            break;
        }
        assert_int_equal(result, -1);
    }
    assert_int_equal(n, 4);
    assert_int_equal(alloc_count(), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
