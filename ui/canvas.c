#include "ui/canvas.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

#define WRAP_MOST ((size_t)64 * 1024)

static const struct cell blank = {.cp = ' ', .width = 1, .role = ROLE_TEXT};

void canvas_init(struct canvas *c)
{
    *c = (struct canvas){.w = 0};
}

void canvas_free(struct canvas *c)
{
    free(c->cells);
    canvas_init(c);
}

void canvas_clear(struct canvas *c)
{
    for (size_t i = 0; i < (size_t)c->w * (size_t)c->h; i++)
        c->cells[i] = blank;
    canvas_cursor(c, 0, 0, false);
}

static int clamp(int n, int most)
{
    return n < 0 ? 0 : n > most ? most : n;
}

bool canvas_resize(struct canvas *c, int w, int h)
{
    w = clamp(w, CANVAS_MAX);
    h = clamp(h, CANVAS_MAX);
    struct cell *cells = reallocarray(c->cells, (size_t)w * (size_t)h + 1, sizeof *cells);
    if (!cells) {
        canvas_free(c);
        return false;
    }
    *c = (struct canvas){.w = w, .h = h, .cells = cells, .ascii = c->ascii};
    canvas_clear(c);
    return true;
}

static struct cell *at(struct canvas *c, int x, int y)
{
    return x < 0 || y < 0 || x >= c->w || y >= c->h ? NULL : &c->cells[(size_t)y * (size_t)c->w + (size_t)x];
}

/* A wide character that loses one half loses the other too: its place turns blank, nothing moves. */
static void unpair(struct canvas *c, int x, int y)
{
    struct cell *here = at(c, x, y);
    struct cell *other = !here              ? NULL
                         : here->width == 0 ? at(c, x - 1, y)
                         : here->width == 2 ? at(c, x + 1, y)
                                            : NULL;
    if (!other)
        return;
    other->cp = ' ';
    other->width = 1;
    memset(other->marks, 0, sizeof other->marks);
}

static void put(struct canvas *c, int x, int y, enum role role, uint32_t cp, int width)
{
    struct cell *cell = at(c, x, y);
    if (!cell)
        return;
    unpair(c, x, y);
    if (width == 2) {
        struct cell *right = at(c, x + 1, y);
        if (!right) {
            cp = ' ';
            width = 1;
        } else {
            unpair(c, x + 1, y);
            *right = (struct cell){.width = 0, .role = (uint8_t)role};
        }
    }
    *cell = (struct cell){.cp = cp, .width = (uint8_t)width, .role = (uint8_t)role};
}

static void put_mark(struct canvas *c, int x, int y, uint32_t mark)
{
    struct cell *cell = at(c, x, y);
    if (cell && cell->width == 0)
        cell = at(c, x - 1, y);
    for (int i = 0; cell && i < CELL_MARKS; i++)
        if (!cell->marks[i]) {
            cell->marks[i] = mark;
            return;
        }
}

void canvas_cell(struct canvas *c, int x, int y, enum role role, uint32_t cp)
{
    put(c, x, y, role, cp, 1);
}

/* ---- text ---- */

/* One run of text on its way to the canvas. A glyph that doesn't fit any more ends it with an ellipsis. */
struct pen {
    struct canvas *canvas;
    int x, y, used, max;
    enum role role;
    bool full;
};

static void pen_ellipsis(struct pen *p)
{
    p->full = true;
    if (p->max < 1)
        return;
    int last = p->used < p->max ? p->used : p->max - 1;
    put(p->canvas, p->x + last, p->y, p->role, 0x2026, 1);
    p->used = last + 1;
}

static void pen_glyph(struct pen *p, uint32_t cp, int width)
{
    if (width == 0) {
        if (p->used > 0)
            put_mark(p->canvas, p->x + p->used - 1, p->y, cp);
    } else if (p->used + width > p->max) {
        pen_ellipsis(p);
    } else {
        put(p->canvas, p->x + p->used, p->y, p->role, cp, width);
        p->used += width;
    }
}

static void pen_scrubbed(struct pen *p, struct bytes raw)
{
    struct buffer safe;
    buffer_init(&safe, 64);
    utf8_scrub(&safe, raw, SCRUB_SCREEN);
    struct bytes view = buffer_view(&safe);
    for (size_t i = 0; i < view.len && !p->full;) {
        uint32_t cp = utf8_next(view, &i);
        int width = cp == UTF8_INVALID ? -1 : utf8_width(cp);
        pen_glyph(p, width < 0 ? '?' : cp, width < 0 ? 1 : width);
    }
    buffer_free(&safe);
}

