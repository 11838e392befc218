/* A report of duplicates for a screen: a channel is read and compared by a thread of its own. Floor 4. One thread, that of the screen;
 * nothing here waits. What `redact` hides is compared and not shown. */
#ifndef SIGNALBOX_OPERATIONS_DEDUPE_LOOK_H
#define SIGNALBOX_OPERATIONS_DEDUPE_LOOK_H

#include "engine/config.h"
#include "model/registry.h"
#include "operations/dedupe.h"

#define DEDUPE_LOOK_GROUPS 500 /* that the report holds, the biggest ones */

struct dedupe_look;

struct dedupe_look_status {
    bool ended;
    struct err_info err; /* of one that has ended so; ERR_OK */
    int64_t looked;      /* messages */
    int64_t stored;      /* when it began; COUNT_UNKNOWN */
    double compared;     /* 0 to 1, once all are read */
    char notice[240];
};

/* by: a rule (dedupe_rule_new). fd (an eventfd) is written as it goes on and when it has ended. NULL with *err; ERR_USAGE: the rule is
 * none. */
struct dedupe_look *dedupe_look_start(const struct address *channel, const char *by, struct config *config,
                                      const struct registry *registry, int fd, struct err_info *err);
void dedupe_look_status(struct dedupe_look *d, struct dedupe_look_status *into);
/* Once it has ended without an error; until dedupe_look_free. */
const struct dedupe *dedupe_look_report(const struct dedupe_look *d);
const struct dedupe_rule *dedupe_look_rule(const struct dedupe_look *d);
/* It ends soon, and tells nothing more. */
void dedupe_look_cancel(struct dedupe_look *d);
/* Frees it once it has ended, which is waited for so long at most (0: not at all). False: its thread has not come back, and *d stays. NULL
 * inside is allowed. */
bool dedupe_look_free(struct dedupe_look **d, int64_t wait_ns);

#endif
