/* A dedupe: the source is looked through before anything goes, and which messages are extras is written down, on the disk. What goes then
 * is archived and removed as by a purge, or what stays is copied.
 *
 * Extras are mostly the same to the last byte, so that neither order nor looks say which of them a crash has left. How many there are
 * does: of so many that the report saw, less those that the journal has as removed, so many are still there. */
#include "operations/execute_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "operations/dedupe.h"
#include "operations/preview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_WINDOW   4000
#define SHORT_LOOKS   3
#define STEP_MESSAGES 20000

/* ---- looking through the source ---- */

static bool came_later(const struct operation *o, struct position p)
{
    int32_t partition = p.kind == POSITION_PARTITION ? p.partition : -1;
    const struct read_places *ends = &o->findings.ends;
    for (size_t i = 0; p.kind != POSITION_NONE && i < ends->count; i++)
        if (ends->items[i].partition == partition)
            return p.offset >= ends->items[i].next;
    return p.kind != POSITION_NONE;
}

struct looking {
    execute_newer *visit;
    void *context;
    const struct read_places *places; /* from there on; NULL: from the beginning */
    int64_t began_ns;
    bool whole;
    bool positions; /* its messages have them: a count is an upper bound */
};

static struct source *start_look(struct operation *o, const struct looking *l, struct err_info *err)
{
    const struct operation_end *from = &o->job.from;
    struct source_job job = {.ops = from->ops,
                             .endpoint = from->endpoint,
                             .from = from->channel,
                             .lease = execute_leases(o),
                             .use = LEASE_KEEPS,
                             .window = LOOK_WINDOW,
                             .most = -1,
                             .start = {START_BEGINNING, 0},
                             .partition = -1,
                             .places = l->places,
                             .prepare = o->job.prepare,
                             .context = o->job.context};
    struct source *s = source_start(&job, o->event_fd, err);
    pthread_mutex_lock(&o->lock);
    o->source = s;
    pthread_mutex_unlock(&o->lock);
    return s;
}

static void keep_bounds(struct operation *o, struct source *s, struct looking *l)
{
    bool long_held = o->looked > SOURCE_HELD_MOST || clock_mono_ns() - l->began_ns > SOURCE_HELD_NS;
    if (!execute_leases(o) || !long_held || !l->whole)
        return;
    l->whole = false;
    source_stop(s);
}

static enum err visit_batch(struct operation *o, struct source *s, struct batch *b, struct looking *l,
                            struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < b->count; i++, o->looked++) {
        l->positions |= b->items[i].message->position.kind != POSITION_NONE;
        if (!l->places || came_later(o, b->items[i].message->position))
            e = l->visit(o, b->items[i].message, l->context, err);
        message_unref(&b->items[i].message);
    }
    source_settle(s, b);
    keep_bounds(o, s, l);
    execute_tell(o, false);
    return e;
}

static enum err visit_all(struct operation *o, struct source *s, struct looking *l, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e) {
        struct batch *b = NULL;
        if (atomic_load(&o->cancelled))
            return err_set(err, ERR_CANCELLED, "cancelled before anything was changed");
        e = source_await(s, &b, err);
        if (!e && b) {
            e = visit_batch(o, s, b, l, err);
        }
    }
    return e == ERR_END ? ERR_OK : e;
}

static int64_t count_ready(const struct operation *o)
{
    int64_t ready, unacked;
    return preview_count(&o->job, &o->job.from, &ready, &unacked, NULL) ? COUNT_UNKNOWN : ready;
}

/* Every message of the source. What was taken for it is back there when it returns. */
static enum err look_once(struct operation *o, struct looking *l, struct err_info *err)
{
    int64_t returned;
    struct err_info back = {.code = ERR_OK};
    struct source *before = o->source; /* of tombstones: it has been read to its end */
    l->whole = true;
    l->began_ns = clock_mono_ns();
    o->looked = 0;
    struct source *s = start_look(o, l, err);
    if (!s) {
        o->source = before;
        return err->code;
    }
    enum err e = visit_all(o, s, l, err);
    if (e)
        source_cancel(s);
    pthread_mutex_lock(&o->lock);
    o->source = before;
    pthread_mutex_unlock(&o->lock);
    enum err joined = source_join(&s, &returned, &back);
    if (!e && joined)
        *err = back;
    return e ? e : joined;
}

