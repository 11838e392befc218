/* What is in a channel more than once: groups, most copies first, and the copies of the one under the cursor. A report: what is
 * removed has a form of its own (operate.c). */
#include "operations/dedupe_look.h"

#include "base/text.h"
#include "base/utf8.h"
#include "ui/paint.h"
#include "ui/views/change.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const rules[] = {"id", "key", "body", NULL};

#define LEFT_MOST 4
#define CLOSE_NS  (2 * NS_PER_S)

struct dedupe_state {
    struct dedupe_argument of;
    struct dedupe_look *look;            /* NULL: not begun, or it could not */
    struct dedupe_look *left[LEFT_MOST]; /* cancelled ones whose threads have not come back yet */
    struct dedupe_look_status seen;
    struct err_info err;
    bool waits; /* looking leaves a mark: it is asked for with a key */
    size_t at, top, height;
};

static bool is_done(const struct dedupe_state *d)
{
    return d->look && !d->err.code && d->seen.ended && !d->seen.err.code;
}

static bool has_no_values(const struct dedupe_state *d)
{
    const struct dedupe_totals *t = dedupe_totals(dedupe_look_report(d->look));
    return t->without && t->without == t->messages;
}

static size_t group_count(const struct dedupe_state *d)
{
    return is_done(d) ? dedupe_group_count(dedupe_look_report(d->look)) : 0;
}

/* A broker that does not answer holds nobody up: what is cancelled comes back when it does. */
static bool leave_look(struct dedupe_state *d)
{
    size_t free_at = LEFT_MOST;
    for (size_t i = 0; i < LEFT_MOST; i++)
        if (dedupe_look_free(&d->left[i], 0))
            free_at = i;
    if (d->look)
        dedupe_look_cancel(d->look);
    if (!d->look || dedupe_look_free(&d->look, 0))
        return true;
    if (free_at == LEFT_MOST)
        return false;
    d->left[free_at] = d->look;
    d->look = NULL;
    return true;
}

static void look(struct view *v)
{
    struct dedupe_state *d = v->state;
    bool left = leave_look(d);
    d->seen = (struct dedupe_look_status){.stored = COUNT_UNKNOWN};
    d->err = (struct err_info){.code = ERR_OK};
    d->waits = false;
    d->at = d->top = 0;
    if (!left)
        err_set(&d->err, ERR_BUSY, "several that were given up have not come back yet: try it again");
    else
        d->look = dedupe_look_start(&d->of.channel, d->of.by, hub_config(v->hub), hub_registry(v->hub),
                                    screen_fd(v->screen), &d->err);
}

/* ---- drawing ---- */

static void put_line(struct frame *f, struct rect r, int *y, enum role role, const char *label,
                     const char *text)
{
    struct rect to = {r.x + 10, *y, r.w - 10, 4};
    canvas_text(f->canvas, r.x, *y, 10, ROLE_MUTED, label);
    int rows = canvas_words(f->canvas, to, role, bytes_of_text(text));
    *y += rows < 1 ? 1 : rows > to.h ? to.h : rows;
}

static void draw_rule(const struct dedupe_state *d, struct frame *f, struct rect r, int *y)
{
    char text[300];
    snprintf(text, sizeof text, "%s      v: id, key, body; --by header:NAME or field:PATH of :dedupe",
             d->of.by);
    put_line(f, r, y, ROLE_TITLE, "RULE", text);
}

static void draw_state(const struct dedupe_state *d, struct frame *f, struct rect r, int *y)
{
    char text[480], looked[32], stored[32];
    text_count(looked, sizeof looked, (uint64_t)d->seen.looked);
    text_count(stored, sizeof stored, (uint64_t)(d->seen.stored > 0 ? d->seen.stored : 0));
    const struct err_info *err = d->err.code ? &d->err : &d->seen.err;
    if (d->waits)
        put_line(
            f, r, y, ROLE_EFFECT, "LOOK",
            "r reads the channel: that MARKS its messages, `redelivered` stays set; a delivery limit may count it");
    else if (err->code)
        put_line(f, r, y, ROLE_CRIT, "LOOK", err_format(err, text, sizeof text));
    else if (d->seen.ended || d->seen.looked || !d->look) {
        /* What Kafka counts is more than there is, and it gives all that there is. */
        bool upper = d->of.channel.endpoint->broker->count_is_upper,
             part = d->seen.ended && d->seen.stored > d->seen.looked && !upper;
        snprintf(text, sizeof text, "%s messages%s%s%s", looked,
                 d->seen.stored <= 0 ? ""
                 : upper             ? " of at most "
                                     : " of ",
                 d->seen.stored > 0 ? stored : "",
                 part ? ": not all could be looked at, there may be more" : "");
        put_line(f, r, y, part ? ROLE_WARN : ROLE_TEXT, d->seen.ended ? "LOOKED AT" : "READING", text);
    } else
        put_line(f, r, y, ROLE_MUTED, "READING", "the channel is being opened");
}

