/* What a dry run has found out: how many, where to, which effects, and what cannot be undone. */
#include "ui/views/operate.h"

#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "operations/source.h"
#include "operations/speed.h"
#include "operations/undo_command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define GROUPS_SHOWN 5 /* reasons */

struct teller {
    operate_line *line;
    void *context;
};

static void tell(const struct teller *t, enum role role, const char *label, const char *format, ...)
    SB_PRINTF(4, 5);
static void tell(const struct teller *t, enum role role, const char *label, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->line(t->context, role, label, text);
}

char *operate_count(const struct operate *o, char *into, size_t size)
{
    char count[32];
    int64_t n = o->seen.planned;
    if (n == 0 && preview_skipped(&o->seen.preview))
        return text_copy(into, size, "nothing: all would be skipped");
    if (n < 0 && o->kind == OPERATION_DEDUPE)
        return text_copy(into, size, o->order.plan.to ? "all but the extras" : "the extras");
    if (n < 0 && o->target.of == CHANGE_MESSAGES) {
        snprintf(into, size, "%zu chosen message%s", o->target.messages, o->target.messages == 1 ? "" : "s");
        return into;
    }
    if (n < 0 && preview_selects(&o->order.plan))
        return text_copy(into, size, "those that are selected");
    const char *what = o->kind == OPERATION_DEDUPE && !o->order.plan.to ? "extra" : "message";
    snprintf(into, size, "%s %s%s", n < 0 ? "all" : text_count(count, sizeof count, (uint64_t)n), what,
             n == 1 ? "" : "s");
    return into;
}

const char *operate_verb(const struct operate *o)
{
    if (o->kind != OPERATION_DEDUPE)
        return operation_kind_name(o->kind);
    return o->order.plan.to ? "copy" : "remove";
}

static void tell_count(const struct teller *t, const struct operate *o)
{
    const struct preview *p = &o->seen.preview;
    const struct plan *plan = &o->order.plan;
    char count[48], size[40] = "", bytes[32], looked[32], unknown[32], skipped[32];
    bool looks = plan->select || plan->kind == OPERATION_DEDUPE,
         sized = looks || plan->kind == OPERATION_RESTORE;
    bool seen = !looks || !o->seen.could_look;
    if (o->seen.planned != 0 && seen && (sized || (p->stored >= 0 && plan->limit < 0)))
        snprintf(size, sizeof size, ", %s",
                 text_bytes(bytes, sizeof bytes, (uint64_t)(sized ? p->bytes : p->stored)));
    tell(t, o->seen.planned ? ROLE_TITLE : ROLE_WARN, "Would", "%s %s%s%s", operate_verb(o),
         order_is_upper(plan, p) ? "at most " : "", operate_count(o, count, sizeof count), size);
    if (looks && !o->seen.could_look)
        tell(t, p->whole ? ROLE_TEXT : ROLE_WARN, "Looked at", "%s messages%s",
             text_count(looked, sizeof looked, (uint64_t)p->looked),
             p->whole ? "" : ", which is not all: more of them stay");
    if (preview_skipped(p))
        tell(t, ROLE_WARN, "Skipped", "%s: they stay where they are",
             text_count(skipped, sizeof skipped, (uint64_t)preview_skipped(p)));
    if (p->unknown)
        tell(t, ROLE_WARN, "Not judged", "%s: damaged, or too much to unpack; these are left alone",
             text_count(unknown, sizeof unknown, (uint64_t)p->unknown));
    if (o->target.of == CHANGE_MESSAGES && !o->seen.could_look && p->matched != (int64_t)o->target.messages)
        tell(t, ROLE_WARN, "But", "%zu %s chosen, and %" PRId64 " %s there like that", o->target.messages,
             o->target.messages == 1 ? "is" : "are", p->matched, p->matched == 1 ? "is" : "are");
    if (p->unacked > 0)
        tell(t, ROLE_TEXT, "Left alone", "%" PRId64 " with consumers", p->unacked);
    else if (o->order.from.endpoint && p->consumers > 0 && o->order.from.endpoint->broker->unacked_is_late)
        tell(t, ROLE_TEXT, "Left alone", "what its %" PRId64 " consumer%s: not counted yet", p->consumers,
             p->consumers == 1 ? " has" : "s have");
}

