/* The grammar, by recursive descent:
 *
 *   expr := and ("|" and)*    and := term+    term := "!"? ( word | 'exact' | /regex/ | field op value | "(" expr ")" )
 *
 * A term is a field test only if it starts with a known field and an operator follows; else it is a word. White space around the
 * operator, and == for =, are what hands are used to. A word that looks like a test of an unknown field is a fault, since what was
 * meant would silently match nothing. */
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/filter_internal.h"
#include "engine/lookup.h"

#include <ctype.h>
#include <stdio.h>

enum unit_kind { UNIT_NONE, UNIT_BYTES, UNIT_DURATION, UNIT_MS, UNIT_TIME, UNIT_NUMBER, UNIT_BOOL };

static const struct known_field {
    const char *name, *alias;
    enum field_id id;
    enum filter_kind kind;
    enum unit_kind unit;
} fields[] = {
    {"channel", "src", F_CHANNEL, FILTER_MESSAGES, UNIT_NONE},
    {"endpoint", NULL, F_ENDPOINT, FILTER_MESSAGES, UNIT_NONE},
    {"partition", "part", F_PARTITION, FILTER_MESSAGES, UNIT_NUMBER},
    {"position", NULL, F_POSITION, FILTER_MESSAGES, UNIT_NONE},
    {"offset", "off", F_OFFSET, FILTER_MESSAGES, UNIT_NUMBER},
    {"id", NULL, F_ID, FILTER_MESSAGES, UNIT_NONE},
    {"key", NULL, F_KEY, FILTER_MESSAGES, UNIT_NONE},
    {"time", "ts", F_TIME, FILTER_MESSAGES, UNIT_TIME},
    {"age", NULL, F_AGE, FILTER_MESSAGES, UNIT_DURATION},
    {"size", NULL, F_SIZE, FILTER_MESSAGES, UNIT_BYTES},
    {"format", "fmt", F_FORMAT, FILTER_MESSAGES, UNIT_NONE},
    {"type", NULL, F_TYPE, FILTER_MESSAGES, UNIT_NONE},
    {"redelivered", NULL, F_REDELIVERED, FILTER_MESSAGES, UNIT_BOOL},
    {"dup", NULL, F_DUPLICATE, FILTER_MESSAGES, UNIT_BOOL},
    {"flags", NULL, F_FLAGS, FILTER_MESSAGES, UNIT_NONE},
    {"dlq.reason", NULL, F_DLQ_REASON, FILTER_MESSAGES, UNIT_NONE},
    {"body", NULL, F_BODY, FILTER_MESSAGES, UNIT_NONE},
    {"headers.", "hdr.", F_HEADER, FILTER_MESSAGES, UNIT_NONE},
    {"properties.", "prop.", F_PROPERTY, FILTER_MESSAGES, UNIT_NONE},
    {"body.", NULL, F_BODY, FILTER_MESSAGES, UNIT_NONE},
    {"body[", NULL, F_BODY, FILTER_MESSAGES, UNIT_NONE},
    {"name", NULL, F_NAME, FILTER_LIST, UNIT_NONE},
    {"kind", NULL, F_KIND, FILTER_LIST, UNIT_NONE},
    {"state", NULL, F_STATE, FILTER_LIST, UNIT_NONE},
    {"depth", NULL, F_DEPTH, FILTER_LIST, UNIT_NUMBER},
    {"lag", NULL, F_LAG, FILTER_LIST, UNIT_NUMBER},
    {"p95", NULL, F_P95, FILTER_LIST, UNIT_MS},
    {"age", NULL, F_LIST_AGE, FILTER_LIST, UNIT_DURATION},
    {"tag", NULL, F_TAG, FILTER_LIST, UNIT_NONE},
};

#define FIELDS (sizeof fields / sizeof *fields)

struct parser {
    struct filter *f;
    const char *text;
    size_t at;
    unsigned depth;
    size_t *caret;
    struct err_info *err;
};

static struct node *fault(struct parser *p, size_t at, const char *next, const char *format, ...)
    SB_PRINTF(4, 5);