static void draw_result(const struct dedupe_state *d, struct frame *f, struct rect r, int *y)
{
    const struct dedupe_totals *t = dedupe_totals(dedupe_look_report(d->look));
    char text[300], unique[32], groups[32], extras[32], without[32], more[160] = "";
    size_t used = 0;
    if (has_no_values(d)) {
        snprintf(text, sizeof text, "no message has %s %s: v compares by another rule",
                 strchr("aeiou", d->of.by[0]) ? "an" : "a", d->of.by);
        put_line(f, r, y, ROLE_WARN, "RESULT", text);
        return;
    }
    if (!t->groups)
        snprintf(text, sizeof text, "%s unique: none of them is there more than once",
                 text_count(unique, sizeof unique, t->unique));
    else
        snprintf(text, sizeof text, "%s unique   %s group%s   %s extra cop%s   %" PRIu64 " copies at most",
                 text_count(unique, sizeof unique, t->unique), text_count(groups, sizeof groups, t->groups),
                 t->groups == 1 ? "" : "s", text_count(extras, sizeof extras, t->extras),
                 t->extras == 1 ? "y" : "ies", t->most);
    put_line(f, r, y, t->groups ? ROLE_WARN : ROLE_OK, "RESULT", text);
    if (t->without)
        used += (size_t)snprintf(more, sizeof more, "%s %s no %s   ",
                                 text_count(without, sizeof without, t->without),
                                 t->without == 1 ? "has" : "have", d->of.by);
    if (t->unknown && used < sizeof more)
        used += (size_t)snprintf(more + used, sizeof more - used, "%" PRIu64 " could not be judged   ",
                                 t->unknown);
    if (t->differ && used < sizeof more)
        snprintf(more + used, sizeof more - used, "%" PRIu64 " group%s bodies that differ: look there first",
                 t->differ, t->differ == 1 ? " has" : "s have");
    if (*more)
        put_line(f, r, y, ROLE_WARN, "", more);
}

enum { D_COPIES, D_VALUE, D_FIRST, D_SPREAD, D_BODIES, D_COLUMNS };
static const struct column columns[D_COLUMNS] = {{"COPIES", 7, true, 0, 0},
                                                 {"VALUE", 0, false, 0, 60},
                                                 {"FIRST SEEN", 19, false, 0, 0},
                                                 {"SPREAD", 8, true, 0, 0},
                                                 {"BODIES", 8, false, 0, 10}};

static const char *when(int64_t ns, char *into, size_t size)
{
    char full[CLOCK_TEXT];
    if (ns == TIME_NONE)
        return "–";
    snprintf(into, size, "%.19s", clock_rfc3339_seconds(ns, full, sizeof full));
    return into;
}

static const char *spread(int64_t ns, char *into, size_t size)
{
    if (ns == TIME_NONE)
        return "–";
    if (ns < NS_PER_S)
        snprintf(into, size, "%" PRId64 " ms", ns / NS_PER_MS);
    else if (ns < 60 * NS_PER_S)
        snprintf(into, size, "%.1f s", (double)ns / NS_PER_S);
    else
        text_age(into, size, ns);
    return into;
}

static void draw_value(const struct dedupe_state *d, struct frame *f, int x, int y, int w,
                       const struct dedupe_group *g)
{
    struct buffer raw;
    if (g->hidden) {
        canvas_text(f->canvas, x, y, w, ROLE_MUTED, "[redacted]");
        return;
    }
    buffer_init(&raw, MIB);
    dedupe_rule_show(dedupe_look_rule(d->look), g->value, &raw);
    canvas_bytes(f->canvas, x, y, w, ROLE_TEXT, raw.len ? buffer_view(&raw) : BYTES_LITERAL("\"\""));
    buffer_free(&raw);
}

static void draw_group(const struct dedupe_state *d, struct frame *f, const struct slot *slots, int y,
                       const struct dedupe_group *g)
{
    char text[64];
#define PUT(column, role, value) column_put(f->canvas, y, &columns[column], &slots[column], role, value)
    PUT(D_COPIES, ROLE_WARN, text_count(text, sizeof text, g->copies));
    PUT(D_FIRST, ROLE_MUTED, when(g->first_ns, text, sizeof text));
    PUT(D_SPREAD, ROLE_TEXT, spread(dedupe_spread(g), text, sizeof text));
    PUT(D_BODIES, g->bodies_differ ? ROLE_CRIT : ROLE_OK, g->bodies_differ ? "DIFFER" : "same");
#undef PUT
    draw_value(d, f, slots[D_VALUE].x, y, slots[D_VALUE].w, g);
}

