#include "ui/dialog.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define CLOSED_NS   (300 * NS_PER_MS) /* to keys that were meant for what was there before */
#define WIDEST      100
#define LABEL_CELLS 11

void dialog_init(struct dialog *d, const char *title, bool severe)
{
    *d = (struct dialog){.severe = severe};
    text_copy(d->title, sizeof d->title, title);
}

void dialog_add(struct dialog *d, enum role role, const char *label, const char *format, ...)
{
    va_list args;
    size_t room = sizeof d->pool - d->pool_used;
    if (d->line_count == DIALOG_LINES || room < 2)
        return;
    va_start(args, format);
    int n = vsnprintf(d->pool + d->pool_used, room, format, args);
    va_end(args);
    d->lines[d->line_count].role = role;
    d->lines[d->line_count].label = label;
    d->lines[d->line_count++].at = d->pool_used;
    d->pool_used += (n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1) + 1;
}

void dialog_name(struct dialog *d, const char *name)
{
    if (d->name_count < DIALOG_NAMES)
        text_copy(d->names[d->name_count++], DIALOG_NAME, name);
}

void dialog_open(struct dialog *d, const char *yes)
{
    text_copy(d->yes, sizeof d->yes, yes);
    d->open = true;
    d->opened_ns = clock_mono_ns();
}

static enum dialog_result close_with(struct dialog *d, enum dialog_result result)
{
    d->open = false;
    return result;
}

static bool is_typed(const struct dialog *d)
{
    return strcmp(d->typed, d->names[d->typed_count]) == 0;
}

static void type(struct dialog *d, int key)
{
    uint8_t utf8[4];
    size_t len = strlen(d->typed);
    if (key == UIKEY_ERASE) {
        while (len && ((uint8_t)d->typed[--len] & 0xC0) == 0x80)
            ;
        d->typed[len] = '\0';
        return;
    }
    size_t n = key >= ' ' && key < UIKEY_FIRST_NAMED ? utf8_encode((uint32_t)key, utf8) : 0;
    if (key == UIKEY_CONTROL('u'))
        d->typed[0] = '\0';
    if (!n || len + n >= sizeof d->typed)
        return;
    memcpy(d->typed + len, utf8, n);
    d->typed[len + n] = '\0';
}

/* A name is said yes to with Enter, once it stands there whole. */
static enum dialog_result name_key(struct dialog *d, int key)
{
    d->wrong = key == UIKEY_RETURN && !is_typed(d);
    if (key != UIKEY_RETURN) {
        type(d, key);
        return DIALOG_SAME;
    }
    if (!is_typed(d))
        return DIALOG_SAME;
    d->typed[0] = '\0';
    return ++d->typed_count == d->name_count ? close_with(d, DIALOG_YES) : DIALOG_SAME;
}

enum dialog_result dialog_key(struct dialog *d, int key)
{
    int most = d->rows - d->height;
    if (clock_mono_ns() - d->opened_ns < CLOSED_NS)
        return DIALOG_SAME;
    if (key == UIKEY_ESCAPE || key == UIKEY_CONTROL('c'))
        return close_with(d, DIALOG_NO);
    if (key == UIKEY_DOWN || key == UIKEY_UP) {
        d->top += key == UIKEY_DOWN ? 1 : -1;
        d->top = d->top > most ? most : d->top;
        d->top = d->top < 0 ? 0 : d->top;
        return DIALOG_SAME;
    }
    if (d->name_count)
        return name_key(d, key);
    return close_with(d, key == 'y' ? DIALOG_YES : DIALOG_NO);
}

/* ---- drawing ---- */

/* Rows of a line; drawn where it is among those that are shown, from row y (which may be above them). */
static int draw_line(const struct dialog *d, struct canvas *c, struct rect in, int y, size_t i)
{
    const char *label = d->lines[i].label, *text = d->pool + d->lines[i].at;
    int x = label ? LABEL_CELLS : 0;
    struct rect r = {in.x + x, y, in.w - x, 0};
    int rows = canvas_words(c, r, d->lines[i].role, bytes_of_text(text));
    rows = rows < 1 ? 1 : rows;
    if (y < in.y || y >= in.y + in.h)
        return rows;
    r.h = rows < in.y + in.h - y ? rows : in.y + in.h - y;
    if (label)
        canvas_text(c, in.x, y, LABEL_CELLS - 1, ROLE_MUTED, label);
    canvas_words(c, r, d->lines[i].role, bytes_of_text(text));
    return rows;
}

static int count_rows(const struct dialog *d, struct canvas *c, int w)
{
    int rows = 0;
    for (size_t i = 0; i < d->line_count; i++)
        rows += draw_line(d, c, (struct rect){0, 0, w, 0}, 0, i);
    return rows;
}

static void draw_answer(const struct dialog *d, struct canvas *c, int x, int y, int w)
{
    if (d->name_count) {
        x += canvas_printf(c, x, y, w, ROLE_EFFECT, "Type %s to enable:", d->names[d->typed_count]) + 1;
        int used = canvas_text(c, x, y, w, is_typed(d) ? ROLE_OK : ROLE_INPUT, d->typed);
        canvas_cursor(c, x + used, y, true);
        return;
    }
    x += canvas_text(c, x, y, 2, ROLE_KEY, "y") + 1;
    canvas_text(c, x, y, w - 2, ROLE_KEY_TEXT, d->yes);
}

static void draw_no(const struct dialog *d, struct canvas *c, int x, int y, int w)
{
    bool ready = d->name_count && is_typed(d);
    if (d->wrong)
        canvas_text(c, x, y, w, ROLE_FAULT, "That is not the name, whole. Esc: nothing is changed");
    else if (d->name_count && d->typed_count + 1 < d->name_count && ready)
        canvas_text(c, x, y, w, ROLE_OK, "Enter: and the other one");
    else if (d->name_count)
        canvas_printf(c, x, y, w, ready ? ROLE_OK : ROLE_MUTED,
                      ready ? "Enter: %s   Esc: nothing is changed"
                            : "%s (off until typed)   Esc: nothing is changed",
                      d->yes);
    else
        canvas_text(c, x, y, w, ROLE_MUTED, "any other key: nothing is changed");
}

void dialog_draw(struct dialog *d, struct frame *f)
{
    struct canvas *c = f->canvas;
    int w = c->w - 4 < WIDEST ? c->w - 4 : WIDEST, room = c->h - 9;
    enum role border = d->severe ? ROLE_PRODUCTION : ROLE_FOCUS;
    d->rows = count_rows(d, c, w - 4);
    d->height = d->rows < room ? d->rows : room;
    struct rect box = {(c->w - w) / 2, 2 + (c->h - 4 - d->height - 5) / 2, w, d->height + 5};
    struct rect in = {box.x + 2, box.y + 1, w - 4, d->height};
    canvas_fill(c, box, ROLE_TEXT, ' ');
    canvas_fill(c, (struct rect){0, c->h - 1, c->w, 1}, ROLE_TEXT, ' ');
    int y = in.y - d->top;
    for (size_t i = 0; i < d->line_count; i++)
        y += draw_line(d, c, in, y, i);
    canvas_box(c, box, border, d->title, d->rows > d->height ? "↓ more" : NULL);
    canvas_cursor(c, in.x, in.y + in.h + 1, true);
    draw_answer(d, c, in.x, in.y + in.h + 1, in.w);
    draw_no(d, c, in.x, in.y + in.h + 2, in.w);
}
