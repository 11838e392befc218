/* The message as JSON, as plain line. Hot on the command line: no allocation of its own, no printf where a message passes. */
#include "engine/message_json.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "engine/decode.h"

#include <stdio.h>

#define LARGE (64 * KIB) /* a payload whose JSON is written in parts, where the buffer has a drain */

static void put_time(struct buffer *out, int64_t ns)
{
    uint8_t *to = buffer_reserve(out, CLOCK_TEXT);
    if (to)
        out->len += clock_put_rfc3339(ns, (char *)to);
}

static void put_moment(struct json_writer *w, int64_t ns)
{
    if (ns == TIME_NONE) {
        json_null(w);
        return;
    }
    json_raw(w, BYTES_LITERAL("\""));
    put_time(w->out, ns);
    buffer_byte(w->out, '"');
}

static size_t put_int(char *into, int64_t value)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
        "495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    char text[24];
    size_t at = sizeof text;
    uint64_t v = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; v >= 100; v /= 100)
        memcpy(text + (at -= 2), pairs + 2 * (v % 100), 2);
    text[--at] = (char)('0' + v % 10);
    if (v >= 10)
        text[--at] = (char)('0' + v / 10);
    if (value < 0)
        text[--at] = '-';
    memcpy(into, text + at, sizeof text - at);
    return sizeof text - at;
}

/* position_text without printf. */
static struct bytes quick_position(struct position p, char into[56])
{
    size_t n = 0;
    if (p.kind == POSITION_PARTITION) {
        n = put_int(into, p.partition);
        into[n++] = '/';
    }
    if (p.kind != POSITION_NONE)
        n += put_int(into + n, p.offset);
    return bytes_of(into, n);
}

/* ---- typed values ---- */

static void put_value(struct json_writer *w, const struct value *v);

static void put_typed(struct json_writer *w, const struct header *h, bool named)
{
    json_object(w);
    if (named) {
        JSON_NAME(w, "name");
        if (utf8_valid(h->name))
            json_string(w, h->name);
        else
            json_byte_string(w, h->name);
    }
    JSON_NAME(w, "type");
    json_text(w, value_type_name(h->value.type));
    JSON_NAME(w, "value");
    put_value(w, &h->value);
    json_object_end(w);
}

static void put_headers(struct json_writer *w, struct headers headers, bool named)
{
    if (!headers.items) {
        json_null(w);
        return;
    }
    json_array(w);
    for (uint32_t i = 0; i < headers.count; i++)
        put_typed(w, &headers.items[i], named);
    json_array_end(w);
}

void message_headers_json(struct json_writer *w, struct headers headers)
{
    put_headers(w, headers, true);
}

static void put_list(struct json_writer *w, const struct value *v)
{
    json_array(w);
    for (uint32_t i = 0; i < v->list.count; i++)
        put_typed(w, &v->list.items[i], v->type == VALUE_TABLE);
    json_array_end(w);
}

static void put_scaled(struct json_writer *w, const struct value *v)
{
    json_object(w);
    JSON_NAME(w, "scale");
    json_int(w, v->decimal.scale);
    JSON_NAME(w, "digits");
    json_int(w, v->decimal.digits);
    json_object_end(w);
}

/* A double that JSON cannot say (NaN with its payload, infinities, -0) goes by its bits. */
static void put_double(struct json_writer *w, double f)
{
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    bool plain = (bits >> 52 & 0x7FF) != 0x7FF && bits != UINT64_C(1) << 63;
    if (plain) {
        json_double(w, f);
        return;
    }
    char text[24];
    snprintf(text, sizeof text, "0x%016llx", (unsigned long long)bits);
    json_text(w, text);
}

static void put_value(struct json_writer *w, const struct value *v)
{
    switch (v->type) {
    case VALUE_BOOL: json_bool(w, v->b); break;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: json_int(w, v->i); break;
    case VALUE_UINT8:
    case VALUE_UINT16:
    case VALUE_UINT32:
    case VALUE_UINT64:
    case VALUE_TIMESTAMP: json_uint(w, v->u); break;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: put_double(w, v->f); break;
    case VALUE_DECIMAL: put_scaled(w, v); break;
    case VALUE_STRING:
    case VALUE_BYTES: json_byte_string(w, v->bytes); break;
    case VALUE_ARRAY:
    case VALUE_TABLE: put_list(w, v); break;
    case VALUE_VOID:
    case VALUE_TYPES: json_null(w);
    }
}

