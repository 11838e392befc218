#include "ui/views/dashboard.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* ---- rows ---- */

enum { P_STATE, P_NAME, P_KIND, P_ADDRESS, P_CODE, P_P50, P_P95, P_AGO, P_SPARK, P_COLUMNS };
static const struct column probe_columns[P_COLUMNS] = {
    [P_STATE] = {"STATE", 8, false, 0, 0}, [P_NAME] = {"PROBE", 15, false, 0, 36},
    [P_KIND] = {"KIND", 5, false, 70, 0},  [P_ADDRESS] = {"ADDRESS", 24, false, 110, 60},
    [P_CODE] = {"CODE", 11, false, 0, 0},  [P_P50] = {"p50ms", 6, true, 66, 0},
    [P_P95] = {"p95ms", 6, true, 0, 0},    [P_AGO] = {"AGO", 5, true, 0, 0},
    [P_SPARK] = {"", 0, false, 0, 30},
};

/* A column is a minute. */
static int minutes_shown(const struct slot *slots)
{
    enum { MINUTES_MOST = 30 };
    return slots[P_SPARK].w < MINUTES_MOST ? slots[P_SPARK].w : MINUTES_MOST;
}

static void draw_minutes_head(struct canvas *c, int y, const struct slot *slots)
{
    char text[32];
    int w = slots[P_SPARK].w, n = minutes_shown(slots);
    int cells = snprintf(text, sizeof text, "LAST %d MIN", n);
    if (cells > w)
        snprintf(text, sizeof text, "%d MIN", n);
    canvas_text(c, slots[P_SPARK].x, y, w, ROLE_HEAD, text);
}

/* The code of a run that speaks against the state, and how often it takes: in the place of the latencies, which stand still. */
static void draw_turn(struct row *r, const struct slot *slots, const struct availability *a, const char *turn)
{
    int x = slots[P_CODE].x, end = slots[P_P95].x + slots[P_P95].w, w = (int)strlen(turn);
    const char *code = a->last.code[0] ? a->last.code : "–";
    canvas_text(r->f->canvas, x, r->y, end - w - 1 - x, ROLE_TEXT, code);
    canvas_text(r->f->canvas, end - w, r->y, w, a->state == HEALTH_DOWN ? ROLE_OK : ROLE_WARN, turn);
}

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
    PUT(P_ADDRESS, ROLE_MUTED,
        paint_name(p->target->endpoint.text ? p->target->endpoint.text : "", slots[P_ADDRESS].w, text,
                   sizeof text));
    if (*availability_turn(a, text, sizeof text)) {
        draw_turn(r, slots, a, text);
    } else {
        PUT(P_CODE, ROLE_TEXT, a->last.code[0] ? a->last.code : "–");
        PUT(P_P50, ROLE_TEXT, paint_latency(availability_percentile(a, 50), text, sizeof text));
        PUT(P_P95, ROLE_TEXT, paint_latency(availability_percentile(a, 95), text, sizeof text));
    }
    PUT(P_AGO, ROLE_MUTED, paint_ago(r->f, a->runs ? a->last.time_ns : TIME_NONE, text, sizeof text));
#undef PUT
    paint_minutes(r->f, slots[P_SPARK].x, r->y, minutes_shown(slots), a);
}

_Static_assert(P_NAME == 1, "names stand second in both tables");
enum { B_STATE, B_NAME, B_KIND, B_DETAIL, B_USERS, B_IN, B_OUT, B_DEPTH, B_DEAD, B_LAG, B_READS, B_COLUMNS };
static const struct column broker_columns[B_COLUMNS] = {
    [B_STATE] = {"STATE", 8, false, 0, 0}, [B_NAME] = {"BROKER, CHANNEL", 0, false, 0, 40},
    [B_KIND] = {"KIND", 8, false, 74, 0},  [B_DETAIL] = {"DETAIL", 22, false, 110, 50},
    [B_USERS] = {"CONS", 4, true, 100, 0}, [B_IN] = {"IN/s", 6, true, 66, 0},
    [B_OUT] = {"OUT/s", 6, true, 100, 0},  [B_DEPTH] = {"BACKLOG", 8, true, 0, 0},
    [B_DEAD] = {"DEAD", 6, true, 0, 0},    [B_LAG] = {"LAG", 7, true, 0, 0},
    [B_READS] = {"READS", 8, false, 0, 0},
};

