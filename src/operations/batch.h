/* A batch: the messages that go through an operation together, and what becomes of each. Floor 4. One owner at a time. */
#ifndef SIGNALBOX_OPERATIONS_BATCH_H
#define SIGNALBOX_OPERATIONS_BATCH_H

#include "model/broker.h"
#include "operations/journal.h"

#define BATCH_MESSAGES 1000
#define BATCH_BYTES \
 ((size_t)4 << 20) /* full once it has so many; one larger message has a batch of its own */

struct item {
    struct message *message; /* sealed; NULL once it is not needed any more */
    uint64_t handle;         /* at the source */
    uint64_t sequence;       /* in the journal; 0: it has no row there */
    uint8_t identity[IDENTITY_SIZE];
    size_t to;           /* number of its target */
    enum delivery state; /* INTENDED: it goes to the destination */
    bool journaled;      /* its row is there already, from before a crash */
    bool ended;          /* and says how it ended */
    bool undone;         /* it said DONE, which is in doubt now */
    bool redelivered;    /* the source has handed it out before */
    bool remove;         /* from the source, once it is settled; else it is kept */
    bool answered;       /* the destination has said something to it */
    bool unsent;         /* it never left, as the destination knows */
    struct position arrived;
    char *reason; /* why it was skipped or failed; malloc'ed, NULL none */
};

struct batch {
    struct batch *next;
    bool part; /* the beginning of one that was split: its source counts the rest alone */
    size_t count, bytes;
    struct item items[BATCH_MESSAGES];
};

struct batch *batch_new(void); /* NULL: out of memory */
void batch_free(struct batch **b);
bool batch_is_full(const struct batch *b);
bool item_is_about(const struct item *i); /* is it one of those that the operation is about? */
void item_say(struct item *i, enum delivery state, const char *format, ...)
    SB_PRINTF(3, 4); /* a state with its reason */

/* Batches in a row; the last one's next is NULL. */
struct lane {
    struct batch *first, *last;
};
void lane_push(struct lane *l, struct batch *b);
struct batch *lane_pop(struct lane *l);
/* The first so many items of the first batch go to `to`, as a batch of their own, and stay where they are in memory; the others are the
 * first batch now. False: no memory, and nothing has changed. */
bool lane_split(struct lane *l, size_t items, struct lane *to);
void lane_free(struct lane *l);

#endif
