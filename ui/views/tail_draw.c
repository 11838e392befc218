#include "ui/views/tail_rows.h"

#include "base/text.h"
#include "base/utf8.h"
#include "engine/decode.h"
#include "ui/paint.h"

#include <stdio.h>
#include <string.h>

#define BROWSE_MOST 10000 /* more than this nobody reads row by row */

enum { T_FLAG, T_TIME, T_SOURCE, T_POSITION, T_KEY, T_FORMAT, T_SIZE, T_SUMMARY, T_COLUMNS };
static const struct column columns[T_COLUMNS] = {
    [T_FLAG] = {"", 1, false, 0, 0},           [T_TIME] = {"TIME", 12, false, 0, 0},
    [T_SOURCE] = {"SOURCE", 15, false, 0, 30}, [T_POSITION] = {"POSITION", 10, false, 66, 14},
    [T_KEY] = {"KEY", 10, false, 90, 24},      [T_FORMAT] = {"FMT", 6, false, 100, 0},
    [T_SIZE] = {"SIZE", 6, true, 0, 0},        [T_SUMMARY] = {"SUMMARY", 0, false, 0, 90},
};

/* Channels of several endpoints may have one name. */
static bool several_endpoints(const struct hub_tail *h)
{
    for (size_t i = 1; i < h->channel_count; i++)
        if (h->channels[i].address.endpoint != h->channels[0].address.endpoint)
            return true;
    return false;
}

/* Of one channel the title names it: the room is its messages'. Of several endpoints each row has two names. */
static void fit(const struct hub_tail *h, int x, int w, struct slot *slots)
{
    struct column own[T_COLUMNS];
    memcpy(own, columns, sizeof own);
    if (h->channel_count == 1) {
        own[T_SOURCE].from = 100;
        own[T_KEY].from = 66;
    }
    if (several_endpoints(h))
        own[T_SOURCE].width = 20;
    columns_fit(own, T_COLUMNS, x, w, slots);
}

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
    struct buffer summary;
    buffer_init(&summary, 4096);
    const char *format =
        decode_summary(decoders, m, (size_t)(slots[T_SUMMARY].w > 0 ? slots[T_SUMMARY].w : 0), &summary);
    canvas_text(f->canvas, slots[T_FORMAT].x, y, slots[T_FORMAT].w, ROLE_FORMAT,
                format ? format : FORMAT_OF_NULL);
    canvas_bytes(f->canvas, slots[T_SUMMARY].x, y, slots[T_SUMMARY].w, ROLE_TEXT, buffer_view(&summary));
    buffer_free(&summary);
}

/* The time of day, of today, to the millisecond where that is known; the date of another day. Twelve cells. */
static const char *moment(const struct message *m, int64_t now_ns, char *into, size_t size)
{
    int64_t ns = m->time_ns == TIME_NONE ? m->received_ns : m->time_ns;
    char full[CLOCK_TEXT], now[CLOCK_TEXT];
    clock_rfc3339(ns, full, sizeof full);
    clock_rfc3339(now_ns, now, sizeof now);
    if (!strncmp(full, now, strlen("2026-11-25")))
        return clock_hms(ns, into, size, message_time_is_whole(m) ? 0 : 3);
    bool year = !strncmp(full, now, strlen("2026"));
    snprintf(into, size, "%.*s%s%.*s", year ? 5 : 10, full + (year ? 5 : 0), year ? " " : "", year ? 5 : 0,
             full + 11);
    return into;
}

/* What was looked at is known: to unpack it anew for each frame would take too long. */
static bool is_marked(const struct matches *find, uint64_t id, const struct message *m, int64_t now_ns)
{
    if (!find->filter)
        return false;
    return id <= find->scanned ? matches_has(find, id)
                               : filter_message(find->filter, m, now_ns) == FILTER_YES;
}

static bool draw_mark(const struct view *v, struct frame *f, struct rect r, uint64_t id,
                      const struct message *m)
{
    const struct tail *t = v->state;
    bool found = is_marked(&t->find, id, m, f->now_ns);
    if (tail_has_mark(t, id))
        canvas_text(f->canvas, r.x - 1, r.y, 1, ROLE_WARN, "■");
    else if (found)
        canvas_text(f->canvas, r.x - 1, r.y, 1, ROLE_MATCH, "•");
    return found;
}

