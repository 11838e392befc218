/* An operation under way: one thread of its own, which alone writes its journal, drives its destination, and speaks to its source. Floor 4.
 *
 * The order is always: intent in the journal, publish, the broker's confirmation, confirmation in the journal, removal from the source,
 * "done" in the journal. Whatever breaks in between is gone on from there: a lost connection within the run, a crash by `resume`, both by
 * the same path (recovery.h). */
#ifndef SIGNALBOX_OPERATIONS_EXECUTE_H
#define SIGNALBOX_OPERATIONS_EXECUTE_H

#include "engine/redact.h"
#include "engine/secret.h"
#include "model/broker.h"
#include "model/decoder.h"
#include "operations/journal.h"
#include "operations/losses.h"
#include "operations/plan.h"

/* One side of it. */
struct operation_end {
    const struct broker_ops *ops;
    const struct endpoint *endpoint;
    struct channel_name channel;
};

struct operation_job {
    struct plan plan;
    struct operation_end from, to; /* to: zeroed for a purge; from: of a restore, archive_source.h */
    decoder_registry decoders;     /* for its selection */
    const struct redaction
        *redaction; /* what is hidden of what a preview shows, and of reasons; NULL: nothing */
    size_t hold;    /* messages that a purge holds for one archive; 0: as many as is good */
    /* After a lost connection the broker may not have back yet what was out: how long until a source is looked at once more for what is
     * missed there.
     * 0: as long as is good. */
    int64_t look_again_ns;
    bool resumed; /* an earlier run has begun it */
    /* Its row, which is in the journal already (journal_create). */
    struct journal_operation record;
    /* As of a session; see engine/session.h. May be NULL. */
    enum err (*prepare)(void *context, const struct endpoint *endpoint, struct secret *into,
                        struct err_info *err);
    void *context;
    void (*notice)(void *context, const char *text); /* any thread of the operation */
    void *notice_context;
};

/* As its prepare, for one of its ends: an archive has no password. */
enum err operation_prepare(const struct operation_job *job, const struct endpoint *endpoint,
                           struct secret *into, struct err_info *err) SB_MUST_USE;

struct operation;

struct operation_progress {
    enum operation_state state;
    struct operation_counts counts;
    int64_t unmatched; /* looked at, and not selected */
    int64_t bytes;     /* of the payloads that are done */
    int64_t archived;  /* messages in the archive that is being written */
    int64_t
        looked; /* messages that were looked at for duplicates, or at a destination; 0: it does not look now */
    int64_t began_ns; /* monotonic */
    double rate;      /* messages a second, of late, and never above the plan's; negative: not known */
    bool paused, connected;
    struct losses losses; /* of what this run has sent to a destination that keeps less than its source */
    unsigned carries;     /* enum carry, of that */
    char note[240];       /* what it waits for, or why it ended so; "" nothing */
    char verified[400];   /* of one that has ended: what was read back (verify.h); "" nothing was to be */
    enum err error;       /* of one that has failed or was interrupted */
};

/* done_fd (an eventfd) is written when it has ended, and at most ten times a second while it goes on. What the job points to must outlive
 * it. NULL with *err. */
struct operation *operation_start(const struct operation_job *job, int done_fd, struct err_info *err);
/* Any thread. */
void operation_progress(struct operation *o, struct operation_progress *into);
void operation_pause(struct operation *o, bool pause);
void operation_rate(struct operation *o, int64_t per_second); /* 0: as fast as it goes */
/* No more messages are begun; those on their way are brought to their end. Twice: at once, and the journal knows what was on its way. */
void operation_cancel(struct operation *o);
/* The same, once, but it is not over: INTERRUPTED, so that `resume` goes on. What archives is CANCELLED: the same again takes the rest. */
void operation_suspend(struct operation *o);
/* Once it has ended, or was cancelled. *into is what became of it; its state INTERRUPTED: `resume` can finish it. */
void operation_join(struct operation **o, struct operation_progress *into);

#endif
