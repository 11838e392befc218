/* What the files of an operation under way share: all of it is its own thread's, but for what says otherwise. */
#ifndef SIGNALBOX_OPERATIONS_EXECUTE_INTERNAL_H
#define SIGNALBOX_OPERATIONS_EXECUTE_INTERNAL_H

#include "engine/filter.h"
#include "operations/archive_file.h"
#include "operations/copies.h"
#include "operations/dedupe_file.h"
#include "operations/destination.h"
#include "operations/execute.h"
#include "operations/recovery.h"
#include "operations/sent.h"
#include "operations/source.h"
#include "operations/speed.h"

#include <pthread.h>

/* Messages that a purge holds at the source until their archive stands; what comes behind them goes into a further archive. As many as
 * AMQP's prefetch can say. */
#define HELD_MOST 50000

/* A channel that messages go to. */
struct target {
    struct channel_name channel; /* name: malloc'ed */
    bool open;                   /* on this connection, as that number */
    size_t number;
    char why[240]; /* it cannot be opened; "" */
    /* Its oldest messages make way for newer ones; of one connection. */
    bool bounded;
    struct channel_bounds bounds;
    int64_t before, sent;     /* messages that were there, COUNT_UNKNOWN, and that went there */
    int64_t room, room_bytes; /* for more; -1: not known, or without end */
    bool drains;              /* it had consumers when it was full: they may make room */
    int64_t full_ns;          /* monotonic: since when there is no room; 0: there is */
    int64_t counted_ns;       /* monotonic: when that was last counted */
};

struct operation {
    struct operation_job job;
    int event_fd, done_fd;
    pthread_t thread;
    atomic_bool cancelled, broken_off, paused;
    atomic_bool suspended; /* then cancelled, too */
    atomic_int_fast64_t rate;
    pthread_mutex_t lock; /* of progress, and of both ends against an interrupt */
    struct operation_progress progress;
    struct source *source;
    struct destination *destination;

    /* the thread's own from here on */
    struct journal *journal;
    struct filter *filter;
    struct arena arena; /* of the message that is sent */
    struct operation_counts counts;
    int64_t unmatched, bytes;
    uint64_t last; /* sequence */
    int64_t begun; /* messages that have a row */
    int64_t place; /* of a lease: messages that stood before the next one when it was counted */
    struct losses losses;
    unsigned carries;
    bool edited;  /* the one message that the plan's payload is for has come */
    bool written; /* the journal has something that is not synced */

    struct target *targets; /* the first is the plan's, where it names one */
    size_t target_count;

    char cluster[PLAN_CLUSTER]; /* the source's name for itself; "" not known yet */
    char fence[600];            /* see execute_fence */
    struct sent sent;           /* what earlier replays of this journal have sent */
    struct copies *copies;      /* what is there of them, whoever sent it; NULL: not looked yet */
    struct redactor *redactor;  /* of reasons; NULL: nothing is hidden */

    /* of one connection */
    int connections; /* with this one */
    size_t opened;   /* targets */
    struct recovery recovery;
    struct read_places places; /* where a source that is read goes on */
    bool look_done;            /* execute_look_done is due */
    bool recovering;           /* messages gather until recovery_match can tell which they are */
    struct lane early;         /* where they gather */
    size_t early_count;        /* of them, those that the operation is about */
    size_t early_total;
    size_t early_bytes;     /* payloads */
    struct lane waiting;    /* journaled, to be sent */
    size_t at;              /* in the first of them */
    int64_t part_ns;        /* monotonic: when its first message was sent */
    struct lane flying;     /* sent; the first is settled first */
    size_t uncommitted;     /* messages that were sent within a transaction */
    int64_t uncommitted_ns; /* monotonic: since when */
    size_t pending;         /* messages without an answer */
    bool source_ended;
    char held_back[160]; /* what stands behind the end of the source; "" nothing known */
    bool taken;          /* no more messages are taken */
    bool stopping;       /* nor sent */
    size_t settling;     /* batches that the source has not settled yet */
    int kept;            /* messages that are held at the source */
    int64_t kept_since_ns;
    int failures_in_row;
    char why[240];          /* it stops before its end */
    char remark[240];       /* what else is to be known of it once it has ended */
    struct buffer verified; /* what was read back of what it has sent, as JSON; empty: nothing was to be */

    /* of a lease */
    size_t missed;    /* of those that the journal tells of, how many a look did not meet */
    bool looks_again; /* they may not be back yet */
    bool unfit;       /* they stood in another order once */
    bool others_hold; /* there are messages with consumers, or on their way back */

