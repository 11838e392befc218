/* A field tree as indented text for people. Floor 5. */
#ifndef SIGNALBOX_CLI_TREE_H
#define SIGNALBOX_CLI_TREE_H

#include "base/buffer.h"
#include "model/field.h"

void tree_print(struct buffer *out, const struct field_tree *tree, bool color);

#endif
