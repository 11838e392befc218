#include "ui/inspect.h"

#include "model/death.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- headers ---- */

static char *text_of(struct bytes b)
{
    struct buffer clean;
    buffer_init(&clean, (size_t)16 * 1024);
    utf8_scrub(&clean, bytes_slice(b, 0, 1024), SCRUB_SCREEN); /* a NUL is a character, not the end */
    char *text = strdup(buffer_cstr(&clean));
    buffer_free(&clean);
    return text;
}

static char *double_text(double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back */
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return strdup(text);
}

static char *decimal_text(const struct value *v)
{
    char text[64];
    snprintf(text, sizeof text, "%" PRId32 "e-%u", v->decimal.digits, v->decimal.scale);
    return strdup(text);
}

static char *number_text(const char *format, intmax_t value)
{
    char text[32];
    snprintf(text, sizeof text, *format == 'u' ? "%ju" : "%jd", value);
    return strdup(text);
}

static char *value_text(const struct value *v)
{
    char text[64];
    switch (v->type) {
    case VALUE_VOID: return strdup("null");
    case VALUE_BOOL: return strdup(v->b ? "true" : "false");
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: return number_text("d", v->i);
    case VALUE_UINT8:
    case VALUE_UINT16:
    case VALUE_UINT32:
    case VALUE_UINT64: return number_text("u", (intmax_t)v->u);
    case VALUE_FLOAT:
    case VALUE_DOUBLE: return double_text(v->f);
    case VALUE_DECIMAL: return decimal_text(v);
    case VALUE_TIMESTAMP:
        return strdup(v->u < INT64_MAX / NS_PER_S
                          ? clock_rfc3339_seconds((int64_t)v->u * NS_PER_S, text, sizeof text)
                          : "?");
    case VALUE_STRING:
    case VALUE_BYTES:
        return !v->bytes.data ? strdup("null") : v->bytes.len ? text_of(v->bytes) : strdup("(empty)");
    case VALUE_ARRAY:
    case VALUE_TABLE: snprintf(text, sizeof text, "(%" PRIu32 ")", v->list.count); return strdup(text);
    case VALUE_TYPES: break;
    }
    return strdup("?");
}

/* AMQP's default exchange has no name. */
static bool blank_exchange(const char *name, const struct value *v)
{
    return v->type == VALUE_STRING && v->bytes.data && v->bytes.len == 0 && !strcmp(name, "exchange");
}

static bool line_add(struct header_lines *l, char *name, const struct value *value, int depth)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct header_line *lines =
            l->count < HEADER_LINES_MOST ? reallocarray(l->lines, cap, sizeof *lines) : NULL;
        if (!lines) {
            free(name);
            return false;
        }
        l->lines = lines;
        l->cap = cap;
    }
    struct header_line line = {.name = name,
                               .value = name && blank_exchange(name, value) ? strdup("(default)")
                                                                            : value_text(value),
                               .type = value_type_name(value->type),
                               .depth = depth};
    if (!line.name || !line.value) {
        free(line.name);
        free(line.value);
        return false;
    }
    bool text = (value->type == VALUE_STRING || value->type == VALUE_BYTES) && value->bytes.len;
    line.whole = text ? value->bytes : bytes_of_text(line.value);
    l->lines[l->count++] = line;
    return true;
}

static void lines_add(struct header_lines *l, struct headers headers, int depth)
{
    char index[16];
    for (uint32_t i = 0; i < headers.count; i++) {
        const struct header *h = &headers.items[i];
        snprintf(index, sizeof index, "[%" PRIu32 "]", i);
        if (!line_add(l, h->name.data ? text_of(h->name) : strdup(index), &h->value, depth))
            return;
        bool nested = h->value.type == VALUE_ARRAY || h->value.type == VALUE_TABLE;
        if (nested && h->value.list.items && depth < 16)
            lines_add(l, (struct headers){h->value.list.items, h->value.list.count}, depth + 1);
    }
}

