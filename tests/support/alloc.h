/* Makes allocations fail, one after the other, to prove that each failure is an error and no more.
 *
 * A test that includes this has a file beside it, test_NAME.flags, with the one line
 *     -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup,--wrap=reallocarray
 * and does
 *     for (long n = 1;; n++) {
 *         alloc_fail(n);
 *         ... the thing; it succeeds or gives its error, and frees what it had ...
 *         if (!alloc_failed())
 *             break;   // it needed fewer than n allocations
 *     }
 * Only calls from our own objects are seen, not those inside of libraries. */
#ifndef TESTS_SUPPORT_ALLOC_H
#define TESTS_SUPPORT_ALLOC_H

#include <stdbool.h>

/* The Nth allocation of any thread from now on fails (once); 0 lets all succeed. */
void alloc_fail(long n);

/* Whether it came to that. Allocations succeed again afterwards. */
bool alloc_failed(void);

/* Allocations since alloc_fail. */
long alloc_count(void);

#endif