static void tell_duplicates(const struct teller *t, const struct operate *o)
{
    const struct dedupe_totals *d = &o->seen.preview.duplicates;
    char groups[32], extras[32], left[32];
    uint64_t stay = d->extras - d->going;
    if (o->kind != OPERATION_DEDUPE || o->seen.could_look)
        return;
    tell(t, ROLE_TEXT, "Found", "%s group%s by %s, %s extra%s; of each the %s stays",
         text_count(groups, sizeof groups, d->groups), d->groups == 1 ? "" : "s", o->order.plan.by,
         text_count(extras, sizeof extras, d->extras), d->extras == 1 ? "" : "s",
         o->order.plan.keep_last ? "last" : "first");
    if (stay)
        tell(t, ROLE_WARN, "Differ", "%s extra%s of groups whose bodies differ %s: see Differing",
             text_count(left, sizeof left, stay), stay == 1 ? "" : "s",
             o->order.plan.to ? "would be copied" : "would stay");
}

static void tell_payload(const struct teller *t, const struct operate *o)
{
    const struct message *m = o->seen.preview.first;
    if (o->kind != OPERATION_RESEND || o->seen.preview.matched != 1 || !m)
        return;
    if (o->edits[0])
        tell(t, ROLE_WARN, "Payload", "EDITED as %s: %zu bytes in the place of %zu; it is marked as edited",
             edit_form_name(o->edited_as), o->edited.len, m->payload.len);
    else
        tell(t, ROLE_TEXT, "Payload", "%zu bytes, as they are; e edits them as %s", m->payload.len,
             edit_form_name(edit_form_of(m->payload)));
}

static void tell_look(const struct teller *t, const struct operate *o)
{
    if (o->seen.could_look)
        tell(
            t, ROLE_EFFECT, "Counted",
            "r looks at each message: that MARKS them, `redelivered` stays set, a delivery limit may count it");
    else if (o->seen.preview.unseen[0])
        tell(t, ROLE_WARN, "Not seen", "%s", o->seen.preview.unseen);
}

/* "1,046  rejected: field total missing, to queue:orders" */
static void tell_groups(const struct teller *t, const struct operate *o)
{
    struct reasons *found = o->seen.preview.reasons;
    size_t count = 0;
    char number[32];
    const struct reason_group *groups = found ? reasons_groups(found, &count) : NULL;
    for (size_t i = 0; i < count && i < GROUPS_SHOWN; i++)
        tell(t, *groups[i].why_not ? ROLE_WARN : ROLE_TEXT, i ? "" : "Reasons", "%s %s%s%s",
             text_count(number, sizeof number, (uint64_t)groups[i].count), groups[i].text,
             groups[i].fails      ? "; FAILS, "
             : *groups[i].why_not ? "; SKIPPED, "
                                  : ", to ",
             *groups[i].why_not ? groups[i].why_not : groups[i].to);
    if (count > GROUPS_SHOWN)
        tell(t, ROLE_MUTED, "", "and %zu reasons more", count - GROUPS_SHOWN);
}

/* ---- headers ---- */

const struct reason_group *operate_example(const struct operate *o, size_t *count)
{
    struct reasons *found = o->seen.state == JOB_READY ? o->seen.preview.reasons : NULL;
    const struct reason_group *example = NULL;
    size_t all = 0, n = 0;
    const struct reason_group *groups = found ? reasons_groups(found, &all) : NULL;
    for (size_t i = 0; i < all; i++) {
        if (*groups[i].why_not)
            continue;
        if (n++ == o->example || !example)
            example = &groups[i];
    }
    *count = n;
    return example;
}

static void tell_change(void *context, bool on, const char *header)
{
    struct buffer text;
    const struct teller *t = context;
    buffer_init(&text, MIB);
    buffer_printf(&text, "%c %s", on ? '+' : '-', header);
    t->line(t->context, on ? ROLE_OK : ROLE_WARN, "", buffer_cstr(&text));
    buffer_free(&text);
}