static bool has_property(const struct message *m, const char *name)
{
    for (uint32_t i = 0; i < m->properties.count; i++)
        if (bytes_equal(m->properties.items[i].name, bytes_of_text(name)))
            return true;
    return false;
}

void header_lines_make(struct header_lines *l, const struct message *m)
{
    *l = (struct header_lines){.lines = NULL};
    char died[400];
    struct header death = {.name = BYTES_LITERAL("dead letter"), .value = {.type = VALUE_STRING}};
    struct header key = {.name = BYTES_LITERAL("key"), .value = {.type = VALUE_BYTES, .bytes = m->key}};
    struct header id = {.name = BYTES_LITERAL("id"), .value = {.type = VALUE_STRING, .bytes = m->id}};
    death.value.bytes = bytes_of_text(death_tell(m->headers, died, sizeof died));
    if (*died) /* what everybody looks for first, and what RabbitMQ hides three levels down */
        lines_add(l, (struct headers){&death, 1}, 0);
    if (l->count) /* those bytes are no message's */
        l->lines[0].whole = bytes_of_text(l->lines[0].value);
    if (m->key.data)
        lines_add(l, (struct headers){&key, 1}, 0);
    if (m->id.data && !has_property(m, "message_id"))
        lines_add(l, (struct headers){&id, 1}, 0);
    lines_add(l, m->headers, 0);
    lines_add(l, m->properties, 0);
}

void header_lines_free(struct header_lines *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->lines[i].name);
        free(l->lines[i].value);
    }
    free(l->lines);
    *l = (struct header_lines){.lines = NULL};
}

/* ---- fields ---- */

static int draw_quoted(struct canvas *c, int x, int y, int max, struct bytes text)
{
    if (text.len && max < 3) /* two quotes alone would tell of an empty string */
        return canvas_text(c, x, y, max < 1 ? max : 1, ROLE_TREE_STRING, "…");
    int used = canvas_text(c, x, y, max, ROLE_TREE_STRING, "\"");
    used += canvas_bytes(c, x + used, y, max - used - 1, ROLE_TREE_STRING, text);
    return used + canvas_text(c, x + used, y, max - used, ROLE_TREE_STRING, "\"");
}

/* Bytes look the same wherever they stand: in the list, in the tree, beside it. */
static int draw_hex_digits(struct canvas *c, int x, int y, int max, struct bytes data)
{
    struct buffer text;
    buffer_init(&text, 1024);
    for (size_t i = 0; i < data.len && (int)i <= max / 3; i++)
        buffer_printf(&text, i ? " %02x" : "%02x", data.data[i]);
    int used = canvas_bytes(c, x, y, max, ROLE_TREE_STRING, buffer_view(&text));
    buffer_free(&text);
    return used;
}

int field_draw(struct canvas *c, int x, int y, int max, const struct field_tree *t, const struct field *f)
{
    struct bytes text = field_text(t, f);
    const char *cut = f->flags & FIELD_CUT ? "+" : "";
    switch (f->kind) {
    case FIELD_OBJECT: return canvas_printf(c, x, y, max, ROLE_TREE_LINE, "{%u%s}", f->children, cut);
    case FIELD_ARRAY: return canvas_printf(c, x, y, max, ROLE_TREE_LINE, "[%u%s]", f->children, cut);
    case FIELD_LAYER: return canvas_printf(c, x, y, max, ROLE_FORMAT, "unwrapped");
    case FIELD_STRING: return draw_quoted(c, x, y, max, text);
    case FIELD_NUMBER: return canvas_bytes(c, x, y, max, ROLE_TREE_NUMBER, text);
    case FIELD_BOOL: return canvas_bytes(c, x, y, max, ROLE_TREE_WORD, text);
    case FIELD_NULL: return canvas_text(c, x, y, max, ROLE_TREE_WORD, "null");
    case FIELD_BYTES: return draw_hex_digits(c, x, y, max, text);
    case FIELD_ERROR: return canvas_bytes(c, x, y, max, ROLE_FAULT, text);
    case FIELD_KINDS: break;
    }
    return 0;
}

