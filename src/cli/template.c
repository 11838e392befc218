/* --format: a template is compiled once into a list of pieces, literal text or a field with a way to print it. */
#include "cli/encode.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "engine/decode.h"
#include "model/death.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_PIECES    64
#define TEMPLATE_ARENA (256 * KIB)

enum field_id {
    FIELD_ID_LITERAL,
    FIELD_ID_ENDPOINT,
    FIELD_ID_CHANNEL,
    FIELD_ID_PARTITION,
    FIELD_ID_POSITION,
    FIELD_ID_OFFSET,
    FIELD_ID_ID,
    FIELD_ID_KEY,
    FIELD_ID_TIME,
    FIELD_ID_RECEIVED,
    FIELD_ID_AGE,
    FIELD_ID_SIZE,
    FIELD_ID_FORMAT,
    FIELD_ID_TYPE,
    FIELD_ID_REDELIVERED,
    FIELD_ID_DUPLICATE,
    FIELD_ID_FLAGS,
    FIELD_ID_PAYLOAD,
    FIELD_ID_HEADER,   /* with a name behind the dot */
    FIELD_ID_PROPERTY, /* likewise */
    FIELD_ID_BODY,     /* with a path */
    FIELD_ID_REASON,
};

static const struct {
    const char *name, *brief;
    enum field_id id;
} fields[] = {
    {"endpoint", "", FIELD_ID_ENDPOINT},
    {"channel", "src", FIELD_ID_CHANNEL},
    {"partition", "part", FIELD_ID_PARTITION},
    {"position", "", FIELD_ID_POSITION},
    {"offset", "off", FIELD_ID_OFFSET},
    {"id", "", FIELD_ID_ID},
    {"key", "", FIELD_ID_KEY},
    {"time", "ts", FIELD_ID_TIME},
    {"received", "", FIELD_ID_RECEIVED},
    {"age", "", FIELD_ID_AGE},
    {"size", "", FIELD_ID_SIZE},
    {"format", "fmt", FIELD_ID_FORMAT},
    {"type", "", FIELD_ID_TYPE},
    {"redelivered", "", FIELD_ID_REDELIVERED},
    {"dup", "", FIELD_ID_DUPLICATE},
    {"flags", "", FIELD_ID_FLAGS},
    {"payload", "body", FIELD_ID_PAYLOAD},
    {"headers", "hdr", FIELD_ID_HEADER},
    {"properties", "prop", FIELD_ID_PROPERTY},
    {"dlq.reason", "", FIELD_ID_REASON},
};

struct piece {
    enum field_id id;
    bool raw;
    struct bytes text; /* literal, or the name behind the dot */
    struct field_path path;
};

struct template
{
    struct arena arena;
    struct piece pieces[MOST_PIECES];
    size_t count;
};

/* ---- compiling ---- */

static enum err unknown_field(const char *name, struct err_info *err)
{
    const char *names[sizeof fields / sizeof *fields + 1];
    size_t n = 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        names[n++] = fields[i].name;
    names[n] = NULL;
    const char *near = text_nearest(name, names);
    err_set(err, ERR_USAGE, "--format: unknown field `%.60s`", name);
    if (near)
        err_next(err, "did you mean `%s`?", near);
    else
        err_next(err, "known are the filter's: channel position key time size headers.NAME body.PATH ...");
    return ERR_USAGE;
}

static bool is_body_path(struct bytes text)
{
    return text.len > 4 && memcmp(text.data, "body", 4) == 0 && (text.data[4] == '.' || text.data[4] == '[');
}

static enum err compile_field(struct template *t, struct piece *p, struct bytes text, struct err_info *err)
{
    char name[128];
    if (text.len > 4 && memcmp(text.data + text.len - 4, ":raw", 4) == 0) {
        p->raw = true;
        text.len -= 4;
    }
    if (is_body_path(text)) {
        p->id = FIELD_ID_BODY;
        p->text = bytes_slice(text, text.data[4] == '.' ? 5 : 4, text.len);
        return field_path_parse(&p->path, p->text, &t->arena, err);
    }
    bool dotted = !bytes_equal_text(text, "dlq.reason");
    const uint8_t *dot = text.len && dotted ? memchr(text.data, '.', text.len) : NULL;
    size_t len = dot ? (size_t)(dot - text.data) : text.len;
    text_copy_bytes(name, sizeof name, bytes_slice(text, 0, len));
    p->text = dot ? bytes_slice(text, len + 1, text.len) : BYTES_NULL;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        bool named = fields[i].id == FIELD_ID_HEADER || fields[i].id == FIELD_ID_PROPERTY;
        if (strcmp(name, fields[i].name) != 0 && (!*fields[i].brief || strcmp(name, fields[i].brief) != 0))
            continue;
        if (named != !!dot || (named && p->text.len == 0))
            return err_set(err, ERR_USAGE,
                           named ? "--format: write %%{%s.NAME}" : "--format: `%s` has no parts", name);
        p->id = fields[i].id;
        return ERR_OK;
    }
    return unknown_field(name, err);
}