    /* of a purge */
    struct archiver *archiver; /* the archive that is being written */
    bool archiving;            /* there are INTENDED rows that no finished archive holds */
    bool removing;             /* what finished archives hold is removed, and nothing else is begun */
    struct buffer archives;    /* their paths, a line each: the record's */
    int64_t batch_ns;          /* monotonic: when the last messages were taken */
    size_t held;               /* messages that are taken, and not given back to be settled */
    int64_t archived_bytes;    /* payloads in the archive that is being written */

    /* of a dedupe */
    struct dedupe_findings findings;
    struct known_row *rows; /* those that the journal tells of, by identity; NULL: none */
    size_t row_count;
    bool fresh;          /* the findings were made just now: what they saw is what is there */
    int64_t looked;      /* messages, while it looks */
    int short_looks;     /* that saw fewer than there were */
    int64_t done_before; /* when the connection began */
    bool idle;           /* and nothing was done on it */

    /* of a restore */
    uint64_t known; /* the highest sequence that had a row when this connection began */
    uint8_t *done;  /* a bit for each sequence up to there: it has arrived; NULL: none */

    /* rate */
    int64_t tokens_ns; /* monotonic: when the next message may go */
    int64_t started_ns;
    int64_t told_ns;
    int64_t sent_count; /* messages, by this run */
    struct speed speed;
    int64_t speed_limit; /* while it was measured */
};

/* Are messages taken off the source? Else they are read. */
static inline bool execute_removes(const struct operation *o)
{
    const struct plan *p = &o->job.plan;
    return (!p->keeps && (p->kind == OPERATION_MOVE || p->kind == OPERATION_REPLAY)) ||
           (plan_archives(p) && !p->by_place);
}

/* Are they taken, and all of them given back at the end? */
static inline bool execute_holds(const struct operation *o)
{
    const struct plan *p = &o->job.plan;
    return !execute_removes(o) && !p->by_place && source_holds(o->job.from.ops, p->keeps);
}

/* Does what was on its way to it when a connection ended have to come back, before the source is whole? */
static inline bool execute_leases(const struct operation *o)
{
    return execute_removes(o) || execute_holds(o);
}

/* ---- execute.c ---- */

void execute_tell(struct operation *o,
                  bool now); /* how far it is, to those who ask; not now: not too often */

void execute_notice(void *context, const char *text); /* context: the operation */
enum err execute_prepare(void *context, const struct endpoint *endpoint, struct secret *into,
                         struct err_info *err) SB_MUST_USE;

/* ---- execute_take.c ---- */

size_t execute_window(const struct operation *o); /* messages that may be out of the source at once */
/* The next batch of the source, where there is one: judged, known again, intended. */
enum err execute_take_batch(struct operation *o, bool *any, struct err_info *err) SB_MUST_USE;

/* ---- execute_send.c ---- */

/* As many as may go now. Stopped, what was not sent yet is taken back: its intent is not followed. */
enum err execute_send(struct operation *o, bool *any, struct err_info *err) SB_MUST_USE;

/* ---- execute_journal.c: what is written down, when ---- */

/* No more are taken; what was taken comes to its end. why: NULL, it is no flaw. */
void execute_stop_taking(struct operation *o, const char *why);
/* Nor is any more sent: only what is on its way comes to its end. */
void execute_stop(struct operation *o, const char *why);
/* Of a batch that was judged: a sequence for each message that the operation is about. Those of earlier rows have theirs. */
enum err execute_write_intents(struct operation *o, struct batch *b, struct err_info *err) SB_MUST_USE;
/* Batches that the source has settled: DONE. */
enum err execute_take_settled(struct operation *o, bool *any, struct err_info *err) SB_MUST_USE;
/* Batches that are answered, written down: once that is synced, execute_settle gives them to the source. */
enum err execute_take_answers(struct operation *o, struct lane *answered, struct err_info *err) SB_MUST_USE;
enum err execute_sync(struct operation *o, struct err_info *err) SB_MUST_USE;
void execute_settle(struct operation *o, struct lane *answered);
/* Whatever broke: what has not left is forgotten, what was answered is marked. The rest is a question to the destination. */
void execute_write_known(struct operation *o);

/* ---- execute_judge.c: which messages it is about, and what is to become of them ---- */

void execute_leave(struct operation *o,
                   struct item *item); /* it is not about this one: kept, without a row */
