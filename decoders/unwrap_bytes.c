#include "decoders/unwrap_internal.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "decoders/json.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* ---- what is it? ---- */

static bool is_gzip(struct bytes in) /* RFC 1952 section 2.3.1: magic, method deflate */
{
    return in.len >= 18 && in.data[0] == 0x1F && in.data[1] == 0x8B && in.data[2] == 8;
}

static bool is_zstd(struct bytes in) /* RFC 8878 section 3.1.1 */
{
    return in.len >= 6 && memcmp(in.data, "\x28\xB5\x2F\xFD", 4) == 0;
}

/* ---- base64 ---- */

#define HEAD_DIGITS 256 /* base64 of base64 … of as many layers as are opened begins in them */

enum { UPPER = 1, LOWER = 2, OTHER = 4, LINE_END = 8 };

static uint8_t sort_of(uint8_t c) /* 0: it stands in no base64 */
{
    uint8_t upper = (uint8_t)(c - 'A') < 26, lower = (uint8_t)(c - 'a') < 26;
    uint8_t other = ((uint8_t)(c - '0') < 10) | (c == '+') | (c == '/');
    return (uint8_t)(upper * UPPER | lower * LOWER | other * OTHER | ((c == '\n') | (c == '\r')) * LINE_END);
}

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

/* Digits and line ends wherever they are, padding at the end. */
struct base64 {
    size_t digits, padding;
    size_t lines; /* that something follows */
    uint8_t sorts;
    uint8_t last; /* digit */
};

enum { BLOCK = 64 };

/* Of so many characters at once, without a branch within, which a compiler does in parallel: 9 MiB take 3 ms, of lines of any length. */
static bool base64_scan_block(const uint8_t *p, struct base64 *b)
{
    uint8_t some = 0, all = 1, ends = 0, lines = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t sort = sort_of(p[i]);
        some |= sort;
        all &= sort != 0;
        ends += sort == LINE_END;
        lines += p[i] == '\n';
    }
    b->sorts |= some;
    b->lines += lines;
    b->digits += (size_t)(BLOCK - ends);
    return all;
}

/* False: something else stands in it. */
static bool base64_scan(struct bytes in, struct base64 *b)
{
    uint8_t rest[BLOCK];
    size_t at = 0;
    *b = (struct base64){.digits = 0};
    for (; in.len && (is_line_end(in.data[in.len - 1]) || (in.data[in.len - 1] == '=' && b->padding < 2));
         in.len--)
        b->padding += in.data[in.len - 1] == '=';
    for (; in.len - at >= BLOCK; at += BLOCK)
        if (!base64_scan_block(in.data + at, b))
            return false;
    memset(rest, '\r', sizeof rest);
    if (in.len > at)
        memcpy(rest, in.data + at, in.len - at);
    b->last = in.len ? in.data[in.len - 1] : 'A';
    return base64_scan_block(rest, b);
}

/* RFC 4648 section 3.5: the bits behind the last byte are zero. Section 3.2: the padding may be left out. */
static bool base64_ends_well(const struct base64 *b)
{
    static const char after_one[] = "AQgw", after_two[] = "AEIMQUYcgkosw048"; /* bytes of the last group */
    switch (b->digits % 4) {
    case 0: return !b->padding;
    case 2: return strchr(after_one, b->last) != NULL;
    case 3: return b->padding < 2 && strchr(after_two, b->last);
    default: return false;
    }
}

bool wrapping_reads_as_base64(struct bytes in)
{
    struct base64 b;
    return base64_scan(in, &b) && b.digits && base64_ends_well(&b);
}

/* What its first digits become: room for as many. */
static struct bytes base64_head(struct bytes in, uint8_t *head, size_t most)
{
    uint8_t digits[HEAD_DIGITS];
    struct buffer out = {.data = head, .cap = most, .max = most};
    size_t n = 0;
    for (size_t at = 0; at < in.len && n < most / 3 * 4 && sort_of(in.data[at]); at++)
        if (!is_line_end(in.data[at]))
            digits[n++] = in.data[at];
    if (!buffer_unbase64(&out, bytes_of(digits, n - n % 4)))
        return BYTES_NULL;
    uint8_t last[4] = {'A', 'A', '=', '='}, *rest = digits + n - n % 4;
    if (n % 4 > 1 && out.cap - out.len >= 3)
        (void)buffer_unbase64(&out, bytes_of(memcpy(last, rest, n % 4), 4));
    return buffer_view(&out);
}

