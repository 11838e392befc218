#include "engine/redact_internal.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "base/regex.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- compiling ---- */

/* The longest run without a wildcard or a dot. */
static struct bytes needle_of(const char *pattern)
{
    struct bytes best = BYTES_LITERAL("");
    while (*pattern) {
        size_t len = strcspn(pattern, "*?.");
        if (len > best.len)
            best = bytes_of(pattern, len);
        pattern += len + (pattern[len] != '\0');
    }
    return best;
}

struct redaction *redaction_new(const struct redact_rule *rules, size_t count, decoder_registry decoders,
                                struct err_info *err)
{
    struct redaction *r = calloc(1, sizeof *r + count * sizeof *r->rules);
    if (!r) {
        err_set(err, ERR_NOMEM, "no memory for rules");
        return NULL;
    }
    r->decoders = decoders;
    for (size_t i = 0; i < count; i++) {
        struct rule *rule = &r->rules[r->count++];
        *rule =
            (struct rule){.kind = rules[i].kind, .text = rules[i].text, .needle = needle_of(rules[i].text)};
        if (rule->kind == REDACT_REGEX && !(rule->re = regex_new(bytes_of_text(rule->text), false, err))) {
            redaction_free(&r);
            return NULL;
        }
    }
    return r;
}

void redaction_free(struct redaction **rp)
{
    struct redaction *r = *rp;
    *rp = NULL;
    for (size_t i = 0; r && i < r->count; i++)
        regex_free(&r->rules[i].re);
    free(r);
}

struct redactor *redactor_new(const struct redaction *rules)
{
    struct redactor *r = calloc(1, sizeof *r);
    if (r) {
        r->rules = rules;
        arena_init(&r->arena, 4 * LIMIT_MESSAGE);
    }
    return r;
}

void redactor_free(struct redactor **rp)
{
    if (*rp)
        arena_free(&(*rp)->arena);
    free(*rp);
    *rp = NULL;
}

/* ---- text: what a regular expression matches ---- */

struct bytes redact_whole(struct redactor *r)
{
    r->changed = true;
    return BYTES_LITERAL(HIDDEN);
}

/* A search that ran into its limits may have missed something: all of it goes. */
static struct bytes hide_rule(struct redactor *r, const struct rule *rule, struct bytes in)
{
    struct buffer out;
    size_t start, end, done = 0, from = 0;
    enum regex_found found;
    buffer_init(&out, 4 * LIMIT_MESSAGE);
    while ((found = regex_find(rule->re, in, from, &start, &end)) == REGEX_FOUND) {
        from = end;
        if (start == end) { /* an empty match hides nothing */
            if (++from > in.len)
                break;
            continue;
        }
        buffer_bytes(&out, bytes_slice(in, done, start - done));
        buffer_text(&out, HIDDEN);
        done = end;
    }
    struct bytes hidden = in;
    if (found == REGEX_UNSURE) {
        hidden = redact_whole(r);
    } else if (done) {
        buffer_bytes(&out, bytes_slice(in, done, in.len - done));
        hidden = out.failed ? BYTES_NULL : arena_copy(&r->arena, buffer_view(&out));
        r->changed = true;
        if (!hidden.data)
            hidden = redact_whole(r);
    }
    buffer_free(&out);
    return hidden;
}

static struct bytes hide_matches(struct redactor *r, struct bytes in)
{
    for (size_t i = 0; in.len && i < r->rules->count; i++)
        if (r->rules->rules[i].re)
            in = hide_rule(r, &r->rules->rules[i], in);
    return in;
}

bool redact_matches(const struct redactor *r, struct bytes text)
{
    for (size_t i = 0; i < r->rules->count; i++)
        if (r->rules->rules[i].re && regex_find(r->rules->rules[i].re, text, 0, NULL, NULL) != REGEX_NONE)
            return true;
    return false;
}

/* ---- headers ---- */

static bool names_header(const struct redactor *r, struct bytes name)
{
    char lower[256], pattern[256];
    if (!name.data)
        return false;
    text_lower(text_copy_bytes(lower, sizeof lower, name));
    for (size_t i = 0; i < r->rules->count; i++)
        if (r->rules->rules[i].kind == REDACT_HEADER &&
            text_glob(text_lower(text_copy(pattern, sizeof pattern, r->rules->rules[i].text)), lower))
            return true;
    return false;
}

static struct headers hide_headers(struct redactor *r, struct headers in, unsigned depth);

static struct value hidden_value(struct redactor *r, enum value_type type)
{
    return (struct value){.type = type == VALUE_BYTES ? VALUE_BYTES : VALUE_STRING, .bytes = redact_whole(r)};
}

static bool number_matches(const struct redactor *r, const struct value *v)
{
    char text[32];
    bool is_unsigned = v->type >= VALUE_UINT8 && v->type <= VALUE_UINT64;
    int n = is_unsigned ? snprintf(text, sizeof text, "%" PRIu64, v->u)
                        : snprintf(text, sizeof text, "%" PRId64, v->i);
    return redact_matches(r, bytes_of(text, (size_t)n));
}

static struct value hide_value(struct redactor *r, const struct value *in, unsigned depth)
{
    struct value out = *in;
    switch (in->type) {
    case VALUE_STRING:
    case VALUE_BYTES: out.bytes = hide_matches(r, in->bytes); return out;
    case VALUE_ARRAY:
    case VALUE_TABLE: {
        struct headers list = hide_headers(r, (struct headers){in->list.items, in->list.count}, depth + 1);
        out.list.items = list.items;
        out.list.count = list.count;
        return out;
    }
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64:
    case VALUE_UINT8:
    case VALUE_UINT16:
    case VALUE_UINT32:
    case VALUE_UINT64: return number_matches(r, in) ? hidden_value(r, in->type) : out;
    default: return out;
    }
}

static struct headers hide_headers(struct redactor *r, struct headers in, unsigned depth)
{
    if (!in.count)
        return in;
    struct header *items =
        depth <= LIMIT_HEADER_DEPTH ? arena_alloc(&r->arena, in.count * sizeof *items) : NULL;
    r->failed |= !items;
    for (uint32_t i = 0; items && i < in.count; i++) {
        const struct header *h = &in.items[i];
        items[i].name = h->name;
        items[i].value =
            names_header(r, h->name) ? hidden_value(r, h->value.type) : hide_value(r, &h->value, depth);
    }
    return (struct headers){items, items ? in.count : 0};
}

static struct bytes hide_payload(struct redactor *r, struct bytes payload)
{
    return hide_matches(r, redact_fields(r, payload));
}

const struct message *redactor_apply(struct redactor *r, const struct message *m)
{
    arena_reset(&r->arena);
    r->work = LIMIT_UNWRAP_WORK;
    r->changed = r->failed = false;
    r->out = message_borrow(m);
    r->out.key = hide_payload(r, m->key);
    r->out.id =
        names_header(r, BYTES_LITERAL("message_id")) && m->id.data ? redact_whole(r) : hide_matches(r, m->id);
    r->out.headers = hide_headers(r, m->headers, 0);
    r->out.properties = hide_headers(r, m->properties, 0);
    r->out.payload = hide_payload(r, m->payload);
    if (r->failed) {
        r->out.key = r->out.id = BYTES_NULL;
        r->out.headers = r->out.properties = (struct headers){NULL, 0};
        r->out.payload = redact_whole(r);
    }
    if (!r->changed)
        return m;
    r->out.flags |= MESSAGE_REDACTED;
    return &r->out;
}
