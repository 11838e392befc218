/* Duplicates in a tail, marked as they pass. Floor 4. Any thread, several at once.
 *
 * Exact, as dedupe_recent.h is: what is marked has passed before in the same channel, byte for byte by the rule. What was forgotten, cut or
 * hidden is not marked, and counted. */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_MARK_H
#define SIGNALBOX_OPERATIONS_DEDUPE_MARK_H

#include "operations/dedupe_recent.h"
#include "operations/dedupe_rule.h"

#define DEDUPE_MARK_VALUES 500000u
#define DEDUPE_MARK_BYTES  (64 * MIB) /* of which it touches what it needs */

struct dedupe_mark;

struct dedupe_mark_job {
    const char *rule;
    decoder_registry decoders;
    uint32_t most_values; /* 0: DEDUPE_MARK_VALUES */
    size_t most_bytes;    /* 0: DEDUPE_MARK_BYTES */
};
/* NULL with *err: of the rule (dedupe_rule_new), ERR_NOMEM. */
struct dedupe_mark *dedupe_mark_new(const struct dedupe_mark_job *job, struct err_info *err);
void dedupe_mark_free(struct dedupe_mark **d);

enum dedupe_marked {
    DEDUPE_MARK_NONE,
    DEDUPE_MARK_AGAIN,   /* it has passed before */
    DEDUPE_MARK_FORGETS, /* no, and from this one on old values are forgotten: once */
};
/* m: as it passes. A message of a place that was read before is none. */
enum dedupe_marked dedupe_mark_see(struct dedupe_mark *d, const struct message *m);
/* "duplicates by id are marked; what passed before 12:04:30 is not known". Returns into. */
char *dedupe_mark_since(struct dedupe_mark *d, char *into, size_t size);
/* "12 duplicates by id of 3,400 messages since 12:04:30; 3 without a value". Returns into. */
char *dedupe_mark_text(struct dedupe_mark *d, char *into, size_t size);

#endif
