/* The log: the program's own ring, newest at the foot, from a level on. A find goes up, as in a tail. */
#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"
#include "ui/paint.h"
#include "ui/screen.h"
#include "ui/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DETAIL_ROWS = 6,
    STATUS_CELLS = 40 /* of the status row, before a text */,
    LINE_BYTES = 480,
    FIND_BYTES = 120
};

struct log_state {
    enum log_level level;
    uint64_t *ids; /* what is shown, oldest first; made anew for every frame */
    size_t count, cap;
    uint64_t on;   /* id of the cursor's line */
    bool scrolled; /* else it stays on the newest */
    size_t top, height;
    uint64_t writes; /* as last seen */
    char find[FIND_BYTES];
};

static void collect(struct log_state *l)
{
    uint64_t oldest, newest;
    struct log_line line;
    log_range(&oldest, &newest);
    l->count = 0;
    l->writes = log_writes();
    size_t most = newest ? (size_t)(newest - oldest + 1) : 0;
    if (most > l->cap) {
        uint64_t *ids = reallocarray(l->ids, most, sizeof *ids);
        if (!ids)
            return;
        l->ids = ids;
        l->cap = most;
    }
    for (uint64_t id = oldest; newest && id <= newest; id++)
        if (log_get(id, &line) && line.level >= l->level)
            l->ids[l->count++] = id;
}

static size_t cursor(const struct log_state *l)
{
    size_t at = 0;
    if (!l->scrolled)
        return l->count ? l->count - 1 : 0;
    while (at + 1 < l->count && l->ids[at] < l->on)
        at++;
    return at;
}

static enum role level_role(enum log_level level)
{
    static const enum role roles[] = {ROLE_MUTED, ROLE_INFO, ROLE_WARN, ROLE_CRIT};
    return roles[level];
}

enum { L_TIME, L_LEVEL, L_SOURCE, L_TEXT, L_COLUMNS };
static const struct column columns[L_COLUMNS] = {{"TIME", 12, false, 0, 0},
                                                 {"LEVEL", 5, false, 0, 0},
                                                 {"SOURCE", 18, false, 0, 0},
                                                 {"WHAT", 0, false, 0, 0}};

static enum role text_role(enum log_kind kind)
{
    return kind == LOG_CHANGE ? ROLE_TITLE : kind == LOG_CHATTER ? ROLE_MUTED : ROLE_TEXT;
}

/* What was said, once, and how often: "×14 10.0.0.7:9092: Connection refused"; whole: also when last. */
static struct bytes text_of(const struct log_line *line, bool whole, char *into, size_t size)
{
    char time[16], last[32] = "";
    struct bytes text = paint_without_source(bytes_of_text(line->text), line->source);
    if (line->times < 2)
        return text;
    if (whole)
        snprintf(last, sizeof last, "until %sZ  ", clock_hms(line->last_ns, time, sizeof time, 0));
    snprintf(into, size, "×%u %s%.*s", line->times, last, (int)text.len, (const char *)text.data);
    return bytes_of_text(into);
}

static void draw_line(struct frame *f, struct rect r, uint64_t id, bool here)
{
    struct slot slots[L_COLUMNS];
    struct log_line line;
    char time[24], text[LINE_BYTES];
    if (!log_get(id, &line))
        return;
    columns_fit(columns, L_COLUMNS, r.x + 2, r.w - 2, slots);
    column_put(f->canvas, r.y, &columns[L_TIME], &slots[L_TIME], ROLE_MUTED,
               clock_hms(line.time_ns, time, sizeof time, 3));
    column_put(f->canvas, r.y, &columns[L_LEVEL], &slots[L_LEVEL], level_role(line.level),
               log_level_name(line.level));
    column_put(f->canvas, r.y, &columns[L_SOURCE], &slots[L_SOURCE], ROLE_SOURCE,
               paint_name(line.source, slots[L_SOURCE].w, text, sizeof text));
    canvas_bytes(f->canvas, slots[L_TEXT].x, r.y, slots[L_TEXT].w, text_role(line.kind),
                 text_of(&line, false, text, sizeof text));
    if (!here)
        return;
    canvas_text(f->canvas, r.x, r.y, 1, ROLE_FOCUS, "▸");
    canvas_select(f->canvas, r);
    canvas_cursor(f->canvas, r.x, r.y, false);
}

