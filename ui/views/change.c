/* The change menu: what can be done to a channel, to chosen messages, or to an operation; and why not, where it cannot. It changes nothing
 * itself: each row opens a form, whose dry run comes first. */
#include "ui/views/change.h"

#include "base/text.h"
#include "base/utf8.h"
#include "operations/undo_command.h"
#include "ui/paint.h"
#include "ui/views/operations.h"

#include <stdio.h>
#include <stdlib.h>

enum change {
    CHANGE_RESEND,
    CHANGE_REPLAY,
    CHANGE_MOVE,
    CHANGE_COPY,
    CHANGE_DELETE,
    CHANGE_PURGE,
    CHANGE_DEDUPE,
    CHANGE_RESTORE,
    CHANGE_UNDO,
    CHANGE_RESUME,
    CHANGES
};

#define ON(of) (1U << (of))
static const struct {
    enum action action; /* its key is the table's */
    unsigned on;        /* of which targets */
    const char *name, *what;
} changes[CHANGES] = {
    [CHANGE_RESEND] = {ACTION_CHANGE_RESEND, ON(CHANGE_MESSAGES), "resend",
                       "send these once more; they stay where they are"},
    [CHANGE_REPLAY] = {ACTION_CHANGE_REPLAY, ON(CHANGE_CHANNEL) | ON(CHANGE_MESSAGES), "replay",
                       "dead letters back to where they came from"},
    [CHANGE_MOVE] = {ACTION_CHANGE_MOVE, ON(CHANGE_CHANNEL) | ON(CHANGE_MESSAGES), "move",
                     "to another channel; they leave this one once there"},
    [CHANGE_COPY] = {ACTION_CHANGE_COPY, ON(CHANGE_CHANNEL), "copy",
                     "to another channel; they stay here, too"},
    [CHANGE_DELETE] = {ACTION_CHANGE_DELETE, ON(CHANGE_MESSAGES), "delete",
                       "archive these, then take them off the channel"},
    [CHANGE_PURGE] = {ACTION_CHANGE_PURGE, ON(CHANGE_CHANNEL), "purge",
                      "archive all, or what a filter takes, then take them off"},
    [CHANGE_DEDUPE] = {ACTION_CHANGE_DEDUPE, ON(CHANGE_CHANNEL), "dedupe",
                       "what is there more than once; x in that report removes it"},
    [CHANGE_RESTORE] = {ACTION_CHANGE_RESTORE, ON(CHANGE_CHANNEL) | ON(CHANGE_OPERATION), "restore",
                        "bring back what a purge or a dedupe has archived"},
    [CHANGE_UNDO] = {ACTION_CHANGE_RESTORE, ON(CHANGE_OPERATION), "undo",
                     "take back what it has sent, by its stamps"},
    [CHANGE_RESUME] = {ACTION_CHANGE_REPLAY, ON(CHANGE_OPERATION), "resume",
                       "finish what was interrupted; nothing is sent twice"},
};

struct change_state {
    struct change_target target;
    size_t at; /* among those that apply */
};

static bool operation_of(const struct view *v, struct operation_row *row)
{
    const struct change_state *c = v->state;
    return operation_row_of(v->screen, NULL, c->target.id, row);
}

/* What has an archive is restored, anything else is undone. */
static bool applies(const struct view *v, enum change change)
{
    const struct change_state *c = v->state;
    struct operation_row row;
    if (!(changes[change].on & ON(c->target.of)))
        return false;
    if (c->target.of != CHANGE_OPERATION || (change != CHANGE_RESTORE && change != CHANGE_UNDO))
        return true;
    bool archives = operation_of(v, &row) && operation_archives(row.kind) && !row.to;
    return archives == (change == CHANGE_RESTORE);
}

static size_t applying(const struct view *v, enum change *rows)
{
    size_t n = 0;
    for (int i = 0; i < CHANGES; i++)
        if (applies(v, (enum change)i))
            rows[n++] = (enum change)i;
    return n;
}

/* ---- why not ---- */

