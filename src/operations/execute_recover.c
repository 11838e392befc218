#include "operations/execute_internal.h"

#include "base/text.h"
#include "operations/stamp.h"

#define LOOK_MOST 100000

/* ---- what the destination has ---- */

struct look {
    struct operation *o;
    int64_t seen;
    bool too_many;
};

static enum emit look_at(struct look *l, const struct message *m)
{
    char id[OPERATION_ID_SIZE];
    uint64_t sequence;
    if (stamp_operation(m, id, &sequence) && strcmp(id, l->o->job.record.id) == 0)
        recovery_arrived(&l->o->recovery, sequence);
    l->too_many = ++l->seen > LOOK_MOST;
    return l->too_many ? EMIT_STOP : EMIT_OK;
}

static enum emit on_browsed(void *context, const struct message *borrowed)
{
    return look_at(context, borrowed);
}

static void on_notice(void *context, const char *text)
{
    (void)context, (void)text;
}

/* A queue with consumers has perhaps given it away already. */
static bool can_look(struct broker *b, const struct channel_name *to)
{
    struct channel_list *list = channel_list_new();
    struct err_info err;
    bool can = false;
    if (!list)
        return false;
    if (!b->ops->list(b, to->name, 0, list, &err) && list->count == 1) {
        const struct channel *c = &list->items[0];
        bool keeps = c->kind == CHANNEL_TOPIC || c->kind == CHANNEL_STREAM;
        can =
            !c->why_not[CAN_BROWSE] && (keeps || c->consumers == 0) && c->depth >= 0 && c->depth <= LOOK_MOST;
    }
    channel_list_free(&list);
    return can;
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
    struct read_sink sink = {.context = l, .message = on_browsed, .notice = on_notice};
    struct read_request request = {
        .mode = READ_BROWSE, .channels = to, .channel_count = 1, .partition = -1, .limit = -1};
    enum err e = ERR_OK;
    l->too_many = !can_look(b, to);
    if (!l->too_many) {
        e = b->ops->read_open(b, &request, &sink, err);
        while (!e && !atomic_load(&o->broken_off))
            e = b->ops->read_step(b, 100, err);
        struct read_progress progress = {.incomplete = false};
        if (b->ops->read_progress)
            b->ops->read_progress(b, &progress);
        l->too_many |= progress.incomplete;
        enum err closed = b->ops->read_close(b, NULL);
        e = e == ERR_END ? closed : e;
    }
    destination_close(&d);
    return e;
}

/* What was on its way there. */
static enum err ask_target(struct operation *o, size_t target, struct err_info *err)
{
    struct look l = {.o = o};
    enum err e = ERR_OK;
    if (!recovery_asks_of(&o->recovery, target))
        return ERR_OK;
    if (!o->job.plan.no_mark)
        e = look(o, &o->targets[target].channel, &l, err);
    if (e && err_policy(e) == ERR_POLICY_RETRY)
        return e;
    if (e || l.too_many || o->job.plan.no_mark)
        recovery_doubt(&o->recovery, target);
    return ERR_OK;
}

/* Once this run has the claim, no transaction of an earlier one can be committed any more. */
static enum err ask_commits(struct operation *o, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && !o->opened && i < o->target_count; i++)
        if (recovery_asks_of(&o->recovery, i))
            e = execute_target_open(o, i, err);
    return e ? e : execute_ask_commits(o, err);
}

static size_t target_of(void *context, const char *destination)
{
    return execute_target_named(context, destination);
}

enum err execute_recover(struct operation *o, struct err_info *err)
{
    o->recovery.target = target_of;
    o->recovery.context = o;
    o->recovery.tells_redelivered = o->job.from.ops->tells_redelivered;
    o->look_done = execute_removes(o) && o->counts.done;
    bool removes = execute_removes(o);
    enum err e = recovery_load(&o->recovery, o->journal, o->job.record.number, removes, err);
    if (e || !o->recovery.count)
        return e;
    o->recovering = removes || !o->recovery.reached_count;
    if (!recovery_asks(&o->recovery))
        return ERR_OK;
    if (execute_commits(o))
        return ask_commits(o, err);
    for (size_t i = 0; !e && i < o->target_count; i++)
        e = ask_target(o, i, err);
    return e;
}

/* The first message that it is about says whether removals have come back: they would stand at the head, the last ones of them last. */
enum err execute_look_done(struct operation *o, const struct item *item, struct err_info *err)
{
    uint64_t from = 0;
    o->look_done = false;
    if (o->recovery.tells_redelivered && !(item->message->flags & MESSAGE_REDELIVERED))
        return ERR_OK;
    enum err e = journal_done(o->journal, o->job.record.number, item->identity, &from, err);
    if (e || !from)
        return e;
    e = recovery_load_done(&o->recovery, o->journal, o->job.record.number, from, err);
    o->recovering |= !e && !o->recovery.by_content;
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

enum err execute_account(struct operation *o, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < o->recovery.count; i++) {
        const struct remembered *row = &o->recovery.rows[i];
        if (row->met)
            continue;
        if (row->state != DELIVERY_ARRIVED && row->state != DELIVERY_INTENDED) {
            if (row->state != DELIVERY_DONE) /* that is counted */
                count_again(o, row->state);
            continue;
        }
        bool arrived = row->state == DELIVERY_ARRIVED;
        enum delivery state = arrived ? DELIVERY_DONE : row->doubtful ? DELIVERY_IN_DOUBT : DELIVERY_FAILED;
        const char *reason =
            arrived ? NULL
            : row->doubtful
                ? "it was on its way when the operation was interrupted, and is not at the source any more"
                : "it was not sent, and is not at the source any more: somebody else took it, or it expired";
        e = journal_mark(o->journal, o->job.record.number, row->sequence, state,
                         (struct position){.kind = POSITION_NONE}, reason, err);
        o->written = true;
        count_again(o, state);
    }
    return e;
}
