/* The configuration's text as a plain tree with places: what config.c checks and reads. Floor 4; inside the configuration.
 *
 * Nodes are those of the document; an alias points to the anchor's node, so the tree may be a graph, even a round one:
 * whoever walks it follows the table, which is a few levels deep. */
#ifndef SIGNALBOX_ENGINE_CONFIG_YAML_H
#define SIGNALBOX_ENGINE_CONFIG_YAML_H

#include "base/arena.h"
#include "base/err.h"

enum config_node_kind { CONFIG_SCALAR, CONFIG_LIST, CONFIG_MAP };

struct config_node;
struct config_member {
    const struct config_node *key; /* NULL in a list */
    const struct config_node *value;
};

struct config_node {
    enum config_node_kind kind;
    unsigned line, column; /* from 1 */
    const char *text;      /* CONFIG_SCALAR; without NUL bytes */
    bool plain;            /* CONFIG_SCALAR without quotes */
    struct config_member *members;
    size_t count;
};

/* *root is NULL for an empty file. ERR_CONFIG with line and column, and err->text. All memory is the arena's. */
enum err config_yaml_parse(struct bytes text, struct arena *arena, const struct config_node **root,
                           unsigned *line, unsigned *column, struct err_info *err) SB_MUST_USE;

#endif
