/* DESIGN. Three panes under one cursor: what needs attention, probes, brokers with their channels. All rows are one list
 * of items, made anew from the hub for every frame; the cursor is remembered by what it stands on, not by its number, so
 * that rows which come and go don't move it to another thing. */
#include "ui/view.h"

#include "base/text.h"
#include "ui/paint.h"
#include "ui/screen.h"

#include <stdio.h>
#include <stdlib.h>

enum pane { PANE_ATTENTION, PANE_PROBES, PANE_BROKERS, PANES };
enum item_kind { ITEM_ATTENTION, ITEM_PROBE, ITEM_BROKER, ITEM_CHANNEL };
enum fold { FOLD_AUTO, FOLD_OPEN, FOLD_CLOSED };

#define OPEN_UP_TO 12 /* a broker with so many channels is unfolded by itself */
#define TAIL_MOST  64

struct item {
    enum item_kind kind;
    uint32_t index;   /* attention row, probe or endpoint */
    uint32_t channel; /* in the endpoint's list */
};

struct dashboard {
    struct item *items;
    size_t count, cap;
    size_t first[PANES + 1]; /* items of pane p: first[p] .. first[p + 1] */
    size_t top[PANES];       /* scrolling */
    int height[PANES];       /* rows of items, as last drawn */
    size_t at;               /* the cursor */
    struct item on;          /* what it stands on, and that one's name */
    char on_name[256];
    bool moved;                            /* by the operator: from then on it stays on its thing */
    uint8_t *fold;                         /* enum fold, per endpoint */
    struct filter *filter;                 /* of probes, brokers and channels; NULL: none */
    char filter_text[256], kept_text[256]; /* as applied; as before the line was opened */
};

/* ---- the list of items ---- */

static const struct channel *channel_of(const struct view *v, const struct item *i)
{
    return &hub_endpoint(v->hub, i->index)->channels->items[i->channel];
}

static const char *item_name(const struct view *v, const struct item *i)
{
    const struct hub_attention *rows;
    switch (i->kind) {
    case ITEM_ATTENTION: return i->index < hub_attention(v->hub, &rows) ? rows[i->index].name : "";
    case ITEM_PROBE: return hub_probe(v->hub, i->index)->target->name;
    case ITEM_BROKER: return hub_endpoint(v->hub, i->index)->config->endpoint.name;
    case ITEM_CHANNEL: return channel_of(v, i)->name;
    }
    return "";
}

static void add(struct dashboard *d, enum item_kind kind, size_t index, size_t channel)
{
    if (d->count == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 64;
        struct item *items = reallocarray(d->items, cap, sizeof *items);
        if (!items)
            return;
        d->items = items;
        d->cap = cap;
    }
    d->items[d->count++] = (struct item){kind, (uint32_t)index, (uint32_t)channel};
}

/* ---- the filter of lists ---- */

static double p95_ms(const struct availability *a)
{
    int64_t ns = availability_percentile(a, 95);
    return ns < 0 ? -1 : (double)ns / NS_PER_MS;
}

static bool shows_probe(const struct dashboard *d, const struct hub_probe *p)
{
    if (!d->filter)
        return true;
    struct filter_row row = {.name = p->target->name,
                             .kind = p->target->kind,
                             .state = health_name(p->health.state),
                             .tag = "",
                             .depth = COUNT_UNKNOWN,
                             .lag = COUNT_UNKNOWN,
                             .p95_ms = p95_ms(&p->health),
                             .age_ns = p->health.runs ? clock_wall_ns() - p->health.last.time_ns : -1};
    return filter_row(d->filter, &row);
}

static bool shows_broker(const struct dashboard *d, const struct hub_endpoint *e)
{
    if (!d->filter)
        return true;
    struct filter_row row = {.name = e->config->endpoint.name,
                             .kind = e->config->broker->name,
                             .state = health_name(e->health.state),
                             .tag = "",
                             .depth = e->depth,
                             .lag = e->lag,
                             .p95_ms = p95_ms(&e->health),
                             .age_ns = -1};
    return filter_row(d->filter, &row);
}

static bool shows_channel(const struct dashboard *d, const struct channel *c)
{
    if (c->internal || !d->filter)
        return !c->internal;
    struct filter_row row = {.name = c->name,
                             .kind = channel_kind_name(c->kind),
                             .state = c->state,
                             .tag = c->dead_letters ? "dlq" : "",
                             .depth = c->depth,
                             .lag = c->lag,
                             .p95_ms = -1,
                             .age_ns = -1};
    return filter_row(d->filter, &row);
}