static void draw_message(struct view *v, struct frame *f, struct rect r, uint64_t id, const struct message *m)
{
    struct slot slots[T_COLUMNS];
    char text[600], name[320];
    fit(hub_tail(v->hub), r.x, r.w, slots);
#define PUT(column, role, value) column_put(f->canvas, r.y, &columns[column], &slots[column], role, value)
    PUT(T_FLAG, ROLE_WARN, flag_text(m));
    bool found = draw_mark(v, f, r, id, m);
    /* Without a time of its own a message that comes has that of its coming; one that is looked at has none. */
    bool timeless = m->time_ns == TIME_NONE && tail_is_browse(v);
    PUT(T_TIME, found ? ROLE_MATCH : ROLE_MUTED, timeless ? "–" : moment(m, f->now_ns, text, sizeof text));
    const struct origin *from = m->origin;
    PUT(T_SOURCE, ROLE_SOURCE,
        several_endpoints(hub_tail(v->hub))
            ? paint_source(from->endpoint, from->channel, slots[T_SOURCE].w, name, sizeof name)
            : paint_name(from->channel, slots[T_SOURCE].w, name, sizeof name));
    PUT(T_POSITION, ROLE_MUTED, m->position.kind ? position_text(m->position, text, sizeof text) : "–");
    PUT(T_SIZE, ROLE_TEXT, paint_bytes(m->payload.len, slots[T_SIZE].w, text, sizeof text));
#undef PUT
    canvas_bytes(f->canvas, slots[T_KEY].x, r.y, slots[T_KEY].w, ROLE_TEXT, message_label(m));
    draw_payload(v, f, r.y, slots, m);
}

enum {
    GAP_BYTES = 700,
    GAP_FRAME = 4, /* cells of the line that the text stands in */
    ROW_FRAME = 5, /* of box, cursor and mark beside a row, at most */
};

static void gap_text(const struct message *m, char *into, size_t size)
{
    char hms[24], name[64];
    struct bytes text = paint_without_source(m->payload, m->origin->channel);
    snprintf(into, size, "%s %s: %.*s", clock_hms(m->time_ns, hms, sizeof hms, 3),
             paint_name(m->origin->channel, 20, name, sizeof name), (int)text.len, (const char *)text.data);
}

static void draw_gap(const struct view *v, struct frame *f, struct rect r, uint64_t id,
                     const struct message *m)
{
    char text[GAP_BYTES];
    int x = r.x + 3;
    canvas_fill(f->canvas, r, ROLE_WARN, 0x2500);
    draw_mark(v, f, r, id, m);
    gap_text(m, text, sizeof text);
    canvas_cell(f->canvas, x - 1, r.y, ROLE_WARN, ' ');
    x += canvas_text(f->canvas, x, r.y, r.w - GAP_FRAME, ROLE_WARN, text);
    canvas_cell(f->canvas, x, r.y, ROLE_WARN, ' ');
}

/* What a row of a gap has no room for stands at the foot while the cursor is on it, as in the log. Returns how many rows it takes. */
static int draw_whole_gap(const struct view *v, struct frame *f, struct rect r)
{
    enum { MOST_ROWS = 4 };
    const struct tail *t = v->state;
    char text[GAP_BYTES];
    size_t count = tail_row_count(v);
    const struct message *m =
        count && t->place.paused ? store_get(hub_store(v->hub), tail_row_id(v, tail_cursor(v))) : NULL;
    if (!m || !tail_is_gap(m))
        return 0;
    gap_text(m, text, sizeof text);
    if ((int)utf8_cells(bytes_of_text(text)) <= r.w - ROW_FRAME - GAP_FRAME)
        return 0;
    struct rect foot = {r.x + 2, 0, r.w - 4, 0};
    foot.h = canvas_words(f->canvas, foot, ROLE_MUTED, bytes_of_text(text));
    foot.h = foot.h > MOST_ROWS ? MOST_ROWS : foot.h;
    foot.y = r.y + r.h - foot.h;
    canvas_words(f->canvas, foot, ROLE_MUTED, bytes_of_text(text));
    return foot.h;
}

/* The filter of a browse is asked of what is stored, the view's own of what is held. */
static void draw_no_match(const struct view *v, struct frame *f, struct rect r, const struct hub_tail *h)
{
    const struct tail *t = v->state;
    const struct address *a = &h->channels[0].address;
    char quote = strchr(t->filter.text, '\'') ? '"' : '\'';
    canvas_printf(f->canvas, r.x, r.y++, r.w, ROLE_MUTED,
                  "Nothing that is held matches `%s`. Esc clears the filter.", t->filter.text);
    if (*filter_remark(t->filter.filter))
        canvas_text(f->canvas, r.x, r.y++, r.w, ROLE_WARN, filter_remark(t->filter.filter));
    if (tail_is_browse(v) && !*h->how.where)
        canvas_printf(f->canvas, r.x, r.y, r.w, ROLE_MUTED,
                      ":browse %s/%s --where %c%s%c looks at all of it.", a->endpoint->endpoint.name,
                      a->channel.name, quote, t->filter.text, quote);
}

