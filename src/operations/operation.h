/* What an operation is: a kind, a state, how many messages it has dealt with. Floor 4. */
#ifndef SIGNALBOX_OPERATIONS_OPERATION_H
#define SIGNALBOX_OPERATIONS_OPERATION_H

#include "base/bytes.h"

enum operation_kind {
    OPERATION_RESEND, /* chosen messages, to the same or to another channel */
    OPERATION_REPLAY, /* dead letters, to where they came from */
    OPERATION_MOVE,
    OPERATION_COPY,
    OPERATION_DEDUPE,
    OPERATION_PURGE, /* all, N, or what matches: archived, then removed */
    OPERATION_RESTORE,
    OPERATION_KINDS
};
const char *operation_kind_name(enum operation_kind kind); /* "replay" */
bool operation_kind_parse(const char *name, enum operation_kind *kind);

enum operation_state {
    OPERATION_RUNNING,
    OPERATION_INTERRUPTED, /* it runs, by the journal, and no process has it: `resume` finishes it */
    OPERATION_DONE,
    OPERATION_PARTIAL, /* it has ended, and some messages failed, are in doubt or were not reached */
    OPERATION_CANCELLED,
    OPERATION_FAILED,  /* nothing was changed */
    OPERATION_PLANNED, /* a dry run: never in the journal */
    OPERATION_STATES
};
const char *operation_state_name(enum operation_state state); /* "done" */

/* What has become of a message of an operation. */
enum delivery {
    DELIVERY_INTENDED, /* about to be published: it is at the source, and may be at the destination */
    DELIVERY_ARRIVED,  /* the destination has confirmed it; it may still be at the source */
    DELIVERY_DONE,     /* all of it */
    DELIVERY_SKIPPED,  /* left where it was, on purpose; the reason says why */
    DELIVERY_FAILED,   /* left where it was: it could not be published */
    DELIVERY_IN_DOUBT, /* whether it has arrived is not known; it is still at the source */
    DELIVERY_STATES
};
const char *delivery_name(enum delivery state); /* "in doubt" */

/* planned: COUNT_UNKNOWN where nobody could count. */
struct operation_counts {
    int64_t planned, done, skipped, failed, in_doubt;
};

/* What names an operation, also in the headers of what it has sent: sixteen random letters and digits. */
#define OPERATION_ID_SIZE 17
void operation_id_new(char id[OPERATION_ID_SIZE]);

#endif
