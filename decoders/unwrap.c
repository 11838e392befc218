#include "decoders/unwrap.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "decoders/json.h"

#include <stdio.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum wrapping { WRAP_NONE, WRAP_GZIP, WRAP_ZSTD, WRAP_BASE64, WRAPPINGS };

static const char *const wrapping_names[WRAPPINGS] = {"", "gzip", "zstd", "base64"};

/* ---- what is it? ---- */

static bool is_gzip(struct bytes in) /* RFC 1952 section 2.3.1: magic, method deflate */
{
    return in.len >= 18 && in.data[0] == 0x1F && in.data[1] == 0x8B && in.data[2] == 8;
}

static bool is_zstd(struct bytes in) /* RFC 8878 section 3.1.1 */
{
    return in.len >= 6 && memcmp(in.data, "\x28\xB5\x2F\xFD", 4) == 0;
}

/* RFC 4648 section 4; lines as MIME and `base64` break them: of one length, the last one shorter. Words look like base64 too: it
 * must be long and of mixed case, and whole with its padding. */
static bool looks_like_base64(struct bytes in)
{
    bool upper = false, lower = false, other = false;
    size_t digits = 0, padding = 0, line = 0, width = 0;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (c == '\n') {
            width = width ? width : line;
            if (i + 1 < in.len && (line != width || line < 60 || padding))
                return false;
            line = 0;
        } else if (c == '=' && padding < 2) {
            padding++;
            line++;
        } else if (c != '\r' || i + 1 == in.len || in.data[i + 1] != '\n') {
            bool digit = c >= '0' && c <= '9';
            if (padding || (!letter && !digit && c != '+' && c != '/'))
                return false;
            upper |= c >= 'A' && c <= 'Z';
            lower |= c >= 'a' && c <= 'z';
            other |= !letter;
            digits++;
            line++;
        }
    }
    return digits >= 14 && upper && lower && (other || padding) && (digits + padding) % 4 == 0;
}

static enum wrapping wrapping_of(struct bytes in)
{
    if (is_gzip(in))
        return WRAP_GZIP;
    if (is_zstd(in))
        return WRAP_ZSTD;
    return looks_like_base64(in) ? WRAP_BASE64 : WRAP_NONE;
}

/* ---- taking it off, within limits ---- */

static size_t most_output(struct bytes in)
{
    size_t most =
        in.len > LIMIT_UNWRAP_OUTPUT / LIMIT_UNWRAP_RATIO ? LIMIT_UNWRAP_OUTPUT : in.len * LIMIT_UNWRAP_RATIO;
    return most < MIB ? MIB : most;
}

static const char *const over_limit = "over the limit";

static const char *inflate_all(struct bytes in, struct buffer *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.len};
    int code = inflateInit2(&z, 15 + 16); /* gzip alone, not zlib */
    while (code == Z_OK) {
        uint8_t *to = buffer_reserve(out, out->max - out->len < 65536 ? out->max - out->len : 65536);
        if (!to || out->max == out->len) {
            inflateEnd(&z);
            return over_limit;
        }
        size_t room = out->cap - out->len;
        z.next_out = to;
        z.avail_out = (uInt)(room > 65536 ? 65536 : room);
        size_t before = z.avail_out;
        code = inflate(&z, Z_NO_FLUSH);
        out->len += before - z.avail_out;
        /* RFC 1952 section 2.2: members may follow each other. */
        if (code == Z_STREAM_END && z.avail_in && is_gzip(bytes_of(z.next_in, z.avail_in)))
            code = inflateReset(&z);
    }
    inflateEnd(&z);
    if (code == Z_STREAM_END && z.avail_in)
        return "something follows the gzip stream";
    return code == Z_STREAM_END ? NULL : "the gzip stream is damaged or cut off";
}