struct look dashboard_broker_look(const struct hub_endpoint *e)
{
    if (hub_is_lost(e) && e->health.state != HEALTH_DOWN)
        return (struct look){"▲ RETRY", ROLE_WARN};
    return look_health(&e->health);
}

char *dashboard_time_of_data(int64_t ns, char *into, size_t size)
{
    char hms[16];
    snprintf(into, size, "data of %sZ", clock_hms(ns, hms, sizeof hms, 0));
    return into;
}

static const char *broker_detail(const struct hub_endpoint *e, char *into, size_t size)
{
    if (!e->channels)
        return e->health.state == HEALTH_DOWN ? "never listed" : "not listed yet";
    if (hub_is_stale(e))
        return dashboard_time_of_data(e->channels->time_ns, into, size);
    return e->channels->version[0] ? e->channels->version : e->channels->count == 0 ? "no channels" : "";
}

/* A sum with an old count in it is old. */
static bool sum_is_old(const struct hub_endpoint *e, bool dead)
{
    for (size_t i = 0; e->channels && i < e->channels->count; i++) {
        const struct channel *c = &e->channels->items[i];
        if (c->dead_letters == dead && !c->internal && hub_channel_is_stale(e, c))
            return true;
    }
    return false;
}

/* A sum with an upper bound in it is one. */
static bool sum_is_upper(const struct hub_endpoint *e, bool dead)
{
    for (size_t i = 0; e->channels && i < e->channels->count; i++) {
        const struct channel *c = &e->channels->items[i];
        if (c->dead_letters == dead && c->depth_upper && c->depth > 0)
            return true;
    }
    return false;
}

/* Numbers that were true once are no news, whatever they say. */
static enum role faded(bool stale, enum role role)
{
    return stale ? ROLE_MUTED : role;
}

/* Where no column of its own says it, the time of old data stands behind the name if that leaves room. */
static void draw_broker_name(struct row *r, const struct item *item, const struct slot *at, bool aged)
{
    char name[300], shown[256], age[32];
    const struct hub_endpoint *e = hub_endpoint(r->v->hub, item->index);
    const char *mark = e->config->endpoint.production ? " PROD" : "";
    enum role role = e->config->endpoint.production ? ROLE_PRODUCTION : ROLE_TITLE;
    int room = at->w - (int)strlen(mark); /* the mark is never cut */
    snprintf(name, sizeof name, "%s %s",
             !e->channels || !e->channels->count    ? " "
             : dashboard_is_open(r->v, item->index) ? "▾"
                                                    : "▸",
             paint_name(e->config->endpoint.name, room - 2, shown, sizeof shown));
    int used = canvas_text(r->f->canvas, at->x, r->y, room, role, name);
    used += canvas_text(r->f->canvas, at->x + used, r->y, at->w - used, role, mark) + 1;
    const char *data = aged ? dashboard_time_of_data(e->channels->time_ns, age, sizeof age) : "";
    if (used + (int)strlen(data) > at->w)
        data += strcspn(data, "0123456789");
    if (used + (int)strlen(data) <= at->w)
        canvas_text(r->f->canvas, at->x + used, r->y, at->w - used, ROLE_STALE, data);
}

