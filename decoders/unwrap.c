#include "decoders/unwrap.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "decoders/json.h"

#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

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

static const char *const over_limit = "grows over the limit: a bomb, or more than 64 MiB";

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

static const char *unzstd_all(struct bytes in, struct buffer *out)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer source = {in.data, in.len, 0};
    size_t left = 1;
    const char *why = context ? NULL : "no memory";
    if (context)
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 26); /* 64 MiB of window */
    while (!why && (source.pos < source.size || left > 0)) {
        uint8_t *to = out->max == out->len
                          ? NULL
                          : buffer_reserve(out, out->max - out->len < 65536 ? out->max - out->len : 65536);
        if (!to) {
            why = over_limit;
            break;
        }
        size_t room = out->cap - out->len;
        ZSTD_outBuffer target = {to, room > 65536 ? 65536 : room, 0};
        size_t before = source.pos;
        left = ZSTD_decompressStream(context, &target, &source);
        out->len += target.pos;
        if (ZSTD_isError(left) || (target.pos == 0 && source.pos == before))
            why = "the zstd stream is damaged or cut off";
    }
    ZSTD_freeDCtx(context);
    return why;
}

/* Also without the padding, which RFC 4648 section 3.2 lets some leave out. */
static const char *unbase64_all(struct bytes in, struct buffer *out)
{
    struct buffer digits;
    buffer_init(&digits, in.len + 4);
    for (size_t i = 0; i < in.len; i++)
        if (in.data[i] != '\n' && in.data[i] != '\r')
            buffer_byte(&digits, in.data[i]);
    while (digits.len % 4 > 1)
        buffer_byte(&digits, '=');
    bool good = buffer_unbase64(out, buffer_view(&digits));
    buffer_free(&digits);
    return good ? NULL : "this is no base64";
}

/* Nobody guesses here: whoever asks for it has short ones too, and ones without capitals. */
static bool reads_as_base64(struct bytes in)
{
    struct buffer out;
    buffer_init(&out, in.len);
    bool good = in.len && !unbase64_all(in, &out) && out.len;
    buffer_free(&out);
    return good;
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
    uint32_t i = field_add(tree, parent, text ? FIELD_STRING : FIELD_BYTES, BYTES_NULL);
    if (i == UINT32_MAX)
        return ERR_LIMIT;
    tree->nodes[i].text = in;
    tree->nodes[i].type = text ? "text" : "bytes";
    tree->nodes[i].layer = layer;
    tree->nodes[i].length = (uint32_t)in.len;
    return ERR_OK;
}

/* Takes the wrapping off what a layer's node covers; what is inside becomes its child. */
static enum err open_layer(struct field_tree *tree, uint32_t node, enum wrapping w, struct bytes in)
{
    struct field *f = &tree->nodes[node];
    f->kind = FIELD_LAYER;
    f->type = wrapping_names[w];
    f->text = BYTES_LITERAL("");
    struct buffer out;
    buffer_init(&out, most_output(in));
    const char *why = take_off(w, in, &out);
    struct bytes inside = arena_copy(tree->arena, buffer_view(&out));
    buffer_free(&out);
    enum err e = ERR_OK;
    if (!inside.data || tree->layer_count == LIMIT_UNWRAP_LAYERS) {
        field_fail(tree, 0, "more layers or bytes than the limits allow");
        e = ERR_LIMIT;
    } else {
        tree->layers[tree->layer_count++] = inside;
        e = content(inside, tree->layer_count, node, tree);
    }
    if (why) {
        field_fail(tree, tree->nodes[node].offset, "%s", why);
        tree->error_layer = tree->nodes[node].layer;
        e = why == over_limit ? ERR_LIMIT : ERR_FORMAT;
    }
    field_end(tree, node);
    return e;
}

/* A node for the wrapping that covers `in` in its layer. */
static enum err unwrap_layer(enum wrapping w, struct bytes in, uint8_t layer, uint32_t parent,
                             struct field_tree *tree)
{
    uint32_t node = field_add(tree, parent, FIELD_LAYER, BYTES_NULL);
    if (node == UINT32_MAX)
        return ERR_LIMIT;
    tree->nodes[node].layer = layer;
    tree->nodes[node].length = (uint32_t)in.len;
    return open_layer(tree, node, w, in);
}

/* Ids look like base64: in a string it is one only where it holds something that can be told. */
static bool holds_something(struct bytes in)
{
    struct buffer out;
    buffer_init(&out, in.len);
    bool good = looks_like_base64(in) && !unbase64_all(in, &out);
    struct bytes inside = buffer_view(&out);
    good = good && (is_gzip(inside) || is_zstd(inside) || json_reads_as_list(inside));
    buffer_free(&out);
    return good;
}

static enum err open_in_string(struct field_tree *tree, uint32_t node)
{
    struct field *f = &tree->nodes[node];
    struct bytes text = f->text;
    if (holds_something(text))
        return open_layer(tree, node, WRAP_BASE64, text);
    if (!json_reads_as_list(text))
        return ERR_OK;
    f->kind = FIELD_LAYER;
    f->type = "json string";
    tree->layers[tree->layer_count++] = text;
    enum err e = json_decode_under(text, tree->layer_count, node, open_string, tree);
    field_end(tree, node);
    return e;
}

/* What cannot be opened to its end stays the string that it is, and the document around it whole. */
static enum err open_string(struct field_tree *tree, uint32_t node)
{
    struct field before = tree->nodes[node];
    uint8_t layers = tree->layer_count;
    if (layers == LIMIT_UNWRAP_LAYERS) {
        tree->unopened |= holds_something(before.text) || json_reads_as_list(before.text);
        return ERR_OK;
    }
    enum err e = open_in_string(tree, node);
    if (!e || tree->limited)
        return e;
    tree->count = node + 1;
    tree->nodes[node] = before;
    tree->layer_count = layers;
    tree->complete = true;
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

/* What remains when all is off that wraps the whole; the layers of strings within it stay as they are. */
static struct bytes innermost(const struct field_tree *tree, struct bytes in)
{
    uint8_t off = 0;
    for (uint32_t i = 0; off < tree->layer_count && tree->nodes[i].kind == FIELD_LAYER; i++)
        off++;
    return off ? tree->layers[off - 1] : in;
}

/* What is inside, behind the name of the outermost wrapping. */
static void unwrap_gist(struct bytes in, struct buffer *line)
{
    struct arena arena;
    struct field_tree tree;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    field_tree_init(&tree, &arena);
    unwrap_decode(in, NULL, &tree);
    buffer_printf(line, "%s: ", tree.type);
    utf8_scrub(line, bytes_slice(innermost(&tree, in), 0, 1024), SCRUB_SCREEN);
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
