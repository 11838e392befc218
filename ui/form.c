#include "ui/form.h"

#include "base/text.h"
#include "ui/paint.h"

#define LABEL_CELLS 11

struct form_field *form_add(struct form *f, enum form_kind kind, const char *label, const char *help)
{
    if (f->count == FORM_FIELDS)
        return NULL;
    struct form_field *field = &f->fields[f->count++];
    *field = (struct form_field){.label = label, .kind = kind, .help = help, .empty = ""};
    return field;
}

struct form_field *form_find(struct form *f, const char *label)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->fields[i].label, label) == 0)
            return &f->fields[i];
    return NULL;
}

bool form_takes_text(const struct form *f)
{
    return f->line.kind != PROMPT_NONE;
}

bool form_faulty(const struct form *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->fields[i].fault[0])
            return true;
    return false;
}

static enum form_result line_key(struct form *f, int key)
{
    struct form_field *field = &f->fields[f->at];
    if (key == UIKEY_ERASE && f->line.len == 0) /* an empty line is a value here */
        return FORM_USED;
    switch (prompt_key(&f->line, key)) {
    case PROMPT_ENTERED:
        if (strcmp(field->text, f->line.text) == 0)
            return FORM_USED;
        text_copy(field->text, sizeof field->text, f->line.text);
        return FORM_CHANGED;
    default: return FORM_USED;
    }
}

static void step(struct form *f, int by)
{
    size_t at = f->at;
    do {
        if (by < 0 ? at == 0 : at + 1 >= f->count)
            return;
        at += (size_t)by;
    } while (f->fields[at].kind == FORM_SHOWN);
    f->at = at;
}

static enum form_result turn(struct form_field *field, bool back)
{
    size_t count = 0;
    if (field->kind == FORM_SWITCH) {
        field->chosen = !field->chosen;
        return FORM_CHANGED;
    }
    if (field->kind != FORM_CHOICE)
        return FORM_UNUSED;
    while (field->choices[count])
        count++;
    if (count < 2)
        return FORM_USED;
    field->chosen = (field->chosen + (back ? count - 1 : 1)) % count;
    return FORM_CHANGED;
}

enum form_result form_key(struct form *f, int key)
{
    struct form_field *field = &f->fields[f->at];
    if (form_takes_text(f))
        return line_key(f, key);
    if (f->count == 0)
        return FORM_UNUSED;
    switch (key) {
    case UIKEY_DOWN:
    case UIKEY_TAB:
    case 'j': step(f, 1); return FORM_USED;
    case UIKEY_UP:
    case UIKEY_BACK_TAB:
    case 'k': step(f, -1); return FORM_USED;
    case UIKEY_LEFT:
    case 'h': return turn(field, true);
    case UIKEY_RIGHT:
    case 'l':
    case ' ': return turn(field, false);
    case UIKEY_RETURN:
        if (field->kind == FORM_LINE)
            prompt_open(&f->line, PROMPT_FIELD, field->text);
        return field->kind == FORM_LINE ? FORM_USED : turn(field, false);
    default: return FORM_UNUSED;
    }
}

static void draw_value(const struct form *f, struct canvas *c, int x, int y, int w, size_t i)
{
    const struct form_field *field = &f->fields[i];
    if (i == f->at && form_takes_text(f)) {
        prompt_draw(&f->line, c, x - 1, y, w);
        return;
    }
    switch (field->kind) {
    case FORM_SWITCH:
        canvas_text(c, x, y, w, field->chosen ? ROLE_WARN : ROLE_TEXT, field->chosen ? "[x] yes" : "[ ] no");
        break;
    case FORM_CHOICE: canvas_text(c, x, y, w, ROLE_TEXT, field->choices[field->chosen]); break;
    default:
        canvas_text(c, x, y, w,
                    field->fault[0]  ? ROLE_FAULT
                    : field->text[0] ? ROLE_TEXT
                                     : ROLE_MUTED,
                    field->text[0] ? field->text : field->empty);
    }
}

/* ---- rows: a field each, or packed all switches that stand behind each other in one ---- */

static bool is_beside(const struct form *f, size_t i)
{
    return i > 0 && i < f->count && f->fields[i].kind == FORM_SWITCH && f->fields[i - 1].kind == FORM_SWITCH;
}

static size_t row_of(const struct form *f, size_t field, bool packed)
{
    size_t row = field;
    for (size_t i = 1; packed && i <= field; i++)
        row -= is_beside(f, i);
    return row;
}

int form_rows(const struct form *f, bool packed)
{
    return f->count ? (int)row_of(f, f->count - 1, packed) + 1 : 0;
}

static void mark(const struct form *f, struct frame *frame, struct rect r, size_t i, bool focus)
{
    if (i != f->at || !focus)
        return;
    canvas_text(frame->canvas, r.x, r.y, 1, ROLE_FOCUS, "▸");
    canvas_cursor(frame->canvas, r.x, r.y, false);
    canvas_select(frame->canvas, r);
}

/* "Deaths [ ]"; returns the cells that it takes. */
static int draw_packed(const struct form *f, struct frame *frame, struct rect r, size_t i, bool focus)
{
    const struct form_field *field = &f->fields[i];
    int x = r.x + 2;
    x += canvas_text(frame->canvas, x, r.y, r.x + r.w - x, ROLE_MUTED, field->label) + 1;
    x += canvas_text(frame->canvas, x, r.y, r.x + r.w - x, field->chosen ? ROLE_WARN : ROLE_TEXT,
                     field->chosen ? "[x]" : "[ ]");
    mark(f, frame, (struct rect){r.x, r.y, x - r.x, 1}, i, focus);
    return x - r.x + 2;
}

int form_draw(struct form *f, struct frame *frame, struct rect r, bool focus, bool packed)
{
    size_t height = (size_t)(r.h > 0 ? r.h : 1), rows = (size_t)form_rows(f, packed);
    int x = 0;
    scroll_to(&f->top, row_of(f, f->at, packed), rows, height);
    for (size_t i = 0; i < f->count; i++) {
        size_t row = row_of(f, i, packed);
        if (row < f->top || row >= f->top + height)
            continue;
        struct rect line = {r.x, r.y + (int)(row - f->top), r.w, 1};
        x = packed && is_beside(f, i) ? x : 0;
        if (packed && f->fields[i].kind == FORM_SWITCH) {
            line.x += x;
            line.w -= x;
            x += draw_packed(f, frame, line, i, focus);
            continue;
        }
        canvas_text(frame->canvas, r.x + 2, line.y, LABEL_CELLS, ROLE_MUTED, f->fields[i].label);
        draw_value(f, frame->canvas, r.x + 3 + LABEL_CELLS, line.y, r.w - 3 - LABEL_CELLS, i);
        mark(f, frame, line, i, focus);
    }
    return (int)(rows - f->top < height ? rows - f->top : height);
}

void form_free(struct form *f)
{
    prompt_free(&f->line);
}
