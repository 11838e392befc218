/* A field tree as indented text for people. Floor 5. */
#ifndef SIGNALBOX_CLI_TREE_H
#define SIGNALBOX_CLI_TREE_H

#include "base/buffer.h"
#include "model/field.h"

/* Bytes stand in rows of sixteen: offset, hex, text, and at last their number. What `out` holds is printed each time that it has grown
 * long, the rest is the caller's to print. 0 or an exit code after a message. */
int tree_print(struct buffer *out, const struct field_tree *tree, bool color);

#endif
