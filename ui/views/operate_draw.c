/* The form on its canvas: where one is, the fields, the dry run, and the command that does the same. */
#include "ui/views/operate.h"

#include "base/text.h"
#include "base/utf8.h"
#include "ui/paint.h"

#include <stdio.h>

#define LABEL_CELLS   12
#define LINES_MOST    64
#define HEADERS_LEAST 5  /* rows of the box for headers */
#define DRY_RUN_LEAST 20 /* of that for the dry run, beside which it stands */

enum { STEP_PLAN, STEP_TARGET, STEP_DRY, STEP_CONFIRM, STEP_RUN, STEPS };

static int step_of(const struct operate *o)
{
    if (!o->whole)
        return form_faulty((struct form *)(uintptr_t)&o->form) ? STEP_PLAN : STEP_TARGET;
    bool looks_first = o->seen.could_look && preview_selects(&o->order.plan);
    return o->seen.state == JOB_READY && o->seen.planned != 0 && !looks_first ? STEP_CONFIRM : STEP_DRY;
}

/* "1 Select ✓ ─── 2 Target ✓ ─── 3 Dry run ● ─── 4 Confirm ○ ─── 5 Run ○" */
static void draw_steps(const struct operate *o, struct frame *f, struct rect r)
{
    static const char *const words[STEPS] = {"Select", "Target", "Dry run", "Confirm", "Run"};
    int now = step_of(o), x = r.x, n = 0;
    int gap = r.w >= 100 ? 4 : 1;
    for (int i = 0; i < STEPS; i++) {
        if (i == STEP_TARGET && plan_archives(&o->order.plan)) /* it goes nowhere */
            continue;
        for (int k = 0; n && k < gap; k++)
            canvas_cell(f->canvas, x++, r.y, ROLE_BORDER, 0x2500);
        x += n ? 1 : 0;
        enum role role = i < now ? ROLE_OK : i == now ? ROLE_TAB : ROLE_MUTED;
        x += canvas_printf(f->canvas, x, r.y, r.x + r.w - x, role, "%d %s %s", ++n, words[i],
                           i < now    ? "✓"
                           : i == now ? "●"
                                      : "○") +
             1;
    }
}

struct place {
    struct frame *f;
    struct rect r;
    int y;
    size_t skip, shown, hidden; /* lines */
};

static void put_line(void *context, enum role role, const char *label, const char *text)
{
    struct place *p = context;
    int x = p->r.x + (label ? LABEL_CELLS : 0), left = p->r.y + p->r.h - p->y;
    if (p->skip) {
        p->skip--;
        return;
    }
    if (left <= 0) {
        p->hidden++;
        return;
    }
    if (label)
        canvas_text(p->f->canvas, p->r.x, p->y, LABEL_CELLS - 1, ROLE_MUTED, label);
    int rows = canvas_words(p->f->canvas, (struct rect){x, p->y, p->r.x + p->r.w - x, left}, role,
                            bytes_of_text(text));
    p->y += rows;
    p->shown++;
    p->hidden += rows > left;
}

/* with_headers: they have no place of their own. */
static void tell_all(struct view *v, bool with_headers, operate_line *line, void *context)
{
    const struct operate *o = v->state;
    char whose[200];
    operate_tell(v, line, context);
    if (!with_headers)
        return;
    operate_tell_headers(o, whose, sizeof whose, NULL, NULL);
    if (*whose)
        line(context, ROLE_TEXT, "Headers", whose);
    operate_tell_headers(o, whose, sizeof whose, line, context);
}

struct measure {
    struct frame *f;
    int w, rows[LINES_MOST];
    size_t count;
};

static void measure_line(void *context, enum role role, const char *label, const char *text)
{
    struct measure *m = context;
    int w = m->w - (label ? LABEL_CELLS : 0);
    if (m->count < LINES_MOST)
        m->rows[m->count++] =
            canvas_words(m->f->canvas, (struct rect){0, 0, w, 0}, role, bytes_of_text(text));
}

/* The first line of the last page. */
static size_t last_top(const struct measure *m, int rows)
{
    size_t top = m->count;
    while (top > 0 && m->rows[top - 1] <= rows)
        rows -= m->rows[--top];
    return top;
}

static void draw_dry_run(struct view *v, struct frame *f, struct rect r, bool with_headers)
{
    struct operate *o = v->state;
    struct measure m = {.f = f, .w = r.w};
    tell_all(v, with_headers, measure_line, &m);
    size_t last = last_top(&m, r.h);
    o->top = o->top < last ? o->top : last;
    struct place p = {.f = f, .r = r, .y = r.y, .skip = o->top};
    tell_all(v, with_headers, put_line, &p);
    o->shown = p.shown;
    o->hidden = p.hidden;
}

/* "↓ 6 more: PgDn" beside the dry run's title; else what is there else. */
static const char *more_of(const struct operate *o, const char *otherwise, char *into, size_t size)
{
    if (o->hidden)
        snprintf(into, size, "↓ %zu more: PgDn", o->hidden);
    else
        snprintf(into, size, "%s", o->top ? "↑ PgUp" : otherwise);
    return into;
}

/* In at most so many rows; returns how many. */
static int draw_command(struct view *v, struct frame *f, struct rect r)
{
    struct buffer text;
    buffer_init(&text, 64 * KIB);
    const char *command = operate_command(v, &text);
    int rows = 0;
    if (*command) {
        canvas_text(f->canvas, r.x, r.y, LABEL_CELLS - 1, ROLE_MUTED, "Same as");
        rows = canvas_words(f->canvas, (struct rect){r.x + LABEL_CELLS, r.y, r.w - LABEL_CELLS, r.h},
                            ROLE_TEXT, bytes_of_text(command));
    }
    buffer_free(&text);
    return rows < r.h ? rows : r.h;
}

