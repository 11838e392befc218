/* Rules as they are compiled, and the two halves of hiding: texts and headers (redact.c), fields of payloads (redact_fields.c).
 * Floor 4; private to redact*.c. */
#ifndef SIGNALBOX_ENGINE_REDACT_INTERNAL_H
#define SIGNALBOX_ENGINE_REDACT_INTERNAL_H

#include "base/arena.h"
#include "engine/redact.h"

#define HIDDEN "[redacted]"

struct rule {
    enum redact_kind kind;
    const char *text;
    struct bytes
        needle; /* FIELD: stands in every payload that has such a field, unless escaped; empty: none known */
    struct regex *re; /* REGEX */
};

struct redaction {
    decoder_registry decoders;
    size_t count;
    struct rule rules[];
};

struct redactor {
    const struct redaction *rules;
    struct arena arena; /* what was hidden of one message */
    struct message out;
    size_t work; /* so much more may be unpacked of what its strings hold */
    bool changed, failed;
};

/* In the place of all of it. */
struct bytes redact_whole(struct redactor *r);
/* Also where a pattern could not tell. */
bool redact_matches(const struct redactor *r, struct bytes text);
/* By the rules for fields, and by patterns where the bytes don't show what they match. The same bytes where nothing is hidden. */
struct bytes redact_fields(struct redactor *r, struct bytes payload);

#endif
