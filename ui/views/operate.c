/* The form of an operation: its fields, the dry run that follows them, and the question before it begins. */
#include "ui/views/operate.h"

#include "base/text.h"
#include "engine/filter.h"
#include "ui/views/operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES_TO  "To"
#define NAMES_HOW "Method"
#define NAMES_WHY "Reasons"

static bool has_destination(enum operation_kind kind)
{
    return kind != OPERATION_PURGE;
}

/* ---- making the form ---- */

static void add_line(struct form *f, const char *label, const char *empty, const char *text, const char *help)
{
    struct form_field *field = form_add(f, FORM_LINE, label, help);
    if (!field)
        return;
    field->empty = empty;
    text_copy(field->text, sizeof field->text, text);
}

static void add_shown(struct form *f, const char *label, const char *text)
{
    struct form_field *field = form_add(f, FORM_SHOWN, label, "");
    if (field)
        text_copy(field->text, sizeof field->text, text);
}

static void add_source(struct operate *o)
{
    char text[640];
    const struct address *a = &o->target.address;
    if (o->kind == OPERATION_RESTORE) {
        struct form_field *field = form_add(&o->form, FORM_CHOICE, "Archive", "which one is brought back");
        for (size_t i = 0; i < OPERATE_ARCHIVES && o->paths[i]; i++)
            field->choices[i] = strrchr(o->paths[i], '/') ? strrchr(o->paths[i], '/') + 1 : o->paths[i];
        return;
    }
    const char *from = order_address(a, &o->arena);
    snprintf(text, sizeof text, "%s%s", from ? from : "?",
             a->endpoint->endpoint.production ? "   PRODUCTION" : "");
    add_shown(&o->form, "From", text);
}

static void add_destination(struct operate *o, const char *to)
{
    char text[600];
    const struct config_endpoint *e = o->target.address.endpoint;
    if (o->kind == OPERATION_REPLAY) {
        add_line(&o->form, NAMES_TO, "origin", "origin",
                 "origin: where each died; exchange: where it was first sent; or ADDRESS");
        return;
    }
    snprintf(text, sizeof text, "%s", to);
    if (!*to && e && !strchr(e->endpoint.name, ':'))
        snprintf(text, sizeof text, "%s/", e->endpoint.name);
    add_line(&o->form, NAMES_TO, "where to? ENDPOINT/CHANNEL", text,
             "ENDPOINT/CHANNEL, or a URL; another broker will do");
}

static void add_selection(struct operate *o)
{
    char text[80];
    if (o->kind == OPERATION_RESTORE)
        return;
    if (o->target.of == CHANGE_MESSAGES) {
        snprintf(text, sizeof text, "%zu chosen message%s", o->target.messages,
                 o->target.messages == 1 ? "" : "s");
        add_shown(&o->form, "Select", text);
        return;
    }
    add_line(&o->form, "Select", "all", "", "a filter: dlq.reason=rejected age<1h; empty takes all");
    if (o->kind == OPERATION_REPLAY) {
        struct form_field *field =
            form_add(&o->form, FORM_CHOICE, NAMES_WHY, "Space: those alone that died of one reason");
        field->choices[0] = "all";
    }
    add_line(&o->form, "Limit", "no limit", "", "the first so many, of those that are selected");
}

