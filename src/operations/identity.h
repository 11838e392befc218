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

/* ---- after a crash: which of the messages at the source had been published ---- */

/* A source that keeps its order has at its head what was handed out and not removed: first the end of what had arrived at the
 * destination (removals are made in order, so that those that reached the broker are a beginning of it), then what was only
 * intended. Where exactly one place fits, all is known.
 *
 * arrived, intended: identities by sequence, as journaled. found: those at the source, in its order, as many as arrived and intended
 * together, or all there are. Returns how many of `arrived` had been removed; -1: nothing fits, the order is not the old one; -2:
 * several do (messages that are the same to the last byte). */
int64_t identity_align(const uint8_t (*arrived)[IDENTITY_SIZE], size_t arrived_count,
                       const uint8_t (*intended)[IDENTITY_SIZE], size_t intended_count,
                       const uint8_t (*found)[IDENTITY_SIZE], size_t found_count);

#endif