static void draw_groups(struct dedupe_state *d, struct frame *f, struct rect r)
{
    struct slot slots[D_COLUMNS];
    size_t count = group_count(d);
    d->height = (size_t)(r.h > 1 ? r.h - 1 : 1);
    columns_fit(columns, D_COLUMNS, r.x + 2, r.w - 2, slots);
    columns_head(f->canvas, r.y, columns, D_COLUMNS, slots);
    scroll_to(&d->top, d->at, count, d->height);
    if (count == 0 && is_done(d) && !has_no_values(d))
        canvas_text(f->canvas, r.x + 2, r.y + 1, r.w - 4, ROLE_OK,
                    "Nothing is there more than once by this rule.");
    for (size_t i = 0; i < d->height && d->top + i < count; i++) {
        int y = r.y + 1 + (int)i;
        draw_group(d, f, slots, y, dedupe_group(dedupe_look_report(d->look), d->top + i));
        if (d->top + i != d->at)
            continue;
        canvas_text(f->canvas, r.x, y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, (struct rect){r.x, y, r.w, 1});
        canvas_cursor(f->canvas, r.x, y, false);
    }
}

static void draw_copies(const struct dedupe_state *d, struct frame *f, struct rect r)
{
    const struct dedupe_group *g =
        d->at < group_count(d) ? dedupe_group(dedupe_look_report(d->look), d->at) : NULL;
    char position[40], time[40], sum[2 * 8 + 1];
    for (size_t i = 0; g && i < g->listed_count && (int)i < r.h; i++) {
        const struct dedupe_copy *c = &g->listed[i];
        position_text(c->position, position, sizeof position);
        if (!*position)
            snprintf(position, sizeof position, "no. %" PRIu64, c->number);
        for (int k = 0; k < 8; k++)
            snprintf(sum + 2 * k, 3, "%02x", c->body[k]);
        canvas_printf(f->canvas, r.x, r.y + (int)i, r.w, ROLE_TEXT, "%-16s %-20s %-7s%s%s", position,
                      when(c->time_ns, time, sizeof time), c->number == g->kept.number ? "first" : "extra",
                      dedupe_rule_is_body(dedupe_look_rule(d->look)) ? "" : "  body ",
                      dedupe_rule_is_body(dedupe_look_rule(d->look)) ? "" : sum);
    }
}

static void draw_command(const struct view *v, struct frame *f, int y)
{
    const struct dedupe_state *d = v->state;
    struct buffer command;
    buffer_init(&command, 64 * KIB);
    buffer_printf(&command, "signalbox dedupe %s/%s --by %s", d->of.channel.endpoint->endpoint.name,
                  d->of.channel.channel.name, d->of.by);
    screen_put_reach(v->screen, &command);
    const char *does = f->canvas->w < 100 ? "" /* the hints say it */
                       : d->of.keeps      ? "A report: x copies without extras. "
                                          : "A report: x removes extras. ";
    canvas_printf(f->canvas, 1, y, f->canvas->w - 2, ROLE_MUTED, "%sSame as: %s", does,
                  buffer_cstr(&command));
    buffer_free(&command);
}

static void draw_status(const struct view *v, struct frame *f, int y)
{
    const struct dedupe_state *d = v->state;
    if (f->status_taken)
        return;
    if (d->look && d->seen.notice[0])
        canvas_text(f->canvas, 1, y, f->canvas->w - 2, ROLE_EFFECT, d->seen.notice);
    else if (d->look && !d->seen.ended && d->seen.compared > 0)
        canvas_printf(f->canvas, 1, y, f->canvas->w - 2, ROLE_LIVE, "comparing: %d %%",
                      (int)(d->seen.compared * 100));
    else
        draw_command(v, f, y);
}

