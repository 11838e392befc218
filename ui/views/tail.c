/* DESIGN. Rows are messages of the store, named by id. Without a filter row i is the i-th id of the store; with one, the
 * ids that match stand in a list, which grows in slices (tail_work), so that no key waits for a large store. Following
 * keeps the cursor on the newest; any move upwards pauses: the screen stands still while the stream goes on. */
#include "ui/views/tail.h"

#include "base/text.h"
#include "engine/decode.h"
#include "ui/paint.h"
#include "ui/screen.h"

#include <stdio.h>
#include <stdlib.h>

struct tail {
    uint32_t serial; /* of the hub's tail that the ids belong to */
    bool paused;
    uint64_t on, top_id;                     /* the cursor's message, the first one shown: paused only */
    uint64_t paused_at;                      /* newest id when it was paused */
    size_t height;                           /* rows, as last drawn */
    struct filter *filter;                   /* NULL: none */
    char filter_text[1024], kept_text[1024]; /* as applied; as it was before the line was opened */
    uint64_t *ids;                           /* that match, ascending; from head on */
    size_t head, count, cap;
    uint64_t scanned; /* newest id that the filter has seen */
    struct filter *find;
    int finding;      /* direction of a search under way; 0 none */
    uint64_t find_at; /* next id to look at */
};

/* ---- rows ---- */

static bool is_gap(const struct message *m)
{
    return !strcmp(m->origin->endpoint, "signalbox");
}

/* Ids that left the store leave the list. */
static void forget_evicted(struct tail *t, const struct store *s)
{
    uint64_t oldest = store_oldest(s);
    while (t->count && t->ids[t->head] < oldest) {
        t->head++;
        t->count--;
    }
    if (t->head > 1024 && t->head > t->count) {
        memmove(t->ids, t->ids + t->head, t->count * sizeof *t->ids);
        t->head = 0;
    }
}

static size_t row_count(const struct view *v)
{
    const struct tail *t = v->state;
    return t->filter ? t->count : (size_t)store_count(hub_store(v->hub));
}

static uint64_t row_id(const struct view *v, size_t row)
{
    const struct tail *t = v->state;
    return t->filter ? t->ids[t->head + row] : store_oldest(hub_store(v->hub)) + row;
}