/* What has happened has its row in the time line and its line in the log: here it would soon read as if it still were so. */
static const char *notice_of(struct frame *f, const struct hub_tail *h, size_t channel)
{
    int64_t over_ns = h->channels[channel].notice_ns + 30 * NS_PER_S;
    if (!h->channels[channel].notice_ns)
        return h->channels[channel].notice;
    if (f->now_ns >= over_ns)
        return "";
    frame_wake(f, over_ns);
    return h->channels[channel].notice;
}

static const char *empty_word(const struct hub_tail *h, size_t channel, bool evicted)
{
    const struct session_status *s = &h->channels[channel].status;
    bool browse = h->how.mode == READ_BROWSE, some = *h->how.where && s->progress.scanned;
    if (s->state == SESSION_CONNECTING)
        return browse ? "opening" : "connecting";
    if (s->state == SESSION_ENDED)
        return some ? "nothing that is stored there matches" : "nothing is stored there";
    if (h->channels[channel].notice[0])
        return h->channels[channel].notice;
    if (evicted)
        return "connected; what had come made room for what was browsed";
    return browse          ? "reading"
           : *h->how.where ? "connected, nothing that matches has come yet"
                           : "connected, nothing has come yet";
}

/* What the dashboard knows of a broker that this tail is still connecting to; NULL: no trouble. */
static const char *known_trouble(const struct view *v, const struct config_endpoint *endpoint, char *into,
                                 size_t size)
{
    for (size_t i = 0; i < hub_endpoint_count(v->hub); i++) {
        const struct hub_endpoint *e = hub_endpoint(v->hub, i);
        char why[400];
        if (e->config != endpoint || !e->status.err.code || e->status.state == SESSION_UP)
            continue;
        snprintf(into, size, "connecting; it did not answer before: %s",
                 err_format(&e->status.err, why, sizeof why));
        return into;
    }
    return NULL;
}

/* Nothing to show: why, channel by channel. */
static void draw_empty(struct view *v, struct frame *f, struct rect r, const struct hub_tail *h)
{
    const struct tail *t = v->state;
    char text[480];
    if (t->filter.filter && store_count(hub_store(v->hub))) {
        draw_no_match(v, f, r, h);
        return;
    }
    for (size_t i = 0; i < h->channel_count && r.h > 0; i++) {
        const struct session_status *s = &h->channels[i].status;
        bool bad = s->err.code && s->err.code != ERR_END;
        const char *before = s->state == SESSION_CONNECTING
                                 ? known_trouble(v, h->channels[i].address.endpoint, text, sizeof text)
                                 : NULL;
        const char *word = bad      ? err_format(&s->err, text, sizeof text)
                           : before ? before
                                    : empty_word(h, i, store_newest(hub_store(v->hub)) > 0);
        const char *name = h->channels[i].address.channel.name;
        int x = r.x + 2 + canvas_text(f->canvas, r.x, r.y, 40, ROLE_SOURCE, name ? name : "?");
        int rows = canvas_words(f->canvas, (struct rect){x, r.y, r.x + r.w - x, r.h},
                                bad ? ROLE_CRIT : ROLE_MUTED, bytes_of_text(word));
        r.y += rows;
        r.h -= rows;
    }
    if (r.h > 0)
        canvas_text(f->canvas, r.x, r.y, r.w, ROLE_WARN, t->where_remark);
}

static void draw_rows(struct view *v, struct frame *f, struct rect r, const struct hub_tail *h)
{
    struct tail *t = v->state;
    struct slot slots[T_COLUMNS];
    fit(h, r.x + 2, r.w - 2, slots);
    columns_head(f->canvas, r.y, columns, T_COLUMNS, slots);
    size_t count = tail_row_count(v), at = tail_cursor(v);
    t->height = (size_t)(r.h - 1);
    size_t top = t->place.paused     ? tail_row_of(v, t->place.top_id)
                 : count > t->height ? count - t->height
                                     : 0;
    scroll_to(&top, at, count, t->height);
    if (count == 0) {
        draw_empty(v, f, (struct rect){r.x + 2, r.y + 1, r.w - 2, r.h - 1}, h);
        return;
    }
    t->place.top_id = tail_row_id(v, top);
    for (size_t i = 0; i < t->height && top + i < count; i++) {
        struct rect line = {r.x + 2, r.y + 1 + (int)i, r.w - 2, 1};
        const struct message *m = store_get(hub_store(v->hub), tail_row_id(v, top + i));
        if (m && tail_is_gap(m))
            draw_gap(v, f, line, tail_row_id(v, top + i), m);
        else if (m)
            draw_message(v, f, line, tail_row_id(v, top + i), m);
        if (top + i != at)
            continue;
        canvas_text(f->canvas, r.x, line.y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, (struct rect){r.x, line.y, r.w, 1});
        canvas_cursor(f->canvas, r.x, line.y, false);
    }
}

