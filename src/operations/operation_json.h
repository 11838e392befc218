/* An operation and its messages as JSON: schema signalbox.operation/1 and signalbox.delivery/1. Floor 4. */
#ifndef SIGNALBOX_OPERATIONS_OPERATION_JSON_H
#define SIGNALBOX_OPERATIONS_OPERATION_JSON_H

#include "base/json.h"
#include "operations/journal.h"
#include "operations/preview.h"

/* One object, without an end of line. undo: the command that takes it back (undo_command.h); NULL: not said. */
void operation_to_json(const struct journal_operation *o, const char *undo, struct buffer *out);
/* The same of one that has not begun, with what it would do: `executed` false, and `preview`. */
void preview_to_json(const struct operation_job *job, const struct preview *p, struct buffer *out);
/* changes: of its headers, as they may be shown. */
void delivery_to_json(const char *id, const struct journal_message *m, const struct header_changes *changes,
                      struct buffer *out);

#endif
