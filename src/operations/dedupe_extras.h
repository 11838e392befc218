/* Which messages of one channel are to go, as a report of duplicates found them: what a dedupe asks, message by message, while it goes
 * through the channel once more. Floor 4. One thread at a time.
 *
 * Where messages have positions, it is a set of these. Where they have none (a queue), a message is known by its identity (identity.h);
 * of several that are the same to the last byte only number and order count. Whatever has happened to a queue meanwhile, of each group at
 * least one copy stays: the first one that comes by where the first is to be kept, else the last one of what was to be kept. A group
 * that is left as it is has none that goes. */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_EXTRAS_H
#define SIGNALBOX_OPERATIONS_DEDUPE_EXTRAS_H

#include "base/buffer.h"
#include "base/limits.h"
#include "operations/identity.h"

#define EXTRAS_IDENTITIES 2000000u    /* different ones that are held: 96 MiB */
#define EXTRAS_POSITIONS  (128 * MIB) /* what those take */

struct dedupe_extras;

struct dedupe_extras *dedupe_extras_new(bool keep_last); /* NULL: no memory */
void dedupe_extras_free(struct dedupe_extras **e);
uint64_t dedupe_extras_count(const struct dedupe_extras *e); /* how many are to go */

/* ---- making it, group by group ---- */

/* A copy of the group that is open. identity NULL where it has a position. ERR_NOMEM, ERR_LIMIT. */
enum err dedupe_extras_add(struct dedupe_extras *e, struct position position, const uint8_t *identity,
                           struct err_info *err) SB_MUST_USE;
/* Ends the group: none of it goes. ERR_IO. */
enum err dedupe_extras_leave(struct dedupe_extras *e, struct err_info *err) SB_MUST_USE;
/* Ends the group: this one of it is kept. */
enum err dedupe_extras_keep(struct dedupe_extras *e, struct position position, const uint8_t *identity,
                            struct err_info *err) SB_MUST_USE;

/* ---- asking ---- */

enum extra {
    EXTRA_NOT,  /* it stays: no duplicate, or the one that is kept, or not there when the report was made */
    EXTRA_IS,   /* it may go */
    EXTRA_LAST, /* it stays: it was to go, but what was to be kept instead is not there any more */
};

/* Whether a queue must be looked through once (dedupe_extras_seen) before it is judged: the last ones are to be kept. */
bool dedupe_extras_wants_look(const struct dedupe_extras *e);
void dedupe_extras_seen(struct dedupe_extras *e, const uint8_t *identity);
/* The report itself was that look. */
void dedupe_extras_seen_all(struct dedupe_extras *e);
/* Of each message of the channel, in its order. */
enum extra dedupe_extras_judge(struct dedupe_extras *e, struct position position, const uint8_t *identity);
/* After a crash, before anything is seen or judged: one of that identity had been removed. */
void dedupe_extras_removed(struct dedupe_extras *e, const uint8_t *identity);
/* After all that is there was seen: is one of that identity not there any more? It counts as removed then. */
bool dedupe_extras_take_missing(struct dedupe_extras *e, const uint8_t *identity);

/* ---- keeping it, for a resume ---- */

void dedupe_extras_write(const struct dedupe_extras *e, struct buffer *out); /* with its checksum */
/* NULL with *err: ERR_FORMAT, ERR_LIMIT, ERR_NOMEM. */
struct dedupe_extras *dedupe_extras_read(struct bytes in, struct err_info *err);

#endif
