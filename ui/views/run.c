/* One operation: how far it is, what can be done about it, and what became of each of its messages. */
#include "ui/views/operations.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "operations/rewrite.h"

#include <inttypes.h>
#include <stdio.h>

#define REREAD_NS NS_PER_S /* between two looks into the journal while it runs */

struct run {
    struct job *job;
    char id[OPERATION_ID_SIZE];
    size_t at, top, height;
    int64_t read_ns; /* wall clock: when the journal was asked */
    bool ended;      /* seen, and read after that */
    bool
        turned; /* Enter: the message under the cursor is shown where it would not be, or the other way round */
    /* Of the message under the cursor: its headers, as they may be shown. */
    struct header_changes changes;
    uint64_t changes_of; /* the journal's reading; 0: not looked up */
    size_t changes_at;
    struct arena arena; /* theirs */
    struct redactor *redactor;
};

static bool find_row(struct view *v, struct operation_row *row)
{
    struct run *r = v->state;
    if (!operation_row_of(v->screen, r->job, r->id, row))
        return false;
    text_copy(r->id, sizeof r->id, row->id); /* known once it has begun */
    return true;
}

static const struct audit_list *messages_of(struct view *v)
{
    const struct run *r = v->state;
    const struct audit_list *l = screen_journal(v->screen);
    return l && *r->id && strcmp(l->id, r->id) == 0 ? l : NULL;
}

static void read_again(struct view *v)
{
    struct run *r = v->state;
    r->read_ns = clock_wall_ns();
    screen_read_journal(v->screen, *r->id ? r->id : NULL);
}

/* ---- drawing ---- */

static void draw_bar(struct frame *f, int x, int y, int w, int percent)
{
    int cells = w * percent / 100;
    canvas_cell(f->canvas, x, y, ROLE_BORDER, '[');
    for (int i = 0; i < w; i++)
        canvas_cell(f->canvas, x + 1 + i, y, i < cells ? ROLE_LIVE : ROLE_MUTED, i < cells ? 0x2588 : 0x2591);
    canvas_cell(f->canvas, x + 1 + w, y, ROLE_BORDER, ']');
}

static void draw_progress(struct frame *f, struct rect r, int y, const struct operation_row *o)
{
    char done[32], all[32];
    const struct operation_counts *c = &o->counts;
    int percent = operation_percent(o);
    int64_t dealt = c->done + c->skipped + c->failed + c->in_doubt;
    text_count(done, sizeof done, (uint64_t)dealt);
    if (percent < 0) {
        canvas_printf(f->canvas, r.x, y, r.w, ROLE_TEXT, "%s messages so far", done);
        return;
    }
    int w = r.w - 36 > 60 ? 60 : r.w - 36;
    draw_bar(f, r.x, y, w, percent);
    canvas_printf(f->canvas, r.x + w + 3, y, r.w - w - 3, ROLE_TEXT, "%3d %%  %s of %s", percent, done,
                  text_count(all, sizeof all, (uint64_t)c->planned));
}

static void draw_rates(struct frame *f, struct rect r, int y, const struct operation_row *o)
{
    char rate[32], limit[40] = "no limit", age[32], left[32];
    int64_t rest =
        o->counts.planned - o->counts.done - o->counts.skipped - o->counts.failed - o->counts.in_doubt;
    if (o->state != OPERATION_RUNNING || !o->job) {
        if (o->ended_ns && o->created_ns)
            canvas_printf(f->canvas, r.x, y, r.w, ROLE_MUTED, "took %s", operation_took(o, age, sizeof age));
        return;
    }
    if (o->limit)
        snprintf(limit, sizeof limit, "limit %" PRId64 "/s", o->limit);
    int x = r.x + canvas_printf(f->canvas, r.x, y, r.w, ROLE_TEXT, "rate %s/s (%s)   elapsed %s",
                                paint_rate(o->rate, rate, sizeof rate), limit,
                                paint_age(f, o->created_ns, age, sizeof age));
    if (o->rate >= 0.5 && rest > 0 && !o->paused)
        canvas_printf(f->canvas, x + 3, y, r.x + r.w - x - 3, ROLE_TEXT, "left about %s",
                      text_age(left, sizeof left, (int64_t)((double)rest / o->rate * NS_PER_S)));
}

