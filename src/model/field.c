#include "model/field.h"

#include "base/limits.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *field_kind_name(enum field_kind kind)
{
    static const char *const names[FIELD_KINDS] = {"object", "array", "string", "number", "bool",
                                                   "null",   "bytes", "layer",  "error"};
    return (unsigned)kind < FIELD_KINDS ? names[kind] : "";
}

void field_tree_init(struct field_tree *t, struct arena *arena, struct bytes payload)
{
    *t = (struct field_tree){.arena = arena, .payload = payload, .complete = true, .format = "", .type = ""};
}

#define TYPES_BYTES (UINT8_MAX * sizeof(const char *))

static uint32_t grown(uint32_t cap)
{
    return cap == 0 ? 64 : cap == 64 ? 1024 : LIMIT_DECODE_NODES;
}

/* Inside the arena, where the old array stays. The last step is the longest one: what no node was written to takes no memory. */
static bool tree_grow(struct field_tree *t)
{
    uint32_t cap = grown(t->cap);
    struct field *nodes = arena_alloc(t->arena, cap * sizeof *nodes);
    if (!nodes)
        return false;
    if (t->count)
        memcpy(nodes, t->nodes, t->count * sizeof *nodes);
    t->nodes = nodes;
    t->cap = cap;
    return true;
}

/* By the nodes' steps and the table of types, with what aligns each. */
static size_t still_taken(const struct field_tree *t)
{
    enum { ALIGN = 16 };
    size_t taken = t->types ? 0 : TYPES_BYTES + ALIGN;
    for (uint32_t cap = t->cap; cap < LIMIT_DECODE_NODES; cap = grown(cap))
        taken += grown(cap) * sizeof *t->nodes + ALIGN;
    return taken;
}

size_t field_tree_room(const struct field_tree *t)
{
    size_t left = t->arena->max - t->arena->used, taken = still_taken(t);
    return left > taken ? left - taken : 0;
}

uint32_t field_add(struct field_tree *t, uint32_t parent, enum field_kind kind)
{
    if (t->count >= LIMIT_DECODE_NODES || (t->count == t->cap && !tree_grow(t))) {
        if (t->complete) {
            field_fail(t, t->count ? t->nodes[t->count - 1].offset : 0, "more than %u fields",
                       t->count ? t->count : LIMIT_DECODE_NODES);
            t->limited = true;
            t->error_layer = t->count ? t->nodes[t->count - 1].layer : 0;
        }
        return UINT32_MAX;
    }
    uint32_t i = t->count++;
    struct field *f = &t->nodes[i];
    *f = (struct field){.kind = kind, .parent = parent, .next = i + 1};
    if (parent != UINT32_MAX) {
        struct field *p = &t->nodes[parent];
        f->depth = (uint16_t)(p->depth + 1);
        f->layer = p->layer;
        f->index = p->children++;
    }
    return i;
}

void field_end(struct field_tree *t, uint32_t node)
{
    assert(node < t->count);
    t->nodes[node].next = t->count;
}

/* ---- names, texts, types ---- */

#define HEAD (2 * sizeof(uint32_t)) /* what stands before a name or a text in the arena, at most */

uint8_t *field_reserve(struct field_tree *t, size_t most)
{
    uint8_t *p = most + HEAD <= field_tree_room(t) ? arena_pack(t->arena, HEAD + most) : NULL;
    t->reserved = p ? p + HEAD : NULL;
    return t->reserved;
}

/* Behind a head of 32-bit numbers, in the arena. False: there is no room. */
static bool own(struct field_tree *t, const uint32_t *head, size_t head_size, struct bytes text,
                uint32_t *place)
{
    uint8_t *to = t->reserved;
    bool is_there = to && text.data == to;
    if (!is_there)
        to = field_reserve(t, text.len);
    t->reserved = NULL;
    if (!to)
        return false;
    if (!is_there && text.len)
        memcpy(to, text.data, text.len);
    arena_trim(t->arena, to, text.len);
    memcpy(to - head_size, head, head_size);
    *place = arena_place(t->arena, to - head_size);
    return true;
}

