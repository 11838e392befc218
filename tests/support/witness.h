/* cJSON as a witness of the JSON reader and writer: it was written by others, so that it doesn't share our mistakes. */
#ifndef TESTS_SUPPORT_WITNESS_H
#define TESTS_SUPPORT_WITNESS_H

#include "base/bytes.h"

/* How the tree that cJSON reads differs from our reader's, as a static sentence; NULL: both read the same. So does what
 * cJSON cannot read: deeper than WITNESS_DEPTH, numbers over 62 bytes, lone surrogates (and U+FFFD beside an escape, which
 * looks like one). A string ends at its first NUL, as all of cJSON's do. */
const char *witness_objects(struct bytes text);

#define WITNESS_DEPTH 900 /* cJSON's own limit is 1000 */

#endif