static void log_draw(struct view *v, struct frame *f, struct rect r)
{
    struct log_state *l = v->state;
    struct slot slots[L_COLUMNS];
    struct log_line line;
    char text[LINE_BYTES];
    collect(l);
    size_t at = cursor(l);
    /* The whole text of the cursor's line has its place above the status row. */
    bool here = l->count && log_get(l->ids[at], &line);
    struct bytes whole = here ? text_of(&line, true, text, sizeof text) : BYTES_NULL;
    struct rect detail = {r.x + 2, 0, r.w - 4, 0};
    detail.h = canvas_words(f->canvas, detail, ROLE_TEXT, whole);
    bool fits = (int)utf8_cells(whole) <= r.w - STATUS_CELLS; /* then the status row has room for it */
    detail.h = detail.h > DETAIL_ROWS ? DETAIL_ROWS : fits ? 0 : detail.h;
    detail.y = r.y + r.h - 1 - detail.h;
    canvas_words(f->canvas, detail, ROLE_MUTED, whole);
    l->height = (size_t)(r.h - 2 - detail.h);
    scroll_to(&l->top, at, l->count, l->height);
    columns_fit(columns, L_COLUMNS, r.x + 2, r.w - 2, slots);
    columns_head(f->canvas, r.y, columns, L_COLUMNS, slots);
    for (size_t i = 0; i < l->height && l->top + i < l->count; i++)
        draw_line(f, (struct rect){r.x, r.y + 1 + (int)i, r.w, 1}, l->ids[l->top + i], l->top + i == at);
    if (l->count == 0)
        canvas_text(f->canvas, r.x + 2, r.y + 1, r.w - 4, ROLE_MUTED,
                    "Nothing has been logged at this level.");
    int y = r.y + r.h - 1;
    int x = 1 + canvas_printf(f->canvas, 1, y, 40, l->scrolled ? ROLE_PAUSED : ROLE_LIVE, "%s",
                              l->scrolled ? "PAUSED" : "LIVE");
    x += 2 + canvas_printf(f->canvas, x + 2, y, 40, ROLE_MUTED, "from %s on, %zu line%s",
                           log_level_name(l->level), l->count, l->count == 1 ? "" : "s");
    if (here && detail.h == 0) /* the whole text of a line that was cut by its column only */
        canvas_bytes(f->canvas, x + 3, y, r.w - x - 4, ROLE_MUTED, whole);
}

/* ---- finding: plain text, ASCII letters in any case ---- */

static bool has(uint64_t id, const char *text)
{
    struct log_line line;
    return log_get(id, &line) && (strcasestr(line.text, text) || strcasestr(line.source, text));
}

/* From `at` on, which counts, up (-1) or down (1). */
static void find(struct view *v, size_t at, int step)
{
    struct log_state *l = v->state;
    while (at < l->count && !has(l->ids[at], l->find))
        at += (size_t)step;
    if (at >= l->count) {
        screen_say(v->screen, SEVERITY_INFO, "No line %s has `%s`", step < 0 ? "further up" : "further down",
                   l->find);
        return;
    }
    l->scrolled = true;
    l->on = l->ids[at];
}

static void log_entered(struct view *v, enum prompt_kind kind, const char *text)
{
    struct log_state *l = v->state;
    if (kind != PROMPT_FIND || !text)
        return;
    text_copy(l->find, sizeof l->find, text);
    collect(l);
    if (*text)
        find(v, cursor(l), -1);
}

static void find_next(struct view *v, int step)
{
    struct log_state *l = v->state;
    if (*l->find)
        find(v, cursor(l) + (size_t)step, step);
    else
        screen_say(v->screen, SEVERITY_INFO, "Nothing is looked for: / finds");
}

/* ---- keys ---- */

static enum action log_action(struct view *v, enum action action)
{
    struct log_state *l = v->state;
    collect(l);
    size_t to = move_by(action, cursor(l), l->count, l->height);
    if (action == ACTION_LEVEL) {
        l->level = l->level == LOG_ERROR ? LOG_DEBUG : l->level + 1;
    } else if (action == ACTION_FIND) {
        screen_prompt(v->screen, PROMPT_FIND, "");
    } else if (action == ACTION_NEXT || action == ACTION_PREVIOUS) {
        find_next(v, action == ACTION_NEXT ? -1 : 1);
    } else if (action == ACTION_FOLLOW || action == ACTION_BOTTOM) {
        l->scrolled = false;
    } else if (to != SIZE_MAX) {
        l->scrolled = l->count > 0;
        l->on = l->count ? l->ids[to] : 0;
    } else {
        return action;
    }
    return ACTION_NONE;
}

static bool log_event(struct view *v, uint32_t changes)
{
    const struct log_state *l = v->state;
    return log_writes() != l->writes || (changes & HUB_LOG);
}

static enum err log_open_view(struct view *v, struct err_info *err)
{
    struct log_state *l = v->state;
    (void)err;
    l->level = LOG_INFO;
    return ERR_OK;
}

static void log_close(struct view *v)
{
    struct log_state *l = v->state;
    free(l->ids);
}

extern const struct view_ops log_view;
const struct view_ops log_view = {
    .name = "log",
    .title = "Log",
    .keys = KEYS_LOG,
    .state_size = sizeof(struct log_state),
    .open = log_open_view,
    .close = log_close,
    .on_event = log_event,
    .draw = log_draw,
    .action = log_action,
    .entered = log_entered,
};
