/* A purge of keys: a compacted topic forgets all of a key once its last message has a null payload. What was archived is the last message
 * of each key that was selected; where something newer has come for a key since it stays, and that is said. */
#include "operations/execute_internal.h"

#include "base/limits.h"
#include "operations/dedupe_recent.h"
#include "operations/stamp.h"

#include <stdlib.h>

#define NEWER_KEYS  1000000u
#define NEWER_BYTES (64 * MIB)
#define STEP_MS     100

static const char newer_text[] = "a newer message with this key has come: it stays";

/* ---- what has come since ---- */

static enum err note_key(struct operation *o, const struct message *m, void *context, struct err_info *err)
{
    struct recent *newer = context;
    char id[OPERATION_ID_SIZE];
    uint64_t sequence;
    int64_t before;
    bool own = stamp_operation(m, id, &sequence) && strcmp(id, o->job.record.id) == 0;
    if (!m->key.data || own) /* a tombstone of an earlier run is sent once more: it changes nothing */
        return ERR_OK;
    bool kept = recent_see(newer, m->key, clock_wall_ns(), &before) != RECENT_LARGE;
    if (kept && !recent_window(newer).forgotten)
        return ERR_OK;
    err_set(err, ERR_LIMIT, "more has come meanwhile than can be told apart: no tombstone is sent");
    err_next(err, "`resume` it when less is written there");
    return ERR_LIMIT;
}

/* ---- sending ---- */

/* Of the archived messages, in their order. */
struct rows {
    enum delivery *states;
    uint64_t *sequences;
    size_t count, cap;
};

static bool add_row(void *context, const struct journal_message *row)
{
    struct rows *r = context;
    bool archived = row->state != DELIVERY_SKIPPED || (row->reason && strcmp(row->reason, newer_text) == 0);
    if (!archived)
        return true;
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 1024;
        enum delivery *states = reallocarray(r->states, cap, sizeof *states);
        uint64_t *sequences = states ? reallocarray(r->sequences, cap, sizeof *sequences) : NULL;
        r->states = states ? states : r->states;
        r->sequences = sequences ? sequences : r->sequences;
        if (!sequences)
            return false;
        r->cap = cap;
    }
    r->states[r->count] = row->state;
    r->sequences[r->count++] = row->sequence;
    return true;
}

struct sending {
    struct operation *o;
    struct destination *d;
    struct recent *newer;
    struct archive_file file;
    struct rows rows;
    struct batch *batch; /* on their way */
};

/* Once each of them is answered: confirmed ones are DONE. */
static enum err end_batch(struct sending *s, struct err_info *err)
{
    size_t pending = s->batch->count;
    struct operation *o = s->o;
    enum err e = ERR_OK;
    while (!e && pending && !atomic_load(&o->broken_off))
        e = destination_step(s->d, STEP_MS, &pending, err);
    if (!e && pending)
        e = err_set(err, ERR_CANCELLED, "broken off");
    for (size_t i = 0; !e && i < s->batch->count; i++) {
        const struct item *item = &s->batch->items[i];
        e = item->state == DELIVERY_ARRIVED ? journal_mark(o->journal, o->job.record.number, item->sequence,
                                                           DELIVERY_DONE, item->arrived, NULL, err)
                                            : err_set(err, ERR_CLOSED, "a tombstone was not taken: %s",
                                                      item->reason ? item->reason : "no answer");
    }
    if (!e)
        e = journal_sync(o->journal, err);
    if (e) /* the destination may still speak of its items */
        return e;
    batch_free(&s->batch);
    s->batch = batch_new();
    return s->batch ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for tombstones");
}

