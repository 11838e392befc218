#include "operations/execute_internal.h"

#include "base/text.h"
#include "operations/stamp.h"

#define LOOK_MOST   100000
#define LOOK_WINDOW 4000
#define LOOKS_MOST  2 /* more, where fewer came than are there */

/* ---- what the destination has ---- */

struct look {
    struct operation *o;
    execute_visit *visit;
    void *context;
    int64_t seen;
    bool too_many;
    bool missed; /* fewer came than are there */
};

static enum emit on_browsed(void *context, const struct message *borrowed)
{
    struct look *l = context;
    l->too_many = ++l->seen > LOOK_MOST || !l->visit(l->o, borrowed, l->context);
    return l->too_many ? EMIT_STOP : EMIT_OK;
}

static void on_notice(void *context, const char *text)
{
    (void)context, (void)text;
}

/* A queue with consumers has perhaps given it away already. */
static bool can_look(struct broker *b, const struct channel_name *to, bool *keeps, int64_t *there)
{
    struct channel_list *list = channel_list_new();
    struct err_info err;
    bool can = false;
    if (!list)
        return false;
    if (!b->ops->list(b, to->name, 0, list, &err) && list->count == 1) {
        const struct channel *c = &list->items[0];
        *keeps = c->kind == CHANNEL_TOPIC || c->kind == CHANNEL_STREAM;
        *there = c->depth + (c->unacked > 0 ? c->unacked : 0);
        can =
            !c->why_not[CAN_BROWSE] && (*keeps || c->consumers == 0) && c->depth >= 0 && *there <= LOOK_MOST;
    }
    channel_list_free(&list);
    return can;
}

/* ---- a queue: taken, and given back ---- */

static enum err visit_batch(struct source *s, struct batch *b, struct look *l)
{
    for (size_t i = 0; i < b->count && !l->too_many; i++)
        (void)on_browsed(l, b->items[i].message);
    source_settle(s, b);
    return l->too_many ? ERR_END : ERR_OK;
}

static enum err visit_all(struct operation *o, struct source *s, struct look *l, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && !atomic_load(&o->broken_off)) {
        struct batch *b = NULL;
        e = source_await(s, &b, err);
        if (!e && b) {
            e = visit_batch(s, b, l);
        }
    }
    return e == ERR_END ? ERR_OK : e ? e : err_set(err, ERR_CANCELLED, "broken off");
}

static enum err hold(struct operation *o, const struct channel_name *to, struct look *l, struct err_info *err)
{
    const struct source_job job = {.ops = o->job.to.ops,
                                   .endpoint = o->job.to.endpoint,
                                   .from = *to,
                                   .lease = true,
                                   .use = LEASE_KEEPS,
                                   .window = LOOK_WINDOW,
                                   .most = LOOK_MOST + 1,
                                   .partition = -1,
                                   .prepare = o->job.prepare,
                                   .context = o->job.context};
    struct err_info back = {.code = ERR_OK};
    int64_t returned;
    struct source *s = source_start(&job, o->event_fd, err);
    if (!s)
        return err->code;
    enum err e = visit_all(o, s, l, err);
    if (l->too_many)
        source_stop(s);
    if (e)
        source_cancel(s);
    enum err joined = source_join(&s, &returned, &back);
    if (!e && joined)
        *err = back;
    return e ? e : joined;
}

/* ---- a log: read ---- */

static enum err browse(struct operation *o, struct broker *b, const struct channel_name *to, struct look *l,
                       struct err_info *err)
{
    struct read_sink sink = {.context = l, .message = on_browsed, .notice = on_notice};
    struct read_request request = {
        .mode = READ_BROWSE, .channels = to, .channel_count = 1, .partition = -1, .limit = -1};
    enum err e = b->ops->read_open(b, &request, &sink, err);
    while (!e && !atomic_load(&o->broken_off))
        e = b->ops->read_step(b, 100, err);
    struct read_progress progress = {.incomplete = false};
    if (b->ops->read_progress)
        b->ops->read_progress(b, &progress);
    l->too_many |= progress.incomplete;
    enum err closed = b->ops->read_close(b, NULL);
    return e == ERR_END ? closed : e;
}

