#include "ui/paint.h"

#include "base/text.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

#define NS_PER_MIN (60 * NS_PER_S)
#define UNKNOWN    "–"

/* ---- states ---- */

bool look_waits(const struct availability *a)
{
    return a->state == HEALTH_UNKNOWN && a->change_count == 0 && a->failures == 0;
}

struct look look_health(const struct availability *a)
{
    switch (a->state) {
    case HEALTH_UP: return (struct look){"● UP", ROLE_OK};
    case HEALTH_DEGRADED: return (struct look){a->slow ? "▲ SLOW" : "▲ WARN", ROLE_WARN};
    case HEALTH_DOWN: return (struct look){"✖ DOWN", ROLE_CRIT};
    case HEALTH_UNKNOWN: break;
    }
    if (availability_fails(a))
        return (struct look){"▲ FAIL", ROLE_WARN};
    return look_waits(a) ? (struct look){"○ WAIT", ROLE_MUTED} : (struct look){"? STALE", ROLE_STALE};
}

const char *look_word(struct look look)
{
    const char *blank = strchr(look.text, ' ');
    return blank ? blank + 1 : look.text;
}

struct look look_severity(enum severity severity, const char *word, char *into, size_t size)
{
    const char *glyph = severity == SEVERITY_CRIT ? "✖" : severity == SEVERITY_WARN ? "▲" : "●";
    enum role role = severity == SEVERITY_CRIT   ? ROLE_CRIT
                     : severity == SEVERITY_WARN ? ROLE_WARN
                                                 : ROLE_INFO;
    if (!strcmp(word, "STALE")) {
        glyph = "?";
        role = ROLE_STALE;
    }
    snprintf(into, size, "%s %s", glyph, word);
    return (struct look){into, role};
}

/* ---- ages and numbers ---- */

/* The steps of text_age. */
static int64_t age_step(int64_t age)
{
    return age < 10 * NS_PER_S ? NS_PER_S : age < NS_PER_MIN ? 5 * NS_PER_S : NS_PER_MIN;
}

char *paint_age(struct frame *f, int64_t since_ns, char *into, size_t size)
{
    int64_t age = f->now_ns > since_ns ? f->now_ns - since_ns : 0;
    int64_t step = age_step(age);
    frame_wake(f, since_ns + (age / step + 1) * step);
    return text_age(into, size, age);
}

char *paint_since(struct frame *f, int64_t since_ns, bool before, char *into, size_t size)
{
    bool more = before && f->now_ns - since_ns >= NS_PER_S; /* than nothing is no age */
    if (more)
        text_copy(into, size, ">");
    paint_age(f, since_ns, into + more, size - more);
    return into;
}

char *paint_ago(struct frame *f, int64_t time_ns, char *into, size_t size)
{
    if (time_ns == TIME_NONE || time_ns == 0)
        return text_copy(into, size, UNKNOWN);
    int64_t age = f->now_ns > time_ns ? f->now_ns - time_ns : 0;
    if (age >= 10 * NS_PER_S)
        return paint_age(f, time_ns, into, size);
    frame_wake(f, time_ns + 10 * NS_PER_S);
    return text_copy(into, size, "<10s");
}

char *paint_number(int64_t n, char *into, size_t size)
{
    return n < 0 ? text_copy(into, size, UNKNOWN) : text_count(into, size, (uint64_t)n);
}

const char *paint_upper(const struct canvas *c, bool upper)
{
    return !upper ? "" : c->ascii ? "<=" : "≤";
}

char *paint_count(int64_t n, const char *sign, int cells, char *into, size_t size)
{
    static const char units[] = " kMGTPE";
    char number[32];
    double shown = (double)n;
    size_t unit = 0;
    sign = n > 0 ? sign : "";
    snprintf(into, size, "%s%s", sign, paint_number(n, number, sizeof number));
    if (n < 1000 || (int)utf8_cells(bytes_of_text(into)) <= cells)
        return into;
    for (; shown >= 999.5 && units[unit + 1]; unit++)
        shown /= 1000;
    snprintf(into, size, "%s%.*f%c", sign, shown < 9.95 ? 1 : 0, shown, units[unit]);
    return into;
}