void tail_title(const struct hub_tail *h, char *into, size_t size)
{
    const char *first = h->channel_count ? h->channels[0].address.channel.name : NULL;
    if (h->channel_count > 1)
        snprintf(into, size, "%s + %zu", first ? first : "?", h->channel_count - 1);
    else
        snprintf(into, size, "%s", first ? first : "?");
}

/* From the start, all partitions, as it is. */
static bool is_plain(const struct hub_read *how)
{
    return how->start.kind == START_DEFAULT && how->partition < 0 && !how->flags && !*how->where;
}

/* What counts towards the limit is what was looked at, or, of those that were asked for, what was found. */
static bool limit_reached(const struct hub_tail *h)
{
    int64_t counted = *h->how.where ? (int64_t)h->received : h->channels[0].status.progress.scanned;
    return h->how.limit > 0 && counted >= h->how.limit;
}

/* Can it be read from its end as well? A queue gives its head alone. */
static bool has_ends(const struct view *v, const struct hub_tail *h)
{
    const struct message *m = store_get(hub_store(v->hub), store_newest(hub_store(v->hub)));
    enum channel_kind kind = m && !tail_is_gap(m) ? m->origin->kind : h->channels[0].address.channel.kind;
    return kind == CHANNEL_TOPIC || kind == CHANNEL_STREAM;
}

/* Which of what is stored is shown: of what has two ends, and was read from the first one, the other one is offered. */
static bool from_first(const struct view *v, const struct hub_tail *h)
{
    enum start_kind kind = h->how.start.kind;
    return (kind == START_DEFAULT || kind == START_BEGINNING) && !*h->how.where && has_ends(v, h);
}

/* Why a browse stopped, and how to see more where its limit did it: as a whole command where that says all of this look, and of it
 * what has room: the flags at least. */
static void draw_stopped(const struct view *v, struct frame *f, int x, int y, int w, const struct hub_tail *h)
{
    const struct tail *t = v->state;
    const struct read_progress *p = &h->channels[0].status.progress;
    const struct address *a = &h->channels[0].address;
    char why[160], command[700] = "", newest[64] = "", text[1000], read[32], total[32];
    bool limited = limit_reached(h) && p->total > p->scanned, first = limited && from_first(v, h);
    bool more = limited && h->how.limit < BROWSE_MOST;
    long long limit = h->how.limit < BROWSE_MOST / 10 ? h->how.limit * 10 : BROWSE_MOST;
    snprintf(why, sizeof why, "%s",
             limit_reached(h) ? "the limit was reached"
             : h->full        ? "the store is full: choose with --where or --from, or raise limits.store"
                              : p->stopped);
    if (first) {
        snprintf(why, sizeof why, "the first %s of %s%s", text_count(read, sizeof read, (uint64_t)p->scanned),
                 paint_upper(f->canvas, p->total_upper), text_count(total, sizeof total, (uint64_t)p->total));
        snprintf(newest, sizeof newest, "%s: --from end-%lld", more ? "; newest" : "Newest",
                 (long long)p->scanned);
    }
    if (more && !t->filter.filter && is_plain(&h->how))
        snprintf(command, sizeof command, ":browse %s/%s ", a->endpoint->endpoint.name, a->channel.name);
    for (int cut = 0; cut < 3; cut++) {
        bool whole = cut < 2;
        size_t used = (size_t)snprintf(text, sizeof text, "%s%s", whole ? why : "",
                                       (more || first) && whole ? ". " : "");
        if (more)
            used += (size_t)snprintf(text + used, sizeof text - used, "More: %s--limit %lld",
                                     cut ? "" : command, limit);
        snprintf(text + used, sizeof text - used, "%s", newest);
        if (!limited || (int)utf8_cells(bytes_of_text(text)) <= w)
            break;
    }
    canvas_text(f->canvas, x, y, w, ROLE_EFFECT, text);
}

