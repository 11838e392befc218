/* Reading back what an operation has sent, where looking leaves no trace: how many were equal. Floor 4. Any thread. */
#ifndef SIGNALBOX_OPERATIONS_VERIFY_H
#define SIGNALBOX_OPERATIONS_VERIFY_H

#include "base/json.h"
#include "model/message.h"

#define VERIFY_MOST         100000 /* messages of one operation */
#define VERIFY_CONTENT_SIZE 16

struct verified {
    int64_t sent;                   /* by the journal */
    int64_t equal, differ, missing; /* of those that were looked for */
    char why[160];                  /* why the others were not; "" */
};

/* A digest of what arrives of a message: its payload, and its key where the destination has a place for one (enum carry). */
enum err verify_content(struct bytes key, struct bytes payload, unsigned carries,
                        uint8_t content[VERIFY_CONTENT_SIZE], struct err_info *err) SB_MUST_USE;

/* As the journal has it, one JSON object. */
void verified_write(const struct verified *v, struct buffer *out);
bool verified_read(struct verified *v, const char *json); /* NULL: false */
/* "verified: 1,046 of 1,046 were read back and are equal, payload and key" */
char *verified_tell(const struct verified *v, char *into, size_t size);
bool verified_is_good(const struct verified *v); /* nothing differs, nothing is missing */

#endif
