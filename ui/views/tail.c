/* DESIGN. Rows are messages of the store, named by id. Without a filter row i is the i-th id of the store; with one, those
 * that match (ui/matches.h), found in slices (tail_work). Following keeps the cursor on the newest; any move upwards pauses: the
 * screen stands still while the stream goes on. A browse is read from its first row down: there it stands from the start, and a
 * search goes downwards. */
#include "ui/views/tail.h"

#include "base/text.h"
#include "ui/paint.h"
#include "ui/screen.h"
#include "ui/views/change.h"
#include "ui/views/tail_rows.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- rows ---- */

bool tail_is_gap(const struct message *m)
{
    return m->origin->kind == CHANNEL_ANY && !strcmp(m->origin->endpoint, "signalbox");
}

bool tail_is_browse(const struct view *v)
{
    const struct hub_tail *h = hub_tail(v->hub);
    return h && h->how.mode == READ_BROWSE;
}

size_t tail_row_count(const struct view *v)
{
    const struct tail *t = v->state;
    return t->filter.filter ? t->filter.count : (size_t)store_count(hub_store(v->hub));
}

uint64_t tail_row_id(const struct view *v, size_t row)
{
    const struct tail *t = v->state;
    return t->filter.filter ? matches_id(&t->filter, row) : store_oldest(hub_store(v->hub)) + row;
}

