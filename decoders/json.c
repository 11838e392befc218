#include "decoders/json.h"

#include "base/json.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- decode ---- */

struct build {
    struct json_reader reader;
    struct field_tree *tree;
    struct bytes name; /* of the value that comes next, as it stands */
    uint32_t name_offset, name_length;
    bool name_escaped;
    uint32_t parent;
    uint16_t layer;
    json_open_string *open;
    void *context;
};

/* Without escapes, which is never longer: the source's own bytes where it has none, else where the node takes it over. */
static struct bytes plain_text(struct field_tree *t, uint32_t node, struct bytes raw, bool escaped)
{
    if (!escaped)
        return raw;
    uint8_t *p = field_reserve(t, raw.len);
    if (!p) {
        field_keep_raw(t, node);
        return raw;
    }
    struct buffer text = {.data = p, .cap = raw.len, .max = raw.len};
    json_unescape(raw, &text);
    return buffer_view(&text);
}

static uint32_t add_value(struct build *b, enum field_kind kind)
{
    const struct json_reader *r = &b->reader;
    uint32_t i = field_add(b->tree, b->parent, kind);
    if (i == UINT32_MAX)
        return i;
    struct field *f = &b->tree->nodes[i];
    f->layer = b->layer;
    f->offset = (uint32_t)r->start;
    f->length = (uint32_t)(r->at - r->start);
    if (b->name.data)
        field_set_name(b->tree, i, b->name_offset, b->name_length,
                       plain_text(b->tree, i, b->name, b->name_escaped));
    if (kind == FIELD_STRING)
        field_set_text(b->tree, i, plain_text(b->tree, i, r->raw, r->escaped));
    else if (kind >= FIELD_NUMBER)
        field_set_text(b->tree, i, r->raw);
    b->name = BYTES_NULL;
    return i;
}

bool json_reads_as_list(struct bytes text)
{
    struct json_reader r;
    enum json_event e;
    if (text.len < 2 || (text.data[0] != '{' && text.data[0] != '['))
        return false;
    json_read(&r, text, LIMIT_DECODE_DEPTH);
    do {
        e = json_next(&r);
    } while (e != JSON_ERROR && e != JSON_END);
    return e == JSON_END;
}

static int by_name(const void *a, const void *b, void *tree)
{
    const uint32_t *x = a, *y = b;
    const struct field_tree *t = tree;
    struct bytes left = field_name(t, &t->nodes[*x]), right = field_name(t, &t->nodes[*y]);
    size_t len = left.len < right.len ? left.len : right.len;
    int order = len ? memcmp(left.data, right.data, len) : 0;
    if (order)
        return order;
    if (left.len != right.len)
        return left.len < right.len ? -1 : 1;
    return *x < *y ? -1 : 1;
}

/* RFC 8259 section 4: names SHOULD be unique. All are kept; every member that repeats a name is flagged. */
static void flag_duplicates(struct field_tree *t, uint32_t object)
{
    struct field *o = &t->nodes[object];
    if (o->children < 2)
        return;
    uint32_t few[64], n = 0;
    bool many = o->children > sizeof few / sizeof *few;
    uint32_t *members = many ? malloc(o->children * sizeof *members) : few;
    for (uint32_t i = object + 1; members && i < o->next; i = t->nodes[i].next)
        members[n++] = i;
    if (n)
        qsort_r(members, n, sizeof *members, by_name, t);
    for (uint32_t i = 1; i < n; i++) {
        struct field *f = &t->nodes[members[i]], *before = &t->nodes[members[i - 1]];
        if (!bytes_equal(field_name(t, f), field_name(t, before)))
            continue;
        f->flags |= FIELD_DUPLICATE;
        before->flags |= FIELD_DUPLICATE;
    }
    if (many)
        free(members);
}

static void close_list(struct build *b)
{
    struct field *f = &b->tree->nodes[b->parent];
    f->length = (uint32_t)b->reader.at - f->offset;
    field_end(b->tree, b->parent);
    if (f->kind == FIELD_OBJECT)
        flag_duplicates(b->tree, b->parent);
    b->parent = f->parent;
}

/* What is still open when the reader fails reaches as far as was read. */
static enum err give_up(struct build *b, uint32_t top)
{
    while (b->parent != top) {
        b->tree->nodes[b->parent].flags |= FIELD_CUT;
        close_list(b);
    }
    return b->tree->complete ? ERR_FORMAT : ERR_LIMIT;
}

