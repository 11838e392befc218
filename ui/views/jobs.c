/* Operations, newest first, those of this console live, above the journal's events. */
#include "ui/views/operations.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum pane { PANE_JOBS, PANE_AUDIT, PANES };

#define ROWS_MOST (AUDIT_OPERATIONS + JOBS_MOST)

/* A line of the journal: an operation's beginning or end, or an event. */
struct audit_line {
    int64_t at_ns;
    const struct journal_operation *operation; /* NULL: an event */
    const struct journal_event *event;
    bool end;
};

struct jobs_state {
    struct operation_row *rows; /* made anew for every frame */
    size_t count;
    struct audit_line *lines;
    size_t line_count;
    uint64_t of; /* the reading that the lines are made of */
    enum pane pane;
    size_t at, top, height;     /* of the operations */
    char on[OPERATION_ID_SIZE]; /* what the cursor stands on */
    bool moved;
    size_t line_at, line_top, line_height;
    size_t running; /* as seen last */
};

/* ---- what is shown ---- */

static void collect(struct view *v)
{
    struct jobs_state *j = v->state;
    j->count = operation_rows(v->screen, j->rows, ROWS_MOST);
    for (size_t i = 0; j->moved && i < j->count; i++)
        if (strcmp(j->rows[i].id, j->on) == 0) {
            j->at = i;
            break;
        }
    if (j->at >= j->count)
        j->at = j->count ? j->count - 1 : 0;
}

static int by_time(const void *a, const void *b)
{
    const struct audit_line *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? 1 : -1;
    return x->end == y->end ? 0 : x->end ? -1 : 1;
}

static void make_lines(struct view *v)
{
    struct jobs_state *j = v->state;
    const struct audit_list *l = screen_journal(v->screen);
    if (!l || j->of == l->serial)
        return;
    j->of = l->serial;
    j->line_count = 0;
    struct audit_line *lines = reallocarray(j->lines, 2 * l->count + l->event_count + 1, sizeof *lines);
    if (!lines)
        return;
    j->lines = lines;
    for (size_t i = 0; i < l->count; i++) {
        const struct journal_operation *o = &l->operations[i];
        lines[j->line_count++] = (struct audit_line){o->created_ns, o, NULL, false};
        if (o->ended_ns)
            lines[j->line_count++] = (struct audit_line){o->ended_ns, o, NULL, true};
    }
    for (size_t i = 0; i < l->event_count; i++)
        lines[j->line_count++] = (struct audit_line){l->events[i].at_ns, NULL, &l->events[i], false};
    qsort(lines, j->line_count, sizeof *lines, by_time);
    if (j->line_at >= j->line_count)
        j->line_at = 0;
}

/* ---- drawing ---- */

enum {
    J_ID,
    J_STATE,
    J_WHAT,
    J_PERCENT,
    J_DONE,
    J_SKIP,
    J_FAIL,
    J_DOUBT,
    J_BEGAN,
    J_TOOK,
    J_BACKUP,
    J_COLUMNS
};
static const struct column columns[J_COLUMNS] = {
    [J_ID] = {"ID", 8, false, 96, 0},           [J_STATE] = {"STATE", 13, false, 0, 0},
    [J_WHAT] = {"WHAT", 0, false, 0, 70},       [J_PERCENT] = {"", 4, true, 0, 0},
    [J_DONE] = {"DONE", 9, true, 0, 17},        [J_SKIP] = {"SKIP", 6, true, 100, 0},
    [J_FAIL] = {"FAIL", 6, true, 76, 0},        [J_DOUBT] = {"DOUBT", 6, true, 112, 0},
    [J_BEGAN] = {"BEGAN", 9, false, 0, 0},      [J_TOOK] = {"TOOK", 6, true, 84, 0},
    [J_BACKUP] = {"ARCHIVE", 8, false, 114, 0},
};

static const char *moment(int64_t ns, int64_t now_ns, char *into, size_t size)
{
    char then[CLOCK_TEXT], now[CLOCK_TEXT], hms[16];
    if (!ns)
        return "–";
    clock_rfc3339_seconds(ns, then, sizeof then);
    clock_rfc3339_seconds(now_ns, now, sizeof now);
    if (strncmp(then, now, strlen("2026-11-25")) == 0)
        snprintf(into, size, "%sZ", clock_hms(ns, hms, sizeof hms, 0));
    else
        snprintf(into, size, "%.5s", then + 5);
    return into;
}

static const char *took(struct frame *f, const struct operation_row *o, char *into, size_t size)
{
    if (!o->created_ns || o->refused)
        return "–";
    if (o->ended_ns)
        return operation_took(o, into, size);
    return o->state == OPERATION_RUNNING ? paint_age(f, o->created_ns, into, size) : "–";
}

