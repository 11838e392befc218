#include "operations/dedupe_rule.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/decode.h"
#include "engine/lookup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum by { BY_ID, BY_KEY, BY_BODY, BY_HEADER, BY_FIELD, BYS };

struct dedupe_rule {
    enum by by;
    struct bytes name; /* of a header */
    struct field_path path;
    struct lookup lookup;
    char *text;
    struct arena arena;
};

static const char *const words[BYS + 1] = {"id", "key", "body", "header:", "field:", NULL};

/* ---- reading a rule ---- */

static enum err unknown_rule(const char *text, struct err_info *err)
{
    const char *near = text_nearest(text, words);
    err_set(err, ERR_USAGE, "`%.100s` is no rule for duplicates", text);
    if (near)
        err_next(err, "did you mean `%s%s`? There are %s", near,
                 strcmp(near, "header:") == 0  ? "NAME"
                 : strcmp(near, "field:") == 0 ? "PATH"
                                               : "",
                 DEDUPE_RULES);
    else
        err_next(err, "write %s", DEDUPE_RULES);
    return ERR_USAGE;
}

static enum err take_path(struct dedupe_rule *r, struct bytes rest, struct err_info *err)
{
    enum err e = field_path_parse(&r->path, rest, &r->arena, err);
    if (!e && r->path.count == 0)
        e = err_set(err, ERR_USAGE, "field: names no field");
    if (e)
        err_next(err, "write field:order.id, field:lines[0].sku or field:/order/id");
    r->lookup.path = &r->path;
    r->lookup.needle = lookup_needle(&r->path);
    return e;
}

static enum err parse(struct dedupe_rule *r, struct err_info *err)
{
    for (int by = 0; by < BYS; by++) {
        const char *word = words[by];
        bool open = by >= BY_HEADER;
        if (open ? !text_starts(r->text, word) : strcmp(r->text, word) != 0)
            continue;
        struct bytes rest = bytes_of_text(r->text + strlen(word));
        r->by = (enum by)by;
        if (by == BY_FIELD)
            return take_path(r, rest, err);
        r->name = rest;
        if (open && !rest.len) {
            err_set(err, ERR_USAGE, "header: names no header");
            err_next(err, "write header:x-request-id");
            return ERR_USAGE;
        }
        return ERR_OK;
    }
    return unknown_rule(r->text, err);
}

struct dedupe_rule *dedupe_rule_new(const char *text, decoder_registry decoders, struct err_info *err)
{
    if (strlen(text) > LIMIT_FILTER) {
        err_set(err, ERR_LIMIT, "a rule has at most %zu characters", (size_t)LIMIT_FILTER);
        return NULL;
    }
    struct dedupe_rule *r = calloc(1, sizeof *r);
    if (r)
        r->text = strdup(text);
    if (!r || !r->text) {
        free(r);
        err_set(err, ERR_NOMEM, "no memory for a rule");
        return NULL;
    }
    arena_init(&r->arena, MIB);
    r->lookup.decoders = decoders;
    r->lookup.json = decoders ? decoder_find(decoders, "json") : NULL;
    if (parse(r, err))
        dedupe_rule_free(&r);
    return r;
}

void dedupe_rule_free(struct dedupe_rule **rp)
{
    struct dedupe_rule *r = *rp;
    *rp = NULL;
    if (!r)
        return;
    arena_free(&r->arena);
    free(r->text);
    free(r);
}

const char *dedupe_rule_text(const struct dedupe_rule *r)
{
    return r->text;
}

bool dedupe_rule_is_body(const struct dedupe_rule *r)
{
    return r->by == BY_BODY;
}

/* ---- the value of a message ----
 *
 * Of headers and fields a row of items: type (1), length (4, little-endian; NO_BYTES: null) and bytes. No two rows run together alike. */

#define ITEM     5
#define NO_BYTES UINT32_MAX

static void put_u32(uint8_t *into, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        into[i] = (uint8_t)(n >> 8 * i);
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void put_item(struct buffer *room, int type, struct bytes b)
{
    uint8_t head[ITEM] = {(uint8_t)type};
    put_u32(head + 1, b.data ? (uint32_t)b.len : NO_BYTES);
    buffer_append(room, head, sizeof head);
    buffer_bytes(room, b);
}

static void put_u64(struct buffer *room, int type, uint64_t n)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> 8 * i);
    put_item(room, type, bytes_of(bytes, sizeof bytes));
}

static void put_value(struct buffer *room, const struct value *v);

/* A nested list is one item, whose bytes are its members: names and values in turn. */
static void put_list(struct buffer *room, const struct value *v)
{
    size_t at = room->len;
    put_item(room, v->type, BYTES_LITERAL(""));
    for (uint32_t i = 0; i < v->list.count; i++) {
        put_item(room, VALUE_BYTES, v->list.items[i].name);
        put_value(room, &v->list.items[i].value);
    }
    if (buffer_ok(room))
        put_u32(room->data + at + 1, (uint32_t)(room->len - at - ITEM));
}