static bool take_event(struct build *b, enum json_event e)
{
    static const enum field_kind kinds[] = {
        [JSON_STRING] = FIELD_STRING, [JSON_NUMBER] = FIELD_NUMBER, [JSON_TRUE] = FIELD_BOOL,
        [JSON_FALSE] = FIELD_BOOL,    [JSON_NULL] = FIELD_NULL,
    };
    uint32_t node;
    switch (e) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        node = add_value(b, e == JSON_OBJECT ? FIELD_OBJECT : FIELD_ARRAY);
        if (node != UINT32_MAX)
            b->parent = node;
        return node != UINT32_MAX;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END: close_list(b); return true;
    case JSON_NAME:
        b->name = b->reader.raw;
        b->name_escaped = b->reader.escaped;
        b->name_offset = (uint32_t)b->reader.start;
        b->name_length = (uint32_t)(b->reader.at - b->reader.start);
        return true;
    default:
        node = add_value(b, kinds[e]);
        return node != UINT32_MAX && (e != JSON_STRING || !b->open || !b->open(b->context, node));
    }
}

static void fail_at(struct build *b, size_t at, const char *why)
{
    if (b->reader.depth >= LIMIT_DECODE_DEPTH)
        field_fail(b->tree, (uint32_t)at, "%s: more than %d levels", why, LIMIT_DECODE_DEPTH);
    else
        field_fail(b->tree, (uint32_t)at, "%s", why);
    b->tree->error_layer = b->layer;
}

/* The value that the reader stands before, under b->parent. */
static enum err build_value(struct build *b)
{
    uint32_t top = b->parent;
    for (;;) {
        enum json_event e = json_next(&b->reader);
        if (e == JSON_END)
            return ERR_OK;
        if (e == JSON_ERROR) {
            enum err code = give_up(b, top);
            fail_at(b, b->reader.at, b->reader.error);
            return code;
        }
        if (!take_event(b, e)) {
            if (b->tree->complete)
                fail_at(b, b->reader.start, "no memory for more fields");
            give_up(b, top);
            return ERR_LIMIT;
        }
    }
}

static bool fits(struct bytes in, struct field_tree *tree)
{
    if (in.len > UINT32_MAX)
        field_fail(tree, 0, "more than 4 GiB");
    return in.len <= UINT32_MAX;
}

enum err json_decode_under(struct bytes in, uint16_t layer, uint32_t parent, json_open_string *open,
                           void *context, struct field_tree *tree)
{
    struct build b = {
        .tree = tree, .name = BYTES_NULL, .parent = parent, .layer = layer, .open = open, .context = context};
    if (!fits(in, tree))
        return ERR_LIMIT;
    json_read(&b.reader, in, LIMIT_DECODE_DEPTH);
    return build_value(&b);
}

enum err json_decode_lines_under(struct bytes in, uint16_t layer, uint32_t parent, json_open_string *open,
                                 void *context, struct field_tree *tree)
{
    struct build b = {.tree = tree, .name = BYTES_NULL, .layer = layer, .open = open, .context = context};
    enum err e = ERR_OK;
    if (!fits(in, tree))
        return ERR_LIMIT;
    b.parent = field_add(tree, parent, FIELD_ARRAY);
    if (b.parent == UINT32_MAX)
        return ERR_LIMIT;
    uint32_t array = b.parent;
    field_set_type(tree, array, "json lines");
    tree->nodes[array].layer = layer;
    tree->nodes[array].length = (uint32_t)in.len;
    for (size_t at = 0, begin, end; !e && json_line(in, &at, &begin, &end);) {
        json_read(&b.reader, bytes_slice(in, 0, end), LIMIT_DECODE_DEPTH);
        b.reader.at = b.reader.start = begin > b.reader.at ? begin : b.reader.at;
        e = build_value(&b);
    }
    if (e)
        tree->nodes[array].flags |= FIELD_CUT;
    field_end(tree, array);
    return e;
}

/* Values stand behind each other on lines, or with commas or record separators (RFC 7464) between them, or without anything. */
static size_t skip_separators(struct bytes in, size_t at)
{
    while (at < in.len && memchr(" \t\r\n,\x1E", in.data[at], 6))
        at++;
    return at;
}

/* A record separator stands before the first one, too. */
static void read_first(struct json_reader *r, struct bytes in)
{
    json_read(r, in, LIMIT_DECODE_DEPTH);
    r->at = r->start = skip_separators(r->in, r->at);
    r->stop_after_value = true;
}

static enum err decode_first(struct bytes in, size_t *end, struct field_tree *tree)
{
    struct build b = {.tree = tree, .name = BYTES_NULL, .parent = UINT32_MAX};
    if (!fits(in, tree))
        return ERR_LIMIT;
    read_first(&b.reader, in);
    enum err e = build_value(&b);
    *end = skip_separators(in, b.reader.at);
    return e;
}