static void add_manner(struct operate *o)
{
    struct form *f = &o->form;
    bool chosen = o->target.of == CHANGE_MESSAGES;
    if (o->kind == OPERATION_PURGE && !chosen) {
        struct form_field *field =
            form_add(f, FORM_CHOICE, NAMES_HOW, "how they go; only an archive can be restored");
        field->choices[0] = "archive first, then remove: can be restored";
        field->choices[1] = "the broker's own purge: can NOT be restored";
    }
    if (o->kind != OPERATION_PURGE)
        add_line(f, "Rate", "as fast as it goes", o->kind == OPERATION_REPLAY ? "20/s" : "",
                 "messages a second at most, as 20/s");
    if (o->kind == OPERATION_REPLAY)
        add_line(f, "Origin", "the known headers", "", "a header that names where each came from");
    if (o->kind == OPERATION_REPLAY)
        form_add(f, FORM_SWITCH, "Deaths",
                 "keep x-death headers: RabbitMQ up to 3.13 drops later deaths of such");
    if (o->kind == OPERATION_REPLAY || o->kind == OPERATION_RESTORE)
        form_add(f, FORM_SWITCH, "Again", "once more what was sent before");
    if (has_destination(o->kind))
        form_add(f, FORM_SWITCH, "Create", "make the destination where it is missing");
    if (has_destination(o->kind) && o->kind != OPERATION_RESTORE)
        form_add(f, FORM_SWITCH, "No mark",
                 "no x-signalbox- headers: after a crash what was on its way is in doubt");
}

/* ---- reading the form ---- */

static const char *text_of(struct operate *o, const char *label)
{
    const struct form_field *field = form_find(&o->form, label);
    return field && field->text[0] ? arena_strdup(&o->arena, field->text) : NULL;
}

static bool is_on(struct operate *o, const char *label)
{
    const struct form_field *field = form_find(&o->form, label);
    return field && field->chosen == 1;
}

static void fault(struct operate *o, const char *label, const char *format, ...) SB_PRINTF(3, 4);
static void fault(struct operate *o, const char *label, const char *format, ...)
{
    struct form_field *field = form_find(&o->form, label);
    va_list args;
    if (!field)
        return;
    va_start(args, format);
    vsnprintf(field->fault, sizeof field->fault, format, args);
    va_end(args);
}

static int64_t number_of(struct operate *o, const char *label, int64_t none)
{
    const char *text = text_of(o, label);
    char number[24];
    int64_t n = 0;
    if (!text)
        return none;
    size_t len = strlen(text);
    len -= len > 2 && strcmp(text + len - 2, "/s") == 0 ? 2 : 0;
    text_copy_bytes(number, sizeof number, bytes_of_text(text));
    if (len < sizeof number)
        number[len] = '\0';
    if (len < sizeof number && text_int64(number, &n) && n > 0)
        return n;
    fault(o, label, "`%s` is no number of messages", text);
    return none;
}

/* False: nothing is there to go to yet, or the field says what is wrong. */
static bool read_destination(struct view *v)
{
    struct operate *o = v->state;
    struct plan *p = &o->order.plan;
    struct err_info err = {.code = ERR_OK};
    const char *to = text_of(o, NAMES_TO);
    bool home = o->kind == OPERATION_REPLAY && (!to || !strcmp(to, "origin") || !strcmp(to, "exchange"));
    p->exchange = home && to && !strcmp(to, "exchange");
    if (home) {
        o->order.to = o->order.from;
        o->order.to.channel = (struct channel_name){CHANNEL_ANY, NULL};
        return true;
    }
    if (!to)
        return false;
    if (hub_address(v->hub, to, &o->order.to, &err)) {
        fault(o, NAMES_TO, "%s%s%s", err.text, *err.next ? "; " : "", err.next);
        return false;
    }
    p->to = to;
    return o->order.to.channel.name && *o->order.to.channel.name;
}

static void read_selection(struct view *v)
{
    struct operate *o = v->state;
    struct err_info err = {.code = ERR_OK};
    if (o->target.of == CHANGE_MESSAGES) {
        o->order.plan.select = o->target.select;
        return;
    }
    const char *select = text_of(o, "Select");
    struct filter *f =
        select ? filter_new(select, FILTER_MESSAGES, hub_registry(v->hub)->decoders, NULL, &err) : NULL;
    if (select && !f)
        fault(o, "Select", "%s%s%s", err.text, *err.next ? "; " : "", err.next);
    filter_free(&f);
    o->order.plan.select = select;
}