/* Its rows are what the others send: why one of several is not among them. */
static bool draw_failed(struct frame *f, int x, int y, int w, const struct hub_tail *h)
{
    const struct session_status *first = NULL;
    const char *name = "?";
    char more[40] = "";
    size_t count = 0;
    for (size_t i = 0; i < h->channel_count; i++) {
        const struct session_status *s = &h->channels[i].status;
        if (s->state != SESSION_ENDED || !s->err.code || s->err.code == ERR_END)
            continue;
        if (count++ == 0) {
            first = s;
            name = h->channels[i].address.channel.name;
        }
    }
    if (!first || h->channel_count < 2 || !h->received)
        return false;
    if (count > 1)
        snprintf(more, sizeof more, " (+%zu more: 3 Log)", count - 1);
    canvas_printf(f->canvas, x, y, w, ROLE_CRIT, "%s%s: %s", name ? name : "?", more, first->err.text);
    return true;
}

/* What the operator must know about this reading: what failed, what a tap misses, why a browse stopped. */
static void draw_remark(const struct view *v, struct frame *f, int x, int y, int w, const struct hub_tail *h)
{
    bool said = draw_failed(f, x, y, w, h);
    for (size_t i = 0; !said && i < h->channel_count; i++) {
        const char *stopped = h->channels[i].status.progress.stopped, *notice = notice_of(f, h, i);
        const char *name = h->channels[i].address.channel.name;
        if (*notice)
            canvas_text(f->canvas, x, y, w, ROLE_EFFECT, notice);
        else if (stopped[0] && h->channel_count == 1)
            draw_stopped(v, f, x, y, w, h);
        else if (stopped[0])
            canvas_printf(f->canvas, x, y, w, ROLE_EFFECT, "%s: %s", name ? name : "?", stopped);
        else
            continue;
        return;
    }
}

/* What else is stored is not here. Returns where it ends. */
static int draw_where(struct frame *f, int x, int y, int w, const struct hub_tail *h)
{
    return *h->how.where ? x + canvas_printf(f->canvas, x, y, w, ROLE_WARN, "where %s", h->how.where) + 2 : x;
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

/* Returns where it ends. */
static int draw_rate_line(struct frame *f, int x, int y, const struct hub_tail *h)
{
    x += canvas_printf(f->canvas, x, y, 20, ROLE_MUTED, "40 s ago ");
    draw_rate(f, x, y, 40, h);
    x += 41;
    return x +
           canvas_printf(f->canvas, x, y, 20, ROLE_MUTED, "now   gaps %llu",
                         (unsigned long long)h->gap_count) +
           3;
}

static void draw_boxed(struct view *v, struct frame *f, struct rect r, const struct hub_tail *h)
{
    const struct tail *t = v->state;
    char title[160], right[1120], mode[64], name[128];
    bool browse = h->how.mode == READ_BROWSE;
    struct rect above = {r.x, r.y, r.w, 3};
    canvas_box(f->canvas, above, ROLE_BORDER, browse ? "What was read" : "Rate",
               browse ? NULL : "1 column = 1 second");
    int x = browse ? r.x + 2 : draw_rate_line(f, r.x + 2, r.y + 1, h);
    x = draw_where(f, x, r.y + 1, r.w / 2, h);
    draw_remark(v, f, x, r.y + 1, r.x + r.w - 2 - x, h);
    struct rect box = {r.x, r.y + 3, r.w, r.h - 3};
    draw_rows(v, f, (struct rect){box.x + 1, box.y + 1, box.w - 3, box.h - 2}, h);
    tail_title(h, name, sizeof name);
    tail_mode(v, h, mode, sizeof mode);
    snprintf(title, sizeof title, "%s  %s", browse ? "Browse" : "Tail", name);
    snprintf(right, sizeof right, "%s   filter %s", mode, t->filter.filter ? t->filter.text : "none");
    canvas_box(f->canvas, box, ROLE_BORDER, title, right);
}

void tail_draw(struct view *v, struct frame *f, struct rect r)
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
    body.h -= draw_whole_gap(v, f, body);
    if (r.w >= 100 && r.h >= 26) {
        draw_boxed(v, f, body, h);
    } else {
        int x = 1;
        if (t->filter.filter)
            x += canvas_printf(f->canvas, x, r.y, r.w - 23, ROLE_WARN, "filter %s", t->filter.text) + 2;
        x = draw_where(f, x, r.y, r.w / 2, h);
        bool browse = h->how.mode == READ_BROWSE; /* what is stored has no rate */
        if (!browse)
            draw_rate(f, r.w - 21, r.y, 20, h);
        draw_remark(v, f, x, r.y, r.w - (browse ? 1 : 22) - x, h);
        draw_rows(v, f, (struct rect){body.x, body.y + 1, body.w, body.h - 1}, h);
    }
    tail_draw_status(v, f, r.y + r.h - 1, h);
}
