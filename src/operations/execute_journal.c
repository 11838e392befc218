/* What becomes of each message, written down: before it is sent, when it is answered, when the source has forgotten it. */
#include "operations/execute_internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "operations/verify.h"

#include <stdio.h>

#define FAILURES_MOST 5 /* in a row */

/* No more are taken; what was taken comes to its end. */
void execute_stop_taking(struct operation *o, const char *why)
{
    if (why && !o->why[0])
        text_copy(o->why, sizeof o->why, why);
    o->taken = true;
}

/* Nor is any more sent: only what is on its way comes to its end. */
void execute_stop(struct operation *o, const char *why)
{
    execute_stop_taking(o, why);
    o->stopping = true;
}

/* What its owner knows it by: one of many with one routing key by its id. */
static struct bytes label_of(const struct message *m)
{
    bool id = !m->key.len && m->id.len;
    return bytes_slice(id ? m->id : message_label(m), 0, 200);
}

static enum err put_row(struct operation *o, struct item *item, struct err_info *err)
{
    char destination[300];
    bool elsewhere = !o->job.plan.to && item->state == DELIVERY_INTENDED && !execute_is_purge(o);
    o->written = true;
    if (item->journaled)
        return journal_mark(o->journal, o->job.record.number, item->sequence, item->state,
                            (struct position){.kind = POSITION_NONE}, item->reason, err);
    struct journal_message row = {
        .sequence = item->sequence,
        .state = item->state,
        .from = item->message->position,
        .size = item->message->payload.len,
        .label = label_of(item->message),
        .reason = item->reason,
        .destination = elsewhere ? execute_target_text(o, item->to, destination, sizeof destination) : NULL};
    memcpy(row.identity, item->identity, sizeof row.identity);
    if (execute_is_restore(o)) /* where it was is the archive's to know */
        row.from = (struct position){.kind = POSITION_NONE};
    struct buffer kept;
    uint8_t content[VERIFY_CONTENT_SIZE];
    enum err e = ERR_OK;
    buffer_init(&kept, 64 * KIB);
    if (item->state == DELIVERY_INTENDED && !execute_is_purge(o) && !execute_is_restore(o)) {
        struct bytes edited = o->job.plan.payload, payload = item->message->payload;
        execute_keep_headers(o, item, &kept);
        e = verify_content(item->message->key, edited.data ? edited : payload, o->job.to.ops->carries,
                           content, err);
        row.content = bytes_of(content, sizeof content);
    }
    row.taken_off = kept.len && buffer_ok(&kept) ? buffer_view(&kept) : BYTES_NULL;
    item->journaled = true;
    e = e ? e : journal_put(o->journal, o->job.record.number, &row, err);
    buffer_free(&kept);
    return e;
}

static void count_end(struct operation *o, const struct item *item)
{
    switch (item->state) {
    case DELIVERY_DONE: o->counts.done++; break;
    case DELIVERY_SKIPPED: o->counts.skipped++; break;
    case DELIVERY_FAILED: o->counts.failed++; break;
    case DELIVERY_IN_DOUBT: o->counts.in_doubt++; break;
    default: break;
    }
}

enum err execute_write_intents(struct operation *o, struct batch *b, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < b->count; i++) {
        struct item *item = &b->items[i];
        if (!item_is_about(item) || item->state == DELIVERY_ARRIVED || item->state == DELIVERY_DONE)
            continue;
        if (item->ended) { /* in an earlier run */
            count_end(o, item);
            continue;
        }
        if (!item->sequence)
            item->sequence = ++o->last;
        e = put_row(o, item, err);
        o->counts.done -= !e && item->undone;
        if (!e)
            count_end(o, item);
    }
    return e;
}

static enum err write_answers(struct operation *o, struct batch *b, struct err_info *err)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < b->count; i++) {
        struct item *item = &b->items[i];
        if (!item->answered && !(item->state == DELIVERY_ARRIVED && !execute_removes(o)))
            continue;
        if (item->state == DELIVERY_ARRIVED && !execute_removes(o))
            item->state = DELIVERY_DONE;
        item->remove = item->state == DELIVERY_ARRIVED;
        o->failures_in_row = item->state == DELIVERY_FAILED ? o->failures_in_row + 1 : 0;
        e = journal_mark(o->journal, o->job.record.number, item->sequence, item->state, item->arrived,
                         item->reason, err);
        o->written = true;
        count_end(o, item);
        o->bytes += item->state == DELIVERY_DONE ? (int64_t)item->message->payload.len : 0;
        if (o->failures_in_row >= FAILURES_MOST && !o->stopping) {
            char why[240];
            snprintf(why, sizeof why, "%d failed in a row: %.180s", FAILURES_MOST,
                     item->reason ? item->reason : "");
            execute_stop(o, why);
        }
    }
    return e;
}