static void put_value(struct buffer *room, const struct value *v)
{
    uint64_t bits = 0;
    switch (v->type) {
    case VALUE_BOOL: put_u64(room, v->type, v->b); return;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: put_u64(room, v->type, (uint64_t)v->i); return;
    case VALUE_UINT8:
    case VALUE_UINT16:
    case VALUE_UINT32:
    case VALUE_UINT64:
    case VALUE_TIMESTAMP: put_u64(room, v->type, v->u); return;
    case VALUE_FLOAT:
    case VALUE_DOUBLE:
        memcpy(&bits, &v->f, sizeof bits);
        put_u64(room, v->type, bits);
        return;
    case VALUE_DECIMAL:
        put_u64(room, v->type, (uint64_t)v->decimal.scale << 32 | (uint32_t)v->decimal.digits);
        return;
    case VALUE_STRING:
    case VALUE_BYTES: put_item(room, v->type, v->bytes); return;
    case VALUE_ARRAY:
    case VALUE_TABLE: put_list(room, v); return;
    case VALUE_VOID:
    case VALUE_TYPES: put_item(room, v->type, BYTES_NULL); return;
    }
}

static bool is_null(const struct value *v)
{
    bool is_bytes = v->type == VALUE_STRING || v->type == VALUE_BYTES;
    return v->type == VALUE_VOID || (is_bytes && !v->bytes.data);
}

static enum dedupe_value header_value(const struct dedupe_rule *r, const struct message *m,
                                      struct buffer *room)
{
    bool found = false;
    for (uint32_t i = 0; m->headers.items && i < m->headers.count; i++) {
        if (!bytes_equal(m->headers.items[i].name, r->name))
            continue;
        found |= !is_null(&m->headers.items[i].value);
        put_value(room, &m->headers.items[i].value);
    }
    return found ? DEDUPE_FOUND : DEDUPE_NONE;
}

struct visit {
    struct buffer *room;
    bool found, broken;
};

static bool visit_field(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    struct visit *v = context;
    bool list = kind == FIELD_OBJECT || kind == FIELD_ARRAY;
    v->broken |= kind == FIELD_ERROR;
    v->found |= kind != FIELD_NULL;
    put_item(v->room, kind, kind == FIELD_NULL ? BYTES_NULL : list && raw.data ? raw : text);
    /* Of a list without bytes of its own nothing says what is in it. */
    v->broken |= list && !raw.data && !text.data;
    return true;
}

static enum dedupe_value field_value(const struct dedupe_rule *r, const struct message *m,
                                     struct buffer *room)
{
    struct visit v = {.room = room};
    bool wrapped;
    if (lookup_body(&r->lookup, m, visit_field, &v, &wrapped) || v.broken)
        return DEDUPE_UNKNOWN;
    return v.found ? DEDUPE_FOUND : DEDUPE_NONE;
}

enum dedupe_value dedupe_rule_value(const struct dedupe_rule *r, const struct message *m, struct buffer *room,
                                    struct bytes *value)
{
    enum dedupe_value found = DEDUPE_NONE;
    if (r->by <= BY_BODY) {
        *value = r->by == BY_ID ? m->id : r->by == BY_KEY ? m->key : m->payload;
        bool nameless = r->by == BY_ID && !value->len; /* an empty id names no message */
        return value->data && !nameless ? DEDUPE_FOUND : DEDUPE_NONE;
    }
    buffer_clear(room);
    found = r->by == BY_HEADER ? header_value(r, m, room) : field_value(r, m, room);
    *value = found == DEDUPE_FOUND ? buffer_view(room) : BYTES_NULL;
    return found;
}

/* ---- for people ---- */

static uint64_t get_u64(struct bytes b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < 8 && i < b.len; i++)
        n |= (uint64_t)b.data[i] << 8 * i;
    return n;
}

static void show_header(int type, struct bytes b, struct buffer *into)
{
    char text[40];
    uint64_t n = get_u64(b);
    double f;
    memcpy(&f, &n, sizeof f);
    switch (type) {
    case VALUE_STRING:
    case VALUE_BYTES: buffer_bytes(into, b); return;
    case VALUE_BOOL: buffer_text(into, n ? "true" : "false"); return;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: buffer_printf(into, "%" PRId64, (int64_t)n); return;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: buffer_text(into, text_shortest(text, sizeof text, f)); return;
    case VALUE_DECIMAL: buffer_printf(into, "%" PRId32 "e-%u", (int32_t)n, (unsigned)(n >> 32)); return;
    case VALUE_VOID: buffer_text(into, "null"); return;
    case VALUE_ARRAY:
    case VALUE_TABLE: buffer_printf(into, "(%s)", value_type_name((enum value_type)type)); return;
    default: buffer_printf(into, "%" PRIu64, n); return;
    }
}

static void show_item(const struct dedupe_rule *r, int type, struct bytes b, bool is_null_item,
                      struct buffer *into)
{
    if (is_null_item)
        buffer_text(into, "null");
    else if (r->by == BY_HEADER)
        show_header(type, b, into);
    else
        buffer_bytes(into, b);
}

void dedupe_rule_show(const struct dedupe_rule *r, struct bytes value, struct buffer *into)
{
    if (r->by <= BY_BODY) {
        buffer_bytes(into, value);
        return;
    }
    for (size_t at = 0; at + ITEM <= value.len;) {
        int type = value.data[at];
        uint32_t len = get_u32(value.data + at + 1);
        if (at)
            buffer_byte(into, ',');
        struct bytes b = bytes_slice(value, at + ITEM, len == NO_BYTES ? 0 : len);
        show_item(r, type, b, len == NO_BYTES, into);
        at += ITEM + b.len;
    }
}