/* On a session of its own: the publishing one holds the claim, so that nothing more of the earlier run arrives meanwhile. */
static enum err look(struct operation *o, const struct channel_name *to, struct look *l, struct err_info *err)
{
    struct destination_job job = {.ops = o->job.to.ops,
                                  .endpoint = o->job.to.endpoint,
                                  .prepare = o->job.prepare,
                                  .context = o->job.context};
    struct destination *d = destination_open(&job, o->event_fd, err);
    if (!d)
        return err->code;
    struct broker *b = destination_broker(d);
    int64_t there = 0;
    bool keeps = false;
    enum err e = ERR_OK;
    l->too_many = !can_look(b, to, &keeps, &there);
    if (!l->too_many && source_holds(b->ops, keeps))
        e = hold(o, to, l, err);
    else if (!l->too_many)
        e = browse(o, b, to, l, err);
    l->missed = !keeps && l->seen < there;
    destination_close(&d);
    return e;
}

/* A run that was killed while it looked may have had some of them out. */
enum err execute_look(struct operation *o, const struct channel_name *to, execute_visit *visit, void *context,
                      bool *whole, struct err_info *err)
{
    struct look l = {.o = o, .visit = visit, .context = context};
    enum err e = look(o, to, &l, err);
    for (int i = 0; !e && l.missed && !l.too_many && i < LOOKS_MOST && !atomic_load(&o->cancelled); i++) {
        l = (struct look){.o = o, .visit = visit, .context = context};
        execute_wait_for_statistics(o);
        (void)visit(o, NULL, context);
        e = look(o, to, &l, err);
    }
    *whole = !e && !l.too_many && !l.missed;
    return e;
}

static bool find_stamp(struct operation *o, const struct message *m, void *context)
{
    (void)context;
    char id[OPERATION_ID_SIZE];
    uint64_t sequence;
    if (m && stamp_operation(m, id, &sequence) && strcmp(id, o->job.record.id) == 0)
        recovery_arrived(&o->recovery, sequence);
    return true;
}

/* What was on its way there. */
static enum err ask_target(struct operation *o, size_t target, struct err_info *err)
{
    bool whole = false;
    enum err e = ERR_OK;
    if (!recovery_asks_of(&o->recovery, target))
        return ERR_OK;
    if (!o->job.plan.no_mark)
        e = execute_look(o, &o->targets[target].channel, find_stamp, NULL, &whole, err);
    if (e && err_policy(e) == ERR_POLICY_RETRY)
        return e;
    if (!whole)
        recovery_doubt(&o->recovery, target);
    return ERR_OK;
}

/* The claim is taken with the first target that is opened. Once this run has it nothing of an earlier one arrives any more, and no
 * transaction of that one can be committed. */
static enum err take_claim(struct operation *o, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && !o->opened && i < o->target_count; i++)
        if (recovery_asks_of(&o->recovery, i))
            e = execute_target_open(o, i, err);
    return e;
}

static enum err ask_destination(struct operation *o, struct err_info *err)
{
    enum err e = take_claim(o, err);
    if (!e && execute_commits(o))
        e = execute_ask_commits(o, err);
    if (e || execute_commits(o))
        return e;
    if (execute_is_restore(o))
        return execute_restore_look(o, err);
    for (size_t i = 0; !e && i < o->target_count; i++)
        e = ask_target(o, i, err);
    return e;
}

/* Before it is taken off the source the journal knows that it is at the destination. */
static enum err note_arrived(struct operation *o, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < o->recovery.count; i++) {
        const struct remembered *row = &o->recovery.rows[i];
        if (row->state != DELIVERY_ARRIVED || row->removable)
            continue;
        o->written = true;
        e = journal_mark(o->journal, o->job.record.number, row->sequence, DELIVERY_ARRIVED,
                         (struct position){.kind = POSITION_NONE}, NULL, err);
    }
    return e;
}

