/* The bytes behind a field of plain output: what a script does with it. */
#ifndef TESTS_SUPPORT_UNESCAPE_H
#define TESTS_SUPPORT_UNESCAPE_H

#include "base/buffer.h"

/* Appends them. False: a byte stands there that plain output never has, or an escape that it does not know. */
bool unescape(struct buffer *into, struct bytes field);

#endif