char *paint_bytes(uint64_t bytes, int cells, char *into, size_t size)
{
    if ((int)strlen(text_count(into, size, bytes)) <= cells)
        return into;
    char *unit = strchr(text_bytes(into, size, bytes), ' ');
    if ((int)strlen(into) > cells && unit) {
        size_t len = strlen(unit) - strlen(" B");
        memmove(unit, unit + 1, len);
        unit[len] = '\0';
    }
    return into;
}

char *paint_rate(double rate, char *into, size_t size)
{
    if (rate < 0 || isnan(rate))
        return text_copy(into, size, UNKNOWN);
    if (rate > 0 && rate < 9.95) {
        snprintf(into, size, rate < 0.05 ? "<0.1" : "%.1f", rate);
        return into;
    }
    return paint_count((int64_t)(rate + 0.5), "", 6, into, size);
}

char *paint_latency(int64_t ns, char *into, size_t size)
{
    return ns < 0 ? text_copy(into, size, UNKNOWN) : text_ms(into, size, ns);
}

const char *paint_name(const char *name, int cells, char *into, size_t size)
{
    const char *scheme = strstr(name, "://");
    if (!scheme || (int)utf8_cells(bytes_of_text(name)) <= cells)
        return name;
    const char *host = scheme + strlen("://"), *query = host + strcspn(host, "?"), *more = *query ? "…" : "";
    struct bytes whole = bytes_of(name, (size_t)(query - name)),
                 rest = bytes_of(host, (size_t)(query - host));
    int wide = (int)utf8_cells(rest), room = *query ? cells - 1 : cells;
    size_t from = 0;
    if ((int)utf8_cells(whole) <= room)
        rest = whole;
    bool fits = wide <= room;
    while (wide > room - 1 && !fits && from < rest.len) {
        size_t next = from;
        (void)utf8_next(rest, &next);
        wide -= (int)utf8_cells(bytes_slice(rest, from, next - from));
        from = next;
    }
    snprintf(into, size, "%s%.*s%s", fits ? "" : "…", (int)(rest.len - from), (const char *)rest.data + from,
             from < rest.len ? more : "");
    return into;
}

const char *paint_source(const char *endpoint, const char *channel, int cells, char *into, size_t size)
{
    enum { LEAST = 3 };
    struct bytes name = bytes_of_text(endpoint);
    int room = cells - 1 - (int)utf8_cells(bytes_of_text(channel));
    size_t head = 0, tail;
    room = room < LEAST ? LEAST : room;
    (void)utf8_next(name, &head);
    bool fits = (int)utf8_cells(name) <= room;
    int rest = room - 1 - (int)utf8_cells(bytes_slice(name, 0, head));
    for (tail = head; !fits && (int)utf8_cells(bytes_slice(name, tail, name.len - tail)) > rest;)
        (void)utf8_next(name, &tail);
    snprintf(into, size, "%.*s%s%s/%s", (int)head, endpoint, fits ? "" : "…", endpoint + tail, channel);
    return into;
}

struct bytes paint_without_source(struct bytes text, const char *source)
{
    size_t len = strlen(source);
    bool same = bytes_equal(bytes_slice(text, 0, len), bytes_of(source, len)) &&
                bytes_equal_text(bytes_slice(text, len, 2), ": ");
    return same ? bytes_slice(text, len + 2, text.len - len - 2) : text;
}

/* ---- sparklines ---- */

static void spark_cell(struct canvas *c, int x, int y, float value, int level)
{
    if (value < 0)
        canvas_cell(c, x, y, ROLE_MUTED, 0xB7);
    else if (isinf(value))
        canvas_cell(c, x, y, ROLE_CRIT, 0xD7);
    else
        canvas_cell(c, x, y, ROLE_SPARK, 0x2581 + (uint32_t)level);
}

void paint_spark(struct canvas *c, int x, int y, const float *values, int count)
{
    float most = 0;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i]) && values[i] > most)
            most = values[i];
    for (int i = 0; i < count; i++) {
        bool some = most > 0 && isfinite(values[i]) && values[i] > 0;
        spark_cell(c, x + i, y, values[i], some ? (int)(values[i] / most * 7.99f) : 0);
    }
}

