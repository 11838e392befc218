/* The screen on its canvas: chrome, the top view, and over its last rows what was said or is being typed. */
#include "ui/screen_internal.h"

#include "base/utf8.h"
#include "ui/chrome.h"

#include <stdio.h>

#define NOTICE_ROWS 6
#define NARROW      100 /* columns: below, row 0 has short words */

static void draw_small(struct screen *s)
{
    struct canvas *c = &s->canvas;
    const char *leave = jobs_running(s->jobs) ? "A job runs: enlarge to leave" : "q quits";
    char line[96];
    int cells = snprintf(line, sizeof line, "Too small: %dx%d, needs %dx%d. %s.", c->w, c->h,
                         SCREEN_MIN_WIDTH, SCREEN_MIN_HEIGHT, leave);
    if (c->w >= cells) {
        canvas_text(c, 0, 0, c->w, ROLE_WARN, line);
        return;
    }
    if (c->h < 5) { /* the last row is the one that every height has */
        int y = c->h < 3 ? c->h - 3 : 0;
        canvas_text(c, 0, y, c->w, ROLE_WARN, "Too small");
        canvas_printf(c, 0, y + 1, c->w, ROLE_TEXT, "min %dx%d", SCREEN_MIN_WIDTH, SCREEN_MIN_HEIGHT);
        canvas_text(c, 0, y + 2, c->w, ROLE_TEXT, leave);
        return;
    }
    canvas_text(c, 0, 0, c->w, ROLE_WARN, "Too small:");
    canvas_printf(c, 0, 1, c->w, ROLE_TEXT, "is %dx%d", c->w, c->h);
    canvas_printf(c, 0, 2, c->w, ROLE_TEXT, "needs");
    canvas_printf(c, 0, 3, c->w, ROLE_TEXT, "%dx%d", SCREEN_MIN_WIDTH, SCREEN_MIN_HEIGHT);
    canvas_words(c, (struct rect){0, 4, c->w, c->h - 4}, ROLE_TEXT, bytes_of_text(leave));
}

/* Rows that a text of ours takes at the foot: all it needs, as far as the view keeps its room. */
static int rows_of(struct canvas *c, int w, const char *text)
{
    int rows = canvas_words(c, (struct rect){.w = w}, ROLE_TEXT, bytes_of_text(text));
    int most = c->h / 5 < NOTICE_ROWS ? c->h / 5 : NOTICE_ROWS;
    return rows < 1 ? 1 : rows > most ? most : rows;
}

/* 0: nothing was said, or long enough ago. */
static int notice_rows(struct screen *s, const struct frame *f)
{
    if (s->notice.text[0] && s->notice.until_ns <= f->now_ns)
        s->notice.text[0] = '\0';
    return s->notice.text[0] ? rows_of(f->canvas, f->canvas->w - 4, s->notice.text) : 0;
}

/* In `rows` rows down to row y. */
static void draw_notice(const struct screen *s, struct frame *f, int y, int rows)
{
    static const char *const glyphs[] = {"●", "▲", "✖"};
    static const enum role roles[] = {ROLE_INFO, ROLE_WARN, ROLE_CRIT};
    enum role role = roles[s->notice.severity];
    struct rect r = {3, y - rows + 1, f->canvas->w - 4, rows};
    frame_wake(f, s->notice.until_ns);
    canvas_fill(f->canvas, (struct rect){0, r.y, f->canvas->w, rows}, ROLE_TEXT, ' ');
    canvas_text(f->canvas, 1, r.y, 1, role, glyphs[s->notice.severity]);
    canvas_words(f->canvas, r, role, bytes_of_text(s->notice.text));
}