/* What of it could be read, in a window of 8 MiB, which RFC 8878 section 3.1.1.1.2 asks of every decoder. */
static const char *unzstd_part(struct bytes in, struct buffer *out)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer source = {in.data, in.len, 0};
    ZSTD_outBuffer target = {out->data, out->max, 0};
    size_t left = 1, before = SIZE_MAX;
    if (!context)
        return "no memory";
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23);
    while (left && !ZSTD_isError(left) && target.pos < target.size && before != source.pos + target.pos) {
        before = source.pos + target.pos;
        left = ZSTD_decompressStream(context, &target, &source);
    }
    out->len = target.pos;
    ZSTD_freeDCtx(context);
    return target.pos == target.size ? over_limit : "the zstd stream is damaged or cut off";
}

/* Straight to where it stays: a stream's window would be as much memory again. */
static const char *unzstd_all(struct bytes in, struct buffer *out)
{
    size_t len = ZSTD_decompress(out->data, out->max, in.data, in.len);
    if (ZSTD_isError(len)) {
        const char *why = unzstd_part(in, out);
        return ZSTD_getErrorCode(len) == ZSTD_error_dstSize_tooSmall ? over_limit : why;
    }
    out->len = len;
    return NULL;
}

/* Also without the padding, which RFC 4648 section 3.2 lets some leave out. out NULL: is it base64? */
static const char *unbase64_all(struct bytes in, struct buffer *out)
{
    uint8_t digits[4096 + 2], room[3072];
    struct buffer part = {.data = room, .cap = sizeof room, .max = sizeof room};
    for (size_t at = 0, n = 0; at < in.len; n = 0) {
        for (; at < in.len && n < 4096; at++)
            if (in.data[at] != '\n' && in.data[at] != '\r')
                digits[n++] = in.data[at];
        while (at == in.len && n % 4 > 1)
            digits[n++] = '=';
        part.len = 0;
        bool ends_early = at < in.len && n && digits[n - 1] == '=';
        if (ends_early || !buffer_unbase64(&part, bytes_of(digits, n)))
            return "this is no base64";
        if (out)
            buffer_bytes(out, buffer_view(&part));
    }
    return out && out->failed ? over_limit : NULL;
}

/* Nobody guesses here: whoever asks for it has short ones too, and ones without capitals. */
static bool reads_as_base64(struct bytes in)
{
    bool some = false;
    for (size_t i = 0; i < in.len && !some; i++)
        some = in.data[i] != '\n' && in.data[i] != '\r';
    return some && !unbase64_all(in, NULL);
}

static const char *take_off(enum wrapping w, struct bytes in, struct buffer *out)
{
    switch (w) {
    case WRAP_GZIP: return inflate_all(in, out);
    case WRAP_ZSTD: return unzstd_all(in, out);
    case WRAP_BASE64: return unbase64_all(in, out);
    default: return "no such wrapping";
    }
}

/* ---- the tree ---- */

static enum err content(struct bytes in, uint8_t layer, uint32_t parent, struct field_tree *tree);
static enum err open_string(struct field_tree *tree, uint32_t node);

static enum err leaf(struct bytes in, uint8_t layer, uint32_t parent, struct field_tree *tree)
{
    bool text = utf8_valid(in);
    uint32_t i = field_add(tree, parent, text ? FIELD_STRING : FIELD_BYTES);
    if (i == UINT32_MAX)
        return ERR_LIMIT;
    field_set_type(tree, i, text ? "text" : "bytes");
    tree->nodes[i].layer = layer;
    tree->nodes[i].length = (uint32_t)in.len;
    field_set_text(tree, i, in);
    return ERR_OK;
}

/* Where what is inside will stay: as much as it may become, of which what it does not become is given back. */
static bool reserve(struct field_tree *tree, struct bytes in, struct buffer *out)
{
    size_t most = most_output(in), room = field_tree_room(tree);
    most = most < room ? most : room;
    *out = (struct buffer){.data = arena_pack(tree->arena, most), .cap = most, .max = most};
    return out->data != NULL;
}

