/* An operation before it begins: the dry run that follows the form (operate_form.c), and the question. */
#include "ui/views/operate.h"

#include "base/text.h"
#include "ui/views/operations.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the dry run ---- */

static void drop_look(struct operate *o)
{
    job_drop(o->job);
    o->job = NULL;
    o->seen = (struct job_status){.state = JOB_LOOKING, .planned = COUNT_UNKNOWN};
}

/* To count leaves no trace; to look at messages may. */
static bool look_is_free(const struct operate *o)
{
    if (o->kind == OPERATION_RESTORE)
        return true;
    return o->target.listed ? o->target.channel.browse_effect == EFFECT_NONE
                            : o->target.address.endpoint->broker->browse_is_free;
}

static bool is_offered(const struct operate *o, const char *reason)
{
    for (size_t i = 0; i < o->reason_count; i++)
        if (strcmp(o->reasons[i], reason) == 0)
            return true;
    return false;
}

/* What a first look has found can be picked then. How many they are the dry run says, which is made anew. */
static void offer_reasons(struct operate *o)
{
    struct form_field *field = form_find(&o->form, OPERATE_WHY);
    struct reasons *found = o->seen.preview.reasons;
    size_t count = 0;
    if (!field || o->reason_count || o->seen.state != JOB_READY || !found)
        return;
    const struct reason_group *groups = reasons_groups(found, &count);
    for (size_t i = 0; i < count && o->reason_count < OPERATE_REASONS; i++) {
        if (is_offered(o, groups[i].text)) /* of those that go elsewhere */
            continue;
        text_copy(o->reasons[o->reason_count], REASON_SIZE, groups[i].text);
        field->choices[o->reason_count + 1] = o->reasons[o->reason_count];
        o->reason_count++;
    }
}

static void read_status(struct operate *o)
{
    job_status(o->job, &o->seen);
    offer_reasons(o);
}

static void look(struct view *v, bool wanted)
{
    struct operate *o = v->state;
    drop_look(o);
    o->example = o->top = 0;
    o->err = (struct err_info){.code = ERR_OK};
    if (!o->whole)
        return;
    o->order.glance = !wanted && !look_is_free(o);
    o->job = jobs_look(screen_jobs(v->screen), &o->order, &o->err);
    if (o->job)
        read_status(o);
}

void operate_changed(struct view *v)
{
    operate_read(v);
    look(v, false);
}

/* ---- the question ---- */

static void put_line(void *context, enum role role, const char *label, const char *text)
{
    dialog_add(context, role, label, "%s", text);
}

static void capital(char *text)
{
    if (*text >= 'a' && *text <= 'z')
        *text = (char)(*text - 'a' + 'A');
}

static bool changes_end(const struct operate *o, const struct address *a)
{
    bool from = a == &o->order.from;
    return a->endpoint && a->channel.name && (from ? order_takes(&o->order.plan) : o->order.plan.to != NULL);
}

/* A name for each end that is changed and is production; for what cannot be restored in any case. */
static void ask_for_names(struct dialog *d, const struct operate *o)
{
    const struct address *ends[] = {&o->order.from, &o->order.to};
    char name[DIALOG_NAME];
    for (size_t i = 0; i < 2; i++) {
        bool always = i == 0 && o->order.plan.no_archive;
        if (!changes_end(o, ends[i]) || !(ends[i]->endpoint->endpoint.production || always))
            continue;
        snprintf(name, sizeof name, "%s/%s", ends[i]->endpoint->endpoint.name, ends[i]->channel.name);
        dialog_name(d, name);
    }
}

static void begin(struct screen *s, void *context, bool yes)
{
    struct view *v = context;
    struct operate *o = v->state;
    struct run_argument run = {.job = o->job};
    if (!yes) {
        screen_say(s, SEVERITY_INFO, "Nothing was changed");
        return;
    }
    if (screen_top(s) != v || !o->job)
        return;
    job_status(o->job, &o->seen);
    if (o->seen.state != JOB_READY)
        return;
    job_begin(o->job);
    o->job = NULL; /* the list's from here on */
    screen_back(s);
    if (screen_top(s)->ops->keys == KEYS_DEDUPE) /* a report that is not true any more */
        screen_back(s);
    screen_show(s, VIEW_RUN, &run);
}

static bool is_production(const struct address *a)
{
    return a->endpoint && a->endpoint->endpoint.production;
}

static void ask(struct view *v)
{
    struct operate *o = v->state;
    struct dialog d;
    struct buffer command;
    char title[80], yes[80], count[48];
    bool production = is_production(&o->order.from) || is_production(&o->order.to);
    snprintf(title, sizeof title, "Confirm %s%s", operation_kind_name(o->kind),
             production ? " (PRODUCTION)" : "");
    dialog_init(&d, title, production || o->order.plan.no_archive);
    dialog_add(&d, ROLE_TITLE, o->kind == OPERATION_RESTORE ? "Archive" : "From", "%s", o->order.plan.from);
    operate_tell(v, put_line, &d);
    buffer_init(&command, 64 * KIB);
    dialog_add(&d, ROLE_MUTED, "Same as", "%s", operate_command(v, &command));
    buffer_free(&command);
    ask_for_names(&d, o);
    snprintf(yes, sizeof yes, "%s %s", operate_verb(o), operate_count(o, count, sizeof count));
    capital(yes);
    dialog_open(&d, yes);
    screen_ask(v->screen, &d, begin, v);
}