/* A queue may give fewer messages than it has: for a bound of the broker's driver, or since what is on its way to us counts as gone
 * (RabbitMQ's quorum queues, where they are many). Nothing is concluded from that before it was looked at some more times. */
static enum err look(struct operation *o, struct looking *l, struct err_info *err)
{
    bool queue = o->job.from.ops->lease_open && !l->places;
    int64_t before = queue ? count_ready(o) : COUNT_UNKNOWN;
    enum err e = look_once(o, l, err);
    if (e || !l->whole || before <= o->looked || l->positions)
        return e;
    if (count_ready(o) <= o->looked) /* consumers took some */
        return ERR_OK;
    l->whole = false;
    return o->short_looks++ < SHORT_LOOKS
               ? err_set(err, ERR_CLOSED, "the channel gave %" PRId64 " of %" PRId64 " messages: once more",
                         o->looked, before)
               : ERR_OK;
}

/* What is removed is known by what it is, so that of each group one stays whatever others take. */
static struct position place_of(const struct operation *o, const struct message *m)
{
    const struct position nowhere = {.kind = POSITION_NONE};
    return execute_removes(o) ? nowhere : m->position;
}

/* ---- finding ---- */

struct finding {
    struct dedupe *dedupe;
    struct read_places *ends;
    size_t at; /* in these, of the message before */
    int64_t selected;
};

static enum err note_end(struct finding *f, struct position p, struct err_info *err)
{
    int32_t partition = p.kind == POSITION_PARTITION ? p.partition : -1;
    struct read_places *ends = f->ends;
    if (p.kind == POSITION_NONE)
        return ERR_OK;
    if (f->at >= ends->count || ends->items[f->at].partition != partition)
        for (f->at = 0; f->at < ends->count && ends->items[f->at].partition != partition;)
            f->at++;
    if (f->at == ends->count) {
        struct read_place *items = reallocarray(ends->items, f->at + 1, sizeof *items);
        if (!items)
            return err_set(err, ERR_NOMEM, "no memory for the places of a dedupe");
        ends->items = items;
        items[ends->count++] = (struct read_place){.partition = partition};
    }
    struct read_place *end = &ends->items[f->at];
    end->next = p.offset >= end->next ? p.offset + 1 : end->next;
    return ERR_OK;
}

static enum err add_message(struct operation *o, const struct message *m, void *context, struct err_info *err)
{
    struct finding *f = context;
    struct message placed = *m;
    struct dedupe_message message = {.m = &placed, .shown = &placed};
    placed.position = place_of(o, m);
    enum err e = note_end(f, placed.position, err);
    bool any = o->job.plan.tombstones; /* the last one of a key may be one that is not selected */
    if (e || (!any && o->filter && filter_message(o->filter, m, o->job.record.created_ns) != FILTER_YES))
        return e;
    f->selected++;
    return dedupe_add(f->dedupe, &message, err);
}

static enum err form_groups(struct operation *o, struct dedupe *d, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && !atomic_load(&o->cancelled)) {
        e = dedupe_step(d, STEP_MESSAGES, err);
        execute_tell(o, false);
    }
    return e == ERR_END ? ERR_OK
           : e          ? e
                        : err_set(err, ERR_CANCELLED, "cancelled before anything was changed");
}

static enum err find_extras(struct operation *o, struct dedupe *d, struct err_info *err)
{
    struct dedupe_findings *found = &o->findings;
    struct finding f = {.dedupe = d, .ends = &found->ends};
    struct looking l = {.visit = add_message, .context = &f};
    enum err e = look(o, &l, err);
    if (!e)
        e = form_groups(o, d, err);
    if (e)
        return e;
    found->whole = l.whole;
    found->looked = o->looked;
    int64_t going = (int64_t)dedupe_extras_count(found->extras), limit = o->job.plan.limit;
    int64_t planned = execute_removes(o) ? going : f.selected - going;
    const struct dedupe_totals *t = dedupe_totals(d);
    if (t->extras > t->going)
        snprintf(o->remark, sizeof o->remark,
                 "%" PRIu64 " extra%s of groups whose bodies differ %s; --bodies-differ takes those, too",
                 t->extras - t->going, t->extras - t->going == 1 ? "" : "s",
                 o->job.plan.to ? "are copied" : "stay");
    if (!o->job.plan.tombstones) /* more may have come since they were counted: these are not missed */
        o->counts.planned = limit >= 0 && planned > limit ? limit : planned;
    return ERR_OK;
}

