/* Memory that is freed as a whole: for one decode, one frame, one parsed file. Floor 0. One thread at a time. */
#ifndef SIGNALBOX_BASE_ARENA_H
#define SIGNALBOX_BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes handed out */
    size_t max;  /* arena_alloc returns NULL beyond */
};

void arena_init(struct arena *a, size_t max);
void arena_reset(struct arena *a); /* keeps the largest block */
void arena_free(struct arena *a);
void *arena_alloc(struct arena *a, size_t size)
    __attribute__((malloc, alloc_size(2))); /* aligned to 16, not zeroed */
void *arena_zalloc(struct arena *a, size_t size) __attribute__((malloc, alloc_size(2)));
/* Not aligned, with no gap before it. */
void *arena_pack(struct arena *a, size_t size) __attribute__((malloc, alloc_size(2)));
/* Where p, which the arena gave out, stands in it, as 32 bits; arena_at leads back. No arena has more than 4 GiB, unused ends of its
 * blocks included. */
uint32_t arena_place(const struct arena *a, const void *p);
void *arena_at(const struct arena *a, uint32_t place);
/* What is taken from here on can be given back. */
struct arena_mark {
    struct arena_block *block;
    size_t block_used, used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_release(struct arena *a, struct arena_mark mark);
/* Of the newest allocation, the part beyond so many bytes is given back. */
void arena_trim(struct arena *a, const void *p, size_t size);
struct bytes arena_copy(struct arena *a, struct bytes b); /* null stays null, also when the arena is full */
char *arena_strdup(struct arena *a, const char *text);
char *arena_strndup(struct arena *a, const void *data, size_t len); /* adds the NUL */

#endif