static struct node *fault(struct parser *p, size_t at, const char *next, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_set(p->err, ERR_USAGE, "%s", text);
    err_where(p->err, "filter, column %zu", at + 1);
    if (next)
        err_next(p->err, "%s", next);
    if (p->caret)
        *p->caret = at;
    return NULL;
}

static struct node *node_new(struct parser *p, enum node_kind kind)
{
    struct node *n = arena_zalloc(&p->f->arena, sizeof *n);
    if (!n)
        return fault(p, p->at, "shorten it", "the filter is too long");
    n->kind = kind;
    return n;
}

static void skip_space(struct parser *p)
{
    while (isspace((unsigned char)p->text[p->at]))
        p->at++;
}

/* ---- words, 'exact', /regex/ ---- */

static bool ends_word(char c)
{
    return c == '\0' || isspace((unsigned char)c) || c == '|' || c == ')' || c == '(';
}

/* Between delimiters; a backslash keeps the next character from ending it (and goes away only before the delimiter). */
static bool take_delimited(struct parser *p, char delimiter, struct bytes *out)
{
    size_t start = ++p->at, len = 0;
    char *text = arena_alloc(&p->f->arena, strlen(p->text + start) + 1);
    if (!text)
        return fault(p, start, "shorten it", "the filter is too long") != NULL;
    for (; p->text[p->at] && p->text[p->at] != delimiter; p->at++) {
        if (p->text[p->at] == '\\' && p->text[p->at + 1]) {
            if (p->text[p->at + 1] != delimiter)
                text[len++] = '\\';
            p->at++;
        }
        text[len++] = p->text[p->at];
    }
    if (p->text[p->at] != delimiter)
        return fault(p, start - 1, "close it, or put the word in 'quotes'", "%c is not closed", delimiter) !=
               NULL;
    p->at++;
    *out = bytes_of(text, len);
    return true;
}

static bool has_capital(struct bytes b)
{
    for (size_t i = 0; i < b.len; i++)
        if (isupper(b.data[i]))
            return true;
    return false;
}

static void prepare(struct pattern *pattern)
{
    struct bytes t = pattern->text;
    uint8_t c = t.len ? t.data[0] : 0;
    pattern->first[0] = c;
    pattern->first[1] = pattern->fold && islower(c) ? (uint8_t)toupper(c) : c;
}

static bool take_regex(struct parser *p, struct pattern *pattern)
{
    size_t start = p->at;
    if (!take_delimited(p, '/', &pattern->text))
        return false;
    struct regex_entry *entry = arena_zalloc(&p->f->arena, sizeof *entry);
    if (entry)
        entry->re = regex_new(pattern->text, !has_capital(pattern->text), p->err);
    if (!entry || !entry->re) {
        if (p->caret)
            *p->caret = start;
        return false;
    }
    entry->next = p->f->regexes;
    p->f->regexes = entry;
    pattern->re = entry->re;
    return true;
}

/* A value or a word at p->at: up to white space, bar or bracket. */
static bool take_pattern(struct parser *p, struct pattern *pattern)
{
    char c = p->text[p->at];
    if (c == '/' && strchr(p->text + p->at + 1, '/'))
        return take_regex(p, pattern);
    if (c == '\'') {
        pattern->exact = true;
        if (!take_delimited(p, '\'', &pattern->text))
            return false;
    } else {
        size_t start = p->at;
        while (!ends_word(p->text[p->at]))
            p->at++;
        pattern->text = bytes_of(p->text + start, p->at - start);
        pattern->fold = !has_capital(pattern->text);
    }
    prepare(pattern);
    return true;
}

/* ---- field tests ---- */

static size_t operator_at(const char *text, enum op *op)
{
    static const struct {
        const char *text;
        enum op op;
    } ops[] = {{"!=", OP_NE}, {"!~", OP_NO_MATCH}, {"<=", OP_LE}, {">=", OP_GE}, {"==", OP_EQ},
               {"=", OP_EQ},  {"~", OP_MATCH},     {"<", OP_LT},  {">", OP_GT}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!text_starts(text, ops[i].text))
            continue;
        *op = ops[i].op;
        return strlen(ops[i].text);
    }
    return 0;
}

