/* The inspector's insides, shared by its two files: what a message is and what keys do (inspector.c), and drawing
 * (inspector_draw.c). */
#ifndef SIGNALBOX_UI_VIEWS_INSPECTOR_H
#define SIGNALBOX_UI_VIEWS_INSPECTOR_H

#include "engine/decode_pool.h"
#include "ui/inspect.h"
#include "ui/view.h"

enum pane { PANE_TREE, PANE_HEX, PANE_VALUE, PANE_HEADERS, PANE_WHY, PANES };

struct inspector {
    struct message *message; /* our reference; NULL: nothing was opened yet */
    uint64_t id;
    const char *wanted; /* decoder chosen with v; NULL: the best one */
    struct decoded decoded;
    struct decode_job *job; /* a large payload is being decoded: the tree is still empty */
    uint8_t *folded;        /* per node */
    uint32_t *rows;         /* visible nodes */
    size_t row_count;
    size_t at, top, height;        /* of the tree */
    size_t byte, hex_top, per_row; /* of the bytes: cursor, first row, bytes in a row */
    size_t hex_height;
    uint8_t layer; /* which bytes are shown */
    enum pane pane;
    struct header_lines headers;
    size_t header_top, header_height;
    size_t value_top, value_rows, value_height; /* of the whole value under the cursor */
    char find[256];
};

const struct field *inspector_field(const struct inspector *i); /* under the tree's cursor; NULL: no tree */
struct bytes inspector_bytes(const struct inspector *i);        /* of the layer that is shown */

void inspector_draw(struct view *v, struct frame *f, struct rect r);

#endif