static void draw_confirm(const struct screen *s, struct canvas *c, int y)
{
    int rows = rows_of(c, c->w - 2, s->confirm_text);
    struct rect r = {1, y - rows + 1, c->w - 2, rows};
    canvas_fill(c, (struct rect){0, r.y, c->w, rows + 1}, ROLE_TEXT, ' ');
    canvas_words(c, r, ROLE_EFFECT, bytes_of_text(s->confirm_text));
    canvas_text(c, 1, y + 1, 2, ROLE_KEY, "y");
    canvas_text(c, 3, y + 1, c->w - 4, ROLE_KEY_TEXT, "look   any other key leaves it alone");
    canvas_cursor(c, 0, y, true);
}

/* The line takes the status row, what is said to it the row of hints; where that needs more it lifts the line. */
static void draw_prompt(const struct screen *s, struct canvas *c, int y)
{
    size_t caret = s->note.caret < s->prompt.len ? s->note.caret : s->prompt.len;
    int at = 2 + (int)utf8_cells(bytes_of(s->prompt.text, caret));
    at = at < c->w - 30 ? at : 2;
    int x = s->note.fault ? at + 2 : 2, w = c->w - x - 1, rows = rows_of(c, w, s->note.text);
    y -= rows - 1;
    canvas_fill(c, (struct rect){0, y, c->w, rows + 1}, ROLE_TEXT, ' ');
    if (s->note.fault)
        canvas_text(c, at, y + 1, 1, ROLE_FAULT, "^");
    canvas_words(c, (struct rect){x, y + 1, w, rows}, s->note.fault ? ROLE_FAULT : ROLE_MUTED,
                 bytes_of_text(s->note.text));
    prompt_draw(&s->prompt, c, 1, y, c->w - 2);
}

/* "tail orders + 2 › message orders" */
static void crumbs_of(const struct screen *s, char *into, size_t size)
{
    *into = '\0';
    for (size_t i = s->depth > 1 ? 1 : 0; i < s->depth; i++) {
        const struct view *at = &s->views[s->stack[i]];
        size_t used = strlen(into);
        snprintf(into + used, size - used, "%s%s", used ? " › " : "",
                 at->ops->doing ? at->ops->doing(at) : at->ops->name);
        used = strlen(into);
        if (at->ops->crumb && used + 8 < size) {
            char own[128] = "";
            at->ops->crumb(at, own, sizeof own);
            snprintf(into + used, size - used, "%s%s", own[0] ? " " : "", own);
        }
    }
}

static void draw_all(struct screen *s, struct frame *f)
{
    struct canvas *c = f->canvas;
    struct view *v = screen_top(s);
    int rows = notice_rows(s, f), foot = c->h - 2;
    char crumbs[256];
    crumbs_of(s, crumbs, sizeof crumbs);
    f->status_taken = rows || s->prompt.kind != PROMPT_NONE;
    struct chrome_badges badges = {.demo = s->demo, .running = jobs_running(s->jobs)};
    badges.write_role = screen_badge(s, c->w < NARROW, badges.write, sizeof badges.write);
    chrome_top(f, s->hub, &badges);
    size_t tab = s->depth - 1; /* the topmost that has one */
    while (tab > 0 && !chrome_has_tab(s->stack[tab]))
        tab--;
    chrome_tabs(f, s->stack[tab], crumbs);
    /* What was said takes the view's status row; more rows of it push the view up, so that they hide nothing. */
    v->ops->draw(v, f, (struct rect){0, 2, c->w, c->h - 3 - (rows > 1 ? rows - 1 : 0)});
    if (rows)
        draw_notice(s, f, foot, rows);
    if (s->prompt.kind == PROMPT_FILTER)
        screen_typed(s); /* the count is live: messages come, and the filter works through the old ones */
    if (s->prompt.kind == PROMPT_NONE)
        chrome_hints(f, v, s->depth > 1);
    else if (s->prompt.kind == PROMPT_CONFIRM)
        draw_confirm(s, c, foot);
    else
        draw_prompt(s, c, foot);
    if (s->dialog.open)
        dialog_draw(&s->dialog, f);
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