/* "417 of 1,096" where there is room for it. */
static const char *done_of(const struct operation_row *o, int cells, char *into, size_t size)
{
    char done[32], all[32];
    text_count(done, sizeof done, (uint64_t)o->counts.done);
    if (o->counts.planned > 0)
        snprintf(into, size, "%s/%s", done, text_count(all, sizeof all, (uint64_t)o->counts.planned));
    if (o->counts.planned <= 0 || (int)strlen(into) > cells)
        paint_count(o->counts.done, "", cells, into, size);
    return into;
}

/* Some failed or are in doubt, and the columns of these have no room. */
static bool hides_trouble(const struct slot *slots, const struct operation_row *o)
{
    return (o->counts.failed && !slots[J_FAIL].w) || (o->counts.in_doubt && !slots[J_DOUBT].w);
}

static void draw_done(struct frame *f, const struct slot *slots, int y, const struct operation_row *o)
{
    char done[80], text[88];
    bool trouble = hides_trouble(slots, o);
    done_of(o, slots[J_DONE].w - 2 * trouble, done, sizeof done);
    snprintf(text, sizeof text, "%s%s", done, trouble ? " ▲" : "");
    column_put(f->canvas, y, &columns[J_DONE], &slots[J_DONE], trouble ? ROLE_WARN : ROLE_TEXT, text);
}

static void draw_job(struct frame *f, const struct slot *slots, int y, const struct operation_row *o)
{
    char text[400], small[40];
    struct look look = operation_look(o);
    int percent = operation_percent(o);
#define PUT(column, role, value) column_put(f->canvas, y, &columns[column], &slots[column], role, value)
    snprintf(small, sizeof small, "%.8s", o->id);
    PUT(J_ID, ROLE_MUTED, small);
    PUT(J_STATE, look.role, look.text);
    operation_what(o, text, sizeof text);
    PUT(J_WHAT, ROLE_TEXT, text);
    if (percent >= 0 && o->state == OPERATION_RUNNING && !o->beginning) {
        snprintf(small, sizeof small, "%d%%", percent);
        PUT(J_PERCENT, ROLE_LIVE, small);
    }
    if (!o->refused)
        draw_done(f, slots, y, o);
    PUT(J_SKIP, ROLE_TEXT,
        o->counts.skipped ? paint_count(o->counts.skipped, "", 6, small, sizeof small) : "");
    PUT(J_FAIL, ROLE_CRIT, o->counts.failed ? paint_count(o->counts.failed, "", 6, small, sizeof small) : "");
    PUT(J_DOUBT, ROLE_WARN,
        o->counts.in_doubt ? paint_count(o->counts.in_doubt, "", 6, small, sizeof small) : "");
    PUT(J_BEGAN, ROLE_MUTED, moment(o->created_ns, f->now_ns, small, sizeof small));
    PUT(J_TOOK, ROLE_MUTED, took(f, o, small, sizeof small));
    PUT(J_BACKUP, ROLE_MUTED, o->archive && operation_archives(o->kind) ? "archived" : "");
#undef PUT
}

static void mark_row(struct frame *f, struct rect r, bool focus)
{
    canvas_text(f->canvas, r.x, r.y, 1, focus ? ROLE_FOCUS : ROLE_MUTED, "▸");
    if (!focus)
        return;
    canvas_select(f->canvas, r);
    canvas_cursor(f->canvas, r.x, r.y, false);
}

static void draw_jobs(struct view *v, struct frame *f, struct rect r)
{
    struct jobs_state *j = v->state;
    struct slot slots[J_COLUMNS];
    const struct audit_list *l = screen_journal(v->screen);
    j->height = (size_t)(r.h > 1 ? r.h - 1 : 1);
    columns_fit(columns, J_COLUMNS, r.x + 2, r.w - 2, slots);
    columns_head(f->canvas, r.y, columns, J_COLUMNS, slots);
    scroll_to(&j->top, j->at, j->count, j->height);
    if (j->count == 0)
        canvas_text(f->canvas, r.x + 2, r.y + 1, r.w - 4, l && l->err.code ? ROLE_CRIT : ROLE_MUTED,
                    !l            ? "The journal is being read"
                    : l->err.code ? l->err.text
                                  : "No operation yet. X on a channel or a message opens the change menu.");
    for (size_t i = 0; i < j->height && j->top + i < j->count; i++) {
        int y = r.y + 1 + (int)i;
        draw_job(f, slots, y, &j->rows[j->top + i]);
        if (j->top + i == j->at)
            mark_row(f, (struct rect){r.x, y, r.w, 1}, j->pane == PANE_JOBS);
    }
}

