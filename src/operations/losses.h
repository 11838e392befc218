/* What a destination cannot keep of the messages that are sent to it: counted and said, never lost in silence. Floor 4. One thread
 * at a time. */
#ifndef SIGNALBOX_OPERATIONS_LOSSES_H
#define SIGNALBOX_OPERATIONS_LOSSES_H

#include "base/json.h"
#include "model/broker.h"

/* Messages, each counted once for each kind. Zeroed: none. */
struct losses {
    int64_t keys, nulls, times, past, uncommitted, typed, nested, counters, properties, transient;
    char property_names[120]; /* of the first that would be left out; "..." behind them: there are more */
};

void losses_count(struct losses *l, const struct message *m, const struct broker_ops *to);

/* One kind of it. */
struct loss {
    const char *name; /* "key", "null", ...: for programs */
    int64_t messages;
    const char *text; /* a sentence without a stop */
};
typedef void loss_visit(void *context, const struct loss *loss);
/* to: the driver of the destination; carries: what that keeps, once it was opened. done: the messages were sent; else they would be. */
void losses_tell(const struct losses *l, const struct broker_ops *to, unsigned carries, bool done,
                 loss_visit *visit, void *context);
/* As an array: [{"loss":"key","messages":3,"text":"..."}]. */
void losses_to_json(const struct losses *l, const struct broker_ops *to, unsigned carries, bool done,
                    struct json_writer *w);

/* What becomes of each part of a message in a channel that carries that, whatever the messages: "key", "left out". */
typedef void carry_visit(void *context, const char *part, const char *becomes);
void carries_tell(unsigned carries, carry_visit *visit, void *context);

#endif
