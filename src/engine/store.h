/* The message store: a ring with a byte budget and ids that are never reused. Floor 4. UI thread only.
 * Views keep ids; a message that was evicted is NULL. */
#ifndef SIGNALBOX_ENGINE_STORE_H
#define SIGNALBOX_ENGINE_STORE_H

#include "model/message.h"

struct store;

/* What a store takes beside its messages: at first, and at most for each. */
#define STORE_FIRST   (16 * (size_t)1024)
#define STORE_MESSAGE (2 * sizeof(struct message *))

struct store *store_new(size_t max_bytes); /* NULL: out of memory */
void store_free(struct store **s);
/* Takes the reference over, evicts the oldest until the budget holds (the newest stays, unless the store yields). Returns its id, from
 * 1; 0: it is not stored, see store_hold. */
uint64_t store_add(struct store *s, struct message *m);
/* Borrowed until the next store_add; NULL: evicted or never there. */
const struct message *store_get(const struct store *s, uint64_t id);
/* Ids. Of an empty store the oldest is that of the next message, the newest that of the last one there was, 0 at first. */
uint64_t store_oldest(const struct store *s);
uint64_t store_newest(const struct store *s);
uint64_t store_count(const struct store *s);
size_t store_bytes(const struct store *s);
size_t store_budget(const struct store *s);
/* Another budget from now on; evicts the oldest until it holds: all but the newest, or that one, too, if the store yields. */
void store_limit(struct store *s, size_t max_bytes, bool yields);
/* Somebody holds this one, which the store has (NULL: no longer). It counts against the budget until then, evicted or not: what comes
 * meanwhile and would have no room beside it alone is not stored. */
void store_hold(struct store *s, const struct message *m);

#endif
