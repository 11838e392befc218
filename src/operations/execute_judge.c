#include "operations/execute_internal.h"

#include "base/json.h"
#include "base/limits.h"
#include "model/death.h"
#include "operations/identity.h"
#include "operations/stamp.h"

#include <inttypes.h>
#include <stdio.h>

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

static bool is_json(struct bytes payload)
{
    struct json_reader r;
    enum json_event event;
    json_read(&r, payload, LIMIT_DECODE_DEPTH);
    do
        event = json_next(&r);
    while (event != JSON_ERROR && event != JSON_END);
    return event == JSON_END;
}

/* One message alone gets it, and what was JSON stays JSON. */
static void check_edit(struct operation *o, struct item *item)
{
    struct bytes edited = o->job.plan.payload;
    if (!edited.data)
        return;
    if (o->edited)
        item_say(item, DELIVERY_SKIPPED,
                 "the edited payload has taken the place of another one: select one message");
    else if (is_json(item->message->payload) && !is_json(edited))
        item_say(item, DELIVERY_FAILED, "its payload is JSON, and the edited one is not");
    o->edited = true;
}

/* As of when it began: what was selected then is selected after a crash. */
static bool is_selected(const struct operation *o, struct item *item)
{
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
    } else if ((int64_t)stamp_replays(item->message) >= p->replays_most && p->kind == OPERATION_REPLAY) {
        item_say(item, DELIVERY_SKIPPED, "replayed %" PRIu64 " times before: it comes back for a reason",
                 stamp_replays(item->message));
    } else if (!p->to && p->kind == OPERATION_REPLAY) {
        execute_find_origin(o, item);
    }
    if (item->state == DELIVERY_INTENDED && !o->job.plan.again && execute_was_sent(o, item))
        item_say(item, DELIVERY_SKIPPED, "an earlier replay has sent it there");
    if (item->state == DELIVERY_INTENDED)
        check_edit(o, item);
    return ERR_OK;
}

enum err execute_rewrite(struct operation *o, const struct item *item, struct message *into,
                         struct err_info *err)
{
    const struct plan *p = &o->job.plan;
    const struct message *m = item->message;
    struct stamp stamp = {.sequence = item->sequence, .replays = stamp_replays(m), .edited = p->payload.data};
    char position[40], *source;
    memcpy(stamp.operation, o->job.record.id, sizeof stamp.operation);
    arena_reset(&o->arena);
    if (p->kind == OPERATION_REPLAY || p->kind == OPERATION_RESEND)
        stamp.replays++;
    if (m->position.kind != POSITION_NONE) {
        position_text(m->position, position, sizeof position);
        size_t size =
            strlen(o->job.from.endpoint->name) + strlen(o->job.from.channel.name) + sizeof position + 3;
        source = arena_alloc(&o->arena, size);
        if (!source)
            return err_set(err, ERR_NOMEM, "no memory for a message's headers");
        snprintf(source, size, "%s/%s/%s", o->job.from.endpoint->name, o->job.from.channel.name, position);
        stamp.source = bytes_of_text(source);
    }
    bool drop = p->kind == OPERATION_REPLAY && !p->keep_death;
    enum err e = stamp_put(m, drop ? death_headers : NULL, p->no_mark ? NULL : &stamp, &o->arena, into, err);
    if (p->payload.data)
        into->payload = p->payload;
    return e;
}
