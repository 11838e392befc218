#include "engine/filter.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/decode.h"
#include "engine/lookup.h"
#include "model/death.h"
#include "engine/filter_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- one value against one test ---- */

struct test {
    const struct node *node;
    bool hit;  /* some value satisfies the operator, read positively */
    bool open; /* there may be others that nobody sees */
};

static bool number_token(struct bytes text)
{
    struct json_reader r;
    if (!text.len || !(text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')))
        return false;
    json_read(&r, text, 2);
    return json_next(&r) == JSON_NUMBER && json_next(&r) == JSON_END;
}

static int compare_text(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

static bool holds(enum op op, int order)
{
    switch (op) {
    case OP_LT: return order < 0;
    case OP_LE: return order <= 0;
    case OP_GT: return order > 0;
    case OP_GE: return order >= 0;
    default: return order == 0;
    }
}

/* != and !~ are the negation of = and ~ over all values, so that here they count like these. */
static bool value_satisfies(const struct node *n, struct bytes text)
{
    if (n->op == OP_MATCH || n->op == OP_NO_MATCH || n->pattern.re)
        return filter_contains(&n->pattern, text) || filter_contains_unescaped(&n->pattern, text);
    if (n->is_number && number_token(text))
        return holds(n->op, json_compare(text, n->number));
    return text.data && holds(n->op, compare_text(text, n->pattern.text));
}

static bool test_text(struct test *t, struct bytes text)
{
    t->hit = t->hit || value_satisfies(t->node, text);
    return !t->hit;
}

static void test_cstr(struct test *t, const char *text)
{
    if (text)
        test_text(t, bytes_of_text(text));
}

/* Of a fixed set, which = and != compare without case. */
static void test_word(struct test *t, const char *word)
{
    const struct pattern *p = &t->node->pattern;
    bool as_word = t->node->op <= OP_NE && !p->re && !p->exact;
    if (!as_word || !word)
        test_cstr(t, word);
    else
        t->hit = t->hit ||
                 (strlen(word) == p->text.len && !strncasecmp(word, (const char *)p->text.data, p->text.len));
}

static void test_int(struct test *t, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    test_cstr(t, text);
}

static void test_scaled(struct test *t, double value)
{
    double wanted = t->node->scaled;
    t->hit = t->hit || holds(t->node->op, value < wanted ? -1 : value > wanted);
}

static void test_bool(struct test *t, bool value)
{
    static const char *const yes[] = {"true", "yes", "1"}, *const no[] = {"false", "no", "0"};
    for (int i = 0; i < 3; i++)
        test_cstr(t, value ? yes[i] : no[i]);
}

static void test_value(struct test *t, const struct value *v)
{
    char text[40];
    switch (v->type) {
    case VALUE_BOOL: test_bool(t, v->b); return;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64: test_int(t, v->i); return;
    case VALUE_UINT8:
    case VALUE_UINT16:
    case VALUE_UINT32:
    case VALUE_UINT64:
    case VALUE_TIMESTAMP:
        snprintf(text, sizeof text, "%" PRIu64, v->u);
        test_cstr(t, text);
        return;
    case VALUE_FLOAT:
    case VALUE_DOUBLE: test_cstr(t, text_shortest(text, sizeof text, v->f)); return;
    case VALUE_DECIMAL:
        snprintf(text, sizeof text, "%de-%u", v->decimal.digits, v->decimal.scale);
        test_cstr(t, text);
        return;
    case VALUE_STRING:
    case VALUE_BYTES:
        if (v->bytes.data)
            test_text(t, v->bytes);
        return;
    case VALUE_ARRAY:
    case VALUE_TABLE:
        for (uint32_t i = 0; i < v->list.count; i++)
            test_value(t, &v->list.items[i].value);
        return;
    case VALUE_VOID:
    case VALUE_TYPES: return;
    }
}

static void test_named(struct test *t, struct headers headers, struct bytes name)
{
    for (uint32_t i = 0; headers.items && i < headers.count; i++)
        if (bytes_equal(headers.items[i].name, name))
            test_value(t, &headers.items[i].value);
}

/* ---- the body ---- */

static bool visit_body(void *context, enum field_kind kind, struct bytes text, struct bytes raw)
{
    if (kind == FIELD_OBJECT || kind == FIELD_ARRAY)
        return test_text(context, raw.data ? raw : text);
    if (kind == FIELD_NULL)
        text = BYTES_LITERAL("null");
    return test_text(context, text);
}

static void test_body(struct test *t, const struct filter *f, const struct message *m)
{
    const struct node *n = t->node;
    struct lookup lookup = {f->decoders, f->json, &n->path, n->needle};
    bool wrapped = false;
    if (n->path.count == 0 && m->payload.data)
        test_text(t, m->payload);
    else if (n->path.count)
        t->open = lookup_body(&lookup, m, visit_body, t, &wrapped) && wrapped;
}

static void test_type(struct test *t, const struct filter *f, const struct message *m)
{
    struct arena arena;
    struct field_tree tree;
    struct decode_choice choice = decode_choose(f->decoders, m, NULL);
    arena_init(&arena, LIMIT_DECODE_ARENA);
    (void)decode_message(&choice, m, &tree, &arena);
    if (tree.type[0])
        test_cstr(t, tree.type);
    arena_free(&arena);
}

/* As lists show it. */
static void test_format(struct test *t, const struct filter *f, const struct message *m)
{
    const char *format = decode_format(f->decoders, m);
    test_word(t, format ? format : FORMAT_OF_NULL);
}

static bool visit_reason(void *context, const struct value *reason)
{
    test_value(context, reason);
    return true;
}

/* ---- one test ---- */

static void test_time(struct test *t, const struct message *m)
{
    if (m->time_ns == TIME_NONE)
        return;
    if (t->node->is_time)
        t->hit = holds(t->node->op, m->time_ns < t->node->time_ns ? -1 : m->time_ns > t->node->time_ns);
    else {
        char text[40];
        test_cstr(t, clock_rfc3339(m->time_ns, text, sizeof text));
    }
}

static void test_position(struct test *t, const struct message *m)
{
    char text[40];
    if (m->position.kind != POSITION_NONE)
        test_cstr(t, position_text(m->position, text, sizeof text));
}

/* As the screen and an address write it, too: ENDPOINT/CHANNEL. */
static void test_channel(struct test *t, const struct origin *origin)
{
    char whole[800];
    struct bytes text = t->node->pattern.text;
    test_cstr(t, origin->channel);
    if (t->hit || !text.len || !memchr(text.data, '/', text.len))
        return;
    snprintf(whole, sizeof whole, "%s/%s", origin->endpoint, origin->channel);
    test_cstr(t, whole);
}

static void test_flags(struct test *t, uint32_t flags)
{
    for (int i = 0; i < MESSAGE_FLAGS; i++)
        if (flags >> i & 1)
            test_word(t, message_flag_names[i]);
}

static void test_field(struct test *t, const struct filter *f, const struct message *m, int64_t now_ns)
{
    switch (t->node->field) {
    case F_CHANNEL: test_channel(t, m->origin); break;
    case F_ENDPOINT: test_cstr(t, m->origin->endpoint); break;
    case F_PARTITION:
        if (m->position.kind == POSITION_PARTITION)
            test_int(t, m->position.partition);
        break;
    case F_POSITION: test_position(t, m); break;
    case F_OFFSET:
        if (m->position.kind != POSITION_NONE)
            test_int(t, m->position.offset);
        break;
    case F_ID:
        if (m->id.data)
            test_text(t, m->id);
        break;
    case F_KEY:
        if (m->key.data)
            test_text(t, m->key);
        break;
    case F_TIME: test_time(t, m); break;
    case F_AGE:
        if (m->time_ns != TIME_NONE)
            test_scaled(t, (double)(now_ns - m->time_ns));
        break;
    case F_SIZE: test_scaled(t, (double)m->payload.len); break;
    case F_FORMAT: test_format(t, f, m); break;
    case F_TYPE: test_type(t, f, m); break;
    case F_REDELIVERED: test_bool(t, m->flags & MESSAGE_REDELIVERED); break;
    case F_DUPLICATE: test_bool(t, m->flags & MESSAGE_DUPLICATE); break;
    case F_FLAGS: test_flags(t, m->flags); break;
    case F_DLQ_REASON: death_reasons(m->headers, visit_reason, t); break;
    case F_HEADER: test_named(t, m->headers, t->node->name); break;
    case F_PROPERTY: test_named(t, m->properties, t->node->name); break;
    case F_BODY: test_body(t, f, m); break;
    default: break;
    }
}

static bool negated(const struct node *n)
{
    return n->op == OP_NE || n->op == OP_NO_MATCH;
}

/* ---- words ---- */

static bool word_in_value(const struct pattern *p, const struct value *v)
{
    if (v->type == VALUE_STRING || v->type == VALUE_BYTES)
        return filter_contains(p, v->bytes);
    if (v->type != VALUE_ARRAY && v->type != VALUE_TABLE)
        return false;
    for (uint32_t i = 0; i < v->list.count; i++)
        if (word_in_value(p, &v->list.items[i].value))
            return true;
    return false;
}

static bool word_in_message(const struct pattern *p, const struct message *m)
{
    if (filter_contains(p, m->payload) || filter_contains(p, m->key) || filter_contains(p, m->id))
        return true;
    for (uint32_t i = 0; m->headers.items && i < m->headers.count; i++)
        if (word_in_value(p, &m->headers.items[i].value))
            return true;
    return filter_contains_unescaped(p, m->payload);
}

/* ---- the walk ---- */

typedef enum filter_answer leaf_match(const struct filter *f, const struct node *n, const void *subject,
                                      int64_t now_ns);

static enum filter_answer opposite(enum filter_answer a)
{
    return a == FILTER_UNKNOWN ? a : a == FILTER_NO ? FILTER_YES : FILTER_NO;
}

static enum filter_answer walk(const struct filter *f, const struct node *n, leaf_match *leaf,
                               const void *subject, int64_t now_ns);

/* `decisive` of one is that of all; an unknown one leaves it open as long as none is. */
static enum filter_answer walk_all(const struct filter *f, const struct node *n, leaf_match *leaf,
                                   const void *subject, int64_t now_ns, enum filter_answer decisive)
{
    enum filter_answer all = opposite(decisive);
    for (const struct node *c = n->first; c; c = c->next) {
        enum filter_answer a = walk(f, c, leaf, subject, now_ns);
        if (a == decisive)
            return a;
        all = a == FILTER_UNKNOWN ? a : all;
    }
    return all;
}

static enum filter_answer walk(const struct filter *f, const struct node *n, leaf_match *leaf,
                               const void *subject, int64_t now_ns)
{
    switch (n->kind) {
    case NODE_ALL: return walk_all(f, n, leaf, subject, now_ns, FILTER_NO);
    case NODE_ANY: return walk_all(f, n, leaf, subject, now_ns, FILTER_YES);
    case NODE_NOT: return opposite(walk(f, n->first, leaf, subject, now_ns));
    case NODE_WORD:
    case NODE_TEST: break;
    }
    return leaf(f, n, subject, now_ns);
}

static enum filter_answer message_leaf(const struct filter *f, const struct node *n, const void *subject,
                                       int64_t now_ns)
{
    const struct message *m = subject;
    if (n->kind == NODE_WORD)
        return word_in_message(&n->pattern, m) ? FILTER_YES : FILTER_NO;
    struct test t = {.node = n};
    test_field(&t, f, m, now_ns);
    if (t.open && !t.hit)
        return FILTER_UNKNOWN;
    return t.hit != negated(n) ? FILTER_YES : FILTER_NO;
}

enum filter_answer filter_message(const struct filter *f, const struct message *m, int64_t now_ns)
{
    return f->root ? walk(f, f->root, message_leaf, m, now_ns) : FILTER_YES;
}

char *filter_unknown_text(char *into, size_t size, uint64_t count)
{
    char number[32], most[32];
    snprintf(into, size, "%s could not be judged (damaged, or too much to unpack: %s at most)",
             text_count(number, sizeof number, count), text_bytes(most, sizeof most, LIMIT_UNWRAP_FIND));
    return into;
}

static void test_row(struct test *t, const struct filter_row *row)
{
    switch (t->node->field) {
    case F_NAME: test_cstr(t, row->name); break;
    case F_KIND: test_word(t, row->kind); break;
    case F_STATE:
        test_word(t, row->state);
        test_word(t, row->shown);
        break;
    case F_TAG: test_word(t, row->tag); break;
    case F_DEPTH:
        if (row->depth >= 0)
            test_int(t, row->depth);
        break;
    case F_LAG:
        if (row->lag >= 0)
            test_int(t, row->lag);
        break;
    case F_P95:
        if (row->p95_ms >= 0)
            test_scaled(t, row->p95_ms);
        break;
    case F_LIST_AGE:
        if (row->age_ns >= 0)
            test_scaled(t, (double)row->age_ns);
        break;
    default: break;
    }
}

bool filter_row_leaf(const struct node *n, const struct filter_row *row)
{
    if (n->kind == NODE_WORD) {
        const char *texts[] = {row->name, row->kind, row->state, row->shown, row->tag};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            if (texts[i] && filter_contains(&n->pattern, bytes_of_text(texts[i])))
                return true;
        return false;
    }
    struct test t = {.node = n};
    test_row(&t, row);
    return negated(n) ? !t.hit : t.hit;
}

static enum filter_answer row_leaf(const struct filter *f, const struct node *n, const void *subject,
                                   int64_t now_ns)
{
    (void)f, (void)now_ns;
    return filter_row_leaf(n, subject) ? FILTER_YES : FILTER_NO;
}

bool filter_row(const struct filter *f, const struct filter_row *row)
{
    return !f->root || walk(f, f->root, row_leaf, row, 0) == FILTER_YES;
}

/* ---- making and freeing ---- */

void filter_free(struct filter **fp)
{
    struct filter *f = *fp;
    *fp = NULL;
    if (!f)
        return;
    for (struct regex_entry *e = f->regexes; e; e = e->next)
        regex_free(&e->re);
    free(f->text);
    arena_free(&f->arena);
    free(f);
}

const char *filter_remark(const struct filter *f)
{
    return f->remark;
}

struct filter *filter_new(const char *text, enum filter_kind kind, decoder_registry decoders, size_t *caret,
                          struct err_info *err)
{
    if (strlen(text) > LIMIT_FILTER) {
        err_set(err, ERR_LIMIT, "a filter has at most %zu characters", (size_t)LIMIT_FILTER);
        return NULL;
    }
    struct filter *f = calloc(1, sizeof *f);
    if (f)
        f->text = strdup(text);
    if (!f || !f->text) {
        free(f);
        err_set(err, ERR_NOMEM, "no memory for a filter");
        return NULL;
    }
    f->kind = kind;
    f->decoders = decoders;
    f->json = decoders ? decoder_find(decoders, "json") : NULL;
    arena_init(&f->arena, 64 * MIB);
    if (filter_parse(f, caret, err))
        filter_free(&f);
    return f;
}