static void audit_text(const struct audit_line *a, char *into, size_t size)
{
    char what[320], counts[120];
    struct operation_row row = {.rate = -1};
    if (a->event) {
        snprintf(into, size, "%s", a->event->text ? a->event->text : "");
        return;
    }
    const struct journal_operation *o = a->operation;
    row = (struct operation_row){.kind = o->kind, .from = o->from, .to = o->to};
    operation_what(&row, what, sizeof what);
    if (a->end)
        snprintf(into, size, "%s %s: %s, %s%s%s", operation_kind_name(o->kind), o->id,
                 operation_state_name(o->state), operation_counts_text(&o->counts, counts, sizeof counts),
                 o->note ? "; " : "", o->note ? o->note : "");
    else
        snprintf(into, size, "%s %s", o->id, what);
}

enum { A_TIME, A_WHO, A_WHAT, A_TEXT, A_COLUMNS };
static const struct column audit_columns[A_COLUMNS] = {
    {"TIME", 9, false, 0, 0}, {"WHO", 14, false, 70, 26}, {"WHAT", 6, false, 0, 0}, {"", 0, false, 0, 0}};

static void draw_audit(struct view *v, struct frame *f, struct rect r, bool head)
{
    struct jobs_state *j = v->state;
    struct slot slots[A_COLUMNS];
    char text[700], who[340], time[40];
    columns_fit(audit_columns, A_COLUMNS, r.x + 2, r.w - 2, slots);
    if (head)
        columns_head(f->canvas, r.y, audit_columns, A_COLUMNS, slots);
    r.y += head;
    r.h -= head;
    j->line_height = (size_t)(r.h > 0 ? r.h : 1);
    scroll_to(&j->line_top, j->line_at, j->line_count, j->line_height);
    for (size_t i = 0; (int)i < r.h && j->line_top + i < j->line_count; i++) {
        const struct audit_line *a = &j->lines[j->line_top + i];
        int y = r.y + (int)i;
        const char *name = a->event ? a->event->who : a->operation->who;
        const char *host = a->event ? a->event->host : a->operation->host;
        snprintf(who, sizeof who, "%s@%s", name ? name : "?", host ? host : "?");
        audit_text(a, text, sizeof text);
#define PUT(column, role, value) column_put(f->canvas, y, &audit_columns[column], &slots[column], role, value)
        PUT(A_TIME, ROLE_MUTED, moment(a->at_ns, f->now_ns, time, sizeof time));
        PUT(A_WHO, ROLE_SOURCE, who);
        PUT(A_WHAT, a->event ? ROLE_WARN : ROLE_TEXT, a->event ? a->event->what : a->end ? "ended" : "begun");
        PUT(A_TEXT, ROLE_TEXT, text);
#undef PUT
        if (j->line_top + i == j->line_at && j->pane == PANE_AUDIT)
            mark_row(f, (struct rect){r.x, y, r.w, 1}, true);
    }
}

static void draw_status(struct view *v, struct frame *f, int y)
{
    const struct jobs_state *j = v->state;
    char line[700] = "", counts[120];
    size_t interrupted = 0, running = jobs_running(screen_jobs(v->screen));
    if (f->status_taken)
        return;
    for (size_t i = 0; i < j->count; i++)
        interrupted += j->rows[i].state == OPERATION_INTERRUPTED;
    if (j->pane == PANE_AUDIT && j->line_at < j->line_count)
        audit_text(&j->lines[j->line_at], line, sizeof line);
    else if (j->count) {
        const struct operation_row *o = &j->rows[j->at];
        snprintf(line, sizeof line, "%s%s%s", operation_counts_text(&o->counts, counts, sizeof counts),
                 o->note[0] ? ". " : "", o->note);
    }
    int x = 1;
    if (running)
        x += canvas_printf(f->canvas, x, y, 30, ROLE_LIVE, "%zu running", running) + 2;
    if (interrupted)
        x += canvas_printf(f->canvas, x, y, 50, ROLE_WARN, "%zu interrupted: X r resumes", interrupted) + 2;
    canvas_text(f->canvas, x, y, f->canvas->w - x - 1, ROLE_MUTED, line);
}

static void jobs_draw(struct view *v, struct frame *f, struct rect r)
{
    struct jobs_state *j = v->state;
    collect(v);
    make_lines(v);
    bool boxed = r.w >= 100 && r.h >= 26;
    int body = r.h - 1, want = (int)j->count + 1;
    int most = body * 3 / 5, rows = want < most ? (want > most / 2 ? want : most / 2) : most;
    if (boxed) {
        struct rect upper = {r.x, r.y, r.w, rows + 2}, lower = {r.x, r.y + rows + 2, r.w, body - rows - 2};
        draw_jobs(v, f, (struct rect){upper.x + 1, upper.y + 1, upper.w - 3, upper.h - 2});
        draw_audit(v, f, (struct rect){lower.x + 1, lower.y + 1, lower.w - 3, lower.h - 2}, false);
        canvas_box(f->canvas, upper, j->pane == PANE_JOBS ? ROLE_FOCUS : ROLE_BORDER, "Jobs", "newest first");
        canvas_box(f->canvas, lower, j->pane == PANE_AUDIT ? ROLE_FOCUS : ROLE_BORDER, "Audit log",
                   "journal.db, of every signalbox here");
    } else {
        draw_jobs(v, f, (struct rect){r.x, r.y, r.w, rows});
        draw_audit(v, f, (struct rect){r.x, r.y + rows, r.w, body - rows}, true);
    }
    draw_status(v, f, r.y + r.h - 1);
}

