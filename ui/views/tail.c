/* DESIGN. Rows are messages of the store, named by id. Without a filter row i is the i-th id of the store; with one, those
 * that match (ui/matches.h), found in slices (tail_work). Following
 * keeps the cursor on the newest; any move upwards pauses: the screen stands still while the stream goes on. A browse is read
 * from its first row down: there it stands from the start, and a search goes downwards. */
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
    return t->place.paused ? tail_row_of(v, t->place.on) : count ? count - 1 : 0;
}

static void pause_at(struct view *v, size_t row)
{
    struct tail *t = v->state;
    size_t count = tail_row_count(v);
    if (count == 0)
        return;
    if (!t->place.paused) {
        t->place.paused = true;
        t->place.paused_at = store_newest(hub_store(v->hub));
        t->place.top_id = tail_row_id(v, count > t->height ? count - t->height : 0);
    }
    t->place.on = tail_row_id(v, row < count ? row : count - 1);
}

static void follow(struct tail *t)
{
    t->place.paused = false;
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

/* ---- filtering and finding, in slices ---- */

static void set_filter(struct view *v, struct filter *filter, const char *text)
{
    struct tail *t = v->state;
    matches_set(&t->filter, filter, text);
    matches_again(&t->find); /* it counts among the rows that are shown */
}

static bool is_shown(void *context, const struct matches *m, const struct message *message)
{
    (void)context;
    return tail_is_gap(message) || filter_message(m->filter, message, clock_wall_ns());
}

static bool is_found(void *context, const struct matches *m, const struct message *message)
{
    const struct tail *t = context;
    return filter_message(m->filter, message, clock_wall_ns()) &&
           (!t->filter.filter || is_shown(context, &t->filter, message));
}

static bool filter_slice(struct view *v, int64_t deadline_ns)
{
    struct tail *t = v->state;
    return matches_slice(&t->filter, hub_store(v->hub), deadline_ns, is_shown, t);
}

static bool count_slice(struct view *v, int64_t deadline_ns)
{
    struct tail *t = v->state;
    return matches_slice(&t->find, hub_store(v->hub), deadline_ns, is_found, t);
}

/* The jump goes its own way, from the cursor on: it need not wait for the count. */
static bool find_slice(struct view *v, int64_t deadline_ns)
{
    struct tail *t = v->state;
    const struct store *s = hub_store(v->hub);
    struct slice slice = {.deadline_ns = deadline_ns};
    while (t->finding) {
        const struct message *m = store_get(s, t->find_at);
        if (!m) {
            screen_say(v->screen, SEVERITY_INFO, "No match %s: `%s`", t->finding < 0 ? "above" : "below",
                       t->find.text);
            t->finding = 0;
        } else if (is_found(t, &t->find, m)) {
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
    more |= find_slice(v, deadline_ns);
    return count_slice(v, deadline_ns) || more;
}

static void find_from_cursor(struct view *v, int step, bool here)
{
    struct tail *t = v->state;
    if (!t->find.filter) {
        screen_say(v->screen, SEVERITY_INFO, "Nothing to find yet: / asks what");
        return;
    }
    if (tail_row_count(v) == 0)
        return;
    t->finding = step;
    t->find_at = tail_row_id(v, tail_cursor(v)) + (uint64_t)(here ? 0 : step);
}

/* Where the next match lies: a tail is read from its newest row up, a browse from its first down. */
static int onwards(const struct view *v)
{
    return tail_is_browse(v) ? 1 : -1;
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
    const char *remark = t->filter.filter ? filter_remark(t->filter.filter) : "";
    snprintf(note->text, sizeof note->text, "%s of %s%s   %s   Enter keeps it, Esc goes back", hits, all,
             matches_busy(&t->filter, s) ? ", still looking" : "", *remark ? remark : "filtered here");
}

static void find_note(const struct view *v, struct prompt_note *note)
{
    const struct tail *t = v->state;
    char hits[32], all[32];
    text_count(hits, sizeof hits, t->find.count);
    text_count(all, sizeof all, tail_row_count(v));
    snprintf(note->text, sizeof note->text,
             "%s of %s rows match%s   Enter goes to the next %s, Esc forgets it", hits, all,
             matches_busy(&t->find, hub_store(v->hub)) ? ", still looking" : "",
             onwards(v) > 0 ? "below" : "above");
}

/* Who means the text as it is can say so. */
static bool say_half_typed(const char *text, struct prompt_note *note)
{
    note->unfinished = prompt_half_typed(text);
    if (note->unfinished)
        snprintf(note->text, sizeof note->text,
                 "half typed: `%s` wants something behind it; a text stands in '...'", text);
    return note->unfinished;
}

static void find_typed(struct view *v, const char *text, struct prompt_note *note)
{
    struct tail *t = v->state;
    bool same = t->find.filter && !strcmp(text, t->find.text);
    struct filter *f = same ? NULL : compile(v, text, note);
    if (!same && (!f || say_half_typed(text, note))) {
        filter_free(&f);
        matches_set(&t->find, NULL, ""); /* what its beginning found is not what is asked for */
        return;
    }
    if (!same) {
        matches_set(&t->find, f, text);
        count_slice(v, clock_mono_ns() + 2 * NS_PER_MS);
    }
    if (*text)
        find_note(v, note);
}

/* While the line is wrong or half typed the list shows what its good words find, never nothing. */
static void show_good_part(struct view *v, const char *text, size_t caret)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    char good[sizeof t->filter.text];
    prompt_good_part(text, caret, good, sizeof good);
    struct filter *f = strcmp(good, t->filter.text) ? compile(v, good, &note) : NULL;
    if (f) {
        set_filter(v, f, good);
        filter_slice(v, clock_mono_ns() + 2 * NS_PER_MS);
    }
}

static void filter_typed(struct view *v, const char *text, struct prompt_note *note)
{
    struct tail *t = v->state;
    if (!*text)
        snprintf(note->text, sizeof note->text,
                 "a word, 'exact', /regex/, or body.PATH=VALUE key headers.NAME "
                 "size>10k age<5m partition offset; all: signalbox help filter");
    if (!strcmp(text, t->filter.text)) {
        if (*text)
            count_note(v, note);
        return;
    }
    struct filter *f = compile(v, text, note);
    bool half = f && say_half_typed(text, note);
    if (half || !f) {
        filter_free(&f);
        show_good_part(v, text, half ? strlen(text) : note->caret);
        return;
    }
    set_filter(v, f, text);
    filter_slice(v, clock_mono_ns() + 2 * NS_PER_MS);
    count_note(v, note);
}

static void tail_typed(struct view *v, enum prompt_kind kind, const char *text, struct prompt_note *note)
{
    if (kind == PROMPT_FILTER)
        filter_typed(v, text, note);
    else if (kind == PROMPT_FIND)
        find_typed(v, text, note);
}

static void restore_filter(struct view *v)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    if (!strcmp(t->kept_text, t->filter.text))
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
    } else if (kind == PROMPT_FIND) {
        struct filter *f = text && *text ? compile(v, text, &note) : NULL;
        matches_set(&t->find, f, f ? text : "");
        if (f)
            find_from_cursor(v, onwards(v), true);
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
    else if (to != at || action == ACTION_UP)
        pause_at(v, to);
    return true;
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
            pause_at(v, tail_cursor(v));
        break;
    case ACTION_FOLLOW: follow(t); break;
    case ACTION_AGAIN: again(v); break;
    case ACTION_OPEN:
    case ACTION_INSPECT: inspect(v); break;
    case ACTION_FIND: screen_prompt(v->screen, PROMPT_FIND, ""); break;
    case ACTION_NEXT: find_from_cursor(v, onwards(v), false); break;
    case ACTION_PREVIOUS: find_from_cursor(v, -onwards(v), false); break;
    case ACTION_FILTER: open_filter(v); break;
    case ACTION_CANCEL:
        if (!t->finding)
            return action;
        t->finding = 0;
        break;
    case ACTION_BACK: /* one thing after the other */
        if (t->find.filter)
            matches_set(&t->find, NULL, "");
        else if (t->filter.filter)
            set_filter(v, NULL, "");
        else
            return action;
        break;
    default: return move(v, action) ? ACTION_NONE : action;
    }
    return ACTION_NONE;
}