static void draw_broker(struct row *r, const struct item *item)
{
    struct slot slots[B_COLUMNS];
    char text[64];
    const struct hub_endpoint *e = hub_endpoint(r->v->hub, item->index);
    struct look look = dashboard_broker_look(e);
    enum role plain = faded(hub_is_stale(e), ROLE_TEXT);
    bool old = sum_is_old(e, false), old_dead = sum_is_old(e, true);
    columns_fit(broker_columns, B_COLUMNS, r->x, r->w, slots);
    draw_broker_name(r, item, &slots[B_NAME], hub_is_stale(e) && slots[B_DETAIL].w == 0);
#define PUT(column, role, value) \
 column_put(r->f->canvas, r->y, &broker_columns[column], &slots[column], role, value)
    PUT(B_STATE, look.role, look.text);
    PUT(B_KIND, ROLE_MUTED, e->config->broker ? e->config->broker->name : "");
    PUT(B_DETAIL, hub_is_stale(e) ? ROLE_STALE : ROLE_MUTED, broker_detail(e, text, sizeof text));
    PUT(B_IN, plain, paint_rate(e->totals.in_rate, text, sizeof text));
    PUT(B_OUT, plain, paint_rate(e->totals.out_rate, text, sizeof text));
    const struct canvas *c = r->f->canvas;
    PUT(B_DEPTH, faded(old, plain),
        paint_count(e->totals.depth, paint_upper(c, sum_is_upper(e, false)), slots[B_DEPTH].w, text,
                    sizeof text));
    PUT(B_DEAD, faded(old_dead, e->totals.dead > 0 ? ROLE_WARN : plain),
        paint_count(e->totals.dead, paint_upper(c, sum_is_upper(e, true)), slots[B_DEAD].w, text,
                    sizeof text));
    PUT(B_LAG, plain, paint_count(e->totals.lag, "", slots[B_LAG].w, text, sizeof text));
#undef PUT
}

const char *dashboard_reads(const struct channel *c)
{
    return read_effect_name(c->why_not[CAN_BROWSE] ? c->tap_effect : c->browse_effect);
}

/* A state is that of now. */
struct look dashboard_channel_look(const struct hub_endpoint *e, const struct channel *c)
{
    if (hub_channel_is_stale(e, c))
        return (struct look){"? STALE", ROLE_STALE};
    return c->dead_letters && c->depth > 0 ? (struct look){"▲ DLQ", ROLE_WARN} : (struct look){"", ROLE_TEXT};
}

static void draw_channel(struct row *r, const struct item *item)
{
    struct slot slots[B_COLUMNS];
    char text[64], name[300], lag[72];
    const struct channel *c = dashboard_channel(r->v, item);
    const struct hub_endpoint *e = hub_endpoint(r->v->hub, item->index);
    struct look look = dashboard_channel_look(e, c);
    bool stale = hub_channel_is_stale(e, c);
    enum role plain = faded(stale, ROLE_TEXT);
    const char *upper = paint_upper(r->f->canvas, c->depth_upper);
    columns_fit(broker_columns, B_COLUMNS, r->x, r->w, slots);
    snprintf(name, sizeof name, "    %s", c->name);
#define PUT(column, role, value) \
 column_put(r->f->canvas, r->y, &broker_columns[column], &slots[column], role, value)
    PUT(B_STATE, look.role, look.text);
    paint_count(c->depth, upper, slots[c->dead_letters ? B_DEAD : B_DEPTH].w, text, sizeof text);
    PUT(c->dead_letters ? B_DEAD : B_DEPTH, c->dead_letters && c->depth > 0 ? faded(stale, ROLE_WARN) : plain,
        text);
    PUT(B_NAME, plain, name);
    PUT(B_KIND, ROLE_MUTED, channel_kind_name(c->kind));
    PUT(B_DETAIL, ROLE_MUTED, c->detail);
    PUT(B_USERS, plain, paint_count(c->consumers, "", slots[B_USERS].w, text, sizeof text));
    PUT(B_IN, plain, paint_rate(c->in_rate, text, sizeof text));
    PUT(B_OUT, plain, paint_rate(c->out_rate, text, sizeof text));
    bool more = c->lag_partial && c->lag >= 0; /* partitions in which a group has committed nothing */
    snprintf(lag, sizeof lag, "%s%s", paint_count(c->lag, "", slots[B_LAG].w - more, text, sizeof text),
             more ? "+" : "");
    PUT(B_LAG, plain, lag);
    PUT(B_READS, c->browse_effect == EFFECT_NONE ? ROLE_MUTED : ROLE_EFFECT, dashboard_reads(c));
#undef PUT
}