static const char *not_listed(const struct change_state *c, enum capability can)
{
    return c->target.listed ? c->target.channel.why_not[can] : NULL;
}

static const char *why_not_purged(const struct change_state *c)
{
    const char *all = not_listed(c, CAN_PURGE), *one = not_listed(c, CAN_REMOVE);
    return all && one ? all : NULL;
}

static const char *why_not_chosen(const struct change_state *c)
{
    return c->target.untold[0] ? c->target.untold : NULL;
}

static const char *first_of(const char *first, const char *second)
{
    return first ? first : second;
}

/* The newest purge, or dedupe, of this channel that has an archive; NULL: none. */
static const struct journal_operation *purge_of(const struct view *v)
{
    const struct change_state *c = v->state;
    const struct audit_list *l = screen_journal(v->screen);
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    const char *from = c->target.address.endpoint ? order_canonical(&c->target.address, &arena) : "";
    const struct journal_operation *found = NULL;
    for (size_t i = 0; l && !found && i < l->count; i++) {
        const struct journal_operation *o = &l->operations[i];
        bool is = c->target.of == CHANGE_OPERATION ? strcmp(o->id, c->target.id) == 0
                                                   : o->from && strcmp(o->from, from) == 0;
        if (is && operation_archives(o->kind) && o->archive && *o->archive)
            found = o;
    }
    arena_free(&arena);
    return found;
}

static const char *why_not_resumed(const struct view *v)
{
    struct operation_row row;
    if (!operation_of(v, &row) || !row.record)
        return "it is not in the journal";
    if (row.state == OPERATION_RUNNING)
        return "it is under way";
    return row.state == OPERATION_INTERRUPTED ? NULL : "it has ended";
}

static const char *why_not_restored(const struct view *v)
{
    return purge_of(v) ? NULL : "the journal has no archive of it";
}

static const char *why_not_undone(const struct view *v)
{
    struct operation_row row;
    struct buffer command;
    const char *why = NULL;
    if (!operation_of(v, &row) || !row.record)
        return "it is not in the journal";
    if (row.state == OPERATION_RUNNING || row.state == OPERATION_INTERRUPTED)
        return "it has not ended";
    buffer_init(&command, 64 * KIB);
    bool can = operation_undo((struct view *)(uintptr_t)v, &row, &command, &why);
    buffer_free(&command);
    return can ? NULL : why ? why : "it has sent nothing";
}

static const char *why_not(const struct view *v, enum change change)
{
    const struct change_state *c = v->state;
    switch (change) {
    case CHANGE_RESEND: return first_of(why_not_chosen(c), not_listed(c, CAN_BROWSE));
    case CHANGE_REPLAY: return first_of(why_not_chosen(c), not_listed(c, CAN_BROWSE));
    case CHANGE_MOVE: return first_of(why_not_chosen(c), not_listed(c, CAN_REMOVE));
    case CHANGE_COPY:
    case CHANGE_DEDUPE: return not_listed(c, CAN_BROWSE);
    case CHANGE_DELETE: return first_of(why_not_chosen(c), not_listed(c, CAN_REMOVE));
    case CHANGE_PURGE: return why_not_purged(c);
    case CHANGE_RESTORE: return why_not_restored(v);
    case CHANGE_UNDO: return why_not_undone(v);
    case CHANGE_RESUME: return why_not_resumed(v);
    default: return NULL;
    }
}

/* ---- what a row opens ---- */

static void open_form(struct view *v, enum operation_kind kind)
{
    const struct change_state *c = v->state;
    struct operate_argument *a = calloc(1, sizeof *a);
    const struct journal_operation *purge = kind == OPERATION_RESTORE ? purge_of(v) : NULL;
    if (!a)
        return;
    a->kind = kind;
    a->target = c->target;
    if (purge) {
        struct arena arena;
        struct plan plan;
        arena_init(&arena, 4 * MIB);
        a->archives = purge->archive;
        if (!plan_read(&plan, purge->plan, &arena, NULL))
            text_copy(a->to, sizeof a->to, plan.from);
        arena_free(&arena);
    }
    screen_back(v->screen);
    screen_show(v->screen, VIEW_OPERATE, a);
    free(a);
}

