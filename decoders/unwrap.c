#include "decoders/unwrap.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "decoders/json.h"
#include "decoders/unwrap_internal.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const wrapping_names[WRAPPINGS] = {"", "gzip", "zstd", "base64"};

/* ---- the tree ---- */

/* The effort is for what strings hold: there may be many, and what cannot be opened leaves no trace. */
struct opening {
    struct field_tree *tree;
    struct effort effort;
    unsigned depth;         /* layers that are open, one within another */
    json_open_string *open; /* NULL: strings stay closed */
};

static enum err content(struct opening *o, struct bytes in, uint16_t layer, uint32_t parent);
static enum err open_string(void *context, uint32_t node);

static enum err leaf(struct bytes in, uint16_t layer, uint32_t parent, struct field_tree *tree)
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
static bool reserve(struct field_tree *tree, enum wrapping w, struct bytes in, struct buffer *out)
{
    size_t most = wrapping_most(w, in), room = field_tree_room(tree);
    most = most < room ? most : room;
    most = most < LIMIT_UNWRAP_OUTPUT ? most : LIMIT_UNWRAP_OUTPUT;
    *out = (struct buffer){.data = arena_pack(tree->arena, most), .cap = most, .max = most};
    return out->data != NULL;
}

/* "unpacked 4.4 MiB of 4.7 MiB" */
static void put_share(char *into, size_t size, size_t len, size_t whole)
{
    char part[32], all[32] = "it";
    if (whole)
        text_bytes(all, sizeof all, whole);
    snprintf(into, size, "unpacked %s of %s", text_bytes(part, sizeof part, len), all);
}

/* The layer ends where there was no more room; its fields may have ended before. */
static enum err fail_over(struct field_tree *tree, const struct unwrapped *u, size_t len, uint16_t layer)
{
    char share[80];
    size_t used = strlen(tree->error);
    put_share(share, sizeof share, len, u->whole);
    if (tree->limited && !tree->complete) {
        snprintf(tree->error + used, sizeof tree->error - used, "; %s", share);
        return ERR_LIMIT;
    }
    field_fail(tree, (uint32_t)len, "%s%s", share,
               u->bomb ? ", a bomb: it grows a thousandfold" : "; there is no room for the rest");
    tree->limited = !u->bomb;
    tree->error_layer = layer;
    return ERR_LIMIT;
}

static enum err fail_layer(struct field_tree *tree, uint32_t node, const char *why)
{
    field_fail(tree, tree->nodes[node].offset, "%s", why);
    tree->error_layer = tree->nodes[node].layer;
    return ERR_FORMAT;
}

/* To where it will stay. Of many small ones none keeps the block that was there for what it might have become. */
static struct unwrapped take_off(struct opening *o, enum wrapping w, struct bytes in, struct bytes *inside)
{
    struct arena *arena = o->tree->arena;
    struct arena_mark mark = arena_mark(arena);
    struct buffer out;
    if (!reserve(o->tree, w, in, &out))
        return (struct unwrapped){.fault = "there is no room for it", .over = true};
    struct unwrapped u = wrapping_take_off(w, in, &out, &o->effort);
    bool small = arena->blocks != mark.block && out.len && out.len < out.cap / 2;
    uint8_t *copy = small ? malloc(out.len) : NULL;
    if (copy) {
        memcpy(copy, out.data, out.len);
        arena_release(arena, mark);
        *inside = arena_copy(arena, bytes_of(copy, out.len));
        free(copy);
    } else {
        arena_trim(arena, out.data, out.len);
        *inside = buffer_view(&out);
    }
    return u;
}

/* Takes the wrapping off what a layer's node covers; what is inside becomes its child. */
static enum err open_layer(struct opening *o, uint32_t node, enum wrapping w, struct bytes in)
{
    struct field_tree *tree = o->tree;
    struct field *f = &tree->nodes[node];
    struct bytes inside = BYTES_NULL;
    struct unwrapped u = {.fault = NULL};
    enum err e = ERR_LIMIT;
    f->kind = FIELD_LAYER;
    f->children = 0;
    field_set_type(tree, node, wrapping_names[w]);
    uint16_t layer = o->depth < LIMIT_UNWRAP_LAYERS ? field_add_layer(tree, inside) : 0;
    if (layer)
        u = take_off(o, w, in, &inside);
    if (inside.data) {
        tree->layers[layer - 1] = inside;
        o->depth++;
        e = content(o, inside, layer, node);
        o->depth--;
        if (u.fault)
            e = u.over ? fail_over(tree, &u, inside.len, layer) : fail_layer(tree, node, u.fault);
    } else {
        field_fail(tree, 0, "more layers than the limits allow");
    }
    field_end(tree, node);
    return e;
}

