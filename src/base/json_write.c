#include "base/json.h"

#include "base/plain.h"
#include "base/text.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

#define EXACT_DOUBLE (INT64_C(1) << 53)

void json_write(struct json_writer *w, struct buffer *out)
{
    *w = (struct json_writer){.out = out};
}

static void begin_value(struct json_writer *w)
{
    if (w->after_name) {
        w->after_name = false;
        return;
    }
    uint64_t bit = UINT64_C(1) << (w->depth & 63);
    if (w->depth && (w->has_member & bit))
        buffer_byte(w->out, ',');
    w->has_member |= bit;
}

static void open_list(struct json_writer *w, uint8_t bracket)
{
    begin_value(w);
    buffer_byte(w->out, bracket);
    w->depth++;
    w->has_member &= ~(UINT64_C(1) << (w->depth & 63));
}

/* The list around it has a member now, whatever a deeper level that shares its bit left there. */
static void close_list(struct json_writer *w, uint8_t bracket)
{
    w->depth--;
    w->has_member |= UINT64_C(1) << (w->depth & 63);
    buffer_byte(w->out, bracket);
}

void json_object(struct json_writer *w)
{
    open_list(w, '{');
}

void json_object_end(struct json_writer *w)
{
    close_list(w, '}');
}

void json_array(struct json_writer *w)
{
    open_list(w, '[');
}

void json_array_end(struct json_writer *w)
{
    close_list(w, ']');
}

/* 0: as it is; 1: \u00XX; else the letter behind the backslash. */
static const uint8_t escapes[256] = {
    [0] = 1,   [1] = 1,    [2] = 1,  [3] = 1,    [4] = 1,    [5] = 1,     [6] = 1,       [7] = 1,   [8] = 'b',
    [9] = 't', [10] = 'n', [11] = 1, [12] = 'f', [13] = 'r', [14] = 1,    [15] = 1,      [16] = 1,  [17] = 1,
    [18] = 1,  [19] = 1,   [20] = 1, [21] = 1,   [22] = 1,   [23] = 1,    [24] = 1,      [25] = 1,  [26] = 1,
    [27] = 1,  [28] = 1,   [29] = 1, [30] = 1,   [31] = 1,   ['"'] = '"', ['\\'] = '\\', [127] = 1,
};

