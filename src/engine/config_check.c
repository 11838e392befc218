/* The checker: walks the tree along the table, never deeper than the table is, so that aliases cannot make it endless. */
#include "engine/config_internal.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_VISITS \
 200000 /* keys and items looked at: more than a file has without aliases, which multiply */

enum key_type {
    TYPE_MAP,   /* the table knows its keys */
    TYPE_NAMED, /* names of the user's, each a map */
    TYPE_LIST,  /* items are maps */
    TYPE_WORDS, /* names of anybody's with scalar values */
    TYPE_NAMES, /* list of scalars */
    TYPE_TEXT,
    TYPE_DECODER, /* one of the registry's */
    TYPE_FILE,
    TYPE_URL,
    TYPE_BOOL,
    TYPE_DURATION,
    TYPE_SIZE,
    TYPE_COUNT,
};

static const char *const type_words[] = {
    "keys",      "names", "list",          "names and values", "list of names", "text",   "decoder",
    "file name", "URL",   "true or false", "duration",         "size",          "number",
};

#define X(path, type, fallback, doc) TYPE_##type,
static const enum key_type key_types[] = {
#include "engine/config.def"
};
#undef X

#define KEYS (sizeof key_types / sizeof *key_types)

const struct config_key *config_keys(size_t *count)
{
    static const struct config_key keys[KEYS] = {
#define X(path, type, fallback, doc) {path, fallback, doc},
#include "engine/config.def"
#undef X
    };
    *count = KEYS;
    return keys;
}

const char *config_key_type(size_t key)
{
    return type_words[key_types[key]];
}

bool config_key_is_decoder(size_t key)
{
    return key_types[key] == TYPE_DECODER;
}

/* ---- faults ---- */

static void add_fault(struct config_faults *f, const struct config_node *at, bool warning, const char *format,
                      va_list args) SB_PRINTF(4, 0);
/* Where the list is full a fault takes a warning's place. NULL: there is none to be had. */
static struct config_fault *place_for(struct config_faults *f)
{
    if (!f->items && !f->count)
        f->items = calloc(CONFIG_MOST_FAULTS, sizeof *f->items);
    if (f->items && f->count < CONFIG_MOST_FAULTS)
        return &f->items[f->count++];
    for (unsigned i = 0; f->items && f->warnings && i < CONFIG_MOST_FAULTS; i++) {
        if (!f->items[i].warning)
            continue;
        f->warnings--;
        return &f->items[i];
    }
    f->count++;
    return NULL;
}

static void add_fault(struct config_faults *f, const struct config_node *at, bool warning, const char *format,
                      va_list args)
{
    char text[sizeof f->items->text];
    struct buffer clean; /* a name may hold what a terminal obeys */
    struct config_fault *fault = place_for(f);
    if (!fault)
        return;
    *fault = (struct config_fault){at ? at->line : 0, at ? at->column : 0, .warning = warning};
    vsnprintf(text, sizeof text, format, args);
    buffer_init(&clean, 8 * sizeof text);
    utf8_scrub(&clean, bytes_of_text(text), SCRUB_SCREEN);
    text_copy_bytes(fault->text, sizeof fault->text, buffer_view(&clean));
    buffer_free(&clean);
}

void config_fault(struct config_faults *f, const struct config_node *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_fault(f, at, false, format, args);
    va_end(args);
}

void config_warn(struct config_faults *f, const struct config_node *at, const char *format, ...)
{
    va_list args;
    if (!f->thorough || f->count >= CONFIG_MOST_FAULTS)
        return;
    va_start(args, format);
    add_fault(f, at, true, format, args);
    va_end(args);
    f->warnings++;
}

static int by_place(const void *a, const void *b)
{
    const struct config_fault *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

void config_faults_report(struct config_faults *f, const char *file)
{
    unsigned kept = !f->items ? 0 : f->count < CONFIG_MOST_FAULTS ? f->count : CONFIG_MOST_FAULTS;
    struct config_fault rest = {.more = f->count - kept};
    if (kept)
        qsort(f->items, kept, sizeof *f->items, by_place);
    for (unsigned i = 0; f->report && i < kept; i++)
        f->report(f->context, file, &f->items[i]);
    snprintf(rest.text, sizeof rest.text, "and %u more fault%s", rest.more, rest.more == 1 ? "" : "s");
    if (f->report && rest.more)
        f->report(f->context, file, &rest);
    free(f->items);
    f->items = NULL;
}

/* ---- keys ---- */

struct walk {
    struct config_faults *faults;
    size_t visits;
    const struct config_node *stopped; /* where there were too many */
};

static void check_key(struct walk *w, size_t key, const struct config_node *node);

/* The row of `path.name`, or of `path.*`; KEYS: none. */
static size_t find_child(const char *path, const char *name)
{
    const struct config_key *keys = config_keys(&(size_t){0});
    char wanted[160];
    snprintf(wanted, sizeof wanted, "%s%s%.60s", path, *path ? "." : "", name);
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].path, wanted) == 0)
            return i;
    return KEYS;
}