void operate_tell_headers(const struct operate *o, char *whose, size_t size, operate_line *line,
                          void *context)
{
    char number[32];
    size_t count;
    struct teller t = {line, context};
    const struct reason_group *g = operate_example(o, &count);
    *whose = '\0';
    if (!g)
        return;
    snprintf(whose, size, "%s, one of %s %s", *g->label ? g->label : "the first",
             text_count(number, sizeof number, (uint64_t)g->count), g->text);
    if (line)
        rewrite_tell(&g->changes, tell_change, &t);
}

/* Their names alone. */
static void tell_taken_off(const struct teller *t, const struct operate *o)
{
    size_t count;
    const struct reason_group *g = operate_example(o, &count);
    struct buffer names;
    if (!g || !g->changes.off.count)
        return;
    buffer_init(&names, 64 * KIB);
    for (uint32_t i = 0; i < g->changes.off.count; i++) {
        buffer_text(&names, i ? ", " : "");
        utf8_scrub(&names, g->changes.off.items[i].name, SCRUB_SCREEN);
    }
    tell(t, ROLE_MUTED, "Takes off", "%s; the journal keeps them", buffer_cstr(&names));
    buffer_free(&names);
}

static void tell_loss(void *context, const struct loss *loss)
{
    tell(context, ROLE_WARN, "Lost", "%s", loss->text);
}

struct becoming {
    char text[400];
    size_t used;
};

/* Of what is kept nothing need be said. */
static void add_part(void *context, const char *part, const char *becomes)
{
    struct becoming *b = context;
    if (text_starts(becomes, "kept") && strcmp(becomes, "kept as text") != 0)
        return;
    if (b->used < sizeof b->text)
        b->used += (size_t)snprintf(b->text + b->used, sizeof b->text - b->used, "%s%s %s",
                                    b->used ? ", " : "", part, becomes);
}

/* What another protocol makes of any message. */
static void tell_becoming(const struct teller *t, const struct operate *o)
{
    struct becoming b = {.used = 0};
    const struct broker_ops *to = o->order.to.endpoint ? o->order.to.endpoint->broker : NULL;
    const struct broker_ops *from = o->order.from.endpoint ? o->order.from.endpoint->broker : NULL;
    if (!to || !from || from == to || !o->seen.preview.compares || o->kind == OPERATION_RESTORE)
        return;
    carries_tell(o->seen.preview.carries, add_part, &b);
    tell(t, ROLE_WARN, "Becomes", "in %s: %s", to->title, b.used ? b.text : "all is kept");
}

static void tell_losses(const struct teller *t, const struct operate *o)
{
    const struct preview *p = &o->seen.preview;
    if (p->compares && o->order.to.endpoint)
        losses_tell(&p->losses, o->order.to.endpoint->broker, p->carries, false, tell_loss,
                    (void *)(uintptr_t)t);
}

static void tell_failing(const struct teller *t, const struct operate *o)
{
    const struct preview *p = &o->seen.preview;
    char count[32];
    int64_t n = preview_failing(p);
    if (n)
        tell(t, ROLE_WARN, "Fails", "%s would, and stay%s where %s%s%s",
             text_count(count, sizeof count, (uint64_t)n), n == 1 ? "s" : "", n == 1 ? "it is" : "they are",
             *p->refuses ? ", such as: " : "", p->refuses);
}

static void tell_bound(void *context, bool lost, const char *text)
{
    tell(context, lost ? ROLE_WARN : ROLE_TEXT, "There", "%s", text);
}

static void tell_bounds(const struct teller *t, const struct operate *o)
{
    const struct preview *p = &o->seen.preview;
    if (p->bounded && o->order.plan.to)
        bounds_tell(&p->bounds, o->order.plan.to, p->there_ready, tell_bound, (void *)(uintptr_t)t);
}

