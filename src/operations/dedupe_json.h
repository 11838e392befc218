/* A report of duplicates as JSON, schema signalbox.dedupe/1. Floor 4. After the last dedupe_step.
 *
 *   {"schema":"signalbox.dedupe/1","address":"k/orders","by":"key","keep":"first","complete":true,
 *    "messages":61204,"without":0,"unknown":0,"unique":60771,"groups":211,"extras":433,"most":9,"differ":1,
 *    "going":432,"going_bytes":21168,"operation":{"schema":"signalbox.operation/1",...},
 *    "first":TIME,"last":TIME,
 *    "listed":[{"value":{"text":"o-88377"},"value_size":7,"copies":2,"bodies":"differ","first":TIME,"last":TIME,
 *      "spread_ns":12000000000,"kept":{"channel":"orders","position":"3/10482","number":881},
 *      "messages":[{"channel":"orders","position":"3/10482","number":881,"time":TIME,"sha256":"9a1f...","kept":true},
 *        ...]}, ...]}
 *
 * without: messages without a value, unknown: with one that could not be read; both are in no group. unique: different values. differ:
 * groups whose bodies differ. going: extras that would go, and the bytes of their payloads. A value that `redact` hides is null, of a long
 * one its first 256 bytes are there, and value_size says how long it is. Of a group its first 63 messages are listed, and its last one.
 * A message without a position has null there, and its number: it was the so manieth that was read. sha256: of the body; null of a
 * null one, and by `body`. A time that nobody knows is null. */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_JSON_H
#define SIGNALBOX_OPERATIONS_DEDUPE_JSON_H

#include "operations/dedupe.h"
#include "operations/journal.h"

const char *dedupe_keep_name(enum dedupe_keep keep); /* "first" */
bool dedupe_keep_parse(const char *name, enum dedupe_keep *keep);
/* complete: all of the channel was looked at; would: the operation that this is the dry run of, NULL none. Appends one object, no newline;
 * `out` is drained between
 * groups (buffer.h). */
void dedupe_to_json(const struct dedupe *d, const struct dedupe_job *job, const char *address, bool complete,
                    const struct journal_operation *would, struct buffer *out);

#endif