static void use_filter(struct view *v, const char *text)
{
    struct prompt_note note = {.text = ""};
    set_filter(v, *text ? compile(v, text, &note) : NULL, text);
}

/* Another tail has another store: ids begin anew. A filter made for other channels would hide what this one says. */
static void begin(struct view *v, const struct hub_tail *h)
{
    struct tail *t = v->state;
    if (!t->before.serial || hub_tail_kept(v->hub) != t->before.serial) {
        t->before = t->place;
        text_copy(t->before_text, sizeof t->before_text, t->filter.text);
        text_copy(t->before_find, sizeof t->before_find, t->find.text);
    }
    t->place = (struct tail_place){.serial = h ? h->serial : 0, .on = 1, .top_id = 1};
    t->place.paused = tail_is_browse(v) && h->how.start.kind != START_LAST;
    matches_set(&t->find, NULL, "");
    use_filter(v, "");
}

static void go_back(struct view *v)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    t->place = t->before;
    use_filter(v, t->before_text);
    matches_set(&t->find, *t->before_find ? compile(v, t->before_find, &note) : NULL, t->before_find);
}

static void renew(struct view *v)
{
    struct tail *t = v->state;
    const struct hub_tail *h = hub_tail(v->hub);
    if ((h ? h->serial : 0) == t->place.serial)
        return;
    t->finding = 0;
    if (h && h->serial == t->before.serial)
        go_back(v);
    else
        begin(v, h);
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