/* ---- properties: an object of natural JSON types; message_from_json knows the types by name ---- */

static void put_property(struct json_writer *w, const struct header *p)
{
    json_name_bytes(w, p->name);
    if ((p->value.type == VALUE_STRING || p->value.type == VALUE_BYTES) && p->value.bytes.data &&
        utf8_valid(p->value.bytes))
        json_string(w, p->value.bytes);
    else
        put_value(w, &p->value);
}

static void put_properties(struct json_writer *w, struct headers properties)
{
    json_object(w);
    for (uint32_t i = 0; properties.items && i < properties.count; i++)
        put_property(w, &properties.items[i]);
    json_object_end(w);
}

/* ---- decoded ---- */

static void put_node(struct json_writer *w, const struct field_tree *t, uint32_t i);

static struct bytes name_of(const struct field_tree *t, uint32_t i)
{
    struct bytes name = field_name(t, &t->nodes[i]);
    return name.data ? name : BYTES_LITERAL("");
}

static void put_children(struct json_writer *w, const struct field_tree *t, uint32_t parent)
{
    const struct field *p = &t->nodes[parent];
    for (uint32_t i = parent + 1; i < p->next; i = t->nodes[i].next) {
        if (p->kind == FIELD_OBJECT)
            json_name_bytes(w, name_of(t, i));
        put_node(w, t, i);
    }
}

/* Recursion goes as deep as the tree, which LIMIT_DECODE_DEPTH bounds. */
static void put_node(struct json_writer *w, const struct field_tree *t, uint32_t i)
{
    const struct field *f = &t->nodes[i];
    switch (f->kind) {
    case FIELD_OBJECT:
        json_object(w);
        put_children(w, t, i);
        json_object_end(w);
        break;
    case FIELD_ARRAY:
        json_array(w);
        put_children(w, t, i);
        json_array_end(w);
        break;
    case FIELD_LAYER:
        if (f->next > i + 1)
            put_node(w, t, i + 1);
        else
            json_null(w);
        break;
    case FIELD_STRING: json_string(w, field_text(t, f)); break;
    case FIELD_NUMBER: json_number(w, field_text(t, f)); break;
    case FIELD_BOOL: json_raw(w, field_text(t, f)); break;
    case FIELD_BYTES: json_byte_string(w, field_text(t, f)); break;
    case FIELD_NULL:
    case FIELD_ERROR:
    case FIELD_KINDS: json_null(w);
    }
}

void field_tree_json(struct json_writer *w, const struct field_tree *tree)
{
    if (tree->count)
        put_node(w, tree, 0);
    else
        json_null(w);
}

/* No partial value: what is given is the whole payload, or null with the reason in `decode_error`. */
static void put_decode_error(struct json_writer *w, size_t at, const char *why)
{
    json_null(w);
    JSON_NAME(w, "decode_error");
    json_object(w);
    JSON_NAME(w, "offset");
    json_uint(w, at);
    JSON_NAME(w, "text");
    json_text(w, why);
    json_object_end(w);
}

static void put_type(struct json_writer *w, const char *type)
{
    JSON_NAME(w, "type");
    json_text(w, type && *type ? type : NULL);
    JSON_NAME(w, "decoded");
}

static void forget(void *context, struct buffer *b)
{
    (void)context;
    buffer_clear(b);
}

/* Writes it to nowhere. */
static enum err look_through(const struct decoder_ops *d, struct bytes payload, struct decode_fault *fault)
{
    struct json_writer w;
    struct buffer nowhere;
    buffer_init(&nowhere, 2 * LIMIT_MESSAGE);
    nowhere.drain = forget;
    json_write(&w, &nowhere);
    enum err e = d->write(payload, &w, fault);
    buffer_free(&nowhere);
    return e;
}

