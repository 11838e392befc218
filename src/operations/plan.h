/* A plan: what an operation is to do, as data. Floor 4. */
#ifndef SIGNALBOX_OPERATIONS_PLAN_H
#define SIGNALBOX_OPERATIONS_PLAN_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "operations/operation.h"

#define PLAN_REPLAYS_MOST 3 /* what was replayed so often comes back for a reason */

#define PLAN_PAYLOAD_MOST ((size_t)16 << 20) /* an edited one, which is part of the plan */

#define PLAN_CLUSTER 256

struct plan {
    enum operation_kind kind;
    const char *from, *to; /* addresses without secrets; to NULL: where each message came from, or nowhere */
    const char *select;    /* a filter; NULL: all */
    int64_t limit;         /* messages; -1: none */
    int64_t ready; /* messages that were at the source when it was counted: what stands behind as many of them
                              came later, and is not taken off it; 0: not counted */
    int64_t rate;  /* messages a second; 0: as fast as it goes */
    int64_t replays_most;       /* loop guard */
    int64_t partitions;         /* of the source; 0: it has none, or they are not known */
    char cluster[PLAN_CLUSTER]; /* the source's name for itself; "" it has none, or it is not known yet */
    bool no_mark;               /* no stamps: what was in doubt cannot be found again */
    bool keep_death;            /* what the broker wrote of earlier deaths stays */
    bool again;                 /* what an earlier one has sent there is sent once more */
    bool keeps;                 /* the source removes no single message: what was sent stays there, too */
    bool sticks;                /* nothing can be taken off the destination one by one */
    bool create;                /* a missing destination is made */
    bool no_archive;            /* purge: by the broker itself, and nothing of it can be had back */
    const char *by;             /* dedupe: the rule, see dedupe_rule.h */
    bool keep_last;             /* dedupe: the last of several copies, else the first */
    bool differing;             /* dedupe: also where the bodies of a group differ */
    bool tombstones;            /* purge: keys of a compacted topic, by a null payload for each */
    bool by_place;   /* purge: all up to a place in each partition; nothing there is removed one by one */
    const char *sum; /* restore: SHA-256 of the archive, in hex */
    bool same_partitions; /* restore: those, or nothing is sent; else by key where there are not as many */
    bool empty;           /* restore: there was no message at the destination when it began */
    bool
        exchange; /* to NULL: to the exchange it was published to, with its key; else to the queue it died in */
    struct bytes payload; /* of a resend: what is sent in the place of the one message's own; null: that */
    const char
        *origin_header; /* a header that names where a dead letter came from; NULL: those that are known */
    const char *
        reasons; /* of a replay: dead letters of those alone, a line each (dead_letter_is_chosen); NULL: of all */
    const char
        *edits; /* of a payload that was edited: SHA-256 of the one that it is for, in hex; NULL: any */
};

/* What is taken is archived and removed, and goes nowhere: a purge, or a dedupe of one channel. */
static inline bool plan_archives(const struct plan *p)
{
    return p->kind == OPERATION_PURGE || (p->kind == OPERATION_DEDUPE && !p->to);
}

void plan_write(const struct plan *p, struct buffer *json);
/* Strings live in the arena. ERR_FORMAT. */
enum err plan_read(struct plan *p, struct bytes json, struct arena *arena, struct err_info *err) SB_MUST_USE;

#endif