int canvas_bytes(struct canvas *c, int x, int y, int max, enum role role, struct bytes text)
{
    struct pen pen = {.canvas = c, .x = x, .y = y, .max = max, .role = role, .full = max <= 0};
    for (size_t i = 0; i < text.len && !pen.full;) {
        size_t from = i;
        uint32_t cp = utf8_next(text, &i);
        int width = cp == UTF8_INVALID ? -1 : utf8_width(cp);
        if (width < 0)
            pen_scrubbed(&pen, bytes_slice(text, from, i - from));
        else
            pen_glyph(&pen, cp, width);
    }
    return pen.used;
}

int canvas_text(struct canvas *c, int x, int y, int max, enum role role, const char *text)
{
    return canvas_bytes(c, x, y, max, role, bytes_of_text(text));
}

int canvas_right(struct canvas *c, int x, int y, int max, enum role role, const char *text)
{
    int cells = (int)utf8_cells(bytes_of_text(text));
    int pad = cells < max ? max - cells : 0;
    return pad + canvas_text(c, x + pad, y, max - pad, role, text);
}

int canvas_printf(struct canvas *c, int x, int y, int max, enum role role, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return canvas_text(c, x, y, max, role, text);
}

/* Bytes of text from `from` on that stand in one row of w cells; *next is where the following row begins. */
static size_t row_bytes(struct bytes text, size_t from, int w, size_t *next)
{
    int used = 0;
    for (size_t at = from; at < text.len;) {
        size_t start = at;
        uint32_t cp = utf8_next(text, &at);
        int width = cp == UTF8_INVALID ? -1 : utf8_width(cp);
        if (cp == '\n') {
            *next = at;
            return start - from;
        }
        used += width < 0 ? (int)utf8_cells(bytes_slice(text, start, at - start)) : width;
        if (used > w && start > from) {
            *next = start;
            return start - from;
        }
    }
    *next = text.len;
    return text.len - from;
}

int canvas_wrap(struct canvas *c, struct rect r, enum role role, struct bytes text, int top)
{
    int rows = 0;
    text = bytes_slice(text, 0, WRAP_MOST);
    for (size_t from = 0, next; from < text.len && r.w > 0; from = next, rows++) {
        size_t len = row_bytes(text, from, r.w, &next);
        if (rows >= top && rows < top + r.h)
            canvas_bytes(c, r.x, r.y + rows - top, r.w, role, bytes_slice(text, from, len));
    }
    return rows;
}

/* Back from a row that ends within a word to the last space in it, if there is one. */
static size_t word_end(struct bytes text, size_t from, size_t len, size_t *next)
{
    if (*next >= text.len || text.data[*next - 1] == '\n')
        return len;
    for (size_t n = *next == from + len && text.data[*next] == ' ' ? len + 1 : len; n > 1; n--)
        if (text.data[from + n - 1] == ' ') {
            *next = from + n;
            return n - 1;
        }
    return len;
}

int canvas_words(struct canvas *c, struct rect r, enum role role, struct bytes text)
{
    int rows = 0;
    text = bytes_slice(text, 0, WRAP_MOST);
    for (size_t from = 0, next; from < text.len && r.w > 0; from = next, rows++) {
        size_t len = word_end(text, from, row_bytes(text, from, r.w, &next), &next);
        if (rows == r.h - 1 && next < text.len)
            len = text.len - from; /* the last row that there is shows with … that there is more */
        if (rows < r.h)
            canvas_bytes(c, r.x, r.y + rows, r.w, role, bytes_slice(text, from, len));
    }
    return rows;
}

/* ---- areas ---- */

void canvas_fill(struct canvas *c, struct rect r, enum role role, uint32_t cp)
{
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            put(c, x, y, role, cp, 1);
}

void canvas_select(struct canvas *c, struct rect r)
{
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            if (at(c, x, y))
                at(c, x, y)->selected = 1;
}

bool canvas_blank(const struct canvas *c, struct rect r)
{
    if (r.x < 0 || r.y < 0 || r.x + r.w > c->w || r.y + r.h > c->h)
        return false;
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            if (c->cells[y * c->w + x].cp != ' ')
                return false;
    return true;
}