static enum err fail_layer(struct field_tree *tree, uint32_t node, const char *why, size_t most)
{
    char size[32];
    if (why == over_limit)
        field_fail(tree, tree->nodes[node].offset, "grows over the limit: a bomb, or more than %s",
                   text_bytes(size, sizeof size, most));
    else
        field_fail(tree, tree->nodes[node].offset, "%s", why);
    tree->error_layer = tree->nodes[node].layer;
    return why == over_limit ? ERR_LIMIT : ERR_FORMAT;
}

/* Takes the wrapping off what a layer's node covers; what is inside becomes its child. */
static enum err open_layer(struct field_tree *tree, uint32_t node, enum wrapping w, struct bytes in)
{
    struct field *f = &tree->nodes[node];
    struct buffer out;
    f->kind = FIELD_LAYER;
    f->children = 0;
    field_set_type(tree, node, wrapping_names[w]);
    enum err e = ERR_LIMIT;
    if (tree->layer_count == LIMIT_UNWRAP_LAYERS || !reserve(tree, in, &out)) {
        field_fail(tree, 0, "more layers than the limits allow");
    } else {
        const char *why = take_off(w, in, &out);
        arena_trim(tree->arena, out.data, out.len);
        struct bytes inside = buffer_view(&out);
        tree->layers[tree->layer_count++] = inside;
        e = content(inside, tree->layer_count, node, tree);
        if (why)
            e = fail_layer(tree, node, why, out.max);
    }
    field_end(tree, node);
    return e;
}

/* A node for the wrapping that covers `in` in its layer. */
static enum err unwrap_layer(enum wrapping w, struct bytes in, uint8_t layer, uint32_t parent,
                             struct field_tree *tree)
{
    uint32_t node = field_add(tree, parent, FIELD_LAYER);
    if (node == UINT32_MAX)
        return ERR_LIMIT;
    tree->nodes[node].layer = layer;
    tree->nodes[node].length = (uint32_t)in.len;
    return open_layer(tree, node, w, in);
}

/* Is there a JSON object or array in this base64? */
static bool holds_json(struct field_tree *tree, struct bytes in)
{
    struct buffer out;
    if (!reserve(tree, in, &out))
        return false;
    bool good = !unbase64_all(in, &out) && json_reads_as_list(buffer_view(&out));
    arena_trim(tree->arena, out.data, 0);
    return good;
}

/* Ids look like base64: in a string it is one only where it holds something that can be told. */
static bool holds_something(struct field_tree *tree, struct bytes in)
{
    uint8_t head[18] = {0};
    struct buffer begin = {.data = head, .cap = sizeof head, .max = sizeof head};
    if (!looks_like_base64(in) || !buffer_unbase64(&begin, bytes_slice(in, 0, sizeof head / 3 * 4)))
        return false;
    if (is_gzip(buffer_view(&begin)) || is_zstd(buffer_view(&begin)))
        return !unbase64_all(in, NULL);
    return (head[0] == '{' || head[0] == '[') && holds_json(tree, in);
}

static enum err open_in_string(struct field_tree *tree, uint32_t node)
{
    struct field *f = &tree->nodes[node];
    struct bytes text = field_text(tree, f);
    if (holds_something(tree, text))
        return open_layer(tree, node, WRAP_BASE64, text);
    if (!json_reads_as_list(text))
        return ERR_OK;
    f->kind = FIELD_LAYER;
    f->children = 0;
    field_set_type(tree, node, "json string");
    tree->layers[tree->layer_count++] = text;
    enum err e = json_decode_under(text, tree->layer_count, node, open_string, tree);
    field_end(tree, node);
    return e;
}