static size_t visible_channels(const struct hub_endpoint *e)
{
    size_t n = 0;
    for (size_t i = 0; e->channels && i < e->channels->count; i++)
        n += !e->channels->items[i].internal;
    return n;
}

static bool is_open(const struct view *v, size_t endpoint)
{
    const struct dashboard *d = v->state;
    if (d->fold[endpoint] != FOLD_AUTO)
        return d->fold[endpoint] == FOLD_OPEN;
    return visible_channels(hub_endpoint(v->hub, endpoint)) <= OPEN_UP_TO;
}

/* With a filter a broker is there for the sake of its channels too, and those that match are unfolded. */
static void add_broker(struct view *v, size_t index)
{
    struct dashboard *d = v->state;
    const struct hub_endpoint *e = hub_endpoint(v->hub, index);
    size_t before = d->count;
    add(d, ITEM_BROKER, index, 0);
    bool unfold = e->channels && (d->filter || is_open(v, index));
    for (size_t c = 0; unfold && c < e->channels->count; c++)
        if (shows_channel(d, &e->channels->items[c]))
            add(d, ITEM_CHANNEL, index, c);
    if (d->count == before + 1 && !shows_broker(d, e))
        d->count = before;
}

static void stand_on(struct view *v, size_t at)
{
    struct dashboard *d = v->state;
    d->at = at < d->count ? at : d->count ? d->count - 1 : 0;
    if (d->count == 0)
        return;
    d->on = d->items[d->at];
    text_copy(d->on_name, sizeof d->on_name, item_name(v, &d->on));
}

static bool same(const struct view *v, const struct item *i)
{
    const struct dashboard *d = v->state;
    if (i->kind != d->on.kind || (i->kind != ITEM_ATTENTION && i->index != d->on.index))
        return false;
    return !strcmp(item_name(v, i), d->on_name);
}

static void rebuild(struct view *v)
{
    struct dashboard *d = v->state;
    const struct hub_attention *rows;
    d->count = 0;
    for (size_t i = 0, n = hub_attention(v->hub, &rows); i < n; i++)
        add(d, ITEM_ATTENTION, i, 0);
    d->first[PANE_PROBES] = d->count;
    for (size_t i = 0; i < hub_probe_count(v->hub); i++)
        if (shows_probe(d, hub_probe(v->hub, i)))
            add(d, ITEM_PROBE, i, 0);
    d->first[PANE_BROKERS] = d->count;
    for (size_t i = 0; i < hub_endpoint_count(v->hub); i++)
        add_broker(v, i);
    d->first[PANES] = d->count;
    if (!d->moved) {
        stand_on(v, 0);
        return;
    }
    for (size_t i = 0; i < d->count; i++)
        if (same(v, &d->items[i])) {
            stand_on(v, i);
            return;
        }
    stand_on(v, d->at);
}

static enum pane pane_of(const struct dashboard *d, size_t at)
{
    return at < d->first[PANE_PROBES]    ? PANE_ATTENTION
           : at < d->first[PANE_BROKERS] ? PANE_PROBES
                                         : PANE_BROKERS;
}

static size_t pane_count(const struct dashboard *d, enum pane p)
{
    return d->first[p + 1] - d->first[p];
}

/* ---- rows ---- */

struct row {
    struct frame *f;
    struct view *v;
    int x, y, w;
};

static void draw_attention(struct row *r, const struct item *item)
{
    static const struct column columns[] = {{"STATE", 8, false, 0, 0},
                                            {"NAME", 18, false, 0, 36},
                                            {"WHERE", 26, false, 100, 50},
                                            {"SINCE", 5, true, 0, 0},
                                            {"", 0, false, 0, 80}};
    struct slot slots[5];
    const struct hub_attention *rows;
    char word[32], age[16];
    hub_attention(r->v->hub, &rows);
    const struct hub_attention *a = &rows[item->index];
    struct look look = look_severity(a->severity, a->word, word, sizeof word);
    columns_fit(columns, 5, r->x, r->w, slots);
    column_put(r->f->canvas, r->y, &columns[0], &slots[0], look.role, look.text);
    column_put(r->f->canvas, r->y, &columns[1], &slots[1], ROLE_TEXT, a->name);
    column_put(r->f->canvas, r->y, &columns[2], &slots[2], ROLE_MUTED, a->where ? a->where : "");
    column_put(r->f->canvas, r->y, &columns[3], &slots[3], ROLE_MUTED,
               paint_age(r->f, a->since_ns, age, sizeof age));
    column_put(r->f->canvas, r->y, &columns[4], &slots[4], ROLE_TEXT, a->text);
}

