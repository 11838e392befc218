/* Messages of a queue that are taken, to be removed or given back. Private to this folder. What follows was tried on 3.10.8.
 *
 * They come by consumers of the lease's own, each on a channel of its own; these are never cancelled while messages may be on their way
 * (a quorum queue would put those at its end). What is not removed goes back with its channel's end: into a classic queue where it
 * stood (within its priority, where the queue has some), into a quorum queue before all else, in the order in which it came, channel by
 * channel. So a further one begins when those before it hold nothing but what is kept, and get no more. They are small: a
 * broker's channel walks over what is kept for each message that is removed behind it (10,000 of them: 600 removals a second).
 * Where the connection goes all at once, a quorum queue has what several parts held in another order: part by part, and not as they came.
 * Where more is wanted than a part holds before anything of it is settled (an archive that has to stand first), the consumer of a full one
 * is cancelled, so that what is removed makes no room there, and the next part begins.
 *
 * Where all are kept nothing is walked over: one channel has all parts, which are its consumers (at most 32, of which more a quorum queue
 * would give back in another order), each for few enough that the broker has no more on their way than that. So it is with a quorum queue
 * whatever is kept, but for LEASE_PICKS: what a lost connection held is back all at once then, and in its order; removals are waited for as
 * long as their channel may take to walk.
 *
 * basic.get, slower, takes from a classic queue where a consumer would do harm: one that is deleted with its last consumer, one
 * with a single active consumer, and whatever the management API does not tell of. */
#ifndef SIGNALBOX_BROKERS_RABBITMQ_LEASE_H
#define SIGNALBOX_BROKERS_RABBITMQ_LEASE_H

#include "brokers/rabbitmq/rabbitmq_reader.h"

/* Of a lease: a consumer, and the channel that it is on. Handles are numbers of the lease, delivery tags count up from 1 on each
 * channel. */
struct rabbit_part {
    amqp_channel_t channel;
    uint64_t base; /* handle: of the part's first message, less one */
    uint64_t received, removed;
    uint64_t kept;
    uint64_t wanted; /* what it may hold; by_get: what was asked for */
    bool consumes;
    bool full; /* nothing more comes, whatever is removed of it */
    /* of its channel: those of the first part there */
    uint64_t low;     /* handle: all of the channel's below it are removed */
    int64_t commands; /* acknowledgements since the last settle_sync */
    uint64_t walked;  /* messages that the broker goes over for these, at most */
};

struct rabbit_lease {
    struct lease_sink sink;
    const struct origin *origin;
    enum lease_use use;
    size_t window;
    bool one_channel; /* has all parts */
    int64_t left;     /* to be handed over */
    bool by_get, paused, stopped;
    bool others; /* the queue had consumers when it began */
    bool empty;  /* nothing is left there */
    bool ended;  /* nothing more is handed over */
    struct rabbit_part *parts;
    size_t part_count;                  /* only the last one gets messages */
    uint64_t received, handed, removed; /* handed: to the sink, the first of those received */
    uint64_t wanted;                    /* by_get: what was asked for */
    size_t out;                         /* handed over and not settled */
    bool returned_last;                 /* the last one that was received had been returned before */
    int64_t silent_ns;                  /* monotonic: since when nothing came that could; 0: not silent */
    amqp_channel_t last;                /* that was told of a removal; 0: none */
    uint64_t run,
        run_end; /* handles of removals that are not sent yet, of one part; run_end is behind them; 0: none */
};

/* Opens the next part. (rabbitmq_lease.c) */
enum err rabbit_lease_part(struct broker *b, struct err_info *err) SB_MUST_USE;
/* Takes the next message that is at hand, to the sink or aside; *any: there was a frame. */
enum err rabbit_lease_receive(struct broker *b, bool aside, bool *any, struct err_info *err) SB_MUST_USE;
/* Nothing came: once that is so for a while and nothing is ready, the queue is empty. Waits for at most timeout_ms (-1: as long
 * as is useful). ERR_TIMEOUT: there are messages, and they do not come. */
enum err rabbit_lease_silence(struct broker *b, int timeout_ms, struct err_info *err) SB_MUST_USE;
/* What is ready, asked on the newest part's channel, behind all that this one was told. */
enum err rabbit_lease_ready(struct broker *b, int64_t *ready, struct err_info *err) SB_MUST_USE;
struct rabbit_part *rabbit_lease_part_of(struct rabbit_lease *l, uint64_t handle);
/* Where its channel is counted. */
static inline struct rabbit_part *rabbit_lease_first(const struct rabbit_lease *l, struct rabbit_part *part)
{
    return l->one_channel ? l->parts : part;
}
/* Has the broker anything more for us, before some of what it gave is removed? */
bool rabbit_lease_expects(const struct rabbit_lease *l);
/* Ends the newest part's consumer: a classic queue gives no more, a quorum queue must have nothing on its way. */
enum err rabbit_lease_end_consumer(struct broker *b, struct err_info *err) SB_MUST_USE;
/* Sends the removals that wait. (rabbitmq_settle.c) */
enum err rabbit_lease_flush(struct broker *b, struct err_info *err) SB_MUST_USE;

#endif
