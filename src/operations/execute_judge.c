#include "operations/execute_internal.h"

#include "operations/dead_letter.h"
#include "operations/edit.h"
#include "operations/identity.h"
#include "operations/rewrite.h"
#include "operations/stamp.h"

static bool is_own(const struct operation *o, const struct message *m)
{
    char id[OPERATION_ID_SIZE];
    uint64_t sequence;
    return stamp_operation(m, id, &sequence) && strcmp(id, o->job.record.id) == 0;
}

/* Kept, and not counted: it is not about this one. */
void execute_leave(struct operation *o, struct item *item)
{
    item->state = DELIVERY_SKIPPED;
    o->unmatched++;
}

/* One message alone gets it, and what was JSON stays JSON. */
static void check_edit(struct operation *o, struct item *item)
{
    struct bytes edited = o->job.plan.payload;
    if (!edited.data)
        return;
    char digest[EDIT_DIGEST_SIZE];
    const char *of = o->job.plan.edits;
    if (of && *of && strcmp(of, edit_digest(item->message->payload, digest)) != 0) {
        item_say(item, DELIVERY_SKIPPED, "it is another message than the one that was edited");
        return;
    }
    if (o->edited)
        item_say(item, DELIVERY_SKIPPED,
                 "the edited payload has taken the place of another one: select one message");
    else if (edit_is_json(item->message->payload) && !edit_is_json(edited))
        item_say(item, DELIVERY_FAILED, "its payload is JSON, and the edited one is not");
    o->edited = true;
}

/* By what may be shown of it, as whoever chose has seen it. */
static bool is_of_reason(const struct operation *o, const struct message *m)
{
    char reason[REASON_SIZE];
    const char *chosen = o->job.plan.reasons;
    if (chosen && o->redactor)
        m = redactor_apply(o->redactor, m);
    return !chosen || dead_letter_is_chosen(chosen, dead_letter_reason(m->headers, reason));
}

/* As of when it began: what was selected then is selected after a crash. */
static bool is_selected(const struct operation *o, struct item *item)
{
    if (!is_of_reason(o, item->message))
        return false;
    if (!o->filter)
        return true;
    enum filter_answer answer = filter_message(o->filter, item->message, o->job.record.created_ns);
    if (answer == FILTER_UNKNOWN)
        item_say(item, DELIVERY_SKIPPED,
                 "whether it is selected cannot be judged: damaged, or too large to unpack");
    return answer == FILTER_YES;
}

enum err execute_judge(struct operation *o, struct item *item, struct err_info *err)
{
    const struct plan *p = &o->job.plan;
    item->redelivered = item->message->flags & MESSAGE_REDELIVERED;
    enum err e = identity_of(item->message, o->job.from.ops->counters, item->identity, err);
    if (e)
        return e;
    if (o->taken) {
        execute_leave(o, item);
    } else if (is_own(o, item->message)) {
        /* What was sent has come round: all that stands behind it came later than the operation began. */
        execute_leave(o, item);
        o->taken = true;
    } else if (!is_selected(o, item)) {
        if (!item->reason)
            execute_leave(o, item);
    } else if (execute_is_dedupe(o)) {
        execute_dedupe_judge(o, item);
    } else if (p->kind == OPERATION_REPLAY) {
        execute_find_way(o, item);
    }
    if (item->state == DELIVERY_INTENDED)
        check_edit(o, item);
    return ERR_OK;
}

static struct rewrite rewrite_of(const struct operation *o)
{
    return (struct rewrite){.plan = &o->job.plan,
                            .operation = o->job.record.id,
                            .cluster = o->cluster,
                            .channel = o->job.from.channel.name};
}

enum err execute_rewrite(struct operation *o, const struct item *item, struct message *into,
                         struct err_info *err)
{
    const struct rewrite r = rewrite_of(o);
    arena_reset(&o->arena);
    return rewrite_message(&r, item->message, item->sequence, &o->arena, into, err);
}

void execute_keep_headers(struct operation *o, const struct item *item, struct buffer *out)
{
    const struct rewrite r = rewrite_of(o);
    arena_reset(&o->arena);
    rewrite_keep(&r, item->message, &o->arena, out);
}