/* The source has forgotten them. */
static enum err write_done(struct operation *o, const struct batch *b, struct err_info *err)
{
    uint64_t first = 0, last = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct item *item = &b->items[i];
        if (!item->remove || item->ended)
            continue;
        first = first && first < item->sequence ? first : item->sequence;
        last = last > item->sequence ? last : item->sequence;
        o->counts.done++;
        o->bytes += item->message ? (int64_t)item->message->payload.len : 0;
    }
    if (!first)
        return ERR_OK;
    o->written = true;
    return journal_mark_range(o->journal, o->job.record.number, first, last, DELIVERY_ARRIVED, DELIVERY_DONE,
                              err);
}

enum err execute_sync(struct operation *o, struct err_info *err)
{
    bool written = o->written;
    o->written = false;
    return written ? journal_sync(o->journal, err) : ERR_OK;
}

/* ---- back to the source ---- */

enum err execute_take_settled(struct operation *o, bool *any, struct err_info *err)
{
    enum err e = ERR_OK;
    for (struct batch *b; !e && (b = source_settled(o->source));) {
        *any = true;
        o->settling--;
        e = write_done(o, b, err);
        batch_free(&b);
    }
    return e ? e : source_failure(o->source, err);
}

static bool is_answered(const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->items[i].state == DELIVERY_INTENDED)
            return false;
    return true;
}

static void count_kept(struct operation *o, const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        o->kept += !b->items[i].remove;
    bool holds = execute_holds(o);
    if (!o->kept || !(holds || execute_removes(o)))
        return;
    if (!o->kept_since_ns)
        o->kept_since_ns = clock_mono_ns();
    if (o->taken || o->source_ended)
        return;
    if (o->kept > SOURCE_HELD_MOST)
        execute_stop_taking(
            o, holds ? "more than 100,000 messages are held: no more is taken"
                     : "more than 100,000 messages that are not selected are held: no more is taken");
    else if (clock_mono_ns() - o->kept_since_ns > SOURCE_HELD_NS)
        execute_stop_taking(
            o, holds ? "messages were held for ten minutes: no more is taken"
                     : "messages that are not selected were held for ten minutes: no more is taken");
}

enum err execute_take_answers(struct operation *o, struct lane *answered, struct err_info *err)
{
    enum err e = ERR_OK;
    while (!e && o->flying.first && is_answered(o->flying.first)) {
        struct batch *b = lane_pop(&o->flying);
        e = write_answers(o, b, err);
        lane_push(answered, b);
    }
    return e;
}

void execute_settle(struct operation *o, struct lane *answered)
{
    for (struct batch *b; (b = lane_pop(answered));) {
        count_kept(o, b);
        o->settling++;
        o->held -= b->count;
        source_settle(o->source, b);
    }
}

/* ---- a connection that broke ---- */

/* Of a source that is read a row is kept: without one it would be passed over where one behind it has a row. */
static enum err write_unsent(struct operation *o, const struct item *item, struct err_info *err)
{
    int64_t number = o->job.record.number;
    bool known_by_place = !execute_removes(o) && !execute_is_restore(o);
    return !known_by_place ? journal_forget(o->journal, number, item->sequence, err)
                           : journal_mark(o->journal, number, item->sequence, DELIVERY_INTENDED,
                                          (struct position){.kind = POSITION_NONE}, RECOVERY_UNSENT, err);
}

/* tried: it may have left. */
static enum err write_known(struct operation *o, const struct item *item, bool tried, struct err_info *err)
{
    int64_t number = o->job.record.number;
    if (!item->sequence || item->ended)
        return ERR_OK;
    if (item->state == DELIVERY_INTENDED && tried)
        return item->unsent ? write_unsent(o, item, err) : ERR_OK;
    if (item->state == DELIVERY_INTENDED)
        return journal_forget(o->journal, number, item->sequence, err);
    if (!item->answered)
        return ERR_OK;
    return journal_mark(o->journal, number, item->sequence, item->state, item->arrived, item->reason, err);
}

void execute_write_known(struct operation *o)
{
    struct err_info err;
    enum err e = ERR_OK;
    for (struct batch *b = o->flying.first; b && !e; b = b->next)
        for (size_t i = 0; i < b->count && !e; i++)
            e = write_known(o, &b->items[i], true, &err);
    for (struct batch *b = o->waiting.first; b && !e; b = b->next)
        for (size_t i = 0; i < b->count && !e; i++)
            e = write_known(o, &b->items[i], b == o->waiting.first && i <= o->at, &err);
    if (e || journal_sync(o->journal, &err))
        execute_notice(o, err.text);
}
