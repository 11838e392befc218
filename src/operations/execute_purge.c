/* A purge: what is taken goes into an archive; once that stands, on the disk and in the journal, it is removed. */
#include "operations/execute_internal.h"

#include "base/limits.h"
#include "base/state.h"
#include "base/text.h"
#include "operations/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STUCK_NS (3 * NS_PER_S) /* a broker that wants back some first, before it gives more */

/* ---- the archives of the record ---- */

static void set_record(struct operation *o)
{
    o->job.record.archive = o->archives.len ? buffer_cstr(&o->archives) : NULL;
}

static const char *last_archive(struct operation *o)
{
    const char *all = buffer_cstr(&o->archives), *line = strrchr(all, '\n');
    return line ? line + 1 : all;
}

static void add_archive(struct operation *o, const char *path)
{
    if (o->archives.len)
        buffer_byte(&o->archives, '\n');
    buffer_text(&o->archives, path);
    set_record(o);
}

static void drop_archive(struct operation *o)
{
    const char *all = buffer_cstr(&o->archives), *line = strrchr(all, '\n');
    o->archives.len = line ? (size_t)(line - all) : 0;
    set_record(o);
}

/* On the disk, with all that was put and marked before. */
static enum err update_record(struct operation *o, struct err_info *err)
{
    struct journal_operation record = o->job.record;
    record.counts = o->counts;
    o->written = false;
    return journal_update(o->journal, &record, err);
}

/* ---- beginning, giving up ---- */

static unsigned count_archives(struct operation *o)
{
    unsigned n = o->archives.len != 0;
    for (const char *c = buffer_cstr(&o->archives); (c = strchr(c, '\n')); c++)
        n++;
    return n;
}

/* The first name that nobody has. */
static enum err choose_path(struct operation *o, char *path, size_t size, struct err_info *err)
{
    char part[STATE_PATH_SIZE + 8];
    unsigned number = count_archives(o);
    do {
        if (!archive_path(o->job.record.created_ns, o->job.from.endpoint->name, o->job.from.channel.name,
                          ++number, path, size))
            return state_missing(err);
        snprintf(part, sizeof part, "%s.part", path);
    } while (access(path, F_OK) == 0 || access(part, F_OK) == 0);
    return ERR_OK;
}

/* Its name is in the journal together with the first rows, and before the file: rows that no finished archive holds are the last one's. */
static enum err begin_archive(struct operation *o, struct err_info *err)
{
    char path[STATE_PATH_SIZE];
    const struct operation_end *from = &o->job.from;
    struct archive_header header = {.endpoint = from->endpoint->name,
                                    .url = from->endpoint->text,
                                    .channel = from->channel.name,
                                    .kind = from->channel.kind,
                                    .created_ns = clock_wall_ns()};
    struct buffer plan;
    enum err e = choose_path(o, path, sizeof path, err);
    if (e)
        return e;
    buffer_init(&plan, MIB);
    plan_write(&o->job.plan, &plan);
    header.plan = buffer_view(&plan);
    o->archiving = true;
    o->archived_bytes = 0;
    add_archive(o, path);
    e = update_record(o, err);
    if (!e && !(o->archiver = archiver_open(path, &header, err)))
        e = err->code;
    buffer_free(&plan);
    return e;
}

/* The rows of an archive that will not stand, and its name. */
static enum err forget_archive(struct operation *o, struct err_info *err)
{
    enum err e = journal_forget_all(o->journal, o->job.record.number, DELIVERY_INTENDED, err);
    drop_archive(o);
    return e ? e : update_record(o, err);
}

static void leave_all(const struct lane *l)
{
    for (struct batch *b = l->first; b; b = b->next)
        for (size_t i = 0; i < b->count; i++)
            if (b->items[i].state == DELIVERY_INTENDED)
                b->items[i].state = DELIVERY_SKIPPED;
}

static enum err give_up(struct operation *o, struct err_info *err)
{
    archiver_give_up(&o->archiver);
    o->archiving = false;
    leave_all(&o->waiting);
    leave_all(&o->flying);
    return forget_archive(o, err);
}

