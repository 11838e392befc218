#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

void buffer_init(struct buffer *b, size_t max)
{
    *b = (struct buffer){.max = max};
}

void buffer_free(struct buffer *b)
{
    free(b->data);
    buffer_init(b, b->max);
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
    b->failed = false;
}

bool buffer_ok(const struct buffer *b)
{
    return !b->failed;
}

static bool buffer_grow(struct buffer *b, size_t need)
{
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap += cap / 2 + 64;
    if (cap > b->max)
        cap = b->max;
    uint8_t *data = realloc(b->data, cap);
    if (!data)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

uint8_t *buffer_make_room(struct buffer *b, size_t len)
{
    if (b->failed || len > b->max || b->len > b->max - len) {
        b->failed = true;
        return NULL;
    }
    if (b->len + len > b->cap && !buffer_grow(b, b->len + len)) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->len;
}

void buffer_vprintf(struct buffer *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    uint8_t *to = len > 0 ? buffer_reserve(b, (size_t)len + 1) : NULL;
    if (!to)
        return;
    vsnprintf((char *)to, (size_t)len + 1, format, args);
    b->len += (size_t)len;
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buffer_vprintf(b, format, args);
    va_end(args);
}

const char *buffer_cstr(struct buffer *b)
{
    uint8_t *end = buffer_reserve(b, 1);
    if (!end)
        return "";
    *end = '\0';
    return (const char *)b->data;
}

/* ---- base64, RFC 4648 section 4 ---- */

#define BASE64_PART ((size_t)3 << 15) /* a multiple of three: no padding within */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(struct buffer *b, struct bytes in)
{
    size_t len = (in.len + 2) / 3 * 4;
    uint8_t *to = len ? buffer_reserve(b, len) : NULL;
    if (!to)
        return;
    size_t i = 0;
    for (; i + 3 <= in.len; i += 3) {
        uint32_t v = (uint32_t)in.data[i] << 16 | (uint32_t)in.data[i + 1] << 8 | in.data[i + 2];
        *to++ = (uint8_t)alphabet[v >> 18];
        *to++ = (uint8_t)alphabet[v >> 12 & 63];
        *to++ = (uint8_t)alphabet[v >> 6 & 63];
        *to++ = (uint8_t)alphabet[v & 63];
    }
    if (i < in.len) {
        bool two = i + 2 == in.len;
        uint32_t v = (uint32_t)in.data[i] << 16 | (two ? (uint32_t)in.data[i + 1] << 8 : 0);
        *to++ = (uint8_t)alphabet[v >> 18];
        *to++ = (uint8_t)alphabet[v >> 12 & 63];
        *to++ = two ? (uint8_t)alphabet[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    b->len += len;
}

void buffer_base64(struct buffer *b, struct bytes in)
{
    for (size_t at = 0; at < in.len; at += BASE64_PART) {
        buffer_drain(b);
        put_base64(b, bytes_slice(in, at, BASE64_PART));
    }
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool buffer_unbase64(struct buffer *b, struct bytes text)
{
    size_t pad = 0;
    if (text.len % 4)
        return false;
    while (pad < 2 && pad < text.len && text.data[text.len - 1 - pad] == '=')
        pad++;
    size_t len = text.len / 4 * 3 - pad;
    uint8_t *to = len ? buffer_reserve(b, len) : NULL;
    if (!to)
        return len == 0;
    for (size_t i = 0, at = 0; i < text.len; i += 4) {
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = i + k >= text.len - pad ? 0 : base64_digit(text.data[i + k]);
            if (d < 0)
                return false;
            v = v << 6 | (uint32_t)d;
        }
        /* Bits behind the last byte must be zero: else two texts would mean the same bytes. */
        bool last = i + 4 == text.len;
        if (last && ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff))))
            return false;
        for (int shift = 16; shift >= 0 && at < len; shift -= 8)
            to[at++] = (uint8_t)(v >> shift);
    }
    b->len += len;
    return true;
}
