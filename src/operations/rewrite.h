/* What becomes of a message's headers on its way: which are taken off, which are put on. Floor 4. Any thread. */
#ifndef SIGNALBOX_OPERATIONS_REWRITE_H
#define SIGNALBOX_OPERATIONS_REWRITE_H

#include "base/arena.h"
#include "base/json.h"
#include "model/message.h"
#include "engine/redact.h"
#include "operations/journal.h"
#include "operations/plan.h"

#define REWRITE_KEPT_MOST ((size_t)4 << 10) /* bytes that the journal keeps of one message's headers */

struct rewrite {
    const struct plan *plan;
    const char *operation;         /* its id; "" not known yet: its stamp has no value */
    const char *cluster, *channel; /* the source's names, as its stamps have them */
};

/* The message as it is sent: with its stamps, without what is taken off, and with the plan's payload where that has one. In the arena;
 * what stays is m's. ERR_NOMEM, ERR_LIMIT. */
enum err rewrite_message(const struct rewrite *r, const struct message *m, uint64_t sequence,
                         struct arena *arena, struct message *into, struct err_info *err) SB_MUST_USE;

struct header_changes {
    struct headers off, on;
    struct headers
        omitted; /* taken off as well, and too large to be kept: the value of each is its size (UINT64) */
};
/* Between m and what rewrite_message makes of it. In the arena; empty where that has no room. */
void rewrite_changes(const struct rewrite *r, const struct message *m, uint64_t sequence, struct arena *arena,
                     struct header_changes *changes);

/* Headers in at most REWRITE_KEPT_MOST bytes and some, appended; nothing where there are none. Those that have no room are kept by name
 * and size alone. */
void rewrite_pack(struct headers headers, struct arena *arena, struct buffer *out);
/* Into off and omitted: in the arena, as slices of in. */
void rewrite_unpack(struct bytes in, struct arena *arena, struct header_changes *changes);

/* For the journal: the headers of m that are taken off, packed. */
void rewrite_keep(const struct rewrite *r, const struct message *m, struct arena *arena, struct buffer *out);
/* What was taken off the message of that row, and put on it; nothing of one that was not sent. In the arena, as slices of the row's. */
void rewrite_kept(const struct journal_operation *o, const struct journal_message *row, struct arena *arena,
                  struct header_changes *changes);

/* Members headers_off, headers_on, and headers_omitted (names and bytes) where there are such. */
void rewrite_to_json(const struct header_changes *changes, struct json_writer *w);
/* What may not be shown is hidden. The redactor's next call makes it void; NULL: nothing is hidden. */
void rewrite_hide(struct header_changes *changes, struct redactor *redactor, struct arena *arena);
/* For people, a header a line, scrubbed: `x-death: [{count: 1, reason: rejected}]`. */
typedef void rewrite_line(void *context, bool on, const char *text);
void rewrite_tell(const struct header_changes *changes, rewrite_line *line, void *context);

#endif