static int draw_counts(struct frame *f, struct rect r, int y, const struct operation_row *o)
{
    const struct {
        const char *word;
        int64_t n;
        enum role role;
    } rows[] = {{"done", o->counts.done, ROLE_OK},
                {"skipped", o->counts.skipped, ROLE_TEXT},
                {"failed", o->counts.failed, ROLE_CRIT},
                {"in doubt", o->counts.in_doubt, ROLE_WARN}};
    char count[32];
    int x = r.x;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        x += canvas_text(f->canvas, x, y, 12, ROLE_MUTED, rows[i].word) + 1;
        x += canvas_text(f->canvas, x, y, 14, rows[i].n ? rows[i].role : ROLE_MUTED,
                         text_count(count, sizeof count, (uint64_t)rows[i].n)) +
             3;
    }
    return y + 1;
}

static int put_words(struct frame *f, struct rect r, int y, enum role role, const char *text)
{
    struct rect to = {r.x, y, r.w, r.y + r.h - y};
    return *text && to.h > 0 ? y + canvas_words(f->canvas, to, role, bytes_of_text(text)) : y;
}

static int draw_notices(struct frame *f, struct rect r, int y, const struct operation_row *o)
{
    struct job_status s;
    if (!o->job)
        return y;
    job_status(o->job, &s);
    for (size_t i = 0; i < s.notice_count && i < 2 && i < JOB_NOTICES; i++)
        y = put_words(f, r, y, ROLE_EFFECT, s.notices[i]);
    return y;
}

/* "now: 3 ready in rabbit-1/parked, 0 before" */
static int draw_end(struct frame *f, struct rect r, int y, int64_t now, int64_t before,
                    const struct address *end, const char *name)
{
    char count[32], earlier[32], was[64] = "", text[600];
    bool upper = end->endpoint && end->endpoint->broker->count_is_upper;
    if (now < 0 || !name)
        return y;
    if (before >= 0)
        snprintf(was, sizeof was, ", %s before", text_count(earlier, sizeof earlier, (uint64_t)before));
    snprintf(text, sizeof text, "now: %s%s%s in %s%s", upper && now ? "at most " : "",
             text_count(count, sizeof count, (uint64_t)now), upper ? "" : " ready", name, was);
    return put_words(f, r, y, ROLE_TEXT, text);
}

static int draw_ends(struct frame *f, struct rect r, int y, const struct operation_row *o)
{
    struct job_status s;
    if (!o->job)
        return y;
    const struct order *order = job_order(o->job);
    job_status(o->job, &s);
    y = draw_end(f, r, y, s.after.from, s.before.from, &order->from, o->from);
    return draw_end(f, r, y, s.after.to, s.before.to, &order->to, o->to);
}

/* Of a purge it is said where its archives are. */
static int draw_undo(struct view *v, struct frame *f, struct rect r, int y, const struct operation_row *o)
{
    struct buffer line, command;
    const char *why;
    buffer_init(&line, 64 * KIB);
    buffer_init(&command, 64 * KIB);
    const char *undo = operation_undo(v, o, &command, &why);
    if (why)
        buffer_printf(&line, "it cannot be undone by one command: %s", why);
    else if (undo && o->archive && operation_archives(o->kind))
        buffer_text(&line, "undo: X u restores what was archived");
    else if (undo)
        buffer_printf(&line, "undo: X u, or %s", undo);
    if (undo && !o->archive)
        screen_put_reach(v->screen, &line);
    y = put_words(f, r, y, why ? ROLE_WARN : ROLE_TEXT, buffer_cstr(&line));
    buffer_free(&command);
    buffer_free(&line);
    return y;
}

/* Returns the row behind it. */
static int draw_head(struct view *v, struct frame *f, struct rect r, const struct operation_row *o)
{
    char text[400], began[40];
    struct look look = operation_look(o);
    int y = r.y;
    int x = r.x + canvas_text(f->canvas, r.x, y, 16, look.role, look.text) + 2;
    operation_what(o, text, sizeof text);
    canvas_text(f->canvas, x, y++, r.x + r.w - x, ROLE_TITLE, text);
    if (o->created_ns)
        canvas_printf(f->canvas, r.x, y++, r.w, ROLE_MUTED, "%s  begun %s%s%s%s%s", o->id,
                      clock_rfc3339_seconds(o->created_ns, began, sizeof began), o->who ? " by " : "",
                      o->who ? o->who : "", o->who && o->host ? "@" : "", o->who && o->host ? o->host : "");
    if (!o->refused) {
        draw_progress(f, r, y++, o);
        draw_rates(f, r, y++, o);
        y = draw_counts(f, r, y, o);
    }
    y = put_words(f, r, y, o->refused || o->state == OPERATION_FAILED ? ROLE_CRIT : ROLE_WARN, o->note);
    y = draw_notices(f, r, y, o);
    for (const char *at = o->archive && operation_archives(o->kind) ? o->archive : ""; *at;) {
        int len = (int)strcspn(at, "\n");
        snprintf(text, sizeof text, "archived in %.*s", len, at);
        y = put_words(f, r, y, ROLE_TEXT, text);
        at += len + (at[len] == '\n');
    }
    if (o->is_verified)
        y = put_words(f, r, y, verified_is_good(&o->verified) ? ROLE_OK : ROLE_CRIT,
                      verified_tell(&o->verified, text, sizeof text));
    y = draw_ends(f, r, y, o);
    y = draw_undo(v, f, r, y, o);
    if (o->state == OPERATION_INTERRUPTED)
        y = put_words(f, r, y, ROLE_WARN, "Nothing is lost: X r resumes it, and so does `signalbox resume`");
    return y;
}