/* Why it is not asked yet; false: nothing is in its way. */
static bool say_obstacle(struct view *v)
{
    struct operate *o = v->state;
    const struct address *ends[] = {&o->order.from, &o->order.to};
    for (size_t i = 0; o->whole && i < 2; i++)
        if (changes_end(o, ends[i]) && !screen_may_write(v->screen, &ends[i]->endpoint->endpoint)) {
            screen_say(v->screen, SEVERITY_WARN,
                       "%s is read-only: `:write %s 10m` allows changes for ten minutes",
                       ends[i]->endpoint->endpoint.name, ends[i]->endpoint->endpoint.name);
            return true;
        }
    const char *why = !o->whole                      ? "Something is missing, or wrong: see the fields"
                      : o->err.code                  ? o->err.text
                      : o->seen.state == JOB_REFUSED ? "It cannot be done: see the dry run"
                      : o->seen.state == JOB_LOOKING ? "The dry run is under way"
                      : o->seen.could_look && preview_selects(&o->order.plan) ? "Look first: r"
                      : o->seen.planned == 0 && preview_skipped(&o->seen.preview)
                          ? "Nothing would be sent: all would be skipped"
                      : o->seen.planned == 0 ? "Nothing would be done: see the dry run"
                                             : NULL;
    if (why)
        screen_say(v->screen, SEVERITY_WARN, "%s", why);
    return why;
}

/* ---- as a view ---- */

static bool operate_key(struct view *v, int key)
{
    struct operate *o = v->state;
    enum form_result result = form_key(&o->form, key);
    if (result == FORM_CHANGED)
        operate_changed(v);
    return result != FORM_UNUSED;
}

/* What the dry run tells may be longer than its place. */
static void scroll(struct operate *o, bool down)
{
    size_t page = o->shown > 1 ? o->shown - 1 : 1;
    if (down)
        o->top += page < o->hidden ? page : o->hidden;
    else
        o->top -= page < o->top ? page : o->top;
}

static void step_example(struct operate *o, bool forward)
{
    size_t count;
    if (!operate_example(o, &count))
        return;
    o->example = forward ? (o->example + 1) % count : (o->example + count - 1) % count;
}

static enum action operate_action(struct view *v, enum action action)
{
    switch (action) {
    case ACTION_PAGE_DOWN:
    case ACTION_HALF_DOWN: scroll(v->state, true); break;
    case ACTION_PAGE_UP:
    case ACTION_HALF_UP: scroll(v->state, false); break;
    case ACTION_NEXT_ITEM: step_example(v->state, true); break;
    case ACTION_PREVIOUS_ITEM: step_example(v->state, false); break;
    case ACTION_LOOK: operate_read(v), look(v, true); break;
    case ACTION_EXECUTE:
        if (!say_obstacle(v))
            ask(v);
        break;
    case ACTION_EDIT: operate_payload(v); break;
    case ACTION_FIELD: operate_key(v, UIKEY_RETURN); break;
    case ACTION_NEXT_FIELD: operate_key(v, UIKEY_TAB); break;
    case ACTION_PREVIOUS_FIELD: operate_key(v, UIKEY_BACK_TAB); break;
    default: return action;
    }
    return ACTION_NONE;
}

static bool operate_offers(struct view *v, enum action action)
{
    const struct operate *o = v->state;
    size_t count = 0;
    if (action == ACTION_NEXT_ITEM || action == ACTION_PREVIOUS_ITEM)
        return operate_example(o, &count) && count > 1;
    return action != ACTION_EDIT || o->kind == OPERATION_RESEND;
}

static bool operate_event(struct view *v, uint32_t changes)
{
    struct operate *o = v->state;
    if ((changes & SCREEN_JOBS) && o->job)
        read_status(o);
    return changes & SCREEN_JOBS;
}

static void forget(struct operate *o)
{
    drop_look(o);
    form_free(&o->form);
    free(o->archives);
    arena_free(&o->arena);
    buffer_free(&o->edited);
    *o = (struct operate){.kind = OPERATION_KINDS};
    arena_init(&o->arena, 4 * MIB);
    buffer_init(&o->edited, PLAN_PAYLOAD_MOST);
}

static void operate_enter(struct view *v, const void *argument)
{
    struct operate *o = v->state;
    const struct operate_argument *a = argument;
    if (!a)
        return;
    forget(o);
    o->kind = a->kind;
    o->target = a->target;
    operate_fields(o, a);
    operate_changed(v);
}

static void operate_leave(struct view *v)
{
    drop_look(v->state);
}

static void operate_close(struct view *v)
{
    struct operate *o = v->state;
    form_free(&o->form);
    free(o->archives);
    buffer_free(&o->edited);
    arena_free(&o->arena);
}

static bool operate_takes_text(const struct view *v)
{
    const struct operate *o = v->state;
    return form_takes_text(&o->form);
}

static const char *operate_doing(const struct view *v)
{
    const struct operate *o = v->state;
    return o->kind < OPERATION_KINDS ? operation_kind_name(o->kind) : "operation";
}

static void operate_crumb(const struct view *v, char *into, size_t size)
{
    const struct operate *o = v->state;
    snprintf(into, size, "%s", o->target.address.channel.name ? o->target.address.channel.name : "");
}

extern const struct view_ops operate_view;
const struct view_ops operate_view = {
    .name = "operation",
    .title = "Form of an operation",
    .keys = KEYS_OPERATE,
    .state_size = sizeof(struct operate),
    .enter = operate_enter,
    .leave = operate_leave,
    .close = operate_close,
    .on_event = operate_event,
    .draw = operate_draw,
    .action = operate_action,
    .offers = operate_offers,
    .key = operate_key,
    .takes_text = operate_takes_text,
    .crumb = operate_crumb,
    .doing = operate_doing,
};
