/* What a destination cannot keep, a notice each. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_LOSSES_SAY_H
#define SIGNALBOX_CLI_LOSSES_SAY_H

#include "cli/cli.h"
#include "operations/losses.h"

/* looked: they were counted in so many messages of more, which is said; -1: in all. The rest as of losses_tell. */
void losses_say(const struct losses *l, const struct cli *c, int64_t looked, const struct broker_ops *to,
                unsigned carries, bool done);

#endif
