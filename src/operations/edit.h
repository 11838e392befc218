/* A payload as text that somebody edits, and back to bytes. Floor 4. Any thread. */
#ifndef SIGNALBOX_OPERATIONS_EDIT_H
#define SIGNALBOX_OPERATIONS_EDIT_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/hash.h"

/* What it is edited as: what can be written back. */
enum edit_form {
    EDIT_JSON, /* as it stands; must be JSON afterwards */
    EDIT_TEXT, /* UTF-8 without controls but tab and line ends */
    EDIT_HEX,  /* anything else: pairs of digits, sixteen a line */
};

bool edit_is_json(struct bytes payload); /* one value */
enum edit_form edit_form_of(struct bytes payload);
const char *edit_form_name(enum edit_form form); /* "JSON", "text", "hex" */
void edit_write(struct bytes payload, enum edit_form form, struct buffer *text);
/* The line end that editors put behind the last line goes, where the original had none. ERR_FORMAT: it can no longer be encoded, with
 * where. */
enum err edit_read(struct bytes text, enum edit_form form, struct bytes original, struct buffer *payload,
                   struct err_info *err) SB_MUST_USE;

#define EDIT_DIGEST_SIZE (2 * SHA256_SIZE + 1)
/* Of the payload that an edited one is for, in hex (struct plan); returns into. "" without memory: of any. */
char *edit_digest(struct bytes payload, char into[EDIT_DIGEST_SIZE]);

#endif
