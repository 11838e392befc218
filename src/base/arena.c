#include "base/arena.h"

#include <stdlib.h>

#define ALIGN       16
#define FIRST_BLOCK 4096

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(ALIGN) uint8_t data[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

static struct arena_block *add_block(struct arena *a, size_t need)
{
    size_t size = a->blocks ? a->blocks->size * 2 : FIRST_BLOCK;
    if (size > 4 * 1024 * 1024)
        size = 4 * 1024 * 1024;
    if (size < need)
        size = need;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->size = size;
    b->used = 0;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > a->max || a->used > a->max - size)
        return NULL;
    size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct arena_block *b = a->blocks;
    if (!b || b->size - b->used < need)
        b = add_block(a, need ? need : ALIGN);
    if (!b)
        return NULL;
    void *p = b->data + b->used;
    b->used += need;
    a->used += need;
    return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    void *p = arena_alloc(a, size);
    return p ? memset(p, 0, size) : NULL;
}

static void free_blocks(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_reset(struct arena *a)
{
    a->used = 0;
    if (!a->blocks)
        return;
    /* The newest block is the largest, but for an odd large one, which is not worth keeping. */
    free_blocks(a->blocks->next);
    a->blocks->next = NULL;
    a->blocks->used = 0;
}

void arena_free(struct arena *a)
{
    free_blocks(a->blocks);
    arena_init(a, a->max);
}

struct bytes arena_copy(struct arena *a, struct bytes b)
{
    if (!b.data)
        return BYTES_NULL;
    uint8_t *p = arena_alloc(a, b.len ? b.len : 1);
    if (!p)
        return BYTES_NULL;
    if (b.len)
        memcpy(p, b.data, b.len);
    return bytes_of(p, b.len);
}

char *arena_strndup(struct arena *a, const void *data, size_t len)
{
    char *p = arena_alloc(a, len + 1);
    if (!p)
        return NULL;
    if (len)
        memcpy(p, data, len);
    p[len] = '\0';
    return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_strndup(a, text, strlen(text));
}
