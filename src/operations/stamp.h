/* Stamps: the headers by which a message that was moved, copied, replayed or resent is known again. Floor 4. Any thread.
 *
 *   x-signalbox-operation   ID/SEQUENCE: which message of which operation it is
 *   x-signalbox-replays     how often it was replayed: a guard against going round in circles
 *   x-signalbox-edited      its payload is another one than its sender's
 *   x-signalbox-source      CLUSTER/CHANNEL/POSITION it had, where its source has positions
 *
 * They stand behind all other headers. Those of an earlier operation make way, so that headers do not grow with each replay. */
#ifndef SIGNALBOX_OPERATIONS_STAMP_H
#define SIGNALBOX_OPERATIONS_STAMP_H

#include "base/arena.h"
#include "model/message.h"
#include "operations/operation.h"

#define STAMP_OPERATION "x-signalbox-operation"
#define STAMP_REPLAYS   "x-signalbox-replays"
#define STAMP_EDITED    "x-signalbox-edited"
#define STAMP_SOURCE    "x-signalbox-source"

struct stamp {
    char operation[OPERATION_ID_SIZE];
    uint64_t sequence;
    uint64_t replays;
    bool edited;
    struct bytes source; /* null: its source has no positions */
};

/* What a message carries. False: it has no such stamp, or one that is none of ours. */
bool stamp_operation(const struct message *m, char operation[OPERATION_ID_SIZE], uint64_t *sequence);
uint64_t stamp_replays(const struct message *m); /* 0: none */
struct bytes stamp_source(const struct message *m);

/* Is a header of that name left out by stamp_put? stamped: a stamp is put on. */
bool stamp_drops(struct bytes name, const char *const *drop, bool stamped);

/* *into: m with other headers, whose list and new values lie in the arena; everything else, and the values that stay, are m's. drop: names
 * of headers that go, NULL-terminated; NULL: none. stamp NULL: none is put on, and the old ones stay. ERR_NOMEM, ERR_LIMIT: more headers
 * than a message may have. */
enum err stamp_put(const struct message *m, const char *const *drop, const struct stamp *stamp,
                   struct arena *arena, struct message *into, struct err_info *err) SB_MUST_USE;

#endif