static size_t target_of(void *context, const char *destination)
{
    return execute_target_named(context, destination);
}

enum err execute_recover(struct operation *o, struct err_info *err)
{
    o->recovery.target = target_of;
    o->recovery.context = o;
    bool removes = execute_removes(o), restores = execute_is_restore(o);
    o->recovery.tells_redelivered = o->job.from.ops->tells_redelivered;
    if (execute_is_dedupe(o) && removes)
        return execute_dedupe_recover(o, err);
    o->look_done = removes && o->counts.done;
    enum err e = restores ? execute_restore_recover(o, err)
                          : recovery_load(&o->recovery, o->journal, o->job.record.number, removes, err);
    if (e || !o->recovery.count)
        return e;
    o->recovering = removes;
    if (!recovery_asks(&o->recovery))
        return ERR_OK;
    e = ask_destination(o, err);
    return e || !removes ? e : note_arrived(o, err);
}

/* The first message that it is about says whether removals have come back: they would stand at the head, the last ones of them last. */
enum err execute_look_done(struct operation *o, const struct item *item, struct err_info *err)
{
    uint64_t from = 0;
    o->look_done = false;
    if (o->recovery.tells_redelivered && !item->redelivered)
        return ERR_OK;
    enum err e = journal_done(o->journal, o->job.record.number, item->identity, &from, err);
    if (e || !from)
        return e;
    e = recovery_load_done(&o->recovery, o->journal, o->job.record.number, from, err);
    o->recovering |= !e;
    return e;
}

/* ---- what is not at the source any more ---- */

static void count_again(struct operation *o, enum delivery state)
{
    o->counts.done += state == DELIVERY_DONE;
    o->counts.skipped += state == DELIVERY_SKIPPED;
    o->counts.failed += state == DELIVERY_FAILED;
    o->counts.in_doubt += state == DELIVERY_IN_DOUBT;
}

/* It was not met. What had arrived is gone, and so has been removed, unless the run ended before it came to where that might stand. */
static enum delivery account_for(const struct operation *o, const struct remembered *row, const char **reason)
{
    bool unseen = o->why[0] || atomic_load(&o->cancelled);
    *reason = NULL;
    if (row->state == DELIVERY_ARRIVED && !execute_removes(o))
        return DELIVERY_DONE;
    if (row->state == DELIVERY_ARRIVED && o->recovery.by_content && unseen)
        *reason = "it has arrived, and may still be at the source: not all of that was looked at";
    else if (row->state == DELIVERY_ARRIVED && o->others_hold)
        *reason =
            execute_is_purge(o)
                ? "it is archived, and not at the source; it may be with a consumer, or on its way back"
                : "it has arrived, and is not at the source; it may be with a consumer, or on its way back";
    else if (row->state == DELIVERY_ARRIVED)
        return DELIVERY_DONE;
    else if (row->doubtful)
        *reason = "it was on its way when the operation was interrupted, and is not at the source any more";
    if (*reason)
        return DELIVERY_IN_DOUBT;
    *reason =
        execute_is_restore(o) ? "it was not sent"
        : o->others_hold
            ? "it was not sent, and is not at the source; it may be with a consumer, or on its way back"
            : "it was not sent, and is not at the source any more: somebody else took it, or it expired";
    return DELIVERY_FAILED;
}

enum err execute_account(struct operation *o, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < o->recovery.count; i++) {
        const struct remembered *row = &o->recovery.rows[i];
        const char *reason;
        if (row->met)
            continue;
        if (row->state != DELIVERY_ARRIVED && row->state != DELIVERY_INTENDED) {
            if (row->state != DELIVERY_DONE) /* that is counted */
                count_again(o, row->state);
            continue;
        }
        enum delivery state = account_for(o, row, &reason);
        e = journal_mark(o->journal, o->job.record.number, row->sequence, state,
                         (struct position){.kind = POSITION_NONE}, reason, err);
        o->written = true;
        count_again(o, state);
    }
    return e;
}
