/* Fields of a payload: they are found in its tree and cut out of its bytes. */
#include "engine/redact_internal.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/regex.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>

#define HIDDEN_UNREAD "[redacted: cannot be read to its end, so that its fields cannot be told apart]"
#define PATH_MOST     1024

struct edit { /* of the payload's own bytes, in ascending order */
    size_t offset, length;
};

struct walk {
    struct redactor *r;
    const struct walk *outer; /* a string there holds the payload; NULL: it is the message's own */
    unsigned depth;           /* of payloads inside payloads */
    struct field_tree tree;
    size_t base;     /* where in the payload the tree's value stands */
    bool lists;      /* one of its values was one */
    uint32_t fields; /* of all its values */
    struct edit *edits;
    size_t count, cap;
    char path[PATH_MOST];
    size_t start; /* the part of the path that leads to the payload */
    size_t ends[LIMIT_DECODE_DEPTH + LIMIT_UNWRAP_LAYERS + 8]; /* of the path, by depth */
};

static bool has_rule(const struct redactor *r, enum redact_kind kind)
{
    for (size_t i = 0; i < r->rules->count; i++)
        if (r->rules->rules[i].kind == kind)
            return true;
    return false;
}

/* A rule holds for the path and for each of its tails: card.* for orders.card.number. */
static bool names_field(const struct walk *w)
{
    for (size_t i = 0; i < w->r->rules->count; i++) {
        const struct rule *rule = &w->r->rules->rules[i];
        if (rule->kind != REDACT_FIELD)
            continue;
        for (const char *tail = w->path; tail; tail = strchr(tail, '.') ? strchr(tail, '.') + 1 : NULL)
            if (text_glob(rule->text, tail))
                return true;
    }
    return false;
}

/* What is inside a layer has no bytes of its own in the payload: what wraps it goes. */
static void hide_node(struct walk *w, uint32_t node)
{
    const struct field *f = &w->tree.nodes[node];
    while (f->layer && f->parent != UINT32_MAX)
        f = &w->tree.nodes[f->parent];
    size_t offset = w->base + f->offset;
    size_t last = w->count ? w->edits[w->count - 1].offset + w->edits[w->count - 1].length : 0;
    if (w->count && offset < last)
        return;
    if (w->count == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 16;
        struct edit *edits = reallocarray(w->edits, cap, sizeof *edits);
        if (!edits) {
            w->r->failed = true;
            return;
        }
        w->edits = edits;
        w->cap = cap;
    }
    w->edits[w->count++] = (struct edit){offset, f->length};
}

/* Appends the field's name to its parent's path; false: the path is longer than a rule could name. */
static bool enter_field(struct walk *w, const struct field *f)
{
    size_t slots = sizeof w->ends / sizeof *w->ends;
    struct bytes name = field_name(&w->tree, f);
    size_t at = f->depth && f->depth <= slots ? w->ends[f->depth - 1] : w->start;
    if (f->depth >= slots || at + name.len + 2 > PATH_MOST)
        return false;
    if (name.data) {
        if (at)
            w->path[at++] = '.';
        for (size_t i = 0; i < name.len; i++)
            w->path[at++] = name.data[i] ? (char)name.data[i] : '\1'; /* the path is C text */
    }
    w->path[at] = '\0';
    w->ends[f->depth] = at;
    return true;
}

static struct bytes hide_fields(struct redactor *r, struct bytes in, const struct walk *outer);

/* What the raw bytes don't show: escaped text, layers, and numbers, whose place only a whole value can take. */
static bool leaf_matches(const struct walk *w, const struct field *f)
{
    bool plain = f->kind == FIELD_STRING && !f->layer && f->text_place == FIELD_QUOTED;
    return f->kind >= FIELD_STRING && f->kind != FIELD_LAYER && !plain &&
           redact_matches(w->r, field_text(&w->tree, f));
}

/* Not whether the screen would choose it: whoever asks for a format gets it. */
static bool may_show_fields(const struct decoder_ops *decoder, struct bytes in)
{
    const char *why;
    const struct decode_hint hint = {.content_type = NULL};
    if (!decoder->hidden)
        return false;
    return decoder->may_hide ? decoder->may_hide(in) : decoder->sniff(in, &hint, &why) > 0;
}