enum { M_NUMBER, M_STATE, M_SIZE, M_FROM, M_ARRIVED, M_LABEL, M_REASON, M_COLUMNS };
static const struct column columns[M_COLUMNS] = {
    {"#", 7, true, 0, 0},
    {"OUTCOME", 8, false, 0, 0},
    {"SIZE", 8, true, 90, 0},
    {"FROM", 10, false, 70, 16},
    {"AT", 10, false, 100, 16},
    {"MESSAGE", 20, false, 0, 40},
    {"TO, OR WHY NOT", 0, false, 0, 30},
};

static enum role delivery_role(enum delivery state)
{
    static const enum role roles[DELIVERY_STATES] = {
        [DELIVERY_INTENDED] = ROLE_MUTED, [DELIVERY_ARRIVED] = ROLE_MUTED, [DELIVERY_DONE] = ROLE_OK,
        [DELIVERY_SKIPPED] = ROLE_TEXT,   [DELIVERY_FAILED] = ROLE_CRIT,   [DELIVERY_IN_DOUBT] = ROLE_WARN};
    return roles[state];
}

static void draw_message(struct frame *f, const struct slot *slots, int y, const struct journal_message *m)
{
    char text[64];
#define PUT(column, role, value) column_put(f->canvas, y, &columns[column], &slots[column], role, value)
    PUT(M_NUMBER, ROLE_MUTED, text_count(text, sizeof text, m->sequence));
    PUT(M_STATE, delivery_role(m->state), delivery_name(m->state));
    PUT(M_SIZE, ROLE_TEXT, text_bytes(text, sizeof text, m->size));
    PUT(M_FROM, ROLE_MUTED, m->from.kind ? position_text(m->from, text, sizeof text) : "–");
    PUT(M_ARRIVED, ROLE_MUTED, m->arrived.kind ? position_text(m->arrived, text, sizeof text) : "–");
    PUT(M_REASON, ROLE_TEXT, m->reason ? m->reason : m->destination ? m->destination : "");
#undef PUT
    canvas_bytes(f->canvas, slots[M_LABEL].x, y, slots[M_LABEL].w, ROLE_TEXT, m->label);
}

static void draw_messages(struct view *v, struct frame *f, struct rect r)
{
    struct run *run = v->state;
    struct slot slots[M_COLUMNS];
    const struct audit_list *l = messages_of(v);
    run->height = (size_t)(r.h > 1 ? r.h - 1 : 1);
    if (r.h < 2)
        return;
    columns_fit(columns, M_COLUMNS, r.x + 2, r.w - 2, slots);
    columns_head(f->canvas, r.y, columns, M_COLUMNS, slots);
    size_t count = l ? l->message_count : 0;
    if (run->at >= count)
        run->at = count ? count - 1 : 0;
    scroll_to(&run->top, run->at, count, run->height);
    for (size_t i = 0; i < run->height && run->top + i < count; i++) {
        int y = r.y + 1 + (int)i;
        draw_message(f, slots, y, &l->messages[run->top + i]);
        if (run->top + i != run->at)
            continue;
        canvas_text(f->canvas, r.x, y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, (struct rect){r.x, y, r.w, 1});
        canvas_cursor(f->canvas, r.x, y, false);
    }
}

/* ---- the message under the cursor ---- */

static const struct journal_message *message_at(struct view *v)
{
    const struct run *run = v->state;
    const struct audit_list *l = messages_of(v);
    return l && run->at < l->message_count ? &l->messages[run->at] : NULL;
}