/* The same height means the same latency in every row, so that rows compare at a glance. */
static int latency_level(float ms)
{
    static const float steps[] = {5, 15, 50, 150, 400, 1000, 2500};
    int level = 0;
    while (level < 7 && ms >= steps[level])
        level++;
    return level;
}

void paint_minutes(struct frame *f, int x, int y, int count, const struct availability *a)
{
    float values[HEALTH_COLUMNS];
    int64_t minute = f->now_ns / NS_PER_MIN;
    count = count > HEALTH_COLUMNS ? HEALTH_COLUMNS : count;
    for (int i = 0; i < count; i++)
        values[i] = -1;
    for (int i = 0; i < HEALTH_COLUMNS; i++) {
        int64_t back = minute - a->columns[i].minute;
        if (!a->columns[i].runs || back < 0 || back >= count)
            continue;
        values[count - 1 - back] = a->columns[i].failed ? INFINITY : a->columns[i].worst_ms;
    }
    for (int i = 0; i < count; i++)
        spark_cell(f->canvas, x + i, y, values[i], latency_level(values[i]));
    if (a->runs)
        frame_wake(f, (minute + 1) * NS_PER_MIN);
}

/* ---- tables ---- */

/* Room beyond what the column of width 0 can use goes to those that may grow, and what is left then back to it. */
static int grow(const struct column *c, int *surplus)
{
    int more = c->most > c->width ? c->most - c->width : 0;
    more = more < *surplus ? more : *surplus;
    *surplus -= more;
    return c->width + more;
}

void columns_fit(const struct column *columns, size_t count, int x, int w, struct slot *slots)
{
    int rest = w + 1, surplus = 0, end = x + w;
    for (size_t i = 0; i < count; i++)
        rest -= w >= columns[i].from ? columns[i].width + 1 : 0;
    for (size_t i = 0; i < count; i++)
        if (columns[i].width == 0 && columns[i].most && rest > columns[i].most) {
            surplus = rest - columns[i].most;
            rest = columns[i].most;
        }
    for (size_t i = 0; i < count; i++)
        slots[i].w = w < columns[i].from ? 0 : columns[i].width ? grow(&columns[i], &surplus) : rest;
    for (size_t i = 0; i < count; i++) {
        struct slot *s = &slots[i];
        s->x = x;
        s->w += s->w > 0 && columns[i].width == 0 ? surplus : 0;
        s->w = s->w > end - x ? end - x : s->w;
        s->w = s->w > 0 ? s->w : 0;
        x += s->w ? s->w + 1 : 0;
    }
}

void column_put(struct canvas *c, int y, const struct column *column, const struct slot *slot, enum role role,
                const char *text)
{
    if (column->right)
        canvas_right(c, slot->x, y, slot->w, role, text);
    else
        canvas_text(c, slot->x, y, slot->w, role, text);
}

void columns_head(struct canvas *c, int y, const struct column *columns, size_t count,
                  const struct slot *slots)
{
    for (size_t i = 0; i < count; i++)
        column_put(c, y, &columns[i], &slots[i], ROLE_HEAD, columns[i].title);
}

/* ---- lists ---- */

void scroll_to(size_t *top, size_t at, size_t count, size_t height)
{
    size_t last = count > height ? count - height : 0;
    if (at < *top)
        *top = at;
    if (height && at >= *top + height)
        *top = at - height + 1;
    if (*top > last)
        *top = last;
}

static size_t forward(size_t at, size_t by, size_t count)
{
    return count == 0 ? 0 : at + by < count ? at + by : count - 1;
}

static size_t back(size_t at, size_t by)
{
    return at > by ? at - by : 0;
}

size_t move_by(enum action action, size_t at, size_t count, size_t height)
{
    size_t page = height > 1 ? height - 1 : 1, half = height > 2 ? height / 2 : 1;
    switch (action) {
    case ACTION_DOWN: return forward(at, 1, count);
    case ACTION_UP: return back(at, 1);
    case ACTION_HALF_DOWN: return forward(at, half, count);
    case ACTION_HALF_UP: return back(at, half);
    case ACTION_PAGE_DOWN: return forward(at, page, count);
    case ACTION_PAGE_UP: return back(at, page);
    case ACTION_TOP: return 0;
    case ACTION_BOTTOM: return forward(0, count, count);
    default: return SIZE_MAX;
    }
}