/* Also behind a registry's frame. */
static bool is_payload(const struct redactor *r, struct bytes in)
{
    in = bytes_slice(in, json_frame(in), in.len);
    for (decoder_registry d = r->rules->decoders; *d; d++)
        if (may_show_fields(*d, in))
            return true;
    return false;
}

enum { SHORT_ESCAPE = 1, CODE_ESCAPE = 2 };

static bool is_code(const uint8_t *p, const uint8_t *end)
{
    for (int i = 0; i < 4; i++, p++)
        if (p >= end || !isxdigit(*p))
            return false;
    return true;
}

/* Of the escape that this backslash begins (RFC 8259 section 7); 0: it is none. */
static size_t escape_length(const uint8_t *p, const uint8_t *end)
{
    if (++p == end)
        return 0;
    return memchr("\"\\/bfnrt", *p, 8) ? 2 : *p == 'u' && is_code(p + 1, end) ? 6 : 0;
}

/* RFC 8259 section 7. Of strings in strings, too: a backslash that is escaped may escape there. */
static unsigned escapes_in(struct bytes in)
{
    unsigned found = 0;
    const uint8_t *end = in.data + in.len;
    for (const uint8_t *p = in.data; p < end && (p = memchr(p, '\\', (size_t)(end - p)));) {
        const uint8_t *first = p;
        while (p < end && *p == '\\')
            p++;
        if (p - first > 1 || (p < end && memchr("\"/bfnrt", *p, 7)))
            found |= SHORT_ESCAPE;
        if (p < end && *p == 'u' && is_code(p + 1, end))
            found |= CODE_ESCAPE;
    }
    return found;
}

/* Do such a field's name or escapes stand in it, or in the path that leads to it? */
static bool may_name_field(const struct redactor *r, struct bytes in, const struct walk *outer)
{
    unsigned escapes = escapes_in(in);
    for (size_t i = 0; i < r->rules->count; i++) {
        const struct rule *rule = &r->rules->rules[i];
        struct bytes needle = rule->needle, path = bytes_of_text(outer ? outer->path : "");
        if (rule->kind != REDACT_FIELD)
            continue;
        if (escapes & CODE_ESCAPE || (escapes && strpbrk(rule->text, "/\"\\\b\f\n\r\t")))
            return true;
        if (memmem(in.data, in.len, needle.data, needle.len)) /* an empty one stands everywhere */
            return true;
        if (strpbrk(rule->text, "*?.") && memmem(path.data, path.len, needle.data, needle.len))
            return true;
    }
    return false;
}

/* A payload inside the payload: JSON in a string, base64 of JSON. One that lies deeper than is opened goes unread. */
static bool holds_hidden(const struct walk *w, const struct field *f)
{
    struct bytes text = field_text(&w->tree, f);
    bool no_text = f->kind == FIELD_BYTES && text.len &&
                   (json_frame(text) || may_name_field(w->r, text, w)); /* but JSON */
    if (!text.len || (f->kind != FIELD_STRING && !no_text))
        return false;
    if (w->depth >= LIMIT_UNWRAP_LAYERS)
        return is_payload(w->r, text);
    return hide_fields(w->r, text, w).data != text.data;
}

static void walk_fields(struct walk *w)
{
    for (uint32_t i = 0; i < w->tree.count;) {
        const struct field *f = &w->tree.nodes[i];
        bool known = enter_field(w, f);
        struct bytes name = field_name(&w->tree, f);
        bool hide = !known || (name.data && (names_field(w) || redact_matches(w->r, name))) ||
                    leaf_matches(w, f) || holds_hidden(w, f);
        if (hide)
            hide_node(w, i);
        i = hide ? f->next : i + 1;
    }
}

