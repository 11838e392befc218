/* What the parts of dedupe share: a record, and the groups that are made of records. Floor 4; private to dedupe*.c. */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_INTERNAL_H
#define SIGNALBOX_OPERATIONS_DEDUPE_INTERNAL_H

#include "operations/dedupe.h"

enum record_flag {
    RECORD_LONG = 1,     /* its value is elsewhere: 8 bytes stand there, where in the spill */
    RECORD_HIDDEN = 2,   /* its value is not to be shown */
    RECORD_BODY = 4,     /* the digest of the body stands behind */
    RECORD_IDENTITY = 8, /* then the identity */
};

/* What is sorted. Behind it: digest, identity, value, filled up to whole eights. */
struct record {
    uint64_t hash; /* of the value; the sorter's first key */
    uint64_t number;
    int64_t time_ns, offset;
    uint32_t length; /* of the value */
    uint32_t size;   /* of the payload */
    int32_t partition;
    uint16_t origin;
    uint8_t kind; /* of the position */
    uint8_t flags;
    uint32_t value_at, reserved; /* where the value stands, from the record's beginning */
};

#define RECORD_MOST (sizeof(struct record) + SHA256_SIZE + IDENTITY_SIZE + DEDUPE_INLINE)

static inline const uint8_t *record_value(const struct record *r)
{
    return (const uint8_t *)r + r->value_at;
}

static inline const uint8_t *record_body(const struct record *r) /* NULL: none */
{
    return r->flags & RECORD_BODY ? (const uint8_t *)(r + 1) : NULL;
}

static inline const uint8_t *record_identity(const struct record *r) /* NULL: none */
{
    return r->flags & RECORD_IDENTITY ? (const uint8_t *)(r + 1) + (r->flags & RECORD_BODY ? SHA256_SIZE : 0)
                                      : NULL;
}

/* ---- dedupe_groups.c ---- */

struct groups {
    enum dedupe_keep keep;
    bool differing;               /* groups whose bodies differ go as well */
    struct dedupe_extras *extras; /* NULL */
    const struct origin *const *origins;
    struct dedupe_totals *totals;
    /* The one that is open: its copies so far. */
    struct dedupe_group open;
    struct dedupe_copy listed[DEDUPE_COPIES];
    uint8_t body[SHA256_SIZE]; /* of its first copy */
    uint64_t bytes;            /* of its payloads */
    bool one_partition;        /* all of them, so that offsets tell their order */
    struct dedupe_copy first, last, first_there, last_there;
    uint8_t first_identity[IDENTITY_SIZE], last_identity[IDENTITY_SIZE];
    /* The biggest ones, a heap with the least of them on top; sorted by groups_sort. */
    struct dedupe_group *held;
    size_t held_count, held_most;
};

void groups_open(struct groups *g, const struct record *first);
/* In the order that `compare` of dedupe.c gives equal values. ERR_NOMEM, ERR_LIMIT: of the extras. */
enum err groups_add(struct groups *g, const struct record *r, struct err_info *err) SB_MUST_USE;
/* Whether the open one would be held: only then its value is wanted. */
bool groups_wants(const struct groups *g);
/* Ends the open one; value is copied. */
enum err groups_close(struct groups *g, struct bytes value, uint64_t value_len,
                      struct err_info *err) SB_MUST_USE;
void groups_sort(struct groups *g);
void groups_free(struct groups *g);

#endif