static void draw_item(struct row *r, const struct item *item)
{
    switch (item->kind) {
    case ITEM_ATTENTION: dashboard_attention_row(r, item); break;
    case ITEM_PROBE: draw_probe(r, item); break;
    case ITEM_BROKER: draw_broker(r, item); break;
    case ITEM_CHANNEL: draw_channel(r, item); break;
    }
}

/* ---- panes ---- */

static const char *empty_text(const struct view *v, enum pane p)
{
    const struct dashboard *d = v->state;
    if (p == PANE_PROBES && d->filter && hub_probe_count(v->hub))
        return "No probe matches the filter. Esc clears it.";
    if (p == PANE_BROKERS && d->filter && hub_endpoint_count(v->hub))
        return "No broker or channel matches the filter. Esc clears it.";
    return p == PANE_PROBES ? "No probes: `probes:` in the configuration adds them."
                            : "No brokers: `endpoints:` in the configuration, or an address, adds one.";
}

static void draw_head(struct frame *f, enum pane p, struct rect inside)
{
    struct slot slots[B_COLUMNS];
    const struct column *columns = p == PANE_PROBES ? probe_columns : broker_columns;
    size_t count = p == PANE_PROBES ? P_COLUMNS : B_COLUMNS;
    columns_fit(columns, count, inside.x + 2, inside.w - 2, slots);
    columns_head(f->canvas, inside.y, columns, count, slots);
    if (p == PANE_PROBES)
        draw_minutes_head(f->canvas, inside.y, slots);
}

/* Brokers that stand below the rows that are shown, in one line: those that are down first. */
static void draw_brokers_below(struct view *v, struct frame *f, struct rect line, size_t from)
{
    const struct dashboard *d = v->state;
    char text[400], name[64];
    size_t count = 0, used = 0, down = 0;
    for (size_t i = from; i < d->count; i++)
        count += d->items[i].kind == ITEM_BROKER;
    used = (size_t)snprintf(text, sizeof text, "+%zu more broker%s below: ", count, count == 1 ? "" : "s");
    for (int bad = 1; bad >= 0; bad--)
        for (size_t i = from; i < d->count && used < sizeof text; i++) {
            const struct hub_endpoint *e = hub_endpoint(v->hub, d->items[i].index);
            bool is_down = e->health.state == HEALTH_DOWN;
            if (d->items[i].kind != ITEM_BROKER || is_down != bad)
                continue;
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s %s   ", dashboard_broker_look(e).text,
                                 paint_name(e->config->endpoint.name, 24, name, sizeof name));
            down += is_down;
        }
    canvas_text(f->canvas, line.x + 2, line.y, line.w - 2, down ? ROLE_CRIT : ROLE_WARN, text);
}

static bool brokers_from(const struct dashboard *d, size_t from)
{
    while (from < d->count && d->items[from].kind != ITEM_BROKER)
        from++;
    return from < d->count;
}

static void scroll_pane(struct dashboard *d, enum pane p, size_t count)
{
    size_t height = d->height[p] > 0 ? (size_t)d->height[p] : 0;
    scroll_to(&d->top[p], dashboard_pane_of(d, d->at) == p && count ? d->at - d->first[p] : d->top[p], count,
              height);
}

