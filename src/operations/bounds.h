/* What a destination does with what is sent to it, and how much of that it can hold without losing any. Floor 4. Any thread. */
#ifndef SIGNALBOX_OPERATIONS_BOUNDS_H
#define SIGNALBOX_OPERATIONS_BOUNDS_H

#include "base/json.h"
#include "model/broker.h"

/* Asks the driver, where it can tell. False: it keeps what it is sent, or was not there to be asked. */
bool bounds_ask(struct broker *b, const struct channel_name *channel, struct channel_bounds *into);

/* How many messages, or bytes, can be sent before the oldest make way for them; ready: messages that are there. -1: any number, or
 * that is not known. */
int64_t bounds_room(const struct channel_bounds *b, int64_t ready);
int64_t bounds_room_bytes(const struct channel_bounds *b, int64_t ready);

/* A sentence each, without a stop. lost: it is about messages that are lost, or leave the channel. */
typedef void bounds_visit(void *context, bool lost, const char *text);
void bounds_tell(const struct channel_bounds *b, const char *channel, int64_t ready, bounds_visit *visit,
                 void *context);
void bounds_to_json(const struct channel_bounds *b, int64_t ready, struct json_writer *w);

/* ERR_REFUSED: so many messages, or bytes of payload, would push others out. -1: not known, and not asked. */
enum err bounds_check(const struct channel_bounds *b, const char *channel, int64_t ready, int64_t messages,
                      int64_t bytes, struct err_info *err) SB_MUST_USE;

#endif