static enum err send_one(struct sending *s, const struct message *archived, uint64_t sequence,
                         struct err_info *err)
{
    struct message tombstone = {.origin = archived->origin,
                                .position = archived->position,
                                .key = archived->key,
                                .payload = BYTES_NULL,
                                .time_ns = TIME_NONE};
    struct item *item = &s->batch->items[s->batch->count++];
    *item = (struct item){.state = DELIVERY_INTENDED, .sequence = sequence};
    struct stamp stamp = {.sequence = sequence};
    struct message stamped;
    size_t pending;
    memcpy(stamp.operation, s->o->job.record.id, sizeof stamp.operation);
    arena_reset(&s->o->arena);
    enum err e = stamp_put(&tombstone, NULL, &stamp, &s->o->arena, &stamped, err);
    if (e)
        return e;
    while ((e = destination_put(s->d, item, 0, &stamped, err)) == ERR_BUSY && !atomic_load(&s->o->broken_off))
        if ((e = destination_step(s->d, STEP_MS, &pending, err)))
            return e;
    return !e && s->batch->count == BATCH_MESSAGES ? end_batch(s, err) : e;
}

static enum err send_all(struct sending *s, struct err_info *err)
{
    struct operation *o = s->o;
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < s->rows.count; i++) {
        struct message m;
        e = archive_next(&s->file.archive, &m, err);
        if (e || s->rows.states[i] != DELIVERY_ARRIVED)
            continue;
        e = recent_has(s->newer, m.key)
                ? journal_mark(o->journal, o->job.record.number, s->rows.sequences[i], DELIVERY_SKIPPED,
                               (struct position){.kind = POSITION_NONE}, newer_text, err)
                : send_one(s, &m, s->rows.sequences[i], err);
        if (!e && atomic_load(&o->broken_off))
            e = err_set(err, ERR_CANCELLED, "broken off");
    }
    return e ? e : end_batch(s, err);
}

static enum err open_all(struct sending *s, struct err_info *err)
{
    struct operation *o = s->o;
    const struct operation_end *from = &o->job.from;
    struct destination_job job = {
        .ops = from->ops, .endpoint = from->endpoint, .prepare = o->job.prepare, .context = o->job.context};
    unsigned states = 1U << DELIVERY_ARRIVED | 1U << DELIVERY_DONE | 1U << DELIVERY_SKIPPED;
    enum err e = journal_messages(o->journal, o->job.record.number, states, add_row, &s->rows, err);
    if (!e)
        e = archive_file_open(&s->file, buffer_cstr(&o->archives), err);
    if (!e && s->file.archive.count != s->rows.count)
        e = err_set(err, ERR_FORMAT, "the archive does not hold what the journal tells of");
    if (!e && !(s->d = destination_open(&job, o->event_fd, err)))
        e = err->code;
    return e ? e
             : destination_add(s->d, &from->channel, PUBLISH_PARTITION, (int32_t)o->job.plan.partitions, err);
}

static enum err send_what_is_not_newer(struct operation *o, struct recent *newer, struct err_info *err)
{
    struct sending s = {.o = o, .newer = newer, .batch = batch_new()};
    enum err e = s.batch ? open_all(&s, err) : err_set(err, ERR_NOMEM, "no memory for tombstones");
    if (!e)
        e = send_all(&s, err);
    destination_close(&s.d);
    archive_file_close(&s.file);
    batch_free(&s.batch);
    free(s.rows.states);
    free(s.rows.sequences);
    return e;
}

enum err execute_send_tombstones(struct operation *o, struct err_info *err)
{
    struct journal_totals totals;
    struct recent *newer = recent_new(NEWER_KEYS, NEWER_BYTES);
    if (!newer)
        return err_set(err, ERR_NOMEM, "no memory for tombstones");
    enum err e = execute_look_newer(o, note_key, newer, err);
    if (!e)
        e = send_what_is_not_newer(o, newer, err);
    recent_free(&newer);
    if (!e)
        e = journal_count(o->journal, o->job.record.number, &totals, err);
    if (e)
        return e;
    o->counts.done = totals.of[DELIVERY_DONE];
    o->counts.skipped = totals.of[DELIVERY_SKIPPED];
    return ERR_OK;
}