enum { P_STATE, P_NAME, P_KIND, P_ADDRESS, P_CODE, P_P50, P_P95, P_AGO, P_SPARK, P_COLUMNS };
static const struct column probe_columns[P_COLUMNS] = {
    [P_STATE] = {"STATE", 8, false, 0, 0},        [P_NAME] = {"PROBE", 15, false, 0, 36},
    [P_KIND] = {"KIND", 5, false, 0, 0},          [P_ADDRESS] = {"ADDRESS", 24, false, 110, 60},
    [P_CODE] = {"CODE", 8, false, 0, 0},          [P_P50] = {"p50ms", 6, true, 0, 0},
    [P_P95] = {"p95ms", 6, true, 0, 0},           [P_AGO] = {"AGO", 5, true, 0, 0},
    [P_SPARK] = {"LAST 30 MIN", 0, false, 0, 30},
};

static void draw_probe(struct row *r, const struct item *item)
{
    struct slot slots[P_COLUMNS];
    char text[64];
    const struct hub_probe *p = hub_probe(r->v->hub, item->index);
    const struct availability *a = &p->health;
    struct look look = look_health(a);
    struct canvas *c = r->f->canvas;
    columns_fit(probe_columns, P_COLUMNS, r->x, r->w, slots);
#define PUT(column, role, value) column_put(c, r->y, &probe_columns[column], &slots[column], role, value)
    PUT(P_STATE, look.role, look.text);
    PUT(P_NAME, ROLE_TEXT, p->target->name);
    PUT(P_KIND, ROLE_MUTED, p->target->kind);
    PUT(P_ADDRESS, ROLE_MUTED, p->target->endpoint.text ? p->target->endpoint.text : "");
    PUT(P_CODE, ROLE_TEXT, a->last.code[0] ? a->last.code : "–");
    PUT(P_P50, ROLE_TEXT, paint_latency(availability_percentile(a, 50), text, sizeof text));
    PUT(P_P95, ROLE_TEXT, paint_latency(availability_percentile(a, 95), text, sizeof text));
    PUT(P_AGO, ROLE_MUTED, paint_ago(r->f, a->runs ? a->last.time_ns : TIME_NONE, text, sizeof text));
#undef PUT
    paint_minutes(r->f, slots[P_SPARK].x, r->y, slots[P_SPARK].w > 30 ? 30 : slots[P_SPARK].w, a);
}

enum { B_STATE, B_NAME, B_KIND, B_DETAIL, B_USERS, B_IN, B_OUT, B_DEPTH, B_DEAD, B_LAG, B_READS, B_COLUMNS };
static const struct column broker_columns[B_COLUMNS] = {
    [B_STATE] = {"STATE", 8, false, 0, 0}, [B_NAME] = {"BROKER, CHANNEL", 0, false, 0, 40},
    [B_KIND] = {"KIND", 8, false, 0, 0},   [B_DETAIL] = {"DETAIL", 22, false, 110, 50},
    [B_USERS] = {"CONS", 4, true, 100, 0}, [B_IN] = {"IN/s", 6, true, 0, 0},
    [B_OUT] = {"OUT/s", 6, true, 100, 0},  [B_DEPTH] = {"BACKLOG", 8, true, 0, 0},
    [B_DEAD] = {"DEAD", 6, true, 0, 0},    [B_LAG] = {"LAG", 7, true, 0, 0},
    [B_READS] = {"READS", 8, false, 0, 0},
};

static struct look broker_look(const struct hub_endpoint *e)
{
    struct look look = look_health(&e->health);
    bool trouble =
        e->status.state == SESSION_BACKOFF || (e->status.state == SESSION_ENDED && e->status.err.code);
    if (trouble && e->health.state != HEALTH_DOWN)
        return (struct look){"▲ RETRY", ROLE_WARN};
    return look;
}

