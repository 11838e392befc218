/* Duplicates: messages that a rule gives the same value. Floor 4. One thread at a time.
 *
 * Messages are added once, each leaves a record of a hundred bytes with its value, and the records are sorted by hash and value
 * (sorter.h): what is the same stands together, however many there are, in bounded memory. No hash decides: short values are sorted whole;
 * long ones (above DEDUPE_INLINE) are spilled, and where hash and length are the same they are read again and compared byte by byte.
 */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_H
#define SIGNALBOX_OPERATIONS_DEDUPE_H

#include "base/hash.h"
#include "operations/dedupe_extras.h"
#include "operations/dedupe_rule.h"

#define DEDUPE_INLINE 256 /* bytes of a value that is sorted whole; also what is shown of a longer one */
#define DEDUPE_MEMORY (64 * MIB)
#define DEDUPE_GROUPS 10000 /* that a report can hold */
#define DEDUPE_COPIES 64    /* of one group that are listed: the first ones, and the last one */

enum dedupe_keep { DEDUPE_KEEP_FIRST, DEDUPE_KEEP_LAST };

struct dedupe_job {
    const struct dedupe_rule *rule; /* outlives it */
    enum dedupe_keep keep;
    size_t groups; /* the biggest ones that are held, up to DEDUPE_GROUPS; the totals are of all */
    size_t memory; /* 0: DEDUPE_MEMORY */
    struct dedupe_extras *extras; /* takes all that are to go, outlives it; NULL */
    bool differing;               /* groups whose bodies differ are no exception: their extras go as well */
    const char *const *counters;  /* of the broker (identity_of), for the extras of a queue */
    uint64_t (*hash)(struct bytes value); /* of values, for tests; NULL: a good one */
};

/* A message as it goes through several rules; what they share is worked out once. Zeroed but for the first two. */
struct dedupe_message {
    const struct message *m; /* whole: nothing of it was hidden */
    const struct message
        *shown; /* as it may be shown: a value that differs there is hidden in the report; or m itself */
    bool digested;
    uint8_t body[SHA256_SIZE];
};

struct dedupe_copy {
    const struct origin *origin;
    struct position position;
    uint64_t number; /* from 1 on, in the order in which they were added */
    int64_t time_ns; /* TIME_NONE */
    uint32_t size;   /* of its payload */
    /* SHA-256 of the body; zeroes: it is null. Where the rule is the body itself it is not filled. */
    uint8_t body[SHA256_SIZE];
};

struct dedupe_group {
    struct bytes value; /* the rule's (dedupe_rule_show), or its first DEDUPE_INLINE bytes */
    uint64_t value_len;
    bool hidden;               /* the value is not to be shown: it is empty here */
    uint64_t copies;           /* at least 2 */
    int64_t first_ns, last_ns; /* of those that have a time; TIME_NONE: none has */
    bool bodies_differ;
    struct dedupe_copy kept;
    struct dedupe_copy *listed; /* in their order */
    size_t listed_count;
};

/* From the first to the last copy, ns; TIME_NONE: no time is known. */
int64_t dedupe_spread(const struct dedupe_group *g);

struct dedupe_totals {
    uint64_t messages;
    uint64_t without; /* have no value */
    uint64_t unknown; /* have one that could not be read to its end: they count as no one's duplicates */
    uint64_t unique;  /* different values */
    uint64_t groups, extras, most; /* of more than one copy; copies beyond the first; of the biggest group */
    uint64_t differ;               /* groups in which bodies differ */
    uint64_t going, going_bytes; /* extras that are to go, and their payloads: not of groups that are left */
    int64_t first_ns, last_ns;   /* of all messages; TIME_NONE */
};

struct dedupe;

/* NULL with *err. */
struct dedupe *dedupe_new(const struct dedupe_job *job, struct err_info *err);
void dedupe_free(struct dedupe **d);
/* ERR_IO: there is no room for what does not fit into memory; ERR_NOMEM; ERR_LIMIT: more channels than 65,535. */
enum err dedupe_add(struct dedupe *d, struct dedupe_message *message, struct err_info *err) SB_MUST_USE;
/* All are there: forms groups, of so many messages at a time. ERR_OK: call again; ERR_END: done, *err is left alone. */
enum err dedupe_step(struct dedupe *d, size_t messages, struct err_info *err) SB_MUST_USE;
double dedupe_done(const struct dedupe *d); /* how much of that is done, 0 to 1 */

/* What follows after the end. */
const struct dedupe_totals *dedupe_totals(const struct dedupe *d);
/* Most copies first, then who was seen first: by time, where there is one, then by number. */
size_t dedupe_group_count(const struct dedupe *d);
const struct dedupe_group *dedupe_group(const struct dedupe *d, size_t i);

#endif
