/* Hiding what the configuration's `redact` names, before anybody sees it. Floor 4.
 *
 * The session applies it to every message that a driver hands over, so that screen, filter, search, copy, JSON and export see
 * the hidden form alike and nobody can forget it. Only archives (.sba), which must bring back every byte, ask for none.
 *
 * A hidden value of a payload becomes "[redacted]"; where the bytes around it can't be kept right (what is compressed), or
 * where a payload cannot be read to its end so that its fields can't be told apart, the whole payload does. What a payload's
 * strings hold is unpacked up to LIMIT_UNWRAP_WORK for each message; those behind it that may hold something are hidden unread. */
#ifndef SIGNALBOX_ENGINE_REDACT_H
#define SIGNALBOX_ENGINE_REDACT_H

#include "model/decoder.h"
#include "model/message.h"

enum redact_kind {
    REDACT_FIELD,  /* path with * and ?, at any depth, indexes left out: card.* hides orders[3].card.number */
    REDACT_HEADER, /* name with * and ?, any case: headers and properties, nested ones too */
    REDACT_REGEX,  /* what it matches in payload, key, id, headers and properties */
};

struct redact_rule {
    enum redact_kind kind;
    const char *text;
};

struct redaction; /* compiled rules: immutable, any thread */

/* NULL with *err. The rules' texts must outlive it. */
struct redaction *redaction_new(const struct redact_rule *rules, size_t count, decoder_registry decoders,
                                struct err_info *err);
void redaction_free(struct redaction **r);

struct redactor; /* rules and the memory for one message: one thread */

struct redactor *redactor_new(const struct redaction *rules); /* NULL: no memory */
void redactor_free(struct redactor **r);
/* m itself where nothing is hidden, else a borrowed copy with MESSAGE_REDACTED, valid until the next call. Never NULL: what
 * cannot be checked for want of memory is hidden. */
const struct message *redactor_apply(struct redactor *r, const struct message *m);

#endif
