/* What the inspector shows of a message beside its bytes: fields of a tree in one line each, and headers as lines. Floor 5. */
#ifndef SIGNALBOX_UI_INSPECT_H
#define SIGNALBOX_UI_INSPECT_H

#include "model/field.h"
#include "model/message.h"
#include "ui/canvas.h"

struct header_line {
    char *name, *value;
    struct bytes whole; /* the value, uncut: the message's own bytes, or value */
    const char *type;   /* static */
    int depth;          /* of nested tables and arrays */
};
struct header_lines {
    struct header_line *lines;
    size_t count, cap;
};

enum { HEADER_LINES_MOST = 2000 };

/* Why it is a dead letter, if it is one, then headers, then properties; strings are cut at 1 KiB. Whatever fits in memory. The
 * message must outlive it. */
void header_lines_make(struct header_lines *l, const struct message *m);
void header_lines_free(struct header_lines *l);

/* A field's value in at most max cells; returns the cells used. */
int field_draw(struct canvas *c, int x, int y, int max, const struct field_tree *t, const struct field *f);
/* What stands behind it, muted: its type, or what is odd about it. */
const char *field_note(const struct field_tree *t, const struct field *f, char *into, size_t size);

enum { FIND_MOST = 256, FIND_PIECE = 8 * 1024 };
struct span {
    size_t from, end;
};
/* ASCII capitals become small letters. */
void bytes_fold(uint8_t *restrict to, struct bytes from);
/* Where text begins in b, ASCII letters in any case, among the places left: it looks at FIND_PIECE of them at most, from below (step 1)
 * or from above (-1), and takes these off. SIZE_MAX: at none of these. text is folded, 1 to FIND_MOST bytes. */
size_t bytes_find(struct bytes b, struct span *left, struct bytes text, int step);

enum { DECODE_REASON = 320 };
/* What says that not all was read or opened, where, and why: "✖ at byte 9: ..."; returns into. */
const char *decode_reason(const struct field_tree *t, char *into, size_t size);
/* The node of `to` that stands where `node` stands in `from`: the same names and indexes; UINT32_MAX: none. */
uint32_t field_counterpart(const struct field_tree *from, uint32_t node, const struct field_tree *to);

#endif