static bool find_end(struct view *v, const char *text, struct address *a)
{
    struct err_info err = {.code = ERR_OK};
    if (!text || !hub_address(v->hub, text, a, &err))
        return true;
    screen_say_err(v->screen, &err);
    return false;
}

static void resume(struct view *v)
{
    struct operation_row row;
    struct arena arena;
    struct err_info err = {.code = ERR_OK};
    struct order o = {.plan = {.limit = -1}};
    struct run_argument run = {.job = NULL};
    if (!operation_of(v, &row) || !row.record)
        return;
    arena_init(&arena, 4 * PLAN_PAYLOAD_MOST);
    bool ok = !plan_read(&o.plan, row.record->plan, &arena, &err);
    if (!ok)
        screen_say_err(v->screen, &err);
    bool restores = o.plan.kind == OPERATION_RESTORE, purges = ok && plan_archives(&o.plan);
    ok = ok && (restores || find_end(v, o.plan.from, &o.from)) &&
         (purges || find_end(v, o.plan.to ? o.plan.to : o.plan.from, &o.to));
    if (ok && !o.plan.to && !purges)
        o.to.channel = (struct channel_name){CHANNEL_ANY, NULL};
    if (ok) {
        run.job = jobs_resume(screen_jobs(v->screen), row.record, &o, &err);
        text_copy(run.id, sizeof run.id, row.id);
        screen_back(v->screen);
        if (run.job)
            screen_show(v->screen, VIEW_RUN, &run);
        else
            screen_say_err(v->screen, &err);
    }
    arena_free(&arena);
}

static void answer_resume(struct screen *s, void *context, bool yes)
{
    if (yes && screen_top(s) == context)
        resume(context);
}

static void ask_to_resume(struct view *v)
{
    struct operation_row row;
    struct dialog d;
    struct buffer command;
    char what[320], counts[120];
    if (!operation_of(v, &row))
        return;
    dialog_init(&d, "Resume", false);
    operation_what(&row, what, sizeof what);
    dialog_add(&d, ROLE_TITLE, NULL, "%s", what);
    dialog_add(&d, ROLE_TEXT, NULL, "%s before it was interrupted.",
               operation_counts_text(&row.counts, counts, sizeof counts));
    dialog_add(
        &d, ROLE_TEXT, NULL,
        "What was on its way is looked for at the destination: what has arrived is not sent again, what cannot be told "
        "stays at the source, in doubt. The journal holds the consent that it was begun with: it wants no :write.");
    buffer_init(&command, 64 * KIB);
    buffer_printf(&command, "signalbox resume %s", row.id);
    screen_put_reach(v->screen, &command);
    dialog_add(&d, ROLE_MUTED, "Same as", "%s", buffer_cstr(&command));
    buffer_free(&command);
    dialog_open(&d, "resume it");
    screen_ask(v->screen, &d, answer_resume, v);
}

/* The form that takes it back: a move, or a purge, of what bears its stamps. */
static void undo(struct view *v)
{
    struct operation_row row;
    struct arena arena;
    struct plan plan;
    struct address at;
    char select[UNDO_SELECT_SIZE];
    struct operate_argument *form = calloc(1, sizeof *form);
    arena_init(&arena, 4 * MIB);
    bool ok = form && operation_of(v, &row) && row.record &&
              !plan_read(&plan, row.record->plan, &arena, NULL) && plan.to && find_end(v, plan.to, &at) &&
              change_address(v->screen, at.endpoint, at.channel.name, at.channel.kind, &form->target);
    if (ok) {
        form->kind = undo_moves(&plan) ? OPERATION_MOVE : OPERATION_PURGE;
        form->presets[form->preset_count].label = "Select";
        form->presets[form->preset_count++].text = undo_select(row.id, select);
        if (undo_moves(&plan))
            text_copy(form->to, sizeof form->to, plan.from);
        screen_back(v->screen);
        screen_show(v->screen, VIEW_OPERATE, form);
    } else {
        screen_say(v->screen, SEVERITY_WARN,
                   "The journal does not tell where it has sent them: see its messages");
    }
    arena_free(&arena);
    free(form);
}