static enum err make_findings(struct operation *o, struct err_info *err)
{
    const struct plan *p = &o->job.plan;
    bool keep_last = p->keep_last || p->tombstones;
    if (dedupe_file_begin(o->job.record.id))
        execute_wait_for_returns(o);
    struct dedupe_rule *rule = dedupe_rule_new(p->tombstones ? "key" : p->by, o->job.decoders, err);
    o->findings.extras = rule ? dedupe_extras_new(keep_last) : NULL;
    struct dedupe_job job = {.rule = rule,
                             .keep = keep_last ? DEDUPE_KEEP_LAST : DEDUPE_KEEP_FIRST,
                             .extras = o->findings.extras,
                             .differing = p->differing || p->tombstones,
                             .counters = o->job.from.ops->counters};
    struct dedupe *d = job.extras ? dedupe_new(&job, err) : NULL;
    enum err e = d      ? find_extras(o, d, err)
                 : rule ? err_set(err, ERR_NOMEM, "no memory to look for duplicates")
                        : err->code;
    dedupe_free(&d);
    dedupe_rule_free(&rule);
    if (!e)
        e = dedupe_file_write(o->job.record.id, &o->findings, err);
    if (e)
        dedupe_findings_free(&o->findings);
    o->looked = 0;
    return e;
}

static enum err begin(struct operation *o, struct err_info *err)
{
    enum err e = make_findings(o, err);
    if (e)
        return e;
    o->fresh = true;
    dedupe_extras_seen_all(o->findings.extras);
    struct journal_operation record = o->job.record;
    record.counts = o->counts;
    return journal_update(o->journal, &record, err);
}

/* ---- once more ---- */

static bool forget_removed(void *context, const struct journal_message *row)
{
    struct operation *o = context;
    dedupe_extras_removed(o->findings.extras, row->identity);
    return true;
}

static enum err see(struct operation *o, const struct message *m, void *context, struct err_info *err)
{
    (void)context;
    uint8_t identity[IDENTITY_SIZE];
    if (o->job.from.ops->tells_redelivered && !(m->flags & MESSAGE_REDELIVERED) && execute_removes(o))
        return ERR_OK; /* it came later */
    enum err e = identity_of(m, o->job.from.ops->counters, identity, err);
    if (!e)
        dedupe_extras_seen(o->findings.extras, identity);
    return e;
}

static enum err see_all(struct operation *o, struct err_info *err)
{
    struct looking l = {.visit = see};
    enum err e = look(o, &l, err);
    o->looked = 0;
    return e;
}

static enum err go_on(struct operation *o, struct err_info *err)
{
    if (execute_removes(o))
        return journal_messages(o->journal, o->job.record.number, 1U << DELIVERY_DONE, forget_removed, o,
                                err);
    return dedupe_extras_wants_look(o->findings.extras) ? see_all(o, err) : ERR_OK;
}

/* Without its list it begins, unless it had begun. */
static enum err begin_anew(struct operation *o, struct err_info *err)
{
    struct journal_totals totals;
    enum err e = journal_count(o->journal, o->job.record.number, &totals, err);
    if (e || !totals.last)
        return e ? e : begin(o, err);
    err_set(err, ERR_NOTFOUND, "the list of duplicates is not there any more: nothing else is done");
    err_next(err, "run `dedupe` once more");
    return ERR_NOTFOUND;
}

enum err execute_dedupe_prepare(struct operation *o, struct err_info *err)
{
    free(o->rows);
    o->rows = NULL;
    o->row_count = 0;
    o->fresh = false;
    dedupe_findings_free(&o->findings);
    enum err e = dedupe_file_read(o->job.record.id, &o->findings, err);
    e = e == ERR_NOTFOUND ? begin_anew(o, err) : e ? e : go_on(o, err);
    if (!e && !o->findings.whole)
        text_copy(o->remark, sizeof o->remark,
                  "not all that is there was looked at: there may be more duplicates");
    return e;
}

/* ---- which message is which ---- */

struct known_row {
    struct remembered *row;
    size_t next; /* of the first one of its identity: where the next that is free may stand */
};