static void draw_broker(struct row *r, const struct item *item)
{
    struct slot slots[B_COLUMNS];
    char text[64], name[300];
    const struct hub_endpoint *e = hub_endpoint(r->v->hub, item->index);
    struct look look = broker_look(e);
    columns_fit(broker_columns, B_COLUMNS, r->x, r->w, slots);
    snprintf(name, sizeof name, "%s %s%s",
             !e->channels                 ? " "
             : is_open(r->v, item->index) ? "▾"
                                          : "▸",
             e->config->endpoint.name, e->config->endpoint.production ? " PROD" : "");
#define PUT(column, role, value) \
 column_put(r->f->canvas, r->y, &broker_columns[column], &slots[column], role, value)
    PUT(B_STATE, look.role, look.text);
    PUT(B_NAME, e->config->endpoint.production ? ROLE_PRODUCTION : ROLE_TITLE, name);
    PUT(B_KIND, ROLE_MUTED, e->config->broker ? e->config->broker->name : "");
    PUT(B_DETAIL, ROLE_MUTED, e->channels ? e->channels->version : "");
    PUT(B_IN, ROLE_TEXT, paint_rate(e->in_rate, text, sizeof text));
    PUT(B_OUT, ROLE_TEXT, paint_rate(e->out_rate, text, sizeof text));
    PUT(B_DEPTH, ROLE_TEXT, paint_number(e->depth, text, sizeof text));
    PUT(B_DEAD, e->dead > 0 ? ROLE_WARN : ROLE_TEXT, paint_number(e->dead, text, sizeof text));
    PUT(B_LAG, ROLE_TEXT, paint_number(e->lag, text, sizeof text));
#undef PUT
}

/* What looking does, in one word: how it is browsed, or how it flows where nothing is stored. */
static const char *reads(const struct channel *c)
{
    return read_effect_name(c->why_not[CAN_BROWSE] ? c->tap_effect : c->browse_effect);
}

static void draw_channel(struct row *r, const struct item *item)
{
    struct slot slots[B_COLUMNS];
    char text[64], name[300];
    const struct channel *c = channel_of(r->v, item);
    columns_fit(broker_columns, B_COLUMNS, r->x, r->w, slots);
    snprintf(name, sizeof name, "    %s", c->name);
    int depth = snprintf(text, sizeof text, "%s", c->depth_upper && c->depth > 0 ? "<" : "");
#define PUT(column, role, value) \
 column_put(r->f->canvas, r->y, &broker_columns[column], &slots[column], role, value)
    paint_number(c->depth, text + depth, sizeof text - (size_t)depth);
    PUT(c->dead_letters ? B_DEAD : B_DEPTH, c->dead_letters && c->depth > 0 ? ROLE_WARN : ROLE_TEXT, text);
    if (c->dead_letters && c->depth > 0)
        PUT(B_STATE, ROLE_WARN, "▲ DLQ");
    PUT(B_NAME, ROLE_TEXT, name);
    PUT(B_KIND, ROLE_MUTED, channel_kind_name(c->kind));
    PUT(B_DETAIL, ROLE_MUTED, c->detail);
    PUT(B_USERS, ROLE_TEXT, paint_number(c->consumers, text, sizeof text));
    PUT(B_IN, ROLE_TEXT, paint_rate(c->in_rate, text, sizeof text));
    PUT(B_OUT, ROLE_TEXT, paint_rate(c->out_rate, text, sizeof text));
    PUT(B_LAG, ROLE_TEXT, paint_number(c->lag, text, sizeof text));
    PUT(B_READS, c->browse_effect == EFFECT_NONE ? ROLE_MUTED : ROLE_EFFECT, reads(c));
#undef PUT
}

static void draw_item(struct row *r, const struct item *item)
{
    switch (item->kind) {
    case ITEM_ATTENTION: draw_attention(r, item); break;
    case ITEM_PROBE: draw_probe(r, item); break;
    case ITEM_BROKER: draw_broker(r, item); break;
    case ITEM_CHANNEL: draw_channel(r, item); break;
    }
}

/* ---- panes ---- */

static const char *empty_text(const struct view *v, enum pane p)
{
    const struct dashboard *d = v->state;
    bool watched = hub_endpoint_count(v->hub) + hub_probe_count(v->hub) > 0;
    if (p == PANE_ATTENTION)
        return watched ? "● Nothing needs attention." : "● Nothing is watched yet.";
    if (p == PANE_PROBES && d->filter && hub_probe_count(v->hub))
        return "No probe matches the filter. Esc clears it.";
    if (p == PANE_BROKERS && d->filter && hub_endpoint_count(v->hub))
        return "No broker or channel matches the filter. Esc clears it.";
    return p == PANE_PROBES ? "No probes: `probes:` in the configuration adds them."
                            : "No brokers: `endpoints:` in the configuration, or an address, adds one.";
}