/* Names that could stand under path, for the nearest one; NULL-terminated. */
static void child_names(const char *path, const char *names[KEYS + 1])
{
    const struct config_key *keys = config_keys(&(size_t){0});
    size_t len = strlen(path), count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const char *rest = keys[i].path;
        if (len) {
            if (strncmp(rest, path, len) != 0 || rest[len] != '.')
                continue;
            rest += len + 1;
        }
        if (!strpbrk(rest, ".*["))
            names[count++] = rest;
    }
    names[count] = NULL;
}

/* {url: kafka://a:9092,b:9092/x} is, to YAML, a key `b:9092/x` without a value. */
static bool is_stray_host(const struct config_member *m)
{
    const char *colon = strchr(m->key->text, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    return digits && strchr("/?", colon[1 + digits]) && m->value->kind == CONFIG_SCALAR && m->value->plain &&
           !*m->value->text;
}

static void unknown_key(struct walk *w, const char *path, const struct config_member *m)
{
    const char *names[KEYS + 1];
    const char *under = *path ? path : "the top";
    child_names(path, names);
    const char *near = text_nearest(m->key->text, names);
    if (is_stray_host(m)) {
        config_fault(w->faults, m->key,
                     "`%.80s` stands here as a key of its own: inside { } a URL with commas needs quotes",
                     m->key->text);
    } else if (near) {
        config_fault(w->faults, m->key, "unknown key `%.80s` under %s; did you mean `%s`?", m->key->text,
                     under, near);
    } else {
        char known[160] = "";
        for (size_t i = 0; names[i]; i++)
            if (strlen(known) + strlen(names[i]) + 2 < sizeof known)
                snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", *known ? " " : "",
                         names[i]);
        config_fault(w->faults, m->key, "unknown key `%.80s` under %s; known are: %s", m->key->text, under,
                     known);
    }
}

static bool is_key(struct walk *w, const struct config_node *key)
{
    if (key->kind == CONFIG_SCALAR && *key->text)
        return true;
    config_fault(w->faults, key, key->kind == CONFIG_SCALAR ? "a key is empty" : "a key must be a word");
    return false;
}

/* Before its keys or items are looked at. */
static bool may_visit(struct walk *w, const struct config_node *node)
{
    w->visits += node->count + 1;
    if (w->visits > MOST_VISITS && !w->stopped)
        w->stopped = node;
    return !w->stopped;
}

static int by_position(const void *a, const void *b)
{
    const struct config_member *x = *(const struct config_member *const *)a,
                               *y = *(const struct config_member *const *)b;
    return x < y ? -1 : x > y;
}

static int by_key(const void *a, const void *b)
{
    const struct config_member *x = *(const struct config_member *const *)a,
                               *y = *(const struct config_member *const *)b;
    int order = strcmp(x->key->text, y->key->text);
    return order ? order : by_position(a, b);
}

/* The members with keys that are words, each once, as they stand in the file; what is left out is reported. The caller frees. */
static const struct config_member **unique_members(struct walk *w, const struct config_node *map,
                                                   size_t *count)
{
    const struct config_member **members = calloc(map->count + 1, sizeof *members);
    size_t words = 0;
    *count = 0;
    if (!members)
        config_fault(w->faults, map, "no memory to check it");
    for (size_t i = 0; members && i < map->count; i++)
        if (is_key(w, map->members[i].key))
            members[words++] = &map->members[i];
    if (words)
        qsort(members, words, sizeof *members, by_key);
    for (size_t i = 0, first = 0; i < words; i++) {
        const struct config_node *key = members[i]->key;
        if (i && strcmp(members[first]->key->text, key->text) == 0) {
            config_fault(w->faults, key, "`%.80s` stands twice; first in line %u", key->text,
                         members[first]->key->line);
            continue;
        }
        first = i;
        members[(*count)++] = members[i];
    }
    if (*count)
        qsort(members, *count, sizeof *members, by_position);
    return members;
}