/* What is to be removed comes first. */
static int by_identity(const void *a, const void *b)
{
    const struct remembered *x = ((const struct known_row *)a)->row, *y = ((const struct known_row *)b)->row;
    int order = memcmp(x->identity, y->identity, IDENTITY_SIZE);
    if (!order)
        order = (y->state == DELIVERY_ARRIVED) - (x->state == DELIVERY_ARRIVED);
    return order ? order : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static enum err sort_rows(struct operation *o, struct err_info *err)
{
    struct recovery *r = &o->recovery;
    o->rows = calloc(r->count, sizeof *o->rows);
    if (!o->rows)
        return err_set(err, ERR_NOMEM, "no memory for what was on its way");
    for (size_t i = 0; i < r->count; i++) {
        struct remembered *row = &r->rows[i];
        row->gone =
            row->state == DELIVERY_ARRIVED && dedupe_extras_take_missing(o->findings.extras, row->identity);
        if (!row->gone)
            o->rows[o->row_count++].row = row;
    }
    qsort(o->rows, o->row_count, sizeof *o->rows, by_identity);
    for (size_t i = 0; i < o->row_count; i++)
        o->rows[i].next = i;
    return ERR_OK;
}

static bool any_arrived(const struct recovery *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->rows[i].state == DELIVERY_ARRIVED)
            return true;
    return false;
}

enum err execute_dedupe_recover(struct operation *o, struct err_info *err)
{
    struct recovery *r = &o->recovery;
    enum err e = recovery_load(r, o->journal, o->job.record.number, true, err);
    bool wants = any_arrived(r) || dedupe_extras_wants_look(o->findings.extras);
    if (!e && wants && !o->fresh)
        e = see_all(o, err);
    r->by_content = true; /* they may stand anywhere */
    return e || !r->count ? e : sort_rows(o, err);
}

static struct remembered *find_row(struct operation *o, const uint8_t *identity)
{
    size_t low = 0, high = o->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(o->rows[middle].row->identity, identity, IDENTITY_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == o->row_count || memcmp(o->rows[low].row->identity, identity, IDENTITY_SIZE) != 0)
        return NULL;
    size_t at = o->rows[low].next++;
    bool free_one = at < o->row_count && memcmp(o->rows[at].row->identity, identity, IDENTITY_SIZE) == 0;
    return free_one ? o->rows[at].row : NULL;
}

/* ---- judging ---- */

#define LEFT "it stays: what was to be kept in its place is not there any more"

static void judge_removal(struct operation *o, struct item *item)
{
    enum extra extra = EXTRA_NOT;
    bool later = o->job.from.ops->tells_redelivered && !item->redelivered;
    if (!later)
        extra = dedupe_extras_judge(o->findings.extras, place_of(o, item->message), item->identity);
    if (extra == EXTRA_NOT) {
        execute_leave(o, item);
        return;
    }
    struct remembered *row = find_row(o, item->identity);
    if (extra == EXTRA_LAST)
        item_say(item, DELIVERY_SKIPPED, LEFT);
    if (row && (extra == EXTRA_IS || row->state != DELIVERY_ARRIVED)) {
        recovery_give(item, row);
    } else if (row) { /* archived, and it stays all the same */
        row->met = true;
        item->sequence = row->sequence;
        item->journaled = true;
    }
}

void execute_dedupe_judge(struct operation *o, struct item *item)
{
    struct position p = item->message->position;
    bool no_value = !item->message->key.data || !item->message->payload.data;
    if (o->job.plan.tombstones && no_value) /* without a key, or gone already */
        execute_leave(o, item);
    else if (execute_removes(o))
        judge_removal(o, item);
    else if (came_later(o, p) || dedupe_extras_judge(o->findings.extras, p, item->identity) == EXTRA_IS)
        execute_leave(o, item);
}

enum err execute_look_newer(struct operation *o, execute_newer *visit, void *context, struct err_info *err)
{
    struct looking l = {.visit = visit, .context = context, .places = &o->findings.ends};
    enum err e = look(o, &l, err);
    o->looked = 0;
    return e;
}

int64_t execute_dedupe_most(const struct operation *o)
{
    bool by_number = execute_is_dedupe(o) && !execute_removes(o) && !o->findings.ends.count;
    return by_number ? o->findings.looked : -1;
}

void execute_dedupe_close(struct operation *o, enum operation_state state)
{
    if (!execute_is_dedupe(o))
        return;
    if (state != OPERATION_INTERRUPTED)
        dedupe_file_remove(o->job.record.id);
    dedupe_findings_free(&o->findings);
    free(o->rows);
    o->rows = NULL;
}
