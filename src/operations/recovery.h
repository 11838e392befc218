/* After a crash, or a lost connection: which of the messages at the source are those that the journal tells of. Floor 4.
 *
 * What had arrived is removed and not sent again; what was only intended is sent, unless the destination has it; what cannot be told is
 * in doubt, stays at the source, and is reported: never lost, never doubled in silence. */
#ifndef SIGNALBOX_OPERATIONS_RECOVERY_H
#define SIGNALBOX_OPERATIONS_RECOVERY_H

#include "operations/batch.h"

#define RECOVERY_WORK 400000000 /* messages that are compared to find out how many were removed */

#define RECOVERY_UNSENT "it has not left yet" /* the reason of an INTENDED row */

/* A row of the journal whose message may be at the source. */
struct remembered {
    uint64_t sequence;
    uint8_t identity[IDENTITY_SIZE];
    enum delivery state;
    struct position from; /* NONE: its source has none */
    size_t to;            /* its target; see execute_internal.h */
    bool removable; /* the journal had it as ARRIVED: it may have been removed, and the journal not know */
    bool met;       /* at the source, since */
    bool gone;      /* not at the source any more, as the count of its likes tells; see execute_dedupe.c */
    bool doubtful;  /* INTENDED: the destination could not be asked */
    bool unsent;    /* INTENDED: it never left, so that nobody need be asked */
};

/* How far a partition of the source has a journal. */
struct reached {
    int32_t partition; /* -1: the source has none */
    int64_t offset;
};

struct recovery {
    struct remembered *rows; /* by sequence */
    size_t count, cap;
    bool no_room;           /* for a row */
    bool tells_redelivered; /* see struct broker_ops: what was never handed out before is none of these */
    size_t (*target)(void *context,
                     const char *destination); /* of a row that names one; NULL: all go to number 0 */
    void *context;
    struct reached *reached; /* of a source with positions */
    size_t reached_count;
    bool removes;        /* what is done is not at the source any more */
    bool by_content;     /* by what they are, not by their order: more may be matched */
    struct known *known; /* then: the rows by identity */
};

void recovery_free(struct recovery *r);
/* Reads the journal. removes: what is done is not at the source any more; else it is, and is to be known there, unless it has
 * positions: by what it is alone, since whoever does not remove can take the one of two twins for the other. */
enum err recovery_load(struct recovery *r, struct journal *j, int64_t number, bool removes,
                       struct err_info *err) SB_MUST_USE;
/* Removals that the broker had taken may come back with its crash: rows that are DONE, from that sequence on, may be at the source.
 * ERR_LIMIT: too many to be told apart. */
enum err recovery_load_done(struct recovery *r, struct journal *j, int64_t number, uint64_t from,
                            struct err_info *err) SB_MUST_USE;
/* What the destination has: an INTENDED row of that sequence has arrived. */
void recovery_arrived(struct recovery *r, uint64_t sequence);
/* That target could not be asked: its INTENDED rows are doubtful. */
void recovery_doubt(struct recovery *r, size_t target);
bool recovery_asks_of(const struct recovery *r, size_t target);
bool recovery_asks(
    const struct recovery *r); /* are there INTENDED rows, of which the destination should be asked? */

/* Has any whose outcome is not known not been met yet? */
bool recovery_waits(const struct recovery *r);

/* The row of that sequence; NULL: none was loaded. */
struct remembered *recovery_find(const struct recovery *r, uint64_t sequence);
/* Which messages they are: items[0..count) are the first ones of the source, in its order, that the operation is about, at least as many
 * as rows, or all that there are. Each that is known gets its row's sequence (journaled) and state: ARRIVED with `remove`, INTENDED to be
 * sent, IN_DOUBT. The others are left as they are. */
void recovery_match(struct recovery *r, struct item **items, size_t count);
/* False: that would put some in doubt, since not all may be there. */
bool recovery_fits(struct recovery *r, struct item *const *items, size_t count);

/* That item is that row's message. */
void recovery_give(struct item *item, struct remembered *row);

/* ---- of a source with positions, which is read and not taken off ---- */

/* Where to go on: at the first message whose outcome is not known, else behind the last one that has a row. False: at the beginning. The
 * caller frees places->items. */
bool recovery_places(const struct recovery *r, struct read_places *places);
/* One that has a row gets it, as above. True: it was dealt with before, or passed over: it is not about this one any more. */
bool recovery_match_position(struct recovery *r, struct item *item);

#endif