static void dedupe(struct view *v)
{
    const struct change_state *c = v->state;
    struct dedupe_argument a = {.channel = c->target.address};
    text_copy(a.by, sizeof a.by, change_rule(&c->target));
    a.marks = c->target.listed && c->target.channel.browse_effect != EFFECT_NONE;
    a.keeps = change_keeps(&c->target);
    screen_back(v->screen);
    screen_show(v->screen, VIEW_DEDUPE, &a);
}

static void choose(struct view *v, enum change change)
{
    static const enum operation_kind kinds[CHANGES] = {
        [CHANGE_RESEND] = OPERATION_RESEND,   [CHANGE_REPLAY] = OPERATION_REPLAY,
        [CHANGE_MOVE] = OPERATION_MOVE,       [CHANGE_COPY] = OPERATION_COPY,
        [CHANGE_DELETE] = OPERATION_PURGE,    [CHANGE_PURGE] = OPERATION_PURGE,
        [CHANGE_RESTORE] = OPERATION_RESTORE,
    };
    const char *why = why_not(v, change);
    if (why) {
        screen_say(v->screen, SEVERITY_WARN, "%s: %s", changes[change].name, why);
    } else if (change == CHANGE_RESUME) {
        ask_to_resume(v);
    } else if (change == CHANGE_DEDUPE) {
        dedupe(v);
    } else if (change == CHANGE_UNDO) {
        undo(v);
    } else {
        open_form(v, kinds[change]);
    }
}

/* ---- drawing ---- */

static void title_of(const struct change_state *c, char *into, size_t size)
{
    const char *endpoint = c->target.address.endpoint ? c->target.address.endpoint->endpoint.name : "";
    if (c->target.of == CHANGE_OPERATION)
        snprintf(into, size, "Change  operation %s", c->target.id);
    else if (c->target.of == CHANGE_MESSAGES)
        snprintf(into, size, "Change  %zu message%s of %s on %s", c->target.messages,
                 c->target.messages == 1 ? "" : "s", c->target.address.channel.name, endpoint);
    else
        snprintf(into, size, "Change  %s on %s", c->target.address.channel.name, endpoint);
}

/* Why the row under the cursor cannot be, whole; else what comes next. */
static void foot_of(const struct view *v, enum change here, char *into, size_t size)
{
    const struct change_state *c = v->state;
    const char *why = why_not(v, here);
    const struct endpoint *e = c->target.address.endpoint ? &c->target.address.endpoint->endpoint : NULL;
    bool keeps = here == CHANGE_DEDUPE && change_keeps(&c->target);
    if (why)
        snprintf(into, size, "%s: %s", changes[here].name, why);
    else if (keeps && c->target.channel.kind == CHANNEL_TOPIC)
        snprintf(
            into, size,
            "no single message goes off a topic: a copy has none twice; off a compacted one whole keys go, by "
            "`signalbox purge --tombstones`");
    else if (keeps)
        snprintf(into, size, "no single message goes off it: a copy in another channel has none twice");
    else if (e && !screen_may_write(v->screen, e))
        snprintf(into, size, "read-only: each opens with its dry run, and :write allows the rest");
    else
        snprintf(into, size, "each opens with its dry run: nothing is changed before you say so");
}

static const char *what_of(const struct change_state *c, enum change change)
{
    return change == CHANGE_DEDUPE && change_keeps(&c->target)
               ? "what is there more than once; x there copies without it"
               : changes[change].what;
}

