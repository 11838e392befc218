/* DESIGN. Rows are messages of the store, named by id. Without a filter row i is the i-th id of the store; with one, the
 * ids that match stand in a list, which grows in slices (tail_work), so that no key waits for a large store. Following
 * keeps the cursor on the newest; any move upwards pauses: the screen stands still while the stream goes on. */
#include "ui/views/tail.h"

#include "base/text.h"
#include "ui/paint.h"
#include "ui/prompt.h"
#include "ui/screen.h"
#include "ui/views/tail_rows.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- rows ---- */

bool tail_is_gap(const struct message *m)
{
    return m->origin->kind == CHANNEL_ANY && !strcmp(m->origin->endpoint, "signalbox");
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

size_t tail_row_count(const struct view *v)
{
    const struct tail *t = v->state;
    return t->filter ? t->count : (size_t)store_count(hub_store(v->hub));
}

uint64_t tail_row_id(const struct view *v, size_t row)
{
    const struct tail *t = v->state;
    return t->filter ? t->ids[t->head + row] : store_oldest(hub_store(v->hub)) + row;
}

size_t tail_row_of(const struct view *v, uint64_t id)
{
    size_t low = 0, high = tail_row_count(v);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tail_row_id(v, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    size_t count = tail_row_count(v);
    return low < count ? low : count ? count - 1 : 0;
}

size_t tail_cursor(const struct view *v)
{
    const struct tail *t = v->state;
    size_t count = tail_row_count(v);
    return t->paused ? tail_row_of(v, t->on) : count ? count - 1 : 0;
}

static void pause_at(struct view *v, size_t row)
{
    struct tail *t = v->state;
    size_t count = tail_row_count(v);
    if (count == 0)
        return;
    if (!t->paused) {
        t->paused = true;
        t->paused_at = store_newest(hub_store(v->hub));
        t->top_id = tail_row_id(v, count > t->height ? count - t->height : 0);
    }
    t->on = tail_row_id(v, row < count ? row : count - 1);
}

static void follow(struct tail *t)
{
    t->paused = false;
    t->finding = 0;
}

uint64_t tail_neighbour(struct view *v, uint64_t id, int step)
{
    size_t count = tail_row_count(v), row = count ? tail_row_of(v, id) : 0;
    while (count && (step > 0 ? row + 1 < count : row > 0)) {
        row = step > 0 ? row + 1 : row - 1;
        const struct message *m = store_get(hub_store(v->hub), tail_row_id(v, row));
        if (!m || tail_is_gap(m))
            continue;
        pause_at(v, row);
        return tail_row_id(v, row);
    }
    return 0;
}

/* ---- filtering and finding, in slices ---- */

/* The clock is looked at after so many messages or bytes, whichever comes first: a slice is late by one message at most. */
struct slice {
    int64_t deadline_ns;
    unsigned messages;
    size_t bytes;
};

static bool slice_over(struct slice *s, const struct message *m)
{
    s->bytes += m ? m->payload.len : 0;
    if (++s->messages < 32 && s->bytes < 256 * 1024)
        return false;
    s->messages = 0;
    s->bytes = 0;
    return clock_mono_ns() >= s->deadline_ns;
}

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
    struct slice slice = {.deadline_ns = deadline_ns};
    while (t->scanned < newest) {
        const struct message *m = store_get(s, ++t->scanned);
        if (m && (tail_is_gap(m) || filter_message(t->filter, m, now)))
            add_match(t, t->scanned);
        if (slice_over(&slice, m))
            return t->scanned < newest;
    }
    return false;
}

static bool find_slice(struct view *v, int64_t deadline_ns)
{
    struct tail *t = v->state;
    const struct store *s = hub_store(v->hub);
    int64_t now = clock_wall_ns();
    struct slice slice = {.deadline_ns = deadline_ns};
    while (t->finding) {
        const struct message *m = store_get(s, t->find_at);
        if (!m) {
            screen_say(v->screen, SEVERITY_INFO, "No match %s: `%s`", t->finding < 0 ? "above" : "below",
                       filter_text(t->find));
            t->finding = 0;
        } else if (!tail_is_gap(m) && filter_message(t->find, m, now) &&
                   (!t->filter || filter_message(t->filter, m, now))) {
            pause_at(v, tail_row_of(v, t->find_at));
            t->finding = 0;
        }
        t->find_at += (uint64_t)t->finding;
        if (slice_over(&slice, m))
            return t->finding != 0;
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
    if (tail_row_count(v) == 0)
        return;
    t->finding = step;
    t->find_at = tail_row_id(v, tail_cursor(v)) + (uint64_t)step;
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
    text_count(hits, sizeof hits, tail_row_count(v));
    text_count(all, sizeof all, store_count(s));
    bool busy = t->filter && t->scanned < store_newest(s);
    snprintf(note->text, sizeof note->text, "%s of %s%s   filtered here   Enter keeps it, Esc goes back",
             hits, all, busy ? ", still looking" : "");
}

/* While the line is wrong or half typed the list shows what its good words find, never nothing. */
static void show_good_part(struct view *v, const char *text, size_t caret)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    char good[sizeof t->filter_text];
    prompt_good_part(text, caret, good, sizeof good);
    struct filter *f = strcmp(good, t->filter_text) ? compile(v, good, &note) : NULL;
    if (f) {
        set_filter(v, f, good);
        filter_slice(v, clock_mono_ns() + 2 * NS_PER_MS);
    }
}

static void tail_typed(struct view *v, enum prompt_kind kind, const char *text, struct prompt_note *note)
{
    struct tail *t = v->state;
    if (kind == PROMPT_FILTER && !strcmp(text, t->filter_text)) {
        count_note(v, note);
        return;
    }
    struct filter *f = compile(v, text, note);
    bool half = f && kind == PROMPT_FILTER && prompt_half_typed(text);
    if (half)
        snprintf(note->text, sizeof note->text, "half typed: `%s` wants something behind it", text);
    if (kind == PROMPT_FILTER && (half || !f)) {
        show_good_part(v, text, half ? strlen(text) : note->caret);
    } else if (f && kind == PROMPT_FILTER) {
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
        restore_filter(v); /* as it stands, half typed or not */
    } else if (kind == PROMPT_FIND && text && *text) {
        filter_free(&t->find);
        t->find = compile(v, text, &note);
        if (t->find)
            find_from_cursor(v, -1);
    }
}

/* ---- actions ---- */

static void inspect(struct view *v)
{
    size_t row = tail_cursor(v);
    uint64_t id = tail_row_count(v) ? tail_row_id(v, row) : 0;
    const struct message *m = id ? store_get(hub_store(v->hub), id) : NULL;
    if (m && tail_is_gap(m)) { /* the whole of it, on as many rows as it needs */
        struct bytes text = paint_without_source(m->payload, m->origin->channel);
        screen_say(v->screen, SEVERITY_WARN, "%s: %.*s", m->origin->channel, (int)text.len,
                   (const char *)text.data);
    }
    if (!m || tail_is_gap(m))
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
    size_t at = tail_cursor(v),
           to = move_by(action, at, tail_row_count(v), ((struct tail *)v->state)->height);
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
            pause_at(v, tail_cursor(v));
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

/* Another tail has another store: ids begin anew. A filter made for other channels would hide what this one says. */
static void renew(struct view *v)
{
    struct tail *t = v->state;
    const struct hub_tail *h = hub_tail(v->hub);
    uint32_t serial = h ? h->serial : 0;
    if (serial == t->serial)
        return;
    t->serial = serial;
    follow(t);
    set_filter(v, NULL, "");
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
        tail_title(h, into, size);
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