/* The row of id, or of the next newer one that is shown. */
static size_t row_of(const struct view *v, uint64_t id)
{
    size_t low = 0, high = row_count(v);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (row_id(v, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    size_t count = row_count(v);
    return low < count ? low : count ? count - 1 : 0;
}

static size_t cursor(const struct view *v)
{
    const struct tail *t = v->state;
    size_t count = row_count(v);
    return t->paused ? row_of(v, t->on) : count ? count - 1 : 0;
}

static void pause_at(struct view *v, size_t row)
{
    struct tail *t = v->state;
    size_t count = row_count(v);
    if (count == 0)
        return;
    if (!t->paused) {
        t->paused = true;
        t->paused_at = store_newest(hub_store(v->hub));
        t->top_id = row_id(v, count > t->height ? count - t->height : 0);
    }
    t->on = row_id(v, row < count ? row : count - 1);
}

static void follow(struct tail *t)
{
    t->paused = false;
    t->finding = 0;
}

uint64_t tail_neighbour(struct view *v, uint64_t id, int step)
{
    size_t count = row_count(v), row = count ? row_of(v, id) : 0;
    while (count && (step > 0 ? row + 1 < count : row > 0)) {
        row = step > 0 ? row + 1 : row - 1;
        const struct message *m = store_get(hub_store(v->hub), row_id(v, row));
        if (!m || is_gap(m))
            continue;
        pause_at(v, row);
        return row_id(v, row);
    }
    return 0;
}

/* ---- filtering and finding, in slices ---- */

static void add_match(struct tail *t, uint64_t id)
{
    if (t->head + t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 1024;
        uint64_t *ids = reallocarray(t->ids, cap, sizeof *ids);
        if (!ids)
            return;
        t->ids = ids;
        t->cap = cap;
    }
    t->ids[t->head + t->count++] = id;
}

static void set_filter(struct view *v, struct filter *filter, const char *text)
{
    struct tail *t = v->state;
    filter_free(&t->filter);
    t->filter = *text ? filter : NULL;
    if (!*text)
        filter_free(&filter);
    text_copy(t->filter_text, sizeof t->filter_text, text);
    t->head = t->count = 0;
    t->scanned = 0;
}

static bool filter_slice(struct view *v, int64_t deadline_ns)
{
    struct tail *t = v->state;
    const struct store *s = hub_store(v->hub);
    uint64_t newest = store_newest(s);
    int64_t now = clock_wall_ns();
    if (!t->filter)
        return false;
    forget_evicted(t, s);
    if (t->scanned + 1 < store_oldest(s))
        t->scanned = store_oldest(s) - 1;
    for (unsigned n = 0; t->scanned < newest; n++) {
        if (n % 32 == 31 && clock_mono_ns() >= deadline_ns)
            return true;
        const struct message *m = store_get(s, ++t->scanned);
        if (m && (is_gap(m) || filter_message(t->filter, m, now)))
            add_match(t, t->scanned);
    }
    return false;
}

static bool find_slice(struct view *v, int64_t deadline_ns)
{
    struct tail *t = v->state;
    const struct store *s = hub_store(v->hub);
    int64_t now = clock_wall_ns();
    for (unsigned n = 0; t->finding; n++) {
        if (n % 32 == 31 && clock_mono_ns() >= deadline_ns)
            return true;
        const struct message *m = store_get(s, t->find_at);
        if (!m) {
            screen_say(v->screen, SEVERITY_INFO, "No match %s: `%s`", t->finding < 0 ? "above" : "below",
                       filter_text(t->find));
            t->finding = 0;
        } else if (!is_gap(m) && filter_message(t->find, m, now) &&
                   (!t->filter || filter_message(t->filter, m, now))) {
            pause_at(v, row_of(v, t->find_at));
            t->finding = 0;
        }
        t->find_at += (uint64_t)t->finding;
    }
    return false;
}

static bool tail_work(struct view *v, int64_t deadline_ns)
{
    bool more = filter_slice(v, deadline_ns);
    return find_slice(v, deadline_ns) || more;
}

static void find_from_cursor(struct view *v, int step)
{
    struct tail *t = v->state;
    if (!t->find) {
        screen_say(v->screen, SEVERITY_INFO, "Nothing to find yet: / asks what");
        return;
    }
    if (row_count(v) == 0)
        return;
    t->finding = step;
    t->find_at = row_id(v, cursor(v)) + (uint64_t)step;
}

/* ---- the line at the foot ---- */

static struct filter *compile(struct view *v, const char *text, struct prompt_note *note)
{
    struct err_info err = {.code = ERR_OK};
    struct filter *f = filter_new(text, FILTER_MESSAGES, hub_registry(v->hub)->decoders, &note->caret, &err);
    note->fault = !f;
    if (!f)
        snprintf(note->text, sizeof note->text, "%s%s%s", err.text, err.next[0] ? "; " : "", err.next);
    return f;
}

static void count_note(const struct view *v, struct prompt_note *note)
{
    const struct tail *t = v->state;
    char hits[32], all[32];
    const struct store *s = hub_store(v->hub);
    text_count(hits, sizeof hits, row_count(v));
    text_count(all, sizeof all, store_count(s));
    bool busy = t->filter && t->scanned < store_newest(s);
    snprintf(note->text, sizeof note->text, "%s of %s%s   filtered here   Enter keeps it, Esc goes back",
             hits, all, busy ? ", still looking" : "");
}

static void tail_typed(struct view *v, enum prompt_kind kind, const char *text, struct prompt_note *note)
{
    struct tail *t = v->state;
    if (kind == PROMPT_FILTER && !strcmp(text, t->filter_text)) {
        count_note(v, note);
        return;
    }
    struct filter *f = compile(v, text, note);
    if (f && kind == PROMPT_FILTER) {
        set_filter(v, f, text);
        filter_slice(v, clock_mono_ns() + 2 * NS_PER_MS);
        count_note(v, note);
        return;
    }
    filter_free(&f);
}

static void restore_filter(struct view *v)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    if (!strcmp(t->kept_text, t->filter_text))
        return;
    struct filter *f = compile(v, t->kept_text, &note);
    if (f)
        set_filter(v, f, t->kept_text);
}

static void tail_entered(struct view *v, enum prompt_kind kind, const char *text)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    if (kind == PROMPT_FILTER && !text) {
        restore_filter(v);
    } else if (kind == PROMPT_FILTER) {
        text_copy(t->kept_text, sizeof t->kept_text, text);
    } else if (kind == PROMPT_FIND && text && *text) {
        filter_free(&t->find);
        t->find = compile(v, text, &note);
        if (t->find)
            find_from_cursor(v, -1);
    }
}