/* A node for the wrapping that covers `in` in its layer. */
static enum err unwrap_layer(struct opening *o, enum wrapping w, struct bytes in, uint16_t layer,
                             uint32_t parent)
{
    struct field_tree *tree = o->tree;
    uint32_t node = field_add(tree, parent, FIELD_LAYER);
    if (node == UINT32_MAX)
        return ERR_LIMIT;
    tree->nodes[node].layer = layer;
    tree->nodes[node].length = (uint32_t)in.len;
    return open_layer(o, node, w, in);
}

/* Is there a JSON object or array in this base64? It stays closed where finding out is too much. */
static bool holds_json(struct opening *o, struct bytes in)
{
    struct buffer out;
    struct arena *arena = o->tree->arena;
    struct arena_mark mark = arena_mark(arena);
    struct unwrapped u = {.fault = "no room", .over = true};
    if (reserve(o->tree, WRAP_BASE64, in, &out))
        u = wrapping_take_off(WRAP_BASE64, in, &out, &o->effort);
    bool good = !u.fault && json_reads_as_list(buffer_view(&out));
    o->tree->unopened |= u.over;
    arena_release(arena, mark);
    return good;
}

static bool holds_something(struct opening *o, struct bytes in)
{
    enum held held = wrapping_holds(in);
    return held == HOLDS_STREAM || (held == HOLDS_LIST && holds_json(o, in));
}

static enum err open_in_string(struct opening *o, uint32_t node)
{
    struct field_tree *tree = o->tree;
    struct field *f = &tree->nodes[node];
    struct bytes text = field_text(tree, f);
    if (holds_something(o, text))
        return open_layer(o, node, WRAP_BASE64, text);
    if (!json_reads_as_list(text))
        return ERR_OK;
    uint16_t layer = field_add_layer(tree, text);
    if (!layer)
        return ERR_LIMIT;
    f->kind = FIELD_LAYER;
    f->children = 0;
    field_set_type(tree, node, "json string");
    o->depth++;
    enum err e = json_decode_under(text, layer, node, open_string, o, tree);
    o->depth--;
    field_end(tree, node);
    return e;
}

/* What cannot be opened to its end stays the string that it is, and the document around it whole. */
static enum err open_string(void *context, uint32_t node)
{
    struct opening *o = context;
    struct field_tree *tree = o->tree;
    struct field_tree was = *tree;
    struct field before = tree->nodes[node];
    struct arena_mark mark = arena_mark(tree->arena);
    if (o->depth == LIMIT_UNWRAP_LAYERS || !o->effort.left) {
        struct bytes text = field_text(tree, &before);
        tree->unopened |= holds_something(o, text) || json_reads_as_list(text);
        return ERR_OK;
    }
    enum err e = open_in_string(o, node);
    if (!e || tree->count == LIMIT_DECODE_NODES)
        return e;
    tree->unopened |= e == ERR_LIMIT;
    tree->count = node + 1;
    tree->nodes[node] = before;
    tree->layer_count = was.layer_count;
    tree->raw = was.raw;
    tree->complete = true;
    tree->limited = false;
    if (tree->nodes == was.nodes && tree->types == was.types && tree->layers == was.layers)
        arena_release(tree->arena, mark);
    return ERR_OK;
}

/* What wraps the whole comes off once, and the arena bounds it. */
static void limit_strings(struct opening *o)
{
    if (o->effort.left > LIMIT_UNWRAP_WORK)
        o->effort.left = LIMIT_UNWRAP_WORK;
}

static enum err content(struct opening *o, struct bytes in, uint16_t layer, uint32_t parent)
{
    enum wrapping w = wrapping_of(in, false);
    if (w != WRAP_NONE)
        return unwrap_layer(o, w, in, layer, parent);
    if (!wrapping_begins_like_json(in))
        return leaf(in, layer, parent, o->tree);
    limit_strings(o);
    return json_reads_as_lines(in) ? json_decode_lines_under(in, layer, parent, o->open, o, o->tree)
                                   : json_decode_under(in, layer, parent, o->open, o, o->tree);
}