/* What stands in the layer, where it stands there as it is. */
static enum field_place place_of(struct bytes layer, uint32_t offset, uint32_t length, struct bytes text)
{
    if (layer.data && text.data == layer.data + offset && text.len == length)
        return FIELD_WHOLE;
    if (layer.data && text.data == layer.data + offset + 1 && text.len + 2 == length)
        return FIELD_QUOTED;
    return FIELD_OWN;
}

void field_keep_raw(struct field_tree *t, uint32_t node)
{
    t->nodes[node].flags |= FIELD_RAW;
    t->raw = true;
}

/* Its bytes stand for it where there is no room for what they mean. */
static enum field_place as_it_stands(struct field_tree *t, uint32_t node, uint32_t length)
{
    field_keep_raw(t, node);
    return length >= 2 ? FIELD_QUOTED : FIELD_WHOLE;
}

void field_set_name(struct field_tree *t, uint32_t node, uint32_t offset, uint32_t length, struct bytes name)
{
    struct field *f = &t->nodes[node];
    f->name_at = offset;
    f->name_length = length;
    f->name_place = name.data ? place_of(field_layer(t, f->layer), offset, length, name) : FIELD_NOWHERE;
    if (f->name_place != FIELD_OWN)
        return;
    if (own(t, (uint32_t[]){offset, length}, 2 * sizeof(uint32_t), name, &f->name_at))
        f->name_length = (uint32_t)name.len;
    else
        f->name_place = as_it_stands(t, node, length);
}

void field_set_text(struct field_tree *t, uint32_t node, struct bytes text)
{
    struct field *f = &t->nodes[node];
    uint32_t len = (uint32_t)text.len;
    f->text_place =
        text.data ? place_of(field_layer(t, f->layer), f->offset, f->length, text) : FIELD_NOWHERE;
    if (f->text_place == FIELD_OWN && !own(t, &len, sizeof len, text, &f->own_text))
        f->text_place = as_it_stands(t, node, f->length);
}

void field_set_type(struct field_tree *t, uint32_t node, const char *type)
{
    uint8_t n = 0;
    if (!t->types)
        t->types = arena_alloc(t->arena, TYPES_BYTES);
    while (n < t->type_count && strcmp(t->types[n], type) != 0)
        n++;
    if (!t->types || n == UINT8_MAX)
        return;
    t->types[n] = type;
    t->type_count += n == t->type_count;
    t->nodes[node].type = n + 1;
}

uint16_t field_add_layer(struct field_tree *t, struct bytes layer)
{
    enum { FIRST = 8 };
    if (t->layer_count == t->layer_cap) {
        size_t cap = t->layer_cap ? 2 * (size_t)t->layer_cap : FIRST;
        cap = cap < UINT16_MAX ? cap : UINT16_MAX;
        struct bytes *layers = NULL;
        if (cap > t->layer_count && cap * sizeof *layers <= field_tree_room(t))
            layers = arena_alloc(t->arena, cap * sizeof *layers);
        if (!layers)
            return 0;
        if (t->layer_count)
            memcpy(layers, t->layers, t->layer_count * sizeof *layers);
        t->layers = layers;
        t->layer_cap = (uint16_t)cap;
    }
    t->layers[t->layer_count++] = layer;
    return t->layer_count;
}

struct bytes field_layer(const struct field_tree *t, uint16_t layer)
{
    return layer ? t->layers[layer - 1] : t->payload;
}

static struct bytes placed(const struct field_tree *t, uint16_t layer, enum field_place place,
                           uint32_t offset, uint32_t length)
{
    bool quoted = place == FIELD_QUOTED;
    return bytes_of(field_layer(t, layer).data + offset + quoted, length - 2 * (size_t)quoted);
}

struct bytes field_name(const struct field_tree *t, const struct field *f)
{
    if (f->name_place == FIELD_NOWHERE)
        return BYTES_NULL;
    if (f->name_place != FIELD_OWN)
        return placed(t, f->layer, f->name_place, f->name_at, f->name_length);
    const uint8_t *p = arena_at(t->arena, f->name_at);
    return bytes_of(p + 2 * sizeof(uint32_t), f->name_length);
}

void field_name_range(const struct field_tree *t, const struct field *f, uint32_t *offset, uint32_t *length)
{
    uint32_t range[2] = {f->name_at, f->name_length};
    if (f->name_place == FIELD_OWN)
        memcpy(range, arena_at(t->arena, f->name_at), sizeof range);
    *offset = range[0];
    *length = range[1];
}