/* The characters of a field name, quotes and brackets of a path included. */
static size_t name_length(const char *text)
{
    size_t n = 0;
    while (text[n] && (isalnum((unsigned char)text[n]) || strchr("_.-[]*\"", text[n]) ||
                       (unsigned char)text[n] >= 0x80)) {
        if (text[n] == '"') {
            const char *end = strchr(text + n + 1, '"');
            if (!end)
                break;
            n = (size_t)(end - text);
        }
        n++;
    }
    return n;
}

static bool names_field(const struct known_field *k, const char *text, size_t len, size_t *prefix)
{
    const char *names[] = {k->name, k->alias};
    for (int i = 0; i < 2; i++) {
        size_t n = names[i] ? strlen(names[i]) : 0;
        bool open = n && (names[i][n - 1] == '.' || names[i][n - 1] == '[');
        if (!n || len < n || memcmp(text, names[i], n) != 0 || (open ? len == n : len != n))
            continue;
        *prefix = open && names[i][n - 1] == '[' ? n - 1 : n;
        return true;
    }
    return false;
}

static const struct known_field *find_field(const struct parser *p, size_t len, size_t *prefix)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].kind == p->f->kind && names_field(&fields[i], p->text + p->at, len, prefix))
            return &fields[i];
    return NULL;
}

static struct node *unknown_field(struct parser *p, size_t len)
{
    const char *names[FIELDS + 1];
    char word[64], meant[96], next[160];
    size_t n = 0;
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].kind == p->f->kind)
            names[n++] = fields[i].name;
    names[n] = NULL;
    text_copy_bytes(word, sizeof word, bytes_of(p->text + p->at, len));
    if (filter_meant_field(names, word, meant, sizeof meant))
        snprintf(next, sizeof next, "did you mean `%s`?", meant);
    else
        snprintf(next, sizeof next, "put it in 'quotes' to look for the text%s%s",
                 p->f->kind == FILTER_MESSAGES ? ", or write body." : "",
                 p->f->kind == FILTER_MESSAGES ? word : "");
    return fault(p, p->at, next, "unknown field `%s`", word);
}

static bool is_number(struct bytes t)
{
    struct json_reader r;
    json_read(&r, t, 2);
    return json_next(&r) == JSON_NUMBER && json_next(&r) == JSON_END;
}