/* The first row that is not older than id; the count: none. */
static size_t row_from(const struct view *v, uint64_t id)
{
    size_t low = 0, high = tail_row_count(v);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tail_row_id(v, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t tail_row_of(const struct view *v, uint64_t id)
{
    size_t count = tail_row_count(v), row = row_from(v, id);
    return row < count ? row : count ? count - 1 : 0;
}

size_t tail_cursor(const struct view *v)
{
    const struct tail *t = v->state;
    size_t count = tail_row_count(v);
    return t->place.paused ? tail_row_of(v, t->place.on) : count ? count - 1 : 0;
}

bool tail_cursor_evicted(const struct view *v)
{
    const struct tail *t = v->state;
    return t->place.paused && t->place.on < store_oldest(hub_store(v->hub));
}

size_t tail_evicted(const struct view *v)
{
    const struct tail *t = v->state;
    uint64_t oldest = store_oldest(hub_store(v->hub));
    if (t->filter.filter) /* a match that is gone must not pass for one that never was */
        return t->filter.evicted - (t->place.paused ? t->place.unlisted : 0);
    if (!t->place.paused)
        return 0;
    return oldest > t->place.held_from ? (size_t)(oldest - t->place.held_from) : 0;
}

void tail_pause_at(struct view *v, size_t row)
{
    struct tail *t = v->state;
    size_t count = tail_row_count(v);
    uint64_t next = store_newest(hub_store(v->hub)) + 1;
    if (!t->place.paused) {
        t->place.paused = true;
        t->place.paused_at = store_newest(hub_store(v->hub));
        t->place.held_from = count ? store_oldest(hub_store(v->hub)) : next;
        t->place.unlisted = t->filter.evicted;
        t->place.top_id = count ? tail_row_id(v, count > t->height ? count - t->height : 0) : next;
    }
    t->place.on = count ? tail_row_id(v, row < count ? row : count - 1) : next;
}

static void follow(struct tail *t)
{
    t->place.paused = false;
    t->finding = 0;
}

uint64_t tail_neighbour(struct view *v, uint64_t id, int step)
{
    size_t count = tail_row_count(v), row = row_from(v, id);
    if (step > 0 && row < count && tail_row_id(v, row) == id)
        row++;
    while (step > 0 ? row < count : row > 0) {
        size_t at = step > 0 ? row++ : --row;
        const struct message *m = store_get(hub_store(v->hub), tail_row_id(v, at));
        if (!m || tail_is_gap(m))
            continue;
        tail_pause_at(v, at);
        return tail_row_id(v, at);
    }
    return 0;
}

const char *tail_end_text(const struct view *v, int step, char *into, size_t size)
{
    const struct tail *t = v->state;
    size_t hidden = (size_t)store_count(hub_store(v->hub)) - tail_row_count(v);
    bool browse = tail_is_browse(v);
    const char *which = browse ? step > 0 ? "last" : "first" : step > 0 ? "newest" : "oldest";
    char count[32];
    if (t->filter.filter && hidden)
        snprintf(into, size, "This is the %s that is shown (%s hidden by the filter)", which,
                 text_count(count, sizeof count, hidden));
    else if (browse)
        snprintf(into, size, "This is the %s that was read", which);
    else
        snprintf(into, size, "This is the %s message%s", which, step > 0 ? "" : " held");
    return into;
}

/* ---- actions ---- */

static void inspect(struct view *v)
{
    size_t row = tail_cursor(v);
    if (tail_cursor_evicted(v)) { /* another one stands there, which nobody has chosen */
        tail_pause_at(v, row);
        screen_say(
            v->screen, SEVERITY_WARN,
            tail_row_count(v)
                ? "The message that you were on was evicted: newer ones took its place. This is the oldest"
                : "The message that you were on was evicted, and none that is shown is held now");
        return;
    }
    uint64_t id = tail_row_count(v) ? tail_row_id(v, row) : 0;
    const struct message *m = id ? store_get(hub_store(v->hub), id) : NULL;
    if (m && tail_is_gap(m)) { /* the whole of it, on as many rows as it needs */
        struct bytes text = paint_without_source(m->payload, m->origin->channel);
        screen_say(v->screen, SEVERITY_WARN, "%s: %.*s", m->origin->channel, (int)text.len,
                   (const char *)text.data);
    }
    if (!m || tail_is_gap(m))
        return;
    tail_pause_at(v, row);
    screen_show(v->screen, VIEW_INSPECTOR, &id);
}

static void open_filter(struct view *v)
{
    struct tail *t = v->state;
    text_copy(t->kept_text, sizeof t->kept_text, t->filter.text);
    screen_prompt(v->screen, PROMPT_FILTER, t->filter.text);
}

static bool move(struct view *v, enum action action)
{
    size_t at = tail_cursor(v),
           to = move_by(action, at, tail_row_count(v), ((struct tail *)v->state)->height);
    if (to == SIZE_MAX)
        return false;
    if (action == ACTION_BOTTOM)
        follow(v->state);
    else if (tail_row_count(v) == 0)
        return true;
    else if (to != at || action == ACTION_UP)
        tail_pause_at(v, to);
    return true;
}

/* ---- marks, for a change of several ---- */

static size_t mark_at(const struct tail *t, uint64_t id)
{
    size_t i = 0;
    while (i < t->marked_count && t->marked[i] < id)
        i++;
    return i;
}

bool tail_has_mark(const struct tail *t, uint64_t id)
{
    size_t i = mark_at(t, id);
    return i < t->marked_count && t->marked[i] == id;
}

static void mark(struct view *v)
{
    struct tail *t = v->state;
    size_t row = tail_cursor(v), count = tail_row_count(v);
    uint64_t id = count ? tail_row_id(v, row) : 0;
    const struct message *m = id ? store_get(hub_store(v->hub), id) : NULL;
    size_t i = mark_at(t, id);
    if (!m || tail_is_gap(m))
        return;
    if (tail_has_mark(t, id)) {
        memmove(&t->marked[i], &t->marked[i + 1], (--t->marked_count - i) * sizeof *t->marked);
    } else if (t->marked_count == TAIL_MARKED) {
        screen_say(v->screen, SEVERITY_WARN, "%d messages are marked: a change of more wants a selection",
                   TAIL_MARKED);
        return;
    } else {
        memmove(&t->marked[i + 1], &t->marked[i], (t->marked_count++ - i) * sizeof *t->marked);
        t->marked[i] = id;
    }
    tail_pause_at(v, row + 1 < count ? row + 1 : row);
}

/* The marked ones, else the one under the cursor. */
static void change(struct view *v)
{
    struct tail *t = v->state;
    const struct store *s = hub_store(v->hub);
    const struct message *messages[TAIL_MARKED];
    struct change_target *target = calloc(1, sizeof *target);
    size_t count = t->marked_count, gone = 0;
    for (size_t i = 0; i < count; i++) {
        messages[i] = store_get(s, t->marked[i]);
        gone += !messages[i];
    }
    if (!count && tail_row_count(v) && !tail_cursor_evicted(v)) {
        messages[count] = store_get(s, tail_row_id(v, tail_cursor(v)));
        count += messages[0] && !tail_is_gap(messages[0]);
        tail_pause_at(v, tail_cursor(v));
    }
    if (gone)
        screen_say(v->screen, SEVERITY_WARN,
                   "%zu of the marked messages were evicted: mark them again, or use a selection", gone);
    else if (target && change_messages(v->screen, messages, count, target))
        screen_show(v->screen, VIEW_CHANGE, target);
    free(target);
}

/* Read anew, as it was opened. */
static void again(struct view *v)
{
    struct tail *t = v->state;
    const struct hub_tail *h = hub_tail(v->hub);
    struct address addresses[HUB_TAIL_MOST];
    struct screen_read how = {.read = h->how};
    size_t count = h->channel_count < HUB_TAIL_MOST ? h->channel_count : HUB_TAIL_MOST;
    bool waits = false;
    for (size_t i = 0; i < h->channel_count; i++)
        waits |= h->channels[i].status.state == SESSION_BACKOFF;
    if (hub_tail_retry(v->hub)) {
        screen_say(v->screen, SEVERITY_INFO,
                   waits ? "Lost connections are tried again now"
                         : "No connection is lost: nothing to try again");
        return;
    }
    for (size_t i = 0; i < count; i++)
        addresses[i] = h->channels[i].address;
    text_copy(how.where, sizeof how.where, t->filter.text);
    if (tail_is_browse(v))
        screen_browse(v->screen, &addresses[0], &how);
    else
        screen_tail(v->screen, addresses, count, &how);
}

static void use_filter(struct view *v, const char *text)
{
    struct prompt_note note = {.text = ""};
    tail_set_filter(v, *text ? tail_compile(v, text, &note) : NULL, text);
}

/* Another tail has another store: ids begin anew. A filter made for other channels would hide what this one says. */
static void begin(struct view *v, const struct hub_tail *h)
{
    struct tail *t = v->state;
    struct tail_memory *m = &t->memory[hub_tail_holds(v->hub, t->memory[0].place.serial)];
    if (hub_tail_holds(v->hub, t->place.serial)) {
        m->place = t->place;
        text_copy(m->filter, sizeof m->filter, t->filter.text);
        text_copy(m->find, sizeof m->find, t->find.text);
    }
    t->place = (struct tail_place){.serial = h ? h->serial : 0, .on = 1, .top_id = 1, .held_from = 1};
    t->place.paused = tail_is_browse(v) && h->how.start.kind != START_LAST;
    matches_set(&t->find, NULL, "");
    use_filter(v, "");
}

static void look_again(struct view *v, struct tail_memory *m)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    t->place = m->place;
    use_filter(v, m->filter);
    matches_set(&t->find, *m->find ? tail_compile(v, m->find, &note) : NULL, m->find);
    m->place.serial = 0;
}

static void remark_on_where(struct view *v, const char *where)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    struct filter *f = tail_compile(v, where, &note);
    text_copy(t->where_remark, sizeof t->where_remark, f ? filter_remark(f) : "");
    filter_free(&f);
}

