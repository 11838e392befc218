#include "engine/archive.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>

#define MAGIC       "signalbox.archive/1\n"
#define ABSENT      UINT32_MAX
#define MOST_HEADER (1 * MIB)
#define TRAILER     (1 + 8 + SHA256_SIZE)

/* The numbers in the file; enum value_type may be reordered, this may not. */
static const enum value_type wire_types[] = {
    VALUE_VOID,    VALUE_BOOL,      VALUE_INT8,   VALUE_INT16,  VALUE_INT32, VALUE_INT64,
    VALUE_UINT8,   VALUE_UINT16,    VALUE_UINT32, VALUE_UINT64, VALUE_FLOAT, VALUE_DOUBLE,
    VALUE_DECIMAL, VALUE_TIMESTAMP, VALUE_STRING, VALUE_BYTES,  VALUE_ARRAY, VALUE_TABLE,
};
#define WIRE_TYPES (sizeof wire_types / sizeof *wire_types)

/* ---- writing ---- */

static void put_u32(struct buffer *out, uint32_t n)
{
    uint8_t raw[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    buffer_append(out, raw, sizeof raw);
}

static void put_u64(struct buffer *out, uint64_t n)
{
    put_u32(out, (uint32_t)n);
    put_u32(out, (uint32_t)(n >> 32));
}

static void put_bytes(struct buffer *out, struct bytes b)
{
    put_u32(out, b.data ? (uint32_t)b.len : ABSENT);
    if (b.data)
        buffer_bytes(out, b);
}

static void put_list(struct buffer *out, const struct header *items, uint32_t count, unsigned depth);

static uint64_t double_bits(double f)
{
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static void put_value(struct buffer *out, const struct value *v, unsigned depth)
{
    uint8_t wire = 0;
    while (wire + 1u < WIRE_TYPES && wire_types[wire] != v->type)
        wire++;
    buffer_byte(out, wire);
    switch (v->type) {
    case VALUE_VOID: return;
    case VALUE_BOOL: buffer_byte(out, v->b); return;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: put_u64(out, double_bits(v->f)); return;
    case VALUE_DECIMAL:
        buffer_byte(out, v->decimal.scale);
        put_u32(out, (uint32_t)v->decimal.digits);
        return;
    case VALUE_STRING:
    case VALUE_BYTES: put_bytes(out, v->bytes); return;
    case VALUE_ARRAY:
    case VALUE_TABLE: put_list(out, v->list.items, v->list.count, depth + 1); return;
    default: put_u64(out, v->u); /* the signed ones share the bits */
    }
}

static void put_list(struct buffer *out, const struct header *items, uint32_t count, unsigned depth)
{
    if (depth > LIMIT_HEADER_DEPTH) {
        out->failed = true; /* no driver hands such a message out */
        return;
    }
    put_u32(out, items ? count : ABSENT);
    for (uint32_t i = 0; items && i < count; i++) {
        put_bytes(out, items[i].name);
        put_value(out, &items[i].value, depth);
    }
}

static void add_sum(struct archive_writer *w, const struct buffer *out, size_t from)
{
    if (!out->failed)
        sha256_add(w->sha, bytes_of(out->data + from, out->len - from));
}

/* Lengths are known only afterwards. */
static void patch_u32(struct buffer *out, size_t at, size_t n)
{
    for (size_t i = 0; i < 4 && !out->failed; i++)
        out->data[at + i] = (uint8_t)(n >> 8 * i);
}

static void put_header(struct buffer *out, const struct archive_header *h)
{
    struct json_writer w;
    char time[40];
    json_write(&w, out);
    json_object(&w);
    json_name(&w, "schema");
    json_text(&w, "signalbox.archive/1");
    json_name(&w, "endpoint");
    json_text(&w, h->endpoint);
    json_name(&w, "url");
    json_text(&w, h->url);
    json_name(&w, "channel");
    json_text(&w, h->channel);
    json_name(&w, "kind");
    json_text(&w, channel_kind_name(h->kind));
    json_name(&w, "created");
    json_text(&w, clock_rfc3339(h->created_ns, time, sizeof time));
    json_name(&w, "plan");
    if (h->plan.data)
        json_raw(&w, h->plan);
    else
        json_null(&w);
    json_object_end(&w);
}

enum err archive_begin(struct archive_writer *w, struct buffer *out, const struct archive_header *header,
                       struct err_info *err)
{
    *w = (struct archive_writer){.sha = sha256_new()};
    if (!w->sha)
        return err_set(err, ERR_NOMEM, "no memory for an archive");
    size_t from = out->len;
    buffer_text(out, MAGIC);
    size_t length = out->len;
    put_u32(out, 0);
    put_header(out, header);
    patch_u32(out, length, out->len - length - 4);
    add_sum(w, out, from);
    return ERR_OK;
}

void archive_message(struct archive_writer *w, struct buffer *out, const struct message *m)
{
    size_t from = out->len;
    buffer_byte(out, 'M');
    put_u32(out, 0);
    buffer_byte(out, (uint8_t)m->position.kind);
    put_u32(out, (uint32_t)m->position.partition);
    put_u64(out, (uint64_t)m->position.offset);
    put_u64(out, (uint64_t)m->time_ns);
    put_u64(out, (uint64_t)m->received_ns);
    put_u32(out, m->flags);
    put_bytes(out, m->id);
    put_bytes(out, m->key);
    put_bytes(out, m->payload);
    put_list(out, m->headers.items, m->headers.count, 0);
    put_list(out, m->properties.items, m->properties.count, 0);
    patch_u32(out, from + 1, out->len - from - 5);
    add_sum(w, out, from);
    w->count++;
}

void archive_put_headers(struct buffer *out, struct headers headers)
{
    put_list(out, headers.items, headers.count, 0);
}

void archive_end(struct archive_writer *w, struct buffer *out)
{
    uint8_t digest[SHA256_SIZE];
    if (!w->sha)
        return;
    if (!out) {
        sha256_end(&w->sha, NULL);
        return;
    }
    size_t from = out->len;
    buffer_byte(out, 'E');
    put_u64(out, w->count);
    add_sum(w, out, from);
    sha256_end(&w->sha, digest);
    buffer_append(out, digest, sizeof digest);
}

/* ---- reading ---- */

struct cursor {
    struct bytes in;
    size_t at;
    struct arena *arena;
    uint32_t items; /* of lists, nested ones counted */
    const char *fault;
};

static bool fail(struct cursor *c, const char *fault)
{
    if (!c->fault)
        c->fault = fault;
    return false;
}

static uint64_t get_uint(struct cursor *c, unsigned size)
{
    uint64_t n = 0;
    if (c->in.len - c->at < size) {
        fail(c, "it ends in the middle of a message");
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        n |= (uint64_t)c->in.data[c->at++] << 8 * i;
    return n;
}

static struct bytes get_bytes(struct cursor *c)
{
    uint32_t len = (uint32_t)get_uint(c, 4);
    if (c->fault || len == ABSENT)
        return BYTES_NULL;
    if (len > c->in.len - c->at) {
        fail(c, "a byte string is longer than its message");
        return BYTES_NULL;
    }
    struct bytes b = bytes_slice(c->in, c->at, len);
    c->at += len;
    return b;
}

static bool get_list(struct cursor *c, const struct header **items, uint32_t *count, unsigned depth);

static int64_t sign_extend(uint64_t n, unsigned bits)
{
    return bits == 64 ? (int64_t)n : (int64_t)(n << (64 - bits)) >> (64 - bits);
}

/* A value that its type cannot hold would not come out as it went in: refused. */
static bool get_integer(struct cursor *c, struct value *v)
{
    static const uint8_t bits[VALUE_TYPES] = {
        [VALUE_INT8] = 8,    [VALUE_INT16] = 16,  [VALUE_INT32] = 32,
        [VALUE_INT64] = 64,  [VALUE_UINT8] = 8,   [VALUE_UINT16] = 16,
        [VALUE_UINT32] = 32, [VALUE_UINT64] = 64, [VALUE_TIMESTAMP] = 64};
    unsigned size = bits[v->type];
    v->u = get_uint(c, 8);
    bool is_signed = v->type >= VALUE_INT8 && v->type <= VALUE_INT64;
    if (is_signed && v->i != sign_extend(v->u, size))
        return fail(c, "an integer is larger than its type");
    if (!is_signed && size < 64 && v->u >> size)
        return fail(c, "an integer is larger than its type");
    return !c->fault;
}

static bool get_value(struct cursor *c, struct value *v, unsigned depth)
{
    uint64_t wire = get_uint(c, 1), bits;
    if (wire >= WIRE_TYPES)
        return fail(c, "a value has a type that nobody knows");
    v->type = wire_types[wire];
    switch (v->type) {
    case VALUE_VOID: break;
    case VALUE_BOOL:
        bits = get_uint(c, 1);
        v->b = bits == 1;
        if (bits > 1)
            fail(c, "a truth value is neither 0 nor 1");
        break;
    case VALUE_FLOAT:
    case VALUE_DOUBLE:
        bits = get_uint(c, 8);
        memcpy(&v->f, &bits, sizeof v->f);
        break;
    case VALUE_DECIMAL:
        v->decimal.scale = (uint8_t)get_uint(c, 1);
        v->decimal.digits = (int32_t)get_uint(c, 4);
        break;
    case VALUE_STRING:
    case VALUE_BYTES: v->bytes = get_bytes(c); break;
    case VALUE_ARRAY:
    case VALUE_TABLE: return get_list(c, &v->list.items, &v->list.count, depth + 1);
    default: return get_integer(c, v);
    }
    return !c->fault;
}

static bool get_list(struct cursor *c, const struct header **items, uint32_t *count, unsigned depth)
{
    uint32_t n = (uint32_t)get_uint(c, 4);
    *items = NULL;
    *count = 0;
    if (c->fault || n == ABSENT)
        return !c->fault;
    if (depth > LIMIT_HEADER_DEPTH || n > LIMIT_HEADERS || (c->items += n) > LIMIT_HEADERS)
        return fail(c, "too many headers, or nested too deeply");
    struct header *list = arena_zalloc(c->arena, (n ? n : 1) * sizeof *list);
    if (!list)
        return fail(c, "no memory for the headers");
    for (uint32_t i = 0; i < n; i++) {
        list[i].name = get_bytes(c);
        if (!get_value(c, &list[i].value, depth))
            return false;
    }
    *items = list;
    *count = n;
    return true;
}

static void get_message(struct cursor *c, struct message *m)
{
    uint64_t kind = get_uint(c, 1);
    if (kind > POSITION_OFFSET)
        fail(c, "a position has a kind that nobody knows");
    m->position.kind = (enum position_kind)kind;
    m->position.partition = (int32_t)get_uint(c, 4);
    m->position.offset = (int64_t)get_uint(c, 8);
    m->time_ns = (int64_t)get_uint(c, 8);
    m->received_ns = (int64_t)get_uint(c, 8);
    m->flags = (uint32_t)get_uint(c, 4);
    m->id = get_bytes(c);
    m->key = get_bytes(c);
    m->payload = get_bytes(c);
    if (!c->fault && get_list(c, &m->headers.items, &m->headers.count, 0) &&
        get_list(c, &m->properties.items, &m->properties.count, 0) && c->at != c->in.len)
        fail(c, "a message has bytes left over");
}

static enum err malformed(struct err_info *err, size_t at, const char *what)
{
    err_set(err, ERR_FORMAT, "the archive is damaged: %s", what);
    err_where(err, "offset %zu", at);
    err_next(err, "export it again, or fetch it again from where it came");
    return ERR_FORMAT;
}

enum err archive_get_headers(struct bytes in, size_t *at, struct arena *arena, struct headers *headers,
                             struct err_info *err)
{
    struct cursor c = {.in = in, .at = *at, .arena = arena};
    if (!get_list(&c, &headers->items, &headers->count, 0)) {
        *headers = (struct headers){NULL, 0};
        return err_set(err, ERR_FORMAT, "a list of headers is damaged: %s", c.fault);
    }
    *at = c.at;
    return ERR_OK;
}

/* ---- the header ---- */

static const char *header_text(struct archive *a, const struct json_reader *r)
{
    struct buffer text;
    buffer_init(&text, MOST_HEADER);
    const char *copy = json_unescape(r->raw, &text) ? arena_strdup(&a->arena, buffer_cstr(&text)) : NULL;
    buffer_free(&text);
    return copy;
}

static void header_member(struct archive *a, struct json_reader *r, struct bytes name)
{
    const char **texts[] = {&a->header.endpoint, &a->header.url, &a->header.channel};
    static const char *const names[] = {"endpoint", "url", "channel"};
    for (size_t i = 0; i < 3; i++)
        if (bytes_equal_text(name, names[i]))
            *texts[i] = header_text(a, r);
    if (bytes_equal_text(name, "kind")) {
        const char *kind = header_text(a, r), *rest;
        char word[32];
        snprintf(word, sizeof word, "%.20s:", kind ? kind : "");
        a->header.kind = *word == ':' ? CHANNEL_ANY : channel_kind_parse(word, &rest);
    } else if (bytes_equal_text(name, "created")) {
        const char *time = header_text(a, r);
        if (!time || !clock_parse(time, 0, &a->header.created_ns))
            a->header.created_ns = TIME_NONE;
    }
}

static bool get_header(struct archive *a, struct bytes json)
{
    struct json_reader r;
    json_read(&r, json, 64);
    if (json_next(&r) != JSON_OBJECT)
        return false;
    for (enum json_event e; (e = json_next(&r)) == JSON_NAME;) {
        struct bytes name = r.raw;
        if (bytes_equal_text(name, "plan")) {
            size_t from = r.at;
            if (json_skip(&r) == JSON_ERROR)
                return false;
            const uint8_t *colon = memchr(json.data + from, ':', r.at - from);
            from = colon ? (size_t)(colon - json.data) + 1 : from;
            a->header.plan = bytes_slice(json, from, r.at - from);
        } else {
            e = json_next(&r);
            if (e == JSON_STRING)
                header_member(a, &r, name);
            else if (e == JSON_OBJECT || e == JSON_ARRAY)
                e = json_skip(&r);
            if (e == JSON_ERROR)
                return false;
        }
    }
    return json_next(&r) == JSON_END && a->header.endpoint && a->header.channel;
}

/* ---- the whole ---- */

static enum err check_sum(struct archive *a, struct err_info *err)
{
    uint8_t digest[SHA256_SIZE];
    struct cursor c = {.in = a->in, .at = a->end};
    struct sha256 *sha = sha256_new();
    if (!sha)
        return err_set(err, ERR_NOMEM, "no memory for an archive");
    sha256_add(sha, bytes_slice(a->in, 0, a->in.len - SHA256_SIZE));
    sha256_end(&sha, digest);
    if (get_uint(&c, 1) != 'E')
        return malformed(err, a->end, "its end is missing, so it was not written completely");
    a->count = get_uint(&c, 8);
    if (memcmp(a->in.data + c.at, digest, SHA256_SIZE) != 0)
        return malformed(err, c.at, "its SHA-256 sum is wrong");
    return ERR_OK;
}

bool archive_begins(struct bytes in)
{
    size_t line = sizeof MAGIC - 2;
    return in.len >= line && memcmp(in.data, MAGIC, line) == 0;
}

static enum err open_archive(struct archive *a, struct bytes in, bool whole, struct err_info *err)
{
    size_t magic = sizeof MAGIC - 1;
    *a = (struct archive){.in = in};
    arena_init(&a->arena, 4 * MOST_HEADER);
    arena_init(&a->message_arena, 16 * MIB);
    if (in.len < magic || memcmp(in.data, MAGIC, magic) != 0) {
        err_set(err, ERR_FORMAT, "this is no signalbox archive");
        err_where(err, "offset 0");
        return ERR_FORMAT;
    }
    if (in.len < magic + 4 + TRAILER)
        return malformed(err, in.len, "it is too short, so it was not written completely");
    a->end = in.len - TRAILER;
    enum err e = whole ? check_sum(a, err) : ERR_OK;
    if (e)
        return e;
    struct cursor c = {.in = bytes_slice(in, 0, a->end), .at = magic};
    struct bytes header = get_bytes(&c);
    if (c.fault || header.len > MOST_HEADER || !header.data || !get_header(a, header))
        return malformed(err, magic, "its header cannot be read");
    a->at = c.at;
    a->origin = origin_intern(a->header.endpoint, a->header.channel, a->header.kind);
    return a->origin ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for an archive");
}

enum err archive_open(struct archive *a, struct bytes in, struct err_info *err)
{
    return open_archive(a, in, true, err);
}

enum err archive_look(struct archive *a, struct bytes in, struct err_info *err)
{
    return open_archive(a, in, false, err);
}

void archive_rewind(struct archive *a)
{
    uint32_t len = 0;
    for (size_t i = 0; i < 4; i++)
        len |= (uint32_t)a->in.data[sizeof MAGIC - 1 + i] << 8 * i;
    a->at = sizeof MAGIC - 1 + 4 + len;
    a->taken = 0;
}

enum err archive_next(struct archive *a, struct message *m, struct err_info *err)
{
    struct cursor outer = {.in = bytes_slice(a->in, 0, a->end), .at = a->at};
    arena_reset(&a->message_arena);
    *m = (struct message){.origin = a->origin};
    if (a->at == a->end)
        return a->taken == a->count ? ERR_END
                                    : malformed(err, a->end, "it counts other messages than it has");
    if (get_uint(&outer, 1) != 'M')
        return malformed(err, a->at, "a message should begin here");
    struct bytes body = get_bytes(&outer);
    if (outer.fault || !body.data)
        return malformed(err, a->at, outer.fault ? outer.fault : "a message has no length");
    struct cursor c = {.in = body, .arena = &a->message_arena};
    get_message(&c, m);
    if (c.fault)
        return malformed(err, outer.at - body.len + c.at, c.fault);
    a->at = outer.at;
    a->taken++;
    return ERR_OK;
}

void archive_close(struct archive *a)
{
    arena_free(&a->arena);
    arena_free(&a->message_arena);
}
