/* What send and import share: say it, or do it. Floor 5. Main thread. */
#ifndef SIGNALBOX_CLI_CHANGING_H
#define SIGNALBOX_CLI_CHANGING_H

#include "cli/cli.h"
#include "engine/publisher.h"
#include "operations/losses.h"

/* What became of the messages; each is one of these, and without --execute all are unsent. */
struct change_sum {
    int64_t messages; /* those read */
    int64_t confirmed, refused, unsent, unanswered;
};

struct changing {
    const struct cli *cli;
    const struct address *to;
    uint32_t flags; /* enum publish_flag; --create adds its own */
    /* The next message, valid until the next call; ERR_END: no more. Any thread, one at a time. */
    enum err (*next)(void *context, struct message *m, struct err_info *err);
    bool (*rewind)(void *context); /* to the first message again; false: it is a stream, which is read once */
    int (*show)(void *context,
                const struct message *m); /* in a dry run; an exit code. NULL: nothing is shown */
    void *context;
    bool alone;   /* one message: what its sending looks at is check enough */
    int32_t told; /* the partition that all messages go to, plus one; 0: each names its own, or none */
    /* What the messages seen so far want, and what the destination cannot keep of them. */
    int32_t partitions;
    int64_t total; /* of all messages, once they were checked; -1: a stream */
    int64_t count, bytes;
    int64_t deadline_ns;          /* monotonic, of --timeout; 0: none */
    struct losses losses, before; /* of those that were read; before: without the last one */
    struct change_sum sum;        /* at the end */
};

/* Gives a message of JSON the partition that its properties name. The position may name another one: the property is what somebody
 * may have edited. */
void changing_place(struct message *m);

/* Reads everything as the sending would, and looks the destination up, without any effect; says what would happen. 0, 4 when there
 * is nothing to send, or the code that the sending would give. */
int changing_rehearse(struct changing *ch);
/* Publishes all messages, and says on stderr how it went. What can be read twice is checked as a whole before the first one is sent.
 * Exit code: 0, the failure's, 6 when only a part is confirmed, 128 + signal. */
int changing_execute(struct changing *ch);

#endif