/* What cannot be opened to its end stays the string that it is, and the document around it whole. */
static enum err open_string(struct field_tree *tree, uint32_t node)
{
    struct field_tree was = *tree;
    struct field before = tree->nodes[node];
    struct arena_mark mark = arena_mark(tree->arena);
    if (was.layer_count == LIMIT_UNWRAP_LAYERS) {
        struct bytes text = field_text(tree, &before);
        tree->unopened |= holds_something(tree, text) || json_reads_as_list(text);
        return ERR_OK;
    }
    enum err e = open_in_string(tree, node);
    if (!e || tree->limited)
        return e;
    tree->count = node + 1;
    tree->nodes[node] = before;
    tree->layer_count = was.layer_count;
    tree->raw = was.raw;
    tree->complete = true;
    if (tree->nodes == was.nodes && tree->types == was.types)
        arena_release(tree->arena, mark);
    return ERR_OK;
}

static bool begins_like_json(struct bytes in)
{
    size_t at = 0;
    while (at < in.len && memchr(" \t\r\n", in.data[at], 4))
        at++;
    return at < in.len && (in.data[at] == '{' || in.data[at] == '[');
}

static enum err content(struct bytes in, uint8_t layer, uint32_t parent, struct field_tree *tree)
{
    enum wrapping w = wrapping_of(in);
    if (w != WRAP_NONE)
        return unwrap_layer(w, in, layer, parent, tree);
    if (!begins_like_json(in))
        return leaf(in, layer, parent, tree);
    return json_reads_as_lines(in) ? json_decode_lines_under(in, layer, parent, open_string, tree)
                                   : json_decode_under(in, layer, parent, open_string, tree);
}

/* JSON is looked into, string by string; where nothing is wrapped it is what it is. */
static enum err unwrap_decode(struct bytes in, const struct decode_hint *hint, struct field_tree *tree)
{
    (void)hint;
    tree->format = "unwrap";
    enum wrapping w = wrapping_of(in);
    if (w == WRAP_NONE && (begins_like_json(in) || (in.len && in.data[0] == '"'))) {
        tree->type = "json";
        return json_decode_under(in, 0, UINT32_MAX, open_string, tree);
    }
    if (w == WRAP_NONE && reads_as_base64(in))
        w = WRAP_BASE64;
    if (w == WRAP_NONE) {
        field_fail(tree, 0, "neither gzip nor zstd nor base64, nor JSON that may hold them");
        return ERR_FORMAT;
    }
    tree->type = wrapping_names[w];
    return unwrap_layer(w, in, 0, UINT32_MAX, tree);
}

static int unwrap_sniff(struct bytes in, const struct decode_hint *hint, const char **why)
{
    (void)hint;
    switch (wrapping_of(in)) {
    case WRAP_GZIP: *why = "begins with the magic of gzip"; return 97;
    case WRAP_ZSTD: *why = "begins with the magic of zstd"; return 97;
    case WRAP_BASE64: *why = "long, whole base64 of mixed case"; return 65;
    default: *why = "neither gzip nor zstd nor base64"; return 0;
    }
}

/* What remains when all is off that wraps the whole, as far as there was room for it; the layers of strings within it stay as they are. */
static struct bytes innermost(const struct field_tree *tree)
{
    uint8_t off = 0;
    for (uint32_t i = 0;
         off < tree->layer_count && tree->layers[off].len && tree->nodes[i].kind == FIELD_LAYER; i++)
        off++;
    return field_layer(tree, off);
}

/* What is inside, behind the name of the outermost wrapping. */
static void unwrap_gist(struct bytes in, struct buffer *line)
{
    struct arena arena;
    struct field_tree tree;
    arena_init(&arena, LIMIT_DECODE_VIEW);
    field_tree_init(&tree, &arena, in);
    unwrap_decode(in, NULL, &tree);
    buffer_printf(line, "%s: ", tree.type);
    utf8_scrub(line, bytes_slice(innermost(&tree), 0, 1024), SCRUB_SCREEN);
    arena_free(&arena);
}

const struct decoder_ops unwrap_decoder = {
    .name = "unwrap",
    .hidden = "\"[redacted]\"", /* only JSON has fields outside of what is wrapped */
    .wraps = true,
    .sniff = unwrap_sniff,
    .decode = unwrap_decode,
    .gist = unwrap_gist,
};