static void change_draw(struct view *v, struct frame *f, struct rect r)
{
    struct change_state *c = v->state;
    struct view *below = screen_below(v->screen);
    enum change rows[CHANGES];
    size_t count = applying(v, rows);
    char title[160], foot[240];
    if (below != v)
        below->ops->draw(below, f, r);
    int w = r.w - 4 < 92 ? r.w - 4 : 92, h = (int)count + 5;
    struct rect box = {r.x + (r.w - w) / 2, r.y + (r.h - h) / 2, w, h};
    const struct endpoint *e = c->target.address.endpoint ? &c->target.address.endpoint->endpoint : NULL;
    canvas_fill(f->canvas, box, ROLE_TEXT, ' ');
    for (size_t i = 0; i < count; i++) {
        int y = box.y + 1 + (int)i;
        const char *why = why_not(v, rows[i]);
        canvas_text(f->canvas, box.x + 4, y, 2, why ? ROLE_MUTED : ROLE_KEY,
                    keymap_row(changes[rows[i]].action)->keys);
        canvas_text(f->canvas, box.x + 7, y, 8, why ? ROLE_MUTED : ROLE_TEXT, changes[rows[i]].name);
        canvas_text(f->canvas, box.x + 16, y, w - 18, ROLE_MUTED, why ? why : what_of(c, rows[i]));
        if (i != c->at)
            continue;
        canvas_text(f->canvas, box.x + 2, y, 1, ROLE_FOCUS, "▸");
        canvas_select(f->canvas, (struct rect){box.x + 2, y, w - 4, 1});
        canvas_cursor(f->canvas, box.x + 2, y, false);
    }
    title_of(c, title, sizeof title);
    foot_of(v, rows[c->at < count ? c->at : 0], foot, sizeof foot);
    canvas_words(f->canvas, (struct rect){box.x + 4, box.y + h - 3, w - 6, 2}, ROLE_EFFECT,
                 bytes_of_text(foot));
    canvas_box(f->canvas, box, e && e->production ? ROLE_PRODUCTION : ROLE_FOCUS, title,
               e && e->production ? "PRODUCTION" : NULL);
}

/* ---- keys ---- */

static bool choose_by(struct view *v, enum action action)
{
    const struct change_state *c = v->state;
    bool any = false;
    for (int i = 0; i < CHANGES; i++) {
        any |= changes[i].action == action;
        if (changes[i].action != action || !applies(v, (enum change)i))
            continue;
        choose(v, (enum change)i);
        return true;
    }
    if (any)
        screen_say(v->screen, SEVERITY_INFO, "This is not done to %s",
                   c->target.of == CHANGE_OPERATION  ? "an operation"
                   : c->target.of == CHANGE_MESSAGES ? "chosen messages"
                                                     : "a channel");
    return any;
}

static enum action change_action(struct view *v, enum action action)
{
    struct change_state *c = v->state;
    enum change rows[CHANGES];
    size_t count = applying(v, rows), to = move_by(action, c->at, count, count);
    if (to != SIZE_MAX)
        c->at = to;
    else if (action == ACTION_OPEN)
        choose(v, rows[c->at]);
    else if (!choose_by(v, action))
        return action;
    return ACTION_NONE;
}

static bool change_event(struct view *v, uint32_t what)
{
    struct view *below = screen_below(v->screen);
    return (what & SCREEN_JOBS) ||
           (screen_top(v->screen) == v && below != v && (what & (HUB_ENDPOINTS | HUB_TAIL)));
}

static void change_enter(struct view *v, const void *argument)
{
    struct change_state *c = v->state;
    enum change rows[CHANGES];
    if (argument)
        *c = (struct change_state){.target = *(const struct change_target *)argument};
    size_t count = applying(v, rows);
    while (c->at + 1 < count && why_not(v, rows[c->at])) /* on the first that can be */
        c->at++;
    c->at = why_not(v, rows[c->at]) ? 0 : c->at;
    screen_read_journal(v->screen, NULL); /* for archives */
}

extern const struct view_ops change_view;
const struct view_ops change_view = {
    .name = "change",
    .title = "Change menu",
    .keys = KEYS_CHANGE,
    .state_size = sizeof(struct change_state),
    .enter = change_enter,
    .on_event = change_event,
    .draw = change_draw,
    .action = change_action,
};