static enum held held_by(struct bytes head)
{
    if (is_gzip(head) || is_zstd(head))
        return HOLDS_STREAM;
    return wrapping_begins_like_json(head) ? HOLDS_LIST : HOLDS_NOTHING;
}

static enum held begins_to_hold(struct bytes text)
{
    uint8_t head[18];
    return held_by(base64_head(text, head, sizeof head));
}

/* Words and ids look like base64 too: it must be long and of mixed case; and where its lines are short, or its padding is left out,
 * hold something that can be told or be longer than a word. */
static bool looks_like_base64(struct bytes in, bool cut)
{
    enum { LINE = 60 }; /* of MIME, PEM and `base64`: 64 or 76 */
    struct base64 b;
    if (!base64_scan(in, &b) || !(cut || base64_ends_well(&b)))
        return false;
    bool mixed = b.sorts & UPPER && b.sorts & LOWER && (b.sorts & OTHER || b.padding);
    bool bare = !cut && (b.digits + b.padding) % 4;
    bool usual = b.digits >= LINE * (b.lines + bare);
    return b.digits >= 14 && mixed && (usual || begins_to_hold(in) != HOLDS_NOTHING);
}

enum wrapping wrapping_of(struct bytes in, bool cut)
{
    if (is_gzip(in))
        return WRAP_GZIP;
    if (is_zstd(in))
        return WRAP_ZSTD;
    return looks_like_base64(in, cut) ? WRAP_BASE64 : WRAP_NONE;
}

enum { GLANCE = 64 * KIB }; /* at its beginning, and at its end */

static bool ends_like_base64(struct bytes in)
{
    struct base64 b;
    return base64_scan(bytes_slice(in, in.len - GLANCE, GLANCE), &b);
}

static bool begins_like_base64(struct bytes in)
{
    struct base64 b;
    return base64_scan(bytes_slice(in, 0, GLANCE), &b) && b.digits;
}

enum wrapping wrapping_glance(struct bytes in)
{
    if (in.len <= 2 * GLANCE)
        return wrapping_of(in, false);
    enum wrapping w = wrapping_of(bytes_slice(in, 0, GLANCE), true);
    return w != WRAP_BASE64 || ends_like_base64(in) ? w : WRAP_NONE;
}

enum wrapping wrapping_in_row(struct bytes in)
{
    enum wrapping w = wrapping_glance(in);
    if (w != WRAP_NONE || wrapping_begins_like_json(in) || (in.len && in.data[0] == '"'))
        return w;
    bool base64 =
        in.len <= 2 * GLANCE ? wrapping_reads_as_base64(in) : begins_like_base64(in) && ends_like_base64(in);
    return base64 ? WRAP_BASE64 : WRAP_NONE;
}

/* A row reads the beginning of each layer, and takes for whole what goes on like that. */
static bool row_may_open(struct bytes in)
{
    return wrapping_in_row(in) != WRAP_NONE ||
           (in.len > ROW_ROOM && wrapping_of(bytes_slice(in, 0, ROW_ROOM), true) != WRAP_NONE);
}

enum held wrapping_holds(struct bytes text)
{
    enum held held = begins_to_hold(text);
    return held != HOLDS_NOTHING && looks_like_base64(text, false) ? held : HOLDS_NOTHING;
}

static size_t skip_space(struct bytes in, size_t at)
{
    while (at < in.len && memchr(" \t\r\n", in.data[at], 4))
        at++;
    return at;
}

/* Bytes at the beginning that are text. */
static size_t text_length(struct bytes in)
{
    size_t text = 0;
    for (size_t at = 0; at < in.len; text = at) {
        uint32_t c = utf8_next(in, &at);
        if (c == UTF8_INVALID || (c < ' ' && c != '\t' && c != '\n' && c != '\r'))
            break;
    }
    return text;
}