static void renew(struct view *v)
{
    struct tail *t = v->state;
    const struct hub_tail *h = hub_tail(v->hub);
    if ((h ? h->serial : 0) == t->place.serial)
        return;
    t->finding = 0;
    t->marked_count = 0;
    remark_on_where(v, h ? h->how.where : "");
    for (int i = 0; h && i < 2; i++)
        if (h->serial == t->memory[i].place.serial) {
            look_again(v, &t->memory[i]);
            return;
        }
    begin(v, h);
}

/* From a browse to the tail that goes on beneath it. */
static bool leave_browse(struct view *v)
{
    bool back = hub_tail_back(v->hub);
    renew(v);
    return back;
}

static enum action tail_action(struct view *v, enum action action)
{
    struct tail *t = v->state;
    if (!hub_tail(v->hub))
        return action;
    switch (action) {
    case ACTION_PAUSE:
        if (tail_is_browse(v))
            screen_say(v->screen, SEVERITY_INFO, "What is stored stands still already: p is for a tail");
        else if (t->place.paused)
            follow(t);
        else
            tail_pause_at(v, tail_cursor(v));
        break;
    case ACTION_FOLLOW: follow(t); break;
    case ACTION_AGAIN: again(v); break;
    case ACTION_OPEN:
    case ACTION_INSPECT: inspect(v); break;
    case ACTION_FIND: screen_prompt(v->screen, PROMPT_FIND, ""); break;
    case ACTION_NEXT: tail_find_from_cursor(v, tail_onwards(v), false); break;
    case ACTION_PREVIOUS: tail_find_from_cursor(v, -tail_onwards(v), false); break;
    case ACTION_FILTER: open_filter(v); break;
    case ACTION_MARK: mark(v); break;
    case ACTION_CHANGE: change(v); break;
    case ACTION_CANCEL:
        if (!t->finding)
            return action;
        t->finding = 0;
        break;
    case ACTION_BACK: /* one thing after the other */
        if (t->marked_count)
            t->marked_count = 0;
        else if (t->find.filter)
            matches_set(&t->find, NULL, "");
        else if (t->filter.filter)
            tail_set_filter(v, NULL, "");
        else
            return leave_browse(v) ? ACTION_NONE : action;
        break;
    case ACTION_QUIT: return leave_browse(v) ? ACTION_NONE : action;
    default: return move(v, action) ? ACTION_NONE : action;
    }
    return ACTION_NONE;
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
    const struct hub_tail *h = hub_tail(v->hub), *beneath = hub_tail_beneath(v->hub);
    char name[64];
    if (h)
        tail_title(h, into, size);
    size_t used = strlen(into);
    if (beneath) {
        tail_title(beneath, name, sizeof name);
        snprintf(into + used, size - used, " (q: tail %s)", name);
    }
}

static const char *tail_doing(const struct view *v)
{
    return tail_is_browse(v) ? "browse" : "tail";
}

static void tail_close(struct view *v)
{
    struct tail *t = v->state;
    matches_free(&t->filter);
    matches_free(&t->find);
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
    .doing = tail_doing,
};
