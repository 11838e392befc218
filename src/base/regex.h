/* Regular expressions over bytes. Floor 0; the one door to PCRE2. */
#ifndef SIGNALBOX_BASE_REGEX_H
#define SIGNALBOX_BASE_REGEX_H

#include "base/bytes.h"
#include "base/err.h"

struct regex;

/* Compiled with JIT, UTF where the pattern is valid UTF-8 (subjects may be anything: MATCH_INVALID_UTF), with match and
 * depth limits. err->where is the offset in the pattern. */
struct regex *regex_new(struct bytes pattern, bool ignore_case, struct err_info *err);
void regex_free(struct regex **re);
enum regex_found { REGEX_NONE, REGEX_FOUND, REGEX_UNSURE /* its limits, or no memory: nobody knows */ };
/* The first match at or behind `from`. Any thread, many at once. start and end may be NULL. */
enum regex_found regex_find(const struct regex *re, struct bytes subject, size_t from, size_t *start,
                            size_t *end);
/* Any thread, many at once. A match that runs into its limits is no match. start and end may be NULL. */
bool regex_match(const struct regex *re, struct bytes subject, size_t *start, size_t *end);

#endif
