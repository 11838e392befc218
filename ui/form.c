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

int form_draw(struct form *f, struct frame *frame, struct rect r, bool focus)
{
    int rows = 0;
    scroll_to(&f->top, f->at, f->count, (size_t)(r.h > 0 ? r.h : 1));
    for (size_t i = f->top; i < f->count && rows < r.h; i++, rows++) {
        int y = r.y + rows;
        canvas_text(frame->canvas, r.x + 2, y, LABEL_CELLS, ROLE_MUTED, f->fields[i].label);
        if (i == f->at && focus) {
            canvas_text(frame->canvas, r.x, y, 1, ROLE_FOCUS, "▸");
            canvas_cursor(frame->canvas, r.x, y, false);
        }
        draw_value(f, frame->canvas, r.x + 3 + LABEL_CELLS, y, r.w - 3 - LABEL_CELLS, i);
        if (i == f->at && focus)
            canvas_select(frame->canvas, (struct rect){r.x, y, r.w, 1});
    }
    return rows;
}

void form_free(struct form *f)
{
    prompt_free(&f->line);
}
