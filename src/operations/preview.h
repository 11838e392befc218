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
    /* of a purge */
    bool by_place;  /* see struct plan */
    int64_t stored; /* bytes at the source; COUNT_UNKNOWN */
    int64_t room;   /* bytes that are free where archives are; -1: not known */
    /* of a restore */
    int64_t there; /* messages at the destination; COUNT_UNKNOWN */
};

/* Counts at the source, checks the destination, and where the plan selects looks at each message. *cancelled ends it early.
 * job->notice hears what both brokers have to say. */
enum err preview_make(const struct operation_job *job, const atomic_bool *cancelled, struct preview *p,
                      struct err_info *err) SB_MUST_USE;
/* What is at the source now. err may be NULL. */
enum err preview_count(const struct operation_job *job, int64_t *ready, int64_t *unacked,
                       struct err_info *err) SB_MUST_USE;
/* Of a purge by places: ERR_REFUSED where it selects, or counts. */
enum err preview_check_selection(const struct operation_job *job, struct err_info *err) SB_MUST_USE;
/* How large an archive of so many messages will be, about; -1: not known. */
int64_t preview_archive_size(const struct operation_job *job, const struct preview *p, int64_t messages);

/* For preview_make (preview_purge.c): how it is removed there, and what that needs. ERR_REFUSED: it cannot be, with what can. */
enum err preview_purge(struct broker *b, const struct operation_job *job, struct preview *p,
                       struct err_info *err) SB_MUST_USE;

#endif
