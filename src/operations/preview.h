/* What an operation would do, without any effect but that of looking. Floor 4. One thread, which waits for the brokers. */
#ifndef SIGNALBOX_OPERATIONS_PREVIEW_H
#define SIGNALBOX_OPERATIONS_PREVIEW_H

#include "operations/bounds.h"
#include "operations/dedupe.h"
#include "operations/execute.h"
#include "operations/losses.h"
#include "operations/reasons.h"

struct preview {
    int64_t ready, unacked;           /* at the source; COUNT_UNKNOWN */
    int64_t consumers;                /* of the source; 0: none, or not known */
    bool upper;                       /* ready is an upper bound */
    int64_t looked, matched, unknown; /* what was looked at, and what of it is selected, up to the limit */
    int64_t bytes;                    /* payloads of those, but for what would be skipped */
    bool whole; /* all that is there was looked at, or as much as the limit wants; or nothing had to be */
    char unseen[240]; /* nothing could be looked at: why; "" */
    bool compares;    /* the destination may keep less than the source has: losses are counted */
    struct losses losses;
    bool compacted; /* the destination is: it takes no message without a key */
    int64_t
        refused; /* of what would be sent: the destination would not take them, as far as that can be known */
    char refuses[240];       /* why, of the first; "" */
    struct message *first;   /* of a resend: the first that is selected; NULL else. preview_free lets it go */
    struct reasons *reasons; /* of a replay: those that are selected; NULL else. preview_free frees them */
    /* Of a dedupe, of what is selected; matched and bytes are of what would go, or be copied. */
    struct dedupe_totals duplicates;
    int32_t partitions;         /* of the source; 0 none */
    char keeps[160];            /* why it removes no single message; "" it does */
    char cluster[PLAN_CLUSTER]; /* the source's name for itself; "" it has none */
    unsigned carries;           /* enum carry, of the destination */
    /* of a purge */
    bool by_place;       /* see struct plan */
    int64_t stored;      /* bytes at the source; COUNT_UNKNOWN */
    int64_t room;        /* bytes that are free where archives are; -1: not known */
    bool sticks;         /* nothing can be taken off the destination one by one */
    int64_t there;       /* messages at the destination, with those that consumers have; COUNT_UNKNOWN */
    int64_t there_ready; /* without them, which RabbitMQ knows five seconds late; COUNT_UNKNOWN */
    bool bounded;        /* what the destination does with what it is sent was asked: bounds */
    struct channel_bounds bounds;
};

#define PREVIEW_SAMPLE        10000 /* messages that are looked at for losses alone */
#define PREVIEW_SAMPLE_MARKED 1000  /* where looking leaves a trace */

/* All of it: the three below. Whatever it answers, preview_free. */
enum err preview_make(const struct operation_job *job, const atomic_bool *cancelled, struct preview *p,
                      struct err_info *err) SB_MUST_USE;
/* Counts at the source, checks the destination; a second restore of one archive is ERR_REFUSED. job->notice hears what both brokers have to
 * say. */
enum err preview_check(const struct operation_job *job, struct preview *p, struct err_info *err) SB_MUST_USE;
/* May consumers of the source have messages that nobody counts yet? */
bool preview_may_be_away(const struct operation_job *job, const struct preview *p);
/* Is there anything to be learnt from the messages? For a selection, a replay and a dedupe all are looked at, as far as the broker shows
 * them, else a sample. */
bool preview_looks(const struct operation_job *job, const struct preview *p);
/* Looks at them; see p->unseen where that is no failure. *cancelled ends it early: ERR_CANCELLED. *looked, which another thread may read,
 * counts; NULL: nobody does. */
enum err preview_look(const struct operation_job *job, const atomic_bool *cancelled,
                      atomic_int_fast64_t *looked, struct preview *p, struct err_info *err) SB_MUST_USE;
/* Does its plan take some messages and leave others? */
bool preview_selects(const struct plan *plan);
/* Is what it takes held at the source until its end, and given back then? */
bool preview_holds(const struct operation_job *job, const struct preview *p);
int64_t preview_skipped(const struct preview *p); /* of a replay: would not be sent, on purpose */
int64_t preview_failing(
    const struct preview *p); /* would not arrive, for want of a destination or refused by it */
void preview_free(struct preview *p);
/* What is at one of its ends now. err may be NULL. */
enum err preview_count(const struct operation_job *job, const struct operation_end *end, int64_t *ready,
                       int64_t *unacked, struct err_info *err) SB_MUST_USE;
/* Of a purge by places: ERR_REFUSED where it selects, or counts. */
enum err preview_check_selection(const struct operation_job *job, struct err_info *err) SB_MUST_USE;
/* Is its destination counted by statistics that are some seconds old (a stream of RabbitMQ)? */
bool preview_counts_late(const struct operation_job *job);
/* How large an archive of so many messages will be, about; -1: not known. */
int64_t preview_archive_size(const struct operation_job *job, const struct preview *p, int64_t messages);

/* For preview_make (preview_purge.c): how it is removed there, and what that needs. ERR_REFUSED: it cannot be, with what can. */
enum err preview_purge(struct broker *b, const struct operation_job *job, struct preview *p,
                       struct err_info *err) SB_MUST_USE;

#endif
