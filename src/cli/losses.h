/* What a destination cannot keep of the messages that are sent to it: counted and said, never lost in silence. Floor 5. One thread
 * at a time. */
#ifndef SIGNALBOX_CLI_LOSSES_H
#define SIGNALBOX_CLI_LOSSES_H

#include "cli/cli.h"

/* Messages, each counted once for each kind. Zeroed: none. */
struct losses {
    int64_t keys, nulls, times, past, uncommitted, typed, nested, counters, properties, transient;
    char property_names[120]; /* of the first that would be left out; "..." behind them: there are more */
};

void losses_count(struct losses *l, const struct message *m, const struct broker_ops *to);
/* carries: what the destination that was opened keeps. done: the messages were sent; else they would be. */
void losses_say(const struct losses *l, const struct cli *c, const char *title, unsigned carries, bool done);

#endif