static enum err json_decode(struct bytes in, const struct decode_hint *hint, struct field_tree *tree)
{
    tree->format = "json";
    return hint && hint->end ? decode_first(in, hint->end, tree)
                             : json_decode_under(in, 0, UINT32_MAX, NULL, NULL, tree);
}

/* ---- as JSON, without a tree ---- */

static void write_event(struct json_writer *w, const struct json_reader *r, enum json_event e)
{
    switch (e) {
    case JSON_OBJECT: json_object(w); break;
    case JSON_OBJECT_END: json_object_end(w); break;
    case JSON_ARRAY: json_array(w); break;
    case JSON_ARRAY_END: json_array_end(w); break;
    case JSON_NAME: json_name_escaped(w, r->raw); break;
    case JSON_STRING: json_escaped(w, r->raw); break;
    case JSON_NUMBER: json_number(w, r->raw); break;
    default: json_raw(w, r->raw);
    }
}

static enum err json_write_value(struct bytes in, struct json_writer *w, struct decode_fault *fault)
{
    struct json_reader r;
    enum json_event e;
    json_read(&r, in, JSON_MOST_DEPTH);
    while ((e = json_next(&r)) != JSON_END && e != JSON_ERROR)
        write_event(w, &r, e);
    if (e == JSON_END)
        return ERR_OK;
    *fault = (struct decode_fault){r.at, r.error};
    return r.depth >= JSON_MOST_DEPTH ? ERR_LIMIT : ERR_FORMAT;
}

/* ---- sniff ---- */

static int json_sniff(struct bytes in, const struct decode_hint *hint, const char **why)
{
    bool said = hint && hint->content_type && strstr(hint->content_type, "json");
    size_t at = json_mark(in);
    while (at < in.len && at < 65536 && memchr(" \t\r\n", in.data[at], 4))
        at++;
    if (at == in.len || at == 65536) {
        *why = "nothing that JSON could begin with";
        return 0;
    }
    bool list = in.data[at] == '{' || in.data[at] == '[';
    struct json_reader r;
    enum json_event e;
    int events = 0;
    json_read(&r, in, LIMIT_DECODE_DEPTH);
    do {
        e = json_next(&r);
    } while (e != JSON_ERROR && e != JSON_END && ++events < 64 && r.at < 65536);
    bool reads = e != JSON_ERROR;
    if (said && (reads || list)) {
        *why = reads ? "the content type says JSON, and it reads as JSON" : "the content type says JSON";
        return reads ? 99 : 80;
    }
    if (reads) {
        *why = list ? "begins like a JSON object or array, and reads as JSON" : "reads as a JSON value";
        return list ? 95 : 60;
    }
    *why = list ? "begins like JSON, but breaks off or is malformed" : "does not read as JSON";
    return !list ? 0 : events > 2 ? 55 : 5;
}

/* A string with a list in it, or with one in a string in it. */
static bool begins_like_quoted_list(struct bytes in)
{
    bool escape = false;
    for (size_t at = 0; at < in.len; at++) {
        uint8_t c = in.data[at];
        if (c == '{' || c == '[')
            return true;
        if (!memchr("\"\\ \t\r\n", c, 6) && !(escape && memchr("nrt", c, 3)))
            return false;
        escape = c == '\\';
    }
    return false;
}

/* Also what begins with a string, whatever follows it, and a string that breaks off with JSON in it; each of them also behind numbers
 * and words. MANY of those will do. */
static bool json_may_hide(struct bytes in)
{
    enum { MANY = 64 };
    struct json_reader r;
    enum json_event e = JSON_ERROR;
    for (int i = 0; i < MANY && in.len; i++) {
        read_first(&r, in);
        e = json_next(&r);
        if (e == JSON_OBJECT || e == JSON_ARRAY || e == JSON_STRING)
            return true;
        in = bytes_slice(in, e == JSON_ERROR ? r.start : skip_separators(in, r.at), in.len);
        if (e == JSON_ERROR)
            return in.len && in.data[0] == '"' && begins_like_quoted_list(in);
    }
    return e != JSON_ERROR;
}

/* ---- find: walks the text, building nothing ---- */

struct seek {
    struct json_reader reader;
    const struct field_path *path;
    json_find_string *look;
    field_visit *visit;
    void *context;
    struct buffer text;
    bool stopped;
};