static void draw_head(struct view *v, struct frame *f, enum pane p, struct rect inside)
{
    struct slot slots[B_COLUMNS];
    (void)v;
    const struct column *columns = p == PANE_PROBES ? probe_columns : broker_columns;
    size_t count = p == PANE_PROBES ? P_COLUMNS : B_COLUMNS;
    columns_fit(columns, count, inside.x + 2, inside.w - 2, slots);
    columns_head(f->canvas, inside.y, columns, count, slots);
}

/* Items of a pane in `inside`, whose first row is the head for tables. */
static void draw_rows(struct view *v, struct frame *f, enum pane p, struct rect inside)
{
    struct dashboard *d = v->state;
    size_t count = pane_count(d, p);
    int head = p != PANE_ATTENTION && count;
    d->height[p] = inside.h - head;
    if (head)
        draw_head(v, f, p, inside);
    if (count == 0)
        canvas_text(f->canvas, inside.x + 2, inside.y, inside.w - 2,
                    p == PANE_ATTENTION ? ROLE_OK : ROLE_MUTED, empty_text(v, p));
    size_t height = d->height[p] > 0 ? (size_t)d->height[p] : 0;
    scroll_to(&d->top[p], pane_of(d, d->at) == p && count ? d->at - d->first[p] : d->top[p], count, height);
    for (size_t i = 0; i < height && d->top[p] + i < count; i++) {
        size_t at = d->first[p] + d->top[p] + i;
        struct row row = {f, v, inside.x + 2, inside.y + head + (int)i, inside.w - 2};
        draw_item(&row, &d->items[at]);
        if (at != d->at)
            continue;
        canvas_text(f->canvas, inside.x, row.y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, (struct rect){inside.x, row.y, inside.w, 1});
        canvas_cursor(f->canvas, inside.x, row.y, false);
    }
}

/* How many of `room` rows each pane gets: attention at most a quarter, the brokers what the probes leave. */
static void share(const struct dashboard *d, int room, int rows[PANES])
{
    int want[PANES];
    for (enum pane p = 0; p < PANES; p++) {
        size_t n = pane_count(d, p);
        want[p] = n == 0 ? 1 : n > CANVAS_MAX ? CANVAS_MAX : (int)n;
    }
    int most = room / 4 > 1 ? room / 4 : 1;
    rows[PANE_ATTENTION] = want[PANE_ATTENTION] < most ? want[PANE_ATTENTION] : most;
    int rest = room - rows[PANE_ATTENTION];
    most = rest / 2 > rest - want[PANE_BROKERS] ? rest / 2 : rest - want[PANE_BROKERS];
    rows[PANE_PROBES] = want[PANE_PROBES] < most ? want[PANE_PROBES] : most;
    rows[PANE_BROKERS] = rest - rows[PANE_PROBES];
}

static void pane_titles(const struct view *v, enum pane p, char *title, size_t size)
{
    static const char *const words[] = {"Needs attention", "Probes", "Brokers"};
    const struct dashboard *d = v->state;
    size_t n = p == PANE_BROKERS ? hub_endpoint_count(v->hub) : pane_count(d, p);
    size_t height = d->height[p] > 0 ? (size_t)d->height[p] : 0;
    int used = snprintf(title, size, "%s (%zu)", words[p], n);
    if (pane_count(d, p) > height && height && (size_t)used < size)
        snprintf(title + used, size - (size_t)used, "  rows %zu-%zu of %zu", d->top[p] + 1,
                 d->top[p] + height, pane_count(d, p));
}

static void draw_boxed(struct view *v, struct frame *f, struct rect r)
{
    static const char *const right[] = {"severity, then age", "1 column = 1 minute",
                                        "READS = what looking does"};
    struct dashboard *d = v->state;
    int rows[PANES], y = r.y;
    char title[80];
    int heads = (pane_count(d, PANE_PROBES) > 0) + (pane_count(d, PANE_BROKERS) > 0);
    share(d, r.h - 6 - heads, rows);
    for (enum pane p = 0; p < PANES; p++) {
        int head = p != PANE_ATTENTION && pane_count(d, p) > 0;
        struct rect box = {r.x, y, r.w, rows[p] + 2 + head};
        draw_rows(v, f, p, (struct rect){box.x + 1, box.y + 1, box.w - 3, box.h - 2});
        pane_titles(v, p, title, sizeof title);
        canvas_box(f->canvas, box, pane_of(d, d->at) == p && d->moved ? ROLE_FOCUS : ROLE_BORDER, title,
                   right[p]);
        y += box.h;
    }
}

