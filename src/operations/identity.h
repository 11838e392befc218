/* What makes a message this one, where its broker gives it no name: everything its sender sent. Floor 4. Any thread.
 *
 * RabbitMQ has no message ids of its own: what was handed out and came back is known again by its content alone. Two that are the same
 * to the last byte have the same identity; which of them is which makes no difference, only how many there are. */
#ifndef SIGNALBOX_OPERATIONS_IDENTITY_H
#define SIGNALBOX_OPERATIONS_IDENTITY_H

#include "model/message.h"
#include "operations/journal.h"

/* Of key, payload, properties and headers, with their order, repeats and types; counters: the broker's own, which change from one delivery
 * to the next and do not count (broker_ops.counters; NULL: none). ERR_NOMEM. */
enum err identity_of(const struct message *m, const char *const *counters, uint8_t identity[IDENTITY_SIZE],
                     struct err_info *err) SB_MUST_USE;

#endif