/* Where what is to be hidden cannot be, nothing is shown. */
static void look_up_changes(struct view *v, const struct operation_row *o, const struct journal_message *m)
{
    struct run *run = v->state;
    const struct redaction *rules = hub_config(v->hub)->redaction;
    uint64_t serial = messages_of(v)->serial;
    if (run->changes_of == serial && run->changes_at == run->at)
        return;
    run->changes_of = serial;
    run->changes_at = run->at;
    run->changes = (struct header_changes){.off = {NULL, 0}};
    arena_free(&run->arena);
    arena_init(&run->arena, 4 * MIB);
    if (rules && !run->redactor)
        run->redactor = redactor_new(rules);
    if (!o->record || (rules && !run->redactor))
        return;
    rewrite_kept(o->record, m, &run->arena, &run->changes);
    rewrite_hide(&run->changes, run->redactor, &run->arena);
}

struct place {
    struct frame *f;
    struct rect r;
    int y;
};

static void put_change(void *context, bool on, const char *header)
{
    struct place *p = context;
    struct rect to = {p->r.x + 2, p->y, p->r.w - 2, p->r.y + p->r.h - p->y};
    if (to.h <= 0)
        return;
    canvas_text(p->f->canvas, p->r.x, p->y, 1, on ? ROLE_OK : ROLE_WARN, on ? "+" : "-");
    p->y += canvas_words(p->f->canvas, to, on ? ROLE_OK : ROLE_WARN, bytes_of_text(header));
}

/* "done, 49 B, from 3/10482 to queue:orders" */
static void tell_way(const struct operation_row *o, const struct journal_message *m, char *into, size_t size)
{
    char bytes[32], from[40], arrived[40];
    position_text(m->from, from, sizeof from);
    position_text(m->arrived, arrived, sizeof arrived);
    const char *to = m->destination ? m->destination : o->to;
    bool sent = m->state != DELIVERY_SKIPPED && m->state != DELIVERY_FAILED && to;
    snprintf(into, size, "%s, %s%s%s%s%s%s%s", delivery_name(m->state),
             text_bytes(bytes, sizeof bytes, m->size), *from ? ", from " : "", from, sent ? ", to " : "",
             sent ? to : "", *arrived ? " at " : "", arrived);
}

static void draw_detail(struct view *v, struct frame *f, struct rect r, const struct operation_row *o)
{
    const struct run *run = v->state;
    const struct journal_message *m = message_at(v);
    char way[700];
    struct place p = {f, r, r.y};
    if (!m || r.h < 1)
        return;
    look_up_changes(v, o, m);
    tell_way(o, m, way, sizeof way);
    p.y = put_words(f, r, p.y, ROLE_TEXT, way);
    p.y = put_words(f, r, p.y, delivery_role(m->state), m->reason ? m->reason : "");
    rewrite_tell(&run->changes, put_change, &p);
}

static void detail_title(struct view *v, char *into, size_t size)
{
    const struct journal_message *m = message_at(v);
    char number[32], label[80] = "";
    struct buffer clean;
    if (!m) {
        snprintf(into, size, "Message");
        return;
    }
    buffer_init(&clean, 4 * KIB);
    utf8_scrub(&clean, bytes_slice(m->label, 0, 60), SCRUB_SCREEN);
    text_shorten(label, sizeof label, buffer_cstr(&clean));
    buffer_free(&clean);
    snprintf(into, size, "Message %s%s%s", text_count(number, sizeof number, m->sequence), *label ? "  " : "",
             label);
}

/* Rows for it, with its title, of so many for it and the list. */
static int detail_rows(const struct run *run, int rows, bool boxed)
{
    bool roomy = boxed && rows >= 18, shown = roomy != run->turned;
    int want = boxed ? 9 : rows - 3; /* else the list is one row */
    return !shown || rows < 6 ? 0 : want < rows - 3 ? want : rows - 3;
}

static void draw_status(struct view *v, struct frame *f, int y, const struct operation_row *o)
{
    const struct run *run = v->state;
    const struct audit_list *l = messages_of(v);
    char shown[32], all[32];
    if (f->status_taken)
        return;
    const struct journal_message *m = message_at(v);
    if (m && m->reason)
        canvas_printf(f->canvas, 1, y, f->canvas->w - 2, ROLE_TEXT, "%s: %s", delivery_name(m->state),
                      m->reason);
    else if (l && (int64_t)l->message_count < l->message_total)
        canvas_printf(f->canvas, 1, y, f->canvas->w - 2, ROLE_MUTED,
                      "%s of %s messages, what went wrong first; all: signalbox journal %s",
                      text_count(shown, sizeof shown, l->message_count),
                      text_count(all, sizeof all, (uint64_t)l->message_total), run->id);
    else if (o->command)
        canvas_printf(f->canvas, 1, y, f->canvas->w - 2, ROLE_MUTED, "Same as: %s%s", o->command,
                      screen_unreached(v->screen));
}