/* Fills an item of the source: its identity, and whether it is sent (INTENDED, without a sequence), or kept, with or without a row. */
enum err execute_judge(struct operation *o, struct item *item, struct err_info *err) SB_MUST_USE;
/* The message as it is sent: with its stamps, without what is taken off. In the arena. */
enum err execute_rewrite(struct operation *o, const struct item *item, struct message *into,
                         struct err_info *err) SB_MUST_USE;
/* What is taken off it on the way, for its row: appended; nothing where nothing is. */
void execute_keep_headers(struct operation *o, const struct item *item, struct buffer *out);

/* ---- execute_target.c ---- */

/* The number of that channel among the targets; SIZE_MAX: no memory. */
size_t execute_target(struct operation *o, enum channel_kind kind, struct bytes name);
size_t execute_target_named(struct operation *o, const char *text);                           /* KIND:NAME */
char *execute_target_text(const struct operation *o, size_t target, char *into, size_t size); /* KIND:NAME */
/* Opens it on this connection, once. ERR_OK also where it cannot be: then why is set. */
enum err execute_target_open(struct operation *o, size_t target, struct err_info *err) SB_MUST_USE;
void execute_targets_free(struct operation *o);
/* Of a replay: where a dead letter goes, item->to, or why it goes nowhere. */
void execute_find_way(struct operation *o, struct item *item);

/* ---- execute_bounds.c ---- */

void execute_bounds_begin(struct operation *o, struct target *t); /* it was opened */
/* May it be sent there? ERR_BUSY: not now, and in vain for a while the operation stops, or the item has failed (answered). */
enum err execute_bounds_admit(struct operation *o, struct target *t, struct item *item,
                              const struct message *m, struct err_info *err) SB_MUST_USE;
void execute_bounds_sent(struct target *t, const struct message *m);
/* All was sent: what was pushed out for all that makes the operation partial. */
void execute_bounds_end(struct operation *o);

/* ---- execute_copies.c ---- */

/* Fills o->cluster; the destination is connected. */
enum err execute_name_source(struct operation *o, struct err_info *err) SB_MUST_USE;
bool execute_finds_copies(const struct operation *o);
/* Of a replay that keeps its source: two of one source cut each other off. NULL: another operation. */
const char *execute_fence(struct operation *o);
/* One that was to be sent, and of which a copy is there already, is skipped. */
enum err execute_skip_copy(struct operation *o, struct item *item, struct err_info *err) SB_MUST_USE;

/* ---- execute_commit.c ---- */

bool execute_commits(const struct operation *o); /* has its destination transactions? */
void execute_note_sent(struct operation *o);
bool execute_commit_is_due(
    const struct operation *o); /* nothing more is sent before it; it wants all answers */
/* What was sent has ARRIVED then. */
enum err execute_commit(struct operation *o, struct err_info *err) SB_MUST_USE;
/* The operation has ended: what its commits have left at the broker goes. */
void execute_forget_commits(struct operation *o);
/* INTENDED rows that a commit carried have ARRIVED. */
enum err execute_ask_commits(struct operation *o, struct err_info *err) SB_MUST_USE;

/* ---- execute_recover.c ---- */

/* Loads what the journal tells of, and asks the destination for what was on its way. */
enum err execute_recover(struct operation *o, struct err_info *err) SB_MUST_USE;
/* Once, of the first message that the operation is about: have removals come back? */
enum err execute_look_done(struct operation *o, const struct item *item, struct err_info *err) SB_MUST_USE;
/* At the end: rows that were not met at the source. */
enum err execute_account(struct operation *o, struct err_info *err) SB_MUST_USE;
/* Every message of the destination goes to visit, until that returns false; message NULL: all of them come once more, what was seen is
 * void. *whole: all of them could be had, and nobody takes any. */
typedef bool execute_visit(struct operation *o, const struct message *m, void *context);
enum err execute_look(struct operation *o, const struct channel_name *to, execute_visit *visit, void *context,
                      bool *whole, struct err_info *err) SB_MUST_USE;

/* ---- execute_verify.c ---- */

/* It has ended, and both connections are closed: reads back what it has sent, into o->verified. */
void execute_verify(struct operation *o);

/* ---- execute_look_again.c ---- */

/* The source has been read. What was not met there is taken for removed only where a second look, later, does not meet it either: true if
 * that is due. Else o->others_hold says whether it may still be somewhere; the source has been left for that. */
