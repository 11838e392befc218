/* Destinations with transactions: what was published becomes visible together with how far the operation is, so that nothing of it is
 * ever in doubt. A transaction closes with its batch, after a second, or at a pause, whichever comes first. */
#include "operations/execute_internal.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define OPEN_NS      NS_PER_S
#define ASK_NS       (10 * NS_PER_S)
#define FORGOTTEN_NS (6 * 24 * 3600 * NS_PER_S)

bool execute_commits(const struct operation *o)
{
    return o->job.to.ops && o->job.to.ops->commit;
}

void execute_note_sent(struct operation *o)
{
    if (execute_commits(o) && !o->uncommitted++)
        o->uncommitted_ns = clock_mono_ns();
}

bool execute_commit_is_due(const struct operation *o)
{
    if (!o->uncommitted)
        return false;
    bool whole = o->flying.first && !o->at; /* of the batch that is sent now nothing has left */
    return whole || !o->waiting.first || atomic_load(&o->paused) ||
           clock_mono_ns() - o->uncommitted_ns >= OPEN_NS;
}

/* ---- how far it is ---- */

/* Its own cluster's offsets are committed as such. */
static bool is_at_home(const struct operation *o)
{
    return o->job.from.ops == o->job.to.ops && o->job.from.endpoint == o->job.to.endpoint &&
           (o->job.from.channel.kind == CHANNEL_TOPIC || o->job.from.channel.kind == CHANNEL_ANY);
}

/* Behind the last one of each partition that was sent, or needed not be. */
static bool add_place(struct read_place **places, size_t *count, struct position p)
{
    for (size_t i = 0; i < *count; i++)
        if ((*places)[i].partition == p.partition) {
            if (p.offset >= (*places)[i].next)
                (*places)[i].next = p.offset + 1;
            return true;
        }
    struct read_place *all = reallocarray(*places, *count + 1, sizeof *all);
    if (!all)
        return false;
    *places = all;
    all[(*count)++] = (struct read_place){.partition = p.partition, .next = p.offset + 1};
    return true;
}

struct extent {
    struct read_place *places;
    size_t count;
    uint64_t sequence;
    bool no_room;
};

static void extend(struct extent *e, const struct operation *o, const struct batch *b, size_t items)
{
    for (size_t i = 0; i < items; i++) {
        const struct item *item = &b->items[i];
        e->sequence = item->sequence > e->sequence ? item->sequence : e->sequence;
        if (is_at_home(o) && item->message->position.kind == POSITION_PARTITION)
            e->no_room |= !add_place(&e->places, &e->count, item->message->position);
    }
}

static void set_arrived(struct batch *b, size_t items)
{
    for (size_t i = 0; i < items; i++)
        if (b->items[i].state == DELIVERY_INTENDED && b->items[i].answered)
            b->items[i].state = DELIVERY_ARRIVED;
}

/* Everything that was sent, in all batches. */
static void each_sent(struct operation *o, struct extent *e)
{
    for (struct batch *b = o->flying.first; b; b = b->next)
        e ? extend(e, o, b, b->count) : set_arrived(b, b->count);
    if (o->waiting.first)
        e ? extend(e, o, o->waiting.first, o->at) : set_arrived(o->waiting.first, o->at);
}

/* One that was refused aborts all of them: it has failed, and the others are sent again. */
static bool any_refused(const struct operation *o)
{
    for (const struct batch *b = o->flying.first; b; b = b->next)
        for (size_t i = 0; i < b->count; i++)
            if (b->items[i].answered && b->items[i].state == DELIVERY_FAILED)
                return true;
    for (size_t i = 0; o->waiting.first && i < o->at; i++)
        if (o->waiting.first->items[i].answered && o->waiting.first->items[i].state == DELIVERY_FAILED)
            return true;
    return false;
}

enum err execute_commit(struct operation *o, struct err_info *err)
{
    struct extent extent = {.sequence = 0};
    char note[24];
    each_sent(o, &extent);
    snprintf(note, sizeof note, "%" PRIu64, extent.sequence);
    struct commit commit = {.claim = o->job.record.id,
                            .places = extent.places,
                            .channels = &o->job.from.channel,
                            .place_count = extent.count,
                            .note = note};
    enum err e = extent.no_room ? err_set(err, ERR_NOMEM, "no memory for an operation's places")
                                : destination_commit(o->destination, &commit, err);
    free(extent.places);
    if (e && err_policy(e) != ERR_POLICY_RETRY && any_refused(o))
        return err_set(err, ERR_CLOSED,
                       "a message was refused, and the others of its transaction are sent again");
    if (e)
        return e;
    each_sent(o, NULL);
    o->uncommitted = 0;
    return ERR_OK;
}

void execute_forget_commits(struct operation *o)
{
    struct err_info err = {.code = ERR_OK};
    if (!execute_commits(o) || !o->opened)
        return;
    struct broker *b = destination_broker(o->destination);
    b->deadline_ns = clock_mono_ns() + ASK_NS;
    if (o->job.to.ops->forget(b, o->job.record.id, &err))
        execute_notice(o, err.text);
}

/* ---- after a crash ---- */

static void take_places(struct operation *o, const struct read_place *places, size_t count)
{
    for (size_t i = 0; i < o->recovery.count; i++) {
        struct remembered *row = &o->recovery.rows[i];
        for (size_t k = 0; k < count && row->state == DELIVERY_INTENDED; k++)
            if (row->from.kind == POSITION_PARTITION && row->from.partition == places[k].partition &&
                row->from.offset < places[k].next)
                row->state = DELIVERY_ARRIVED;
    }
}

static void take_note(struct operation *o, const char *note)
{
    int64_t sequence = 0;
    for (size_t i = 0; text_int64(note, &sequence) && i < o->recovery.count; i++)
        if (o->recovery.rows[i].state == DELIVERY_INTENDED &&
            (int64_t)o->recovery.rows[i].sequence <= sequence)
            o->recovery.rows[i].state = DELIVERY_ARRIVED;
}

static bool is_nothing(const struct read_place *places, size_t count, const char *note)
{
    for (size_t i = 0; i < count; i++)
        if (places[i].next >= 0)
            return false;
    return !*note;
}

/* Brokers forget how far somebody was who has not asked for long (Kafka: seven days). */
static bool has_committed(const struct operation *o)
{
    bool any = o->counts.done || clock_wall_ns() - o->job.record.created_ns > FORGOTTEN_NS;
    for (size_t i = 0; !any && i < o->recovery.count; i++)
        any = o->recovery.rows[i].removable;
    return any;
}

enum err execute_ask_commits(struct operation *o, struct err_info *err)
{
    size_t count = is_at_home(o) ? o->recovery.reached_count : 0;
    struct read_place *places = calloc(count + 1, sizeof *places);
    char note[64] = "";
    if (!places)
        return err_set(err, ERR_NOMEM, "no memory for an operation's places");
    for (size_t i = 0; i < count; i++)
        places[i] = (struct read_place){.partition = o->recovery.reached[i].partition, .next = -1};
    struct commit of = {.claim = o->job.record.id,
                        .places = places,
                        .channels = &o->job.from.channel,
                        .place_count = count,
                        .note = ""};
    enum err e =
        o->job.to.ops->committed(destination_broker(o->destination), &of, places, note, sizeof note, err);
    if (!e && count)
        take_places(o, places, count);
    else if (!e)
        take_note(o, note);
    if (!e && is_nothing(places, count, note) && has_committed(o))
        for (size_t i = 0; i < o->target_count; i++)
            recovery_doubt(&o->recovery, i);
    free(places);
    return e;
}
