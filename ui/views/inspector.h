/* The inspector's insides, shared by its files: what a message is and what keys do (inspector.c), finding (inspector_find.c),
 * and drawing (inspector_draw.c). */
#ifndef SIGNALBOX_UI_VIEWS_INSPECTOR_H
#define SIGNALBOX_UI_VIEWS_INSPECTOR_H

#include "engine/decode_pool.h"
#include "ui/inspect.h"
#include "ui/view.h"

/* In the order of Tab: the headers are what a small screen shows first. */
enum pane { PANE_TREE, PANE_HEX, PANE_HEADERS, PANE_VALUE, PANE_WHY, PANES };

enum find_in { IN_BYTES, IN_FIELDS, IN_HEADERS };
struct stretch {
    enum find_in in;
    struct span left; /* places, nodes or lines that were not looked at yet */
};
#define HEADER_NONE SIZE_MAX
enum find_part { FIND_VALUE, FIND_NAME, FIND_RAW };

/* A place in the round that a find goes. */
struct spot {
    enum { SPOT_FIELD, SPOT_BYTE, SPOT_HEADER } part;
    size_t at;
};

/* What is being looked for, in slices: stretches behind each other that go round once. */
struct finding {
    int step; /* up (-1) or down (1); 0: nothing is looked for */
    struct stretch stretches[6];
    size_t count, at;
    enum find_part part;      /* of the field or header; FIND_RAW: its value has it, where in its bytes? */
    struct span left;         /* of that part */
    size_t place;             /* in a header's value */
    size_t row, byte, header; /* where it began, to tell that there is nothing else */
    enum pane pane;
    struct spot from; /* the same, to tell that it went round */
};

struct inspector {
    struct message *message; /* our reference; NULL: nothing was opened yet */
    uint64_t id;
    bool evicted;       /* the store has it no more: this is our copy */
    const char *wanted; /* decoder chosen with v; NULL: the best one */
    struct decoded decoded;
    struct decode_job *job; /* a large payload is being decoded: the tree is still empty */
    uint8_t *folded;        /* per node */
    uint32_t *rows;         /* visible nodes */
    size_t row_count;
    size_t at, top, height; /* of the tree */
    size_t level;           /* the outermost one that is indented: what is further out stands beside it */
    size_t byte, hex_top, per_row; /* of the bytes: cursor, first row, bytes in a row */
    size_t hex_height;
    uint16_t layer; /* which bytes are shown */
    enum pane pane;
    struct header_lines headers;
    size_t header_top, header_height;
    size_t header;                              /* the line that was found; HEADER_NONE: none was */
    size_t value_top, value_rows, value_height; /* of the whole value under the cursor */
    char find[FIND_MOST];
    bool unsaid; /* neither a field of this tree nor a header has it: n goes on in the bytes */
    struct finding finding;
};

const struct field *inspector_field(const struct inspector *i); /* under the tree's cursor; NULL: no tree */
struct bytes inspector_bytes(const struct inspector *i);        /* of the layer that is shown */
struct bytes inspector_layer(const struct inspector *i, uint16_t layer);

char *inspector_path(const struct inspector *i, char *into, size_t size); /* "body.a.b[0]": of that field */

void inspector_go_to(struct inspector *i, uint32_t node); /* unfolds what hides it, and moves the bytes */
void inspector_link_tree(struct inspector *i); /* to the field that holds the byte under the cursor */
/* i->find from the cursor on, and around: up (step -1) or down (1). A moment of it; inspector_find_on does the rest. */
void inspector_find(struct view *v, int step);
bool inspector_find_on(struct view *v, int64_t deadline_ns); /* a slice; true: there is more */
void inspector_draw(struct view *v, struct frame *f, struct rect r);

#endif