static bool has_member(struct bytes in)
{
    size_t quotes = 0;
    for (size_t at = 0; at < in.len; at++) {
        quotes += in.data[at] == '"';
        size_t colon = in.data[at] == '"' && quotes > 1 ? skip_space(in, at + 1) : in.len;
        if (colon < in.len && in.data[colon] == ':')
            return true;
    }
    return false;
}

/* {} or [], and then what begins no other document. */
static bool is_empty_list_and_more(struct bytes in)
{
    size_t at = skip_space(in, skip_space(in, 0) + 1);
    if (at >= in.len || (in.data[at] != '}' && in.data[at] != ']'))
        return false;
    at = skip_space(in, at + 1);
    return at < in.len && in.data[at] != '{' && in.data[at] != '[';
}

enum { LEAST_TEXT = 12 }; /* longer than by chance */

/* Many an id begins like base64 of JSON (e30, W10, eyL): this has a member in it, or is text for longer than ids are. */
static bool begins_with_content(struct bytes head)
{
    return wrapping_begins_like_json(head) &&
           (has_member(head) || (text_length(head) >= LEAST_TEXT && !is_empty_list_and_more(head)));
}

/* JSON in a string. */
static bool begins_with_quoted_content(struct bytes head)
{
    uint8_t plain[HEAD_DIGITS];
    size_t n = 0;
    for (size_t at = 1; at < head.len && head.data[0] == '"' && n < sizeof plain; at++)
        if (head.data[at] != '\\')
            plain[n++] = head.data[at];
    return begins_with_content(bytes_of(plain, n));
}

static bool has_text(struct bytes in)
{
    for (size_t at = 0; at < in.len;) {
        size_t text = text_length(bytes_slice(in, at, in.len));
        if (text >= LEAST_TEXT)
            return true;
        at += text + 1;
    }
    return false;
}

/* It reads as base64: also what has text in it and is no id for its length, or is JSON to its end. */
static bool whole_may_hide(struct bytes in, struct bytes head)
{
    return !wrapping_begins_like_json(head) || begins_with_content(head) || json_reads_as_list(head) ||
           (in.len > HEAD_DIGITS && has_text(head));
}

bool wrapping_may_hide(struct bytes in)
{
    uint8_t rooms[2][HEAD_DIGITS / 4 * 3];
    if (wrapping_reads_as_base64(in))
        return whole_may_hide(in, base64_head(in, *rooms, sizeof *rooms));
    if (row_may_open(in))
        return true;
    bool found = false;
    for (int i = 0; in.len && !found; i++) {
        in = base64_head(in, rooms[i % 2], sizeof *rooms);
        found = is_gzip(in) || is_zstd(in) || begins_with_quoted_content(in) ||
                begins_with_content(bytes_slice(in, json_frame(in), in.len));
    }
    return found;
}

/* Of what has no end yet, the beginning is enough. */
bool wrapping_begins_like_json(struct bytes in)
{
    size_t at = skip_space(in, 0);
    if (at == in.len || (in.data[at] != '{' && in.data[at] != '['))
        return false;
    const char *next = in.data[at] == '{' ? " \t\r\n\"}" : " \t\r\n\"]{[-0123456789tfn";
    return ++at == in.len || (in.data[at] && strchr(next, in.data[at]));
}

size_t wrapping_most(enum wrapping w, struct bytes in)
{
    if (w == WRAP_BASE64)
        return in.len / 4 * 3 + 3;
    size_t most = in.len > SIZE_MAX / LIMIT_UNWRAP_RATIO ? SIZE_MAX : in.len * LIMIT_UNWRAP_RATIO;
    return most < MIB ? MIB : most;
}

static struct unwrapped over(const struct buffer *out, size_t took, uint64_t whole)
{
    return (struct unwrapped){.fault = "it is more than there is room for",
                              .over = true,
                              .bomb = out->len / LIMIT_UNWRAP_RATIO >= took,
                              .whole = whole > out->len && whole <= SIZE_MAX ? (size_t)whole : 0};
}