static void tell_time(const struct teller *t, const struct operate *o)
{
    char age[32];
    int64_t rate = o->order.plan.rate;
    if (rate > 0 && o->seen.planned > 0)
        tell(t, ROLE_TEXT, "Takes", "about %s at %" PRId64 "/s, slowly at first",
             text_age(age, sizeof age, speed_takes(o->seen.planned, rate)), rate);
}

static void tell_where(const struct teller *t, const struct operate *o)
{
    const struct plan *p = &o->order.plan;
    if (plan_archives(p))
        return;
    tell(t, ROLE_TEXT, "To", "%s",
         p->to         ? p->to
         : p->exchange ? "the exchange of each, with its key: every queue bound there has it again"
                       : "where each died; what tells nothing is skipped");
}

/* Of what is sent; of a purge see there. */
static void tell_undo(const struct teller *t, const struct operate *o)
{
    const struct address *to = &o->order.to;
    struct operation_job job = {.plan = o->order.plan};
    job.plan.keeps = o->seen.preview.keeps[0];
    job.plan.sticks = o->seen.preview.sticks;
    if (to->endpoint)
        job.to = (struct operation_end){to->endpoint->broker, &to->endpoint->endpoint, to->channel};
    const char *why = undo_why_not(&job);
    if (why)
        tell(t, ROLE_WARN, "No undo", "%s", why);
    else
        tell(t, ROLE_TEXT, "Undo", "%s what no reader has had: its end shows the command",
             order_takes(&job.plan) && !job.plan.keeps ? "moves back" : "takes off again");
}

static void tell_source(const struct teller *t, const struct operate *o)
{
    const struct preview *p = &o->seen.preview;
    const struct operation_job job = {.plan = o->order.plan, .from.ops = o->order.from.endpoint->broker};
    if (!preview_holds(&job, p)) {
        tell(t, ROLE_TEXT, "Source", "stays as it is");
        return;
    }
    tell(
        t, ROLE_EFFECT, "Source",
        "keeps them: held until the end, when they go back; that MARKS them, and consumers do not see them meanwhile");
    if (p->ready > SOURCE_HELD_MOST)
        tell(t, ROLE_WARN, "", "at most the first 100,000, which is as many as are held");
}

static void tell_effect(const struct teller *t, const struct operate *o)
{
    const struct preview *p = &o->seen.preview;
    const struct plan *plan = &o->order.plan;
    switch (plan->kind) {
    case OPERATION_MOVE:
        tell(t, ROLE_TEXT, "Source", "each leaves it once the destination has confirmed it");
        break;
    case OPERATION_REPLAY:
        tell(t, ROLE_TEXT, "Source", "%s%s",
             p->keeps[0] ? "keeps them: " : "each leaves it once its destination has confirmed it", p->keeps);
        tell(t, ROLE_TEXT, "Skips", "%s%s", "what was replayed 3 times before",
             p->keeps[0] && !plan->again ? ", and what an earlier replay has sent there" : "");
        break;
    case OPERATION_DEDUPE:
        if (!plan->to)
            break;
        /* fallthrough */
    case OPERATION_RESEND:
    case OPERATION_COPY: tell_source(t, o); break;
    default: break;
    }
    if (plan->kind == OPERATION_RESTORE && p->there > 0)
        tell(t, ROLE_WARN, "There", "%s%" PRId64 " message%s at the destination already",
             o->order.to.endpoint && o->order.to.endpoint->broker->count_is_upper ? "at most " : "", p->there,
             p->there == 1 ? " is" : "s are");
    if (plan->kind == OPERATION_RESTORE)
        tell(t, ROLE_MUTED, "Adds", "nothing: byte for byte, and once; a second restore is refused");
    else if (!plan_archives(plan) && !plan->no_mark)
        tell(t, ROLE_MUTED, "Adds", "x-signalbox- headers; the %s is byte for byte",
             p->compares ? "payload" : "rest");
    tell_taken_off(t, o);
    if (!plan_archives(plan))
        tell_undo(t, o);
}

