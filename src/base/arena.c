#include "base/arena.h"

#include <stdlib.h>

#define ALIGN       16
#define FIRST_BLOCK 4096

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    size_t before; /* what all older ones hold */
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
    size_t before = a->blocks ? a->blocks->before + a->blocks->size : 0;
    if (size > UINT32_MAX - before) /* arena_place */
        return NULL;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->size = size;
    b->used = 0;
    b->before = before;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

static void *take(struct arena *a, size_t size, size_t align)
{
    struct arena_block *b = a->blocks;
    size_t gap = b ? -b->used & (align - 1) : 0;
    if (size > a->max || a->used > a->max - size)
        return NULL;
    if (!b || b->size - b->used < gap || b->size - b->used - gap < size) {
        b = add_block(a, size ? size : ALIGN);
        gap = 0;
    }
    if (!b)
        return NULL;
    void *p = b->data + b->used + gap;
    b->used += gap + size;
    a->used += gap + size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return take(a, size, ALIGN);
}

void *arena_pack(struct arena *a, size_t size)
{
    return take(a, size, 1);
}

uint32_t arena_place(const struct arena *a, const void *p)
{
    const uint8_t *at = p;
    const struct arena_block *b = a->blocks;
    while (b->next && (at < b->data || at > b->data + b->used))
        b = b->next;
    return (uint32_t)(b->before + (size_t)(at - b->data));
}

void *arena_at(const struct arena *a, uint32_t place)
{
    struct arena_block *b = a->blocks;
    while (b->next && place < b->before)
        b = b->next;
    return b->data + (place - b->before);
}

void arena_trim(struct arena *a, const void *p, size_t size)
{
    struct arena_block *b = a->blocks;
    size_t used = (size_t)((const uint8_t *)p - b->data) + size;
    a->used -= b->used - used;
    b->used = used;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->blocks, a->blocks ? a->blocks->used : 0, a->used};
}

void arena_release(struct arena *a, struct arena_mark mark)
{
    while (a->blocks != mark.block) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    if (a->blocks)
        a->blocks->used = mark.block_used;
    a->used = mark.used;
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
    a->blocks->used = a->blocks->before = 0;
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
    uint8_t *p = arena_pack(a, b.len ? b.len : 1);
    if (!p)
        return BYTES_NULL;
    if (b.len)
        memcpy(p, b.data, b.len);
    return bytes_of(p, b.len);
}

char *arena_strndup(struct arena *a, const void *data, size_t len)
{
    char *p = arena_pack(a, len + 1);
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
