/* The message as JSON (schema signalbox.message/1) and back, byte for byte. Floor 4. Any thread. */
#ifndef SIGNALBOX_ENGINE_MESSAGE_JSON_H
#define SIGNALBOX_ENGINE_MESSAGE_JSON_H

#include "base/arena.h"
#include "base/json.h"
#include "model/decoder.h"
#include "model/message.h"

enum { MESSAGE_JSON_DECODE = 1 }; /* with `decoded` and `type` */

/* Appends one object, no newline. */
void message_json(struct buffer *out, const struct message *m, decoder_registry decoders, uint32_t flags);
/* Its headers alone, as they stand there: an array, null where the table is absent. */
void message_headers_json(struct json_writer *w, struct headers headers);
/* One object back to a borrowed message whose slices live in the arena; endpoint and channel become its origin. An
 * unknown or wrong member, and one that stands twice, is ERR_FORMAT with its offset. */
enum err message_from_json(struct message *m, struct bytes json, struct arena *arena,
                           struct err_info *err) SB_MUST_USE;
/* The plain line (signalbox help output): tab-separated, scrubbed, no newline. */
void message_plain(struct buffer *out, const struct message *m);
/* A decoded tree as a JSON value (exact numbers, duplicate keys kept in order). */
void field_tree_json(struct json_writer *w, const struct field_tree *tree);

#endif
