/* After a crash, or a lost connection: which of the messages at the source are those that the journal tells of. Floor 4.
 *
 * What had arrived is removed and not sent again; what was only intended is sent, unless the destination has it; what cannot be told is
 * in doubt, stays at the source, and is reported: never lost, never doubled in silence. */
#ifndef SIGNALBOX_OPERATIONS_RECOVERY_H
#define SIGNALBOX_OPERATIONS_RECOVERY_H

#include "operations/batch.h"

#define RECOVERY_MOST 20000 /* messages whose order is compared */

/* A row of the journal that is not done. */
struct remembered {
    uint64_t sequence;
    uint8_t identity[IDENTITY_SIZE];
    enum delivery state;
    bool removable; /* the journal had it as ARRIVED: it may have been removed, and the journal not know */
    bool met;       /* at the source, since */
    bool doubtful;  /* INTENDED: the destination could not be asked */
};

struct recovery {
    struct remembered *rows; /* by sequence */
    size_t count, cap;
    bool by_content; /* the order at the source was not the old one: more may be matched */
};

void recovery_free(struct recovery *r);
/* Reads the journal. */
enum err recovery_load(struct recovery *r, struct journal *j, int64_t number,
                       struct err_info *err) SB_MUST_USE;
/* What the destination has: an INTENDED row of that sequence has arrived. */
void recovery_arrived(struct recovery *r, uint64_t sequence);
/* The destination could not be asked: INTENDED rows are doubtful. */
void recovery_doubt(struct recovery *r);
bool recovery_asks(
    const struct recovery *r); /* are there INTENDED rows, of which the destination should be asked? */

/* Which messages they are: items[0..count) are the first ones of the source, in its order, that the operation is about, at least as many
 * as rows, or all that there are. Each that is known gets its row's sequence (journaled) and state: ARRIVED with `remove`, INTENDED to be
 * sent, IN_DOUBT. The others are left as they are. */
void recovery_match(struct recovery *r, struct item **items, size_t count);

#endif