bool execute_looks_again(struct operation *o);
void execute_wait_to_look(struct operation *o);        /* before the second look */
void execute_wait_for_statistics(struct operation *o); /* those of brokers are late */
void execute_wait_for_returns(struct operation *o);    /* of what an earlier run had out when it was killed */
/* As that, where nothing is to be removed, and for no longer than until as many are there as were counted. */
void execute_wait_for_held(struct operation *o);

/* ---- execute_purge.c: the archive stands in a destination's place; also of a dedupe without a destination ---- */

static inline bool execute_is_purge(const struct operation *o)
{
    return plan_archives(&o->job.plan);
}

/* Before a connection: what the journal and the disk tell of archives. An unfinished one goes, with its rows; a finished one is removed
 * from the source (o->removing). */
enum err execute_purge_prepare(struct operation *o, struct err_info *err) SB_MUST_USE;
size_t execute_purge_window(const struct operation *o);
/* The rows of this batch are put: an archive is begun for them where there is none. Bodies of what stays are let go. */
enum err execute_purge_intend(struct operation *o, struct batch *b, struct err_info *err) SB_MUST_USE;
/* Into the archive. */
enum err execute_purge_put(struct operation *o, struct item *item, struct err_info *err) SB_MUST_USE;
/* Finishes the archive where it is time to: what it holds is ARRIVED then, on the disk and in the journal, and is to be removed. */
enum err execute_purge_step(struct operation *o, bool *any, struct err_info *err) SB_MUST_USE;
/* The source has been read: what was archived of it is removed by places. */
enum err execute_purge_end(struct operation *o, struct err_info *err) SB_MUST_USE;
/* After a connection that has failed: an unfinished archive goes, with its rows, as far as that is possible. */
void execute_purge_undo(struct operation *o);
/* What an interrupted run had archived is removed: there is more to be done. */
bool execute_purge_goes_on(struct operation *o);

/* ---- execute_truncate.c ---- */

/* Without a source: by a place, or by the broker itself. False: messages are to be taken, or read. */
bool execute_purge_is_at_once(const struct operation *o);
enum err execute_purge_at_once(struct operation *o, struct err_info *err) SB_MUST_USE;
enum err execute_remove_by_places(struct operation *o, struct err_info *err) SB_MUST_USE;

/* ---- execute_tombstones.c ---- */

/* Of what was archived: a null payload for the key of each, unless something newer has come for it. */
enum err execute_send_tombstones(struct operation *o, struct err_info *err) SB_MUST_USE;

/* ---- execute_dedupe.c, for that ---- */

/* Every message of the source behind what the findings have seen. */
typedef enum err execute_newer(struct operation *o, const struct message *m, void *context,
                               struct err_info *err);
enum err execute_look_newer(struct operation *o, execute_newer *visit, void *context,
                            struct err_info *err) SB_MUST_USE;

/* ---- execute_dedupe.c ---- */

/* Also of a purge by tombstones: there the last message of each key is what it is about. */
static inline bool execute_is_dedupe(const struct operation *o)
{
    return o->job.plan.kind == OPERATION_DEDUPE || o->job.plan.tombstones;
}

/* Before a connection: which messages are extras. The first time all of the source is looked through for that, and what was found is
 * written down; later it is read. */
enum err execute_dedupe_prepare(struct operation *o, struct err_info *err) SB_MUST_USE;
/* As execute_recover, where extras are removed: how many of a kind are left tells what is gone. */
enum err execute_dedupe_recover(struct operation *o, struct err_info *err) SB_MUST_USE;
/* Of a message that is selected: is it one of those that go, or that are copied? */
void execute_dedupe_judge(struct operation *o, struct item *item);
int64_t execute_dedupe_most(
    const struct operation *o); /* messages that are read of a source without positions; -1 */
void execute_dedupe_close(struct operation *o, enum operation_state state);

/* ---- execute_restore.c ---- */

static inline bool execute_is_restore(const struct operation *o)
{
    return o->job.plan.kind == OPERATION_RESTORE;
}

/* Loads what the journal tells of. */
enum err execute_restore_recover(struct operation *o, struct err_info *err) SB_MUST_USE;
/* What was on its way is looked for at the destination by its payload. */
enum err execute_restore_look(struct operation *o, struct err_info *err) SB_MUST_USE;
/* As execute_judge: its sequence is its number in the archive, by which its row is known. */
enum err execute_restore_judge(struct operation *o, struct item *item, struct err_info *err) SB_MUST_USE;

#endif