static struct bytes spliced(struct redactor *r, struct bytes in, const struct edit *edits, size_t count,
                            const char *hidden)
{
    struct buffer out;
    size_t done = 0;
    buffer_init(&out, 4 * LIMIT_MESSAGE);
    for (size_t i = 0; i < count; i++) {
        buffer_bytes(&out, bytes_slice(in, done, edits[i].offset - done));
        buffer_text(&out, edits[i].length == in.len ? HIDDEN : hidden);
        done = edits[i].offset + edits[i].length;
    }
    buffer_bytes(&out, bytes_slice(in, done, in.len - done));
    struct bytes result = out.failed ? BYTES_NULL : arena_copy(&r->arena, buffer_view(&out));
    buffer_free(&out);
    r->failed |= !result.data;
    r->changed = true;
    return result;
}

/* What base64 in a string may consist of, an escaped / or line end of it included. */
static const bool is_digit[256] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['/' ... '9'] = true,
    ['+'] = true,         ['='] = true,         ['\\'] = true,
};

/* Does this base64 hold a payload, or more base64? By how it begins. */
static bool begins_payload(const struct redactor *r, struct bytes digits)
{
    uint8_t first[48], head[36] = {0};
    struct buffer out = {.data = head, .cap = sizeof head, .max = sizeof head};
    size_t n = 0, more = 0;
    bool escape = false;
    for (size_t i = 0; i < digits.len && n < sizeof first; i++) {
        uint8_t c = digits.data[i];
        if (c != '\\' && !(escape && c != '/')) /* a line's end */
            first[n++] = c;
        escape = c == '\\'; /* however often it is escaped itself */
    }
    if (!buffer_unbase64(&out, bytes_of(first, n - n % 4)))
        return false;
    while (more < out.len && (is_digit[head[more]] || memchr(" \t\r\n", head[more], 4)))
        more++;
    return more == out.len || is_payload(r, buffer_view(&out));
}

/* Strings of base64, whose fields the bytes don't show. A probe at every so many bytes meets each that is long enough. */
static bool may_have_base64(const struct redactor *r, struct bytes in)
{
    enum { LEAST = 10 }; /* {"a":1} */
    for (size_t from = 0, at; (at = from + LEAST - 1) < in.len;) {
        size_t start = at, end = at;
        while (end < in.len && is_digit[in.data[end]])
            end++;
        from = end + 1;
        if (end == at)
            continue;
        while (start && is_digit[in.data[start - 1]])
            start--;
        bool begins = start && in.data[start - 1] == '"' && end - start >= LEAST;
        if (begins && begins_payload(r, bytes_slice(in, start, end - start)))
            return true;
    }
    return false;
}

/* Can the payload have such a field at all? Most have not, and are not decoded for it. */
static bool may_have_fields(const struct redactor *r, struct bytes in, const struct walk *outer)
{
    return has_rule(r, REDACT_REGEX) ||
           (has_rule(r, REDACT_FIELD) && (may_name_field(r, in, outer) || may_have_base64(r, in)));
}

/* Appends what JSON means by it. A backslash that is no escape of JSON's goes. */
static void unescape(struct bytes in, struct buffer *out)
{
    const uint8_t *end = in.data + in.len, *begin = in.data;
    for (const uint8_t *p = begin; p < end && (p = memchr(p, '\\', (size_t)(end - p)));) {
        size_t len = escape_length(p, end);
        if (!len) {
            json_unescape(bytes_of(begin, (size_t)(p - begin)), out);
            begin = p + 1;
        }
        p += len ? len : 1;
    }
    json_unescape(bytes_of(begin, (size_t)(end - begin)), out);
}

/* Does a pattern match what the escapes stand for, those of strings in strings too? What matches in the bytes themselves is found
 * there. */
static bool matches_unescaped(const struct redactor *r, struct bytes in)
{
    struct buffer rooms[2];
    bool matches = false;
    buffer_init(&rooms[0], in.len);
    buffer_init(&rooms[1], in.len);
    for (int layer = 0; !matches && escapes_in(in); layer++) {
        struct buffer *out = &rooms[layer % 2];
        buffer_clear(out);
        unescape(in, out);
        in = buffer_view(out);
        matches = out->failed || layer == LIMIT_UNWRAP_LAYERS || redact_matches(r, in);
    }
    buffer_free(&rooms[0]);
    buffer_free(&rooms[1]);
    return matches;
}

