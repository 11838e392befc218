/* What an operation would do, without any effect but that of looking. Floor 4. One thread, which waits for the brokers. */
#ifndef SIGNALBOX_OPERATIONS_PREVIEW_H
#define SIGNALBOX_OPERATIONS_PREVIEW_H

#include "operations/execute.h"

struct preview {
    int64_t ready, unacked; /* at the source; COUNT_UNKNOWN */
    bool upper;             /* ready is an upper bound */
    int64_t looked, matched, unknown,
        bytes;          /* of a selection: what was looked at, and what of it is selected */
    bool whole;         /* all that is there was looked at, or there is no selection */
    int32_t partitions; /* of the source; 0 none */
    char keeps[160];    /* why it removes no single message; "" it does */
    unsigned carries;   /* enum carry, of the destination */
};

/* Counts at the source, checks the destination, and where the plan selects looks at each message. *cancelled ends it early.
 * job->notice hears what both brokers have to say. */
enum err preview_make(const struct operation_job *job, const atomic_bool *cancelled, struct preview *p,
                      struct err_info *err) SB_MUST_USE;

#endif