/* Types that the value shows anyway are left out. */
const char *field_note(const struct field_tree *t, const struct field *f, char *into, size_t size)
{
    static const char *const plain[] = {"object", "array", "string", "number", "bool", "null", "error"};
    const char *type = field_type(t, f);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(type, plain[i]))
            type = "";
    snprintf(into, size, "%s%s%s%s%s", type, f->flags & FIELD_DUPLICATE ? " duplicate name" : "",
             f->flags & FIELD_UNKNOWN ? " not in the schema" : "", f->flags & FIELD_DEFAULT ? " default" : "",
             f->flags & FIELD_RAW ? " with its escapes" : "");
    return into;
}

/* ---- finding ---- */

static uint8_t folded(uint8_t c)
{
    return c | (uint8_t)(((uint8_t)(c - 'A') < 26) << 5);
}

void bytes_fold(uint8_t *restrict to, struct bytes from)
{
    size_t at = 0;
    for (; at + 64 <= from.len; at += 64) /* a fixed number is what compilers make vectors of */
        for (size_t i = 0; i < 64; i++)
            to[at + i] = folded(from.data[at + i]);
    for (; at < from.len; at++)
        to[at] = folded(from.data[at]);
}

size_t bytes_find(struct bytes b, struct span *left, struct bytes text, int step)
{
    uint8_t piece[FIND_PIECE + FIND_MOST];
    size_t places = b.len < text.len ? 0 : b.len - text.len + 1;
    left->end = left->end < places ? left->end : places;
    if (left->from >= left->end) {
        left->from = left->end;
        return SIZE_MAX;
    }
    size_t count = left->end - left->from < FIND_PIECE ? left->end - left->from : FIND_PIECE;
    size_t from = step > 0 ? left->from : left->end - count;
    if (step > 0)
        left->from += count;
    else
        left->end -= count;
    bytes_fold(piece, bytes_slice(b, from, count + text.len - 1));
    const uint8_t *found = memmem(piece, count + text.len - 1, text.data, text.len);
    if (!found)
        return SIZE_MAX;
    if (step < 0) /* there is one: the last of them */
        for (found = piece + count - 1; memcmp(found, text.data, text.len) != 0;)
            found--;
    return from + (size_t)(found - piece);
}

/* ---- trees ---- */

static int tell_fault(const struct field_tree *t, char *into, size_t size)
{
    char layer[24] = "";
    if (t->error_layer)
        snprintf(layer, sizeof layer, " of layer %u", t->error_layer);
    return snprintf(into, size, "%s at byte %u%s: %s", t->limited ? "▲ decoding stops" : "✖", t->error_at,
                    layer, t->error);
}

const char *decode_reason(const struct field_tree *t, char *into, size_t size)
{
    int used = t->complete ? 0 : tell_fault(t, into, size);
    if (t->unopened && used >= 0 && (size_t)used < size)
        snprintf(into + used, size - (size_t)used,
                 "%snot all was opened: too many layers (%d deep at most), or too large", used ? "; " : "▲ ",
                 LIMIT_UNWRAP_LAYERS);
    return into;
}

uint32_t field_counterpart(const struct field_tree *from, uint32_t node, const struct field_tree *to)
{
    const struct field *f = &from->nodes[node];
    struct bytes wanted = field_name(from, f);
    if (f->parent == UINT32_MAX)
        return to->count ? 0 : UINT32_MAX;
    uint32_t parent = field_counterpart(from, f->parent, to);
    if (parent == UINT32_MAX)
        return UINT32_MAX;
    for (uint32_t n = parent + 1; n < to->nodes[parent].next; n = to->nodes[n].next) {
        const struct field *candidate = &to->nodes[n];
        struct bytes name = field_name(to, candidate);
        bool same = wanted.data ? bytes_equal(name, wanted) : candidate->index == f->index;
        if (same && !name.data == !wanted.data)
            return n;
    }
    return UINT32_MAX;
}