static struct piece *add_piece(struct template *t, struct err_info *err)
{
    if (t->count < MOST_PIECES)
        return &t->pieces[t->count++];
    err_set(err, ERR_LIMIT, "--format: more than %d pieces", MOST_PIECES);
    return NULL;
}

/* Literal text up to the next field, its escapes resolved. */
static enum err compile_literal(struct template *t, const char **at, struct err_info *err)
{
    size_t len = 0;
    char *text = arena_alloc(&t->arena, strlen(*at) + 1);
    struct piece *p = add_piece(t, err);
    if (!p || !text)
        return p ? err_set(err, ERR_LIMIT, "--format: too long") : ERR_LIMIT;
    const char *c = *at;
    for (; *c && !(c[0] == '%' && c[1] == '{'); c++) {
        bool escape = c[0] == '\\' && (c[1] == 't' || c[1] == 'n' || c[1] == '\\');
        c += escape || (c[0] == '%' && c[1] == '%');
        text[len++] = !escape ? *c : *c == 't' ? '\t' : *c == 'n' ? '\n' : '\\';
    }
    p->text = bytes_of(text, len);
    *at = c;
    return ERR_OK;
}

static enum err compile(struct template *t, const char *text, struct err_info *err)
{
    const char *at = text;
    while (*at) {
        if (at[0] != '%' || at[1] != '{') {
            enum err e = compile_literal(t, &at, err);
            if (e)
                return e;
            continue;
        }
        const char *end = strchr(at, '}');
        struct piece *p = end ? add_piece(t, err) : NULL;
        if (!end)
            return err_set(err, ERR_USAGE, "--format: a %%{ at character %zu has no }",
                           (size_t)(at - text) + 1);
        struct bytes name = bytes_of(at + 2, (size_t)(end - at) - 2);
        enum err e = p ? compile_field(t, p, name, err) : ERR_LIMIT;
        if (e)
            return e;
        at = end + 1;
    }
    return ERR_OK;
}

struct template *template_new(const char *text, struct err_info *err)
{
    struct template *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(err, ERR_NOMEM, "no memory for --format");
        return NULL;
    }
    arena_init(&t->arena, TEMPLATE_ARENA);
    char *copy = arena_strdup(&t->arena, text);
    if (!copy)
        err_set(err, ERR_LIMIT, "--format: too long");
    if (!copy || compile(t, copy, err))
        template_free(&t);
    return t;
}

void template_free(struct template **t)
{
    if (!*t)
        return;
    arena_free(&(*t)->arena);
    free(*t);
    *t = NULL;
}

/* ---- printing ---- */

static void put(struct buffer *out, const struct piece *p, struct bytes value)
{
    if (p->raw)
        buffer_bytes(out, value);
    else if (value.data)
        utf8_scrub(out, value, SCRUB_PLAIN);
    else
        buffer_text(out, "\\N");
}

static void put_time(struct buffer *out, int64_t ns)
{
    char text[40];
    if (ns != TIME_NONE)
        buffer_text(out, clock_rfc3339(ns, text, sizeof text));
}

static void put_value(struct buffer *out, const struct piece *p, const struct value *v)
{
    char text[40];
    if (!v)
        return;
    switch (v->type) {
    case VALUE_STRING:
    case VALUE_BYTES: put(out, p, v->bytes); return;
    case VALUE_BOOL: buffer_text(out, v->b ? "true" : "false"); return;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: buffer_printf(out, "%" PRId64, v->i); return;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: buffer_text(out, text_shortest(text, sizeof text, v->f)); return;
    case VALUE_DECIMAL: buffer_printf(out, "%de-%u", v->decimal.digits, v->decimal.scale); return;
    case VALUE_VOID:
    case VALUE_ARRAY:
    case VALUE_TABLE: buffer_printf(out, "(%s)", value_type_name(v->type)); return;
    default: buffer_printf(out, "%" PRIu64, v->u);
    }
}

struct body_visit {
    struct buffer *out;
    const struct piece *piece;
    bool more;
};

