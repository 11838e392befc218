/* The status row: what state the reading is in, what came, what is held and what is hidden. */
#include "ui/views/tail_rows.h"

#include "base/text.h"
#include "base/utf8.h"
#include "ui/paint.h"

#include <stdio.h>
#include <string.h>

static bool all_ended(const struct hub_tail *h)
{
    for (size_t i = 0; i < h->channel_count; i++)
        if (h->channels[i].status.state != SESSION_ENDED)
            return false;
    return h->channel_count > 0;
}

static bool any_failed(const struct hub_tail *h)
{
    for (size_t i = 0; i < h->channel_count; i++)
        if (h->channels[i].status.err.code && h->channels[i].status.err.code != ERR_END)
            return true;
    return false;
}

/* Channels without a connection: those that had one, or those that never did. */
static size_t apart_count(const struct hub_tail *h, bool was_up)
{
    size_t apart = 0;
    for (size_t i = 0; i < h->channel_count; i++) {
        const struct session_status *s = &h->channels[i].status;
        apart += s->was_up == was_up && (s->state == SESSION_BACKOFF || s->state == SESSION_CONNECTING);
    }
    return apart;
}

/* Whose connection was lost: one is named, of several it is said how many. */
static void lost_text(const struct hub_tail *h, size_t lost, char *into, size_t size)
{
    const char *name = NULL;
    bool several = false;
    for (size_t i = 0; i < h->channel_count; i++) {
        const struct session_status *s = &h->channels[i].status;
        const char *of = h->channels[i].address.endpoint->endpoint.name;
        if (!s->was_up || (s->state != SESSION_BACKOFF && s->state != SESSION_CONNECTING))
            continue;
        several |= name && strcmp(name, of) != 0;
        name = of;
    }
    if (several || !name || strlen(name) > 24)
        snprintf(into, size, "LIVE, %zu of %zu LOST", lost, h->channel_count);
    else
        snprintf(into, size, "LIVE, %s LOST", name);
}

static size_t failed_count(const struct hub_tail *h)
{
    size_t failed = 0;
    for (size_t i = 0; i < h->channel_count; i++)
        failed += h->channels[i].status.state == SESSION_ENDED;
    return failed;
}

/* Its row is out of sight once messages come: here it is named. */
static void failed_text(const struct hub_tail *h, size_t failed, char *into, size_t size)
{
    const char *name = NULL;
    for (size_t i = 0; i < h->channel_count; i++)
        if (h->channels[i].status.state == SESSION_ENDED)
            name = h->channels[i].address.channel.name;
    if (failed > 1 || !name || strlen(name) > 24)
        snprintf(into, size, "LIVE, %zu of %zu FAILED", failed, h->channel_count);
    else
        snprintf(into, size, "LIVE, %s FAILED", name);
}

static bool any_up(const struct hub_tail *h)
{
    for (size_t i = 0; i < h->channel_count; i++)
        if (h->channels[i].status.state == SESSION_UP)
            return true;
    return false;
}

static enum role live_mode(const struct hub_tail *h, char *into, size_t size)
{
    size_t lost = apart_count(h, true), waiting = apart_count(h, false), failed = failed_count(h);
    if (!any_up(h))
        snprintf(into, size, lost ? "LOST, trying again" : "CONNECTING");
    else if (lost)
        lost_text(h, lost, into, size);
    else if (failed)
        failed_text(h, failed, into, size);
    else if (waiting)
        snprintf(into, size, "LIVE, %zu of %zu connecting", waiting, h->channel_count);
    else
        snprintf(into, size, "LIVE");
    return lost || failed ? ROLE_CRIT : waiting ? ROLE_WARN : ROLE_LIVE;
}

static enum role ended_mode(const struct hub_tail *h, char *into, size_t size)
{
    snprintf(into, size, any_failed(h) ? "FAILED" : "END");
    return any_failed(h) ? ROLE_CRIT : ROLE_LIVE;
}

static enum role browse_mode(const struct hub_tail *h, char *into, size_t size)
{
    if (all_ended(h))
        return ended_mode(h, into, size);
    snprintf(into, size, any_up(h) ? "READING" : "OPENING");
    return ROLE_LIVE;
}

/* Who reads what has come must know that no more comes. False: all is well. */
static bool add_trouble(const struct hub_tail *h, char *into, size_t size)
{
    char live[64];
    size_t used = strlen(into), ok = strlen("LIVE, ");
    if (all_ended(h) || live_mode(h, live, sizeof live) != ROLE_CRIT)
        return false;
    snprintf(into + used, size - used, ", %s", text_starts(live, "LIVE, ") ? live + ok : live);
    return true;
}

enum role tail_mode(const struct view *v, const struct hub_tail *h, char *into, size_t size)
{
    if (tail_is_browse(v))
        return browse_mode(h, into, size);
    const struct tail *t = v->state;
    uint64_t newest = store_newest(hub_store(v->hub));
    char count[32];
    if (t->place.paused && newest > t->place.paused_at && !t->filter.filter) {
        snprintf(into, size, "PAUSED +%s new", text_count(count, sizeof count, newest - t->place.paused_at));
    } else if (t->place.paused) {
        size_t rows = tail_row_count(v), seen = rows ? tail_row_of(v, t->place.paused_at + 1) : 0;
        size_t fresh = rows && tail_row_id(v, seen) > t->place.paused_at ? rows - seen : 0;
        snprintf(into, size, fresh ? "PAUSED +%s new" : "PAUSED", text_count(count, sizeof count, fresh));
    } else if (all_ended(h)) {
        return ended_mode(h, into, size);
    } else {
        return live_mode(h, into, size);
    }
    return add_trouble(h, into, size) ? ROLE_CRIT : ROLE_PAUSED;
}

