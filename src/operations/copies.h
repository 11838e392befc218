/* What a destination has already of a source that keeps its messages: copies that carry its positions (x-signalbox-source, see stamp.h), by
 * whichever signalbox they were sent. Floor 4. One thread at a time.
 *
 * A destination is read from the time on that the messages have which are asked for, since a copy keeps the time of its message and
 * none is older; an older one that is asked for later has it read once more, from further back. */
#ifndef SIGNALBOX_OPERATIONS_COPIES_H
#define SIGNALBOX_OPERATIONS_COPIES_H

#include "engine/secret.h"
#include "model/broker.h"

#define COPY_THERE "a copy of it is there already"

struct copies_job {
    const char *cluster, *channel; /* the source's, as its stamps have them */
    const struct broker_ops *ops;  /* of the destinations */
    const struct endpoint *endpoint;
    const atomic_bool *cancelled; /* the look ends soon */
    /* As of a session; see engine/session.h. May be NULL. */
    enum err (*prepare)(void *context, const struct endpoint *endpoint, struct secret *into,
                        struct err_info *err);
    void (*looked)(void *context, int64_t messages); /* now and then while it looks; may be NULL */
    void *context;
};

struct copies;

/* Can its destinations be looked through? Looking leaves no trace there, and tells from when on. */
bool copies_can(const struct broker_ops *ops);
/* The job's pointers must outlive it. NULL: no memory. */
struct copies *copies_new(const struct copies_job *job);
void copies_free(struct copies **c);
/* What was seen is not known to be all any more: each destination is looked through anew. */
void copies_forget(struct copies *c);
/* Is a copy of that message, which has a position, there? ERR_BUSY: an open transaction, of whomever, holds back what is there. */
enum err copies_find(struct copies *c, const struct channel_name *to, const struct message *m, bool *there,
                     struct err_info *err) SB_MUST_USE;

#endif