/* ---- keys ---- */

static const struct operation_row *row_at(const struct jobs_state *j)
{
    return j->at < j->count ? &j->rows[j->at] : NULL;
}

/* The operation under the cursor, in either pane; NULL: there is none. */
static const struct operation_row *chosen(struct view *v, struct operation_row *room)
{
    struct jobs_state *j = v->state;
    if (j->pane == PANE_JOBS)
        return row_at(j);
    const struct audit_line *a = j->line_at < j->line_count ? &j->lines[j->line_at] : NULL;
    bool is = a && a->operation && operation_row_of(v->screen, NULL, a->operation->id, room);
    return is ? room : NULL;
}

static bool move(struct jobs_state *j, enum action action)
{
    bool jobs = j->pane == PANE_JOBS;
    size_t to = move_by(action, jobs ? j->at : j->line_at, jobs ? j->count : j->line_count,
                        jobs ? j->height : j->line_height);
    if (to == SIZE_MAX)
        return false;
    if (!jobs) {
        j->line_at = to;
    } else if (j->count) {
        j->at = to;
        j->moved = to > 0; /* the first row is the newest, whichever that is */
        text_copy(j->on, sizeof j->on, j->rows[to].id);
    }
    return true;
}

/* Enter on a line of the journal leads to its operation, too. */
static void open_row(struct view *v)
{
    struct jobs_state *j = v->state;
    struct run_argument run = {.job = NULL};
    const struct operation_row *row = row_at(j);
    if (j->pane == PANE_AUDIT) {
        const struct audit_line *a = j->line_at < j->line_count ? &j->lines[j->line_at] : NULL;
        if (!a || !a->operation)
            return;
        text_copy(run.id, sizeof run.id, a->operation->id);
    } else if (row) {
        run.job = row->job;
        text_copy(run.id, sizeof run.id, row->id);
    } else {
        return;
    }
    screen_show(v->screen, VIEW_RUN, &run);
}

static enum action jobs_action(struct view *v, enum action action)
{
    struct jobs_state *j = v->state;
    struct operation_row room;
    collect(v);
    make_lines(v);
    const struct operation_row *row = chosen(v, &room);
    if (move(j, action) || operation_act(v, row, action))
        return ACTION_NONE;
    switch (action) {
    case ACTION_OPEN: open_row(v); break;
    case ACTION_CHANGE: operation_change(v, row); break;
    case ACTION_NEXT_PANE:
    case ACTION_PREVIOUS_PANE: j->pane = j->pane == PANE_JOBS ? PANE_AUDIT : PANE_JOBS; break;
    case ACTION_REREAD:
        screen_read_journal(v->screen, NULL);
        screen_say(v->screen, SEVERITY_INFO, "The journal is read again");
        break;
    default: return action;
    }
    return ACTION_NONE;
}

static bool jobs_offers(struct view *v, enum action action)
{
    struct operation_row room;
    return operation_offers(chosen(v, &room), action);
}

static bool jobs_event(struct view *v, uint32_t changes)
{
    struct jobs_state *j = v->state;
    size_t running = jobs_running(screen_jobs(v->screen));
    if ((changes & SCREEN_JOBS) && screen_top(v->screen) == v &&
        running != j->running) /* one has begun, or ended */
        screen_read_journal(v->screen, NULL);
    j->running = running;
    return changes & SCREEN_JOBS;
}

static void jobs_enter(struct view *v, const void *argument)
{
    (void)argument;
    screen_read_journal(v->screen, NULL);
}

static enum err jobs_open(struct view *v, struct err_info *err)
{
    struct jobs_state *j = v->state;
    j->rows = calloc(ROWS_MOST, sizeof *j->rows);
    return j->rows ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for the list of operations");
}

static void jobs_close(struct view *v)
{
    struct jobs_state *j = v->state;
    free(j->rows);
    free(j->lines);
}

extern const struct view_ops jobs_view;
const struct view_ops jobs_view = {
    .name = "jobs",
    .title = "Jobs",
    .keys = KEYS_JOBS,
    .state_size = sizeof(struct jobs_state),
    .open = jobs_open,
    .close = jobs_close,
    .enter = jobs_enter,
    .on_event = jobs_event,
    .draw = jobs_draw,
    .action = jobs_action,
    .offers = jobs_offers,
};