static enum err unwrap_whole(struct opening *o, struct bytes in)
{
    struct field_tree *tree = o->tree;
    enum wrapping w = wrapping_of(in, false);
    if (w == WRAP_NONE && (wrapping_begins_like_json(in) || (in.len && in.data[0] == '"'))) {
        tree->type = "json";
        limit_strings(o);
        return json_decode_under(in, 0, UINT32_MAX, o->open, o, tree);
    }
    if (w == WRAP_NONE && wrapping_reads_as_base64(in))
        w = WRAP_BASE64;
    if (w == WRAP_NONE) {
        field_fail(tree, 0, "neither gzip nor zstd nor base64, nor JSON that may hold them");
        return ERR_FORMAT;
    }
    tree->type = wrapping_names[w];
    return unwrap_layer(o, w, in, 0, UINT32_MAX);
}

/* JSON is looked into, string by string; where nothing is wrapped it is what it is. */
static enum err unwrap_decode(struct bytes in, const struct decode_hint *hint, struct field_tree *tree)
{
    size_t *work = hint ? hint->work : NULL;
    struct opening o = {.tree = tree,
                        .effort.left = work ? *work : SIZE_MAX,
                        .open = hint && hint->closed ? NULL : open_string};
    tree->format = "unwrap";
    enum err e = unwrap_whole(&o, in);
    if (work)
        *work = o.effort.left;
    effort_end(&o.effort);
    return e;
}

static int unwrap_sniff(struct bytes in, const struct decode_hint *hint, const char **why)
{
    switch (hint && hint->glance ? wrapping_glance(in) : wrapping_of(in, false)) {
    case WRAP_GZIP: *why = "begins with the magic of gzip"; return 97;
    case WRAP_ZSTD: *why = "begins with the magic of zstd"; return 97;
    case WRAP_BASE64: *why = "long, whole base64 of mixed case"; return 65;
    default: *why = "neither gzip nor zstd nor base64"; return 0;
    }
}

/* zstd gives nothing before it has a whole block (RFC 8878 section 3.1.1.2.4: 128 KiB at most), which may be in base64 twice. */
#define GIST_MOST (256 * KIB)

/* The beginning of what is innermost; no layer takes more than room. known: nothing hides in it. */
static struct bytes innermost(struct bytes in, enum wrapping w, uint8_t *rooms, size_t room, bool *known)
{
    struct effort effort = {.left = SIZE_MAX};
    *known = true;
    for (int i = 0; w != WRAP_NONE && i < LIMIT_UNWRAP_LAYERS; i++) {
        struct buffer out = {.data = rooms + i % 2 * GIST_MOST, .cap = room, .max = room};
        const char *fault = wrapping_take_off(w, bytes_slice(in, 0, room + room / 2), &out, &effort).fault;
        *known = !fault || out.len;
        if (!*known)
            break; /* what it is wrapped in says more than nothing */
        in = buffer_view(&out);
        w = wrapping_of(in, fault);
    }
    effort_end(&effort);
    return in;
}

/* The beginning of what is inside, behind the name of the outermost wrapping: for a row, which is drawn again and again, so that no
 * more is read or comes off than it takes. The layers of strings within it stay as they are. */
static void unwrap_gist(struct bytes in, struct buffer *line)
{
    uint8_t *rooms = malloc(2 * GIST_MOST);
    enum wrapping w = wrapping_in_row(in);
    bool json = wrapping_begins_like_json(in) || (in.len && in.data[0] == '"'), known = false;
    struct bytes inside = BYTES_NULL;
    if (w != WRAP_NONE || json)
        buffer_printf(line, "%s: ", w == WRAP_NONE ? "json" : wrapping_names[w]);
    for (size_t room = ROW_ROOM; rooms && !known && room <= GIST_MOST; room *= 4)
        inside = innermost(in, w, rooms, room, &known);
    utf8_scrub(line, bytes_slice(inside, 0, 1024), SCRUB_SCREEN);
    free(rooms);
}

const struct decoder_ops unwrap_decoder = {
    .name = "unwrap",
    .hidden = "\"[redacted]\"", /* only JSON has fields outside of what is wrapped */
    .wraps = true,
    .may_hide = wrapping_may_hide,
    .sniff = unwrap_sniff,
    .decode = unwrap_decode,
    .find = unwrap_find,
    .gist = unwrap_gist,
};
