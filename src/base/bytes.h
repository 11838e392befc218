/* A borrowed run of bytes: null (data is NULL) and empty (data is not NULL, len is 0) differ, on every floor. Floor 0. */
#ifndef SIGNALBOX_BASE_BYTES_H
#define SIGNALBOX_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t len;
};

#define BYTES_NULL       ((struct bytes){NULL, 0})
#define BYTES_LITERAL(s) ((struct bytes){(const uint8_t *)(s), sizeof(s) - 1})

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){(const uint8_t *)data, len};
}

static inline struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool bytes_is_null(struct bytes b)
{
    return !b.data;
}

/* Same bytes; null equals only null. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && !a.data == !b.data && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool bytes_equal_text(struct bytes a, const char *text)
{
    return a.data && a.len == strlen(text) && memcmp(a.data, text, a.len) == 0;
}

/* The bytes from offset, at most len of them, clipped to what is there. */
static inline struct bytes bytes_slice(struct bytes b, size_t offset, size_t len)
{
    if (offset > b.len)
        offset = b.len;
    if (len > b.len - offset)
        len = b.len - offset;
    return (struct bytes){b.data ? b.data + offset : NULL, len};
}

#endif
