/* Sorts more than memory holds: runs of records are sorted in memory, written (spill.h) and merged. Floor 4. One thread at a time. */
#ifndef SIGNALBOX_OPERATIONS_SORTER_H
#define SIGNALBOX_OPERATIONS_SORTER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SORTER_RECORD 1024 /* bytes of the longest record */

/* Records begin with a uint64_t, by which they are sorted first. This compares two for which it is the same: negative, 0, positive. */
typedef int sorter_compare(const void *a, const void *b);

struct sorter;

/* memory: bytes that it may take, at least 2 MiB, of which it touches what it needs. NULL: no memory. */
struct sorter *sorter_new(size_t memory, sorter_compare *compare);
void sorter_free(struct sorter **s);
/* Copies a record, of whole eights of bytes. ERR_IO. */
enum err sorter_add(struct sorter *s, const void *record, size_t len, struct err_info *err) SB_MUST_USE;
/* There are no more; sorter_next begins. */
enum err sorter_begin(struct sorter *s, struct err_info *err) SB_MUST_USE;
/* The next one in order, aligned to eight, valid until the next call. ERR_END: there are no more. */
enum err sorter_next(struct sorter *s, const void **record, size_t *len, struct err_info *err);
size_t sorter_runs(const struct sorter *s); /* written ones, of which a merge is to read */

#endif