static struct bytes meant(struct seek *s)
{
    struct json_reader *r = &s->reader;
    if (!r->escaped)
        return r->raw;
    buffer_clear(&s->text);
    json_unescape(r->raw, &s->text);
    return buffer_view(&s->text);
}

static bool opens(struct seek *s, size_t matched)
{
    struct field_path rest = {.count = s->path->count - matched};
    memcpy(rest.steps, s->path->steps + matched, rest.count * sizeof *rest.steps);
    return s->look(s->context, meant(s), &rest);
}

static void report(struct seek *s, enum json_event e, size_t start)
{
    struct json_reader *r = &s->reader;
    enum field_kind kind = FIELD_NULL;
    struct bytes text = r->raw;
    switch (e) {
    case JSON_STRING:
        kind = FIELD_STRING;
        text = meant(s);
        break;
    case JSON_NUMBER: kind = FIELD_NUMBER; break;
    case JSON_TRUE:
    case JSON_FALSE: kind = FIELD_BOOL; break;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        kind = e == JSON_OBJECT_END ? FIELD_OBJECT : FIELD_ARRAY;
        text = BYTES_NULL;
        break;
    default: break;
    }
    s->stopped = !s->visit(s->context, kind, text, bytes_slice(r->in, start, r->at - start));
}

/* Level k of the stack is an open list whose path matched k steps; anything else was skipped as a whole. */
static bool name_fits(const struct path_step *step, const struct json_reader *r)
{
    return step->name.data ? json_raw_equal(r->raw, r->escaped, step->name) : step->index < 0;
}

static bool index_fits(const struct path_step *step, int64_t index)
{
    return step->index >= 0 ? step->index == index : !step->name.data;
}

struct level {
    bool object;
    int64_t index; /* of the next element */
};

static enum json_event take_value(struct seek *s, enum json_event e, size_t matched, struct level *levels,
                                  size_t *open)
{
    bool list = e == JSON_OBJECT || e == JSON_ARRAY;
    size_t start = s->reader.start;
    if (e == JSON_STRING && s->look && opens(s, matched))
        return e;
    if (matched == s->path->count) {
        if (list)
            e = json_skip(&s->reader);
        if (e != JSON_ERROR)
            report(s, e, start);
        return e;
    }
    if (list)
        levels[(*open)++] = (struct level){e == JSON_OBJECT, 0};
    return e;
}

static enum json_event seek_in_list(struct seek *s, struct level *levels, size_t *open)
{
    struct level *level = &levels[*open - 1];
    const struct path_step *step = &s->path->steps[*open - 1];
    enum json_event e = json_next(&s->reader);
    if (e == JSON_OBJECT_END || e == JSON_ARRAY_END) {
        (*open)--;
        return e;
    }
    if (e == JSON_NAME) {
        if (!name_fits(step, &s->reader))
            return json_skip(&s->reader);
        return take_value(s, json_next(&s->reader), *open, levels, open);
    }
    if (e == JSON_ERROR || e == JSON_END)
        return e;
    if (index_fits(step, level->index++))
        return take_value(s, e, *open, levels, open);
    return e == JSON_OBJECT || e == JSON_ARRAY ? json_skip(&s->reader) : e;
}

enum err json_find_under(struct bytes in, const struct field_path *path, json_find_string *look,
                         field_visit *visit, void *context)
{
    struct seek s = {.path = path, .look = look, .visit = visit, .context = context};
    struct level levels[sizeof path->steps / sizeof *path->steps + 1];
    size_t open = 0;
    json_read(&s.reader, in, JSON_MOST_DEPTH); /* no tree: the reader's own limit */
    buffer_init(&s.text, in.len + 16);
    enum json_event e = json_next(&s.reader);
    if (e != JSON_ERROR && e != JSON_END)
        e = take_value(&s, e, 0, levels, &open);
    while (e != JSON_ERROR && !s.stopped && open > 0)
        e = seek_in_list(&s, levels, &open);
    if (e != JSON_ERROR && !s.stopped)
        while ((e = json_next(&s.reader)) != JSON_ERROR && e != JSON_END)
            ;
    buffer_free(&s.text);
    return e == JSON_ERROR ? ERR_FORMAT : ERR_OK;
}

static enum err json_find(struct bytes in, const struct field_path *path, field_visit *visit, void *context)
{
    return json_find_under(in, path, NULL, visit, context);
}

const struct decoder_ops json_decoder = {
    .name = "json",
    .hidden = "\"[redacted]\"",
    .may_hide = json_may_hide,
    .sniff = json_sniff,
    .decode = json_decode,
    .find = json_find,
    .write = json_write_value,
};
