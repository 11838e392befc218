#include "ui/views/dashboard.h"

#include "base/text.h"
#include "ui/paint.h"

#include <stdlib.h>

#define OPEN_UP_TO 12 /* a broker with so many channels is unfolded by itself */

/* ---- the list of items ---- */

const struct channel *dashboard_channel(const struct view *v, const struct item *i)
{
    return &hub_endpoint(v->hub, i->index)->channels->items[i->channel];
}

const char *dashboard_name(const struct view *v, const struct item *i)
{
    const struct hub_attention *rows;
    switch (i->kind) {
    case ITEM_ATTENTION: return i->index < hub_attention(v->hub, &rows) ? rows[i->index].name : "";
    case ITEM_PROBE: return hub_probe(v->hub, i->index)->target->name;
    case ITEM_BROKER: return hub_endpoint(v->hub, i->index)->config->endpoint.name;
    case ITEM_CHANNEL: return dashboard_channel(v, i)->name;
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

/* A row that is left out because a number is not known is counted: that is said beside the filter. */
static bool passes(struct dashboard *d, const struct filter_row *row)
{
    bool shown = filter_row(d->filter, row);
    d->unknown += !shown && filter_row_unknown(d->filter, row);
    return shown;
}

static bool shows_probe(struct dashboard *d, const struct hub_probe *p)
{
    if (!d->filter)
        return true;
    struct filter_row row = {.name = p->target->name,
                             .kind = p->target->kind,
                             .state = health_name(p->health.state),
                             .shown = look_word(look_health(&p->health)),
                             .tag = "",
                             .depth = ROW_HAS_NONE,
                             .lag = ROW_HAS_NONE,
                             .p95_ms = p95_ms(&p->health),
                             .age_ns = p->health.runs ? clock_wall_ns() - p->health.last.time_ns : -1};
    return passes(d, &row);
}

static bool shows_broker(struct dashboard *d, const struct hub_endpoint *e)
{
    if (!d->filter)
        return true;
    struct filter_row row = {.name = e->config->endpoint.name,
                             .kind = e->config->broker->name,
                             .state = health_name(e->health.state),
                             .shown = look_word(dashboard_broker_look(e)),
                             .tag = "",
                             .depth = e->totals.depth,
                             .lag = e->totals.lag,
                             .p95_ms = p95_ms(&e->health),
                             .age_ns = ROW_HAS_NONE};
    return e->channels ? filter_row(d->filter, &row) : passes(d, &row); /* else its channels are counted */
}

static bool shows_channel(struct dashboard *d, const struct hub_endpoint *e, const struct channel *c)
{
    if (c->internal || !d->filter)
        return !c->internal;
    struct filter_row row = filter_row_of(c);
    struct look look = dashboard_channel_look(e, c);
    row.shown = *look.text ? look_word(look) : NULL;
    return passes(d, &row);
}

static size_t visible_channels(const struct hub_endpoint *e)
{
    size_t n = 0;
    for (size_t i = 0; e->channels && i < e->channels->count; i++)
        n += !e->channels->items[i].internal;
    return n;
}

size_t dashboard_outages(const struct view *v)
{
    const struct hub_attention *rows;
    size_t n = 0, count = hub_attention(v->hub, &rows);
    while (n < count && rows[n].severity == SEVERITY_CRIT)
        n++;
    return n;
}

/* What needs attention gets a quarter at most, or half where that shows what is down; the brokers get what the probes leave. */
void dashboard_share(const struct view *v, const size_t want[PANES], int room, int rows[PANES])
{
    int n[PANES], down = (int)dashboard_outages(v);
    for (enum pane p = 0; p < PANES; p++)
        n[p] = want[p] == 0 ? 1 : want[p] > CANVAS_MAX ? CANVAS_MAX : (int)want[p];
    int most = room / 4 > 1 ? room / 4 : 1;
    if (most < down)
        most = down < room / 2 ? down : room / 2;
    rows[PANE_ATTENTION] = n[PANE_ATTENTION] < most ? n[PANE_ATTENTION] : most;
    int rest = room - rows[PANE_ATTENTION];
    most = rest / 2 > rest - n[PANE_BROKERS] ? rest / 2 : rest - n[PANE_BROKERS];
    rows[PANE_PROBES] = n[PANE_PROBES] < most ? n[PANE_PROBES] : most;
    rows[PANE_BROKERS] = rest - rows[PANE_PROBES];
}

/* Unfolded, would it push brokers below it out of sight? */
static bool hides_brokers(const struct view *v, size_t endpoint)
{
    const struct dashboard *d = v->state;
    const struct hub_attention *attention;
    size_t want[PANES] = {hub_attention(v->hub, &attention), hub_probe_count(v->hub), 0};
    size_t count = hub_endpoint_count(v->hub);
    int rows[PANES];
    for (size_t i = 0; i < count; i++)
        want[PANE_BROKERS] +=
            1 + (i == endpoint || d->fold[i] == FOLD_OPEN ? visible_channels(hub_endpoint(v->hub, i)) : 0);
    dashboard_share(v, want, d->room, rows);
    return d->room && endpoint + 1 < count && (int)want[PANE_BROKERS] > rows[PANE_BROKERS];
}

bool dashboard_is_open(struct view *v, size_t endpoint)
{
    const struct dashboard *d = v->state;
    const struct hub_endpoint *e = hub_endpoint(v->hub, endpoint);
    if (d->fold[endpoint] == FOLD_AUTO &&
        e->channels) /* once: it would fold under the cursor when a channel is added */
        d->fold[endpoint] =
            visible_channels(e) <= OPEN_UP_TO && !hides_brokers(v, endpoint) ? FOLD_OPEN : FOLD_CLOSED;
    return d->fold[endpoint] == FOLD_OPEN;
}

/* With a filter a broker is there for the sake of its channels too, and those that match are unfolded. */
static void add_broker(struct view *v, size_t index)
{
    struct dashboard *d = v->state;
    const struct hub_endpoint *e = hub_endpoint(v->hub, index);
    size_t before = d->count;
    add(d, ITEM_BROKER, index, 0);
    bool unfold = e->channels && (d->filter || dashboard_is_open(v, index));
    for (size_t c = 0; unfold && c < e->channels->count; c++)
        if (shows_channel(d, e, &e->channels->items[c]))
            add(d, ITEM_CHANNEL, index, c);
    if (d->count == before + 1 && !shows_broker(d, e))
        d->count = before;
}

void dashboard_stand_on(struct view *v, size_t at)
{
    struct dashboard *d = v->state;
    d->at = at < d->count ? at : d->count ? d->count - 1 : 0;
    if (d->count == 0)
        return;
    d->on = d->items[d->at];
    text_copy(d->on_name, sizeof d->on_name, dashboard_name(v, &d->on));
}

static bool same(const struct view *v, const struct item *i)
{
    const struct dashboard *d = v->state;
    if (i->kind != d->on.kind || (i->kind != ITEM_ATTENTION && i->index != d->on.index))
        return false;
    return !strcmp(dashboard_name(v, i), d->on_name);
}

void dashboard_rebuild(struct view *v)
{
    struct dashboard *d = v->state;
    const struct hub_attention *rows;
    d->count = d->unknown = 0;
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
        dashboard_stand_on(v, 0);
        return;
    }
    for (size_t i = 0; i < d->count; i++)
        if (same(v, &d->items[i])) {
            dashboard_stand_on(v, i);
            return;
        }
    dashboard_stand_on(v, d->at);
}

enum pane dashboard_pane_of(const struct dashboard *d, size_t at)
{
    return at < d->first[PANE_PROBES]    ? PANE_ATTENTION
           : at < d->first[PANE_BROKERS] ? PANE_PROBES
                                         : PANE_BROKERS;
}

size_t dashboard_pane_count(const struct dashboard *d, enum pane p)
{
    return d->first[p + 1] - d->first[p];
}