/* The order that the fields make. */
static void read_form(struct view *v)
{
    struct operate *o = v->state;
    const struct form_field *archive = form_find(&o->form, "Archive"),
                            *method = form_find(&o->form, NAMES_HOW);
    for (size_t i = 0; i < o->form.count; i++)
        o->form.fields[i].fault[0] = '\0';
    arena_reset(&o->arena);
    o->order = (struct order){.plan = {.kind = o->kind, .replays_most = PLAN_REPLAYS_MOST},
                              .from = o->target.address};
    struct plan *p = &o->order.plan;
    bool restores = o->kind == OPERATION_RESTORE;
    p->from =
        restores ? archive ? o->paths[archive->chosen] : NULL : order_address(&o->order.from, &o->arena);
    read_selection(v);
    p->limit = number_of(o, "Limit", -1);
    p->rate = number_of(o, "Rate", 0);
    p->origin_header = text_of(o, "Origin");
    const struct form_field *why = form_find(&o->form, NAMES_WHY);
    p->reasons = why && why->chosen ? o->reasons[why->chosen - 1] : NULL;
    if (o->edits[0]) {
        p->payload = buffer_view(&o->edited);
        p->edits = o->edits;
    }
    p->keep_death = is_on(o, "Deaths");
    p->again = is_on(o, "Again");
    p->create = is_on(o, "Create");
    p->no_mark = is_on(o, "No mark");
    p->no_archive = method && method->chosen == 1;
    bool there = !has_destination(o->kind) || read_destination(v);
    o->whole = there && p->from && !form_faulty(&o->form);
}

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
    struct form_field *field = form_find(&o->form, NAMES_WHY);
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
    read_form(v);
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
    snprintf(yes, sizeof yes, "%s %s", operation_kind_name(o->kind), operate_count(o, count, sizeof count));
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
                       "%s is read-only: `:write 10m` allows changes for ten minutes",
                       ends[i]->endpoint->endpoint.name);
            return true;
        }
    const char *why = !o->whole                      ? "Something is missing, or wrong: see the fields"
                      : o->err.code                  ? o->err.text
                      : o->seen.state == JOB_REFUSED ? "It cannot be done: see the dry run"
                      : o->seen.state == JOB_LOOKING ? "The dry run is under way"
                      : o->seen.could_look && preview_selects(&o->order.plan) ? "Look first: r"
                      : o->seen.planned == 0 && preview_skipped(&o->seen.preview)
                          ? "Nothing would be sent: all would be skipped"
                      : o->seen.planned == 0 ? "Nothing would be done: there is no such message"
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

static enum action operate_action(struct view *v, enum action action)
{
    switch (action) {
    case ACTION_LOOK: read_form(v), look(v, true); break;
    case ACTION_EXECUTE:
        if (!say_obstacle(v))
            ask(v);
        break;
    case ACTION_EDIT: operate_payload(v); break;
    default: return action;
    }
    return ACTION_NONE;
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

static void take_archives(struct operate *o, const char *archives)
{
    size_t n = 0;
    o->archives = archives ? strdup(archives) : NULL;
    for (char *at = o->archives; at && *at && n < OPERATE_ARCHIVES; n++) {
        o->paths[n] = at;
        at += strcspn(at, "\n");
        if (*at)
            *at++ = '\0';
    }
}

static void take_presets(struct operate *o, const struct operate_argument *a)
{
    for (size_t i = 0; i < a->preset_count; i++) {
        struct form_field *field = form_find(&o->form, a->presets[i].label);
        if (field && a->presets[i].text)
            text_copy(field->text, sizeof field->text, a->presets[i].text);
        else if (field)
            field->chosen = 1;
    }
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
    take_archives(o, a->archives);
    add_source(o);
    if (has_destination(o->kind))
        add_destination(o, a->to);
    add_selection(o);
    add_manner(o);
    take_presets(o, a);
    while (o->form.at + 1 < o->form.count && o->form.fields[o->form.at].kind == FORM_SHOWN)
        o->form.at++;
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
    .key = operate_key,
    .takes_text = operate_takes_text,
    .crumb = operate_crumb,
    .doing = operate_doing,
};
