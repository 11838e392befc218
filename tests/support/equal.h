/* Are headers what they were? Same types and contents, nested lists in order; doubles by their bits. */
#ifndef TESTS_SUPPORT_EQUAL_H
#define TESTS_SUPPORT_EQUAL_H

#include "model/message.h"

bool value_equal(const struct value *a, const struct value *b);
bool headers_equal(struct headers a, struct headers b);

#endif