struct bytes field_text(const struct field_tree *t, const struct field *f)
{
    if (f->kind == FIELD_LAYER)
        return BYTES_LITERAL("");
    if (f->text_place == FIELD_NOWHERE)
        return BYTES_NULL;
    if (f->text_place != FIELD_OWN)
        return placed(t, f->layer, f->text_place, f->offset, f->length);
    const uint8_t *p = arena_at(t->arena, f->own_text);
    uint32_t len;
    memcpy(&len, p, sizeof len);
    return bytes_of(p + sizeof len, len);
}

const char *field_type(const struct field_tree *t, const struct field *f)
{
    return f->type ? t->types[f->type - 1] : field_kind_name(f->kind);
}

void field_fail(struct field_tree *t, uint32_t at, const char *format, ...)
{
    t->complete = false;
    t->error_at = at;
    t->error_layer = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(t->error, sizeof t->error, format, args);
    va_end(args);
}

/* ---- paths ---- */

static bool plain_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == '.' || name.data[i] == '[' || name.data[i] == '"' || name.data[i] <= ' ')
            return false;
    return name.len > 0;
}

static size_t append_step(const struct field_tree *t, const struct field *f, bool first, char *into,
                          size_t size)
{
    int n;
    struct bytes name = field_name(t, f);
    if (!name.data)
        n = snprintf(into, size, "[%" PRIu32 "]", f->index);
    else if (plain_name(name))
        n = snprintf(into, size, "%s%.*s", first ? "" : ".", (int)name.len, (const char *)name.data);
    else
        n = snprintf(into, size, "%s\"%.*s\"", first ? "" : ".", (int)name.len, (const char *)name.data);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

char *field_path(const struct field_tree *t, uint32_t node, char *into, size_t size)
{
    uint32_t chain[LIMIT_DECODE_DEPTH + 8];
    size_t count = 0;
    for (uint32_t i = node; i < t->count && t->nodes[i].parent != UINT32_MAX; i = t->nodes[i].parent)
        if (count < sizeof chain / sizeof *chain && t->nodes[t->nodes[i].parent].kind != FIELD_LAYER)
            chain[count++] = i;
    size_t at = 0;
    into[0] = '\0';
    for (size_t i = count; i-- > 0 && at + 1 < size;)
        at += append_step(t, &t->nodes[chain[i]], at == 0, into + at, size - at);
    return into;
}

uint32_t field_at(const struct field_tree *t, uint16_t layer, uint32_t offset)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct field *f = &t->nodes[i];
        bool in_value = offset >= f->offset && offset - f->offset < f->length;
        uint32_t name, name_length;
        field_name_range(t, f, &name, &name_length);
        bool in_name = offset >= name && offset - name < name_length;
        if (f->layer == layer && (in_value || in_name))
            best = i; /* preorder: a later hit is deeper, or a sibling's name */
    }
    return best;
}

static enum err path_fault(struct err_info *err, size_t at, const char *what)
{
    err_set(err, ERR_USAGE, "%s", what);
    err_where(err, "path, column %zu", at + 1);
    err_next(err, "write a.b[0].c[*], names with dots in quotes");
    return ERR_USAGE;
}

static struct path_step *path_add(struct field_path *p)
{
    if (p->count == sizeof p->steps / sizeof *p->steps)
        return NULL;
    struct path_step *s = &p->steps[p->count++];
    *s = (struct path_step){.name = BYTES_NULL, .index = -1};
    return s;
}

static bool parse_index(struct bytes digits, int64_t *index)
{
    if (digits.len == 0 || digits.len > 9)
        return false;
    *index = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        *index = *index * 10 + (digits.data[i] - '0');
    }
    return true;
}

/* RFC 6901: tokens between slashes, ~1 is a slash, ~0 a tilde. A token of digits names a member or counts an element:
 * the step keeps both readings. */
