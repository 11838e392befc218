/* The screen on its canvas: chrome, the top view, and over its last rows what was said or is being typed. */
#include "ui/screen_internal.h"

#include "base/utf8.h"
#include "ui/chrome.h"

#include <stdio.h>

#define NOTICE_ROWS 6

static void draw_small(struct screen *s)
{
    struct canvas *c = &s->canvas;
    char line[96];
    int cells = snprintf(line, sizeof line, "Too small: %dx%d, needs %dx%d. q quits.", c->w, c->h,
                         SCREEN_MIN_WIDTH, SCREEN_MIN_HEIGHT);
    if (c->w >= cells) {
        canvas_text(c, 0, 0, c->w, ROLE_WARN, line);
        return;
    }
    canvas_text(c, 0, 0, c->w, ROLE_WARN, "Too small:");
    canvas_printf(c, 0, 1, c->w, ROLE_TEXT, "is %dx%d", c->w, c->h);
    canvas_printf(c, 0, 2, c->w, ROLE_TEXT, "needs");
    canvas_printf(c, 0, 3, c->w, ROLE_TEXT, "%dx%d", SCREEN_MIN_WIDTH, SCREEN_MIN_HEIGHT);
    canvas_text(c, 0, 4, c->w, ROLE_TEXT, "q quits");
}

static void draw_notice(struct screen *s, struct frame *f, int y)
{
    static const char *const glyphs[] = {"●", "▲", "✖"};
    static const enum role roles[] = {ROLE_INFO, ROLE_WARN, ROLE_CRIT};
    if (s->notice.text[0] && s->notice.until_ns <= f->now_ns)
        s->notice.text[0] = '\0';
    if (!s->notice.text[0])
        return;
    frame_wake(f, s->notice.until_ns);
    enum role role = roles[s->notice.severity];
    struct bytes text = bytes_of_text(s->notice.text);
    struct rect r = {3, y, f->canvas->w - 4, 0};
    r.h = canvas_words(f->canvas, r, role, text);
    r.h = r.h < NOTICE_ROWS ? r.h : NOTICE_ROWS;
    r.y = y - r.h + 1;
    canvas_fill(f->canvas, (struct rect){0, r.y, f->canvas->w, r.h}, ROLE_TEXT, ' ');
    canvas_text(f->canvas, 1, r.y, 1, role, glyphs[s->notice.severity]);
    canvas_words(f->canvas, r, role, text);
}

/* The line takes the status row, what is said to it the row of hints. */
static void draw_prompt(struct screen *s, struct frame *f, int y)
{
    struct canvas *c = f->canvas;
    if (s->prompt.kind == PROMPT_FILTER)
        screen_typed(s); /* the count is live: messages come, and the filter works through the old ones */
    canvas_fill(c, (struct rect){0, y, c->w, 2}, ROLE_TEXT, ' ');
    if (s->prompt.kind == PROMPT_CONFIRM) {
        struct rect r = {1, y, c->w - 2, 0};
        r.h = canvas_words(c, r, ROLE_EFFECT, bytes_of_text(s->confirm_text));
        r.h = r.h < NOTICE_ROWS ? r.h : NOTICE_ROWS;
        r.y = y - r.h + 1;
        canvas_fill(c, (struct rect){0, r.y, c->w, r.h}, ROLE_TEXT, ' ');
        canvas_words(c, r, ROLE_EFFECT, bytes_of_text(s->confirm_text));
        canvas_text(c, 1, y + 1, 2, ROLE_KEY, "y");
        canvas_text(c, 3, y + 1, c->w - 4, ROLE_KEY_TEXT, "look   any other key leaves it alone");
        canvas_cursor(c, 0, y, true);
        return;
    }
    size_t caret = s->note.caret < s->prompt.len ? s->note.caret : s->prompt.len;
    int at = 2 + (int)utf8_cells(bytes_of(s->prompt.text, caret));
    at = at < c->w - 30 ? at : 2;
    int x = s->note.fault ? at + 2 : 2;
    struct rect note = {x, y + 1, c->w - x - 1, 0};
    note.h = canvas_words(c, note, ROLE_MUTED, bytes_of_text(s->note.text));
    note.h = note.h < 1 ? 1 : note.h > NOTICE_ROWS ? NOTICE_ROWS : note.h;
    y -= note.h - 1; /* a long one lifts the line */
    note.y = y + 1;
    canvas_fill(c, (struct rect){0, y, c->w, note.h + 1}, ROLE_TEXT, ' ');
    if (s->note.fault)
        canvas_text(c, at, y + 1, 1, ROLE_FAULT, "^");
    canvas_words(c, note, s->note.fault ? ROLE_FAULT : ROLE_MUTED, bytes_of_text(s->note.text));
    prompt_draw(&s->prompt, c, 1, y, c->w - 2);
}

static void draw_all(struct screen *s, struct frame *f)
{
    struct canvas *c = f->canvas;
    struct view *v = screen_top(s);
    char crumbs[256] = "";
    for (size_t i = s->depth > 1 ? 1 : 0; i < s->depth; i++) {
        const struct view *at = &s->views[s->stack[i]];
        size_t used = strlen(crumbs);
        snprintf(crumbs + used, sizeof crumbs - used, "%s%s", used ? " › " : "", at->ops->name);
        used = strlen(crumbs);
        if (at->ops->crumb && used + 8 < sizeof crumbs) {
            char own[128] = "";
            at->ops->crumb(at, own, sizeof own);
            snprintf(crumbs + used, sizeof crumbs - used, "%s%s", own[0] ? " " : "", own);
        }
    }
    chrome_top(f, s->hub, s->demo);
    chrome_tabs(f, s->depth > 1 ? s->stack[1] : s->stack[0], crumbs);
    v->ops->draw(v, f, (struct rect){0, 2, c->w, c->h - 3});
    draw_notice(s, f, c->h - 2);
    if (s->prompt.kind == PROMPT_NONE)
        chrome_hints(f, v->ops->keys);
    else
        draw_prompt(s, f, c->h - 2);
}

int64_t screen_draw(struct screen *s)
{
    struct frame f = {.canvas = &s->canvas, .now_ns = clock_wall_ns(), .wakeup_ns = INT64_MAX};
    canvas_clear(&s->canvas);
    if (screen_is_small(s))
        draw_small(s);
    else
        draw_all(s, &f);
    return f.wakeup_ns;
}
