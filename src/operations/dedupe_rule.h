/* By what messages count as the same: `id`, `key`, `body`, `header:NAME`, `field:PATH`. Floor 4. Immutable once made: any thread. */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_RULE_H
#define SIGNALBOX_OPERATIONS_DEDUPE_RULE_H

#include "base/buffer.h"
#include "model/decoder.h"
#include "model/message.h"

struct dedupe_rule;

#define DEDUPE_RULES "id, key, body, header:NAME or field:PATH" /* for people */

/* err->text says what is wrong with the text, err->next what to write: ERR_USAGE, ERR_LIMIT, ERR_NOMEM. */
struct dedupe_rule *dedupe_rule_new(const char *text, decoder_registry decoders, struct err_info *err);
void dedupe_rule_free(struct dedupe_rule **r);
const char *dedupe_rule_text(const struct dedupe_rule *r); /* as it was written */
bool dedupe_rule_is_body(const struct dedupe_rule *r);     /* same value, same body */

enum dedupe_value {
    DEDUPE_NONE,  /* null is no value, nor is an empty id: such a message is the duplicate of none */
    DEDUPE_FOUND, /* any other that is empty is one */
    DEDUPE_UNKNOWN /* the body is damaged, or larger than may be unpacked, so that not all of its value is known */
};

/* What the rule sees of a message. Two have equal values only where all of it is the same, byte for byte: a header's values with their
 * types, in their order; a field's with theirs, a number as it stands in the body (1 and 1.0 differ), an object or a list likewise. The
 * value borrows from the message or from `room`, which is the caller's, of the size of a message's limit or more. room failed: ERR_NOMEM is
 * the caller's to say. */
enum dedupe_value dedupe_rule_value(const struct dedupe_rule *r, const struct message *m, struct buffer *room,
                                    struct bytes *value);
/* A value for people, or the beginning of one, not scrubbed: its bytes, several between commas. */
void dedupe_rule_show(const struct dedupe_rule *r, struct bytes value, struct buffer *into);

#endif
