#include "base/utf8.h"

#include "base/plain.h"

#include <stdio.h>

enum width_kind { COMBINING, WIDE, HIDDEN };

static const struct {
    uint32_t first, last;
    uint8_t kind;
} ranges[] = {
#define X(first, last, kind) {first, last, kind},
#include "base/width.def"
#undef X
};

#define RANGES (sizeof ranges / sizeof *ranges)

/* RFC 3629 section 4, by the range of the second byte. */
uint32_t utf8_next(struct bytes b, size_t *at)
{
    const uint8_t *p = b.data + *at;
    size_t left = b.len - *at;
    uint8_t lead = p[0];
    if (lead < 0x80) {
        *at += 1;
        return lead;
    }
    size_t len = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0xC2 || lead > 0xF4 || left < len || p[1] < low || p[1] > high) {
        *at += 1;
        return UTF8_INVALID;
    }
    uint32_t cp = lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            *at += 1;
            return UTF8_INVALID;
        }
        cp = cp << 6 | (p[i] & 0x3Fu);
    }
    *at += len;
    return cp;
}

/* Eight ASCII bytes at a time: most payloads are nothing else. */
static size_t skip_ascii(struct bytes b, size_t at)
{
    for (uint64_t word; at + sizeof word <= b.len; at += sizeof word) {
        memcpy(&word, b.data + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (at < b.len && b.data[at] < 0x80)
        at++;
    return at;
}

bool utf8_valid(struct bytes b)
{
    for (size_t at = skip_ascii(b, 0); at < b.len; at = skip_ascii(b, at))
        if (utf8_next(b, &at) == UTF8_INVALID)
            return false;
    return true;
}

size_t utf8_encode(uint32_t cp, uint8_t into[4])
{
    if (cp < 0x80) {
        into[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        into[0] = (uint8_t)(0xC0 | cp >> 6);
        into[1] = (uint8_t)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp >= 0xD800 && cp < 0xE000)
        return 0;
    if (cp < 0x10000) {
        into[0] = (uint8_t)(0xE0 | cp >> 12);
        into[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
        into[2] = (uint8_t)(0x80 | (cp & 0x3F));
        return 3;
    }
    if (cp > 0x10FFFF)
        return 0;
    into[0] = (uint8_t)(0xF0 | cp >> 18);
    into[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3F));
    into[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
    into[3] = (uint8_t)(0x80 | (cp & 0x3F));
    return 4;
}

int utf8_width(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
        return -1;
    if (cp < 0xAD)
        return 1;
    size_t low = 0, high = RANGES;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cp > ranges[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == RANGES || cp < ranges[low].first)
        return 1;
    static const int widths[] = {[COMBINING] = 0, [WIDE] = 2, [HIDDEN] = -1};
    return widths[ranges[low].kind];
}

/* ---- the scrubbing door ---- */

static size_t spell_bytes(struct bytes raw, char into[16])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < raw.len; i++) {
        char *to = into + 4 * i;
        to[0] = '\\';
        to[1] = 'x';
        to[2] = digits[raw.data[i] >> 4];
        to[3] = digits[raw.data[i] & 15];
    }
    return 4 * raw.len;
}

/* How one dangerous code point or invalid byte, raw, is written. Plain is to be read back: it is its bytes, nothing else. */
static size_t spell(uint32_t cp, struct bytes raw, enum scrub_mode mode, char into[16])
{
    static const char escapes['\\' + 1] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', ['\\'] = '\\'};
    if (mode == SCRUB_PLAIN && cp < sizeof escapes && escapes[cp]) {
        into[0] = '\\';
        into[1] = escapes[cp];
        return 2;
    }
    if (mode == SCRUB_PLAIN || cp == UTF8_INVALID)
        return spell_bytes(raw, into);
    if (cp < 0x20 || cp == 0x7F)
        return utf8_encode(cp == 0x7F ? 0x2421 : 0x2400 + cp, (uint8_t *)into);
    int n = snprintf(into, 16, cp < 0xA0 ? "\\x%02x" : "<%04X>", (unsigned)cp);
    return n > 0 ? (size_t)n : 0;
}

static bool harmless(uint32_t cp, enum scrub_mode mode)
{
    return cp != UTF8_INVALID && utf8_width(cp) >= 0 && !(mode == SCRUB_PLAIN && cp == '\\');
}

void utf8_scrub(struct buffer *into, struct bytes b, enum scrub_mode mode)
{
    size_t clean = 0;
    for (size_t at = plain_skip(b, 0, '\\', '\\'); at < b.len; at = plain_skip(b, at, '\\', '\\')) {
        size_t start = at;
        uint32_t cp = utf8_next(b, &at);
        if (harmless(cp, mode))
            continue;
        char text[16];
        buffer_drain(into);
        buffer_append(into, b.data + clean, start - clean);
        buffer_append(into, text, spell(cp, bytes_slice(b, start, at - start), mode, text));
        clean = at;
    }
    if (b.len > clean)
        buffer_append(into, b.data + clean, b.len - clean);
}

size_t utf8_cells(struct bytes b)
{
    size_t cells = 0;
    for (size_t at = 0; at < b.len;) {
        size_t start = at;
        uint32_t cp = utf8_next(b, &at);
        int width = cp == UTF8_INVALID ? -1 : utf8_width(cp);
        char text[16];
        bool picture = cp < 0x20 || cp == 0x7F;
        cells += width >= 0 ? (size_t)width
                 : picture  ? 1
                            : spell(cp, bytes_slice(b, start, at - start), SCRUB_SCREEN, text);
    }
    return cells;
}

void utf8_pad(struct buffer *into, struct bytes text, size_t cells)
{
    buffer_bytes(into, text);
    for (size_t used = utf8_cells(text); used < cells; used++)
        buffer_byte(into, ' ');
}
