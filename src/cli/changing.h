/* What send and import share: say it, or do it. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_CHANGING_H
#define SIGNALBOX_CLI_CHANGING_H

#include "cli/cli.h"
#include "engine/publisher.h"

/* What the destination cannot keep of messages; counted while they are read, said at the end. */
struct losses {
    int64_t keys, nulls;
};
void losses_count(struct losses *l, const struct broker_ops *to, const struct message *m);
void losses_say(const struct losses *l, const struct cli *c, const struct address *to, bool done);

/* Publishes all that next hands out, and says on stderr how it went. Exit code: 0, the failure's, 6 when only a part is
 * confirmed, 128 + signal. */
int changing_publish(const struct cli *c, const struct address *to, uint32_t flags,
                     enum err (*next)(void *context, struct message *m, struct err_info *err), void *context);

#endif