/* ---- drawing ---- */

enum { T_FLAG, T_TIME, T_SOURCE, T_POSITION, T_KEY, T_FORMAT, T_SIZE, T_SUMMARY, T_COLUMNS };
static const struct column columns[T_COLUMNS] = {
    [T_FLAG] = {"", 1, false, 0, 0},           [T_TIME] = {"TIME", 12, false, 0, 0},
    [T_SOURCE] = {"SOURCE", 14, false, 0, 30}, [T_POSITION] = {"POSITION", 10, false, 0, 14},
    [T_KEY] = {"KEY", 10, false, 90, 24},      [T_FORMAT] = {"FMT", 5, false, 100, 0},
    [T_SIZE] = {"SIZE", 6, true, 0, 0},        [T_SUMMARY] = {"SUMMARY", 0, false, 0, 90},
};

static const char *flag_text(const struct message *m)
{
    return m->flags & MESSAGE_TRUNCATED     ? "!"
           : m->flags & MESSAGE_UNCOMMITTED ? "U"
           : m->flags & MESSAGE_DUPLICATE   ? "D"
           : m->flags & MESSAGE_REDELIVERED ? "R"
                                            : "";
}

static void draw_payload(struct view *v, struct frame *f, int y, const struct slot *slots,
                         const struct message *m)
{
    decoder_registry decoders = hub_registry(v->hub)->decoders;
    struct decode_choice choice = decode_choose(decoders, m, NULL);
    struct buffer summary;
    buffer_init(&summary, 4096);
    decode_summary(decoders, m, (size_t)(slots[T_SUMMARY].w > 0 ? slots[T_SUMMARY].w : 0), &summary);
    canvas_text(f->canvas, slots[T_FORMAT].x, y, slots[T_FORMAT].w, ROLE_FORMAT,
                m->payload.data ? choice.decoder->name : "null");
    canvas_bytes(f->canvas, slots[T_SUMMARY].x, y, slots[T_SUMMARY].w, ROLE_TEXT, buffer_view(&summary));
    buffer_free(&summary);
}

static void draw_message(struct view *v, struct frame *f, struct rect r, const struct message *m)
{
    const struct tail *t = v->state;
    struct slot slots[T_COLUMNS];
    char text[64];
    columns_fit(columns, T_COLUMNS, r.x, r.w, slots);
#define PUT(column, role, value) column_put(f->canvas, r.y, &columns[column], &slots[column], role, value)
    PUT(T_FLAG, ROLE_WARN, flag_text(m));
    PUT(T_TIME, t->find && filter_message(t->find, m, f->now_ns) ? ROLE_MATCH : ROLE_MUTED,
        clock_hms(m->time_ns == TIME_NONE ? m->received_ns : m->time_ns, text, sizeof text, 3));
    PUT(T_SOURCE, ROLE_SOURCE, m->origin->channel);
    PUT(T_POSITION, ROLE_MUTED, m->position.kind ? position_text(m->position, text, sizeof text) : "–");
    PUT(T_SIZE, ROLE_TEXT, text_count(text, sizeof text, m->payload.len));
#undef PUT
    canvas_bytes(f->canvas, slots[T_KEY].x, r.y, slots[T_KEY].w, ROLE_TEXT, m->key);
    draw_payload(v, f, r.y, slots, m);
}

static void draw_gap(struct frame *f, struct rect r, const struct message *m)
{
    char text[24];
    int x = r.x + 2;
    canvas_fill(f->canvas, r, ROLE_WARN, 0x2500);
    x += canvas_printf(f->canvas, x, r.y, r.w, ROLE_WARN,
                       " %s %s: ", clock_hms(m->time_ns, text, sizeof text, 3), m->origin->channel);
    x += canvas_bytes(f->canvas, x, r.y, r.x + r.w - x - 1, ROLE_WARN, m->payload);
    canvas_cell(f->canvas, x, r.y, ROLE_WARN, ' ');
}