/* What is malformed is taken back, or, where it may have been drained by then, not begun. */
static void put_written(struct json_writer *w, const struct decoder_ops *d, struct bytes payload)
{
    struct decode_fault fault;
    put_type(w, NULL);
    struct json_writer before = *w;
    struct buffer *out = w->out;
    size_t len = out->len;
    bool in_parts = out->drain && payload.len >= LARGE;
    enum err e = in_parts ? look_through(d, payload, &fault) : ERR_OK;
    if (!e) {
        void (*drain)(void *context, struct buffer *b) = out->drain;
        out->drain = in_parts ? drain : NULL;
        e = d->write(payload, w, &fault);
        out->drain = drain;
    }
    if (!e)
        return;
    *w = before;
    if (!in_parts)
        out->len = len;
    put_decode_error(w, fault.at, fault.text);
}

static void put_tree(struct json_writer *w, const struct message *m, const struct decode_choice *choice)
{
    struct arena arena;
    struct field_tree tree;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    bool whole = decode_message(choice, m, &tree, &arena) == ERR_OK && !tree.raw;
    put_type(w, tree.type);
    if (whole)
        field_tree_json(w, &tree);
    else
        put_decode_error(w, tree.error_at, tree.error);
    arena_free(&arena);
}

static void put_decoded(struct json_writer *w, const struct message *m, const struct decode_choice *choice)
{
    if (!m->payload.data) { /* nothing is not the empty text */
        put_type(w, NULL);
        json_null(w);
    } else if (choice->decoder->write && m->payload.len)
        put_written(w, choice->decoder, m->payload);
    else
        put_tree(w, m, choice);
}

/* ---- the message ---- */

static void put_flags(struct json_writer *w, uint32_t flags)
{
    json_array(w);
    for (int i = 0; i < MESSAGE_FLAGS; i++)
        if (flags & 1u << i)
            json_text(w, message_flag_names[i]);
    json_array_end(w);
}

void message_json(struct buffer *out, const struct message *m, decoder_registry decoders, uint32_t flags)
{
    struct json_writer w;
    char position[56];
    struct decode_choice choice = decode_choose(decoders, m, NULL);
    json_write(&w, out);
    json_object(&w);
    JSON_NAME(&w, "schema");
    json_text(&w, "signalbox.message/1");
    JSON_NAME(&w, "endpoint");
    json_text(&w, m->origin ? m->origin->endpoint : "");
    JSON_NAME(&w, "channel");
    json_text(&w, m->origin ? m->origin->channel : "");
    JSON_NAME(&w, "position");
    struct bytes where = quick_position(m->position, position);
    json_string(&w, where.len ? where : BYTES_NULL);
    JSON_NAME(&w, "id");
    if (m->id.data && !utf8_valid(m->id))
        json_byte_string(&w, m->id);
    else
        json_string(&w, m->id);
    JSON_NAME(&w, "time");
    put_moment(&w, m->time_ns);
    JSON_NAME(&w, "received");
    put_moment(&w, m->received_ns);
    JSON_NAME(&w, "key");
    json_byte_string(&w, m->key);
    JSON_NAME(&w, "headers");
    put_headers(&w, m->headers, true);
    JSON_NAME(&w, "properties");
    put_properties(&w, m->properties);
    JSON_NAME(&w, "size");
    json_uint(&w, m->payload.len);
    JSON_NAME(&w, "payload");
    json_byte_string(&w, m->payload);
    JSON_NAME(&w, "format");
    json_text(&w, m->payload.data ? choice.decoder->name : NULL);
    if (flags & MESSAGE_JSON_DECODE)
        put_decoded(&w, m, &choice);
    JSON_NAME(&w, "flags");
    put_flags(&w, m->flags);
    json_object_end(&w);
}

/* ---- the plain line ---- */

static void put_field(struct buffer *out, struct bytes b)
{
    if (!b.data)
        buffer_append(out, "\\N", 2);
    else
        utf8_scrub(out, b, SCRUB_PLAIN);
}

void message_plain(struct buffer *out, const struct message *m)
{
    char position[56], size[24];
    if (m->time_ns != TIME_NONE)
        put_time(out, m->time_ns);
    else
        put_field(out, BYTES_NULL);
    buffer_byte(out, '\t');
    put_field(out, bytes_of_text(m->origin ? m->origin->channel : ""));
    buffer_byte(out, '\t');
    buffer_bytes(out, quick_position(m->position, position));
    buffer_byte(out, '\t');
    put_field(out, m->key);
    buffer_byte(out, '\t');
    buffer_append(out, size, put_int(size, (int64_t)m->payload.len));
    buffer_byte(out, '\t');
    put_field(out, m->payload);
}