/* What has no room goes whole: half a counter is a wrong one. */
static int segment(struct frame *f, int x, int y, enum role role, const char *text)
{
    if (x + (int)utf8_cells(bytes_of_text(text)) > f->canvas->w - 1)
        return x;
    int used = canvas_text(f->canvas, x, y, f->canvas->w - 1 - x, role, text);
    return x + used + 3;
}

/* "match 3 of 41", or only how many where the cursor is on none. */
static void find_text(const struct view *v, char *into, size_t size)
{
    const struct tail *t = v->state;
    uint64_t on = tail_row_count(v) ? tail_row_id(v, tail_cursor(v)) : 0;
    size_t at = matches_at(&t->find, on);
    bool here = at < t->find.count && matches_id(&t->find, at) == on;
    const char *more = matches_busy(&t->find, hub_store(v->hub)) ? "+" : "";
    char nth[32], all[32];
    text_count(all, sizeof all, t->find.count);
    if (here)
        snprintf(into, size, "match %s of %s%s", text_count(nth, sizeof nth, at + 1), all, more);
    else
        snprintf(into, size, "%s%s match%s", all, more, t->find.count == 1 ? "es" : "");
}

static int draw_received(struct frame *f, int x, int y, const struct hub_tail *h, uint64_t held)
{
    char text[80], a[32], b[32];
    snprintf(text, sizeof text, "%s/s %s/s", paint_rate(h->rate, a, sizeof a),
             text_bytes(b, sizeof b, (uint64_t)(h->byte_rate > 0 ? h->byte_rate : 0)));
    x = segment(f, x, y, ROLE_TEXT, text);
    snprintf(text, sizeof text, "received %s", text_count(a, sizeof a, h->received));
    x = segment(f, x, y, ROLE_TEXT, text);
    snprintf(text, sizeof text, "held %s", text_count(a, sizeof a, held));
    return segment(f, x, y, ROLE_TEXT, text);
}

/* Where in what is stored one stands, and how much of it was read. */
static int draw_read(const struct view *v, struct frame *f, int x, int y, const struct hub_tail *h)
{
    const struct read_progress *p = &h->channels[0].status.progress;
    char text[96], a[32], b[32];
    size_t count = tail_row_count(v);
    snprintf(text, sizeof text, "row %s of %s", text_count(a, sizeof a, count ? tail_cursor(v) + 1 : 0),
             text_count(b, sizeof b, count));
    x = segment(f, x, y, ROLE_TEXT, text);
    if (p->total <= 0)
        snprintf(text, sizeof text, "read %s", text_count(a, sizeof a, (uint64_t)p->scanned));
    else
        snprintf(text, sizeof text, "read %s of %s%s", text_count(a, sizeof a, (uint64_t)p->scanned),
                 p->total_upper ? "at most " : "", text_count(b, sizeof b, (uint64_t)p->total));
    return segment(f, x, y, ROLE_TEXT, text);
}

static int draw_evicted(const struct view *v, struct frame *f, int x, int y)
{
    char text[80], count[32];
    const struct tail *t = v->state;
    size_t evicted = tail_evicted(v);
    bool least = t->filter.filter && t->filter.unseen;
    if (!evicted && !least)
        return x;
    snprintf(text, sizeof text, "evicted %s%s%s", least ? "at least " : "",
             text_count(count, sizeof count, evicted),
             tail_cursor_evicted(v) ? ", the cursor's row too" : "");
    return segment(f, x, y, ROLE_WARN, text);
}

/* None of them is among those that are found or shown: the sum counts each once. */
static int draw_unknown(const struct tail *t, struct frame *f, int x, int y, const struct hub_tail *h)
{
    char text[80], count[32];
    uint64_t unknown = h->unknown + t->filter.unknown + t->find.unknown;
    if (!unknown)
        return x;
    snprintf(text, sizeof text, "%s could not be judged", text_count(count, sizeof count, unknown));
    return segment(f, x, y, ROLE_WARN, text);
}

/* What was lost and what is hidden first, then what came and what is held (rows of lost connections counted). */
void tail_draw_status(struct view *v, struct frame *f, int y, const struct hub_tail *h)
{
    const struct tail *t = v->state;
    const struct store *s = hub_store(v->hub);
    char text[80], a[32], mode[120];
    uint64_t held = store_count(s);
    enum role role = tail_mode(v, h, mode, sizeof mode);
    int x = segment(f, 1, y, role, mode);
    snprintf(text, sizeof text, "%zu marked: X changes them", t->marked_count);
    if (t->marked_count)
        x = segment(f, x, y, ROLE_WARN, text);
    x = draw_evicted(v, f, x, y);
    x = draw_unknown(t, f, x, y, h);
    if (t->find.filter) {
        find_text(v, text, sizeof text);
        x = segment(f, x, y, ROLE_MATCH, text);
    }
    snprintf(text, sizeof text, "dropped %s", text_count(a, sizeof a, h->dropped));
    if (h->dropped) /* a loss has its place before everything else */
        x = segment(f, x, y, ROLE_CRIT, text);
    snprintf(text, sizeof text, "not shown %s", text_count(a, sizeof a, held - t->filter.count));
    if (t->filter.filter)
        x = segment(f, x, y, ROLE_WARN, text);
    x = tail_is_browse(v) ? draw_read(v, f, x, y, h) : draw_received(f, x, y, h, held);
    if (!t->filter.filter)
        x = segment(f, x, y, ROLE_TEXT, "not shown 0");
    if (!h->dropped)
        segment(f, x, y, ROLE_TEXT, "dropped 0");
}
