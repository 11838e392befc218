/* Sending many messages over one connection, on a thread of its own. Floor 4.
 *
 * The source hands out one message after the other; each is published without waiting, outcomes are counted as they come.
 * With PUBLISH_DRY each is checked instead, and nothing is sent. The first failure ends it: what was handed over and has no
 * outcome yet is waited for. */
#ifndef SIGNALBOX_ENGINE_PUBLISHER_H
#define SIGNALBOX_ENGINE_PUBLISHER_H

#include "model/broker.h"

struct publish_job {
    const struct broker_ops *ops;
    const struct endpoint *endpoint;
    struct publish_request request;
    int64_t
        deadline_ns; /* monotonic, for all of it: ERR_TIMEOUT; 0: none, but 10 s for connecting, and for the last outcomes */
    /* On the publisher's thread. A message, valid until the next call; ERR_END: no more; ERR_BUSY: none yet, after a wait of its own
     * that is short, since the connection is served between two calls; else it failed, *err says why. */
    enum err (*next)(void *context, struct message *m, struct err_info *err) SB_MUST_USE;
    void (*notice)(void *context, const char *text); /* on the publisher's thread */
    void *context;
};

struct publish_result {
    int64_t handed, confirmed; /* handed: to the driver, which has sent them or not */
    int64_t failed;            /* returned or refused */
    int64_t
        unsent; /* of those handed over: given up before their turn came; the rest has no answer: may have arrived */
    int64_t bad; /* the number, from 1 on, of the message that err refuses; 0: err is of another kind */
    struct err_info err; /* the first failure, ERR_OK: none */
    unsigned carries;    /* enum carry, of this destination */
};

struct publisher;

/* done_fd (an eventfd) turns readable at the end. The job must outlive it. NULL with *err. */
struct publisher *publisher_start(const struct publish_job *job, int done_fd, struct err_info *err);
bool publisher_ended(struct publisher *p); /* any thread */
/* So far; any thread. */
struct publisher_count {
    bool connected;
    int64_t confirmed, outstanding; /* outstanding: handed over, and without an outcome */
};
struct publisher_count publisher_count(struct publisher *p);
void publisher_cancel(struct publisher *p);
/* Once it has ended, was cancelled, or its deadline has passed: waits for the little that it takes to leave, frees, nulls. */
void publisher_join(struct publisher **p, struct publish_result *result);

#endif