static enum err parse_pointer(struct field_path *p, struct bytes text, struct arena *arena,
                              struct err_info *err)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = ++at;
        while (end < text.len && text.data[end] != '/')
            end++;
        struct path_step *s = path_add(p);
        uint8_t *name = arena_alloc(arena, end - at + 1);
        if (!s || !name)
            return path_fault(err, at, "the path has too many steps");
        size_t len = 0;
        for (size_t i = at; i < end; i++) {
            if (text.data[i] != '~') {
                name[len++] = text.data[i];
                continue;
            }
            if (++i >= end || (text.data[i] != '0' && text.data[i] != '1'))
                return path_fault(err, i, "~ in a JSON Pointer is followed by 0 or 1");
            name[len++] = text.data[i] == '1' ? '/' : '~';
        }
        s->name = bytes_of(name, len);
        if (!parse_index(s->name, &s->index))
            s->index = -1;
        at = end;
    }
    return ERR_OK;
}

static size_t parse_brackets(struct field_path *p, struct bytes text, size_t at, bool *ok)
{
    size_t end = at + 1;
    while (end < text.len && text.data[end] != ']')
        end++;
    struct bytes inside = bytes_slice(text, at + 1, end - at - 1);
    struct path_step *s = path_add(p);
    *ok = s && end < text.len && (bytes_equal_text(inside, "*") || parse_index(inside, &s->index));
    return end + 1;
}

static size_t parse_name(struct field_path *p, struct bytes text, size_t at, struct arena *arena, bool *ok)
{
    size_t end = at;
    struct bytes name;
    if (text.data[at] == '"') {
        for (end = at + 1; end < text.len && text.data[end] != '"'; end++)
            ;
        name = bytes_slice(text, at + 1, end - at - 1);
        *ok = end < text.len;
        end++;
    } else {
        while (end < text.len && text.data[end] != '.' && text.data[end] != '[')
            end++;
        name = bytes_slice(text, at, end - at);
        *ok = name.len > 0;
    }
    struct path_step *s = path_add(p);
    if (s)
        s->name = arena_copy(arena, name);
    *ok = *ok && s && s->name.data;
    return end;
}

enum err field_path_parse(struct field_path *p, struct bytes text, struct arena *arena, struct err_info *err)
{
    p->count = 0;
    if (text.len && text.data[0] == '/')
        return parse_pointer(p, text, arena, err);
    for (size_t at = 0; at < text.len;) {
        size_t start = at;
        bool ok = true;
        if (text.data[at] == '[') {
            at = parse_brackets(p, text, at, &ok);
        } else {
            if (p->count && text.data[at] == '.')
                at++;
            at = at < text.len ? parse_name(p, text, at, arena, &ok) : (ok = false, at);
        }
        if (!ok)
            return path_fault(err, start, "this is no path, or one of more than 16 steps");
    }
    return ERR_OK;
}

struct finder {
    const struct field_tree *tree;
    const struct field_path *path;
    field_visit *visit;
    void *context;
};

static bool step_fits(const struct field_tree *t, const struct path_step *s, const struct field *parent,
                      const struct field *f)
{
    if (parent->kind == FIELD_ARRAY)
        return s->index >= 0 ? (int64_t)f->index == s->index : !s->name.data;
    if (s->name.data)
        return bytes_equal(s->name, field_name(t, f));
    return s->index < 0;
}

static struct bytes field_raw(const struct field_tree *t, const struct field *f)
{
    return f->layer ? bytes_slice(t->layers[f->layer - 1], f->offset, f->length) : BYTES_NULL;
}

/* False: the visitor has had enough. A layer is transparent: its content answers in its place. */
static bool find_below(const struct finder *f, uint32_t node, size_t step)
{
    const struct field *at = &f->tree->nodes[node];
    if (at->kind == FIELD_LAYER) {
        for (uint32_t i = node + 1; i < at->next; i = f->tree->nodes[i].next)
            if (!find_below(f, i, step))
                return false;
        return true;
    }
    if (step == f->path->count)
        return f->visit(f->context, at->kind, field_text(f->tree, at), field_raw(f->tree, at));
    for (uint32_t i = node + 1; i < at->next; i = f->tree->nodes[i].next)
        if (step_fits(f->tree, &f->path->steps[step], at, &f->tree->nodes[i]) && !find_below(f, i, step + 1))
            return false;
    return true;
}

void field_find(const struct field_tree *t, const struct field_path *p, field_visit *visit, void *context)
{
    struct finder f = {t, p, visit, context};
    if (t->count)
        find_below(&f, 0, 0);
}