/* Items of a pane in `inside`, whose first row is the head for tables. */
static void draw_rows(struct view *v, struct frame *f, enum pane p, struct rect inside)
{
    struct dashboard *d = v->state;
    size_t count = dashboard_pane_count(d, p);
    int head = p != PANE_ATTENTION && count;
    d->height[p] = inside.h - head;
    if (head)
        draw_head(f, p, inside);
    if (count == 0) {
        struct look look = p == PANE_ATTENTION ? dashboard_attention_none(v->hub)
                                               : (struct look){empty_text(v, p), ROLE_MUTED};
        canvas_text(f->canvas, inside.x + 2, inside.y, inside.w - 2, look.role, look.text);
    }
    int names = p == PANE_ATTENTION && count ? dashboard_attention_names(v, inside.w - 2) : 0;
    scroll_pane(d, p, count);
    if (p == PANE_BROKERS && d->height[p] > 2 &&
        brokers_from(d, d->first[p] + d->top[p] + (size_t)d->height[p])) {
        d->height[p]--;
        scroll_pane(d, p, count);
        struct rect foot = {inside.x, inside.y + inside.h - 1, inside.w, 1};
        draw_brokers_below(v, f, foot, d->first[p] + d->top[p] + (size_t)d->height[p]);
    }
    size_t height = d->height[p] > 0 ? (size_t)d->height[p] : 0;
    for (size_t i = 0; i < height && d->top[p] + i < count; i++) {
        size_t at = d->first[p] + d->top[p] + i;
        struct row row = {f, v, inside.x + 2, inside.y + head + (int)i, inside.w - 2, names};
        draw_item(&row, &d->items[at]);
        if (at != d->at)
            continue;
        canvas_text(f->canvas, inside.x, row.y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, (struct rect){inside.x, row.y, inside.w, 1});
        canvas_cursor(f->canvas, inside.x, row.y, false);
    }
}

static void share(const struct view *v, int room, int rows[PANES])
{
    const struct dashboard *d = v->state;
    size_t want[PANES];
    for (enum pane p = 0; p < PANES; p++)
        want[p] = dashboard_pane_count(d, p);
    dashboard_share(v, want, room, rows);
}

/* "+3 more DOWN (g, then j)": no outage is out of sight unsaid. */
static void tell_outages(const struct view *v, char *into, size_t size)
{
    const struct dashboard *d = v->state;
    size_t down = dashboard_outages(v), top = d->top[PANE_ATTENTION];
    size_t last = top + (d->height[PANE_ATTENTION] > 0 ? (size_t)d->height[PANE_ATTENTION] : 0);
    size_t hidden = (down < top ? down : top) + (down > last ? down - last : 0);
    *into = '\0';
    if (hidden)
        snprintf(into, size, "  +%zu more DOWN (g, then j)", hidden);
}

static void pane_titles(const struct view *v, enum pane p, char *title, size_t size)
{
    static const char *const words[] = {"Needs attention", "Probes", "Brokers"};
    const struct dashboard *d = v->state;
    size_t n = p == PANE_BROKERS ? hub_endpoint_count(v->hub) : dashboard_pane_count(d, p);
    size_t height = d->height[p] > 0 ? (size_t)d->height[p] : 0;
    bool unsaid = p == PANE_ATTENTION && n == 0; /* nothing, or not known yet: the row below says which */
    int used =
        unsaid ? snprintf(title, size, "%s", words[p]) : snprintf(title, size, "%s (%zu)", words[p], n);
    if (dashboard_pane_count(d, p) > height && height && (size_t)used < size)
        used += snprintf(title + used, size - (size_t)used, "  rows %zu-%zu of %zu", d->top[p] + 1,
                         d->top[p] + height, dashboard_pane_count(d, p));
    if (p == PANE_ATTENTION && (size_t)used < size)
        tell_outages(v, title + used, size - (size_t)used);
}

static void draw_boxed(struct view *v, struct frame *f, struct rect r)
{
    static const char *const right[] = {"severity, then age", "1 column = 1 minute",
                                        "READS = what looking does"};
    struct dashboard *d = v->state;
    int rows[PANES], y = r.y;
    char title[120];
    int heads = (dashboard_pane_count(d, PANE_PROBES) > 0) + (dashboard_pane_count(d, PANE_BROKERS) > 0);
    share(v, r.h - 6 - heads, rows);
    for (enum pane p = 0; p < PANES; p++) {
        int head = p != PANE_ATTENTION && dashboard_pane_count(d, p) > 0;
        struct rect box = {r.x, y, r.w, rows[p] + 2 + head};
        draw_rows(v, f, p, (struct rect){box.x + 1, box.y + 1, box.w - 3, box.h - 2});
        pane_titles(v, p, title, sizeof title);
        canvas_box(f->canvas, box, dashboard_pane_of(d, d->at) == p && d->moved ? ROLE_FOCUS : ROLE_BORDER,
                   title, right[p]);
        y += box.h;
    }
}