static bool may_hide_unread(const struct redactor *r, struct bytes in, const struct walk *outer)
{
    return may_name_field(r, in, outer) || may_have_base64(r, in) ||
           (has_rule(r, REDACT_REGEX) && matches_unescaped(r, in));
}

/* The value at w->base; *end: how far it reaches. False: it cannot be read to its end. */
static bool walk_value(struct walk *w, const struct decoder_ops *decoder, struct bytes in,
                       struct arena *arena, size_t *end)
{
    const struct decode_hint hint = {
        .work = w->outer ? &w->r->work : NULL, /* the whole is read but once */
        .closed = true,
        .end = end,
    };
    arena_reset(arena);
    field_tree_init(&w->tree, arena, in);
    (void)decoder->decode(in, &hint, &w->tree);
    w->fields += w->tree.count;
    if (!w->tree.complete || w->tree.unopened || w->tree.raw || w->fields > LIMIT_DECODE_NODES)
        return false;
    w->lists |= w->tree.nodes[0].kind == FIELD_OBJECT || w->tree.nodes[0].kind == FIELD_ARRAY;
    walk_fields(w);
    return true;
}

/* What cannot be read counts as this format's where it begins like it or stands behind lists. */
static bool may_show_unread(const struct walk *w, const struct decoder_ops *decoder, struct bytes in)
{
    return decoder->wraps ||
           ((w->lists || may_show_fields(decoder, in)) && may_hide_unread(w->r, in, w->outer));
}

static struct bytes hide_decoded(struct redactor *r, const struct decoder_ops *decoder, struct bytes in,
                                 const struct walk *outer)
{
    struct arena arena;
    struct walk w = {.r = r, .outer = outer, .depth = outer ? outer->depth + 1 : 0};
    struct bytes out = in, left = in;
    if (outer)
        w.start = strlen(text_copy(w.path, sizeof w.path, outer->path));
    arena_init(&arena, LIMIT_DECODE_ARENA);
    for (size_t end; left.len; left = bytes_slice(in, w.base, in.len)) {
        end = left.len;
        if (!walk_value(&w, decoder, left, &arena, &end))
            break;
        w.base += end;
    }
    if (left.len && may_show_unread(&w, decoder, left)) {
        r->changed = true;
        out = BYTES_LITERAL(HIDDEN_UNREAD);
    } else if (w.count) {
        out = spliced(r, in, w.edits, w.count, decoder->hidden);
    }
    free(w.edits);
    arena_free(&arena);
    return out;
}

/* Every decoder that gives fields and doesn't rule the bytes out has its turn, whatever the screen would choose. */
static struct bytes hide_unframed(struct redactor *r, struct bytes in, const struct walk *outer)
{
    if (!has_rule(r, REDACT_FIELD) && !has_rule(r, REDACT_REGEX))
        return in;
    for (decoder_registry d = r->rules->decoders; in.len && *d; d++)
        if (may_show_fields(*d, in) && ((*d)->wraps || may_have_fields(r, in, outer)))
            in = hide_decoded(r, *d, in, outer);
    return in;
}

static struct bytes joined(struct redactor *r, struct bytes a, struct bytes b)
{
    uint8_t *p = arena_pack(&r->arena, a.len + b.len);
    if (!p) {
        r->failed = true;
        return BYTES_NULL;
    }
    memcpy(p, a.data, a.len);
    memcpy(p + a.len, b.data, b.len);
    return bytes_of(p, a.len + b.len);
}

/* A registry's frame stays. The same bytes come back where nothing is hidden. */
static struct bytes hide_fields(struct redactor *r, struct bytes in, const struct walk *outer)
{
    size_t frame = json_frame(in);
    struct bytes inside = bytes_slice(in, frame, in.len), hidden = hide_unframed(r, inside, outer);
    if (hidden.data == inside.data)
        return in;
    return frame ? joined(r, bytes_slice(in, 0, frame), hidden) : hidden;
}

struct bytes redact_fields(struct redactor *r, struct bytes payload)
{
    return hide_fields(r, payload, NULL);
}