static void dedupe_draw(struct view *v, struct frame *f, struct rect r)
{
    struct dedupe_state *d = v->state;
    bool boxed = r.w >= 100 && r.h >= 26;
    struct rect in = {r.x + 2, r.y, r.w - 4, r.h};
    int y = r.y + boxed;
    if (!d->of.channel.endpoint)
        return;
    draw_rule(d, f, in, &y);
    draw_state(d, f, in, &y);
    if (is_done(d))
        draw_result(d, f, in, &y);
    int copies = boxed ? 8 : 4, below = r.y + r.h - 1 - copies;
    if (boxed) {
        canvas_box(f->canvas, (struct rect){r.x, r.y, r.w, y - r.y + 1}, ROLE_BORDER, "Duplicates", NULL);
        struct rect groups = {r.x, y + 1, r.w, below - y - 2};
        draw_groups(d, f, (struct rect){groups.x + 1, groups.y + 1, groups.w - 3, groups.h - 2});
        canvas_box(f->canvas, groups, ROLE_FOCUS, "Groups", "most copies first");
        draw_copies(d, f, (struct rect){r.x + 2, below, r.w - 4, copies - 1});
        canvas_box(f->canvas, (struct rect){r.x, below - 1, r.w, copies + 1}, ROLE_BORDER,
                   "Copies of this group", NULL);
    } else {
        draw_groups(d, f, (struct rect){r.x, y, r.w, below - y - 1});
        canvas_text(f->canvas, in.x, below - 1, in.w, ROLE_HEAD, "COPIES OF THIS GROUP");
        draw_copies(d, f, (struct rect){in.x, below, in.w, copies});
    }
    draw_status(v, f, r.y + r.h - 1);
}

/* ---- keys ---- */

static void next_rule(struct view *v)
{
    struct dedupe_state *d = v->state;
    size_t i = 0;
    while (rules[i] && strcmp(rules[i], d->of.by) != 0)
        i++;
    text_copy(d->of.by, sizeof d->of.by, rules[i] && rules[i + 1] ? rules[i + 1] : rules[0]);
    d->waits = d->of.marks && leave_look(d);
    if (!d->waits)
        look(v);
}

static void remove_extras(struct view *v)
{
    const struct dedupe_state *d = v->state;
    const struct address *a = &d->of.channel;
    struct operate_argument *form = calloc(1, sizeof *form);
    if (form && change_address(v->screen, a->endpoint, a->channel.name, a->channel.kind, &form->target)) {
        form->kind = OPERATION_DEDUPE;
        form->presets[form->preset_count].label = "By";
        form->presets[form->preset_count++].text = d->of.by;
        screen_show(v->screen, VIEW_OPERATE, form);
    }
    free(form);
}

static enum action dedupe_action(struct view *v, enum action action)
{
    struct dedupe_state *d = v->state;
    size_t to = move_by(action, d->at, group_count(d), d->height);
    if (to != SIZE_MAX)
        d->at = to;
    else if (action == ACTION_LOOK)
        look(v);
    else if (action == ACTION_RULE)
        next_rule(v);
    else if (action == ACTION_REMOVE)
        remove_extras(v);
    else
        return action;
    return ACTION_NONE;
}

static bool dedupe_event(struct view *v, uint32_t changes)
{
    struct dedupe_state *d = v->state;
    if ((changes & SCREEN_JOBS) && d->look)
        dedupe_look_status(d->look, &d->seen);
    return changes & SCREEN_JOBS;
}

static void dedupe_enter(struct view *v, const void *argument)
{
    struct dedupe_state *d = v->state;
    if (!argument)
        return;
    d->of = *(const struct dedupe_argument *)argument;
    d->seen = (struct dedupe_look_status){.stored = COUNT_UNKNOWN};
    d->err = (struct err_info){.code = ERR_OK};
    d->waits = d->of.marks && leave_look(d);
    if (!d->waits)
        look(v);
}

/* The report goes: it takes memory, and what it said is old news when one comes back. */
static void dedupe_leave(struct view *v)
{
    leave_look(v->state);
}

/* Those that do not come back are left behind. */
static void dedupe_close(struct view *v)
{
    struct dedupe_state *d = v->state;
    leave_look(d);
    (void)dedupe_look_free(&d->look, CLOSE_NS);
    for (size_t i = 0; i < LEFT_MOST; i++)
        (void)dedupe_look_free(&d->left[i], CLOSE_NS);
}

static void dedupe_crumb(const struct view *v, char *into, size_t size)
{
    const struct dedupe_state *d = v->state;
    snprintf(into, size, "%s", d->of.channel.channel.name ? d->of.channel.channel.name : "");
}

extern const struct view_ops dedupe_view;
const struct view_ops dedupe_view = {
    .name = "dedupe",
    .title = "Report of duplicates",
    .keys = KEYS_DEDUPE,
    .state_size = sizeof(struct dedupe_state),
    .enter = dedupe_enter,
    .leave = dedupe_leave,
    .close = dedupe_close,
    .on_event = dedupe_event,
    .draw = dedupe_draw,
    .action = dedupe_action,
    .crumb = dedupe_crumb,
};