void canvas_box(struct canvas *c, struct rect r, enum role role, const char *title, const char *right)
{
    if (r.w < 2 || r.h < 2)
        return;
    canvas_fill(c, (struct rect){r.x + 1, r.y, r.w - 2, 1}, role, 0x2500);
    canvas_fill(c, (struct rect){r.x + 1, r.y + r.h - 1, r.w - 2, 1}, role, 0x2500);
    canvas_fill(c, (struct rect){r.x, r.y + 1, 1, r.h - 2}, role, 0x2502);
    canvas_fill(c, (struct rect){r.x + r.w - 1, r.y + 1, 1, r.h - 2}, role, 0x2502);
    canvas_cell(c, r.x, r.y, role, 0x250C);
    canvas_cell(c, r.x + r.w - 1, r.y, role, 0x2510);
    canvas_cell(c, r.x, r.y + r.h - 1, role, 0x2514);
    canvas_cell(c, r.x + r.w - 1, r.y + r.h - 1, role, 0x2518);
    int used = 0;
    if (title && r.w > 6) {
        used = canvas_text(c, r.x + 2, r.y, r.w - 5, ROLE_TITLE, title) + 2;
        canvas_cell(c, r.x + 1, r.y, role, ' ');
        canvas_cell(c, r.x + used, r.y, role, ' ');
    }
    int cells = right ? (int)utf8_cells(bytes_of_text(right)) : 0;
    if (cells && used + cells + 6 <= r.w) {
        canvas_text(c, r.x + r.w - 2 - cells, r.y, cells, ROLE_MUTED, right);
        canvas_cell(c, r.x + r.w - 3 - cells, r.y, role, ' ');
        canvas_cell(c, r.x + r.w - 2, r.y, role, ' ');
    }
}

void canvas_cursor(struct canvas *c, int x, int y, bool visible)
{
    c->cursor_x = clamp(x, c->w > 0 ? c->w - 1 : 0);
    c->cursor_y = clamp(y, c->h > 0 ? c->h - 1 : 0);
    c->cursor_visible = visible;
}

/* ---- out ---- */

bool cell_equal(const struct cell *a, const struct cell *b)
{
    return a->cp == b->cp && a->width == b->width && a->role == b->role && a->selected == b->selected &&
           memcmp(a->marks, b->marks, sizeof a->marks) == 0;
}

char canvas_ascii(uint32_t cp)
{
    static const struct {
        uint16_t cp;
        char ascii;
    } glyphs[] = {
        {0x2500, '-'}, {0x2502, '|'}, {0x250C, '+'}, {0x2510, '+'}, {0x2514, '+'}, {0x2518, '+'},
        {0x251C, '|'}, {0x25CF, '*'}, {0x2716, 'x'}, {0x25B2, '!'}, {0x25CB, 'o'}, {0x25B8, '>'},
        {0x25BE, 'v'}, {0x203A, '>'}, {0x2039, '<'}, {0x2026, '~'}, {0x2013, '-'}, {0x00B7, '.'},
        {0x2022, '*'}, {0x00D7, 'x'}, {0x2581, '_'}, {0x2582, '.'}, {0x2583, ','}, {0x2584, '-'},
        {0x2585, '='}, {0x2586, '+'}, {0x2587, '*'}, {0x2588, '#'}, {0x258F, '_'}, {0x258C, '['},
        {0x2590, ']'}, {0x2191, '^'}, {0x2193, 'v'}, {0x2190, '<'}, {0x2192, '>'}, {0x25B6, '>'},
        {0x25A0, '#'}, {0x2591, '.'}, {0x2713, 'v'},
    };
    if (cp < 0x7F)
        return (char)cp;
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
        if (glyphs[i].cp == cp)
            return glyphs[i].ascii;
    return cp >= 0x2400 && cp <= 0x2421 ? '.' : '?';
}

static void dump_cell(const struct cell *cell, bool ascii, struct buffer *into)
{
    uint8_t utf8[4];
    if (ascii) {
        buffer_byte(into, (uint8_t)canvas_ascii(cell->cp));
        if (cell->width == 2)
            buffer_byte(into, ' ');
        return;
    }
    buffer_append(into, utf8, utf8_encode(cell->cp, utf8));
    for (int i = 0; i < CELL_MARKS && cell->marks[i]; i++)
        buffer_append(into, utf8, utf8_encode(cell->marks[i], utf8));
}

void canvas_dump(const struct canvas *c, bool ascii, struct buffer *into)
{
    for (int y = 0; y < c->h; y++) {
        const struct cell *row = &c->cells[(size_t)y * (size_t)c->w];
        int end = c->w;
        while (end > 0 && row[end - 1].cp == ' ' && !row[end - 1].marks[0])
            end--;
        for (int x = 0; x < end; x++)
            if (row[x].width)
                dump_cell(&row[x], ascii, into);
        buffer_byte(into, '\n');
    }
}