static bool is_bool(const struct node *n)
{
    static const char *const words[] = {"true", "false", "yes", "no"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (n->op < OP_LT && bytes_equal_text(n->pattern.text, words[i]))
            return true;
    return false;
}

static bool scale_value(struct node *n, enum unit_kind unit, const char *text, int64_t now_ns)
{
    uint64_t size;
    int64_t ns;
    switch (unit) {
    case UNIT_BYTES:
        if (!text_size(text, &size))
            return false;
        n->scaled = (double)size;
        return true;
    case UNIT_DURATION:
    case UNIT_MS:
        if (!text_duration(text, &ns))
            return false;
        n->scaled = unit == UNIT_MS ? (double)ns / NS_PER_MS : (double)ns;
        return true;
    case UNIT_TIME: n->is_time = clock_parse(text, now_ns, &n->time_ns); return n->is_time;
    case UNIT_NUMBER: return n->is_number;
    case UNIT_BOOL: return is_bool(n);
    case UNIT_NONE: break;
    }
    return true;
}

static bool plain_unit(struct bytes t, struct node *n, struct parser *p)
{
    uint64_t size;
    char text[64], number[32];
    text_copy_bytes(text, sizeof text, t);
    if (t.len >= sizeof text || !text_size(text, &size))
        return false;
    snprintf(number, sizeof number, "%llu", (unsigned long long)size);
    n->number = bytes_of_text(arena_strdup(&p->f->arena, number));
    return n->number.data != NULL;
}

/* What was perhaps not meant; false: a word that nothing can ever be equal to. */
static bool look_at_value(struct parser *p, const struct node *n, const struct known_field *k, size_t at)
{
    bool a_word = n->op <= OP_NE && !n->pattern.re;
    char text[40], next[240];
    filter_remark_on_quotes(p->f, &n->pattern);
    if (k->unit == UNIT_NONE)
        filter_remark_on_order(p->f, n);
    if (a_word && k->id == F_KIND)
        filter_remark_on_kind(p->f, n);
    if (!a_word || k->id != F_FORMAT ||
        filter_knows_format(p->f, text_copy_bytes(text, sizeof text, n->pattern.text), next, sizeof next))
        return true;
    fault(p, at, next, "no format is called `%s`", text);
    return false;
}

static bool take_value(struct parser *p, struct node *n, const struct known_field *k)
{
    size_t start = p->at;
    char text[128];
    if (ends_word(p->text[p->at])) {
        fault(p, p->at, "write a value behind the operator, 'quoted' if it has spaces", "a value is wanted");
        return false;
    }
    if (!take_pattern(p, &n->pattern))
        return false;
    struct bytes t = n->pattern.text;
    bool ordered = n->op >= OP_LT;
    if (!n->pattern.re && !n->pattern.exact && is_number(t)) {
        n->is_number = true;
        n->number = t;
    } else if (!n->pattern.re && !n->pattern.exact && (k->unit == UNIT_NONE || k->unit == UNIT_NUMBER) &&
               ordered) {
        n->is_number = plain_unit(t, n, p);
    }
    if (ordered && n->pattern.re) {
        fault(p, start, "use ~ with a pattern", "a pattern has no order");
        return false;
    }
    if (!look_at_value(p, n, k, start))
        return false;
    text_copy_bytes(text, sizeof text, t);
    /* Sizes, durations and milliseconds are numbers only; a time can also be looked into as text. */
    bool as_text = k->unit == UNIT_NONE || (k->unit == UNIT_TIME && n->pattern.re);
    bool scaled = !n->pattern.re && scale_value(n, k->unit, text, clock_wall_ns());
    if (!as_text && !scaled && !(k->unit == UNIT_TIME && (n->op == OP_MATCH || n->op == OP_NO_MATCH))) {
        static const char *const wanted[] = {"",
                                             "a size, say 10k or 2MiB",
                                             "a duration, say 250ms or 15m",
                                             "a duration, say 250ms",
                                             "a time, RFC 3339 or -15m",
                                             "a number",
                                             "true or false"};
        fault(p, start, wanted[k->unit], "`%s` is no value for %s", text, k->name);
        return false;
    }
    return true;
}

static struct node *take_test(struct parser *p, const struct known_field *k, size_t name_len, size_t prefix,
                              enum op op)
{
    struct node *n = node_new(p, NODE_TEST);
    if (!n)
        return NULL;
    n->field = k->id;
    n->op = op;
    struct bytes rest = bytes_of(p->text + p->at + prefix, name_len - prefix);
    size_t path_at = p->at + prefix;
    if (k->id == F_BODY && rest.len) {
        if (field_path_parse(&n->path, rest, &p->f->arena, p->err)) {
            if (p->caret)
                *p->caret = path_at;
            return NULL;
        }
        n->needle = lookup_needle(&n->path);
    } else {
        n->name = rest;
    }
    p->at += name_len;
    skip_space(p);
    p->at += operator_at(p->text + p->at, &op);
    skip_space(p);
    return take_value(p, n, k) ? n : NULL;
}

/* The operator behind a name of that length, 0: none follows; *from is where it begins. One that stands apart from its name is one
 * only where it also stands apart from what follows, or is an equals sign: `order <id>` are words. */
static size_t operator_after(const struct parser *p, size_t name_len, size_t *from, enum op *op)
{
    const char *text = p->text + p->at;
    size_t space = 0;
    while (name_len && (text[name_len + space] == ' ' || text[name_len + space] == '\t'))
        space++;
    *from = name_len + space;
    size_t len = name_len ? operator_at(text + *from, op) : 0;
    bool apart = ends_word(text[*from + len]);
    return space && !apart && *op != OP_EQ ? 0 : len;
}

/* ---- terms and expressions ---- */

static struct node *parse_any(struct parser *p);

static struct node *parse_bracket(struct parser *p)
{
    size_t open = p->at++;
    struct node *inside = parse_any(p);
    if (!inside)
        return NULL;
    skip_space(p);
    if (p->text[p->at] != ')')
        return fault(p, open, "close it, or put it in 'quotes'", "( is not closed");
    p->at++;
    return inside;
}

static struct node *parse_word(struct parser *p)
{
    struct node *n = node_new(p, NODE_WORD);
    size_t start = p->at;
    if (!n || !take_pattern(p, &n->pattern))
        return NULL;
    filter_remark_on_quotes(p->f, &n->pattern);
    filter_remark_on_open(p->f, p->text + start);
    return n;
}

static struct node *parse_term(struct parser *p)
{
    enum op op = OP_EQ;
    size_t prefix = 0, from = 0;
    if (p->text[p->at] == '!') {
        if (p->text[p->at + 1] != '(' && ends_word(p->text[p->at + 1]))
            return fault(p, p->at + 1, "put it in 'quotes' to look for the text",
                         "a term is wanted behind !");
        struct node *n = node_new(p, NODE_NOT);
        p->at++;
        if (n && ++p->depth > LIMIT_FILTER_DEPTH)
            return fault(p, p->at, "simplify it", "nested too deeply");
        n = n && (n->first = parse_term(p)) ? n : NULL;
        p->depth--;
        return n;
    }
    if (p->text[p->at] == '(')
        return parse_bracket(p);
    if (p->text[p->at] == ')' || p->text[p->at] == '|')
        return fault(p, p->at, "put it in 'quotes' to look for the text", "`%c` where a term is wanted",
                     p->text[p->at]);
    if (text_starts(p->text + p->at, "xpath("))
        return fault(p, p->at, "match the text with a /regex/",
                     "unknown function `xpath`: XML payloads are searched as text");
    size_t len = name_length(p->text + p->at);
    size_t operator_len = operator_after(p, len, &from, &op);
    const struct known_field *k = operator_len ? find_field(p, len, &prefix) : NULL;
    if (k)
        return take_test(p, k, len, prefix, op);
    if (operator_len && (from > len || !ends_word(p->text[p->at + from + operator_len])))
        return unknown_field(p, len);
    return parse_word(p);
}

static struct node *parse_all(struct parser *p)
{
    struct node *all = node_new(p, NODE_ALL);
    struct node **last = all ? &all->first : NULL;
    for (skip_space(p); all && p->text[p->at] && p->text[p->at] != '|' && p->text[p->at] != ')';
         skip_space(p)) {
        struct node *term = parse_term(p);
        if (!term)
            return NULL;
        *last = term;
        last = &term->next;
    }
    if (all && !all->first)
        return fault(p, p->at, "put it in 'quotes' to look for the text", "a term is wanted");
    if (all)
        filter_remark_on_words(p->f, all);
    return all && !all->first->next ? all->first : all;
}

static struct node *parse_any(struct parser *p)
{
    if (++p->depth > LIMIT_FILTER_DEPTH)
        return fault(p, p->at, "simplify it", "nested too deeply");
    struct node *any = node_new(p, NODE_ANY);
    struct node **last = any ? &any->first : NULL;
    while (any) {
        struct node *all = parse_all(p);
        if (!all)
            return NULL;
        *last = all;
        last = &all->next;
        skip_space(p);
        if (p->text[p->at] != '|')
            break;
        p->at++;
    }
    p->depth--;
    return any && !any->first->next ? any->first : any;
}

enum err filter_parse(struct filter *f, size_t *caret, struct err_info *err)
{
    struct parser p = {.f = f, .text = f->text, .caret = caret, .err = err};
    if (caret)
        *caret = 0;
    skip_space(&p);
    if (!p.text[p.at])
        return ERR_OK;
    f->root = parse_any(&p);
    if (f->root && p.text[p.at]) {
        f->root = NULL;
        fault(&p, p.at, "take it out, or put it in 'quotes'", "`%c` closes nothing", p.text[p.at]);
    }
    return f->root ? ERR_OK : ERR_USAGE;
}