void execute_purge_undo(struct operation *o)
{
    struct journal_totals totals;
    if (!o->archiving)
        return;
    if (!give_up(o, NULL) && !journal_count(o->journal, o->job.record.number, &totals, NULL))
        o->last = totals.last;
}

/* ---- after a crash ---- */

struct comparing {
    struct operation *o;
    struct archive_file file;
    bool same;
};

static bool compare_row(void *context, const struct journal_message *row)
{
    struct comparing *c = context;
    struct message m;
    uint8_t identity[IDENTITY_SIZE];
    c->same = !archive_next(&c->file.archive, &m, NULL) &&
              !identity_of(&m, c->o->job.from.ops->counters, identity, NULL) &&
              memcmp(identity, row->identity, IDENTITY_SIZE) == 0;
    return c->same;
}

/* Is the last archive finished? It is then to the message what the rows say, in their order: nothing else would be removed for it. */
static enum err is_finished(struct operation *o, bool *finished, struct err_info *err)
{
    struct comparing c = {.o = o, .same = true};
    struct message m;
    enum err e = archive_file_open(&c.file, last_archive(o), err);
    *finished = false;
    if (!e) {
        e = journal_messages(o->journal, o->job.record.number, 1U << DELIVERY_INTENDED, compare_row, &c, err);
        *finished = !e && c.same && archive_next(&c.file.archive, &m, NULL) == ERR_END;
    }
    archive_file_close(&c.file);
    return e == ERR_NOTFOUND || e == ERR_FORMAT ? ERR_OK : e;
}

static enum err mark_archived(struct operation *o, struct err_info *err)
{
    o->written = true;
    return journal_mark_range(o->journal, o->job.record.number, 0, INT64_MAX, DELIVERY_INTENDED,
                              DELIVERY_ARRIVED, err);
}

static enum err look_at_last(struct operation *o, struct err_info *err)
{
    bool finished;
    enum err e = is_finished(o, &finished, err);
    if (e)
        return e;
    if (finished)
        return mark_archived(o, err);
    archiver_clean(last_archive(o));
    return forget_archive(o, err);
}

/* An archive that somebody has taken away cannot be had back: what it held stays where it is. */
static enum err check_archives(struct operation *o, struct err_info *err)
{
    char path[STATE_PATH_SIZE];
    for (const char *at = buffer_cstr(&o->archives); *at;) {
        size_t len = strcspn(at, "\n");
        text_copy_bytes(path, sizeof path, bytes_of(at, len));
        if (access(path, F_OK) != 0) {
            err_set(err, ERR_NOTFOUND, "an archive is not there any more: nothing of it is removed");
            err_where(err, "%s", path);
            err_next(err, "put it back, then `signalbox resume %s`", o->job.record.id);
            return ERR_NOTFOUND;
        }
        at += len + (at[len] == '\n');
    }
    return ERR_OK;
}

enum err execute_purge_prepare(struct operation *o, struct err_info *err)
{
    struct journal_totals totals;
    o->removing = false;
    if (o->job.plan.no_archive)
        return ERR_OK;
    enum err e = journal_count(o->journal, o->job.record.number, &totals, err);
    if (!e && totals.of[DELIVERY_INTENDED]) {
        e = look_at_last(o, err);
        if (!e)
            e = journal_count(o->journal, o->job.record.number, &totals, err);
    }
    if (e)
        return e;
    o->last = totals.last;
    o->removing = totals.of[DELIVERY_ARRIVED] > 0;
    if (!o->removing)
        return ERR_OK;
    return check_archives(o, err);
}

/* Of extras that were not met the queue may not have given us all: once more is not too much. */
static bool misses_extras(struct operation *o)
{
    bool idle = o->idle;
    o->idle = o->counts.done <= o->done_before;
    if (o->job.plan.kind != OPERATION_DEDUPE)
        return false;
    if (idle && o->idle)
        execute_stop_taking(
            o, "not all of the extras were met: consumers have them, or the broker gave fewer than it has");
    return !(idle && o->idle);
}