/* Nothing to show: why, channel by channel. */
static void draw_empty(struct view *v, struct frame *f, struct rect r, const struct hub_tail *h)
{
    const struct tail *t = v->state;
    char text[480];
    if (t->filter && store_count(hub_store(v->hub))) {
        canvas_printf(f->canvas, r.x, r.y, r.w, ROLE_MUTED,
                      "Nothing that is held matches `%s`. Esc clears the filter.", t->filter_text);
        return;
    }
    for (size_t i = 0; i < h->channel_count && (int)i < r.h; i++) {
        const struct session_status *s = &h->channels[i].status;
        bool bad = s->err.code && s->err.code != ERR_END;
        const char *word = bad                              ? err_format(&s->err, text, sizeof text)
                           : s->state == SESSION_CONNECTING ? "connecting"
                           : s->state == SESSION_ENDED      ? "nothing is stored there"
                           : h->channels[i].notice[0]       ? h->channels[i].notice
                                                            : "connected, nothing has come yet";
        int x =
            canvas_printf(f->canvas, r.x, r.y + (int)i, 40, ROLE_SOURCE, "%s",
                          h->channels[i].address.channel.name ? h->channels[i].address.channel.name : "?");
        canvas_text(f->canvas, r.x + x + 2, r.y + (int)i, r.w - x - 2, bad ? ROLE_CRIT : ROLE_MUTED, word);
    }
}

static void draw_rows(struct view *v, struct frame *f, struct rect r, const struct hub_tail *h)
{
    struct tail *t = v->state;
    struct slot slots[T_COLUMNS];
    columns_fit(columns, T_COLUMNS, r.x + 2, r.w - 2, slots);
    columns_head(f->canvas, r.y, columns, T_COLUMNS, slots);
    size_t count = row_count(v), at = cursor(v);
    t->height = (size_t)(r.h - 1);
    size_t top = t->paused ? row_of(v, t->top_id) : count > t->height ? count - t->height : 0;
    scroll_to(&top, at, count, t->height);
    if (count == 0) {
        draw_empty(v, f, (struct rect){r.x + 2, r.y + 1, r.w - 2, r.h - 1}, h);
        return;
    }
    t->top_id = row_id(v, top);
    for (size_t i = 0; i < t->height && top + i < count; i++) {
        struct rect line = {r.x + 2, r.y + 1 + (int)i, r.w - 2, 1};
        const struct message *m = store_get(hub_store(v->hub), row_id(v, top + i));
        if (m && is_gap(m))
            draw_gap(f, line, m);
        else if (m)
            draw_message(v, f, line, m);
        if (top + i != at)
            continue;
        canvas_text(f->canvas, r.x, line.y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, (struct rect){r.x, line.y, r.w, 1});
        canvas_cursor(f->canvas, r.x, line.y, false);
    }
}

static void title_of(const struct hub_tail *h, char *into, size_t size)
{
    const char *first = h->channel_count ? h->channels[0].address.channel.name : NULL;
    if (h->channel_count > 1)
        snprintf(into, size, "%s + %zu", first ? first : "?", h->channel_count - 1);
    else
        snprintf(into, size, "%s", first ? first : "?");
}

static bool all_ended(const struct hub_tail *h)
{
    for (size_t i = 0; i < h->channel_count; i++)
        if (h->channels[i].status.state != SESSION_ENDED)
            return false;
    return h->channel_count > 0;
}

static enum role mode_of(const struct view *v, const struct hub_tail *h, char *into, size_t size)
{
    const struct tail *t = v->state;
    uint64_t newest = store_newest(hub_store(v->hub));
    char count[32];
    if (t->paused && newest > t->paused_at && !t->filter) {
        snprintf(into, size, "PAUSED +%s new", text_count(count, sizeof count, newest - t->paused_at));
    } else if (t->paused) {
        size_t rows = row_count(v), seen = rows ? row_of(v, t->paused_at + 1) : 0;
        size_t fresh = rows && row_id(v, seen) > t->paused_at ? rows - seen : 0;
        snprintf(into, size, fresh ? "PAUSED +%s new" : "PAUSED", text_count(count, sizeof count, fresh));
    } else {
        snprintf(into, size, all_ended(h) ? "END" : "LIVE");
    }
    return t->paused ? ROLE_PAUSED : ROLE_LIVE;
}

static int segment(struct frame *f, int x, int y, enum role role, const char *text)
{
    int used = canvas_text(f->canvas, x, y, f->canvas->w - 1 - x, role, text);
    return x + used + 3;
}