/* Rows that don't fit are said to be there, in the pane's head beside what they are. */
static void draw_overflow(const struct view *v, struct frame *f, enum pane p, int y)
{
    static const char *const words[] = {"NEEDS ATTENTION", "PROBE", "BROKER"};
    const struct dashboard *d = v->state;
    size_t count = dashboard_pane_count(d, p), height = d->height[p] > 0 ? (size_t)d->height[p] : 0;
    char text[96];
    if (count <= height)
        return;
    int used = snprintf(text, sizeof text, " %zu-%zu of %zu", d->top[p] + 1, d->top[p] + height, count);
    if (p == PANE_ATTENTION)
        tell_outages(v, text + used, sizeof text - (size_t)used);
    struct slot slots[B_COLUMNS];
    columns_fit(p == PANE_PROBES ? probe_columns : broker_columns, p == PANE_PROBES ? P_COLUMNS : B_COLUMNS,
                2, f->canvas->w - 2, slots);
    struct rect title = {slots[P_NAME].x, y, slots[P_NAME].w, 1};
    if (p == PANE_ATTENTION)
        title = (struct rect){2, y, f->canvas->w - 2, 1};
    canvas_fill(f->canvas, title, ROLE_HEAD, ' ');
    int x = canvas_text(f->canvas, title.x, y, title.w, ROLE_HEAD, words[p]);
    canvas_text(f->canvas, title.x + x, y, title.w - x, ROLE_WARN, text);
}

/* What needs attention has a head only where some of it has no room, which must be said. */
static int plain_heads(const struct view *v, int h, int rows[PANES], int heads[PANES])
{
    const struct dashboard *d = v->state;
    heads[PANE_PROBES] = dashboard_pane_count(d, PANE_PROBES) > 0;
    heads[PANE_BROKERS] = dashboard_pane_count(d, PANE_BROKERS) > 0;
    heads[PANE_ATTENTION] = 0;
    int room = h - heads[PANE_PROBES] - heads[PANE_BROKERS];
    share(v, room, rows);
    heads[PANE_ATTENTION] = dashboard_pane_count(d, PANE_ATTENTION) > (size_t)rows[PANE_ATTENTION];
    return room - heads[PANE_ATTENTION];
}

/* Without boxes: the tables' heads part the panes. */
static void draw_plain(struct view *v, struct frame *f, struct rect r)
{
    int rows[PANES], heads[PANES], y = r.y;
    share(v, plain_heads(v, r.h, rows, heads), rows);
    for (enum pane p = 0; p < PANES; p++) {
        int own = p == PANE_ATTENTION ? heads[p] : 0; /* a table draws its head itself */
        draw_rows(v, f, p, (struct rect){r.x, y + own, r.w, rows[p] + heads[p] - own});
        draw_overflow(v, f, p, y);
        y += rows[p] + heads[p];
    }
}

void dashboard_draw(struct view *v, struct frame *f, struct rect r)
{
    struct dashboard *d = v->state;
    struct rect body = {r.x, r.y, r.w, r.h - 1};
    bool boxed = r.w >= 100 && r.h >= 26;
    d->room = body.h - (boxed ? 8 : 2); /* without boxes and the heads of tables */
    dashboard_rebuild(v);
    if (boxed)
        draw_boxed(v, f, body);
    else
        draw_plain(v, f, body);
    if (!f->status_taken)
        dashboard_draw_status(v, f, r.y + r.h - 1);
}