static void run_draw(struct view *v, struct frame *f, struct rect r)
{
    struct operation_row row;
    bool boxed = r.w >= 100 && r.h >= 26;
    if (!find_row(v, &row)) {
        const struct audit_list *l = screen_journal(v->screen);
        canvas_text(f->canvas, r.x + 2, r.y + 1, r.w - 4, ROLE_MUTED,
                    l ? "This operation is not among the newest of the journal"
                      : "The journal is being read");
        return;
    }
    const struct run *run = v->state;
    struct rect head = {r.x + 2, r.y + boxed, r.w - 4, r.h - 4};
    int y = draw_head(v, f, head, &row), end = r.y + r.h - 1;
    char title[120];
    if (boxed) {
        snprintf(title, sizeof title, "%s %s", operation_kind_name(row.kind), row.id);
        canvas_box(f->canvas, (struct rect){r.x, r.y, r.w, y - r.y + 1}, ROLE_BORDER, title, NULL);
        y++;
    }
    int detail = detail_rows(run, end - y, boxed);
    struct rect box = {r.x, y, r.w, end - y - detail}, below = {r.x, end - detail, r.w, detail};
    if (boxed) {
        draw_messages(v, f, (struct rect){box.x + 1, box.y + 1, box.w - 3, box.h - 2});
        canvas_box(f->canvas, box, ROLE_FOCUS, "Messages", "failed and in doubt first");
    } else {
        draw_messages(v, f, box);
    }
    detail_title(v, title, sizeof title);
    if (detail && boxed) {
        draw_detail(v, f, (struct rect){below.x + 2, below.y + 1, below.w - 4, below.h - 2}, &row);
        canvas_box(f->canvas, below, ROLE_BORDER, title, NULL);
    } else if (detail) {
        canvas_text(f->canvas, below.x + 2, below.y, below.w - 4, ROLE_HEAD, title);
        draw_detail(v, f, (struct rect){below.x + 2, below.y + 1, below.w - 4, below.h - 1}, &row);
    }
    draw_status(v, f, end, &row);
}

/* ---- keys ---- */

static enum action run_action(struct view *v, enum action action)
{
    struct run *r = v->state;
    struct operation_row row;
    const struct audit_list *l = messages_of(v);
    bool found = find_row(v, &row);
    size_t to = move_by(action, r->at, l ? l->message_count : 0, r->height);
    if (to != SIZE_MAX)
        r->at = to;
    else if (action == ACTION_OPEN)
        r->turned = !r->turned;
    else if (action == ACTION_REREAD)
        read_again(v);
    else if (action == ACTION_CHANGE)
        operation_change(v, found ? &row : NULL);
    else if (!operation_act(v, found ? &row : NULL, action))
        return action;
    return ACTION_NONE;
}

static bool run_offers(struct view *v, enum action action)
{
    struct operation_row row;
    return operation_offers(find_row(v, &row) ? &row : NULL, action);
}

/* While it runs the list below grows: now and then it is read anew, and once more at the end. */
static bool run_event(struct view *v, uint32_t changes)
{
    struct run *r = v->state;
    struct operation_row row;
    if (!(changes & SCREEN_JOBS) || screen_top(v->screen) != v || !find_row(v, &row))
        return changes & SCREEN_JOBS;
    bool runs = row.beginning || (row.state == OPERATION_RUNNING && row.job);
    bool due = runs ? clock_wall_ns() - r->read_ns >= REREAD_NS : !r->ended;
    r->ended = !runs;
    if (due && *r->id)
        read_again(v);
    return true;
}

static void run_close(struct view *v)
{
    struct run *r = v->state;
    arena_free(&r->arena);
    redactor_free(&r->redactor);
}

static void run_enter(struct view *v, const void *argument)
{
    struct run *r = v->state;
    const struct run_argument *a = argument;
    if (!a)
        return;
    run_close(v);
    *r = (struct run){.job = a->job};
    arena_init(&r->arena, 4 * MIB);
    text_copy(r->id, sizeof r->id, a->id);
    read_again(v);
}

static void run_crumb(const struct view *v, char *into, size_t size)
{
    const struct run *r = v->state;
    snprintf(into, size, "%s", r->id);
}

extern const struct view_ops run_view;
const struct view_ops run_view = {
    .name = "operation",
    .title = "One operation",
    .keys = KEYS_RUN,
    .state_size = sizeof(struct run),
    .enter = run_enter,
    .close = run_close,
    .on_event = run_event,
    .draw = run_draw,
    .action = run_action,
    .offers = run_offers,
    .crumb = run_crumb,
};