/* Without boxes: the tables' heads part the panes. */
static void draw_plain(struct view *v, struct frame *f, struct rect r)
{
    struct dashboard *d = v->state;
    int rows[PANES], y = r.y;
    int heads = (pane_count(d, PANE_PROBES) > 0) + (pane_count(d, PANE_BROKERS) > 0);
    share(d, r.h - heads, rows);
    for (enum pane p = 0; p < PANES; p++) {
        int head = p != PANE_ATTENTION && pane_count(d, p) > 0;
        draw_rows(v, f, p, (struct rect){r.x, y, r.w, rows[p] + head});
        y += rows[p] + head;
    }
}

/* ---- the status row: the whole story of what the cursor is on ---- */

static void tell_health(struct frame *f, const struct availability *a, const char *name, char *into,
                        size_t size)
{
    char age[16], hms[16];
    const char *reason = a->change_count && a->changes[0].to == a->state && a->state != HEALTH_UP
                             ? a->changes[0].reason
                             : a->last.reason;
    if (!a->runs) {
        snprintf(into, size, "%s: not measured yet", name);
        return;
    }
    clock_hms(a->since_ns, hms, sizeof hms, 0);
    snprintf(into, size, "%s is %s for %s, since %sZ%s%s   %llu of %llu runs failed", name,
             health_name(a->state), paint_age(f, a->since_ns, age, sizeof age), hms, reason[0] ? ": " : "",
             reason, (unsigned long long)a->failed, (unsigned long long)a->runs);
}

static void tell_broker(struct frame *f, const struct hub_endpoint *e, char *into, size_t size)
{
    char text[480];
    const char *name = e->config->endpoint.name;
    if (e->status.err.code && e->status.state != SESSION_UP)
        snprintf(into, size, "%s", err_format(&e->status.err, text, sizeof text));
    else if (e->channels && !e->channels->complete)
        snprintf(into, size, "%s: %s", name, e->channels->note);
    else
        tell_health(f, &e->health, name, into, size);
}

static void tell_channel(const struct channel *c, char *into, size_t size)
{
    char bytes[32] = "";
    if (c->bytes >= 0)
        text_bytes(bytes, sizeof bytes, (uint64_t)c->bytes);
    const char *why = c->why_not[CAN_TAP] ? c->why_not[CAN_TAP] : c->why_not[CAN_BROWSE];
    snprintf(into, size, "%s: %s%s%s%s%s%s   looking: %s%s%s", c->name, c->detail, c->state[0] ? ", " : "",
             c->state, bytes[0] ? ", " : "", bytes, c->depth_upper ? ", backlog is an upper bound" : "",
             reads(c), why ? "   " : "", why ? why : "");
}

static void draw_status(struct view *v, struct frame *f, int y)
{
    struct dashboard *d = v->state;
    const struct item *i = &d->items[d->at];
    char text[640] = "";
    int x = 1;
    const struct hub_attention *rows;
    if (d->filter) { /* what is hidden must be said before anything else */
        x += canvas_printf(f->canvas, x, y, f->canvas->w - 2, ROLE_WARN, "filter %s", d->filter_text) + 3;
    }
    if (d->count == 0)
        return;
    if (i->kind == ITEM_ATTENTION && hub_attention(v->hub, &rows) > i->index)
        snprintf(text, sizeof text, "%s: %s", rows[i->index].name, rows[i->index].text);
    else if (i->kind == ITEM_PROBE)
        tell_health(f, &hub_probe(v->hub, i->index)->health, hub_probe(v->hub, i->index)->target->name, text,
                    sizeof text);
    else if (i->kind == ITEM_BROKER)
        tell_broker(f, hub_endpoint(v->hub, i->index), text, sizeof text);
    else if (i->kind == ITEM_CHANNEL)
        tell_channel(channel_of(v, i), text, sizeof text);
    canvas_text(f->canvas, x, y, f->canvas->w - 1 - x, ROLE_MUTED, text);
}

static void draw(struct view *v, struct frame *f, struct rect r)
{
    struct rect body = {r.x, r.y, r.w, r.h - 1};
    rebuild(v);
    if (r.w >= 100 && r.h >= 26)
        draw_boxed(v, f, body);
    else
        draw_plain(v, f, body);
    draw_status(v, f, r.y + r.h - 1);
}

/* ---- the line at the foot ---- */

static void set_filter(struct dashboard *d, struct filter *f, const char *text)
{
    filter_free(&d->filter);
    if (*text)
        d->filter = f;
    else
        filter_free(&f);
    text_copy(d->filter_text, sizeof d->filter_text, text);
}

