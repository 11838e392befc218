/* What a filter leaves of a tail, and what a search finds in it: found in slices, and typed at the foot. */
#include "ui/views/tail_rows.h"

#include "base/text.h"
#include "ui/prompt.h"
#include "ui/screen.h"

#include <stdio.h>
#include <string.h>

/* ---- filtering and finding, in slices ---- */

void tail_set_filter(struct view *v, struct filter *filter, const char *text)
{
    struct tail *t = v->state;
    matches_set(&t->filter, filter, text);
    t->place.unlisted = 0;
    matches_again(&t->find); /* it counts among the rows that are shown */
}

static enum filter_answer is_shown(void *context, const struct matches *m, const struct message *message)
{
    (void)context;
    return tail_is_gap(message) ? FILTER_YES : filter_message(m->filter, message, clock_wall_ns());
}

static enum filter_answer is_found(void *context, const struct matches *m, const struct message *message)
{
    const struct tail *t = context;
    enum filter_answer a = filter_message(m->filter, message, clock_wall_ns());
    if (a == FILTER_NO || !t->filter.filter)
        return a;
    return is_shown(context, &t->filter, message) == FILTER_YES ? a : FILTER_NO;
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

static void say_no_match(struct view *v)
{
    const struct tail *t = v->state;
    char count[32], unknown[80] = "";
    if (t->find_unknown)
        snprintf(unknown, sizeof unknown, ", but %s could not be judged",
                 text_count(count, sizeof count, t->find_unknown));
    screen_say(v->screen, SEVERITY_INFO, "No match %s%s: `%s`", t->finding < 0 ? "above" : "below", unknown,
               t->find.text);
}

/* The jump goes its own way, from the cursor on: it need not wait for the count. */
static bool find_slice(struct view *v, int64_t deadline_ns)
{
    struct tail *t = v->state;
    const struct store *s = hub_store(v->hub);
    if (!t->find.filter) /* it was taken away meanwhile */
        t->finding = 0;
    while (t->finding) {
        if (t->finding > 0 && t->find_at < store_oldest(s)) /* evicted meanwhile: those behind it are there */
            t->find_at = store_oldest(s);
        const struct message *m = store_get(s, t->find_at);
        enum filter_answer a = m ? is_found(t, &t->find, m) : FILTER_NO;
        t->find_unknown += a == FILTER_UNKNOWN;
        if (!m) {
            say_no_match(v);
            t->finding = 0;
        } else if (a == FILTER_YES) {
            tail_pause_at(v, tail_row_of(v, t->find_at));
            t->finding = 0;
        }
        t->find_at += (uint64_t)t->finding;
        if (clock_mono_ns() >= deadline_ns)
            return t->finding != 0;
    }
    return false;
}

bool tail_work(struct view *v, int64_t deadline_ns)
{
    struct tail *t = v->state;
    bool more = filter_slice(v, deadline_ns);
    more |= find_slice(v, deadline_ns);
    more |= count_slice(v, deadline_ns);
    if (t->narrowed && !more && !t->find.count)
        matches_set(&t->find, NULL, ""); /* its nought would be taken for the filter's */
    t->narrowed &= more;
    return more;
}

void tail_find_from_cursor(struct view *v, int step, bool here)
{
    struct tail *t = v->state;
    if (!t->find.filter) {
        screen_say(v->screen, SEVERITY_INFO, "Nothing to find yet: / asks what");
        return;
    }
    if (tail_row_count(v) == 0)
        return;
    t->finding = step;
    t->find_unknown = 0;
    t->find_at = tail_row_id(v, tail_cursor(v)) + (uint64_t)(here ? 0 : step);
}

/* Where the next match lies: a tail is read from its newest row up, a browse from its first down. */
int tail_onwards(const struct view *v)
{
    return tail_is_browse(v) ? 1 : -1;
}

/* ---- the line at the foot ---- */

struct filter *tail_compile(struct view *v, const char *text, struct prompt_note *note)
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
             tail_onwards(v) > 0 ? "below" : "above");
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
    struct filter *f = same ? NULL : tail_compile(v, text, note);
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
    struct filter *f = strcmp(good, t->filter.text) ? tail_compile(v, good, &note) : NULL;
    if (f) {
        tail_set_filter(v, f, good);
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
    struct filter *f = tail_compile(v, text, note);
    bool half = f && say_half_typed(text, note);
    if (half || !f) {
        filter_free(&f);
        show_good_part(v, text, half ? strlen(text) : note->caret);
        return;
    }
    tail_set_filter(v, f, text);
    filter_slice(v, clock_mono_ns() + 2 * NS_PER_MS);
    count_note(v, note);
}

void tail_typed(struct view *v, enum prompt_kind kind, const char *text, struct prompt_note *note)
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
    struct filter *f = tail_compile(v, t->kept_text, &note);
    if (f)
        tail_set_filter(v, f, t->kept_text);
}

void tail_entered(struct view *v, enum prompt_kind kind, const char *text)
{
    struct tail *t = v->state;
    struct prompt_note note = {.text = ""};
    if (kind == PROMPT_FILTER && !text) {
        restore_filter(v);
    } else if (kind == PROMPT_FILTER) {
        text_copy(t->kept_text, sizeof t->kept_text, text);
        restore_filter(v); /* as it stands, half typed or not */
        t->narrowed = *text;
    } else if (kind == PROMPT_FIND) {
        struct filter *f = text && *text ? tail_compile(v, text, &note) : NULL;
        matches_set(&t->find, f, f ? text : "");
        if (f)
            tail_find_from_cursor(v, tail_onwards(v), true);
    }
}