static int command_rows_of(struct view *v, struct frame *f, int w)
{
    struct buffer text;
    buffer_init(&text, 64 * KIB);
    int rows = canvas_words(f->canvas, (struct rect){0, 0, w - LABEL_CELLS, 0}, ROLE_TEXT,
                            bytes_of_text(operate_command(v, &text)));
    buffer_free(&text);
    return rows < 1 ? 1 : rows > 4 ? 4 : rows;
}

/* Of the field under the cursor: what is wrong with it, else what it is. */
static void draw_status(const struct operate *o, struct frame *f, int y)
{
    const struct form_field *field = o->form.count ? &o->form.fields[o->form.at] : NULL;
    if (f->status_taken || !field)
        return;
    if (field->fault[0])
        canvas_text(f->canvas, 1, y, f->canvas->w - 2, ROLE_FAULT, field->fault);
    else
        canvas_text(f->canvas, 1, y, f->canvas->w - 2, ROLE_MUTED, field->help);
}

/* Rows of a box for the headers that change, of at most so many; 0: there are none, or no room for it. */
static int header_rows(const struct operate *o, struct frame *f, int w, int most)
{
    char whose[200];
    struct measure m = {.f = f, .w = w + LABEL_CELLS};
    operate_tell_headers(o, whose, sizeof whose, measure_line, &m);
    int want = *whose ? 2 : 0;
    for (size_t i = 0; i < m.count; i++)
        want += m.rows[i];
    return want <= most ? want : most >= HEADERS_LEAST ? most : 0;
}

static void draw_headers(const struct operate *o, struct frame *f, struct rect r)
{
    char whose[200], title[240];
    size_t count;
    struct place p = {.f = f, .r = {r.x + 2 - LABEL_CELLS, r.y + 1, r.w - 4 + LABEL_CELLS, r.h - 2}};
    p.y = p.r.y;
    operate_tell_headers(o, whose, sizeof whose, put_line, &p);
    operate_example(o, &count);
    snprintf(title, sizeof title, "Headers of %s", whose);
    canvas_box(f->canvas, r, ROLE_BORDER, title, count > 1 ? "[ ] others" : NULL);
}

static void draw_boxed(struct view *v, struct frame *f, struct rect r)
{
    struct operate *o = v->state;
    char more[40];
    int rows = command_rows_of(v, f, r.w - 4), half = r.w / 2;
    struct rect steps = {r.x, r.y, r.w, 3}, below = {r.x, r.y + r.h - rows - 2, r.w, rows + 2};
    int room = r.h - 3 - below.h, headers = header_rows(o, f, r.w - 4, room - DRY_RUN_LEAST);
    struct rect plan = {r.x, r.y + 3, half, room - headers}, dry = {r.x + half, plan.y, r.w - half, plan.h};
    draw_steps(o, f, (struct rect){r.x + 2, r.y + 1, r.w - 4, 1});
    form_draw(&o->form, f, (struct rect){plan.x + 1, plan.y + 1, plan.w - 2, plan.h - 2}, true, false);
    draw_dry_run(v, f, (struct rect){dry.x + 2, dry.y + 1, dry.w - 4, dry.h - 2}, !headers);
    draw_command(v, f, (struct rect){below.x + 2, below.y + 1, below.w - 4, rows});
    canvas_box(f->canvas, steps, ROLE_BORDER, operation_kind_name(o->kind), NULL);
    canvas_box(f->canvas, plan, ROLE_FOCUS, "Plan", "Enter edits");
    canvas_box(f->canvas, dry, ROLE_BORDER, "Dry run", more_of(o, "r again", more, sizeof more));
    if (headers)
        draw_headers(o, f, (struct rect){r.x, plan.y + plan.h, r.w, headers});
    canvas_box(f->canvas, below, ROLE_BORDER, "Command line", NULL);
}

static void draw_plain(struct view *v, struct frame *f, struct rect r)
{
    struct operate *o = v->state;
    char more[40];
    int rows = command_rows_of(v, f, r.w - 2), fields = form_rows(&o->form, true), room = r.h - 2 - rows;
    draw_steps(o, f, (struct rect){r.x + 1, r.y, r.w - 2, 1});
    int most = fields < room - 4 ? fields : room - 4 > 3 ? room - 4 : 3;
    int used = form_draw(&o->form, f, (struct rect){r.x, r.y + 1, r.w, most}, true, true);
    canvas_text(f->canvas, r.x + 1, r.y + 1 + used, r.w - 2, ROLE_HEAD, "DRY RUN");
    draw_dry_run(v, f, (struct rect){r.x + 2, r.y + 2 + used, r.w - 3, room - used}, true);
    canvas_right(f->canvas, r.x + 10, r.y + 1 + used, r.w - 11, ROLE_MUTED,
                 more_of(o, "", more, sizeof more));
    draw_command(v, f, (struct rect){r.x + 2, r.y + r.h - rows, r.w - 3, rows});
}

void operate_draw(struct view *v, struct frame *f, struct rect r)
{
    const struct operate *o = v->state;
    struct rect body = {r.x, r.y, r.w, r.h - 1};
    if (r.w >= 100 && r.h >= 26)
        draw_boxed(v, f, body);
    else
        draw_plain(v, f, body);
    draw_status(o, f, r.y + r.h - 1);
}