/* What came, what is held (rows of lost connections counted), how much of that is hidden, what was lost on the way. */
static void draw_status(struct view *v, struct frame *f, int y, const struct hub_tail *h)
{
    const struct tail *t = v->state;
    const struct store *s = hub_store(v->hub);
    char text[80], a[32], b[32], mode[48];
    uint64_t held = store_count(s);
    enum role role = mode_of(v, h, mode, sizeof mode);
    int x = segment(f, 1, y, role, mode);
    snprintf(text, sizeof text, "%s/s %s/s", paint_rate(h->rate, a, sizeof a),
             text_bytes(b, sizeof b, (uint64_t)(h->byte_rate > 0 ? h->byte_rate : 0)));
    x = segment(f, x, y, ROLE_TEXT, text);
    snprintf(text, sizeof text, "received %s", text_count(a, sizeof a, h->received));
    x = segment(f, x, y, ROLE_TEXT, text);
    snprintf(text, sizeof text, "rows %s", text_count(a, sizeof a, held));
    x = segment(f, x, y, ROLE_TEXT, text);
    snprintf(text, sizeof text, "not shown %s", text_count(a, sizeof a, t->filter ? held - t->count : 0));
    x = segment(f, x, y, t->filter ? ROLE_WARN : ROLE_TEXT, text);
    snprintf(text, sizeof text, "dropped %s", text_count(a, sizeof a, h->dropped));
    segment(f, x, y, h->dropped ? ROLE_CRIT : ROLE_TEXT, text);
}

/* What the operator must know about this reading: what a tap misses, why a browse stopped. */
static void draw_remark(struct frame *f, int x, int y, int w, const struct hub_tail *h)
{
    for (size_t i = 0; i < h->channel_count; i++) {
        const char *stopped = h->channels[i].status.progress.stopped;
        const char *say = h->channels[i].notice[0] ? h->channels[i].notice : stopped;
        if (say[0]) {
            canvas_printf(f->canvas, x, y, w, ROLE_EFFECT, "%s: %s", h->channels[i].address.channel.name,
                          say);
            return;
        }
    }
}

static void draw_rate(struct frame *f, int x, int y, int w, const struct hub_tail *h)
{
    float values[60];
    int count = w > 60 ? 60 : w;
    bool any = h->rate > 0;
    for (int i = 0; i < count; i++) {
        values[i] = h->per_second[60 - count + i];
        any |= values[i] > 0;
    }
    paint_spark(f->canvas, x, y, values, count);
    if (any) /* it moves on by itself until all of it is nought */
        frame_wake(f, (f->now_ns / NS_PER_S + 1) * NS_PER_S);
}

static void draw_boxed(struct view *v, struct frame *f, struct rect r, const struct hub_tail *h)
{
    const struct tail *t = v->state;
    char title[160], right[1100], mode[48], name[128];
    canvas_box(f->canvas, (struct rect){r.x, r.y, r.w, 3}, ROLE_BORDER, "Rate", "1 column = 1 second");
    int x = r.x + 2 + canvas_printf(f->canvas, r.x + 2, r.y + 1, 20, ROLE_MUTED, "40 s ago ");
    draw_rate(f, x, r.y + 1, 40, h);
    x += 41;
    x += canvas_printf(f->canvas, x, r.y + 1, 20, ROLE_MUTED, "now   gaps %llu",
                       (unsigned long long)h->gap_count) +
         3;
    draw_remark(f, x, r.y + 1, r.x + r.w - 2 - x, h);
    struct rect box = {r.x, r.y + 3, r.w, r.h - 3};
    draw_rows(v, f, (struct rect){box.x + 1, box.y + 1, box.w - 3, box.h - 2}, h);
    title_of(h, name, sizeof name);
    mode_of(v, h, mode, sizeof mode);
    snprintf(title, sizeof title, "Tail  %s", name);
    snprintf(right, sizeof right, "%s   filter %s", mode, t->filter ? t->filter_text : "none");
    canvas_box(f->canvas, box, ROLE_BORDER, title, right);
}

