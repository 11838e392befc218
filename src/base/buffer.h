/* A growing byte buffer that is born with a maximum. Floor 0.
 *
 * Appending never fails at the call: over the maximum, or out of memory, the buffer turns `failed` and ignores what
 * follows; whoever uses the result asks once, with buffer_ok. One thread at a time. */
#ifndef SIGNALBOX_BASE_BUFFER_H
#define SIGNALBOX_BASE_BUFFER_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdarg.h>

struct buffer {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
    /* Optional: takes what is there on its way and leaves the buffer empty, or leaves it as it is. See buffer_drain. */
    void (*drain)(void *context, struct buffer *b);
    void *drain_context;
};

void buffer_init(struct buffer *b, size_t max);
void buffer_free(struct buffer *b);  /* and back to the state after buffer_init */
void buffer_clear(struct buffer *b); /* keeps the memory, forgets the failure */
bool buffer_ok(const struct buffer *b);
/* Room for at least len more bytes, or NULL (the buffer is then failed). The caller writes there and adds to b->len. */
static inline uint8_t *buffer_reserve(struct buffer *b, size_t len);
static inline void buffer_append(struct buffer *b, const void *data, size_t len);
static inline void buffer_byte(struct buffer *b, uint8_t byte);
static inline void buffer_bytes(struct buffer *b, struct bytes bytes);
static inline void buffer_text(struct buffer *b, const char *text);
/* Within a long text, for writers that never look back at what they wrote: where the buffer has a drain and BUFFER_DRAIN bytes, it is
 * drained. Everything else leaves the buffer whole. */
#define BUFFER_DRAIN ((size_t)512 << 10)
static inline void buffer_drain(struct buffer *b);
void buffer_printf(struct buffer *b, const char *format, ...) SB_PRINTF(2, 3);
void buffer_vprintf(struct buffer *b, const char *format, va_list args) SB_PRINTF(2, 0);
void buffer_base64(struct buffer *b, struct bytes bytes); /* RFC 4648 section 4, padded; drained on its way */
/* Strict RFC 4648 base64 back to bytes; false (nothing appended) where it isn't. */
bool buffer_unbase64(struct buffer *b, struct bytes text);
static inline struct bytes buffer_view(const struct buffer *b)
{
    return (struct bytes){b->data ? b->data : (const uint8_t *)"", b->len};
}
/* NUL-terminated text, valid until the next append; "" when failed. */
const char *buffer_cstr(struct buffer *b);

/* ---- the short ways, which every message goes often ---- */

/* buffer_reserve where the room is not there yet. */
uint8_t *buffer_make_room(struct buffer *b, size_t len);

static inline uint8_t *buffer_reserve(struct buffer *b, size_t len)
{
    return !b->failed && len <= b->cap - b->len ? b->data + b->len : buffer_make_room(b, len);
}

static inline void buffer_drain(struct buffer *b)
{
    if (b->len >= BUFFER_DRAIN && b->drain && !b->failed)
        b->drain(b->drain_context, b);
}

static inline void buffer_append(struct buffer *b, const void *data, size_t len)
{
    uint8_t *to = len ? buffer_reserve(b, len) : NULL;
    if (!to)
        return;
    memcpy(to, data, len);
    b->len += len;
}

static inline void buffer_byte(struct buffer *b, uint8_t byte)
{
    buffer_append(b, &byte, 1);
}

static inline void buffer_bytes(struct buffer *b, struct bytes bytes)
{
    buffer_append(b, bytes.data, bytes.len);
}

static inline void buffer_text(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

#endif