/* RFC 1952 section 2.3.1: the last four bytes are the length of the last member. */
static uint32_t gzip_length(struct bytes in)
{
    const uint8_t *p = in.data + in.len - 4;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static struct unwrapped inflate_all(struct bytes in, struct buffer *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data,
                  .avail_in = (uInt)in.len,
                  .next_out = out->data,
                  .avail_out = (uInt)out->max};
    int code = inflateInit2(&z, 15 + 16); /* gzip alone, not zlib */
    while (code == Z_OK && (code = inflate(&z, Z_NO_FLUSH)) == Z_STREAM_END)
        /* RFC 1952 section 2.2: members may follow each other. */
        if (z.avail_in && is_gzip(bytes_of(z.next_in, z.avail_in)))
            code = inflateReset(&z);
        else
            break;
    inflateEnd(&z);
    out->len = out->max - z.avail_out;
    if (code == Z_STREAM_END)
        return (struct unwrapped){.fault = z.avail_in ? "something follows the gzip stream" : NULL};
    if ((code == Z_OK || code == Z_BUF_ERROR) && !z.avail_out && z.avail_in)
        return over(out, in.len - z.avail_in, gzip_length(in));
    return (struct unwrapped){.fault = "the gzip stream is damaged or cut off"};
}

static uint32_t little_endian(const uint8_t *p, size_t bytes)
{
    uint32_t v = 0;
    while (bytes--)
        v = v << 8 | p[bytes];
    return v;
}

/* What a stream may write before it proves to be damaged, however little comes off then, and how many tables it may have made. */
struct zstd_most {
    size_t written, blocks;
};

/* The most that the blocks of a frame become, and where they end (RFC 8878 section 3.1.1.2): a compressed one 128 KiB. */
static size_t unzstd_blocks_most(struct bytes in, size_t *at, size_t *blocks)
{
    enum { RLE = 1, COMPRESSED = 2, HEADER = 3 };
    size_t most = 0;
    for (bool last = false; !last && *at + HEADER <= in.len;) {
        uint32_t header = little_endian(in.data + *at, HEADER), type = header >> 1 & 3, size = header >> 3;
        last = header & 1;
        *blocks += type == COMPRESSED;
        most += type == COMPRESSED ? 128 * KIB : size;
        *at += HEADER + (type == RLE ? 1 : size);
    }
    return most;
}

static struct zstd_most unzstd_most(struct bytes in)
{
    static const uint8_t dictionary[] = {0, 1, 2, 4}, content[] = {0, 2, 4, 8};
    struct zstd_most most = {0};
    for (size_t at = 0; at + 8 <= in.len;) {
        const uint8_t *p = in.data + at;
        uint32_t magic = little_endian(p, 4), flags = p[4];
        if ((magic & ~0xFU) == 0x184D2A50) { /* section 3.1.2: to be skipped */
            at += 8 + (size_t)little_endian(p + 4, 4);
            continue;
        }
        if (magic != ZSTD_MAGICNUMBER)
            break;
        bool single = flags & 0x20;
        unsigned long long whole = ZSTD_getFrameContentSize(p, in.len - at);
        at += 5 + !single + dictionary[flags & 3] + content[flags >> 6] + (single && flags < 0x40);
        size_t blocks = unzstd_blocks_most(in, &at, &most.blocks);
        most.written += blocks < whole ? blocks : (size_t)whole;
        at += flags & 4 ? 4 : 0; /* the checksum */
    }
    return most;
}

/* What of it could be read. A window is taken as it is filled: one above the 8 MiB that RFC 8878 section 3.1.1.1.2 asks of every
 * decoder only where no more than that comes off. */
