/* The fields of an operation's form: which it has, and the order that they make. */
#include "ui/views/operate.h"

#include "base/text.h"
#include "engine/filter.h"

#include <stdio.h>
#include <stdlib.h>

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
        add_line(&o->form, OPERATE_TO, "origin", "origin",
                 "origin: where each died; exchange: where it was first sent; or ADDRESS");
        return;
    }
    if (o->kind == OPERATION_DEDUPE && !change_keeps(&o->target)) {
        add_line(&o->form, OPERATE_TO, "nowhere: the extras go", to,
                 "empty: the extras are removed; ENDPOINT/CHANNEL: a copy there without them");
        return;
    }
    snprintf(text, sizeof text, "%s", to);
    if (!*to && e && !strchr(e->endpoint.name, ':'))
        snprintf(text, sizeof text, "%s/", e->endpoint.name);
    add_line(&o->form, OPERATE_TO, "where to? ENDPOINT/CHANNEL", text,
             o->kind == OPERATION_DEDUPE ? "ENDPOINT/CHANNEL: a copy without the extras; this one keeps all"
                                         : "ENDPOINT/CHANNEL, or a URL; another broker will do");
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
            form_add(&o->form, FORM_CHOICE, OPERATE_WHY, "Space: those alone that died of one reason");
        field->choices[0] = "all";
    }
    if (o->kind != OPERATION_DEDUPE)
        add_line(&o->form, "Limit", "no limit", "", "the first so many, of those that are selected");
}

static void add_rule(struct operate *o)
{
    if (o->kind != OPERATION_DEDUPE)
        return;
    add_line(&o->form, OPERATE_BY, "by what are they the same?", "id", DEDUPE_RULES);
    struct form_field *keep =
        form_add(&o->form, FORM_CHOICE, "Keep", "Space: which one of several copies stays");
    keep->choices[0] = "first";
    keep->choices[1] = "last";
    form_add(&o->form, FORM_SWITCH, "Differing", "take the extras of groups whose bodies differ, too");
}

static void add_manner(struct operate *o)
{
    struct form *f = &o->form;
    bool chosen = o->target.of == CHANGE_MESSAGES;
    if (o->kind == OPERATION_PURGE && !chosen) {
        struct form_field *field =
            form_add(f, FORM_CHOICE, OPERATE_HOW, "how they go; only an archive can be restored");
        field->choices[0] = "archive first, then remove: can be restored";
        field->choices[1] = "the broker's own purge: can NOT be restored";
    }
    if (o->kind != OPERATION_PURGE)
        add_line(f, "Rate", "as fast as it goes", o->kind == OPERATION_REPLAY ? "20/s" : "",
                 o->kind == OPERATION_DEDUPE ? "of a copy: messages a second at most, as 20/s"
                                             : "messages a second at most, as 20/s");
    if (o->kind == OPERATION_REPLAY)
        add_line(f, "Origin", "the known headers", "", "a header that names where each came from");
    if (o->kind == OPERATION_REPLAY)
        form_add(f, FORM_SWITCH, "Deaths",
                 "keep x-death headers: RabbitMQ up to 3.13 drops later deaths of such");
    if (o->kind == OPERATION_REPLAY || o->kind == OPERATION_RESTORE)
        form_add(f, FORM_SWITCH, "Again", "once more what was sent before");
    if (has_destination(o->kind))
        form_add(f, FORM_SWITCH, "Create", "make the destination where it is missing");
    if (has_destination(o->kind) && o->kind != OPERATION_RESTORE && o->kind != OPERATION_DEDUPE)
        form_add(f, FORM_SWITCH, "No mark",
                 "no x-signalbox- headers: after a crash what was on its way is in doubt");
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

static void choose(struct form_field *field, const char *text)
{
    for (size_t i = 0; field->choices[i]; i++)
        if (strcmp(field->choices[i], text) == 0)
            field->chosen = i;
}

static void take_presets(struct operate *o, const struct operate_argument *a)
{
    for (size_t i = 0; i < a->preset_count; i++) {
        struct form_field *field = form_find(&o->form, a->presets[i].label);
        if (field && field->kind == FORM_CHOICE && a->presets[i].text)
            choose(field, a->presets[i].text);
        else if (field && a->presets[i].text)
            text_copy(field->text, sizeof field->text, a->presets[i].text);
        else if (field)
            field->chosen = 1;
    }
}

void operate_fields(struct operate *o, const struct operate_argument *a)
{
    take_archives(o, a->archives);
    add_source(o);
    if (has_destination(o->kind))
        add_destination(o, a->to);
    add_rule(o);
    add_selection(o);
    add_manner(o);
    take_presets(o, a);
    while (o->form.at + 1 < o->form.count && o->form.fields[o->form.at].kind == FORM_SHOWN)
        o->form.at++;
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
    const char *to = text_of(o, OPERATE_TO);
    bool home = o->kind == OPERATION_REPLAY && (!to || !strcmp(to, "origin") || !strcmp(to, "exchange"));
    p->exchange = home && to && !strcmp(to, "exchange");
    if (home) {
        o->order.to = o->order.from;
        o->order.to.channel = (struct channel_name){CHANNEL_ANY, NULL};
        return true;
    }
    if (!to)
        return o->kind == OPERATION_DEDUPE && !change_keeps(&o->target);
    if (hub_address(v->hub, to, &o->order.to, &err)) {
        fault(o, OPERATE_TO, "%s%s%s", err.text, *err.next ? "; " : "", err.next);
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

static void read_rule(struct view *v)
{
    struct operate *o = v->state;
    struct plan *p = &o->order.plan;
    struct err_info err = {.code = ERR_OK};
    if (o->kind != OPERATION_DEDUPE)
        return;
    const char *by = text_of(o, OPERATE_BY);
    struct dedupe_rule *rule = dedupe_rule_new(by ? by : "", hub_registry(v->hub)->decoders, &err);
    if (!rule)
        fault(o, OPERATE_BY, "%s%s%s", err.text, *err.next ? "; " : "", err.next);
    dedupe_rule_free(&rule);
    const struct form_field *keep = form_find(&o->form, "Keep");
    p->by = by;
    p->keep_last = keep && keep->chosen == 1;
    p->differing = is_on(o, "Differing");
    if (!p->to) { /* these are of a copy */
        p->rate = 0;
        p->create = false;
    }
}

void operate_read(struct view *v)
{
    struct operate *o = v->state;
    const struct form_field *archive = form_find(&o->form, "Archive"),
                            *method = form_find(&o->form, OPERATE_HOW);
    for (size_t i = 0; i < o->form.count; i++)
        o->form.fields[i].fault[0] = '\0';
    arena_reset(&o->arena);
    o->order = (struct order){.plan = {.kind = o->kind, .replays_most = PLAN_REPLAYS_MOST},
                              .from = o->target.address};
    const struct config *config = hub_config(v->hub);
    o->order.config = config->named ? config->file : NULL;
    struct plan *p = &o->order.plan;
    bool restores = o->kind == OPERATION_RESTORE;
    p->from =
        restores ? archive ? o->paths[archive->chosen] : NULL : order_address(&o->order.from, &o->arena);
    read_selection(v);
    p->limit = number_of(o, "Limit", -1);
    p->rate = number_of(o, "Rate", 0);
    p->origin_header = text_of(o, "Origin");
    const struct form_field *why = form_find(&o->form, OPERATE_WHY);
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
    read_rule(v);
    o->whole = there && p->from && !form_faulty(&o->form);
}