static void dashboard_typed(struct view *v, enum prompt_kind kind, const char *text, struct prompt_note *note)
{
    struct dashboard *d = v->state;
    struct err_info err = {.code = ERR_OK};
    (void)kind;
    struct filter *f = filter_new(text, FILTER_LIST, hub_registry(v->hub)->decoders, &note->caret, &err);
    note->fault = !f;
    if (f) {
        set_filter(d, f, text);
        rebuild(v);
        snprintf(note->text, sizeof note->text,
                 "%zu rows   Enter keeps it, Esc goes back   name kind state depth lag p95",
                 d->count - d->first[PANE_PROBES]);
    } else {
        snprintf(note->text, sizeof note->text, "%s%s%s", err.text, err.next[0] ? "; " : "", err.next);
    }
}

static void dashboard_entered(struct view *v, enum prompt_kind kind, const char *text)
{
    struct dashboard *d = v->state;
    struct prompt_note note = {.text = ""};
    char kept[sizeof d->kept_text];
    text_copy(kept, sizeof kept, d->kept_text);
    if (!text)
        dashboard_typed(v, kind, kept, &note);
}

static void open_filter(struct view *v)
{
    struct dashboard *d = v->state;
    text_copy(d->kept_text, sizeof d->kept_text, d->filter_text);
    screen_prompt(v->screen, PROMPT_FILTER, d->filter_text);
}

/* ---- actions ---- */

/* Names must outlive the listing that they were read from: they move to the configuration's arena. */
static bool address_of(const struct view *v, const struct item *i, struct address *a)
{
    const struct channel *c = channel_of(v, i);
    struct config *config = hub_config(v->hub);
    char *name = arena_strdup(config->arena, c->name);
    *a = (struct address){.endpoint = &config->endpoints[i->index],
                          .channel = {.kind = c->kind, .name = name}};
    return name;
}

static size_t tappable(const struct view *v, size_t endpoint, struct address *addresses)
{
    const struct hub_endpoint *e = hub_endpoint(v->hub, endpoint);
    size_t count = 0;
    for (size_t c = 0; e->channels && c < e->channels->count && count < TAIL_MOST; c++) {
        struct item i = {ITEM_CHANNEL, (uint32_t)endpoint, (uint32_t)c};
        if (!e->channels->items[c].internal && !e->channels->items[c].why_not[CAN_TAP])
            count += address_of(v, &i, &addresses[count]);
    }
    return count;
}

static void tail_broker(struct view *v, size_t endpoint)
{
    struct address addresses[TAIL_MOST];
    size_t count = tappable(v, endpoint, addresses);
    if (count)
        screen_tail(v->screen, addresses, count);
    else
        screen_say(v->screen, SEVERITY_WARN, "%s: no channel is listed that can be tailed",
                   hub_endpoint(v->hub, endpoint)->config->endpoint.name);
}

static void tail_channel(struct view *v, const struct item *i)
{
    struct address address;
    const struct channel *c = channel_of(v, i);
    if (c->why_not[CAN_TAP])
        screen_say(v->screen, SEVERITY_WARN, "%s: %s", c->name, c->why_not[CAN_TAP]);
    else if (address_of(v, i, &address))
        screen_tail(v->screen, &address, 1);
}

static bool stand_on_name(struct view *v, const char *name)
{
    struct dashboard *d = v->state;
    for (size_t i = d->first[PANE_PROBES]; i < d->count; i++)
        if (!strcmp(item_name(v, &d->items[i]), name)) {
            stand_on(v, i);
            return true;
        }
    return false;
}

/* From a row of the first pane to the thing that it is about, unfolded and unfiltered when need be. */
static bool go_to_subject(struct view *v, const struct item *from)
{
    struct dashboard *d = v->state;
    char name[256];
    text_copy(name, sizeof name, item_name(v, from));
    if (stand_on_name(v, name))
        return true;
    for (size_t i = 0; i < hub_endpoint_count(v->hub); i++) {
        const struct hub_endpoint *e = hub_endpoint(v->hub, i);
        for (size_t c = 0; e->channels && c < e->channels->count; c++)
            if (!strcmp(e->channels->items[c].name, name))
                d->fold[i] = FOLD_OPEN;
    }
    set_filter(d, NULL, "");
    rebuild(v);
    return stand_on_name(v, name);
}

