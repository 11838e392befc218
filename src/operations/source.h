/* Where an operation's messages come from: a session with a thread of its own that takes them off a channel, or reads them, and removes
 * those that are done with. Floor 4.
 *
 * Messages come in batches, in the order of the source; each batch goes back to be settled, in that order. Few are ahead: the thread
 * stops taking, and keeps its heartbeats, until those that were taken are dealt with. */
#ifndef SIGNALBOX_OPERATIONS_SOURCE_H
#define SIGNALBOX_OPERATIONS_SOURCE_H

#include "base/clock.h"
#include "engine/secret.h"
#include "operations/batch.h"

/* What is taken and kept is nobody's to take meanwhile: at most so many, for at most so long. */
#define SOURCE_HELD_MOST 100000
#define SOURCE_HELD_NS   (600 * NS_PER_S)

struct source;

struct source_job {
    const struct broker_ops *ops;
    const struct endpoint *endpoint;
    struct channel_name from;
    bool lease;         /* messages are taken; else they are read */
    enum lease_use use; /* of a lease; LEASE_KEEPS: what is marked for removal stays, too */
    size_t window;      /* of a lease */
    int64_t most;       /* messages in all; -1: those that are there when it begins */
    struct start start; /* of reading */
    int32_t partition;
    const struct read_places *places; /* of reading: there instead of `start`; NULL: none */
    /* As of a session; see engine/session.h. May be NULL. */
    enum err (*prepare)(void *context, const struct endpoint *endpoint, struct secret *into,
                        struct err_info *err);
    void (*notice)(void *context, const char *text); /* on the source's thread */
    void *context;
};

/* Is what is not to be removed taken all the same, and given back at the end? Where looking leaves a trace anyway, that is what holds
 * most, and is back soonest. keeps: the channel is a log. */
static inline bool source_holds(const struct broker_ops *ops, bool keeps)
{
    return !keeps && ops->lease_open && !ops->browse_is_free;
}

/* event_fd (an eventfd) is written whenever there is something to take. The job's strings must outlive it. NULL with *err. */
struct source *source_start(const struct source_job *job, int event_fd, struct err_info *err);
/* ERR_OK: *batch is the caller's; ERR_BUSY: none yet; ERR_END: there are no more; else it has failed, and what was not settled is void:
 * it is at the source again. */
enum err source_take(struct source *s, struct batch **batch, struct err_info *err) SB_MUST_USE;
/* For whoever only looks: as source_take, but what was settled is freed, and where there is none yet a moment is waited for it: ERR_OK with
 * *batch NULL. */
enum err source_await(struct source *s, struct batch **batch, struct err_info *err) SB_MUST_USE;
bool source_is_open(struct source *s);
/* ERR_OK, or why it has failed. */
enum err source_failure(struct source *s, struct err_info *err);
/* Gives a batch back: what is marked for removal is removed, the rest kept. */
void source_settle(struct source *s, struct batch *batch);
/* The next one that has been settled for good; NULL: none. The caller's. */
struct batch *source_settled(struct source *s);
/* Once it has no more: what it has not handed over since an open transaction, of whomever, holds it back; "" nothing known. */
void source_held(struct source *s, char *into, size_t size);
/* No more messages, please: it ends once all that it gave out was settled. */
void source_stop(struct source *s);
void source_cancel(struct source *s); /* any thread: ends at once, what is out goes back */
/* Once all that it gave out was settled, or it has failed or was cancelled: waits until what is held has gone back, and frees.
 * *returned: how many those were. ERR_OK, or why they are not known to be back. */
enum err source_join(struct source **s, int64_t *returned, struct err_info *err);

#endif