static bool visit_body(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    struct body_visit *v = context;
    if (v->more)
        buffer_byte(v->out, ',');
    v->more = true;
    put(v->out, v->piece, kind == FIELD_OBJECT || kind == FIELD_ARRAY || kind == FIELD_NULL ? raw : text);
    return true;
}

static void put_body(struct buffer *out, const struct piece *p, const struct message *m,
                     decoder_registry decoders)
{
    struct body_visit visit = {.out = out, .piece = p};
    struct decode_choice choice = decode_choose(decoders, m, NULL);
    if (choice.decoder->find) {
        (void)choice.decoder->find(m->payload, &p->path, visit_body, &visit);
        return;
    }
    struct arena arena;
    struct field_tree tree;
    arena_init(&arena, LIMIT_DECODE_ARENA);
    (void)decode_message(&choice, m, &tree, &arena);
    field_find(&tree, &p->path, visit_body, &visit);
    arena_free(&arena);
}

static void put_number(struct buffer *out, const struct piece *p, const struct message *m)
{
    const struct position *at = &m->position;
    if (p->id == FIELD_ID_SIZE)
        buffer_printf(out, "%zu", m->payload.len);
    else if (p->id == FIELD_ID_AGE && m->time_ns != TIME_NONE)
        buffer_printf(out, "%.3f", (double)(clock_wall_ns() - m->time_ns) / 1e9);
    else if (p->id == FIELD_ID_PARTITION && at->kind == POSITION_PARTITION)
        buffer_printf(out, "%" PRId32, at->partition);
    else if (p->id == FIELD_ID_OFFSET && at->kind != POSITION_NONE)
        buffer_printf(out, "%" PRId64, at->offset);
    else if (p->id == FIELD_ID_REDELIVERED || p->id == FIELD_ID_DUPLICATE)
        buffer_text(out, m->flags & (p->id == FIELD_ID_REDELIVERED ? MESSAGE_REDELIVERED : MESSAGE_DUPLICATE)
                             ? "true"
                             : "false");
}

static void put_format(struct buffer *out, const struct piece *p, const struct message *m,
                       decoder_registry decoders)
{
    const char *format = decode_format(decoders, m);
    put(out, p, format ? bytes_of_text(format) : BYTES_NULL);
}

static void put_type(struct buffer *out, const struct piece *p, const struct message *m)
{
    put_value(out, p, headers_find(m->properties, BYTES_LITERAL("type")));
}

struct reason_visit {
    struct buffer *out;
    const struct piece *piece;
};

static bool visit_reason(void *context, const struct value *reason)
{
    const struct reason_visit *v = context;
    put_value(v->out, v->piece, reason);
    return false; /* the newest is the reason */
}

static void put_reason(struct buffer *out, const struct piece *p, const struct message *m)
{
    struct reason_visit visit = {.out = out, .piece = p};
    death_reasons(m->headers, visit_reason, &visit);
}

static void put_piece(struct buffer *out, const struct piece *p, const struct message *m,
                      decoder_registry decoders)
{
    char text[80];
    switch (p->id) {
    case FIELD_ID_LITERAL: buffer_bytes(out, p->text); return;
    case FIELD_ID_ENDPOINT: put(out, p, bytes_of_text(m->origin->endpoint)); return;
    case FIELD_ID_CHANNEL: put(out, p, bytes_of_text(m->origin->channel)); return;
    case FIELD_ID_POSITION: buffer_text(out, position_text(m->position, text, sizeof text)); return;
    case FIELD_ID_ID: put(out, p, m->id); return;
    case FIELD_ID_KEY: put(out, p, m->key); return;
    case FIELD_ID_PAYLOAD: put(out, p, m->payload); return;
    case FIELD_ID_TIME: put_time(out, m->time_ns); return;
    case FIELD_ID_RECEIVED: put_time(out, m->received_ns); return;
    case FIELD_ID_FORMAT: put_format(out, p, m, decoders); return;
    case FIELD_ID_FLAGS: buffer_text(out, message_flags_text(m->flags, text, sizeof text)); return;
    case FIELD_ID_TYPE: put_type(out, p, m); return;
    case FIELD_ID_HEADER: put_value(out, p, headers_find(m->headers, p->text)); return;
    case FIELD_ID_PROPERTY: put_value(out, p, headers_find(m->properties, p->text)); return;
    case FIELD_ID_BODY: put_body(out, p, m, decoders); return;
    case FIELD_ID_REASON: put_reason(out, p, m); return;
    default: put_number(out, p, m);
    }
}

void template_line(const struct template *t, struct buffer *out, const struct message *m,
                   decoder_registry decoders)
{
    for (size_t i = 0; i < t->count; i++)
        put_piece(out, &t->pieces[i], m, decoders);
}
