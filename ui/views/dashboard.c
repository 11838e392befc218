/* DESIGN. Three panes under one cursor: what needs attention, probes, brokers with their channels. All rows are one list
 * of items, made anew from the hub for every frame; the cursor is remembered by what it stands on, not by its number, so
 * that rows which come and go don't move it to another thing. */
#include "ui/views/dashboard.h"

#include "base/text.h"
#include "ui/paint.h"
#include "ui/prompt.h"
#include "ui/screen.h"
#include "ui/views/change.h"

#include <stdio.h>
#include <stdlib.h>

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
    if (f && prompt_half_typed(text)) { /* the list stands still until the term is whole */
        filter_free(&f);
        snprintf(note->text, sizeof note->text, "half typed: `%s` wants something behind it", text);
    } else if (f) {
        set_filter(d, f, text);
        dashboard_rebuild(v);
        snprintf(note->text, sizeof note->text,
                 "%zu rows   Enter keeps it, Esc goes back   name kind state depth lag p95",
                 d->count - d->first[PANE_PROBES]);
    } else {
        snprintf(note->text, sizeof note->text, "%s%s%s", err.text, err.next[0] ? "; " : "", err.next);
    }
}

/* On the first probe or channel that the filter has left, where it stood on none of them. */
static void stand_on_match(struct view *v)
{
    struct dashboard *d = v->state;
    size_t from = d->first[PANE_PROBES];
    if (d->at >= from && d->at < d->count && d->items[d->at].kind != ITEM_BROKER)
        return;
    for (size_t i = from; i < d->count; i++)
        if (d->items[i].kind != ITEM_BROKER) {
            dashboard_stand_on(v, i);
            d->moved = true;
            return;
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
    else if (*text)
        stand_on_match(v);
}

static void open_filter(struct view *v)
{
    struct dashboard *d = v->state;
    text_copy(d->kept_text, sizeof d->kept_text, d->filter_text);
    screen_prompt(v->screen, PROMPT_FIND, d->filter_text);
}

/* ---- actions ---- */

static bool address_of(const struct view *v, const struct item *i, struct address *a)
{
    return screen_address(v->screen, i->index, dashboard_channel(v, i), a);
}

static void tail_channel(struct view *v, const struct item *i)
{
    struct address address;
    const struct channel *c = dashboard_channel(v, i);
    if (c->why_not[CAN_TAP])
        screen_say(v->screen, SEVERITY_WARN, "%s: %s", c->name, c->why_not[CAN_TAP]);
    else if (address_of(v, i, &address))
        screen_tail(v->screen, &address, 1, NULL);
}

static bool stand_on_name(struct view *v, const char *name)
{
    struct dashboard *d = v->state;
    for (size_t i = d->first[PANE_PROBES]; i < d->count; i++)
        if (!strcmp(dashboard_name(v, &d->items[i]), name)) {
            dashboard_stand_on(v, i);
            return true;
        }
    return false;
}

/* From a row of the first pane to the thing that it is about, unfolded and unfiltered when need be. */
static bool go_to_subject(struct view *v, const struct item *from)
{
    struct dashboard *d = v->state;
    char name[256];
    text_copy(name, sizeof name, dashboard_name(v, from));
    if (stand_on_name(v, name))
        return true;
    for (size_t i = 0; i < hub_endpoint_count(v->hub); i++) {
        const struct hub_endpoint *e = hub_endpoint(v->hub, i);
        for (size_t c = 0; e->channels && c < e->channels->count; c++)
            if (!strcmp(e->channels->items[c].name, name))
                d->fold[i] = FOLD_OPEN;
    }
    set_filter(d, NULL, "");
    dashboard_rebuild(v);
    return stand_on_name(v, name);
}

/* The whole story where it has trouble, which the status row may have cut. False: it has none. */
static bool say_trouble(struct view *v, const struct item *i)
{
    char text[480];
    if (i->kind == ITEM_BROKER) {
        const struct hub_endpoint *e = hub_endpoint(v->hub, i->index);
        if (!e->status.err.code || e->status.state == SESSION_UP)
            return false;
        screen_say(v->screen, SEVERITY_WARN, "%s", err_format(&e->status.err, text, sizeof text));
        return true;
    }
    if (i->kind != ITEM_PROBE ||
        !*availability_reason(&hub_probe(v->hub, i->index)->health, text, sizeof text))
        return false;
    screen_say(v->screen, SEVERITY_INFO, "%s: %s", hub_probe(v->hub, i->index)->target->name, text);
    return true;
}

static void open_item(struct view *v, bool browse)
{
    const struct dashboard *d = v->state;
    struct item i = d->items[d->at];
    struct address address;
    if (i.kind == ITEM_CHANNEL && browse) {
        if (address_of(v, &i, &address))
            screen_browse(v->screen, &address, NULL);
    } else if (i.kind == ITEM_CHANNEL) {
        tail_channel(v, &i);
    } else if (say_trouble(v, &i)) {
        return;
    } else if (i.kind == ITEM_BROKER && !browse) {
        screen_tail_all(v->screen, i.index, NULL);
    } else {
        screen_say(v->screen, SEVERITY_INFO, "Choose a channel below: t tails it, b browses it");
    }
}

static void change_item(struct view *v, const struct item *i)
{
    struct change_target *target = i->kind == ITEM_CHANNEL ? calloc(1, sizeof *target) : NULL;
    const struct channel *c = target ? dashboard_channel(v, i) : NULL;
    if (i->kind != ITEM_CHANNEL)
        screen_say(v->screen, SEVERITY_INFO, "Choose a channel: X opens what can be changed about it");
    else if (target &&
             change_address(v->screen, hub_endpoint(v->hub, i->index)->config, c->name, c->kind, target))
        screen_show(v->screen, VIEW_CHANGE, target);
    free(target);
}

/* Enter on what needs attention goes there; t and b mean its channel at once. */
static void act_on_item(struct view *v, enum action action)
{
    struct dashboard *d = v->state;
    struct item i = d->items[d->at];
    d->moved = true;
    if (i.kind == ITEM_ATTENTION && (!go_to_subject(v, &i) || action == ACTION_OPEN))
        return;
    i = d->items[d->at];
    if (action == ACTION_CHANGE)
        change_item(v, &i);
    else
        open_item(v, action == ACTION_BROWSE);
}

static void fold(struct view *v, enum action action)
{
    struct dashboard *d = v->state;
    struct item i = d->items[d->at];
    if (i.kind != ITEM_BROKER && i.kind != ITEM_CHANNEL)
        return;
    bool open = action == ACTION_RIGHT || (action == ACTION_EXPAND && !dashboard_is_open(v, i.index));
    d->fold[i.index] = open ? FOLD_OPEN : FOLD_CLOSED;
    for (size_t at = d->first[PANE_BROKERS]; !open && at < d->count; at++)
        if (d->items[at].kind == ITEM_BROKER && d->items[at].index == i.index)
            dashboard_stand_on(v, at);
}

static void next_pane(struct view *v, int step)
{
    struct dashboard *d = v->state;
    enum pane p = dashboard_pane_of(d, d->at);
    for (int tries = 0; tries < PANES; tries++) {
        p = (enum pane)((p + PANES + step) % PANES);
        if (dashboard_pane_count(d, p)) {
            dashboard_stand_on(v, d->first[p] + d->top[p]);
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
    dashboard_rebuild(v);
    if (list_action(v, action))
        return ACTION_NONE;
    if (d->count == 0)
        return action;
    enum pane p = dashboard_pane_of(d, d->at);
    size_t to = move_by(action, d->at, d->count, d->height[p] > 0 ? (size_t)d->height[p] : 1);
    if (to != SIZE_MAX) {
        d->moved = true;
        if (action == ACTION_TOP) /* of all panes */
            memset(d->top, 0, sizeof d->top);
        dashboard_stand_on(v, to);
        return ACTION_NONE;
    }
    switch (action) {
    case ACTION_OPEN:
    case ACTION_TAIL:
    case ACTION_CHANGE:
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
    d->fold = calloc(hub_config(v->hub)->endpoint_cap + 1, sizeof *d->fold); /* some are added later */
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
    .draw = dashboard_draw,
    .action = dashboard_action,
    .typed = dashboard_typed,
    .entered = dashboard_entered,
};