static void check_map(struct walk *w, const char *path, const struct config_node *map)
{
    size_t count;
    const struct config_member **members = unique_members(w, map, &count);
    for (size_t i = 0; i < count; i++) {
        size_t child = find_child(path, members[i]->key->text);
        if (child == KEYS)
            unknown_key(w, path, members[i]);
        else
            check_key(w, child, members[i]->value);
    }
    free(members);
}

static void check_named(struct walk *w, const char *path, const struct config_node *map)
{
    size_t child = find_child(path, "*"), count;
    const struct config_member **members = unique_members(w, map, &count);
    for (size_t i = 0; i < count; i++)
        check_key(w, child, members[i]->value);
    free(members);
}

static void check_words(struct walk *w, const struct config_node *map)
{
    size_t count;
    const struct config_member **members = unique_members(w, map, &count);
    for (size_t i = 0; i < count; i++)
        if (members[i]->value->kind != CONFIG_SCALAR)
            config_fault(w->faults, members[i]->value, "`%.80s` must be one value", members[i]->key->text);
    free(members);
}

static void check_names(struct walk *w, const char *path, const struct config_node *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->members[i].value->kind != CONFIG_SCALAR || !*list->members[i].value->text)
            config_fault(w->faults, list->members[i].value, "each item of %s must be one word", path);
}

static void check_list(struct walk *w, const char *path, const struct config_node *list)
{
    char item[160];
    snprintf(item, sizeof item, "%s[]", path);
    size_t child = find_child("", item);
    for (size_t i = 0; i < list->count; i++)
        check_key(w, child, list->members[i].value);
}

/* ---- values ---- */

bool config_bool(const char *text, bool *value)
{
    *value = strcmp(text, "true") == 0;
    return *value || strcmp(text, "false") == 0;
}

static const char *scalar_fault(enum key_type type, const char *text)
{
    int64_t number;
    uint64_t size;
    switch (type) {
    case TYPE_BOOL: return config_bool(text, &(bool){0}) ? NULL : "write true or false";
    case TYPE_DURATION:
        return text_duration(text, &number) && number >= 0 ? NULL
                                                           : "write a duration: 250ms 5s 5m 1h, or seconds";
    case TYPE_SIZE: return text_size(text, &size) ? NULL : "write a size: 512k 64MiB";
    case TYPE_COUNT:
        return text_int64(text, &number) && number >= 1 && number <= 1000 ? NULL
                                                                          : "write a number from 1 to 1000";
    default: return *text ? NULL : "a value is missing";
    }
}

static void check_scalar(struct walk *w, size_t key, const struct config_node *node)
{
    const char *path = config_keys(&(size_t){0})[key].path;
    if (node->kind != CONFIG_SCALAR) {
        config_fault(w->faults, node, "%s must be a %s, not a %s", path, config_key_type(key),
                     node->kind == CONFIG_LIST ? "list" : "map of keys");
        return;
    }
    const char *fault = scalar_fault(key_types[key], node->text);
    if (fault)
        config_fault(w->faults, node, "%s: `%.60s` won't do; %s", path, node->text, fault);
}

/* `channels:` with nothing behind it is an empty map or list, as people write when they comment the rest out. */
bool config_is_nothing(const struct config_node *node)
{
    return node->kind == CONFIG_SCALAR && node->plain && (!*node->text || strcmp(node->text, "~") == 0);
}

static void check_key(struct walk *w, size_t key, const struct config_node *node)
{
    const char *path = config_keys(&(size_t){0})[key].path;
    enum key_type type = key_types[key];
    if (type >= TYPE_TEXT) {
        check_scalar(w, key, node);
        return;
    }
    bool list = type == TYPE_LIST || type == TYPE_NAMES;
    if (config_is_nothing(node))
        return;
    if (node->kind != (list ? CONFIG_LIST : CONFIG_MAP))
        config_fault(w->faults, node, "%s must be a %s", path, list ? "list: - ONE" : "map: KEY: VALUE");
    else if (!may_visit(w, node))
        return;
    else if (type == TYPE_MAP)
        check_map(w, path, node);
    else if (type == TYPE_NAMED)
        check_named(w, path, node);
    else if (type == TYPE_WORDS)
        check_words(w, node);
    else if (type == TYPE_NAMES)
        check_names(w, path, node);
    else
        check_list(w, path, node);
}

void config_check_tree(const struct config_node *root, struct config_faults *faults)
{
    struct walk w = {.faults = faults};
    if (config_is_nothing(root))
        return;
    if (root->kind == CONFIG_MAP)
        check_map(&w, "", root);
    else
        config_fault(faults, root, "the file must be a map with endpoints: and probes:");
    if (w.stopped)
        config_fault(faults, w.stopped, "too many values up to here: aliases multiply them");
}