static uint8_t *put_escape(uint8_t *to, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    *to++ = '\\';
    if (escapes[c] != 1) {
        *to++ = escapes[c];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = (uint8_t)digits[c >> 4];
    to[4] = (uint8_t)digits[c & 15];
    return to + 5;
}

/* What a terminal would obey or hide: C1, bidi, zero width. */
static bool is_hostile(uint32_t cp)
{
    bool common = (cp > 0xAD && cp < 0x600) || (cp >= 0x3000 && cp < 0xFE00);
    return !common && utf8_width(cp) < 0;
}

static uint8_t *put_unit(uint8_t *to, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t text[6] = {'\\',
                             'u',
                             (uint8_t)digits[unit >> 12 & 15],
                             (uint8_t)digits[unit >> 8 & 15],
                             (uint8_t)digits[unit >> 4 & 15],
                             (uint8_t)digits[unit & 15]};
    memcpy(to, text, sizeof text);
    return to + sizeof text;
}

static uint8_t *put_code_point(uint8_t *to, uint32_t cp)
{
    if (cp < 0x10000)
        return put_unit(to, cp);
    to = put_unit(to, 0xD800 + ((cp - 0x10000) >> 10));
    return put_unit(to, 0xDC00 + ((cp - 0x10000) & 0x3FF));
}

/* One character, of one byte or several. */
static uint8_t *put_character(uint8_t *to, struct bytes text, size_t *at, bool escaped)
{
    size_t before = *at;
    uint8_t c = text.data[before];
    if (c < 0x80) {
        (*at)++;
        if (escaped ? c == 127 : escapes[c])
            return put_escape(to, c);
        *to = c;
        return to + 1;
    }
    uint32_t cp = utf8_next(text, at);
    if (cp == UTF8_INVALID) {
        memcpy(to, "\xEF\xBF\xBD", 3);
        return to + 3;
    }
    if (is_hostile(cp))
        return put_code_point(to, cp);
    memcpy(to, text.data + before, *at - before);
    return to + (*at - before);
}

#define RUN        512                      /* bytes of text between two looks at the room */
#define RUN_MARGIN (2 * PLAIN_WIDE)         /* what a run may write beyond: a wide copy, a long character */
#define RUN_ROOM   ((RUN + RUN_MARGIN) * 6) /* a byte becomes at most six */

/* escaped: the text is that of a JSON string already. */
static void put_quoted(struct buffer *out, struct bytes text, bool escaped)
{
    size_t at = 0;
    buffer_byte(out, '"');
    while (at < text.len) {
        buffer_drain(out);
        size_t stop = text.len - at > RUN ? at + RUN : text.len;
        size_t most = (stop - at + RUN_MARGIN) * 6;
        uint8_t *from = buffer_reserve(out, most < RUN_ROOM ? most : RUN_ROOM), *to = from;
        if (!from)
            return;
        while (at < stop) {
            size_t clean = 0;
            if (text.len - at >= PLAIN_WIDE) {
                memcpy(to, text.data + at, PLAIN_WIDE); /* all of them: what is not clean is written over */
                clean = plain_run(text.data + at, '"', '\\');
                to += clean;
                at += clean;
            }
            if (clean < PLAIN_WIDE)
                to = put_character(to, text, &at, escaped);
        }
        out->len += (size_t)(to - from);
    }
    buffer_byte(out, '"');
}

void json_name_bytes(struct json_writer *w, struct bytes name)
{
    begin_value(w);
    put_quoted(w->out, name, false);
    buffer_byte(w->out, ':');
    w->after_name = true;
}

void json_name_quoted(struct json_writer *w, struct bytes quoted)
{
    begin_value(w);
    buffer_bytes(w->out, quoted);
    w->after_name = true;
}

void json_name(struct json_writer *w, const char *name)
{
    json_name_bytes(w, bytes_of_text(name));
}

void json_null(struct json_writer *w)
{
    begin_value(w);
    buffer_append(w->out, "null", 4);
}

void json_string(struct json_writer *w, struct bytes utf8)
{
    if (!utf8.data) {
        json_null(w);
        return;
    }
    begin_value(w);
    put_quoted(w->out, utf8, false);
}

void json_escaped(struct json_writer *w, struct bytes raw)
{
    begin_value(w);
    put_quoted(w->out, raw, true);
}

void json_name_escaped(struct json_writer *w, struct bytes raw)
{
    json_escaped(w, raw);
    buffer_byte(w->out, ':');
    w->after_name = true;
}

void json_text(struct json_writer *w, const char *text)
{
    json_string(w, bytes_of_text(text));
}

static void put_decimal(struct json_writer *w, bool negative, uint64_t magnitude)
{
    uint8_t text[24];
    size_t at = sizeof text;
    bool quoted = magnitude > (uint64_t)EXACT_DOUBLE;
    begin_value(w);
    if (quoted)
        text[--at] = '"';
    do {
        text[--at] = (uint8_t)('0' + magnitude % 10);
    } while (magnitude /= 10);
    if (negative)
        text[--at] = '-';
    if (quoted)
        text[--at] = '"';
    buffer_append(w->out, text + at, sizeof text - at);
}

void json_int(struct json_writer *w, int64_t value)
{
    put_decimal(w, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_uint(struct json_writer *w, uint64_t value)
{
    put_decimal(w, false, value);
}

void json_double(struct json_writer *w, double value)
{
    char text[40];
    if (!isfinite(value)) {
        json_text(w, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    begin_value(w);
    buffer_text(w->out, text_shortest(text, sizeof text, value));
}

void json_number(struct json_writer *w, struct bytes number)
{
    int64_t integer;
    bool beyond = json_to_int64(number, &integer) && (integer > EXACT_DOUBLE || integer < -EXACT_DOUBLE);
    bool whole = number.len > 16; /* as it is written; shorter ones are exact in any case */
    for (size_t i = 0; whole && i < number.len; i++)
        whole = number.data[i] != '.' && (number.data[i] | 32) != 'e';
    if (beyond || whole)
        json_string(w, number);
    else
        json_raw(w, number);
}

void json_bool(struct json_writer *w, bool value)
{
    begin_value(w);
    buffer_text(w->out, value ? "true" : "false");
}

void json_raw(struct json_writer *w, struct bytes json)
{
    begin_value(w);
    buffer_bytes(w->out, json);
}

void json_byte_string(struct json_writer *w, struct bytes b)
{
    if (!b.data) {
        json_null(w);
        return;
    }
    begin_value(w);
    if (utf8_valid(b)) {
        buffer_append(w->out, "{\"text\":", 8);
        put_quoted(w->out, b, false);
    } else {
        buffer_append(w->out, "{\"base64\":\"", 11);
        buffer_base64(w->out, b);
        buffer_byte(w->out, '"');
    }
    buffer_byte(w->out, '}');
}