static void open_item(struct view *v, bool browse)
{
    const struct dashboard *d = v->state;
    struct item i = d->items[d->at];
    struct address address;
    if (i.kind == ITEM_CHANNEL && browse) {
        if (address_of(v, &i, &address))
            screen_browse(v->screen, &address);
    } else if (i.kind == ITEM_CHANNEL) {
        tail_channel(v, &i);
    } else if (i.kind == ITEM_BROKER && !browse) {
        tail_broker(v, i.index);
    } else {
        screen_say(v->screen, SEVERITY_INFO, "Choose a channel below: t tails it, b browses it");
    }
}

/* Enter on what needs attention goes there; t and b mean its channel at once. */
static void act_on_item(struct view *v, enum action action)
{
    struct dashboard *d = v->state;
    struct item i = d->items[d->at];
    d->moved = true;
    if (i.kind == ITEM_ATTENTION && (!go_to_subject(v, &i) || action == ACTION_OPEN))
        return;
    open_item(v, action == ACTION_BROWSE);
}

static void fold(struct view *v, enum action action)
{
    struct dashboard *d = v->state;
    struct item i = d->items[d->at];
    if (i.kind != ITEM_BROKER && i.kind != ITEM_CHANNEL)
        return;
    bool open = action == ACTION_RIGHT || (action == ACTION_EXPAND && !is_open(v, i.index));
    d->fold[i.index] = open ? FOLD_OPEN : FOLD_CLOSED;
    for (size_t at = d->first[PANE_BROKERS]; !open && at < d->count; at++)
        if (d->items[at].kind == ITEM_BROKER && d->items[at].index == i.index)
            stand_on(v, at);
}

static void next_pane(struct view *v, int step)
{
    struct dashboard *d = v->state;
    enum pane p = pane_of(d, d->at);
    for (int tries = 0; tries < PANES; tries++) {
        p = (enum pane)((p + PANES + step) % PANES);
        if (pane_count(d, p)) {
            stand_on(v, d->first[p] + d->top[p]);
            return;
        }
    }
}

/* What needs no row under the cursor. */
static bool list_action(struct view *v, enum action action)
{
    struct dashboard *d = v->state;
    if (action == ACTION_FIND) {
        open_filter(v);
    } else if (action == ACTION_BACK && d->filter) {
        set_filter(d, NULL, "");
    } else if (action == ACTION_REFRESH) {
        hub_refresh(v->hub);
        screen_say(v->screen, SEVERITY_INFO, "Asked everything again");
    } else {
        return false;
    }
    return true;
}

static enum action dashboard_action(struct view *v, enum action action)
{
    struct dashboard *d = v->state;
    rebuild(v);
    if (list_action(v, action))
        return ACTION_NONE;
    if (d->count == 0)
        return action;
    enum pane p = pane_of(d, d->at);
    size_t to = move_by(action, d->at, d->count, d->height[p] > 0 ? (size_t)d->height[p] : 1);
    if (to != SIZE_MAX) {
        d->moved = true;
        stand_on(v, to);
        return ACTION_NONE;
    }
    switch (action) {
    case ACTION_OPEN:
    case ACTION_TAIL:
    case ACTION_BROWSE: act_on_item(v, action); break;
    case ACTION_EXPAND:
    case ACTION_LEFT:
    case ACTION_RIGHT: fold(v, action); break;
    case ACTION_NEXT_PANE: next_pane(v, 1); break;
    case ACTION_PREVIOUS_PANE: next_pane(v, -1); break;
    default: return action;
    }
    d->moved = true;
    return ACTION_NONE;
}

static bool dashboard_event(struct view *v, uint32_t changes)
{
    (void)v;
    return changes & (HUB_ENDPOINTS | HUB_PROBES);
}

static enum err dashboard_open(struct view *v, struct err_info *err)
{
    struct dashboard *d = v->state;
    d->fold = calloc(hub_endpoint_count(v->hub) + 1, sizeof *d->fold);
    return d->fold ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for the dashboard");
}

static void dashboard_close(struct view *v)
{
    struct dashboard *d = v->state;
    free(d->items);
    free(d->fold);
    filter_free(&d->filter);
}

extern const struct view_ops dashboard_view;
const struct view_ops dashboard_view = {
    .name = "dashboard",
    .title = "Dashboard",
    .keys = KEYS_DASHBOARD,
    .state_size = sizeof(struct dashboard),
    .open = dashboard_open,
    .close = dashboard_close,
    .on_event = dashboard_event,
    .draw = draw,
    .action = dashboard_action,
    .typed = dashboard_typed,
    .entered = dashboard_entered,
};