static struct unwrapped unzstd_part(ZSTD_DCtx *context, struct bytes in, struct zstd_most most,
                                    struct buffer *out)
{
    ZSTD_inBuffer source = {in.data, in.len, 0};
    ZSTD_outBuffer target = {out->data, most.written, 0};
    size_t left = 1, before = SIZE_MAX;
    ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, out->max <= 8 * MIB ? 27 : 23);
    /* RFC 8878 section 3: frames may follow each other. */
    while ((left || source.pos < source.size) && !ZSTD_isError(left) && target.pos < target.size &&
           before != source.pos + target.pos) {
        before = source.pos + target.pos;
        left = ZSTD_decompressStream(context, &target, &source);
    }
    out->len = target.pos;
    unsigned long long whole = ZSTD_getFrameContentSize(in.data, in.len);
    if (target.pos == out->max)
        return over(out, source.pos, whole < ZSTD_CONTENTSIZE_ERROR ? whole : 0);
    size_t tables = EFFORT_ZSTD_TABLES * (most.blocks ? most.blocks : 1);
    return (struct unwrapped){.fault = "the zstd stream is damaged or cut off",
                              .wasted = tables + in.len + 2 * most.written - out->len};
}

/* Straight to where it stays: a stream's window would be as much memory again. */
static struct unwrapped unzstd_all(struct effort *effort, struct bytes in, struct buffer *out)
{
    if (!effort->zstd)
        effort->zstd = ZSTD_createDCtx();
    if (!effort->zstd)
        return (struct unwrapped){.fault = "no memory"};
    struct zstd_most most = unzstd_most(in);
    most.written = most.written < out->max ? most.written : out->max;
    size_t len = ZSTD_decompressDCtx(effort->zstd, out->data, most.written, in.data, in.len);
    if (ZSTD_isError(len))
        return unzstd_part(effort->zstd, in, most, out);
    out->len = len;
    return (struct unwrapped){.fault = NULL};
}

void effort_end(struct effort *effort)
{
    ZSTD_freeDCtx(effort->zstd);
    effort->zstd = NULL;
}

bool effort_spend(struct effort *effort, size_t bytes)
{
    size_t price = EFFORT_ATTEMPT + bytes;
    bool enough = effort->left > price;
    effort->left = enough ? effort->left - price : 0;
    return enough;
}

/* Also without the padding, which RFC 4648 section 3.2 lets some leave out. out NULL: is it base64? */
static struct unwrapped unbase64_all(struct bytes in, struct buffer *out)
{
    uint8_t digits[4096 + 2], room[3072];
    struct buffer part = {.data = room, .cap = sizeof room, .max = sizeof room};
    size_t whole = 0;
    for (size_t at = 0, n = 0; at < in.len; n = 0) {
        for (; at < in.len && (n < 4096 || is_line_end(in.data[at])); at++)
            if (!is_line_end(in.data[at]))
                digits[n++] = in.data[at];
        while (at == in.len && n % 4 > 1)
            digits[n++] = '=';
        part.len = 0;
        bool ends_early = at < in.len && n && digits[n - 1] == '=';
        if (ends_early || !buffer_unbase64(&part, bytes_of(digits, n)))
            return (struct unwrapped){.fault = "this is no base64"};
        whole += part.len;
        buffer_bytes(out, bytes_slice(buffer_view(&part), 0, out->max - out->len));
    }
    return whole > out->len ? over(out, in.len, whole) : (struct unwrapped){.fault = NULL};
}

static struct unwrapped take_off(enum wrapping w, struct bytes in, struct buffer *out, struct effort *effort)
{
    switch (w) {
    case WRAP_GZIP: return inflate_all(in, out);
    case WRAP_ZSTD: return unzstd_all(effort, in, out);
    case WRAP_BASE64: return unbase64_all(in, out);
    default: return (struct unwrapped){.fault = "no such wrapping"};
    }
}

struct unwrapped wrapping_take_off(enum wrapping w, struct bytes in, struct buffer *out,
                                   struct effort *effort)
{
    if (!effort_spend(effort, in.len))
        return (struct unwrapped){.fault = "there is too much to unpack", .over = true};
    out->max = out->max < effort->left ? out->max : effort->left;
    struct unwrapped u = take_off(w, in, out, effort);
    effort->left -= out->len;
    if (u.wasted)
        (void)effort_spend(effort, u.wasted);
    return u;
}
