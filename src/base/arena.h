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
struct bytes arena_copy(struct arena *a, struct bytes b); /* null stays null, also when the arena is full */
char *arena_strdup(struct arena *a, const char *text);
char *arena_strndup(struct arena *a, const void *data, size_t len); /* adds the NUL */

#endif
