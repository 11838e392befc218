/* The canvas: a grid of cells that views draw on. It knows nothing of terminals; ui/term.c shows it through curses, and
 * canvas_dump makes text of it for golden screens. Floor 5. One thread at a time.
 *
 * Whatever bytes are put on it pass the scrubbing door (base/utf8.h), cell by cell: no escape, bidi control or invalid
 * byte gets through, and none shifts a neighbour. */
#ifndef SIGNALBOX_UI_CANVAS_H
#define SIGNALBOX_UI_CANVAS_H

#include "base/buffer.h"
#include "base/bytes.h"

enum role {
#define X(name, text) ROLE_##name,
#include "ui/roles.def"
#undef X
    ROLES
};

enum { CELL_MARKS = 2 }; /* combining marks kept with a character; more are dropped */

struct cell {
    uint32_t cp;
    uint32_t marks[CELL_MARKS]; /* 0: none */
    uint8_t width;              /* 1, 2; 0: the right half of a wide one */
    uint8_t role;               /* enum role */
    uint8_t selected;           /* drawn with the ground of ROLE_SELECTED */
};

struct rect {
    int x, y, w, h;
};

struct canvas {
    int w, h;
    struct cell *cells;
    int cursor_x, cursor_y; /* where the hardware cursor goes: the focused row */
    bool cursor_visible;    /* only in inputs */
    bool ascii; /* it will be shown without Unicode: what has no glyph of one cell there is written out */
};

enum { CANVAS_MAX = 1000 }; /* columns and rows: a larger terminal is used up to here */

void canvas_init(struct canvas *c);
void canvas_free(struct canvas *c);
/* Blanks; false (and size 0x0) when out of memory. */
bool canvas_resize(struct canvas *c, int w, int h);
void canvas_clear(struct canvas *c);

/* All drawing is clipped at the canvas and takes at most max cells. Each returns the cells it used. */
int canvas_bytes(struct canvas *c, int x, int y, int max, enum role role, struct bytes text); /* cut with … */
int canvas_text(struct canvas *c, int x, int y, int max, enum role role, const char *text);
int canvas_right(struct canvas *c, int x, int y, int max, enum role role, const char *text);
int canvas_printf(struct canvas *c, int x, int y, int max, enum role role, const char *format, ...)
    SB_PRINTF(6, 7);
/* Text over several rows, broken at newlines and at the right edge, from its row `top` on. Returns how many rows all of
 * it has. Reads at most the first 64 KiB. */
int canvas_wrap(struct canvas *c, struct rect r, enum role role, struct bytes text, int top);
/* The same from its first row on, broken between words, with … where the last row isn't the end of it; with a height of 0
 * it only counts. */
int canvas_words(struct canvas *c, struct rect r, enum role role, struct bytes text);
void canvas_cell(struct canvas *c, int x, int y, enum role role, uint32_t cp);
void canvas_fill(struct canvas *c, struct rect r, enum role role, uint32_t cp);
void canvas_select(struct canvas *c, struct rect r);
/* A frame with a title at the left and a word at the right of its upper edge; both may be NULL. */
void canvas_box(struct canvas *c, struct rect r, enum role role, const char *title, const char *right);
void canvas_cursor(struct canvas *c, int x, int y, bool visible);

bool canvas_blank(const struct canvas *c,
                  struct rect r); /* nothing but blanks stands there; outside is not blank */

bool cell_equal(const struct cell *a, const struct cell *b);
/* What stands for a character where the terminal can't show Unicode: every glyph of ours has its own, others are ?. */
char canvas_ascii(uint32_t cp);
/* The screen as text, one line a row, spaces at the end of a line left out. */
void canvas_dump(const struct canvas *c, bool ascii, struct buffer *into);

#endif
