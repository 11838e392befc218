#include "engine/config_yaml.h"

#include "base/limits.h"

#include <yaml.h>

#define MOST_NODES 200000

struct load {
    yaml_document_t document;
    struct arena *arena;
    struct config_node *nodes; /* nodes[i] is the document's node i + 1 */
    unsigned *line, *column;
    struct err_info *err;
};

static enum err fault(struct load *l, yaml_mark_t at, const char *what)
{
    *l->line = (unsigned)at.line + 1;
    *l->column = (unsigned)at.column + 1;
    return err_set(l->err, ERR_CONFIG, "%s", what);
}

static enum err no_memory(struct load *l)
{
    return fault(l, (yaml_mark_t){0}, "the file needs too much memory");
}

static enum err load_scalar(struct load *l, const yaml_node_t *from, struct config_node *to)
{
    const char *value = (const char *)from->data.scalar.value;
    if (memchr(value, '\0', from->data.scalar.length))
        return fault(l, from->start_mark, "a NUL character in a value");
    to->kind = CONFIG_SCALAR;
    to->plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    to->text = arena_strndup(l->arena, value, from->data.scalar.length);
    return to->text ? ERR_OK : no_memory(l);
}

static struct config_member *members(struct load *l, struct config_node *to, size_t count)
{
    to->count = count;
    to->members = arena_zalloc(l->arena, (count ? count : 1) * sizeof *to->members);
    return to->members;
}

static enum err load_list(struct load *l, const yaml_node_t *from, struct config_node *to)
{
    const yaml_node_item_t *items = from->data.sequence.items.start;
    to->kind = CONFIG_LIST;
    if (!members(l, to, (size_t)(from->data.sequence.items.top - items)))
        return no_memory(l);
    for (size_t i = 0; i < to->count; i++)
        to->members[i].value = &l->nodes[items[i] - 1];
    return ERR_OK;
}

static enum err load_map(struct load *l, const yaml_node_t *from, struct config_node *to)
{
    const yaml_node_pair_t *pairs = from->data.mapping.pairs.start;
    to->kind = CONFIG_MAP;
    if (!members(l, to, (size_t)(from->data.mapping.pairs.top - pairs)))
        return no_memory(l);
    for (size_t i = 0; i < to->count; i++) {
        to->members[i].key = &l->nodes[pairs[i].key - 1];
        to->members[i].value = &l->nodes[pairs[i].value - 1];
    }
    return ERR_OK;
}

static enum err load_node(struct load *l, const yaml_node_t *from, struct config_node *to)
{
    to->line = (unsigned)from->start_mark.line + 1;
    to->column = (unsigned)from->start_mark.column + 1;
    switch (from->type) {
    case YAML_SCALAR_NODE: return load_scalar(l, from, to);
    case YAML_SEQUENCE_NODE: return load_list(l, from, to);
    case YAML_MAPPING_NODE: return load_map(l, from, to);
    default: return fault(l, from->start_mark, "nothing that YAML knows");
    }
}

static enum err load_nodes(struct load *l)
{
    size_t count = (size_t)(l->document.nodes.top - l->document.nodes.start);
    if (count > MOST_NODES)
        return fault(l, (yaml_mark_t){0}, "the file has more than 200,000 values");
    l->nodes = arena_zalloc(l->arena, (count ? count : 1) * sizeof *l->nodes);
    if (!l->nodes)
        return no_memory(l);
    enum err e = ERR_OK;
    for (size_t i = 0; i < count && !e; i++)
        e = load_node(l, &l->document.nodes.start[i], &l->nodes[i]);
    return e;
}

static enum err parser_fault(struct load *l, const yaml_parser_t *p)
{
    fault(l, p->problem_mark, p->problem ? p->problem : "this is no YAML");
    /* The reader's faults (encoding) have an offset and no mark. */
    if (p->error == YAML_READER_ERROR)
        return err_set(l->err, ERR_CONFIG, "%s (byte %zu)", p->problem ? p->problem : "wrong encoding",
                       p->problem_offset);
    if (p->problem && strstr(p->problem, "unexpected ':'"))
        return err_set(l->err, ERR_CONFIG, "%s; inside { } a URL needs quotes", p->problem);
    if (p->context)
        err_set(l->err, ERR_CONFIG, "%s %s", p->problem ? p->problem : "this is no YAML", p->context);
    return ERR_CONFIG;
}

/* One document is a configuration, a second one a mistake: `---` in the middle would hide half of it. */
static enum err only_document(struct load *l, yaml_parser_t *p)
{
    yaml_document_t second;
    if (!yaml_parser_load(p, &second))
        return parser_fault(l, p);
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    enum err e =
        root ? fault(l, root->start_mark, "a second document begins here; one file holds one") : ERR_OK;
    yaml_document_delete(&second);
    return e;
}

/* The library's time grows with the square of the depth, and its loader goes to the bottom: looked at event by event first. Other
 * faults are left to the loader, which says them. */
static enum err check_depth(struct load *l, struct bytes text)
{
    yaml_parser_t p;
    yaml_event_t event;
    unsigned depth = 0;
    enum err e = ERR_OK;
    if (!yaml_parser_initialize(&p))
        return no_memory(l);
    yaml_parser_set_input_string(&p, text.data, text.len);
    for (bool more = true; more && !e && yaml_parser_parse(&p, &event); yaml_event_delete(&event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
        depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        if (depth > LIMIT_CONFIG_DEPTH)
            e = fault(l, event.start_mark, "nested more than 64 levels deep");
    }
    yaml_parser_delete(&p);
    return e;
}

enum err config_yaml_parse(struct bytes text, struct arena *arena, const struct config_node **root,
                           unsigned *line, unsigned *column, struct err_info *err)
{
    struct load l = {.arena = arena, .line = line, .column = column, .err = err};
    yaml_parser_t parser;
    *root = NULL;
    *line = *column = 0;
    enum err e = check_depth(&l, text);
    if (e)
        return e;
    if (!yaml_parser_initialize(&parser))
        return no_memory(&l);
    yaml_parser_set_input_string(&parser, text.data, text.len);
    if (!yaml_parser_load(&parser, &l.document)) {
        e = parser_fault(&l, &parser);
        yaml_parser_delete(&parser);
        return e;
    }
    e = load_nodes(&l);
    if (!e && yaml_document_get_root_node(&l.document)) {
        *root = l.nodes;
        e = only_document(&l, &parser);
    }
    yaml_document_delete(&l.document);
    yaml_parser_delete(&parser);
    return e;
}
