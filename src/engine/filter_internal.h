/* The compiled form of a filter: what the parser makes and the evaluator walks. Floor 4; private to filter*.c. */
#ifndef SIGNALBOX_ENGINE_FILTER_INTERNAL_H
#define SIGNALBOX_ENGINE_FILTER_INTERNAL_H

#include "base/arena.h"
#include "base/regex.h"
#include "engine/filter.h"

enum field_id {
    /* messages */
    F_CHANNEL,
    F_ENDPOINT,
    F_PARTITION,
    F_POSITION,
    F_OFFSET,
    F_ID,
    F_KEY,
    F_TIME,
    F_AGE,
    F_SIZE,
    F_FORMAT,
    F_TYPE,
    F_REDELIVERED,
    F_DUPLICATE,
    F_FLAGS,
    F_DLQ_REASON,
    F_HEADER,   /* headers.NAME */
    F_PROPERTY, /* properties.NAME */
    F_BODY,     /* body.PATH, or the whole body */
    /* lists */
    F_NAME,
    F_KIND,
    F_STATE,
    F_DEPTH,
    F_LAG,
    F_P95,
    F_LIST_AGE,
    F_TAG,
};

enum op { OP_EQ, OP_NE, OP_MATCH, OP_NO_MATCH, OP_LT, OP_LE, OP_GT, OP_GE };

enum node_kind { NODE_ALL, NODE_ANY, NODE_NOT, NODE_WORD, NODE_TEST };

/* A word, 'exact' or /regex/. */
struct pattern {
    struct bytes text;
    bool fold;        /* smart case: no capital in the word */
    bool exact;       /* 'exact': case matters */
    struct regex *re; /* /regex/ */
    uint8_t first[2]; /* the two cases of the first byte, for a quick scan */
};

struct node {
    enum node_kind kind;
    struct node *first, *next; /* children of ALL, ANY and NOT; sibling */
    struct pattern pattern;
    /* NODE_TEST */
    enum field_id field;
    enum op op;
    struct bytes name;      /* header or property */
    struct field_path path; /* body */
    struct bytes needle;    /* body: a member name that must stand in the bytes; null: none known */
    bool is_number;         /* the value is a number (with its unit applied) */
    struct bytes number;    /* as a JSON number, exact */
    double scaled;          /* in the field's unit: bytes, ns, ms */
    bool is_time;
    int64_t time_ns;
};

/* Regular expressions are not the arena's: a fault in the middle of parsing must find them all. */
struct regex_entry {
    struct regex_entry *next;
    struct regex *re;
};

struct filter {
    char *text;
    struct regex_entry *regexes;
    struct node *root; /* NULL: everything matches */
    decoder_registry decoders;
    const struct decoder_ops *json; /* for the quick look-up; NULL: none registered */
    enum filter_kind kind;
    char remark[120];
    struct arena arena;
};

/* Parses f->text into f->root; on a fault fills err and *caret. Everything lives in f->arena but the regular expressions. */
enum err filter_parse(struct filter *f, size_t *caret, struct err_info *err) SB_MUST_USE;

/* filter_text.c */
bool filter_contains(const struct pattern *p, struct bytes in);
/* JSON may write any character as \uXXXX: what is looked for must be found however it is written. False without an escape. */
bool filter_contains_unescaped(const struct pattern *p, struct bytes in);

/* A word or a test, not a branch. filter.c */
bool filter_row_leaf(const struct node *n, const struct filter_row *row);

/* filter_remark.c: each looks at what was parsed and keeps a remark in f; the first one counts. */
void filter_remark_on_order(struct filter *f, const struct node *n);
void filter_remark_on_quotes(struct filter *f, const struct pattern *pattern);
void filter_remark_on_kind(struct filter *f, const struct node *n);
void filter_remark_on_open(struct filter *f, const char *word); /* `body.` without a test */
void filter_remark_on_words(struct filter *f, const struct node *all);
/* The one of `names` that somebody meant, with what follows its point: `bdoy.total` is `body.total`. False: none is near. */
bool filter_meant_field(const char *const *names, const char *word, char *into, size_t size);
/* False: no decoder has that name; `next` then has the nearest one, or all. */
bool filter_knows_format(const struct filter *f, const char *name, char *next, size_t size);

#endif