bool execute_purge_goes_on(struct operation *o)
{
    const struct operation_counts *c = &o->counts;
    bool all = c->planned >= 0 && c->done + c->skipped + c->failed + c->in_doubt >= c->planned;
    bool more =
        execute_is_purge(o) && !o->job.plan.by_place && !all && !o->why[0] && !atomic_load(&o->cancelled);
    return more && (o->removing || misses_extras(o));
}

/* ---- archiving ---- */

size_t execute_purge_window(const struct operation *o)
{
    return o->job.hold ? o->job.hold : HELD_MOST;
}

enum err execute_purge_intend(struct operation *o, struct batch *b, struct err_info *err)
{
    bool any = false;
    for (size_t i = 0; i < b->count; i++) {
        any |= b->items[i].state == DELIVERY_INTENDED;
        if (b->items[i].state != DELIVERY_INTENDED)
            message_unref(&b->items[i].message);
    }
    return any && !o->archiving ? begin_archive(o, err) : ERR_OK;
}

/* By places it would go with the others. */
static enum err refuse_message(struct operation *o, struct item *item, const struct err_info *why,
                               struct err_info *err)
{
    if (o->job.plan.by_place)
        return err_set(err, ERR_REFUSED, "a message cannot be archived as it is, so that none is removed: %s",
                       why->text);
    item_say(item, DELIVERY_FAILED, "it cannot be archived as it is: %s", why->text);
    item->answered = true;
    o->written = true;
    return journal_mark(o->journal, o->job.record.number, item->sequence, item->state,
                        (struct position){.kind = POSITION_NONE}, item->reason, err);
}

enum err execute_purge_put(struct operation *o, struct item *item, struct err_info *err)
{
    struct err_info why = {.code = ERR_OK};
    if (message_check_whole(item->message, &why))
        return refuse_message(o, item, &why, err);
    enum err e = archiver_put(o->archiver, item->message, err);
    o->archived_bytes += (int64_t)item->message->payload.len;
    message_unref(&item->message);
    if (o->job.plan.by_place) /* its row says the rest */
        item->state = DELIVERY_SKIPPED;
    return e;
}

static void remove_all(const struct lane *l)
{
    for (struct batch *b = l->first; b; b = b->next)
        for (size_t i = 0; i < b->count; i++)
            if (b->items[i].state == DELIVERY_INTENDED) {
                b->items[i].state = DELIVERY_ARRIVED;
                b->items[i].remove = true;
            }
}

/* Rows, file, name, and only then, in one transaction: it stands. With the last one it is known how many there are in all. */
static enum err finish_archive(struct operation *o, struct err_info *err)
{
    struct journal_totals totals;
    enum err e = journal_sync(o->journal, err);
    if (!e && !archiver_count(o->archiver))
        return give_up(o, err);
    if (!e)
        e = archiver_finish(&o->archiver, err);
    if (e)
        return e;
    o->archiving = false;
    e = mark_archived(o, err);
    if (!e)
        e = journal_count(o->journal, o->job.record.number, &totals, err);
    if (e)
        return e;
    if (o->source_ended && o->job.plan.kind == OPERATION_PURGE) {
        o->counts.planned = 0;
        for (int i = 0; i < DELIVERY_STATES; i++)
            o->counts.planned += totals.of[i];
    }
    o->bytes += o->archived_bytes;
    remove_all(&o->flying);
    return update_record(o, err);
}

enum err execute_purge_step(struct operation *o, bool *any, struct err_info *err)
{
    if (!o->archiving)
        return ERR_OK;
    if (o->stopping) {
        *any = true;
        return give_up(o, err);
    }
    bool stuck = clock_mono_ns() - o->batch_ns > STUCK_NS && !atomic_load(&o->paused);
    bool full = stuck || o->source_ended || o->held >= execute_purge_window(o);
    if (o->job.plan.by_place || !full || o->waiting.first || o->settling)
        return ERR_OK;
    *any = true;
    return finish_archive(o, err);
}

enum err execute_purge_end(struct operation *o, struct err_info *err)
{
    if (!o->archiving)
        return ERR_OK;
    if (o->stopping || atomic_load(&o->cancelled))
        return give_up(o, err);
    enum err e = finish_archive(o, err);
    return e ? e : execute_remove_by_places(o, err);
}