static void tail_draw(struct view *v, struct frame *f, struct rect r)
{
    const struct hub_tail *h = hub_tail(v->hub);
    const struct tail *t = v->state;
    struct rect body = {r.x, r.y, r.w, r.h - 1};
    if (!h) {
        canvas_text(
            f->canvas, r.x + 2, r.y + 1, r.w - 4, ROLE_MUTED,
            "No tail is open. Choose a channel on the dashboard (1) and press t, or :tail ENDPOINT/CHANNEL");
        return;
    }
    if (r.w >= 100 && r.h >= 26) {
        draw_boxed(v, f, body, h);
    } else {
        int x = 1 + canvas_printf(f->canvas, 1, r.y, r.w - 23, t->filter ? ROLE_WARN : ROLE_MUTED,
                                  "filter %s", t->filter ? t->filter_text : "none");
        draw_rate(f, r.w - 21, r.y, 20, h);
        draw_remark(f, x + 2, r.y, r.w - 24 - x, h);
        draw_rows(v, f, (struct rect){body.x, body.y + 1, body.w, body.h - 1}, h);
    }
    draw_status(v, f, r.y + r.h - 1, h);
}

/* ---- actions ---- */

static void inspect(struct view *v)
{
    size_t row = cursor(v);
    uint64_t id = row_count(v) ? row_id(v, row) : 0;
    const struct message *m = id ? store_get(hub_store(v->hub), id) : NULL;
    if (!m || is_gap(m))
        return;
    pause_at(v, row);
    screen_show(v->screen, VIEW_INSPECTOR, &id);
}

static void open_filter(struct view *v)
{
    struct tail *t = v->state;
    text_copy(t->kept_text, sizeof t->kept_text, t->filter_text);
    screen_prompt(v->screen, PROMPT_FILTER, t->filter_text);
}

static bool move(struct view *v, enum action action)
{
    size_t at = cursor(v), to = move_by(action, at, row_count(v), ((struct tail *)v->state)->height);
    if (to == SIZE_MAX)
        return false;
    if (action == ACTION_BOTTOM)
        follow(v->state);
    else if (to != at || action == ACTION_UP)
        pause_at(v, to);
    return true;
}

static enum action tail_action(struct view *v, enum action action)
{
    struct tail *t = v->state;
    if (!hub_tail(v->hub))
        return action;
    switch (action) {
    case ACTION_PAUSE:
        if (t->paused)
            follow(t);
        else
            pause_at(v, cursor(v));
        break;
    case ACTION_FOLLOW: follow(t); break;
    case ACTION_OPEN:
    case ACTION_INSPECT: inspect(v); break;
    case ACTION_FIND: screen_prompt(v->screen, PROMPT_FIND, ""); break;
    case ACTION_NEXT: find_from_cursor(v, -1); break;
    case ACTION_PREVIOUS: find_from_cursor(v, 1); break;
    case ACTION_FILTER: open_filter(v); break;
    case ACTION_CANCEL:
        if (!t->finding)
            return action;
        t->finding = 0;
        break;
    case ACTION_BACK:
        if (!t->filter)
            return action;
        set_filter(v, NULL, "");
        break;
    default: return move(v, action) ? ACTION_NONE : action;
    }
    return ACTION_NONE;
}

/* Another tail has another store: ids begin anew. */
static void renew(struct view *v)
{
    struct tail *t = v->state;
    const struct hub_tail *h = hub_tail(v->hub);
    uint32_t serial = h ? h->serial : 0;
    if (serial == t->serial)
        return;
    t->serial = serial;
    follow(t);
    t->head = t->count = 0;
    t->scanned = 0;
}

static void tail_enter(struct view *v, const void *argument)
{
    (void)argument;
    renew(v);
}

static bool tail_event(struct view *v, uint32_t changes)
{
    renew(v);
    return changes & HUB_TAIL;
}

static void tail_crumb(const struct view *v, char *into, size_t size)
{
    const struct hub_tail *h = hub_tail(v->hub);
    if (h)
        title_of(h, into, size);
}

static void tail_close(struct view *v)
{
    struct tail *t = v->state;
    filter_free(&t->filter);
    filter_free(&t->find);
    free(t->ids);
}

extern const struct view_ops tail_view;
const struct view_ops tail_view = {
    .name = "tail",
    .title = "Tail",
    .keys = KEYS_TAIL,
    .state_size = sizeof(struct tail),
    .close = tail_close,
    .enter = tail_enter,
    .on_event = tail_event,
    .work = tail_work,
    .draw = tail_draw,
    .action = tail_action,
    .typed = tail_typed,
    .entered = tail_entered,
    .crumb = tail_crumb,
};
