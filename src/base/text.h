/* Text of the C kind: copies that are cut and never overrun, units, nearest names. Floor 0. Any thread. */
#ifndef SIGNALBOX_BASE_TEXT_H
#define SIGNALBOX_BASE_TEXT_H

#include "base/bytes.h"

/* Copy, cut at a UTF-8 boundary, always terminated. Returns into. */
char *text_copy(char *into, size_t size, const char *from);
char *text_copy_bytes(char *into, size_t size, struct bytes from);
/* The same for people: a cut is at the end of a word where one is near, and has an ellipsis. */
char *text_shorten(char *into, size_t size, const char *from);
bool text_starts(const char *text, const char *prefix);
char *text_lower(char *text);                         /* ASCII, in place; returns text */
bool text_equal_nocase(const char *a, const char *b); /* ASCII */
/* Shell-like pattern: * and ?; "" and NULL match everything. */
bool text_glob(const char *pattern, const char *text);
/* The name in the NULL-terminated list that alone begins with text, or the nearest to it by edit distance; NULL when none is near
 * enough to suggest. */
const char *text_nearest(const char *text, const char *const *names);

/* Strict parsers of a whole string: false where it isn't exactly one such thing. */
bool text_int64(const char *text, int64_t *value);
bool text_double(const char *text, double *value);
bool text_duration(const char *text, int64_t *ns); /* 250ms 5s 5m 1h 2d; a bare number is seconds */
bool text_size(const char *text, uint64_t *bytes); /* 10k (1000) 2MiB 512B; a bare number is bytes */

/* Formats for people; each returns into. */
char *text_count(char *into, size_t size, uint64_t n);     /* 18,402 */
char *text_bytes(char *into, size_t size, uint64_t bytes); /* 4.1 MiB */
char *text_age(char *into, size_t size,
               int64_t ns); /* 4s 25s 2m 3h04m 2d01h: steps of 1 s to 10 s, 5 s to a minute, then minutes */
char *text_ms(char *into, size_t size, int64_t ns); /* 12 or 0.4 or 1,840 (milliseconds) */

/* The shortest decimal form that reads back as the same number; an exponent only below 0.0001 and from 1e17 on. inf and nan otherwise.
 * Returns into. */
char *text_shortest(char *into, size_t size, double value);

#endif