static void tell_purge(const struct teller *t, const struct operate *o)
{
    const struct preview *p = &o->seen.preview;
    const struct plan *plan = &o->order.plan;
    struct operation_job job = {.plan = *plan};
    char size[32], room[32];
    if (!plan_archives(plan) || o->seen.planned == 0)
        return;
    if (plan->no_archive) {
        tell(t, ROLE_CRIT, "No undo",
             "by the broker itself, at once, all of it: NOTHING of it can be restored");
        return;
    }
    int64_t bytes = preview_archive_size(&job, p, o->seen.planned);
    char about[48] = "";
    if (bytes >= 0)
        snprintf(about, sizeof about, "about %s, ", text_bytes(size, sizeof size, (uint64_t)bytes));
    tell(t, ROLE_TEXT, "Archive", "%s%s free; on the disk and read back before the first goes", about,
         p->room >= 0 ? text_bytes(room, sizeof room, (uint64_t)p->room) : "an unknown amount");
    if (p->room >= 0 && bytes > p->room)
        tell(t, ROLE_CRIT, "No room", "what cannot be archived is not removed");
    tell(t, ROLE_TEXT, "Removes", "%s",
         p->by_place ? "all up to its end as it stands then, at once; later ones stay"
                     : "exactly what was archived; what arrives later stays");
    tell(t, ROLE_TEXT, "Undo", "restore (X u): new positions, and behind what has come meanwhile");
}

static void tell_missing(const struct teller *t, const struct operate *o)
{
    bool faulty = false;
    for (size_t i = 0; i < o->form.count; i++) {
        const struct form_field *field = &o->form.fields[i];
        if (field->fault[0])
            tell(t, ROLE_FAULT, field->label, "%s", field->fault);
        faulty |= field->fault[0];
    }
    if (!faulty && o->kind == OPERATION_DEDUPE && change_keeps(&o->target))
        tell(t, ROLE_WARN, "Stay", "the extras do: %s", o->target.channel.why_not[CAN_REMOVE]);
    if (!faulty && o->kind == OPERATION_DEDUPE)
        tell(t, ROLE_TEXT, "Next", "write a copy without them: To says where, Enter writes it");
    else if (!faulty)
        tell(t, ROLE_MUTED, NULL, "Fill in what is missing: Enter on a field writes it");
}

void operate_tell(struct view *v, operate_line *line, void *context)
{
    const struct operate *o = v->state;
    const struct teller t = {line, context};
    char text[480];
    if (o->err.code) {
        tell(&t, ROLE_CRIT, NULL, "%s", err_format(&o->err, text, sizeof text));
    } else if (!o->whole) {
        tell_missing(&t, o);
    } else if (o->seen.state == JOB_LOOKING) {
        tell(&t, ROLE_MUTED, NULL, "Looking: nothing is changed by that");
    } else if (o->seen.state == JOB_REFUSED) {
        tell(&t, ROLE_CRIT, NULL, "%s", err_format(&o->seen.err, text, sizeof text));
        if (o->seen.err.code == ERR_NOTFOUND && o->order.plan.to && !o->order.plan.create)
            tell(&t, ROLE_TEXT, NULL, "Or turn Create on, if it is to be made");
    } else {
        tell_count(&t, o);
        tell_duplicates(&t, o);
        tell_payload(&t, o);
        tell_look(&t, o);
        tell_groups(&t, o);
        tell_becoming(&t, o);
        tell_losses(&t, o);
        tell_failing(&t, o);
        tell_bounds(&t, o);
        tell_where(&t, o);
        tell_time(&t, o);
        tell_effect(&t, o);
        tell_purge(&t, o);
    }
    for (size_t i = 0; o->job && i < o->seen.notice_count && i < JOB_NOTICES; i++)
        tell(&t, ROLE_EFFECT, "Notice", "%s", o->seen.notices[i]);
}

const char *operate_command(struct view *v, struct buffer *into)
{
    const struct operate *o = v->state;
    buffer_clear(into);
    if (o->whole) {
        order_command(&o->order, into);
        buffer_text(into, screen_unreached(v->screen));
    }
    return buffer_cstr(into);
}
